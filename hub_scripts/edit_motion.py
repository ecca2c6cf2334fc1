"""`motionllm edit`: a part of a motion, made anew from a sentence; the rest stays as it is."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hub_scripts.generation.jobs import file_stem
from hub_scripts.options.checkpoint import add_model_arguments, check_device, load_processor, quiet
from hub_scripts.options.engine import add_engine_arguments, check_engine_arguments, load_engine
from hub_scripts.options.generation import (
    add_drawing_arguments,
    add_writing_arguments,
    check_drawing_arguments,
    check_writing_arguments,
    drawing_settings,
    write_formats,
)
from hub_scripts.options.reading import add_reading_arguments, reading_options
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]

_DESCRIPTION = """\
Regenerate a part of a motion. All frames outside of it stay the same, to the bit; the first and the last 0.4 s of the
part are the transition from and to them, and feet that stand do not slide.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm edit",
        description=_DESCRIPTION,
        epilog='example: motionllm edit walk.npz "raises both hands" --from 2 --to 3.5',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", help="a motion of one person (.npz, .npy, .bvh, .amc, .glb, .gltf)")
    parser.add_argument("text", help="what the person does in the part, in quotes")
    # Not start and end, which are of the file to read.
    parser.add_argument("--from", dest="first", type=float, required=True, metavar="SECONDS", help="where it begins")
    parser.add_argument("--to", dest="last", type=float, required=True, metavar="SECONDS", help="where it ends")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    add_drawing_arguments(parser)
    add_writing_arguments(parser, planting=False)
    add_reading_arguments(parser)
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm edit`.

    Raises:
        MotionLLMError: bad input; nothing has been written then.
    """
    args = _parser().parse_args(argv)
    formats = check_writing_arguments(args)
    check_drawing_arguments(args)
    check_engine_arguments(args)
    if args.seed < 0:
        raise MotionLLMError(f"--seed is {args.seed}; give 0 or more")
    quiet(args.model)
    from hub_scripts.data.motion_files import load_motion
    from hub_scripts.generation.continuing import check_part, check_source, edit_motion
    from hub_scripts.generation.run import MadeMotion
    from hub_scripts.hub.version import __version__
    from modeling_motionllm.files_motionllm import ensure_folder

    notes: list[str] = []
    motion = load_motion(args.file, reading_options(args), notes.append)
    processor = load_processor(args.model)
    check_source(motion, args.file, processor)
    check_part(motion, args.first, args.last, processor)
    processor.in_between_ids(args.text, [], [], 1)
    check_device(args.device)
    for note in notes:
        print(note, file=sys.stderr)
    out = ensure_folder(args.output_dir)
    model, engine = load_engine(args, processor)
    settings = {"seed": args.seed, "engine": engine, **drawing_settings(args)}
    made = edit_motion(model, processor, motion, args.text, args.first, args.last, **settings)
    made.motion.seed = None if args.temperature == 0 else args.seed
    made.motion.model, made.motion.version = Path(args.model).name, __version__
    lines = MadeMotion(made.motion, [], made.understood(model, processor)).notes(0)
    write_formats(made.motion, out / f"{Path(args.file).stem}-{file_stem(args.text)}", formats, args, lines)
    return 0
