"""The JSON files of a checkpoint, checked by type and range before anything is made of what they say."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from .errors_motionllm import MotionLLMError

__all__ = [
    "ADAPTER_FIELDS",
    "EVALUATOR_FIELDS",
    "GENERATION_FIELDS",
    "MODEL_FIELDS",
    "PROCESSOR_FIELDS",
    "VQ_FIELDS",
    "Field",
    "check_json",
    "explain_settings",
    "read_json",
]

_MOST_BYTES = 64 << 20
# What libraries raise where settings do not go together.
_OF_SETTINGS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    StrictDataclassError,
)

# A type ("?" where null is as good as nothing) with the smallest and the largest value, or the fields of a part.
Field = tuple[str, float, float] | str | Mapping[str, Any]
_WHOLE, _SIZE, _WEIGHT = ("int", 1, 4096), ("int", 1, 65536), ("number", 0, 1e6)

VQ_FIELDS: dict[str, Field] = {
    "model_type": "str",
    "input_dim": ("int", 5, 65536),
    "num_joints": ("int", 2, 4096),
    "fps": ("number", 1, 1000),
    "metres_per_unit": ("number", 1e-4, 1e4),
    "width": _WHOLE,
    "depth": ("int", 1, 12),
    "num_downsampling": ("int", 0, 6),
    "patch_size": ("int", 1, 64),
    "num_stacks": ("int", 1, 64),
    "dilation_growth": ("int", 1, 4),
    "codebook_size": _SIZE,
    "code_dim": _WHOLE,
    "ema_decay": ("number", 0, 1),
    **dict.fromkeys(("dead_code_threshold", "commitment_weight", "velocity_weight", "root_weight"), _WEIGHT),
    **dict.fromkeys(("path_weight", "foot_weight"), _WEIGHT),
}
_TEXT_FIELDS: dict[str, Field] = {
    "model_type": "str?",
    "hidden_size": ("int?", 1, 1 << 17),
    "num_hidden_layers": ("int?", 1, 1024),
    "num_attention_heads": ("int?", 1, 1024),
    "vocab_size": ("int?", 1, 1 << 22),
    "max_position_embeddings": ("int?", 1, 1 << 31),
    "rope_parameters": "dict?",
}
MODEL_FIELDS: dict[str, Field] = {
    "model_type": "str",
    "text_config": _TEXT_FIELDS,
    "motion_config": VQ_FIELDS,
    **dict.fromkeys(
        ("motion_token_offset", "motion_start_token_id", "motion_end_token_id", "placement_token_offset"),
        ("int?", 0, 1 << 31),
    ),
    "motion_rows_seed": ("int", 0, (1 << 63) - 1),
    "motion_rows_like_codes": "bool",
    "base_model_name_or_path": "str?",
    "tie_word_embeddings": "bool?",
}
EVALUATOR_FIELDS: dict[str, Field] = {
    "model_type": "str",
    "input_dim": ("int", 5, 65536),
    "fps": ("number", 1, 1000),
    **dict.fromkeys(("hidden_size", "num_attention_heads", "scene_hidden_size", "embed_dim"), _WHOLE),
    **dict.fromkeys(("intermediate_size", "sentence_dim"), _SIZE),
    "num_hidden_layers": ("int", 1, 64),
    "num_scene_layers": ("int", 0, 64),
    "dropout": ("number", 0, 1),
    "sentence_model": "str",
    "contents": "list?",
    "styles": "list?",
    "classification_weight": _WEIGHT,
    "max_people": ("int", 1, 64),
}
PROCESSOR_FIELDS: dict[str, Field] = {
    "codebook_size": _SIZE,
    "frames_per_code": ("int", 1, 64),
    "fps": ("number", 1, 1000),
    "max_seconds": ("number?", 0.01, 3600),
    "max_prompt_tokens": ("int", 1, 1 << 20),
    "max_people": ("int", 1, 64),
    "feature_dim": ("int", 5, 65536),
    "prompts": "dict",
}
_COUNT, _SHARE = ("int?", 1, 10_000), ("number?", 0, 1)
_DRAWING: dict[str, Field] = {
    "do_sample": "bool?",
    "temperature": ("number?", 0, 1000),
    "top_k": ("int?", 0, 1 << 31),
    "top_p": _SHARE,
    "num_candidates": _COUNT,
    "num_return_sequences": _COUNT,
    "max_new_tokens": _COUNT,
}
GENERATION_FIELDS: dict[str, Field] = {
    **_DRAWING,
    "guidance_scale": ("number?", 0, 1000),
    **dict.fromkeys(("people_candidates", "max_held_codes", "min_codes", "max_codes"), _COUNT),
    "typical_length": "bool?",
    "turn_context": "bool?",
    "unknown_threshold": _SHARE,
    "caption": _DRAWING,
}
ADAPTER_FIELDS: dict[str, Field] = {
    "peft_type": "str",
    "r": _SIZE,
    "lora_alpha": ("number", 0, 1e6),
    "bias": "str",
    "use_rslora": "bool?",
    "base_model_name_or_path": "str?",
    "auto_mapping": "none",  # names a class to import
    "megatron_config": "none",  # names a module to import
}
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "number": (int, float),
    "bool": (bool,),
    "str": (str,),
    "list": (list,),
    "dict": (dict,),
    "none": (),
}
_NAMES = {"int": "a whole number", "number": "a number", "bool": "true or false", "str": "a text", "list": "a list"}


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        MotionLLMError: it cannot be read, is damaged, or holds something else.
    """
    try:
        size = Path(path).stat().st_size
        if size > _MOST_BYTES:
            raise MotionLLMError(f"'{path}' has {size >> 20} MB, which no such file has; get it again")
        values = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:  # also bytes that are no text, and numbers of 5,000 digits
        if isinstance(error, MotionLLMError):
            raise
        why = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())[:100]
        raise MotionLLMError(f"'{path}' is damaged ({why}); get it again") from error
    if not isinstance(values, dict):
        raise MotionLLMError(f"'{path}' is damaged (it holds {_shown(values)}, not names with values); get it again")
    return values


def check_json(path: str | os.PathLike[str], fields: Mapping[str, Field]) -> dict[str, Any]:
    """Read a JSON file and check what it says under known names; others are for transformers.

    Args:
        path: of the file.
        fields: what is known.

    Raises:
        MotionLLMError: as `read_json`, or a value of another type or out of range.
    """
    values = read_json(path)
    _check_fields(values, fields, str(path))
    return values


def _check_fields(values: Mapping[str, Any], fields: Mapping[str, Field], where: str, prefix: str = "") -> None:
    for name in values.keys() & fields.keys():
        field, value = fields[name], values[name]
        told = f"'{where}': {prefix}{name} is {_shown(value)}"
        if isinstance(field, Mapping):
            if not isinstance(value, dict):
                raise MotionLLMError(f"{told}, but has to hold names with values; get the file again")
            _check_fields(value, field, where, f"{prefix}{name}.")
            continue
        kind, low, high = field if isinstance(field, tuple) else (field, -math.inf, math.inf)
        optional, kind = kind.endswith("?") or kind == "none", kind.removesuffix("?")
        if value is None and optional:
            continue
        wrong_type = not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "bool")
        if wrong_type or (kind in ("int", "number") and not low <= value <= high):
            limits = f" from {low:g} to {high:g}" if kind in ("int", "number") else ""
            wanted = "null" if kind == "none" else _NAMES.get(kind, "names with values") + limits
            raise MotionLLMError(f"{told}, but has to be {wanted}; get the file again")


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (ValueError, RecursionError):
        text = "a value that cannot be shown"
    return text if len(text) <= 40 else f"{text[:40]}..."


@contextmanager
def explain_settings(name: str) -> Iterator[None]:
    """Turn what a library says of settings that do not go together into one line.

    Args:
        name: of the file or checkpoint.

    Raises:
        MotionLLMError: they do not.
    """
    try:
        yield
    except Exception as error:
        # The tokenizers library has no error of its own: it raises Exception itself.
        if isinstance(error, MotionLLMError) or not (isinstance(error, _OF_SETTINGS) or type(error) is Exception):
            raise
        said = " ".join(str(error).split())
        if "custom code" in said or "trust_remote_code" in said:
            raise MotionLLMError(
                f"'{name}' needs code of its own, which is never run here; choose a model that transformers knows"
            ) from error
        raise MotionLLMError(f"the settings of '{name}' are damaged ({said[:160]}); get them again") from error
