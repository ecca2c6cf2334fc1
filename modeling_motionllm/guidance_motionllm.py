"""Classifier-free guidance: motion that follows its sentence more closely than the model would by itself."""

from typing import Any

import torch
from transformers import LogitsProcessor

__all__ = ["ClassifierFreeGuidance", "guide", "unconditional_context"]


def guide(scores: torch.Tensor, unconditional: torch.Tensor, scale: float) -> torch.Tensor:
    """`log p(uncond) + scale * (log p(cond) - log p(uncond))` (Ho & Salimans 2022), over the allowed ids alone.

    Both distributions are normalised over the ids whose score is not -inf, so that mass the model would give to words
    counts for neither; an id that is not allowed stays at -inf.

    Args:
        scores: (B, V) logits given the sentence, -inf where an id is not allowed.
        unconditional: (B, V) logits without the sentence.
        scale: 1 changes nothing, more follows the sentence more closely.

    Returns:
        (B, V) scores, of the dtype of `scores`.
    """
    allowed = scores != -torch.inf
    conditional = scores.log_softmax(-1)
    unconditional = unconditional.to(scores).masked_fill(~allowed, -torch.inf).log_softmax(-1)
    return torch.where(allowed, unconditional + scale * (conditional - unconditional), -torch.inf)


def unconditional_context(
    input_ids: torch.Tensor, attention_mask: torch.Tensor | None, start: int, bos: int | None
) -> torch.Tensor:
    """What stands before the codes when there is no sentence: `<Motion>`, after BOS if the prompts begin with it.

    Args:
        input_ids: (B, S) prompts, padded on the left.
        attention_mask: (B, S).
        start: id of `<Motion>`.
        bos: id of the begin-of-text token, if the model has one.

    Returns:
        int64 (1 or 2,).
    """
    column = torch.zeros_like(input_ids[:, 0]) if attention_mask is None else attention_mask.long().argmax(-1)
    first = input_ids.gather(1, column[:, None])
    context = [bos, start] if bos is not None and bool((first == bos).all()) else [start]
    return torch.tensor(context, device=input_ids.device)


class ClassifierFreeGuidance(LogitsProcessor):
    """`guide` inside `generate`: runs the model on the codes without the sentence, with a key-value cache of its own.

    Stands after `MotionGrammar`, whose -inf tell what is allowed. One object serves one call of `generate`.

    Args:
        model: a causal language model.
        context: ids before the first code, see `unconditional_context`.
        prompt_length: tokens before the first code in what `generate` passes in.
        scale: see `guide`.
    """

    def __init__(self, model: Any, context: torch.Tensor, prompt_length: int, scale: float):
        self.model, self.context, self.prompt_length, self.scale = model, context, prompt_length, scale
        self.cache: Any = None
        self.read: torch.Tensor | None = None  # the ids in the cache

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows = input_ids.shape[0]
        ids = torch.cat([self.context.expand(rows, -1), input_ids[:, self.prompt_length :]], dim=1)
        # Beam search swaps rows; what is in the cache then belongs to other codes and is read again.
        if self.read is None or not torch.equal(self.read, ids[:, : self.read.shape[1]]):
            self.cache, self.read = None, ids[:, :0]
        output = self.model(
            input_ids=ids[:, self.read.shape[1] :],
            attention_mask=torch.ones_like(ids),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.cache, self.read = output.past_key_values, ids
        return guide(scores, output.logits[:, -1], self.scale)
