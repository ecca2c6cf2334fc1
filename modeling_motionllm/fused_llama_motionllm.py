"""`FusedLlama`: a Llama-type language model as few large matrices over a preallocated key-value cache, for decoding."""

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from .packed_matrices_motionllm import PackedMatrices, multiply_packed, packed_matrices, packing_pays

__all__ = ["FusedCache", "FusedLlama", "FusedMatrix", "fused_llama_obstacle"]

_LAYER = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}
_ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
_MLP = {"gate_proj", "up_proj", "down_proj", "act_fn"}
# Rotary frequencies that stay the same, however long the sequence gets.
_STATIC_ROTARY = {"default", "linear", "llama3", "yarn"}
# Relative difference of the logits from the language model's own; rounding is far below it, another network far above.
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3}
_HALF_TOLERANCE = 0.1
_STOCK_LLAMA = "transformers.models.llama.modeling_llama"

_joining = threading.Lock()
_verdicts: "weakref.WeakKeyDictionary[nn.Module, dict[tuple, str | None]]" = weakref.WeakKeyDictionary()


def _children(module: Any) -> set[str]:
    return {name for name, _ in module.named_children()} if isinstance(module, nn.Module) else set()


def _name(language_model: PreTrainedModel) -> str:
    return str(getattr(language_model.config, "model_type", type(language_model).__name__))


def _structure_obstacle(language_model: PreTrainedModel) -> str | None:
    base: Any = getattr(language_model, "model", None)
    head = language_model.get_output_embeddings()
    if not {"embed_tokens", "layers", "norm", "rotary_emb"} <= _children(base) or not len(base.layers):
        return f"the language model ('{_name(language_model)}') is not built like a Llama"
    projections, norms = [head], [base.norm]
    for layer in base.layers:
        attention, mlp = getattr(layer, "self_attn", None), getattr(layer, "mlp", None)
        if (_children(layer), _children(attention), _children(mlp)) != (_LAYER, _ATTENTION, _MLP):
            return f"the layers of the language model ('{_name(language_model)}') are not built like a Llama's"
        projections += [getattr(attention, name) for name in sorted(_ATTENTION)]
        projections += [getattr(mlp, name) for name in sorted(_MLP - {"act_fn"})]
        norms += [layer.input_layernorm, layer.post_attention_layernorm]
    if type(base.embed_tokens) is not nn.Embedding or any(type(layer) is not nn.Linear for layer in projections):
        return "the language model holds an adapter or quantised layers; merge the adapter (merge_and_unload)"
    if not all(hasattr(norm, "variance_epsilon") for norm in norms):
        return f"the language model ('{_name(language_model)}') normalises otherwise than a Llama"
    if getattr(base.rotary_emb, "rope_type", None) not in _STATIC_ROTARY:
        return "the rotary frequencies depend on the length of the sequence"
    if any(module._forward_hooks or module._forward_pre_hooks for module in language_model.modules()):
        return "the language model has forward hooks, which the fast decoder would not call"
    if len({(parameter.dtype, parameter.device) for parameter in language_model.parameters()}) != 1:
        return "the weights of the language model are of several dtypes or on several devices"
    return None


def fused_llama_obstacle(language_model: PreTrainedModel, ids: Sequence[int], length: int) -> str | None:
    """Why `FusedLlama` cannot stand for a language model, or None if it can.

    The structure decides, not the name: the modules must be those of a Llama and nothing more. Then, once for each
    model, dtype and device, both run on a few tokens, and their logits must agree: a model of the same modules that
    computes something else with them is found out. transformers' own Llama is known and need not be tried.

    Args:
        language_model: any causal language model.
        ids: token ids that it will be asked about.
        length: longest sequence, in tokens.
    """
    obstacle = _structure_obstacle(language_model)
    if obstacle is not None:
        return obstacle
    if language_model.training:
        return "the model is in training mode; call model.eval()"
    window = getattr(language_model.config, "sliding_window", None)
    if window is not None and length > window:
        return f"{length} tokens do not fit into the attention window of {window}"
    weight = language_model.model.embed_tokens.weight
    verdicts = _verdicts.setdefault(language_model, {})
    key = (weight.dtype, weight.device)
    if key not in verdicts:
        verdicts[key] = None if _is_stock_llama(language_model) else _disagreement(language_model, ids)
    return verdicts[key]


def _is_stock_llama(language_model: PreTrainedModel) -> bool:
    """By its classes, from the model to the parts of a layer: code of anybody else's would be another class."""
    parts = [
        language_model,
        language_model.model,
        *(module for layer in language_model.model.layers for module in (layer, layer.self_attn, layer.mlp)),
    ]
    return all(type(part).__module__ == _STOCK_LLAMA for part in parts)


@torch.no_grad()
def _disagreement(language_model: PreTrainedModel, ids: Sequence[int]) -> str | None:
    """Compare with the language model's own forward pass: two rows of six ids, one padded; a prefill and a step."""
    fused = FusedLlama(language_model, ids)
    device = fused.head.device
    tokens = torch.tensor(ids, device=device)[torch.arange(12, device=device) % len(ids)].view(2, 6)
    pads = torch.tensor([0, 2], device=device)
    places = torch.arange(6, device=device)
    mask = (places >= pads[:, None]).long()
    positions = (places - pads[:, None]).clamp_min(0)
    output = language_model(
        input_ids=tokens, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=2
    )
    expected = output.logits[..., fused.ids].double()
    cache = fused.new_cache(2, 1, 6)
    first = fused.prefill(tokens[:, :5], pads, cache)
    second = fused.step(tokens[:, 5], 5, pads, cache, mask.bool())
    found = torch.stack([first, second], dim=1).double()
    difference = float((found - expected).norm() / expected.norm())
    if difference <= _TOLERANCE.get(fused.head.dtype, _HALF_TOLERANCE):
        return None
    return (
        f"the language model ('{_name(language_model)}') computes otherwise than a Llama (logits {difference:.1%} off)"
    )


def _join(parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """One tensor of several along dimension 0. The parameters become views of it, so that nothing is held twice.

    Where they are views of one tensor already, that is taken as it is; whatever trained, merged or loaded them in place
    has changed it too.
    """
    place, storage = parameters[0].data_ptr(), parameters[0].untyped_storage().data_ptr()
    adjacent = True
    for parameter in parameters:
        shared = parameter.untyped_storage().data_ptr() == storage and parameter.is_contiguous()
        adjacent = adjacent and shared and parameter.data_ptr() == place
        place += parameter.numel() * parameter.element_size()
    sizes = [parameter.shape[0] for parameter in parameters]
    if adjacent:
        first = parameters[0].data
        return first.as_strided((sum(sizes), *first.shape[1:]), first.stride())
    joined = torch.cat([parameter.data for parameter in parameters])
    for parameter, part in zip(parameters, joined.split(sizes), strict=True):
        parameter.data = part
    return joined


def _fuse(*layers: nn.Linear) -> "FusedMatrix":
    """Weight and bias of linear layers with the same input, as one."""
    with _joining, torch.inference_mode(False), torch.no_grad():
        weight = _join([layer.weight for layer in layers])
        biases = [layer.bias for layer in layers if layer.bias is not None]
        if not biases:
            return weight, None
        if len(biases) == len(layers):
            return weight, _join(biases)
        filled = [torch.zeros_like(layer.weight[:, 0]) if layer.bias is None else layer.bias.data for layer in layers]
        return weight, torch.cat(filled)


# Weight (out, in) and bias.
FusedMatrix = tuple[torch.Tensor, torch.Tensor | None]


@dataclass
class _Layer:
    qkv: FusedMatrix
    out: FusedMatrix
    gate_up: FusedMatrix
    down: FusedMatrix
    norms: tuple[nn.Module, nn.Module]
    activation: nn.Module


@dataclass
class FusedCache:
    """Keys and values (layers, samples, contexts, kv_heads, length, head_dim) of a batch, in place from first to last.

    A sample has one context, or a second one without the sentence for guidance. `samples` of them are live. `cos` and
    `sin` (length, head_dim) are the rotary tables, the sign of the turn in `sin`.
    """

    keys: torch.Tensor
    values: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    samples: int

    def keep(self, alive: torch.Tensor) -> torch.Tensor:
        """Drop the samples that are not `alive` (samples,) by moving the last ones into their places.

        Returns:
            int64 (kept,), which sample is where now.
        """
        index = alive.nonzero()[:, 0]
        count = len(index)
        holes = (~alive[:count]).nonzero()[:, 0]
        moved = index[index >= count]
        self.keys[:, holes], self.values[:, holes] = self.keys[:, moved], self.values[:, moved]
        self.samples = count
        order = torch.arange(count, device=alive.device)
        order[holes] = moved
        return order


def _few_rows(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`F.linear` of (R, in), in float32 on processors with the large matrix first, up to 2.8 times as fast.

    A row has to lie in one piece for that (MKL takes five times as long for two that do not), and two rows are faster
    than one.
    """
    if rows.device.type != "cpu" or rows.dtype != torch.float32:
        return F.linear(rows, weight, bias)
    product = (weight @ (rows.contiguous() if len(rows) > 1 else rows.repeat(2, 1)).T).T[: len(rows)]
    return product if bias is None else product + bias


def _turn(cache: FusedCache, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and signed sines (R, S, 1, head_dim) of positions (R, S)."""
    return cache.cos[positions][:, :, None], cache.sin[positions][:, :, None]


class FusedLlama:
    """Prefill and one-token steps of a Llama-type model, with logits for some ids only.

    The query, key and value projections are one matrix, and so are gate and up; the model's own parameters become views
    of these, so the weights are not doubled and stay one with the model's. Cheap to make: make one for every decoding.

    Args:
        language_model: one that `fused_llama_obstacle` has nothing against.
        ids: the token ids to give logits for.
        rows: the most rows of a step; where it pays for so many, the weights are held once more, packed for products.
    """

    def __init__(self, language_model: PreTrainedModel, ids: Sequence[int], rows: int = 0):
        base, head = language_model.model, language_model.get_output_embeddings()
        config = language_model.config
        attention = base.layers[0].self_attn
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_dim = attention.q_proj.out_features // self.heads
        self.scaling = getattr(attention, "scaling", self.head_dim**-0.5)
        self.rotary, self.norm = base.rotary_emb, base.norm
        self.embeddings = base.embed_tokens.weight.detach()
        self.ids = torch.tensor(ids, device=self.embeddings.device)
        first = ids[0]
        place: Any = slice(first, first + len(ids)) if list(ids) == list(range(first, first + len(ids))) else self.ids
        self.head = head.weight.detach()[place]
        self.head_bias = None if head.bias is None else head.bias.detach()[place]
        self.layers = [
            _Layer(
                qkv=_fuse(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj),
                out=_fuse(layer.self_attn.o_proj),
                gate_up=_fuse(layer.mlp.gate_proj, layer.mlp.up_proj),
                down=_fuse(layer.mlp.down_proj),
                norms=(layer.input_layernorm, layer.post_attention_layernorm),
                activation=layer.mlp.act_fn,
            )
            for layer in base.layers
        ]
        self.packed: PackedMatrices = {}
        if packing_pays(self.embeddings, rows):
            matrices = [m for layer in self.layers for m in (layer.qkv, layer.out, layer.gate_up, layer.down)]
            self.packed = packed_matrices(language_model, [weight for weight, _ in matrices])

    def new_cache(self, samples: int, contexts: int, length: int) -> FusedCache:
        """Room for `length` tokens of each context, and the rotary tables for as many positions."""
        places = torch.arange(length, device=self.head.device)[None]
        cos, sin = self.rotary(self.embeddings[:1], places)
        # With the sign in the table, turning is two multiplications and a swap of the halves.
        sign = sin.new_tensor([-1.0, 1.0]).repeat_interleave(self.head_dim // 2)
        shape = (len(self.layers), samples, contexts, self.kv_heads, length, self.head_dim)
        # Zeros, not whatever was there: what is masked is still multiplied by its weight of 0.
        return FusedCache(self.head.new_zeros(shape), self.head.new_zeros(shape), cos[0], sin[0] * sign, samples)

    def prefill(
        self,
        ids: torch.Tensor,
        pads: torch.Tensor,
        cache: FusedCache,
        *,
        copies: int = 1,
        context: int = 0,
        end: int = 0,
        known: int = 0,
    ) -> torch.Tensor:
        """Read prompts, and store each for `copies` samples.

        Args:
            ids: (P, S), padded on the left.
            pads: (P,) padding tokens of each.
            cache: of P * copies samples, prompt by prompt.
            copies: samples of each prompt.
            context: which context of the samples.
            end: place in the cache after the last token; 0 for S.
            known: the first so many of S places are in the cache already, of every sample.

        Returns:
            float32 (P * copies, V) logits after the last token.
        """
        length = ids.shape[1]
        end = end or length
        places = torch.arange(length, device=ids.device)
        unread = places[known:]
        turn = _turn(cache, (unread - pads[:, None]).clamp_min(0))
        mask = None
        if known or bool(pads.any()):
            seen = (unread[:, None] >= places) & (places >= pads[:, None, None])
            # A padding token sees itself: a softmax over nothing would be NaN and spread.
            mask = (seen | (unread[:, None] == places))[:, None]
        hidden = F.embedding(ids[:, known:], self.embeddings)
        for number, layer in enumerate(self.layers):
            query, key, value = self._project(layer, hidden, turn)
            key, value = key.transpose(1, 2), value.transpose(1, 2)
            for stored, new in ((cache.keys, key), (cache.values, value)):
                stored[number, :, context, :, end - length + known : end] = new.repeat_interleave(copies, dim=0)
            if known:
                key, value = (
                    stored[number, ::copies, context, :, end - length : end] for stored in (cache.keys, cache.values)
                )
            mixed = F.scaled_dot_product_attention(
                query.transpose(1, 2),
                key,
                value,
                attn_mask=mask,
                is_causal=mask is None,
                scale=self.scaling,
                enable_gqa=self.heads != self.kv_heads,
            )
            hidden = self._finish(layer, hidden, mixed.transpose(1, 2))
        return self._logits(hidden[:, -1]).repeat_interleave(copies, dim=0)

    def step(
        self, ids: torch.Tensor, place: int, pads: torch.Tensor, cache: FusedCache, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Read one more token of every live context.

        Args:
            ids: (R,), contexts of a sample side by side.
            place: where in the cache it goes.
            pads: (R,) padding tokens before each context.
            mask: bool (R, length), False where the cache holds padding; None where there is none.

        Returns:
            float32 (R, V) logits.
        """
        rows = len(ids)
        turn = _turn(cache, (place - pads)[:, None])
        seen = None if mask is None else mask[:, None, None, : place + 1]
        hidden = F.embedding(ids[:, None], self.embeddings)
        keys, values = (stored[:, : cache.samples].flatten(1, 2) for stored in (cache.keys, cache.values))
        for number, layer in enumerate(self.layers):
            query, key, value = self._project(layer, hidden, turn)
            keys[number, :, :, place], values[number, :, :, place] = key[:, 0], value[:, 0]
            # The queries of a group share keys and values: as if they were one head's queries in a row.
            mixed = F.scaled_dot_product_attention(
                query.view(rows, self.kv_heads, -1, self.head_dim),
                keys[number, :, :, : place + 1],
                values[number, :, :, : place + 1],
                attn_mask=seen,
                scale=self.scaling,
            )
            hidden = self._finish(layer, hidden, mixed)
        return self._logits(hidden[:, 0])

    def _project(
        self, layer: _Layer, hidden: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries (R, S, heads, head_dim), keys and values (R, S, kv_heads, head_dim), turned."""
        qkv = self._linear(self._normed(layer.norms[0], hidden), layer.qkv).unflatten(-1, (-1, self.head_dim))
        turned = qkv[:, :, : self.heads + self.kv_heads]
        turned = turned * turn[0] + turned.roll(self.head_dim // 2, -1) * turn[1]
        return turned[:, :, : self.heads], turned[:, :, self.heads :], qkv[:, :, self.heads + self.kv_heads :]

    def _finish(self, layer: _Layer, hidden: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """The rest of a layer after attention (R, S, heads, head_dim)."""
        hidden = hidden + self._linear(mixed.reshape(*hidden.shape[:2], -1), layer.out)
        gate, up = self._linear(self._normed(layer.norms[1], hidden), layer.gate_up).chunk(2, dim=-1)
        return hidden + self._linear(layer.activation(gate) * up, layer.down)

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return _few_rows(self._normed(self.norm, hidden), self.head, self.head_bias).float()

    def _linear(self, hidden: torch.Tensor, matrix: FusedMatrix) -> torch.Tensor:
        """A matrix of a layer times (R, S, in)."""
        weight, bias = matrix
        if self.packed and packing_pays(weight, hidden.shape[0] * hidden.shape[1]):
            return multiply_packed(hidden, self.packed[weight.data_ptr()], bias)
        if hidden.shape[1] == 1:
            return _few_rows(hidden[:, 0], weight, bias)[:, None]
        return F.linear(hidden, weight, bias)

    @staticmethod
    def _normed(norm: Any, hidden: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(hidden, norm.weight.shape, norm.weight, norm.variance_epsilon)
