"""Metrics on embeddings: by hand, against scipy, and at their best, their worst and by chance."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from hub_scripts.metrics.base import Metric, Score, repeat
from hub_scripts.metrics.embedding import (
    FID,
    Diversity,
    EmbeddedMotions,
    LabelAccuracy,
    MMDist,
    Multimodality,
    RPrecision,
    frechet_distance,
)
from modeling_motionllm.errors_motionllm import MotionLLMError


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def line(*places: float) -> np.ndarray:
    """Embeddings on a line."""
    return np.array(places, dtype=np.float64)[:, None]


class TestRPrecision:
    def test_by_hand(self):
        # Sentence 0 is nearest to its own motion, sentence 1 has one motion in front of its own, sentence 2 has two.
        sample = EmbeddedMotions(motion=line(0, 5, -9), text=line(0.1, 2, 4.9))
        assert RPrecision(pool=3)(sample) == pytest.approx(
            {"r_precision_top1": 1 / 3, "r_precision_top2": 2 / 3, "r_precision_top3": 1}
        )

    def test_equal_captions_count_as_correct(self):
        motion, text = line(0, 1, 10), line(1, 0, 10)
        apart = EmbeddedMotions(motion, text, captions=["a", "b", "c"])
        same = EmbeddedMotions(motion, text, captions=["A bow", "a bow ", "c"])
        metric = RPrecision(top=[1], pool=3)
        assert metric(apart)["r_precision_top1"] == pytest.approx(1 / 3)
        assert metric(same)["r_precision_top1"] == 1

    def test_against_a_plain_count(self):
        text = noise(64, 8)
        motion = text + noise(64, 8, seed=1)
        metric = RPrecision(top=(1, 2, 3, 7), pool=64)  # one pool: no draw
        order = cdist(text, motion).argsort(1)
        place = (order == np.arange(64)[:, None]).argmax(1)
        expected = {f"r_precision_top{k}": (place < k).mean() for k in metric.top}
        assert metric(EmbeddedMotions(motion, text)) == pytest.approx(expected)
        assert 0 < expected["r_precision_top1"] < 1

    def test_the_truth_scores_one_and_shuffled_captions_score_chance(self):
        text = noise(3200, 16)
        perfect = RPrecision()(EmbeddedMotions(text + 1e-3 * noise(3200, 16, seed=1), text))
        assert set(perfect.values()) == {1.0}
        shuffled = RPrecision()(EmbeddedMotions(text, np.random.default_rng(2).permutation(text)))
        for k in (1, 2, 3):
            assert shuffled[f"r_precision_top{k}"] == pytest.approx(k / 32, abs=0.015)

    def test_one_embedding_for_all_motions_scores_chance(self):
        sample = EmbeddedMotions(np.zeros((64, 4)), noise(64, 4))
        assert RPrecision()(sample)["r_precision_top1"] == pytest.approx(1 / 32)

    def test_the_seed_draws_the_pools(self):
        text = noise(100, 4)
        sample = EmbeddedMotions(text + noise(100, 4, seed=1), text)
        metric = RPrecision()
        assert metric(sample, seed=1) == metric(sample, seed=1)
        assert len({metric(sample, seed=seed)["r_precision_top1"] for seed in range(5)}) > 1

    def test_too_few_motions_for_a_pool(self):
        with pytest.raises(MotionLLMError, match="31 motions fill no pool of 32"):
            RPrecision()(EmbeddedMotions(noise(31, 4), noise(31, 4)))


class TestFID:
    def test_by_hand(self):
        # Variances 1 and 4 on a line, means 3 apart: 9 + (1 - 2)^2.
        a, b = line(-1, 0, 1), 3 + 2 * line(-1, 0, 1)
        assert frechet_distance(a, b) == pytest.approx(10)

    @pytest.mark.parametrize("rows", [200, 12])  # 12 rows in 16 dimensions: singular covariances
    def test_against_scipy(self, rows):
        a, b = noise(rows, 16), noise(rows + 3, 16, seed=1) @ noise(16, 16, seed=2) * 0.5 + 0.3
        cov_a, cov_b = np.cov(a.T), np.cov(b.T)
        root = sqrtm(cov_a @ cov_b)
        expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root.real)
        assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4)
        assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)

    def test_the_truth_against_itself_is_zero(self):
        a = noise(300, 32)
        assert FID()(EmbeddedMotions(a, real=np.random.default_rng(1).permutation(a)))["fid"] == pytest.approx(
            0, abs=1e-9
        )

    def test_what_it_needs(self):
        with pytest.raises(MotionLLMError, match="fid needs 'real'"):
            FID()(EmbeddedMotions(noise(4, 2)))
        with pytest.raises(MotionLLMError, match="at least 2"):
            frechet_distance(noise(1, 2), noise(4, 2))


def test_mm_dist_is_the_mean_distance_to_the_own_motion():
    sample = EmbeddedMotions(motion=np.array([[3.0, 4.0], [1, 1]]), text=np.array([[0.0, 0.0], [1, 1]]))
    assert MMDist()(sample) == {"mm_dist": 2.5}


class TestDiversity:
    def test_two_points_and_all_pairs(self):
        # Half of all independent pairs meet themselves: 0 or 2 apart for all pairs of one draw.
        values = {Diversity()(EmbeddedMotions(line(0, 2)), seed)["diversity"] for seed in range(20)}
        assert values == {0.0, 2.0}

    def test_against_all_distances(self):
        motion = noise(500, 6)
        score = repeat([Diversity()], lambda _: EmbeddedMotions(motion), 20)["diversity"]
        assert score.mean == pytest.approx(cdist(motion, motion).mean(), abs=3 * score.interval)
        assert 0 < score.interval < 0.1

    def test_300_pairs(self, monkeypatch):
        counts = []

        class Generator:
            def choice(self, count, size, replace):
                counts.append((count, size, replace))
                return np.arange(size)

        Diversity().compute(EmbeddedMotions(noise(400, 2)), Generator())  # type: ignore[arg-type]
        Diversity().compute(EmbeddedMotions(noise(40, 2)), Generator())  # type: ignore[arg-type]
        assert counts == [(400, 300, False)] * 2 + [(40, 40, False)] * 2


class TestMultimodality:
    def test_by_hand(self):
        # One sentence with motions 0, 1, 3 apart (pairs 1, 3, 2), one with equal motions.
        groups = np.stack([line(0, 1, 3), line(5, 5, 5)])
        assert Multimodality()(EmbeddedMotions(line(0), groups=groups)) == {"multimodality": 1.0}

    def test_against_all_distances(self):
        groups = noise(40, 30, 5)
        expected = np.mean([cdist(group, group)[np.triu_indices(30, 1)].mean() for group in groups])
        score = repeat([Multimodality()], lambda _: EmbeddedMotions(groups[:, 0], groups=groups), 20)
        assert score["multimodality"].mean == pytest.approx(expected, rel=0.05)

    def test_one_motion_a_sentence_says_nothing(self):
        with pytest.raises(MotionLLMError, match="at least 2 motions a sentence"):
            Multimodality()(EmbeddedMotions(noise(4, 2), groups=noise(4, 1, 2)))


def test_label_accuracy_leaves_out_what_is_unknown():
    sample = EmbeddedMotions(noise(3, 2), content=["bow", "run", "walk"], asked_content=["bow", "walk", None])
    assert LabelAccuracy("content")(sample) == {"content_accuracy": 0.5}
    with pytest.raises(MotionLLMError, match="needs 'style'"):
        LabelAccuracy("style")(sample)
    with pytest.raises(MotionLLMError, match="no label 'mood'"):
        LabelAccuracy("mood")


def test_embeddings_that_do_not_fit_are_refused():
    with pytest.raises(MotionLLMError, match="'text' have shape"):
        EmbeddedMotions(noise(4, 2), text=noise(4, 3))
    with pytest.raises(MotionLLMError, match="3 entries in 'captions' for 4"):
        EmbeddedMotions(noise(4, 2), captions=["a", "b", "c"])
    with pytest.raises(MotionLLMError, match="NaN"):
        EmbeddedMotions(np.full((4, 2), np.nan))


class TestRepeats:
    def test_the_interval_is_that_of_the_protocol(self):
        score = Score.of([1.0, 2.0, 3.0, 6.0])
        assert (score.mean, score.repeats) == (3.0, 4)
        assert score.interval == pytest.approx(1.96 * np.std([1, 2, 3, 6]) / 2)
        assert str(score) == f"3.000 ± {score.interval:.3f}"
        assert str(Score.of([0.25])) == "0.250"

    def test_every_repeat_has_its_sample_and_its_draw(self):
        class Drawn(Metric[int]):
            name, units, better = "drawn", "none", "higher"

            def compute(self, sample, rng):
                seen.append((sample, rng.random()))
                return [sample]

        seen: list[tuple[int, float]] = []
        score = repeat([Drawn()], lambda number: 10 * number, 3, seed=5)["drawn"]
        assert (score.mean, [sample for sample, _ in seen]) == (10, [0, 10, 20])
        assert len({draw for _, draw in seen}) == 3
        first = list(seen)
        seen.clear()
        repeat([Drawn()], lambda number: 10 * number, 3, seed=5)
        assert seen == first

    def test_no_repeats(self):
        with pytest.raises(MotionLLMError, match="repeats is 0"):
            repeat([MMDist()], lambda _: EmbeddedMotions(noise(2, 2)), 0)
