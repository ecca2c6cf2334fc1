"""A motion dataset on disk: Parquet shards that `datasets.load_dataset` opens, a card, and a summary with a hash."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder

from .columns import ARRAYS, nested_array, row_schema, unnested_arrays
from .splits import SPLITS, Split

__all__ = [
    "SUMMARY",
    "dataset_columns",
    "dataset_hash",
    "existing_splits",
    "put_in_place",
    "read_split",
    "read_summary",
    "shard_path",
    "split_shards",
    "start_dataset",
    "write_card",
    "write_shard",
    "write_summary",
]

SUMMARY = "motionllm_dataset.json"
_WORK = ".prepare"
_FORMAT = 1


def start_dataset(folder: str | os.PathLike[str], overwrite: bool) -> Path:
    """Make the folder for a dataset ready; returns the one inside for unfinished work, which may be there already.

    Raises:
        MotionLLMError: it cannot be written, or holds a finished dataset that is not to be replaced.
    """
    summary = ensure_folder(folder) / SUMMARY
    if summary.exists():
        if not overwrite:
            raise MotionLLMError(f"'{folder}' holds a dataset already; give --overwrite or another --out folder")
        summary.unlink()
    return ensure_folder(Path(folder) / _WORK)


def put_in_place(folder: str | os.PathLike[str], shards: dict[str, list[Path]]) -> None:
    """Move finished shards of each split to where the dataset has them, in order; what was there goes."""
    data = ensure_folder(Path(folder) / "data")
    for stale in data.glob("*.parquet"):
        stale.unlink()
    for split, paths in shards.items():
        for index, path in enumerate(paths):
            path.replace(shard_path(folder, split, index, len(paths)))


def shard_path(folder: str | os.PathLike[str], split: str, index: int, count: int) -> Path:
    """Path of shard `index` of `count` of a split."""
    return Path(folder) / "data" / f"{split}-{index:05d}-of-{count:05d}.parquet"


def write_shard(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write rows to one Parquet file; equal rows give equal bytes.

    Args:
        path: the file; it appears only once it is whole.
        rows: one dict a clip with the columns of the schema: `joints` float32 (T, 22, 3), `features` float32
            (T-1, 263), `captions` a list of strings, plain values for the others; the widths of another skeleton where
            the first row has them. Optional: `tokens` (one string a caption), `recording_frames`.

    Raises:
        MotionLLMError: the file cannot be written.
    """
    schema = row_schema(rows[0])
    columns = []
    for entry in schema:
        values = [row[entry.name] for row in rows]
        columns.append(nested_array(values) if entry.name in ARRAYS else pa.array(values, type=entry.type))
    table = pa.Table.from_arrays(columns, schema=schema)
    with atomic_path(path) as temporary:
        # no dictionaries for the numbers: they hardly repeat
        texts = [entry.name for entry in schema if entry.type in (pa.string(), pa.list_(pa.string()))]
        pq.write_table(
            table, temporary, compression="zstd", compression_level=1, row_group_size=64, use_dictionary=texts
        )


def read_split(
    folder: str | os.PathLike[str], split: str, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Read a split straight from its Parquet files.

    Args:
        folder: the dataset folder.
        split: "train", "val" or "test".
        columns: only these columns; all by default.

    Returns:
        One dict a clip, in the fixed order of the dataset; `joints` (T, 22, 3) and `features` (T-1, 263) as float32
        numpy arrays, or of the widths of the dataset's skeleton.

    Raises:
        MotionLLMError: no such dataset, split or column, or a damaged file.
    """
    rows: list[dict[str, Any]] = []
    for path in split_shards(folder, split):
        try:
            known = pq.read_schema(path).names
            wanted = known if columns is None else columns
            unknown = sorted(set(wanted) - set(known))
            if unknown:
                raise MotionLLMError(f"no column {', '.join(unknown)} in '{path}'; it has: {', '.join(known)}")
            table = pq.read_table(path, columns=list(wanted))
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise MotionLLMError(f"'{path}' cannot be read ({error}); prepare or download the data again") from error
        values = {
            name: unnested_arrays(table.column(name)) if name in ARRAYS else table.column(name).to_pylist()
            for name in wanted
        }
        rows.extend(dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
    return rows


def dataset_columns(folder: str | os.PathLike[str], split: str) -> list[str]:
    """Names of the columns of a split.

    Raises:
        MotionLLMError: no such dataset or split, or a damaged file.
    """
    path = split_shards(folder, split)[0]
    try:
        return pq.read_schema(path).names
    except (OSError, pa.ArrowInvalid) as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); prepare or download the data again") from error


def split_shards(folder: str | os.PathLike[str], split: str | None) -> list[Path]:
    """Paths of a split's shards in order; None for those of all splits.

    Raises:
        MotionLLMError: there are none.
    """
    shards = sorted((Path(folder) / "data").glob(f"{split or '*'}-?????-of-?????.parquet"))
    if not shards:
        what = f"split '{split}'" if split else "data"
        raise MotionLLMError(f"no {what} in '{folder}'; make it with `motionllm prepare`")
    return shards


def existing_splits(folder: str | os.PathLike[str]) -> list[Split]:
    """The splits that hold anything: a small dataset may have no clip for one.

    Raises:
        MotionLLMError: no dataset there.
    """
    names = {path.name[: -len("-00000-of-00000.parquet")] for path in split_shards(folder, None)}
    return [split for split in SPLITS if split in names]


def dataset_hash(folder: str | os.PathLike[str]) -> str:
    """SHA-256 (hex) over the names and bytes of all shards.

    Raises:
        MotionLLMError: no dataset there.
    """
    digest = hashlib.sha256()
    for path in split_shards(folder, None):
        with path.open("rb") as file:
            digest.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def write_summary(folder: str | os.PathLike[str], summary: dict[str, Any]) -> dict[str, Any]:
    """Write `motionllm_dataset.json`: `summary`, the format and the hash of the shards; returns what was written."""
    whole = {"format": _FORMAT, "sha256": dataset_hash(folder), **summary}
    with atomic_path(Path(folder) / SUMMARY) as temporary:
        temporary.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return whole


def read_summary(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read `motionllm_dataset.json`.

    Raises:
        MotionLLMError: not there, or not readable.
    """
    path = Path(folder) / SUMMARY
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); make the data with `motionllm prepare`") from error


def write_card(folder: str | os.PathLike[str], splits: Iterable[str], text: str, metadata: dict[str, str]) -> None:
    """Write the dataset card `README.md`: YAML with the splits' files and `metadata`, then `text`.

    Raises:
        MotionLLMError: no shards there yet, or the card cannot be written.
    """
    lines = ["---", *(f"{key}: {value}" for key, value in metadata.items())]
    # `datasets` caches a local folder by its configuration alone: without the hash it would go on serving old data.
    lines += ["configs:", "- config_name: default", f"  description: data {dataset_hash(folder)}", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: data/{split}-*.parquet"]
    with atomic_path(Path(folder) / "README.md") as temporary:
        temporary.write_text("\n".join([*lines, "---", "", text.strip(), ""]), encoding="utf-8")
