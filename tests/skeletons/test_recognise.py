"""Skeletons of other programs, told by the words in their names and the shape of their tree."""

import numpy as np
import pytest

from hub_scripts.skeletons.recognise import recognise_joints
from modeling_motionllm.motion_features import HUMANML3D

_MIDDLE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
_LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")

# Names of pelvis to head, and of hip to wrist with "{}" for the side as the program spells it.
_PROGRAMS = {
    "unreal": (
        ("pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"),
        ("thigh_{}", "calf_{}", "foot_{}", "ball_{}", "clavicle_{}", "upperarm_{}", "lowerarm_{}", "hand_{}"),
        ("l", "r"),
    ),
    "biped": (
        ("Bip01 Pelvis", "Bip01 Spine", "Bip01 Spine1", "Bip01 Spine2", "Bip01 Neck", "Bip01 Head"),
        tuple(
            f"Bip01 {{}} {word}"
            for word in ("Thigh", "Calf", "Foot", "Toe0", "Clavicle", "UpperArm", "Forearm", "Hand")
        ),
        ("L", "R"),
    ),
    "rigify": (
        ("spine", "spine.001", "spine.002", "spine.003", "spine.004", "spine.006"),
        ("thigh.{}", "shin.{}", "foot.{}", "toe.{}", "shoulder.{}", "upper_arm.{}", "forearm.{}", "hand.{}"),
        ("L", "R"),
    ),
    "quaternius": (
        ("DEF-hips", "DEF-spine.001", "DEF-spine.002", "DEF-spine.003", "DEF-neck", "DEF-head"),
        (
            *("DEF-thigh.{}", "DEF-shin.{}", "DEF-foot.{}", "DEF-toe.{}"),
            *("DEF-shoulder.{}", "DEF-upper_arm.{}", "DEF-forearm.{}", "DEF-hand.{}"),
        ),
        ("L", "R"),
    ),
    "vrm": (
        tuple(f"J_Bip_C_{word}" for word in ("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head")),
        (
            *("J_Bip_{}_UpperLeg", "J_Bip_{}_LowerLeg", "J_Bip_{}_Foot", "J_Bip_{}_ToeBase"),
            *("J_Bip_{}_Shoulder", "J_Bip_{}_UpperArm", "J_Bip_{}_LowerArm", "J_Bip_{}_Hand"),
        ),
        ("L", "R"),
    ),
    "motive": (
        ("Hip", "Ab", "Ab2", "Chest", "Neck", "Head"),
        ("{}Thigh", "{}Shin", "{}Foot", "{}Toe", "{}Shoulder", "{}UArm", "{}FArm", "{}Hand"),
        ("L", "R"),
    ),
    "kinect": (
        ("SpineBase", "SpineLow", "SpineMid", "SpineShoulder", "Neck", "Head"),
        ("Hip{}", "Knee{}", "Ankle{}", "Foot{}", "Collar{}", "Shoulder{}", "Elbow{}", "Wrist{}"),
        ("Left", "Right"),
    ),
    "deepmotion": (
        ("hips_JNT", "spine_JNT", "spine1_JNT", "spine2_JNT", "neck_JNT", "head_JNT"),
        (
            *("{}_upleg_JNT", "{}_leg_JNT", "{}_foot_JNT", "{}_toebase_JNT"),
            *("{}_shoulder_JNT", "{}_arm_JNT", "{}_forearm_JNT", "{}_hand_JNT"),
        ),
        ("l", "r"),
    ),
    "mocopi": (
        ("root", "torso_1", "torso_3", "torso_5", "neck_1", "head"),
        ("{}_up_leg", "{}_low_leg", "{}_foot", "{}_toes", "{}_shoulder", "{}_up_arm", "{}_low_arm", "{}_hand"),
        ("l", "r"),
    ),
    "soma": (
        ("Hips", "Spine1", "Spine2", "Chest", "Neck1", "Head"),
        ("{}Leg", "{}Shin", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
        ("Left", "Right"),
    ),
    "acclaim": (
        ("root", "lowerback", "upperback", "thorax", "lowerneck", "head"),
        ("{}femur", "{}tibia", "{}foot", "{}toes", "{}clavicle", "{}humerus", "{}radius", "{}hand"),
        ("l", "r"),
    ),
    "small letters": (
        ("hips", "spine", "chest", "upperchest", "neck", "head"),
        (
            *("{}upperleg", "{}lowerleg", "{}foot", "{}toes"),
            *("{}shoulder", "{}upperarm", "{}lowerarm", "{}hand"),
        ),
        ("left", "right"),
    ),
}


def skeleton(program: str) -> tuple[list[str], list[int]]:
    middle, limbs, sides = _PROGRAMS[program]
    names = dict(zip(_MIDDLE, middle, strict=True))
    for side, word in zip(("left", "right"), sides, strict=True):
        names |= {f"{side}_{joint}": name.format(word) for joint, name in zip(_LIMBS, limbs, strict=True)}
    return [names[joint] for joint in HUMANML3D.joint_names], list(HUMANML3D.parents)


def in_words(found: dict[str, tuple[int, ...]]) -> dict[str, list[str]]:
    return {joint: [HUMANML3D.joint_names[index] for index in group] for joint, group in found.items()}


ALL = {joint: [joint] for joint in HUMANML3D.joint_names}


@pytest.mark.parametrize("program", _PROGRAMS)
def test_joints_of_other_programs_are_found(program: str) -> None:
    names, parents = skeleton(program)
    assert in_words(recognise_joints(names, parents)) == ALL


@pytest.mark.parametrize("program", _PROGRAMS)
def test_the_order_of_the_file_does_not_matter(program: str) -> None:
    names, parents = skeleton(program)
    order = np.random.default_rng(0).permutation(len(names))
    place = {int(old): new for new, old in enumerate(order)}
    shuffled = recognise_joints(
        [names[i] for i in order], [place[parents[i]] if parents[i] >= 0 else -1 for i in order]
    )
    assert in_words({joint: tuple(int(order[i]) for i in group) for joint, group in shuffled.items()}) == ALL


def test_control_bones_and_twists_are_not_taken() -> None:
    names, parents = skeleton("unreal")
    extra = [("root", -1), ("ik_foot_l", 0), ("thigh_twist_01_l", 1), ("ik_hand_r", 0), ("hand_l_leaf", 20)]
    for name, parent in extra:
        names.append(name)
        parents.append(parent)
    assert in_words(recognise_joints(names, parents)) == ALL


def test_a_thigh_hangs_from_a_buttock_and_a_spine_of_two_is_shared_out() -> None:
    """The Daz-friendly release of the CMU database."""
    names = ["hip", "abdomen", "chest", "neck", "head", "leftEye"]
    parents = [-1, 0, 1, 2, 3, 4]
    for side in ("r", "l"):
        for chain, start in ((("Collar", "Shldr", "ForeArm", "Hand"), 2), (("Buttock", "Thigh", "Shin", "Foot"), 0)):
            for name in chain:
                parents.append(start)
                start = len(names)
                names.append(side + name)
    found = {joint: [names[i] for i in group] for joint, group in recognise_joints(names, parents).items()}
    assert found["left_hip"] == ["lThigh"]
    assert found["right_ankle"] == ["rFoot"]
    assert found["left_collar"] == ["lCollar"]
    assert (found["spine1"], found["spine2"], found["spine3"]) == (["abdomen"], ["abdomen", "chest"], ["chest"])
    assert (found["pelvis"], found["neck"], found["head"]) == (["hip"], ["neck"], ["head"])
    assert "left_foot" not in found


def test_a_knee_that_is_not_between_hip_and_ankle_is_no_knee() -> None:
    names, parents = skeleton("unreal")
    parents[names.index("foot_l")] = names.index("pelvis")
    found = recognise_joints(names, parents)
    assert not {"left_hip", "left_knee", "left_ankle"} & found.keys()
    assert {"right_hip", "right_knee", "right_ankle"} <= found.keys()


def test_names_that_mean_nothing_find_nothing() -> None:
    assert recognise_joints([f"joint{i}" for i in range(22)], HUMANML3D.parents) == {}


def test_a_hip_joint_does_not_stand_in_for_a_thigh_of_another_name() -> None:
    names, parents = skeleton("acclaim")
    for side in ("l", "r"):
        names.append(f"{side}hipjoint")
        parents.append(0)
        parents[names.index(f"{side}femur")] = len(names) - 1
    assert in_words(recognise_joints(names, parents)) == ALL
    for side in ("l", "r"):
        names[names.index(f"{side}femur")] = f"bone {side}"
        assert "left_hip" not in recognise_joints(names, parents)
    assert {"left_knee", "right_knee"} <= recognise_joints(names, parents).keys()


def test_bones_of_several_pieces_start_at_the_first() -> None:
    """MakeHuman, and Genesis with its Bend and Twist."""
    limbs = (
        ("pelvis.L", "upperleg01.L", "upperleg02.L", "lowerleg01.L", "lowerleg02.L", "foot.L", "toe1-1.L"),
        ("clavicle.L", "shoulder01.L", "upperarm01.L", "upperarm02.L", "lowerarm01.L", "lowerarm02.L", "wrist.L"),
    )
    names, parents = ["root", "spine03", "spine01", "neck01", "head"], [-1, 0, 1, 2, 3]
    for chain, start in zip(limbs, (0, 2), strict=True):
        for side in ("L", "R"):
            above = start
            for name in chain:
                parents.append(above)
                above = len(names)
                names.append(name[:-1] + side)
    found = {joint: names[group[0]] for joint, group in recognise_joints(names, parents).items()}
    assert found["left_hip"] == "upperleg01.L"
    assert found["right_knee"] == "lowerleg01.R"
    assert (found["left_shoulder"], found["left_elbow"], found["left_wrist"]) == (
        *("upperarm01.L", "lowerarm01.L"),
        "wrist.L",
    )
    assert (found["left_collar"], found["left_foot"]) == ("shoulder01.L", "toe1-1.L")
    genesis = ["hip", "lThighBend", "lThighTwist", "lShin", "lFoot"]
    assert recognise_joints(genesis, [-1, 0, 1, 2, 3]) == {"left_hip": (1,), "left_knee": (3,), "left_ankle": (4,)}
