"""`write_tokens`: words and places after prompts, by the fast decoder where it can, else by `generate`."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from .decoding_motionllm import MotionModel, read_prompts
from .fused_llama_motionllm import FusedLlama, fused_llama_obstacle
from .prompt_memory_motionllm import PromptMemory
from .settings_motionllm import PLAIN_DECODING

__all__ = ["write_tokens"]


def write_tokens(
    model: MotionModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    processors: Sequence[LogitsProcessor],
    *,
    max_new_tokens: int,
    pad_token_id: int,
    eos_token_id: int | Sequence[int] | None = None,
    copies: int = 1,
    memory: PromptMemory | None = None,
    plain: bool = False,
    options: dict[str, Any] | None = None,
) -> torch.Tensor:
    """The likeliest tokens after prompts, as processors leave the scores.

    Args:
        model: writes them.
        input_ids: int64 (B, S), padded on the left.
        attention_mask: (B, S); nothing is padded by default.
        processors: change the scores, float32 (R, V), in turn, R = B * copies; to draw, they leave one token possible.
        max_new_tokens: at most.
        pad_token_id: follows an end.
        eos_token_id: what ends a row; by default as the generation config says.
        copies: rows of each prompt, which is read once.
        memory: of what was read of shorter prompts that these go on from.
        plain: by `generate`, whatever the model is.
        options: further arguments of `generate`; with any of them `generate` writes.

    Returns:
        int64 (R, S') new ids, up to the longest row.
    """
    ends = model.generation_config.eos_token_id if eos_token_id is None else eos_token_id
    head = model.language_model.get_output_embeddings().weight
    ids, longest = range(len(head)), input_ids.shape[1] + max_new_tokens
    if plain or options or fused_llama_obstacle(model.language_model, ids, longest) is not None:
        sequences = model.generate(
            input_ids=input_ids.repeat_interleave(copies, dim=0),
            attention_mask=None if attention_mask is None else attention_mask.repeat_interleave(copies, dim=0),
            logits_processor=LogitsProcessorList(processors),
            max_new_tokens=max_new_tokens,
            eos_token_id=ends,
            pad_token_id=pad_token_id,
            **PLAIN_DECODING | (options or {}),
        )
        return sequences[:, input_ids.shape[1] :]
    network = FusedLlama(model.language_model, ids, len(input_ids) * copies)
    ended_by = torch.tensor([ends] if isinstance(ends, int) else list(ends or ()), device=input_ids.device)
    return _write(
        network, input_ids, attention_mask, processors, max_new_tokens, pad_token_id, ended_by, copies, memory
    )


@torch.no_grad()
def _write(
    network: FusedLlama,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    processors: Sequence[LogitsProcessor],
    max_new_tokens: int,
    pad_token_id: int,
    ends: torch.Tensor,
    copies: int,
    memory: PromptMemory | None,
) -> torch.Tensor:
    length, most = input_ids.shape[1], input_ids.shape[1] + max_new_tokens
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    prompt_pads = length - mask.long().sum(-1)
    written = input_ids.repeat_interleave(copies, dim=0)
    cache = network.new_cache(len(written), 1, most)
    scores = read_prompts(network, input_ids, prompt_pads, cache, copies, memory)
    pads = prompt_pads.repeat_interleave(copies)
    real = torch.arange(most, device=pads.device) >= pads[:, None] if bool(pads.any()) else None
    ended = torch.zeros_like(pads, dtype=torch.bool)
    while True:
        for step in processors:
            scores = step(written, scores)
        picked = scores.argmax(-1).masked_fill(ended, pad_token_id)
        written = torch.cat([written, picked[:, None]], dim=1)
        ended = ended | torch.isin(picked, ends)
        if written.shape[1] == most or bool(ended.all()):
            break
        scores = network.step(picked, written.shape[1] - 1, pads, cache, real)
    if memory is not None and copies == 1:  # what was written is a part of the next prompt, but for the last token
        end = written.shape[1] - 1
        memory.remember([row[pad:end] for row, pad in zip(written.tolist(), pads.tolist(), strict=True)], cache, 1, end)
    return written[:, length:]
