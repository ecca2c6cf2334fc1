"""The store of codes: the VQ codes of everybody in every motion with its captions, one file a split."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.json_motionllm import read_json

from .mapped_rows import MappedRows
from .tables import ColumnType, table_features, write_table

__all__ = [
    "CODES_SUMMARY",
    "CodeRow",
    "codes_are_whole",
    "read_codes",
    "read_codes_summary",
    "weights_hash",
    "write_codes",
    "write_codes_summary",
]

CODES_SUMMARY = "motionllm_codes.json"
_ROWS_PER_BATCH = 1024


class CodeRow(TypedDict, total=False):
    """The codes of one motion of P people.

    Args:
        name: of the motion.
        kind: of scene; "" for one person.
        contents, styles: labels of each person: its action, and how it is done.
        mirrored: whether it is a mirrored copy.
        parts: for each person a sentence of what that person does, or none at all.
        captions: sentences for the whole motion.
        placement_bins: (P, 3).
        codes: P lists of one length.
        segment_captions: of a sequence in time, for each segment in order, sentences for that segment alone; else none.
        segment_ends: number of codes up to the end of each segment; the last is that of all codes.
    """

    name: str
    kind: str
    contents: list[str]
    styles: list[str]
    mirrored: bool
    parts: list[str]
    captions: list[str]
    placement_bins: list[list[int]]
    codes: list[list[int]]
    segment_captions: list[list[str]]
    segment_ends: list[int]


_COLUMNS: dict[str, ColumnType] = {
    "name": "string",
    "kind": "string",
    "contents": ["string"],
    "styles": ["string"],
    "mirrored": "bool",
    "parts": ["string"],
    "captions": ["string"],
    "placement_bins": [["int32"]],
    "codes": [["int32"]],
    "segment_captions": [["string"]],
    "segment_ends": ["int32"],
}
_SEGMENTS = ("segment_captions", "segment_ends")


def weights_hash(folder: str | os.PathLike[str]) -> str:
    """SHA-256 (hex) of the `model.safetensors` in a folder.

    Raises:
        MotionLLMError: there is none.
    """
    path = Path(folder) / "model.safetensors"
    if not path.is_file():
        raise MotionLLMError(f"'{folder}' holds no model.safetensors; give the folder of a trained VQ-VAE")
    return file_sha256(path)


def write_codes(folder: Path, split: str, rows: Iterable[CodeRow]) -> Path:
    """Write one split; the rows are complete, but for segments where there are none. Returns the file."""
    path = folder / f"{split}.arrow"
    without: dict[str, Any] = {name: [] for name in _SEGMENTS}
    write_table(path, ({**without, **row} for row in rows), table_features(_COLUMNS), rows_per_batch=_ROWS_PER_BATCH)
    return path


def read_codes(folders: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], split: str) -> Sequence[CodeRow]:
    """Rows of one split as `write_codes` took them; without segments where a store from before there were any has none.

    Args:
        folders: one store, or several to read one after another.
        split: "train", "val" or "test".

    Returns:
        The rows, which stay on disk and are read when they are looked at.

    Raises:
        MotionLLMError: no such file, or a damaged one.
    """
    stores = [folders] if isinstance(folders, str | os.PathLike) else folders
    try:
        paths = [Path(folder) / f"{split}.arrow" for folder in stores]
        return cast(Sequence[CodeRow], MappedRows(paths, list(_COLUMNS), _SEGMENTS))
    except MotionLLMError as error:
        raise MotionLLMError(f"{error}; codes are made with `motionllm encode`") from error


def write_codes_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write `motionllm_codes.json`, last: a store with a summary is complete."""
    with atomic_path(folder / CODES_SUMMARY) as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def codes_are_whole(folder: Path, summary: dict[str, Any]) -> bool:
    """Whether the files of a store are those that its summary speaks of; before it had sums, as many motions."""
    try:
        for split, counts in summary["splits"].items():
            path = folder / f"{split}.arrow"
            if "sha256" in counts:
                if file_sha256(path) != counts["sha256"]:
                    return False
            elif len(read_codes(folder, split)) != counts["motions"]:
                return False
    except (OSError, MotionLLMError, KeyError, TypeError, AttributeError):
        return False
    return True


def read_codes_summary(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The summary of a complete store.

    Raises:
        MotionLLMError: the store is missing or not complete.
    """
    path = Path(folder) / CODES_SUMMARY
    try:
        return read_json(path)
    except MotionLLMError as error:
        raise MotionLLMError(f"'{path}' cannot be read ({error}); make the codes with `motionllm encode`") from error
