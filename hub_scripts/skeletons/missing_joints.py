"""Placing joints that a recorded skeleton lacks, or has in the place of another, between those that it has."""

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

from .body_frame import front_of

__all__ = ["add_missing_joints"]

_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
_INTERPOLATED = (
    *("spine1", "spine2", "spine3", "neck", "head"),
    *("left_collar", "right_collar", "left_foot", "right_foot"),
)
_SPINE = ("pelvis", "spine1", "spine2", "spine3", "neck")
_SAME_PLACE = 1e-3  # of the leg: about a millimetre

# Proportions of the SMPL body at rest.
_NECK_TO_HEAD = 0.42  # the neck, from between the shoulders to the head
_COLLAR = {"spine3": 0.35, "neck": 0.25, "shoulder": 0.40}
_TOES_AHEAD, _TOES_DOWN = 0.16, 0.07  # of the leg, from the ankle


def add_missing_joints(joints: np.ndarray, known: set[str], leg: float, name: str) -> tuple[str, ...]:
    """Fill the joints of `joints` that are not in `known`, in place.

    Spine joints go on the line between their neighbours, where the SMPL body has them; collars between spine, neck and
    shoulder; the neck between shoulders and head; the head on from spine and neck; toes before the ankle, where the
    body faces, square to the shin. A known joint of these that lies in
    the place of its neighbour in all frames is placed anew.

    Args:
        joints: (N, 22, 3), any unit.
        known: joints that are there; at least all that cannot be interpolated, and the neck or the head.
        leg: length of thigh and shin in that unit.
        name: what error messages call the file.

    Returns:
        The joints that were placed, in SMPL-22 order.

    Raises:
        MotionLLMError: joints that cannot be interpolated share one place.
    """
    known = known - _in_one_place(joints, known, _SAME_PLACE * leg, name)
    here = {joint: joints[:, index] for joint, index in _INDEX.items()}  # views
    if "neck" not in known and "head" not in known:
        raise MotionLLMError(f"'{name}' has no neck and no head of their own; name one of them in a --map")
    if "neck" not in known:
        shoulders = (here["left_shoulder"] + here["right_shoulder"]) / 2
        here["neck"][:] = shoulders + _NECK_TO_HEAD * (here["head"] - shoulders)
    _fill_spine(here, known | {"neck"})
    if "head" not in known:
        lengths = HUMANML3D.bone_lengths or ()
        reach = lengths[_INDEX["head"]] / lengths[_INDEX["neck"]]
        here["head"][:] = here["neck"] + reach * (here["neck"] - here["spine3"])
    for side in ("left", "right"):
        if f"{side}_collar" not in known:
            parts = (here["spine3"], here["neck"], here[f"{side}_shoulder"])
            here[f"{side}_collar"][:] = sum(weight * part for weight, part in zip(_COLLAR.values(), parts, strict=True))
        if f"{side}_foot" not in known:
            shin, front = here[f"{side}_ankle"] - here[f"{side}_knee"], front_of(joints)
            shin = shin / np.linalg.norm(shin, axis=-1, keepdims=True)
            ahead = front - (front * shin).sum(-1, keepdims=True) * shin
            ahead /= np.maximum(np.linalg.norm(ahead, axis=-1, keepdims=True), 1e-6)
            here[f"{side}_foot"][:] = here[f"{side}_ankle"] + leg * (_TOES_AHEAD * ahead + _TOES_DOWN * shin)
    return tuple(joint for joint in HUMANML3D.joint_names if joint not in known)


def _in_one_place(joints: np.ndarray, known: set[str], tolerance: float, name: str) -> set[str]:
    """Known joints that never leave the place of the nearest known joint above them, or of the one below."""
    same: set[str] = set()
    for joint in HUMANML3D.joint_names[1:]:
        if joint not in known:
            continue
        above = HUMANML3D.parents[_INDEX[joint]]
        while (parent := HUMANML3D.joint_names[above]) not in known - same:
            above = HUMANML3D.parents[above]
        if np.abs(joints[:, _INDEX[joint]] - joints[:, above]).max() > tolerance:
            continue
        lesser = next((entry for entry in (joint, parent) if entry in _INTERPOLATED), None)
        if lesser is None:
            raise MotionLLMError(f"'{name}' has {parent} and {joint} in one place; map them to different joints")
        same.add(lesser)
    return same


def _fill_spine(here: dict[str, np.ndarray], known: set[str]) -> None:
    lengths = HUMANML3D.bone_lengths or ()
    height = dict(zip(_SPINE, np.cumsum([0.0, *(lengths[_INDEX[joint]] for joint in _SPINE[1:])]), strict=True))
    for place, joint in enumerate(_SPINE):
        if joint in known:
            continue
        below = next(entry for entry in reversed(_SPINE[:place]) if entry in known)
        above = next(entry for entry in _SPINE[place:] if entry in known)
        share = (height[joint] - height[below]) / (height[above] - height[below])
        here[joint][:] = (1 - share) * here[below] + share * here[above]
