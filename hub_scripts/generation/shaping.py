"""Motions for games: loops, motions in place, and paths that lead to a place or a heading."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_scripts.generation.jobs import Job
from hub_scripts.generation.shape import Shape
from hub_scripts.skeletons.loops import close_loop, loop_error
from hub_scripts.skeletons.paths import bend_path, floor_path, headings, without_path
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

if TYPE_CHECKING:
    from hub_scripts.generation.run import MadeMotion
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.output_motionllm import MotionGenerationOutput
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["ShapedMotion", "made_in_shape", "shape_motion"]

_FARTHEST_WAY = 0.3  # metres from the beginning of a loop to its end, that are bent away
_LARGEST_TURN = 45.0  # degrees, likewise
_NEAR = 0.3  # metres
_SHAPE = 4  # the part of `derived_seed`


@dataclass(frozen=True)
class ShapedMotion:
    """A motion as `shape_motion` made it.

    Args:
        motion: it.
        cost: how much was bent, metres; the best candidate has the least.
        notes: lines about it.
        problem: why it is not what was asked for, if it is not.
        longer: how many times as long a motion would have to be to get where it was to.
    """

    motion: Motion
    cost: float
    notes: list[str] = field(default_factory=list)
    problem: str | None = None
    longer: float = 1.0


def shape_motion(motion: Motion, shape: Shape, cut: bool = False) -> ShapedMotion:
    """A motion led to a place and a heading, then made a loop, then without its path, as far as that is asked for.

    Args:
        motion: of one person, from the origin, facing +Z, with its feet on the floor.
        shape: what to make of it.
        cut: leave out what comes after `shape.to` is reached.

    Returns:
        It, without `codes` and `features`, with `root_path` where the path was taken out.
    """
    fps, joints = motion.fps, np.asarray(motion.joints, dtype=np.float64)
    made = ShapedMotion(motion, 0.0)
    if shape.to is not None or shape.turn_to is not None:
        heading = None if shape.turn_to is None else math.radians(shape.turn_to)
        bend = bend_path(joints, fps, shape.to, heading, cut)
        joints, cost, notes, longer = bend.joints, bend.cost, [], 1.0
        motion = motion.part(0, len(joints))
        if shape.to is not None:
            goal = np.hypot(*shape.to)
            reach = max(float(np.linalg.norm(joints[-1, 0, [0, 2]])) / bend.scale, 0.01)
            longer = goal / reach if bend.miss > _NEAR else 1.0
            how = f"way turned by {math.degrees(bend.turn):.0f} degrees, steps {bend.scale:.2f} x as long"
            notes.append(f"to {shape.to[0]:g} {shape.to[1]:g}: ends {bend.miss:.2f} m from there ({how})")
        if heading is not None:
            faces = math.degrees(headings(joints)[-1])
            notes.append(f"faces {(faces + 180) % 360 - 180:.0f} degrees at its end")
        made = ShapedMotion(motion, cost, notes, longer=longer)
    path, length = None, 0.0
    if shape.loop:
        loop = close_loop(joints, fps, shape.in_place)
        motion, joints, path = motion.part(loop.first, loop.first + len(loop.joints)), loop.joints, loop.path
        problem = None
        if loop.way > _FARTHEST_WAY and not shape.in_place:
            problem = f"ends {loop.way:.1f} m from where it begins, so that it is no loop; give --in-place too"
        elif abs(math.degrees(loop.turn)) > _LARGEST_TURN:
            problem = (
                f"turns by {abs(math.degrees(loop.turn)):.0f} degrees, so that it is no loop; ask for a motion that "
                "ends as it begins"
            )
        far, angle = loop_error(joints)
        note = f"loop of {(len(joints) - 1) / fps:.2f} s: its ends are {100 * far:.2f} cm and {angle:.1f} degrees apart"
        cost = made.cost + loop.apart + abs(loop.turn) / 10 + (math.inf if problem else 0.0)
        made = replace(made, cost=cost, notes=[*made.notes, f"{note} ({100 * loop.apart:.0f} cm as it was drawn)"])
        made = replace(made, problem=problem)
    elif shape.in_place:
        path = floor_path(joints, fps)
        joints = without_path(joints, path)
        path = path - path[:1]
    if path is not None:
        length = float(np.linalg.norm(np.diff(path, axis=0), axis=-1).sum())
        made = replace(made, notes=[*made.notes, f"in place: a path of {length:.2f} m was taken out"])
    shaped = replace(motion, joints=joints, root_path=path, codes=None, features=None)
    return replace(made, motion=shaped)


def made_in_shape(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    batch: Sequence[Job],
    shape: Shape,
    captions: bool,
    settings: dict[str, Any],
) -> "list[MadeMotion]":
    """The motions of jobs, each the one of several that comes nearest to a shape, brought into it.

    Args:
        model, processor, captions: as in `generate_batch`.
        batch: jobs of one person.
        shape: what to make of them.
        settings: of `generate_batch`.

    Raises:
        MotionLLMError: as `generate_batch`.
    """
    from hub_scripts.generation.run import MadeMotion, generate_batch, understood_as
    from modeling_motionllm.scene_motionllm import derived_seed

    def draw(jobs: Sequence[Job]) -> list[list[tuple[ShapedMotion, Motion]]]:
        """Of each job all candidates, as they are to be and as they were drawn."""
        count = 1 if settings.get("do_sample") is False else shape.candidates
        every = [
            replace(job, seed=derived_seed(job.seed, number, _SHAPE if number else 0))
            for job in jobs
            for number in range(count)
        ]
        drawn = [one.motion for one in generate_batch(model, processor, every, **settings)]
        made = [
            (shape_motion(motion, shape, cut=job.duration is None and not job.then), motion)
            for motion, job in zip(drawn, every, strict=True)
        ]
        return [made[start : start + count] for start in range(0, len(made), count)]

    kept = []
    for job, candidates in zip(batch, draw(batch), strict=True):
        best = min(candidates, key=lambda one: one[0].cost)
        seconds = min(best[0].longer * best[1].duration, processor.max_seconds)
        if job.duration is None and not job.then and seconds > 1.1 * best[1].duration:  # it stops too early
            [more] = draw([replace(job, duration=seconds)])
            best = min(best, *more, key=lambda one: one[0].cost)
        if best[0].problem is not None:
            raise MotionLLMError(f"'{job.text}' {best[0].problem}")
        kept.append(best)
    understood: list[list[str]] = [[] for _ in kept]
    if captions:
        drawn = [motion for _, motion in kept]
        sentences = iter(understood_as(model, processor, _told_again(drawn, processor)))
        understood = [list(islice(sentences, len(motion.segments or ("",)))) for motion in drawn]
    return [MadeMotion(made.motion, [], own, made.notes) for (made, _), own in zip(kept, understood, strict=True)]


def _told_again(motions: Sequence[Motion], processor: "MotionLLMProcessor") -> "MotionGenerationOutput":
    """The output that motions of one person were decoded from; codes alone."""
    import torch

    from modeling_motionllm.output_motionllm import MotionGenerationOutput
    from modeling_motionllm.prompts_motionllm import pad_right

    codes = pad_right([([] if motion.codes is None else motion.codes.tolist()) for motion in motions], -1)[:, None]
    ends = None
    if any(motion.segments for motion in motions):
        told = [
            [processor.num_codes(segment.end) for segment in motion.segments or ()] or [len(own[own != -1])]
            for motion, own in zip(motions, codes[:, 0], strict=True)
        ]
        ends = pad_right(told, -1)
    one = torch.ones(len(motions), dtype=torch.long)
    places = torch.zeros(len(motions), 1, 3, dtype=torch.float64)
    return MotionGenerationOutput(codes, codes != -1, placements=places, num_people=one, segment_ends=ends)
