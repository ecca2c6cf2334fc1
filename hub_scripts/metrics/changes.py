"""`find_changes`: when a motion changes what it does, told from joints alone."""

import math

import numpy as np

from hub_scripts.metrics.kinematics import PELVIS, Kinematics

__all__ = ["find_changes"]

_RATE = 10.0  # blocks a second, to which cuts are rounded
_SHORTEST = 1.0  # seconds of a part
_SMOOTH = 0.25  # seconds
# What one more part has to explain of the squared signals, summed over blocks. It and the weights of the signals were
# chosen on composed training sequences, whose cuts are known; docs/timeline.md says how well they are found.
_PENALTY = 7.0


def find_changes(people: np.ndarray, fps: float, longest: float) -> list[float]:
    """When a motion changes what it does: seconds, in order, at which it is best cut into parts.

    Signals of the body (where it goes and turns, height of the pelvis, places and speeds of hands and feet) stay much
    the same while one thing is done. Found are the parts whose means explain them best, by least squares with a penalty
    for each part: exactly, by dynamic programming, in a time that grows with the length of the motion.

    Args:
        people: joints (P, T, 22, 3), metres, Y up; of several people each counts alike.
        fps: frames per second.
        longest: seconds of a part at most. What goes on in the same way for longer is cut too, where it changes most.

    Returns:
        Cuts at least a second (half of `longest`, where that is less) from each other and from both ends, in steps of
        0.1 s; none of a motion under two seconds.

    Raises:
        MotionLLMError: joints that cannot be judged, see `Kinematics`.
    """
    # A block less: a motion may last a part of a block longer than its blocks.
    most = max(2, math.floor(longest * _RATE) - 1)
    least = min(round(_SHORTEST * _RATE), most // 2)
    if people.shape[1] / fps * _RATE < 2 * least:
        return []
    signals = np.concatenate([_signals(Kinematics(person, fps)) for person in people], axis=-1)
    moments = (np.arange(max(1, math.floor(len(signals) / fps * _RATE + 1e-9))) + 0.5) / _RATE * fps - 0.5
    low = np.clip(moments.astype(int), 0, len(signals) - 1)
    high = np.minimum(low + 1, len(signals) - 1)
    share = np.clip(moments - low, 0.0, 1.0)[:, None]
    blocks = (1 - share) * signals[low] + share * signals[high]
    return [cut / _RATE for cut in _best_cuts(blocks, _PENALTY * len(people), least, most)]


def _signals(motion: Kinematics) -> np.ndarray:
    """What tells what somebody does, weighted, (T, D)."""
    frames = len(motion)
    turn = np.gradient(motion.smooth(motion.facing, 0.2)) * motion.fps
    signals = [
        motion.velocity[:, [0, 2]],
        0.5 * turn[:, None],
        7.5 * motion.joints[:, [PELVIS], 1] / motion.leg,
        motion.hands.reshape(frames, -1),
        1.2 * motion.feet.reshape(frames, -1),
        np.sqrt(motion.pace(motion.hands)),  # roots: from rest to a slow wave is as much as from there to a fast one
        1.5 * np.sqrt(motion.pace(motion.feet)),
    ]
    return motion.smooth(np.concatenate(signals, axis=-1), _SMOOTH)


def _best_cuts(blocks: np.ndarray, penalty: float, shortest: int, longest: int) -> list[int]:
    """Where to cut blocks (N, D) into parts of so many blocks, so that squares within parts and penalties are least."""
    count = len(blocks)
    sums = np.concatenate([np.zeros((1, blocks.shape[1])), np.cumsum(blocks, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum((blocks**2).sum(axis=1))])
    best = np.full(count + 1, np.inf)
    best[0] = 0.0
    before = np.zeros(count + 1, dtype=int)
    for end in range(shortest, count + 1):
        starts = np.arange(max(0, end - longest), end - shortest + 1)
        within = squares[end] - squares[starts] - ((sums[end] - sums[starts]) ** 2).sum(axis=1) / (end - starts)
        total = best[starts] + within + penalty
        choice = int(total.argmin())
        best[end], before[end] = total[choice], starts[choice]
    cuts: list[int] = []
    end = count if np.isfinite(best[count]) else 0
    while end > 0:
        end = int(before[end])
        cuts.append(end)
    return sorted(cuts)[1:]
