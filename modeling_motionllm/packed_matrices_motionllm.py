"""Weights in the layout that oneDNN multiplies fastest, kept as long as they stay what they are."""

import threading
import weakref
from collections.abc import Sequence
from functools import cache

import torch
from torch import nn

__all__ = ["PackedMatrices", "multiply_packed", "packed_matrices", "packing_pays"]

# The packed form of each weight (out, in), by its address.
PackedMatrices = dict[int, torch.Tensor]

_packing = threading.Lock()
_packed: "weakref.WeakKeyDictionary[nn.Module, dict[int, tuple[torch.Tensor, torch.Tensor]]]" = (
    weakref.WeakKeyDictionary()
)


def packing_pays(weight: torch.Tensor, rows: int) -> bool:
    """Whether so many rows are multiplied faster with packed weights; never, where oneDNN does not run.

    Args:
        weight: of the model, for its dtype and device.
        rows: of a multiplication.
    """
    return weight.device.type == "cpu" and rows >= _fewest_rows(weight.dtype)


@cache  # asked for every matrix of every step
def _fewest_rows(dtype: torch.dtype) -> float:
    """From how many rows on the packed weights win on AVX2 and AVX-512 (docs/performance.md)."""
    if torch.backends.mkldnn.is_available():
        if dtype == torch.float32:
            return 3
        if dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return 1
    return float("inf")


def packed_matrices(language_model: nn.Module, weights: Sequence[torch.Tensor]) -> PackedMatrices:
    """The packed form of a model's weights, made at the first call and after whatever has changed a weight.

    It is held beside the model, as large as the weights are, until the model goes. Training, loading and merging change
    weights in place, not all of them past autograd's version counter: each call adds up all their bits.

    Args:
        language_model: whose weights they are.
        weights: (out, in) each, contiguous.
    """
    with _packing, torch.no_grad():
        before = _packed.get(language_model, {})
        now = {}
        for weight in weights:
            address, sums = weight.data_ptr(), _bit_sums(weight)
            known = before.pop(address, None)
            if known is None or not torch.equal(known[0], sums):
                known = None  # the old form goes before the new one is made
                known = sums, torch.ops.mkldnn._reorder_linear_weight(weight, 32)
            now[address] = known
        _packed[language_model] = now
        return {address: packed for address, (_, packed) in now.items()}


def multiply_packed(hidden: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`F.linear` of (..., in) with a packed weight."""
    return torch.ops.mkldnn._linear_pointwise(hidden, packed, bias, "none", [], "")


def _bit_sums(weight: torch.Tensor) -> torch.Tensor:
    """int64 (out,) that tell a weight from what it was: the sum of the bits of each row, read eight bytes at a time."""
    size = weight.element_size()
    wide = weight.shape[-1] * size % 8 == 0 and weight.storage_offset() * size % 8 == 0
    return weight.view(torch.int64 if wide else {2: torch.int16, 4: torch.int32}[size]).sum(-1)
