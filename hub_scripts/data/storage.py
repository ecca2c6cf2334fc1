"""A motion dataset on disk: Parquet shards that `datasets.load_dataset` opens, a card, and a summary with a hash."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder

from .splits import SPLITS, Split

__all__ = [
    "SUMMARY",
    "array_field",
    "dataset_hash",
    "existing_splits",
    "nested_column",
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
_JOINTS, _FEATURES = (22, 3), 263
# The description `datasets` reads from a Parquet schema; written by hand so that the file is the same under every
# version of that library.
_HF_FEATURES: dict[str, Any] = {
    "name": {"dtype": "string", "_type": "Value"},
    "source": {"dtype": "string", "_type": "Value"},
    "content": {"dtype": "string", "_type": "Value"},
    "style": {"dtype": "string", "_type": "Value"},
    "mirrored": {"dtype": "bool", "_type": "Value"},
    "captions": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
    "fps": {"dtype": "float32", "_type": "Value"},
    "num_frames": {"dtype": "int32", "_type": "Value"},
    "joints": {"shape": [None, *_JOINTS], "dtype": "float32", "_type": "Array3D"},
    "features": {"shape": [None, _FEATURES], "dtype": "float32", "_type": "Array2D"},
    "source_file": {"dtype": "string", "_type": "Value"},
    "source_sha256": {"dtype": "string", "_type": "Value"},
}


def array_field(name: str, shape: tuple[int, ...]) -> pa.Field:
    """A column of float32 arrays (any, *shape) that `datasets` takes for its own ArrayXD type."""
    storage: pa.DataType = pa.float32()
    for _ in (None, *shape):
        storage = pa.list_(storage)
    marks = {
        "ARROW:extension:name": f"datasets.features.features.Array{1 + len(shape)}DExtensionType",
        "ARROW:extension:metadata": json.dumps([[None, *shape], "float32"]),
    }
    return pa.field(name, storage, metadata=marks)


_SHAPES = {"joints": _JOINTS, "features": (_FEATURES,)}
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("source", pa.string()),
        ("content", pa.string()),
        ("style", pa.string()),
        ("mirrored", pa.bool_()),
        ("captions", pa.list_(pa.string())),
        ("fps", pa.float32()),
        ("num_frames", pa.int32()),
        *(array_field(name, shape) for name, shape in _SHAPES.items()),
        ("source_file", pa.string()),
        ("source_sha256", pa.string()),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": _HF_FEATURES}})},
)


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
            (T-1, 263), `captions` a list of strings, plain values for the others.

    Raises:
        MotionLLMError: the file cannot be written.
    """
    columns = []
    for entry in _SCHEMA:
        values = [row[entry.name] for row in rows]
        if entry.name in _SHAPES:
            columns.append(nested_column(values, _SHAPES[entry.name]))
        else:
            columns.append(pa.array(values, type=entry.type))
    table = pa.Table.from_arrays(columns, schema=_SCHEMA)
    with atomic_path(path) as temporary:
        # no dictionaries for the numbers: they hardly repeat
        texts = [entry.name for entry in _SCHEMA if entry.type in (pa.string(), pa.list_(pa.string()))]
        pq.write_table(
            table, temporary, compression="zstd", compression_level=1, row_group_size=64, use_dictionary=texts
        )


def nested_column(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> pa.Array:
    """Arrays (T_i, *shape) as one Arrow column of lists of (lists of) lists."""
    flat = np.concatenate([np.ascontiguousarray(array, dtype=np.float32).reshape(-1) for array in arrays])
    column: pa.Array = pa.array(flat)
    frames = np.array([len(array) for array in arrays], dtype=np.int64)
    for width in reversed(shape):
        column = pa.ListArray.from_arrays(pa.array(np.arange(0, len(column) + 1, width, dtype=np.int32)), column)
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(frames)]).astype(np.int32)), column)


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
        numpy arrays.

    Raises:
        MotionLLMError: no such dataset, split or column, or a damaged file.
    """
    unknown = sorted(set(columns or ()) - set(_SCHEMA.names))
    if unknown:
        raise MotionLLMError(f"no column {', '.join(unknown)} in a motion dataset; known: {', '.join(_SCHEMA.names)}")
    rows: list[dict[str, Any]] = []
    for path in split_shards(folder, split):
        try:
            table = pq.read_table(path, columns=list(columns) if columns is not None else None)
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise MotionLLMError(f"'{path}' cannot be read ({error}); prepare or download the data again") from error
        values = {name: _column_values(table.column(name), name) for name in columns or _SCHEMA.names}
        rows.extend(dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
    return rows


def _column_values(column: pa.ChunkedArray, name: str) -> list[Any]:
    if name not in _SHAPES:
        return column.to_pylist()
    shape = _SHAPES[name]
    values: list[Any] = []
    for chunk in column.chunks:
        array = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
        bounds = array.offsets.to_numpy()
        inner, size = array.values, int(np.prod(shape))
        for _ in shape:
            inner = inner.values
        flat = inner.to_numpy()
        for start, stop in pairwise(bounds):
            values.append(flat[start * size : stop * size].reshape(-1, *shape))
    return values


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
