"""`motionllm generate`: motions from sentences, written as files."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from hub_scripts.generating import (
    add_generation_arguments,
    check_generation_arguments,
    file_stems,
    sampling_options,
    write_formats,
)
from hub_scripts.loading import add_model_arguments, check_device, load_model, load_processor, quiet
from hub_scripts.package_version import package_version
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]

_BATCH = 32


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
    parser.add_argument("--skip-existing", action="store_true", help="make only what is not in --out yet")
    add_generation_arguments(parser, "motions")
    add_model_arguments(parser)
    return parser


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


def main(argv: Sequence[str]) -> int:
    """Run `motionllm generate`.

    Raises:
        MotionLLMError: bad input; nothing has been written then.
    """
    args = _parser().parse_args(argv)
    formats = check_generation_arguments(args)
    quiet()
    from modeling_motionllm.files_motionllm import ensure_folder

    texts = _texts(args)
    processor = load_processor(args.model)
    jobs = [
        _Job(text, args.seed + sample, stem)
        for text, stems in zip(texts, file_stems(texts, args.samples), strict=True)
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
    batches = [jobs[start : start + _BATCH] for start in range(0, len(jobs), _BATCH)]
    for batch in tqdm(batches, desc="generate", disable=len(batches) < 2):
        sentences = [job.text for job in batch]
        inputs = processor(text=sentences, duration=args.duration)
        output = model.generate_motion(**inputs, seed=[job.seed for job in batch], **sampling_options(args))
        features = output.features.float().cpu().numpy()
        for motion, decoded, job in zip(processor.decode_motion(output, sentences), features, batch, strict=True):
            motion.features = decoded[: motion.num_frames]
            motion.seed = None if args.greedy else job.seed
            motion.model = Path(args.model).name
            motion.version = package_version()
            write_formats(motion, out / job.stem, formats, args)
    return 0
