"""`motionllm generate`: motions from sentences, written as files."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hub_scripts.generation.jobs import Job, generate_batch, make_jobs, plan_batches, process_place
from hub_scripts.generation.prompts import Prompt, read_prompts
from hub_scripts.hub.version import package_version
from hub_scripts.options.checkpoint import add_model_arguments, check_device, load_processor, quiet
from hub_scripts.options.engine import (
    add_engine_arguments,
    check_engine_arguments,
    engine_settings,
    load_engine,
)
from hub_scripts.options.generation import (
    add_generation_arguments,
    check_generation_arguments,
    sampling_options,
    write_formats,
)
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm generate",
        description="Make motions from sentences. Each is written as .npz (joints, to load again), .mp4 (video) and "
        ".html (viewer that opens in any browser, offline), or as --formats says. The same seed gives the same motion.",
        epilog='example: motionllm generate "a person waves with the left hand" --duration 4 --seed 1 -o out/',
    )
    parser.add_argument("text", nargs="*", help="one or more sentences, each in quotes")
    parser.add_argument(
        "--prompts",
        metavar="FILE",
        help="a file of sentences instead: text with one a line, or .csv, .jsonl or .parquet with a column caption "
        "and, if wanted, duration and seed",
    )
    parser.add_argument("--duration", type=float, help="seconds (default: the model decides)")
    parser.add_argument("--stream", action="store_true", help="say how far the motion is while it is decoded")
    parser.add_argument("--skip-existing", action="store_true", help="make only what is not there yet")
    parser.add_argument(
        "--dataset-out",
        metavar="FOLDER",
        help="write a dataset (Arrow, one row a motion); then other files only if --formats says which",
    )
    add_generation_arguments(parser, "motions")
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def _prompts(args: argparse.Namespace) -> list[Prompt]:
    """The sentences to make motions of: those of the command line, or of --prompts."""
    if bool(args.text) == (args.prompts is not None):
        raise MotionLLMError("give sentences, or a file of them with --prompts")
    return [Prompt(text) for text in args.text] if args.prompts is None else read_prompts(args.prompts)


def main(argv: Sequence[str]) -> int:
    """Run `motionllm generate`.

    Under `accelerate launch`, `torchrun` or `mpirun` every process makes its part of the batches.

    Raises:
        MotionLLMError: bad input; nothing has been written then.
    """
    args = _parser().parse_args(argv)
    formats = check_generation_arguments(args, *[""] * (args.dataset_out is not None))
    if args.stream and args.best_of > 1:
        raise MotionLLMError("--stream shows a motion while it is made, --best-of chooses after it; give one of them")
    prompts = _prompts(args)
    check_engine_arguments(args)
    quiet()
    from modeling_motionllm.files_motionllm import ensure_folder

    rank, processes, local_rank = process_place()
    processor = load_processor(args.model)
    # All sentences are checked before the first is used.
    jobs = make_jobs(prompts, args.samples, args.duration, args.seed)
    batches = plan_batches(jobs, processor, max(1, args.batch_size // args.best_of))
    device = f"cuda:{local_rank}" if args.device == "cuda" and processes > 1 else args.device
    check_device(device)
    sampling = sampling_options(args)
    name = Path(args.model).name
    dataset = None
    if args.dataset_out is not None:
        from hub_scripts.generation.dataset import GeneratedDataset

        settings = {"model": name, **sampling, **engine_settings(args), "plant_feet": args.plant_feet}
        dataset = GeneratedDataset(args.dataset_out, batches, settings, args.skip_existing, processor.skeleton)
        if rank == 0:
            dataset.write_card()
    out = ensure_folder(args.out) if formats else Path(args.out)

    def is_there(job: Job) -> bool:
        return all((out / f"{job.stem}.{suffix}").is_file() for suffix in formats)

    model: Any = None
    engine: Any = None

    def make(number: int) -> None:
        nonlocal model, engine
        batch = batches[number]
        # A shard is made whole or not at all; files one by one.
        if args.skip_existing and (dataset is None or dataset.has(number)):
            batch = [job for job in batch if not is_there(job)]
        if not batch:
            return
        if model is None:
            model, engine = load_engine(args, processor, device)
        progress = _Progress() if args.stream else None
        motions = generate_batch(model, processor, batch, progress, **sampling, engine=engine)
        if args.plant_feet:
            motions = [motion.plant_feet() for motion in motions]
        for motion, job in zip(motions, batch, strict=True):
            motion.seed = None if args.greedy else job.seed
            motion.model = name
            motion.version = package_version()
            if formats:
                write_formats(motion, out / job.stem, formats, args)
        if dataset is not None and not dataset.has(number):
            print(f"  {dataset.write(number, motions)}")

    mine = range(rank, len(batches), processes)
    motions = sum(len(batches[number]) for number in mine)
    with tqdm(total=motions, desc="generate", unit="motion", disable=rank > 0 or len(mine) < 2) as bar:
        for number in mine:
            make(number)
            bar.update(len(batches[number]))
    return 0


class _Progress:
    """Says how many seconds of motion there are, each time more are."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def __call__(self, seconds: float) -> None:
        print(f"  {seconds:.1f} s of motion after {time.perf_counter() - self.start:.1f} s", flush=True)
