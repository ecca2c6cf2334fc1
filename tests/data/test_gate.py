"""The gate in: whatever unit, axes, rate, floor and shape a motion comes in, the same joints or one line."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bvh_writer import NAMES, bvh_bytes

from hub_scripts.cli import main
from hub_scripts.data.bvh import forward_kinematics, parse_bvh
from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.joint_arrays import untold_rate
from hub_scripts.data.motion_files import load_motion
from hub_scripts.data.retarget import RetargetedMotion, retarget
from hub_scripts.data.soma import SOMA_JOINTS, soma_skeleton
from hub_scripts.data.store import read_motions, read_summary
from hub_scripts.skeletons.body_frame import UP_AXES, to_y_up
from hub_scripts.skeletons.maps import read_skeleton_map
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, joints_to_features, resample_joints

FIXTURES = Path(__file__).parents[1] / "fixtures"
JOINTS = np.load(FIXTURES / "bandai" / "expected_joints.npz")
WALK = JOINTS["dataset-1_walk_normal_002"].astype(np.float64)
RAISE = JOINTS["dataset-2_raise-up-both-hands_normal_001"].astype(np.float64)
OWN = {joint: joint for joint in NAMES}
INDEX = {joint: index for index, joint in enumerate(NAMES)}
FEET = [INDEX["left_foot"], INDEX["right_foot"]]


def turned(joints: np.ndarray, up: str) -> np.ndarray:
    """Joints that are Y up in axes of which `up` points up."""
    return joints @ to_y_up(np.eye(3), up).T


def read(data: bytes, **options: Any) -> RetargetedMotion:
    return retarget(parse_bvh(data, "clip.bvh"), "clip.bvh", ReadingOptions(**options))


def load(tmp_path: Path, array: Any, name: str = "clip.npy", **options: Any) -> tuple[Motion, list[str]]:
    """The motion of an array (at 20 fps if nothing is said), or of the arrays of a dict, and what was said of it."""
    path = tmp_path / name
    options = options if isinstance(array, dict) else {"fps": 20.0, **options}
    if isinstance(array, dict):
        np.savez(path, **array)
    else:
        np.save(path, array)
    notes: list[str] = []
    return load_motion(path, ReadingOptions(**options), notes.append), notes


# axes, units, sides, floor


@pytest.mark.parametrize("up", UP_AXES)
def test_every_up_axis_is_found_and_said_and_can_be_given(tmp_path: Path, up: str) -> None:
    motion, notes = load(tmp_path, turned(WALK, up))
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-5)
    assert notes == [] if up == "y" else notes[0] == f"clip.npy: smpl22 skeleton, metres, {up} up, 20 fps"
    assert any("stands on its head" in note for note in notes) == up.startswith("-")
    data = bvh_bytes(turned(WALK, up), OWN, unit=0.01)
    np.testing.assert_allclose(read(data).joints, WALK, atol=1e-5)
    np.testing.assert_allclose(read(data, up=up).joints, WALK, atol=1e-5)


def test_a_rest_pose_that_stands_and_a_body_on_its_head_is_turned_unless_told() -> None:
    head = bvh_bytes(WALK, OWN).decode().split("MOTION")[0]
    frames = bvh_bytes(turned(WALK, "-y"), OWN).decode().split("MOTION")[1]
    data = f"{head}MOTION{frames}".encode()
    motion = read(data)
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-5)
    assert motion.notes == ("it stands on its head: -y is up, turned (if it stands on its hands, give --up y)",)
    assert read(data, up="y").joints[0, INDEX["head"], 1] < read(data, up="y").joints[0, INDEX["left_ankle"], 1]


def test_somebody_who_lies_in_an_array_stays_lying(tmp_path: Path) -> None:
    lying = turned(RAISE[:10] + np.array([0, 3.0, 0]), "z")
    lying[..., 1] -= lying[..., 1].min()
    motion, notes = load(tmp_path, lying)
    np.testing.assert_allclose(motion.joints, lying, atol=1e-5)
    assert "lies along z most of the time; if it stands, give --up z" in notes[0]
    falls = np.concatenate([np.repeat(RAISE[:1], 2, 0), lying - lying[0, 0] * [1, 0, 1]])
    assert load(tmp_path, falls)[0].joints[-1, INDEX["head"], 1] < 0.5


def test_an_axis_that_nothing_tells_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match=r"give --up y if it lies, else --up x"):
        load(tmp_path, turned(RAISE[:10], "x") + np.array([3.0, 3.0, 0]))


@pytest.mark.parametrize("unit, said", [(0.01, "centimetres"), (0.001, "millimetres"), (0.0254, "inches")])
def test_units_of_arrays_are_found_or_given(tmp_path: Path, unit: float, said: str) -> None:
    motion, notes = load(tmp_path, WALK / unit)
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-4)
    assert notes == [f"clip.npy: smpl22 skeleton, {said}, y up, 20 fps"]
    np.testing.assert_allclose(load(tmp_path, WALK / unit, scale=unit)[0].joints, WALK, atol=1e-4)


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.0254])
@pytest.mark.parametrize("size", [0.65, 1.3])
def test_children_and_giants_keep_their_size_and_are_said(unit: float, size: float) -> None:
    motion = read(bvh_bytes(size * WALK, OWN, unit=unit))
    np.testing.assert_allclose(motion.joints, size * WALK, atol=1e-5)
    assert any("which is no adult's" in note for note in motion.notes)


def test_children_of_one_folder_are_read_in_one_unit() -> None:
    units = {read(bvh_bytes(size * WALK, OWN, unit=0.0254)).skeleton for size in (0.62, 0.65, 0.7, 0.8)}
    assert units == {"smpl22 skeleton, inches, y up"}


def test_sunken_and_floating_bodies_are_put_on_the_floor(tmp_path: Path) -> None:
    for height in (-0.16, -1.0, 0.4):
        motion, notes = load(tmp_path, WALK + np.array([0, height, 0]))
        assert motion.joints[..., 1].min() == pytest.approx(0, abs=1e-6)
        assert notes == ["clip.npy: its height has another origin, put on the floor"]
    two = np.stack([WALK, WALK + np.array([1, 0.6, 0])])  # who stands on something stays on it
    motion, notes = load(tmp_path, two)
    np.testing.assert_allclose(motion.joints, two, atol=1e-5)
    assert notes == []


def test_mirrored_and_swapped_arrays_are_refused(tmp_path: Path) -> None:
    swapped = WALK[:, list(HUMANML3D.mirror_permutation)]
    for wrong in (WALK * [-1, 1, 1], swapped):
        with pytest.raises(MotionLLMError, match="toes that point backward: left and right are swapped; save joints"):
            load(tmp_path, wrong)
    toeless = {joint: joint for joint in NAMES if not joint.endswith("foot")}
    with pytest.raises(MotionLLMError, match="knees that bend backward"):
        read(bvh_bytes(WALK * [-1, 1, 1], toeless))


# frames


def test_padding_is_cut_off(tmp_path: Path) -> None:
    padded = np.concatenate([WALK, np.zeros((9, 22, 3))])
    motion, notes = load(tmp_path, padded)
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-5)
    assert notes == ["clip.npy: 9 frames at its ends are padding (all zero), cut off"]


def t_pose() -> np.ndarray:
    pose = WALK[0] - WALK[0, 0] * [1, 0, 1]
    for side, sign in (("left", 1), ("right", -1)):
        shoulder = pose[INDEX[f"{side}_shoulder"]]
        pose[INDEX[f"{side}_elbow"]] = shoulder + np.array([sign * 0.25, 0, 0])
        pose[INDEX[f"{side}_wrist"]] = shoulder + np.array([sign * 0.48, 0, 0])
    return pose


@pytest.mark.parametrize("front, end", [(1, 0), (2, 0), (40, 0), (0, 1), (0, 5), (3, 3)])
def test_rest_frames_at_both_ends_are_left_out(tmp_path: Path, front: int, end: int) -> None:
    frames = np.concatenate([np.repeat(t_pose()[None], front, 0), WALK, np.repeat(t_pose()[None], end, 0)])
    motion, notes = load(tmp_path, frames)
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-5)
    assert len(notes) == (front > 0) + (end > 0)
    assert all("a rest pose" in note and "left out" in note for note in notes)


def test_a_jump_is_named(tmp_path: Path) -> None:
    jumped = WALK.copy()
    jumped[20:] += [4.0, 0, 0]
    motion, notes = load(tmp_path, jumped)
    np.testing.assert_allclose(motion.joints, jumped, atol=1e-5)
    assert notes == ["clip.npy: jumps by up to 4.0 m within a frame, 1 times, at 1.00 s"]


@pytest.mark.parametrize("key", ["fps", "mocap_framerate", "mocap_frame_rate"])
def test_the_rate_stands_beside_the_joints_or_is_given(tmp_path: Path, key: str) -> None:
    motion, _ = load(tmp_path, {"joints": resample_joints(WALK, 20, 120), key: 120.0}, "clip.npz")
    assert motion.fps == 120
    np.testing.assert_allclose(resample_joints(motion.joints, motion.fps, 20), WALK, atol=1e-5)
    assert load(tmp_path, {"joints": WALK, key: 120.0}, "clip.npz", fps=20.0)[0].fps == 20
    assert load(tmp_path, WALK, fps=60.0)[0].fps == 60


def test_a_file_without_a_rate_is_said_to_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "no frame rate in it, 20 fps taken; --source-fps (here or of `motionllm convert`) says otherwise"
    people = np.stack([WALK, WALK + np.array([1.0, 0, 0])])
    for array in (WALK, people, {"joints": WALK}, {"joints": people}, {"keypoints": WALK}):
        name = "clip.npz" if isinstance(array, dict) else "clip.npy"
        motion, notes = load(tmp_path, array, name, fps=None)
        assert (motion.fps, notes) == (20, [f"{name}: {said}"])
        motion, notes = load(tmp_path, array, name, fps=60.0)
        assert (motion.fps, notes) == (60, [])
    features = joints_to_features(WALK).astype(np.float32)  # 20 fps by definition
    assert load(tmp_path, features, fps=None)[1] == load(tmp_path, {"motion": features}, "clip.npz")[1] == []
    wrong = {"keypoints": WALK, "fps": 0.0}
    with pytest.raises(MotionLLMError, match=r"'.*clip.npz' has fps 0\.0; give the frames per second by --source-fps"):
        load(tmp_path, wrong, "clip.npz")
    assert load(tmp_path, wrong, "clip.npz", fps=60.0)[0].fps == 60  # as the line before says
    np.save(tmp_path / "walk.npy", WALK)
    run = ["convert", str(tmp_path / "walk.npy"), str(tmp_path / "out.npz")]
    assert main(run) == 0
    assert capsys.readouterr().err == f"walk.npy: {said}\n"
    assert main([*run, "--source-fps", "20"]) == 0
    assert capsys.readouterr().err == ""


def test_part_of_an_array(tmp_path: Path) -> None:
    motion, _ = load(tmp_path, WALK, start=0.5, end=1.0)
    np.testing.assert_allclose(motion.joints, WALK[10:20], atol=1e-5)
    with pytest.raises(MotionLLMError, match=r"--start 5 leave nothing of '.*clip.npy', which lasts 1.05"):
        load(tmp_path, WALK, start=5.0)


# arrays


def test_arrays_of_the_shapes_that_people_save(tmp_path: Path) -> None:
    more = np.concatenate([WALK, np.repeat(WALK[:, -1:], 33, 1) + 0.05], axis=1)
    for array in (
        *(WALK[None], WALK[:, None], WALK.reshape(-1, 66), WALK.reshape(1, -1, 66)),
        *(more[:, :24], more[:, :52], more, np.moveaxis(WALK, 0, -1), np.moveaxis(WALK, 0, -1)[None]),
    ):
        np.testing.assert_allclose(load(tmp_path, array)[0].joints, WALK, atol=1e-5)
    _, notes = load(tmp_path, more[:, :24])
    assert notes == ["clip.npy: the first 22 of SMPL's 24 joints"]


def test_kimodo_joints_come_at_its_rate(tmp_path: Path) -> None:
    arrays = {"posed_joints": WALK.astype(np.float32), "foot_contacts": np.zeros((len(WALK), 4), bool)}
    motion, notes = load(tmp_path, arrays, "clip.npz")
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-5)
    assert motion.fps == 30
    as_kimodo = "as 'posed_joints' has"
    assert notes == [f"clip.npz: {untold_rate(30.0, as_kimodo)}"]
    two = {"a": WALK, "b": WALK + 1}
    with pytest.raises(MotionLLMError, match="several arrays of joints: a, b; give one by --animation"):
        load(tmp_path, two, "clip.npz")
    np.testing.assert_allclose(load(tmp_path, two, "clip.npz", animation="a")[0].joints, WALK, atol=1e-5)


@pytest.mark.parametrize("count", SOMA_JOINTS)
def test_kimodo_joints_of_its_own_skeleton(tmp_path: Path, count: int) -> None:
    bvh = parse_bvh((FIXTURES / "kimodo" / "soma.bvh").read_bytes(), "soma.bvh")
    expected = load_motion(FIXTURES / "kimodo" / "soma.bvh")
    names, parents = soma_skeleton(count)
    places = [bvh.joint_names.index(name) if name in bvh.joint_names else 0 for name in names]
    assert [names[parents[names.index(joint)]] for joint in ("LeftHand", "LeftShin", "Neck2", "LeftHandThumbEnd")] == (
        ["LeftForeArm", "LeftLeg", "Neck1", "LeftHandThumb3" if count == 77 else "LeftHand"]
    )
    positions = forward_kinematics(bvh)[:, places] / 100
    motion, notes = load(tmp_path, {"posed_joints": positions, "fps": np.array(bvh.fps)}, "clip.npz")
    np.testing.assert_allclose(resample_joints(motion.joints, bvh.fps, 20), expected.joints, atol=1e-3)
    assert notes == ["clip.npz: recognised skeleton, metres, y up, 30 fps"]


def test_normalised_features_are_refused_or_undone(tmp_path: Path) -> None:
    features = joints_to_features(WALK).astype(np.float32)
    raw, notes = load(tmp_path, features)
    assert notes == []
    mean, std = features.mean(0), features.std(0) + 0.1
    with pytest.raises(MotionLLMError, match=r"'.*clip.npy' holds features that give no body: they are normalised"):
        load(tmp_path, (features - mean) / std)
    np.save(tmp_path / "Mean.npy", mean)
    np.save(tmp_path / "Std.npy", std)
    motion, notes = load(tmp_path, (features - mean) / std)
    np.testing.assert_allclose(motion.joints, raw.joints, atol=1e-3)
    assert "features were normalised, undone by Mean.npy and Std.npy" in notes[0]
    padded, notes = load(tmp_path, np.concatenate([features, np.zeros((7, 263), np.float32)]))
    np.testing.assert_allclose(padded.joints, raw.joints, atol=1e-5)
    assert "7 frames at its ends are padding" in notes[0]


def test_what_is_no_body_is_refused(tmp_path: Path) -> None:
    shuffled = WALK[:, np.random.default_rng(0).permutation(22)]
    with pytest.raises(MotionLLMError, match=r"holds no body: .* save joints in SMPL-22 order"):
        load(tmp_path, shuffled)


def test_a_motion_of_a_model_is_taken_as_it_is(tmp_path: Path) -> None:
    """Bad or not: it is in metres and Y up by definition."""
    joints = (WALK + np.array([0, 3.0, 0])).astype(np.float32)
    path = Motion(joints, model="motionllm", caption="a person walks").save(tmp_path / "made.npz")
    motion = load_motion(path)
    np.testing.assert_array_equal(motion.joints, joints)
    assert (motion.caption, motion.model) == ("a person walks", "motionllm")
    np.testing.assert_array_equal(load_motion(path, ReadingOptions(start=0.5)).joints, joints[10:])


# skeletons


def test_toes_that_are_not_there_are_made(tmp_path: Path) -> None:
    toeless = {joint: joint for joint in NAMES if not joint.endswith("foot")}
    for ends in ({}, {f"{side}_ankle": (0.0, -1e-5, 0.0) for side in ("left", "right")}):
        motion = read(bvh_bytes(WALK, toeless, end_sites=ends))
        assert motion.notes == ("not in the file, interpolated: left_foot, right_foot",)
        off = np.linalg.norm(motion.joints[:, FEET] - WALK[:, FEET], axis=-1)
        assert np.median(off) < 0.06
        assert off.max() < 0.15
        assert np.isfinite(joints_to_features(motion.joints)).all()


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_end_sites_the_one_in_front_is_the_toe(order: int) -> None:
    toeless = {joint: joint for joint in NAMES if not joint.endswith("foot")}
    sites = [(0.0, -0.07, 0.13), (0.0, -0.07, -0.09)][::order]
    ends = {f"{side}_ankle": sites for side in ("left", "right")}
    motion = read(bvh_bytes(WALK, toeless, end_sites=ends))
    assert motion.notes == ("the toes are the end sites of the ankles",)
    ankles = WALK[:, [INDEX["left_ankle"], INDEX["right_ankle"]]]
    np.testing.assert_allclose(motion.joints[:, FEET], ankles + np.array([0.0, -0.07, 0.13]), atol=1e-6)
    heels = {f"{side}_ankle": (0.0, -0.07, -0.09) for side in ("left", "right")}
    assert read(bvh_bytes(WALK, toeless, end_sites=heels)).notes == (
        "not in the file, interpolated: left_foot, right_foot",
    )


@pytest.mark.parametrize("name", sorted(path.stem for path in (FIXTURES / "names").glob("*.bvh")))
def test_one_motion_under_the_names_of_many_programs(name: str) -> None:
    folder = FIXTURES / "names"
    expected = load_motion(folder / "mixamo.bvh").joints
    np.testing.assert_allclose(load_motion(folder / f"{name}.bvh").joints, expected, atol=1e-4)


def test_the_soma_skeleton_needs_no_map() -> None:
    path, chosen = FIXTURES / "kimodo" / "soma.bvh", FIXTURES / "kimodo" / "soma_right.map.json"
    mapped = load_motion(path, ReadingOptions(read_skeleton_map(chosen)))
    np.testing.assert_allclose(load_motion(path).joints, mapped.joints, atol=1e-5)


# everyday syntax


def edited(**edits: str) -> bytes:
    text = bvh_bytes(WALK, OWN, unit=0.01).decode()
    for old, new in edits.items():
        text = text.replace(old.replace("_", " "), new)
    return text.encode()


def lower_case() -> bytes:
    words = {word: word.lower() for word in ("HIERARCHY", "ROOT", "JOINT", "OFFSET", "CHANNELS", "MOTION")}
    return edited(**words, Frames="frames", Frame_Time="frame time", End_Site="end site", position="POSITION")


@pytest.mark.parametrize(
    "data, notes",
    [
        (lower_case(), ()),
        (edited().replace(b"\n", b"\r"), ()),
        (edited().replace(b"Frame Time:", b"Frame Time :"), ()),
        (edited().replace(b"Frames:", b"Frames :\t"), ()),
        (re.sub(rb"(OFFSET .*)", rb"\1 7.5", edited()), ()),
        (edited().replace(b"Frames: 21", b"Frames: 20"), ("announces 20 frames but holds 21; all of them are read",)),
        (edited().replace(b"Frames: 21", b"Frames: 22"), ("announces 22 frames but holds 21; all of them are read",)),
    ],
    ids=["lower case", "CR", "Frame Time :", "Frames :", "fourth OFFSET", "one more", "one less"],
)  # fmt: skip
def test_what_programs_write(data: bytes, notes: tuple[str, ...]) -> None:
    motion = read(data)
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-5)
    assert motion.notes == notes


def test_rows_that_are_further_off_are_refused() -> None:
    with pytest.raises(MotionLLMError, match=r"announces 18 frames of .* channels but holds 21"):
        read(edited().replace(b"Frames: 21", b"Frames: 18"))


# the command


def test_convert_says_what_was_put_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "clip.npy", 100 * turned(WALK, "-y"))
    out = tmp_path / "out.npz"
    assert main(["convert", str(tmp_path / "clip.npy"), str(out), "--start", "0.5", "--end", "1"]) == 0
    np.testing.assert_allclose(Motion.load(out).joints, WALK[10:20], atol=1e-5)
    assert capsys.readouterr().err.splitlines()[0] == "clip.npy: smpl22 skeleton, centimetres, -y up, 20 fps"
    assert main(["convert", str(tmp_path / "clip.npy"), str(out), "--up", "-y"]) == 0
    np.testing.assert_allclose(Motion.load(out).joints, WALK, atol=1e-5)
    assert main(["convert", str(tmp_path / "clip.npy"), str(out), "--up", "w"]) == 2
    assert "--up is 'w'; choose one of y, z, x, -y, -z, -x" in capsys.readouterr().err


def test_bones_along_x_do_not_make_x_up() -> None:
    """Rigs whose bones lie along an axis of their own say nothing of what is up."""
    along = WALK[:1].copy()
    along[0, :, 0], along[0, :, 1] = WALK[0, :, 1], 0.0
    head = bvh_bytes(along, OWN).decode().split("MOTION")[0]
    for up in ("y", "z"):
        data = head + "MOTION" + bvh_bytes(turned(RAISE, up), OWN).decode().split("MOTION")[1]
        motion = read(data.encode())
        assert motion.skeleton.endswith(f"{up} up")
        np.testing.assert_allclose(motion.joints, RAISE, atol=1e-5)


def test_a_standing_body_is_not_taken_for_a_lying_one_by_its_rest_pose() -> None:
    head = bvh_bytes(WALK, OWN).decode().split("MOTION")[0]
    far = RAISE + np.array([0.0, 0.0, 2.0])
    motion = read((head + "MOTION" + bvh_bytes(turned(far, "z"), OWN).decode().split("MOTION")[1]).encode())
    np.testing.assert_allclose(motion.joints, far, atol=1e-5)
    assert motion.notes == ("the rest pose stands along y, but the body stands along z; if it lies, give --up y",)


def test_people_of_one_file_are_cut_alike_and_have_one_up_axis(tmp_path: Path) -> None:
    beside = RAISE[: len(WALK)] + np.array([1.0, 0.0, 0.0])
    gone = beside.copy()
    gone[-5:] = 0.0
    motion, notes = load(tmp_path, turned(np.stack([WALK, gone]), "z"))
    np.testing.assert_allclose(motion.joints, np.stack([WALK, beside])[:, :-5], atol=1e-5)
    assert "clip.npy: 5 frames at its ends are padding (all zero), cut off" in notes


def test_prepare_names_the_files_that_were_put_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    np.save(folder / "down.npy", turned(WALK, "-y"))
    np.save(folder / "swapped.npy", WALK * [-1, 1, 1])
    (folder / "plain.bvh").write_bytes(bvh_bytes(WALK, OWN))
    (tmp_path / "captions.json").write_text(
        json.dumps([{"File": name, "Caption": "walks", "Split": "train"} for name in ("down", "plain", "swapped")])
    )
    command = ["prepare", "bvh", str(folder), "--captions", str(tmp_path / "captions.json"), "--num-proc", "1"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    shown, note = (
        capsys.readouterr(),
        "it stands on its head: -y is up, turned (if it stands on its hands, give --up y)",
    )
    assert f"1 file: {note} (down)" in shown.out
    assert "'swapped.npy' has toes that point backward" in shown.err
    summary = read_summary(tmp_path / "out")
    assert summary["noted"][note] == ["down"]
    assert list(summary["left_out"]) == ["swapped"]
    rows = {row["name"]: row["joints"] for row in read_motions(tmp_path / "out", "train", ["name", "joints"])}
    np.testing.assert_allclose(rows["down"], rows["plain"], atol=1e-5)
