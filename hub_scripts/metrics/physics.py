"""Metrics on joint positions that need no model: sliding feet, the floor, jerk, length.

The floor is the plane y = 0. Features decode to joints above it (the lowest joint of the training clip stood on it);
a motion that was put on the floor as a whole cannot sink into it, but it can float.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hub_scripts.metrics.base import Metric
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

__all__ = ["FloorDistance", "FootSkating", "Jerk", "LengthError", "MotionClips"]


@dataclass(frozen=True)
class MotionClips:
    """N motions of one person.

    Args:
        joints: N arrays (T_i, J, 3), metres, Y up, the floor at y = 0.
        fps: frames per second.
        seconds: how long each was asked to be; None where nothing was asked.
        toes: their two joints.
    """

    joints: Sequence[np.ndarray]
    fps: float = HUMANML3D.fps
    seconds: Sequence[float | None] | None = None
    toes: tuple[int, int] = (HUMANML3D.feet[1], HUMANML3D.feet[3])

    def __post_init__(self) -> None:
        if not len(self.joints):
            raise MotionLLMError("there are no motions to measure")
        for index, clip in enumerate(self.joints):
            if clip.ndim != 3 or clip.shape[1:] != self.joints[0].shape[1:] or clip.shape[-1] != 3 or len(clip) == 0:
                raise MotionLLMError(f"motion {index} has shape {clip.shape}; give (frames, joints, 3), all alike")
        if self.seconds is not None and len(self.seconds) != len(self.joints):
            raise MotionLLMError(f"{len(self.seconds)} asked lengths for {len(self.joints)} motions")

    @cached_property
    def padded(self) -> tuple[np.ndarray, np.ndarray]:
        """float64 (N, T, J, 3), NaN after the end, and the N lengths in frames."""
        lengths = np.array([len(clip) for clip in self.joints])
        table = np.full((len(self.joints), lengths.max(), *self.joints[0].shape[1:]), np.nan)
        table[np.arange(lengths.max()) < lengths[:, None]] = np.concatenate(self.joints)
        return table, lengths

    def steps(self, frames: int) -> np.ndarray:
        """Bool (N, T - frames): where a difference over `frames` frames lies within the clip.

        Raises:
            MotionLLMError: no clip is that long.
        """
        table, lengths = self.padded
        real = np.arange(table.shape[1] - frames) < lengths[:, None] - frames
        if not real.any():
            raise MotionLLMError(f"no motion has more than {frames} frames; measure longer ones")
        return real


class FootSkating(Metric[MotionClips]):
    """How far and how often feet slide while they stand.

    A toe joint stands between two frames if it is lower than 5 cm in both (PhysDiff, Yuan et al. 2023, has the same
    rule with the mesh). `foot_skating_cm`: centimetres that standing feet move sideways per second of motion, both feet
    together. `foot_skating_ratio`: share of frames in which a standing foot is faster than 0.5 m/s, which is the 2.5 cm
    a frame of GMD (Karunratanakul et al. 2023). Real walking has some of both, when a heel lifts and the toe rolls.
    """

    name, units, better = "foot_skating", "cm per second; share of frames", "lower"

    height = 0.05  # metres
    speed = 0.5  # metres per second

    @property
    def columns(self) -> tuple[str, ...]:
        return (f"{self.name}_cm", f"{self.name}_ratio")

    def compute(self, sample: MotionClips, rng: np.random.Generator) -> Sequence[float]:
        real = sample.steps(1)
        toes = sample.padded[0][:, :, list(sample.toes)]
        low = toes[..., 1] < self.height  # NaN is not lower than anything
        standing = low[:, 1:] & low[:, :-1]
        moved = np.linalg.norm(np.diff(toes[..., [0, 2]], axis=1), axis=-1)
        slid = np.where(standing, moved, 0)
        seconds = real.sum() / sample.fps
        return [100 * float(slid.sum() / seconds), float((slid * sample.fps > self.speed).any(-1).sum() / real.sum())]


class FloorDistance(Metric[MotionClips]):
    """How deep the lowest joint is below the floor and how high above it, averaged over time, in millimetres.

    `floor_penetration_mm` and `floating_mm` of PhysDiff (Yuan et al. 2023), of joints instead of the mesh; up to 5 mm
    off the floor count as on it. Jumps float too: compare with real motions.
    """

    name, units, better = "floor", "mm", "lower"

    tolerance = 0.005  # metres

    @property
    def columns(self) -> tuple[str, ...]:
        return (f"{self.name}_penetration_mm", "floating_mm")

    def compute(self, sample: MotionClips, rng: np.random.Generator) -> Sequence[float]:
        table, lengths = sample.padded
        lowest = table[..., 1].min(-1)[np.arange(table.shape[1]) < lengths[:, None]]
        below, above = (np.where(side > self.tolerance, side, 0).mean() for side in (-lowest, lowest))
        return [1000 * float(below), 1000 * float(above)]


class Jerk(Metric[MotionClips]):
    """Mean length of the third derivative of all joints, metres per second cubed, by finite differences.

    It grows with noise and with the frame rate of noise: compare at equal frame rates, and with real motions.
    """

    name, units, better = "jerk", "m/s^3", "like real"

    def compute(self, sample: MotionClips, rng: np.random.Generator) -> Sequence[float]:
        third = np.linalg.norm(np.diff(sample.padded[0], n=3, axis=1), axis=-1).mean(-1) * sample.fps**3
        return [float(third[sample.steps(3)].mean())]


class LengthError(Metric[MotionClips]):
    """Mean difference between a motion's length and the one that was asked for, seconds."""

    name, units, better = "length_error", "s", "lower"

    def compute(self, sample: MotionClips, rng: np.random.Generator) -> Sequence[float]:
        asked = sample.seconds or ()
        known = [
            abs(len(clip) / sample.fps - seconds)
            for clip, seconds in zip(sample.joints, asked, strict=False)
            if seconds is not None
        ]
        if not known:
            raise MotionLLMError("no motion was asked to have a length; give `seconds`")
        return [float(np.mean(known))]
