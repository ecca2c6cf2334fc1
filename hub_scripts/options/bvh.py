"""`--map`, `--up`, `--scale` ...: what a user can say of recordings, the same for every command that reads them."""

import argparse
import math
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["add_bvh_arguments", "bvh_options"]

_MEANING = {
    "scale": "metres per unit, such as 0.01 for centimetres",
    "source_fps": "frames per second, such as 60",
}


def add_bvh_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; `bvh_options` reads them."""
    recording = ".bvh, .amc, .glb, .gltf"
    parser.add_argument(
        "--map", metavar="MAP", help=f"{recording}: JSON file that maps its joints, or a built-in map (else found out)"
    )
    parser.add_argument("--up", choices=("y", "z"), help=f"{recording}: the axis that points up (else found out)")
    parser.add_argument(
        "--scale", type=float, metavar="M", help=f"{recording}: metres per unit, such as 0.01 (else found out)"
    )
    parser.add_argument("--animation", metavar="NAME", help=".glb, .gltf: which of its animations")
    parser.add_argument(
        "--source-fps", type=float, metavar="N", help=".bvh, .amc: its frames per second, where the file is wrong"
    )


def bvh_options(args: argparse.Namespace) -> Any:
    """The `BvhOptions` of parsed arguments.

    Raises:
        MotionLLMError: a map that cannot be read, or a number that is none.
    """
    from hub_scripts.data.retarget import BvhOptions
    from hub_scripts.skeletons.maps import find_skeleton_map

    for name, meaning in _MEANING.items():
        value = getattr(args, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise MotionLLMError(f"--{name.replace('_', '-')} is {value:g}; give {meaning}")
    return BvhOptions(
        skeleton_map=None if args.map is None else find_skeleton_map(args.map),
        up=args.up,
        scale=args.scale,
        fps=args.source_fps,
        animation=args.animation,
    )
