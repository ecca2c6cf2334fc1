"""From a BVH file with any known skeleton to 22 joints in metres, Y up, at 20 frames per second."""

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
from hub_scripts.skeletons.match import match_skeleton
from hub_scripts.skeletons.missing_joints import add_missing_joints
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, resample_joints

from .bvh import Bvh, forward_kinematics, rest_positions, with_end_sites

__all__ = ["BvhOptions", "RetargetedMotion", "retarget"]

_FPS = HUMANML3D.fps
_MAX_REACH = 10_000.0  # metres
_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}


@dataclass(frozen=True)
class BvhOptions:
    """What a user says of BVH files; what is None is found out.

    Args:
        skeleton_map: which joints are which.
        up: "y" or "z".
        scale: metres per unit of the file.
    """

    skeleton_map: SkeletonMap | None = None
    up: str | None = None
    scale: float | None = None


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


def retarget(bvh: Bvh, name: str, options: BvhOptions = BvhOptions()) -> RetargetedMotion:
    """Map a BVH file to the 22 joints.

    Args:
        bvh: the parsed file.
        name: what error messages call it.
        options: what is known of it.

    Raises:
        UnknownSkeletonError: joints cannot be found.
        MotionLLMError: joints in wrong places (see `check_sides`) or out of this world, or a map that does not fit.
    """
    match = match_skeleton(bvh.joint_names, bvh.end_sites.keys(), name, options.skeleton_map)
    bvh, indices, notes = _with_feet(bvh, match.indices)
    sources = sorted({index for group in indices.values() for index in group})
    joints = _gather(forward_kinematics(bvh, sources), sources, indices)
    rest = _gather(rest_positions(bvh)[None, sources], sources, indices)
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

    if starts_with_rest_pose(joints, _rotations(bvh, 0)):
        joints = joints[1:]
        notes.append("the first frame is a rest pose before the motion, left out")
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
        np.asarray(resample_joints(joints, bvh.fps, _FPS), dtype=np.float32),
        f"{match.map.name} skeleton, {unit}, {up} up",
        tuple(notes),
    )


def _with_feet(bvh: Bvh, found: dict[str, tuple[int, ...]]) -> tuple[Bvh, dict[str, tuple[int, ...]], list[str]]:
    """End sites as toes, where the skeleton ends at the ankles."""
    lacking = [side for side in ("left", "right") if f"{side}_foot" not in found]
    if not lacking:
        return bvh, found, []
    longer = with_end_sites(bvh)
    indices = dict(found)
    for side in lacking:
        ankle = indices[f"{side}_ankle"][0]
        indices[f"{side}_foot"] = (longer.parents.index(ankle, len(bvh.joint_names)),)
    return longer, indices, ["the toes are the end sites of the ankles"]


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
