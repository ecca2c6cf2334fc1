"""The files beside a model's weights that tell how it was made and what was measured."""

import os
from pathlib import Path
from typing import Any

from modeling_motionllm.json_motionllm import read_json

__all__ = [
    "ACTIONS",
    "CARD",
    "EVALUATION",
    "SHEET",
    "TRAINING_RECORD",
    "VQ_RECORD",
    "read_evaluation",
    "read_record",
    "read_training_record",
]

TRAINING_RECORD = "training_record.json"
VQ_RECORD = "training_record_vq.json"  # of a full checkpoint, which has one folder for all
ACTIONS = "actions.json"  # beside the training record of a language model
EVALUATION = "evaluation.json"
SHEET = "evaluation_sheet.png"  # generated beside real motions, where an evaluation drew one
CARD = "README.md"


def read_record(folder: str | os.PathLike[str], name: str) -> dict[str, Any] | None:
    """The JSON file of a model folder by that name, or None where there is none.

    Raises:
        MotionLLMError: it is damaged.
    """
    path = Path(folder) / name
    return read_json(path) if path.is_file() else None


def read_training_record(folder: str | os.PathLike[str] | None) -> dict[str, Any] | None:
    """The training record of a model folder, or None where there is none."""
    return None if folder is None else read_record(folder, TRAINING_RECORD)


def read_evaluation(folder: Path) -> dict[str, Any] | None:
    """The figures of the last `motionllm evaluate --card`, or None where nothing was measured."""
    return read_record(folder, EVALUATION)
