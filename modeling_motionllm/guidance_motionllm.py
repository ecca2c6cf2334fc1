"""Classifier-free guidance: motion that follows its sentence more closely than the model would by itself."""

from collections.abc import Sequence

import torch
from transformers import Cache, LogitsProcessor, PreTrainedModel

from .prompts_motionllm import pad_left
from .vocabulary_motionllm import MotionVocabulary

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
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    vocabulary: MotionVocabulary,
    bos: int | None,
    turns: bool = False,
) -> list[list[int]]:
    """What stands before the next code of each prompt when there is no sentence: the motion so far.

    Were it left out, guidance would hold on to the motion so far as it does to the sentence, and who has walked would
    walk on whatever comes next.

    Args:
        input_ids: (B, S) prompts, padded on the left.
        attention_mask: (B, S).
        vocabulary: which ids are codes.
        bos: id of the begin-of-text token, if the model has one.
        turns: all codes of a prompt are of the motion so far; otherwise those after the last `<Motion>`.

    Returns:
        For each prompt BOS if it begins with it, `<Motion>`, and the codes of the motion so far.
    """
    real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    contexts = []
    for ids, keep in zip(input_ids.cpu(), real.cpu(), strict=True):
        tokens = ids[keep.bool()]
        begin = 0 if turns else int((tokens == vocabulary.start).nonzero()[-1]) + 1
        codes = tokens[begin:][vocabulary.is_code(tokens[begin:])].tolist()
        contexts.append([*([bos] if bos is not None and tokens[0] == bos else []), vocabulary.start, *codes])
    return contexts


class ClassifierFreeGuidance(LogitsProcessor):
    """`guide` inside `generate`: runs the model on the codes without the sentence, with a key-value cache of its own.

    Stands after `MotionGrammar`, whose -inf tell what is allowed. One object serves one call of `generate`.

    Args:
        model: a causal language model.
        contexts: ids before the first code of each prompt, see `unconditional_context`; rows of a prompt stand side by
            side.
        prompt_length: tokens before the first code in what `generate` passes in.
        scale: see `guide`.
    """

    def __init__(self, model: PreTrainedModel, contexts: Sequence[Sequence[int]], prompt_length: int, scale: float):
        self.model, self.prompt_length, self.scale = model, prompt_length, scale
        self.context = pad_left(contexts, 0)
        self.cache: Cache | None = None
        self.read: torch.Tensor | None = None  # the ids in the cache

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        written = input_ids[:, self.prompt_length :]
        each = len(input_ids) // len(self.context["input_ids"])
        context, real = (
            self.context[name].to(input_ids.device).repeat_interleave(each, dim=0)
            for name in ("input_ids", "attention_mask")
        )
        ids, mask = torch.cat([context, written], dim=1), torch.cat([real, torch.ones_like(written)], dim=1)
        # Beam search swaps rows; what is in the cache then belongs to other codes and is read again.
        if self.read is None or not torch.equal(self.read, ids[:, : self.read.shape[1]]):
            self.cache, self.read = None, ids[:, :0]
        output = self.model(
            input_ids=ids[:, self.read.shape[1] :],
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp_min(0)[:, self.read.shape[1] :],
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.cache, self.read = output.past_key_values, ids
        return guide(scores, output.logits[:, -1], self.scale)
