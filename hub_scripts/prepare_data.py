"""`motionllm prepare`: turn recorded motion into a dataset of joints, features and captions."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hub_scripts.data.folder_lock import only_one
from hub_scripts.options.prepare import SOURCES, add_source
from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from hub_scripts.data.preparation import Preparation
    from hub_scripts.data.sentence_preparation import SentencePreparation

__all__ = ["main"]

_NAMED = 3  # files of a note; the dataset's JSON names all

_DESCRIPTION = """\
Turn recorded motion into a dataset that the training commands read: joint positions (22 joints, 20 fps, metres),
HumanML3D features (263 numbers a frame) and captions, divided into train, val and test.
"""


def main(argv: Sequence[str]) -> int:
    """Run `motionllm prepare` with the arguments after that word.

    Returns:
        0, also when single files were left out; 2 if none was usable.

    Raises:
        MotionLLMError: bad input, or a folder that cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="motionllm prepare", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sources = parser.add_subparsers(dest="dataset", metavar="DATASET", required=True)
    for kind in SOURCES:
        add_source(sources, kind)
    args = parser.parse_args(argv)
    for name, least in (("num_proc", 1), ("limit", 1), ("train", 0), ("val", 0), ("test", 0)):
        value = getattr(args, name, None)
        if value is not None and value < least:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {value}; give {least} or more")
    from hub_scripts.data.store import UNFINISHED_WORK

    with only_one(args.out):
        try:
            report = args.prepare(args)
        finally:
            with suppress(OSError):
                Path(args.out, UNFINISHED_WORK).rmdir()  # where nothing was begun
    if args.dataset == "sentences":
        return _tell_sentences(report, args.out)
    unit = {"pairs": "scene", "interhuman": "scene", "sequences": "sequence"}.get(args.dataset, "file")
    return _tell(report, args.out, unit)


def _tell_sentences(report: "SentencePreparation", out: str) -> int:
    """Print what came out of matching sentences with motions; returns the exit code."""
    from hub_scripts.data.sentence_preparation import sentence_table

    print(sentence_table(report.summary))
    for _, problem in report.failures:
        print(f"left out: {problem}", file=sys.stderr)
    print(f"wrote {out}")
    return 0


def _tell(report: "Preparation", out: str, unit: str) -> int:
    """Print what came out of a preparation; returns the exit code."""

    def counted(count: int) -> str:
        return f"{count:,} {unit}{'' if count == 1 else 's'}"

    for note, count in report.notes.most_common():
        files = report.noted.get(note, [])
        named = ", ".join(files[:_NAMED]) + (f" and {len(files) - _NAMED:,} more" if len(files) > _NAMED else "")
        print(f"{counted(count)}: {note}{f' ({named})' if named else ''}")
    if report.failures:
        print(f"left out, {counted(len(report.failures))}:", file=sys.stderr)
        for _, problem in report.failures:
            print(f"  {problem}", file=sys.stderr)
    if report.summary is None:
        print(f"no {unit} was usable; nothing was written", file=sys.stderr)
        return 2
    for split, numbers in report.summary["splits"].items():
        kind = next(name for name in ("scenes", "sequences", "clips") if name in numbers)
        print(f"{split:5}  {numbers['rows']:6,} rows  {numbers[kind]:6,} {kind}  {numbers['frames']:9,} frames")
        for name, count in numbers.get("kinds", {}).items():
            print(f"         {name:14} {count:5,}")
    print(f"wrote {out} (sha256 {report.summary['sha256'][:16]})")
    return 0
