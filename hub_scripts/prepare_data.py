"""`motionllm prepare`: turn recorded motion into a dataset of joints, features and captions."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from hub_scripts.options.bvh import add_bvh_arguments, bvh_options
from hub_scripts.prepare_scenes import add_scene_sources
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]

_DESCRIPTION = """\
Turn recorded motion into a dataset that the training commands read: joint positions (22 joints, 20 fps, metres),
HumanML3D features (263 numbers a frame) and captions, divided into train, val and test.
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
_BVH = """\
Prepare your own motion capture: a folder of .bvh files and a table of sentences.

The table is a CSV file with the columns `file` (path in FOLDER, with or without .bvh) and `caption`; a file may have
several rows. Optional columns: `content` and `style` (labels), `split` (train, val or test; else fixed by a hash of the
names). Known skeletons are Bandai-Namco, CMU, iClone, Mixamo, LAFAN1, Xsens and SMPL; for others a map to complete is
written into DIR. Unit, up axis and a T-pose before the motion are found out and said. Train clips are stored twice, as
recorded and mirrored; captions that name a side are mirrored too. A file that cannot be used is named at the end.
"""
_BVH_EPILOG = """\
An interrupted run continues where it stopped when the same command is given again. Equal input gives equal files.
docs/own_data.md shows the way from such a folder to a model of your own.

example: motionllm prepare bvh recordings/ --captions captions.csv --clip-seconds 10 --out data/mine
"""
_HUMANML3D = """\
Prepare HumanML3D (Guo et al. 2022) as its authors publish it. The movements come from AMASS, under whose licence you
must have obtained them; the result is for you alone.

SRC is the folder with new_joint_vecs/, texts/, train.txt, val.txt, test.txt and, where there, new_joints/, Mean.npy and
Std.npy. Sentences, word classes, splits and the mirrored copies (M...) are the published ones; a sentence with times
becomes a clip of its own. Files that are missing or damaged are named at the end and left out.
"""
_KIT = """\
Prepare KIT-ML (Plappert et al. 2016) in the form that Guo et al. 2022 publish: 21 joints, 251 features, 12.5 fps.

SRC is the folder with new_joint_vecs/, texts/, train.txt, val.txt, test.txt and, where there, new_joints/, Mean.npy and
Std.npy. It has a skeleton of its own: a model trained on it is for KIT-ML alone; its motions are shown and exported on
the body of 22 joints.
"""
_T2M_EPILOG = """\
docs/datasets.md tells what is done with the files, and what could not be tried on the real ones.

example: motionllm prepare {kind} ~/{folder} --out data/{kind}
"""


def main(argv: Sequence[str]) -> int:
    """Run `motionllm prepare` with the arguments after that word.

    Returns:
        0, also when single files were left out; 2 if none was usable.

    Raises:
        MotionLLMError: bad input, or a folder that cannot be used.
    """
    args = _parser().parse_args(argv)
    for name, least in (("num_proc", 1), ("limit", 1), ("train", 0), ("val", 0), ("test", 0)):
        value = getattr(args, name, None)
        if value is not None and value < least:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {value}; give {least} or more")
    return args.run(args)


def _prepare(args: argparse.Namespace) -> int:
    from .data.preparation import prepare

    report = prepare(
        args.source(args),
        args.out,
        num_proc=args.num_proc,
        limit=args.limit,
        mirror=args.mirror,
        overwrite=args.overwrite,
    )
    return _tell(report, args.out)


def _prepare_t2m(args: argparse.Namespace) -> int:
    from .data.t2m_preparation import prepare_t2m

    return _tell(prepare_t2m(args.dataset, args.src, args.out, args.limit, args.overwrite), args.out)


def _tell(report: Any, out: str) -> int:
    """Print what came out of a preparation; returns the exit code."""
    for note, count in report.notes.most_common():
        print(f"{_files(count)}: {note}")
    if report.failures:
        print(f"left out, {_files(len(report.failures))}:", file=sys.stderr)
        for _, problem in report.failures:
            print(f"  {problem}", file=sys.stderr)
    if report.summary is None:
        print("no file was usable; nothing was written", file=sys.stderr)
        return 2
    for split, numbers in report.summary["splits"].items():
        print(f"{split:5}  {numbers['rows']:6,} rows  {numbers['clips']:6,} clips  {numbers['frames']:9,} frames")
    print(f"wrote {out} (sha256 {report.summary['sha256'][:16]})")
    return 0


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _bandai(args: argparse.Namespace) -> Any:
    from .data.bandai import BandaiSource

    return BandaiSource(args.src)


def _bvh(args: argparse.Namespace) -> Any:
    from .data.bvh_folder import BvhFolderSource

    if args.clip_seconds is not None and not args.clip_seconds >= 1:
        raise MotionLLMError(f"--clip-seconds is {args.clip_seconds:g}; give 1 or more")
    return BvhFolderSource(
        args.folder,
        args.captions,
        maps=args.out,
        options=bvh_options(args),
        clip_seconds=args.clip_seconds,
        name=args.name,
        license=args.license,
    )


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
    bandai.set_defaults(source=_bandai)
    bvh = sources.add_parser(
        "bvh",
        help="your own .bvh files and a table of sentences",
        description=_BVH,
        epilog=_BVH_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bvh.add_argument("folder", metavar="FOLDER", help="folder with .bvh files, also in subfolders")
    bvh.add_argument("--captions", required=True, metavar="CSV", help="table with the columns file and caption")
    bvh.add_argument(
        "--clip-seconds", type=float, metavar="S", help="cut longer recordings into equal pieces of at most S seconds"
    )
    add_bvh_arguments(bvh)
    bvh.add_argument("--name", help="name of the dataset (default: that of FOLDER)")
    bvh.add_argument(
        "--license", default="other", help="of the recordings and captions, such as cc-by-4.0 (default: other)"
    )
    bvh.set_defaults(source=_bvh)
    for source in (bandai, bvh):
        source.add_argument("--out", required=True, metavar="DIR", help="folder for the dataset; created if needed")
        source.add_argument("--num-proc", type=int, default=2, metavar="N", help="worker processes (default: 2)")
        source.add_argument("--limit", type=int, metavar="N", help="only the first N files, for a quick try")
        source.add_argument(
            "--mirror",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="store mirrored copies of the train clips (default: yes)",
        )
        source.add_argument("--overwrite", action="store_true", help="replace a dataset that is already in DIR")
        source.set_defaults(run=_prepare)
    for kind, title, description, folder in (
        ("humanml3d", "HumanML3D, as published", _HUMANML3D, "HumanML3D"),
        ("kit", "KIT-ML in HumanML3D's form, as published", _KIT, "KIT-ML"),
    ):
        source = sources.add_parser(
            kind,
            help=title,
            description=description,
            epilog=_T2M_EPILOG.format(kind=kind, folder=folder),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        source.add_argument("src", metavar="SRC", help="the published folder")
        source.add_argument("--out", required=True, metavar="DIR", help="folder for the dataset; created if needed")
        source.add_argument("--limit", type=int, metavar="N", help="only the first N motions of each split")
        source.add_argument("--overwrite", action="store_true", help="replace a dataset that is already in DIR")
        source.set_defaults(run=_prepare_t2m)
    add_scene_sources(sources)
    return parser
