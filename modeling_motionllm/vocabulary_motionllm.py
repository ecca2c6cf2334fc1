"""`MotionVocabulary`: the one place that knows which token id is which motion code or placement bin."""

from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from .configuration_motionllm import MotionLLMConfig
from .errors_motionllm import MotionLLMError
from .placement_motionllm import HEADING_BINS, POSITION_BINS

__all__ = [
    "MOTION_END",
    "MOTION_START",
    "PLACEMENT_START",
    "MotionVocabulary",
    "PlacementVocabulary",
    "motion_token_names",
    "placement_token_names",
]

MOTION_START = "<Motion>"
MOTION_END = "</Motion>"
PLACEMENT_START = "<Place_"
_PLACEMENT_FAMILIES = {"x": POSITION_BINS, "z": POSITION_BINS, "r": HEADING_BINS}


def motion_token_names(codebook_size: int, placement: bool = False) -> list[str]:
    """Tokens in the order they join a vocabulary: `<Motion>`, `</Motion>`, `<Motion_0>` ... `<Motion_{K-1}>`.

    Args:
        codebook_size: number of codes.
        placement: add the placement tokens behind the codes, for models of several people.
    """
    names = [MOTION_START, MOTION_END, *(f"<Motion_{code}>" for code in range(codebook_size))]
    return [*names, *placement_token_names()] if placement else names


def placement_token_names() -> list[str]:
    """The 328 placement tokens: `<Place_x_0>` ... `<Place_x_127>`, then `<Place_z_...>`, then `<Place_r_...>`."""
    return [
        f"{PLACEMENT_START}{family}_{index}>" for family, count in _PLACEMENT_FAMILIES.items() for index in range(count)
    ]


@dataclass(frozen=True)
class PlacementVocabulary:
    """Token ids of the placement bins; three families (x, z, heading), one after the other from `offset`.

    Args:
        offset: id of `<Place_x_0>`.
    """

    offset: int

    @classmethod
    def from_tokenizer(cls, tokenizer: PreTrainedTokenizerBase) -> "PlacementVocabulary | None":
        """Look the placement tokens up; None for a tokenizer of a single-person model, which has none.

        Raises:
            MotionLLMError: it has some of them only, or their ids are not contiguous.
        """
        vocabulary = tokenizer.get_vocab()
        names = placement_token_names()
        missing = [name for name in names if name not in vocabulary]
        if len(missing) == len(names):
            return None
        if missing:
            raise MotionLLMError(
                f"the tokenizer lacks {len(missing)} of {len(names)} placement tokens, the first is {missing[0]}; "
                "build it with motion_token_names(codebook_size, placement=True)"
            )
        ids = [vocabulary[name] for name in names]
        if ids != list(range(ids[0], ids[0] + len(ids))):
            raise MotionLLMError("the tokenizer's placement tokens are not contiguous; add them in one add_tokens call")
        return cls(offset=ids[0])

    @property
    def families(self) -> tuple[range, range, range]:
        """Ids of the x, the z and the heading tokens, by bin."""
        x = range(self.offset, self.offset + POSITION_BINS)
        z = range(x.stop, x.stop + POSITION_BINS)
        return x, z, range(z.stop, z.stop + HEADING_BINS)

    @property
    def ids(self) -> list[int]:
        """All placement token ids."""
        return [token for family in self.families for token in family]

    def bins_to_ids(self, bins: torch.Tensor) -> torch.Tensor:
        """Token ids (..., 3) of bins (..., 3): x, z, heading.

        Raises:
            MotionLLMError: wrong shape, or no such bin.
        """
        counts = torch.tensor(list(_PLACEMENT_FAMILIES.values()), device=bins.device)
        if bins.shape[-1:] != (3,) or bool(((bins < 0) | (bins >= counts)).any()):
            raise MotionLLMError(f"{bins.tolist()} are no bins of x, z and heading; make them with encode_placements")
        return bins + self._starts(bins)

    def ids_to_bins(self, ids: torch.Tensor) -> torch.Tensor:
        """Bins (..., 3) of token ids (..., 3) in the order x, z, heading.

        Raises:
            MotionLLMError: wrong shape, or an id that is no token of its family.
        """
        counts = torch.tensor(list(_PLACEMENT_FAMILIES.values()), device=ids.device)
        bins = ids - self._starts(ids) if ids.shape[-1:] == (3,) else ids
        if ids.shape[-1:] != (3,) or bool(((bins < 0) | (bins >= counts)).any()):
            raise MotionLLMError(f"the ids {ids.tolist()} are no placements: <Place_x_..> <Place_z_..> <Place_r_..>")
        return bins

    def _starts(self, like: torch.Tensor) -> torch.Tensor:
        return torch.tensor([family.start for family in self.families], device=like.device)


@dataclass(frozen=True)
class MotionVocabulary:
    """Token ids of the motion tokens; codes are contiguous from `offset`.

    Args:
        offset: id of `<Motion_0>`.
        start: id of `<Motion>`.
        end: id of `</Motion>`.
        codebook_size: number of codes.
        placement: ids of the placement tokens; None in a single-person model, which has none.
    """

    offset: int
    start: int
    end: int
    codebook_size: int
    placement: PlacementVocabulary | None = None

    @classmethod
    def from_tokenizer(cls, tokenizer: PreTrainedTokenizerBase, codebook_size: int) -> "MotionVocabulary":
        """Look the motion tokens up in a tokenizer.

        Raises:
            MotionLLMError: a motion token is missing, only some placement tokens are there, or ids are not contiguous.
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
        placement = PlacementVocabulary.from_tokenizer(tokenizer)
        return cls(offset=codes[0], start=start, end=end, codebook_size=codebook_size, placement=placement)

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
        placed = config.placement_token_offset
        return cls(
            offset=offset,
            start=start,
            end=end,
            codebook_size=config.motion_config.codebook_size,
            placement=None if placed is None else PlacementVocabulary(offset=placed),
        )

    @property
    def motion_ids(self) -> list[int]:
        """The token ids that a motion is made of: start, end and codes."""
        return [self.start, self.end, *range(self.offset, self.offset + self.codebook_size)]

    @property
    def ids(self) -> list[int]:
        """All token ids that were added for motion: start, end, codes and, where there are any, placements."""
        return [*self.motion_ids, *(self.placement.ids if self.placement else [])]

    def is_code(self, ids: torch.Tensor) -> torch.Tensor:
        """Bool mask, True where an id stands for a code."""
        return (ids >= self.offset) & (ids < self.offset + self.codebook_size)

    def is_inside(self, ids: torch.Tensor) -> torch.Tensor:
        """Bool mask, True where the next token belongs to a motion: after `<Motion>` and after its codes."""
        return self.is_code(ids) | (ids == self.start)

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
