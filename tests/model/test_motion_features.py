"""HumanML3D features: the official numbers, batching, canonicalisation, mirroring, resampling, degenerate input."""

import numpy as np
import pytest
import torch

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import (
    HUMANML3D,
    canonicalize_joints,
    feature_groups,
    features_to_joints,
    integrate_root,
    joints_to_features,
    mirror_joints,
    resample_joints,
)

ROTATIONS, CONTACTS = slice(67, 193), slice(259, 263)
WALK_LEFT = "dataset-1_walk-left_giant_001"
SHORT = "dataset-2_wave-left-hand_active_011"


def test_every_golden_clip_gives_the_official_features(golden):
    assert len(golden) == 30
    for name, clip in golden.items():
        features = joints_to_features(clip["joints"])
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, clip["features"], atol=1e-4, rtol=0, err_msg=name)
        others = np.delete(np.arange(263), ROTATIONS)
        np.testing.assert_allclose(features[:, others], clip["features"][:, others], atol=2e-5, rtol=0, err_msg=name)
        np.testing.assert_array_equal(features[:, CONTACTS], clip["features"][:, CONTACTS], err_msg=name)


def test_every_golden_clip_is_recovered_as_officially(golden):
    for name, clip in golden.items():
        recovered = features_to_joints(clip["features"].astype(np.float64))
        np.testing.assert_allclose(recovered, clip["recovered"], atol=1e-5, rtol=0, err_msg=name)


def test_recovery_in_float32_stays_close(golden):
    for name, clip in golden.items():
        recovered = features_to_joints(clip["features"])
        assert recovered.dtype == np.float32
        np.testing.assert_allclose(recovered, clip["recovered"], atol=1e-4, rtol=0, err_msg=name)


def test_recovery_gives_the_canonical_joints_back(golden):
    crossing = "dataset-2_walk-turn-left_normal_032"  # turns past 180 degrees, where the official features are wrong
    for name, clip in golden.items():
        canonical = canonicalize_joints(clip["joints"])[:-1]
        error = np.abs(features_to_joints(joints_to_features(clip["joints"])) - canonical).max()
        assert (error > 0.1) if name == crossing else (error < 1e-4), (name, error)


def test_a_padded_batch_equals_single_clips(golden):
    clips = [golden[name]["joints"] for name in (SHORT, WALK_LEFT, "dataset-1_bow_childish_001")]
    lengths = torch.tensor([len(clip) for clip in clips])
    batch = torch.full((3, int(lengths.max()) + 2, 22, 3), 1e3)
    for row, clip in enumerate(clips):
        batch[row, : len(clip)] = torch.from_numpy(clip)
    features = joints_to_features(batch, lengths=lengths)
    canonical = canonicalize_joints(batch, lengths=lengths)
    for row, clip in enumerate(clips):
        np.testing.assert_allclose(features[row, : len(clip) - 1], joints_to_features(clip), atol=1e-6, rtol=0)
        np.testing.assert_allclose(canonical[row, : len(clip)], canonicalize_joints(clip), atol=1e-6, rtol=0)
        assert not features[row, len(clip) - 1 :].any()


def test_numpy_equals_torch(golden):
    joints = golden[SHORT]["joints"]
    lengths = np.array([9, len(joints)])
    batch = np.stack([joints, joints])
    pairs = [
        (joints_to_features(joints), joints_to_features(torch.from_numpy(joints))),
        (joints_to_features(batch, lengths=lengths), joints_to_features(torch.from_numpy(batch), lengths=lengths)),
        (canonicalize_joints(joints), canonicalize_joints(torch.from_numpy(joints))),
        (
            features_to_joints(golden[SHORT]["features"]),
            features_to_joints(torch.from_numpy(golden[SHORT]["features"])),
        ),
        (mirror_joints(joints), mirror_joints(torch.from_numpy(joints))),
        (resample_joints(joints, 30, 20), resample_joints(torch.from_numpy(joints), 30, 20)),
    ]
    for array, tensor in pairs:
        assert isinstance(array, np.ndarray)
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_allclose(array, tensor.numpy(), atol=1e-5)


def test_views_and_read_only_arrays_are_taken_and_never_changed(golden):
    joints = golden[SHORT]["joints"]
    before = joints.copy()
    backwards = joints_to_features(joints[::-1])
    np.testing.assert_allclose(backwards, joints_to_features(joints[::-1].copy()), atol=1e-5)
    locked = joints.copy()
    locked.flags.writeable = False
    np.testing.assert_allclose(joints_to_features(locked), joints_to_features(joints), atol=1e-5)
    np.testing.assert_array_equal(joints, before)


def test_mirroring_is_its_own_inverse_and_swaps_the_sides(golden):
    joints = golden[WALK_LEFT]["joints"]
    mirrored = mirror_joints(joints)
    np.testing.assert_array_equal(mirror_joints(mirrored), joints)
    left, right = HUMANML3D.joint_names.index("left_wrist"), HUMANML3D.joint_names.index("right_wrist")
    np.testing.assert_array_equal(mirrored[:, left], joints[:, right] * np.float32([-1, 1, 1]))
    sideways = canonicalize_joints(joints)[-1, 0, 0]
    assert sideways > 1  # left is +X
    # Up to the skeleton, whose two sides differ by millimetres.
    assert canonicalize_joints(mirrored)[-1, 0, 0] == pytest.approx(-sideways, rel=0.05)


def test_canonical_motion_faces_forward_on_the_floor_at_the_origin(golden):
    for name, clip in golden.items():
        joints = canonicalize_joints(clip["joints"].astype(np.float64))
        assert abs(joints[..., 1].min()) < 1e-9, name
        assert np.abs(joints[0, 0, [0, 2]]).max() < 1e-9, name
        right_hip, left_hip, right_shoulder, left_shoulder = HUMANML3D.facing
        across = joints[0, right_hip] - joints[0, left_hip] + joints[0, right_shoulder] - joints[0, left_shoulder]
        forward = np.cross([0, 1, 0], across)
        assert abs(forward[0]) < 1e-9, name
        assert forward[2] > 0, name
        bones = joints[:, 1:] - joints[:, list(HUMANML3D.parents[1:])]
        expected = np.broadcast_to(HUMANML3D.bone_lengths[1:], bones.shape[:2])
        np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), expected, atol=1e-9)


def test_canonicalising_twice_changes_nothing(golden):
    for clip in golden.values():
        once = canonicalize_joints(clip["joints"].astype(np.float64))
        np.testing.assert_allclose(canonicalize_joints(once), once, atol=1e-9)


@pytest.mark.parametrize("degrees", [30.0, 180.0, -135.0])
def test_features_do_not_depend_on_where_and_which_way_a_clip_starts(golden, degrees):
    joints = golden[WALK_LEFT]["joints"].astype(np.float64)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    moved = joints @ turn.T + [3.0, -0.7, -20.0]
    np.testing.assert_allclose(joints_to_features(moved), joints_to_features(joints), atol=1e-9)


def test_features_do_not_depend_on_the_size_of_the_person(golden):
    joints = golden[WALK_LEFT]["joints"].astype(np.float64)
    np.testing.assert_allclose(joints_to_features(1.3 * joints), joints_to_features(joints), atol=1e-9)


def test_both_precisions_come_back_as_they_went_in(golden):
    joints = golden[SHORT]["joints"]
    single, double = joints_to_features(joints), joints_to_features(joints.astype(np.float64))
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single, double, atol=1e-6)
    assert features_to_joints(torch.from_numpy(double)).dtype == torch.float64


def test_resampling_takes_frame_k_at_k_over_fps_seconds():
    joints = np.arange(10, dtype=np.float64)[:, None, None] * np.ones((10, 22, 3))
    slower = resample_joints(joints, 30, 20)
    assert len(slower) == 9 * 20 // 30 + 1
    np.testing.assert_allclose(slower[:, 0, 0], 1.5 * np.arange(7))
    faster = resample_joints(joints, 20, 60)
    np.testing.assert_allclose(faster[:, 0, 0], np.arange(28) / 3, atol=1e-12)
    np.testing.assert_array_equal(resample_joints(joints, 20, 20), joints)
    np.testing.assert_array_equal(resample_joints(joints[:1], 120, 20), joints[:1])


@pytest.mark.parametrize("fps", [0, -20, float("nan"), float("inf")])
def test_resampling_refuses_impossible_rates(fps):
    with pytest.raises(MotionLLMError, match="fps"):
        resample_joints(np.zeros((5, 22, 3)), 30, fps)
    with pytest.raises(MotionLLMError, match="no frames"):
        resample_joints(np.zeros((0, 22, 3)), 30, 20)


@pytest.mark.parametrize("shape", [(5, 21, 3), (5, 22, 2), (22, 3), (66,)])
def test_wrong_shapes_are_named(shape):
    with pytest.raises(MotionLLMError, match=r"shape \(.*22, 3\)"):
        joints_to_features(np.zeros(shape))


def test_wrong_feature_shapes_are_named():
    for shape in [(5, 262), (263,)]:
        with pytest.raises(MotionLLMError, match="263"):
            features_to_joints(np.zeros(shape))


def test_one_frame_can_stand_but_has_no_features(golden):
    frame = golden[SHORT]["joints"][:1]
    assert canonicalize_joints(frame).shape == (1, 22, 3)
    with pytest.raises(MotionLLMError, match="1 frames; at least 2"):
        joints_to_features(frame)


def test_two_frames_make_one_row(golden):
    features = joints_to_features(golden[SHORT]["joints"][:2])
    assert features.shape == (1, 263)
    assert np.isfinite(features).all()


def test_a_bone_without_length_is_named(golden):
    joints = golden[SHORT]["joints"].copy()
    joints[4, 20] = joints[4, 18]
    with pytest.raises(MotionLLMError, match="'left_wrist' and 'left_elbow' share one place"):
        joints_to_features(joints)


def test_bones_opposite_to_their_canonical_direction_give_rotations():
    # A handstand of sorts: every bone points exactly against its canonical direction.
    directions = np.array(HUMANML3D.directions, dtype=np.float64)
    directions[[1, 2]] *= -1  # but the hips stay, so that the facing is known
    joints = np.zeros((3, 22, 3))
    for joint in range(1, 22):
        joints[:, joint] = joints[:, HUMANML3D.parents[joint]] - directions[joint] * HUMANML3D.bone_lengths[joint]
    features = joints_to_features(joints)
    assert np.isfinite(features).all()
    columns = features[:, ROTATIONS].reshape(2, 21, 2, 3)
    np.testing.assert_allclose(np.linalg.norm(columns, axis=-1), 1, atol=1e-9)
    np.testing.assert_allclose((columns[:, :, 0] * columns[:, :, 1]).sum(-1), 0, atol=1e-9)


def test_gradients_flow_through_the_recovery(golden):
    features = torch.tensor(golden[SHORT]["features"][:6], dtype=torch.float64, requires_grad=True)
    features_to_joints(features).square().sum().backward()
    gradient = features.grad.abs().sum(0)
    assert (gradient[:67] > 0).all()  # turn, path, height, positions
    assert not gradient[67:].any()  # rotations, velocities and contacts take no part
    assert torch.autograd.gradcheck(
        lambda rows: features_to_joints(rows)[..., :2, :], features.detach()[:3].requires_grad_()
    )


def test_the_path_adds_up_turned_steps():
    features = torch.zeros(4, 263, dtype=torch.float64)
    features[:, 2] = 1.0  # one metre forward a row
    features[0, 0] = -torch.pi / 4  # half of a quarter turn to the left, between rows 0 and 1
    half, root = integrate_root(features)
    assert half.tolist() == pytest.approx([0, *[-torch.pi / 4] * 3])
    expected = [[0, 0], [1, 0], [2, 0], [3, 0]]  # the step to row 1 is in the facing frame of row 1
    np.testing.assert_allclose(root[:, [0, 2]], expected, atol=1e-12)


def test_the_column_groups_cover_every_column_once():
    columns = np.concatenate([np.arange(263)[group] for group in feature_groups()])
    np.testing.assert_array_equal(columns, np.arange(263))
    assert [group.start for group in feature_groups()] == [0, 1, 3, 4, 67, 193, 259]
