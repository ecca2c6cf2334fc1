"""The KIT-ML skeleton: the published chains and joints, and features of the 21 joints there and back."""

import math

import numpy as np
import pytest

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import (
    HUMANML3D,
    KIT,
    canonicalize_joints,
    feature_groups,
    features_to_joints,
    joints_to_features,
    mirror_joints,
    skeleton_of_features,
)

# As Guo et al. 2022 publish them (utils/paramUtil.py, scripts/motion_process.py of text-to-motion).
CHAINS = [[0, 11, 12, 13, 14, 15], [0, 16, 17, 18, 19, 20], [0, 1, 2, 3, 4], [3, 5, 6, 7], [3, 8, 9, 10]]
RIGHT_FOOT, LEFT_FOOT = [14, 15], [19, 20]
# The same body in the joints of HumanML3D, near enough: a motion for the test.
FROM_SMPL = [0, 3, 6, 12, 15, 17, 19, 21, 16, 18, 20, 2, 5, 8, 8, 11, 1, 4, 7, 7, 10]


@pytest.fixture(scope="module")
def joints(golden) -> np.ndarray:
    """A recorded turn (T, 21, 3), in millimetres; ankle and foot, one joint there, are set apart."""
    body = 1000.0 * golden["dataset-1_walk-left_giant_001"]["joints"][:, FROM_SMPL].astype(np.float64)
    for foot, toe in (RIGHT_FOOT, LEFT_FOOT):
        body[:, foot] += 0.3 * (body[:, toe] - body[:, foot])
    return body


def test_it_is_the_published_skeleton():
    assert (KIT.num_joints, KIT.feature_dim, KIT.fps, KIT.contact_threshold) == (21, 251, 12.5, 0.05)
    bones = {(chain[place + 1], chain[place]) for chain in CHAINS for place in range(len(chain) - 1)}
    assert bones == {(joint, parent) for joint, parent in enumerate(KIT.parents) if parent >= 0}
    assert KIT.rotation_roots == tuple(sorted(chain[1] for chain in CHAINS))
    assert KIT.feet == (*LEFT_FOOT, *RIGHT_FOOT)
    assert KIT.mirror_permutation == (*range(5), 8, 9, 10, 5, 6, 7, *range(16, 21), *range(11, 16))
    up = {joint for joint, (_, y, _) in enumerate(KIT.directions) if y == 1}
    down = {joint for joint, (_, y, _) in enumerate(KIT.directions) if y == -1}
    assert (up, down) == ({1, 2, 3, 4}, {6, 7, 9, 10, 12, 13, 17, 18})
    assert {joint for joint, (x, _, _) in enumerate(KIT.directions) if x == 1} == {5, 11}
    assert {joint for joint, (x, _, _) in enumerate(KIT.directions) if x == -1} == {8, 16}
    assert [group.stop for group in feature_groups(KIT)] == [1, 3, 4, 64, 184, 247, 251]


def test_features_have_the_published_columns(joints):
    features, canonical = joints_to_features(joints, KIT), canonicalize_joints(joints, KIT)
    assert features.shape == (len(joints) - 1, 251)
    np.testing.assert_allclose(features[:, 3], canonical[:-1, 0, 1])
    np.testing.assert_allclose(features[:, 5:64:3], canonical[:-1, 1:, 1])  # heights of the joints
    across = canonical[0, 11] - canonical[0, 16] + canonical[0, 5] - canonical[0, 8]
    assert across[0] < 0  # the joints that are published as right are on the right of who faces +Z
    assert across[2] == pytest.approx(0, abs=1e-9)
    step = np.square(np.diff(canonical, axis=0)).sum(-1)
    np.testing.assert_array_equal(features[:, 247:], step[:, [19, 20, 14, 15]] < 0.05)
    # The bones keep their own lengths: those of the published target skeleton are not known.
    for joint, parent in enumerate(KIT.parents[1:], 1):
        lengths = [np.linalg.norm(each[:, joint] - each[:, parent], axis=-1) for each in (joints, canonical)]
        np.testing.assert_allclose(*lengths)


def test_rotations_are_relative_to_the_parent_or_to_the_facing(joints):
    """Of two joints by hand: the thigh is relative to the facing, the shin to the thigh."""
    features, canonical = joints_to_features(joints, KIT), canonicalize_joints(joints, KIT)
    half = np.concatenate([[0], features[:-1, 0].cumsum()])
    stored = features[:, 64:184].reshape(-1, 20, 2, 3)
    for row in (0, 20):
        facing = np.array(
            [
                [math.cos(2 * half[row]), 0, math.sin(2 * half[row])],
                [0, 1, 0],
                [-math.sin(2 * half[row]), 0, math.cos(2 * half[row])],
            ]
        )
        world = {}
        for joint in (11, 12):
            bone = canonical[row, joint] - canonical[row, KIT.parents[joint]]
            world[joint] = shortest(np.array(KIT.directions[joint], float), bone / np.linalg.norm(bone))
        for joint, above in ((11, facing), (12, world[11])):
            local = above.T @ world[joint]
            np.testing.assert_allclose(stored[row, joint - 1], local[:, :2].T, atol=1e-9)


def shortest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix of the shortest rotation from unit vector a to unit vector b (Rodrigues)."""
    v = np.cross(a, b)
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + k + k @ k / (1 + a @ b)


def test_recovery_frame_by_frame(joints):
    """Against the published recovery, written out: turn the row back, add the root."""
    features = joints_to_features(joints, KIT)
    half, root, expected = 0.0, np.zeros(3), []
    for number, row in enumerate(features):
        if number:
            half += features[number - 1, 0]
            root = root + turned(np.array([features[number - 1, 1], 0, features[number - 1, 2]]), -half)
        root[1] = row[3]
        others = [turned(part, -half) + root * np.array([1, 0, 1]) for part in row[4:64].reshape(20, 3)]
        expected.append([root.copy(), *others])
    np.testing.assert_allclose(features_to_joints(features, KIT), expected, atol=1e-8)
    np.testing.assert_allclose(expected, canonicalize_joints(joints, KIT)[:-1], atol=1e-6)


def turned(point: np.ndarray, half: float) -> np.ndarray:
    """A point turned about Y by the quaternion (cos half, 0, sin half, 0)."""
    cos, sin = math.cos(2 * half), math.sin(2 * half)
    return np.array([cos * point[0] + sin * point[2], point[1], cos * point[2] - sin * point[0]])


def test_mirrored_motion_has_mirrored_features(joints):
    plain, mirrored = joints_to_features(joints, KIT), joints_to_features(np.asarray(mirror_joints(joints, KIT)), KIT)
    np.testing.assert_allclose(mirrored[:, 3], plain[:, 3])
    np.testing.assert_allclose(mirrored[:, [247, 248]], plain[:, [249, 250]])
    assert not np.allclose(mirrored[:, 4:64], plain[:, 4:64])


def test_the_skeleton_of_features():
    assert skeleton_of_features(263) is HUMANML3D
    assert skeleton_of_features(251) is KIT
    with pytest.raises(MotionLLMError, match=r"features have 66 columns; known are 263 \(humanml3d\), 251 \(kit\)"):
        skeleton_of_features(66)
