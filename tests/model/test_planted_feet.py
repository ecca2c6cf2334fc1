"""Feet that are held where they stand: `plant_feet`, and the commands that take --plant-feet."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import read_golden
from numpy.testing import assert_allclose, assert_array_equal

from hub_scripts.cli import main
from hub_scripts.evaluation.outputs import plant_features
from hub_scripts.metrics.physics import FootSkating, MotionClips
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, KIT, features_to_joints
from modeling_motionllm.planted_feet_motionllm import plant_feet

FPS = 20
# Hip, knee, ankle and toe; the left leg first.
LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))
OTHERS = sorted(set(range(22)) - {4, 5, 7, 8, 10, 11})


def standing(frames: int = 40) -> np.ndarray:
    """Somebody with slightly bent knees, both toes on the floor."""
    pose = np.zeros((22, 3))
    for side, leg in zip((0.1, -0.1), LEGS, strict=True):
        pose[list(leg)] = [(side, 0.85, 0), (side, 0.45, 0.1), (side, 0.08, 0), (side, 0.02, 0.12)]
    pose[[0, 3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21], 1] = np.linspace(0.9, 1.7, 14)
    return np.repeat(pose[None], frames, axis=0)


def lengths(joints: np.ndarray) -> np.ndarray:
    """(..., T, 6) of thighs, shins and feet."""
    bones = [joints[..., end, :] - joints[..., start, :] for leg in LEGS for start, end in pairwise(leg)]
    return np.linalg.norm(np.stack(bones, axis=-2), axis=-1)


def skating(joints: np.ndarray) -> float:
    return FootSkating().compute(MotionClips([joints]), np.random.default_rng(0))[0]


def test_a_sliding_foot_is_held() -> None:
    joints = standing()
    slide = 0.002 * np.arange(40)  # 4 cm/s: 8 cm in all
    joints[:, [7, 10], 0] += slide[:, None]
    joints[:, 4, 0] += slide / 2
    planted = plant_feet(joints, FPS)
    assert_allclose(planted[:, 10, [0, 2]], planted[:1, 10, [0, 2]].repeat(40, 0), atol=1e-12)
    assert planted[0, 10, 0] == pytest.approx(0.1 + slide.mean())  # the middle of its way
    assert_allclose(lengths(planted), lengths(joints), atol=1e-9)
    assert_array_equal(planted[..., 1][:, [7, 10]], joints[..., 1][:, [7, 10]])
    assert_array_equal(planted[:, OTHERS], joints[:, OTHERS])
    assert (planted[:, 4, 2] > 0.05).all(), "the knee bends forward as before"
    assert_allclose(planted[:, 11], joints[:, 11], atol=1e-12)  # the right foot stood anyway


def test_fast_high_and_far_feet_are_left_alone() -> None:
    fast = standing()
    fast[:, [7, 10], 2] += 0.05 * np.arange(40)[:, None]  # 1 m/s
    high = standing()
    high[:, [7, 10]] += (0, 0.1, 0)
    high[:, [7, 10], 0] += 0.002 * np.arange(40)[:, None]
    far = standing(200)
    far[:, [7, 10], 0] += 0.002 * np.arange(200)[:, None]  # 40 cm, slowly
    for joints in (fast, high, far):
        joints[:, [8, 11], 1] += 0.1
        assert_array_equal(plant_feet(joints, FPS), joints)


def test_it_comes_back_to_its_own_movement() -> None:
    joints = standing(60)
    joints[:, [8, 11], 1] += 0.1
    joints[20:40, [7, 10], 0] += np.linspace(-0.04, 0.04, 20)[:, None]
    joints[:20, [7, 10], 1] += 0.08
    joints[40:, [7, 10], 1] += 0.08
    moved = np.linalg.norm(plant_feet(joints, FPS) - joints, axis=-1)[:, 10]
    assert_array_equal(moved[:16], 0)
    assert_array_equal(moved[44:], 0)
    assert (np.diff(moved[15:21]) > 0).all()
    assert (np.diff(moved[39:45]) < 0).all()
    assert moved.max() == pytest.approx(0.04)


def test_a_leg_does_not_get_longer() -> None:
    joints = standing()
    for leg in LEGS:
        joints[:, leg[1]] = (joints[:, leg[0]] + joints[:, leg[2]]) / 2  # straight legs
    slide = np.linspace(-0.05, 0.05, 40)
    for leg, share in ((4, 0.5), (7, 1.0), (10, 1.0)):
        joints[:, leg, 0] += share * slide
    planted = plant_feet(joints, FPS)
    assert np.isfinite(planted).all()
    assert_allclose(lengths(planted), lengths(joints), rtol=2e-3)


def test_recorded_clips_slide_less_and_look_the_same() -> None:
    before, after = [], []
    for clip in read_golden().values():
        joints = clip["recovered"].astype(np.float64)
        planted = plant_feet(joints, FPS)
        assert_allclose(lengths(planted), lengths(joints), atol=1e-6)
        assert_array_equal(planted[:, OTHERS], joints[:, OTHERS])
        assert np.abs(planted - joints).max() < 0.15
        before.append(skating(joints))
        after.append(skating(planted))
    assert np.mean(after) < np.mean(before)


def test_people_are_planted_each_on_their_own() -> None:
    clips = [clip["recovered"] for clip in read_golden().values()]
    frames = min(map(len, clips[:2]))
    people = np.stack([clip[:frames] for clip in clips[:2]])
    assert_allclose(plant_feet(people, FPS), np.stack([plant_feet(person, FPS) for person in people]), atol=1e-6)
    assert plant_feet(people, FPS).dtype == people.dtype


def test_kit_legs() -> None:
    joints = np.zeros((30, 21, 3))
    pose = {
        "hip": (0, 0.85, 0),
        "knee": (0, 0.45, 0.1),
        "ankle": (0, 0.08, 0),
        "foot": (0, 0.03, 0.06),
        "toe": (0, 0.02, 0.12),
    }
    for name, (x, y, z) in pose.items():
        joints[:, KIT.joint_names.index(f"left_{name}")] = (0.1 + x, y, z)
        joints[:, KIT.joint_names.index(f"right_{name}")] = (-0.1 + x, y, z)
    whole_foot = [KIT.joint_names.index(f"left_{name}") for name in ("ankle", "foot", "toe")]
    joints[:, whole_foot, 0] += np.linspace(0, 0.05, 30)[:, None]
    planted = plant_feet(joints, 12.5)
    assert_allclose(planted[:, whole_foot, 0], 0.125, atol=1e-9)


def test_frames_that_stay_say_where_feet_stand() -> None:
    joints = standing()
    left, right = [7, 10], [8, 11]
    joints[:, left, 0] += np.linspace(0, 0.08, 40)[:, None]
    joints[20:, right, 2] += np.linspace(0, 0.05, 20)[:, None]
    kept = np.ones(40, dtype=bool)
    kept[10:30] = False
    planted = plant_feet(joints, FPS, kept=kept)
    assert_array_equal(planted[kept], joints[kept])
    # Both ends are where they were: between them the foot goes evenly, and starts at the one and ends at the other.
    assert_allclose(np.diff(planted[9:31, left], axis=0), np.diff(joints[9:31, left], axis=0), atol=1e-9)
    kept[30:] = False
    planted = plant_feet(joints, FPS, kept=kept)
    assert_array_equal(planted[kept], joints[kept])
    assert_allclose(planted[10:, left, 0], np.broadcast_to(joints[9, left, 0], (30, 2)), atol=1e-9)
    assert_allclose(planted[10:, right, 2], np.broadcast_to(joints[9, right, 2], (30, 2)), atol=1e-9)
    assert np.abs(planted - plant_feet(joints, FPS)).max() > 0.01


def test_motion_keeps_what_is_still_true() -> None:
    clip = next(iter(read_golden().values()))
    motion = Motion(clip["recovered"], FPS, "a walk", codes=np.arange(3), features=clip["features"], seed=4)
    planted = motion.plant_feet()
    assert planted.features is None
    assert (planted.caption, planted.seed, planted.codes.tolist()) == ("a walk", 4, [0, 1, 2])
    assert_allclose(planted.joints, plant_feet(motion.joints, FPS), atol=1e-6)


def test_features_of_planted_motions() -> None:
    for clip in list(read_golden().values())[:6]:
        features = clip["features"].copy()
        # As decoded motions do, the first frame faces a little off +Z: 14 degrees here.
        joints = features[0, 4:67].reshape(-1, 3)
        joints[:, [0, 2]] = joints[:, [0, 2]] @ np.array([[0.97, -0.243], [0.243, 0.97]])
        planted = plant_features(features)
        assert planted.shape == features.shape
        assert planted.dtype == np.float32
        wanted = plant_feet(features_to_joints(features.astype(np.float64), HUMANML3D), FPS)
        assert_allclose(features_to_joints(planted.astype(np.float64), HUMANML3D), wanted, atol=2e-3)


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    joints = standing()
    joints[:, [7, 10], 0] += 0.002 * np.arange(40)[:, None]
    Motion(joints, FPS).save(tmp_path / "in.npz")
    assert main(["convert", str(tmp_path / "in.npz"), str(tmp_path / "out.npz"), "--plant-feet"]) == 0
    planted = plant_feet(joints.astype(np.float32), FPS)
    written = Motion.load(tmp_path / "out.npz").joints
    assert_allclose(written, planted, atol=1e-6)
    assert main(["convert", str(tmp_path / "out.npz"), str(tmp_path / "same.npz")]) == 0
    assert_array_equal(Motion.load(tmp_path / "same.npz").joints, written)
