"""A user's own folder of BVH files with a table of sentences."""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hub_scripts.captions.mirrored import mirror_words
from hub_scripts.skeletons.match import UnknownSkeletonError, offer_map_template
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

from .bvh import parse_bvh
from .caption_table import CaptionEntry, read_caption_table
from .cards import DatasetCard, dataset_card
from .retarget import BvhOptions, retarget
from .sources import Clip, MotionSource
from .splits import Split, assign_splits

__all__ = ["BvhFolderSource"]

_CONTENT, _STYLE = "motion", "normal"  # where the table says none
_RECIPE = 2  # raise it when the same file would give other joints


@dataclass(frozen=True)
class BvhRecording:
    """One file: its path in the folder, without suffix and with forward slashes, and where it is."""

    name: str
    path: str

    def read(self) -> bytes:
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise MotionLLMError(f"cannot read '{self.path}' ({error.strerror}); check its permissions") from error


class BvhFolderSource(MotionSource):
    """A folder of BVH files, also in subfolders, with captions.

    Args:
        folder: the files.
        captions: CSV file, see `read_caption_table`.
        maps: folder for maps that the user has to complete.
        options: what is known of the files.
        clip_seconds: longer recordings are cut into equal pieces of at most that length.
        name: of the dataset; the folder's by default.
        license: of the recordings and captions, as the Hub spells it.

    Raises:
        MotionLLMError: no BVH files there, or a table that cannot be used.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        captions: str | os.PathLike[str],
        maps: str | os.PathLike[str],
        options: BvhOptions | None = None,
        clip_seconds: float | None = None,
        name: str | None = None,
        license: str = "other",
    ):
        self.folder, self.maps = Path(folder), Path(maps)
        self.options = options or BvhOptions()
        self.clip_seconds = clip_seconds
        self.name = name or self.folder.resolve().name or "bvh"
        self.license = license
        if not self.folder.is_dir():
            raise MotionLLMError(f"no such folder: '{folder}'; give the folder that holds the .bvh files")
        self.files: dict[str, str] = {}
        self.passed_over: list[tuple[str, str]] = []
        for path in sorted(self.folder.rglob("*")):
            if path.suffix.lower() == ".bvh" and path.is_file():
                stem = path.relative_to(self.folder).with_suffix("").as_posix()
                if stem in self.files:
                    self.passed_over.append((stem, f"'{path}' differs from another file in its suffix only; rename it"))
                else:
                    self.files[stem] = str(path)
        if not self.files:
            raise MotionLLMError(f"'{folder}' holds no .bvh files; give the folder that does")
        self.table, without_file = _find_files(read_caption_table(captions), self.files, os.fspath(captions))
        self.passed_over += without_file
        if not self.table:
            raise MotionLLMError(
                f"no row of '{captions}' names a file in '{folder}' (one there is '{next(iter(self.files))}.bvh'); "
                "write paths relative to the folder"
            )
        self.captions_name = Path(captions).name
        self.recipe = _hash([_RECIPE, asdict(self.options), clip_seconds])
        self.wording = _hash([self.name, *([name, asdict(entry)] for name, entry in sorted(self.table.items()))])

    def recordings(self, failures: list[tuple[str, str]]) -> Iterator[BvhRecording]:
        failures += self.passed_over
        for name, path in self.files.items():
            if name in self.table:
                yield BvhRecording(name, path)
            else:
                failures.append((name, f"'{name}.bvh' has no caption in '{self.captions_name}'"))

    def convert(self, recording: Any, data: bytes, digest: str) -> tuple[list[Clip], list[str]]:
        file = f"{recording.name}.bvh"
        bvh = parse_bvh(data, file)
        try:
            read = retarget(bvh, file, self.options)
        except UnknownSkeletonError as error:
            path = self.maps / f"skeleton-{_hash(error.joint_names)[:8]}.map.json"
            raise MotionLLMError(f"{error.problem}; {offer_map_template(error, path)}") from error
        _check_bones(read.joints, file)
        entry = self.table[recording.name]
        pieces = self._cut(read.joints)
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
            )
            for index, piece in enumerate(pieces)
        ]
        return clips, [read.skeleton, *read.notes]

    def content(self, clip: Clip, mirrored: bool) -> str:
        return mirror_words(clip.content) if mirrored else clip.content

    def captions(self, clip: Clip, joints: np.ndarray, mirrored: bool) -> list[str]:
        sentences = self.table[clip.recording].captions
        return [mirror_words(sentence) for sentence in sentences] if mirrored else list(sentences)

    def splits(self, clips: Iterable[Clip]) -> dict[str, Split]:
        """As the table says; the others by hash, all clips of a recording alike.

        Where no recording is for val, which small collections come to, one of those for test is.
        """
        by_recording = {clip.recording: clip for clip in clips}
        said = {name: split for name in by_recording if (split := self.table[name].split) is not None}
        rest = [(name, clip.content, clip.style) for name, clip in by_recording.items() if name not in said]
        drawn = assign_splits(rest)
        held = sorted((name for name, split in drawn.items() if split == "test"), key=_hash)
        if "val" not in (*said.values(), *drawn.values()) and len(held) > 1:
            drawn[held[0]] = "val"
        splits = said | drawn
        return {clip.name: splits[clip.recording] for clip in clips}

    def card(self) -> DatasetCard:
        return dataset_card("bvh", name=self.name, license=self.license)

    def _cut(self, joints: np.ndarray) -> list[np.ndarray]:
        """Equal pieces of at most `clip_seconds`."""
        if self.clip_seconds is None:
            return [joints]
        most = max(1, round(self.clip_seconds * HUMANML3D.fps))
        return np.array_split(joints, math.ceil(len(joints) / most))


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
    for given, entry in table.items():
        meant = [given] if given in files else [] if "/" in given else by_stem.get(given, [])
        where = f"line {entry.line} of '{Path(captions).name}' names '{given}.bvh'"
        if len(meant) > 1:
            failures.append((given, f"{where}, which is there {len(meant)} times; write its folder, as '{meant[0]}'"))
        elif not meant:
            failures.append((given, f"{where}, which is not in the folder"))
        elif meant[0] in found:
            failures.append((given, f"{where}, which an earlier line calls '{meant[0]}.bvh'; write it always the same"))
        else:
            found[meant[0]] = entry
    return found, failures


def _check_bones(joints: np.ndarray, name: str) -> None:
    """Make sure that no bone (joints (T, 22, 3)) has length zero in any frame: it would have no direction."""
    parents = list(HUMANML3D.parents[1:])
    frames, bones = np.nonzero((joints[:, 1:] == joints[:, parents]).all(-1))
    if len(frames):
        joint = int(bones[0]) + 1
        names = HUMANML3D.joint_names[HUMANML3D.parents[joint]], HUMANML3D.joint_names[joint]
        raise MotionLLMError(
            f"'{name}' has {names[0]} and {names[1]} in one place {frames[0] / HUMANML3D.fps:.2f} s from its start; "
            "repair these frames"
        )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
