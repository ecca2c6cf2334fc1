"""`PromptMemory`: what a language model has read of prompts that grow, so that only what is new is read."""

from collections.abc import Sequence

import torch

from .fused_llama_motionllm import FusedCache

__all__ = ["PromptMemory"]


class PromptMemory:
    """Keys and values of the prompts that a `FusedLlama` has read last.

    A person of a scene is told after all those before: the place, what that person does and the motion each follow on
    what is there already. The weights of the model must not change while a memory is in use.
    """

    def __init__(self) -> None:
        self._ids: list[list[int]] = []
        # (layers, prompts, kv_heads, length, head_dim), each prompt up to the end of `length`.
        self._keys = self._values = torch.empty(0)

    def remember(self, ids: Sequence[list[int]], cache: FusedCache, copies: int, end: int) -> None:
        """Keep what was read of N prompts, instead of what was kept before.

        Args:
            ids: of each prompt, without padding.
            cache: of N * copies samples, prompt by prompt; their first contexts hold the prompts.
            copies: samples of each prompt, which have read the same.
            end: place after the last token of each prompt.
        """
        longest = max(map(len, ids))
        self._ids = list(ids)
        self._keys, self._values = (
            stored[:, : len(ids) * copies : copies, 0, :, end - longest : end].clone()
            for stored in (cache.keys, cache.values)
        )

    def recall(self, ids: Sequence[list[int]], cache: FusedCache, copies: int) -> int:
        """Put into a cache what is known of N prompts that are to be read.

        Args:
            ids: of each prompt, without padding; in the cache all of them end where the longest does.
            cache: as in `remember`.
            copies: as in `remember`.

        Returns:
            How many places from the first one on need not be read.
        """
        if not self._ids:
            return 0
        begun = [max((_common(own, known), place) for place, known in enumerate(self._ids)) for own in ids]
        # Each prompt reads as many of its last tokens as the one of which least is known; of all at least the last one.
        unread = max(max(len(own) - same, 1) for own, (same, _) in zip(ids, begun, strict=True))
        longest = max(map(len, ids))
        for row, (own, (_, place)) in enumerate(zip(ids, begun, strict=True)):
            count, known = len(own) - unread, len(self._ids[place])
            if count <= 0:
                continue
            first, start = self._keys.shape[3] - known, longest - len(own)
            for stored, kept in ((cache.keys, self._keys), (cache.values, self._values)):
                read = kept[:, place, :, first : first + count]
                stored[:, row * copies : (row + 1) * copies, 0, :, start : start + count] = read[:, None]
        return max(longest - unread, 0)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many of their first ids are the same."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
