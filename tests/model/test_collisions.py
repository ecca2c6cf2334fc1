"""Overlapping bodies: known distances, a slow check of the geometry, and people who walk through each other."""

import numpy as np
import pytest

from modeling_motionllm.collisions_motionllm import _nearest, body_gaps, interpenetration_share
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints


@pytest.fixture(scope="module")
def walk(golden) -> np.ndarray:
    """A walk (T, 22, 3) from the origin towards +Z."""
    name = next(name for name in golden if "_walk_" in name and len(golden[name]["joints"]) > 80)
    return np.asarray(canonicalize_joints(golden[name]["joints"].astype(np.float64)))


def test_the_nearest_points_of_two_segments_are_nearest():
    rng = np.random.default_rng(0)
    start, along, other_start, other_along = rng.normal(size=(4, 300, 3))
    along[:20] = 0
    other_along[10:30] = 0
    other_along[30:40] = 2 * along[30:40]  # parallel
    segments = (start, start + along, other_start, other_start + other_along)
    here, there, found = (values[:, 0, 0] for values in _nearest(*(points[:, None] for points in segments)))
    between = start + here[:, None] * along - other_start - there[:, None] * other_along
    np.testing.assert_allclose(found, np.linalg.norm(between, axis=-1), atol=1e-7)
    places = np.linspace(0, 1, 201)
    first = start[:, None] + places[None, :, None] * along[:, None]
    second = other_start[:, None] + places[None, :, None] * other_along[:, None]
    sampled = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1).min(axis=(1, 2))
    assert (found <= sampled + 1e-9).all()
    assert (sampled - found).max() < 0.02


def test_all_pairs_are_looked_at():
    one, other = np.random.default_rng(3).normal(size=(2, 2, 5, 4, 3))
    all_pairs = _nearest(one[0], one[1], other[0], other[1])
    for n in range(4):
        for m in range(4):
            single = _nearest(one[0][:, [n]], one[1][:, [n]], other[0][:, [m]], other[1][:, [m]])
            for whole, part in zip(all_pairs, single, strict=True):
                np.testing.assert_allclose(whole[:, n, m], part[:, 0, 0], atol=1e-9)


def test_the_gap_shrinks_as_they_come_closer(walk):
    stand = np.repeat(walk[:1], 2, axis=0)
    gaps = [float(body_gaps(np.stack([stand, stand + np.array([x, 0, 0])]))[0]) for x in (2.0, 1.5, 1.0, 0.6, 0.2)]
    assert np.diff(gaps[:3]) == pytest.approx([-0.5, -0.5], abs=0.002)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0 > gaps[-1]


def test_far_away_the_gap_is_a_lower_bound(walk):
    stand = np.repeat(walk[:1], 2, axis=0)
    gap = float(body_gaps(np.stack([stand, stand + np.array([5.0, 0, 0])]))[0])
    assert 0 < gap <= 5.0 - np.ptp(stand[0, :, 0])


def test_gaps_under_half_a_metre_are_exact_whatever_the_distance(walk):
    stand = np.repeat(walk[:1], 60, axis=0)
    away = stand + np.linspace(1, 4, 60)[:, None, None] * np.array([1.0, 0, 0])
    gaps = body_gaps(np.stack([stand, away]))
    measured = gaps[0] + np.linspace(0, 3, 60)  # it grows as the distance does
    assert (gaps <= measured + 0.01).all()
    assert (gaps[measured > 0.5] > 0.4).all()  # the walker is smaller than 1.7 m, and so are the limits
    np.testing.assert_allclose(gaps[:34], measured[:34], atol=0.01)


def test_walking_through_someone_is_seen(walk):
    stand = np.repeat(walk[:1], len(walk), axis=0)
    middle = walk[len(walk) // 2, 0] * [1, 0, 1]
    hit = interpenetration_share(np.stack([walk, stand + middle]))
    assert 0.05 < hit < 0.6
    assert interpenetration_share(np.stack([walk, stand + middle + np.array([1.2, 0, 0])])) == 0


def test_the_third_person_counts_too(walk):
    stand = np.repeat(walk[:1], len(walk), axis=0)
    third = stand + np.array([4.1, 0, 0])
    assert interpenetration_share(np.stack([stand, stand + np.array([4.0, 0, 0]), third])) == 1
    assert interpenetration_share(np.stack([stand, stand + np.array([2.0, 0, 0]), third])) == 0


def test_order_place_and_size_do_not_matter(walk):
    rng = np.random.default_rng(1)
    other = walk[::-1] + np.array([0.5, 0, 0.3])
    gaps = body_gaps(np.stack([walk, other]))
    np.testing.assert_allclose(body_gaps(np.stack([other, walk])), gaps, atol=1e-9)
    np.testing.assert_allclose(body_gaps(np.stack([walk, other]) + rng.uniform(-9, 9, 3) * [1, 0, 1]), gaps, atol=1e-9)
    np.testing.assert_allclose(body_gaps(2 * np.stack([walk, other])), 2 * gaps, atol=1e-9)


def test_one_person_hits_nobody(walk):
    assert np.isinf(body_gaps(walk[None])).all()
    assert interpenetration_share(walk[None]) == 0


@pytest.mark.parametrize("shape", [(10, 22, 3), (2, 0, 22, 3), (2, 10, 21, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(MotionLLMError, match="give \\(people, frames, 22, 3\\)"):
        body_gaps(np.zeros(shape))


def test_nan_is_refused(walk):
    broken = np.stack([walk, walk])
    broken[1, 3, 4, 0] = np.nan
    with pytest.raises(MotionLLMError, match="NaN"):
        body_gaps(broken)
