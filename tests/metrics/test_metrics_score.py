"""Scoring lists of motions, and folders of npz: the truth is best, shuffled captions are at chance, rows are found."""

import numpy as np
import pytest
import torch
from conftest import make_evaluator

from hub_scripts.metrics.judge import MotionJudge
from hub_scripts.metrics.score import load_motion_folder, score_folder, score_motions
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import features_to_joints, joints_to_features

POOL = 10


@pytest.fixture(scope="module")
def clips(golden) -> list[np.ndarray]:
    return [golden[name]["features"] for name in sorted(golden)]


@pytest.fixture(scope="module")
def captions(clips) -> list[str]:
    return [f"motion number {index}" for index in range(len(clips))]


@pytest.fixture(scope="module")
def judge(clips, captions) -> MotionJudge:
    """An evaluator that was taught the sentences of the clips by heart."""
    model = make_evaluator(embed_dim=16, dropout=0.0).train()
    table = torch.randn(len(clips), 12, generator=torch.Generator().manual_seed(3))
    judge = MotionJudge(model, dict(zip(captions, table, strict=True)))
    model.set_normalization(
        torch.from_numpy(np.concatenate(clips).mean(0)), torch.from_numpy(np.concatenate(clips).std(0) + 0.1)
    )
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    cut = torch.from_numpy(np.stack([clip[: min(map(len, clips))] for clip in clips]))
    for _ in range(60):
        loss = model(cut, text_embeddings=table).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    return judge


@pytest.fixture(scope="module")
def short(clips) -> list[np.ndarray]:
    return [clip[: min(map(len, clips))] for clip in clips]


def test_the_truth_is_best_and_shuffled_captions_are_at_chance(judge, short, captions):
    truth = score_motions(judge, [short], captions, short, pool=POOL)
    assert truth["fid"].mean == pytest.approx(0, abs=1e-9)
    assert truth["r_precision_top1"].mean > 0.9
    assert truth["r_precision_top1"].repeats == 20
    moved = [*captions[7:], *captions[:7]]
    shuffled = score_motions(judge, [short], moved, short, pool=POOL)
    assert shuffled["r_precision_top1"].mean < 0.3
    assert shuffled["mm_dist"].mean > truth["mm_dist"].mean
    assert "length_error" not in truth
    assert not {"content_accuracy", "multimodality"} & truth.keys()


def test_joints_and_features_say_the_same(judge, golden, captions):
    joints = [golden[name]["joints"] for name in sorted(golden)]
    features = [joints_to_features(each) for each in joints]
    a, b = (score_motions(judge, [each], captions, features, pool=POOL, repeats=3) for each in (joints, features))
    for name in ("r_precision_top1", "mm_dist", "diversity"):
        assert a[name].mean == pytest.approx(b[name].mean, rel=1e-5), name
    assert a["fid"].mean == pytest.approx(0, abs=1e-6)


def test_where_the_floor_of_a_file_is_does_not_matter(judge, make_joints):
    joints = [make_joints(40, seed) for seed in range(POOL)]
    raised = [clip + np.float32([3, 0.7, -2]) for clip in joints]
    names = [f"motion number {index}" for index in range(POOL)]
    a, b = (score_motions(judge, [each], names, joints, pool=POOL, repeats=1) for each in (joints, raised))
    for name in ("floating_mm", "foot_skating_cm", "jerk", "mm_dist"):
        assert a[name].mean == pytest.approx(b[name].mean, rel=1e-3), name
    assert b["floor_penetration_mm"].mean == 0


def test_labels_lengths_and_several_draws(judge, short, captions):
    count = len(short)
    content, style = judge.name_labels(judge.read(short))
    other = [clip[::-1].copy() for clip in short]
    scores = score_motions(
        judge,
        [short, other],
        captions,
        short,
        content=[*content[:-1], None],
        style=style,
        seconds=[len(short[0]) / 20 + 0.5] * count,
        repeats=4,
        pool=POOL,
    )
    first, second = (score_motions(judge, [draw], captions, short, pool=POOL, repeats=1) for draw in (short, other))
    assert scores["mm_dist"].mean == pytest.approx((first["mm_dist"].mean + second["mm_dist"].mean) / 2)
    assert scores["jerk"].mean == pytest.approx((first["jerk"].mean + second["jerk"].mean) / 2)
    assert scores["length_error"].mean == pytest.approx(0.5)
    expected = np.linalg.norm(judge.embed_motions(short) - judge.embed_motions(other), axis=1).mean()
    assert scores["multimodality"].mean == pytest.approx(expected, rel=1e-5)
    alone = score_motions(judge, [short], captions, short, content=content, style=style, pool=POOL)
    assert alone["content_accuracy"].mean == alone["style_accuracy"].mean == 1


def test_equal_seeds_give_equal_scores(judge, short, captions):
    one, same = (score_motions(judge, [short], captions[::-1], short, seed=4, pool=POOL, repeats=3) for _ in range(2))
    assert one == same
    assert one != score_motions(judge, [short], captions[::-1], short, seed=5, pool=POOL, repeats=3)


class TestFolder:
    @pytest.fixture
    def rows(self, clips, captions, judge):
        content, style = judge.name_labels(judge.read(clips))
        return [
            {"name": f"clip{i}", "captions": [captions[i]], "features": clip, "content": content[i], "style": style[i]}
            for i, clip in enumerate(clips)
        ]

    def test_rows_are_found_by_name_and_by_caption(self, judge, rows, tmp_path):
        for index, row in enumerate(rows):
            name, caption = (row["name"], None) if index % 2 else (f"rival-{index}", row["captions"][0])
            joints = features_to_joints(row["features"])
            Motion(joints, caption=caption).save(tmp_path / f"{name}.npz")
        scores = score_folder(tmp_path, rows, judge, repeats=2, pool=POOL)
        assert scores["length_error"].mean == pytest.approx(0, abs=1e-9)
        assert scores["content_accuracy"].mean > 0.9  # one frame less than the row's own features
        assert scores["fid"].mean < 0.01

    def test_plain_npz_at_another_frame_rate(self, tmp_path, make_joints):
        joints = make_joints(61)
        np.savez(tmp_path / "a.npz", joints=joints, fps=30.0, caption="a person walks")
        motion = load_motion_folder(tmp_path)["a"][0]
        assert (motion.fps, motion.num_frames, motion.caption) == (20.0, 41, "a person walks")
        np.testing.assert_allclose(motion.joints[20], joints[30], atol=1e-6)

    def test_several_motions_of_one_name(self, judge, rows, tmp_path, make_joints):
        for index, row in enumerate(rows[:POOL]):
            for draw in range(2):
                motion = Motion(make_joints(40, seed=10 * index + draw), caption=row["captions"][0])
                motion.save(tmp_path / f"{row['name']}.{draw}.npz")
        assert [len(several) for several in load_motion_folder(tmp_path).values()] == [2] * POOL
        assert score_folder(tmp_path, rows, judge, repeats=2, pool=POOL)["multimodality"].mean > 0
        (tmp_path / "clip3.1.npz").unlink()
        with pytest.raises(MotionLLMError, match="'clip3' has motions"):
            load_motion_folder(tmp_path)

    def test_what_cannot_be_scored_is_named(self, judge, rows, tmp_path, make_joints):
        with pytest.raises(MotionLLMError, match=r"no \.npz files"):
            load_motion_folder(tmp_path)
        Motion(make_joints(10)).save(tmp_path / "nobody.npz")
        with pytest.raises(MotionLLMError, match=r"'nobody[.]npz' has no caption"):
            score_folder(tmp_path, rows, judge)
        Motion(np.stack([make_joints(10)] * 2), caption="two").save(tmp_path / "pair.npz")
        with pytest.raises(MotionLLMError, match="holds 2 people"):
            load_motion_folder(tmp_path)


def test_lists_that_do_not_fit_are_refused(judge, short, captions):
    with pytest.raises(MotionLLMError, match="draw 0 has 1 motions"):
        score_motions(judge, [short[:1]], captions, short)
    with pytest.raises(MotionLLMError, match="no motions to score"):
        score_motions(judge, [], captions, short)
    with pytest.raises(MotionLLMError, match="has 1 frames"):
        score_motions(judge, [[np.zeros((1, 22, 3))]], ["a"], short)
