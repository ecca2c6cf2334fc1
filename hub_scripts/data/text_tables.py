"""Reading tables that people write, by one reader: .csv and .tsv (comma, semicolon, tab), .json, .jsonl, .parquet."""

import codecs
import csv
import io
import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["TABLE_SUFFIXES", "Table", "TableRow", "read_table", "read_text", "truth"]

TABLE_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DELIMITERS = (",", ";", "\t", "|")
# Soft hyphens and blanks of no width: of web pages, in no sentence.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def truth(column: str, cell: str, empty: bool) -> bool:
    """What a cell of true or false says.

    Args:
        column: its name for the message, with the file where nobody else adds it.
        cell: its text, in any case.
        empty: what a cell without text says.

    Raises:
        MotionLLMError: it says neither.
    """
    if not cell:
        return empty
    if cell.lower() not in _TRUTH:
        raise MotionLLMError(f"{column} is '{cell}'; give true or false")
    return _TRUTH[cell.lower()]


@dataclass(frozen=True)
class TableRow:
    """One row.

    Args:
        line: its number, of the line where the file has lines, else of the row.
        where: the same for messages, with the file.
        cells: by column name (lower case, as text); text is NFC, with one blank between words and none around them.
    """

    line: int
    where: str
    cells: dict[str, Any]

    def text(self, column: str) -> str:
        """A cell as text; "" where there is none."""
        value = self.cells.get(column)
        return "" if value is None else str(value)


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: names in order, lower case.
        rows: those that hold anything.
        head: the first line as it is written; "" where there is none.
    """

    columns: tuple[str, ...]
    rows: list[TableRow]
    head: str = ""


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a table, by its suffix; what is none of the others is read as CSV.

    Raises:
        MotionLLMError: it cannot be read, or a row is broken; the message names the line.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    text = read_text(path)
    if suffix in (".json", ".jsonl"):
        return _json(text, path, lines=suffix == ".jsonl")
    return _csv(text, path)


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file in UTF-8, or in UTF-16 that says so, NFC.

    Raises:
        MotionLLMError: it cannot be read, or is no such text.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise MotionLLMError(f"cannot read '{path}' ({error.strerror}); check the path") from error
    if data.startswith(b"PK"):
        raise MotionLLMError(f"'{path}' is a spreadsheet or an archive and no text; save the sheet as .csv (UTF-8)")
    encoding = "utf-16" if data.startswith(_UTF_16) else "utf-8-sig"
    if encoding != "utf-16" and 0 < len(data[:64]) // 2 - 1 <= data[:64].count(0):
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise MotionLLMError(
            f"'{path}' cannot be read as text: it is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error
    return _INVISIBLE.sub("", unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")))


def _name(column: Any) -> str:
    return str(_value(str(column or ""))).lower()


def _cells(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {_name(name): _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    """A cell; text in NFC, with single blanks."""
    return (
        " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", value)).split()) if isinstance(value, str) else value
    )


def _csv(text: str, path: Path) -> Table:
    head = text.partition("\n")[0].strip()
    told = head.lower().removeprefix("sep=") if head.lower().startswith("sep=") else ""  # a line for spreadsheets
    if told:
        text = text.partition("\n")[2]
        head = text.partition("\n")[0].strip()
    delimiter = told if told in _DELIMITERS else max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[TableRow] = []
    try:
        columns = _columns(next(reader, ()), path)
        for values in reader:
            line = reader.line_num + bool(told)
            where = f"line {line} of '{path}'"
            if any(value.strip() for value in values[len(columns) :]):
                raise MotionLLMError(f"{where} has more cells than the first line; put a caption with commas in quotes")
            cells = {name: _value(value) for name, value in zip(columns, values, strict=False)}
            if any(cells.values()):
                rows.append(TableRow(line, where, cells))
    except csv.Error as error:
        raise MotionLLMError(f"line {reader.line_num} of '{path}' is no CSV ({error}); correct its quotes") from error
    return Table(columns, rows, head)


def _columns(names: Sequence[Any], path: Path) -> tuple[str, ...]:
    """Column names of a first line.

    Raises:
        MotionLLMError: two are alike.
    """
    columns = tuple(_name(name) for name in names)
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise MotionLLMError(f"'{path}' has two columns '{twice[0]}'; rename or delete one")
    return columns


def _json(text: str, path: Path, lines: bool) -> Table:
    rows: list[TableRow] = []
    parts = enumerate(text.split("\n"), start=1) if lines else [(1, text)]
    kind = "line" if lines else "row"
    for number, part in parts:
        if not part.strip():
            continue
        try:
            content = json.loads(part)
        except (ValueError, RecursionError) as error:
            raise MotionLLMError(f"line {number} of '{path}' is no JSON ({error}); correct it") from error
        if not lines and not isinstance(content, list):
            raise MotionLLMError(f"'{path}' is no JSON list; give [{{\"caption\": ...}}, ...]")
        for place, row in enumerate(content if not lines else [content], start=1 if not lines else number):
            if not isinstance(row, dict):
                raise MotionLLMError(f"{kind} {place} of '{path}' is no JSON object; give {{\"caption\": ...}}")
            rows.append(TableRow(place, f"{kind} {place} of '{path}'", _cells(row)))
    return Table(tuple(dict.fromkeys(name for row in rows for name in row.cells)), rows)


def _parquet(path: Path) -> Table:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            columns = _columns(file.schema_arrow.names, path)
            rows = [
                TableRow(number, f"row {number} of '{path}'", _cells(row))
                for number, row in enumerate(
                    (row for batch in file.iter_batches() for row in batch.to_pylist()), start=1
                )
            ]
    except OSError as error:
        raise MotionLLMError(f"cannot read '{path}' ({error.strerror or error}); check the path") from error
    except pyarrow.ArrowInvalid as error:
        raise MotionLLMError(f"'{path}' is no readable .parquet file ({error}); write it again") from error
    return Table(columns, rows)
