"""`--map`, `--up`, `--scale` ...: what a user can say of a motion, the same for every command that reads one."""

import argparse
import math
from typing import TYPE_CHECKING

from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from hub_scripts.data.gate import ReadingOptions

__all__ = ["add_reading_arguments", "reading_options"]

_MEANING = {
    "scale": "metres per unit, such as 0.01 for centimetres",
    "source_fps": "frames per second, such as 60",
}


def add_reading_arguments(parser: argparse.ArgumentParser, part: bool = False) -> None:
    """Add the options; `reading_options` reads them.

    Args:
        parser: gets them.
        part: with `--start` and `--end`, for commands that read single files.
    """
    group = parser.add_argument_group("the motion to read (what is not said is found out)")
    recording = ".bvh, .amc, .glb, .gltf"
    group.add_argument("--map", metavar="MAP", help=f"{recording}: JSON file that maps its joints, or a built-in map")
    group.add_argument(
        "--up", metavar="AXIS", help="the axis that points up: y, z or x, or -y, -z or -x where it points down"
    )
    group.add_argument("--scale", type=float, metavar="M", help="metres per unit, such as 0.01")
    group.add_argument(
        "--animation", metavar="NAME", help="which animation of a .glb, array of an .npz, motion of a results.npy"
    )
    group.add_argument(
        "--source-fps", type=float, metavar="N", help="its frames per second, where the file has a wrong rate or none"
    )
    if part:
        group.add_argument("--start", type=float, metavar="S", help="first second of the file to take (default 0)")
        group.add_argument("--end", type=float, metavar="S", help="last second to take (default: the end)")


def reading_options(args: argparse.Namespace) -> "ReadingOptions":
    """The `ReadingOptions` of parsed arguments.

    Raises:
        MotionLLMError: a map that cannot be read, an axis or a number that is none.
    """
    from hub_scripts.data.gate import ReadingOptions
    from hub_scripts.skeletons.body_frame import UP_AXES, up_axis
    from hub_scripts.skeletons.maps import find_skeleton_map

    for name, meaning in _MEANING.items():
        value = getattr(args, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise MotionLLMError(f"--{name.replace('_', '-')} is {value:g}; give {meaning}")
    start, end = getattr(args, "start", None), getattr(args, "end", None)
    for name, second in (("start", start), ("end", end)):
        if second is not None and not (math.isfinite(second) and second >= 0):
            raise MotionLLMError(f"--{name} is {second:g}; give seconds from 0 on")
    up = None if args.up is None else up_axis(args.up)
    if args.up is not None and up is None:
        raise MotionLLMError(f"--up is '{args.up}'; choose one of {', '.join(UP_AXES)}")
    return ReadingOptions(
        skeleton_map=None if args.map is None else find_skeleton_map(args.map),
        up=up,
        scale=args.scale,
        fps=args.source_fps,
        start=start,
        end=end,
        animation=args.animation,
    )
