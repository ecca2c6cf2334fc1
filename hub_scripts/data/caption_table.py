"""Reading a table of sentences: which captions, labels and split a recording has."""

import csv
import io
import os
from dataclasses import dataclass, field
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError

from .splits import SPLITS, Split

__all__ = ["CaptionEntry", "read_caption_table"]

_NEEDED = ("file", "caption")
_LABELS = ("content", "style", "split")


@dataclass
class CaptionEntry:
    """What the table says of one recording; labels are empty and the split None where it does not say."""

    line: int
    captions: list[str] = field(default_factory=list)
    content: str = ""
    style: str = ""
    split: Split | None = None


def read_caption_table(path: str | os.PathLike[str]) -> dict[str, CaptionEntry]:
    """Read a CSV file (comma, semicolon or tab) with the columns `file`, `caption` and, if wanted, `content`, `style`
    and `split` (train, val or test); a file may have several rows. Other columns are not looked at.

    Returns:
        For each `file`, with forward slashes and without `.bvh`: its entry, captions in order and each once.

    Raises:
        MotionLLMError: not readable, no such columns, an empty cell, or rows of one file that disagree; the message
            names the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MotionLLMError(f"cannot read the captions '{path}' ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise MotionLLMError(f"the captions '{path}' are not UTF-8 (byte {error.start}); save them as UTF-8") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    entries: dict[str, CaptionEntry] = {}
    try:
        columns = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        missing = [name for name in _NEEDED if name not in columns]
        if missing:
            raise MotionLLMError(
                f"the captions '{path}' lack the column {' and '.join(missing)}; the first line should be file,caption "
                f"(and content, style, split if wanted), but is '{first.strip()[:80]}'"
            )
        for row in reader:
            where = f"line {reader.line_num} of '{path}'"
            if None in row:
                raise MotionLLMError(f"{where} has more cells than the first line; put a caption with commas in quotes")
            cells = {name: (row.get(name) or "").strip() for name in (*_NEEDED, *_LABELS)}
            if any(cells.values()):
                _add_row(entries, cells, where, reader.line_num)
    except csv.Error as error:
        raise MotionLLMError(f"line {reader.line_num} of '{path}' is no CSV ({error}); correct its quotes") from error
    if not entries:
        raise MotionLLMError(f"the captions '{path}' hold no rows; write one line file,caption for each sentence")
    return entries


def _add_row(entries: dict[str, CaptionEntry], cells: dict[str, str], where: str, line: int) -> None:
    for name in _NEEDED:
        if not cells[name]:
            raise MotionLLMError(f"{where} has no {name}; fill it in or delete the line")
    if cells["split"] not in ("", *SPLITS):
        raise MotionLLMError(f"{where} has the split '{cells['split']}'; give {', '.join(SPLITS)} or leave it empty")
    file = cells["file"].replace("\\", "/").removeprefix("./")
    file = file[:-4] if file.lower().endswith(".bvh") else file
    entry = entries.setdefault(file, CaptionEntry(line))
    for name in _LABELS:
        before = getattr(entry, name)
        if cells[name] and before and before != cells[name]:
            raise MotionLLMError(
                f"{where} gives '{file}' the {name} '{cells[name]}', but an earlier line says '{before}'; "
                "give all lines of a file the same"
            )
        if cells[name]:
            setattr(entry, name, cells[name])
    caption = " ".join(cells["caption"].split())
    if caption not in entry.captions:
        entry.captions.append(caption)
