"""The checkpoints that an unfinished training leaves in its folder."""

import json
import os
import re
from pathlib import Path

__all__ = ["last_checkpoint"]

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_STATE = "trainer_state.json"  # the Trainer writes it last


def last_checkpoint(folder: str | os.PathLike[str]) -> Path | None:
    """The last whole checkpoint of `transformers.Trainer` in a folder; None where there is none.

    One whose writing was cut short is passed over; the Trainer writes it anew.
    """
    found = [
        (int(match[1]), path)
        for path in Path(folder).glob("checkpoint-*")
        if (match := _CHECKPOINT.fullmatch(path.name))
    ]
    return next((path for _, path in sorted(found, reverse=True) if _whole(path)), None)


def _whole(path: Path) -> bool:
    try:
        json.loads((path / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
