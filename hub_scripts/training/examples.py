"""Training examples: which clip, caption and task comes when, fixed by the seed; and their padding into batches."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from hub_scripts.captions.scenes import told_parts
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.prompts_motionllm import pad_examples
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary

__all__ = ["OPENING", "LossWeights", "MotionTextExamples", "PadExamples", "SceneTextExamples"]

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


class _Examples(Dataset):
    """Examples that are all made at the start."""

    def __init__(self, examples: list[dict[str, list[Any]]]):
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, list[Any]]:
        return self.examples[index]


class MotionTextExamples(_Examples):
    """`size` examples of text-to-motion and captioning. Example i is a function of `seed` and i alone.

    Args:
        rows: of a code store.
        processor: writes the prompts.
        size: number of examples.
        seed: of every draw.
        text_to_motion: share of text-to-motion examples; the others are captions.
        timed: share of text-to-motion prompts that tell the duration.
        balance: clips of a content are drawn in proportion to (clips of that content) ** balance; 1 draws all clips
            alike, 0 all contents.
        max_codes: longer clips are cut.
        openings: share of text-to-motion examples that end after the first `OPENING` codes, without `</Motion>`: what a
            sentence decides shows there, and they cost half.
        unconditional: share of captioning examples that learn the motion too, see `training_example`.
        weights: of the tokens of text-to-motion examples.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        processor: MotionLLMProcessor,
        size: int,
        seed: int,
        text_to_motion: float = 0.65,
        timed: float = 0.7,
        balance: float = 0.5,
        max_codes: int = 50,
        openings: float = 0.0,
        unconditional: float = 0.0,
        weights: LossWeights | None = None,
    ):
        counts = Counter(row["content"] for row in rows)
        shares = np.array([counts[row["content"]] ** (balance - 1) for row in rows])
        chosen = np.random.default_rng(seed).choice(len(rows), size=size, p=shares / shares.sum())
        super().__init__([])
        for index, clip in enumerate(tqdm(chosen, desc="prompts", disable=size < 1000)):
            draw = np.random.default_rng((seed, index)).random(5)
            row = rows[clip]
            task = "text-to-motion" if draw[1] < text_to_motion else "motion-to-text"
            captions = row["captions"] if task == "text-to-motion" else _telling(row["captions"])
            caption = captions[int(draw[0] * len(captions))]
            options = {"timed": bool(draw[2] < timed), "learn_motion": bool(draw[4] < unconditional)}
            example = processor.training_example(task, caption, row["codes"][:max_codes], **options)
            if task == "text-to-motion" and draw[3] < openings:
                end = example["labels"].count(-100) + OPENING
                example = {name: ids[:end] for name, ids in example.items()}
            self.examples.append(_weighted(example, task, weights, processor))


class SceneTextExamples(_Examples):
    """`size` examples of scenes, generated or described. Example i is a function of `seed` and i alone.

    Args:
        rows: of a code store of scenes.
        processor: writes the prompts.
        size: number of examples.
        seed: of every draw.
        text_to_motion: share of examples that generate; the others describe.
        timed: share of text-to-motion prompts that tell the duration.
        weights: of the tokens of text-to-motion examples.
        unconditional: share of captioning examples that learn the motion of (the first) person too: guidance compares
            with motions without a sentence, and those of scenes wait more than those of single clips.
        parts: share of the scenes to generate that are told with the part of each person, where the rows have any; the
            manner is told where the caption tells it.
        alone: share of examples that are of one person of a scene by itself, with its part as the sentence: what a part
            means, and how to tell whether a motion plays it.
        balance: people of a content count (people of that content) ** (balance - 1); a scene is drawn in proportion to
            what its people count on average, a person by itself in proportion to what it counts. 1 draws all alike.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        processor: MotionLLMProcessor,
        size: int,
        seed: int,
        text_to_motion: float = 0.65,
        timed: float = 0.7,
        weights: LossWeights | None = None,
        unconditional: float = 0.0,
        parts: float = 0.9,
        alone: float = 0.0,
        balance: float = 1.0,
    ):
        super().__init__([])
        counts = Counter(content for row in rows for content in row["contents"])
        shares = [[counts[content] ** (balance - 1) for content in row["contents"]] for row in rows]
        people = [(index, person) for index, row in enumerate(shares) for person in range(len(row))]
        scene_ends = _ends([float(np.mean(row)) for row in shares])
        person_ends = _ends([share for row in shares for share in row])
        for index in range(size):
            draw = np.random.default_rng((seed, index)).random(8)
            task = "text-to-motion" if draw[2] < text_to_motion else "motion-to-text"
            options = {"timed": bool(draw[3] < timed), "learn_motion": bool(draw[7] < unconditional)}
            by_itself, person = people[int(np.searchsorted(person_ends, draw[5], side="right"))]
            if draw[4] < alone and processor.tells_parts and rows[by_itself]["parts"]:
                row = rows[by_itself]
                example = processor.training_example(task, row["parts"][person], row["codes"][person], **options)
            else:
                row = rows[int(np.searchsorted(scene_ends, draw[0], side="right"))]
                captions = row["captions"] if task == "text-to-motion" else _telling(row["captions"])
                caption = captions[int(draw[1] * len(captions))]
                known = told_parts(caption, row["parts"], row["styles"]) if row["parts"] else []
                told = known if processor.tells_parts and known and draw[6] < parts else None
                example = processor.scene_training_example(
                    task, caption, row["codes"], row["placement_bins"], parts=told, **options
                )
            self.examples.append(_weighted(example, task, weights, processor))


def _ends(shares: list[float]) -> np.ndarray:
    """Where the part of 0 to 1 of each of these shares ends, so that a random number falls into one."""
    ends = np.cumsum(shares)
    return ends / ends[-1]


def _telling(captions: list[str]) -> list[str]:
    """The longer half of the captions, to learn describing from.

    The short ones leave out how something is done. They are also the same for many clips, and greedy decoding, which
    finds the likeliest sentence, would find nothing else.
    """
    return sorted(captions, key=len)[len(captions) // 2 :]


def _weighted(
    example: dict[str, list[int]], task: str, weights: LossWeights | None, processor: MotionLLMProcessor
) -> dict[str, list[Any]]:
    """With `loss_weights` where `weights` are given; captions count 1."""
    if weights is None:
        return example
    if task != "text-to-motion":
        return {**example, "loss_weights": [1.0] * len(example["labels"])}
    return {**example, "loss_weights": weights.of(example["input_ids"], example["labels"], processor.vocabulary)}


class PadExamples:
    """Collate examples, padded on the right to the longest."""

    def __init__(self, pad_token_id: int):
        self.pad = pad_token_id

    def __call__(self, examples: list[dict[str, list[Any]]]) -> dict[str, torch.Tensor]:
        return pad_examples(examples, self.pad)
