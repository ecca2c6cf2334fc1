import json

import numpy as np
import pytest
from conftest import FIXTURES, read_golden

from hub_scripts.evaluation.sentences import (
    generate_for_sentences,
    judge_sentences,
    read_sentences,
    sentence_figures,
    sentence_report,
)
from hub_scripts.metrics.sentences import SentenceToShow
from modeling_motionllm.errors_motionllm import MotionLLMError


def test_the_fixture_is_judged_whole():
    rows = read_sentences(FIXTURES / "humanml3d/sentences.csv")
    assert len(rows) == 97
    assert {row.action for row in rows} == {
        "bow", "dance", "kick", "punch", "raise hands", "run", "turn", "walk", "wave"
    }  # fmt: skip


def test_only_sentences_are_needed(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("sentence\na person bows\nthe man waves his left hand\n", encoding="utf-8")
    rows = read_sentences(path)
    assert [row.kind for row in rows] == ["bow", "wave"]
    assert rows[1].said[0].side == "left"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "needs a first line"),
        ("sentence\n", "needs a first line"),
        ("caption\na person bows\n", "needs a first line"),
        ("sentence,action\na person bows,bow\na person eats,eat\n", "line 3: 'eat'"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MotionLLMError, match=message):
        read_sentences(path)
    with pytest.raises(MotionLLMError, match="no such file"):
        read_sentences(tmp_path / "none.csv")


def test_figures_and_report():
    names = ["dataset-2_wave-right-hand_youthful_001", "dataset-2_wave-right-hand_youthful_001"]
    rows = [SentenceToShow("a person waves", "wave", "right"), SentenceToShow("a person bows", "bow")]
    judged = judge_sentences(rows, [read_golden()[name]["joints"] for name in names])
    figures = sentence_figures(judged)
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["content_right"], figures["sides_right"], figures["sides_judged"]) == (0.5, 1.0, 1)
    assert figures["by_action"] == {"bow": {"right": 0, "of": 1}, "wave": {"right": 1, "of": 1}}
    assert figures["confusion"]["bow"] == {"wave": 1}
    assert "content right 1 of 2 (50.0%), sides right 100.0% of 1" in sentence_report(judged)


def test_motions_do_not_depend_on_batches(model, processor):
    rows = [SentenceToShow(text, "walk") for text in ("a person walks", "someone walks forward", "he walks")]
    together, apart = (generate_for_sentences(model, processor, rows, seed=3, batch_size=size) for size in (3, 1))
    for one, other in zip(together, apart, strict=True):
        assert one.shape[1:] == (22, 3)
        np.testing.assert_allclose(one, other, atol=1e-4)
