"""The gate that every motion passes on its way in: from joints as a reader found them to metres, Y up, on the floor.

What is certain is put right and said in a note; what is not is refused in a line with the remedy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hub_scripts.skeletons.body_frame import (
    bends_backward,
    check_body,
    check_sides,
    find_scale,
    find_up_axis,
    floor_offset,
    front_of,
    leg_lengths,
    stretch_note,
    to_y_up,
)
from hub_scripts.skeletons.maps import SkeletonMap
from hub_scripts.skeletons.missing_joints import add_missing_joints
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import FASTEST, HUMANML3D, SLOWEST

from .loops import move_forward, repeat_motion
from .odd_frames import jump_notes, lost_frames, padding, rest_frames

__all__ = ["FoundJoints", "ReadMotion", "ReadingOptions", "cut_part", "pass_gate"]

_MAX_REACH = 10_000.0  # metres
_LARGEST = 1e9  # of a coordinate, in whatever unit
_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
_TOES = ("left_foot", "right_foot")


@dataclass(frozen=True)
class ReadingOptions:
    """What a user says of the motion in a file; what is None is found out, or taken as the file has it.

    Args:
        skeleton_map: which joints are which.
        up: one of `UP_AXES`.
        scale: metres per unit of the file.
        fps: frames per second, where the file's own rate is wrong or missing; glTF files have times instead.
        start: seconds of the file (at its right rate) before the motion, left out.
        end: second of the file at which the motion ends.
        animation: name of the one to read, in a file of several.
        reversed: whether it is played from its end to its beginning.
        repeat: how often it is played, for loops.
        speed: metres per second that an animation in place goes forward, or "feet", see `move_forward`.
    """

    skeleton_map: SkeletonMap | None = None
    up: str | None = None
    scale: float | None = None
    fps: float | None = None
    start: float | None = None
    end: float | None = None
    animation: str | None = None
    reversed: bool = False
    repeat: int = 1
    speed: float | str | None = None


@dataclass(eq=False)
class FoundJoints:
    """The 22 joints as a reader found them.

    Args:
        joints: float64 (N, 22, 3), any unit, axes and origin.
        fps: frames per second.
        known: joints that are there; the others of `joints` are not looked at.
        rest: float64 (22, 3), the same joints where nothing moves them, if there is such a pose.
        unturned: bool (N,), whether no joint is turned in a frame, where that is known.
        end_sites: toes that are the end sites of the ankles, so that they may as well be heels.
        up: what the file or its map says of the axis that points up.
        scale: likewise of metres per unit.
        notes: what its reader has to say, one phrase each.
        remedy: what a user can do where the joints are no body, or on wrong sides.
    """

    joints: np.ndarray
    fps: float
    known: frozenset[str] = frozenset(HUMANML3D.joint_names)
    rest: np.ndarray | None = None
    unturned: np.ndarray | None = None
    end_sites: frozenset[str] = frozenset()
    up: str | None = None
    scale: float | None = None
    notes: tuple[str, ...] = ()
    remedy: str = "correct the joints"


@dataclass(frozen=True)
class ReadMotion:
    """A motion behind the gate.

    Args:
        joints: float64 (T, 22, 3), metres, SMPL-22 order, Y up; where and as it was recorded.
        fps: frames per second.
        unit: what lengths are in, in words.
        up: the axis that pointed up.
        notes: what was done to it, one phrase each.
    """

    joints: np.ndarray
    fps: float
    unit: str
    up: str
    notes: tuple[str, ...]


def pass_gate(people: Sequence[FoundJoints], name: str, options: ReadingOptions = ReadingOptions()) -> list[ReadMotion]:
    """Check the joints of the people of one file, and put right what is certain.

    Args:
        people: of one world and time.
        name: what error messages call the file.
        options: what is known of it.

    Raises:
        MotionLLMError: no body, left and right exchanged, an up axis that nothing tells, joints out of this world, or a
            part of the file that it has not.
    """
    people = _without_padding([_cut_person(person, name, options) for person in people])
    for found in people:
        _check_frames(found, name)
    if options.up is None and len(people) > 1:
        options = replace(options, up=_common_up(people, name))
    upright = [_upright(person, name, options) for person in people]
    first = max((person.first for person in upright), default=0)
    last = max((person.last for person in upright), default=0)
    read: list[ReadMotion] = []
    for person, found in zip(upright, people, strict=True):
        joints = person.joints[first : len(person.joints) - last]
        if options.reversed:
            joints = joints[::-1]
        if options.repeat > 1:
            joints = repeat_motion(joints, options.repeat)
        if options.speed is not None:
            joints = move_forward(joints, person.fps, options.speed, name)
        check_sides(joints, name, found.remedy, person.toes_known)
        read.append(ReadMotion(joints, person.fps, person.unit, person.up, tuple(person.notes)))
    lift = floor_offset(np.concatenate([motion.joints for motion in read])) if read else 0.0
    return [_placed(motion, lift, name) for motion in read]


@dataclass(eq=False)
class _Upright:
    """Joints (N, 22, 3) in metres, Y up, and how many frames at each end are left out."""

    joints: np.ndarray
    fps: float
    unit: str
    up: str
    first: int
    last: int
    toes_known: bool
    notes: list[str]


def _cut_person(found: FoundJoints, name: str, options: ReadingOptions) -> FoundJoints:
    """The part of a recording that is asked for, at its right rate; a copy."""
    fps = options.fps or found.fps
    if not SLOWEST <= fps <= FASTEST:
        raise MotionLLMError(f"'{name}' has {fps:g} frames per second; give its rate by --source-fps")
    part = cut_part(len(found.joints), fps, options, name)
    unturned = None if found.unturned is None else found.unturned[part]
    return replace(found, joints=found.joints[part].copy(), unturned=unturned, fps=fps)


def _without_padding(people: list[FoundJoints]) -> list[FoundJoints]:
    """The frames in which all people are there."""
    ends = [padding(_known(found)) for found in people]
    front, end = (max((counts[side] for counts in ends), default=0) for side in (0, 1))
    if front + end == 0 or front + end >= min(len(found.joints) for found in people):
        return people
    lacking = any(np.isnan(_known(found)[[*range(front), *range(-end, 0)]]).any() for found in people)
    note = f"{front + end} frames at its ends are padding (all {'NaN' if lacking else 'zero'}), cut off"
    return [
        replace(
            found,
            joints=found.joints[front : len(found.joints) - end],
            unturned=None if found.unturned is None else found.unturned[front : len(found.joints) - end],
            notes=(*found.notes, note),
        )
        for found in people
    ]


def _known(found: FoundJoints) -> np.ndarray:
    """The joints that are there, (N, K, 3)."""
    return found.joints[:, sorted(_INDEX[joint] for joint in found.known)]


def _check_frames(found: FoundJoints, name: str) -> None:
    """Make sure that there is a body in every frame."""
    known = _known(found)
    bad = ~(np.abs(known) < _LARGEST).all(axis=(1, 2))
    if bad.any():
        problem = f"joints that are NaN or infinite, or above {_LARGEST:g}"
    else:
        check_body(found.joints, name, found.remedy)
        bad = lost_frames(found.joints, found.known)
        problem = "no body: joints in one place, or far from where they belong"
    if bad.any():
        where = ", ".join(f"{frame / found.fps:.2f}" for frame in np.flatnonzero(bad)[:3]) + (
            " ..." if bad.sum() > 3 else ""
        )
        raise MotionLLMError(
            f"'{name}' has {problem}, in {bad.sum()} of {len(bad)} frames, at {where} s; repair these frames, or leave "
            "them out by --start and --end"
        )


def _common_up(people: Sequence[FoundJoints], name: str) -> str | None:
    """The up axis of people in one world, None where their skeletons have no top in common."""
    said = next((found.up for found in people if found.up is not None), None)
    top = next((joint for joint in ("head", "neck") if all(joint in found.known for found in people)), None)
    if said is not None or top is None:
        return said
    joints = np.concatenate([found.joints for found in people])
    return find_up_axis(joints, people[0].rest, top, sum(leg_lengths(joints)), name)[0]


def _upright(found: FoundJoints, name: str, options: ReadingOptions) -> _Upright:
    """The joints in metres, Y up."""
    joints, unturned, fps, notes = found.joints, found.unturned, found.fps, list(found.notes)
    if unturned is not None and unturned.all():  # positions alone: no pose is told from others by that
        unturned = None
    thigh, shin = leg_lengths(joints)
    scale, unit, odd = find_scale(thigh, shin, name, options.scale or found.scale)
    leg = thigh + shin
    known_joints = set(found.known)
    placed = add_missing_joints(joints, known_joints, leg, name)
    if found.end_sites and _heels(joints, found.end_sites - set(placed)):
        known_joints -= found.end_sites
        placed = add_missing_joints(joints, known_joints, leg, name)
    if not found.end_sites <= set(placed):
        notes.append("the toes are the end sites of the ankles")
    notes += [note for note in (odd, stretch_note(joints)) if note]
    notes += [f"not in the file, interpolated: {', '.join(placed)}"] if placed else []
    up, unsure = options.up or found.up, None
    if up is None:
        up, unsure = find_up_axis(joints, found.rest, "head" if "head" in found.known else "neck", leg, name)
    notes += [unsure] if unsure else []
    joints = to_y_up(joints, up) * scale
    first, last = (rest_frames(joints[::step], fps, None if unturned is None else unturned[::step]) for step in (1, -1))
    for count, frames, before in ((first, "first", "before"), (last, "last", "after")):
        if count:
            these = f"the {frames} frame is" if count == 1 else f"the {frames} {count} frames are"
            notes.append(f"{these} a rest pose {before} the motion, left out")
    toes_known = not set(_TOES) & set(placed)
    return _Upright(joints, fps, unit, up, first, last, toes_known, notes)


def _heels(joints: np.ndarray, toes: frozenset[str]) -> bool:
    """Whether end sites of the ankles point backward while the knees bend forward: they are no toes."""
    if bends_backward(joints) or not toes:
        return False
    front = front_of(joints)
    ahead = [
        ((joints[:, _INDEX[toe]] - joints[:, _INDEX[toe.replace("foot", "ankle")]]) * front).sum(-1).mean()
        for toe in toes
    ]
    return max(ahead) < 0


def _placed(motion: ReadMotion, lift: float, name: str) -> ReadMotion:
    """The motion on the floor, with what is said of jumps in it."""
    joints, notes = motion.joints, list(motion.notes)
    if lift:
        joints = joints + np.array([0.0, lift, 0.0])
        notes.append("its height has another origin, put on the floor")
    reach = float(np.abs(joints).max())
    if reach > _MAX_REACH:
        raise MotionLLMError(
            f"'{name}' has a joint {reach:.3g} m from the origin; repair its positions, or give the unit by --scale"
        )
    notes += jump_notes(joints, motion.fps)
    return ReadMotion(joints, motion.fps, motion.unit, motion.up, tuple(notes))


def cut_part(frames: int, fps: float, options: ReadingOptions, name: str) -> slice:
    """The frames from `start` to `end` of a file of so many frames.

    Raises:
        MotionLLMError: it has no such part.
    """
    first = 0 if options.start is None else round(options.start * fps)
    last = frames if options.end is None else round(options.end * fps)
    if not 0 <= first < min(last, frames):
        until = "" if options.end is None else f" and --end {options.end:g}"
        raise MotionLLMError(
            f"--start {options.start or 0:g}{until} leave nothing of '{name}', which lasts {frames / fps:.2f} s at "
            f"{fps:g} fps"
        )
    if last > frames + 0.1 * fps:
        raise MotionLLMError(
            f"'{name}' has {frames / fps:.2f} s at {fps:g} fps, but the part from {first / fps:.2f} to "
            f"{last / fps:.2f} s is asked for; correct start and end, or the frame rate"
        )
    return slice(first, min(last, frames))
