"""The sentence store: sentences that people wrote, and the motions that show what they say; one file a split."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.json_motionllm import read_json

from .tables import ColumnType, read_table, table_features, write_table

__all__ = ["SENTENCES_SUMMARY", "SentenceRow", "read_sentences", "read_sentences_summary", "write_sentences"]

SENTENCES_SUMMARY = "motionllm_sentences.json"
_FORMAT = 1


class SentenceRow(TypedDict):
    """A sentence and the motions that it tells of.

    Args:
        sentence: as it was written.
        actions: names of `captions.action_words.ACTIONS`, in order.
        motions: "DATASET/NAME" of motions of the same split; empty where the sentence is not known.
        known: True where motions show it; False where no motion of any dataset shows any of its actions.
    """

    sentence: str
    actions: list[str]
    motions: list[str]
    known: bool


_COLUMNS: dict[str, ColumnType] = {
    "sentence": "string",
    "actions": ["string"],
    "motions": ["string"],
    "known": "bool",
}


def write_sentences(
    folder: str | os.PathLike[str], splits: Mapping[str, Sequence[SentenceRow]], summary: Mapping[str, Any]
) -> None:
    """Write a sentence store; equal rows give equal bytes.

    Args:
        folder: created if needed; what it held of a store is replaced.
        splits: "train" and "val".
        summary: written beside them, as JSON.

    Raises:
        MotionLLMError: it cannot be written.
    """
    folder = ensure_folder(folder)
    features = table_features(_COLUMNS)
    for split, rows in splits.items():
        write_table(folder / f"{split}.arrow", rows, features)
    with atomic_path(folder / SENTENCES_SUMMARY) as temporary:
        whole = {"format": _FORMAT, **summary}
        temporary.write_text(json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_sentences(folder: str | os.PathLike[str], split: str) -> list[SentenceRow]:
    """Read a split of a sentence store.

    Args:
        folder: written by `motionllm prepare sentences`.
        split: "train" or "val".

    Raises:
        MotionLLMError: no such store or split, or a damaged file.
    """
    read_sentences_summary(folder)
    path = Path(folder) / f"{split}.arrow"
    if not path.is_file():
        raise MotionLLMError(f"no split '{split}' in '{folder}'; it has train and val")
    return cast(list[SentenceRow], read_table(path, list(_COLUMNS)))


def read_sentences_summary(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Counts, licence and the hashes of the datasets.

    Raises:
        MotionLLMError: no such store, or of another version.
    """
    path = Path(folder) / SENTENCES_SUMMARY
    try:
        summary = read_json(path)
    except MotionLLMError as error:
        raise MotionLLMError(
            f"'{path}' cannot be read ({error}); make the sentences with `motionllm prepare sentences`"
        ) from error
    if summary.get("format") != _FORMAT:
        raise MotionLLMError(f"'{folder}' is of another version; run `motionllm prepare sentences` again")
    return summary
