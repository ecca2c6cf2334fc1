"""One motion under the joint names of many programs, in any axes and unit, at any rate: a writer of BVH files.

Run it (`python tests/namings.py`, with the repository on PYTHONPATH) to read the whole grid of names, axes,
units and rates back and print a table; the tests read a part of it.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hub_scripts.data.bvh import parse_bvh
from hub_scripts.data.retarget import RetargetedMotion, retarget
from hub_scripts.export.bvh import build_bvh
from hub_scripts.export.ik import solve_rotations
from hub_scripts.export.rig import Rig, RigMotion, forward_kinematics, resample_rotations
from hub_scripts.export.rotations import conjugate, from_matrix, multiply
from hub_scripts.skeletons.body_frame import to_y_up
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, resample_joints

JOINTS = HUMANML3D.joint_names
MIDDLE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")
UPS, UNITS, RATES = ("y", "z", "x"), (1.0, 0.01, 0.001), (20, 30, 60, 120)


@dataclass(frozen=True)
class Naming:
    """The joints of a program.

    Args:
        middle: names from pelvis to head, "" for what it lacks.
        limbs: names from hip to wrist, "{}" for the side; "" for what it lacks. Toes that it lacks are end sites.
        sides: how it spells left and right.
        within: further joints at the start of a bone: SMPL-22 joint at the end of it -> names.
        below: further joints that hang from one: SMPL-22 joint -> names.
    """

    middle: tuple[str, ...]
    limbs: tuple[str, ...]
    sides: tuple[str, str] = ("Left", "Right")
    within: dict[str, tuple[str, ...]] = field(default_factory=dict)
    below: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, joint: str) -> str:
        """Its name of a joint, "" if it lacks it."""
        if joint in MIDDLE:
            return self.middle[MIDDLE.index(joint)]
        side, _, part = joint.partition("_")
        return self.limbs[LIMBS.index(part)].format(self.sides[side == "right"])


_HUMANIK = ("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand")
_ANATOMY = ("{}Hip", "{}Knee", "{}Ankle", "{}Toe", "{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist")
_UNITY = ("{}UpperLeg", "{}LowerLeg", "{}Foot", "{}Toes", "{}Shoulder", "{}UpperArm", "{}LowerArm", "{}Hand")
_DAZ = ("{}Thigh", "{}Shin", "{}Foot", "", "{}Collar", "{}Shldr", "{}ForeArm", "{}Hand")


def _before(prefix: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name and prefix + name for name in names)


NAMINGS = {
    "Mixamo": Naming(
        _before("mixamorig:", ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head")),
        _before("mixamorig:", _HUMANIK),
        below={"head": ("mixamorig:HeadTop_End",), "left_wrist": ("mixamorig:LeftHandThumb1",)},
    ),
    "MotionBuilder": Naming(
        _before("Character1_", ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head")), _before("Character1_", _HUMANIK)
    ),
    "LAFAN1": Naming(("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"), (*_HUMANIK[:3], "{}Toe", *_HUMANIK[4:])),
    "Perception Neuron": Naming(
        ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"),
        (*_HUMANIK[:3], "", *_HUMANIK[4:]),
        within={"neck": ("Spine3",)},
        below={"left_wrist": ("LeftInHandIndex", "LeftInHandMiddle"), "right_wrist": ("RightInHandIndex",)},
    ),
    "CMU, MotionBuilder-friendly": Naming(
        ("Hips", "Spine", "", "Spine1", "Neck1", "Head"),
        (*_HUMANIK[:4], "", *_HUMANIK[5:]),
        within={
            **{"left_hip": ("LHipJoint",), "right_hip": ("RHipJoint",), "spine1": ("LowerBack",), "neck": ("Neck",)},
            **{"left_shoulder": ("LeftShoulder",), "right_shoulder": ("RightShoulder",)},
        },
    ),
    "CMU, Daz-friendly": Naming(
        ("hip", "abdomen", "", "chest", "neck", "head"),
        _DAZ,
        ("l", "r"),
        within={"left_hip": ("lButtock",), "right_hip": ("rButtock",)},
        below={"head": ("leftEye", "rightEye")},
    ),
    "Bandai Namco": Naming(
        ("Hips", "Spine", "", "Chest", "Neck", "Head"),
        ("UpperLeg_{}", "LowerLeg_{}", "Foot_{}", "Toes_{}", "Shoulder_{}", "UpperArm_{}", "LowerArm_{}", "Hand_{}"),
        ("L", "R"),
    ),
    "SMPL-X": Naming(MIDDLE, _before("{}_", LIMBS), ("left", "right")),
    "SMPL": Naming(
        ("Pelvis", "Spine1", "Spine2", "Spine3", "Neck", "Head"),
        _before("{}_", (part.capitalize() for part in LIMBS)),
        ("L", "R"),
    ),
    "iClone": Naming(
        _before("CC_Base_", ("Hip", "Spine01", "", "Spine02", "NeckTwist01", "Head")),
        _before(
            "CC_Base_{}_", ("Thigh", "Calf", "Foot", "ToeBase", "Clavicle", "Upperarm", "Forearm", "Hand")
        ),
        ("L", "R"),
        within={"spine1": ("CC_Base_Waist",), "left_elbow": ("CC_Base_L_UpperarmTwist01",)},
        below={"head": ("CC_Base_FacialBone",)},
    ),
    "Xsens, by joints": Naming(("Hips", "Chest", "Chest2", "Chest4", "Neck", "Head"), _ANATOMY),
    "Xsens, with numbers": Naming(
        ("Pelvis", "L5", "L3", "T8", "Neck", "Head"),
        (*("{}UpperLeg", "{}LowerLeg", "{}Foot", "{}Toe"), *("{}Shoulder", "{}UpperArm", "{}ForeArm", "{}Hand")),
        within={"spine3": ("T12",)},
    ),
    "Unity Humanoid": Naming(("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head"), _UNITY),
    "VRM": Naming(
        ("hips", "spine", "chest", "upperChest", "neck", "head"),
        _UNITY,
        ("left", "right"),
        below={"head": ("leftEye", "rightEye", "jaw")},
    ),
    "VRoid": Naming(
        _before("J_Bip_C_", ("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head")),
        _before(
            "J_Bip_{}_", ("UpperLeg", "LowerLeg", "Foot", "ToeBase", "Shoulder", "UpperArm", "LowerArm", "Hand")
        ),
        ("L", "R"),
        below={"head": ("J_Sec_Hair1_01", "J_Adj_L_FaceEye"), "spine3": ("J_Sec_L_Bust1",)},
    ),
    "Unreal": Naming(
        ("pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"),
        ("thigh_{}", "calf_{}", "foot_{}", "ball_{}", "clavicle_{}", "upperarm_{}", "lowerarm_{}", "hand_{}"),
        ("l", "r"),
        below={"left_hip": ("thigh_twist_01_l",), "pelvis": ("ik_foot_root",), "left_elbow": ("lowerarm_twist_01_l",)},
    ),
    "3ds Max Biped": Naming(
        _before("Bip01 ", ("Pelvis", "Spine", "Spine1", "Spine2", "Neck", "Head")),
        _before("Bip01 {} ", ("Thigh", "Calf", "Foot", "Toe0", "Clavicle", "UpperArm", "Forearm", "Hand")),
        ("L", "R"),
        below={"left_wrist": ("Bip01 L Finger0",), "head": ("Bip01 HeadNub",)},
    ),
    "DAZ Genesis 8": Naming(
        ("hip", "abdomenLower", "abdomenUpper", "chestLower", "neckLower", "head"),
        ("{}ThighBend", "{}Shin", "{}Foot", "{}Toe", "{}Collar", "{}ShldrBend", "{}ForearmBend", "{}Hand"),
        ("l", "r"),
        within={
            **{"left_hip": ("pelvis",), "head": ("neckUpper",), "left_knee": ("lThighTwist",)},
            **{"left_elbow": ("lShldrTwist",), "left_wrist": ("lForearmTwist",), "left_foot": ("lMetatarsals",)},
        },
        below={"spine3": ("lPectoral", "rPectoral")},
    ),
    "DAZ Genesis 9": Naming(
        ("hip", "spine1", "spine2", "spine3", "neck1", "head"),
        ("{}_thigh", "{}_shin", "{}_foot", "{}_toes", "{}_shoulder", "{}_upperarm", "{}_forearm", "{}_hand"),
        ("l", "r"),
        within={"neck": ("spine4",), "head": ("neck2",), "left_knee": ("l_thightwist1",)},
    ),
    "Poser, Second Life": Naming(("hip", "abdomen", "", "chest", "neck", "head"), _DAZ, ("l", "r")),
    "Second Life, Bento": Naming(
        _before("m", ("Pelvis", "Spine1", "Torso", "Chest", "Neck", "Head")),
        _before(
            "m", ("Hip{}", "Knee{}", "Ankle{}", "Toe{}", "Collar{}", "Shoulder{}", "Elbow{}", "Wrist{}")
        ),
        below={"head": ("mEyeLeft", "mEyeRight", "mSkull")},
    ),
    "Rokoko": Naming(
        ("Hips", "Spine1", "Spine2", "Spine3", "Neck", "Head"),
        ("{}Thigh", "{}Shin", "{}Foot", "{}Toe", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
    ),
    "SOMA": Naming(
        ("Hips", "Spine1", "Spine2", "Chest", "Neck1", "Head"),
        ("{}Leg", "{}Shin", "{}Foot", "{}ToeBase", "{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand"),
        within={"head": ("Neck2",)},
        below={"head": ("Jaw", "LeftEye", "RightEye"), "left_wrist": ("LeftHandThumbEnd", "LeftHandMiddleEnd")},
    ),
    "Biovision": Naming(
        ("Hips", "", "", "Chest", "Neck", "Head"),
        ("{}UpLeg", "{}LowLeg", "{}Foot", "", "{}Collar", "{}UpArm", "{}LowArm", "{}Hand"),
    ),
    "Biovision, by joints": Naming(("Hips", "Chest", "", "Chest2", "Neck", "Head"), (*_ANATOMY[:3], "", *_ANATOMY[4:])),
    "Motive": Naming(
        ("Hip", "Ab", "", "Chest", "Neck", "Head"),
        ("{}Thigh", "{}Shin", "{}Foot", "{}Toe", "{}Shoulder", "{}UArm", "{}FArm", "{}Hand"),
        ("L", "R"),
    ),
    "ASF, HDM05": Naming(
        ("root", "upperback", "", "thorax", "upperneck", "head"),
        ("{}femur", "{}tibia", "{}foot", "{}toes", "", "{}humerus", "{}radius", "{}hand"),
        ("l", "r"),
        within={
            **{"left_hip": ("lhipjoint",), "right_hip": ("rhipjoint",), "spine1": ("lowerback",)},
            **{"neck": ("lowerneck",), "left_shoulder": ("lclavicle",), "right_shoulder": ("rclavicle",)},
            **{"left_wrist": ("lwrist",), "right_wrist": ("rwrist",)},
        },
        below={"left_wrist": ("lfingers", "lthumb"), "right_wrist": ("rfingers", "rthumb")},
    ),
    "ASF, bones as joints": Naming(
        ("root", "lowerback", "upperback", "thorax", "lowerneck", "head"),
        ("{}femur", "{}tibia", "{}foot", "{}toes", "{}clavicle", "{}humerus", "{}radius", "{}wrist"),
        ("l", "r"),
    ),
    "Rigify": Naming(
        ("spine", "spine.001", "spine.002", "spine.003", "spine.004", "spine.006"),
        ("thigh.{}", "shin.{}", "foot.{}", "toe.{}", "shoulder.{}", "upper_arm.{}", "forearm.{}", "hand.{}"),
        ("L", "R"),
        within={"head": ("spine.005",), "left_hip": ("pelvis.L",), "right_hip": ("pelvis.R",)},
        below={"left_ankle": ("heel.02.L",), "spine3": ("breast.L", "breast.R")},
    ),
    "Rigify, deforming bones": Naming(
        _before("DEF-", ("spine", "spine.001", "spine.002", "spine.003", "spine.004", "spine.006")),
        _before(
            "DEF-",
            ("thigh.{}", "shin.{}", "foot.{}", "toe.{}", "shoulder.{}", "upper_arm.{}", "forearm.{}", "hand.{}"),
        ),
        ("L", "R"),
        within={"left_knee": ("DEF-thigh.L.001",), "right_wrist": ("DEF-forearm.R.001",)},
    ),
    "DeepMotion": Naming(
        _before("", ("hips_JNT", "spine_JNT", "spine1_JNT", "spine2_JNT", "neck_JNT", "head_JNT")),
        (
            *("{}_upleg_JNT", "{}_leg_JNT", "{}_foot_JNT", "{}_toebase_JNT"),
            *("{}_shoulder_JNT", "{}_arm_JNT", "{}_forearm_JNT", "{}_hand_JNT"),
        ),
        ("l", "r"),
    ),
    "iPi": Naming(
        ("Hip", "LowerSpine", "MiddleSpine", "Chest", "Neck", "Head"),
        ("{}Thigh", "{}Shin", "{}Foot", "{}Toe", "{}Clavicle", "{}Shoulder", "{}Forearm", "{}Hand"),
        ("L", "R"),
    ),
    "MakeHuman": Naming(
        ("root", "spine05", "spine03", "spine01", "neck01", "head"),
        (
            *("upperleg01.{}", "lowerleg01.{}", "foot.{}", "toe1-1.{}"),
            *("clavicle.{}", "upperarm01.{}", "lowerarm01.{}", "wrist.{}"),
        ),
        ("L", "R"),
        within={
            **{"left_hip": ("pelvis.L",), "right_hip": ("pelvis.R",), "left_knee": ("upperleg02.L",)},
            **{"left_shoulder": ("shoulder01.L",), "right_shoulder": ("shoulder01.R",), "head": ("neck02",)},
            **{"spine2": ("spine04",), "spine3": ("spine02",), "left_wrist": ("lowerarm02.L",)},
        },
        below={"left_ankle": ("toe2-1.L", "toe3-1.L"), "head": ("jaw", "eye.L", "eye.R")},
    ),
    "Kinect": Naming(
        ("SpineBase", "SpineMid", "", "SpineShoulder", "Neck", "Head"),
        ("Hip{}", "Knee{}", "Ankle{}", "Foot{}", "", "Shoulder{}", "Elbow{}", "Wrist{}"),
        below={"left_wrist": ("HandLeft", "ThumbLeft"), "right_wrist": ("HandRight",)},
    ),
    "Azure Kinect": Naming(
        ("PELVIS", "SPINE_NAVEL", "", "SPINE_CHEST", "NECK", "HEAD"),
        ("HIP_{}", "KNEE_{}", "ANKLE_{}", "FOOT_{}", "CLAVICLE_{}", "SHOULDER_{}", "ELBOW_{}", "WRIST_{}"),
        ("LEFT", "RIGHT"),
        below={"head": ("NOSE", "EYE_LEFT", "EAR_RIGHT"), "left_wrist": ("HAND_LEFT", "HANDTIP_LEFT")},
    ),
    "Human3.6M": Naming(
        ("Hip", "Spine", "", "Thorax", "Neck", "Head"),
        ("{}Hip", "{}Knee", "{}Foot", "", "", "{}Shoulder", "{}Elbow", "{}Wrist"),
        ("L", "R"),
    ),
    "video2bvh": Naming(
        ("Hip", "Spine", "", "Thorax", "Neck", "Head"),
        ("{}Hip", "{}Knee", "{}Ankle", "", "", "{}Shoulder", "{}Elbow", "{}Wrist"),
    ),
    "FreeMoCap": Naming(
        ("pelvis", "spine", "", "spine.001", "neck", ""),
        ("thigh.{}", "shin.{}", "foot.{}", "", "shoulder.{}", "upper_arm.{}", "forearm.{}", "hand.{}"),
        ("L", "R"),
        within={"left_hip": ("pelvis.L",), "right_hip": ("pelvis.R",)},
        below={"neck": ("face",), "left_ankle": ("heel.02.L",), "right_ankle": ("heel.02.R",)},
    ),
    "mocopi": Naming(
        ("root", "torso_1", "torso_3", "torso_5", "neck_1", "head"),
        ("{}_up_leg", "{}_low_leg", "{}_foot", "{}_toes", "{}_shoulder", "{}_up_arm", "{}_low_arm", "{}_hand"),
        ("l", "r"),
        within={"spine2": ("torso_2",), "spine3": ("torso_4",), "neck": ("torso_6", "torso_7"), "head": ("neck_2",)},
    ),
    "Advanced Skeleton": Naming(
        _before("", ("Root_M", "Spine1_M", "Spine2_M", "Chest_M", "Neck_M", "Head_M")),
        ("Hip_{}", "Knee_{}", "Ankle_{}", "Toes_{}", "Scapula_{}", "Shoulder_{}", "Elbow_{}", "Wrist_{}"),
        ("L", "R"),
        within={"left_elbow": ("ShoulderPart1_L",), "right_elbow": ("ShoulderPart1_R",)},
    ),
    "MMD": Naming(
        ("下半身", "上半身", "", "上半身2", "首", "頭"),
        ("{}足", "{}ひざ", "{}足首", "{}つま先", "{}肩", "{}腕", "{}ひじ", "{}手首"),
        ("左", "右"),
        below={"head": ("両目", "左目", "右目"), "left_wrist": ("左親指1",)},
    ),
}  # fmt: skip


def named(motion: RigMotion, naming: Naming) -> tuple[RigMotion, dict[str, int]]:
    """A motion of our own rig on that of a program, and which of its joints the SMPL-22 joints are that it keeps."""
    rig = motion.rig
    kept = [index for index, joint in enumerate(JOINTS) if naming.of(joint)]
    names: list[str] = []
    parents: list[int] = []
    offsets: list[np.ndarray] = []
    turns: list[np.ndarray] = []
    tips: list[np.ndarray] = []
    place: dict[int, int] = {}
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(motion.rotations), 1))

    def add(name: str, parent: int, offset: np.ndarray, turn: np.ndarray, tip: np.ndarray) -> int:
        for values, value in zip(
            (names, parents, offsets, turns, tips), (name, parent, offset, turn, tip), strict=True
        ):
            values.append(value)  # type: ignore[attr-defined]
        return len(names) - 1

    for joint in kept:
        above, offset, turn = rig.parents[joint], rig.offsets[joint], motion.rotations[:, joint]
        while above >= 0 and above not in kept:  # of what is left out the bone goes on; its turn goes to what follows
            offset, turn = rig.offsets[above] + offset, multiply(motion.rotations[:, above], turn)
            above = rig.parents[above]
        parent = place.get(above, -1)
        for extra in naming.within.get(JOINTS[joint], ()):
            parent = add(extra, parent, np.zeros(3) + 1e-9, still, np.zeros(3))
        tip = rig.offsets[joint + 3] if JOINTS[joint].endswith("ankle") and joint + 3 not in kept else rig.tips[joint]
        place[joint] = add(naming.of(JOINTS[joint]), parent, offset, turn, tip)
    for joint in kept:
        for extra in naming.below.get(JOINTS[joint], ()):
            add(extra, place[joint], np.array([0.01, 0.02, -0.03]), still, np.full(3, 0.01))
    whole = Rig(tuple(names), tuple(parents), np.array(offsets), np.array(tips), rig.smpl_rest, rig.carriers)
    return replace(motion, rig=whole, rotations=np.stack(turns, axis=1)), {
        JOINTS[joint]: index for joint, index in place.items()
    }


def in_axes(motion: RigMotion, up: str, unit: float) -> RigMotion:
    """A motion in axes of which `up` points up, in a unit of so many metres."""
    turn = to_y_up(np.eye(3), up).T / unit
    around = from_matrix(to_y_up(np.eye(3), up).T.T)
    rig = replace(motion.rig, offsets=motion.rig.offsets @ turn, tips=motion.rig.tips @ turn)
    rotations = multiply(multiply(around, motion.rotations), conjugate(around))
    return replace(motion, rig=rig, root_positions=motion.root_positions @ turn, rotations=rotations)


@dataclass(frozen=True)
class Written:
    """A file, and what it should be read as: joints (T, 22, 3), of which those in `known` are in it."""

    data: bytes
    joints: np.ndarray
    known: frozenset[str]


def write(motion: RigMotion, naming: Naming, up: str, unit: float, fps: float) -> Written:
    """One motion as a BVH file of a program."""
    at_rate = resample_rotations(motion, fps)
    theirs, places = named(at_rate, naming)
    joints, moved = forward_kinematics(at_rate), forward_kinematics(theirs)
    for joint, place in places.items():
        joints[:, JOINTS.index(joint)] = moved[:, place]
    text = build_bvh(in_axes(theirs, up, unit), units="m")
    return Written(text.encode(), np.asarray(resample_joints(joints, fps, 20)), frozenset(places))


def off_by(read: RetargetedMotion, written: Written) -> float:
    """Metres between joints of the file and where they should be, at worst."""
    if read.joints.shape != written.joints.shape:
        return float("inf")
    known = [index for index, joint in enumerate(JOINTS) if joint in written.known]
    return float(np.linalg.norm(read.joints - written.joints, axis=-1)[:, known].max())


def recorded() -> RigMotion:
    """A walk of the fixtures on fixed bones."""
    joints = np.load(Path(__file__).parent / "fixtures" / "bandai" / "expected_joints.npz")
    return solve_rotations(joints["dataset-1_walk_normal_002"], 20)


def grid() -> Iterator[tuple[str, str, float, int]]:
    """Names, up axis, unit and rate of all files."""
    return ((name, up, unit, rate) for name in NAMINGS for up in UPS for unit in UNITS for rate in RATES)


def main() -> int:
    """Read the whole grid and print what came of it; 1 if a file was read wrongly."""
    motion, wrong = recorded(), 0
    print(f"{'names':28}  right  refused  wrong   worst of the right ones")
    for name, naming in NAMINGS.items():
        counts, worst, told = Counter[str](), 0.0, set[str]()
        for _, up, unit, rate in filter(lambda entry: entry[0] == name, grid()):
            written = write(motion, naming, up, unit, rate)
            try:
                off = off_by(retarget(parse_bvh(written.data, "clip.bvh"), "clip.bvh"), written)
            except MotionLLMError as error:
                counts["refused"] += 1
                told.add(str(error)[:140])
                continue
            counts["right" if off < 1e-3 else "wrong"] += 1
            worst = max(worst, off if off < 1e-3 else 0.0)
            if off >= 1e-3:
                told.add(f"{up} {unit:g} {rate}: off by {1000 * off:.0f} mm")
        wrong += counts["wrong"]
        print(f"{name:28} {counts['right']:6} {counts['refused']:8} {counts['wrong']:6}   {1000 * worst:.3f} mm")
        for line in sorted(told):
            print(f"    {line}")
    print(f"{len(NAMINGS)} namings, {sum(1 for _ in grid())} files, {wrong} read wrongly")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
