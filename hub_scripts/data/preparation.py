"""Making a dataset of recordings: files in, Arrow shards out; parallel, resumable, the same bytes every time."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.motion_features import HUMANML3D, joints_to_features, mirror_joints
from modeling_motionllm.placement_motionllm import join_people, mirror_people, split_people

from .recordings import explain_reading
from .sources import Clip, MotionSource, Recording
from .splits import SPLITS
from .store import MotionRow, finish_dataset, start_dataset, write_shard
from .workers import batched, in_order, workers

__all__ = ["Preparation", "prepare"]

# Goes into the names of intermediate files: raise it when the code changes what they hold.
_RECIPE = 3
_RECORDINGS_PER_PART = 64
_ROWS_PER_SHARD = 512


@dataclass(frozen=True)
class Preparation:
    """What came out.

    Args:
        summary: as written; None if no recording was usable.
        failures: name and problem of unusable recordings.
        notes: how recordings were read -> how many.
        noted: likewise -> which.
    """

    summary: dict[str, Any] | None
    failures: list[tuple[str, str]]
    notes: Counter[str] = field(default_factory=Counter)
    noted: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class _Reading:
    """Clips, name and problem of unusable recordings, and notes with the recordings that they are about."""

    clips: list[Clip] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    noted: dict[str, list[str]] = field(default_factory=dict)

    def note(self, notes: Iterable[str], *recordings: str) -> None:
        for note in notes:
            self.noted.setdefault(note, []).extend(recordings)

    @property
    def notes(self) -> Counter[str]:
        return Counter({note: len(recordings) for note, recordings in self.noted.items()})


def prepare(
    source: MotionSource,
    out: str | os.PathLike[str],
    num_proc: int = 2,
    limit: int | None = None,
    mirror: bool = True,
    overwrite: bool = False,
) -> Preparation:
    """Prepare recordings as a dataset in `out`.

    Args:
        source: the recordings.
        out: folder for the dataset. An unfinished run in it is continued.
        num_proc: worker processes; the result does not depend on it.
        limit: only the first `limit` recordings.
        mirror: store mirrored copies of the train clips.
        overwrite: replace a finished dataset in `out`.

    Raises:
        MotionLLMError: the source cannot be read, `out` cannot be written or holds a dataset already.
    """
    folder = ensure_folder(out)
    work = start_dataset(folder, overwrite)
    with workers(num_proc) as pool:
        reading = _read(source, limit, work, pool, num_proc)
        if not reading.clips:
            shutil.rmtree(work)
            return Preparation(None, reading.failures, reading.notes, reading.noted)
        shards, counts = _write_shards(source, reading.clips, mirror, work, pool, num_proc)
    summary = {
        "name": source.name,
        "license": source.license,
        "licenses": dict(Counter(clip.license or source.license for clip in reading.clips)),
        "fps": HUMANML3D.fps,
        "mirrored": mirror,
        "limit": limit,
        "splits": counts,
        "left_out": dict(reading.failures),
        "notes": dict(reading.notes),
        "noted": reading.noted,
    }
    written = finish_dataset(folder, shards, source.card(), summary)
    return Preparation(written, reading.failures, reading.notes, reading.noted)


def _read(source: MotionSource, limit: int | None, work: Path, pool: Executor | None, num_proc: int) -> _Reading:
    """Convert all recordings to joints, in parts that are kept on disk; clips sorted by name."""
    whole = _Reading()
    with tqdm(desc="reading", unit=" files", total=limit) as bar:
        batches = batched(islice(source.recordings(whole.failures), limit), _RECORDINGS_PER_PART)
        tasks = ((source, work, batch) for batch in batches)
        for path, size in in_order(pool, num_proc, _convert_part, tasks):
            part = _load_part(path)
            whole.clips += part.clips
            whole.failures += part.failures
            for note, recordings in part.noted.items():
                whole.note([note], *recordings)
            bar.update(size)
    _drop_doubles(whole)
    whole.clips.sort(key=lambda clip: clip.name)
    whole.failures.sort()
    return whole


def _drop_doubles(reading: _Reading) -> None:
    """Keep the first of clips with one name, such as a piece `walk_001` and a recording `walk_001`."""
    seen: set[str] = set()
    kept = []
    for clip in reading.clips:
        if clip.name in seen:
            reading.failures.append((clip.name, f"'{clip.name}' is there twice; the second was passed over"))
        else:
            seen.add(clip.name)
            kept.append(clip)
    reading.clips = kept


def _convert_part(task: tuple[MotionSource, Path, list[Recording]]) -> tuple[Path, int]:
    """Write the joints of some recordings to one file, named by what is in it; an existing one is taken as it is."""
    source, work, batch = task
    digests = [_digest(recording) for recording in batch]
    names = [f"{recording.name}:{digest}" for recording, digest in zip(batch, digests, strict=True)]
    path = work / f"joints-{_key([source.recipe, *names])}.npz"
    if path.exists():
        return path, len(batch)
    part = _Reading()
    for recording, digest in zip(batch, digests, strict=True):
        try:
            with explain_reading(recording.name):
                clips, notes = source.convert(recording, recording.read(), digest)
        except MotionLLMError as error:
            part.failures.append((recording.name, str(error)))
            continue
        part.clips += clips
        part.note(notes, recording.name)
    _save_part(path, part)
    return path, len(batch)


def _digest(recording: Recording) -> str:
    try:
        return hashlib.sha256(recording.read()).hexdigest()
    except MotionLLMError:
        return "unreadable"  # it is named when it is converted


def _save_part(path: Path, part: _Reading) -> None:
    arrays = [clip.people.reshape(-1, 22, 3) for clip in part.clips]
    labels = [{name: value for name, value in vars(clip).items() if name != "joints"} for clip in part.clips]
    about = {"clips": labels, "failures": part.failures, "noted": part.noted}
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            allow_pickle=False,
            joints=np.concatenate(arrays) if arrays else np.empty((0, 22, 3), dtype=np.float32),
            lengths=np.array([*map(len, arrays)], int),
            people=np.array([len(clip.people) for clip in part.clips], int),
            about=np.array(json.dumps(about)),
        )


def _load_part(path: Path) -> _Reading:
    with np.load(path, allow_pickle=False) as part:
        about = json.loads(str(part["about"]))
        arrays = np.split(part["joints"], np.cumsum(part["lengths"])[:-1]) if about["clips"] else []
        people = part["people"].tolist()
    return _Reading(
        [
            Clip(**labels, joints=joints if count == 1 else joints.reshape(count, -1, 22, 3))
            for labels, joints, count in zip(about["clips"], arrays, people, strict=True)
        ],
        [(name, problem) for name, problem in about["failures"]],
        about["noted"],
    )


def _write_shards(
    source: MotionSource, clips: list[Clip], mirror: bool, work: Path, pool: Executor | None, num_proc: int
) -> tuple[dict[str, list[Path]], dict[str, dict[str, int]]]:
    """Write every split's shards into the work folder; returns their paths in order, and the counts."""
    splits = source.splits(clips)
    tasks: list[tuple[MotionSource, Path, list[tuple[Clip, bool]]]] = []
    shards: dict[str, list[Path]] = {}
    counts: dict[str, dict[str, int]] = {}
    for split in SPLITS:
        mine = [clip for clip in clips if splits[clip.name] == split]
        if not mine:
            continue
        sides = (False, True) if mirror and split == "train" else (False,)
        rows = [(clip, mirrored) for clip in mine for mirrored in sides]
        counts[split] = {
            "rows": len(rows),
            "clips": len(mine),
            "people": sum(len(clip.people) for clip in mine),
            "frames": sum(clip.num_frames for clip, _ in rows),
        }
        for batch in batched(rows, _ROWS_PER_SHARD):
            names = [f"{clip.name}:{clip.source_sha256}:{mirrored}" for clip, mirrored in batch]
            path = work / f"{split}-{_key([source.recipe, source.wording, *names])}.arrow"
            shards.setdefault(split, []).append(path)
            tasks.append((source, path, batch))
    with tqdm(desc="writing rows", unit=" rows", total=sum(len(batch) for _, _, batch in tasks)) as bar:
        for size in in_order(pool, num_proc, _make_shard, tasks):
            bar.update(size)
    return shards, counts


def _make_shard(task: tuple[MotionSource, Path, list[tuple[Clip, bool]]]) -> int:
    source, path, rows = task
    if not path.exists():
        write_shard(path, [_row(source, clip, mirrored) for clip, mirrored in rows])
    return len(rows)


def _row(source: MotionSource, clip: Clip, mirrored: bool) -> MotionRow:
    people = clip.people
    if len(people) > 1:
        canonical, placements = split_people(people)
        if mirrored:
            canonical, placements = mirror_people(canonical, placements)
        joints = join_people(canonical, placements).astype(np.float32)
    else:
        placements = np.zeros((1, 3))
        joints = canonical = np.asarray(mirror_joints(people), dtype=np.float32) if mirrored else people
    row: MotionRow = {
        "name": f"{clip.name}_mirrored" if mirrored else clip.name,
        "source": clip.source,
        "num_people": len(people),
        "contents": [source.content(clip, mirrored)] * len(people),
        "styles": [clip.style] * len(people),
        "mirrored": mirrored,
        "captions": source.captions(clip, joints[0], mirrored),
        "fps": HUMANML3D.fps,
        "num_frames": clip.num_frames,
        "joints": joints,
        "features": joints_to_features(canonical).astype(np.float32),
        "source_file": clip.source_file,
        "source_sha256": clip.source_sha256,
    }
    if source.scenes:
        row |= {"kind": "", "composed": False, "placements": placements, "license": clip.license or source.license}
    return row


def _key(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join([f"recipe {_RECIPE}", *names]).encode()).hexdigest()[:32]
