"""`motionllm caption`: sentences that describe motions from files."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from hub_scripts.options.checkpoint import add_model_arguments, load_model, load_processor, quiet
from hub_scripts.options.reading import add_reading_arguments, reading_options
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm caption",
        description="Describe motions in words. Reads .npz (as `motionllm generate` writes it, any with joints, or "
        "SMPL poses as in AMASS), .npy (joints (T, 22, 3), those of another SMPL body, or features (T, 263)), and "
        ".bvh, .amc (with its .asf), .glb, .gltf of any skeleton whose joints its names tell (else give a --map).",
        epilog="example: motionllm caption out/a-person-waves-with-the-left-hand.npz",
    )
    parser.add_argument("file", nargs="+", help="one or more motions")
    parser.add_argument(
        "--num-return-sequences",
        type=int,
        default=1,
        metavar="N",
        help="sentences per motion; more than 1 draws them at random",
    )
    parser.add_argument(
        "--num-candidates",
        type=int,
        metavar="N",
        help="of N sentences, the likeliest and others drawn at random, the one that fits the motion best (default: as "
        "the checkpoint's generation_config.json says)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the draws (default 0)")
    add_reading_arguments(parser, part=True)
    add_model_arguments(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm caption`.

    Raises:
        MotionLLMError: a file that cannot be read or a motion that cannot be described.
    """
    args = _parser().parse_args(argv)
    for name in ("num_return_sequences", "num_candidates"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {getattr(args, name)}; give 1 or more")
    several = args.num_return_sequences > 1
    if several and (args.num_candidates or 1) > 1:
        raise MotionLLMError(
            "--num-return-sequences shows several sentences, --num-candidates chooses one; give one of them"
        )
    settings: dict[str, Any] = {} if args.num_candidates is None else {"num_candidates": args.num_candidates}
    if several:
        settings = {"num_return_sequences": args.num_return_sequences, "do_sample": True, "num_candidates": 1}
    quiet()
    from hub_scripts.data.motion_files import load_motion

    options = reading_options(args)
    notes: list[str] = []
    motions = [load_motion(path, options, notes.append) for path in args.file]
    processor = load_processor(args.model)
    prepared = [processor(motion=motion) for motion in motions]
    model = load_model(args.model, args.device)
    for note in notes:
        print(note, file=sys.stderr)
    for path, inputs in zip(args.file, prepared, strict=True):
        ids = model.generate_caption(**inputs, processor=processor, seed=args.seed, **settings)
        for sentence in processor.decode_caption(ids):
            print(f"{path}: {sentence}" if len(args.file) > 1 else sentence)
    return 0
