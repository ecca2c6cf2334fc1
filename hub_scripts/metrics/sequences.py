"""Metrics on motions of one person who does one thing after another: what is done, and how one thing meets the next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hub_scripts.captions.sentence_content import parse_sentence
from hub_scripts.metrics.agreement import shows
from hub_scripts.metrics.base import Metric
from hub_scripts.metrics.kinematics import Kinematics
from hub_scripts.metrics.physics import FootSkating, MotionClips
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["HeadingDrift", "Seams", "SegmentsDone", "SequenceMotions"]

_SEAM_SECONDS = 0.4  # before and after the end of a segment that belong to the seam
_SHORTEST = 0.5  # seconds of a segment that can be judged
_TURNS = frozenset(("turn", "spin", "dance", "roll"))


@dataclass(frozen=True)
class SequenceMotions:
    """N motions in segments.

    Args:
        joints: N arrays (T_i, 22, 3), metres, Y up, the floor at y = 0.
        ends: for each the frames at which its segments end, in order; the last frame belongs to the last segment.
        sentences: for each what is to be done in each segment.
        fps: frames per second.

    Raises:
        MotionLLMError: no motions, no seam at all, another number of sentences, or ends that are none.
    """

    joints: Sequence[np.ndarray]
    ends: Sequence[Sequence[int]]
    sentences: Sequence[Sequence[str]]
    fps: float = 20.0

    def __post_init__(self) -> None:
        if not max(map(len, self.ends), default=0) > 1:
            raise MotionLLMError("there is no motion of two segments or more to measure")
        for index, (joints, ends, told) in enumerate(zip(self.joints, self.ends, self.sentences, strict=True)):
            if len(ends) != len(told):
                raise MotionLLMError(
                    f"motion {index} has {len(ends)} segments and {len(told)} sentences; give one each"
                )
            if list(ends) != sorted(set(ends)) or not (ends[0] > 0 and ends[-1] <= len(joints)):
                raise MotionLLMError(f"motion {index} has {len(joints)} frames and segments that end at {list(ends)}")

    @cached_property
    def num_seams(self) -> int:
        return sum(len(ends) - 1 for ends in self.ends)

    def segments(self) -> Iterator[Iterator[tuple[np.ndarray, str]]]:
        """For each motion its segments: joints, with the frame at which the next one begins, and sentence."""
        for joints, ends, told in zip(self.joints, self.ends, self.sentences, strict=True):
            starts = [0, *ends[:-1]]
            yield ((joints[a : b + 1], text) for a, b, text in zip(starts, ends, told, strict=True))

    @cached_property
    def near_seams(self) -> list[np.ndarray]:
        """For each motion whether a frame belongs to a seam, bool (T_i,)."""
        reach = round(_SEAM_SECONDS * self.fps)
        return [
            (np.abs(np.arange(len(joints))[:, None] - np.array(ends[:-1], dtype=int)) <= reach).any(axis=1)
            for joints, ends in zip(self.joints, self.ends, strict=True)
        ]

    def pieces(self, at_seams: bool) -> list[np.ndarray]:
        """Joints of the frames in a row that belong to a seam, or to none; of two frames or more."""
        found = []
        for joints, near in zip(self.joints, self.near_seams, strict=True):
            edges = np.flatnonzero(np.diff(near)) + 1
            parts = np.split(np.arange(len(joints)), edges)
            found += [joints[part] for part in parts if len(part) > 1 and near[part[0]] == at_seams]
        return found


def _shows(joints: np.ndarray, text: str, fps: float) -> bool | None:
    """Whether a segment shows what its sentence says; None where that cannot be judged."""
    return None if len(joints) < fps * _SHORTEST else shows(joints, parse_sentence(text), fps)


class SegmentsDone(Metric[SequenceMotions]):
    """Whether what is told is done, each in its own segment, and so in order.

    A segment is done if its joints show what its sentence says, by the kinematic tests of `shown_actions`. Not judged
    are segments under half a second and those whose sentence names an action that joints do not tell. `segments_done`:
    share of the judged segments. `sequences_done`: share of the motions with all segments done, of those whose segments
    are all judged.
    """

    name, units, better = "segments_done", "share", "higher"

    @property
    def columns(self) -> tuple[str, ...]:
        return ("sequences_done", "segments_done")

    def compute(self, sample: SequenceMotions, rng: np.random.Generator) -> Sequence[float]:
        done = [[_shows(joints, text, sample.fps) for joints, text in segments] for segments in sample.segments()]
        whole = [all(own) for own in done if None not in own]
        judged = [one for own in done for one in own if one is not None]
        return [float(np.mean(found)) if found else float("nan") for found in (whole, judged)]


class Seams(Metric[SequenceMotions]):
    """What one thing after another looks like where the one ends and the next begins, against everywhere else.

    Frames of up to 0.4 s before and after the end of a segment belong to its seam. `seam_speed` and `seam_jerk`: the
    99th percentile over the frames at seams of the fastest joint's speed (m/s), and of the mean length of the joints'
    third derivative (m/s^3); `elsewhere_...`: over all other frames; `..._ratio`: the one by the other.
    `seam_speed_worst`: the fastest joint at any seam, by the percentile elsewhere. `seam_skating_cm` and
    `elsewhere_skating_cm`: centimetres that standing feet slide in a second, see `FootSkating`.
    """

    name, units, better = "seams", "m/s; m/s^3; ratio; cm per second", "like real"

    @property
    def columns(self) -> tuple[str, ...]:
        speed = ("seam_speed", "elsewhere_speed", "seam_speed_ratio", "seam_speed_worst")
        return (*speed, "seam_jerk", "elsewhere_jerk", "seam_jerk_ratio", "seam_skating_cm", "elsewhere_skating_cm")

    def compute(self, sample: SequenceMotions, rng: np.random.Generator) -> Sequence[float]:
        sides = [sample.pieces(at_seams) for at_seams in (True, False)]
        speeds = [self._of_frames(pieces, 1, sample.fps).max(axis=-1) for pieces in sides]
        jerks = [self._of_frames(pieces, 3, sample.fps).mean(axis=-1) for pieces in sides]
        speed, speed_elsewhere = (float(np.percentile(one, 99)) for one in speeds)
        jerk, jerk_elsewhere = (float(np.percentile(one, 99)) for one in jerks)
        skating = [FootSkating()(MotionClips(pieces, sample.fps))["foot_skating_cm"] for pieces in sides]
        worst = float(speeds[0].max()) / speed_elsewhere
        ratios = speed / speed_elsewhere, jerk / jerk_elsewhere
        return [speed, speed_elsewhere, ratios[0], worst, jerk, jerk_elsewhere, ratios[1], *skating]

    @staticmethod
    def _of_frames(pieces: Sequence[np.ndarray], order: int, fps: float) -> np.ndarray:
        """Lengths of the joints' derivatives of that order, (N, 22), of all pieces."""
        found = [np.linalg.norm(np.diff(piece, n=order, axis=0), axis=-1) for piece in pieces if len(piece) > order]
        if not found:
            raise MotionLLMError("the motions have no frames at or outside of their seams; give longer ones")
        return np.concatenate(found) * fps**order


class HeadingDrift(Metric[SequenceMotions]):
    """How far the body turns, in degrees without sign, in segments whose sentence says nothing of turning: the mean."""

    name, units, better = "heading_drift_deg", "degrees", "like real"

    def compute(self, sample: SequenceMotions, rng: np.random.Generator) -> Sequence[float]:
        turns = [
            abs(Kinematics(joints, sample.fps).turned)
            for segments in sample.segments()
            for joints, text in segments
            if len(joints) >= sample.fps * _SHORTEST
            and not any(action.turn or action.name in _TURNS for action in parse_sentence(text).actions)
        ]
        return [float(np.mean(turns)) if turns else float("nan")]
