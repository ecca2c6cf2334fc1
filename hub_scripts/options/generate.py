"""The options of `motionllm generate`, and their checks before anything is loaded."""

import argparse

from hub_scripts.options.checkpoint import add_model_arguments
from hub_scripts.options.engine import add_engine_arguments, check_engine_arguments, is_server
from hub_scripts.options.generation import (
    add_drawing_arguments,
    add_scene_arguments,
    add_writing_arguments,
    check_drawing_arguments,
    check_scene_arguments,
)
from hub_scripts.options.shape import add_shape_arguments, check_shape_arguments
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["check_generate_arguments", "generate_parser"]

_DESCRIPTION = """\
Make motions from sentences, of one person or of several. Each is written as .npz (joints, to load again), .mp4 (video)
and .html (viewer that opens in any browser, offline), or as --formats says. The same seed gives the same motion.
"""
_EPILOG = """\
examples: motionllm generate "a person waves with the left hand" --duration 4 --seed 1 -o out/
          motionllm generate "two people greet each other" --parts "a person waves with the left hand" "a person bows"
          motionllm generate "a person walks forward" --then "bows" --then "waves with the right hand" --duration 3 2 3
          motionllm generate "a person walks forward, then bows" --duration 5
"""


def generate_parser() -> argparse.ArgumentParser:
    """The options of `motionllm generate`."""
    parser = argparse.ArgumentParser(
        prog="motionllm generate",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", nargs="*", help="one or more sentences, each in quotes")
    parser.add_argument(
        "--prompts",
        metavar="FILE",
        help="a file of sentences instead: text with one a line, or .csv, .tsv, .json, .jsonl or .parquet with a "
        "column caption and, if wanted, duration and seed",
    )
    add_scene_arguments(parser)
    parser.add_argument(
        "--then",
        action="append",
        default=[],
        metavar="SENTENCE",
        help="what the person (or all --people) does next, in the same motion; may be repeated",
    )
    parser.add_argument(
        "--split",
        action=argparse.BooleanOptionalAction,
        help='make turns of a sentence that says several things ("walks, then bows"), as --then does '
        "(default: where the model knows turns)",
    )
    parser.add_argument(
        "--after",
        metavar="FILE",
        help="continue this motion (.npz, .npy, .bvh, .glb ...); the files begin with it",
    )
    parser.add_argument(
        "--before",
        metavar="FILE",
        help="with --after and --duration: make the transition to this motion; the files end with it",
    )
    parser.add_argument(
        "--duration",
        nargs="+",
        metavar="SECONDS",
        help="seconds of a sentence; with --then one number for all sentences, or one for each "
        "(default: typical for the sentence)",
    )
    add_shape_arguments(parser)
    parser.add_argument(
        "--num-return-sequences",
        type=int,
        default=1,
        metavar="N",
        help="motions per sentence, with seeds SEED, SEED+1 ...",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    add_drawing_arguments(parser)
    add_writing_arguments(parser)
    parser.add_argument(
        "--dataset-dir",
        metavar="FOLDER",
        help="write a dataset (Arrow, one row per motion); other files are then written only with --formats",
    )
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="make only what is not there yet with this sentence, seed and settings (needs npz among --formats)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="write over motions of other sentences whose files have the same names (else these get a number)",
    )
    parser.add_argument(
        "--no-caption",
        action="store_true",
        help="leave out `understood as`, the model's own caption of each motion (a tenth of the time; a third "
        "where many are written as .npz alone)",
    )
    parser.add_argument(
        "--batch-size", type=int, default=32, help="motions decoded at once, candidates included (default 32)"
    )
    add_model_arguments(parser)
    add_engine_arguments(parser, served=True)
    return parser


def check_generate_arguments(args: argparse.Namespace) -> None:
    """Check what needs no file and no checkpoint; fills in --people, and --duration as numbers.

    Raises:
        MotionLLMError: a value out of range, or options that do not go together.
    """
    _read_durations(args)
    for name in ("num_return_sequences", "batch_size"):
        if getattr(args, name) < 1:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {getattr(args, name)}; give 1 or more")
    if args.num_return_sequences > 100_000:
        raise MotionLLMError(f"--num-return-sequences is {args.num_return_sequences}; give at most 100,000")
    if args.batch_size > 4096:
        raise MotionLLMError(f"--batch-size is {args.batch_size}; give at most 4,096")
    if args.seed < 0:
        raise MotionLLMError(f"--seed is {args.seed}; give 0 or more")
    if args.seed + args.num_return_sequences > 1 << 63:
        raise MotionLLMError(f"--seed is {args.seed}; give less than 2^63")
    check_drawing_arguments(args)
    check_engine_arguments(args)
    check_scene_arguments(args, len(args.text))
    for name, value in (("--dataset-dir", args.dataset_dir), ("--split", args.split)):
        if args.people != 1 and value:
            raise MotionLLMError(f"{name} is for motions of one person, and there are {args.people}; leave it out")
    _check_timeline(args)
    check_shape_arguments(args)
    _check_served(args)


def _check_served(args: argparse.Namespace) -> None:
    """Check that a server can make what is asked for; fills in what it draws with."""
    if not is_server(args.engine):
        return
    asked = {
        "--people": args.people != 1,
        **{f"--{name}": bool(getattr(args, name)) for name in ("then", "after", "split")},
        "--num-candidates": (args.num_candidates or 1) > 1,
        "--guidance-scale": args.guidance_scale not in (None, 1.0),
    }
    for name, wanted in asked.items():
        if wanted:
            raise MotionLLMError(f"{name} does not go together with --engine {args.engine}; leave one of them out")
    args.guidance_scale, args.num_candidates = 1.0, 1


def _read_durations(args: argparse.Namespace) -> None:
    """Make numbers of --duration; what follows the numbers are sentences again."""
    if args.duration is None:
        return
    numbers: list[float] = []
    for place, word in enumerate(args.duration):
        try:
            numbers.append(float(word))
        except ValueError:
            args.text += args.duration[place:]
            break
    if not numbers:
        raise MotionLLMError(f"--duration is '{args.duration[0]}'; give seconds")
    args.duration = numbers


def _check_timeline(args: argparse.Namespace) -> None:
    """Check the options of several sentences for one motion."""
    sentences = len(args.text) + len(args.then)
    if args.then and len(args.text) != 1:
        raise MotionLLMError(f"--then goes on from one sentence, and {len(args.text)} are given; give one")
    for name, value in (("--parts", args.parts), ("--given", args.given)):
        if args.then and value is not None:
            raise MotionLLMError(f"{name} is for a scene of one sentence, not for --then; leave one of them out")
    if args.before is not None and (args.after is None or args.duration is None):
        raise MotionLLMError("--before is for the way between two motions; give --after and --duration with it")
    for name, value in (("--then", args.then), ("--split", args.split)):
        if args.before is not None and value:
            raise MotionLLMError(f"--before leads over with one sentence; leave {name} out")
    for name, value in (("--dataset-dir", args.dataset_dir), ("--given", args.given)):
        if args.after is not None and value:
            raise MotionLLMError(f"{name} does not go together with --after; leave it out")
    if args.after is not None and args.people != 1:
        raise MotionLLMError(f"--after goes on from a motion of one person, and there are {args.people}; leave it out")
    # How many turns are made of a sentence is seen when it is split.
    split_later = args.split is not False and len(args.text) == 1
    if (
        not split_later
        and args.duration is not None
        and len(args.duration) not in ((1, sentences) if args.then else (1,))
    ):
        raise MotionLLMError(
            f"--duration has {len(args.duration)} numbers for {sentences} sentences"
            f"{'' if args.then else ' of motions of their own'}; give one for all"
            f"{', or one for each' if args.then else ''}"
        )
