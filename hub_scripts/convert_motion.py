"""`motionllm convert`: motions from one file format to another."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hub_scripts.options.export import add_export_arguments, check_export_arguments, write_motion
from hub_scripts.options.reading import add_reading_arguments, reading_options
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm convert",
        description="Convert a motion. Reads what `motionllm caption` reads (.npz, .npy, .bvh, .glb, .amc); writes "
        ".npz (joints), .bvh (rotations, one file a person), .glb, .usd, .usda and .fbx (animated mannequins), .vrma "
        "(for VRM avatars, one file a person), .amass.npz (pose parameters of SMPL's bodies, likewise), .mp4, .gif, "
        ".png (contact sheet) and .html (viewer). The suffix chooses.",
        epilog="example: motionllm convert out/wave.npz wave.bvh wave.glb --fps 30 --skeleton mixamo   "
        "(`motionllm convert motion-agent --help`: the official checkpoints to our layout)",
    )
    parser.add_argument("file", help="the motion to read")
    parser.add_argument("out", nargs="+", help="one or more files to write")
    add_export_arguments(parser, "what is written", units=True)
    add_reading_arguments(parser, part=True)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm convert`.

    Raises:
        MotionLLMError: a file that cannot be read or written, or options that do not fit; nothing has been written
            then, unless a disk fills up.
    """
    if list(argv[:1]) == ["motion-agent"]:
        from hub_scripts.convert_motion_agent import main as convert_motion_agent

        return convert_motion_agent(argv[1:])
    args = _parser().parse_args(argv)
    from hub_scripts.data.motion_files import load_motion
    from hub_scripts.export import check_suffix
    from modeling_motionllm.files_motionllm import ensure_folder

    outputs = [Path(out) for out in args.out]
    check_export_arguments(args, [check_suffix(out) for out in outputs])
    notes: list[str] = []
    motion = load_motion(args.file, reading_options(args), notes.append)
    for out in outputs:
        if out.exists() and out.samefile(args.file):
            raise MotionLLMError(f"'{out}' is the motion to read; choose another name to write")
    for note in notes:
        print(note, file=sys.stderr)
    if args.plant_feet:
        motion = motion.plant_feet()
    for out in outputs:
        ensure_folder(out.parent)
        for path in write_motion(motion, out, args):
            print(path)
    return 0
