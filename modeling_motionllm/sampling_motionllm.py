"""What may come next and what is drawn: the motion grammar, its counterpart for captions, and seeded sampling."""

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from .errors_motionllm import MotionLLMError
from .placement_motionllm import decode_placements
from .settings_motionllm import check_sampling
from .vocabulary_motionllm import MotionVocabulary, PlacementVocabulary

__all__ = [
    "CANDIDATE_STRIDE",
    "MotionGrammar",
    "OwnRepeats",
    "PartGrammar",
    "PlacementGrammar",
    "RepeatCap",
    "SeededSampling",
    "TextGrammar",
    "TypicalLength",
    "candidate_seeds",
    "row_seeds",
    "sampling_steps",
]


CANDIDATE_STRIDE = 15_485_863  # between the seeds of a row's candidates, far from those of other rows


class MotionGrammar(LogitsProcessor):
    """After `<Motion>` only codes, then `</Motion>`, with at least `min_codes` and at most `max_codes` codes per row.

    Args:
        vocabulary: which ids are codes.
        prompt_length: tokens before the first code.
        min_codes: int64 (B,).
        max_codes: int64 (B,).
    """

    def __init__(
        self, vocabulary: MotionVocabulary, prompt_length: int, min_codes: torch.Tensor, max_codes: torch.Tensor
    ):
        self.vocabulary, self.prompt_length = vocabulary, prompt_length
        self.min_codes, self.max_codes = min_codes, max_codes

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        first, size = self.vocabulary.offset, self.vocabulary.codebook_size
        count = input_ids.shape[1] - self.prompt_length
        allowed = torch.full_like(scores, -torch.inf)
        beams = scores.shape[0] // self.max_codes.shape[0]
        more = (self.max_codes > count).repeat_interleave(beams)
        enough = (self.min_codes <= count).repeat_interleave(beams)
        codes = scores[:, first : first + size]
        allowed[:, first : first + size] = codes.masked_fill(~more[:, None], -torch.inf)
        end = self.vocabulary.end
        allowed[:, end] = scores[:, end].masked_fill(~enough, -torch.inf)
        return allowed

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows only, in this order."""
        self.min_codes, self.max_codes = self.min_codes[rows], self.max_codes[rows]


class PlacementGrammar(LogitsProcessor):
    """A placement: one token of each family, in the order x, z, heading; nobody starts where somebody else stands.

    Args:
        vocabulary: the families.
        prompt_length: tokens before the placement.
        taken: (B, K, 2), x and z of the people who are there already, in metres; None for nobody.
        min_distance: metres from each of them that the next one keeps.
    """

    def __init__(
        self,
        vocabulary: PlacementVocabulary,
        prompt_length: int,
        taken: torch.Tensor | None = None,
        min_distance: float = 0.0,
    ):
        self.vocabulary, self.prompt_length = vocabulary, prompt_length
        self.taken, self.min_distance = taken, min_distance

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        number = input_ids.shape[1] - self.prompt_length
        family = self.vocabulary.families[number]
        allowed = torch.full_like(scores, -torch.inf)
        allowed[:, family.start : family.stop] = scores[:, family.start : family.stop]
        # x is free: whatever it is, each person takes at most 2 * min_distance of z, so some z is left.
        if number == 1 and self.taken is not None and self.min_distance > 0:
            x = input_ids[:, -1].cpu() - self.vocabulary.families[0].start
            bins = torch.zeros(len(x), len(family), 3, dtype=torch.long)
            bins[..., 0], bins[..., 1] = x[:, None], torch.arange(len(family))
            places = torch.from_numpy(decode_placements(bins.numpy())[..., :2])
            away = torch.cdist(places, self.taken.to(places)).amin(-1).to(scores.device)
            allowed[:, family.start : family.stop].masked_fill_(away < self.min_distance, -torch.inf)
        return allowed


class TextGrammar(LogitsProcessor):
    """Never a motion token: what captions are made of."""

    def __init__(self, vocabulary: MotionVocabulary):
        self.ids = torch.tensor(vocabulary.ids)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return scores.index_fill(-1, self.ids.to(scores.device), -torch.inf)


class PartGrammar(LogitsProcessor):
    """What a person of a scene does, in words, and then `<Motion>`: no other motion token, and no end of the text.

    Args:
        vocabulary: which ids are motion.
        eos_token_id: of the language model; one, several or none.
        prompt_length: tokens before the part.
    """

    def __init__(self, vocabulary: MotionVocabulary, eos_token_id: int | Sequence[int] | None, prompt_length: int):
        ends = [eos_token_id] if isinstance(eos_token_id, int) else list(eos_token_id or ())
        self.start, self.prompt_length = vocabulary.start, prompt_length
        self.ids = torch.tensor([*vocabulary.ids, *ends])

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        allowed = scores.index_fill(-1, self.ids.to(scores.device), -torch.inf)
        if input_ids.shape[1] > self.prompt_length:
            allowed[:, self.start] = scores[:, self.start]
        return allowed


class TypicalLength(LogitsProcessor):
    """Ends a motion where the model expects half of all motions of its sentence to have ended.

    In every step the end has a small probability. Drawn from the likeliest tokens it hardly ever comes, and drawn from
    all of them it comes at any time; so the probabilities are added up instead. Stands right after `MotionGrammar`, on
    scores without guidance and temperature.

    Args:
        end: column of `</Motion>`.
    """

    def __init__(self, end: int):
        self.end = end
        self.going: torch.Tensor | None = None  # (B,) probability that a motion has not ended yet

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        ending = scores.float().softmax(-1)[:, self.end]
        self.going = (1 - ending) * (1.0 if self.going is None else self.going)
        ends = self.going < 0.5
        is_end = torch.arange(scores.shape[1], device=scores.device) == self.end
        return scores.masked_fill(ends[:, None] != is_end, -torch.inf)

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows only, in this order."""
        self.going = None if self.going is None else self.going[rows]


class OwnRepeats(LogitsProcessor):
    """Notes how likely the model itself thinks it that the last code comes again; leaves the scores as they are.

    Stands on scores without guidance and temperature, after `MotionGrammar`.

    Args:
        prompt_length: tokens before the first code.
    """

    def __init__(self, prompt_length: int):
        self.prompt_length = prompt_length
        self.log_probability: torch.Tensor | None = None  # (B,); None before the first code

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] > self.prompt_length:
            own = scores.float().log_softmax(-1)
            self.log_probability = own.gather(1, input_ids[:, -1:])[:, 0]
        return scores


class RepeatCap(LogitsProcessor):
    """Lets the last code come again no more often than the model itself would.

    Temperature and guidance sharpen what is drawn from. Of codes that follow each other that is wanted; but a pose that
    is held for one more code with a probability of 0.7 would be held for good, and who dances would stand still.

    Args:
        repeats: has noted the probabilities of this step.
    """

    def __init__(self, repeats: OwnRepeats):
        self.repeats = repeats

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        own = self.repeats.log_probability
        if own is None:
            return scores
        last = input_ids[:, -1:]
        others = scores.scatter(1, last, -torch.inf).float().logsumexp(-1)
        cap = others + own - torch.log1p(-own.exp().clamp_max(1 - 1e-6))
        again = scores.gather(1, last)
        capped = torch.minimum(again, torch.where(others.isfinite(), cap, torch.inf)[:, None].to(scores.dtype))
        return scores.scatter(1, last, capped)


def row_seeds(seed: int | Sequence[int] | None, rows: int) -> list[int]:
    """A seed for each row: `seed + r` for row r, or as given; None takes one from torch's global random state.

    Raises:
        MotionLLMError: as many seeds as rows are needed.
    """
    if seed is None:
        seed = int(torch.randint(2**31, ()))
    seeds = [seed + row for row in range(rows)] if isinstance(seed, int) else [int(one) for one in seed]
    if len(seeds) != rows:
        raise MotionLLMError(f"{len(seeds)} seeds for {rows} motions; give one seed, or one for each")
    return seeds


def candidate_seeds(seeds: Sequence[int], count: int) -> list[int]:
    """Seeds of `count` candidates for each row, row by row; the first is the row's own."""
    return [seed + CANDIDATE_STRIDE * candidate for seed in seeds for candidate in range(count)]


class SeededSampling(LogitsProcessor):
    """Turns the arg-max into a random draw (Gumbel-max), with a random stream of its own for every row.

    Unlike `do_sample=True`, a row's draws do not depend on the batch it is in, nor on the global random state.

    Args:
        seed: seed of row 0, and row r draws from `seed + r`; or one seed for each row.
        candidates: ids that can be drawn at all; None for the whole vocabulary.
    """

    def __init__(self, seed: int | Sequence[int], candidates: torch.Tensor | None = None):
        self.seed, self.candidates = seed, candidates
        self.generators: list[torch.Generator] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows, size = scores.shape
        if not self.generators:
            self.generators = [torch.Generator().manual_seed(seed) for seed in row_seeds(self.seed, rows)]
        count = size if self.candidates is None else len(self.candidates)
        uniform = torch.stack([torch.rand(count, generator=generator) for generator in self.generators])
        noise = -(-uniform.clamp_min(1e-20).log()).log()
        noise = noise.to(device=scores.device, dtype=scores.dtype)
        if self.candidates is None:
            return scores + noise
        return scores.index_add(-1, self.candidates.to(scores.device), noise)

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows only, in this order, each with its own stream."""
        self.generators = [self.generators[row] for row in rows.tolist()]


def sampling_steps(
    seed: int | Sequence[int] | None,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    candidates: torch.Tensor | None,
    repeats: OwnRepeats | None = None,
) -> list[LogitsProcessor]:
    """Processors that sample, in the order temperature, cap, top-k, top-p, draw; the last one is a `SeededSampling`.

    With `repeats` there is a `RepeatCap`.

    Raises:
        MotionLLMError: a setting out of range.
    """
    check_sampling(temperature, top_k, top_p)
    steps: list[LogitsProcessor] = []
    if temperature != 1:
        steps.append(TemperatureLogitsWarper(temperature))
    if repeats is not None:
        steps.append(RepeatCap(repeats))
    if top_k is not None:
        steps.append(TopKLogitsWarper(top_k))
    if top_p is not None and top_p < 1:
        steps.append(TopPLogitsWarper(top_p))
    seed = int(torch.randint(2**31, ())) if seed is None else seed
    return [*steps, SeededSampling(seed, candidates)]
