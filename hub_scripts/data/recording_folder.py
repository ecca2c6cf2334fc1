"""A user's own folder of recordings with a table of sentences."""

import hashlib
import json
import math
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hub_scripts.captions.mirrored import mirror_words
from hub_scripts.skeletons.maps import find_skeleton_map
from hub_scripts.skeletons.match import UnknownSkeletonError, offer_map_template
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D
from modeling_motionllm.placement_motionllm import encode_placements, split_people

from .caption_table import CaptionEntry, read_caption_table
from .cards import DatasetCard, dataset_card
from .composed.drawing import MAX_FRAMES
from .folder_units import folder_scales
from .gate import ReadingOptions
from .recordings import RECORDING_SUFFIXES, parse_recording, read_bytes, recording_suffix
from .retarget import RetargetedMotion, retarget_people
from .sources import Clip, MotionSource
from .splits import Split, assign_splits

__all__ = ["RecordingFolderSource"]

_CONTENT, _STYLE = "motion", "normal"  # where the table says none
_RECIPE = 3  # raise it when the same file would give other joints
_LEAST_FRAMES = 17  # of a piece of a scene


@dataclass(frozen=True)
class ClipRecording:
    """The file of one clip: name of the clip, and where the file is."""

    name: str
    path: str

    def read(self) -> bytes:
        return read_bytes(self.path)


class RecordingFolderSource(MotionSource[ClipRecording]):
    """A folder of recorded skeletons, also in subfolders, with captions.

    Args:
        folder: the files.
        captions: CSV file, see `read_caption_table`, or what it returns.
        maps: folder for maps that the user has to complete.
        options: what is known of all files; the table may say otherwise of one.
        clip_seconds: longer recordings are cut into equal pieces of at most that length; scenes of several people
            always into pieces of at most 10 s.
        name: of the dataset; the folder's by default.
        license: of the recordings and captions, as the Hub spells it.
        notice: what the card has to say of their origin.
        captions_name: what messages call `captions`, where it is no file.

    Raises:
        MotionLLMError: no recordings there, or a table that cannot be used.
    """

    scenes = True

    def __init__(
        self,
        folder: str | os.PathLike[str],
        captions: str | os.PathLike[str] | Mapping[str, CaptionEntry],
        maps: str | os.PathLike[str],
        options: ReadingOptions | None = None,
        clip_seconds: float | None = None,
        name: str | None = None,
        license: str = "other",
        notice: str = "",
        captions_name: str = "the sentences",
    ):
        self.folder, self.maps = Path(folder), Path(maps)
        self.options = options or ReadingOptions()
        self.clip_seconds = clip_seconds
        self.name = name or self.folder.resolve().name or "recordings"
        self.license = license
        self.notice = notice
        if not self.folder.is_dir():
            raise MotionLLMError(f"no such folder: '{folder}'; give the folder that holds the recordings")
        self.files: dict[str, str] = {}
        self.passed_over: list[tuple[str, str]] = []
        for path in sorted(self.folder.rglob("*")):
            suffix = recording_suffix(path)
            if suffix and path.is_file():
                stem = unicodedata.normalize("NFC", path.relative_to(self.folder).as_posix()[: -len(suffix)])
                if stem in self.files:
                    self.passed_over.append((stem, f"'{path}' differs from another file in its suffix only; rename it"))
                else:
                    self.files[stem] = str(path)
        if not self.files:
            others = ", ".join(RECORDING_SUFFIXES[1:])
            raise MotionLLMError(f"'{folder}' holds no .bvh files, nor {others}; give the folder that does")
        if isinstance(captions, Mapping):
            table, self.captions_name = dict(captions), captions_name
        else:
            table, self.captions_name = read_caption_table(captions), Path(captions).name
        self.table, without_file = _find_files(table, self.files, self.captions_name)
        self.passed_over += without_file
        if not self.table:
            raise MotionLLMError(
                f"no row of '{self.captions_name}' names a file in '{folder}' (one there is "
                f"'{Path(next(iter(self.files.values()))).name}'); write paths relative to the folder"
            )
        self.reading = {name: self._options(entry) for name, entry in self.table.items()}
        self.folder_scales = self._one_unit_a_folder()
        how = [[name, entry.file, entry.partner, asdict(self.reading[name])] for name, entry in self.table.items()]
        self.recipe = _hash([_RECIPE, sorted(how), clip_seconds])
        self.wording = _hash([self.name, license, *([name, asdict(self.table[name])] for name in sorted(self.table))])

    def recordings(self, failures: list[tuple[str, str]]) -> Iterator[ClipRecording]:
        failures += self.passed_over
        used = {file for entry in self.table.values() for file in (entry.file, entry.partner)}
        for name, path in self.files.items():
            if name not in used:
                where = Path(path).relative_to(self.folder).as_posix()
                failures.append((name, f"'{where}' has no caption in '{self.captions_name}'"))
        for name, entry in sorted(self.table.items(), key=lambda pair: (pair[1].file, pair[0])):
            yield ClipRecording(name, self.files[entry.file])

    def convert(self, recording: ClipRecording, data: bytes, digest: str) -> tuple[list[Clip], list[str]]:
        entry, options = self.table[recording.name], self.reading[recording.name]
        file = Path(recording.path).relative_to(self.folder).as_posix()
        people = self._people(data, recording.path, file, options)
        if entry.partner:
            partner = Path(self.files[entry.partner])
            other = partner.relative_to(self.folder).as_posix()
            people += self._people(ClipRecording(other, str(partner)).read(), str(partner), other, options)
        joints = _in_one_array(people, file)
        _check_bones(joints, file)
        pieces = self._cut(joints, recording.name)
        clips = [
            Clip(
                name=f"{recording.name}_{index:03d}" if len(pieces) > 1 else recording.name,
                recording=recording.name,
                content=entry.content or _CONTENT,
                style=entry.style or _STYLE,
                source=self.name,
                source_file=file,
                source_sha256=digest,
                joints=piece,
                license=entry.license or self.license,
            )
            for index, piece in enumerate(pieces)
        ]
        notes = [note for read in people for note in (read.skeleton, *read.notes)]
        if recording.name in self.folder_scales:
            notes.append("its unit is that of the other files of its folder; the column scale says otherwise")
        return clips, list(dict.fromkeys(notes))

    def content(self, clip: Clip, mirrored: bool) -> str:
        return mirror_words(clip.content) if mirrored else clip.content

    def captions(self, clip: Clip, joints: np.ndarray, mirrored: bool) -> list[str]:
        sentences = self.table[clip.recording].captions
        return [mirror_words(sentence) for sentence in sentences] if mirrored else list(sentences)

    def splits(self, clips: Iterable[Clip]) -> dict[str, Split]:
        """As the table says; the others by hash, all clips of a file (of one of its animations) alike.

        Where no recording is for val, which small collections come to, one of those for test is.
        """
        clips = list(clips)
        group = {clip.name: self._group(clip.recording) for clip in clips}
        said = {group[clip.name]: split for clip in clips if (split := self.table[clip.recording].split) is not None}
        rest = {group[clip.name]: clip for clip in clips if group[clip.name] not in said}
        drawn = assign_splits([(name, clip.content, clip.style) for name, clip in rest.items()])
        held = sorted((name for name, split in drawn.items() if split == "test"), key=_hash)
        if "val" not in (*said.values(), *drawn.values()) and len(held) > 1:
            drawn[held[0]] = "val"
        return {clip.name: self.table[clip.recording].split or (said | drawn)[group[clip.name]] for clip in clips}

    def card(self) -> DatasetCard:
        others = sorted({entry.license for entry in self.table.values()} - {"", self.license})
        single = f"; of single clips, as the column `license` says: {', '.join(others)}" if others else ""
        notice = f"\n\n{self.notice}" if self.notice else ""
        return dataset_card("recordings", name=self.name, license=self.license, others=single, notice=notice)

    def _group(self, name: str) -> str:
        """What stays in one split: a file, with the partner in it, or one animation of it."""
        entry = self.table[name]
        animation = self.reading[name].animation
        return min(file for file in (entry.file, entry.partner) if file) + (f"#{animation}" if animation else "")

    def _options(self, entry: CaptionEntry) -> ReadingOptions:
        said = dict(entry.reading)
        skeleton_map = said.pop("map", None)
        if skeleton_map is not None:
            said["skeleton_map"] = find_skeleton_map(skeleton_map)
        return replace(self.options, **said)

    def _one_unit_a_folder(self) -> dict[str, float]:
        """Scales of clips whose file alone would be read in another unit than the others; put into their options."""
        untold = {
            name: self.files[entry.file]
            for name, entry in self.table.items()
            if self.reading[name].scale is None and self.reading[name].skeleton_map is None
        }
        scales = folder_scales(untold)
        for name, scale in scales.items():
            self.reading[name] = replace(self.reading[name], scale=scale)
        return scales

    def _people(self, data: bytes, path: str, file: str, options: ReadingOptions) -> list[RetargetedMotion]:
        try:
            return retarget_people(parse_recording(data, path, file, options), file, options)
        except UnknownSkeletonError as error:
            where = self.maps / f"skeleton-{_hash(error.joint_names)[:8]}.map.json"
            raise MotionLLMError(f"{error.problem}; {offer_map_template(error, where)}") from error

    def _cut(self, joints: np.ndarray, name: str) -> list[np.ndarray]:
        """Equal pieces of at most `clip_seconds`; of scenes at most as long as a model's, and of whole codes."""
        frames, most = joints.shape[-3], None
        if self.clip_seconds is not None:
            most = max(1, round(self.clip_seconds * HUMANML3D.fps))
        if joints.ndim == 3:
            return [joints] if most is None else np.array_split(joints, math.ceil(frames / most))
        most = min(most or MAX_FRAMES, MAX_FRAMES)
        pieces = np.array_split(joints, math.ceil(frames / most), axis=1)
        pieces = [piece[:, : (piece.shape[1] - 1) // 4 * 4 + 1] for piece in pieces if piece.shape[1] >= _LEAST_FRAMES]
        for piece in pieces:
            encode_placements(split_people(piece)[1])  # people too far from each other show here
        if not pieces:
            raise MotionLLMError(f"'{name}' has {frames} frames at 20 fps; a scene needs at least {_LEAST_FRAMES}")
        return pieces


def _in_one_array(people: list[RetargetedMotion], name: str) -> np.ndarray:
    """Joints (T, 22, 3) of one, (P, T, 22, 3) of several."""
    if len(people) == 1:
        return people[0].joints
    lengths = [len(read.joints) for read in people]
    if max(lengths) - min(lengths) > 1:
        seconds = " and ".join(f"{length / HUMANML3D.fps:.2f}" for length in lengths)
        raise MotionLLMError(f"the people of '{name}' move for {seconds} s; cut them to the same part by start and end")
    return np.stack([read.joints[: min(lengths)] for read in people])


def _find_files(
    table: dict[str, CaptionEntry], files: dict[str, str], captions: str
) -> tuple[dict[str, CaptionEntry], list[tuple[str, str]]]:
    """The entries of files that are there, and name and problem of the others.

    A row may leave out folders where the file's own name says which it is.
    """
    by_stem: dict[str, list[str]] = {}
    for name in files:
        by_stem.setdefault(name.rpartition("/")[2], []).append(name)
    found: dict[str, CaptionEntry] = {}
    failures: list[tuple[str, str]] = []
    for name, entry in table.items():
        meant: list[str] = []
        for given in filter(None, (entry.file, entry.partner)):
            these = [given] if given in files else [] if "/" in given else by_stem.get(given, [])
            where = f"line {entry.line} of '{captions}' names '{entry.written if given == entry.file else given}'"
            if len(these) > 1:
                failures.append(
                    (name, f"{where}, which is there {len(these)} times; write its folder, as '{these[0]}'")
                )
            elif not these:
                failures.append((name, f"{where}, which is not in the folder"))
            meant += these if len(these) == 1 else []
        if len(meant) != 1 + bool(entry.partner):
            continue
        whole = meant[0] + name[len(entry.file) :] if name.startswith(entry.file) else name
        if whole in found:
            where = f"line {entry.line} of '{captions}' names '{entry.file}'"
            failures.append((name, f"{where}, which an earlier line calls '{meant[0]}'; write it always the same"))
        else:
            found[whole] = replace(entry, file=meant[0], partner=meant[1] if entry.partner else "")
    return found, failures


def _check_bones(joints: np.ndarray, name: str) -> None:
    """Make sure that no bone (joints (..., T, 22, 3)) has length zero in any frame: it would have no direction."""
    parents = list(HUMANML3D.parents[1:])
    *_, frames, bones = np.nonzero((joints[..., 1:, :] == joints[..., parents, :]).all(-1))
    if len(frames):
        joint = int(bones[0]) + 1
        names = HUMANML3D.joint_names[HUMANML3D.parents[joint]], HUMANML3D.joint_names[joint]
        raise MotionLLMError(
            f"'{name}' has {names[0]} and {names[1]} in one place {frames[0] / HUMANML3D.fps:.2f} s from its start; "
            "repair these frames"
        )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
