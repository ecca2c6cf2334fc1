"""Making the Bandai dataset: archives in, Parquet shards out; parallel, resumable, the same bytes every time."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.motion_features import joints_to_features, mirror_joints

from .bandai import FPS, BandaiClip, bandai_joints, iter_bandai_clips
from .bvh import parse_bvh
from .captions import content_of, describe
from .dataset_card import BANDAI_CARD, BANDAI_CARD_METADATA
from .splits import SPLITS, assign_splits
from .storage import put_in_place, start_dataset, write_card, write_shard, write_summary
from .workers import batched, in_order, workers

__all__ = ["Preparation", "prepare_bandai"]

# Goes into the names of intermediate files: raise it when the code changes what they hold.
_RECIPE = 1
_MIN_FRAMES = 5
_CLIPS_PER_PART = 64
_ROWS_PER_SHARD = 512


@dataclass(frozen=True)
class Preparation:
    """What came out: the summary as written (None if no clip was usable), and name and problem of unusable clips."""

    summary: dict[str, Any] | None
    failures: list[tuple[str, str]]


@dataclass(frozen=True)
class _Clip:
    """A usable clip: its labels, where it is from, and its joints (T, 22, 3) at 20 fps."""

    name: str
    content: str
    style: str
    source: str
    source_file: str
    source_sha256: str
    joints: np.ndarray


def prepare_bandai(
    src: str | os.PathLike[str],
    out: str | os.PathLike[str],
    num_proc: int = 2,
    limit: int | None = None,
    mirror: bool = True,
    overwrite: bool = False,
) -> Preparation:
    """Prepare the Bandai-Namco data in `src` as a dataset in `out`.

    Args:
        src: what `iter_bandai_clips` takes.
        out: folder for the dataset. An unfinished run in it is continued.
        num_proc: worker processes; the result does not depend on it.
        limit: only the first `limit` clips.
        mirror: store mirrored copies of the train clips.
        overwrite: replace a finished dataset in `out`.

    Raises:
        MotionLLMError: `src` cannot be read, `out` cannot be written or holds a dataset already.
    """
    folder = ensure_folder(out)
    work = start_dataset(folder, overwrite)
    with workers(num_proc) as pool:
        clips, failures = _read_clips(src, limit, work, pool, num_proc)
        if not clips:
            shutil.rmtree(work)
            return Preparation(None, failures)
        splits = assign_splits((clip.name, clip.content, clip.style) for clip in clips)
        shards, counts = _write_shards(clips, splits, mirror, work, pool, num_proc)
    put_in_place(folder, shards)
    write_card(folder, shards, BANDAI_CARD, BANDAI_CARD_METADATA)
    summary = {
        "name": "bandai-namco",
        "license": BANDAI_CARD_METADATA["license"],
        "fps": FPS,
        "mirrored": mirror,
        "limit": limit,
        "splits": counts,
        "left_out": dict(failures),
    }
    written = write_summary(folder, summary)
    shutil.rmtree(work)
    return Preparation(written, failures)


def _read_clips(
    src: str | os.PathLike[str], limit: int | None, work: Path, pool: Executor | None, num_proc: int
) -> tuple[list[_Clip], list[tuple[str, str]]]:
    """Convert all clips to joints, in parts that are kept on disk; sorted by name."""
    clips: list[_Clip] = []
    failures: list[tuple[str, str]] = []
    with tqdm(desc="reading clips", unit=" clips", total=limit) as bar:
        batches = batched(islice(_once_each(iter_bandai_clips(src), failures), limit), _CLIPS_PER_PART)
        for path, size in in_order(pool, num_proc, _convert_part, ((work, batch) for batch in batches)):
            usable, broken = _load_part(path)
            clips += usable
            failures += broken
            bar.update(size)
    return sorted(clips, key=lambda clip: clip.name), sorted(failures)


def _once_each(clips: Iterable[BandaiClip], failures: list[tuple[str, str]]) -> Iterator[BandaiClip]:
    seen: set[str] = set()
    for clip in clips:
        if clip.name in seen:
            failures.append((clip.name, f"'{clip.name}' is there twice; the second was passed over"))
        else:
            seen.add(clip.name)
            yield clip


def _convert_part(task: tuple[Path, list[BandaiClip]]) -> tuple[Path, int]:
    """Write the joints of some clips to one file, named by what is in it; an existing one is taken as it is."""
    work, batch = task
    hashes = [hashlib.sha256(clip.data).hexdigest() for clip in batch]
    names = [f"{clip.name}:{digest}" for clip, digest in zip(batch, hashes, strict=True)]
    path = work / f"joints-{_key(names)}.npz"
    if path.exists():
        return path, len(batch)
    arrays: list[np.ndarray] = []
    usable: list[dict[str, str]] = []
    broken: list[tuple[str, str]] = []
    for clip, digest in zip(batch, hashes, strict=True):
        try:
            joints = bandai_joints(parse_bvh(clip.data, f"{clip.name}.bvh"), f"{clip.name}.bvh")
            if len(joints) < _MIN_FRAMES:
                raise MotionLLMError(
                    f"'{clip.name}.bvh' has {len(joints)} frames at 20 fps; at least {_MIN_FRAMES} are needed"
                )
            describe(clip.content, clip.style, joints, clip.name)
        except MotionLLMError as error:
            broken.append((clip.name, str(error)))
            continue
        arrays.append(joints)
        usable.append(
            {
                "name": clip.name,
                "content": clip.content,
                "style": clip.style,
                "source": clip.source,
                "source_file": clip.source_file,
                "source_sha256": digest,
            }
        )
    flat = np.concatenate(arrays) if arrays else np.empty((0, 22, 3), dtype=np.float32)
    about = json.dumps({"usable": usable, "broken": broken})
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            allow_pickle=False,
            joints=flat,
            lengths=np.array([*map(len, arrays)], int),
            about=np.array(about),
        )
    return path, len(batch)


def _load_part(path: Path) -> tuple[list[_Clip], list[tuple[str, str]]]:
    with np.load(path, allow_pickle=False) as part:
        about = json.loads(str(part["about"]))
        arrays = np.split(part["joints"], np.cumsum(part["lengths"])[:-1]) if about["usable"] else []
    clips = [_Clip(**labels, joints=joints) for labels, joints in zip(about["usable"], arrays, strict=True)]
    return clips, [(name, problem) for name, problem in about["broken"]]


def _write_shards(
    clips: list[_Clip], splits: dict[str, Any], mirror: bool, work: Path, pool: Executor | None, num_proc: int
) -> tuple[dict[str, list[Path]], dict[str, dict[str, int]]]:
    """Write every split's shards into the work folder; returns their paths in order, and the counts."""
    tasks: list[tuple[Path, list[tuple[_Clip, bool]]]] = []
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
            "frames": sum(len(clip.joints) for clip, _ in rows),
        }
        for batch in batched(rows, _ROWS_PER_SHARD):
            path = work / f"{split}-{_key(f'{c.name}:{c.source_sha256}:{mirrored}' for c, mirrored in batch)}.parquet"
            shards.setdefault(split, []).append(path)
            tasks.append((path, batch))
    with tqdm(desc="writing rows", unit=" rows", total=sum(len(batch) for _, batch in tasks)) as bar:
        for size in in_order(pool, num_proc, _make_shard, tasks):
            bar.update(size)
    return shards, counts


def _make_shard(task: tuple[Path, list[tuple[_Clip, bool]]]) -> int:
    path, rows = task
    if not path.exists():
        write_shard(path, [_row(clip, mirrored) for clip, mirrored in rows])
    return len(rows)


def _row(clip: _Clip, mirrored: bool) -> dict[str, Any]:
    joints = np.asarray(mirror_joints(clip.joints), dtype=np.float32) if mirrored else clip.joints
    return {
        "name": f"{clip.name}_mirrored" if mirrored else clip.name,
        "source": clip.source,
        "content": content_of(clip.content, mirrored),
        "style": clip.style,
        "mirrored": mirrored,
        "captions": describe(clip.content, clip.style, joints, clip.name, mirrored),
        "fps": FPS,
        "num_frames": len(joints),
        "joints": joints,
        "features": joints_to_features(joints),
        "source_file": clip.source_file,
        "source_sha256": clip.source_sha256,
    }


def _key(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join([f"recipe {_RECIPE}", *names]).encode()).hexdigest()[:32]
