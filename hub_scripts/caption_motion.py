"""`motionllm caption`: sentences that describe motions from files."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub_scripts.options.checkpoint import add_model_arguments, load_model, load_processor, quiet
from hub_scripts.options.reading import add_reading_arguments, reading_options
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm caption",
        description="Describe motions in words: each in a sentence, or part by part where it is longer than the model "
        "can take at once (10 s), cut where it changes what it does. Reads .npz (as `motionllm generate` writes it, "
        "any with joints, or SMPL poses as in AMASS), .npy (joints (T, 22, 3), those of another SMPL body, or features "
        "(T, 263)), and .bvh, .amc (with its .asf), .glb, .gltf of any skeleton whose joints its names tell (else give "
        "a --map).",
        epilog="example: motionllm caption out/a-person-waves-with-the-left-hand.npz",
    )
    parser.add_argument("file", nargs="+", help="one or more motions")
    parser.add_argument("--segments", action="store_true", help="in parts, however short the motion is")
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        help="also write what is done when: .srt (subtitles) or .json, in seconds of the file; or the motion itself "
        "with these sentences in it, .npz, .html (viewer), .glb or another format of `motionllm convert`",
    )
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
    settings = _settings(args)
    out = _output(args)
    quiet(args.model)
    from hub_scripts.data.motion_files import load_motion
    from hub_scripts.export import save_motion_files
    from hub_scripts.export.segments import SEGMENT_SUFFIXES, save_segments
    from hub_scripts.generation.describing import describe_parts, divide_motion, join_equal, prepare_parts
    from modeling_motionllm.files_motionllm import ensure_folder
    from modeling_motionllm.motion import MotionSegment

    options = reading_options(args)
    notes: list[str] = []
    motions = [load_motion(path, options, notes.append) for path in args.file]
    processor = load_processor(args.model)
    parts = [divide_motion(one, processor.max_seconds, args.segments) for one in motions]
    prepared = [prepare_parts(processor, *one) for one in zip(motions, parts, strict=True)]
    if out is not None:
        ensure_folder(out.parent)
    model = load_model(args.model, args.device)
    for note in notes:
        print(note, file=sys.stderr)
    for path, motion, own, batches in zip(args.file, motions, parts, prepared, strict=True):
        told = describe_parts(model, processor, batches, args.seed, **settings)
        segments = [
            MotionSegment(text, part.start / motion.fps, part.stop / motion.fps)
            for part, texts in zip(own, told, strict=True)
            for text in texts
        ]
        segments = join_equal(segments) if args.num_return_sequences == 1 else segments
        start = args.start or 0.0
        in_file = [MotionSegment(text, start + begun, start + done) for text, begun, done in segments]
        for text, begun, done in in_file:
            line = f"{begun:.1f}-{done:.1f} s: {text}" if args.segments or len(own) > 1 else text
            print(f"{path}: {line}" if len(args.file) > 1 else line)
        if out is not None:
            if out.suffix.lower() in SEGMENT_SUFFIXES:
                print(save_segments(in_file, out))
            else:
                print(*save_motion_files(replace(motion, segments=segments), out), sep="\n")
    return 0


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """What the options say of `generate_caption`.

    Raises:
        MotionLLMError: a value out of range, or options that do not go together.
    """
    for name in ("num_return_sequences", "num_candidates"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {getattr(args, name)}; give 1 or more")
    if args.num_return_sequences == 1:
        return {} if args.num_candidates is None else {"num_candidates": args.num_candidates}
    if (args.num_candidates or 1) > 1:
        raise MotionLLMError(
            "--num-return-sequences shows several sentences, --num-candidates chooses one; give one of them"
        )
    return {"num_return_sequences": args.num_return_sequences, "do_sample": True, "num_candidates": 1}


def _output(args: argparse.Namespace) -> Path | None:
    """The file of --out.

    Raises:
        MotionLLMError: of a format that is not known, the motion itself, or it is for one motion
            with one sentence a part, and more are asked for.
    """
    if args.out is None:
        return None
    if len(args.file) > 1 or args.num_return_sequences > 1:
        several = f"{len(args.file)} files" if len(args.file) > 1 else f"{args.num_return_sequences} sentences each"
        raise MotionLLMError(
            f"--out '{args.out}' tells one motion in one sentence a part, not {several}; leave one out"
        )
    from hub_scripts.export import check_suffix
    from hub_scripts.export.segments import SEGMENT_SUFFIXES

    out = Path(args.out)
    if out.suffix.lower() not in SEGMENT_SUFFIXES:
        check_suffix(out)
    if out.exists() and Path(args.file[0]).exists() and out.samefile(args.file[0]):
        raise MotionLLMError(f"'{out}' is the motion to read; choose another name to write")
    return out
