"""`motionllm interact`: scenes of several people from sentences, written as files."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from hub_scripts.generation.jobs import make_jobs
from hub_scripts.generation.prompts import Prompt
from hub_scripts.hub.version import package_version
from hub_scripts.options.checkpoint import add_model_arguments, check_device, load_processor, quiet
from hub_scripts.options.engine import add_engine_arguments, check_engine_arguments, load_engine
from hub_scripts.options.generation import (
    add_generation_arguments,
    check_generation_arguments,
    sampling_options,
    write_formats,
)
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]

_BEST_OF = 8

_DESCRIPTION = """\
Make scenes of several people from sentences: one person after another, each placed and moved to suit the sentence and
the people before. The model says what it takes each person to do; --parts says it instead. Each scene is written as
.npz (joints of all people in one world), .mp4 and .html, or as --formats says. The same seed gives the same scene.
"""
_EPILOG = """\
examples: motionllm interact "two people bow to each other" --people 2 --duration 4 -o out/
          motionllm interact "two people greet each other" --parts "a person waves with the left hand" "a person bows"
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm interact",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", nargs="+", help="one or more sentences, each in quotes, before --parts")
    parser.add_argument("--people", type=int, help="people in the scene (default 2, or one for each of --parts)")
    parser.add_argument(
        "--parts",
        nargs="+",
        metavar="SENTENCE",
        help="what each person does, a sentence for each in their order (default: the model says it)",
    )
    parser.add_argument(
        "--given",
        metavar="FILE",
        help="the motion of the first of them (.npz, .npy in metres, .bvh); kept but for up to 0.2 s at its end",
    )
    parser.add_argument("--duration", type=float, help="seconds (default: the model decides; a given motion decides)")
    add_generation_arguments(parser, "scenes", _BEST_OF)
    # What `generate_people` does when nothing is said; a test compares them.
    parser.set_defaults(temperature=0.7, guidance=1.5, repeat_penalty=1.5)
    parser.add_argument(
        "--place-temperature",
        type=float,
        metavar="T",
        help="of drawing where people start (default 0.3; higher: more various, and less as the sentence says)",
    )
    parser.add_argument(
        "--part-temperature",
        type=float,
        metavar="T",
        help="of drawing what each person does (default 0.5)",
    )
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm interact`.

    Raises:
        MotionLLMError: bad input; nothing has been written then.
    """
    args = _parser().parse_args(argv)
    formats = check_generation_arguments(args)
    check_engine_arguments(args)
    temperatures = {}
    for name in ("place_temperature", "part_temperature"):
        option, value = f"--{name.replace('_', '-')}", getattr(args, name)
        if value is None:
            continue
        if args.greedy:
            raise MotionLLMError(f"{option} is of drawing; leave it or --greedy out")
        if not value > 0:
            raise MotionLLMError(f"{option} is {value:g}; give a positive number")
        temperatures[name] = value
    if args.parts is not None and len(args.text) > 1:
        raise MotionLLMError(f"--parts is for one scene, but there are {len(args.text)} sentences; give one")
    quiet()
    from hub_scripts.data.motion_files import load_motion
    from modeling_motionllm.best_of_motionllm import generate_best
    from modeling_motionllm.files_motionllm import ensure_folder
    from modeling_motionllm.planted_feet_motionllm import plant_feet

    processor = load_processor(args.model)
    people = args.people if args.people is not None else max(2, len(args.parts or ()))
    processor.check_people(people)
    if args.parts is not None and len(args.parts) != people:
        raise MotionLLMError(
            f"--parts has {len(args.parts)} sentence(s) for {people} people; give one for each of them"
        )
    given = None if args.given is None else load_motion(args.given)
    options = {"people": people, "duration": args.duration, "given": given}
    if args.parts is not None:
        options["parts"] = args.parts
    for text in args.text:
        processor(text=text, **options)
    check_device(args.device)
    out = ensure_folder(args.out)
    model, engine = load_engine(args, processor)
    jobs = make_jobs([Prompt(text) for text in args.text], args.samples, args.duration, args.seed)
    size = max(1, args.batch_size // args.best_of)
    batches = [jobs[start : start + size] for start in range(0, len(jobs), size)]
    for batch in tqdm(batches, desc="interact", disable=len(batches) < 2):
        texts = [job.text for job in batch]
        seeds = [job.seed for job in batch]
        told = {} if args.parts is None else {"parts": [args.parts] * len(texts)}
        inputs = processor(text=texts, **options | told)
        drawing = sampling_options(args) | temperatures
        output = generate_best(model, processor, texts, inputs, seed=seeds, engine=engine, **drawing)
        features = output.features.float().cpu().numpy()
        scenes = processor.decode_people(output, texts, given=given)
        parts = processor.decode_parts(output)
        for motion, decoded, own, job in zip(scenes, features, parts, batch, strict=True):
            if args.plant_feet:  # of those who were generated
                made = motion.joints[0 if given is None else given.num_people :]
                made[...] = plant_feet(made, motion.fps)
            elif given is None:  # else the joints are not all recovered from them
                motion.features = decoded[: motion.num_people, : motion.num_frames]
            motion.seed = None if args.greedy else job.seed
            motion.model = Path(args.model).name
            motion.version = package_version()
            notes = [f"person {number}: {part}" for number, part in enumerate(own, start=1)]
            if given is not None:
                notes[: given.num_people] = [f"{note} (given)" for note in notes[: given.num_people]]
            write_formats(motion, out / job.stem, formats, args, notes)
    return 0
