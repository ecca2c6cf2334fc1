"""`motionllm view`: a motion from a file, in the browser."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hub_scripts.options.reading import add_reading_arguments, reading_options
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm view",
        description="Show a motion (.npz, .npy, .bvh, .glb, .amc) in the browser: writes one .html file that needs no "
        "network and opens it.",
        epilog="example: motionllm view out/a-person-waves-with-the-left-hand.npz",
    )
    parser.add_argument("file", help="the motion to show")
    parser.add_argument("-o", "--out", help="the .html file to write (default: one in the folder for temporary files)")
    parser.add_argument("--no-open", action="store_true", help="only write the file, open no browser")
    add_reading_arguments(parser, part=True)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm view`.

    Raises:
        MotionLLMError: a file that cannot be read or written.
    """
    args = _parser().parse_args(argv)
    from hub_scripts.data.motion_files import load_motion
    from hub_scripts.export import save_motion
    from modeling_motionllm.files_motionllm import ensure_folder

    if args.out is not None and Path(args.out).suffix.lower() != ".html":
        raise MotionLLMError(f"--out is '{args.out}'; give a name that ends in .html")
    notes: list[str] = []
    motion = load_motion(args.file, reading_options(args), notes.append)
    if args.out is None:
        out = Path(tempfile.mkdtemp(prefix="motionllm-view-")) / f"{Path(args.file).stem}.html"
    else:
        out = Path(args.out)
    ensure_folder(out.parent)
    for note in notes:
        print(note, file=sys.stderr)
    print(save_motion(motion, out))
    if not args.no_open:
        import webbrowser

        if not webbrowser.open(out.resolve().as_uri()):
            print("no browser was found; open the file yourself")
    return 0
