"""One motion through every format that holds joints, and back: the same to a millimetre, feet that stand included."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_shown_motion import NAMES, decoded, held

from hub_scripts.cli import main
from hub_scripts.data.motion_files import load_motion
from hub_scripts.export import save_motion, save_motion_files
from hub_scripts.export.glb import clip_name
from hub_scripts.export.shown_motion import shown_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

READ = (".npz", ".bvh", ".glb", ".vrma", ".amass.npz")
CAPTION = "a person walks forward"


def usd_joints(path: Path) -> np.ndarray:
    """World positions (P, T, J, 3) of the joints in a USD file, by Pixar's own skeleton reader."""
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.Open(str(path))
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Y", 1.0)
    cache, people = UsdSkel.Cache(), []
    for prim in stage.Traverse():
        if prim.IsA(UsdSkel.Root):
            cache.Populate(UsdSkel.Root(prim), Usd.PrimDefaultPredicate)
        if not prim.IsA(UsdSkel.Skeleton):
            continue
        query = cache.GetSkelQuery(UsdSkel.Skeleton(prim))
        frames = []
        for time in range(int(stage.GetStartTimeCode()), int(stage.GetEndTimeCode()) + 1):
            world = UsdGeom.XformCache(time)
            frames.append([tuple(m.ExtractTranslation()) for m in query.ComputeJointWorldTransforms(world)])
        people.append(frames)
    return np.array(people)


def check(found: np.ndarray, shown: Motion, planted: np.ndarray, fps: float) -> None:
    """The joints of the motion, and its standing feet in their places."""
    assert np.linalg.norm(found - shown.joints, axis=-1).max() < 0.001
    for toe, run in held(planted):
        times = np.arange(len(found)) / fps * 20.0
        within = (times >= run.start) & (times <= run.stop - 1)
        place = np.median(planted[run, toe][:, [0, 2]], axis=0)
        assert np.abs(found[within][:, toe][:, [0, 2]] - place).max(initial=0) < 0.001


@pytest.mark.parametrize("suffix", READ)
@pytest.mark.parametrize("name", NAMES)
def test_joints_come_back_and_feet_stand(tmp_path: Path, name: str, suffix: str) -> None:
    planted = decoded()[name]
    shown = shown_motion(Motion(planted, caption=CAPTION))
    # All but .npz bring what stretches in order by themselves.
    path = save_motion(shown if suffix == ".npz" else Motion(planted), tmp_path / f"motion{suffix}")
    read = load_motion(path)
    assert read.fps == 20
    check(read.joints, shown, planted, 20.0)


@pytest.mark.parametrize("suffix", [".usd", ".usda"])
@pytest.mark.parametrize("fps", [20.0, 30.0])
def test_usd_has_the_same_joints(tmp_path: Path, suffix: str, fps: float) -> None:
    pytest.importorskip("pxr")
    planted = decoded()[NAMES[0]]
    path = save_motion(Motion(planted, caption=CAPTION), tmp_path / f"motion{suffix}", fps=fps)
    check(usd_joints(path)[0], shown_motion(Motion(planted), fps), planted, fps)
    assert (
        path.read_bytes() == save_motion(Motion(planted, caption=CAPTION), tmp_path / path.name, fps=fps).read_bytes()
    )


@pytest.mark.parametrize("suffix", [".npz", ".bvh", ".glb", ".vrma", ".amass.npz"])
def test_convert_writes_one_motion_at_another_rate(tmp_path: Path, suffix: str) -> None:
    planted = decoded()[NAMES[2]]
    source = Motion(planted, caption=CAPTION).save(tmp_path / "source.npz")
    out = tmp_path / f"out{suffix}"
    assert main(["convert", str(source), str(out), "--fps", "40"]) == 0
    shown = shown_motion(Motion(planted), 40)
    back = load_motion(out)  # every other frame, where the reader takes 20 a second
    joints = back.joints if back.fps == 40 else np.repeat(back.joints, 2, axis=0)[: len(shown.joints)]
    every = slice(None, None, 1 if back.fps == 40 else 2)
    assert np.linalg.norm(joints[every] - shown.joints[every], axis=-1).max() < 0.001


@pytest.mark.parametrize("skeleton", ["mixamo", "bandai"])
def test_two_people_stay_in_one_world(tmp_path: Path, skeleton: str) -> None:
    first, second = (decoded()[name][:64] for name in NAMES[:2])
    duet = Motion(np.stack([first, second + np.float32([1.0, 0, 0.5])]), caption=CAPTION)
    shown = shown_motion(duet)
    for suffix in (".vrma", ".amass.npz"):
        paths = save_motion_files(duet, tmp_path / f"duet{suffix}")
        assert [path.name for path in paths] == [f"duet-person1{suffix}", f"duet-person2{suffix}"]
        for path, joints in zip(paths, shown.joints, strict=True):
            assert np.linalg.norm(load_motion(path).joints - joints, axis=-1).max() < 0.001
    with pytest.raises(MotionLLMError, match="can hold one person and the motion has 2"):
        save_motion(duet, tmp_path / "duet.vrma")
    pytest.importorskip("pxr")
    joints = usd_joints(save_motion(duet, tmp_path / "duet.usd", skeleton=skeleton))
    assert joints.shape[0] == 2
    np.testing.assert_allclose(joints[:, :, 0], shown.joints[:, :, 0], atol=1e-5)
    if skeleton == "mixamo":
        np.testing.assert_allclose(joints, shown.joints, atol=1e-3)


# What other programs ask of the files


def test_amass_files_hold_what_programs_ask_for(tmp_path: Path) -> None:
    joints = decoded()[NAMES[1]]
    with np.load(save_motion(Motion(joints), tmp_path / "motion.amass.npz"), allow_pickle=False) as file:
        arrays = dict(file)
    frames = len(joints)
    assert {name: arrays[name].shape for name in ("poses", "trans", "betas", "root_orient", "pose_body")} == {
        **{"poses": (frames, 165), "trans": (frames, 3), "betas": (16,)},
        **{"root_orient": (frames, 3), "pose_body": (frames, 63)},
    }
    assert arrays["mocap_framerate"].item() == arrays["mocap_frame_rate"].item() == 20.0
    assert str(arrays["gender"]) == "neutral"
    np.testing.assert_array_equal(arrays["poses"][:, 3:66], arrays["pose_body"])
    assert not arrays["poses"][:, 66:].any()
    assert not arrays["betas"].any()
    # Z up, metres: the pelvis goes where it goes, and who stands upright has the root turned by a quarter about x
    shown = shown_motion(Motion(joints)).joints
    np.testing.assert_allclose(arrays["trans"], shown[:, 0] @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]), atol=1e-5)
    turns = Rotation.from_rotvec(arrays["root_orient"])
    assert turns.apply([0.0, 1.0, 0.0])[:, 2].min() > 0.8
    facing = shown[:, 1] - shown[:, 2]
    left = turns.apply([1.0, 0.0, 0.0]) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert ((left * facing).sum(-1) / np.linalg.norm(facing, axis=-1)).min() > 0.95


def test_poses_are_those_of_a_body_at_its_mean(tmp_path: Path) -> None:
    """Put on bones of another body, as programs do, the motion looks the same."""
    joints = decoded()[NAMES[1]]
    path = save_motion(Motion(joints), tmp_path / "motion.amass.npz")
    with np.load(path) as file:
        arrays = {name: array for name, array in file.items() if name != "rest_joints"}
    np.savez(tmp_path / "theirs.npz", **arrays)
    other = load_motion(tmp_path / "theirs.npz").joints
    shown = shown_motion(Motion(joints)).joints
    for start, end in ((1, 4), (4, 7), (16, 18), (18, 20), (2, 5), (5, 8), (17, 19), (19, 21), (7, 10), (12, 15)):
        bones = [(motion[:, end] - motion[:, start]) for motion in (other, shown)]
        cosine = np.prod([1 / np.linalg.norm(bone, axis=-1) for bone in bones], axis=0) * (bones[0] * bones[1]).sum(-1)
        assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 0.1


def test_vrm_animations_name_the_bones_of_a_human(tmp_path: Path) -> None:
    data = save_motion(Motion(decoded()[NAMES[0]], caption=CAPTION), tmp_path / "motion.vrma").read_bytes()
    document = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
    assert document["extensionsUsed"] == ["VRMC_vrm_animation"]
    extension = document["extensions"]["VRMC_vrm_animation"]
    assert extension["specVersion"] == "1.0"
    bones = {bone: entry["node"] for bone, entry in extension["humanoid"]["humanBones"].items()}
    sides = ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
    required = {"hips", "spine", "head", *(f"{side}{bone}" for side in ("left", "right") for bone in sides)}
    assert required <= bones.keys()
    assert len(set(bones.values())) == len(bones) == 22
    names = {bone: document["nodes"][node]["name"] for bone, node in bones.items()}
    assert (names["hips"], names["leftLowerLeg"], names["rightHand"]) == ("pelvis", "left_knee", "right_wrist")
    assert document["animations"][0]["name"] == CAPTION
    # only the hips move, all other bones turn
    moved = [channel["target"] for channel in document["animations"][0]["channels"]]
    assert [target["node"] for target in moved if target["path"] == "translation"] == [bones["hips"]]
    assert document["nodes"][bones["hips"]]["translation"][1] > 0.8


def test_frame_rates_are_written_with_all_their_digits(tmp_path: Path) -> None:
    for fps in (30.0, 29.97, 24.0):
        text = save_motion(Motion(decoded()[NAMES[0]]), tmp_path / "motion.bvh", fps=fps).read_text()
        seconds = float(text.split("Frame Time:")[1].split()[0])
        assert 1 / seconds == pytest.approx(fps, rel=1e-15)


@pytest.mark.parametrize("caption, name", [
    (None, "motion"), ("", "motion"), (CAPTION, CAPTION), ("a person\nwaves\t", "a person waves"),
    ("一个人挥手", "一个人挥手"), ("word " * 40, "word " * 11 + "word"), ("x" * 100, "x" * 60), ("\ud800", "?"),
])  # fmt: skip
def test_clips_are_named_after_their_sentence(caption: str | None, name: str) -> None:
    assert clip_name(caption) == name
