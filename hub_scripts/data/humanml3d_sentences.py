"""HumanML3D's sentences and the parts of AMASS recordings that they tell of, without any motion.

Read from the published folder (`index.csv`, `texts/NAME.txt` and the lists `train.txt`, `val.txt`, `test.txt`), or from
a JSONL file (also packed as .xz) with `id`, `source`, `trial`, `start_frame_20fps`, `end_frame_20fps`, `split` and
`texts`.
"""

import csv
import json
import lzma
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError

from .splits import SPLITS, Split
from .t2m import read_sentences

__all__ = ["DescribedPart", "read_described_parts"]

_FPS = 20.0
_LINES = "sentences.jsonl.xz"


@dataclass(frozen=True)
class DescribedPart:
    """A part of a recording, and sentences that people wrote about it.

    Args:
        name: HumanML3D's name of it, such as "000065"; parts of it that have a sentence of their own add its seconds.
        subset: of AMASS, such as "CMU".
        trial: recording in the subset, such as "60/60_01".
        start: seconds.
        end: seconds.
        split: HumanML3D's.
        sentences: of people.
    """

    name: str
    subset: str
    trial: str
    start: float
    end: float
    split: Split
    sentences: tuple[str, ...]


def read_described_parts(
    path: str | os.PathLike[str], subset: str | None, wanted: Callable[[str], bool], failures: list[tuple[str, str]]
) -> list[DescribedPart]:
    """The parts of one subset of AMASS, or of all.

    Args:
        path: HumanML3D's folder, or the JSONL file or the folder that holds it as `sentences.jsonl.xz`.
        subset: such as "CMU"; None for all.
        wanted: whether parts of this trial are looked for.
        failures: takes name and problem of what cannot be used, and of parts for training that share a moment with one
            for testing: these are left out.

    Raises:
        MotionLLMError: neither such a folder nor such a file, or nothing of the subset in it.
    """
    path = Path(path)
    if not (path / "index.csv").exists() and (path / _LINES).is_file():
        path /= _LINES
    parts = list(_of_folder(path, subset, failures) if path.is_dir() else _of_lines(path))
    parts = [part for part in parts if subset in (None, part.subset)]
    if not parts:
        of = f" of {subset}" if subset else ""
        raise MotionLLMError(f"'{path}' tells of no recording{of}; give HumanML3D's folder with index.csv")
    parts = [part for part in parts if wanted(part.trial)]
    held_out = _held_out(path, parts)
    for part in parts:
        if part.name.partition("_")[0] in held_out and part.split != "test":
            failures.append((part.name, f"'{part.name}' ({part.trial}) shares a moment with a clip for testing"))
    return [part for part in parts if part.split == "test" or part.name.partition("_")[0] not in held_out]


def _held_out(path: Path, parts: list[DescribedPart]) -> set[str]:
    """Names of parts that share a moment with a part for testing, by their times or by a list beside the JSONL file."""
    beside = path.with_name("overlaps_held_out.txt")
    if path.is_file() and beside.is_file():
        return set(_text(beside).split())
    tested: dict[tuple[str, str], list[DescribedPart]] = {}
    for part in parts:
        if part.split == "test":
            tested.setdefault((part.subset, part.trial), []).append(part)
    return {
        part.name
        for part in parts
        for test in tested.get((part.subset, part.trial), ())
        if part.split != "test" and part.start < test.end and test.start < part.end
    }


def _of_folder(folder: Path, subset: str | None, failures: list[tuple[str, str]]) -> Iterator[DescribedPart]:
    splits: dict[str, Split] = {}
    for split in SPLITS:
        if (folder / f"{split}.txt").is_file():
            splits |= dict.fromkeys(_text(folder / f"{split}.txt").split(), split)
    try:
        rows = list(csv.DictReader(_text(folder / "index.csv").splitlines(), strict=True))
        index = [
            (
                row["new_name"].removesuffix(".npy"),
                row["source_path"],
                int(float(row["start_frame"])),
                int(float(row["end_frame"])),
            )
            for row in rows
        ]
    except (csv.Error, KeyError, ValueError, TypeError) as error:
        raise MotionLLMError(
            f"'{folder / 'index.csv'}' is not HumanML3D's ({error}); its columns are source_path, start_frame, "
            "end_frame and new_name"
        ) from error
    for name, source, first, last in index:
        where, _, trial = source.replace("\\", "/").partition("pose_data/")[2].partition("/")
        if name not in splits or subset not in (None, where) or not trial:
            continue
        try:
            sentences = read_sentences(folder, name, failures)
        except MotionLLMError as error:
            failures.append((name, str(error)))
            continue
        start, end = first / _FPS, last / _FPS
        trial = trial.removesuffix(".npy").removesuffix("_poses")
        by_part: dict[tuple[float, float], list[str]] = {}
        for sentence in sentences:
            by_part.setdefault((sentence.start, sentence.stop), []).append(sentence.caption)
        for (begin, stop), captions in by_part.items():
            whole = not begin and not stop
            yield DescribedPart(
                name if whole else f"{name}_{begin:g}-{stop:g}",
                where,
                trial,
                start if whole else start + begin,
                end if whole else min(end, start + stop),
                splits[name],
                tuple(captions),
            )


def _of_lines(path: Path) -> Iterator[DescribedPart]:
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            clip = json.loads(line)
            if clip["split"] not in SPLITS:
                raise ValueError(f"split {clip['split']}")
            yield DescribedPart(
                str(clip["id"]),
                str(clip["source"]),
                str(clip["trial"]),
                int(clip["start_frame_20fps"]) / _FPS,
                int(clip["end_frame_20fps"]) / _FPS,
                clip["split"],
                tuple(str(text) for text in clip["texts"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise MotionLLMError(
                f"line {number} of '{path}' tells of no clip ({error}); see docs/datasets.md"
            ) from error


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8-sig")
    except (OSError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise MotionLLMError(f"cannot read '{path}' ({error}); give HumanML3D's folder, or a JSONL file") from error
