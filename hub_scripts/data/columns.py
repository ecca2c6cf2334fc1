"""The columns of a motion dataset in Arrow: their types, for any skeleton, and nested arrays in and out of them."""

import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["ARRAYS", "array_field", "dataset_schema", "nested_array", "row_schema", "unnested_arrays"]

ARRAYS = ("joints", "features")
# What `datasets` reads from a Parquet schema is written by hand, so that the file is the same under every version of
# that library: here the words for a plain value.
_PLAIN = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "float32": pa.float32(),
    "int32": pa.int32(),
}
_COLUMNS: dict[str, str] = {
    "name": "string",
    "source": "string",
    "content": "string",
    "style": "string",
    "mirrored": "bool",
    "captions": "strings",
    "fps": "float32",
    "num_frames": "int32",
    "joints": "array",
    "features": "array",
    "source_file": "string",
    "source_sha256": "string",
}
# Only some datasets have these.
_OPTIONAL: dict[str, str] = {"tokens": "strings", "recording_frames": "int32"}


def row_schema(row: dict[str, Any]) -> pa.Schema:
    """The schema of rows like this one: the number of joints and feature columns, and which optional columns it has."""
    shapes = tuple(np.asarray(row[name]).shape[1:] for name in ARRAYS)
    return dataset_schema(*shapes, tuple(name for name in _OPTIONAL if name in row))


@lru_cache(maxsize=8)
def dataset_schema(joints: tuple[int, ...], features: tuple[int, ...], optional: tuple[str, ...] = ()) -> pa.Schema:
    """The schema of a dataset.

    Args:
        joints: shape of a frame's joints, (J, 3).
        features: shape of a feature row, (D,).
        optional: of `tokens` (word classes, one string a caption) and `recording_frames`.
    """
    shapes = {"joints": joints, "features": features}
    fields: list[pa.Field] = []
    words: dict[str, Any] = {}
    for name, kind in (_COLUMNS | {name: _OPTIONAL[name] for name in optional}).items():
        if kind == "array":
            fields.append(array_field(name, shapes[name]))
            words[name] = {
                "shape": [None, *shapes[name]],
                "dtype": "float32",
                "_type": f"Array{1 + len(shapes[name])}D",
            }
        elif kind == "strings":
            fields.append(pa.field(name, pa.list_(pa.string())))
            words[name] = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
        else:
            fields.append(pa.field(name, _PLAIN[kind]))
            words[name] = {"dtype": kind, "_type": "Value"}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": words}})})


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


def nested_array(arrays: Sequence[np.ndarray]) -> pa.Array:
    """Arrays (T_i, *shape) as one Arrow column of lists of (lists of) lists of float32."""
    flat = np.concatenate([np.ascontiguousarray(array, dtype=np.float32).reshape(-1) for array in arrays])
    column: pa.Array = pa.array(flat)
    frames = np.array([len(array) for array in arrays], dtype=np.int64)
    for width in reversed(arrays[0].shape[1:]):
        column = pa.ListArray.from_arrays(pa.array(np.arange(0, len(column) + 1, width, dtype=np.int32)), column)
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(frames)]).astype(np.int32)), column)


def unnested_arrays(column: pa.ChunkedArray) -> list[np.ndarray]:
    """The arrays (T_i, *shape) of such a column; the shape is that of the data."""
    values: list[np.ndarray] = []
    for chunk in column.chunks:
        array = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
        bounds = array.offsets.to_numpy()
        shape: list[int] = []
        inner = array.values
        while isinstance(inner, pa.ListArray):
            shape.append(int(inner.value_lengths()[0].as_py()) if len(inner) else 0)
            inner = inner.values
        flat, size = inner.to_numpy(), int(np.prod(shape))
        for start, stop in pairwise(bounds):
            values.append(flat[start * size : stop * size].reshape(-1, *shape))
    return values
