"""`motionllm generate`: motions from sentences, written as files."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub_scripts.loading import add_model_arguments, check_device, load_model, load_processor, quiet
from hub_scripts.writing import add_export_arguments, check_export_arguments, write_motion
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["file_stem", "main"]

_FORMATS = ("npz", "bvh", "glb", "mp4", "gif", "png", "html")
_BATCH = 32


def file_stem(text: str, limit: int = 48) -> str:
    """A file name from a sentence: its words joined by hyphens."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (words if len(words) <= limit else words[:limit].rsplit("-", 1)[0]) or "motion"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm generate",
        description="Make motions from sentences. Each is written as .npz (joints, to load again), .mp4 (video) and "
        ".html (viewer that opens in any browser, offline), or as --formats says. The same seed gives the same motion.",
        epilog='example: motionllm generate "a person waves with the left hand" --duration 4 --seed 1 -o out/',
    )
    parser.add_argument("text", nargs="+", help="one or more sentences, each in quotes")
    parser.add_argument("--duration", type=float, help="seconds (default: the model decides)")
    parser.add_argument("--samples", type=int, default=1, help="motions per sentence, with seeds SEED, SEED+1 ...")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest codes instead of drawing them")
    parser.add_argument("--temperature", type=float, default=1.0, help="of drawing (default 1.0)")
    parser.add_argument("--top-p", type=float, default=0.9, help="draw from this share of the likeliest (default 0.9)")
    parser.add_argument("-o", "--out", default="out", help="folder for the files (default out/)")
    parser.add_argument("--formats", default="npz,mp4,html", help=f"of {','.join(_FORMATS)} (default npz,mp4,html)")
    add_export_arguments(parser, ".bvh, .glb, .mp4 and .gif")
    add_model_arguments(parser)
    return parser


def _check(args: argparse.Namespace) -> list[str]:
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
    check_export_arguments(args, [f".{name}" for name in formats])
    return formats


def _stems(texts: Sequence[str], samples: int) -> list[list[str]]:
    """One file stem per sentence and sample; sentences that would share a name are numbered."""
    stems: list[list[str]] = []
    used: dict[str, int] = {}
    for text in texts:
        stem = file_stem(text)
        used[stem] = used.get(stem, 0) + 1
        stem = stem if used[stem] == 1 else f"{stem}-{used[stem]}"
        stems.append([stem] if samples == 1 else [f"{stem}-sample{number + 1}" for number in range(samples)])
    return stems


def main(argv: Sequence[str]) -> int:
    """Run `motionllm generate`.

    Raises:
        MotionLLMError: bad input; nothing has been written then.
    """
    args = _parser().parse_args(argv)
    formats = _check(args)
    quiet()
    from modeling_motionllm.files_motionllm import ensure_folder

    processor = load_processor(args.model)
    texts = [text for text in args.text for _ in range(args.samples)]
    seeds = [args.seed + sample for _ in args.text for sample in range(args.samples)]
    stems = [stem for group in _stems(args.text, args.samples) for stem in group]
    inputs = [
        processor(text=texts[start : start + _BATCH], duration=args.duration) for start in range(0, len(texts), _BATCH)
    ]
    check_device(args.device)
    out = ensure_folder(args.out)
    model = load_model(args.model, args.device)
    sampling: dict[str, Any] = {"do_sample": not args.greedy, "temperature": args.temperature, "top_p": args.top_p}
    for start, batch in zip(range(0, len(texts), _BATCH), inputs, strict=True):
        rows = slice(start, start + _BATCH)
        output = model.generate_motion(**batch, seed=seeds[rows], **sampling)
        motions = processor.decode_motion(output, texts[rows])
        for motion, seed, stem in zip(motions, seeds[rows], stems[rows], strict=True):
            motion.seed = None if args.greedy else seed
            motion.model = Path(args.model).name
            _write(motion, out / stem, formats, args)
    return 0


def _write(motion: Any, stem: Path, formats: Sequence[str], args: argparse.Namespace) -> None:
    print(f"{motion.duration:.1f} s: {motion.caption}")
    for name in formats:
        for path in write_motion(motion, stem.with_name(f"{stem.name}.{name}"), args, resample=False):
            print(f"  {path}")
