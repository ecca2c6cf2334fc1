"""Reading a table of sentences: which clips there are, and which captions, labels and split they have."""

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub_scripts.skeletons.body_frame import UP_AXES, up_axis
from modeling_motionllm.errors_motionllm import MotionLLMError

from .recordings import recording_suffix
from .splits import SPLITS, Split
from .text_tables import read_table, truth

__all__ = ["CaptionEntry", "clip_name", "read_caption_table", "without_suffix"]

_NEEDED = ("file", "caption")
_ALSO = {"file": "file_name", "caption": "text"}  # as the folders of `datasets` name them
_LABELS = ("content", "style", "split", "partner", "license", "trial")
# What is a part of a clip's identity: rows that differ in it are clips of their own.
_PARTS = ("name", "animation", "start", "end")
_NUMBERS = ("start", "end", "fps", "scale", "repeat")
_OPTIONS = ("fps", "up", "scale", "map", "reversed", "repeat", "speed")


@dataclass
class CaptionEntry:
    """What the table says of one clip; labels are empty and the split None where it does not say.

    Args:
        line: of the table, the first of the clip.
        file: path of its recording in the folder, with forward slashes and without suffix.
        written: the same as the table has it.
        captions: in order, each once.
        content: label.
        style: label.
        split: "train", "val" or "test".
        partner: a second recording of the same world and time: the clip is a scene of both people.
        license: of the motion, where it differs from the others'.
        trial: of a database, where the name of the file does not say it.
        reading: fields of `ReadingOptions`, and `map` for the name of a skeleton map.
    """

    line: int
    file: str = ""
    written: str = ""
    captions: list[str] = field(default_factory=list)
    content: str = ""
    style: str = ""
    split: Split | None = None
    partner: str = ""
    license: str = ""
    trial: str = ""
    reading: dict[str, Any] = field(default_factory=dict)


def read_caption_table(path: str | os.PathLike[str]) -> dict[str, CaptionEntry]:
    """Read a table (see `read_table`) with the columns `file` and `caption`; a clip may have several rows.

    As the folders of `datasets` have it, they may be called `file_name` and `text`.

    Other columns, if wanted: the labels `content` and `style`, the `split` (train, val or test), the `license`; which
    part of a file it is: `animation`, and `start` and `end` in seconds; the `partner`, a file with the second person of
    a scene; how it is read: `fps`, `up`, `scale`, `map`, `reversed` (true: played from its end to its beginning),
    `repeat` (a loop played so many times), `speed` (metres per second that an animation in place goes forward, or
    `feet` for what its standing feet say); the `name` of the clip. Columns of other names are not looked at.

    Returns:
        By the name of the clip (the file without suffix, with animation and part where these are given): its entry.

    Raises:
        MotionLLMError: not readable, no such columns, an empty cell, a value that cannot be, or rows of one clip that
            disagree; the message names the line.
    """
    if not Path(path).is_file():
        raise MotionLLMError(f"cannot read the captions '{path}' (no such file); check the path")
    table = read_table(path)
    missing = [name for name in _NEEDED if not {name, _ALSO[name]} & set(table.columns)]
    if missing:
        first = f", but is '{table.head[:80]}'" if table.head else ""
        raise MotionLLMError(
            f"the captions '{path}' lack the column {' and '.join(missing)}; the first line should be file,caption "
            f"(and content, style, split if wanted){first}"
        )
    entries: dict[str, CaptionEntry] = {}
    known = (*_NEEDED, *_LABELS, *_PARTS, *_OPTIONS)
    for row in table.rows:
        cells = {name: row.text(name) or row.text(_ALSO.get(name, name)) for name in known}
        if any(cells.values()):
            _add_row(entries, cells, row.where, row.line)
    if not entries:
        raise MotionLLMError(f"the captions '{path}' hold no rows; write one line file,caption for each sentence")
    return entries


def clip_name(file: str, animation: str = "", start: float | None = None, end: float | None = None) -> str:
    """What a clip is called: its file, and which part of it.

    Args:
        file: without suffix.
        animation: one of several in the file, if any.
        start: seconds, if it is a part.
        end: seconds, likewise.

    Returns:
        Such as `walk`, `moves_Punch_Jab` or `dance_0.50-4.00`.
    """
    name = file + ("_" + re.sub(r"[^\w.-]+", "_", animation) if animation else "")
    if start is None and end is None:
        return name
    return f"{name}_{start or 0:.2f}-{'' if end is None else f'{end:.2f}'}"


def _add_row(entries: dict[str, CaptionEntry], cells: dict[str, str], where: str, line: int) -> None:
    for name in _NEEDED:
        if not cells[name]:
            raise MotionLLMError(f"{where} has no {name}; fill it in or delete the line")
    if cells["split"] not in ("", *SPLITS):
        raise MotionLLMError(f"{where} has the split '{cells['split']}'; give {', '.join(SPLITS)} or leave it empty")
    written = cells["file"]
    for name in ("file", "partner"):
        cells[name] = without_suffix(cells[name])
    reading = _reading(cells, where)
    file = cells["file"]
    name = cells["name"] or clip_name(file, cells["animation"], reading.get("start"), reading.get("end"))
    entry = entries.setdefault(name, CaptionEntry(line, file, written))
    if entry.file != file:
        raise MotionLLMError(f"{where} calls a clip of '{file}' '{name}', as one of '{entry.file}' is; rename one")
    for label in _LABELS:
        _agree(vars(entry), label, cells[label], name, where)
    for key, value in reading.items():
        _agree(entry.reading, key, value, name, where)
    caption = " ".join(cells["caption"].split())
    if caption not in entry.captions:
        entry.captions.append(caption)


def _agree(known: dict[str, Any], key: str, value: Any, name: str, where: str) -> None:
    before = known.get(key)
    if value and before and before != value:
        raise MotionLLMError(
            f"{where} gives '{name}' the {key} '{value}', but an earlier line says '{before}'; "
            "give all lines of a file the same"
        )
    if value or (value == 0 and before is None and not isinstance(value, str)):
        known[key] = value


def _reading(cells: dict[str, str], where: str) -> dict[str, Any]:
    """How the recording is read, of the cells that say anything."""
    reading: dict[str, Any] = {name: cells[name] for name in ("animation", "map", "up") if cells[name]}
    if "up" in reading:
        reading["up"] = up_axis(cells["up"])
        if reading["up"] is None:
            raise MotionLLMError(f"{where} has up '{cells['up']}'; give one of {', '.join(UP_AXES)}")
    for name in (*_NUMBERS, "speed"):
        if not cells[name] or (name == "speed" and cells[name] == "feet"):
            continue
        try:
            value = float(cells[name].replace(",", "."))
        except ValueError:
            value = math.nan
        least = -20.0 if name == "speed" else 0.0
        if not least <= value < 1e5 or (value == 0 and name in ("end", "fps", "scale", "repeat")):
            raise MotionLLMError(f"{where} has the {name} '{cells[name]}'; give a number")
        reading[name] = value
    if "repeat" in reading:
        if reading["repeat"] != int(reading["repeat"]):
            raise MotionLLMError(f"{where} has repeat '{cells['repeat']}'; give a whole number")
        reading["repeat"] = int(reading["repeat"])
    if cells["speed"] == "feet":
        reading["speed"] = "feet"
    if truth(f"{where}: reversed", cells["reversed"], empty=False):
        reading["reversed"] = True
    return reading


def without_suffix(file: str) -> str:
    """A file of a table without its suffix, as files are known by."""
    file = file.replace("\\", "/").removeprefix("./")
    return file[: len(file) - len(recording_suffix(file))]
