"""The hinges of elbows and knees: about which axis a limb bends, over a whole clip."""

import numpy as np

from .rotations import rotate, swing

__all__ = ["hinge_axes"]

# Weights of what may be known of a hinge, against 1 for a limb bent at a right angle: the rest pose, the foot, and (at
# 20 fps) the frames around.
_PRIOR, _FOOT, _INERTIA = 0.03, 0.15, 0.1


def _solve_chain(system: tuple[np.ndarray, np.ndarray, np.ndarray], right: np.ndarray) -> np.ndarray:
    """Solve Hermitian tridiagonal systems (T, L), one a column: diagonal, the (T-1, L) below it; right-hand side."""
    diagonal, below, above = system
    count = len(diagonal)
    pivot, value = diagonal.astype(complex), right.astype(complex)
    for row in range(1, count):
        factor = below[row - 1] / pivot[row - 1]
        pivot[row] -= factor * above[row - 1]
        value[row] -= factor * value[row - 1]
    value[-1] /= pivot[-1]
    for row in range(count - 2, -1, -1):
        value[row] = (value[row] - above[row] * value[row + 1]) / pivot[row]
    return value


def _ease(step: np.ndarray, weight: np.ndarray, agreement: np.ndarray, inertia: np.ndarray) -> np.ndarray:
    """Angles (T, L), radians, to add so that steps (T-1, L) between frames that agree on no axis become small ones.

    Args:
        step: how far the axis turns from one frame to the next, radians.
        weight: (T, L), how well the axis is known in each frame.
        agreement: (T, L), 0 to 1, how well that agrees with the frames around.
        inertia: (T-1, L), weight of the steps.
    """
    agreement = agreement.clip(0.0, 1.0)
    inertia = inertia * (1.0 - np.minimum(agreement[1:], agreement[:-1]))
    diagonal, right = weight * agreement**2 + 1e-9, np.zeros_like(weight)
    diagonal[1:] += inertia
    diagonal[:-1] += inertia
    right[1:] -= inertia * step
    right[:-1] += inertia * step
    return _solve_chain((diagonal, -inertia, -inertia), right).real


def hinge_axes(
    upper: np.ndarray, lower: np.ndarray, foot: np.ndarray, rest: np.ndarray, rest_axis: np.ndarray, fps: float
) -> np.ndarray:
    """Axes about which limbs bend, continuous over time.

    Minimises, over a unit complex number per frame (the axis in the plane across the upper bone), the weighted squared
    distance to what elbow or knee, foot and rest pose say, plus the squared change against the axis of the frame before
    carried along by the bone. The linear system leaves numbers smaller than 1 where these disagree; where it runs
    through 0 (a straight elbow that bends to the wrong side for a moment), the axis would turn round within a frame, so
    that turn is shared out among the frames around.

    Args:
        upper: (T, L, 3), unit directions of the upper bones, seen from the joint they hang on.
        lower: likewise, of the lower bones.
        foot: likewise, of the feet; zero for arms.
        rest: (L, 3), direction of the upper bone in the T-pose.
        rest_axis: (L, 3), axis of the hinge in the T-pose.
        fps: frames per second.

    Returns:
        (T, L, 3), unit, at right angles to `upper`.
    """
    first = rotate(swing(np.broadcast_to(rest, upper.shape), upper), rest_axis)
    second = np.cross(upper, first)

    def seen(axis: np.ndarray) -> np.ndarray:
        """`axis` as a complex number; its size is that of its part across the upper bone."""
        return (axis * first).sum(axis=-1) + 1j * (axis * second).sum(axis=-1)

    bend = seen(np.cross(upper, lower))
    bend_weight = np.abs(bend) ** 2
    toes = seen(np.cross(foot, lower))
    toes_weight = _FOOT * np.abs(toes) ** 2 * np.clip(1.0 - bend_weight, 0.0, 1.0)
    prior_weight = _PRIOR * ((1.0 + (upper * rest).sum(axis=-1)) / 2.0) ** 2
    known = bend * np.abs(bend) + toes * toes_weight / np.maximum(np.abs(toes), 1e-12) + prior_weight
    if len(upper) == 1:
        chosen = known
    else:
        carried = rotate(swing(upper[:-1], upper[1:]), first[:-1])
        carry = (carried * first[1:]).sum(axis=-1) + 1j * (carried * second[1:]).sum(axis=-1)
        inertia = _INERTIA * (fps / 20.0) ** 2 * (1.0 + (upper[1:] * upper[:-1]).sum(axis=-1)) / 2.0
        diagonal = bend_weight + toes_weight + prior_weight + 1e-9
        diagonal[1:] += inertia
        diagonal[:-1] += inertia
        chosen = _solve_chain((diagonal, -inertia * carry, -inertia * carry.conj()), known)
        step = np.angle(chosen[1:] * np.conj(carry * chosen[:-1]))
        chosen = chosen * np.exp(1j * _ease(step, bend_weight + toes_weight + prior_weight, np.abs(chosen), inertia))
    size = np.abs(chosen)
    chosen = np.where(size > 1e-12, chosen / np.maximum(size, 1e-12), 1.0)
    return chosen.real[..., None] * first + chosen.imag[..., None] * second
