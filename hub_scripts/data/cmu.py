"""The CMU motion capture database, in whatever conversion a user has, with HumanML3D's sentences about it."""

import os
import re
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError

from .caption_table import CaptionEntry, read_caption_table
from .humanml3d_sentences import read_described_parts
from .recordings import RECORDING_SUFFIXES, recording_suffix

__all__ = ["CMU_NOTICE", "cmu_table"]

CMU_NOTICE = """\
The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF
EIA-0196217. (CMU: free for use in research projects and in products that are sold; the data itself may not be sold,
even in converted form.) The sentences of parts of trials are HumanML3D's: MIT, Copyright (c) 2022 Chuan Guo."""
_TRIAL = re.compile(r"(?<!\d)0*(\d{1,3})_0*(\d{1,2})(?!\d)")
_SECONDS_IN_FRONT = 6 / 60  # of a T-pose that conversions put before the motion, and of the way out of it


def cmu_table(
    folder: str | os.PathLike[str],
    sentences: str | os.PathLike[str],
    captions: str | os.PathLike[str] | None,
    failures: list[tuple[str, str]],
) -> dict[str, CaptionEntry]:
    """The clips of a folder of CMU recordings: the parts that HumanML3D describes, and those of the user's own table.

    A file belongs to the trial in its name (`60_01.bvh`, `02/02_01.amc`), or to the one that the table gives it in the
    column `trial`. A part of a file that the table holds out is held out too.

    Args:
        folder: recordings in any format and conversion.
        sentences: see `read_described_parts`.
        captions: table, see `read_caption_table`; its rows are clips too, and its `fps`, `content`, `style`, `partner`
            ... hold for the described parts of the same file.
        failures: takes name and problem of what cannot be used.

    Returns:
        As `read_caption_table`.

    Raises:
        MotionLLMError: a table that cannot be read, or no recording that is described.
    """
    own = {} if captions is None else read_caption_table(captions)
    said: dict[str, CaptionEntry] = {}
    for entry in own.values():
        said.setdefault(entry.file, entry)
    trials: dict[str, str] = {}
    for path in sorted(Path(folder).rglob("*")):
        suffix = recording_suffix(path)
        if suffix and path.is_file():
            file = path.relative_to(folder).as_posix()[: -len(suffix)]
            told = said.get(file)
            trial = _trial(told.trial if told is not None and told.trial else file)
            if trial:
                trials.setdefault(trial, file)
    table = dict(own)
    parts = read_described_parts(sentences, "CMU", lambda trial: _trial(trial) in trials, failures)
    if not parts and not own:
        raise MotionLLMError(
            f"'{folder}' holds no recording that '{sentences}' describes; name the files after their trials "
            f"(60_01{RECORDING_SUFFIXES[0]}), or give a table with the column trial"
        )
    for part in parts:
        file = trials[_trial(part.trial)]
        entry = said.get(file, CaptionEntry(0))
        reading = {name: value for name, value in entry.reading.items() if name not in ("start", "end")}
        table[f"{file}_{part.name}"] = CaptionEntry(
            line=entry.line,
            file=file,
            written=file,
            captions=list(part.sentences),
            content=entry.content,
            style=entry.style,
            split=entry.split if part.split == "train" and entry.split else part.split,
            license=entry.license,
            reading=reading | {"start": max(part.start, _SECONDS_IN_FRONT if part.start == 0 else 0), "end": part.end},
        )
    return table


def _trial(text: str) -> str:
    """The trial in a file name, such as "60_01"; "" if there is none."""
    found = _TRIAL.findall(text)
    return "{:0>2}_{:0>2}".format(*found[-1]) if found else ""
