"""Judging what people write: sentences from a file, a motion for each, and whether it shows what the sentence says."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hub_scripts.metrics.sentences import ContentRight, JudgedSentence, SentenceMotions, SentenceToShow
from modeling_motionllm.decoding_motionllm import MotionEngine
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["judge_sentences", "read_sentences", "sentence_figures", "sentence_report"]

_COLUMNS = ("sentence", "action", "side", "direction")


def read_sentences(path: str | os.PathLike[str]) -> list[SentenceToShow]:
    """Sentences to be judged.

    Args:
        path: `.csv` with a column `sentence` and, if wanted, `action`, `side` and `direction` (see `SentenceToShow`);
            other columns are not looked at. Without an action the sentence is parsed.

    Raises:
        MotionLLMError: no such file, no column `sentence`, no rows, or a row that cannot be judged.
    """
    path = Path(path)
    if not path.is_file():
        raise MotionLLMError(f"no such file: '{path}'")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MotionLLMError(f"'{path}' is not a readable .csv file ({error}); save it as CSV in UTF-8") from error
    if not rows or "sentence" not in rows[0]:
        raise MotionLLMError(
            f"'{path}' needs a first line with the column 'sentence', and a sentence in each other line"
        )
    sentences = []
    for number, row in enumerate(rows, start=2):
        try:
            sentences.append(SentenceToShow(*((row.get(column) or "").strip() for column in _COLUMNS)))
        except MotionLLMError as error:
            raise MotionLLMError(f"'{path}', line {number}: {error}") from error
    return sentences


def judge_sentences(
    model: MotionLLMForCausalLM,
    processor: MotionLLMProcessor,
    sentences: Sequence[SentenceToShow],
    seed: int = 0,
    batch_size: int = 32,
    engine: str | MotionEngine = "auto",
    **settings: Any,
) -> list[JudgedSentence]:
    """Make a motion for each sentence, at the checkpoint's defaults and as long as it ends itself, and judge it.

    Args:
        model: in eval mode.
        processor: the model's; its captioning judges where there are several candidates.
        sentences: N sentences.
        seed: motion i is drawn from `seed + i`, whatever the batches.
        batch_size: motions decoded at once, candidates included.
        engine: see `generate_motion`.
        settings: drawing settings to use instead of the checkpoint's.

    Returns:
        Each sentence with what its motion shows.
    """
    candidates = settings.get("num_candidates") or getattr(model.generation_config, "num_candidates", None) or 1
    joints: list[np.ndarray] = []
    size = max(1, batch_size // candidates)
    for start in tqdm(range(0, len(sentences), size), desc="sentences"):
        batch = [asked.sentence for asked in sentences[start : start + size]]
        seeds = [seed + start + index for index in range(len(batch))]
        output = model.generate_motion(
            **processor(text=batch), processor=processor, seed=seeds, engine=engine, **settings
        )
        joints += [motion.joints for motion in processor.decode_motion(output)]
    return SentenceMotions(sentences, joints, processor.fps).judged()


def sentence_figures(judged: Sequence[JudgedSentence]) -> dict[str, Any]:
    """The figures as they stand in JSON."""
    sides = [one.side_right for one in judged if one.side_right is not None]
    return {
        "sentences": len(judged),
        "content_right": ContentRight.share(judged),
        "sides_right": ContentRight.sides(judged) if sides else None,
        "sides_judged": len(sides),
        "by_action": {
            kind: {"right": right, "of": count} for kind, (right, count) in ContentRight.by_kind(judged).items()
        },
        "confusion": ContentRight.confusion(judged),
        "motions": [
            {"sentence": one.asked.sentence, "asked": one.asked.kind, "shown": one.shown_as, "right": one.right}
            for one in judged
        ],
    }


def sentence_report(judged: Sequence[JudgedSentence]) -> str:
    """The figures in words: content right overall and by action, and what was shown for each."""
    figures = sentence_figures(judged)
    right = sum(one.right for one in judged)
    lines = [f"people's sentences: content right {right} of {len(judged)} ({figures['content_right']:.1%})"]
    if figures["sides_judged"]:
        lines[0] += f", sides right {figures['sides_right']:.1%} of {figures['sides_judged']}"
    width = max(len(kind) for kind in figures["by_action"])
    lines.append(f"  {'asked':{width}}  right     shown")
    for kind, counts in figures["by_action"].items():
        shown = ", ".join(f"{name} {count}" for name, count in figures["confusion"][kind].items())
        lines.append(f"  {kind:{width}}  {counts['right']:>3} of {counts['of']:<3} {shown}")
    return "\n".join(lines)
