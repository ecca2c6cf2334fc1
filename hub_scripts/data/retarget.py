"""From a recording with any known skeleton to 22 joints in metres, Y up, at 20 frames per second."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hub_scripts.skeletons.body_frame import front_of
from hub_scripts.skeletons.match import LAST_JOINTS, UnknownSkeletonError, match_skeleton
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, resample_joints

from .bvh import Bvh, forward_kinematics, rest_positions, with_end_sites
from .gate import FoundJoints, ReadingOptions, ReadMotion, pass_gate

__all__ = [
    "JointPositions",
    "RetargetedMotion",
    "find_joints",
    "read_people",
    "retarget",
    "retarget_people",
    "without_doubles",
]

_FPS = HUMANML3D.fps
_MAP = 'give a --map file with the sides swapped, or with "left_handed": true if the file has left-handed axes'
_ARRAY = "save joints in SMPL-22 order with right-handed axes (who faces +z with y up has the left at +x)"
_ONE_PLACE = 0.01  # metres
_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}


@dataclass(frozen=True, eq=False)
class JointPositions:
    """A recording of a skeleton as positions.

    Args:
        joint_names: J names.
        parents: index of each joint's parent, -1 for a root.
        positions: float64 (N, J, 3), in one world, in any unit.
        rest: float64 (J, 3), the same joints where nothing moves them; None where there is no such pose.
        fps: frames per second.
        unturned: no joint is turned in the first frame.
        timed: the file says when its keys are, so that no other rate can be right.
        notes: what its reader has to say, one phrase each.
    """

    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    positions: np.ndarray
    rest: np.ndarray | None
    fps: float
    unturned: bool = False
    timed: bool = False
    notes: tuple[str, ...] = ()


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


def find_joints(recording: Bvh | JointPositions, name: str, options: ReadingOptions) -> tuple[FoundJoints, str]:
    """The 22 joints of a recording, and what its skeleton is called.

    Args:
        recording: a parsed BVH file, or what another reader found.
        name: what error messages call it.
        options: what is known of it; `skeleton_map` is looked at.

    Raises:
        UnknownSkeletonError: joints cannot be found.
        MotionLLMError: a map that does not fit.
    """
    ends = recording.end_sites if isinstance(recording, Bvh) else {}
    match = match_skeleton(recording.joint_names, recording.parents, ends, name, options.skeleton_map)
    indices, notes = match.indices, list(recording.notes)
    toes: frozenset[str] = frozenset()
    if isinstance(recording, Bvh):
        unturned = _unturned(recording)
        recording, indices = _with_last_joints(recording, indices)
        toes = frozenset(joint for joint in indices if joint.endswith("foot") and joint not in match.indices)
        if any(joint.endswith("wrist") and joint not in match.indices for joint in indices):
            notes.append("the wrists are the end sites of the elbows")
    sources = sorted({index for group in indices.values() for index in group})
    at_rest: np.ndarray | None
    if isinstance(recording, Bvh):
        positions, at_rest = forward_kinematics(recording, sources), rest_positions(recording)
    else:
        positions, at_rest = recording.positions[:, sources], recording.rest
        unturned = np.zeros(len(positions), bool)
        unturned[0] = recording.unturned
    joints = _gather(positions, sources, indices)
    rest = None if at_rest is None else _gather(at_rest[None, sources], sources, indices)
    if match.map.left_handed:
        joints = joints * [-1.0, 1.0, 1.0]
        rest = None if rest is None else rest * [-1.0, 1.0, 1.0]
    found = FoundJoints(
        joints,
        recording.fps,
        known=frozenset(indices),
        rest=None if rest is None else rest[0],
        unturned=unturned,
        end_sites=toes,
        up=match.map.up,
        scale=match.map.metres_per_unit,
        notes=tuple(notes),
        remedy=_ARRAY if at_rest is None else _MAP,
    )
    return found, match.map.name


def retarget(recording: Bvh | JointPositions, name: str, options: ReadingOptions | None = None) -> RetargetedMotion:
    """Map a recording to the 22 joints.

    Args:
        recording: a parsed BVH file, or what another reader found.
        name: what error messages call it.
        options: what is known of it.

    Raises:
        UnknownSkeletonError: joints cannot be found.
        MotionLLMError: a map that does not fit, or joints that `pass_gate` refuses.
    """
    return retarget_people([recording], name, options)[0]


def retarget_people(
    recordings: Sequence[Bvh | JointPositions], name: str, options: ReadingOptions | None = None
) -> list[RetargetedMotion]:
    """Map the skeletons of one file, see `read_people`, at 20 fps."""
    return [
        RetargetedMotion(
            np.asarray(resample_joints(read.joints, read.fps, _FPS), dtype=np.float32), skeleton, read.notes
        )
        for skeleton, read in without_doubles(read_people(recordings, name, options), name)
    ]


def read_people(
    recordings: Sequence[Bvh | JointPositions], name: str, options: ReadingOptions | None = None
) -> list[tuple[str, ReadMotion]]:
    """Map the skeletons of one file; those that are no person's (a weapon, a horse) are passed over.

    Args:
        recordings: of one file, at one time.
        name: what error messages call it.
        options: what is known of it.

    Returns:
        Of each person in words which skeleton, unit and axis were found, and the motion.

    Raises:
        UnknownSkeletonError: none is a person's.
        MotionLLMError: as `retarget`.
    """
    options = options or ReadingOptions()
    people: list[FoundJoints] = []
    skeletons: list[str] = []
    unknown: list[UnknownSkeletonError] = []
    for recording in recordings:
        try:
            found, skeleton = find_joints(recording, name, options)
        except UnknownSkeletonError as error:
            unknown.append(error)
            continue
        people.append(found)
        skeletons.append(skeleton)
    if not people:
        raise unknown[0]
    if options.fps is not None and any(isinstance(entry, JointPositions) and entry.timed for entry in recordings):
        note = f"its keys have times of their own, so {options.fps:g} fps is not looked at"
        people = [replace(found, notes=(*found.notes, note)) for found in people]
        options = replace(options, fps=None)
    read = pass_gate(people, name, options)
    told = [f"{skeleton} skeleton, {one.unit}, {one.up} up" for skeleton, one in zip(skeletons, read, strict=True)]
    return list(zip(told, read, strict=True))


def without_doubles(people: list[tuple[str, ReadMotion]], name: str) -> list[tuple[str, ReadMotion]]:
    """The people of one world; who is there twice (a body and its clothes) counts once.

    Raises:
        MotionLLMError: two begin in one place, as no people can.
    """
    kept: list[tuple[str, ReadMotion]] = []
    for told, person in people:
        same = [one for _, one in kept if one.joints.shape == person.joints.shape]
        if any(np.abs(one.joints - person.joints).max() < _ONE_PLACE for one in same):
            first, one = kept[0]
            note = "a second skeleton that moves as the first is left out"
            kept[0] = first, replace(one, notes=tuple(dict.fromkeys((*one.notes, note))))
            continue
        if any(np.abs(one.joints[0, 0] - person.joints[0, 0]).max() < _ONE_PLACE for one in same):
            raise MotionLLMError(
                f"'{name}' has {len(people)} people, of whom two begin in one place; if these are motions of one "
                "person, save one of them"
            )
        kept.append((told, person))
    return kept


def _with_last_joints(bvh: Bvh, found: dict[str, tuple[int, ...]]) -> tuple[Bvh, dict[str, tuple[int, ...]]]:
    """End sites as toes and wrists, where the skeleton ends at ankles and elbows; of several of an ankle the one that
    is in front of it.
    """
    lacking = [joint for joint, above in LAST_JOINTS.items() if joint not in found and found[above][0] in bvh.end_sites]
    if not lacking:
        return bvh, found
    longer = with_end_sites(bvh)
    indices = dict(found)
    for joint in lacking:
        above = indices[LAST_JOINTS[joint]][0]
        ends = [end for end in range(len(bvh.joint_names), len(longer.joint_names)) if longer.parents[end] == above]
        indices[joint] = (ends[0],)
        if joint.endswith("foot") and len(ends) > 1:
            indices[joint] = (ends[_foremost(longer, found, above, ends)],)
    return longer, indices


def _foremost(bvh: Bvh, found: dict[str, tuple[int, ...]], ankle: int, ends: list[int]) -> int:
    """Which of the end sites of an ankle is furthest in front of it, where hips and neck say the front is."""
    body = {joint: found[joint] for joint in ("left_hip", "right_hip", "pelvis")}
    body["neck"] = found["neck"] if "neck" in found else found["head"]
    sources = sorted({index for group in body.values() for index in group} | {ankle, *ends})
    positions = forward_kinematics(bvh, sources)
    front = front_of(_gather(positions, sources, body))
    at = {index: positions[:, place] for place, index in enumerate(sources)}
    return int(np.argmax([((at[end] - at[ankle]) * front).sum(-1).mean() for end in ends]))


def _gather(positions: np.ndarray, sources: Sequence[int], indices: dict[str, tuple[int, ...]]) -> np.ndarray:
    """Joints (N, 22, 3) from positions (N, len(sources), 3); those without an index are NaN."""
    place = {index: position for position, index in enumerate(sources)}
    joints = np.full((len(positions), len(_INDEX), 3), np.nan)
    for joint, group in indices.items():
        joints[:, _INDEX[joint]] = positions[:, [place[index] for index in group]].mean(axis=1)
    return joints


def _unturned(bvh: Bvh) -> np.ndarray:
    """Whether no joint is turned, bool (N,)."""
    names = [channel for channels in bvh.channels for channel in channels]
    return (np.abs(bvh.frames[:, [channel.endswith("rotation") for channel in names]]) < 1e-3).all(axis=1)
