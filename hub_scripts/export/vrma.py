"""Writing a motion as VRM animation (.vrma): a glTF file that says which node is which bone of a human.

Specification: VRMC_vrm_animation 1.0 of the VRM Consortium.
"""

import os
from pathlib import Path

from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion

from .glb import GltfAsset, add_animations, add_skeleton, clip_name
from .rig import RigMotion
from .shown_motion import one_person, solve_people

__all__ = ["build_vrma", "save_vrma"]

_MIDDLE = {"hips": 0, "spine": 3, "chest": 6, "upperChest": 9, "neck": 12, "head": 15}
_SIDES = {
    **{"UpperLeg": 1, "LowerLeg": 4, "Foot": 7, "Toes": 10},
    **{"Shoulder": 13, "UpperArm": 16, "LowerArm": 18, "Hand": 20},
}
# VRM's bones: the joint of SMPL-22; right joints come after left ones.
_BONES = {
    **_MIDDLE,
    **{f"left{bone}": joint for bone, joint in _SIDES.items()},
    **{f"right{bone}": joint + 1 for bone, joint in _SIDES.items()},
}


def build_vrma(motion: RigMotion, caption: str | None = None) -> bytes:
    """The bytes of a .vrma file.

    Args:
        motion: one person, on the rig of 22 joints.
        caption: what it shows; the animation is named after it.
    """
    asset = GltfAsset()
    height = -float(motion.rig.rest_positions[:, 1].min())  # programs scale the way of the hips by their rest height
    armature, nodes = add_skeleton(asset, motion, "motion", height)
    add_animations(asset, [motion], [nodes], clip_name(caption))
    asset.add("scenes", {"nodes": [armature]})
    bones = {bone: {"node": nodes[joint]} for bone, joint in _BONES.items()}
    return asset.to_bytes({"VRMC_vrm_animation": {"specVersion": "1.0", "humanoid": {"humanBones": bones}}})


def save_vrma(
    motion: Motion, path: str | os.PathLike[str], *, person: int | None = None, fps: float | None = None
) -> Path:
    """Write one person of a motion as VRM animation, for avatars in VRM; equal motions give equal bytes.

    Args:
        motion: what to write.
        path: ends in `.vrma`.
        person: which one, from 0; needed where there are several.
        fps: key frames per second; the motion's own if None, else rotations are interpolated.

    Returns:
        The path.

    Raises:
        MotionLLMError: bad options, joints that no skeleton can follow, or the file cannot be written.
    """
    path = Path(path)
    data = build_vrma(solve_people(one_person(motion, person, path.name), fps)[0], motion.caption)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return path
