"""Files of sentences to make motions of: plain text or a table."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub_scripts.data.text_tables import TABLE_SUFFIXES, read_table, read_text
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["Prompt", "in_turns", "read_prompts"]

_COLUMNS = ("caption", "duration", "seed")
# What follows a sentence in the texts of HumanML3D: its words with their kinds, and from when to when it is said.
_SPOKEN = re.compile(r"#[^\s#/]+/[A-Z]+(?: [^\s#/]+/[A-Z]+)*#\s*[\w.+-]+#\s*[\w.+-]+\s*$")


@dataclass(frozen=True)
class Prompt:
    """A sentence, with seconds and a seed of its own where given.

    Args:
        text: the sentence.
        duration: seconds; with `then` of each sentence, or one number for all.
        seed: of the random draws.
        then: what the person does after it, sentence by sentence.
        as_written: the whole before it was split into these sentences.
    """

    text: str
    duration: float | tuple[float, ...] | None = None
    seed: int | None = None
    then: tuple[str, ...] = ()
    as_written: str | None = None


def in_turns(prompt: Prompt, duration: float | None = None) -> Prompt:
    """The prompt with each of its sentences that says several things as one for each of them.

    A number of seconds for a sentence is shared by its turns.

    Args:
        prompt: one sentence, or several.
        duration: seconds of each sentence, where the prompt says none.

    Raises:
        MotionLLMError: it has a number of durations that is neither that of the sentences nor that of the turns.
    """
    from hub_scripts.captions.turns import split_into_turns  # late, as --help needs this module

    sentences = (prompt.text, *prompt.then)
    turns = [split_into_turns(sentence) for sentence in sentences]
    text, *then = (turn for own in turns for turn in own)
    seconds = duration if prompt.duration is None else prompt.duration
    given = seconds if isinstance(seconds, tuple) else (seconds,) * len(sentences)
    if len(given) == len(sentences):
        both = zip(given, turns, strict=True)
        shared = [None if lasting is None else lasting / len(own) for lasting, own in both for _ in own]
    elif len(given) == len(then) + 1:
        shared = list(given)
    else:
        made = "" if len(then) + 1 == len(sentences) else f" ({', '.join((text, *then))})"
        raise MotionLLMError(
            f"--duration has {len(given)} numbers for '{prompt.text}', which takes {len(then) + 1}{made}; give one for "
            "all, or one for each"
        )
    if len(then) + 1 == len(sentences):
        return prompt
    lasting = None if seconds is None else tuple(one for one in shared if one is not None)
    return replace(prompt, text=text, then=tuple(then), duration=lasting, as_written=" ".join(sentences))


def read_prompts(path: str | Path) -> list[Prompt]:
    """The sentences of a file, in order.

    Args:
        path: .csv, .tsv, .json, .jsonl or .parquet (see `read_table`) with a column `caption` and, where wanted,
            `duration` (seconds) and `seed`, other columns being ignored and empty cells being none; any other file
            holds one sentence a line, empty lines being ignored; also texts of HumanML3D
            (`sentence#its words#0.0#0.0`).

    Raises:
        MotionLLMError: the file cannot be read, lacks the column, or holds a value that is no caption, duration or
            seed; the row is named.
    """
    path = Path(path)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        lines = [" ".join(_SPOKEN.sub("", line).split()) for line in read_text(path).split("\n")]
        _check_no_table(lines[0], path)
        prompts = [Prompt(line) for line in lines if line]
        what = "write one a line"
    else:
        table = read_table(path)
        if _COLUMNS[0] not in table.columns:
            raise MotionLLMError(
                f"--prompts '{path}' has no column 'caption', only {', '.join(table.columns) or 'none'}; name the "
                "column of the sentences so (duration and seed may stand beside it)"
            )
        prompts = [_prompt(row.cells, row.where) for row in table.rows]
        what = "give one row for each"
    if not prompts:
        raise MotionLLMError(f"--prompts '{path}' holds no sentence; {what}")
    return prompts


def _check_no_table(head: str, path: Path) -> None:
    """Make sure that the first of plain lines is not the head of a table."""
    if _COLUMNS[0] in {word.strip(' "') for word in re.split(r"[,;|\t]", head.lower())}:
        raise MotionLLMError(
            f"--prompts '{path}' begins as a table does ('{head[:60]}'), but is read as one sentence a line; name it "
            ".csv or .tsv"
        )


def _prompt(row: dict[str, Any], where: str) -> Prompt:
    text, duration, seed = (row.get(name) for name in _COLUMNS)
    if not isinstance(text, str) or not text.strip():
        raise MotionLLMError(f"{where} has the caption {text!r}; give a sentence or delete the row")
    return Prompt(text.strip(), _number(duration, "duration", where), _seed(seed, where))


def _number(value: Any, name: str, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        # Spreadsheets of many countries write a decimal comma.
        number = float(value.replace(",", ".") if isinstance(value, str) else value)
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
