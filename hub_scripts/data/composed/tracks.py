"""One person's motion over a whole scene: clips cut, sewn together, and stood still before and after."""

from collections.abc import Sequence

import numpy as np

from hub_scripts.skeletons.seams import carried, fade_over, placed
from modeling_motionllm.motion_features import canonicalize_joints

from .clips import ClipPool

__all__ = ["sew", "stand", "travel"]

_STILL_ENOUGH = 0.3  # metres between a pose and the nearest one of someone standing still, for a pause to look natural
_SLOWEST_SWAY = 30  # frames for one way through a quiet part: short ones are slowed down, so that nobody fidgets


def sew(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Continue one motion with another: the second is carried to where the first ends, and takes over its pose and
    velocity, which fade out over half a second or so (Hermite; "inertialization" in game engines).

    Args:
        first, second: (T, 22, 3) and (T', 22, 3), T and T' at least 2.

    Returns:
        (T + T' - 1, 22, 3): the first frame of the second motion falls on the last one of the first. In the seam bones
        keep their length only nearly; `canonicalize_joints` restores it.
    """
    second = carried(second, *placed(first[-1:]))
    jump = first[-1] - second[0]
    speed_change = (first[-1] - first[-2]) - (second[1] - second[0])
    frames = int(np.clip(6 + 30 * np.abs(jump).max() + 12 * np.abs(speed_change).max(), 6, 14))
    return np.concatenate([first, fade_over(first, second, frames)[1:]])


def stand(pool: ClipPool, parts: Sequence[np.ndarray], wait: int, frames: int) -> np.ndarray | None:
    """Someone who stays in one place: waits, does what the parts show, and then stands there.

    Pauses are real frames of someone of the pool who stands still in nearly that pose, played to and fro.

    Args:
        pool: where the pauses come from.
        parts: motions (T, 22, 3), one after the other; the last is cut where the scene ends.
        wait: frames before the first part.
        frames: frames of the scene.

    Returns:
        Canonical joints (frames, 22, 3), or None where no pause fits the pose before or after.
    """
    track = np.asarray(parts[0])
    if wait > 1:
        pause = _pause(pool, track[0], wait + 1)
        if pause is None:
            return None
        track = sew(pause[::-1], track)
    for part in parts[1:]:
        track = sew(track, part)
    if len(track) < frames:
        pause = _pause(pool, track[-1], frames - len(track) + 1)
        if pause is None:
            return None
        track = sew(track, pause)
    return np.asarray(canonicalize_joints(track[:frames]))


def travel(joints: np.ndarray, first: int, frames: int) -> tuple[np.ndarray, float, float]:
    """A stretch of a motion that goes somewhere.

    Args:
        joints: (T, 22, 3).
        first: frame to start with.
        frames: number of frames.

    Returns:
        Canonical joints (frames, 22, 3), the direction from start to end (radians from +Z towards +X) and the distance
        in metres.
    """
    track = np.asarray(canonicalize_joints(joints[first : first + frames]))
    x, _, z = track[-1, 0] - track[0, 0]
    return track, float(np.arctan2(x, z)), float(np.hypot(x, z))


def _pause(pool: ClipPool, pose: np.ndarray, frames: int) -> np.ndarray | None:
    """Someone who stands still for `frames` frames (at least 2) from this pose on."""
    part, away = pool.quiet_part(pose)
    if part is None or away > _STILL_ENOUGH:
        return None
    last = len(part) - 1
    # To and fro with a cosine: slow at both ends, where the direction turns round.
    place = last * (1 - np.cos(np.pi * np.arange(frames) / max(last, _SLOWEST_SWAY))) / 2
    low = np.minimum(place.astype(int), last - 1)
    weight = (place - low)[:, None, None]
    sway = (1 - weight) * part[low] + weight * part[low + 1]
    return sway if len(sway) > 1 else np.repeat(sway, 2, axis=0)
