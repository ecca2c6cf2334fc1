"""Drawing one scene: clips, tracks, sides and distances at random, and people put where they start."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .clips import Clip, ClipPool
from .tracks import stand

__all__ = ["FARTHEST", "MAX_FRAMES", "Actor", "Draw", "NoFit", "polar", "whole_frames"]

MAX_FRAMES = 201  # 10 s: 200 feature frames, 50 codes
_MIN_FRAMES = 33
FARTHEST = 6.2  # metres; placements reach to 6.4


@dataclass(frozen=True)
class Actor:
    """One person of a scene: role, clips, canonical joints (T, 22, 3), where it starts (metres, radians), and how many
    frames it waits before it begins."""

    role: str
    clips: tuple[Clip, ...]
    joints: np.ndarray
    x: float = 0.0
    z: float = 0.0
    heading: float = 0.0
    wait: int = 0


class Draw:
    """One attempt at a scene: a pool, a random stream, and for half of the scenes one style for everybody."""

    def __init__(self, pool: ClipPool, rng: np.random.Generator):
        self.pool, self.rng = pool, rng
        self._drawn: list[Clip] = []
        self._one_style = rng.random() < 0.5

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def wait(self, low: int, high: int) -> int:
        """Frames before someone begins; often none where `low` is 0, because not every clip can be waited for."""
        if low == 0 and self.rng.random() < 0.35:
            return 0
        return int(self.rng.integers(low, high + 1))

    def side(self) -> int:
        return 1 if self.rng.random() < 0.5 else -1

    def one_of(self, *choices: tuple[str, ...]) -> tuple[str, ...]:
        return choices[int(self.rng.integers(len(choices)))]

    def clip(self, contents: Sequence[str], like: Clip | None = None, frames: tuple[int, int] | None = None) -> Clip:
        """A clip; `like` another one it has about the same speed. A clip already used only where there is no other.

        Raises:
            NoFit: the pool has none.
        """
        speed = (0.87 * like.speed, 1.15 * like.speed) if like else None
        style = self._drawn[0].style if self._drawn and self._one_style else None
        fresh, worn = self._drawn[:], ()
        for but, wanted in ((fresh, style), (fresh, None), (worn, None)):
            clip = self.pool.draw(self.rng, contents, style=wanted, speed=speed, frames=frames, but=but)
            if clip is not None:
                self._drawn.append(clip)
                return clip
        raise NoFit

    def stand(self, parts: Sequence[np.ndarray], wait: int, frames: int) -> np.ndarray:
        track = stand(self.pool, parts, wait, frames)
        if track is None:
            raise NoFit
        return track


class NoFit(Exception):
    """The clips drawn make no such scene; the next draw may."""


def whole_frames(frames: float) -> int:
    """The most frames up to `frames` that whole codes are made of: 4 L + 1.

    Raises:
        NoFit: too short for a scene.
    """
    whole = (min(int(frames), MAX_FRAMES) - 1) // 4 * 4 + 1
    if whole < _MIN_FRAMES:
        raise NoFit
    return whole


def polar(distance: float, direction: float) -> tuple[float, float]:
    """x and z of a place that far in that direction (radians from +Z towards +X)."""
    return float(distance * np.sin(direction)), float(distance * np.cos(direction))
