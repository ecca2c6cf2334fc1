"""Motions written with the quirks of real programs, and what is right for each: a generator of odd files.

It covers, by kind:

- text of BVH files: encodings, marks, line ends, ends of files, numbers as other countries write them, keywords, what
  end sites and channels say too much, frames that are no numbers;
- rates: rounded and cut off frame times, those of film and television, none;
- frames: padding by zeros, NaN and normalised zeros, lost frames and joints, rest poses, jumps;
- arrays: types, orders of axes, bodies of cameras, people before and behind frames, samples of one person, units, axes,
  tilted and mirrored worlds, joints scaled apart, keys of rates;
- features: normalised, with statistics in several places, transposed, with axes of one entry;
- tables of sentences: encodings, delimiters, cases and blanks of headers, cells that are empty, too many or of several
  lines, invisible letters, line ends within strings, texts of HumanML3D, heads without a table, spreadsheets;
- names: namespaces, what all names begin or end with, their cases, separators and numbers, skeletons beyond those of
  `namings.py`, spines of more joints.

Each is right if it is read as the same joints to a millimetre, with a line about what was put right, or is refused in
one line. `python tests/quirks.py` (with the repository on PYTHONPATH) tries them all and prints a table.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bvh_writer import NAMES, bvh_bytes

from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.motion_files import load_motion
from hub_scripts.generation.prompts import Prompt
from hub_scripts.skeletons.body_frame import UP_AXES, to_y_up
from hub_scripts.skeletons.numbered_bodies import NUMBERED_BODIES
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import features_to_joints, joints_to_features, resample_joints

__all__ = ["Quirk", "all_quirks", "all_tables", "try_quirk"]

INDEX = {joint: index for index, joint in enumerate(NAMES)}
OWN = {joint: joint for joint in NAMES}
_CLIPS = np.load(Path(__file__).parent / "fixtures" / "bandai" / "expected_joints.npz")
WALK = _CLIPS["dataset-1_walk_normal_002"].astype(np.float64)
_MIDDLE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
_LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")


@dataclass(frozen=True)
class Quirk:
    """An odd file.

    Args:
        name: of the quirk.
        file: its name.
        content: bytes, an array of an `.npy`, or the arrays of an `.npz`.
        joints: what is right at 20 fps, (T, 22, 3) or (P, T, 22, 3); None where it is to be refused.
        said: pattern of what is to be said of it, or why it is refused.
        known: joints that are in the file.
        options: of `ReadingOptions`.
        beside: further files of its folder, by name.
    """

    name: str
    file: str
    content: Any
    joints: np.ndarray | None
    said: str = ""
    known: tuple[str, ...] = NAMES
    options: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)


def try_quirk(quirk: Quirk, folder: Path) -> tuple[str, str]:
    """What comes of a file: "right", "refused", or what is wrong with it; and what was said."""
    for name, content in {quirk.file: quirk.content, **quirk.beside}.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        elif isinstance(content, dict):
            np.savez(folder / name, **content)
        else:
            np.save(folder / name, content)
    lines: list[str] = []
    try:
        motion = load_motion(folder / quirk.file, ReadingOptions(**quirk.options), lines.append)
    except MotionLLMError as error:
        said = str(error).replace(f"{folder}/", "")
        clear = quirk.file in said and "\n" not in said and re.search(quirk.said, said)
        return "refused" if clear else "refused unclearly", said
    said = " | ".join(lines).replace(f"{folder}/", "")
    if quirk.joints is None:
        return "read, and should not be", said
    joints = np.asarray(resample_joints(motion.joints, motion.fps, 20))
    if joints.shape != quirk.joints.shape:
        return f"of shape {joints.shape}, not {quirk.joints.shape}", said
    known = [INDEX[joint] for joint in quirk.known]
    off = float(np.linalg.norm(joints - quirk.joints, axis=-1)[..., known].max())
    if off >= 1e-3:
        return f"off by {1000 * off:.1f} mm", said
    return "right" if re.search(quirk.said, said) else "right, and not said", said


def all_quirks() -> Iterator[Quirk]:
    """All quirks, each with a name of its own."""
    yield from _texts()
    yield from _rates()
    yield from _names()
    yield from _frames()
    yield from _arrays()
    yield from _keys()
    yield from _features()


def _bvh(joints: np.ndarray = WALK, names: dict[str, str] | None = None, **options: Any) -> bytes:
    return bvh_bytes(joints, names or OWN, **{"unit": 0.01, **options})


def _at(fps: float) -> tuple[np.ndarray, np.ndarray]:
    """The walk at another rate, and what it is when it is read at 20 fps again."""
    written = np.asarray(resample_joints(WALK, 20, fps))
    return written, np.asarray(resample_joints(written, fps, 20))


def _program(middle: str, limbs: str, sides: str = "Left Right") -> dict[str, str]:
    """Joint names from words from pelvis to head and from hip to wrist, "-" for what is not there."""
    names = dict(zip(_MIDDLE, middle.split(), strict=True))
    for side, word in zip(("left", "right"), sides.split(), strict=True):
        names |= {f"{side}_{joint}": name.format(word) for joint, name in zip(_LIMBS, limbs.split(), strict=True)}
    return {joint: name for joint, name in names.items() if name != "-"}


HUMANIK = _program(
    "Hips Spine Spine1 Spine2 Neck Head", "{}UpLeg {}Leg {}Foot {}ToeBase {}Shoulder {}Arm {}ForeArm {}Hand"
)
UNITY = _program(
    "Hips Spine Chest UpperChest Neck Head",
    "{}UpperLeg {}LowerLeg {}Foot {}Toes {}Shoulder {}UpperArm {}LowerArm {}Hand",
)
UNREAL = _program(
    "pelvis spine_01 spine_02 spine_03 neck_01 head",
    "thigh_{} calf_{} foot_{} ball_{} clavicle_{} upperarm_{} lowerarm_{} hand_{}",
    "l r",
)
MMD = _program("下半身 上半身 - 上半身2 首 頭", "{}足 {}ひざ {}足首 {}つま先 {}肩 {}腕 {}ひじ {}手首", "左 右")


def _texts() -> Iterator[Quirk]:
    plain = _bvh()
    head, rows = plain.split(b"MOTION\n")
    text = plain.decode()
    lost = np.where(np.arange(len(WALK))[:, None, None] == 9, np.nan, WALK)
    ends = _bvh(end_sites={"head": (0.0, 9.0, 0.0)})
    right = {
        "UTF-8 with a mark": b"\xef\xbb\xbf" + plain,
        "UTF-16 with a mark": b"\xff\xfe" + text.encode("utf-16-le"),
        "UTF-16, the other order, with a mark": b"\xfe\xff" + text.encode("utf-16-be"),
        "UTF-16 without a mark": text.encode("utf-16-le"),
        "CRLF": plain.replace(b"\n", b"\r\n"),
        "CR": plain.replace(b"\n", b"\r"),
        "line ends of all kinds": head.replace(b"\n", b"\r\n") + b"MOTION\r" + rows,
        "blank lines": b"\n\n" + head + b"\n\nMOTION\n\n" + rows.replace(b"\n", b"  \n\n"),
        "Ctrl-Z and zeros at the end": plain + b"\x1a\0\0",
        "tabs": (head + b"MOTION\n" + rows).replace(b" ", b"\t").replace(b"Frame\tTime", b"Frame Time"),
        "braces behind names": re.sub(rb"\n *\{", b" {", plain),
        "no colons": plain.replace(b"Frames:", b"Frames").replace(b"Time:", b"Time"),
        "FrameTime": plain.replace(b"Frame Time", b"FrameTime"),
        "frames with a point": plain.replace(b"Frames: 21", b"Frames: 21.0"),
        "EndSite": ends.replace(b"End Site", b"EndSite"),
        "End Site with a name": ends.replace(b"End Site", b"End Site Crown"),
        "End Site with channels": ends.replace(b"OFFSET 0.0 9.0 0.0", b"OFFSET 0.0 9.0 0.0\nCHANNELS 0"),
        "a joint without channels": ends.replace(b"End Site", b"JOINT Crown"),
    }
    for name, content in right.items():
        yield Quirk(name, "clip.bvh", content, WALK)
    separated = b"\n".join(row if b":" in row else row.replace(b" ", b", ") for row in rows.split(b"\n"))
    yield Quirk("decimal commas", "clip.bvh", plain.replace(b".", b","), WALK, "decimal commas, read as points")
    yield Quirk(
        "commas between numbers", "clip.bvh", head + b"MOTION\n" + separated, WALK, "commas between its numbers"
    )
    named = _bvh(helpers=["prop, left"])
    yield Quirk("commas in a name", "clip.bvh", named.replace(b".", b","), WALK, "decimal commas")
    huefte = _bvh(helpers=["Hufte"]).replace(b"Hufte", "Hüfte".encode("latin-1"))
    yield Quirk("Latin-1", "clip.bvh", huefte, WALK, "not UTF-8, read as")
    shift_jis = _bvh(names=MMD).decode().encode("cp932")
    yield Quirk("Shift-JIS", "clip.bvh", shift_jis, WALK, "read as Shift-JIS", known=tuple(MMD))
    part = _bvh(lost)
    yield Quirk("NaN, cut off", "clip.bvh", part, WALK[10:], options={"start": 0.5})
    refused = {
        "NaN": (part, r"66 values that are NaN .* leave them out by --start and --end"),
        "NaN as Windows has it": (part.replace(b"nan", b"-1.#IND"), "no number"),
        "cut off in a row": (plain[:-200], "cut off"),
        "cut off in the header": (plain[:700], "cut off"),
        "a web page": (b"<!DOCTYPE html>\n<html></html>", "not a BVH file"),
    }
    for name, (content, said) in refused.items():
        yield Quirk(name, "clip.bvh", content, None, said)


def _rates() -> Iterator[Quirk]:
    television = 1000 / 1001
    written = {
        **{"0.033": 30.0, "0.0333": 30.0, "3.333333e-02": 30.0, "0.017": 60.0, "0.0166666": 60.0, "0.0083": 120.0},
        **{"0.042": 24.0, "0.0417": 24.0, "0.041708": 24 * television, "0.0334": 30 * television, ".04": 25.0},
        **{"0.008342": 120 * television, "0.011": 90.0, "0.0069": 144.0, "0.03": 30.0, "0.004": 250.0},
    }
    for text, fps in written.items():
        joints, right = _at(fps)
        data = re.sub(rb"(Frame Time:).*", rb"\1 " + text.encode(), _bvh(joints))
        yield Quirk(f"frame time {text}", "clip.bvh", data, right, f"{fps:g} fps")
    for text in ("0", "-1", "20", "1e9"):
        data = re.sub(rb"(Frame Time:).*", rb"\1 " + text.encode(), _bvh())
        yield Quirk(f"frame time {text}", "clip.bvh", data, None, "frame time .* give --source-fps")
        yield Quirk(f"frame time {text}, and the rate told", "clip.bvh", data, WALK, options={"fps": 20.0})


def _names() -> Iterator[Quirk]:
    skeletons = {"HumanIK": HUMANIK, "Unity": UNITY, "Unreal": UNREAL, "SMPL": OWN}
    before = ("Armature|", "Armature/", "a:b:", "Bob_", "SK_Mannequin_", "Player1-", "my rig ", "mixamorig9:", "Robot.")
    after = ("_JNT", "_bind", "-node", ".001", "_01", "_skin", "Bone")
    for program, names in skeletons.items():
        changed = {f"before: {part}": {joint: part + name for joint, name in names.items()} for part in before}
        changed |= {f"after: {part}": {joint: name + part for joint, name in names.items()} for part in after}
        changed["numbers at the end"] = {joint: f"{name}_{i:03d}" for i, (joint, name) in enumerate(names.items())}
        changed["capitals"] = {joint: name.upper() for joint, name in names.items()}
        changed["small letters"] = {joint: name.lower() for joint, name in names.items()}
        changed["hyphens"] = {joint: re.sub("(?<=[a-z])(?=[A-Z])", "-", name) for joint, name in names.items()}
        for kind, new in changed.items():
            yield Quirk(f"{program}, {kind}", "clip.bvh", _bvh(names=new), WALK)
    humanik = "{}UpLeg {}Leg {}Foot {}ToeBase {}Shoulder {}Arm {}ForeArm {}Hand"
    programs = {
        "Theia3D": _program(
            "pelvis - - torso neck head", "{}_thigh {}_shank {}_foot {}_toes - {}_uarm {}_larm {}_hand", "l r"
        ),
        "Roblox": _program(
            "LowerTorso - - UpperTorso - Head", "{}UpperLeg {}LowerLeg {}Foot - - {}UpperArm {}LowerArm {}Hand"
        ),
        "Oculus": _program(
            "b_root b_spine0 b_spine1 b_spine3 b_neck0 b_head",
            "b_{}_upleg b_{}_leg b_{}_talocrural b_{}_ball b_{}_shoulder b_{}_arm b_{}_forearm b_{}_wrist",
            "l r",
        ),
        "ARKit": _program(
            "hips_joint spine_1_joint spine_4_joint spine_7_joint neck_1_joint head_joint",
            "{}_upLeg_joint {}_leg_joint {}_foot_joint {}_toes_joint {}_shoulder_1_joint {}_arm_joint "
            "{}_forearm_joint {}_hand_joint",
            "left right",
        ),
        "Source": _program(
            "ValveBiped.Bip01_Pelvis ValveBiped.Bip01_Spine ValveBiped.Bip01_Spine1 ValveBiped.Bip01_Spine2 "
            "ValveBiped.Bip01_Neck1 ValveBiped.Bip01_Head1",
            "ValveBiped.Bip01_{}_Thigh ValveBiped.Bip01_{}_Calf ValveBiped.Bip01_{}_Foot ValveBiped.Bip01_{}_Toe0 "
            "ValveBiped.Bip01_{}_Clavicle ValveBiped.Bip01_{}_UpperArm ValveBiped.Bip01_{}_Forearm "
            "ValveBiped.Bip01_{}_Hand",
            "L R",
        ),
        "Maya": _program(
            "root spine1 spine2 spine3 neck head",
            "{}_hip {}_knee {}_ankle {}_ball {}_clav {}_shldr {}_elbow {}_wrist",
            "lf rt",
        ),
        "AIST": _program(
            "root belly spine chest neck head",
            "{}hip {}knee {}ankle {}toes {}inshoulder {}shoulder {}elbow {}wrist",
            "l r",
        ),
        "SMPL as a robot": _program(
            "Pelvis Torso Spine Chest Neck Head",
            "{}_Hip {}_Knee {}_Ankle {}_Toe {}_Thorax {}_Shoulder {}_Elbow {}_Hand",
            "L R",
        ),
        "OpenPose": _program(
            "MidHip - - - Neck Nose", "{}Hip {}Knee {}Ankle {}BigToe - {}Shoulder {}Elbow {}Wrist", "L R"
        ),
        "no neck": _program("Hips Spine Spine1 Spine2 - Head", humanik),
        "Captury": _program("Hips Spine Spine2 Spine4 Neck Head", humanik),
        "VRM, in Blender": _program(
            "hips spine chest upper_chest neck head",
            "upper_leg.{} lower_leg.{} foot.{} toes.{} shoulder.{} upper_arm.{} lower_arm.{} hand.{}",
            "L R",
        ),
    }
    for program, names in programs.items():
        yield Quirk(f"names of {program}", "clip.bvh", _bvh(names=names), WALK, known=tuple(names))
    unknown = {joint: f"joint{index}" for index, joint in enumerate(NAMES)}
    yield Quirk("names that say nothing", "clip.bvh", _bvh(names=unknown), None, "skeleton of 'clip.bvh' is not known")


def _frames() -> Iterator[Quirk]:
    nothing, zero = np.full((9, 22, 3), np.nan), np.zeros((9, 22, 3))
    for where, parts in (("end", (WALK, nothing)), ("front", (nothing, WALK))):
        said = r"9 frames at its ends are padding \(all NaN\), cut off"
        yield Quirk(f"NaN at the {where}", "clip.npy", np.concatenate(parts), WALK, said)
        yield Quirk(f"NaN at the {where}, .npz", "clip.npz", {"joints": np.concatenate(parts)}, WALK, said)
    yield Quirk("zeros at both ends", "clip.npy", np.concatenate([zero, WALK, zero]), WALK, "18 frames .*all zero")
    for name, value, said in (
        *(
            ("zero", 0.0, "no body"),
            ("-999", -999.0, "no body"),
            ("NaN", np.nan, "NaN"),
            ("infinite", np.inf, "infinite"),
        ),
        ("one place", 1.0, "no body"),
    ):
        lost, joint = WALK.copy(), WALK.copy()
        lost[10], joint[10, INDEX["left_knee"]] = value, value
        said += r".* in 1 of 21 frames, at 0\.50 s; repair these frames, or leave them out by --start and --end"
        yield Quirk(f"a frame that is {name}", "clip.npy", lost, None, said)
        yield Quirk(f"a frame that is {name}, cut off", "clip.npy", lost, WALK[11:], options={"start": 0.55})
        if name not in ("zero", "one place"):
            yield Quirk(f"a joint that is {name}", "clip.npy", joint, None, said)
    nowhere = np.zeros_like(WALK)
    yield Quirk("nothing but zeros", "clip.npy", nowhere, None, "legs of length zero")
    yield Quirk("one place for all joints", "clip.npy", nowhere + 1.0, None, "legs of length zero")
    yield Quirk("no frames", "clip.npy", WALK[:0], None, "no frames")
    yield Quirk("one frame", "clip.npy", WALK[:1], WALK[:1])
    yield Quirk("one frame without an axis", "clip.npy", WALK[0], WALK[:1])
    jumps = WALK + np.where(np.arange(len(WALK))[:, None, None] < 12, 0.0, [0.0, 0.0, 3.0])
    yield Quirk("a jump", "clip.npy", jumps, jumps, r"jumps by up to 3\.\d m within a frame, 1 times, at 0\.60 s")


def _arrays() -> Iterator[Quirk]:
    random = np.random.default_rng(0)
    sure = np.concatenate([WALK, random.random((*WALK.shape[:2], 1))], axis=-1)
    for name, array, said in (
        ("float16 millimetres", (1000 * WALK).astype(np.float16), "millimetres"),
        ("int16 millimetres", (1000 * WALK).round().astype(np.int16), "millimetres"),
        ("big-endian", WALK.astype(">f4"), ""),
        ("by columns", np.asfortranarray(WALK), ""),
        ("homogeneous", np.concatenate([WALK, np.ones_like(WALK[..., :1])], axis=-1), "fourth number"),
        ("with confidence", sure, "fourth number"),
        ("(22, T, 3)", WALK.swapaxes(0, 1), ""),
        ("(T, 3, 22)", WALK.swapaxes(1, 2), ""),
        ("(3, T, 22)", np.moveaxis(WALK, -1, 0), ""),
        ("(3, 22, T)", WALK.transpose(2, 1, 0), ""),
        ("(22, 3, T)", np.moveaxis(WALK, 0, -1), ""),
        ("(1, 22, 3, T)", np.moveaxis(WALK, 0, -1)[None], ""),
        ("(1, 1, T, 22, 3)", WALK[None, None], ""),
        ("(T, 1, 66)", WALK.reshape(-1, 1, 66), ""),
        ("(T, 66)", WALK.reshape(-1, 66), ""),
        ("decimetres", 10 * WALK, "decimetres"),
        ("feet", WALK / 0.3048, "feet"),
        ("samples that are all alike", np.stack([WALK] * 4), "a second skeleton that moves as the first"),
    ):
        right = array / 1000.0 if array.dtype == np.float16 else WALK  # 16 bits hold half a millimetre at most
        yield Quirk(name, "clip.npy", array, right, said)
    for frames in (22, 24, 52):  # as many as there are joints in bodies
        long = np.concatenate([WALK, WALK[::-1], WALK])[:frames]
        yield Quirk(f"(22, {frames}, 3)", "clip.npy", long.swapaxes(0, 1), long)
    for count in (2, 5):
        people = np.stack([WALK + np.array([1.2, 0.0, 0.1]) * person for person in range(count)])
        for name, array in (
            ("P, T", people),
            ("T, P", people.swapaxes(0, 1)),
            ("P, 22, 3, T", np.moveaxis(people, 1, -1)),
        ):
            yield Quirk(f"({name} ...) of {count}", "clip.npy", array, people)
            yield Quirk(f"({name} ...) of {count}, .npz", "clip.npz", {"joints": array}, people)
    other = WALK[0, 0] + 1.02 * (WALK - WALK[0, 0])
    yield Quirk("samples of one person", "clip.npy", np.stack([WALK, other]), None, "save one of them")
    yield from _cameras()
    for up in UP_AXES:
        said = f"centimetres, {re.escape(up)} up" + (".* stands on its head" if up[0] == "-" else "")
        yield Quirk(f"{up} up", "clip.npy", 100 * WALK @ to_y_up(np.eye(3), up).T, WALK, said)
    for axis, signs in (("x", [-1, 1, 1]), ("z", [1, 1, -1])):
        yield Quirk(f"mirrored in {axis}", "clip.npy", WALK * signs, None, "left and right are swapped")
    tilt = np.radians(40)
    leaning = WALK @ np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    on_floor = leaning - [0, leaning[..., 1].min(), 0]
    yield Quirk("a tilted camera", "clip.npy", leaning, on_floor, "leans by 4. degrees from y")
    box = (WALK - WALK.min((0, 1))) / np.ptp(WALK, axis=(0, 1))
    yield Quirk("each axis from 0 to 1", "clip.npy", box, box, "bones are not rigid")
    arms = _CLIPS["dataset-2_raise-up-both-hands_normal_001"].astype(np.float64)
    scored = (arms - arms.mean((0, 1))) / arms.std((0, 1))
    yield Quirk("each axis by its deviation", "clip.npy", scored, None, "holds no body")
    each = (WALK - WALK.mean(0)) / (WALK.std(0) + 0.01)
    yield Quirk("each number by its deviation", "clip.npy", each, None, "holds no body")
    yield Quirk("noise", "clip.npy", random.normal(size=WALK.shape), None, "holds no body")
    yield Quirk("complex numbers", "clip.npy", WALK.astype(complex), None, "array of numbers")
    for shape in ((21, 22, 2), (21, 22, 6), (21, 135), (21, 20, 3)):
        yield Quirk(f"shape {shape}", "clip.npy", random.normal(size=shape), None, re.escape(str(shape)))


def _cameras() -> Iterator[Quirk]:
    """Bodies of video and depth cameras, their joints known by number."""
    written, right = _at(30)
    for count, skeletons in NUMBERED_BODIES.items():
        for skeleton, numbers in skeletons.items():
            array = np.repeat(written[:, [INDEX["head"]]], count, axis=1)
            array += 0.01 * np.arange(count)[:, None]  # of the face and so on
            known: list[str] = []
            for joint, group in numbers.items():
                array[:, list(group)] = written[:, [INDEX[joint]]]
            for joint, group in numbers.items():
                at = array[:, list(group)].mean(axis=1)
                known += [joint] if np.abs(at - written[:, INDEX[joint]]).max() < 1e-6 else []
            said = f"{count} joints in {skeleton} order.*30 fps taken"
            yield Quirk(f"{skeleton} {count} joints", "clip.npy", array, right, said, known=tuple(known))
            upside = array * [1.0, -1.0, -1.0]
            said += ".*stands on its head"
            yield Quirk(f"{skeleton} {count} joints, y down", "clip.npy", upside, right, said, known=tuple(known))
    no_body = np.random.default_rng(0).normal(size=(21, 17, 3))
    yield Quirk("17 joints of nobody", "clip.npy", no_body, None, "no body in Human3.6M's or COCO's order")


def _keys() -> Iterator[Quirk]:
    written, right = _at(60)
    for key in ("fps", "FPS", "frameRate", "frame_rate", "mocap_framerate", "mocap_frame_rate", "sampling_rate"):
        yield Quirk(f"the rate as {key}", "clip.npz", {"joints": written, key: np.array(60)}, right)
    for name, value in (("text", np.array("60")), ("list", np.array([60.0])), ("a rate a frame", np.full(61, 60))):
        yield Quirk(f"the rate as {name}", "clip.npz", {"joints": written, "framerate": value}, right)
    for key in ("frame_time", "dt"):
        yield Quirk(f"the time as {key}", "clip.npz", {"xyz": written, key: np.array(1 / 60)}, right)
    for value in (0.0, np.nan, -30.0, 1e9):
        yield Quirk(f"a rate of {value}", "clip.npz", {"xyz": written, "fps": np.array(value)}, None, "--source-fps")
    for key in ("positions", "keypoints3d", "arr_0", "Joints"):
        yield Quirk(f"joints as {key}", "clip.npz", {key: WALK}, WALK)
    several = {"world": WALK, "local": WALK - WALK[:, :1]}
    yield Quirk("several arrays", "clip.npz", several, None, "give one by --animation")
    yield Quirk("several arrays, one told", "clip.npz", several, WALK, options={"animation": "world"})


def _features() -> Iterator[Quirk]:
    raw = joints_to_features(WALK).astype(np.float32)
    right = features_to_joints(raw)
    mean, std = raw.mean(0), raw.std(0) + 0.1
    normal = (raw - mean) / std
    for name, array in (
        *(("(263, T)", raw.T), ("(1, T, 263)", raw[None]), ("(T, 1, 263)", raw[:, None])),
        ("(1, 263, 1, T)", raw.T[None, :, None]),
    ):
        yield Quirk(f"features {name}", "clip.npy", array, right)
    said = "they are normalised, it seems"
    yield Quirk("normalised features", "clip.npy", normal, None, said)
    yield Quirk("normalised features, .npz", "clip.npz", {"features": normal}, None, said)
    undone = "features were normalised, undone by"
    for names in (("Mean.npy", "Std.npy"), ("mean.npy", "std.npy")):
        beside = dict(zip(names, (mean, std), strict=True))
        yield Quirk(f"normalised features beside {names[0]}", "clip.npy", normal, right, undone, beside=beside)
    inside = {"motion": normal, "mean": mean, "std": std}
    yield Quirk("normalised features with statistics", "clip.npz", inside, right, undone)
    for name, row in (("zeros", np.zeros_like(mean)), ("normalised zeros", -mean / std)):
        padded = np.concatenate([normal, np.repeat(row[None], 9, axis=0)])
        beside = {"Mean.npy": mean, "Std.npy": std}
        yield Quirk(f"normalised features and {name}", "clip.npy", padded, right, "9 frames .* padding", beside=beside)
    lost = np.where(np.arange(len(raw))[:, None] == 3, np.nan, raw)
    yield Quirk("features that are NaN", "clip.npy", lost, None, "NaN")
    yield Quirk("features of several motions", "clip.npy", np.stack([raw, raw]), None, "shape")


TABLE = [Prompt("a person bows", 1.5, 1), Prompt("a person walks; then bows, twice", 1.0, 2)]
ONLY_TEXT = [Prompt(prompt.text) for prompt in TABLE]


def all_tables() -> Iterator[tuple[str, bytes, list[Prompt] | str]]:
    """Files of sentences: name, content, and what is right: the sentences, or a pattern of the refusal."""
    head, bows, walks = "caption,duration,seed", '"a person bows",1.5,1', '"a person walks; then bows, twice",1,2'
    comma = f"{head}\n{bows}\n{walks}\n"
    semi = 'Caption;Duration;Seed\r\n"a person bows";1,5;1\r\n"a person walks; then bows, twice";1;2\r\n'
    tab = (
        semi.replace('";', '"\t')
        .replace("5;", "5\t")
        .replace("1;2", "1\t2")
        .replace("Caption;Duration;", "Caption\tDuration\t")
    )
    yield "comma.csv", comma.encode(), TABLE
    yield "mark.csv", comma.encode("utf-8-sig"), TABLE
    yield "semicolon.csv", semi.encode("utf-8-sig"), TABLE
    yield "excel_unicode.csv", tab.encode("utf-16"), TABLE
    yield "excel_unicode_unmarked.tsv", tab.encode("utf-16-le"), TABLE
    yield "tab.csv", tab.encode(), TABLE
    yield "bar.csv", tab.replace("\t", "|").encode(), TABLE
    yield "told.csv", f"sep=;\n{semi}".encode(), TABLE
    yield "old_mac.csv", comma.replace("\n", "\r").encode(), TABLE
    yield "old_mac_told.csv", f"sep=;\r{semi}".replace("\r\n", "\r").encode(), TABLE
    yield "quoted_head.csv", comma.replace(head, '" Caption ","DURATION","Seed"').encode(), TABLE
    yield "other_columns.csv", comma.replace("\n", ",x\n").replace("seed,x", "seed,note", 1).encode(), TABLE
    yield "empty_cells.csv", comma.replace("\n", ",,\n").encode(), TABLE
    yield "empty_rows.csv", f"{head}\n\n,,\n{bows}\n , ,\n{walks}\n\n".encode(), TABLE
    yield "two_lines.csv", comma.replace("then bows", "then\nbows").encode(), TABLE
    yield "hard_blanks.csv", comma.replace("a person", "a\u00a0 person").encode(), TABLE
    yield "no_width.csv", comma.replace("person", "per\u00adson\u200b").encode(), TABLE
    objects = [{"caption": prompt.text, "Duration": prompt.duration, " SEED": prompt.seed} for prompt in TABLE]
    yield "list.json", json.dumps(objects).encode("utf-8-sig"), TABLE
    yield "lines.jsonl", "\r\n\r\n".join(map(json.dumps, objects)).encode(), TABLE
    odd = [{"caption": "a person walks\u2028and bows"}]
    yield "separators.jsonl", json.dumps(odd[0], ensure_ascii=False).encode(), [Prompt("a person walks and bows")]
    yield "separators.json", json.dumps(odd, ensure_ascii=False).encode(), [Prompt("a person walks and bows")]
    lines = "".join(f"{prompt.text}\n" for prompt in TABLE)
    yield "lines.txt", f"\n{lines}\n".encode("utf-8-sig"), ONLY_TEXT
    yield "lines_utf16.txt", lines.encode("utf-16"), ONLY_TEXT
    yield "lines_old_mac.txt", lines.replace("\n", "\r").encode(), ONLY_TEXT
    yield "blanks.txt", lines.replace(" ", "\u00a0 \t").encode(), ONLY_TEXT
    spoken = (
        "a person bows#a/DET person/NOUN bow/VERB#0.0#0.0\na person walks; then bows, twice#a/DET person/NOUN#nan#nan\n"
    )
    yield "humanml3d.txt", spoken.encode(), ONLY_TEXT
    yield "number.txt", b"a person bows#3\n", [Prompt("a person bows#3")]
    yield "table.txt", semi.encode(), "begins as a table does"
    yield "twice.csv", b"caption,Caption\na,b\n", "two columns 'caption'"
    yield "unquoted.csv", b"caption,seed\nwalks, then bows,1\n", "line 2 .* put a caption with commas in quotes"
    yield "no_head.csv", b"a person bows\n", "no column 'caption'"
    yield "western.csv", comma.replace("bows", "böws").encode("cp1252"), "not UTF-8"
    yield "chinese.txt", "一个人向前走\n".encode("gb18030"), "not UTF-8"
    yield "book.xlsx", b"PK\x03\x04" + bytes(60), "spreadsheet or an archive"
    yield "book.csv", b"PK\x03\x04" + bytes(60), "spreadsheet or an archive"
    yield "nothing.csv", b"", "no column 'caption'"
    yield "nothing.txt", b"\n \n", "holds no sentence"


def main() -> int:
    """Try all and print what came of them; 1 if anything is wrong."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, quirk in enumerate(all_quirks()):
            place = Path(folder) / str(number)
            place.mkdir()
            came, said = try_quirk(quirk, place)
            fine = came == ("refused" if quirk.joints is None else "right")
            wrong += not fine
            print(f"{'' if fine else 'WRONG: '}{quirk.name:40} {came:12} {said[:160]}")
    print(f"{wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
