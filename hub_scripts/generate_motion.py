"""`motionllm generate`: motions from sentences, written as files."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hub_scripts.loading import add_model_arguments, check_device, load_model, load_processor, quiet
from hub_scripts.package_version import package_version
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
    parser.add_argument("text", nargs="*", help="one or more sentences, each in quotes")
    parser.add_argument("--prompts", metavar="FILE", help="a text file with one sentence a line instead")
    parser.add_argument("--duration", type=float, help="seconds (default: the model decides)")
    parser.add_argument("--samples", type=int, default=1, help="motions per sentence, with seeds SEED, SEED+1 ...")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest codes instead of drawing them")
    parser.add_argument("--temperature", type=float, default=1.0, help="of drawing (default 1.0)")
    parser.add_argument("--top-p", type=float, default=0.9, help="draw from this share of the likeliest (default 0.9)")
    parser.add_argument("--guidance", type=float, default=1.0, help="above 1: follow the sentence more closely")
    parser.add_argument("--skip-existing", action="store_true", help="make only what is not in --out yet")
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
    if not 0 < args.guidance < 100:
        raise MotionLLMError(f"--guidance is {args.guidance:g}; give a positive number, 1 for none")
    check_export_arguments(args, [f".{name}" for name in formats])
    return formats


def _texts(args: argparse.Namespace) -> list[str]:
    """The sentences to make motions of: those of the command line, or the lines of --prompts that are not empty."""
    if bool(args.text) == (args.prompts is not None):
        raise MotionLLMError("give sentences, or a file of them with --prompts")
    if args.prompts is None:
        return args.text
    try:
        lines = Path(args.prompts).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MotionLLMError(f"--prompts '{args.prompts}' cannot be read as text: {error}") from error
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise MotionLLMError(f"--prompts '{args.prompts}' holds no sentence; write one a line")
    return texts


@dataclass(frozen=True)
class _Job:
    """One motion to make."""

    text: str
    seed: int
    stem: str


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

    texts = _texts(args)
    processor = load_processor(args.model)
    jobs = [
        _Job(text, args.seed + sample, stem)
        for text, stems in zip(texts, _stems(texts, args.samples), strict=True)
        for sample, stem in enumerate(stems)
    ]
    # All sentences are checked before the first is used; sentences of one length share a batch without padding.
    lengths = {text: len(processor(text=text, duration=args.duration)["input_ids"][0]) for text in set(texts)}
    check_device(args.device)
    out = ensure_folder(args.out)
    if args.skip_existing:
        jobs = [job for job in jobs if not all((out / f"{job.stem}.{name}").is_file() for name in formats)]
    if len(jobs) > _BATCH:
        jobs.sort(key=lambda job: lengths[job.text])
    model = load_model(args.model, args.device)
    sampling: dict[str, Any] = {"do_sample": not args.greedy, "temperature": args.temperature, "top_p": args.top_p}
    sampling["guidance_scale"] = args.guidance
    batches = [jobs[start : start + _BATCH] for start in range(0, len(jobs), _BATCH)]
    for batch in tqdm(batches, desc="generate", disable=len(batches) < 2):
        sentences = [job.text for job in batch]
        inputs = processor(text=sentences, duration=args.duration)
        output = model.generate_motion(**inputs, seed=[job.seed for job in batch], **sampling)
        features = output.features.float().cpu().numpy()
        for motion, decoded, job in zip(processor.decode_motion(output, sentences), features, batch, strict=True):
            motion.features = decoded[: motion.num_frames]
            motion.seed = None if args.greedy else job.seed
            motion.model = Path(args.model).name
            motion.version = package_version()
            _write(motion, out / job.stem, formats, args)
    return 0


def _write(motion: Any, stem: Path, formats: Sequence[str], args: argparse.Namespace) -> None:
    print(f"{motion.duration:.1f} s: {motion.caption}")
    for name in formats:
        for path in write_motion(motion, stem.with_name(f"{stem.name}.{name}"), args, resample=False):
            print(f"  {path}")
