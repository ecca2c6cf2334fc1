"""A checkpoint is loaded whole or not at all, and damage in any of its files is one line that names it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import make_evaluator
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from hub_scripts.hub.records import read_record
from modeling_motionllm.base_model_motionllm import load_base_language_model
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.prompts_motionllm import PROMPT_PRESETS, check_prompts

ADAPTER = Path("adapters/default")


@pytest.fixture
def copied(thin_checkpoint: Path, tmp_path: Path) -> Path:
    shutil.copytree(thin_checkpoint, tmp_path / "model")
    return tmp_path / "model"


def drop(file: Path, ending: str) -> str:
    """Take one tensor out of a file, and the sums that would tell; returns its name."""
    tensors = load_file(file)
    gone = next(name for name in tensors if name.endswith(ending))
    save_file({name: value for name, value in tensors.items() if name != gone}, file, metadata={"format": "pt"})
    (file.parent / "SHA256SUMS").unlink(missing_ok=True)
    return gone


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def load(folder: Path) -> None:
    MotionLLMProcessor.from_pretrained(folder)
    MotionLLMForCausalLM.from_pretrained(folder)


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(MotionLLMError) as caught:
        load(folder)
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_vq_that_lacks_a_tensor_is_refused_with_its_name(copied: Path) -> None:
    gone = drop(copied / "motion_vq/model.safetensors", "conv_in.weight")
    refused(copied, "1 of its own are missing", gone)
    with pytest.raises(MotionLLMError, match="1 of its own are missing"):
        MotionVQModel.from_pretrained(copied / "motion_vq")


@pytest.mark.parametrize("ending", ["lora_A.weight", "lora_B.weight", "trainable_tokens_delta"])
@pytest.mark.parametrize("merge", [True, False])
def test_an_adapter_that_lacks_a_tensor_is_refused_with_its_name(copied: Path, ending: str, merge: bool) -> None:
    drop(copied / ADAPTER / "adapter_model.safetensors", ending)
    with pytest.raises(MotionLLMError, match=rf"lacks 1 of its tensors \(.*{ending}"):
        MotionLLMForCausalLM.from_pretrained(copied, merge_adapter=merge)


def test_an_adapter_that_lacks_whole_layers_is_refused(copied: Path) -> None:
    file = copied / ADAPTER / "adapter_model.safetensors"
    kept = {name: value for name, value in load_file(file).items() if ".layers.1." not in name}
    save_file(kept, file, metadata={"format": "pt"})
    (file.parent / "SHA256SUMS").unlink()
    refused(copied, "lacks 7 of its tensors", "layers.1.")


def test_an_evaluator_that_lacks_a_tensor_is_refused(tmp_path: Path) -> None:
    make_evaluator().save_pretrained(tmp_path)
    gone = drop(tmp_path / "model.safetensors", "motion_projection.bias")
    with pytest.raises(MotionLLMError, match=gone):
        MotionTextEvaluator.from_pretrained(tmp_path)


def test_a_base_that_lacks_a_tensor_is_refused(base_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(base_folder, tmp_path / "base")
    gone = drop(tmp_path / "base/model.safetensors", "q_proj.weight")
    with pytest.raises(MotionLLMError, match=gone):
        load_base_language_model(str(tmp_path / "base"))


def test_pickled_weights_are_refused_unread(base_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(base_folder, tmp_path / "base")
    (tmp_path / "base/model.safetensors").unlink()
    state = LlamaForCausalLM.from_pretrained(base_folder).state_dict()
    torch.save(state, tmp_path / "base/pytorch_model.bin")
    with pytest.raises(MotionLLMError, match=r"pytorch_model\.bin, a pickle"):
        load_base_language_model(str(tmp_path / "base"))


def test_a_base_with_code_of_its_own_says_so(base_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(base_folder, tmp_path / "base")
    (tmp_path / "base/evil.py").write_text("raise SystemExit('ran')")
    change(tmp_path / "base/config.json", model_type="evil", auto_map={"AutoConfig": "evil.Config"})
    with pytest.raises(MotionLLMError, match="needs code of its own, which is never run here"):
        load_base_language_model(str(tmp_path / "base"))


FILES = [
    "config.json",
    "motion_vq/config.json",
    "processor_config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "adapters/default/adapter_config.json",
]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    "damage", ["null", "[]", "17", '{"a": ', "", "\xff", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"]
)
def test_damaged_json_of_any_file_is_one_line(copied: Path, file: str, damage: str) -> None:
    if file == "motion_vq/config.json":
        damaged = copied / "motion_vq"
        (damaged / "config.json").write_text(damage, encoding="latin-1")
        with pytest.raises(MotionLLMError, match=r"motion_vq/config\.json' is damaged"):
            MotionVQModel.from_pretrained(damaged)
        return
    (copied / file).write_text(damage, encoding="latin-1")
    refused(copied, f"{file}' is damaged")


@pytest.mark.parametrize(
    "file,values,told",
    [
        ("config.json", {"motion_config": []}, "motion_config is []"),
        ("config.json", {"text_config": {"model_type": "llama", "hidden_size": "x"}}, 'text_config.hidden_size is "x"'),
        ("config.json", {"text_config": {"num_hidden_layers": 10**40}}, "text_config.num_hidden_layers is 1000"),
        ("config.json", {"motion_token_offset": -1}, "motion_token_offset is -1"),
        ("config.json", {"motion_rows_seed": 2**63}, "motion_rows_seed is 9223372036854775808"),
        ("config.json", {"base_model_name_or_path": 5}, "base_model_name_or_path is 5"),
        ("processor_config.json", {"fps": "20"}, 'fps is "20"'),
        ("processor_config.json", {"fps": 1e-300}, "fps is 1e-300"),
        ("processor_config.json", {"codebook_size": True}, "codebook_size is true"),
        ("processor_config.json", {"prompts": None}, "prompts is null"),
        ("generation_config.json", {"temperature": float("inf")}, "temperature is Infinity"),
        ("generation_config.json", {"num_candidates": 10**6}, "num_candidates is 1000000"),
        ("generation_config.json", {"caption": {"max_new_tokens": "x"}}, 'caption.max_new_tokens is "x"'),
        ("adapters/default/adapter_config.json", {"r": None}, "r is null"),
        ("adapters/default/adapter_config.json", {"megatron_config": {"a": 1}}, "megatron_config is"),
    ],
)
def test_wrong_values_are_named_with_file_and_key(copied: Path, file: str, values: dict[str, Any], told: str) -> None:
    change(copied / file, **values)
    refused(copied, f"{file}': {told}")


@pytest.mark.parametrize("file, values", [
    ("config.json", {"text_config": {"model_type": "llama", "rms_norm_eps": {}}}),
    ("config.json", {"text_config": {"model_type": "llama", "hidden_act": 9}}),
    ("adapters/default/adapter_config.json", {"lora_bias": True}),
    ("adapters/default/adapter_config.json", {"trainable_token_indices": [{}]}),
    ("adapters/default/adapter_config.json", {"trainable_token_indices": [1, 2]}),
    ("adapters/default/adapter_config.json", {"trainable_token_indices": [10**30]}),
])  # fmt: skip
def test_what_libraries_say_of_values_becomes_one_line(copied: Path, file: str, values: dict[str, Any]) -> None:
    change(copied / file, **values)
    refused(copied, "")


@pytest.mark.parametrize("base", ["/no/such/folder/base", "a/b/c"])
def test_a_base_that_no_repository_can_be_is_told(copied: Path, base: str) -> None:
    change(copied / "config.json", base_model_name_or_path=base)
    refused(copied, f"'{base}'")


@pytest.mark.parametrize("width", [0, -1, None, "x", 2.5, 10**40, True])
def test_sizes_of_a_vq_are_checked_before_anything_is_made(vq_folder: Path, tmp_path: Path, width: Any) -> None:
    shutil.copytree(vq_folder, tmp_path / "vq")
    change(tmp_path / "vq/config.json", width=width)
    with pytest.raises(MotionLLMError, match="width is "):
        MotionVQModel.from_pretrained(tmp_path / "vq")


def test_a_folder_of_another_kind_is_named(vq_folder: Path) -> None:
    with pytest.raises(MotionLLMError, match="is of a motion_vq, not of a motion_text_evaluator"):
        MotionTextEvaluator.from_pretrained(vq_folder)


@pytest.mark.parametrize(
    "template", ["{caption:999999999}", "{caption!r}", "{caption.__class__}", "{0}", "{", "{x}", 5]
)
def test_prompts_have_plain_fields_alone(template: Any) -> None:
    with pytest.raises(MotionLLMError, match="the prompt 'scene' cannot be filled in"):
        check_prompts({**PROMPT_PRESETS["short"], "scene": template})
    for preset in PROMPT_PRESETS.values():
        check_prompts(preset)


def test_a_damaged_record_is_one_line(copied: Path) -> None:
    (copied / "training_record.json").write_text("[1]")
    with pytest.raises(MotionLLMError, match="holds"):
        read_record(copied, "training_record.json")
