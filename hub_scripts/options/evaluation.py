"""The options of `motionllm evaluate`, and which of them go together."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from hub_scripts.evaluation.protocol import add_protocol_arguments, check_protocol
from hub_scripts.options.checkpoint import add_model_arguments
from hub_scripts.options.engine import add_engine_arguments, check_engine_arguments, engine_settings
from hub_scripts.options.generation import add_drawing_arguments, check_drawing_arguments
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.json_motionllm import read_json

__all__ = ["TASKS", "caption_settings", "check_evaluation_arguments", "evaluation_parser"]

TASKS = ("reconstruction", "generation", "captioning")


def evaluation_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="motionllm evaluate",
        description="Measure a checkpoint on a prepared dataset, of clips or of scenes of several people. "
        "reconstruction: the VQ-VAE on whole clips. generation: a motion for one caption of each clip or scene, as "
        "long as the real one, by the protocol of Guo et al. 2022, with the rows of the real motions and of their VQ "
        "reconstruction from the same run. captioning: a sentence for each real motion. --model may also be a folder "
        "of a VQ-VAE, whose reconstruction is measured, or of .npz motions of any system, which are scored. "
        "docs/evaluation.md explains every column.",
        epilog="example: motionllm evaluate --data data/bandai --split test --work runs/work --out runs/figures.json",
    )
    add_model_arguments(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", help="clips or scenes that `motionllm prepare` wrote: folder, or dataset of the Hub")
    source.add_argument(
        "--sentences",
        nargs="+",
        metavar="FILE.csv",
        help="instead: a motion for each sentence of a column 'sentence', and whether it shows what the sentence says; "
        "with columns action, side and direction where they are known. Sentences with 'false' in a column known are of "
        "actions that the data does not show: for these it measures how well output.unknown separates them",
    )
    source.add_argument(
        "--sequences",
        metavar="DATA",
        help="instead: a motion for the sentences of each sequence of `motionllm prepare sequences`, one person doing "
        "one thing after another, as long as the real ones: whether all is done, in order, and the fastest joint, jerk "
        "and sliding feet where one thing meets the next, against elsewhere, beside the real motions",
    )
    parser.add_argument("--split", default="test", choices=["train", "val", "test"], help="default test")
    parser.add_argument("--tasks", help=f"comma-separated, of {','.join(TASKS)} (default: all; of scenes the last two)")
    add_protocol_arguments(parser)
    parser.add_argument(
        "--draws", type=int, default=1, help="motions per caption (default 1; from 2 on with multimodality)"
    )
    parser.add_argument("--repeats", type=int, default=20, help="repeats of the protocol (default 20)")
    parser.add_argument(
        "--plant-feet", action="store_true", help="hold feet of generated motions where they stand, as `generate` can"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="motions per batch (default 32)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--work", help="keep what is generated in this folder; a run that died goes on from there")
    parser.add_argument(
        "--out",
        help="also write the figures: as JSON to a file FILE.json; or into a folder as the Hub reads them "
        "(.eval_results/*.yaml), for a checkpoint on the Hub: `hf upload user/name FOLDER . --create-pr`",
    )
    parser.add_argument("--card", action="store_true", help="write the figures into the checkpoint and its card")
    parser.add_argument(
        "--sheet",
        metavar="FILE.png",
        help="also draw generated motions beside the real ones for 16 captions, spread over contents and styles by a "
        "fixed rule; with --card the picture goes into the checkpoint and its card too",
    )
    parser.add_argument("--dataset-id", help="Hub id of the dataset, for the card and the Hub (default: its name)")
    add_drawing_arguments(parser)
    add_engine_arguments(parser)
    return parser


def kind_of_model(name: str) -> str:
    """What is measured: `checkpoint`, `vq` or `motions`, by what the folder holds."""
    folder = Path(name)
    config = folder / "config.json"
    if config.is_file():
        model_type = read_json(config).get("model_type")
        return "vq" if model_type == "motion_vq" else "checkpoint"
    return "motions" if any(folder.glob("*.npz")) else "checkpoint"


def check_evaluation_arguments(args: argparse.Namespace) -> None:
    """Check these options before work starts.

    Sets `kind`, see `kind_of_model`, and `model_is_given`, whether that is not the default; makes a set of `tasks`.

    Raises:
        MotionLLMError: a value out of range, or options that do not go together.
    """
    args.kind = kind_of_model(args.model)
    args.model_is_given = args.card or args.model != evaluation_parser().get_default("model")
    asked = None if args.tasks is None else set(args.tasks.split(","))
    if not (asked or set()) <= set(TASKS):
        raise MotionLLMError(f"--tasks is '{args.tasks}'; choose from {','.join(TASKS)}")
    args.tasks = asked
    for name in ("clips", "draws", "repeats", "batch_size"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise MotionLLMError(f"--{name.replace('_', '-')} is {value}; give at least 1")
    check_drawing_arguments(args)
    if args.sentences is not None:
        if args.out is not None and not args.out.endswith(".json"):
            raise MotionLLMError(f"--out is '{args.out}'; with --sentences name a file that ends in .json")
        _check_source(args, "--sentences", args.sentences, _OF_SENTENCES)
    if args.sequences is not None:
        _check_source(args, "--sequences", [args.sequences], _OF_SEQUENCES)
    if args.card and (args.kind != "checkpoint" or not Path(args.model).is_dir()):
        raise MotionLLMError(
            "--card writes into a checkpoint folder; give one with --model (for a checkpoint on the Hub there is --out "
            "FOLDER)"
        )
    if args.sheet is not None:
        if Path(args.sheet).suffix.lower() != ".png":
            raise MotionLLMError(f"--sheet is '{args.sheet}'; give a name that ends in .png")
        if args.kind != "checkpoint" or not (asked is None or "generation" in asked):
            raise MotionLLMError("--sheet shows what the checkpoint generates; it needs the task generation")
    to_folder = args.out is not None and not args.out.endswith(".json")
    if to_folder and args.kind == "motions":
        raise MotionLLMError(
            f"--out {args.out} tells of a checkpoint; name a file that ends in .json for other motions"
        )
    if args.dataset_id is not None:
        try:
            validate_repo_id(args.dataset_id)
        except HFValidationError as error:
            raise MotionLLMError(f"--dataset-id is '{args.dataset_id}'; give 'user/name' of a dataset") from error
    check_engine_arguments(args)
    if (args.card or to_folder) and engine_settings(args):
        raise MotionLLMError("--card and --out FOLDER tell of the checkpoint as it is; leave --engine out")
    check_protocol(args)


# What these can be told beside themselves.
_OF_SENTENCES = {"model", "device", "engine", "out", "seed", "batch_size"}
_OF_SENTENCES |= {"temperature", "top_p", "guidance_scale", "num_candidates"}
_OF_SEQUENCES = _OF_SENTENCES | {"split", "clips", "plant_feet", "work", "card", "dataset_id"}


def _check_source(args: argparse.Namespace, source: str, given: Sequence[str], known: set[str]) -> None:
    """Refuse what has no effect on sentences or sequences."""
    if args.kind != "checkpoint":
        raise MotionLLMError(f"{source} needs a checkpoint that makes motions, and '{args.model}' holds none")
    defaults = vars(evaluation_parser().parse_args([source, *given]))
    idle = [name for name, value in defaults.items() if name not in known and getattr(args, name) != value]
    if idle:
        raise MotionLLMError(f"--{idle[0].replace('_', '-')} has no effect on {source}; leave it out")


def caption_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What the options say of `generate_caption`."""
    return {} if args.num_candidates is None else {"num_candidates": args.num_candidates}
