"""`Int8Llama`: the fast decoder with weights of 8 bits, which are read twice as fast as those of 16."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel

from .errors_motionllm import MotionLLMError
from .fused_llama_motionllm import FusedLlama, FusedMatrix, fused_llama_obstacle

__all__ = ["Int8Llama"]


class Int8Llama(FusedLlama):
    """Steps with int8 weights, one scale for each row of a matrix (symmetric, to nearest), and bf16 activations.

    Only the matrices of the layers are rounded: embeddings, norms, attention and the output head stay as they are, and
    so does the reading of prompts, where the weights are read once for many tokens anyway. Unlike `FusedLlama` it holds
    weights of its own, a quarter of float32's, and does not follow what becomes of the model's.

    Args:
        language_model: on the CPU; see `FusedLlama`.
        ids: the token ids to give logits for.

    Raises:
        MotionLLMError: the language model is not on the CPU, or `FusedLlama` cannot stand for it.
    """

    def __init__(self, language_model: PreTrainedModel, ids: Sequence[int]):
        obstacle = fused_llama_obstacle(language_model, ids, 0)
        if obstacle is None and language_model.device.type != "cpu":
            obstacle = f"its int8 matrices are for the CPU, and the model is on '{language_model.device}'"
        if obstacle is not None:
            raise MotionLLMError(f"the fast decoder cannot be used here: {obstacle}")
        super().__init__(language_model, ids)
        self.quantized = {
            matrix[0].data_ptr(): _quantize(matrix[0])
            for layer in self.layers
            for matrix in (layer.qkv, layer.out, layer.gate_up, layer.down)
        }

    def _linear(self, hidden: torch.Tensor, matrix: FusedMatrix) -> torch.Tensor:
        weight, bias = matrix
        if hidden.shape[1] > 1:
            return F.linear(hidden, weight, bias)
        rows = hidden[:, 0].to(torch.bfloat16).contiguous()
        product = torch._weight_int8pack_mm(rows, *self.quantized[weight.data_ptr()]).to(hidden.dtype)
        return (product if bias is None else product + bias)[:, None]


@torch.no_grad()
def _quantize(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 (out, in) and bf16 scales (out,)."""
    # The scale is rounded first, so that its rounding costs nothing; upwards, so that nothing is cut off.
    scale = (weight.float().abs().amax(1) / 127 * (1 + 2**-7)).clamp_min(torch.finfo(torch.bfloat16).tiny)
    scale = scale.to(torch.bfloat16)
    return (weight.float() / scale[:, None].float()).round().to(torch.int8), scale
