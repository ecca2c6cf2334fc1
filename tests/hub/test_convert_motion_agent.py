"""Official checkpoints in: synthetic ones with the official names at small size, against a plain reading of them."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import pickled_files, save_base, train_base_tokenizer
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

import motionllm
from hub_scripts.convert_motion_agent import main as convert
from hub_scripts.hub.motion_agent import convert_vq
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.vocabulary_motionllm import motion_token_names

WIDTH, CODES, DEPTH, STAGES = 16, 32, 3, 2


def official_vq() -> dict[str, torch.Tensor]:
    """Random weights under the official names: HumanVQVAE's state dict."""
    generator = torch.Generator().manual_seed(0)
    state = {}

    def conv(name, out, into, kernel):
        scale = (into * kernel) ** -0.5
        state[f"vqvae.{name}.weight"] = torch.randn(out, into, kernel, generator=generator) * scale
        state[f"vqvae.{name}.bias"] = torch.randn(out, generator=generator) * 0.1

    for side, start, end in (("encoder", 263, WIDTH), ("decoder", WIDTH, 263)):
        conv(f"{side}.model.0", WIDTH, start, 3)
        for stage in range(2, 2 + STAGES):
            place = "1" if side == "encoder" else "0"
            conv(
                f"{side}.model.{stage}.{'0' if side == 'encoder' else '2'}", WIDTH, WIDTH, 4 if side == "encoder" else 3
            )
            for block in range(DEPTH):
                conv(f"{side}.model.{stage}.{place}.model.{block}.conv1", WIDTH, WIDTH, 3)
                conv(f"{side}.model.{stage}.{place}.model.{block}.conv2", WIDTH, WIDTH, 1)
        conv(f"{side}.model.{2 + STAGES}", WIDTH if side == "decoder" else end, WIDTH, 3)
    conv(f"decoder.model.{4 + STAGES}", 263, WIDTH, 3)
    state["vqvae.quantizer.codebook"] = torch.randn(CODES, WIDTH, generator=generator) * 0.5
    return state


def run_official(state, motion):
    """Codes and decoded motion (normalised) of the official network, from its definition."""

    def conv(name, x, **options):
        return F.conv1d(x, state[f"vqvae.{name}.weight"], state[f"vqvae.{name}.bias"], **options)

    def blocks(name, x):
        for block in range(DEPTH):
            dilation = 3 ** (DEPTH - 1 - block)
            y = conv(f"{name}.model.{block}.conv1", F.relu(x), padding=dilation, dilation=dilation)
            x = x + conv(f"{name}.model.{block}.conv2", F.relu(y))
        return x

    x = F.relu(conv("encoder.model.0", motion.transpose(1, 2), padding=1))
    for stage in range(2, 2 + STAGES):
        x = blocks(f"encoder.model.{stage}.1", conv(f"encoder.model.{stage}.0", x, stride=2, padding=1))
    latents = conv(f"encoder.model.{2 + STAGES}", x, padding=1).transpose(1, 2)
    codebook = state["vqvae.quantizer.codebook"]
    codes = torch.cdist(latents, codebook[None]).argmin(-1)
    x = F.relu(conv("decoder.model.0", codebook[codes].transpose(1, 2), padding=1))
    for stage in range(2, 2 + STAGES):
        x = F.interpolate(blocks(f"decoder.model.{stage}.0", x), scale_factor=2, mode="nearest")
        x = conv(f"decoder.model.{stage}.2", x, padding=1)
    x = F.relu(conv(f"decoder.model.{2 + STAGES}", x, padding=1))
    return codes, conv(f"decoder.model.{4 + STAGES}", x, padding=1).transpose(1, 2)


@pytest.fixture(scope="module", params=["tied", "untied"])
def official(request, tmp_path_factory):
    """Files as the official code writes them, and the language model that wrote them."""
    folder = tmp_path_factory.mktemp("official")
    tokenizer = train_base_tokenizer()
    base = save_base(folder / "base", tokenizer, tied=request.param == "tied")
    vq = official_vq()
    torch.save({"net": vq}, folder / "vqvae.pth")
    np.save(folder / "mean.npy", np.linspace(-1, 1, 263, dtype=np.float32))
    np.save(folder / "std.npy", np.linspace(0.5, 2, 263, dtype=np.float32))
    tokenizer = AutoTokenizer.from_pretrained(base)
    old = len(tokenizer)
    tokenizer.add_tokens(motion_token_names(CODES))
    targets = ["o_proj", "q_proj", "up_proj", "v_proj", "k_proj", "down_proj", "gate_proj"]
    options = {"target_modules": targets, "task_type": "CAUSAL_LM", "lora_dropout": 0.1}
    llm = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=6, lora_alpha=6, **options), adapter_name="t2m"
    )
    llm.add_adapter("m2t", LoraConfig(r=3, lora_alpha=3, **options))
    llm.resize_token_embeddings(len(tokenizer))
    torch.manual_seed(3)
    for name, parameter in llm.named_parameters():
        if "lora" in name:
            parameter.data.normal_(std=0.2)
    saved = {name: parameter for name, parameter in llm.named_parameters() if "lora" in name}
    saved["embeddings"] = llm.get_input_embeddings().weight[old:]
    saved["lm_head"] = llm.get_output_embeddings().weight[old:]
    torch.save(saved, folder / "motionllm.pth")
    return folder, llm.eval(), vq


def arguments(folder, out, **changed):
    files = {"vq": folder / "vqvae.pth", "llm": folder / "motionllm.pth", "mean": folder / "mean.npy"}
    files |= {"std": folder / "std.npy", "base": folder / "base", "out": out}
    return [text for name, value in (files | changed).items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def converted(official):
    out = official[0] / "converted"
    assert convert(arguments(official[0], out)) == 0
    return out


def test_it_holds_no_pickle(official, converted):
    assert pickled_files(official[0]) >= {official[0] / "vqvae.pth", official[0] / "motionllm.pth"}
    assert pickled_files(converted) == set()


def test_the_vq_encodes_and_decodes_as_the_official_one(official, converted):
    folder, _, state = official
    vq = motionllm.MotionVQModel.from_pretrained(converted / "motion_vq")
    motion = torch.randn(2, 40, 263, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("mean", "std"))
    codes, decoded = run_official(state, (motion - mean) / std)
    with torch.no_grad():
        assert torch.equal(vq.encode(motion).codes, codes)
        torch.testing.assert_close(vq.decode(codes).features, decoded * std + mean, atol=1e-4, rtol=1e-4)
    assert len(codes.unique()) > 5


@pytest.mark.parametrize(("official_name", "name"), [("t2m", "default"), ("m2t", "m2t")])
def test_each_adapter_gives_the_official_logits(official, converted, official_name, name):
    llm = official[1]
    model = motionllm.MotionLLMForCausalLM.from_pretrained(converted, adapter_name=name)
    processor = motionllm.MotionLLMProcessor.from_pretrained(converted)
    ids = processor(text="A person walks forward.")["input_ids"]
    ids = torch.cat([ids, model.motion_vocabulary.codes_to_ids(torch.arange(5))[None]], dim=1)
    llm.set_adapter(official_name)
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=ids).logits, llm(input_ids=ids).logits, atol=1e-3, rtol=1e-3)


def test_the_converted_checkpoint_is_used_like_any_other(converted, capsys):
    assert json.loads((converted / "conversion_record.json").read_text())["converted_from"] == "Motion-Agent"
    processor = motionllm.MotionLLMProcessor.from_pretrained(converted)
    prompt = processor.tokenizer.decode(processor(text="A person walks.")["input_ids"][0])
    assert "### Input:\nA person walks.\n\nResponse: <Motion>" in prompt
    model = motionllm.MotionLLMForCausalLM.from_pretrained(converted)
    motion = processor.decode_motion(model.generate_motion(**processor(text="A person walks."), seed=0))[0]
    assert np.isfinite(motion.joints).all()


def test_what_does_not_fit_is_reported(official, tmp_path):
    folder, _, state = official
    mean, std = np.zeros(263, np.float32), np.ones(263, np.float32)
    missing = {name: value for name, value in state.items() if "decoder.model.6" not in name}
    with pytest.raises(MotionLLMError, match=r"missing: decoder\.model\.6\.weight"):
        convert_vq(missing, mean, std)
    with pytest.raises(MotionLLMError, match=r"unknown: encoder\.model\.2\.1\.norm1\.weight"):
        convert_vq({**state, "vqvae.encoder.model.2.1.norm1.weight": torch.zeros(1)}, mean, std)
    with pytest.raises(MotionLLMError, match=r"of another shape: decoder\.model\.0\.weight"):
        convert_vq({**state, "vqvae.decoder.model.0.weight": torch.zeros(1, 2, 3)}, mean, std)
    with pytest.raises(MotionLLMError, match="no official VQ-VAE"):
        convert_vq({"a": torch.zeros(1)}, mean, std)
    with pytest.raises(MotionLLMError, match="mean has shape"):
        convert_vq(state, mean[:7], std)
    saved = torch.load(folder / "motionllm.pth", weights_only=True)
    cases = {
        "'embeddings' is": {**saved, "embeddings": saved["embeddings"][:-1]},
        "'lm_head' is missing": {name: value for name, value in saved.items() if name != "lm_head"},
        "no adapter 'm2t'": {name: value for name, value in saved.items() if ".m2t." not in name},
        "missing: base_model": {name: value for name, value in saved.items() if "layers.1.mlp.up_proj" not in name},
    }
    for message, changed in cases.items():
        torch.save(changed, tmp_path / "motionllm.pth")
        with pytest.raises(MotionLLMError, match=message):
            convert(arguments(folder, tmp_path / "out", llm=tmp_path / "motionllm.pth"))
        assert [path.name for path in tmp_path.iterdir()] == ["motionllm.pth"]


def test_files_that_would_run_code_are_refused(official, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"net": Trap()}, tmp_path / "vqvae.pth")
    with pytest.raises(MotionLLMError, match="file of tensors"):
        convert(arguments(official[0], tmp_path / "out", vq=tmp_path / "vqvae.pth"))
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(MotionLLMError, match="download_ckpt"):
        convert(arguments(official[0], tmp_path / "out", vq=tmp_path / "nothing.pth"))
