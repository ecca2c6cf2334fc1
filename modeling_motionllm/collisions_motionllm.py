"""Bodies that run into each other: gaps between the people of a scene, and the share of frames where they overlap."""

from itertools import combinations

import numpy as np

from .body_motionllm import CAPSULES, LEFT_HEEL, body_points, body_scale
from .errors_motionllm import MotionLLMError

__all__ = ["OVERLAP_TOLERANCE", "body_gaps", "interpenetration_share"]

OVERLAP_TOLERANCE = 0.02  # metres that two bodies may sink into each other before it counts: skin and cloth give way
_REACH = 2.6  # metres between two roots from which adults cannot touch, arms and all
_EXACT = 0.5  # metres; below this a gap is measured, not only bounded
_PARTS = [part for part in CAPSULES if max(part.start, part.end) < LEFT_HEEL]  # heels are within the ankles' reach
_STARTS = np.array([capsule.start for capsule in _PARTS])
_ENDS = np.array([capsule.end for capsule in _PARTS])
_START_RADII = np.array([capsule.start_radius for capsule in _PARTS])
_END_RADII = np.array([capsule.end_radius for capsule in _PARTS])


def body_gaps(joints: np.ndarray) -> np.ndarray:
    """Smallest gap between the bodies of any two people, frame by frame.

    A body is the capsules that every picture shows (`body_motionllm`), sized by the person's bones.

    Args:
        joints: (P, T, 22, 3) metres, in one world.

    Returns:
        float64 (T,) metres; negative where bodies overlap, by the depth. Gaps that must be over half a metre are not
        measured out: there it is a lower bound, the distance of the roots less 2.6 m. Infinite for one person.

    Raises:
        MotionLLMError: wrong shape, or NaN.
    """
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 4 or joints.shape[2:] != (22, 3) or 0 in joints.shape:
        raise MotionLLMError(f"joints have shape {joints.shape}; give (people, frames, 22, 3)")
    if not np.isfinite(joints).all():
        raise MotionLLMError("joints hold values that are NaN or infinite; repair or cut these frames first")
    scales = np.array([body_scale(person) for person in joints])
    # Near the origin, where squared distances keep their digits.
    points = body_points(joints - joints[:1, :1, :1], scales[:, None, None])
    gaps = np.full(joints.shape[1], np.inf)
    for one, other in combinations(range(len(joints)), 2):
        reach = _REACH * max(scales[one], scales[other])
        apart = np.linalg.norm(joints[one, :, 0] - joints[other, :, 0], axis=-1) - reach
        near = apart < _EXACT * max(scales[one], scales[other])
        gap = apart
        gap[near] = _capsule_gap(points[one, near], points[other, near], scales[one], scales[other])
        gaps = np.minimum(gaps, gap)
    return gaps


def interpenetration_share(joints: np.ndarray) -> float:
    """Share of frames, 0 to 1, in which two people overlap by more than `OVERLAP_TOLERANCE`.

    Args:
        joints: (P, T, 22, 3) metres, in one world.

    Raises:
        MotionLLMError: wrong shape, or NaN.
    """
    return float((body_gaps(joints) < -OVERLAP_TOLERANCE).mean())


def _capsule_gap(one: np.ndarray, other: np.ndarray, one_scale: float, other_scale: float) -> np.ndarray:
    """Smallest gap (T,) between two bodies' capsules, of points (T, 30, 3) each."""
    here, there, distance = _nearest(one[:, _STARTS], one[:, _ENDS], other[:, _STARTS], other[:, _ENDS])
    widening = _END_RADII - _START_RADII
    radius = one_scale * (_START_RADII[:, None] + here * widening[:, None])
    other_radius = other_scale * (_START_RADII + there * widening)
    return (distance - radius - other_radius).min(axis=(1, 2))


def _nearest(
    start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest places of all pairs of N and M segments (T, N, 3) and (T, M, 3), some of which may be points.

    Returns the places, 0 to 1 from start to end, on the first and on the second segments, and their distance, all
    (T, N, M). Ericson 2004, Real-Time Collision Detection, 5.1.9; by dot products alone, so that no vector is made for
    a pair.
    """
    tiny = 1e-12
    along, other_along = end - start, other_end - other_start
    length, other_length = _dots(along, along)[..., None], _dots(other_along, other_along)[:, None]
    dot = _pairs(along, other_along)
    ahead = _dots(along, start)[..., None] - _pairs(along, other_start)
    other_ahead = _pairs(start, other_along) - _dots(other_start, other_along)[:, None]
    between = _dots(start, start)[..., None] + _dots(other_start, other_start)[:, None] - 2 * _pairs(start, other_start)

    spread = length * other_length - dot**2
    here = np.clip((dot * other_ahead - ahead * other_length) / np.maximum(spread, tiny), 0, 1) * (spread > tiny)
    there = np.clip((dot * here + other_ahead) / np.maximum(other_length, tiny), 0, 1) * (other_length > tiny)
    here = np.clip((dot * there - ahead) / np.maximum(length, tiny), 0, 1) * (length > tiny)
    square = between + here * (here * length + 2 * ahead) + there * (there * other_length - 2 * other_ahead)
    return here, there, np.sqrt(np.maximum(square - 2 * here * there * dot, 0))


def _dots(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("tnc,tnc->tn", one, other)


def _pairs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one @ other.transpose(0, 2, 1)
