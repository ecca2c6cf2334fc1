"""`plant_feet`: hold feet where they stand, by bending the legs; what quantised motions blur into sliding."""

import numpy as np

from .motion_features import Skeleton, skeleton_of_joints

__all__ = ["ease_of_stands", "legs_of", "move_foot", "plant_feet", "stands"]

_HEIGHT = 0.05  # metres above the floor, under which a toe can stand
_SPEED = 0.6  # metres per second, under which it does
_SHORTEST = 0.1  # seconds; shorter contacts are a foot that passes
_FARTHEST = 0.2  # metres; a foot that gets further while it is low walks on the floor and does not stand
_EASE = 0.25  # seconds before and after, in which the leg comes back to its own movement
_STRAIGHT = 0.9995  # of the leg's length, as far as it is stretched


def plant_feet(
    joints: np.ndarray, fps: float, stands_of: np.ndarray | None = None, kept: np.ndarray | None = None
) -> np.ndarray:
    """The same motion with feet that do not slide while they stand.

    A foot stands where its toe is lower than 5 cm and slower than 0.6 m/s for at least 0.1 s. It is held at the middle
    of the way it slid; within 0.25 s before and after it comes back to its own movement. The leg follows by inverse
    kinematics: thigh and shin keep their lengths, the knee its side. Heights, hips and everything above are not
    touched. A foot that would be out of reach is moved as far as the leg reaches.

    Args:
        joints: (..., T, 22, 3) metres, Y up, the floor at y = 0; or the 21 joints of KIT-ML.
        fps: frames per second.
        stands_of: a motion of the same shape that says when feet stand; `joints` itself where left out.
        kept: bool (T,), frames that stay as they are. A foot that stands in them goes on standing there; between two
            such places it slides evenly from the one to the other.

    Returns:
        A new array of the same shape and dtype.

    Raises:
        MotionLLMError: no such number of joints.
    """
    skeleton = skeleton_of_joints(joints.shape[-2])
    planted = joints.astype(np.float64)
    told = (joints if stands_of is None else stands_of).astype(np.float64).reshape(-1, *joints.shape[-3:])
    for person, teller in zip(planted.reshape(-1, *joints.shape[-3:]), told, strict=True):
        for leg in legs_of(skeleton):
            shift = _shifts(person[:, leg[-1]], stands(teller[:, leg[-1]], fps), fps, kept)
            if shift is not None:
                move_foot(person, leg, np.stack([shift[:, 0], np.zeros(len(shift)), shift[:, 1]], axis=-1))
    return planted.astype(joints.dtype)


def legs_of(skeleton: Skeleton) -> list[list[int]]:
    """Hip, knee, ankle, whatever follows, and toe, left and right."""
    legs = []
    for toe in (skeleton.feet[1], skeleton.feet[3]):
        leg = [toe]
        while skeleton.parents[leg[0]] != 0:
            leg.insert(0, skeleton.parents[leg[0]])
        legs.append(leg)
    return legs


def stands(toe: np.ndarray, fps: float) -> list[slice]:
    """The frames of each time that a toe (T, 3) stands."""
    if len(toe) < 2:
        return []
    step = np.linalg.norm(np.diff(toe[:, [0, 2]], axis=0), axis=-1) * fps
    # A frame is as fast as the slower of its two steps: the first and the last of a stand belong to it.
    speed = np.minimum(np.r_[step[:1], step], np.r_[step, step[-1:]])
    standing = (toe[:, 1] < _HEIGHT) & (speed < _SPEED)
    edges = np.flatnonzero(np.diff(np.r_[False, standing, False].astype(int)))
    runs = [slice(start, stop) for start, stop in edges.reshape(-1, 2)]
    return [
        run
        for run in runs
        if run.stop - run.start >= max(2, _SHORTEST * fps) and np.ptp(toe[run][:, [0, 2]], axis=0).max() < _FARTHEST
    ]


def ease_of_stands(toe: np.ndarray, fps: float) -> np.ndarray:
    """1 in the frames (T,) in which a toe (T, 3) stands, falling to 0 within 0.25 s before and after."""
    standing = np.zeros(len(toe), dtype=bool)
    for run in stands(toe, fps):
        standing[run] = True
    if not standing.any():
        return np.zeros(len(toe))
    frames, every = np.flatnonzero(standing), np.arange(len(toe))
    after = np.searchsorted(frames, every).clip(0, len(frames) - 1)
    away = np.minimum(np.abs(frames[after] - every), np.abs(every - frames[(after - 1).clip(0)]))
    return np.clip(1.0 - away / (_EASE * fps), 0.0, 1.0)


def _shifts(toe: np.ndarray, runs: list[slice], fps: float, kept: np.ndarray | None) -> np.ndarray | None:
    """How far along x and z the foot has to move in each frame, (T, 2), to stand in `runs`; None without any."""
    if not runs:
        return None
    frames: list[float] = []
    values: list[np.ndarray] = []
    ease = _EASE * fps
    previous = -np.inf
    for run in runs:
        own = toe[run][:, [0, 2]]
        back = run.start - ease
        if previous + ease < back:  # else one stand leads over to the next
            frames += [previous + ease, back] if np.isfinite(previous) else [back]
            values += [np.zeros(2)] * (2 if np.isfinite(previous) else 1)
        frames += range(run.start, run.stop)
        values += list(_place_to_stand(own, None if kept is None else kept[run]) - own)
        previous = run.stop - 1
    frames.append(previous + ease)
    values.append(np.zeros(2))
    if kept is not None:  # what leads to a stand and away from it leaves them alone too
        known = dict(zip(frames, values, strict=True)) | {frame: np.zeros(2) for frame in np.flatnonzero(kept).tolist()}
        frames = sorted(known)
        values = [known[frame] for frame in frames]
    table, every = np.array(values), np.arange(len(toe))
    return np.stack([np.interp(every, frames, table[:, axis]) for axis in range(2)], axis=-1)


def _place_to_stand(own: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    """Where a foot that is at `own` (N, 2) in the frames of a stand is to be: (N, 2), or (2,) for one place."""
    if kept is None or not kept.any():
        return np.asarray((own.min(0) + own.max(0)) / 2)
    frames, every = np.flatnonzero(kept), np.arange(len(own))
    return np.stack([np.interp(every, frames, own[kept][:, axis]) for axis in range(2)], axis=-1)


def move_foot(person: np.ndarray, leg: list[int], shift: np.ndarray) -> None:
    """Move a foot in place, as far as the leg reaches; the knee follows.

    Args:
        person: (T, J, 3) metres; changed.
        leg: joints of `legs_of`.
        shift: (T, 3) metres.
    """
    hip, knee, ankle = (person[:, joint] for joint in leg[:3])
    thigh, shin = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
    way = shift * _reachable(ankle - hip, shift, _STRAIGHT * (thigh + shin))[:, None]
    bend = knee - hip
    target = ankle + way - hip
    distance = np.linalg.norm(target, axis=-1)
    forward = target / np.maximum(distance, 1e-9)[:, None]
    # The knee stays on its side of the line from hip to ankle: where it is now, less what is along that line.
    side = bend - (bend * forward).sum(-1, keepdims=True) * forward
    size = np.linalg.norm(side, axis=-1)
    moved = (np.abs(way).max(-1) > 0) & (size > 1e-6) & (distance > np.abs(thigh - shin))
    along = (thigh**2 - shin**2 + distance**2) / np.maximum(2 * distance, 1e-9)
    height = np.sqrt(np.maximum(thigh**2 - along**2, 0))
    bent = hip + along[:, None] * forward + (height / np.maximum(size, 1e-9))[:, None] * side
    knee[moved] = bent[moved]
    for joint in leg[2:]:
        person[moved, joint] += way[moved]


def _reachable(ankle: np.ndarray, way: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Share (T,) of `way` (T, 3) that an ankle (T, 3), as seen from the hip, can go and stay within `reach` (T,)."""
    square, mixed = (way**2).sum(-1), (ankle * way).sum(-1)
    room = reach**2 - (ankle**2).sum(-1)
    root = np.sqrt(np.maximum(mixed**2 + square * room, 0))
    share = np.where(room > 0, (root - mixed) / np.maximum(square, 1e-12), np.where(mixed < 0, 1.0, 0.0))
    return np.clip(share, 0, 1)
