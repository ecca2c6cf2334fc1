"""Which joints of a recorded skeleton are which of the 22: the built-in maps, and maps from a user's JSON file."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion_features import HUMANML3D

from .body_frame import up_axis

__all__ = ["BUILT_IN_MAPS", "SkeletonMap", "find_skeleton_map", "read_skeleton_map", "write_map_template"]

_MIDDLE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
_LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")

_Sources = str | tuple[str, ...] | None


@dataclass(frozen=True)
class SkeletonMap:
    """Where each of the 22 joints is taken from.

    Args:
        name: what messages call it.
        joints: SMPL-22 joint -> names of the recorded joints whose mean position it is, usually one. Joints that are
            not there are interpolated where that can be done.
        up: one of `UP_AXES`; None to find out.
        metres_per_unit: 0.01 for centimetres; None to find out from the legs.
        left_handed: the file's axes are left-handed; x is turned round.
        signature: joints that tell this skeleton from others of the same names; needed for it to be recognised.
    """

    name: str
    joints: Mapping[str, tuple[str, ...]]
    up: str | None = None
    metres_per_unit: float | None = None
    left_handed: bool = False
    signature: tuple[str, ...] = ()


def _built_in(
    name: str, sides: tuple[str, str], middle: Sequence[_Sources], limbs: Sequence[str | None], **facts: Any
) -> SkeletonMap:
    """A map from `middle` (pelvis to head) and `limbs` (hip to wrist, `{}` for the word of the side)."""
    joints = dict(zip(_MIDDLE, middle, strict=True))
    for side, word in zip(("left", "right"), sides, strict=True):
        for joint, template in zip(_LIMBS, limbs, strict=True):
            joints[f"{side}_{joint}"] = template and template.format(word)
    found = {joint: (source,) if isinstance(source, str) else source for joint, source in joints.items() if source}
    return SkeletonMap(name, found, **facts)


_HUMANIK_LEG = ("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase")
_ANATOMY = ("{}Hip", "{}Knee", "{}Ankle", "{}Toe", "{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist")
_HUMANIK_ARM = ("{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand")

# The order decides where two fit equally well.
BUILT_IN_MAPS: dict[str, SkeletonMap] = {
    entry.name: entry
    for entry in (
        _built_in(
            "bandai",
            ("L", "R"),
            ("Hips", "Spine", ("Spine", "Chest"), "Chest", "Neck", "Head"),
            (
                *("UpperLeg_{}", "LowerLeg_{}", "Foot_{}", "Toes_{}"),
                *("Shoulder_{}", "UpperArm_{}", "LowerArm_{}", "Hand_{}"),
            ),
        ),
        # Hahne's conversion of the CMU database: Neck, LeftShoulder and RightShoulder lie in the place of Spine1.
        _built_in(
            "cmu",
            ("Left", "Right"),
            ("Hips", "Spine", ("Spine", "Spine1"), "Spine1", "Neck1", "Head"),
            (*_HUMANIK_LEG, None, *_HUMANIK_ARM[1:]),
            signature=("LowerBack", "Neck1", "LHipJoint"),
        ),
        # Our own .bvh files with CMU's names: every joint has a place of its own.
        _built_in(
            "cmu22",
            ("Left", "Right"),
            ("Hips", "LowerBack", "Spine", "Spine1", "Neck1", "Head"),
            (*_HUMANIK_LEG, *_HUMANIK_ARM),
            signature=("LowerBack", "Neck1"),
        ),
        # CMU's own ASF files: the forearm is two bones, and the collars start in the place of the neck's first bone.
        _built_in(
            "acclaim",
            ("l", "r"),
            ("root", "upperback", ("upperback", "thorax"), "thorax", "upperneck", "head"),
            ("{}femur", "{}tibia", "{}foot", "{}toes", None, "{}humerus", "{}radius", "{}hand"),
            signature=("lhipjoint", "lowerback", "lclavicle"),
        ),
        _built_in(
            "iclone",
            ("L", "R"),
            (
                "CC_Base_Hip",
                "CC_Base_Spine01",
                ("CC_Base_Spine01", "CC_Base_Spine02"),
                *("CC_Base_Spine02", "CC_Base_NeckTwist01", "CC_Base_Head"),
            ),
            (
                *("CC_Base_{}_Thigh", "CC_Base_{}_Calf", "CC_Base_{}_Foot", "CC_Base_{}_ToeBase"),
                *("CC_Base_{}_Clavicle", "CC_Base_{}_Upperarm", "CC_Base_{}_Forearm", "CC_Base_{}_Hand"),
            ),
        ),
        _built_in(
            "mixamo",
            ("Left", "Right"),
            ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"),
            (*_HUMANIK_LEG, *_HUMANIK_ARM),
        ),
        # MotionBuilder's names as in LAFAN1.
        _built_in(
            "lafan1",
            ("Left", "Right"),
            ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"),
            (*_HUMANIK_LEG[:3], "{}Toe", *_HUMANIK_ARM),
        ),
        # Our own .bvh files, and SMPL-X.
        _built_in(
            "smpl22",
            ("left", "right"),
            ("pelvis", "spine1", "spine2", "spine3", "neck", "head"),
            tuple(f"{{}}_{joint}" for joint in _LIMBS),
        ),
        _built_in(
            "smpl",
            ("L", "R"),
            ("Pelvis", "Spine1", "Spine2", "Spine3", "Neck", "Head"),
            tuple(f"{{}}_{joint.capitalize()}" for joint in _LIMBS),
        ),
        _built_in(
            "mmd",
            ("左", "右"),
            ("下半身", "上半身", ("上半身", "上半身2"), "上半身2", "首", "頭"),
            ("{}足", "{}ひざ", "{}足首", "{}つま先", "{}肩", "{}腕", "{}ひじ", "{}手首"),
        ),
        _built_in(
            "xsens",
            ("Left", "Right"),
            ("Hips", "Chest", "Chest2", "Chest4", "Neck", "Head"),
            _ANATOMY,
        ),
        _built_in(
            "biovision", ("Left", "Right"), ("Hips", "Chest", ("Chest", "Chest2"), "Chest2", "Neck", "Head"), _ANATOMY
        ),
    )
}


def find_skeleton_map(name: str) -> SkeletonMap:
    """The built-in map of that name, or the map in that JSON file.

    Raises:
        MotionLLMError: neither, or a file that `read_skeleton_map` refuses.
    """
    if name in BUILT_IN_MAPS:
        return BUILT_IN_MAPS[name]
    if not Path(name).is_file():
        raise MotionLLMError(
            f"--map '{name}' is neither a file nor one of the built-in maps ({', '.join(BUILT_IN_MAPS)})"
        )
    return read_skeleton_map(name)


def read_skeleton_map(path: str | os.PathLike[str]) -> SkeletonMap:
    """Read a map as `write_map_template` lays it out.

    `joints` names for each of the 22 joints the joint of the file, or a list of joints whose mean position is taken;
    an empty string or a missing entry leaves it to be interpolated. `up` (one of `UP_AXES`), `metres_per_unit` and
    `left_handed` are optional.

    Raises:
        MotionLLMError: no readable JSON, or an entry that means nothing.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise MotionLLMError(f"cannot read the map '{path}' ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:
        raise MotionLLMError(f"the map '{path}' is not JSON ({error}); see docs/own_data.md for an example") from error
    if not isinstance(content, dict) or not isinstance(content.get("joints"), dict):
        raise MotionLLMError(f"the map '{path}' has no object 'joints'; see docs/own_data.md for an example")
    unknown = sorted(content.keys() - {"joints", "up", "metres_per_unit", "left_handed", "joints_of_the_file"})
    if unknown:
        raise MotionLLMError(f"the map '{path}' has unknown entries: {', '.join(unknown)}")
    joints: dict[str, tuple[str, ...]] = {}
    for joint, given in content["joints"].items():
        if joint not in HUMANML3D.joint_names:
            known = ", ".join(HUMANML3D.joint_names)
            raise MotionLLMError(f"the map '{path}' maps to '{joint}', which is none of the 22 joints: {known}")
        sources = given if isinstance(given, list) else [given] if given else []
        if not all(isinstance(source, str) and source for source in sources):
            raise MotionLLMError(f"the map '{path}' gives {given!r} for {joint}; give a name, or a list of names")
        if sources:
            joints[joint] = tuple(sources)
    up, scale, left_handed = content.get("up"), content.get("metres_per_unit"), content.get("left_handed", False)
    axis = None if up is None else up_axis(str(up))
    if up is not None and axis is None:
        raise MotionLLMError(f"the map '{path}' has up {up!r}; give 'y', 'z', 'x', '-y', '-z', '-x' or null")
    if scale is not None and (
        isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or scale <= 0
    ):
        raise MotionLLMError(f"the map '{path}' has metres_per_unit {scale!r}; give a positive number or null")
    if not isinstance(left_handed, bool):
        raise MotionLLMError(f"the map '{path}' has left_handed {left_handed!r}; give true or false")
    return SkeletonMap(Path(path).name, joints, axis, None if scale is None else float(scale), left_handed)


def write_map_template(path: Path, joints: Mapping[str, Sequence[str]], joint_names: Sequence[str]) -> None:
    """Write a map to be completed by hand.

    Args:
        path: the JSON file.
        joints: what is known of it already; the others of the 22 are left empty.
        joint_names: all joints of the file, listed to choose from.
    """
    filled: dict[str, str | list[str]] = {}
    for joint in HUMANML3D.joint_names:
        sources = list(joints.get(joint, ()))
        filled[joint] = sources if len(sources) > 1 else "".join(sources)
    content = {
        "joints": filled,
        "up": None,
        "metres_per_unit": None,
        "left_handed": False,
        "joints_of_the_file": list(joint_names),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
