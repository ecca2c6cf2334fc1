"""Motions of KIT-ML's skeleton in pictures and on rigs: the same body as the recorded one of 22 joints."""

import numpy as np
import pytest
from test_features_kit import FROM_SMPL, LEFT_FOOT, RIGHT_FOOT

from hub_scripts.data.motion_files import load_motion
from hub_scripts.export import save_motion
from hub_scripts.export.html_viewer import build_html
from hub_scripts.export.renderer import Renderer, RenderOptions
from hub_scripts.skeletons.smpl import smpl_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, KIT

PLACED = [HUMANML3D.joint_names.index(name) for name in ("spine3", "left_collar", "right_collar")]
TAKEN = [joint for joint in range(22) if joint not in PLACED]


@pytest.fixture(scope="module")
def recorded(golden) -> Motion:
    return Motion(golden["dataset-1_walk-left_giant_001"]["joints"], caption="a giant walks left")


@pytest.fixture(scope="module")
def kit(recorded) -> Motion:
    """The recorded motion in KIT-ML's joints, in metres; the foot's first joint lies between ankle and toe."""
    body = recorded.joints[:, FROM_SMPL].copy()
    for foot, toe in (RIGHT_FOOT, LEFT_FOOT):
        body[:, toe] = recorded.joints[:, FROM_SMPL[toe]]
        body[:, foot] += 0.3 * (body[:, toe] - body[:, foot])
    return Motion(body, recorded.fps, recorded.caption, seed=3)


def test_joints_of_one_name_are_taken_and_the_others_placed_between(recorded, kit):
    assert (kit.skeleton, kit.joints.shape[1]) == (KIT, 21)
    body = smpl_motion(kit)
    assert (body.skeleton, body.fps, body.caption, body.seed) == (HUMANML3D, 20.0, recorded.caption, 3)
    np.testing.assert_allclose(body.joints[:, TAKEN], recorded.joints[:, TAKEN], atol=1e-6)
    error = np.linalg.norm(body.joints[:, PLACED] - recorded.joints[:, PLACED], axis=-1)
    assert error.max() < 0.08  # metres: collars and chest of an actor, against SMPL's proportions
    pair = smpl_motion(Motion(np.stack([kit.joints] * 2)))
    np.testing.assert_allclose(pair.joints[1], body.joints, atol=1e-6)
    assert smpl_motion(recorded) is recorded


def test_pictures_show_that_body(kit):
    body = smpl_motion(kit)
    size = RenderOptions(size=(96, 96))
    pictures = [np.asarray(Renderer(motion, size).frame(3)) for motion in (kit, body)]
    np.testing.assert_array_equal(*pictures)
    assert build_html(kit) == build_html(body)


@pytest.mark.parametrize("skeleton", ["smpl", "mixamo"])
def test_bvh_is_read_back_as_that_body(kit, tmp_path, skeleton):
    read = load_motion(save_motion(kit, tmp_path / "kit.bvh", skeleton=skeleton))
    error = np.linalg.norm(read.joints - smpl_motion(kit).joints, axis=-1)
    assert np.median(error) < 0.005
    assert error.max() < 0.05
    assert save_motion(kit, tmp_path / "kit.glb", skeleton=skeleton).stat().st_size > 10_000


def test_published_files_are_millimetres_at_the_frame_rate_of_the_skeleton(kit, tmp_path):
    np.save(tmp_path / "joints.npy", 1000 * kit.joints)
    read = load_motion(tmp_path / "joints.npy")
    np.testing.assert_allclose(read.joints, kit.joints, atol=1e-5)
    assert read.fps == 12.5
    np.save(tmp_path / "metres.npy", kit.joints)
    with pytest.raises(MotionLLMError, match=r"shows a body of 1\.\d* mm; .* in units of 0.001 m"):
        load_motion(tmp_path / "metres.npy")


def test_features_beside_the_joints_are_of_the_same_skeleton(kit):
    with pytest.raises(MotionLLMError, match="a row of 251"):
        Motion(kit.joints, features=np.zeros((kit.num_frames - 1, 263)))
    whole = Motion(kit.joints, features=np.zeros((kit.num_frames - 1, 251)))
    assert smpl_motion(whole).features is None
