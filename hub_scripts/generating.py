"""What the commands that generate share: options of drawing, names of files, writing in several formats."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub_scripts.writing import add_export_arguments, check_export_arguments, write_motion
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "add_generation_arguments",
    "check_generation_arguments",
    "file_stem",
    "file_stems",
    "sampling_options",
    "write_formats",
]

_FORMATS = ("npz", "bvh", "glb", "mp4", "gif", "png", "html")


def add_generation_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --samples, the options of drawing and those of writing; `what` is made, in the plural."""
    parser.add_argument("--samples", type=int, default=1, help=f"{what} per sentence, with seeds SEED, SEED+1 ...")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest codes instead of drawing them")
    parser.add_argument("--temperature", type=float, default=1.0, help="of drawing (default 1.0)")
    parser.add_argument("--top-p", type=float, default=0.9, help="draw from this share of the likeliest (default 0.9)")
    parser.add_argument("--guidance", type=float, default=1.0, help="above 1: follow the sentence more closely")
    parser.add_argument("-o", "--out", default="out", help="folder for the files (default out/)")
    parser.add_argument("--formats", default="npz,mp4,html", help=f"of {','.join(_FORMATS)} (default npz,mp4,html)")
    add_export_arguments(parser, ".bvh, .glb, .mp4 and .gif")


def check_generation_arguments(args: argparse.Namespace) -> list[str]:
    """Check these options before work starts; returns the formats to write.

    Raises:
        MotionLLMError: a value out of range.
    """
    formats = [name.strip().lstrip(".") for name in args.formats.split(",") if name.strip()]
    wrong = [name for name in formats if name not in _FORMATS]
    if wrong or not formats:
        raise MotionLLMError(f"--formats is '{args.formats}'; choose from {','.join(_FORMATS)}")
    if args.samples < 1:
        raise MotionLLMError(f"--samples is {args.samples}; give 1 or more")
    if args.seed < 0:
        raise MotionLLMError(f"--seed is {args.seed}; give 0 or more")
    if not args.temperature > 0:
        raise MotionLLMError(f"--temperature is {args.temperature:g}; give a positive number, or --greedy")
    if not 0 < args.top_p <= 1:
        raise MotionLLMError(f"--top-p is {args.top_p:g}; give a number above 0 and up to 1")
    if not 0 < args.guidance < 100:
        raise MotionLLMError(f"--guidance is {args.guidance:g}; give a positive number, 1 for none")
    check_export_arguments(args, [f".{name}" for name in formats])
    return formats


def sampling_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of drawing as `generate_motion` and `generate_people` take them, without the seed."""
    return {
        "do_sample": not args.greedy,
        "temperature": args.temperature,
        "top_p": args.top_p,
        "guidance_scale": args.guidance,
    }


def file_stem(text: str, limit: int = 48) -> str:
    """A file name from a sentence: its words joined by hyphens."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (words if len(words) <= limit else words[:limit].rsplit("-", 1)[0]) or "motion"


def file_stems(texts: Sequence[str], samples: int) -> list[list[str]]:
    """One file stem per sentence and sample; sentences that would share a name are numbered."""
    stems: list[list[str]] = []
    used: dict[str, int] = {}
    for text in texts:
        stem = file_stem(text)
        used[stem] = used.get(stem, 0) + 1
        stem = stem if used[stem] == 1 else f"{stem}-{used[stem]}"
        stems.append([stem] if samples == 1 else [f"{stem}-sample{number + 1}" for number in range(samples)])
    return stems


def write_formats(motion: Any, stem: Path, formats: Sequence[str], args: argparse.Namespace) -> None:
    """Write a motion as `stem` with each of the formats, and print what was written."""
    print(f"{motion.duration:.1f} s: {motion.caption}")
    for name in formats:
        for path in write_motion(motion, stem.with_name(f"{stem.name}.{name}"), args, resample=False):
            print(f"  {path}")
