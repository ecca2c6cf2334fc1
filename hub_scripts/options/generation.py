"""Options of drawing and writing that the commands which generate share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_scripts.options.export import add_export_arguments, check_export_arguments, write_motion
from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from modeling_motionllm.motion import Motion
    from modeling_motionllm.settings_motionllm import MotionSettings

__all__ = [
    "add_drawing_arguments",
    "add_scene_arguments",
    "add_writing_arguments",
    "check_drawing_arguments",
    "check_scene_arguments",
    "check_writing_arguments",
    "drawing_settings",
    "read_drawing_settings",
    "write_formats",
]

_FORMATS = ("npz", "bvh", "glb", "vrma", "usd", "usda", "fbx", "amass.npz", "mp4", "gif", "png", "html")
_DEFAULT_FORMATS = "npz,mp4,html"


def add_drawing_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --temperature, --top-p, --guidance-scale and --num-candidates; the checkpoint has the defaults."""
    group = parser.add_argument_group("sampling (default: as the checkpoint's generation_config.json says)")
    group.add_argument(
        "--temperature",
        type=float,
        help="lower follows the likeliest codes, higher varies more; 1 is as trained, 0 takes the likeliest",
    )
    group.add_argument(
        "--top-p", type=float, help="sample from the likeliest codes that together have this probability; 1 for all"
    )
    group.add_argument(
        "--guidance-scale", type=float, help="above 1 follows the sentence more closely, and takes twice the time"
    )
    group.add_argument(
        "--num-candidates",
        type=int,
        metavar="N",
        help="draw N motions for each person, and keep the one that the model itself is likeliest to describe by the "
        "sentence (shipped checkpoint: 1 for one person, 8 for each of several)",
    )


def check_drawing_arguments(args: argparse.Namespace) -> None:
    """Check these options before anything is loaded.

    Raises:
        MotionLLMError: a value out of range.
    """
    if args.temperature is not None and args.temperature != 0 and not 1e-6 <= args.temperature <= 1e4:
        raise MotionLLMError(f"--temperature is {args.temperature:g}; give a number up to 10,000, or 0 for greedy")
    if args.top_p is not None and not 0 < args.top_p <= 1:
        raise MotionLLMError(f"--top-p is {args.top_p:g}; give a number above 0 and up to 1")
    if args.guidance_scale is not None and not 0 < args.guidance_scale < 100:
        raise MotionLLMError(f"--guidance-scale is {args.guidance_scale:g}; give a positive number, 1 for none")
    if args.num_candidates is not None and args.num_candidates < 1:
        raise MotionLLMError(f"--num-candidates is {args.num_candidates}; give 1 or more")
    if args.num_candidates is not None and args.num_candidates > 1024:
        raise MotionLLMError(f"--num-candidates is {args.num_candidates}; give at most 1,024")
    if args.temperature == 0 and (args.num_candidates or 1) > 1:
        raise MotionLLMError(f"--num-candidates {args.num_candidates} needs motions that differ; raise --temperature")


def drawing_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What these options say, as settings of `generate_motion`; nothing where they are left out."""
    names = ("temperature", "top_p", "guidance_scale", "num_candidates")
    given: dict[str, Any] = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if given.get("temperature") == 0:
        del given["temperature"]
        given["do_sample"] = False
    return given


def read_drawing_settings(args: argparse.Namespace) -> "MotionSettings":
    """How motions will be drawn: as these options say, else the generation_config.json of --model.

    Raises:
        MotionLLMError: a value out of range.
    """
    from transformers import GenerationConfig

    from modeling_motionllm.settings_motionllm import MotionSettings

    try:
        config = GenerationConfig.from_pretrained(args.model)
    except OSError:  # a checkpoint without one is drawn with the defaults
        config = GenerationConfig()
    return MotionSettings.of(config, drawing_settings(args))


def add_scene_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --people, --parts and --given."""
    parser.add_argument("--people", type=int, help="people in the scene (default 1; with --parts one for each)")
    parser.add_argument(
        "--parts",
        nargs="+",
        metavar="SENTENCE",
        help="what each person does, a sentence for each in their order (default: the model says it)",
    )
    parser.add_argument(
        "--given",
        metavar="FILE",
        help="the motion of the first person (any file that `motionllm caption` reads), to whom the others react; up "
        "to 0.2 s at its end are cut",
    )


def check_scene_arguments(args: argparse.Namespace, sentences: int) -> None:
    """Check these options before anything is loaded; fills in --people.

    Args:
        args: with these options.
        sentences: how many are on the command line.

    Raises:
        MotionLLMError: options that do not go together.
    """
    scene = args.parts is not None or args.given is not None
    if args.people is None:
        args.people = max(2, len(args.parts or ())) if scene else 1
    if args.parts is not None and sentences > 1:
        raise MotionLLMError(f"--parts is for one scene, but there are {sentences} sentences; give one")
    if args.parts is not None and len(args.parts) != args.people:
        raise MotionLLMError(
            f"--parts has {len(args.parts)} sentence(s) for {args.people} people; give one for each of them"
        )


def add_writing_arguments(parser: argparse.ArgumentParser, planting: bool = True) -> None:
    """Add the options of writing motions as files; --plant-feet if `planting`."""
    parser.add_argument("-o", "--output-dir", default="out", help="folder for the files (default out/)")
    parser.add_argument("--formats", help=f"comma-separated, of {','.join(_FORMATS)} (default {_DEFAULT_FORMATS})")
    add_export_arguments(parser, "all files but .npz, .html and .png", planting=planting)


def check_writing_arguments(args: argparse.Namespace, default_formats: str = _DEFAULT_FORMATS) -> list[str]:
    """Check these options before work starts; returns the formats to write.

    Args:
        args: with these options.
        default_formats: what is written where --formats is not given; "" if the command writes something else.

    Raises:
        MotionLLMError: a value out of range.
    """
    given = default_formats if args.formats is None else args.formats
    formats = [name.strip().lstrip(".") for name in given.split(",") if name.strip()]
    wrong = [name for name in formats if name not in _FORMATS]
    if wrong or not (formats or default_formats == ""):
        raise MotionLLMError(f"--formats is '{args.formats}'; choose from {','.join(_FORMATS)}")
    check_export_arguments(args, [f".{name}" for name in formats])
    return formats


def write_formats(
    motion: "Motion", stem: Path, formats: Sequence[str], args: argparse.Namespace, notes: Sequence[str] = ()
) -> None:
    """Write a motion as `stem` with each of the formats, one line each; `notes` are lines about it that go before.

    The `.npz` is the last, and so says that the others are there, see `KeptFiles`.

    Raises:
        OSError: nobody reads what is printed; the files are written all the same.
    """
    unread: list[OSError] = []

    def say(line: str) -> None:
        try:
            print(line, flush=True)
        except OSError as error:
            unread.append(error)

    say(f"{motion.duration:.1f} s: {motion.caption}")
    for line in notes:
        say(f"  {line}")
    for name in sorted(formats, key="npz".__eq__):
        for path in write_motion(motion, stem.with_name(f"{stem.name}.{name}"), args, resample=False):
            say(f"  {path}")
    if unread:
        raise unread[0]
