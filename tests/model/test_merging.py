"""Merging a plain LoRA adapter gives PEFT's merge to the bit; anything else is left to PEFT, and untouched."""

import copy
import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from modeling_motionllm.merging_motionllm import merge_plain_lora
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM

WEIGHTS = "adapter_model.safetensors"
ROWS = [3, 7, 39]


def make_llama(tied: bool = True) -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=40, tie_word_embeddings=tied, **sizes)).eval()


def save_adapter(model, folder, **options) -> None:
    """An adapter for a copy of `model`, every number in it drawn at random."""
    settings = {"r": 4, "lora_alpha": 6, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | options
    adapted = get_peft_model(copy.deepcopy(model), LoraConfig(**settings))
    generator = torch.Generator().manual_seed(1)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator)
    adapted.save_pretrained(folder, save_embedding_layers=False)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("options", [
    {},
    {"use_rslora": True, "lora_dropout": 0.1},
    {"trainable_token_indices": ROWS},
    {"trainable_token_indices": {"embed_tokens": ROWS}},
    {"target_modules": ["q_proj", "down_proj"], "layers_to_transform": [1], "init_lora_weights": "gaussian"},
])  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_plain_adapters_are_merged_as_peft_merges_them(tmp_path, tied, options, dtype):
    model = make_llama(tied)
    save_adapter(model, tmp_path, **options)
    model = model.to(dtype)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    expected = PeftModel.from_pretrained(copy.deepcopy(model), tmp_path).merge_and_unload().state_dict()
    assert merge_plain_lora(model, tmp_path, WEIGHTS)
    found = model.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=name)
    assert sum(not torch.equal(before[name], found[name]) for name in found) >= 2
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == tied
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("options", [
    {"use_dora": True},
    {"bias": "all"},
    {"rank_pattern": {"q_proj": 2}},
    {"modules_to_save": ["lm_head"]},
    {"init_lora_weights": "olora"},
])  # fmt: skip
def test_other_adapters_are_left_to_peft(tmp_path, options):
    model = make_llama(tied=False)
    save_adapter(model, tmp_path, **options)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert not merge_plain_lora(model, tmp_path, WEIGHTS)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_adapters_of_another_model_are_left_to_peft(tmp_path):
    save_adapter(make_llama(), tmp_path / "llama")
    torch.manual_seed(0)
    other = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2))
    assert not merge_plain_lora(other, tmp_path / "llama", WEIGHTS)
    save_adapter(other, tmp_path / "gpt2", fan_in_fan_out=True)
    assert not merge_plain_lora(other, tmp_path / "gpt2", WEIGHTS)
    wide = LlamaForCausalLM(LlamaConfig(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2))
    assert not merge_plain_lora(wide, tmp_path / "llama", WEIGHTS)


def test_a_setting_of_a_newer_peft_is_left_to_it(tmp_path):
    model = make_llama()
    save_adapter(model, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"use_tomorrow": True}))
    assert not merge_plain_lora(model, tmp_path, WEIGHTS)


def test_the_loader_merges_with_and_without_peft_alike(thin_checkpoint, model, monkeypatch):
    monkeypatch.setattr("modeling_motionllm.checkpoint_motionllm.merge_plain_lora", lambda *a: False)
    by_peft = MotionLLMForCausalLM.from_pretrained(thin_checkpoint).state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, by_peft[name], msg=name)
