"""Rotations as unit quaternions (w, x, y, z), batched over leading dimensions, in float64."""

import numpy as np
from scipy.spatial.transform import Rotation

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "ROTATION_ORDERS",
    "align_signs",
    "conjugate",
    "euler_angles",
    "from_matrix",
    "multiply",
    "rotate",
    "slerp",
    "swing",
    "to_matrix",
]

ROTATION_ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
_TINY = 1e-12
_GIMBAL = 1e-5  # cosine of the middle angle below which the outer two cannot be told apart


def _quaternions(rotation: Rotation) -> np.ndarray:
    return np.asarray(rotation.as_quat(scalar_first=True))


def _rotations(quaternions: np.ndarray) -> Rotation:
    return Rotation.from_quat(quaternions, scalar_first=True)


def multiply(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Product: the rotation that applies `second`, then `first`; (..., 4) each, broadcast."""
    return _quaternions(_rotations(first) * _rotations(second))


def conjugate(rotation: np.ndarray) -> np.ndarray:
    """The inverse rotation, (..., 4)."""
    return rotation * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(rotation: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """`vectors` (..., 3) turned by `rotation` (..., 4), broadcast."""
    return np.asarray(_rotations(rotation).apply(vectors))


def to_matrix(rotation: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) that turn column vectors."""
    return np.asarray(_rotations(rotation).as_matrix())


def from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) of rotation matrices (..., 3, 3)."""
    return _quaternions(Rotation.from_matrix(matrix))


def swing(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation that takes unit vectors `start` (..., 3) to `end`; half a turn where they are opposite."""
    start, end = np.broadcast_arrays(start, end)
    real = 1.0 + (start * end).sum(axis=-1, keepdims=True)
    rotation = np.concatenate([real, np.cross(start, end)], axis=-1)
    least = np.abs(start).argmin(axis=-1)
    across = np.cross(start, np.eye(3)[least])
    half_turn = np.concatenate([np.zeros_like(real), across], axis=-1)
    rotation = np.where(real > _TINY, rotation, half_turn)
    return rotation / np.linalg.norm(rotation, axis=-1, keepdims=True)


def align_signs(rotation: np.ndarray) -> np.ndarray:
    """Of q and -q, the same rotation, the one nearer to the frame before; (T, ..., 4), the first with w >= 0."""
    flips = (rotation[1:] * rotation[:-1]).sum(axis=-1) < 0
    first = rotation[:1, ..., 0] < 0
    odd = np.cumsum(np.concatenate([first, flips]), axis=0) % 2
    return rotation * (1.0 - 2.0 * odd)[..., None]


def slerp(first: np.ndarray, second: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """From `first` (share 0) to `second` (share 1), (..., 4), the shorter way at constant speed.

    `share` is broadcast against `first[..., 0]`.
    """
    step = _rotations(multiply(conjugate(first), second)).as_rotvec()
    return multiply(first, _quaternions(Rotation.from_rotvec(np.asarray(share)[..., None] * step)))


def _hold(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """`values` (T, ...) where `known`, else those of the last frame that is (or of the first; 0 if none is)."""
    frames = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    last = np.maximum.accumulate(np.where(known, frames, -1), axis=0)
    held = np.take_along_axis(values, np.where(last < 0, known.argmax(axis=0), last), axis=0)
    return np.where(known.any(axis=0), held, 0.0)


def euler_angles(rotation: np.ndarray, order: str = "ZXY") -> np.ndarray:
    """Continuous Euler angles of rotations over time.

    Args:
        rotation: (T, ..., 4).
        order: of `ROTATION_ORDERS`; R = R_first R_second R_third, as BVH applies its channels.

    Returns:
        (T, ..., 3) radians in that order; of all equivalent angles those nearest to the frame before, so that they
        run on past 180 degrees and change only where the rotation does (or the middle angle is near 90 degrees).

    Raises:
        MotionLLMError: no such order.
    """
    if order not in ROTATION_ORDERS:
        raise MotionLLMError(f"rotation order is '{order}'; choose one of {', '.join(ROTATION_ORDERS)}")
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    matrix = to_matrix(rotation)
    known = np.hypot(matrix[..., j, k], matrix[..., k, k]) > _GIMBAL
    outer = _hold(np.arctan2(-sign * matrix[..., j, k], matrix[..., k, k]), known)
    rest = Rotation.from_euler(order[0], -outer[..., None]).as_matrix() @ matrix
    middle = np.arctan2(sign * rest[..., i, k], rest[..., k, k])
    inner = np.arctan2(sign * rest[..., j, i], rest[..., j, j])
    angles = np.stack([outer, middle, inner], axis=-1)
    # The other solution is (a + 180, 180 - b, c + 180). Which of the two is nearer to the frame before does not depend
    # on which one that frame took, so the choice is a running parity.
    other = np.stack([outer + np.pi, np.pi - middle, inner + np.pi], axis=-1)

    def distance(later: np.ndarray) -> np.ndarray:
        return np.abs((later[1:] - angles[:-1] + np.pi) % (2.0 * np.pi) - np.pi).sum(axis=-1)

    flips = distance(other) < distance(angles)
    odd = np.concatenate([np.zeros((1, *flips.shape[1:])), np.cumsum(flips, axis=0) % 2])
    return np.unwrap(np.where(odd[..., None] == 1, other, angles), axis=0)
