"""Training examples: which motion, caption and task comes when, fixed by the seed; and their padding into batches."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from hub_scripts.captions.scenes import parts_of_caption
from hub_scripts.data.codes import CodeRow
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.prompts_motionllm import SHORTEST_GAP, pad_examples
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary

__all__ = ["OPENING", "LossWeights", "MatchedSentence", "MotionTextExamples", "PadExamples"]

OPENING = 12  # codes, 2.4 s
_LETTERS = 5  # a token, about


@dataclass(frozen=True)
class LossWeights:
    """How much the tokens of a text-to-motion example count in the loss; all others count 1.

    What a sentence decides shows in the first codes of each person and in the placements; the codes after them follow
    from the codes before. With equal weights the many later codes take nearly all of the gradient.

    Args:
        opening: weight of the first codes of each person, up to the `OPENING`-th that differs from the one before it:
            whoever waits repeats codes, and what the sentence decides shows only after that.
        placement: weight of the placement tokens.
        part: weight of the words that say what a person of a scene does.
        unknown: weight of the `</Motion>` that says that a sentence is unknown: one token against dozens.
    """

    opening: float = 1.0
    placement: float = 1.0
    part: float = 1.0
    unknown: float = 1.0

    def of(self, input_ids: list[int], labels: list[int], vocabulary: MotionVocabulary) -> list[float]:
        """The weight of each token of one text-to-motion example."""
        places = vocabulary.placement.families if vocabulary.placement is not None else ()
        codes = range(vocabulary.offset, vocabulary.offset + vocabulary.codebook_size)
        wordless = {*vocabulary.ids, -100}
        last = len(input_ids) - 1  # the end of the text
        weights = []
        changes, before = 0, None  # of one person: how often the code has changed so far, and the last code
        for place, (token, label) in enumerate(zip(input_ids, labels, strict=True)):
            of_opening = token in codes and changes < OPENING
            changes, before = (changes + (token != before), token) if token in codes else (0, None)
            if label == -100:
                weights.append(1.0)
            elif token == vocabulary.end and input_ids[place - 1] == vocabulary.start:
                weights.append(self.unknown)
            elif any(token in family for family in places):
                weights.append(self.placement)
            elif label not in wordless and place < last:
                weights.append(self.part)
            else:
                weights.append(self.opening if of_opening else 1.0)
        return weights


class MatchedSentence(NamedTuple):
    """A sentence that a person wrote, and the motions that show what it says.

    Args:
        text: the sentence.
        actions: that it says.
        rows: indices of the rows that show it; none where no motion does: the sentence is unknown.
    """

    text: str
    actions: Sequence[str]
    rows: Sequence[int]


class _Choice(NamedTuple):
    """What an example is about, before it is made."""

    row: CodeRow | None  # None: an unknown sentence
    person: int | None  # of a scene, told alone
    sentence: str | None  # a person's, instead of one of the row's own
    draw: np.ndarray


class MotionTextExamples(Dataset):
    """`size` examples of motions of one or several people, to be made from sentences or to be described.

    Example i is a function of `seed` and i alone and is made when it is asked for, so that memory does not grow with
    the run; of rows that stay on disk one number each is kept.

    Args:
        rows: of a code store; rows of one person, of one doing several things in turn, and of several people may be
            mixed.
        processor: writes the prompts.
        size: number of examples.
        seed: of every draw.
        sentences: of people; without them there are no examples of `sentence_share` and `unknown_share`.
        scene_share: share of the examples that are of rows of several people, where there are any.
        sequence_share: share of those of rows with segments.
        sentence_share: share of those of people's sentences, each with one of its motions. A motion with a manner is
            described by its own captions instead, which tell it.
        unknown_share: share of sentences that no motion shows. What is left are motions of one person with sentences of
            their own; shares of what the data lacks go to the others in proportion.
        text_to_motion: share of text-to-motion examples; the others are captions. Unknown sentences are no captions.
        with_duration: share of text-to-motion prompts that tell the duration.
        balance: people of an action count (people of that action) ** (balance - 1), and a row is drawn in proportion to
            what its people count on average: 1 draws all rows alike, 0 all actions. Sentences are drawn so too.
        unconditional: share of captioning examples that learn the motion of (the first) person too, which guidance
            compares with.
        with_parts: share of the scenes to generate whose people are each told what they do, where the rows say it; the
            manner is told where the caption tells it.
        alone: share of the scene examples that are of one of the people by itself, with its part as the sentence: what
            a part means, and how to tell whether a motion plays it.
        in_turns: share of the text-to-motion examples of segments that tell one segment after the other; the others
            tell the whole in one sentence.
        in_between: share of the text-to-motion examples of one person that give the beginning and the end and ask for
            what is between.
        openings: share of the other text-to-motion examples of one person that stop after `OPENING` codes: what the
            sentence decides shows there, at less than half the cost.
        weights: of the tokens of text-to-motion examples; None for no `loss_weights` in the examples.
        max_codes: longer motions are cut.
    """

    def __init__(
        self,
        rows: Sequence[CodeRow],
        processor: MotionLLMProcessor,
        size: int,
        seed: int,
        sentences: Sequence[MatchedSentence] = (),
        scene_share: float = 0.3,
        sequence_share: float = 0.2,
        sentence_share: float = 0.3,
        unknown_share: float = 0.1,
        text_to_motion: float = 0.65,
        with_duration: float = 0.7,
        balance: float = 0.5,
        unconditional: float = 0.0,
        with_parts: float = 0.9,
        alone: float = 0.0,
        in_turns: float = 0.5,
        in_between: float = 0.0,
        openings: float = 0.0,
        weights: LossWeights | None = None,
        max_codes: int = 50,
    ):
        self.rows, self.processor, self.size, self.seed = rows, processor, size, seed
        self.text_to_motion, self.with_duration, self.unconditional = text_to_motion, with_duration, unconditional
        self.with_parts, self.alone = with_parts, alone
        self.in_turns, self.in_between, self.openings = in_turns, in_between, openings
        self.weights, self.max_codes = weights, max_codes
        self.sentences = sentences
        kinds = np.array([_kind(row) for row in rows], dtype=object)
        said = np.array([_SENTENCE if sentence.rows else _UNKNOWN for sentence in sentences], dtype=object)
        shares = {_SCENE: scene_share, _SEQUENCE: sequence_share, _SENTENCE: sentence_share, _UNKNOWN: unknown_share}
        shares[_CLIP] = max(0.0, 1 - sum(shares[kind] for kind in {*kinds, *said} - {_CLIP}))
        weight = np.concatenate([
            _weights((row["contents"] for row in rows), kinds, shares, balance),
            _weights((sentence.actions for sentence in sentences), said, shares, balance),
        ])  # fmt: skip
        self._ends = np.cumsum(weight / weight.sum())

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, list[Any]]:
        if not 0 <= index < self.size:
            raise IndexError(index)
        row, person, sentence, draw = self._choice(index)
        timed = bool(draw[1] < self.with_duration)
        if row is None:
            length = 10 + int(draw[2] * (self.max_codes - 9)) if timed else None
            return self._weighted(self.processor.unknown_example(str(sentence), length), "text-to-motion")
        task = self._task(draw)
        codes = [one[: self.max_codes] for one in row["codes"]]
        if person is not None:
            return self._example(task, row["parts"][person], [codes[person]], (), None, timed, draw)
        if sentence is None or (task == "motion-to-text" and _has_manner(row)):
            sentence = self._own_sentence(row, task, draw)
        if task == "text-to-motion" and len(codes) == 1:
            segments = row.get("segment_captions") or []
            if segments and draw[4] < self.in_turns:
                told = [captions[int(draw[3] * len(captions))] for captions in segments]
                parts = np.split(np.array(codes[0]), row["segment_ends"][:-1])
                return self._weighted(
                    self.processor.turns_example(told, [part.tolist() for part in parts], timed), task
                )
            if not segments and draw[4] < self.in_between and len(codes[0]) >= SHORTEST_GAP + 2:
                start, stop = _gap(len(codes[0]), draw[5:])
                return self._weighted(self.processor.in_between_example(sentence, codes[0], start, stop), task)
        bins = row["placement_bins"] if len(codes) > 1 else ()
        tells = len(codes) > 1 and self.processor.tells_parts and row["parts"] and draw[4] < self.with_parts
        parts_told = parts_of_caption(sentence, row["parts"], row["styles"]) if tells else None
        example = self._example(task, sentence, codes, bins, parts_told, timed, draw)
        if self._stops_early(row, draw):
            end = example["input_ids"].index(self.processor.vocabulary.start) + 1 + OPENING
            example = {name: values[:end] for name, values in example.items()}
        return example

    def _task(self, draw: np.ndarray) -> str:
        return "text-to-motion" if draw[0] < self.text_to_motion else "motion-to-text"

    @staticmethod
    def _own_sentence(row: CodeRow, task: str, draw: np.ndarray) -> str:
        captions = row["captions"] if task == "text-to-motion" else _longer_half(row["captions"])
        return captions[int(draw[3] * len(captions))]

    def _stops_early(self, row: CodeRow, draw: np.ndarray) -> bool:
        """Whether an example of a row is of its opening alone."""
        alone = len(row["codes"]) == 1 and not row.get("segment_captions") and len(row["codes"][0]) > OPENING
        return bool(alone and draw[0] < self.text_to_motion and draw[6] < self.openings)

    def _example(
        self,
        task: str,
        sentence: str,
        codes: list[list[int]],
        bins: Sequence[Sequence[int]],
        parts: Sequence[str] | None,
        timed: bool,
        draw: np.ndarray,
    ) -> dict[str, list[Any]]:
        learn_motion = bool(draw[2] < self.unconditional)
        example = self.processor.training_example(task, sentence, codes, bins, parts, timed, learn_motion)
        return self._weighted(example, task)

    def lengths(self) -> Sequence[int]:
        """About how many tokens each example has. Cheap, because no example is made for it."""
        return array("i", (self._length(index) for index in range(self.size)))

    def _length(self, index: int) -> int:
        row, person, sentence, draw = self._choice(index)
        if row is None:  # spread over all batches: a batch of nothing but unknown sentences would unlearn the others
            return int(draw[0] * self.max_codes)
        if person is not None:
            codes, told = [row["codes"][person]], [row["parts"][person]]
        else:
            codes = row["codes"]
            told = [sentence or self._own_sentence(row, self._task(draw), draw), *(row["parts"] or ())]
        letters = sum(len(one) for one in told)
        if self._stops_early(row, draw):
            return OPENING + letters // _LETTERS
        return sum(min(len(one), self.max_codes) for one in codes) + letters // _LETTERS

    def _choice(self, index: int) -> _Choice:
        """What an example is about, and numbers for its other draws."""
        draw = np.random.default_rng((self.seed, index)).random(10)
        place = min(int(np.searchsorted(self._ends, draw[0], side="right")), len(self._ends) - 1)
        sentence = None
        if place < len(self.rows):
            row = self.rows[place]
        else:
            matched = self.sentences[place - len(self.rows)]
            sentence = matched.text
            if not matched.rows:
                return _Choice(None, None, sentence, draw[3:])
            row = self.rows[matched.rows[int(draw[1] * len(matched.rows))]]
        people = len(row["codes"])
        by_itself = people > 1 and row["parts"] and self.processor.tells_parts and draw[1] < self.alone
        return _Choice(row, int(draw[2] * people) if by_itself else None, sentence, draw[3:])

    def _weighted(self, example: dict[str, list[int]], task: str) -> dict[str, list[Any]]:
        """With `loss_weights` where there are weights; those of captions are 1."""
        if self.weights is None:
            return example
        ids, labels = example["input_ids"], example["labels"]
        weights = self.weights if task == "text-to-motion" else LossWeights()
        return {**example, "loss_weights": weights.of(ids, labels, self.processor.vocabulary)}


_CLIP, _SEQUENCE, _SCENE, _SENTENCE, _UNKNOWN = "clip", "sequence", "scene", "sentence", "unknown"


def _kind(row: CodeRow) -> str:
    if len(row["contents"]) > 1:
        return _SCENE
    return _SEQUENCE if row.get("segment_captions") else _CLIP


def _gap(length: int, draw: np.ndarray) -> tuple[int, int]:
    """First code of a gap and the first one after it; before and after it at least one is left."""
    size = SHORTEST_GAP + int(draw[0] * (length - 1 - SHORTEST_GAP))
    start = 1 + int(draw[1] * (length - 1 - size))
    return start, start + size


def _weights(
    actions: Iterable[Sequence[str]], kinds: np.ndarray, shares: dict[str, float], balance: float
) -> np.ndarray:
    """How often each row or sentence is drawn: each kind together its share, actions by `balance`."""
    known: dict[tuple[str, ...], int] = {}  # of a million rows, actions are the same for many
    which = np.fromiter((known.setdefault(tuple(said), len(known)) for said in actions), dtype=np.int64)
    weights = np.zeros(len(which))
    for kind in set(kinds):
        members = np.flatnonzero(kinds == kind)
        times = np.bincount(which[members], minlength=len(known)).tolist()
        counts: Counter[str] = Counter()
        for said, number in zip(known, times, strict=True):
            for action in said:
                counts[action] += number
        each = np.array(
            [
                np.mean([counts[action] ** (balance - 1) if number else 0.0 for action in said])
                for said, number in zip(known, times, strict=True)
            ]
        )
        own = each[which[members]]
        weights[members] = own / own.sum() * shares[kind]
    return weights


def _has_manner(row: CodeRow) -> bool:
    """Whether a motion is done in a manner that its own captions tell: to be described by those alone.

    People's sentences are matched by what is done and mostly leave out how; described by them too, "an old person
    walks" is "a person walks" in greedy decoding.
    """
    return any(style not in ("", "normal") for style in row.get("styles") or ())


def _longer_half(captions: list[str]) -> list[str]:
    """The longer half of the captions, to learn describing from.

    The short ones leave out how something is done. They are also the same for many clips, and greedy decoding, which
    finds the likeliest sentence, would find nothing else.
    """
    return sorted(captions, key=len)[len(captions) // 2 :]


class PadExamples:
    """Collate examples, padded on the right to the longest."""

    def __init__(self, pad_token_id: int):
        self.pad = pad_token_id

    def __call__(self, examples: list[dict[str, list[Any]]]) -> dict[str, torch.Tensor]:
        return pad_examples(examples, self.pad)
