"""Placements: bins and people, there and back."""

import math

import numpy as np
import pytest

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints, joints_to_features, mirror_joints
from modeling_motionllm.placement_motionllm import (
    Placement,
    decode_placements,
    encode_placements,
    join_people,
    mirror_people,
    split_people,
)


def turned(joints: np.ndarray, x: float, z: float, angle: float) -> np.ndarray:
    """Joints turned about Y, +Z towards +X, then moved; written out again, apart from the code under test."""
    matrix = np.array([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
    return joints @ matrix.T + np.array([x, 0, z])


def angle_between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(np.angle(np.exp(1j * (one - other))))


@pytest.fixture
def pair(golden) -> np.ndarray:
    """Two people (2, 60, 22, 3), both canonical."""
    clips = [clip["joints"] for clip in golden.values() if len(clip["joints"]) > 80][:2]
    return np.stack([np.asarray(canonicalize_joints(clip[:60].astype(np.float64))) for clip in clips])


@pytest.mark.parametrize("seed", range(5))
def test_a_round_trip_stays_within_half_a_bin(seed):
    rng = np.random.default_rng(seed)
    values = rng.uniform([-6.4, -6.4, -20], [6.4, 6.4, 20], size=(4, 500, 3))
    bins = encode_placements(values)
    back = decode_placements(bins)
    assert bins.shape == values.shape
    assert np.abs(back[..., :2] - values[..., :2]).max() <= 0.05 + 1e-9
    assert angle_between(back[..., 2], values[..., 2]).max() <= math.radians(2.5) + 1e-9
    np.testing.assert_array_equal(encode_placements(back), bins)


def test_every_bin_is_its_own_centre():
    x, r = np.arange(128), np.arange(72)
    bins = np.concatenate([np.stack([x, x[::-1], x % 72], -1), np.stack([r, r, r], -1)])
    np.testing.assert_array_equal(encode_placements(decode_placements(bins)), bins)


def test_known_places():
    assert Placement().bins == (64, 64, 36)
    assert Placement(0.05, 2.0, math.pi).bins == (64, 84, 0)
    assert Placement(-6.4, 6.399, 0).bins == (0, 127, 36)
    assert Placement.from_bins(64, 84, 0).as_array() == pytest.approx([0.05, 2.05, -math.pi])
    assert Placement.from_bins(0, 127, 54).heading == pytest.approx(math.pi / 2)


@pytest.mark.parametrize("turns", [-2, -1, 1, 3])
def test_whole_turns_change_nothing(turns):
    headings = np.radians(np.arange(-180, 180, 1.0) + 0.1)
    values = np.stack([np.zeros(360), np.zeros(360), headings], axis=-1)
    np.testing.assert_array_equal(
        encode_placements(values + np.array([0, 0, turns * 2 * math.pi])),
        encode_placements(values),
    )


def test_both_sides_of_the_back_share_a_bin():
    assert Placement(heading=math.radians(179)).bins == Placement(heading=math.radians(-179)).bins == (64, 64, 0)
    assert Placement(heading=math.radians(177)).bins[2] == 71
    assert Placement(heading=math.radians(-177)).bins[2] == 1


def test_the_largest_number_below_the_limit_has_a_bin():
    assert Placement(np.nextafter(6.4, 0), np.nextafter(6.4, 0), 0).bins == (127, 127, 36)


@pytest.mark.parametrize("value", [6.4, -6.41, 100.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_places_out_of_range_are_refused(value, axis):
    place = np.zeros((7, 3))
    place[4, axis] = value
    with pytest.raises(MotionLLMError, match=f"starts {value:.2f} m from person 1"):
        encode_placements(place)


def test_what_is_no_number_is_refused():
    with pytest.raises(MotionLLMError, match="finite"):
        Placement(math.nan, 0, 0)
    with pytest.raises(MotionLLMError, match="NaN or infinite"):
        encode_placements(np.array([0, math.inf, 0]))
    with pytest.raises(MotionLLMError, match="shape"):
        encode_placements(np.zeros((3, 2)))


@pytest.mark.parametrize("bins", [[-1, 0, 0], [0, 128, 0], [0, 0, 72]])
def test_bins_that_are_none_are_refused(bins):
    with pytest.raises(MotionLLMError, match="there is no bin"):
        decode_placements(np.array(bins))


def test_bins_are_integers():
    with pytest.raises(MotionLLMError, match="give integers"):
        decode_placements(np.zeros(3))


@pytest.mark.parametrize("seed", range(6))
def test_people_are_found_where_they_were_put(pair, seed):
    rng = np.random.default_rng(seed)
    x, z, heading = rng.uniform([-6, -6, -math.pi], [6, 6, math.pi])
    scene = np.stack([pair[0], turned(pair[1], x, z, heading)])
    anywhere = turned(scene, *rng.uniform(-50, 50, 2), rng.uniform(-4, 4)) + np.array([0, 0.7, 0])
    canonical, placements = split_people(anywhere)
    np.testing.assert_allclose(canonical, pair, atol=1e-9)
    np.testing.assert_allclose(placements[0], 0, atol=1e-12)
    np.testing.assert_allclose(placements[1, :2], [x, z], atol=1e-9)
    assert angle_between(placements[1, 2], heading) < 1e-9
    np.testing.assert_allclose(join_people(canonical, placements), scene, atol=1e-9)


def test_left_is_x_and_a_left_turn_is_positive(pair):
    scene = np.stack([pair[0], turned(pair[0], 1.5, 0, 0), turned(pair[0], 0, 2, math.pi / 2)])
    placements = split_people(scene)[1]
    np.testing.assert_allclose(placements, [[0, 0, 0], [1.5, 0, 0], [0, 2, math.pi / 2]], atol=1e-9)
    left_hip, right_hip = 1, 2
    assert scene[0, 0, left_hip, 0] > scene[0, 0, right_hip, 0]  # x is to the left
    toes = scene[2, 0, [10, 11]].mean(0) - scene[2, 0, [7, 8]].mean(0)
    assert toes[0] > 0.05 > abs(toes[2])  # turned left: person 3 looks to where person 1's left is


def test_face_to_face_is_pi_and_never_minus_pi(pair):
    headings = split_people(np.stack([pair[0], turned(pair[1], 0, 1, math.pi), turned(pair[1], 0, 2, -math.pi)]))[1][
        :, 2
    ]
    np.testing.assert_allclose(np.abs(headings[1:]), math.pi, atol=1e-9)
    assert (headings <= math.pi).all()


def test_the_motion_of_each_person_does_not_depend_on_the_scene(pair):
    scene = turned(np.stack([pair[0], turned(pair[1], 1, 2, 3)]), 4, -3, 1)
    canonical, _ = split_people(scene)
    np.testing.assert_allclose(joints_to_features(canonical), joints_to_features(scene), atol=1e-6)


def test_distances_grow_with_person_one(pair):
    tall = np.stack([pair[0], turned(pair[1], 1, 2, 0.5)]) * 1.25
    canonical, placements = split_people(tall)
    np.testing.assert_allclose(canonical, pair, atol=1e-9)
    np.testing.assert_allclose(placements[1], [1, 2, 0.5], atol=1e-9)


def test_many_scenes_at_once_and_in_float32(pair):
    scene = np.stack([pair[0], turned(pair[1], -1, 0.5, 2.0), turned(pair[0], 3, 3, -1)])
    batch = np.stack([scene, turned(scene, 30, 20, 1)]).astype(np.float32)
    canonical, placements = split_people(batch)
    assert canonical.dtype == np.float32
    assert (canonical.shape, placements.shape) == ((2, 3, 60, 22, 3), (2, 3, 3))
    np.testing.assert_allclose(placements[1], placements[0], atol=2e-5)
    world = join_people(canonical, placements)
    assert world.dtype == np.float32
    np.testing.assert_allclose(world[1], scene, atol=2e-4)


def test_the_mirror_swaps_left_and_right(pair):
    placements = np.array([[0, 0, 0], [1.5, 2, 0.7]])
    canonical, mirrored = mirror_people(pair, placements)
    np.testing.assert_allclose(mirrored, [[0, 0, 0], [-1.5, 2, -0.7]], atol=0.04)
    world = join_people(canonical, mirrored)
    np.testing.assert_allclose(world, mirror_joints(join_people(pair, placements)), atol=0.1)
    np.testing.assert_allclose(split_people(world)[1], mirrored, atol=1e-9)


def test_one_motion_is_no_scene(pair):
    with pytest.raises(MotionLLMError, match=r"give \(people, frames, 22, 3\)"):
        split_people(pair[0])
    with pytest.raises(MotionLLMError, match="do not fit together"):
        join_people(pair, np.zeros((3, 3)))
