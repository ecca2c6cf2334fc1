"""What the commands that generate share: options of drawing, names of files, writing in several formats."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub_scripts.options.export import add_export_arguments, check_export_arguments, write_motion
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "add_generation_arguments",
    "check_generation_arguments",
    "sampling_options",
    "write_formats",
]

_FORMATS = ("npz", "bvh", "glb", "mp4", "gif", "png", "html")
_DEFAULT_FORMATS = "npz,mp4,html"


def add_generation_arguments(parser: argparse.ArgumentParser, what: str, best_of: int = 1) -> None:
    """Add --samples, the options of drawing and those of writing; `what` is made, in the plural.

    Without --best-of, `check_generation_arguments` makes it `best_of`, or 1 with --greedy.
    """
    parser.add_argument(
        "--samples", "--num-samples", type=int, default=1, help=f"{what} per sentence, with seeds SEED, SEED+1 ..."
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest codes instead of drawing them")
    parser.add_argument("--temperature", type=float, default=1.0, help="of drawing (default %(default)s)")
    parser.add_argument("--top-p", type=float, default=0.9, help="draw from this share of the likeliest (default 0.9)")
    parser.add_argument(
        "--guidance", type=float, default=1.0, help="above 1: follow the sentence more closely (default %(default)s)"
    )
    parser.add_argument(
        "--repeat-penalty", type=float, default=0.0, help="above 0: less standing still (default %(default)s)"
    )
    parser.add_argument(
        "--best-of",
        type=int,
        metavar="N",
        help="of N candidates for each person's motion keep the one that the model itself describes by the sentence "
        f"(default {best_of}{', or 1 with --greedy' if best_of > 1 else ''})",
    )
    parser.set_defaults(usual_best_of=best_of)
    parser.add_argument(
        "--batch-size", type=int, default=32, help=f"{what} decoded at once, candidates included (default 32)"
    )
    parser.add_argument("-o", "--out", default="out", help="folder for the files (default out/)")
    parser.add_argument("--formats", help=f"of {','.join(_FORMATS)} (default {_DEFAULT_FORMATS})")
    add_export_arguments(parser, ".bvh, .glb, .mp4 and .gif")


def check_generation_arguments(args: argparse.Namespace, default_formats: str = _DEFAULT_FORMATS) -> list[str]:
    """Check these options before work starts; returns the formats to write.

    Args:
        args: with these options; a `best_of` that was not given is filled in.
        default_formats: what is written where --formats is not given; "" if the command writes something else.

    Raises:
        MotionLLMError: a value out of range.
    """
    given = default_formats if args.formats is None else args.formats
    formats = [name.strip().lstrip(".") for name in given.split(",") if name.strip()]
    wrong = [name for name in formats if name not in _FORMATS]
    if wrong or not (formats or default_formats == ""):
        raise MotionLLMError(f"--formats is '{args.formats}'; choose from {','.join(_FORMATS)}")
    if args.best_of is None:
        args.best_of = 1 if args.greedy else args.usual_best_of
    for name in ("samples", "batch_size", "best_of"):
        if getattr(args, name) < 1:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {getattr(args, name)}; give 1 or more")
    if args.seed < 0:
        raise MotionLLMError(f"--seed is {args.seed}; give 0 or more")
    if not args.temperature > 0:
        raise MotionLLMError(f"--temperature is {args.temperature:g}; give a positive number, or --greedy")
    if not 0 < args.top_p <= 1:
        raise MotionLLMError(f"--top-p is {args.top_p:g}; give a number above 0 and up to 1")
    if not 0 < args.guidance < 100:
        raise MotionLLMError(f"--guidance is {args.guidance:g}; give a positive number, 1 for none")
    if not 0 <= args.repeat_penalty < 100:
        raise MotionLLMError(f"--repeat-penalty is {args.repeat_penalty:g}; give 0 for none, or about 1.5")
    if args.best_of > 1 and args.greedy:
        raise MotionLLMError(f"--best-of {args.best_of} needs motions that differ; leave --greedy out")
    check_export_arguments(args, [f".{name}" for name in formats])
    return formats


def sampling_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of drawing as `generate_best` takes them, without the seed."""
    return {
        "do_sample": not args.greedy,
        "temperature": args.temperature,
        "top_p": args.top_p,
        "guidance_scale": args.guidance,
        "repeat_penalty": args.repeat_penalty,
        "best_of": args.best_of,
    }


def write_formats(
    motion: Any, stem: Path, formats: Sequence[str], args: argparse.Namespace, notes: Sequence[str] = ()
) -> None:
    """Write a motion as `stem` with each of the formats, and print what was written; `notes` are lines about it."""
    print(f"{motion.duration:.1f} s: {motion.caption}")
    for note in notes:
        print(f"  {note}")
    for name in formats:
        for path in write_motion(motion, stem.with_name(f"{stem.name}.{name}"), args, resample=False):
            print(f"  {path}")
