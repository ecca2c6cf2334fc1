"""The path of a person over the floor: taking it out of a motion, and bending it to a place or a heading."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from modeling_motionllm.fixed_body_motionllm import fixed_body
from modeling_motionllm.motion_features import HUMANML3D, motion_start
from modeling_motionllm.placement_motionllm import turned
from modeling_motionllm.planted_feet_motionllm import plant_feet

__all__ = ["Bend", "bend_path", "floor_path", "headings", "without_path"]

_SWAY = 0.25  # seconds, standard deviation of what tells the path from the sway of the hips
_STEP = 0.15  # the same for how fast a turn may set in
_LEAST_SCALE, _MOST_SCALE = 0.75, 1.3  # of the stride, which legs still follow
_EARLY, _LATE = 0.4, 0.2  # shares of the way, at its beginning and end: to turn to a place, and to a heading
_TURN_COST, _SCALE_COST = 0.05, 0.15  # metres of miss that a radian, or a stride e times as long, is worth
_TURNS = np.radians(np.arange(-240.0, 241.0, 2.0))
_TOES = (HUMANML3D.feet[1], HUMANML3D.feet[3])


def headings(joints: np.ndarray) -> np.ndarray:
    """Where a person (T, 22, 3) faces in each frame: radians (T,) from +Z towards +X, without jumps."""
    return np.unwrap(motion_start(np.asarray(joints, dtype=np.float64)[:, None])[:, 2])


def floor_path(joints: np.ndarray, fps: float, periodic: bool = False) -> np.ndarray:
    """The path of the root over the floor without the sway of the hips, float64 (T, 2): x and z, metres.

    Args:
        joints: (T, 22, 3), metres.
        fps: frames per second.
        periodic: the motion goes on with its first frame after its last, which are the same pose; the path does so too.
    """
    root = np.asarray(joints[:, 0, [0, 2]], dtype=np.float64)
    last = max(len(root) - 1, 1)
    reach = max(1, round(4 * _SWAY * fps))
    frames = np.arange(-reach, len(root) + reach)
    if periodic:
        rounds, place = np.divmod(frames, last)
        longer = root[place] + rounds[:, None] * (root[-1] - root[0])
    else:  # turned about both ends, so that the path ends where the root does
        end = np.clip(frames, 0, len(root) - 1)
        place = np.clip(2 * end - frames, 0, len(root) - 1)
        longer = np.where((end == frames)[:, None], root[end], 2 * root[end] - root[place])
    return gaussian_filter1d(longer, _SWAY * fps, axis=0, mode="nearest")[reach:-reach]


def without_path(joints: np.ndarray, path: np.ndarray) -> np.ndarray:
    """A motion (T, 22, 3) without its path (T, 2): it stays where the path is at its first frame."""
    moved = np.array(joints, dtype=np.float64)
    moved[..., [0, 2]] -= (path - path[:1])[:, None]
    return moved


@dataclass(frozen=True)
class Bend:
    """A motion whose path was bent.

    Args:
        joints: float64 (T, 22, 3).
        miss: metres from the end of its path to where it was to lead; 0 where that was not asked.
        turn: radians by which its last heading was turned.
        scale: of the lengths of its steps.
    """

    joints: np.ndarray
    miss: float
    turn: float
    scale: float

    @property
    def cost(self) -> float:
        """How far it is from what was asked and from how it was drawn, metres."""
        return self.miss + _TURN_COST * abs(self.turn) + _SCALE_COST * abs(np.log(self.scale))


def bend_path(
    joints: np.ndarray,
    fps: float,
    to: tuple[float, float] | None = None,
    heading: float | None = None,
    cut: bool = False,
) -> Bend:
    """A motion whose path leads to a place, or that ends with a heading, as far as the way that it goes can.

    It begins as it did. From there the person turns a little more, or less, with every step, and walks where they turn
    to; steps get longer or shorter by a quarter at most. Feet that stood stay where they are, and bones keep their
    lengths.

    Args:
        joints: (T, 22, 3), metres, feet on the floor; it starts at the origin, facing +Z.
        fps: frames per second.
        to: x and z of the end of its path, metres.
        heading: of its last frame, radians from +Z towards +X.
        cut: leave out what comes after the place is reached, rather than take shorter steps.
    """
    joints = np.asarray(joints, dtype=np.float64)
    if to is not None and cut:
        joints = joints[: _reached(joints, np.hypot(*to), fps)]
    progress = _progress(joints, fps)
    facing = headings(joints)
    left = 0.0 if heading is None else heading - facing[-1]
    steps = np.diff(joints[:, 0, [0, 2]], axis=0)

    def turns(first: np.ndarray) -> np.ndarray:
        """Radians (N, T) that each frame is turned by, where the goal asks for `first` (N,)."""
        last = _half_turn(left - first)[:, None] if heading is not None else np.zeros((len(first), 1))
        if to is None:
            return (first[:, None] + last) * progress
        early, late = _smooth(progress / _EARLY), _smooth((progress - 1 + _LATE) / _LATE)
        return first[:, None] * early + last * late

    if to is None:
        first, scale, miss = np.zeros(1), 1.0, 0.0
    else:
        goal = np.array(to) - joints[0, 0, [0, 2]]
        ends = np.stack([_led(steps, some).sum(0) for some in turns(_TURNS)])
        scales = (ends @ goal / np.maximum((ends**2).sum(-1), 1e-12)).clip(_LEAST_SCALE, _MOST_SCALE)
        misses = np.linalg.norm(scales[:, None] * ends - goal, axis=-1)
        costs = misses + _TURN_COST * np.abs(_TURNS) + _SCALE_COST * np.abs(np.log(scales))
        first, scale, miss = _finest(int(costs.argmin()), steps, goal, turns)
    turn = turns(first)[0]
    root = joints[:1, 0, [0, 2]] + scale * np.concatenate([np.zeros((1, 2)), np.cumsum(_led(steps, turn), axis=0)])
    around = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    x, z = turned(around[..., 0], around[..., 2], turn[:, None])
    bent = np.stack([x + root[:, :1], around[..., 1], z + root[:, 1:]], axis=-1)
    planted = fixed_body(plant_feet(bent, fps, stands_of=joints), fps)
    return Bend(planted, float(miss), float(turn[-1]), float(scale))


def _finest(
    best: int, steps: np.ndarray, goal: np.ndarray, turns: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, float, float]:
    """The turn near `_TURNS[best]` whose path ends nearest to the goal, with its scale and miss."""
    fine = _TURNS[best] + np.radians(np.linspace(-2.0, 2.0, 81))
    ends = np.stack([_led(steps, some).sum(0) for some in turns(fine)])
    scales = (ends @ goal / np.maximum((ends**2).sum(-1), 1e-12)).clip(_LEAST_SCALE, _MOST_SCALE)
    misses = np.linalg.norm(scales[:, None] * ends - goal, axis=-1)
    place = int(misses.argmin())
    return fine[place : place + 1], float(scales[place]), float(misses[place])


def _led(steps: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Steps (T - 1, 2), each turned as far as the frames around it (T,) are."""
    return turned(steps[:, 0], steps[:, 1], (turn[1:] + turn[:-1]) / 2).T


def _progress(joints: np.ndarray, fps: float) -> np.ndarray:
    """Which share of the way of its feet a motion has gone at each frame: a body turns while a foot is lifted."""
    toes = joints[:, _TOES][..., [0, 2]]
    gone = np.linalg.norm(np.diff(toes, axis=0), axis=-1).sum(-1)
    # Feet that hardly move would be turned all at once where they do.
    gone = gaussian_filter1d(np.maximum(gone * fps - 0.2, 0.0) + 0.1, _STEP * fps, mode="nearest")
    total = np.concatenate([[0.0], np.cumsum(gone)])
    return total / total[-1]


def _reached(joints: np.ndarray, distance: float, fps: float) -> int:
    """Frames until a motion is that far from where it began; all of them where it never is."""
    root = floor_path(joints, fps)
    far = np.flatnonzero(np.linalg.norm(root - root[:1], axis=-1) >= distance)
    least = round(fps)  # a motion of less than a second is none
    return len(joints) if not len(far) else min(len(joints), max(int(far[0]) + 1, least))


def _smooth(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.0, 1.0)
    return share**2 * (3 - 2 * share)


def _half_turn(angle: np.ndarray) -> np.ndarray:
    """The same angle, of at most half a turn."""
    return np.remainder(angle + np.pi, 2 * np.pi) - np.pi
