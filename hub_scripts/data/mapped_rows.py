"""Rows of tables that stay on disk: they are memory-mapped, and a value is made when it is looked at."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["MappedRows"]


class _Row(Mapping[str, Any]):
    """One row of a batch; what was looked at is kept."""

    __slots__ = ("_batch", "_columns", "_place", "_values")

    def __init__(self, batch: pa.RecordBatch, place: int, columns: Mapping[str, int]):
        self._batch, self._place, self._columns = batch, place, columns
        self._values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            column = self._columns[name]
            self._values[name] = self._batch.column(column)[self._place].as_py() if column >= 0 else []
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class MappedRows(Sequence[Mapping[str, Any]]):
    """The rows of files that `write_table` wrote, one file after another, as one sequence.

    However many they are, they take next to no memory of the process: the files are memory-mapped, and what the system
    keeps of them in its cache it gives up when memory is wanted elsewhere.

    Args:
        paths: the files.
        columns: that a row has.
        optional: columns that a file may lack; a row of it has an empty list there.

    Raises:
        MotionLLMError: a file is missing or damaged, or lacks a column.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]], columns: Sequence[str], optional: Collection[str] = ()):
        self._made_of = (list(paths), list(columns), list(optional))
        self._batches: list[tuple[pa.RecordBatch, Mapping[str, int]]] = []
        for path in paths:
            try:
                batches = list(pa.ipc.open_stream(pa.memory_map(os.fspath(path))))
            except (OSError, pa.ArrowInvalid) as error:
                raise MotionLLMError(f"'{path}' cannot be read ({error}); remove it, and make it again") from error
            names = batches[0].schema.names if batches else list(columns)
            missing = [name for name in columns if name not in names and name not in optional]
            if missing:
                raise MotionLLMError(f"no column {', '.join(missing)} in '{path}'; it has: {', '.join(names)}")
            places = {name: names.index(name) if name in names else -1 for name in columns}
            self._batches += [(batch, places) for batch in batches]
        self._starts = np.cumsum([0, *(batch.num_rows for batch, _ in self._batches)])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of  # another process maps the files itself

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, Any] | list[Mapping[str, Any]]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        number = int(self._starts.searchsorted(place, side="right")) - 1
        batch, columns = self._batches[number]
        return _Row(batch, place - int(self._starts[number]), columns)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for batch, columns in self._batches:
            for place in range(batch.num_rows):
                yield _Row(batch, place, columns)
