"""Folding a plain LoRA adapter into the weights, to the same bits as PEFT's merge but without building its layers."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from .errors_motionllm import MotionLLMError
from .json_motionllm import ADAPTER_FIELDS, check_json

__all__ = ["check_adapter", "merge_plain_lora"]

# Settings of an adapter that say nothing about its merged weights, or that are read here.
_READ = {"peft_type", "r", "lora_alpha", "use_rslora", "init_lora_weights", "trainable_token_indices", "bias"}
_IRRELEVANT = {
    *{"auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version"},
    *{"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "lora_dropout"},
    *{"megatron_core", "qalora_group_size", "ensure_weight_tying"},
}
_PREFIX = "base_model.model."
_DOWN, _UP, _ROWS = ".lora_A.weight", ".lora_B.weight", ".token_adapter.trainable_tokens_delta"


def check_adapter(model: nn.Module, folder: Path, weights: str) -> None:
    """Make sure that a LoRA adapter has all tensors that its configuration speaks of; PEFT draws what is missing.

    Args:
        model: what the adapter was trained on.
        folder: of `adapter_config.json`.
        weights: name of the safetensors file in it.

    Raises:
        MotionLLMError: some are missing.
    """
    config = check_json(folder / "adapter_config.json", ADAPTER_FIELDS)
    if config.get("peft_type") != "LORA":
        return
    with safe_open(folder / weights, "pt") as file:
        names = {name.removeprefix(_PREFIX) for name in file.keys()}  # noqa: SIM118  it is no dict
    layers = {name.removesuffix(end) for name in names for end in (_DOWN, _UP) if name.endswith(end)}
    missing = [f"{layer}{end}" for layer in layers for end in (_DOWN, _UP) if f"{layer}{end}" not in names]
    targets = config.get("target_modules")
    # Which layers: those of these names in every block. PEFT has more ways to choose, which single layers may lack.
    if isinstance(targets, list) and not (config.get("layers_to_transform") or config.get("exclude_modules")):
        endings = re.compile(rf"(.*\.)?({'|'.join(re.escape(str(name)) for name in targets)})")
        linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
        meant = [name for name in linear if endings.fullmatch(name)]
        missing += [f"{layer}{_DOWN}" for layer in meant if layer not in layers]
    if config.get("trainable_token_indices") and not any(name.endswith(_ROWS) for name in names):
        missing.append(f"...{_ROWS}")
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        raise MotionLLMError(
            f"the adapter '{folder}' lacks {len(missing):,} of its tensors ({', '.join(sorted(missing)[:3])}{more}); "
            "get it again"
        )


def merge_plain_lora(model: nn.Module, folder: Path, weights: str) -> bool:
    """Add a LoRA adapter (Hu et al. 2021, arXiv 2106.09685) to the linear layers it was trained for, and put its token
    rows into the embeddings: W + B A * alpha / r.

    PEFT builds its own layers around those of the model first, which takes longer than everything else in loading.

    Args:
        model: what the adapter was trained on.
        folder: of `adapter_config.json`.
        weights: name of the safetensors file in it.

    Returns:
        Whether it was merged; an adapter of any other kind (DoRA, biases, other layers ...) is left to PEFT, and the
        model is as it was.
    """
    config = check_json(folder / "adapter_config.json", ADAPTER_FIELDS)
    if not _is_plain(config):
        return False
    tensors = load_file(folder / weights)
    planned = _plan(model, config, tensors)
    if planned is None:
        return False
    deltas, rows = planned
    scaling = config["lora_alpha"] / (math.sqrt(config["r"]) if config.get("use_rslora") else config["r"])
    with torch.no_grad():
        for weight, down, up in deltas:
            delta = (up.float() @ down.float() * scaling).to(weight.device)
            # A new tensor: in place, each page of a memory-mapped file is copied first, at eight times the cost.
            weight.data = (weight + delta).to(weight.dtype)
        for weight, ids, values in rows:
            weight[torch.tensor(ids, device=weight.device)] = values.to(weight)
    # As after PEFT's merge: nothing is being trained.
    model.requires_grad_(False)
    return True


def _is_plain(config: Mapping[str, Any]) -> bool:
    special = [name for name, value in config.items() if value and name not in _READ | _IRRELEVANT]
    return (
        not special
        and config.get("peft_type") == "LORA"
        and config.get("bias", "none") == "none"
        # Others change the base weights before the adapter is added.
        and config.get("init_lora_weights", True) in (True, False, "gaussian")
    )


def _plan(
    model: nn.Module, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> tuple[list[tuple[torch.Tensor, ...]], list[tuple[torch.Tensor, list[int], torch.Tensor]]] | None:
    """Weights with their (A, B), and weights with the rows to replace; None if anything does not fit."""
    modules = dict(model.named_modules())
    deltas: list[tuple[torch.Tensor, ...]] = []
    rows: list[tuple[torch.Tensor, list[int], torch.Tensor]] = []
    for name, tensor in tensors.items():
        path = name.removeprefix(_PREFIX)
        if path.endswith(_DOWN):
            up = tensors.get(name.removesuffix(_DOWN) + _UP)
            layer: Any = modules.get(path.removesuffix(_DOWN))
            if up is None or type(layer) is not nn.Linear or tensor.shape[0] != config["r"]:
                return None
            if layer.weight.shape != (up.shape[0], tensor.shape[1]) or up.shape[1] != tensor.shape[0]:
                return None
            deltas.append((layer.weight, tensor, up))
        elif path.endswith(_ROWS):
            path = path.removesuffix(_ROWS)
            layer = modules.get(path)
            ids = config.get("trainable_token_indices")
            ids = ids.get(path.rpartition(".")[2]) if isinstance(ids, dict) else ids
            if type(layer) not in (nn.Embedding, nn.Linear) or not ids:
                return None
            if tensor.shape != (len(ids), layer.weight.shape[1]) or max(ids) >= layer.weight.shape[0]:
                return None
            rows.append((layer.weight, ids, tensor))
        elif not (path.endswith(_UP) and name.removesuffix(_UP) + _DOWN in tensors):
            return None
    return deltas, rows
