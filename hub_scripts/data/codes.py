"""The code store: every clip's VQ codes with its captions, one Parquet file a split."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path

__all__ = ["CODES_SUMMARY", "read_codes", "read_codes_summary", "weights_hash", "write_codes", "write_codes_summary"]

CODES_SUMMARY = "motionllm_codes.json"
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("content", pa.string()),
        ("style", pa.string()),
        ("mirrored", pa.bool_()),
        ("captions", pa.list_(pa.string())),
        ("codes", pa.list_(pa.int32())),
    ]
)


def weights_hash(folder: str | os.PathLike[str]) -> str:
    """SHA-256 (hex) of the `model.safetensors` in a folder.

    Raises:
        MotionLLMError: there is none.
    """
    path = Path(folder) / "model.safetensors"
    if not path.is_file():
        raise MotionLLMError(f"'{folder}' holds no model.safetensors; give the folder of a trained VQ-VAE")
    return file_sha256(path)


def write_codes(folder: Path, split: str, rows: list[dict[str, Any]]) -> Path:
    """Write one split; `rows` have the columns of the store."""
    path = folder / f"{split}.parquet"
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), temporary, compression="zstd")
    return path


def read_codes(folder: str | os.PathLike[str], split: str) -> list[dict[str, Any]]:
    """Rows of one split: name, content, style, mirrored, captions, codes (list of int).

    Raises:
        MotionLLMError: no such file, or a damaged one.
    """
    path = Path(folder) / f"{split}.parquet"
    try:
        return pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); make the codes with `motionllm encode`") from error


def write_codes_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write `motionllm_codes.json`, last: a store with a summary is complete."""
    with atomic_path(folder / CODES_SUMMARY) as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def read_codes_summary(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The summary of a complete store.

    Raises:
        MotionLLMError: the store is missing or not complete.
    """
    path = Path(folder) / CODES_SUMMARY
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); make the codes with `motionllm encode`") from error
