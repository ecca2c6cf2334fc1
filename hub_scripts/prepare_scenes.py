"""`motionllm prepare pairs` and `prepare interhuman`: scenes of several people."""

import argparse
import sys
from typing import Any

__all__ = ["add_scene_sources"]

_PAIRS = """\
Compose scenes of two and three people from the clips of one person each that `motionllm prepare bandai` wrote: bowing
to each other, waving goodbye to someone who walks away, walking side by side, passing by, and more (docs/scenes.md).

Clips of one split only are put together. Bodies that would run into each other are drawn again. Each scene gets six
captions; train scenes are stored twice, as composed and mirrored.
"""
_PAIRS_EPILOG = """\
An interrupted run continues where it stopped when the same command is given again. Equal input gives equal files.

example: motionllm prepare pairs data/bandai --out data/scenes --seed 0
"""
_INTERHUMAN = """\
Prepare InterHuman (Liang et al. 2023; CC BY-NC-SA 4.0, on request from its authors, not to be passed on) as scenes
of two people with their own captions and splits.

SRC is the published folder: motions_processed/person1/*.npy and person2/*.npy, annots/*.txt, split/train.txt, val.txt
and test.txt. Train scenes are stored twice, as recorded and mirrored. A scene that cannot be used is named at the end.
"""
_INTERHUMAN_EPILOG = """\
example: motionllm prepare interhuman ~/interhuman --out data/interhuman
"""


def add_scene_sources(sources: Any) -> None:
    """Add both commands to the parser of `motionllm prepare`."""
    _add_pairs(sources)
    _add_interhuman(sources)


def _pairs(args: argparse.Namespace) -> int:
    from .data.scenes import prepare_pairs

    summary = prepare_pairs(
        args.data,
        args.out,
        {"train": args.train, "val": args.val, "test": args.test},
        seed=args.seed,
        num_proc=args.num_proc,
        mirror=args.mirror,
        overwrite=args.overwrite,
    )
    _print_scenes(summary)
    made = sum(numbers["scenes"] for numbers in summary["splits"].values())
    for split, numbers in summary["splits"].items():
        for kind, count in numbers["given_up"].items():
            print(f"{split}: {count} scenes of kind {kind} could not be composed of these clips", file=sys.stderr)
    again = ", ".join(f"{count:,} {reason}" for reason, count in summary["drawn_again"].items()) or "none"
    print(f"drawn again for {made:,} scenes: {again}")
    print(f"wrote {args.out} (sha256 {summary['sha256'][:16]})")
    return 0


def _interhuman(args: argparse.Namespace) -> int:
    from .data.interhuman import prepare_interhuman

    report = prepare_interhuman(args.src, args.out, mirror=args.mirror, limit=args.limit, overwrite=args.overwrite)
    _print_left_out(report.failures, "scenes")
    if report.summary is None:
        print("no scene was usable; nothing was written", file=sys.stderr)
        return 2
    _print_scenes(report.summary)
    print(f"wrote {args.out} (sha256 {report.summary['sha256'][:16]})")
    return 0


def _print_left_out(failures: list[tuple[str, str]], what: str) -> None:
    if failures:
        print(f"{len(failures)} {what} were left out:", file=sys.stderr)
        for _, problem in failures:
            print(f"  {problem}", file=sys.stderr)


def _print_scenes(summary: dict[str, Any]) -> None:
    for split, numbers in summary["splits"].items():
        print(f"{split:5}  {numbers['rows']:6,} rows  {numbers['scenes']:6,} scenes  {numbers['frames']:9,} frames")
        for kind, count in numbers["kinds"].items():
            print(f"         {kind:14} {count:5,}")


def _add_pairs(sources: Any) -> None:
    pairs = sources.add_parser(
        "pairs",
        help="scenes of two and three people, composed from prepared clips",
        description=_PAIRS,
        epilog=_PAIRS_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    pairs.add_argument("data", metavar="DATA", help="folder written by `motionllm prepare bandai`")
    pairs.add_argument("--out", required=True, metavar="DIR", help="folder for the scenes; created if needed")
    for split, count in (("train", 2000), ("val", 150), ("test", 300)):
        pairs.add_argument(
            f"--{split}", type=int, default=count, metavar="N", help=f"{split} scenes (default: {count})"
        )
    pairs.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, other scenes (default: 0)")
    pairs.add_argument("--num-proc", type=int, default=2, metavar="N", help="worker processes (default: 2)")
    pairs.add_argument(
        "--no-mirror", dest="mirror", action="store_false", help="do not store mirrored copies of the train scenes"
    )
    pairs.add_argument("--overwrite", action="store_true", help="replace a dataset that is already in DIR")
    pairs.set_defaults(run=_pairs)


def _add_interhuman(sources: Any) -> None:
    interhuman = sources.add_parser(
        "interhuman",
        help="InterHuman: recorded scenes of two people",
        description=_INTERHUMAN,
        epilog=_INTERHUMAN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    interhuman.add_argument("src", metavar="SRC", help="folder with motions_processed/, annots/ and split/")
    interhuman.add_argument("--out", required=True, metavar="DIR", help="folder for the scenes; created if needed")
    interhuman.add_argument("--limit", type=int, metavar="N", help="only the first N scenes of each split")
    interhuman.add_argument(
        "--no-mirror", dest="mirror", action="store_false", help="do not store mirrored copies of the train scenes"
    )
    interhuman.add_argument("--overwrite", action="store_true", help="replace a dataset that is already in DIR")
    interhuman.set_defaults(run=_interhuman)
