"""The body that every picture shows: capsules around the 22 joints, with hands, toes, heels and a head added."""

from dataclasses import dataclass

import numpy as np

__all__ = ["CAPSULES", "NUM_POINTS", "PARENTS", "Capsule", "body_points", "body_scale", "point_radii"]

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)

# Points beyond the 22 joints, in the order that body_points appends them.
HEAD, LEFT_HAND, RIGHT_HAND, LEFT_TOES, RIGHT_TOES, NOSE, LEFT_HEEL, RIGHT_HEEL = range(22, 30)
NUM_POINTS = 30
_REFERENCE_BONES = 4.9  # metres of bone in an adult of 1.7 m; body radii below are for that adult


@dataclass(frozen=True)
class Capsule:
    """A tapered tube between two points; a sphere where both are one.

    Args:
        start: index of the first point.
        end: index of the second point.
        start_radius: metres, for an adult of 1.7 m.
        end_radius: metres, likewise.
        side: "left", "right" or "middle"; chooses the tone.
        trunk: part of the trunk, whose capsules melt into one shape.
    """

    start: int
    end: int
    start_radius: float
    end_radius: float
    side: str
    trunk: bool = False


def _both_sides(start: int, end: int, start_radius: float, end_radius: float, step: tuple[int, int]) -> list[Capsule]:
    """A limb of the left body half and its counterpart, whose indices lie `step` further on."""
    return [
        Capsule(start, end, start_radius, end_radius, "left"),
        Capsule(start + step[0], end + step[1], start_radius, end_radius, "right"),
    ]


CAPSULES: tuple[Capsule, ...] = (
    Capsule(0, 3, 0.1, 0.102, "middle", trunk=True),
    Capsule(3, 6, 0.102, 0.11, "middle", trunk=True),
    Capsule(6, 9, 0.11, 0.122, "middle", trunk=True),
    Capsule(9, 12, 0.112, 0.058, "middle", trunk=True),
    Capsule(12, 15, 0.054, 0.05, "middle", trunk=True),
    Capsule(0, 1, 0.094, 0.076, "middle", trunk=True),
    Capsule(0, 2, 0.094, 0.076, "middle", trunk=True),
    Capsule(13, 16, 0.074, 0.058, "middle", trunk=True),
    Capsule(14, 17, 0.074, 0.058, "middle", trunk=True),
    Capsule(HEAD, HEAD, 0.108, 0.108, "middle"),
    Capsule(NOSE, NOSE, 0.024, 0.024, "middle"),
    *_both_sides(1, 4, 0.084, 0.058, (1, 1)),
    *_both_sides(4, 7, 0.057, 0.038, (1, 1)),
    *_both_sides(7, 10, 0.041, 0.034, (1, 1)),
    *_both_sides(10, LEFT_TOES, 0.034, 0.026, (1, 1)),
    *_both_sides(7, LEFT_HEEL, 0.038, 0.031, (1, 1)),
    *_both_sides(LEFT_HEEL, 10, 0.031, 0.034, (1, 1)),
    *_both_sides(16, 18, 0.05, 0.039, (1, 1)),
    *_both_sides(18, 20, 0.039, 0.029, (1, 1)),
    *_both_sides(20, LEFT_HAND, 0.034, 0.03, (1, 1)),
)


def point_radii() -> np.ndarray:
    """Largest radius around each point, float64 (30,), in metres for an adult of 1.7 m."""
    radii = np.zeros(NUM_POINTS)
    for capsule in CAPSULES:
        radii[capsule.start] = max(radii[capsule.start], capsule.start_radius)
        radii[capsule.end] = max(radii[capsule.end], capsule.end_radius)
    return radii


def body_scale(joints: np.ndarray) -> float:
    """Size of one person relative to an adult of 1.7 m, from the bone lengths.

    Args:
        joints: (T, 22, 3), metres.
    """
    bones = np.linalg.norm(joints[:, 1:] - joints[:, list(PARENTS[1:])], axis=-1)
    total = float(np.median(bones, axis=0).sum())
    return float(np.clip(total / _REFERENCE_BONES, 0.05, 20.0))


def _unit(vectors: np.ndarray, fallback: tuple[float, float, float]) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), np.array(fallback))


def body_points(joints: np.ndarray, scale: float | np.ndarray) -> np.ndarray:
    """Joints with the points added that SMPL-22 lacks: middle of the head, hands, toes, nose, heels.

    Args:
        joints: (..., 22, 3), metres.
        scale: size of the person as `body_scale` gives it; an array must broadcast against `joints[..., 0, :]`.

    Returns:
        float64 (..., 30, 3): the 22 joints unchanged, then the eight extra points.
    """
    joints = np.asarray(joints, dtype=np.float64)
    up = _unit(joints[..., 15, :] - joints[..., 12, :], (0.0, 1.0, 0.0))
    head = joints[..., 15, :] + 0.085 * scale * _unit(up + np.array([0.0, 0.6, 0.0]), (0.0, 1.0, 0.0))
    across = _unit(joints[..., 16, :] - joints[..., 17, :], (1.0, 0.0, 0.0))
    nose = head + 0.108 * scale * _unit(np.cross(across, up), (0.0, 0.0, 1.0))
    extra = [head]
    for wrist, elbow in ((20, 18), (21, 19)):
        forearm = _unit(joints[..., wrist, :] - joints[..., elbow, :], (0.0, -1.0, 0.0))
        extra.append(joints[..., wrist, :] + 0.085 * scale * forearm)
    for ball, ankle in ((10, 7), (11, 8)):
        foot = (joints[..., ball, :] - joints[..., ankle, :]) * np.array([1.0, 0.25, 1.0])
        extra.append(joints[..., ball, :] + 0.055 * scale * _unit(foot, (0.0, 0.0, 1.0)))
    extra.append(nose)
    for ball, ankle, knee in ((10, 7, 4), (11, 8, 5)):
        ahead = _unit(joints[..., ball, :] - joints[..., ankle, :], (0.0, 0.0, 1.0))
        shin = joints[..., knee, :] - joints[..., ankle, :]
        above = _unit(shin - (shin * ahead).sum(-1, keepdims=True) * ahead, (0.0, 1.0, 0.0))
        extra.append(joints[..., ankle, :] - scale * (0.024 * ahead + 0.066 * above))
    return np.concatenate([joints, np.stack(extra, axis=-2)], axis=-2)
