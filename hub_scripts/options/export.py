"""Options that the commands share for writing motions."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from modeling_motionllm.motion import Motion

__all__ = ["add_export_arguments", "check_export_arguments", "write_motion"]

# Kept here and not asked of the writers, so that --help imports nothing.
_SKELETONS, _UNITS = ("smpl", "mixamo", "cmu", "bandai"), ("cm", "m")
_TAKES = {
    "fps": (".bvh", ".glb", ".vrma", ".usd", ".usda", ".fbx", ".amass.npz", ".mp4", ".gif"),
    "skeleton": (".bvh", ".glb", ".usd", ".usda", ".fbx"),
    "units": (".bvh",),
}
_BY_OTHERS = {".usd", ".usda", ".fbx"}  # written by packages and programs that may be missing


def add_export_arguments(
    parser: argparse.ArgumentParser, fps_of: str, units: bool = False, planting: bool = True
) -> None:
    """Add --fps, --skeleton and, if wanted, --units and --plant-feet; `fps_of` is said in the help of --fps."""
    if planting:
        parser.add_argument(
            "--plant-feet", action="store_true", help="hold feet where they stand instead of letting them slide"
        )
    parser.add_argument("--fps", type=float, help=f"frames per second of {fps_of} (default: the motion's own)")
    parser.add_argument(
        "--skeleton",
        help=f"joint names in .bvh, .glb, .usd and .fbx, of {', '.join(_SKELETONS)} (default {_SKELETONS[0]})",
    )
    if units:
        parser.add_argument("--units", help=f"lengths in .bvh, {' or '.join(_UNITS)} (default {_UNITS[0]})")


def check_export_arguments(args: argparse.Namespace, suffixes: Iterable[str]) -> None:
    """Check these options before work starts.

    Raises:
        MotionLLMError: a value out of range, an option that none of the files to write takes, or a format whose package
            or program is missing.
    """
    suffixes = set(suffixes)
    if args.fps is not None and not 1 <= args.fps <= 240:
        raise MotionLLMError(f"--fps is {args.fps:g}; give 1 to 240 frames per second")
    for name, choices in (("skeleton", _SKELETONS), ("units", _UNITS)):
        value = getattr(args, name, None)
        if value is None:
            continue
        if value not in choices:
            raise MotionLLMError(f"--{name} is '{value}'; choose one of {', '.join(choices)}")
        if suffixes.isdisjoint(_TAKES[name]):
            raise MotionLLMError(f"--{name} is for {' and '.join(_TAKES[name])}, and none is written; leave it out")
    for suffix in sorted(suffixes & _BY_OTHERS):
        from hub_scripts.export import find_writer

        find_writer(suffix)


def write_motion(motion: "Motion", path: Path, args: argparse.Namespace, resample: bool = True) -> list[Path]:
    """Write a motion with those of the options in `args` that its format takes.

    Args:
        motion: what is written.
        path: the file; its suffix is the format.
        args: with fps, skeleton and units.
        resample: whether formats that have no --fps get the joints resampled to it.

    Returns:
        The files written, as `save_motion_files`.
    """
    from hub_scripts.export import check_suffix, save_motion_files

    suffix = check_suffix(path)
    given = {name: getattr(args, name) for name in _TAKES if getattr(args, name, None) is not None}
    options = {name: value for name, value in given.items() if suffix in _TAKES[name]}
    if resample and "fps" in given and "fps" not in options:
        from hub_scripts.export.shown_motion import shown_motion
        from modeling_motionllm.motion_features import HUMANML3D, resample_joints

        if motion.skeleton is HUMANML3D:
            motion = shown_motion(motion, args.fps)
        else:
            joints = resample_joints(motion.joints, motion.fps, args.fps)
            # Features belong to the model's frames; paths are those of motions with 22 joints.
            motion = replace(motion, joints=joints, fps=args.fps, features=None, root_path=None)
    return save_motion_files(motion, path, **options)
