"""The figures of an evaluation in a checkpoint: beside those that it has of other data, with the contact sheet."""

import shutil
from pathlib import Path
from typing import Any

from hub_scripts.hub.card import write_evaluation
from hub_scripts.hub.records import SHEET, read_evaluation
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path

__all__ = ["kept_figures", "put_sheet", "record_evaluation"]


_KINDS = ("scene", "sequence")  # how the names of figures begin that are not of clips


def _kind(name: str) -> str:
    return next((kind for kind in _KINDS if name.startswith(kind)), "")


def kept_figures(folder: str, split: str, measured: str) -> dict[str, Any]:
    """A checkpoint's figures that stay beside new ones: those of clips, scenes and sequences but for what is measured.

    Args:
        folder: of the checkpoint.
        split: of the data that is measured on.
        measured: how the names of the new figures begin: "scenes_", "sequences_", or "" of clips.

    Raises:
        MotionLLMError: they are of another split.
    """
    known = read_evaluation(Path(folder)) or {}
    kept = {name: value for name, value in known.items() if _kind(name) != _kind(measured)}
    if kept.keys() - {"date", "split", "seed"} and known.get("split") != split:
        raise MotionLLMError(f"'{folder}' has figures of split '{known.get('split')}'; measure that one")
    return kept


def record_evaluation(folder: str, results: dict[str, Any]) -> None:
    """Write all figures into a checkpoint and its card, which names it as given, or from here where that is shorter."""
    path = Path(folder)
    shown = path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else folder
    write_evaluation(path, results, shown)


def put_sheet(folder: Path, sheet: str | None, measured: bool) -> None:
    """Put the contact sheet into a checkpoint; one of earlier motions goes where new ones were `measured`."""
    place = folder / SHEET
    if sheet is None:
        if measured:
            place.unlink(missing_ok=True)
    elif not (place.exists() and place.samefile(sheet)):
        with atomic_path(place) as temporary:
            shutil.copyfile(sheet, temporary)
