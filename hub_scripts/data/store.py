"""A dataset of motions on disk: rows of one or several people in Arrow shards, with a card and a summary with a hash.

One person is a scene of one: `joints` are (P, T, J, 3) and `features` (P, T-1, D) for any number of people P. The files
hold the people one after another in one array with a single free dimension, (P*T, J, 3), as `datasets.Array3D` wants;
`num_people` says how many there are.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.json_motionllm import read_json
from modeling_motionllm.motion_features import joints_to_features
from modeling_motionllm.placement_motionllm import split_people

from .cards import DatasetCard
from .splits import SPLITS, Split
from .tables import ColumnType, read_table, table_columns, table_features, write_table
from .workers import batched

__all__ = [
    "SUMMARY",
    "UNFINISHED_WORK",
    "MotionRow",
    "check_features",
    "dataset_columns",
    "dataset_hash",
    "existing_splits",
    "finish_dataset",
    "put_in_place",
    "read_motions",
    "read_summary",
    "shard_path",
    "split_shards",
    "start_dataset",
    "write_card",
    "write_shard",
    "write_shards",
    "write_summary",
]

SUMMARY = "motionllm_dataset.json"


class MotionRow(TypedDict, total=False):
    """One motion of P people over T frames. A row holds the columns that were written or asked for.

    Args:
        name: unique in the dataset.
        source: what the collection is called.
        split: "train", "val" or "test".
        composed: whether people were put together who were not recorded together.
        kind: of scene; "" for one person.
        num_people: P.
        roles, contents, styles: labels of each person: its role in the scene, its action, how it is done.
        mirrored: whether it is a mirrored copy.
        parts: for each person a sentence of what that person does, or none at all.
        captions: sentences for the whole motion.
        tokens: words and classes of each caption, for the T2M evaluator.
        fps: frames per second.
        num_frames: T.
        recording_frames: feature rows of the whole recording that this is a part of.
        placements: float32 (P, 3), x and z in metres and heading in radians, as person 1 sees them at first.
        joints: float32 (P, T, J, 3) in one world, metres, Y up.
        features: float32 (P, T-1, D), raw, each person in a frame of its own.
        source_clips: names of the clips that each person's motion was made of.
        segment_captions: of a sequence in time, for each segment in order, sentences for that segment alone; else none.
        segment_contents: action of each segment.
        segment_ends: where each segment ends, in feature frames and in whole codes; the last is the end of the last
            whole code.
        source_file, source_sha256: the recording and its hash.
        license: of this motion, where motions differ in it.
    """

    name: str
    source: str
    split: str
    composed: bool
    kind: str
    num_people: int
    roles: list[str]
    contents: list[str]
    styles: list[str]
    mirrored: bool
    parts: list[str]
    captions: list[str]
    tokens: list[str]
    fps: float
    num_frames: int
    recording_frames: int
    placements: np.ndarray
    joints: np.ndarray
    features: np.ndarray
    source_clips: list[list[str]]
    segment_captions: list[list[str]]
    segment_contents: list[str]
    segment_ends: list[int]
    source_file: str
    source_sha256: str
    license: str


UNFINISHED_WORK = ".prepare"
_FORMAT = 2
_ARRAYS = ("joints", "features")
# The columns of `MotionRow` and their types on disk, as `table_features` takes them. Every row has those of _NEEDED.
_COLUMNS: dict[str, ColumnType] = {
    "name": "string",
    "source": "string",
    "split": "string",
    "composed": "bool",
    "kind": "string",
    "num_people": "int32",
    "roles": ["string"],
    "contents": ["string"],
    "styles": ["string"],
    "mirrored": "bool",
    "parts": ["string"],
    "captions": ["string"],
    "tokens": ["string"],
    "fps": "float32",
    "num_frames": "int32",
    "recording_frames": "int32",
    "placements": [["float32"]],
    "joints": "array",
    "features": "array",
    "source_clips": [["string"]],
    "segment_captions": [["string"]],
    "segment_contents": ["string"],
    "segment_ends": ["int32"],
    "source_file": "string",
    "source_sha256": "string",
    "license": "string",
}
_NEEDED = ("name", "source", "num_people", "contents", "styles", "mirrored", "captions", "fps", "num_frames", "joints")


def start_dataset(folder: str | os.PathLike[str], overwrite: bool) -> Path:
    """Make the folder for a dataset ready; returns the one inside for unfinished work, which may be there already.

    A dataset that is to be replaced stays as it is until the new one is whole, see `put_in_place`.

    Raises:
        MotionLLMError: it cannot be written, or holds a finished dataset that is not to be replaced.
    """
    summary = ensure_folder(folder) / SUMMARY
    if summary.exists() and not overwrite:
        raise MotionLLMError(f"'{folder}' holds a dataset already; give --overwrite or another --out folder")
    return ensure_folder(Path(folder) / UNFINISHED_WORK)


def put_in_place(folder: str | os.PathLike[str], shards: dict[str, list[Path]]) -> None:
    """Move finished shards of each split to where the dataset has them, in order; what was there goes.

    The summary of an earlier dataset goes first: without one there is none, and the next run makes it whole.
    """
    folder = Path(folder)
    new, old = folder / UNFINISHED_WORK / "new", folder / UNFINISHED_WORK / "old"
    for stale in (new, old):
        shutil.rmtree(stale, ignore_errors=True)
    ensure_folder(new / "data")
    for split, paths in shards.items():
        for index, path in enumerate(paths):
            path.replace(shard_path(new, split, index, len(paths)))
    (folder / SUMMARY).unlink(missing_ok=True)
    if (folder / "data").exists():
        (folder / "data").rename(old)
    (new / "data").rename(folder / "data")


def shard_path(folder: str | os.PathLike[str], split: str, index: int, count: int) -> Path:
    """Path of shard `index` of `count` of a split."""
    return Path(folder) / "data" / f"{split}-{index:05d}-of-{count:05d}.arrow"


def write_shard(path: str | os.PathLike[str], rows: Sequence[MotionRow]) -> None:
    """Write rows to one file; equal rows give equal bytes.

    Args:
        path: the file; it appears only once it is whole.
        rows: at least `name`, `source`, `num_people`, `contents`, `styles`, `mirrored`, `captions`, `fps`, `num_frames`
            and `joints`; of the other columns those that the first row has.

    Raises:
        MotionLLMError: the file cannot be written.
    """
    plain = [cast(dict[str, Any], row) for row in rows]
    first = plain[0]
    columns = {name: kind for name, kind in _COLUMNS.items() if name in _NEEDED or name in first}
    widths = {"joints": 2, "features": 1}  # dimensions of one frame
    shapes = {name: np.shape(first[name])[-widths[name] :] for name in _ARRAYS if name in columns}
    flat = [
        {**row, **{name: np.asarray(row[name], dtype=np.float32).reshape(-1, *shape) for name, shape in shapes.items()}}
        for row in plain
    ]
    write_table(path, flat, table_features(columns, shapes))


def read_motions(folder: str | os.PathLike[str], split: str, columns: Sequence[str] | None = None) -> list[MotionRow]:
    """Read a split.

    Args:
        folder: the dataset folder.
        split: "train", "val" or "test".
        columns: only these columns; all by default. `features`, `placements`, `kind`, `parts` and those of segments may
            be asked for where the files have none: features are then computed from the joints, each person in a frame
            of its own.

    Returns:
        One row a motion, in the fixed order of the dataset; arrays are read-only and take no memory until they are
        looked at, computed features excepted.

    Raises:
        MotionLLMError: no such dataset, split or column, or a damaged file.
    """
    rows: list[MotionRow] = []
    for path in split_shards(folder, split):
        known = table_columns(path)
        wanted = known if columns is None else list(columns)
        stored = [name for name in wanted if name in known or name not in _TOLD_BY_OTHERS]
        if "features" in wanted and "features" not in known:
            stored.append("joints")
        rows += [_with_people(row, wanted) for row in read_table(path, list(dict.fromkeys([*stored, "num_people"])))]
    return rows


_TOLD_BY_OTHERS = ("features", "placements", "kind", "parts", "segment_captions", "segment_ends")


def _with_people(row: dict[str, Any], wanted: Sequence[str]) -> MotionRow:
    """A row with arrays of people first, and the wanted columns alone."""
    people = row["num_people"]
    for name in _ARRAYS:
        if name in row:
            row[name] = row[name].reshape(people, -1, *row[name].shape[1:])
    row["placements"] = np.array(row.get("placements", np.zeros((people, 3))), dtype=np.float32)
    if "features" in wanted and "features" not in row:
        canonical, row["placements"] = split_people(row["joints"])
        row["features"] = joints_to_features(canonical).astype(np.float32)
    row.setdefault("kind", "")
    for name in ("parts", "segment_captions", "segment_ends"):
        row.setdefault(name, [])
    return cast(MotionRow, {name: row[name] for name in wanted})


def check_features(rows: Sequence[MotionRow], folder: str | os.PathLike[str]) -> None:
    """Make sure that motions can be learnt from.

    Args:
        rows: with `name` and `features`.
        folder: of their dataset.

    Raises:
        MotionLLMError: one has features that are NaN or infinite.
    """
    for row in rows:
        if not np.isfinite(row["features"]).all():
            raise MotionLLMError(
                f"motion '{row['name']}' of '{folder}' has features that are NaN or infinite; take its recording out, "
                "and run `motionllm prepare` again"
            )


def dataset_columns(folder: str | os.PathLike[str], split: str) -> list[str]:
    """Names of the columns of a split.

    Raises:
        MotionLLMError: no such dataset or split, or a damaged file.
    """
    return table_columns(split_shards(folder, split)[0])


def split_shards(folder: str | os.PathLike[str], split: str | None) -> list[Path]:
    """Paths of a split's shards in order; None for those of all splits.

    Raises:
        MotionLLMError: there are none.
    """
    data = Path(folder) / "data"
    shards = sorted(data.glob(f"{split or '*'}-?????-of-?????.arrow"))
    if not shards:
        if any(data.glob("*.parquet")):
            raise MotionLLMError(f"'{folder}' was prepared by an earlier version; run `motionllm prepare` again")
        what = f"split '{split}'" if split else "data"
        raise MotionLLMError(f"no {what} in '{folder}'; make it with `motionllm prepare`")
    return shards


def existing_splits(folder: str | os.PathLike[str]) -> list[Split]:
    """The splits that hold anything: a small dataset may have no clip for one.

    Raises:
        MotionLLMError: no dataset there.
    """
    names = {path.name[: -len("-00000-of-00000.arrow")] for path in split_shards(folder, None)}
    return [split for split in SPLITS if split in names]


def dataset_hash(*folders: str | os.PathLike[str]) -> str:
    """SHA-256 (hex) over the names and bytes of all shards of one dataset or of several.

    Raises:
        MotionLLMError: no dataset there.
    """
    digest = hashlib.sha256()
    for path in (path for folder in folders for path in split_shards(folder, None)):
        with path.open("rb") as file:
            digest.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def write_summary(folder: str | os.PathLike[str], summary: dict[str, Any]) -> dict[str, Any]:
    """Write `motionllm_dataset.json`: `summary`, the format and the hash of the shards; returns what was written."""
    whole = {"format": _FORMAT, "sha256": dataset_hash(folder), **summary}
    with atomic_path(Path(folder) / SUMMARY) as temporary:
        temporary.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return whole


def write_shards(
    work: Path, split: str, rows: Iterable[MotionRow], per_shard: int, unit: str
) -> tuple[list[Path], Counter[str]]:
    """Write the rows of a split into the folder of unfinished work, as they come, `per_shard` to a file.

    Returns:
        The files in order, and the counts `rows`, `frames` and, without mirrored copies, `unit`.
    """
    shards: list[Path] = []
    made: Counter[str] = Counter()
    for batch in batched(rows, per_shard):
        shards.append(work / f"{split}-{len(shards):05d}.arrow")
        write_shard(shards[-1], batch)
        made.update({"rows": len(batch), "frames": sum(row["num_frames"] for row in batch)})
        made[unit] += sum(not row["mirrored"] for row in batch)
    return shards, made


def finish_dataset(
    folder: Path, shards: dict[str, list[Path]], card: DatasetCard, summary: dict[str, Any]
) -> dict[str, Any]:
    """Put finished shards in place, with card and summary, and remove the work folder; returns the summary written."""
    put_in_place(folder, shards)
    write_card(folder, shards, card)
    written = write_summary(folder, summary)
    shutil.rmtree(folder / UNFINISHED_WORK)
    return written


def read_summary(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read `motionllm_dataset.json`.

    Raises:
        MotionLLMError: not there, not readable, or of an earlier version.
    """
    path = Path(folder) / SUMMARY
    try:
        summary = read_json(path)
    except MotionLLMError as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); make the data with `motionllm prepare`") from error
    if summary.get("format") != _FORMAT:
        raise MotionLLMError(f"'{folder}' was prepared by an earlier version; run `motionllm prepare` again")
    if not isinstance(summary.get("sha256"), str):
        raise MotionLLMError(f"'{path}' tells no sha256, it is damaged; run `motionllm prepare` again")
    return summary


def write_card(folder: str | os.PathLike[str], splits: Iterable[str], card: DatasetCard) -> None:
    """Write the dataset card `README.md`: YAML with its metadata and the splits' files, then its text.

    Raises:
        MotionLLMError: no shards there yet, or the card cannot be written.
    """
    lines = ["---", *(f"{key}: {value}" for key, value in card.metadata.items())]
    # `datasets` caches a local folder by its configuration alone: without the hash it would go on serving old data.
    lines += ["configs:", "- config_name: default", f"  description: data {dataset_hash(folder)}", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: data/{split}-*.arrow"]
    with atomic_path(Path(folder) / "README.md") as temporary:
        temporary.write_text("\n".join([*lines, "---", "", card.text, ""]), encoding="utf-8")
