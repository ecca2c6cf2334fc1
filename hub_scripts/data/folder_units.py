"""One unit for the files of a folder: a child's legs in one unit can be as long as an adult's in another."""

from collections.abc import Mapping
from pathlib import Path

from hub_scripts.skeletons.body_frame import common_scale, find_scale, leg_lengths
from hub_scripts.skeletons.match import SkeletonMatch, match_skeleton
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

from .bvh import Bvh, read_bvh_skeleton, rest_positions

__all__ = ["folder_scales"]


def folder_scales(files: Mapping[str, str]) -> dict[str, float]:
    """Metres per unit of files that alone would be read in another unit than the others of their skeleton and folder.

    Args:
        files: name -> path, of files whose unit nobody told. Only BVH files are looked at: others mostly say theirs.

    Returns:
        By name, without those that would be no person's size in the unit of the others.
    """
    matches: dict[tuple[str, ...], SkeletonMatch] = {}
    groups: dict[tuple[Path, tuple[str, ...]], dict[str, tuple[float, float]]] = {}  # of each its thigh and scale alone
    for name, path in files.items():
        if path.lower().endswith(".bvh"):
            try:
                skeleton = read_bvh_skeleton(path)
                names = skeleton.joint_names
                if names not in matches:
                    matches[names] = match_skeleton(names, skeleton.parents, skeleton.end_sites, path)
                thigh, shin = _legs(skeleton, matches[names])
                alone = find_scale(thigh, shin, path)[0]
            except MotionLLMError:  # it is told when the file is read
                continue
            groups.setdefault((Path(path).parent, names), {})[name] = thigh, alone
    found: dict[str, float] = {}
    for group in groups.values():
        if len({alone for _, alone in group.values()}) == 1:
            continue
        common = common_scale([thigh for thigh, _ in group.values()])
        for name, (thigh, alone) in group.items():
            if common is not None and alone != common and common_scale([thigh], (common,)) == common:
                found[name] = common
    return found


def _legs(skeleton: Bvh, match: SkeletonMatch) -> tuple[float, float]:
    """Lengths of thigh and shin at rest, in units of the file."""
    rest = rest_positions(skeleton)
    return leg_lengths(rest[[match.indices.get(joint, (0,))[0] for joint in HUMANML3D.joint_names]][None])
