"""Writing a motion as BVH: a T-pose skeleton with the clip's bone lengths, and one row of Euler angles a frame."""

import os
from pathlib import Path

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion

from .rig import Rig, RigMotion
from .rotations import euler_angles
from .shown_motion import one_person, solve_people

__all__ = ["build_bvh", "save_bvh"]

_UNITS = {"cm": 100.0, "m": 1.0}


def _rounded(values: np.ndarray) -> np.ndarray:
    """To the six digits that are written; adding 0 turns -0 into 0."""
    return values.round(6) + 0.0


def _offset(vector: np.ndarray) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in _rounded(vector))


def _joint_lines(rig: Rig, joint: int, scale: float, rotations: str) -> list[str]:
    """The block of a joint and of all below it."""
    children = rig.children(joint)
    root = rig.parents[joint] < 0
    channels = f"CHANNELS 6 Xposition Yposition Zposition {rotations}" if root else f"CHANNELS 3 {rotations}"
    inner = [_offset(rig.offsets[joint] * scale), channels]
    for child in children:
        inner += _joint_lines(rig, child, scale, rotations)
    if not children:
        inner += ["End Site", "{", f"\t{_offset(rig.tips[joint] * scale)}", "}"]
    return [f"{'ROOT' if root else 'JOINT'} {rig.joint_names[joint]}", "{", *(f"\t{line}" for line in inner), "}"]


def _file_order(rig: Rig, joint: int = 0) -> list[int]:
    """Joints in the order in which their blocks come, depth first."""
    order = [joint]
    for child in rig.children(joint):
        order += _file_order(rig, child)
    return order


def build_bvh(motion: RigMotion, units: str = "cm", rotation_order: str = "ZXY") -> str:
    """The text of a BVH file.

    Args:
        motion: one person.
        units: "cm" or "m".
        rotation_order: order of the rotation channels of every joint, such as "ZXY"; R = R_first R_second R_third.

    Raises:
        MotionLLMError: no such unit or order.
    """
    if units not in _UNITS:
        raise MotionLLMError(f"units is '{units}'; choose one of {', '.join(_UNITS)}")
    scale, rig = _UNITS[units], motion.rig
    angles = np.degrees(euler_angles(motion.rotations, rotation_order))[:, _file_order(rig)]
    rows = _rounded(np.concatenate([motion.root_positions * scale, angles.reshape(len(angles), -1)], axis=1))
    channels = " ".join(f"{axis}rotation" for axis in rotation_order)
    header = ["HIERARCHY", *_joint_lines(rig, 0, scale, channels)]
    header += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1.0 / motion.fps!r}"]
    line = " ".join(["%.6f"] * rows.shape[1]) + "\n"
    return "\n".join(header) + "\n" + (line * len(rows)) % tuple(rows.ravel().tolist())


def save_bvh(
    motion: Motion,
    path: str | os.PathLike[str],
    *,
    person: int | None = None,
    fps: float | None = None,
    skeleton: str = "smpl",
    units: str = "cm",
    rotation_order: str = "ZXY",
) -> Path:
    """Write one person of a motion as a BVH file; equal motions give equal bytes.

    Y up, right-handed; the rest pose (all angles 0) is a T-pose that faces +Z. The root's OFFSET is zero and its
    position channels are positions in the world.

    Args:
        motion: what to write.
        path: ends in `.bvh`.
        person: which one, from 0; needed where there are several.
        fps: frames per second; the motion's own if None, else rotations are interpolated.
        skeleton: joint names: "smpl", "mixamo", "cmu" or "bandai".
        units: "cm" (usual) or "m".
        rotation_order: order of the rotation channels.

    Returns:
        The path.

    Raises:
        MotionLLMError: bad options, joints that no skeleton can follow, or the file cannot be written.
    """
    path = Path(path)
    alone = one_person(motion, person, path.name)
    text = build_bvh(solve_people(alone, fps, skeleton)[0], units, rotation_order)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="ascii", newline="\n")
    return path
