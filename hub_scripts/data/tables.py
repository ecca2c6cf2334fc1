"""Tables on disk with the `datasets` library: Arrow files that it reads memory-mapped and that `load_dataset` opens."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path

from .workers import batched

if TYPE_CHECKING:
    from datasets import Features
    from datasets.table import Table

__all__ = ["ColumnType", "read_table", "table_columns", "table_features", "table_fingerprint", "write_table"]

ColumnType = str | list[str] | list[list[str]]


def table_features(
    columns: Mapping[str, ColumnType], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> "Features":
    """The `datasets.Features` of columns.

    Args:
        columns: name -> a type of `datasets.Value` such as "string", [type] for a list, or "array" for float32 numbers
            with one free dimension.
        shapes: of the arrays, without the free dimension.
    """
    from datasets import Array2D, Array3D, Features, List, Value

    def feature(name: str, kind: ColumnType) -> Any:
        if kind == "array":
            shape = (shapes or {})[name]
            return (Array2D, Array3D)[len(shape) - 1](shape=(None, *shape), dtype="float32")
        return List(feature(name, kind[0])) if isinstance(kind, list) else Value(kind)

    return Features({name: feature(name, kind) for name, kind in columns.items()})


def write_table(
    path: str | os.PathLike[str],
    rows: Iterable[Mapping[str, Any]],
    features: "Features",
    fingerprint: str | None = None,
    rows_per_batch: int = 64,
) -> None:
    """Write rows to one file; equal rows give equal bytes.

    Args:
        path: the file; it appears only once it is whole.
        rows: dicts with the columns of `features`; numpy arrays for those of `Array2D` and `Array3D`.
        features: the `datasets.Features`.
        fingerprint: kept in the file, for `table_fingerprint`.
        rows_per_batch: many for small rows, as each batch that is mapped costs some kB.

    Raises:
        MotionLLMError: the file cannot be written.
    """
    from datasets.arrow_writer import ArrowWriter

    with atomic_path(path) as temporary:
        writer = ArrowWriter(path=str(temporary), features=features, fingerprint=fingerprint)
        for batch in batched(rows, rows_per_batch):
            writer.write_batch({name: [row[name] for row in batch] for name in features})
        writer.finalize()


def read_table(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Read a file that `write_table` wrote.

    Args:
        path: the file.
        columns: only these, in this order; all by default.

    Returns:
        One dict a row; arrays are read-only views of the mapped file and take no memory until they are looked at.

    Raises:
        MotionLLMError: the file is missing or damaged, or lacks a column.
    """
    table = _open(path)
    names = table.column_names if columns is None else columns
    unknown = [name for name in names if name not in table.column_names]
    if unknown:
        raise MotionLLMError(f"no column {', '.join(unknown)} in '{path}'; it has: {', '.join(table.column_names)}")
    values = [_values(table.column(name)) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def table_columns(path: str | os.PathLike[str]) -> list[str]:
    """Names of the columns of a file.

    Raises:
        MotionLLMError: the file is missing or damaged.
    """
    return list(_open(path).column_names)


def table_fingerprint(path: str | os.PathLike[str]) -> str | None:
    """The fingerprint that a file was written with.

    Raises:
        MotionLLMError: the file is missing or damaged.
    """
    return json.loads((_open(path).schema.metadata or {}).get(b"huggingface", b"{}")).get("fingerprint")


def _open(path: str | os.PathLike[str]) -> "Table":
    """The memory-mapped Arrow table of a file."""
    # `Dataset.from_file` would hash what it opens: ten times longer, for a fingerprint that nobody asks for.
    from datasets.table import MemoryMappedTable

    try:
        return MemoryMappedTable.from_file(os.fspath(path))
    except (OSError, pa.ArrowInvalid) as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); remove it, and make it again") from error


def _values(column: pa.ChunkedArray) -> list[Any]:
    if isinstance(column.type, pa.ExtensionType):
        return [array for chunk in column.chunks for array in chunk.to_numpy(zero_copy_only=False)]
    return column.to_pylist()
