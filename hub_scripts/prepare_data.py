"""`motionllm prepare`: turn recorded motion into a dataset of joints, features and captions."""

import argparse
import sys
from collections.abc import Sequence

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]

_DESCRIPTION = """\
Turn recorded motion into a dataset that the training commands read: joint positions (22 joints, 20 fps, metres),
HumanML3D features (263 numbers a frame) and six captions a clip, divided into train, val and test.
"""
_BANDAI = """\
Prepare the Bandai-Namco-Research-Motiondataset 1 and 2 (3,076 clips with content and style labels; CC BY-NC 4.0).

SRC is the folder that holds dataset-1.tar.xz and dataset-2.tar.xz (they are read as they are, nothing is unpacked), one
such archive, or a folder of unpacked .bvh files. Captions are written from the labels and from what the motion does.
Train clips are stored twice, as recorded and mirrored. A clip that cannot be used is named at the end and left out.
"""
_BANDAI_EPILOG = """\
An interrupted run continues where it stopped when the same command is given again. Equal input gives equal files.

example: motionllm prepare bandai ~/bandai-namco --out data/bandai
"""


def main(argv: Sequence[str]) -> int:
    """Run `motionllm prepare` with the arguments after that word.

    Returns:
        0, also when single clips were left out; 2 if no clip was usable.

    Raises:
        MotionLLMError: bad input, or a folder that cannot be used.
    """
    args = _parser().parse_args(argv)
    from .data.preparation import prepare_bandai

    if args.num_proc < 1:
        raise MotionLLMError(f"--num-proc is {args.num_proc}; give 1 or more")
    if args.limit is not None and args.limit < 1:
        raise MotionLLMError(f"--limit is {args.limit}; give 1 or more")
    report = prepare_bandai(
        args.src,
        args.out,
        num_proc=args.num_proc,
        limit=args.limit,
        mirror=args.mirror,
        overwrite=args.overwrite,
    )
    if report.failures:
        print(f"{len(report.failures)} clips were left out:", file=sys.stderr)
        for _, problem in report.failures:
            print(f"  {problem}", file=sys.stderr)
    if report.summary is None:
        print("no clip was usable; nothing was written", file=sys.stderr)
        return 2
    for split, numbers in report.summary["splits"].items():
        print(f"{split:5}  {numbers['rows']:6,} rows  {numbers['clips']:6,} clips  {numbers['frames']:9,} frames")
    print(f"wrote {args.out} (sha256 {report.summary['sha256'][:16]})")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm prepare", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sources = parser.add_subparsers(dest="dataset", metavar="DATASET", required=True)
    bandai = sources.add_parser(
        "bandai",
        help="Bandai-Namco-Research-Motiondataset 1 and 2",
        description=_BANDAI,
        epilog=_BANDAI_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bandai.add_argument("src", metavar="SRC", help="folder with the archives, one archive, or a folder of .bvh files")
    bandai.add_argument("--out", required=True, metavar="DIR", help="folder for the dataset; created if needed")
    bandai.add_argument("--num-proc", type=int, default=2, metavar="N", help="worker processes (default: 2)")
    bandai.add_argument("--limit", type=int, metavar="N", help="only the first N clips, for a quick try")
    bandai.add_argument(
        "--no-mirror", dest="mirror", action="store_false", help="do not store mirrored copies of the train clips"
    )
    bandai.add_argument("--overwrite", action="store_true", help="replace a dataset that is already in DIR")
    return parser
