"""Folding a plain LoRA adapter into the weights, to the same bits as PEFT's merge but without building its layers."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

__all__ = ["merge_plain_lora"]

# Settings of an adapter that say nothing about its merged weights, or that are read here.
_READ = {"peft_type", "r", "lora_alpha", "use_rslora", "init_lora_weights", "trainable_token_indices", "bias"}
_IRRELEVANT = {
    *{"auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version"},
    *{"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "lora_dropout"},
    *{"megatron_core", "qalora_group_size", "ensure_weight_tying"},
}
_PREFIX = "base_model.model."
_DOWN, _UP, _ROWS = ".lora_A.weight", ".lora_B.weight", ".token_adapter.trainable_tokens_delta"


def merge_plain_lora(model: nn.Module, folder: Path, weights: str) -> bool:
    """Add a LoRA adapter (Hu et al. 2021, arXiv 2106.09685) to the linear layers it was trained for, and put its token
    rows into the embeddings, in place: W + B A * alpha / r.

    PEFT builds its own layers around those of the model first, which takes longer than everything else in loading.

    Args:
        model: what the adapter was trained on.
        folder: of `adapter_config.json`.
        weights: name of the safetensors file in it.

    Returns:
        Whether it was merged; an adapter of any other kind (DoRA, biases, other layers ...) is left to PEFT, and the
        model is as it was.
    """
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
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
            weight.add_((up.float() @ down.float() * scaling).to(weight.device))
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
