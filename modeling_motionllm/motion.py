"""`Motion`: what a user holds in the hand: joint positions over time, of one person or several."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .arrays_motionllm import NpzArrays
from .errors_motionllm import MotionLLMError
from .files_motionllm import atomic_path
from .motion_features import FASTEST, MOST_FRAMES, SKELETONS, SLOWEST, Skeleton, skeleton_of_joints
from .planted_feet_motionllm import plant_feet

__all__ = ["Motion", "MotionSegment"]

_JOINTS = tuple(skeleton.num_joints for skeleton in SKELETONS.values())
# What a file holds one of, and its type.
_SINGLE: dict[str, Callable[[Any], Any]] = {
    **{"fps": float, "caption": str, "seed": int, "model": str, "version": str, "unknown": float, "settings": str}
}
_PAST_THE_END = 0.1  # seconds: a resampled motion may be a frame shorter than its segments
# What is raised where arrays hold something else than is meant to be in them.
_DAMAGED = (KeyError, ValueError, TypeError, OverflowError, RecursionError)
_LONGEST_CAPTION = 10_000  # letters


class MotionSegment(NamedTuple):
    """A part of a motion in which one sentence is done.

    Args:
        text: the sentence; "" where it is not known.
        start, end: seconds from the first frame.
    """

    text: str
    start: float
    end: float


def _check_text(what: str, text: str | None) -> None:
    """Raises:
    MotionLLMError: a text that is much longer than any sentence.
    """
    if text is not None and len(text) > _LONGEST_CAPTION:
        raise MotionLLMError(f"{what} has {len(text):,} letters; at most {_LONGEST_CAPTION:,} are possible, shorten it")


@dataclass(eq=False)
class Motion:
    """Joint positions over time.

    Args:
        joints: float32 (T, 22, 3) or (P, T, 22, 3) for P people; metres, Y up, right-handed, SMPL-22 joint order
            (facing +Z means left is +X). Converted to float32. Motions of KIT-ML models have the 21 joints of that
            skeleton instead, in metres too.
        fps: frames per second.
        caption: what the motion shows, if known.
        codes: int64 codebook indices (L,) that the motion was decoded from, if any.
        seed: the random seed that made it, if any.
        model: name of the model that made it, if any.
        features: float32 (T, 263) or (T - 1, 263), the raw HumanML3D features that the joints were recovered from, if
            any: as the model decoded them, so the joints may stand on another floor and on bones that do not stretch.
            With P people (P, T, 263). With the 21 joints of KIT-ML 251 columns, in millimetres.
        version: of the MotionLLM package that made it, if any.
        unknown: the probability, by the model that made it, that it has never seen what the caption asks for, if any;
            see `MotionGenerationOutput`.
        segments: what it shows one after another, in order, if it was made or composed so.
        settings: how it was drawn, as JSON, if a model made it.
        root_path: float32 (T, 2), x and z in metres: the path of one person that was taken out of the joints, from 0
            on; adding it to them gives the motion as it goes.

    Raises:
        MotionLLMError: wrong shape, of the path too, people of different lengths, no frames or more than `MOST_FRAMES`,
            NaN or infinite values, `fps` out of range, a caption of more than 10,000 letters, or segments that overlap
            or go on after its end.
    """

    joints: np.ndarray
    fps: float = 20.0
    caption: str | None = None
    codes: np.ndarray | None = None
    seed: int | None = None
    model: str | None = None
    features: np.ndarray | None = None
    version: str | None = None
    unknown: float | None = None
    segments: Sequence[MotionSegment] | None = None
    settings: str | None = None
    root_path: np.ndarray | None = None

    def __post_init__(self) -> None:
        try:
            given = np.asarray(self.joints)
        except ValueError as error:  # no regular array
            shapes = " and ".join(str(getattr(person, "shape", "a list")) for person in self.joints)
            raise MotionLLMError(
                f"the people of a scene move equally long, but their joints have the shapes {shapes}; cut them to the "
                "shortest, or make a motion of each"
            ) from error
        if given.dtype.kind not in "fiu":
            raise MotionLLMError(f"joints are of type {given.dtype}; give an array of numbers, (frames, 22, 3)")
        self.joints = np.ascontiguousarray(given, dtype=np.float32)
        shape = self.joints.shape
        if self.joints.ndim not in (3, 4) or shape[-2] not in _JOINTS or shape[-1] != 3:
            raise MotionLLMError(
                f"joints have shape {shape}; give (frames, 22, 3), or (people, frames, 22, 3), in SMPL-22 order "
                "(KIT-ML: 21 joints)"
            )
        if 0 in shape:
            raise MotionLLMError(f"joints of shape {shape} hold no frame; a motion needs at least one")
        if not np.isfinite(self.joints).all():
            bad = int((~np.isfinite(self.joints)).sum())
            raise MotionLLMError(f"joints hold {bad} values that are NaN or infinite; repair or cut these frames first")
        if self.num_frames > MOST_FRAMES:
            raise MotionLLMError(
                f"joints hold {self.num_frames:,} frames; at most {MOST_FRAMES:,} are possible, cut them"
            )
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise MotionLLMError(f"fps is {self.fps}; give a positive number of frames per second")
        if not SLOWEST <= self.fps <= FASTEST:
            raise MotionLLMError(f"fps is {self.fps:g}; give frames per second from {SLOWEST:g} to {FASTEST:g}")
        self.fps = float(self.fps)
        _check_text("caption", self.caption)
        if self.codes is not None:
            self.codes = np.asarray(self.codes, dtype=np.int64)
        if self.features is not None:
            self.features = self._checked_features(np.asarray(self.features))
        if self.root_path is not None:
            path = np.asarray(self.root_path)
            if self.joints.ndim != 3 or path.shape != (self.num_frames, 2) or not np.isfinite(path).all():
                raise MotionLLMError(
                    f"root_path has shape {path.shape} beside joints of shape {self.joints.shape}; give finite x and z "
                    "for each frame of one person, or leave it out"
                )
            self.root_path = np.ascontiguousarray(path, dtype=np.float32)
        if self.segments is not None:
            self.segments = [MotionSegment(str(text), float(start), float(end)) for text, start, end in self.segments]
            for segment in self.segments:
                _check_text("a segment's sentence", segment.text)
            times = [time for segment in self.segments for time in segment[1:]]
            if not all(0 <= a <= b for a, b in pairwise([0.0, *times])):
                raise MotionLLMError(f"segments are at {times} s; give them in order, and so that none overlap")
            if times and times[-1] > self.duration + _PAST_THE_END:
                raise MotionLLMError(f"the last segment ends at {times[-1]:g} s, the motion at {self.duration:g} s")

    def part(self, start: int, stop: int) -> "Motion":
        """The frames from `start` to `stop`, with the segments that are in them; without `features` and `codes`."""
        first, last = start / self.fps, stop / self.fps
        segments = None
        if self.segments is not None:
            cut = [(text, max(a, first) - first, min(b, last) - first) for text, a, b in self.segments]
            segments = [MotionSegment(*one) for one in cut if one[1] < one[2]]
        joints = self.joints[..., start:stop, :, :]
        path = None if self.root_path is None else self.root_path[start:stop] - self.root_path[start]
        return replace(self, joints=joints, features=None, codes=None, segments=segments, root_path=path)

    def _checked_features(self, features: np.ndarray) -> np.ndarray:
        people, frames, columns = self.joints.shape[:-3], self.num_frames, self.skeleton.feature_dim
        if features.shape not in ((*people, frames, columns), (*people, frames - 1, columns)):
            raise MotionLLMError(
                f"features have shape {features.shape} beside joints of shape {self.joints.shape}; give a row of "
                f"{columns} for each frame, or leave them out"
            )
        if features.dtype.kind not in "fiu" or not np.isfinite(features).all():
            raise MotionLLMError("features hold values that are NaN, infinite or no numbers; leave them out")
        return np.ascontiguousarray(features, dtype=np.float32)

    @property
    def skeleton(self) -> Skeleton:
        """The skeleton that its joints are those of."""
        return skeleton_of_joints(self.joints.shape[-2])

    @property
    def people(self) -> np.ndarray:
        """Joints with a person axis always: (P, T, 22, 3)."""
        return self.joints[None] if self.joints.ndim == 3 else self.joints

    @property
    def num_people(self) -> int:
        return self.people.shape[0]

    @property
    def num_frames(self) -> int:
        return self.joints.shape[-3]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.num_frames / self.fps

    def __repr__(self) -> str:
        who = "1 person" if self.num_people == 1 else f"{self.num_people} people"
        text = f", caption={self.caption!r}" if self.caption else ""
        return f"Motion({who}, {self.num_frames} frames, {self.fps:g} fps, {self.duration:.2f} s{text})"

    def _repr_html_(self) -> str | None:
        """The viewer, in notebooks; None where the package is not installed, so that the text above is shown."""
        try:
            from hub_scripts.export.html_viewer import embed_html
        except ImportError:
            return None
        return embed_html(self)

    def plant_feet(self) -> "Motion":
        """This motion with feet that do not slide while they stand, see `plant_feet`; without `features`."""
        return replace(self, joints=plant_feet(self.joints, self.fps), features=None)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an `.npz`; equal motions give equal bytes.

        It holds arrays under the names of the attributes: `joints`, `fps` and, where known, `features`, `codes`,
        `caption`, `seed`, `model`, `version`, `unknown`, `settings` and `root_path`; segments as `segment_texts` (N,)
        and `segment_times` (N, 2), seconds. No pickle is needed to read them.

        Raises:
            MotionLLMError: the suffix is not `.npz`, or the file cannot be written.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise MotionLLMError(f"'{path}' does not end in .npz; use motionllm.save_motion for other formats")
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "segments"}
        if self.segments:
            values["segment_texts"] = [segment.text for segment in self.segments]
            values["segment_times"] = np.array([segment[1:] for segment in self.segments], dtype=np.float64)
        arrays = {name: np.asarray(value) for name, value in values.items() if value is not None}
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **arrays)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Motion":
        """Read an `.npz` written by `save`, or any with `joints` and perhaps others of the arrays that it writes.

        Raises:
            MotionLLMError: no such file, not an npz, no `joints` in it, or arrays that `Motion` refuses.
        """
        path = Path(path)
        if not path.is_file():
            raise MotionLLMError(f"no such file: '{path}'")
        try:
            arrays = NpzArrays(path, str(path))
            # Files of the first version kept the single values in a JSON text.
            single = json.loads(str(arrays["metadata"])) if "metadata" in arrays else {}
            if not isinstance(single, dict):
                raise ValueError("its metadata is no JSON object")
            single |= {name: arrays[name].item() for name in _SINGLE if name in arrays}
            values = {name: kind(single[name]) for name, kind in _SINGLE.items() if single.get(name) is not None}
            codes = np.asarray(arrays["codes"], dtype=np.int64) if "codes" in arrays else None
            segments = None
            if "segment_texts" in arrays:
                times = zip(arrays["segment_texts"].tolist(), arrays["segment_times"].tolist(), strict=True)
                segments = [MotionSegment(text, start, end) for text, (start, end) in times]
        except _DAMAGED as error:
            if isinstance(error, MotionLLMError):
                raise
            raise MotionLLMError(f"'{path}' is not a readable .npz file ({error}); export it again") from error
        if "joints" not in arrays:
            raise MotionLLMError(f"'{path}' has no array 'joints', only {sorted(arrays)}; save joints (T, 22, 3) in it")
        try:
            known: dict[str, Any] = {name: arrays.get(name) for name in ("features", "root_path")}
            return cls(arrays["joints"], codes=codes, segments=segments, **known, **values)
        except MotionLLMError as error:
            raise MotionLLMError(f"'{path}': {error}") from error
