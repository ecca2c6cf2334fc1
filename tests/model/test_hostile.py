"""Repositories that try to run code when they are loaded: nothing of theirs runs, whatever comes of the rest."""

import contextlib
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

EVIL = "evil.Thing"
CLASSES = (
    *["AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoTokenizer", "AutoProcessor", "AutoFeatureExtractor"],
)


class _Writes:
    """Its pickle writes a file when it is read."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.file), "w")


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """What code of a repository would leave behind."""
    return tmp_path / "ran"


@pytest.fixture
def repository(thin_checkpoint: Path, tmp_path: Path, ran: Path) -> Path:
    """A checkpoint with a module in it that leaves a trace where it is imported."""
    folder = tmp_path / "repository"
    shutil.copytree(thin_checkpoint, folder)
    code = f"open({str(ran)!r}, 'w')\nclass Thing:\n    pass\n"
    for place in (folder, folder / "motion_vq", folder / "adapters" / "default"):
        for name in ("evil.py", "modeling_motionllm.py", "configuration_motionllm.py", "__init__.py", "conftest.py"):
            (place / name).write_text(code)
    return folder


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def load(folder: Path) -> None:
    """Load all of it, as every command does; a refusal is fine."""
    for loader in (MotionLLMProcessor.from_pretrained, MotionLLMForCausalLM.from_pretrained):
        with contextlib.suppress(MotionLLMError, OSError):
            loader(folder)


@pytest.mark.parametrize("file", [
    *["config.json", "motion_vq/config.json", "processor_config.json", "tokenizer_config.json"],
    *["generation_config.json", "adapters/default/adapter_config.json"],
])  # fmt: skip
@pytest.mark.parametrize("values", [
    {"auto_map": dict.fromkeys(CLASSES, EVIL)},
    {"auto_map": {"AutoTokenizer": [EVIL, EVIL]}},
    {"custom_pipelines": {"text-to-motion": {"impl": EVIL, "pt": ["AutoModel"], "type": "multimodal"}}},
    {"auto_mapping": {"base_model_class": "Thing", "parent_library": "evil"}},
    {"megatron_config": {"a": 1}, "megatron_core": "evil"},
    {"processor_class": EVIL, "tokenizer_class": EVIL, "custom_generate": EVIL},
])  # fmt: skip
def test_names_of_code_run_nothing(
    repository: Path, ran: Path, file: str, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)  # so that a bare name would be found
    change(repository / file, **values)
    load(repository)
    assert not ran.exists()


@pytest.mark.parametrize("template", [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for c in [].__class__.__base__.__subclasses__() %}{{ c.__init__.__globals__ }}{% endfor %}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.popen('touch FILE') }}",
    "{{ range(10 ** 12) | list | length }}",
])  # fmt: skip
def test_templates_reach_nothing(repository: Path, ran: Path, template: str) -> None:
    (repository / "chat_template.jinja").write_text(template.replace("FILE", str(ran)))
    tokenizer = MotionLLMProcessor.from_pretrained(repository).tokenizer
    message = [{"role": "user", "content": "a person walks"}]
    with contextlib.suppress(Exception):  # the sandbox of transformers has errors of its own
        assert "subclasses" not in tokenizer.apply_chat_template(message, tokenize=False)
    assert not ran.exists()


def test_pickles_under_any_name_are_not_read(repository: Path, ran: Path, vq_folder: Path, tmp_path: Path) -> None:
    evil = pickle.dumps(_Writes(ran))
    vq = tmp_path / "vq"
    shutil.copytree(vq_folder, vq)
    for folder in (vq, repository / "motion_vq", repository / "adapters" / "default", repository):
        for name in (
            "pytorch_model.bin",
            "adapter_model.bin",
            "training_args.bin",
            "model.pt",
            "model.safetensors.bin",
        ):
            (folder / name).write_bytes(evil)
    load(repository)
    MotionVQModel.from_pretrained(vq)
    (vq / "model.safetensors").unlink()
    with pytest.raises(MotionLLMError, match="a pickle"):
        MotionVQModel.from_pretrained(vq)
    (vq / "model.safetensors").write_bytes(evil)
    with pytest.raises(MotionLLMError, match=r"the weight file model\.safetensors of '.*vq' is damaged"):
        MotionVQModel.from_pretrained(vq)
    torch.save({"a": 1}, vq / "pytorch_model.bin")
    with pytest.raises(MotionLLMError):
        MotionTextEvaluator.from_pretrained(vq)
    assert not ran.exists()
