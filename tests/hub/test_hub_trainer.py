"""`motionllm train --push_to_hub`, `model.push_to_hub` and `processor.push_to_hub`, against the Hub of the tests."""

from pathlib import Path

import pytest
import torch
from hub_client import BASE
from hub_server import HubServer
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoProcessor

import motionllm
from hub_scripts.train_motionllm import main as train
from modeling_motionllm.errors_motionllm import MotionLLMError

pytest_plugins = ("hub_fixtures",)


def with_base(arguments: list[str], base: str) -> list[str]:
    changed = list(arguments)
    changed[changed.index("--base_model") + 1] = base
    return changed


def test_training_pushes_the_finished_checkpoint(hub: HubServer, push_base, train_arguments, tmp_path: Path) -> None:
    push_base()
    options = ["--output_dir", str(tmp_path / "run"), "--push_to_hub", "--hub_model_id", "user/trained"]
    assert train([*with_base(train_arguments, BASE), *options]) == 0
    files = hub.head("user/trained").files
    assert {"adapters/default/adapter_model.safetensors", "motion_vq/model.safetensors", "config.json"} <= set(files)
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pth"))]
    assert ModelCard(files["README.md"].data.decode()).data.base_model == BASE
    local = motionllm.MotionLLMForCausalLM.from_pretrained(tmp_path / "run" / "final")
    remote = AutoModelForCausalLM.from_pretrained("user/trained", trust_remote_code=True)
    inputs = AutoProcessor.from_pretrained("user/trained", trust_remote_code=True)(text="a person walks", duration=2)
    codes = [model.generate_motion(**inputs, do_sample=False).codes for model in (local, remote)]
    assert torch.equal(*codes)


def test_what_would_stop_the_push_shows_before_the_training(hub: HubServer, train_arguments, tmp_path: Path) -> None:
    push = ["--output_dir", str(tmp_path / "run"), "--push_to_hub", "--hub_model_id", "user/trained"]
    with pytest.raises(MotionLLMError, match="local folder"):
        train([*train_arguments, *push])
    with pytest.raises(MotionLLMError, match="only 'end'"):
        train([*with_base(train_arguments, BASE), *push, "--hub_strategy", "every_save"])
    assert hub.requests == []
    assert not (tmp_path / "run").exists()


def test_model_and_processor_push_themselves(hub: HubServer, model, processor) -> None:
    model.push_to_hub("user/whole")
    processor.push_to_hub("user/whole")
    files = hub.head("user/whole").files
    assert {"model.safetensors", "config.json", "modeling_motionllm.py", "pipeline_motionllm.py"} <= set(files)
    assert {"processor_config.json", "tokenizer.json"} <= set(files)
    loaded = AutoModelForCausalLM.from_pretrained("user/whole", trust_remote_code=True)
    inputs = AutoProcessor.from_pretrained("user/whole", trust_remote_code=True)(text="a person walks", duration=2)
    codes = [each.generate_motion(**inputs, do_sample=False).codes for each in (model, loaded)]
    assert torch.equal(*codes)
