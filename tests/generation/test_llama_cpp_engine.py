"""llama.cpp as an engine: the codes of the fast decoder, from a GGUF file; files of other models are refused."""

import builtins
import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import SENTENCES, generate_single, stream_single
from huggingface_hub import cached_assets_path
from transformers import Qwen2Config

from hub_scripts.cli import main
from hub_scripts.generation import llama_cpp as llama_cpp_engine
from hub_scripts.generation.llama_cpp import LlamaCppEngine, cached_gguf, llama_cpp_library
from hub_scripts.hub.gguf import write_gguf
from hub_scripts.hub.plain import save_plain
from modeling_motionllm.decoding_motionllm import MotionRequest, choose_decoder
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.settings_motionllm import MotionSettings

with_llama_cpp = pytest.mark.skipif(importlib.util.find_spec("llama_cpp") is None, reason="needs llama-cpp-python")


@pytest.fixture(scope="module")
def files(model, processor) -> dict[str, Any]:
    return {dtype: cached_gguf(model, processor, dtype) for dtype in ("f32", "f16", "q8_0")}


@pytest.fixture(scope="module")
def engine(files, model) -> LlamaCppEngine:
    """In float32, where nothing is a matter of rounding: a random model is undecided too often."""
    return LlamaCppEngine(files["f32"], model)


def assert_same(model, inputs, engine, **options) -> torch.Tensor:
    found, expected = (generate_single(model, **inputs, **options, engine=one) for one in (engine, "fast"))
    assert torch.equal(found.codes, expected.codes)
    assert torch.equal(found.attention_mask, expected.attention_mask)
    torch.testing.assert_close(found.features, expected.features)
    return found.codes


def test_a_file_is_written_once_and_knows_its_weights(files, model, processor, capsys):
    stamp = files["f16"].stat().st_mtime_ns
    capsys.readouterr()
    assert cached_gguf(model, processor, "f16") == files["f16"]
    assert files["f16"].stat().st_mtime_ns == stamp
    assert not capsys.readouterr().out
    assert files["f16"].parent == files["q8_0"].parent
    assert files["f16"].parent.parent == cached_assets_path("motionllm", namespace="gguf", subfolder="x").parent
    assert sorted(path.name for path in files["f16"].parent.iterdir()) == ["f16.gguf", "f32.gguf", "q8_0.gguf"]
    settings = model.generation_config.to_dict()
    other = MotionLLMForCausalLM(model.config)  # other weights, another file
    assert cached_gguf(other, processor, "f16").parent != files["f16"].parent
    assert model.generation_config.to_dict() == settings


@with_llama_cpp
def test_the_codes_are_those_of_the_fast_decoder(engine, model, processor):
    one = processor(text=SENTENCES[0])
    assert_same(model, one, engine, do_sample=False, max_codes=30)
    assert_same(model, one, engine, num_codes=25, seed=3)
    two = processor(text=SENTENCES[:2], duration=[2.0, 4.0])
    codes = assert_same(model, two, engine, do_sample=False)
    assert (codes != -1).sum(-1).tolist() == [10, 20]
    assert_same(model, two, engine, seed=7, top_k=9, temperature=1.2, top_p=None)
    assert_same(model, two, engine, seed=7, guidance_scale=2.5)
    assert_same(model, two, engine, seed=1, num_return_sequences=3, guidance_scale=1.5)


@with_llama_cpp
def test_rows_that_end_one_after_another(engine, model, processor):
    inputs = processor(text=SENTENCES)
    lengths = torch.tensor([5, 1, 19, 3, 8])
    for scale in (1.0, 2.0):
        assert_same(model, inputs, engine, num_codes=lengths, seed=9, guidance_scale=scale)
        each = torch.tensor([4, 2, 9, 9, 1, 3, 12, 5, 7, 6])
        assert_same(model, inputs, engine, num_codes=each, num_return_sequences=2, seed=9, guidance_scale=scale)
    codes = assert_same(model, inputs, engine, min_codes=1, max_codes=20, seed=2, num_return_sequences=3, top_p=None)
    assert len(set((codes != -1).sum(-1).tolist())) > 3


@with_llama_cpp
def test_many_prompts_are_read_in_parts(engine, model, processor, monkeypatch):
    monkeypatch.setattr(llama_cpp_engine, "_TOKENS_AT_ONCE", 16)
    assert_same(model, processor(text=SENTENCES * 2), engine, num_codes=6, seed=0, num_return_sequences=2)


@with_llama_cpp
def test_prompts_are_read_once(engine, model, processor, monkeypatch):
    passes: list[int] = []
    decode = engine.library.llama_decode

    def counted(context: Any, batch: Any) -> int:
        passes.append(batch.n_tokens)
        return decode(context, batch)

    monkeypatch.setattr(engine.library, "llama_decode", counted)
    inputs = processor(text=SENTENCES[:2], duration=0.8)
    generate_single(model, **inputs, num_return_sequences=3, seed=0, engine=engine)
    assert passes == [int(inputs["attention_mask"].sum()), 6, 6, 6]
    passes.clear()
    generate_single(model, **processor(text=SENTENCES[0], duration=0.6), guidance_scale=2.0, seed=0, engine=engine)
    assert passes[1:] == [2, 2, 2]  # after the prompt: BOS and <Motion> alone, then a token of each context


@torch.inference_mode()
def read_logits(engine: Any, model: Any, inputs: dict[str, torch.Tensor], codes: torch.Tensor) -> torch.Tensor:
    """Logits (R, L, V) after the prompts and after each of `codes` (R, L) but the last."""
    vocabulary = model.motion_vocabulary
    request = MotionRequest(
        **inputs,
        num_codes=codes.shape[1],
        settings=MotionSettings(do_sample=False, guidance_scale=1),
        seeds=[0] * len(codes),
        vocabulary=vocabulary,
    )
    decoder = choose_decoder(engine, model, request, {})
    columns = [decoder.begin(None)]
    for place in range(codes.shape[1] - 1):
        columns.append(decoder.step(vocabulary.codes_to_ids(codes[:, place])))
    decoder.close()
    return torch.cat(columns, dim=1)


@with_llama_cpp
@pytest.mark.parametrize("dtype,tolerance", [("f32", 1e-5), ("f16", 0.02), ("q8_0", 0.2)])
def test_logits_are_as_close_as_the_dtype_allows(files, model, processor, dtype, tolerance):
    inputs = processor(text=SENTENCES)
    engine = LlamaCppEngine(files[dtype], model)
    codes = generate_single(model, **inputs, num_codes=25, do_sample=False, engine="fast").codes
    exact, found = (read_logits(one, model, inputs, codes) for one in ("fast", engine))
    assert 0 < float((found - exact).norm() / exact.norm()) < tolerance
    output = generate_single(model, **inputs, seed=1, engine=engine)
    assert ((output.codes >= 0) == output.attention_mask).all()


@with_llama_cpp
def test_streams_and_aborted_streams(engine, model, processor):
    inputs = processor(text=SENTENCES[0], duration=10)
    whole = generate_single(model, **inputs, seed=1, engine=engine)
    chunks = list(stream_single(model, **inputs, seed=1, engine=engine))
    assert len(chunks) > 1
    torch.testing.assert_close(torch.cat([chunk.features for chunk in chunks], dim=1), whole.features)
    stream = stream_single(model, **inputs, seed=1, engine=engine)
    next(stream)
    stream.close()
    next(stream, None)
    assert torch.equal(generate_single(model, **inputs, seed=1, engine=engine).codes, whole.codes)


@with_llama_cpp
def test_what_the_engine_refuses(engine, model, processor, monkeypatch):
    inputs = processor(text=SENTENCES[0])
    with pytest.raises(MotionLLMError, match="num_beams can only be given"):
        generate_single(model, **inputs, engine=engine, num_beams=2)
    with pytest.raises(MotionLLMError, match="at most 256 sequences at once; 300"):
        generate_single(model, **inputs, num_return_sequences=150, guidance_scale=2.0, engine=engine)


@with_llama_cpp
def test_files_of_other_models_are_refused(files, model, processor, tmp_path):
    with pytest.raises(MotionLLMError, match="there is no GGUF file"):
        LlamaCppEngine(tmp_path / "none.gguf", model)
    (tmp_path / "text.gguf").write_text("no GGUF")
    with pytest.raises(MotionLLMError, match="cannot read"):
        LlamaCppEngine(tmp_path / "text.gguf", model)
    torch.manual_seed(5)
    other = MotionLLMForCausalLM(model.config).eval()
    with pytest.raises(MotionLLMError, match="made of other weights"):
        LlamaCppEngine(files["f16"], other)
    shifted = SimpleNamespace(
        device=model.device,
        language_model=model.language_model,
        motion_vocabulary=SimpleNamespace(motion_ids=[3, *model.motion_vocabulary.motion_ids[1:]], codebook_size=32),
    )
    with pytest.raises(MotionLLMError, match=r"another vocabulary than the model: token 3 is .*, not <Motion>"):
        LlamaCppEngine(files["f16"], shifted)
    beyond = SimpleNamespace(motion_ids=range(10**6, 10**6 + 34), codebook_size=32)
    shifted.motion_vocabulary = beyond
    with pytest.raises(MotionLLMError, match="token 1000000 is nothing"):
        LlamaCppEngine(files["f16"], shifted)


@with_llama_cpp
def test_a_file_that_names_no_weights_is_taken(model, processor, tmp_path, monkeypatch):
    save_plain(model, processor, tmp_path)
    monkeypatch.setattr("hub_scripts.hub.gguf.WEIGHTS_KEY", "somebody.elses")
    write_gguf(tmp_path, tmp_path / "a.gguf", "f32")
    assert_same(model, processor(text=SENTENCES[0]), LlamaCppEngine(tmp_path / "a.gguf", model), do_sample=False)


@with_llama_cpp
def test_the_commands(thin_checkpoint, tmp_path, capsys):
    common = ["a person walks forward", "--model", str(thin_checkpoint), "--duration", "1", "--formats", "npz"]
    made = {}
    for name, options in {
        "cached": ["--engine", "llama.cpp"],
        "eight": ["--engine", "llama.cpp-q8_0"],
        "file": ["--engine", str(tmp_path / "plain" / "plain-f16.gguf")],
    }.items():
        if name == "file":
            export = ["export", str(thin_checkpoint), "--layout", "plain", "--format", "gguf"]
            assert main([*export, "--out", str(tmp_path / "plain")]) == 0
        assert main(["generate", *common, *options, "-o", str(tmp_path / name)]) == 0, capsys.readouterr().err
        made[name] = (tmp_path / name / "a-person-walks-forward.npz").read_bytes()
    assert made["cached"] == made["file"]


def hide_llama_cpp(monkeypatch) -> None:
    llama_cpp_library.cache_clear()
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    load = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "llama_cpp":
            raise ModuleNotFoundError("No module named 'llama_cpp'", name="llama_cpp")
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)


def test_without_the_package_the_command_says_how_to_get_it(thin_checkpoint, tmp_path, monkeypatch, capsys):
    hide_llama_cpp(monkeypatch)
    command = ["--model", str(thin_checkpoint), "--engine", "llama.cpp", "-o", str(tmp_path / "out")]
    for name in ("generate", "interact"):
        assert main([name, "a person walks", *command]) == 2
        assert "pip install 'motionllm[llama-cpp]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    llama_cpp_library.cache_clear()


def test_a_language_model_that_is_no_llama_is_not_written(model, processor):
    sizes = {"vocab_size": 64, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    other = SimpleNamespace(language_model=SimpleNamespace(config=Qwen2Config(**sizes)))
    with pytest.raises(MotionLLMError, match=r"type 'qwen2'.*convert_hf_to_gguf"):
        cached_gguf(other, processor, "f16")


@pytest.mark.parametrize("options,words", [
    (["--engine", "llama.cpp-int8"], "--engine is 'llama.cpp-int8'; choose from auto, fast"),
    (["--engine", "none.gguf"], "there is no such file"),
    (["--engine", "generate-int8"], "--engine is 'generate-int8'"),
    (["--device", "cuda", "--engine", "fast-int8"], "--device is cuda"),
])  # fmt: skip
@pytest.mark.parametrize("command", ["generate", "interact"])
def test_options_that_do_not_go_together_are_refused(tmp_path, capsys, command, options, words):
    assert main([command, "a person walks", "-o", str(tmp_path / "out"), *options]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_figures_of_a_card_are_the_exact_ones(tmp_path, capsys, thin_checkpoint):
    command = ["evaluate", "--model", str(thin_checkpoint), "--data", str(tmp_path), "--card", "--engine", "fast-bf16"]
    assert main(command) == 2
    assert "leave --engine out" in capsys.readouterr().err
