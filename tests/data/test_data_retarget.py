"""Other skeletons: real CMU and iClone clips, and files written with known joints, names, units and axes."""

import json
from pathlib import Path

import numpy as np
import pytest
from bvh_writer import NAMES, bvh_bytes

from hub_scripts.data.bvh import parse_bvh, read_bvh
from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.motion_files import load_motion
from hub_scripts.data.retarget import RetargetedMotion, retarget
from hub_scripts.skeletons.maps import BUILT_IN_MAPS, SkeletonMap, find_skeleton_map, read_skeleton_map
from hub_scripts.skeletons.match import UnknownSkeletonError
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, canonicalize_joints, joints_to_features, resample_joints

FIXTURES = Path(__file__).parents[1] / "fixtures"
CMU = FIXTURES / "cmu"
WALK = np.load(FIXTURES / "bandai" / "expected_joints.npz")["dataset-1_walk_normal_002"].astype(np.float64)
BESIDE = WALK + np.array([1.0, 0, 0])
OWN_NAMES = {joint: joint for joint in NAMES}
INDEX = {joint: index for index, joint in enumerate(NAMES)}


def read(data: bytes, **options: object) -> RetargetedMotion:
    return retarget(parse_bvh(data, "clip.bvh"), "clip.bvh", ReadingOptions(**options))  # type: ignore[arg-type]


def test_positions_written_come_back() -> None:
    motion = read(bvh_bytes(WALK, OWN_NAMES))
    assert motion.skeleton == "smpl22 skeleton, metres, y up"
    assert motion.notes == ()
    assert motion.joints.dtype == np.float32
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-6)


# real recordings


@pytest.mark.parametrize(
    "name, skeleton, seconds, speed",
    [
        ("02_01", "cmu skeleton, ASF units of 56.4 mm, y up", 1.0, (1.0, 1.5)),
        ("007_10_iclone", "iclone skeleton, centimetres, y up", 0.65, (1.5, 2.2)),
        ("01_01", "cmu skeleton, ASF units of 56.4 mm, y up", 0.4, (-0.2, 0.4)),
    ],
)
def test_real_recordings_are_upright_metric_and_go_forward(
    name: str, skeleton: str, seconds: float, speed: tuple[float, float]
) -> None:
    motion = retarget(read_bvh(CMU / f"{name}.bvh"), name)
    joints = motion.joints.astype(np.float64)
    assert motion.skeleton == skeleton
    assert abs(len(joints) / 20 - seconds) < 0.06
    at = {joint: joints[:, index] for joint, index in INDEX.items()}
    assert 1.3 < np.mean(at["head"][:, 1]) < 1.7
    assert -0.05 < joints[..., 1].min() < 0.15
    for side in ("left", "right"):
        thigh = np.linalg.norm(at[f"{side}_knee"] - at[f"{side}_hip"], axis=-1)
        assert 0.35 < thigh.min() <= thigh.max() < 0.50
        assert (at[f"{side}_ankle"][:, 1] < at[f"{side}_hip"][:, 1]).all()
    left = at["left_hip"] - at["right_hip"]
    front = np.cross(left, [0.0, 1.0, 0.0])
    front /= np.linalg.norm(front, axis=-1, keepdims=True)
    forward = (np.gradient(at["pelvis"], axis=0) * 20 * front).sum(-1).mean()
    assert speed[0] < forward < speed[1]
    for side in ("left", "right"):  # toes point where the body goes
        assert ((at[f"{side}_foot"] - at[f"{side}_ankle"]) * front).sum(-1).mean() > 0.05
    facing = canonicalize_joints(joints)
    assert facing[0, INDEX["left_hip"], 0] > 0.03 > -0.03 > facing[0, INDEX["right_hip"], 0]
    features = joints_to_features(motion.joints)
    assert features.shape == (len(joints) - 1, 263)
    assert np.isfinite(features).all()
    assert np.abs(np.diff(at["pelvis"], axis=0)).max() < 0.15  # no T-pose frame left


def test_a_rest_pose_before_the_motion_is_left_out_and_said() -> None:
    for name in ("01_01", "007_10_iclone"):
        bvh = read_bvh(CMU / f"{name}.bvh")
        motion = retarget(bvh, name)
        assert any("rest pose before the motion" in note for note in motion.notes)
        bvh.frames = bvh.frames[1:]
        without = retarget(bvh, name)
        assert not any("rest pose" in note for note in without.notes)
        np.testing.assert_allclose(motion.joints, without.joints, atol=1e-6)
    assert not any("rest pose" in note for note in retarget(read_bvh(CMU / "02_01.bvh"), "02_01").notes)


def test_a_recording_that_begins_in_a_t_pose_keeps_it() -> None:
    t_pose = WALK[0].copy()
    for side, sign in (("left", 1), ("right", -1)):
        shoulder = t_pose[INDEX[f"{side}_shoulder"]]
        t_pose[INDEX[f"{side}_elbow"]] = shoulder + np.array([sign * 0.25, 0, 0])
        t_pose[INDEX[f"{side}_wrist"]] = shoulder + np.array([sign * 0.48, 0, 0])
    share = np.linspace(0, 1, 20)[:, None, None]
    blended = np.concatenate([(1 - share) * t_pose + share * WALK[0], WALK[1:]])
    assert len(read(bvh_bytes(blended, OWN_NAMES)).joints) == len(blended)
    jumped = np.concatenate([t_pose[None], resample_joints(WALK, 20, 60)])
    np.testing.assert_allclose(read(bvh_bytes(jumped, OWN_NAMES, fps=60)).joints, WALK, atol=1e-6)


def test_zero_length_neck_and_collars_of_cmu_are_placed_between_their_neighbours() -> None:
    motion = retarget(read_bvh(CMU / "02_01.bvh"), "02_01")
    assert "not in the file, interpolated: left_collar, right_collar" in motion.notes
    bones = np.linalg.norm(motion.joints - motion.joints[:, list(HUMANML3D.parents)], axis=-1)[:, 1:]
    assert bones.min() > 0.03


# names


@pytest.mark.parametrize("name", BUILT_IN_MAPS)
def test_every_built_in_map_is_recognised(name: str) -> None:
    chosen = BUILT_IN_MAPS[name]
    names = {joint: sources[0] for joint, sources in chosen.joints.items() if len(sources) == 1}
    motion = read(
        bvh_bytes(WALK, names, unit=0.01, helpers=["LeftHandThumb1", *sorted({*chosen.signature} - {*names.values()})])
    )
    assert motion.skeleton == f"{name} skeleton, centimetres, y up"
    there = [INDEX[joint] for joint in names]
    np.testing.assert_allclose(motion.joints[:, there], WALK[:, there], atol=1e-6)
    assert np.isfinite(joints_to_features(motion.joints)).all()


MIXAMO = {joint: sources[0] for joint, sources in BUILT_IN_MAPS["mixamo"].joints.items()}


@pytest.mark.parametrize("prefix", ["", "mixamorig:", "mixamorig", "mixamorig1:", "mixamorig_", "Character1_", "Me:x:"])
def test_prefixes_do_not_matter(prefix: str) -> None:
    names = {joint: prefix + source for joint, source in MIXAMO.items()}
    motion = read(bvh_bytes(WALK, names, unit=0.01, helpers=(f"{prefix}LeftHandIndex1", f"{prefix}HeadTop_End")))
    assert motion.skeleton == "mixamo skeleton, centimetres, y up"
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-6)


def test_case_and_marks_do_not_matter() -> None:
    names = {joint: joint.replace("_", " ").upper() for joint in NAMES}
    np.testing.assert_allclose(read(bvh_bytes(WALK, names)).joints, WALK, atol=1e-6)


def test_two_people_in_a_file_are_refused_unless_the_map_chooses_one() -> None:
    one = bvh_bytes(WALK, {joint: f"A:{joint}" for joint in NAMES}).decode().split("MOTION")
    two = bvh_bytes(BESIDE, {joint: f"B:{joint}" for joint in NAMES}).decode().split("MOTION")
    head, *first = one[1].strip().splitlines()
    second = two[1].strip().splitlines()[2:]
    rows = [f"{a} {b}" for a, b in zip(first[1:], second, strict=True)]
    hierarchy = one[0] + two[0].removeprefix("HIERARCHY\n")
    data = "\n".join([hierarchy + "MOTION", head, first[0], *rows]).encode()
    with pytest.raises(MotionLLMError, match="2 joints called pelvis; keep one skeleton"):
        read(data)
    chosen = SkeletonMap("b.json", {joint: (f"B:{joint}",) for joint in NAMES})
    np.testing.assert_allclose(read(data, skeleton_map=chosen).joints, BESIDE, atol=1e-6)


# unit, axes, floor, sides


@pytest.mark.parametrize(
    "unit, said",
    [
        (1.0, "metres"),
        (0.01, "centimetres"),
        (0.001, "millimetres"),
        (0.0254, "inches"),
        (0.3048, "feet"),
        (0.0254 / 0.45, "ASF units of 56.4 mm"),
    ],
)
def test_the_unit_is_found_from_the_legs(unit: float, said: str) -> None:
    motion = read(bvh_bytes(WALK, OWN_NAMES, unit=unit))
    assert motion.skeleton == f"smpl22 skeleton, {said}, y up"
    assert motion.notes == ()
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-5)


def test_an_unusual_unit_is_scaled_to_an_adult_and_said_or_given() -> None:
    data = bvh_bytes(WALK, OWN_NAMES, unit=2.0)
    motion = read(data)
    assert "the unit is none of the usual ones" in motion.notes[0]
    legs = [
        np.linalg.norm(motion.joints[:, INDEX[a]] - motion.joints[:, INDEX[b]], axis=-1).mean()
        for a, b in (("left_hip", "left_knee"), ("left_knee", "left_ankle"))
    ]
    assert sum(legs) == pytest.approx(0.82, abs=0.01)
    given = read(data, scale=2.0)
    np.testing.assert_allclose(given.joints, WALK, atol=1e-6)
    assert given.notes == ()
    assert "which is no adult's" in read(data, scale=3.0).notes[0]


def test_z_up_is_found_or_given() -> None:
    data = bvh_bytes(WALK, OWN_NAMES, up="z")
    motion = read(data)
    assert motion.skeleton.endswith("z up")
    np.testing.assert_allclose(motion.joints, WALK, atol=1e-6)
    wrong = read(data, up="y")
    assert np.ptp(wrong.joints[:, 0, 1]) > 1  # it climbs along z


def test_somebody_who_lies_all_the_time_stays_lying() -> None:
    lying = np.stack([WALK[..., 0], 1.0 - WALK[..., 2], WALK[..., 1]], axis=-1)[:10]
    lying[..., 1] -= lying[..., 1].min()
    data = bvh_bytes(lying, OWN_NAMES)
    upright = bvh_bytes(WALK[:1], OWN_NAMES).decode().split("MOTION")[0]  # the rest pose stands
    motion = read((upright + "MOTION" + data.decode().split("MOTION")[1]).encode())
    assert motion.skeleton.endswith("y up")
    assert any("give --up z" in note for note in motion.notes)
    np.testing.assert_allclose(motion.joints, lying, atol=1e-6)


def test_another_origin_of_height_is_put_on_the_floor() -> None:
    sunk = WALK - [0, 1.0, 0]
    motion = read(bvh_bytes(sunk, OWN_NAMES))
    assert motion.joints[..., 1].min() == pytest.approx(0, abs=1e-6)
    assert any("put on the floor" in note for note in motion.notes)
    a_little = WALK - [0, 0.1, 0]  # a foot that dips through the floor is as it was recorded
    np.testing.assert_allclose(read(bvh_bytes(a_little, OWN_NAMES)).joints, a_little, atol=1e-6)


def test_swapped_sides_are_refused_and_left_handed_axes_can_be_said() -> None:
    mirrored = WALK * [-1, 1, 1]
    data = bvh_bytes(mirrored, OWN_NAMES)
    with pytest.raises(MotionLLMError, match="toes that point backward"):
        read(data)
    chosen = SkeletonMap("mine.json", {joint: (joint,) for joint in NAMES}, left_handed=True)
    np.testing.assert_allclose(read(data, skeleton_map=chosen).joints, WALK, atol=1e-6)
    crossed = {joint: (joint,) for joint in NAMES}
    for joint in ("collar", "shoulder", "elbow", "wrist"):
        crossed[f"left_{joint}"], crossed[f"right_{joint}"] = (f"right_{joint}",), (f"left_{joint}",)
    with pytest.raises(MotionLLMError, match="left hip on the side of the right shoulder"):
        read(bvh_bytes(WALK, OWN_NAMES), skeleton_map=SkeletonMap("mine.json", crossed))


def test_positions_out_of_this_world_are_refused() -> None:
    with pytest.raises(MotionLLMError, match="m from the origin"):
        read(bvh_bytes(WALK * 1e6, OWN_NAMES, unit=1.0), scale=1.0)
    with pytest.raises(MotionLLMError, match=r"'clip\.bvh' has an OFFSET of \d\.\d+e\+2\d, .* above 1e\+09"):
        read(bvh_bytes(WALK * 1e30, OWN_NAMES, unit=1.0), scale=1.0)


# joints that are not there


@pytest.mark.parametrize(
    "absent, error",
    [
        (("spine2",), 0.03),
        (("spine1", "spine2", "spine3"), 0.07),
        (("left_collar", "right_collar"), 0.10),
        (("neck",), 0.08),
        (("head",), 0.08),
        (("spine2", "left_collar", "right_collar", "head"), 0.10),
    ],
)
def test_joints_that_can_be_interpolated_are(absent: tuple[str, ...], error: float) -> None:
    names = {joint: joint for joint in NAMES if joint not in absent}
    motion = read(bvh_bytes(WALK, names))
    assert motion.notes == (f"not in the file, interpolated: {', '.join(absent)}",)
    there = [INDEX[joint] for joint in names]
    np.testing.assert_allclose(motion.joints[:, there], WALK[:, there], atol=1e-6)
    for joint in absent:
        off = np.linalg.norm(motion.joints[:, INDEX[joint]] - WALK[:, INDEX[joint]], axis=-1)
        assert off.max() < error
    assert np.isfinite(joints_to_features(motion.joints)).all()


def test_a_joint_in_the_place_of_its_neighbour_is_placed_anew() -> None:
    joints = WALK.copy()
    joints[:, INDEX["neck"]] = joints[:, INDEX["spine3"]]
    joints[:, INDEX["left_collar"]] = joints[:, INDEX["spine3"]]
    motion = read(bvh_bytes(joints, OWN_NAMES))
    assert motion.notes == ("not in the file, interpolated: neck, left_collar",)
    assert np.isfinite(joints_to_features(motion.joints)).all()


def test_joints_in_one_place_that_cannot_be_interpolated_are_refused() -> None:
    joints = WALK.copy()
    joints[:, INDEX["left_wrist"]] = joints[:, INDEX["left_elbow"]]
    with pytest.raises(MotionLLMError, match="left_elbow and left_wrist in one place"):
        read(bvh_bytes(joints, OWN_NAMES))
    with pytest.raises(MotionLLMError, match="legs of length zero"):
        read(bvh_bytes(np.zeros_like(WALK), OWN_NAMES))


def test_toes_can_be_the_end_sites_of_the_ankles() -> None:
    names = {joint: joint for joint in NAMES if not joint.endswith("foot")}
    assert read(bvh_bytes(WALK, names)).notes == ("not in the file, interpolated: left_foot, right_foot",)
    toes = {f"{side}_ankle": (0.0, -0.06, 0.13) for side in ("left", "right")}
    motion = read(bvh_bytes(WALK, names, end_sites=toes))
    assert motion.notes == ("the toes are the end sites of the ankles",)
    for side in ("left", "right"):
        expected = WALK[:, INDEX[f"{side}_ankle"]] + [0.0, -0.06, 0.13]
        np.testing.assert_allclose(motion.joints[:, INDEX[f"{side}_foot"]], expected, atol=1e-6)


# maps of the user


def unknown_names() -> dict[str, str]:
    names = {joint: f"bone {index}" for index, joint in enumerate(NAMES)}
    return names | {"pelvis": "Hips", "head": "Head", "neck": "Neck", "spine1": "Spine"}


def test_an_unknown_skeleton_is_explained_and_a_map_offered(tmp_path: Path) -> None:
    path = tmp_path / "robot.bvh"
    path.write_bytes(bvh_bytes(WALK, unknown_names()))
    with pytest.raises(MotionLLMError) as caught:
        load_motion(path)
    message = str(caught.value)
    assert f"'{path}' is not known: 14 joints were not found (left_hip, right_hip, left_knee" in message
    assert "bone 21" in message
    template = tmp_path / "robot.map.json"
    assert f"complete the map '{template}' and give it with --map" in message
    content = json.loads(template.read_text())
    assert content["joints"]["pelvis"] == "Hips"
    assert content["joints"]["left_knee"] == ""
    assert content["joints_of_the_file"] == list(read_bvh(path).joint_names)

    content["joints"] = unknown_names() | {"spine2": ["bone 3", "bone 9"], "left_collar": ""}
    content["joints"].pop("spine2")
    template.write_text(json.dumps(content))
    motion = load_motion(path, ReadingOptions(read_skeleton_map(template)))
    there = [index for index, joint in enumerate(NAMES) if joint not in ("spine2", "left_collar")]
    np.testing.assert_allclose(motion.joints[:, there], WALK[:, there], atol=1e-6)
    with pytest.raises(MotionLLMError):  # a map that is there already is not written again
        load_motion(path)
    assert json.loads(template.read_text()) == content


def test_a_map_of_means_and_units(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    joints = unknown_names() | {"spine2": ["Spine", "bone 9"]}
    path.write_text(json.dumps({"joints": joints, "up": "z", "metres_per_unit": 0.01}))
    motion = read(bvh_bytes(WALK, unknown_names(), unit=0.01, up="z"), skeleton_map=find_skeleton_map(str(path)))
    assert motion.skeleton == "map.json skeleton, centimetres, z up"
    mean = (WALK[:, INDEX["spine1"]] + WALK[:, INDEX["spine3"]]) / 2
    np.testing.assert_allclose(motion.joints[:, INDEX["spine2"]], mean, atol=1e-6)


@pytest.mark.parametrize(
    "content, problem",
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "no object 'joints'"),
        ('{"joints": []}', "no object 'joints'"),
        ('{"joints": {"tail": "Tail"}}', "'tail', which is none of the 22"),
        ('{"joints": {"head": 3}}', "gives 3 for head"),
        ('{"joints": {"head": [""]}}', "for head"),
        ('{"joints": {}, "up": "w"}', "up 'w'"),
        ('{"joints": {}, "metres_per_unit": -1}', "metres_per_unit -1"),
        ('{"joints": {}, "metres_per_unit": NaN}', "metres_per_unit nan"),
        ('{"joints": {}, "left_handed": 1}', "left_handed 1"),
        ('{"joints": {}, "fps": 3}', "unknown entries: fps"),
    ],
)
def test_a_broken_map_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(MotionLLMError, match=problem) as caught:
        read_skeleton_map(path)
    assert str(path) in str(caught.value)


def test_a_map_must_fit_the_file(tmp_path: Path) -> None:
    data = bvh_bytes(WALK, OWN_NAMES)
    with pytest.raises(MotionLLMError, match=r"lacks 1 joints that the map m names \(Skull\); its joints are: pelvis"):
        read(data, skeleton_map=SkeletonMap("m", {joint: (joint,) for joint in NAMES} | {"head": ("Skull",)}))
    with pytest.raises(UnknownSkeletonError, match=r"2 joints were not found \(left_wrist, right_wrist\)"):
        read(data, skeleton_map=SkeletonMap("m", {j: (j,) for j in NAMES if not j.endswith("wrist")}))
    with pytest.raises(MotionLLMError, match="neither a file nor one of the built-in maps"):
        find_skeleton_map("nothing.json")
    assert find_skeleton_map("cmu") is BUILT_IN_MAPS["cmu"]
