"""Single people of the store as rows without the dimension of people, for code that knows only those."""

import os
from collections.abc import Sequence
from typing import Any

from .store import dataset_columns, dataset_hash, existing_splits, read_motions, read_summary

__all__ = ["dataset_columns", "dataset_hash", "existing_splits", "read_split", "read_summary"]


def read_split(
    folder: str | os.PathLike[str], split: str, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Rows of single people: `content`, `style`, `joints` (T, 22, 3) and `features` (T-1, 263) as `read_motions`."""
    plural = {"content": "contents", "style": "styles"}
    wanted = None if columns is None else [plural.get(name, name) for name in columns]
    rows = []
    for motion in read_motions(folder, split, wanted):
        row: dict[str, Any] = {**motion}
        for one, several in plural.items():
            if several in row:
                row[one] = row[several][0]
        for name in ("joints", "features"):
            if name in row:
                row[name] = row[name][0]
        rows.append(row if columns is None else {name: row[name] for name in columns})
    return rows
