"""Judging what people write: sentences from a file, a motion for each, and whether it shows what the sentence says."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hub_scripts.captions.turns import split_into_turns
from hub_scripts.data.text_tables import read_table, truth
from hub_scripts.metrics.sentences import ContentRight, JudgedSentence, SentenceMotions, SentenceToShow, roc_auc
from modeling_motionllm.decoding_motionllm import MotionEngine
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.output_motionllm import MotionGenerationOutput
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["judge_sentences", "read_sentences", "sentence_figures", "sentence_report"]

_COLUMNS = ("sentence", "action", "side", "direction")


def read_sentences(path: str | os.PathLike[str]) -> list[SentenceToShow]:
    """Sentences to be judged.

    Args:
        path: table (see `read_table`) with a column `sentence` and, if wanted, `action`, `side`, `direction` and
            `known` (see `SentenceToShow`); other columns are not looked at. Without an action the sentence is parsed.

    Raises:
        MotionLLMError: no such file, no column `sentence`, no rows, or a row that cannot be judged.
    """
    path = Path(path)
    if not path.is_file():
        raise MotionLLMError(f"no such file: '{path}'")
    table = read_table(path)
    if not table.rows or "sentence" not in table.columns:
        raise MotionLLMError(
            f"'{path}' needs a first line with the column 'sentence', and a sentence in each other line"
        )
    sentences = []
    for row in table.rows:
        try:
            known = truth("known", row.text("known"), empty=True)
            sentence, action, side, direction = map(row.text, _COLUMNS)
            sentences.append(SentenceToShow(sentence, action, side, direction, known))
        except MotionLLMError as error:
            raise MotionLLMError(f"'{path}', line {row.line}: {error}") from error
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
    """Make a motion for each known sentence, at the checkpoint's defaults and as long as it ends itself, and judge it.

    Sentences that say several things are made in turns, as `motionllm generate` does, where the model knows turns.

    Of the others it is only asked whether the model knows them.

    Args:
        model: in eval mode.
        processor: the model's; its captioning judges where there are several candidates.
        sentences: N sentences, one of them known at least.
        seed: motion i of the known ones is drawn from `seed + i`, whatever the batches.
        batch_size: motions decoded at once, candidates included.
        engine: see `generate_motion`.
        settings: drawing settings to use instead of the checkpoint's.

    Returns:
        Each sentence with what its motion shows, the known ones first.

    Raises:
        MotionLLMError: no sentence is known.
    """
    known = [asked for asked in sentences if asked.known]
    others = [asked for asked in sentences if not asked.known]
    candidates = settings.get("num_candidates") or getattr(model.generation_config, "num_candidates", None) or 1
    joints: list[np.ndarray] = []
    unknown: list[float] = []
    for start, batch in _batches(known, max(1, batch_size // candidates), "sentences"):
        seeds = [seed + start + index for index in range(len(batch))]
        turns = [split_into_turns(text) if processor.tells_turns else [text] for text in batch]
        texts = turns if any(len(own) > 1 for own in turns) else batch
        output = model.generate_motion(
            **processor(text=texts), processor=processor, seed=seeds, engine=engine, **settings
        )
        joints += [motion.joints for motion in processor.decode_motion(output, raw=True)]
        unknown += _values(output)
    for _, batch in _batches(others, batch_size, "not known"):
        # The first code is drawn after it is known, and nothing hangs on the rest.
        output = model.generate_motion(
            **processor(text=batch), num_codes=1, do_sample=False, guidance_scale=1.0, engine=engine
        )
        unknown += _values(output)
    judged = SentenceMotions(known, joints, processor.fps).judged()
    judged += [JudgedSentence(asked, ()) for asked in others]
    return [replace(one, unknown=value) for one, value in zip(judged, unknown, strict=True)]


def _values(output: MotionGenerationOutput) -> list[float]:
    assert output.unknown is not None  # nobody is given
    return output.unknown.tolist()


def _batches(sentences: Sequence[SentenceToShow], size: int, label: str) -> Iterator[tuple[int, list[str]]]:
    """The texts in batches, each with the number of its first sentence."""
    for start in tqdm(range(0, len(sentences), size), desc=label, disable=not sentences):
        yield start, [asked.sentence for asked in sentences[start : start + size]]


def sentence_figures(judged: Sequence[JudgedSentence], threshold: float = 0.5) -> dict[str, Any]:
    """The figures as they stand in JSON.

    Args:
        judged: of `judge_sentences`; those that are not known count in `unknown` alone.
        threshold: of `output.unknown`, see `unknown_threshold`.
    """
    others = [one for one in judged if not one.asked.known]
    judged = [one for one in judged if one.asked.known]
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
        "unknown": _unknown_figures(judged, others, threshold) if others else None,
        "motions": [
            {
                "sentence": one.asked.sentence,
                "asked": one.asked.kind,
                "shown": one.shown_as,
                "right": one.right,
                "unknown": one.unknown,
            }
            for one in judged
        ],
    }


def _unknown_figures(
    known: Sequence[JudgedSentence], others: Sequence[JudgedSentence], threshold: float
) -> dict[str, Any]:
    """How well `output.unknown` tells the two apart, and the shares above the threshold."""
    values = [[one.unknown or 0.0 for one in some] for some in (known, others)]
    above = [float(np.mean([value > threshold for value in some])) for some in values]
    return {
        "sentences": len(others),
        "roc_auc": roc_auc(*values),
        "threshold": threshold,
        "known_above": above[0],
        "unknown_above": above[1],
        "values": [{"sentence": one.asked.sentence, "unknown": one.unknown} for one in others],
    }


def sentence_report(judged: Sequence[JudgedSentence], threshold: float = 0.5) -> str:
    """The figures in words: content right overall and by action, what was shown for each, and what is unknown."""
    figures = sentence_figures(judged, threshold)
    right = sum(counts["right"] for counts in figures["by_action"].values())
    lines = [f"people's sentences: content right {right} of {figures['sentences']} ({figures['content_right']:.1%})"]
    if figures["sides_judged"]:
        lines[0] += f", sides right {figures['sides_right']:.1%} of {figures['sides_judged']}"
    width = max(len(kind) for kind in figures["by_action"])
    lines.append(f"  {'asked':{width}}  right     shown")
    for kind, counts in figures["by_action"].items():
        shown = ", ".join(f"{name} {count}" for name, count in figures["confusion"][kind].items())
        lines.append(f"  {kind:{width}}  {counts['right']:>3} of {counts['of']:<3} {shown}")
    if (unknown := figures["unknown"]) is not None:
        lines.append(
            f"unknown: ROC AUC {unknown['roc_auc']:.3f} ({unknown['sentences']} sentences that are not known); above "
            f"{threshold:g} are {unknown['unknown_above']:.1%} of them, {unknown['known_above']:.1%} of the known ones"
        )
    return "\n".join(lines)
