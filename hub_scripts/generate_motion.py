"""`motionllm generate`: motions of one or several people from sentences, written as files."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from hub_scripts.generation.jobs import Job, make_jobs, plan_batches, process_place
from hub_scripts.generation.kept_files import KeptFiles
from hub_scripts.generation.prompts import Prompt, in_turns, read_prompts
from hub_scripts.generation.run import MotionRun
from hub_scripts.options.checkpoint import check_device, load_processor, quiet
from hub_scripts.options.engine import engine_settings, is_server, load_engine
from hub_scripts.options.generate import check_generate_arguments, generate_parser
from hub_scripts.options.generation import (
    check_writing_arguments,
    drawing_settings,
    read_drawing_settings,
    write_formats,
)
from hub_scripts.options.shape import shape_of
from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from modeling_motionllm.motion import Motion
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["main"]

_FEW = 20  # sentences whose turns are shown
_SHORTEST_TURN = 1.0  # seconds; unasked, no sentence is divided into less


def _prompts(args: argparse.Namespace) -> list[Prompt]:
    """The sentences to make motions of: those of the command line, or of --prompts."""
    if bool(args.text) == (args.prompts is not None):
        raise MotionLLMError("give sentences, or a file of them with --prompts, and not both")
    if args.prompts is not None:
        return read_prompts(args.prompts)
    seconds = None if args.duration is None or len(args.duration) == 1 else tuple(args.duration)
    return [Prompt(text, seconds, then=tuple(args.then)) for text in args.text]


def _split(args: argparse.Namespace, processor: "MotionLLMProcessor", prompts: list[Prompt]) -> list[Prompt]:
    """The prompts, with sentences that say several things in turns: where asked for, or else where that is possible."""
    elsewhere = (args.loop, args.before, args.given, args.people != 1, is_server(args.engine))
    unasked = args.split is None
    if args.split is False or (unasked and (any(elsewhere) or not processor.tells_turns)):
        for prompt in prompts:
            if isinstance(prompt.duration, tuple) and len(prompt.duration) != 1 + len(prompt.then):
                raise MotionLLMError(f"--duration has {len(prompt.duration)} numbers for '{prompt.text}'; give one")
        return prompts
    split = []
    for prompt in prompts:
        own = in_turns(prompt, None if args.duration is None else args.duration[0])
        if unasked and isinstance(own.duration, tuple) and min(own.duration) < _SHORTEST_TURN:
            own = prompt
        elif unasked and own != prompt and len(prompts) <= _FEW:
            told = " / ".join((own.text, *own.then))
            print(f"in {1 + len(own.then)} turns: {told} (--no-split asks for all at once)", file=sys.stderr)
        split.append(own)
    return split


def main(argv: Sequence[str]) -> int:
    """Run `motionllm generate`.

    Under `accelerate launch`, `torchrun` or `mpirun` every process makes its part of the batches.

    Raises:
        MotionLLMError: bad input; nothing has been written then.
    """
    args = generate_parser().parse_args(argv)
    formats = check_writing_arguments(args, *[""] * (args.dataset_dir is not None))
    check_generate_arguments(args)
    if args.skip_existing and formats and "npz" not in formats:
        raise MotionLLMError(
            f"--skip-existing asks the .npz of a motion what it is of, and --formats is '{args.formats}'; add npz"
        )
    prompts = _prompts(args)
    quiet(args.model)
    from hub_scripts.data.motion_files import load_motion
    from hub_scripts.generation.continuing import read_around
    from hub_scripts.hub.actions import read_actions
    from modeling_motionllm.files_motionllm import ensure_folder
    from modeling_motionllm.motion_features import HUMANML3D

    rank, processes, local_rank = process_place()
    processor = load_processor(args.model)
    prompts = _split(args, processor, prompts)
    drawing = read_drawing_settings(args)
    candidates = drawing.num_candidates if args.people == 1 else drawing.people_candidates
    processor.check_people(args.people)
    scene: dict[str, Any] = {"people": args.people, "parts": args.parts}
    notes: list[str] = []
    scene["given"] = None if args.given is None else load_motion(args.given, tell=notes.append)
    around = read_around(args, processor, prompts, notes.append)
    shape = shape_of(args)
    if shape is not None and processor.skeleton is not HUMANML3D:
        raise MotionLLMError(f"{shape.names[0]} is for the skeleton '{HUMANML3D.name}'; leave it out")
    for note in notes:
        print(note, file=sys.stderr)
    # All sentences are checked before the first is used.
    duration = None if args.duration is None else args.duration[0]
    files = {name: getattr(args, name) for name in ("given", "after", "before")}
    kept = KeptFiles(Path(args.output_dir), formats, args.people, [Path(file) for file in files.values() if file])
    left_alone = [kept.is_others] if formats and not args.overwrite else []
    jobs = make_jobs(prompts, args.num_return_sequences, duration, args.seed, *left_alone)
    drawn = candidates * (1 if shape is None else shape.candidates)
    batches = plan_batches(jobs, processor, max(1, args.batch_size // drawn), args.people)
    if args.people > 1:
        processor(text=prompts[0].text, duration=duration, **scene)
    device = f"cuda:{local_rank}" if args.device == "cuda" and processes > 1 else args.device
    check_device(device)
    name = Path(args.model).name
    dataset = None
    settings = {"model": name, **asdict(drawing), **engine_settings(args), "plant_feet": args.plant_feet}
    if args.dataset_dir is not None:
        from hub_scripts.generation.dataset import GeneratedDataset

        dataset = GeneratedDataset(args.dataset_dir, batches, settings, args.skip_existing, processor.skeleton)
        if rank == 0:
            dataset.write_card()
    out = ensure_folder(args.output_dir) if formats else Path(args.output_dir)

    def write(motion: "Motion", job: Job, notes: Sequence[str]) -> None:
        if formats:
            write_formats(motion, out / job.stem, formats, args, notes)

    written = {name: getattr(args, name) for name in ("fps", "skeleton") if getattr(args, name) is not None}
    job_settings = settings | scene | files | ({} if shape is None else shape.settings) | written
    run = MotionRun(
        processor=processor,
        load=lambda: load_engine(args, processor, device),
        write=write,
        is_there=lambda job: kept.has(job, job_settings, seeded=drawing.do_sample),
        model_name=name,
        actions=lambda: read_actions(args.model),
        dataset=dataset,
        skip_existing=args.skip_existing,
        seeded=drawing.do_sample,
        settings=job_settings,
        options={
            **scene,
            **around,
            "shape": shape,
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
