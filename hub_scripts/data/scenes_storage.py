"""Scenes of several people on disk: Parquet shards beside a card and a summary, as for single clips."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path

from .storage import split_shards

__all__ = ["read_scenes", "write_scenes"]

_JOINTS = (22, 3)
_TEXTS = pa.list_(pa.string())
_FRAMES = pa.list_(pa.list_(pa.list_(pa.float32(), 3), 22))
# No marks for `datasets` here: its array types allow one free dimension, and a scene has two (people and frames). It
# reads nested lists, and `with_format("numpy")` makes arrays (P, T, 22, 3) of them.
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("split", pa.string()),
        ("source", pa.string()),
        ("composed", pa.bool_()),
        ("kind", pa.string()),
        ("num_people", pa.int32()),
        ("roles", _TEXTS),
        ("contents", _TEXTS),
        ("styles", _TEXTS),
        ("mirrored", pa.bool_()),
        ("parts", _TEXTS),
        ("captions", _TEXTS),
        ("fps", pa.float32()),
        ("num_frames", pa.int32()),
        ("placements", pa.list_(pa.list_(pa.float32(), 3))),
        ("joints", pa.list_(_FRAMES)),
        ("source_clips", pa.list_(_TEXTS)),
    ]
)


def write_scenes(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write scenes to one Parquet file; equal rows give equal bytes.

    Args:
        path: the file; it appears only once it is whole.
        rows: one dict a scene with the columns of the schema. For P people over T frames: `joints` float32
            (P, T, 22, 3) metres in one world, `placements` (P, 3) x, z, heading; `roles`, `contents` and `styles` P
            strings each; `parts` P sentences of what each person does, or none; `source_clips` P lists of clip names;
            `captions` strings; plain values for the others.

    Raises:
        MotionLLMError: the file cannot be written.
    """
    columns = [_nested(rows) if field.name == "joints" else _column(rows, field) for field in _SCHEMA]
    with atomic_path(path) as temporary:
        texts = [field.name for field in _SCHEMA if field.type in (pa.string(), _TEXTS)]
        pq.write_table(
            pa.Table.from_arrays(columns, schema=_SCHEMA),
            temporary,
            compression="zstd",
            compression_level=1,
            row_group_size=32,
            use_dictionary=texts,
        )


def _column(rows: Sequence[dict[str, Any]], field: pa.Field) -> pa.Array:
    values = [row[field.name] for row in rows]
    return pa.array([v.tolist() if isinstance(v, np.ndarray) else v for v in values], type=field.type)


def _nested(rows: Sequence[dict[str, Any]]) -> pa.Array:
    """Joints (P, T, 22, 3) of the scenes as one Arrow column; built from flat numbers, lists would take minutes."""
    scenes = [np.ascontiguousarray(row["joints"], dtype=np.float32) for row in rows]
    flat = pa.array(np.concatenate([np.empty(0, np.float32), *(scene.reshape(-1) for scene in scenes)]))
    column: pa.Array = pa.FixedSizeListArray.from_arrays(flat, _JOINTS[1])
    column = pa.FixedSizeListArray.from_arrays(column, _JOINTS[0])
    frames = [scene.shape[1] for scene in scenes for _ in scene]
    column = pa.ListArray.from_arrays(_offsets(frames), column)
    return pa.ListArray.from_arrays(_offsets([len(scene) for scene in scenes]), column)


def _offsets(counts: Sequence[int]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))


def read_scenes(
    folder: str | os.PathLike[str], split: str, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Read a split of scenes.

    Args:
        folder: written by `motionllm prepare pairs` or `motionllm prepare interhuman`.
        split: "train", "val" or "test".
        columns: only these columns; all by default.

    Returns:
        One dict a scene, in the fixed order of the data; `joints` float32 (P, T, 22, 3), `placements` float32 (P, 3).

    Raises:
        MotionLLMError: no such dataset, split or column, clips of single people, or a damaged file.
    """
    names = list(columns) if columns is not None else _SCHEMA.names
    unknown = sorted(set(names) - set(_SCHEMA.names))
    if unknown:
        raise MotionLLMError(f"scenes have no column {', '.join(unknown)}; known: {', '.join(_SCHEMA.names)}")
    rows: list[dict[str, Any]] = []
    for path in split_shards(folder, split):
        rows.extend(_read_file(path, names))
    return rows


def _read_file(path: Path, names: list[str]) -> list[dict[str, Any]]:
    try:
        file = pq.ParquetFile(path)
        if not set(_SCHEMA.names) <= set(file.schema_arrow.names):
            raise MotionLLMError(f"'{path}' holds no scenes; compose some with `motionllm prepare pairs`")
        table = file.read(columns=names)
    except (OSError, pa.ArrowInvalid) as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); prepare or download the data again") from error
    values: dict[str, list[Any]] = {}
    for name in names:
        column = table.column(name)
        if name == "joints":
            values[name] = [scene for chunk in column.chunks for scene in _arrays(chunk)]
        elif name == "placements":
            values[name] = [np.array(placements, dtype=np.float32) for placements in column.to_pylist()]
        else:
            values[name] = column.to_pylist()
    return [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _arrays(scenes: pa.ListArray) -> list[np.ndarray]:
    """Joints (P, T, 22, 3) of each scene, without a copy."""
    people = scenes.offsets.to_numpy()
    frames = scenes.values.offsets.to_numpy()
    flat = scenes.values.values.values.values.to_numpy().reshape(-1, *_JOINTS)
    return [flat[frames[first] : frames[last]].reshape(last - first, -1, *_JOINTS) for first, last in pairwise(people)]
