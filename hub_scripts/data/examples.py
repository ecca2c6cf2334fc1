"""Training examples: which clip, caption and task comes when, fixed by the seed; and their padding into batches."""

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["OPENING", "MotionTextExamples", "PadExamples", "SceneTextExamples"]

OPENING = 12  # codes, 2.4 s


class _Examples(Dataset):
    """Examples that are all made at the start."""

    def __init__(self, examples: list[dict[str, list[int]]]):
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
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
    ):
        counts = Counter(row["content"] for row in rows)
        weights = np.array([counts[row["content"]] ** (balance - 1) for row in rows])
        chosen = np.random.default_rng(seed).choice(len(rows), size=size, p=weights / weights.sum())
        super().__init__([])
        for index, clip in enumerate(tqdm(chosen, desc="prompts", disable=size < 1000)):
            draw = np.random.default_rng((seed, index)).random(5)
            row = rows[clip]
            caption = row["captions"][int(draw[0] * len(row["captions"]))]
            task = "text-to-motion" if draw[1] < text_to_motion else "motion-to-text"
            options = {"timed": bool(draw[2] < timed), "learn_motion": bool(draw[4] < unconditional)}
            example = processor.training_example(task, caption, row["codes"][:max_codes], **options)
            if task == "text-to-motion" and draw[3] < openings:
                end = example["labels"].count(-100) + OPENING
                example = {name: ids[:end] for name, ids in example.items()}
            self.examples.append(example)


class SceneTextExamples(_Examples):
    """`size` examples of scenes, generated or described. Example i is a function of `seed` and i alone.

    Args:
        rows: of a code store of scenes.
        processor: writes the prompts.
        size: number of examples.
        seed: of every draw.
        text_to_motion: share of examples that generate; the others describe.
        timed: share of text-to-motion prompts that tell the duration.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        processor: MotionLLMProcessor,
        size: int,
        seed: int,
        text_to_motion: float = 0.65,
        timed: float = 0.7,
    ):
        super().__init__([])
        for index in range(size):
            draw = np.random.default_rng((seed, index)).random(4)
            row = rows[int(draw[0] * len(rows))]
            caption = row["captions"][int(draw[1] * len(row["captions"]))]
            task = "text-to-motion" if draw[2] < text_to_motion else "motion-to-text"
            self.examples.append(
                processor.scene_training_example(
                    task, caption, row["codes"], row["placement_bins"], timed=bool(draw[3] < timed)
                )
            )


class PadExamples:
    """Collate examples, padded on the right to the longest."""

    def __init__(self, pad_token_id: int):
        self.pad = pad_token_id

    def __call__(self, examples: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        longest = max(len(example["input_ids"]) for example in examples)
        ids, labels, mask = [], [], []
        for example in examples:
            missing = longest - len(example["input_ids"])
            ids.append(example["input_ids"] + [self.pad] * missing)
            labels.append(example["labels"] + [-100] * missing)
            mask.append([1] * len(example["input_ids"]) + [0] * missing)
        return {
            "input_ids": torch.tensor(ids),
            "attention_mask": torch.tensor(mask),
            "labels": torch.tensor(labels),
        }
