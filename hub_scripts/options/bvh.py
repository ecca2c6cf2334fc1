"""`--map`, `--up` and `--scale`: what a user can say of BVH files, the same for every command that reads them."""

import argparse
import math
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["add_bvh_arguments", "bvh_options"]


def add_bvh_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; `bvh_options` reads them."""
    parser.add_argument(
        "--map", metavar="MAP", help=".bvh: JSON file that maps its joints, or name of a built-in map (else found out)"
    )
    parser.add_argument("--up", choices=("y", "z"), help=".bvh: the axis that points up (else found out)")
    parser.add_argument(
        "--scale", type=float, metavar="M", help=".bvh: metres per unit, 0.01 for centimetres (else found out)"
    )


def bvh_options(args: argparse.Namespace) -> Any:
    """The `BvhOptions` of parsed arguments.

    Raises:
        MotionLLMError: a map that cannot be read, or a scale that is none.
    """
    from hub_scripts.data.retarget import BvhOptions
    from hub_scripts.skeletons.maps import find_skeleton_map

    if args.scale is not None and not (math.isfinite(args.scale) and args.scale > 0):
        raise MotionLLMError(f"--scale is {args.scale:g}; give metres per unit, such as 0.01 for centimetres")
    return BvhOptions(None if args.map is None else find_skeleton_map(args.map), args.up, args.scale)
