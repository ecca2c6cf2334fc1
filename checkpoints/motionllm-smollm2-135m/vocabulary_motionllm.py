"""`MotionVocabulary`: the one place that knows which token id is which motion code."""

from dataclasses import dataclass
from typing import Any

import torch

from .configuration_motionllm import MotionLLMConfig
from .errors_motionllm import MotionLLMError

__all__ = ["MOTION_END", "MOTION_START", "MotionVocabulary", "motion_token_names"]

MOTION_START = "<Motion>"
MOTION_END = "</Motion>"


def motion_token_names(codebook_size: int) -> list[str]:
    """Tokens in the order they join a vocabulary: `<Motion>`, `</Motion>`, `<Motion_0>` ... `<Motion_{K-1}>`."""
    return [MOTION_START, MOTION_END, *(f"<Motion_{code}>" for code in range(codebook_size))]


@dataclass(frozen=True)
class MotionVocabulary:
    """Token ids of the motion tokens; codes are contiguous from `offset`.

    Args:
        offset: id of `<Motion_0>`.
        start: id of `<Motion>`.
        end: id of `</Motion>`.
        codebook_size: number of codes.
    """

    offset: int
    start: int
    end: int
    codebook_size: int

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, codebook_size: int) -> "MotionVocabulary":
        """Look the motion tokens up in a tokenizer.

        Raises:
            MotionLLMError: a token is missing, or the codes' ids are not contiguous.
        """
        vocabulary = tokenizer.get_vocab()
        names = motion_token_names(codebook_size)
        missing = [name for name in names if name not in vocabulary]
        if missing:
            raise MotionLLMError(
                f"the tokenizer lacks {len(missing)} motion tokens, the first is {missing[0]}; "
                "build it with MotionLLMTokenizer.from_base(base, motion_token_names(codebook_size))"
            )
        start, end, *codes = (vocabulary[name] for name in names)
        if codes != list(range(codes[0], codes[0] + codebook_size)):
            raise MotionLLMError("the tokenizer's motion codes are not contiguous; add them in one add_tokens call")
        return cls(offset=codes[0], start=start, end=end, codebook_size=codebook_size)

    @classmethod
    def from_config(cls, config: MotionLLMConfig) -> "MotionVocabulary":
        """Read the ids stored in a model's configuration.

        Raises:
            MotionLLMError: the configuration has no motion tokens yet.
        """
        ids = (config.motion_token_offset, config.motion_start_token_id, config.motion_end_token_id)
        if any(value is None for value in ids):
            raise MotionLLMError(
                "the config names no motion tokens; build the model with MotionLLMForCausalLM.from_base"
            )
        offset, start, end = (int(value) for value in ids if value is not None)
        return cls(offset=offset, start=start, end=end, codebook_size=config.motion_config.codebook_size)

    @property
    def ids(self) -> list[int]:
        """All motion token ids: start, end, codes."""
        return [self.start, self.end, *range(self.offset, self.offset + self.codebook_size)]

    def is_code(self, ids: torch.Tensor) -> torch.Tensor:
        """Bool mask, True where an id stands for a code."""
        return (ids >= self.offset) & (ids < self.offset + self.codebook_size)

    def codes_to_ids(self, codes: torch.Tensor) -> torch.Tensor:
        """Token ids of codes.

        Raises:
            MotionLLMError: a code outside the codebook.
        """
        if codes.numel() and (int(codes.min()) < 0 or int(codes.max()) >= self.codebook_size):
            raise MotionLLMError(
                f"codes run from {int(codes.min())} to {int(codes.max())}; they must be 0 to {self.codebook_size - 1}"
            )
        return codes + self.offset

    def ids_to_codes(self, ids: torch.Tensor) -> torch.Tensor:
        """The codes among `ids`, in order; everything that is no code is left out. 1-d in, 1-d out."""
        return ids[self.is_code(ids)] - self.offset
