"""Rows of the store that hold one person, without the dimension of people: as tests of single clips look at them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub_scripts.data.store import read_motions

_PLURAL = {"content": "contents", "style": "styles"}


def read_split(folder: Path, split: str, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """As `read_motions`, with `content` and `style`, and with `joints` (T, J, 3) and `features` (T-1, D)."""
    wanted = None if columns is None else [_PLURAL.get(name, name) for name in columns]
    rows = []
    for motion in read_motions(folder, split, wanted):
        row: dict[str, Any] = {**motion}
        row |= {one: row[several][0] for one, several in _PLURAL.items() if several in row}
        row |= {name: row[name][0] for name in ("joints", "features") if name in row}
        rows.append(row if columns is None else {name: row[name] for name in columns})
    return rows
