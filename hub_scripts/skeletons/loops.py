"""Loops: the part of a motion whose end comes closest to its beginning, with an end that meets it."""

from dataclasses import dataclass

import numpy as np

from modeling_motionllm.fixed_body_motionllm import fixed_body
from modeling_motionllm.motion_features import HUMANML3D
from modeling_motionllm.placement_motionllm import turned
from modeling_motionllm.planted_feet_motionllm import plant_feet

from .paths import floor_path, headings, without_path
from .seams import bone_lengths, carried, fade_over, lead_to, placed, with_bones

__all__ = ["Loop", "close_loop", "loop_error"]

_BLEND_SECONDS = 0.6  # at the beginning of a loop, in which the pose and velocity of its end fade out
_VELOCITY_SECONDS = 0.15  # what a difference in speed counts as a difference in place
_SHORTER_COST = 0.06  # metres of mean distance that half of the motion is worth
_TURN_COST, _WAY_COST = 0.1, 0.3  # metres of mean distance for a radian, and for a metre of way, that have to be bent
_STAYS = 0.3  # metres; a motion whose end is that near has feet that stand on the same spots all the time
_COPIES = 3  # of a loop one after another: the feet of the middle one do not know where they begin


@dataclass(frozen=True)
class Loop:
    """A part of a motion that can be played again and again.

    Args:
        joints: float64 (T, 22, 3); the last frame is the first one.
        path: float64 (T, 2), x and z of the path that was taken out of it, metres; None where it was left in.
        first: frame of the motion that it begins with.
        apart: largest distance between joints of its last and its first pose before they were led to meet, metres.
        way: metres from its first frame to its last before that.
        turn: radians that the person turned by, from its first frame to its last, before that.
    """

    joints: np.ndarray
    path: np.ndarray | None
    first: int
    apart: float
    way: float
    turn: float


def close_loop(joints: np.ndarray, fps: float, in_place: bool) -> Loop:
    """The best loop in a motion.

    It begins in the first third of the motion and ends in the last third, where poses and velocities come closest, and
    long ones are preferred. Over all of it the way is bent so that the end faces where the beginning faces, and without
    `in_place` so that it ends where it begins. In its first 0.6 s it takes over from the pose and velocity of its end.
    Feet that stand do not slide, at the seam neither, and bones keep their lengths.

    Args:
        joints: (T, 22, 3), metres, feet on the floor, of one second or more.
        fps: frames per second.
        in_place: take the path out, so that a walk can be a loop.
    """
    joints = np.asarray(joints, dtype=np.float64)
    facing = headings(joints)
    first, last = _best_ends(joints, facing, fps, in_place)
    part = joints[first : last + 1]
    turn = float(np.remainder(facing[last] - facing[first] + np.pi, 2 * np.pi) - np.pi)
    way = float(np.linalg.norm(part[-1, 0, [0, 2]] - part[0, 0, [0, 2]]))
    apart = loop_error(np.stack([_in_own_frame(part[-1:])[0], _in_own_frame(part[:1])[0]]))[0]
    if in_place and way > _STAYS:
        part = _unrolled(part, -turn)
        part = lead_to(part, carried(part[:1], *placed(part[-1:])[:2], placed(part[:1])[2])[0])
    else:
        part = lead_to(part, part[0])
    step = part[-1, 0] - part[0, 0]
    step[1] = 0.0
    frames = max(1, min(round(_BLEND_SECONDS * fps), len(part) - 1))
    part = fade_over(part, part + step, frames) - step
    part = with_bones(part, np.tile(bone_lengths(joints[first]), (len(part), 1)))
    rounds = np.concatenate([part[:-1] + number * step for number in range(_COPIES)])
    length, middle = len(part) - 1, _COPIES // 2
    planted = fixed_body(plant_feet(rounds, fps), fps)
    looped = planted[middle * length : (middle + 1) * length + 1] - middle * step
    path = floor_path(looped, fps, periodic=True) if in_place else None
    if path is not None:
        looped = without_path(looped, path)
        path = path - path[:1]
    return Loop(looped, path, first, apart, way, turn)


def loop_error(joints: np.ndarray) -> tuple[float, float]:
    """How far the last pose of a motion (T, 22, 3) is from its first: the largest distance of a joint, metres, and the
    largest angle of a bone, degrees."""
    first, last = (np.asarray(pose, dtype=np.float64) for pose in (joints[0], joints[-1]))
    bones = [(pose[1:] - pose[list(HUMANML3D.parents[1:])]) for pose in (first, last)]
    first_bones, last_bones = (bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9) for bone in bones)
    half = np.linalg.norm(first_bones - last_bones, axis=-1) / 2
    angle = 2 * np.degrees(np.arcsin(np.clip(half, 0.0, 1.0)))
    return float(np.linalg.norm(first - last, axis=-1).max()), float(angle.max())


def _in_own_frame(joints: np.ndarray) -> np.ndarray:
    """Each pose (T, 22, 3) facing +Z, with its root above the origin."""
    around = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    x, z = turned(around[..., 0], around[..., 2], -headings(joints)[:, None])
    return np.stack([x, around[..., 1], z], axis=-1)


def _best_ends(joints: np.ndarray, facing: np.ndarray, fps: float, in_place: bool) -> tuple[int, int]:
    """The first and the last frame of the best loop."""
    poses = _in_own_frame(joints)
    velocities = np.gradient(poses, axis=0) * fps * _VELOCITY_SECONDS
    flat = np.concatenate([poses, velocities], axis=1).reshape(len(joints), -1)
    third = max(1, len(joints) // 3)
    begin, end = np.arange(third), np.arange(len(joints) - third, len(joints))
    square = (flat[begin] ** 2).sum(-1)[:, None] + (flat[end] ** 2).sum(-1) - 2 * flat[begin] @ flat[end].T
    cost = np.sqrt(np.maximum(square, 0.0) / joints.shape[1])
    turn = np.remainder(facing[end] - facing[begin][:, None] + np.pi, 2 * np.pi) - np.pi
    cost += _TURN_COST * np.abs(turn)
    cost += 2 * _SHORTER_COST * (1 - (end - begin[:, None]) / len(joints))
    if not in_place:
        root = joints[:, 0, [0, 2]]
        cost += _WAY_COST * np.linalg.norm(root[end] - root[begin][:, None], axis=-1)
    best = np.unravel_index(int(cost.argmin()), cost.shape)
    return int(begin[best[0]]), int(end[best[1]])


def _unrolled(joints: np.ndarray, turn: float) -> np.ndarray:
    """A motion that turns by `turn` radians more, little by little, and goes where it then faces."""
    share = np.linspace(0.0, turn, len(joints))
    steps = np.diff(joints[:, 0, [0, 2]], axis=0)
    led = turned(steps[:, 0], steps[:, 1], (share[1:] + share[:-1]) / 2).T
    root = joints[:1, 0, [0, 2]] + np.concatenate([np.zeros((1, 2)), np.cumsum(led, axis=0)])
    around = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    x, z = turned(around[..., 0], around[..., 2], share[:, None])
    return np.stack([x + root[:, :1], around[..., 1], z + root[:, 1:]], axis=-1)
