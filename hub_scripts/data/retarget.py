"""From a recording with any known skeleton to 22 joints in metres, Y up, at 20 frames per second."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub_scripts.skeletons.body_frame import (
    check_sides,
    find_scale,
    find_up_axis,
    floor_offset,
    leg_lengths,
    starts_with_rest_pose,
    to_y_up,
)
from hub_scripts.skeletons.maps import SkeletonMap
from hub_scripts.skeletons.match import LAST_JOINTS, UnknownSkeletonError, match_skeleton
from hub_scripts.skeletons.missing_joints import add_missing_joints
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, resample_joints

from .bvh import Bvh, forward_kinematics, rest_positions, with_end_sites
from .loops import move_forward, repeat_motion

__all__ = ["BvhOptions", "JointPositions", "RetargetedMotion", "retarget", "retarget_people"]

_FPS = HUMANML3D.fps
_MAX_REACH = 10_000.0  # metres
_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}


@dataclass(frozen=True)
class BvhOptions:
    """What a user says of recorded skeletons; what is None is found out, or taken as the file has it.

    Args:
        skeleton_map: which joints are which.
        up: "y" or "z".
        scale: metres per unit of the file.
        fps: frames per second of a `.bvh` or `.amc` file, where its own rate is wrong or missing.
        start: seconds of the file (at its right rate) before the motion, left out.
        end: second of the file at which the motion ends.
        animation: name of the one to read, in a file of several.
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
    repeat: int = 1
    speed: float | str | None = None


@dataclass(frozen=True, eq=False)
class JointPositions:
    """A recording of a skeleton as positions.

    Args:
        joint_names: J names.
        parents: index of each joint's parent, -1 for a root.
        positions: float64 (N, J, 3), in one world, in any unit.
        rest: float64 (J, 3), the same joints where nothing moves them.
        fps: frames per second.
        unturned: no joint is turned in the first frame.
    """

    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    positions: np.ndarray
    rest: np.ndarray
    fps: float
    unturned: bool = False


@dataclass(frozen=True)
class RetargetedMotion:
    """A motion as read.

    Args:
        joints: float32 (T, 22, 3), metres, SMPL-22 order, Y up, 20 fps; where and as it was recorded.
        skeleton: in words: which skeleton, unit and axis were found.
        notes: what was done to it, one phrase each.
    """

    joints: np.ndarray
    skeleton: str
    notes: tuple[str, ...]


def retarget(recording: Bvh | JointPositions, name: str, options: BvhOptions = BvhOptions()) -> RetargetedMotion:
    """Map a recording to the 22 joints.

    Args:
        recording: a parsed BVH file, or what another reader found.
        name: what error messages call it.
        options: what is known of it.

    Raises:
        UnknownSkeletonError: joints cannot be found.
        MotionLLMError: joints in wrong places (see `check_sides`) or out of this world, or a map that does not fit.
    """
    ends = recording.end_sites if isinstance(recording, Bvh) else {}
    match = match_skeleton(recording.joint_names, recording.parents, ends, name, options.skeleton_map)
    indices = match.indices
    notes: list[str] = []
    if isinstance(recording, Bvh):
        recording, indices, notes = _with_last_joints(recording, indices)
    sources = sorted({index for group in indices.values() for index in group})
    if isinstance(recording, Bvh):
        positions, at_rest = forward_kinematics(recording, sources), rest_positions(recording)
        unturned = bool((np.abs(_rotations(recording, 0)) < 1e-3).all())
    else:
        positions, at_rest, unturned = recording.positions[:, sources], recording.rest, recording.unturned
    joints, rest = (_gather(array, sources, indices) for array in (positions, at_rest[None, sources]))
    fps = options.fps if options.fps is not None and isinstance(recording, Bvh) else recording.fps
    part = _part(len(joints), fps, options, name)
    joints, unturned = joints[part], unturned and part.start == 0
    if match.map.left_handed:
        joints, rest = joints * [-1.0, 1.0, 1.0], rest * [-1.0, 1.0, 1.0]

    thigh, shin = leg_lengths(joints)
    scale, unit, odd = find_scale(thigh, shin, name, options.scale or match.map.metres_per_unit)
    notes += [odd] if odd else []
    placed = add_missing_joints(joints, set(indices), thigh + shin, name)
    notes += [f"not in the file, interpolated: {', '.join(placed)}"] if placed else []
    up, unsure = options.up or match.map.up, None
    if up is None:
        up, unsure = find_up_axis(joints, rest[0], "head" if "head" in indices else "neck")
    notes += [unsure] if unsure else []
    joints = to_y_up(joints, up) * scale

    if starts_with_rest_pose(joints, unturned):
        joints = joints[1:]
        notes.append("the first frame is a rest pose before the motion, left out")
    if options.repeat > 1:
        joints = repeat_motion(joints, options.repeat)
    if options.speed is not None:
        joints = move_forward(joints, fps, options.speed, name)
    check_sides(joints, name)
    lift = floor_offset(joints)
    if lift:
        joints[..., 1] += lift
        notes.append("its height has another origin, put on the floor")
    reach = float(np.abs(joints).max())
    if reach > _MAX_REACH:
        raise MotionLLMError(
            f"'{name}' has a joint {reach:.3g} m from the origin; repair its positions, or give the unit by --scale"
        )
    return RetargetedMotion(
        np.asarray(resample_joints(joints, fps, _FPS), dtype=np.float32),
        f"{match.map.name} skeleton, {unit}, {up} up",
        tuple(notes),
    )


def retarget_people(
    recordings: Sequence[Bvh | JointPositions], name: str, options: BvhOptions = BvhOptions()
) -> list[RetargetedMotion]:
    """Map the skeletons of one file; those that are no person's (a weapon, a horse) are passed over.

    Args:
        recordings: of one file, at one time.
        name: what error messages call it.
        options: what is known of it.

    Raises:
        UnknownSkeletonError: none is a person's.
        MotionLLMError: as `retarget`.
    """
    people: list[RetargetedMotion] = []
    unknown: list[UnknownSkeletonError] = []
    for recording in recordings:
        try:
            people.append(retarget(recording, name, options))
        except UnknownSkeletonError as error:
            unknown.append(error)
    if not people:
        raise unknown[0]
    return people


def _part(frames: int, fps: float, options: BvhOptions, name: str) -> slice:
    """The frames from `start` to `end`."""
    first = 0 if options.start is None else round(options.start * fps)
    last = frames if options.end is None else round(options.end * fps)
    if not 0 <= first < last or first >= frames or last > frames + 0.1 * fps:
        raise MotionLLMError(
            f"'{name}' has {frames / fps:.2f} s at {fps:g} fps, but the part from {first / fps:.2f} to "
            f"{last / fps:.2f} s is asked for; correct start and end, or the frame rate"
        )
    return slice(first, min(last, frames))


def _with_last_joints(bvh: Bvh, found: dict[str, tuple[int, ...]]) -> tuple[Bvh, dict[str, tuple[int, ...]], list[str]]:
    """End sites as toes and wrists, where the skeleton ends at ankles and elbows."""
    lacking = [joint for joint in LAST_JOINTS if joint not in found]
    if not lacking:
        return bvh, found, []
    longer = with_end_sites(bvh)
    indices = dict(found)
    notes: list[str] = []
    for joint in lacking:
        above = LAST_JOINTS[joint]
        indices[joint] = (longer.parents.index(indices[above][0], len(bvh.joint_names)),)
        words = ("toes", "ankles") if joint.endswith("foot") else ("wrists", "elbows")
        notes.append("the {} are the end sites of the {}".format(*words))
    return longer, indices, list(dict.fromkeys(notes))


def _gather(positions: np.ndarray, sources: Sequence[int], indices: dict[str, tuple[int, ...]]) -> np.ndarray:
    """Joints (N, 22, 3) from positions (N, len(sources), 3); those without an index are NaN."""
    place = {index: position for position, index in enumerate(sources)}
    joints = np.full((len(positions), len(_INDEX), 3), np.nan)
    for joint, group in indices.items():
        joints[:, _INDEX[joint]] = positions[:, [place[index] for index in group]].mean(axis=1)
    return joints


def _rotations(bvh: Bvh, frame: int) -> np.ndarray:
    names = [channel for channels in bvh.channels for channel in channels]
    return bvh.frames[frame, [channel.endswith("rotation") for channel in names]]
