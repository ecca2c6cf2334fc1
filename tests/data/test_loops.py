"""Loops of games: played several times, and moved over the floor by their feet."""

from pathlib import Path

import numpy as np
import pytest

from hub_scripts.data.loops import move_forward, repeat_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, canonicalize_joints

INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
FIXTURES = Path(__file__).parents[1] / "fixtures"
WALK = np.load(FIXTURES / "bandai" / "expected_joints.npz")["dataset-1_walk_normal_002"].astype(np.float64)


def test_a_loop_goes_on_from_where_it_is() -> None:
    step = np.linspace(0, 1, 5)[:, None, None] * [[0.4, 0.1, 0.8]]
    loop = np.repeat(step, 3, axis=1)
    twice = repeat_motion(loop, 2)
    assert len(twice) == 9
    np.testing.assert_allclose(twice[:5, :, [0, 2]], loop[..., [0, 2]])
    np.testing.assert_allclose(twice[4:, :, [0, 2]], loop[..., [0, 2]] + [0.4, 0.8])
    np.testing.assert_allclose(twice[5:, 0, 1], loop[1:, 0, 1])  # height is the loop's own


def test_the_feet_of_a_walk_in_place_tell_its_speed() -> None:
    """A recorded walk without its way gets it back, to a few percent."""
    walk = np.asarray(canonicalize_joints(WALK))
    speed = (walk[-1, 0] - walk[0, 0]) * 20 / (len(walk) - 1)
    in_place = walk - np.arange(len(walk))[:, None, None] / 20 * np.array([speed[0], 0, speed[2]])
    back = move_forward(in_place, 20.0, "feet", "walk")
    found = (back[-1, 0] - back[0, 0]) * 20 / (len(walk) - 1)
    np.testing.assert_allclose(found[[0, 2]], speed[[0, 2]], atol=0.12 * np.linalg.norm(speed))
    np.testing.assert_allclose(back[..., 1], walk[..., 1])


def test_a_given_speed_goes_where_the_body_faces() -> None:
    still = np.repeat(WALK[:1], 21, axis=0)
    moved = move_forward(still, 20.0, 1.5, "swim")
    way = moved[-1, 0] - moved[0, 0]
    across = still[0, INDEX["left_hip"]] - still[0, INDEX["right_hip"]]
    assert np.linalg.norm(way) == pytest.approx(1.5)
    assert way @ np.cross(across, [0.0, 1.0, 0.0]) > 0
    assert abs(way @ across) < 1e-9


def test_a_body_without_a_standing_foot_has_no_speed() -> None:
    with pytest.raises(MotionLLMError, match="'one' has no foot that stands; give its speed"):
        move_forward(WALK[:1], 20.0, "feet", "one")
