"""Frames of a recording that are no part of its motion: padding, and rest poses at its ends; and jumps within it."""

from collections.abc import Collection, Sequence

import numpy as np

from modeling_motionllm.motion_features import HUMANML3D

__all__ = ["jump_notes", "lost_frames", "padding", "rest_frames"]

_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
_SAME = 1e-4  # metres; equal frames differ by rounding only
_JUMP_OUT = 0.10  # metres; a body leaves its rest pose for the motion by at least that within a frame
_FASTEST = 8.0  # metres per second; out of a standing pose nothing starts faster
_FROZEN_JUMP = 0.5  # metres, likewise for frames that are no rest pose but equal
_TELEPORT = 1.0  # metres in a frame
_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
_SHORTEST, _LONGEST = 0.2, 4.0  # of a bone's usual length


def padding(joints: np.ndarray) -> tuple[int, int]:
    """How many frames at the front and at the end of joints (N, J, 3) are all zero or NaN; (N, 0) if every frame is."""
    filled = np.flatnonzero(np.nan_to_num(joints.reshape(len(joints), -1)).any(axis=1))
    return (len(joints), 0) if len(filled) == 0 else (int(filled[0]), len(joints) - 1 - int(filled[-1]))


def lost_frames(joints: np.ndarray, known: Collection[str]) -> np.ndarray:
    """Which frames hold no body, bool (N,), where others do: a bone of an arm or leg is far too long, or most are gone.

    Args:
        joints: (N, 22, 3), any unit.
        known: joints that are there.
    """
    long, short, bones = np.zeros(len(joints), bool), np.zeros(len(joints)), 0
    for side in ("left", "right"):
        for upper, lower in _LIMBS:
            if {f"{side}_{upper}", f"{side}_{lower}"} <= set(known):
                bone = joints[:, _INDEX[f"{side}_{upper}"]] - joints[:, _INDEX[f"{side}_{lower}"]]
                length = np.linalg.norm(bone, axis=-1)
                usual = float(np.median(length))
                long |= length > _LONGEST * usual
                short += length < _SHORTEST * usual
                bones += 1
    lost = long | (2 * short > bones)
    return lost if lost.mean() < 0.5 else np.zeros(len(joints), bool)


def rest_frames(joints: np.ndarray, fps: float, unturned: np.ndarray | None = None) -> int:
    """How many frames at the front are a rest pose that was put before the motion; those at the end, if reversed.

    Such frames are equal, stand with stretched arms or have all rotations zero, and the body jumps out of them: a
    recording that begins with a T-pose moves on from it without a jump.

    Args:
        joints: (N, 22, 3) metres, Y up.
        fps: frames per second.
        unturned: bool (N,), whether no joint is turned in a frame; where that is known.
    """
    if len(joints) < 3:
        return 0
    moved = np.abs(joints[1:] - joints[0]).max(axis=(1, 2)) > _SAME
    equal = 1 + int(moved.argmax()) if moved.any() else len(joints)
    if equal > len(joints) - 2:
        return 0
    jump, next_step = np.linalg.norm(np.diff(joints[equal - 1 : equal + 2], axis=0), axis=-1).max(-1)
    if jump < _JUMP_OUT or (jump < 3 * next_step and jump * fps < _FASTEST):
        return 0
    rests = (unturned is not None and bool(unturned[0])) or _is_t_pose(joints[0])
    return equal if rests or (equal > 2 and jump > _FROZEN_JUMP) else 0


def _is_t_pose(pose: np.ndarray) -> bool:
    """Both arms straight and level, (22, 3) metres, Y up."""
    for side in ("left", "right"):
        shoulder, elbow, wrist = (pose[_INDEX[f"{side}_{joint}"]] for joint in ("shoulder", "elbow", "wrist"))
        arm = wrist - shoulder
        reach = np.linalg.norm(arm)
        straight = reach > 0.97 * (np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))
        if not straight or abs(arm[1]) > 0.25 * reach:
            return False
    return True


def jump_notes(joints: np.ndarray, fps: float) -> Sequence[str]:
    """A line about the frames between which a joint goes more than a metre, if any; joints (N, 22, 3) metres."""
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=-1) if len(joints) > 1 else np.zeros(0)
    jumps = np.flatnonzero(steps > _TELEPORT)
    if len(jumps) == 0:
        return []
    where = ", ".join(f"{(frame + 1) / fps:.2f}" for frame in jumps[:3]) + (" ..." if len(jumps) > 3 else "")
    return [f"jumps by up to {steps.max():.1f} m within a frame, {len(jumps)} times, at {where} s"]
