"""Going on from a motion, filling what is between two, and making a part of one anew; the motions themselves stay."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_scripts.generation.prompts import Prompt
from hub_scripts.skeletons.seams import bone_lengths, carried, fade_over, lead_to, on_body, placed, with_bones
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.fixed_body_motionllm import fixed_body
from modeling_motionllm.motion import Motion, MotionSegment
from modeling_motionllm.motion_features import (
    HUMANML3D,
    features_to_joints,
    joints_to_features,
    resample_joints,
)
from modeling_motionllm.planted_feet_motionllm import plant_feet
from modeling_motionllm.prompts_motionllm import SHORTEST_GAP

if TYPE_CHECKING:
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.output_motionllm import MotionGenerationOutput
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = [
    "BLEND_SECONDS",
    "ContinuedMotion",
    "check_part",
    "check_source",
    "edit_motion",
    "fill_between",
    "go_on",
    "read_around",
]

BLEND_SECONDS = 0.4  # in which what is new takes over from the frame before it; the frames before stay as they are
_CONTEXT_SECONDS = 4.0  # of a file, that what comes next is told
_LOWEST_FPS = 10.0  # of a file, that its last pose and velocity can be taken over from


@dataclass(frozen=True)
class ContinuedMotion:
    """A motion with a part that is new.

    Args:
        motion: all of it.
        output: what was generated.
        first: segment of the motion that is the first new one.
    """

    motion: Motion
    output: "MotionGenerationOutput"
    first: int

    def understood(self, model: "MotionLLMForCausalLM", processor: "MotionLLMProcessor") -> list[str]:
        """The model's own caption of each segment; "" of those that are not new."""
        from hub_scripts.generation.run import understood_as

        told = ["" for _ in self.motion.segments or ()]
        new = understood_as(model, processor, self.output)
        told[self.first : self.first + len(new)] = new
        return told


def check_source(motion: Motion, path: str, processor: "MotionLLMProcessor") -> None:
    """Make sure that a motion can be gone on from.

    Raises:
        MotionLLMError: it shows several people, has another skeleton than the model or too few frames a second, or is
            too short for one code.
    """
    if motion.num_people > 1:
        raise MotionLLMError(f"'{path}' shows {motion.num_people} people; give a motion of one")
    if motion.skeleton is not HUMANML3D or processor.skeleton is not HUMANML3D:
        raise MotionLLMError(
            f"'{path}' has the skeleton '{motion.skeleton.name}' and the model '{processor.skeleton.name}'; both have "
            f"to be '{HUMANML3D.name}'"
        )
    if motion.fps < _LOWEST_FPS:
        raise MotionLLMError(
            f"'{path}' has {motion.fps:g} frames per second, too few to go on from; give {_LOWEST_FPS:g} or more (if "
            "the file says a wrong rate: motionllm convert FILE OUT.npz --source-fps N)"
        )
    least = (processor.frames_per_code + 1) / processor.fps
    if (motion.num_frames - 1) / motion.fps < least:
        raise MotionLLMError(f"'{path}' lasts {motion.duration:.2f} s; at least {least:g} s are needed to go on from")


def read_around(
    args: argparse.Namespace,
    processor: "MotionLLMProcessor",
    prompts: Sequence[Prompt],
    tell: Callable[[str], None],
) -> dict[str, Motion]:
    """The motions of --after and --before, as arguments of `generate_batch`; nothing where they are not given.

    Args:
        args: with these options.
        processor: of the model.
        prompts: what is to be made.
        tell: takes what was found out about the files, one line each.

    Raises:
        MotionLLMError: one cannot be read or gone on from, or the model has not learnt to.
    """
    from hub_scripts.data.motion_files import load_motion

    paths = {name: getattr(args, name) for name in ("after", "before") if getattr(args, name) is not None}
    motions = {name: load_motion(path, tell=tell) for name, path in paths.items()}
    for name, motion in motions.items():
        check_source(motion, paths[name], processor)
    for prompt in prompts:
        if "before" in motions:
            processor.in_between_ids(prompt.text, [], [], _check_gap(processor.num_codes(args.duration[0]), processor))
        elif motions:
            processor.turn_ids(prompt.text)
    return motions


def go_on(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    motion: Motion,
    sentences: Sequence[str],
    durations: Sequence[float | None],
    planted: bool = False,
    **settings: Any,
) -> ContinuedMotion:
    """What somebody does after a motion, in one or several turns.

    Its last 4 s are told as a turn before, with the model's own caption of them. What is new begins where it ends, on
    the bones of the person in it, and takes over from its last pose and velocity within `BLEND_SECONDS`.

    Args:
        model, processor: of a checkpoint that knows turns.
        motion: of one person; its own frames are kept to the bit.
        sentences: what comes next.
        durations: seconds of each, all None for as long as the model wants.
        planted: hold the feet of what is new where they stand.
        settings: of `generate_motion`, for one motion.
    """
    import torch

    joints = motion.people[0].astype(np.float64)
    context = _codes_before(model, processor, joints, motion.fps, round(_CONTEXT_SECONDS / _code_seconds(processor)))
    ids = processor.motion_to_text_ids(context)
    caption = processor.decode_caption(model.generate_caption(torch.tensor([ids]), num_candidates=1, do_sample=False))[
        0
    ]
    timed = durations[0] is not None
    known: Any = [len(context) * _code_seconds(processor), *durations] if timed else None
    inputs = processor(text=[[caption or "a person moves", *sentences]], duration=None if known is None else [known])
    turns = inputs["turns"]
    told = [*inputs["input_ids"][0].tolist(), *processor.vocabulary.codes_to_ids(torch.tensor(context)).tolist()]
    told += [processor.vocabulary.end, *(token for token in turns[0, 0].tolist() if token != -1)]
    given: dict[str, Any] = {"input_ids": torch.tensor([told]), "turns": turns[:, 1:]}
    if timed:
        given["num_codes"] = inputs["num_codes"][:, 1:]
    output = model.generate_motion(**given, processor=processor, **settings)
    assert output.segment_ends is not None
    made = _joints(model, processor, [*context, *output.codes[0, 0].tolist()])[
        len(context) * processor.frames_per_code :
    ]
    new = resample_joints(on_body(made, joints[-1], _floor(joints)), processor.fps, motion.fps)
    new = _faded(joints, new, motion.fps)
    ends = [end * _code_seconds(processor) for end in output.segment_ends[0].tolist()]
    start = motion.num_frames / motion.fps
    bounds = [start, *(start + end for end in ends)]
    bounds[-1] = (motion.num_frames + len(new) - 1) / motion.fps
    kept = _segments(motion, 0.0, start)
    segments = [MotionSegment(*one) for one in zip(sentences, bounds[:-1], bounds[1:], strict=True)]
    whole = _on_one_body(np.concatenate([joints, new[1:]]), slice(len(joints), None), motion.fps, planted)
    return _continued(whole, motion.fps, [*kept, *segments], len(kept), output)


def fill_between(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    first: Motion,
    second: Motion,
    sentence: str,
    seconds: float,
    **settings: Any,
) -> ContinuedMotion:
    """One motion, what leads over to another one, and that one.

    The first stays as it is; the second is moved and turned as a whole to where the way between them leads, and has the
    frame rate of the first.

    Args:
        model, processor: of a checkpoint that fills gaps.
        first, second: of one person.
        sentence: what is done between them.
        seconds: how long that is.
        settings: as in `go_on`.
    """
    fps = first.fps
    joints, other = (np.asarray(one.people[0], dtype=np.float64) for one in (first, second))
    other = resample_joints(other, second.fps, fps)
    gap = _check_gap(processor.num_codes(seconds), processor)
    before, after = _context(model, processor, joints, other, fps, gap)
    output, made = _fill(model, processor, sentence, before, after, gap, settings)
    frames = max(2, round(gap * _code_seconds(processor) * fps))
    new = _stretched(on_body(made, joints[-1], _floor(joints)), frames + 1)
    other = carried(other, *placed(new[-1:])) + np.array([0.0, _floor(joints) - _floor(other), 0.0])
    new = _faded(joints, new, fps, other)
    start = len(joints) / fps
    stop = (len(joints) + frames - 1) / fps
    kept = _segments(first, 0.0, start)
    later = [MotionSegment(text, stop + a, stop + b) for text, a, b in _segments(second, 0.0, len(other) / fps)]
    made_part = slice(len(joints), len(joints) + len(new) - 2)
    whole = _on_one_body(np.concatenate([joints, new[1:-1], other]), made_part, fps)
    return _continued(whole, fps, [*kept, MotionSegment(sentence, start, stop), *later], len(kept), output)


def edit_motion(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    motion: Motion,
    sentence: str,
    start: float,
    end: float,
    **settings: Any,
) -> ContinuedMotion:
    """A motion of which a part is made anew; all frames outside of it stay as they are, to the bit.

    Within the part, its first and last `BLEND_SECONDS` (half of it at most) lead over from and to the frames around it,
    and its way is bent so that it ends where the motion goes on.

    Args:
        model, processor: of a checkpoint that fills gaps.
        motion: of one person.
        sentence: what is done in the new part.
        start, end: seconds.
        settings: as in `go_on`.

    Raises:
        MotionLLMError: the part is too short or too long for the model, or too little is left before or after it.
    """
    fps, joints = motion.fps, np.asarray(motion.people[0], dtype=np.float64)
    first, last = check_part(motion, start, end, processor)
    gap = _check_gap(math.ceil((last - first) / fps / _code_seconds(processor) - 1e-9), processor)
    before, after = _context(model, processor, joints[: first + 1], joints[last:], fps, gap)
    output, made = _fill(model, processor, sentence, before, after, gap, settings)
    new = _stretched(on_body(made, joints[first], _floor(joints)), last - first + 1)
    new = lead_to(new, joints[last])
    new = _faded(joints[: first + 1], new, fps, joints[last:])
    whole = motion.people[0].copy()
    whole[first + 1 : last] = new[1:-1]
    whole = _on_one_body(whole, slice(first + 1, last), fps)
    start, end = first / fps, last / fps
    kept = _segments(motion, 0.0, start)
    segments = [*kept, MotionSegment(sentence, start, end), *_segments(motion, end, motion.duration)]
    return _continued(whole, fps, segments, len(kept), output)


def check_part(motion: Motion, start: float, end: float, processor: "MotionLLMProcessor") -> tuple[int, int]:
    """The frames between which a part from `start` to `end` seconds is made anew.

    Raises:
        MotionLLMError: as `edit_motion`.
    """
    least = (processor.frames_per_code + 1) / processor.fps
    latest = (motion.num_frames - 1) / motion.fps
    if not (math.isfinite(start) and math.isfinite(end) and start < end):
        raise MotionLLMError(f"the part from {start:g} to {end:g} s is none; give a start before its end")
    if start < least or end > latest - least:
        raise MotionLLMError(
            f"the part from {start:g} to {end:g} s leaves too little of {motion.duration:.2f} s; keep at least "
            f"{least:g} s before and after it"
        )
    _check_gap(math.ceil((end - start) / _code_seconds(processor) - 1e-9), processor)
    return round(start * motion.fps), round(end * motion.fps)


def _check_gap(codes: int, processor: "MotionLLMProcessor") -> int:
    """`codes`, if the model can fill a gap of that many."""
    seconds, most = _code_seconds(processor), processor.num_codes(processor.max_seconds) - 2
    if not SHORTEST_GAP <= codes <= most:
        raise MotionLLMError(
            f"{codes * seconds:g} s cannot be filled; the model has learnt gaps of {SHORTEST_GAP * seconds:g} to "
            f"{most * seconds:g} s"
        )
    return codes


def _code_seconds(processor: "MotionLLMProcessor") -> float:
    return processor.frames_per_code / processor.fps


def _floor(joints: np.ndarray) -> float:
    """Height of the lowest joint of a motion, metres."""
    return float(joints[..., 1].min())


def _codes(model: "MotionLLMForCausalLM", features: np.ndarray) -> list[int]:
    import torch

    given = torch.tensor(features[None].astype(np.float32), device=model.device)
    return model.motion_vq.encode(given).codes[0].tolist()


def _codes_before(
    model: "MotionLLMForCausalLM", processor: "MotionLLMProcessor", joints: np.ndarray, fps: float, most: int
) -> list[int]:
    """The last codes of a motion, at most that many; they end with its last frame."""
    frames = resample_joints(joints[::-1].copy(), fps, processor.fps)[::-1]  # so that the last one is among them
    features = joints_to_features(frames.copy())
    count = min(most, len(features) // processor.frames_per_code)
    return _codes(model, features[len(features) - count * processor.frames_per_code :])


def _context(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    before: np.ndarray,
    after: np.ndarray,
    fps: float,
    gap: int,
) -> tuple[list[int], list[int]]:
    """The codes around a gap, as many as the model has seen with a gap of that many."""
    room = max((processor.num_codes(processor.max_seconds) - gap) // 2, 1)
    features = joints_to_features(resample_joints(after, fps, processor.fps))
    count = min(room, len(features) // processor.frames_per_code)
    later = _codes(model, features[: count * processor.frames_per_code])
    return _codes_before(model, processor, before, fps, room), later


def _fill(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    sentence: str,
    before: list[int],
    after: list[int],
    gap: int,
    settings: dict[str, Any],
) -> "tuple[MotionGenerationOutput, np.ndarray]":
    """What is generated for a gap, and its joints, from the last frame before it to the first after it."""
    import torch

    own, later = (processor.vocabulary.codes_to_ids(torch.tensor(codes)).tolist() for codes in (before, after))
    ids = torch.tensor([processor.in_between_ids(sentence, own, later, gap)])
    output = model.generate_motion(ids, num_codes=gap, processor=processor, **settings)
    joints = _joints(model, processor, [*before, *output.codes[0, 0].tolist(), *after])
    first = len(before) * processor.frames_per_code
    return output, joints[first : first + gap * processor.frames_per_code + 1]


def _joints(model: "MotionLLMForCausalLM", processor: "MotionLLMProcessor", codes: list[int]) -> np.ndarray:
    """Joints (T, 22, 3) of codes, float64."""
    import torch

    from modeling_motionllm.output_motionllm import MotionGenerationOutput

    features: torch.Tensor = MotionGenerationOutput.of_codes(model.motion_vq, torch.tensor([[codes]])).features
    return features_to_joints(features[0, 0].cpu().double(), processor.skeleton).numpy()


def _stretched(joints: np.ndarray, frames: int) -> np.ndarray:
    """A motion (T, 22, 3) played in that many frames, both ends included."""
    times = np.linspace(0, len(joints) - 1, frames)
    low = np.minimum(times.astype(int), len(joints) - 2)
    weight = (times - low)[:, None, None]
    return (1 - weight) * joints[low] + weight * joints[low + 1]


def _faded(before: np.ndarray, new: np.ndarray, fps: float, after: np.ndarray | None = None) -> np.ndarray:
    """The new motion with what is left over of the poses and velocities around it, and the bones of the person."""
    frames = max(1, min(round(BLEND_SECONDS * fps), (len(new) - 1) // (1 if after is None else 2)))
    faded = fade_over(before, new, frames)
    if after is not None:
        faded = fade_over(after[::-1], faded[::-1], frames)[::-1]
    share = np.linspace(0.0, 1.0, len(new))[:, None]
    lengths, goal = (bone_lengths(pose) for pose in (before[-1], before[-1] if after is None else after[0]))
    return with_bones(faded, (1 - share) * lengths + share * goal)


def _on_one_body(joints: np.ndarray, new: slice, fps: float, planted: bool = True) -> np.ndarray:
    """The motion (T, 22, 3) with its new part on bones that do not stretch; the rest as it is.

    If wanted, feet of the new part do not slide where they stand, and stand where they stood before it and stand after.
    """
    whole, made = joints.copy(), joints
    if planted:
        kept = np.ones(len(joints), dtype=bool)
        kept[new] = False
        ground = np.array([0.0, _floor(joints[kept]), 0.0])
        made = plant_feet(joints - ground, fps, kept=kept) + ground
    whole[new] = fixed_body(made, fps)[new]
    return whole


def _segments(motion: Motion, start: float, end: float) -> list[MotionSegment]:
    """What a motion shows between two times."""
    whole = [MotionSegment(motion.caption or "", 0.0, motion.duration)]
    parts = [MotionSegment(text, max(a, start), min(b, end)) for text, a, b in motion.segments or whole]
    return [part for part in parts if part.start < part.end]


def _continued(
    joints: np.ndarray, fps: float, segments: list[MotionSegment], first: int, output: "MotionGenerationOutput"
) -> ContinuedMotion:
    caption = ", then ".join(segment.text for segment in segments if segment.text)
    unknown = None if output.unknown is None else round(float(output.unknown[0]), 4)
    return ContinuedMotion(Motion(joints, fps, caption, unknown=unknown, segments=segments), output, first)
