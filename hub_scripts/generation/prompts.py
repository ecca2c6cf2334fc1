"""Files of sentences to make motions of: plain text, .csv, .jsonl or .parquet."""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["Prompt", "read_prompts"]

_COLUMNS = ("caption", "duration", "seed")


@dataclass(frozen=True)
class Prompt:
    """A sentence, with seconds and a seed of its own where given.

    Args:
        text: the sentence.
        duration: seconds; with `then` of each sentence, or one number for all.
        seed: of the random draws.
        then: what the person does after it, sentence by sentence.
    """

    text: str
    duration: float | tuple[float, ...] | None = None
    seed: int | None = None
    then: tuple[str, ...] = ()


def read_prompts(path: str | Path) -> list[Prompt]:
    """The sentences of a file, in order.

    Args:
        path: .csv, .jsonl or .parquet with a column `caption` and, where wanted, `duration` (seconds) and `seed`, other
            columns being ignored and empty cells being none; any other file holds one sentence a line, empty lines
            being ignored.

    Raises:
        MotionLLMError: the file cannot be read, lacks the column, or holds a value that is no caption, duration or
            seed; the row is named.
    """
    path = Path(path)
    reader = {".csv": _csv_rows, ".jsonl": _json_rows, ".parquet": _parquet_rows}.get(path.suffix.lower())
    try:
        if reader is None:
            lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
            prompts = [Prompt(line) for line in lines if line]
        else:
            prompts = [_prompt(row, f"{where} of '{path}'") for where, row in reader(path)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        kind = "text" if reader is None else path.suffix
        raise MotionLLMError(f"--prompts '{path}' cannot be read as {kind}: {error}") from error
    if not prompts:
        what = "write one a line" if reader is None else "give one row for each"
        raise MotionLLMError(f"--prompts '{path}' holds no sentence; {what}")
    return prompts


def _check_columns(path: Path, names: Any) -> None:
    if _COLUMNS[0] not in names:
        raise MotionLLMError(
            f"--prompts '{path}' has no column 'caption', only {', '.join(map(str, names)) or 'none'}; name the column "
            "of the sentences so (duration and seed may stand beside it)"
        )


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        _check_columns(path, reader.fieldnames or [])
        for row in reader:
            if None in row:
                raise MotionLLMError(
                    f"line {reader.line_num} of '{path}' has more cells than the first line; put a caption with commas "
                    "in quotes"
                )
            yield f"line {reader.line_num}", {name: (row.get(name) or "").strip() for name in _COLUMNS}


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise MotionLLMError(f"line {number} of '{path}' is no JSON ({error}); correct it") from error
            if not isinstance(row, dict):
                raise MotionLLMError(f"line {number} of '{path}' is no JSON object; give {{\"caption\": ...}}")
            _check_columns(path, row)
            yield f"line {number}", row


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(columns=[name for name in _COLUMNS if name in file.schema_arrow.names]):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
    except pyarrow.ArrowInvalid as error:
        raise MotionLLMError(f"--prompts '{path}' is no readable .parquet file ({error}); write it again") from error


def _prompt(row: dict[str, Any], where: str) -> Prompt:
    text, duration, seed = (row.get(name) for name in _COLUMNS)
    if not isinstance(text, str) or not text.strip():
        raise MotionLLMError(f"{where} has the caption {text!r}; give a sentence or delete the row")
    return Prompt(text.strip(), _number(duration, "duration", where), _seed(seed, where))


def _number(value: Any, name: str, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise MotionLLMError(f"{where} has the {name} {value!r}; give a number, or leave it empty")
    return number


def _seed(value: Any, where: str) -> int | None:
    number = _number(value, "seed", where)
    if number is None:
        return None
    # A column of whole numbers with gaps is often stored as floats.
    if number < 0 or number != int(number) or number > 2**53:
        raise MotionLLMError(f"{where} has the seed {value!r}; give a whole number from 0 on, or leave it empty")
    return int(number)
