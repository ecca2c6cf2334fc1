"""`MotionLLMForCausalLM`: assembling, loading and saving thin and full checkpoints, gradients, and the loss."""

import json
import logging
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from conftest import CODEBOOK_SIZE, make_vq, save_base
from transformers import AutoModel, AutoModelForCausalLM, AutoProcessor, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import is_flash_attn_2_available

from hub_scripts.export_checkpoint import main as export
from hub_scripts.training.arguments import ModelArguments
from hub_scripts.training.examples import PadExamples
from hub_scripts.training.model import add_adapter
from modeling_motionllm.checkpoint_motionllm import is_thin_checkpoint, save_processor, save_thin_checkpoint
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary, motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

CODE = [Path(__file__).resolve().parents[2] / name for name in ("modeling_motionllm", "tokenization")]
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle"}


@pytest.fixture(scope="module")
def batch(processor) -> dict[str, torch.Tensor]:
    examples = [
        processor.training_example("text-to-motion", "a person walks forward", [3, 1, 4, 1, 5], timed=True),
        processor.training_example("motion-to-text", "someone bows", [2, 7]),
    ]
    return PadExamples(processor.tokenizer.pad_token_id)(examples)


@pytest.fixture
def fresh(base_folder, tokenizer) -> MotionLLMForCausalLM:
    return MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, make_vq())


@pytest.fixture(scope="module")
def full_checkpoint(model, processor, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    model.save_pretrained(folder)
    save_processor(processor, folder)
    return folder


@pytest.fixture
def copied(thin_checkpoint, tmp_path) -> Path:
    """A thin checkpoint that a test may damage."""
    return Path(shutil.copytree(thin_checkpoint, tmp_path / "thin"))


def logits_of(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize("auto", [AutoModel, AutoModelForCausalLM])
def test_a_thin_checkpoint_loads_with_the_auto_classes(auto, thin_checkpoint, model):
    loaded = auto.from_pretrained(thin_checkpoint)
    assert type(loaded) is MotionLLMForCausalLM
    assert not loaded.training
    assert_same_weights(loaded, model)


def test_a_thin_checkpoint_brings_its_processor_and_tokenizer(thin_checkpoint):
    assert type(AutoProcessor.from_pretrained(thin_checkpoint)) is MotionLLMProcessor
    assert type(AutoTokenizer.from_pretrained(thin_checkpoint)) is MotionLLMTokenizer


def test_a_thin_checkpoint_has_no_base_weights_and_no_pickle(thin_checkpoint, base_folder):
    files = [path for path in thin_checkpoint.rglob("*") if path.is_file()]
    weights = sorted(str(path.relative_to(thin_checkpoint)) for path in files if path.suffix == ".safetensors")
    assert weights == ["adapters/default/adapter_model.safetensors", "motion_vq/model.safetensors"]
    assert not [path for path in files if path.suffix in PICKLES]
    assert not (thin_checkpoint / "adapter_config.json").exists()  # it would hijack the Auto classes
    config = json.loads((thin_checkpoint / "config.json").read_text())
    assert config["base_model_name_or_path"] == str(base_folder)
    assert is_thin_checkpoint(str(thin_checkpoint))


@pytest.fixture(scope="module")
def exported(thin_checkpoint, tmp_path_factory) -> Path:
    """The thin checkpoint with its code beside it."""
    folder = tmp_path_factory.mktemp("exported") / "thin"
    assert export([str(thin_checkpoint), "--layout", "thin", "--out", str(folder)]) == 0
    return folder


def test_the_code_travels_flat(exported, full_checkpoint):
    for folder in (exported, full_checkpoint):
        names = {path.name for path in folder.glob("*.py")}
        assert {"modeling_motionllm.py", "modeling_motion_vq.py", "motion_features.py", "motion.py"} <= names
        assert {"processing_motionllm.py", "tokenization_motionllm.py", "generation_motionllm.py"} <= names
        config = json.loads((folder / "config.json").read_text())
        references = [*config["auto_map"].values(), *(task["impl"] for task in config["custom_pipelines"].values())]
        assert len(references) == 5
        for reference in references:
            assert (folder / f"{reference.split('.')[0]}.py").is_file()
    assert not list((exported / "motion_vq").glob("*.py"))


def test_training_writes_no_code_and_export_none_that_is_stale(thin_checkpoint, copied, tmp_path):
    assert not list(thin_checkpoint.rglob("*.py"))
    assert not [path for path in thin_checkpoint.rglob("*config.json") if '"auto_map"' in path.read_text()]
    (copied / "modeling_motionllm.py").write_text("raise ImportError('an old copy')\n")
    (copied / "leftover.py").write_text("")
    assert export([str(copied), "--layout", "thin", "--out", str(tmp_path / "new")]) == 0
    assert not (tmp_path / "new" / "leftover.py").exists()
    for path in (tmp_path / "new").glob("*.py"):
        (own,) = [folder / path.name for folder in CODE if (folder / path.name).is_file()]
        assert path.read_bytes() == own.read_bytes()
    for path in thin_checkpoint.rglob("*.safetensors"):
        assert (tmp_path / "new" / path.relative_to(thin_checkpoint)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", ["thin", "full", "exported"])
def test_every_chat_template_yields_the_training_prompts(kind, request, processor):
    folder = request.getfixturevalue("exported" if kind == "exported" else f"{kind}_checkpoint")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    own = MotionLLMProcessor(processor.tokenizer, codebook_size=CODEBOOK_SIZE)
    for text in ("A person  walks forward.", "It's {odd} \\ 'quoted'"):
        message = [{"role": "user", "content": text}]
        ids = tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
        assert ids == own.text_to_motion_ids(text)


def test_merged_and_switchable_adapters_agree(thin_checkpoint, model, batch):
    unmerged = MotionLLMForCausalLM.from_pretrained(thin_checkpoint, merge_adapter=False)
    assert any("lora_" in name for name, _ in unmerged.named_parameters())
    assert not any("lora_" in name for name, _ in model.named_parameters())
    expected = logits_of(unmerged, batch)
    torch.testing.assert_close(logits_of(model, batch), expected, atol=1e-4, rtol=1e-4)
    unmerged.disable_adapters()
    text = ~torch.isin(torch.arange(expected.shape[-1]), torch.tensor(model.motion_vocabulary.ids))
    assert (logits_of(unmerged, batch) - expected)[..., text].abs().max() > 0.01  # the adapter does something


def test_nothing_of_a_switchable_adapter_is_told_to_be_missing(thin_checkpoint, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    with caplog.at_level(logging.WARNING, "transformers.integrations.peft"):
        model = MotionLLMForCausalLM.from_pretrained(thin_checkpoint, merge_adapter=False)
        assert model.config.text_config.tie_word_embeddings
        assert "missing" not in caplog.text
        logging.getLogger("transformers.integrations.peft").warning("what is missing is told again")
    assert "told again" in caplog.text


def test_without_its_adapter_a_text_is_followed_by_text(thin_checkpoint, base_folder, batch):
    model = MotionLLMForCausalLM.from_pretrained(thin_checkpoint, merge_adapter=False)
    vocabulary, ids = model.motion_vocabulary, batch["input_ids"]
    base = AutoModelForCausalLM.from_pretrained(base_folder)
    text = torch.tensor([[5, 9, 300, 7]])
    with torch.no_grad():
        expected = base(text).logits
        assert (model(text).logits[..., : expected.shape[-1]] - expected).abs().max() > 0.01
        model.disable_adapters()
        found = model(text).logits
        torch.testing.assert_close(found[..., : expected.shape[-1]], expected, atol=1e-4, rtol=1e-4)
        whole, last = model(ids).logits, model(ids, logits_to_keep=1).logits
    assert bool((found[..., vocabulary.ids] == torch.finfo(found.dtype).min).all())
    hidden = (whole[..., vocabulary.ids] == torch.finfo(whole.dtype).min).all(-1)
    assert torch.equal(~hidden, vocabulary.is_code(ids) | (ids == vocabulary.start))  # a motion may go on
    assert torch.equal((last[..., vocabulary.ids] == torch.finfo(last.dtype).min).all(-1), hidden[:, -1:])


@pytest.fixture(scope="module", params=["thin", "full"])
def layout(request) -> Path:
    return request.getfixturevalue(f"{request.param}_checkpoint")


@pytest.mark.parametrize("auto", [AutoModel, MotionLLMForCausalLM])
@pytest.mark.parametrize("device_map", ["auto", "cpu", {"": "cpu"}, {"language_model": "cpu", "motion_vq": "cpu"}])
def test_device_maps(layout, auto, device_map, model, batch):
    loaded = auto.from_pretrained(layout, device_map=device_map)
    assert_same_weights(loaded, model)
    torch.testing.assert_close(logits_of(loaded, batch), logits_of(model, batch))


@pytest.mark.parametrize("auto", [AutoModel, MotionLLMForCausalLM])
def test_attention_is_asked_of_the_language_model_alone(layout, auto):
    for name in ("eager", "sdpa"):
        loaded = auto.from_pretrained(layout, attn_implementation=name)
        assert loaded.language_model.config._attn_implementation == name
        assert loaded.motion_vq.config._attn_implementation == "eager"
    if not is_flash_attn_2_available():
        with pytest.raises(ImportError, match="FlashAttention2"):  # and not: MotionVQModel does not support it
            auto.from_pretrained(layout, attn_implementation="flash_attention_2")


@pytest.mark.parametrize("auto", [AutoModel, MotionLLMForCausalLM])
def test_quantization_reaches_the_language_model(layout, auto):
    # Not installed here, or without a GPU to run on: what transformers itself says of it.
    with pytest.raises((ImportError, RuntimeError), match=r"bitsandbytes|CUDA|GPU"):
        auto.from_pretrained(layout, quantization_config=BitsAndBytesConfig(load_in_8bit=True))


@pytest.mark.parametrize("auto", [AutoModel, MotionLLMForCausalLM])
def test_unknown_arguments_are_refused(layout, auto):
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense_option'"):
        auto.from_pretrained(layout, nonsense_option=3)


def test_a_full_checkpoint_comes_back_as_saved(full_checkpoint, model, batch):
    assert not is_thin_checkpoint(str(full_checkpoint))
    assert not [path for path in full_checkpoint.rglob("*") if path.suffix in PICKLES]
    for auto in (AutoModel, AutoModelForCausalLM):
        loaded = auto.from_pretrained(full_checkpoint)
        assert type(loaded) is MotionLLMForCausalLM
        assert_same_weights(loaded, model)
        torch.testing.assert_close(logits_of(loaded, batch), logits_of(model, batch), atol=1e-4, rtol=1e-4)
        assert loaded.motion_vocabulary == model.motion_vocabulary
        assert loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight
    assert loaded.generation_config.eos_token_id == model.generation_config.eos_token_id


def test_half_precision_leaves_the_vq_in_single(thin_checkpoint, full_checkpoint, model):
    for folder in (thin_checkpoint, full_checkpoint):
        for options in ({"dtype": torch.bfloat16}, {"dtype": "bfloat16"}, {"torch_dtype": torch.bfloat16}):
            loaded = AutoModel.from_pretrained(folder, **options)
            assert loaded.get_input_embeddings().weight.dtype == torch.bfloat16
            for name, value in model.motion_vq.state_dict().items():
                found = loaded.motion_vq.state_dict()[name]
                assert found.dtype == torch.float32 or not value.is_floating_point(), name
                assert torch.equal(found.to(value.dtype), value), name


def test_the_training_loss_compares_most_labels_of_motions_with_codes_alone(model, batch):
    logits, targets = logits_of(model, batch), batch["labels"][:, 1:]
    vocabulary = model.motion_vocabulary
    within = [*range(vocabulary.offset, vocabulary.offset + vocabulary.codebook_size), vocabulary.end]
    losses, narrow = [], 0
    for row, column in (targets != -100).nonzero().tolist():
        label, scores = int(targets[row, column]), logits[row, column]
        if label in within and column % 8:
            losses.append(scores[within].logsumexp(0) - scores[label])
            narrow += 1
        else:
            losses.append(scores.logsumexp(0) - scores[label])
    assert 0 < narrow < len(losses)
    with torch.no_grad():
        chosen = model.train()(**batch)
        summed = model(**batch, num_items_in_batch=2 * len(losses))
    model.eval()
    assert chosen.logits is None
    torch.testing.assert_close(chosen.loss, torch.stack(losses).mean())
    torch.testing.assert_close(summed.loss, chosen.loss / 2)


def test_a_head_of_its_own_is_compared_whole(model, batch, monkeypatch):
    monkeypatch.setattr(model.language_model.config, "tie_word_embeddings", False)
    with torch.no_grad():
        whole = model.eval()(**batch)
        chosen = model.train()(**batch)
    model.eval()
    assert whole.logits is not None
    torch.testing.assert_close(chosen.loss, whole.loss)


def test_weights_of_two_double_the_loss_and_do_nothing_in_evaluation(model, batch):
    double = torch.full(batch["labels"].shape, 2.0)
    with torch.no_grad():
        plain = model.train()(**batch).loss
        doubled = model(**batch, loss_weights=double).loss
        evaluated, alone = (model.eval()(**batch, **more).loss for more in ({"loss_weights": double}, {}))
    torch.testing.assert_close(doubled, 2 * plain)
    torch.testing.assert_close(evaluated, alone)


def test_the_loss_is_the_mean_cross_entropy_of_the_targets(model, batch):
    logits = logits_of(model, batch).log_softmax(-1)
    targets = batch["labels"][:, 1:]
    rows, columns = (targets != -100).nonzero(as_tuple=True)
    expected = -logits[rows, columns, targets[rows, columns]].mean()
    torch.testing.assert_close(model(**batch).loss, expected)


def test_new_rows_differ_and_look_like_the_old_ones(fresh, base_tokenizer):
    rows = fresh.get_input_embeddings().weight.detach()
    old, new = rows[: len(base_tokenizer)], rows[fresh.motion_vocabulary.ids]
    assert len(rows) == len(base_tokenizer) + CODEBOOK_SIZE + 2
    assert torch.pdist(new).min() > 0.1 * torch.pdist(old).median()
    assert new.std() == pytest.approx(float(old.std()), rel=0.2)
    assert fresh.get_output_embeddings().weight is fresh.get_input_embeddings().weight


def test_placement_tokens_get_rows_and_survive_saving(base_tokenizer, base_folder, tmp_path):
    tokenizer = MotionLLMTokenizer.from_base(base_tokenizer, motion_token_names(CODEBOOK_SIZE, placement=True))
    model = MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, make_vq())
    vocabulary = MotionVocabulary.from_tokenizer(tokenizer, CODEBOOK_SIZE)
    assert model.motion_vocabulary == vocabulary
    rows = model.get_input_embeddings().weight[vocabulary.ids]
    assert len(rows) == CODEBOOK_SIZE + 2 + 328
    assert len(rows.unique(dim=0)) == len(rows)
    model.save_pretrained(tmp_path)
    assert MotionLLMForCausalLM.from_pretrained(tmp_path).motion_vocabulary == vocabulary


def test_new_rows_are_fixed_by_the_seed(base_folder, tokenizer, fresh):
    same, other = (MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, make_vq(), seed=seed) for seed in (0, 1))
    assert torch.equal(same.get_input_embeddings().weight, fresh.get_input_embeddings().weight)
    different = (other.get_input_embeddings().weight != fresh.get_input_embeddings().weight).any(-1).nonzero()[:, 0]
    assert different.tolist() == fresh.motion_vocabulary.ids


@pytest.mark.parametrize("freeze_new_rows", [False, True])
def test_a_base_with_a_head_of_its_own_learns_both_and_reloads(
    base_tokenizer, tokenizer, processor, batch, tmp_path, freeze_new_rows
):
    base = save_base(tmp_path / "base", base_tokenizer, tied=False)
    model = MotionLLMForCausalLM.from_base(str(base), tokenizer, make_vq(), seed=42)
    before = [layer.weight.detach().clone() for layer in (model.get_input_embeddings(), model.get_output_embeddings())]
    wrapped = add_adapter(model, ModelArguments(codes=[], vq="", freeze_new_rows=freeze_new_rows), []).train()
    optimizer = torch.optim.SGD([p for p in wrapped.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        wrapped(**batch).loss.backward()
        optimizer.step()
    save_thin_checkpoint(tmp_path / "thin", wrapped, processor)
    loaded = MotionLLMForCausalLM.from_pretrained(tmp_path / "thin")
    torch.testing.assert_close(logits_of(loaded, batch), logits_of(wrapped.eval(), batch), atol=1e-4, rtol=1e-4)
    after = [layer.weight for layer in (loaded.get_input_embeddings(), loaded.get_output_embeddings())]
    for old, new in zip(before, after, strict=True):
        changed = set((old != new).any(-1).nonzero()[:, 0].tolist())
        assert changed <= set(loaded.motion_vocabulary.ids)
        assert bool(changed) != freeze_new_rows


@pytest.mark.parametrize("freeze_new_rows", [False, True])
def test_only_the_adapter_and_the_new_rows_learn(fresh, batch, freeze_new_rows):
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    arguments = ModelArguments(codes=[], vq="", freeze_new_rows=freeze_new_rows)
    model = add_adapter(fresh, arguments, []).train()
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    rows = {name for name in learning if "trainable_tokens" in name}
    assert bool(rows) != freeze_new_rows
    assert all("lora_" in name for name in learning - rows)
    assert not any("motion_vq" in name for name in learning)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):  # in the first step one of the two LoRA factors is still zero
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == (name in learning), name
        if parameter.grad is not None:
            assert parameter.grad.abs().sum() > 0, name
    merged = model.merge_and_unload()
    for name, value in merged.motion_vq.state_dict().items():
        assert torch.equal(value, before[f"motion_vq.{name}"]), name
    table = merged.get_input_embeddings().weight
    changed = (table != before["language_model.model.embed_tokens.weight"]).any(-1).nonzero()[:, 0].tolist()
    # The codes of the batch at least, and no row of the base.
    assert set(changed) <= set(merged.motion_vocabulary.ids)
    assert bool(changed) != freeze_new_rows


def test_motion_passes_through_as_through_the_vq(model):
    motion = torch.randn(1, 16, 263)
    codes = model.encode_motion(motion).codes
    assert torch.equal(codes, model.motion_vq.encode(motion).codes)
    torch.testing.assert_close(model.decode_motion(codes).features, model.motion_vq.decode(codes).features)


def test_what_is_missing_is_named(copied, tmp_path):
    with pytest.raises(MotionLLMError, match=f"no checkpoint folder '{tmp_path}/absent'"):
        MotionLLMForCausalLM.from_pretrained(tmp_path / "absent")
    with pytest.raises(MotionLLMError, match="has no adapter 'other'; it has default"):
        MotionLLMForCausalLM.from_pretrained(copied, adapter_name="other")
    config = json.loads((copied / "config.json").read_text())

    def load_with(**changes):
        (copied / "config.json").write_text(json.dumps(config | changes))
        MotionLLMForCausalLM.from_pretrained(copied)

    with pytest.raises(MotionLLMError, match=r"'nobody/nothing' was not found .*; give a folder"):
        load_with(base_model_name_or_path="nobody/nothing")
    with pytest.raises(MotionLLMError, match="names no base_model_name_or_path"):
        load_with(base_model_name_or_path=None)


def test_a_checkpoint_without_its_vq_is_no_checkpoint(copied):
    (copied / "motion_vq" / "model.safetensors").unlink()
    assert not is_thin_checkpoint(str(copied))
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        MotionLLMForCausalLM.from_pretrained(copied)


def test_a_tokenizer_without_motion_tokens_is_refused(base_folder, base_tokenizer):
    with pytest.raises(MotionLLMError, match="the tokenizer lacks"):
        MotionLLMForCausalLM.from_base(str(base_folder), base_tokenizer, make_vq())


def test_a_thin_checkpoint_needs_an_adapter_and_a_base(fresh, tokenizer, processor, tmp_path):
    with pytest.raises(MotionLLMError, match="this model has none"):
        save_thin_checkpoint(tmp_path / "a", fresh, processor)
    fresh.config.base_model_name_or_path = None
    wrapped = add_adapter(fresh, ModelArguments(codes=[], vq=""), [])
    with pytest.raises(MotionLLMError, match="must name its base model"):
        save_thin_checkpoint(tmp_path / "b", wrapped, processor)
    assert not list(tmp_path.iterdir())


def test_a_second_adapter_joins_the_first(copied, base_folder, tokenizer, processor, model, batch):
    other = MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, make_vq(), seed=0)
    wrapped = add_adapter(other, ModelArguments(codes=[], vq=""), []).eval()
    save_thin_checkpoint(copied, wrapped, processor, adapter_name="untrained")
    untrained = MotionLLMForCausalLM.from_pretrained(copied, adapter_name="untrained")
    torch.testing.assert_close(logits_of(untrained, batch), logits_of(wrapped, batch), atol=1e-4, rtol=1e-4)
    assert_same_weights(MotionLLMForCausalLM.from_pretrained(copied), model)


def test_adapters_of_one_checkpoint_are_switched_at_run_time(copied, base_folder, tokenizer, processor, model, batch):
    other = add_adapter(
        MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, make_vq(), seed=0),
        ModelArguments(codes=[], vq=""),
        [],
    ).eval()
    generator = torch.Generator().manual_seed(5)
    for name, parameter in other.named_parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data += (0.2 if "lora" in name else 0.5) * noise
    save_thin_checkpoint(copied, other, processor, adapter_name="other")
    both = MotionLLMForCausalLM.from_pretrained(copied, adapter_name=["default", "other"], merge_adapter=False)
    first, second = logits_of(model, batch), logits_of(other, batch)
    assert (first - second).abs().max() > 0.1
    for _ in range(2):
        torch.testing.assert_close(logits_of(both, batch), first, atol=1e-3, rtol=1e-3)
        both.set_adapter("other")
        torch.testing.assert_close(logits_of(both, batch), second, atol=1e-3, rtol=1e-3)
        both.set_adapter("default")
    with pytest.raises(MotionLLMError, match="merge_adapter=False"):
        MotionLLMForCausalLM.from_pretrained(copied, adapter_name=["default", "other"])


@pytest.mark.parametrize("kind", ["thin", "full"])
def test_checkpoints_run_as_remote_code_without_this_package(
    kind, exported, full_checkpoint, model, processor, tmp_path
):
    folder = {"thin": exported, "full": full_checkpoint}[kind]
    script = f"""
        import sys, types
        for name in ("motionllm", "modeling_motionllm", "tokenization", "hub_scripts"):
            sys.modules[name] = None  # importing it fails, even where the package is installed
        import torch
        torch.set_num_threads(1)
        from transformers import AutoModelForCausalLM, AutoProcessor, pipeline
        model = AutoModelForCausalLM.from_pretrained({str(folder)!r}, trust_remote_code=True)
        processor = AutoProcessor.from_pretrained({str(folder)!r}, trust_remote_code=True)
        output = model.generate_motion(**processor(text="a person walks forward", duration=2), do_sample=False)
        motion = processor.decode_motion(output)[0]
        print("CODES", motion.codes.tolist())
        print("JOINTS", float(motion.joints.sum()))
        ids = model.generate_caption(**processor(motion=motion.joints), max_new_tokens=5)
        print("CAPTION", ids.tolist(), type(model).__module__.split(".")[0])
        pipe = pipeline("text-to-motion", model={str(folder)!r}, trust_remote_code=True, device="cpu")
        print("PIPELINE", pipe("a person walks forward", duration=2, do_sample=False).codes.tolist())
    """
    run = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    output = model.generate_motion(**processor(text="a person walks forward", duration=2), do_sample=False)
    motion = processor.decode_motion(output)[0]
    assert json.loads(found["CODES"]) == json.loads(found["PIPELINE"]) == motion.codes.tolist()
    assert len(motion.codes) == 10
    assert float(found["JOINTS"]) == pytest.approx(float(motion.joints.sum()), rel=1e-4)
    ids = model.generate_caption(**processor(motion=motion.joints), max_new_tokens=5)
    assert found["CAPTION"] == f"{ids.tolist()} transformers_modules"
