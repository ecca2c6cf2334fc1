"""Forward kinematics of a small tree against positions worked out by hand."""

import numpy as np
from scipy.spatial.transform import Rotation

from hub_scripts.skeletons.kinematics import forward_kinematics, rest_positions

PARENTS = (-1, 0, 1, 0)
OFFSETS = np.array([[1.0, 2, 3], [0, 1, 0], [0, 0, 2], [1, 0, 0]])


def test_joints_follow_their_parents() -> None:
    turns = Rotation.from_euler("Z", [[90], [0]], degrees=True).as_matrix()
    rotations = np.broadcast_to(np.eye(3), (2, 4, 3, 3)).copy()
    rotations[:, 0] = turns
    rotations[:, 1] = Rotation.from_euler("X", [-90], degrees=True).as_matrix()
    positions = forward_kinematics(PARENTS, np.tile(OFFSETS, (2, 1, 1)), rotations)
    expected = [[[1, 2, 3], [0, 2, 3], [-2, 2, 3], [1, 3, 3]], [[1, 2, 3], [1, 3, 3], [1, 5, 3], [2, 2, 3]]]
    np.testing.assert_allclose(positions, expected, atol=1e-12)


def test_at_rest_offsets_add_up_and_stay_as_they_were() -> None:
    before = OFFSETS.copy()
    np.testing.assert_array_equal(rest_positions(PARENTS, OFFSETS), [[1, 2, 3], [1, 3, 3], [1, 3, 5], [2, 2, 3]])
    np.testing.assert_array_equal(before, OFFSETS)
