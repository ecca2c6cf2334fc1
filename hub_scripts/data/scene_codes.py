"""The code store of scenes: the codes and placement bins of everybody in a scene, one Parquet file a split."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path

__all__ = ["read_scene_codes", "write_scene_codes"]

_TEXTS = pa.list_(pa.string())
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("kind", pa.string()),
        ("roles", _TEXTS),
        ("contents", _TEXTS),
        ("styles", _TEXTS),
        ("mirrored", pa.bool_()),
        ("parts", _TEXTS),
        ("captions", _TEXTS),
        ("placement_bins", pa.list_(pa.list_(pa.int32(), 3))),
        ("codes", pa.list_(pa.list_(pa.int32()))),
    ]
)


def write_scene_codes(folder: Path, split: str, rows: list[dict[str, Any]]) -> Path:
    """Write one split; `rows` have the columns of the store: for P people `codes` (P, L), `placement_bins` (P, 3)."""
    path = folder / f"{split}.parquet"
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), temporary, compression="zstd")
    return path


def read_scene_codes(folder: str | os.PathLike[str], split: str) -> list[dict[str, Any]]:
    """Rows of one split: name, kind, roles, contents, styles, mirrored, parts, captions, placement_bins, codes.

    Raises:
        MotionLLMError: no such file, a damaged one, or codes of single people.
    """
    path = Path(folder) / f"{split}.parquet"
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); make the codes with `motionllm encode`") from error
    if table.schema.names != _SCHEMA.names:
        raise MotionLLMError(
            f"'{path}' holds no codes of scenes; run `motionllm encode` on what `motionllm prepare pairs` wrote"
        )
    return table.to_pylist()
