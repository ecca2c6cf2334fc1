"""The prompt presets, and prompts as a batch.

`PROMPT_PRESETS`: `short` (ours) and `paper` (the wording of the official code, for converted weights).

`{caption}`, `{people}`, `{motion}` and `{seconds}` are filled in; `{motion}` stands for code tokens, never made from
text. In a scene it stands for the codes of all people, with `</Motion>`, a placement and `<Motion>` between them. Where
there is a `part`, it stands before everybody's `<Motion>` and says what person `{number}` does; models without it, and
those of recorded scenes, do without. The `scene` and `part` wording of `paper` is ours: the official code for several
people is not public in a form that runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

__all__ = ["PROMPT_PRESETS", "pad_examples", "pad_left", "pad_right"]

_PREAMBLE = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
)

PROMPT_PRESETS: dict[str, dict[str, str | bool]] = {
    "short": {
        "text_to_motion": "{caption}\n<Motion>",
        "text_to_motion_timed": "{caption} ({seconds} s)\n<Motion>",
        "scene": "{caption} ({people} people)\n<Motion>",
        "scene_timed": "{caption} ({people} people, {seconds} s)\n<Motion>",
        "part": "{number}: {part}\n",
        "motion_target": "{motion}</Motion>",
        "motion_to_text": "<Motion>{motion}</Motion>\n",
        "caption_target": "{caption}",
        "normalize_caption": True,
    },
    "paper": {
        "text_to_motion": _PREAMBLE
        + "### Instruction:\nGenerate a motion matching the following input human motion description\n\n"
        + "### Input:\n{caption}\n\nResponse: <Motion>",
        "scene": _PREAMBLE
        + "### Instruction:\nGenerate the motions of {people} people, one after another, matching the following input "
        + "human motion description\n\n### Input:\n{caption}\n\nResponse: <Motion>",
        "part": "{number}: {part}\n",
        "motion_target": "{motion}</Motion>",
        "motion_to_text": _PREAMBLE
        + "### Instruction:\nGenerate a caption matching the following input human motion token sequence.\n\n"
        + "### Input:\n<Motion>{motion}</Motion>\n\nResponse: ",
        "caption_target": "{caption}",
        "normalize_caption": False,
    },
}


def pad_left(prompts: Sequence[Sequence[int]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask`, int64 (B, S), of prompts of any lengths, padded on the left."""
    longest = max(map(len, prompts))
    missing = [longest - len(prompt) for prompt in prompts]
    ids = [[pad_token_id] * count + list(prompt) for count, prompt in zip(missing, prompts, strict=True)]
    mask = [[0] * count + [1] * (longest - count) for count in missing]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def pad_right(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    """int64 (N, S) of rows of any lengths, filled up at the end."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows], dtype=torch.long)


def pad_examples(examples: Sequence[Mapping[str, list[Any]]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Training examples as a batch, padded on the right to the longest.

    Args:
        examples: each with `input_ids`, `labels` and, in all or in none, `loss_weights`.
        pad_token_id: filler of `input_ids`; labels are filled with -100, weights with 1.

    Returns:
        The same names (B, S), and `attention_mask`.
    """
    fillers = {"input_ids": pad_token_id, "attention_mask": 0, "labels": -100, "loss_weights": 1.0}
    longest = max(len(example["input_ids"]) for example in examples)
    masked = [{**example, "attention_mask": [1] * len(example["input_ids"])} for example in examples]
    return {
        name: torch.tensor([example[name] + [filler] * (longest - len(example["input_ids"])) for example in masked])
        for name, filler in fillers.items()
        if name in masked[0]
    }
