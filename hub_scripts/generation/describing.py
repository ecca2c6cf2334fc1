"""Describing motions of any length: what is done when, part by part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from hub_scripts.metrics.changes import find_changes
from hub_scripts.skeletons.smpl import smpl_motion
from modeling_motionllm.motion import Motion, MotionSegment

if TYPE_CHECKING:
    from transformers import BatchFeature

    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["describe_parts", "divide_motion", "join_equal", "prepare_parts"]

_SHORTEST = 0.5  # seconds of a part between two segments that a file has
_BATCH = 16  # parts at once


def divide_motion(motion: Motion, longest: float, always: bool = False) -> list[slice]:
    """The frames of each part of a motion: of its own segments, where it has some, else where it changes what it does.

    Args:
        motion: of one or more people.
        longest: seconds of a part at most. A motion that lasts no longer is one part.
        always: divide such a motion too.
    """
    fps, frames = motion.fps, motion.num_frames
    if not always and frames - 1 <= longest * fps:
        return [slice(0, frames)]
    own = sorted({round(second * fps) for segment in motion.segments or () for second in segment[1:]})
    cuts = [0]
    for cut in own:
        if min(cut - cuts[-1], frames - cut) >= _SHORTEST * fps:
            cuts.append(cut)
    bodies = smpl_motion(motion).people
    parts: list[slice] = []
    for start, stop in zip(cuts, [*cuts[1:], frames], strict=True):
        within: list[int] = []
        if not own or stop - start - 1 > longest * fps:
            within = [start + round(cut * fps) for cut in find_changes(bodies[:, start:stop], fps, longest)]
        parts += map(slice, [start, *within], [*within, stop])
    return parts


def prepare_parts(processor: "MotionLLMProcessor", motion: Motion, parts: Sequence[slice]) -> "list[BatchFeature]":
    """Inputs of `generate_caption` for parts of a motion, in batches.

    Raises:
        MotionLLMError: a motion that the model cannot take.
    """
    each = [motion.part(part.start, part.stop) for part in parts]
    return [processor(motion=each[start : start + _BATCH]) for start in range(0, len(each), _BATCH)]


def describe_parts(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    batches: "Sequence[BatchFeature]",
    seed: int = 0,
    **settings: Any,
) -> list[list[str]]:
    """The sentences for each part, `num_return_sequences` of them.

    Args:
        model, processor: see `generate_caption`.
        batches: of `prepare_parts`.
        seed: part i draws from `seed + i`, where anything is drawn.
        settings: of `generate_caption`.
    """
    each = settings.get("num_return_sequences", 1)
    told: list[list[str]] = []
    for inputs in tqdm(batches, desc="describe", disable=len(batches) < 2):
        ids = model.generate_caption(**inputs, processor=processor, seed=seed + each * len(told), **settings)
        sentences = processor.decode_caption(ids)
        told += [sentences[start : start + each] for start in range(0, len(sentences), each)]
    return told


def join_equal(segments: Sequence[MotionSegment]) -> list[MotionSegment]:
    """Segments in which those that follow one another with the same sentence are one."""
    joined: list[MotionSegment] = []
    for segment in segments:
        if joined and joined[-1].text == segment.text:
            joined[-1] = joined[-1]._replace(end=segment.end)
        else:
            joined.append(segment)
    return joined
