"""Joining what one person does: where a clip may begin and end, which cuts fit together, and the seam itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hub_scripts.captions.action_words import word_set
from hub_scripts.skeletons.seams import carried, fade_over, placed
from modeling_motionllm.motion_features import HUMANML3D, canonicalize_joints, motion_start
from modeling_motionllm.placement_motionllm import turned
from modeling_motionllm.planted_feet_motionllm import legs_of, move_foot

from .clips import FPS

__all__ = ["CYCLIC", "GOING", "Cut", "Join", "Piece", "best_joins", "join_motions", "play"]

# Goes on in the same way for as long as it lasts: any part of it shows it.
CYCLIC = word_set("""
    walk walk-back walk-left walk-right run dash crouch-walk crawl swim push dance dance-long dance-short salsa
    indian-dance wash-window signal direct-traffic basketball balance sway talk stand sit crouch guard hold-up hold-out
    """)
GOING = ("walk", "run", "dash", "crouch-walk", "crawl", "swim", "push")  # how the names of contents begin

_ANKLES, _TOES = (7, 8), (10, 11)
_UPRIGHT = 0.6  # metres of the pelvis over the floor
_MOVING = 0.4  # m/s of the pelvis over the floor
_QUIET = 0.5  # m/s; someone does nothing while no joint is faster
_LONG = 110  # frames; of a longer clip a part may do, if its fastest moment is in it
_AROUND_FASTEST = 14  # frames that are kept before and after that moment
_EASE = 5  # frames of a gait that are played at falling speed, in twice the time, to come to a stand
_LOW = 0.06  # metres over the floor, under which a toe can stand
_STANDS = 0.8  # m/s, under which it does
_SLIDES = 0.025  # metres that a standing foot may slide in a seam; one that has to go farther takes a step
_FARTHEST_STEP = 0.4
_SLIDE = 0.08  # metres that the foot which carries somebody may slide in a seam
_CARRIES = 0.05  # metres over the floor, under which a toe can carry
_JERK, _JERK_MORE = 800.0, 1.1  # m/s^3 that a seam may always have, and how much more than its motions
_KNEE = 0.3  # of the foot's length, that a knee is bent forward at least while its foot is moved
_WORST = 0.45  # of `_cost`, for two cuts to fit
_AS_GOOD = 0.05  # that a join may be worse than the best one
_HEAVY = np.ones(22)
_HEAVY[[0, 1, 2, 3, 6, 9, 12, 15]] = 1.4  # trunk and head
_HEAVY[[18, 19, 20, 21]] = 0.6  # arms: nobody minds a hand that goes to its place


@dataclass(frozen=True)
class Cut:
    """A frame at which a clip may begin or end; `eased`: out of or into a stand, from or in the middle of a gait."""

    frame: int
    eased: bool = False


@dataclass(frozen=True, eq=False)
class Piece:
    """A clip and where it may be cut.

    Args:
        content: its label.
        joints: float64 (T, 22, 3), canonical, 20 fps.
    """

    content: str
    joints: np.ndarray

    @cached_property
    def _local(self) -> tuple[np.ndarray, np.ndarray]:
        """Joints (T, 22, 3) over the origin and facing +Z in every frame, and their velocities, m/s, seen so."""
        x, z, heading, _ = motion_start(self.joints[:, None]).T
        velocity = np.gradient(self.joints, axis=0) * FPS

        def facing(points: np.ndarray) -> np.ndarray:
            left, ahead = turned(points[..., 0], points[..., 2], -heading[:, None])
            return np.stack([left, points[..., 1], ahead], axis=-1)

        return facing(self.joints - np.stack([x, np.zeros_like(x), z], axis=-1)[:, None]), facing(velocity)

    @cached_property
    def _fastest(self) -> np.ndarray:
        """Speed (T) of the fastest joint, m/s."""
        return np.linalg.norm(self._local[1], axis=-1).max(axis=-1)

    @cached_property
    def goes(self) -> np.ndarray:
        """Frames (T) in which the person walks or runs, upright."""
        speed = np.linalg.norm(self._local[1][:, 0, [0, 2]], axis=-1)
        smooth = np.convolve(np.pad(speed, 2, mode="edge"), np.ones(5) / 5, mode="valid")
        return (smooth > _MOVING) & (self.joints[:, 0, 1] > _UPRIGHT)

    @cached_property
    def stands(self) -> np.ndarray:
        """Whether each foot stands, (T, 2)."""
        toes = list(_TOES)
        return (self.joints[:, toes, 1] < _LOW) & (np.linalg.norm(self._local[1][:, toes], axis=-1) < _STANDS)

    @cached_property
    def _passing(self) -> list[int]:
        """Frames of a gait in which one foot passes the other: from there one comes to a stand, and starts."""
        ahead = self._local[0][:, _ANKLES[0], 2] - self._local[0][:, _ANKLES[1], 2]
        crossings = np.flatnonzero(np.sign(ahead[1:]) != np.sign(ahead[:-1])) + 1
        return [frame for frame in crossings.tolist() if self.goes[frame] and self.stands[frame].any()]

    @cached_property
    def _turn(self) -> np.ndarray | None:
        """How much of its turn is done in each frame, 0 to 1; None for clips that are no turns."""
        if not self.content.startswith("walk-turn"):
            return None
        heading = np.unwrap(motion_start(self.joints[:, None])[:, 2])
        done = np.abs(heading - heading[0])
        return done / max(float(done.max()), 1e-6)

    def _still_from_to(self) -> tuple[int, int]:
        """The last frame of the rest before, and the first of the rest after what the clip shows."""
        busy = np.flatnonzero(self._fastest > _QUIET)
        last = len(self.joints) - 1
        return (max(int(busy[0]) - 2, 0), min(int(busy[-1]) + 2, last)) if len(busy) else (0, last)

    def _frames(self) -> tuple[list[int], list[int]]:
        """Frames where it may begin, and where it may end."""
        last = len(self.joints) - 1
        if self.content in CYCLIC:
            return list(range(0, last, 2)), list(range(1, last + 1, 2))
        if self._turn is not None:
            before, after = np.flatnonzero(self._turn < 0.15), np.flatnonzero(self._turn > 0.9)
            begun = int(np.flatnonzero(self._turn > 0.5)[0])
            return before[before < begun].tolist()[::2], after[after > begun].tolist()
        first, done = self._still_from_to()
        starts, ends = list(range(0, first + 1, 2)), list(range(done, last + 1))
        if len(self.joints) > _LONG:
            peak = int(self._fastest.argmax())
            calm = np.flatnonzero(self._fastest < 1.2).tolist()
            starts += [frame for frame in calm if frame <= peak - _AROUND_FASTEST]
            ends += [frame for frame in calm if frame >= peak + _AROUND_FASTEST]
        return sorted(set(starts)), sorted(set(ends))

    @cached_property
    def starts(self) -> list[Cut]:
        """Where it may begin."""
        frames, passing = self._frames()[0], set(self._passing)
        last = len(self.joints) - 1
        eased = [Cut(f, True) for f in range(frames[0], frames[-1] + 1) if f in passing and f + _EASE < last]
        return [Cut(frame) for frame in frames] + eased

    @cached_property
    def ends(self) -> list[Cut]:
        """Where it may end."""
        frames, passing = self._frames()[1], set(self._passing)
        eased = [Cut(f, True) for f in range(frames[0], frames[-1] + 1) if f in passing and f > _EASE]
        return [Cut(frame) for frame in frames] + eased

    def poses(self, cuts: Sequence[Cut]) -> tuple[np.ndarray, np.ndarray]:
        """Poses (N, 22, 3) over the origin and facing +Z, and velocities (N, 22, 3), at cuts."""
        frames = [cut.frame for cut in cuts]
        still = np.array([cut.eased for cut in cuts])[:, None, None]
        return self._local[0][frames], np.where(still, 0.0, self._local[1][frames])

    def liveliness(self, first: int, last: int) -> float:
        """Mean speed of the fastest joint from one frame to another, relative to that of the whole clip."""
        return float(self._fastest[first : last + 1].mean() / max(float(self._fastest.mean()), 1e-6))

    def is_grounded(self, frame: int) -> bool:
        """Whether somebody is not in the air."""
        return float(self.joints[frame, :, 1].min()) < _LOW


def play(piece: Piece, start: Cut, end: Cut) -> np.ndarray:
    """The part of a clip from one cut to another, (T, 22, 3); out of a stand and to a stand where the cuts say so.

    A gait comes to a stand by being played ever slower: a standing foot stays where it is.
    """
    times = np.arange(start.frame, end.frame + 1, dtype=np.float64)
    share = np.arange(2 * _EASE + 1) / (2 * _EASE)
    if start.eased:
        times = np.concatenate([start.frame + _EASE * share**2, times[times > start.frame + _EASE]])
    if end.eased:
        times = np.concatenate([times[times < end.frame - _EASE], end.frame - _EASE * (1 - share) ** 2])
    low = np.minimum(times.astype(int), len(piece.joints) - 2)
    weight = (times - low)[:, None, None]
    return (1 - weight) * piece.joints[low] + weight * piece.joints[low + 1]


@dataclass(frozen=True)
class Join:
    """Where the first clip ends and the second begins, and how far apart they are there (`_cost`)."""

    end: Cut
    start: Cut
    cost: float


def best_joins(first: Piece, ends: Sequence[Cut], second: Piece, starts: Sequence[Cut]) -> list[Join]:
    """The cuts that fit best, the best first, and others that fit nearly as well.

    Two cuts fit where poses over one place, facing one way, are near each other, and so are velocities: of each joint
    the way in metres, the trunk counting more and the arms less; and a tenth of the pelvis' change of velocity in m/s.
    Who goes and who stands never fit.
    """
    if not ends or not starts:
        return []
    (pose, velocity), (pose_after, velocity_after) = first.poses(ends), second.poses(starts)
    away = np.linalg.norm(pose[:, None] - pose_after[None], axis=-1) * _HEAVY
    change = np.linalg.norm(velocity[:, None, 0] - velocity_after[None, :, 0], axis=-1)
    going, going_after = (np.linalg.norm(speeds[:, 0], axis=-1) > _MOVING for speeds in (velocity, velocity_after))
    cost = away.max(axis=-1) + 0.1 * change
    cost[going[:, None] != going_after] = np.inf
    places = np.argwhere(cost <= min(_WORST, float(cost.min()) + _AS_GOOD))
    joins = [Join(ends[i], starts[j], float(cost[i, j])) for i, j in places.tolist()]
    return sorted(joins, key=lambda join: join.cost)


@dataclass(frozen=True)
class Seam:
    """Where a seam is: `first` and `last` frame in which the second motion is still coming into its own."""

    first: int
    last: int

    @property
    def middle(self) -> float:
        return (self.first + self.last) / 2


def join_motions(
    first: np.ndarray, second: np.ndarray, stand_before: np.ndarray, stand_after: np.ndarray
) -> tuple[np.ndarray, Seam] | None:
    """One motion after another, as one; bones of the skeleton, feet that do not slide.

    The second is turned to where the first faces, and put where one standing foot stays in its place; where none stands
    in both, where the pelvis stays. What is left of the difference fades out. A foot that stands in both and is
    elsewhere is lifted and put there.

    Args:
        first: (T, 22, 3), canonical.
        second: (T', 22, 3), anywhere.
        stand_before, stand_after: (2) whether each foot stands where the first ends and where the second begins.

    Returns:
        (T + T' - 1, 22, 3) and the seam; None where a foot would have to go too far, would slide or go through the
        floor, or where something jerks more than in the motions themselves.
    """
    second = carried(second, *placed(first[-1:]))
    both = [foot for foot in (0, 1) if stand_before[foot] and stand_after[foot]]
    gaps = {foot: (first[-1] - second[0])[_ANKLES[foot], [0, 2]] for foot in both}
    if both:
        gap = np.mean(list(gaps.values()), axis=0)
        if max(np.linalg.norm(one - gap) for one in gaps.values()) > _SLIDES:
            gap = min(gaps.values(), key=np.linalg.norm)
        second = second + np.array([gap[0], 0.0, gap[1]])
        gaps = {foot: one - gap for foot, one in gaps.items()}
    steps = [foot for foot in both if np.linalg.norm(gaps[foot]) > _SLIDES]
    if any(np.linalg.norm(gaps[foot]) > _FARTHEST_STEP for foot in steps):
        return None
    jump = float((np.linalg.norm(first[-1] - second[0], axis=-1) * _HEAVY).max())
    frames = min(len(second) - 1, 10 if steps else int(np.clip(round(5 + 14 * jump), 5, 9)))
    faded = fade_over(first, second, frames)
    if faded[..., 1].min() < min(-0.02, second[..., 1].min() - 0.01):
        return None
    joined = np.asarray(canonicalize_joints(np.concatenate([first, faded[1:]])))
    start = len(first) - 1
    _set_feet(joined, first[-1], second, start, frames, both, steps)
    seam = slice(start, start + frames + 1)
    jerk = max(_JERK, _JERK_MORE * max(_most_jerk(first), _most_jerk(second)))
    if _slide(joined[seam]) > _SLIDE or _most_jerk(joined[max(start - 2, 0) : seam.stop + 2]) > jerk:
        return None
    return joined, Seam(start, start + frames)


def _slide(joints: np.ndarray) -> float:
    """How far, in metres, the foot that carries somebody slides: of the feet near the floor the slower one."""
    toes = joints[:, list(_TOES)]
    step = np.linalg.norm(np.diff(toes[..., [0, 2]], axis=0), axis=-1)
    low = (toes[1:, :, 1] < _CARRIES) & (toes[:-1, :, 1] < _CARRIES)
    return float(np.where(low.any(axis=1), np.where(low, step, np.inf).min(axis=1), 0.0).sum())


def _most_jerk(joints: np.ndarray) -> float:
    """The greatest jerk of a joint, m/s^3."""
    return float(np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1).max(initial=0.0)) * FPS**3


def _set_feet(
    joined: np.ndarray, pose: np.ndarray, second: np.ndarray, start: int, frames: int, both: list[int], steps: list[int]
) -> None:
    """Put the feet that stand before and after the seam where they belong, in place.

    Args:
        joined: (T, 22, 3) the whole motion.
        pose: (22, 3) that the first ends with.
        second: (T', 22, 3) in the same world.
        start: frame of the seam.
        frames: how long it is.
        both: feet that stand before and after.
        steps: those of them that take a step.
    """
    window = slice(start, start + frames + 1)
    share = np.arange(frames + 1) / frames
    ease = (share**2 * (3 - 2 * share))[:, None]
    legs = legs_of(HUMANML3D)
    for foot in both:
        ankle = _ANKLES[foot]
        away = pose[ankle] - second[0, ankle]
        target = second[: frames + 1, ankle] + (1 - ease) * away + (joined[start, 0] - pose[0])
        if foot in steps:
            lift = 0.04 + 0.2 * float(np.linalg.norm(away))
            target[:, 1] += lift * np.sin(np.pi * share) ** 2
        part = joined[window]
        # A leg that is nearly straight does not tell where its knee is to go: forward, as the foot points.
        forward = part[:, legs[foot][3]] - part[:, ankle]
        part[:, legs[foot][1], [0, 2]] += _KNEE * np.sin(np.pi * share)[:, None] * forward[:, [0, 2]]
        move_foot(part, legs[foot], target - part[:, ankle])
