"""Options of motions for games: loops, motions in place, and paths."""

import argparse

from hub_scripts.generation.shape import Shape
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["add_shape_arguments", "check_shape_arguments", "shape_of"]


def add_shape_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --loop, --in-place, --turn-to and --to."""
    group = parser.add_argument_group("for games (one person)")
    group.add_argument(
        "--loop", action="store_true", help="a motion whose end meets its beginning; a walk needs --in-place too"
    )
    group.add_argument(
        "--in-place",
        action="store_true",
        help="take the path over the floor out; .npz keeps it as `root_path`, .glb has a second animation with it",
    )
    group.add_argument(
        "--turn-to",
        type=float,
        metavar="DEGREES",
        help="face there at the end: 0 as at the beginning, 90 to the left, -90 to the right",
    )
    group.add_argument(
        "--to",
        type=float,
        nargs=2,
        metavar=("X", "Z"),
        help="end there, metres to the left and ahead of where the motion begins",
    )


def check_shape_arguments(args: argparse.Namespace) -> None:
    """Check --loop, --in-place, --turn-to and --to before anything is loaded.

    Raises:
        MotionLLMError: a value out of range, or options that do not go together.
    """
    if args.turn_to is not None and not -180 <= args.turn_to <= 180:
        raise MotionLLMError(f"--turn-to is {args.turn_to:g}; give degrees from -180 to 180, left being positive")
    if args.to is not None and not all(abs(value) <= 100 for value in args.to):
        raise MotionLLMError(f"--to is {args.to[0]:g} {args.to[1]:g}; give metres from -100 to 100")
    shape = shape_of(args)
    if shape is None:
        return
    name = shape.names[0]
    for other, value in (
        *(("--after", args.after), ("--dataset-dir", args.dataset_dir)),
        *(("--people", args.people != 1), ("--given", args.given)),
    ):
        if value:
            raise MotionLLMError(f"{name} is for single motions that are made whole, not for {other}; leave one out")
    for other, value in (
        *(("--then", args.then), ("--split", args.split)),
        *(("--to", args.to), ("--turn-to", args.turn_to is not None)),
    ):
        if shape.loop and value:
            raise MotionLLMError(f"--loop ends as it begins, and {other} does not; leave one out")
    if shape.loop and args.duration is not None and args.duration[0] < 1:
        raise MotionLLMError(f"--duration is {args.duration[0]:g} s, too short to find a loop in; give 1 or more")


def shape_of(args: argparse.Namespace) -> Shape | None:
    """The shape that --loop, --in-place, --turn-to and --to ask for, None without any."""
    to = None if args.to is None else (float(args.to[0]), float(args.to[1]))
    shape = Shape(args.loop, args.in_place, args.turn_to, to)
    return shape if shape.settings else None
