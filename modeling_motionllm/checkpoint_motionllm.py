"""Thin checkpoints: VQ-VAE, adapters and tokenizer, without the base language model's weights."""

import copy
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from transformers.dynamic_module_utils import custom_object_save
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, is_peft_available

from .chat_template_motionllm import chat_template
from .checksums_motionllm import CHECKSUMS, check_checksum, read_checksums, write_checksums
from .configuration_motionllm import MotionLLMConfig, MotionVQConfig
from .errors_motionllm import MotionLLMError
from .files_motionllm import atomic_path, share_files
from .json_motionllm import ADAPTER_FIELDS, check_json, explain_settings
from .merging_motionllm import check_adapter, merge_plain_lora
from .modeling_motion_vq import MotionVQModel
from .processing_motionllm import MotionLLMProcessor
from .strict_motionllm import explain_writing, find_file

if TYPE_CHECKING:
    from .modeling_motionllm import MotionLLMForCausalLM
if TYPE_CHECKING and is_peft_available():  # with the question, for remote code would be taken to need what it names
    from peft import PeftModel

__all__ = [
    "ADAPTERS_FOLDER",
    "MOTION_VQ_FOLDER",
    "adapter_rows",
    "check_whole_model",
    "explain_damage",
    "find_file",
    "is_thin_checkpoint",
    "load_adapter_into",
    "load_motion_vq",
    "looks_like_path",
    "remove_code",
    "save_code",
    "save_processor",
    "save_shared_parts",
    "save_thin_checkpoint",
]

MOTION_VQ_FOLDER = "motion_vq"
ADAPTERS_FOLDER = "adapters"
_ADAPTER_WEIGHTS = "adapter_model.safetensors"


def looks_like_path(name: str) -> bool:
    """Whether a name can only be a local path: it is no Hub id 'user/name', whatever is on this machine."""
    return name.startswith((".", "/", "~", "\\")) or name.count("/") > 1


def is_thin_checkpoint(name: str, **hub: Any) -> bool:
    """Whether `name` (folder or Hub id) has a VQ-VAE of its own folder and no weights of the whole model.

    Raises:
        MotionLLMError: `name` looks like a local path and does not exist.
    """
    if not Path(name).is_dir() and looks_like_path(name):
        raise MotionLLMError(f"there is no checkpoint folder '{name}'; check the path, or give a Hub id 'user/name'")
    if any(find_file(name, file, **hub) for file in (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME)):
        return False
    return find_file(name, f"{MOTION_VQ_FOLDER}/{SAFE_WEIGHTS_NAME}", **hub) is not None


@contextmanager
def explain_damage(name: str, file: str) -> Iterator[None]:
    """Name the file that safetensors cannot read.

    Raises:
        MotionLLMError: it cannot.
    """
    try:
        yield
    except SafetensorError as error:
        raise MotionLLMError(
            f"the weight file {file} of '{name}' is damaged ({error}); get it again (from the Hub: force_download=True)"
        ) from error


def _check_weights(name: str, folder: str, file: str, **hub: Any) -> None:
    """Compare a weight file of a checkpoint with the sums beside it, where there are any.

    Raises:
        MotionLLMError: it was changed or damaged.
    """
    checksums = find_file(name, f"{folder}/{CHECKSUMS}", **hub)
    weights = find_file(name, f"{folder}/{file}", **hub)
    if checksums is not None and weights is not None:
        check_checksum(weights, checksums, f"{name}/{folder}")


def check_whole_model(name: str, **hub: Any) -> None:
    """Compare all weight files of a full checkpoint with `SHA256SUMS` beside them, where there is one.

    Raises:
        MotionLLMError: one is missing, damaged or was changed.
    """
    checksums = find_file(name, CHECKSUMS, **hub)
    for file in read_checksums(checksums) if checksums is not None else ():
        weights = find_file(name, file, **hub)
        if weights is None:
            raise MotionLLMError(
                f"'{name}' has no weight file {file}, which its {CHECKSUMS} lists; it is incomplete, get it again"
            )
        check_checksum(weights, str(checksums), name)


def load_motion_vq(name: str, config: MotionVQConfig, **hub: Any) -> MotionVQModel:
    """The VQ-VAE of a thin checkpoint.

    Raises:
        MotionLLMError: its weight file is damaged or was changed.
    """
    _check_weights(name, MOTION_VQ_FOLDER, SAFE_WEIGHTS_NAME, **hub)
    with explain_damage(name, f"{MOTION_VQ_FOLDER}/{SAFE_WEIGHTS_NAME}"):
        return MotionVQModel.from_pretrained(name, subfolder=MOTION_VQ_FOLDER, config=config, **hub)


def adapter_rows(name: str, adapter_name: str, **hub: Any) -> set[int]:
    """Token ids whose embeddings an adapter of a thin checkpoint brings along."""
    found = find_file(name, f"{ADAPTERS_FOLDER}/{adapter_name}/adapter_config.json", **hub)
    ids = check_json(found, ADAPTER_FIELDS).get("trainable_token_indices") if found else None
    return {one for one in ids if isinstance(one, int)} if isinstance(ids, list) else set()


def load_adapter_into(
    model: "MotionLLMForCausalLM", name: str, adapter_name: str, merge: bool, **hub: Any
) -> "MotionLLMForCausalLM":
    """Put an adapter of a thin checkpoint into the composite model.

    Args:
        model: the assembled composite.
        name: folder or Hub id of the thin checkpoint.
        adapter_name: folder under `adapters/`.
        merge: fold it into the weights, or keep it as a switchable PEFT adapter.

    Raises:
        MotionLLMError: there is no such adapter, one of its files is missing, damaged or changed, tensors are missing,
            or it needs peft, which is missing.
    """
    subfolder = f"{ADAPTERS_FOLDER}/{adapter_name}"
    found = find_file(name, f"{subfolder}/adapter_config.json", **hub)
    if found is None:
        folder = Path(name) / ADAPTERS_FOLDER
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        known = f"; it has {', '.join(names)}" if names else ""
        raise MotionLLMError(f"'{name}' has no adapter '{adapter_name}'{known}")
    weights = f"{subfolder}/{_ADAPTER_WEIGHTS}"
    # Of a Hub repo only the files that are asked for are in the local folder.
    if find_file(name, weights, **hub) is None:
        raise MotionLLMError(f"'{name}' has no file {weights}; the adapter '{adapter_name}' is incomplete")
    _check_weights(name, subfolder, _ADAPTER_WEIGHTS, **hub)
    source = Path(found).parent
    with explain_damage(name, weights), explain_settings(found):
        check_adapter(model, source, _ADAPTER_WEIGHTS)
        if merge and merge_plain_lora(model, source, _ADAPTER_WEIGHTS):
            return model.eval()
        try:
            from peft import PeftModel
        except ImportError as error:
            raise MotionLLMError(f"the adapter '{adapter_name}' needs the package peft; pip install peft") from error
        if merge:
            return PeftModel.from_pretrained(model, str(source), torch_device="cpu").merge_and_unload().eval()
        with _without_report():
            model.load_adapter(str(source), adapter_name=adapter_name)
    return model.eval()


@contextmanager
def _without_report() -> Iterator[None]:
    """transformers tells nothing of an adapter's tensors meanwhile; `check_adapter` has looked for them already.

    It would call the new rows of a tied output head missing, which are those of the embeddings.
    """
    logger = logging.getLogger("transformers.integrations.peft")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def save_code(model_class: type, folder: str | os.PathLike[str]) -> None:
    """Copy the files that Auto classes and `pipeline` read where this package is not installed."""
    # Nothing else here needs the pipelines, which need everything.
    from .pipeline_motionllm import TextToMotionPipeline

    for needed in (model_class, TextToMotionPipeline):
        custom_object_save(needed, folder)


def remove_code(folder: str | os.PathLike[str]) -> None:
    """Leave data only in a folder: no modules, and no `auto_map` that names them; `import motionllm` brings both."""
    for path in Path(folder).rglob("*.py"):
        path.unlink()
    for path in Path(folder).rglob("*config.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        parts = [values, values.get("motion_config") or {}]
        names = [(part, name) for part in parts for name in ("auto_map", "custom_pipelines") if name in part]
        for part, name in names:
            del part[name]
        if names:
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def save_thin_checkpoint(
    folder: str | os.PathLike[str],
    model: "PeftModel",
    processor: MotionLLMProcessor,
    adapter_name: str = "default",
) -> Path:
    """Write a thin checkpoint of a composite wrapped in a PEFT adapter; data only, without code.

    Args:
        folder: where to write; other adapters already there stay.
        model: around a `MotionLLMForCausalLM`.
        processor: of the model.
        adapter_name: folder under `adapters/`.

    Raises:
        MotionLLMError: the model has no adapter, or its configuration names no base model.
    """
    folder = Path(folder)
    if not hasattr(model, "peft_config"):
        raise MotionLLMError("a thin checkpoint holds an adapter, but this model has none; use save_pretrained instead")
    composite = model.get_base_model()
    if composite.config.base_model_name_or_path is None:
        raise MotionLLMError("config.base_model_name_or_path is not set; a thin checkpoint must name its base model")
    folder.mkdir(parents=True, exist_ok=True)
    for config in model.peft_config.values():
        config.base_model_name_or_path = composite.config.base_model_name_or_path
    adapter_folder = folder / ADAPTERS_FOLDER / adapter_name
    # The embedding table is the base's; only the trained rows belong to the adapter.
    with explain_writing(adapter_folder):
        model.save_pretrained(adapter_folder, save_embedding_layers=False)
    share_files(adapter_folder)
    (adapter_folder / "README.md").unlink(missing_ok=True)
    write_checksums(adapter_folder)
    save_shared_parts(folder, type(composite), composite.config, composite.motion_vq, processor)
    composite.generation_config.save_pretrained(folder)
    remove_code(folder)
    return folder


def save_processor(processor: MotionLLMProcessor, folder: str | os.PathLike[str]) -> None:
    """Write a `MotionLLMProcessor` and its tokenizer, whose chat template there is that of the training prompts."""
    saved = copy.copy(processor)  # the one in use keeps its template
    saved.tokenizer = copy.copy(processor.tokenizer)
    saved.tokenizer.chat_template = chat_template(processor)
    # How it was found here is no property of it, and would make two pushes of one checkpoint differ.
    found = ("is_local", "local_files_only")
    saved.tokenizer.init_kwargs = {k: v for k, v in processor.tokenizer.init_kwargs.items() if k not in found}
    saved.save_pretrained(folder)


def save_shared_parts(
    folder: Path,
    model_class: type,
    config: MotionLLMConfig,
    motion_vq: MotionVQModel,
    processor: MotionLLMProcessor,
) -> None:
    """Write what all adapters of a thin checkpoint share, with the code: VQ-VAE, processor, tokenizer, configuration.

    Args:
        folder: of the thin checkpoint.
        model_class: `MotionLLMForCausalLM`, whose code goes along.
        config: of the model.
        motion_vq: the VQ-VAE.
        processor: of the model.
    """
    motion_vq.save_pretrained(folder / MOTION_VQ_FOLDER)
    for code in (folder / MOTION_VQ_FOLDER).glob("*.py"):
        code.replace(folder / code.name)
    write_checksums(folder / MOTION_VQ_FOLDER)
    save_processor(processor, folder)
    config.name_remote_code()
    save_code(model_class, folder)
    config.save_pretrained(folder)
