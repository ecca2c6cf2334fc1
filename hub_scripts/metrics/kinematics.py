"""`Kinematics`: what joints alone show of a motion, in metres, seconds and degrees of the body's own frame."""

from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter1d

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["Kinematics", "longest_run"]

PELVIS, HEAD, NECK = 0, 15, 12
HIPS, KNEES, ANKLES, TOES = (1, 2), (4, 5), (7, 8), (10, 11)  # left, right
SHOULDERS, ELBOWS, WRISTS = (16, 17), (18, 19), (20, 21)
_RAISED = -0.25  # metres above the shoulder (negative: below) from which on a hand that waves is up
_WOBBLE = 0.015  # metres; shorter ways of a hand are none


class Kinematics:
    """Measured signals of one motion, worked out when they are asked for.

    Args:
        joints: (T, 22, 3), metres, Y up, SMPL-22 order; any place, any facing, any floor.
        fps: frames a second.

    Raises:
        MotionLLMError: another shape, fewer than half a second of frames, values that are not finite, or no frame rate.
    """

    def __init__(self, joints: np.ndarray, fps: float = 20.0):
        joints = np.asarray(joints, dtype=np.float64)
        if joints.ndim != 3 or joints.shape[1:] != (22, 3):
            raise MotionLLMError(f"joints have shape {joints.shape}; give (frames, 22, 3) of one person")
        if not fps > 0:
            raise MotionLLMError(f"fps is {fps}; give the frames a second, above 0")
        if len(joints) < fps / 2:
            raise MotionLLMError(
                f"{len(joints)} frames at {fps:g} fps are too short to judge; give half a second or more"
            )
        if not np.isfinite(joints).all():
            raise MotionLLMError("joints hold values that are not finite")
        floor = float(np.min(joints[:, TOES + ANKLES, 1]))
        self.joints, self.fps = joints - np.array([0.0, floor, 0.0]), float(fps)

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def seconds(self) -> float:
        """Length of the motion."""
        return (len(self) - 1) / self.fps

    def smooth(self, signal: np.ndarray, seconds: float) -> np.ndarray:
        """A signal (T, ...) smoothed along time by a Gaussian of that standard deviation."""
        return gaussian_filter1d(signal, seconds * self.fps, axis=0, mode="nearest")

    @cached_property
    def leg(self) -> float:
        """Length of a leg, hip to ankle."""
        thigh = np.linalg.norm(self.joints[:, HIPS] - self.joints[:, KNEES], axis=-1)
        shin = np.linalg.norm(self.joints[:, KNEES] - self.joints[:, ANKLES], axis=-1)
        return float(np.median(thigh + shin))

    @cached_property
    def arm(self) -> float:
        """Length of an arm, shoulder to wrist."""
        upper = np.linalg.norm(self.joints[:, SHOULDERS] - self.joints[:, ELBOWS], axis=-1)
        lower = np.linalg.norm(self.joints[:, ELBOWS] - self.joints[:, WRISTS], axis=-1)
        return float(np.median(upper + lower))

    @cached_property
    def facing(self) -> np.ndarray:
        """Where hips and shoulders face, seen from above: radians (T,), unwrapped, growing to the left."""
        across = (
            self.joints[:, HIPS[0]]
            - self.joints[:, HIPS[1]]
            + self.joints[:, SHOULDERS[0]]
            - self.joints[:, SHOULDERS[1]]
        )
        forward = np.cross(self.smooth(across, 0.1), (0.0, 1.0, 0.0))
        return np.unwrap(np.arctan2(forward[:, 0], forward[:, 2]))

    @cached_property
    def turned(self) -> float:
        """Change of facing from the first to the last quarter of a second, degrees, left positive."""
        ends = max(1, round(self.fps / 4))
        return float(np.degrees(self.facing[-ends:].mean() - self.facing[:ends].mean()))

    @cached_property
    def spun(self) -> float:
        """Largest turn away from where the motion began, degrees without sign."""
        smooth = self.smooth(self.facing, 0.2)
        return float(np.degrees(smooth.max() - smooth.min()))

    def body_frame(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors (T, ..., 3) of the world as left, up, forward of the facing in each frame."""
        facing = self.smooth(self.facing, 0.2)
        cos, sin = (value.reshape(-1, *[1] * (vectors.ndim - 2)) for value in (np.cos(facing), np.sin(facing)))
        x, y, z = np.moveaxis(vectors, -1, 0)
        return np.stack([x * cos - z * sin, y, x * sin + z * cos], axis=-1)

    @cached_property
    def root(self) -> np.ndarray:
        """Pelvis on the floor plane, smoothed over a step: (T, 3) with height 0."""
        return self.smooth(self.joints[:, PELVIS], 0.2) * np.array([1.0, 0.0, 1.0])

    @cached_property
    def velocity(self) -> np.ndarray:
        """Velocity of the root as left, up, forward of the facing: (T, 3), m/s."""
        return self.body_frame(np.gradient(self.root, axis=0) * self.fps)

    @cached_property
    def speed(self) -> np.ndarray:
        """Speed of the root, (T,), m/s."""
        return np.linalg.norm(self.velocity, axis=-1)

    @cached_property
    def path(self) -> float:
        """Length of the way of the root while it moves faster than 0.15 m/s."""
        return float(self.speed[self.speed > 0.15].sum() / self.fps)

    @cached_property
    def travel(self) -> np.ndarray:
        """Way from the first place to the last, as left, up, forward of the first facing: (3,), metres."""
        cos, sin = np.cos(self.facing[0]), np.sin(self.facing[0])
        x, _, z = self.root[-1] - self.root[0]
        return np.array([x * cos - z * sin, 0.0, x * sin + z * cos])

    @cached_property
    def drift(self) -> np.ndarray:
        """Way walked to the left, up and forward of each frame's own facing, summed: (3,), metres."""
        return self.velocity.sum(axis=0) / self.fps

    @cached_property
    def hands(self) -> np.ndarray:
        """Wrists from the middle of the shoulders, as left, up, forward: (T, 2, 3), metres; left hand first."""
        middle = self.joints[:, SHOULDERS].mean(axis=1, keepdims=True)
        return self.body_frame(self.joints[:, WRISTS] - middle)

    @cached_property
    def hand_height(self) -> np.ndarray:
        """Wrists above (below: negative) their own shoulder, (T, 2), metres."""
        return self.joints[:, WRISTS, 1] - self.joints[:, SHOULDERS, 1]

    @cached_property
    def feet(self) -> np.ndarray:
        """Ankles from the pelvis, as left, up, forward: (T, 2, 3), metres; left foot first."""
        return self.body_frame(self.joints[:, ANKLES] - self.joints[:, [PELVIS]])

    @cached_property
    def lean(self) -> np.ndarray:
        """Forward lean of the trunk, pelvis to neck, (T,), degrees; 0 upright, 90 level."""
        trunk = self.body_frame((self.joints[:, NECK] - self.joints[:, PELVIS])[:, None])[:, 0]
        return np.degrees(np.arctan2(trunk[:, 2], trunk[:, 1]))

    @cached_property
    def upright(self) -> np.ndarray:
        """Angle of the trunk to the vertical, whatever the direction, (T,), degrees."""
        trunk = self.joints[:, NECK] - self.joints[:, PELVIS]
        return np.degrees(np.arccos(np.clip(trunk[:, 1] / np.linalg.norm(trunk, axis=-1), -1, 1)))

    @cached_property
    def pelvis_height(self) -> np.ndarray:
        """Pelvis above the lower ankle, in lengths of a leg, (T,): about 1 when standing."""
        return (self.joints[:, PELVIS, 1] - self.joints[:, ANKLES, 1].min(axis=1)) / self.leg

    @cached_property
    def lowest(self) -> np.ndarray:
        """Lowest toe or ankle above the floor, (T,), metres; in one frame of twenty it may be below."""
        lowest = self.joints[:, TOES + ANKLES, 1].min(axis=1)
        return lowest - np.percentile(lowest, 5)  # a toe that dips in one decoded frame is not the floor

    @cached_property
    def reach(self) -> np.ndarray:
        """How far each arm is stretched, shoulder to wrist in lengths of an arm, (T, 2)."""
        return np.linalg.norm(self.joints[:, WRISTS] - self.joints[:, SHOULDERS], axis=-1) / self.arm

    @cached_property
    def leg_reach(self) -> np.ndarray:
        """How far each leg is stretched, hip to ankle in lengths of a leg, (T, 2)."""
        return np.linalg.norm(self.joints[:, ANKLES] - self.joints[:, HIPS], axis=-1) / self.leg

    def pace(self, track: np.ndarray) -> np.ndarray:
        """Speed (T, ...) of places (T, ..., 3), m/s, lightly smoothed."""
        return np.linalg.norm(np.gradient(self.smooth(track, 0.04), axis=0), axis=-1) * self.fps

    def swings(self, hand: int) -> int:
        """How many ways to and fro a hand makes while it is up: up to 6 for raising it once, more for waving.

        What takes longer than about a second is left out first, so that small waves of a raised hand count.

        Args:
            hand: 0 left, 1 right.
        """
        start, end = longest_run(self.hand_height[:, hand] > _RAISED)
        if end - start < 0.3 * self.fps:
            return 0
        track = self.smooth(self.hands[:, hand], 0.04)[start:end]
        track = track - self.smooth(track, 0.3)
        _, _, axes = np.linalg.svd(track - track.mean(axis=0), full_matrices=False)
        return max(len(_swing_sizes(track @ axis)) for axis in axes[:2])


def longest_run(mask: np.ndarray) -> tuple[int, int]:
    """Start and end of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best])


def _swing_sizes(signal: np.ndarray) -> list[float]:
    """Ways between turning points of a signal, leaving out wobbles."""
    points = [float(signal[0])]
    furthest, direction = points[0], 0
    for value in map(float, signal[1:]):
        if direction == 0:
            if abs(value - points[0]) > _WOBBLE:
                furthest, direction = value, 1 if value > points[0] else -1
        elif (value - furthest) * direction > 0:
            furthest = value
        elif (furthest - value) * direction > _WOBBLE:
            points.append(furthest)
            furthest, direction = value, -direction
    points.append(furthest)
    return [float(size) for size in np.abs(np.diff(points)) if size > _WOBBLE]
