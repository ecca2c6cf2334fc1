"""Where one motion of a person meets another: carrying it there, and fading from the one into the other."""

from dataclasses import replace

import numpy as np

from modeling_motionllm.motion_features import HUMANML3D, canonicalize_joints, motion_start
from modeling_motionllm.placement_motionllm import turned

__all__ = ["bone_lengths", "carried", "fade_over", "lead_to", "on_body", "placed", "with_bones"]


def fade_over(first: np.ndarray, second: np.ndarray, frames: int) -> np.ndarray:
    """The second motion with the pose and velocity that the first ends with, which fade out.

    Args:
        first, second: (T, 22, 3) and (T', 22, 3) in one world, T and T' at least 2; the first frame of the second falls
            on the last of the first.
        frames: how long it takes.

    Returns:
        (T', 22, 3).
    """
    jump = first[-1] - second[0]
    speed_change = (first[-1] - first[-2]) - (second[1] - second[0])
    share = (np.minimum(np.arange(len(second)), frames) / frames)[:, None, None]
    left_over = (1 + 2 * share) * (1 - share) ** 2 * jump + frames * share * (1 - share) ** 2 * speed_change
    return second + left_over


def placed(frame: np.ndarray) -> tuple[float, float, float]:
    """Root x, z and heading of one frame (1, 22, 3)."""
    x, z, heading, _ = motion_start(np.asarray(frame, dtype=np.float64))
    return float(x), float(z), float(heading)


def carried(joints: np.ndarray, x: float, z: float, heading: float) -> np.ndarray:
    """A motion moved and turned as a whole, so that its first frame is at x, z and faces `heading`."""
    from_x, from_z, from_heading = placed(joints[:1])
    left, ahead = turned(joints[..., 0] - from_x, joints[..., 2] - from_z, heading - from_heading)
    return np.stack([left + x, joints[..., 1], ahead + z], axis=-1)


def bone_lengths(pose: np.ndarray) -> np.ndarray:
    """Lengths (22,) of the bones of a pose (22, 3), 0 for the root."""
    bones = pose[1:] - pose[list(HUMANML3D.parents[1:])]
    return np.concatenate([[0.0], np.linalg.norm(bones, axis=-1)])


def with_bones(joints: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Poses (..., 22, 3) with bones of these lengths (..., 22); roots and the directions of all bones stay."""
    result = np.array(joints, dtype=np.float64)
    for joint, parent in enumerate(HUMANML3D.parents[1:], start=1):
        bone = joints[..., joint, :] - joints[..., parent, :]
        size = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
        result[..., joint, :] = result[..., parent, :] + bone / size * lengths[..., joint, None]
    return result


def on_body(joints: np.ndarray, pose: np.ndarray, floor: float) -> np.ndarray:
    """A motion as somebody else's, who stands elsewhere: on the bones of that body, beginning where it is.

    Args:
        joints: (T, 22, 3).
        pose: (22, 3) of the other body.
        floor: height that its feet stand on, metres.

    Returns:
        float64 (T, 22, 3), from the place of `pose` on, facing where it faces.
    """
    body = replace(HUMANML3D, bone_lengths=tuple(bone_lengths(pose).tolist()))
    there = carried(canonicalize_joints(joints.astype(np.float64), body), *placed(pose[None]))
    return there + np.array([0.0, floor, 0.0])


def lead_to(joints: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """A motion whose way is bent little by little, so that it ends where a pose is and faces where that faces.

    Args:
        joints: (T, 22, 3).
        pose: (22, 3).
    """
    (x, z, heading), (to_x, to_z, to_heading) = placed(joints[-1:]), placed(pose[None])
    share = np.linspace(0.0, 1.0, len(joints))
    share = (share**2 * (3 - 2 * share))[:, None]
    turn = np.remainder(to_heading - heading + np.pi, 2 * np.pi) - np.pi
    root = joints[:, :1]
    around = joints - root
    left, ahead = turned(around[..., 0], around[..., 2], share * turn)
    way = np.concatenate([share * (to_x - x), np.zeros_like(share), share * (to_z - z)], axis=-1)[:, None]
    return root + way + np.stack([left, around[..., 1], ahead], axis=-1)
