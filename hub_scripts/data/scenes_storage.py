"""Scenes of the store, for code that knows only those."""

import os
from collections.abc import Sequence
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError

from .store import dataset_columns, read_motions

__all__ = ["read_scenes"]


def read_scenes(
    folder: str | os.PathLike[str], split: str, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """As `read_motions`; clips of single people are refused."""
    if "composed" not in dataset_columns(folder, split):
        raise MotionLLMError(f"'{folder}' holds no scenes; compose some with `motionllm prepare pairs`")
    return [{**row} for row in read_motions(folder, split, columns)]
