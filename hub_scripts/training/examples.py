"""Training examples: which motion, caption and task comes when, fixed by the seed; and their padding into batches."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from hub_scripts.captions.scenes import parts_of_caption
from hub_scripts.data.codes import CodeRow
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.prompts_motionllm import pad_examples
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary

__all__ = ["OPENING", "LossWeights", "MotionTextExamples", "PadExamples"]

OPENING = 12  # codes, 2.4 s


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
    """

    opening: float = 1.0
    placement: float = 1.0
    part: float = 1.0

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
            elif any(token in family for family in places):
                weights.append(self.placement)
            elif label not in wordless and place < last:
                weights.append(self.part)
            else:
                weights.append(self.opening if of_opening else 1.0)
        return weights


class MotionTextExamples(Dataset):
    """`size` examples of motions of one or several people, to be made from sentences or to be described.

    Example i is a function of `seed` and i alone and is made when it is asked for, so that memory does not grow with
    the run.

    Args:
        rows: of a code store; rows of one person and of several may be mixed.
        processor: writes the prompts.
        size: number of examples.
        seed: of every draw.
        scene_share: share of the examples that are of rows of several people, where there are rows of both kinds.
        text_to_motion: share of text-to-motion examples; the others are captions.
        with_duration: share of text-to-motion prompts that tell the duration.
        balance: people of an action count (people of that action) ** (balance - 1), and a row is drawn in proportion to
            what its people count on average: 1 draws all rows alike, 0 all actions.
        unconditional: share of captioning examples that learn the motion of (the first) person too, which guidance
            compares with.
        with_parts: share of the scenes to generate whose people are each told what they do, where the rows say it; the
            manner is told where the caption tells it.
        alone: share of the scene examples that are of one of the people by itself, with its part as the sentence: what
            a part means, and how to tell whether a motion plays it.
        weights: of the tokens of text-to-motion examples; None for no `loss_weights` in the examples.
        max_codes: longer motions are cut.
    """

    def __init__(
        self,
        rows: Sequence[CodeRow],
        processor: MotionLLMProcessor,
        size: int,
        seed: int,
        scene_share: float = 0.3,
        text_to_motion: float = 0.65,
        with_duration: float = 0.7,
        balance: float = 0.5,
        unconditional: float = 0.0,
        with_parts: float = 0.9,
        alone: float = 0.0,
        weights: LossWeights | None = None,
        max_codes: int = 50,
    ):
        self.rows, self.processor, self.size, self.seed = rows, processor, size, seed
        self.text_to_motion, self.with_duration, self.unconditional = text_to_motion, with_duration, unconditional
        self.with_parts, self.alone = with_parts, alone
        self.weights, self.max_codes = weights, max_codes
        ends = np.cumsum(_shares(rows, scene_share, balance))
        self._ends = ends / ends[-1]

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, list[Any]]:
        if not 0 <= index < self.size:
            raise IndexError(index)
        row, person, draw = self._choice(index)
        task = "text-to-motion" if draw[0] < self.text_to_motion else "motion-to-text"
        timed, learn_motion = bool(draw[1] < self.with_duration), bool(draw[2] < self.unconditional)
        codes = [one[: self.max_codes] for one in row["codes"]]
        if person is None:
            captions = row["captions"] if task == "text-to-motion" else _longer_half(row["captions"])
            caption = captions[int(draw[3] * len(captions))]
            bins = row["placement_bins"] if len(codes) > 1 else ()
        else:
            caption, codes, bins = row["parts"][person], [codes[person]], ()
        tells = len(codes) > 1 and self.processor.tells_parts and row["parts"] and draw[4] < self.with_parts
        parts = parts_of_caption(caption, row["parts"], row["styles"]) if tells else None
        example = self.processor.training_example(task, caption, codes, bins, parts, timed, learn_motion)
        return self._weighted(example, task)

    def lengths(self) -> list[int]:
        """About how many tokens each example has: its codes. Cheap, because no example is made for it."""
        return [self._length(index) for index in range(self.size)]

    def _length(self, index: int) -> int:
        row, person, _ = self._choice(index)
        codes = row["codes"] if person is None else [row["codes"][person]]
        return sum(min(len(one), self.max_codes) for one in codes)

    def _choice(self, index: int) -> tuple[CodeRow, int | None, np.ndarray]:
        """The row of an example, the one person of a scene that it is about, and five numbers for its other draws."""
        draw = np.random.default_rng((self.seed, index)).random(8)
        row = self.rows[int(np.searchsorted(self._ends, draw[0], side="right"))]
        people = len(row["codes"])
        by_itself = people > 1 and row["parts"] and self.processor.tells_parts and draw[1] < self.alone
        return row, int(draw[2] * people) if by_itself else None, draw[3:]

    def _weighted(self, example: dict[str, list[int]], task: str) -> dict[str, list[Any]]:
        """With `loss_weights` where there are weights; those of captions are 1."""
        if self.weights is None:
            return example
        ids, labels = example["input_ids"], example["labels"]
        weights = self.weights if task == "text-to-motion" else LossWeights()
        return {**example, "loss_weights": weights.of(ids, labels, self.processor.vocabulary)}


def _shares(rows: Sequence[CodeRow], scene_share: float, balance: float) -> np.ndarray:
    """How often each row is drawn: rows of several people together `scene_share`, actions by `balance`."""
    several = np.array([len(row["codes"]) > 1 for row in rows])
    shares = np.zeros(len(rows))
    for group, share in ((~several, 1 - scene_share), (several, scene_share)):
        if not group.any():
            continue
        members = np.flatnonzero(group).tolist()
        counts = Counter(action for index in members for action in rows[index]["contents"])
        own = [np.mean([counts[action] ** (balance - 1) for action in rows[index]["contents"]]) for index in members]
        shares[members] = np.array(own) / np.sum(own) * (share if several.any() and not several.all() else 1)
    return shares


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
