"""`motionllm generate`: motions of one or several people from sentences, written as files."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from hub_scripts.generation.jobs import Job, make_jobs, plan_batches, process_place
from hub_scripts.generation.prompts import Prompt, read_prompts
from hub_scripts.generation.run import MotionRun
from hub_scripts.options.checkpoint import add_model_arguments, check_device, load_processor, quiet
from hub_scripts.options.engine import add_engine_arguments, check_engine_arguments, engine_settings, load_engine
from hub_scripts.options.generation import (
    add_drawing_arguments,
    add_scene_arguments,
    add_writing_arguments,
    check_drawing_arguments,
    check_scene_arguments,
    check_writing_arguments,
    drawing_settings,
    read_drawing_settings,
    write_formats,
)
from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from modeling_motionllm.motion import Motion

__all__ = ["main"]

_DESCRIPTION = """\
Make motions from sentences, of one person or of several. Each is written as .npz (joints, to load again), .mp4 (video)
and .html (viewer that opens in any browser, offline), or as --formats says. The same seed gives the same motion.
"""
_EPILOG = """\
examples: motionllm generate "a person waves with the left hand" --duration 4 --seed 1 -o out/
          motionllm generate "two people greet each other" --parts "a person waves with the left hand" "a person bows"
"""


def _parser() -> argparse.ArgumentParser:
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
        help="a file of sentences instead: text with one a line, or .csv, .jsonl or .parquet with a column caption "
        "and, if wanted, duration and seed",
    )
    add_scene_arguments(parser)
    parser.add_argument("--duration", type=float, help="seconds (default: typical for the sentence)")
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
        help="write a dataset (Arrow, one row a motion); then other files only if --formats says which",
    )
    parser.add_argument("--skip-existing", action="store_true", help="make only what is not there yet")
    parser.add_argument(
        "--no-caption",
        action="store_true",
        help="leave out `understood as`, the model's own caption of each motion (a tenth of the time; a third "
        "where many are written as .npz alone)",
    )
    parser.add_argument("--stream", action="store_true", help="say how far the motion is while it is decoded")
    parser.add_argument(
        "--batch-size", type=int, default=32, help="motions decoded at once, candidates included (default 32)"
    )
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def _prompts(args: argparse.Namespace) -> list[Prompt]:
    """The sentences to make motions of: those of the command line, or of --prompts."""
    if bool(args.text) == (args.prompts is not None):
        raise MotionLLMError("give sentences, or a file of them with --prompts, and not both")
    return [Prompt(text) for text in args.text] if args.prompts is None else read_prompts(args.prompts)


def _check(args: argparse.Namespace) -> None:
    """Check what needs no file and no checkpoint; fills in --people."""
    for name in ("num_return_sequences", "batch_size"):
        if getattr(args, name) < 1:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {getattr(args, name)}; give 1 or more")
    if args.seed < 0:
        raise MotionLLMError(f"--seed is {args.seed}; give 0 or more")
    check_drawing_arguments(args)
    check_engine_arguments(args)
    check_scene_arguments(args, len(args.text))
    for name, value in (("--stream", args.stream), ("--dataset-dir", args.dataset_dir)):
        if args.people != 1 and value:
            raise MotionLLMError(f"{name} is for motions of one person, and there are {args.people}; leave it out")


def main(argv: Sequence[str]) -> int:
    """Run `motionllm generate`.

    Under `accelerate launch`, `torchrun` or `mpirun` every process makes its part of the batches.

    Raises:
        MotionLLMError: bad input; nothing has been written then.
    """
    args = _parser().parse_args(argv)
    formats = check_writing_arguments(args, *[""] * (args.dataset_dir is not None))
    _check(args)
    prompts = _prompts(args)
    quiet()
    from hub_scripts.data.motion_files import load_motion
    from hub_scripts.hub.actions import read_actions
    from modeling_motionllm.files_motionllm import ensure_folder

    rank, processes, local_rank = process_place()
    processor = load_processor(args.model)
    drawing = read_drawing_settings(args)
    candidates = drawing.num_candidates if args.people == 1 else drawing.people_candidates
    if args.stream and candidates > 1:
        raise MotionLLMError("--stream shows a motion while it is made, --num-candidates chooses after it; give one")
    processor.check_people(args.people)
    scene: dict[str, Any] = {"people": args.people, "parts": args.parts}
    scene["given"] = None if args.given is None else load_motion(args.given)
    # All sentences are checked before the first is used.
    jobs = make_jobs(prompts, args.num_return_sequences, args.duration, args.seed)
    batches = plan_batches(jobs, processor, max(1, args.batch_size // candidates), args.people)
    if args.people > 1:
        processor(text=prompts[0].text, duration=args.duration, **scene)
    device = f"cuda:{local_rank}" if args.device == "cuda" and processes > 1 else args.device
    check_device(device)
    name = Path(args.model).name
    dataset = None
    if args.dataset_dir is not None:
        from hub_scripts.generation.dataset import GeneratedDataset

        settings = {"model": name, **asdict(drawing), **engine_settings(args), "plant_feet": args.plant_feet}
        dataset = GeneratedDataset(args.dataset_dir, batches, settings, args.skip_existing, processor.skeleton)
        if rank == 0:
            dataset.write_card()
    out = ensure_folder(args.output_dir) if formats else Path(args.output_dir)

    def write(motion: "Motion", job: Job, notes: Sequence[str]) -> None:
        if formats:
            write_formats(motion, out / job.stem, formats, args, notes)

    run = MotionRun(
        processor=processor,
        load=lambda: load_engine(args, processor, device),
        write=write,
        is_there=lambda job: all((out / f"{job.stem}.{suffix}").is_file() for suffix in formats),
        model_name=name,
        actions=lambda: read_actions(args.model),
        dataset=dataset,
        skip_existing=args.skip_existing,
        seeded=not args.greedy,
        stream=args.stream,
        options={
            **scene,
            "plant_feet": args.plant_feet,
            "captions": bool(formats) and not args.no_caption,  # nothing is printed of a dataset's
            **drawing_settings(args),
        },
    )
    mine = range(rank, len(batches), processes)
    motions = sum(len(batches[number]) for number in mine)
    with tqdm(total=motions, desc="generate", unit="motion", disable=rank > 0 or len(mine) < 2) as bar:
        for number in mine:
            run.make(number, batches[number])
            bar.update(len(batches[number]))
    return 0
