"""Rotations as unit quaternions (w, x, y, z), batched over leading dimensions, in float64."""

import numpy as np

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


def multiply(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Product: the rotation that applies `second`, then `first`; (..., 4) each, broadcast."""
    w1, x1, y1, z1 = np.moveaxis(first, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        axis=-1,
    )


def conjugate(rotation: np.ndarray) -> np.ndarray:
    """The inverse rotation, (..., 4)."""
    return rotation * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(rotation: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """`vectors` (..., 3) turned by `rotation` (..., 4), broadcast."""
    axis = rotation[..., 1:]
    twice = 2.0 * np.cross(axis, vectors)
    return vectors + rotation[..., :1] * twice + np.cross(axis, twice)


def to_matrix(rotation: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) that turn column vectors."""
    return np.stack([rotate(rotation, axis) for axis in np.eye(3)], axis=-1)


def from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) of rotation matrices (..., 3, 3), by the largest of the four components (Shepperd 1978)."""
    m = matrix
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = np.stack([trace, m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    x, y, z = (m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1])
    xy, xz, yz = (m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1])
    # Four times q q^T; its row with the largest diagonal is the quaternion up to its length.
    diagonal = 1.0 + 2.0 * squares - trace[..., None]
    diagonal[..., 0] = 1.0 + trace
    rows = np.stack(
        [
            np.stack([diagonal[..., 0], x, y, z], axis=-1),
            np.stack([x, diagonal[..., 1], xy, xz], axis=-1),
            np.stack([y, xy, diagonal[..., 2], yz], axis=-1),
            np.stack([z, xz, yz, diagonal[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = squares.argmax(axis=-1)[..., None, None]
    row = np.take_along_axis(rows, best, axis=-2)[..., 0, :]
    return row / np.linalg.norm(row, axis=-1, keepdims=True)


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
    """From `first` (share 0) to `second` (share 1), (..., 4), along the great arc between the two as their signs are.

    With signs as `align_signs` leaves them that is the shorter way. `share` is broadcast against `first[..., 0]`.
    """
    share = np.asarray(share)[..., None]
    cosine = np.clip((first * second).sum(axis=-1, keepdims=True), -1.0, 1.0)
    angle = np.arccos(cosine)
    sine = np.sin(angle)
    near = sine < 1e-6
    safe = np.where(near, 1.0, sine)
    before = np.where(near, 1.0 - share, np.sin((1.0 - share) * angle) / safe)
    after = np.where(near, share, np.sin(share * angle) / safe)
    mixed = before * first + after * second
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) of rotations about a coordinate axis."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., second, first] = np.sin(angle)
    matrix[..., first, second] = -matrix[..., second, first]
    return matrix


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
    rest = np.swapaxes(_about(i, outer), -1, -2) @ matrix
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
