"""The recorded clips that scenes are composed of: by content, by style, and moments of standing still among them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from hub_scripts.captions.words import STYLE_ALIASES
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints

from ..store import read_motions

__all__ = ["FPS", "Clip", "ClipPool", "load_pool"]

FPS = 20.0
_TRAVELS = ("walk", "run", "dash")
_QUIET_SPEED = 0.35  # m/s; someone stands still while no joint is faster
_MIN_QUIET_FRAMES = 10
_FEET = (7, 8, 10, 11)


@dataclass(frozen=True, eq=False)
class Clip:
    """A recorded clip; `joints` float64 (T, 22, 3), canonical, 20 fps; `style` with its aliases resolved."""

    name: str
    content: str
    style: str
    joints: np.ndarray

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def speed(self) -> float:
        """Mean speed along the path, m/s; steps of a fifth of a second, so that sway does not count."""
        steps = np.diff(self.joints[::4, 0][:, [0, 2]], axis=0)
        return float(np.linalg.norm(steps, axis=-1).sum() / max(len(steps) * 4 / FPS, 1e-6))


class ClipPool:
    """The clips of one split, to draw from.

    Args:
        clips: in an order that does not change from run to run.
    """

    def __init__(self, clips: Sequence[Clip]):
        self.by_content: dict[str, list[Clip]] = {}
        for clip in clips:
            self.by_content.setdefault(clip.content, []).append(clip)
        self._quiet = [part for clip in clips if not clip.content.startswith(_TRAVELS) for part in _quiet_parts(clip)]
        self._quiet_poses = _poses(np.array([part[0] for part in self._quiet]).reshape(-1, 22, 3))

    def count(self, contents: Collection[str]) -> int:
        """Number of clips of these contents."""
        return sum(len(self.by_content.get(content, ())) for content in contents)

    def draw(
        self,
        rng: np.random.Generator,
        contents: Sequence[str],
        *,
        style: str | None = None,
        speed: tuple[float, float] | None = None,
        frames: tuple[int, int] | None = None,
        but: Collection[Clip] = (),
    ) -> Clip | None:
        """A clip at random; the contents that are there are equally likely, however many clips they have.

        Args:
            rng: decides.
            contents: allowed content labels.
            style: this style only.
            speed: least and greatest mean speed, m/s.
            frames: least and greatest number of frames.
            but: not one of these.

        Returns:
            None where no clip fits.
        """
        fitting: dict[str, list[Clip]] = {}
        for content in dict.fromkeys(contents):
            clips = [
                clip
                for clip in self.by_content.get(content, ())
                if (style is None or clip.style == style)
                and (speed is None or speed[0] <= clip.speed <= speed[1])
                and (frames is None or frames[0] <= len(clip) <= frames[1])
                and clip not in but
            ]
            if clips:
                fitting[content] = clips
        if not fitting:
            return None
        clips = fitting[list(fitting)[int(rng.integers(len(fitting)))]]
        return clips[int(rng.integers(len(clips)))]

    def quiet_part(self, pose: np.ndarray) -> tuple[np.ndarray | None, float]:
        """Real frames of standing still that begin with nearly this pose.

        Args:
            pose: joints (22, 3) of one frame, anywhere.

        Returns:
            Joints (T, 22, 3), and how far the farthest joint is from the pose, in metres; None and infinity where
            nobody in this pool stands still.
        """
        if not self._quiet:
            return None, np.inf
        away = np.linalg.norm(self._quiet_poses - _poses(pose[None]), axis=-1)
        # A foot that has to slide to its place is seen sooner than a hand.
        worst = np.maximum(away.max(axis=1), 2 * away[:, _FEET].max(axis=1))
        best = int(worst.argmin())
        return self._quiet[best], float(away[best].max())


@lru_cache(maxsize=3)
def load_pool(folder: str, split: str) -> ClipPool:
    """The clips of a prepared dataset, without their mirrored copies.

    Raises:
        MotionLLMError: no such dataset or split, or nothing but mirrored copies in it.
    """
    rows = read_motions(folder, split, columns=["name", "contents", "styles", "mirrored", "joints"])
    clips = []
    for row in rows:
        if len(row["contents"]) != 1:
            raise MotionLLMError(f"'{folder}' holds scenes already; give clips of single people")
        if not row["mirrored"]:
            content, style = row["contents"][0], STYLE_ALIASES.get(row["styles"][0], row["styles"][0])
            joints = np.asarray(canonicalize_joints(np.asarray(row["joints"][0], dtype=np.float64)))
            clips.append(Clip(row["name"], content, style, joints))
    if not clips:
        raise MotionLLMError(f"'{folder}' has no clips of split '{split}' as they were recorded; prepare it again")
    return ClipPool(sorted(clips, key=lambda clip: clip.name))


def _poses(frames: np.ndarray) -> np.ndarray:
    """Single frames (N, 22, 3) as poses over the origin, facing +Z, feet on the floor."""
    return np.asarray(canonicalize_joints(frames[:, None].astype(np.float64)))[:, 0]


def _quiet_parts(clip: Clip) -> list[np.ndarray]:
    """Parts of a clip in which nothing moves fast, each forwards and backwards."""
    speed = np.linalg.norm(np.diff(clip.joints, axis=0), axis=-1).max(axis=-1) * FPS
    edges = np.flatnonzero(np.diff(np.concatenate([[False], speed < _QUIET_SPEED, [False]]).astype(int)))
    parts = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        if last - first + 1 >= _MIN_QUIET_FRAMES:
            part = clip.joints[first : last + 1]
            parts += [part, part[::-1]]
    return parts
