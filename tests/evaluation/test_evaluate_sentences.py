import json

import pytest
from conftest import FIXTURES, read_golden

from hub_scripts.evaluate_motionllm import main as evaluate
from hub_scripts.evaluation.sentences import judge_sentences, read_sentences, sentence_figures, sentence_report
from hub_scripts.metrics.sentences import JudgedSentence, SentenceMotions, SentenceToShow, roc_auc
from modeling_motionllm.errors_motionllm import MotionLLMError


def test_the_fixture_is_judged_whole():
    rows = read_sentences(FIXTURES / "humanml3d/sentences.csv")
    assert len(rows) == 97
    assert {row.action for row in rows} == {
        "bow", "dance", "kick", "punch", "raise hands", "run", "turn", "walk", "wave"
    }  # fmt: skip


def test_sentences_of_two_actions_are_read_in_order():
    rows = read_sentences(FIXTURES / "humanml3d/two_actions.csv")
    assert [len(row.said) for row in rows] == [2] * 37
    kinds = {row.sentence: row.kind for row in rows}
    assert kinds["a person bows forward then steps backward"] == "bow then step"
    assert kinds["a person walks diagonally to his right and sits down"] == "walk then sit"


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
        ("sentence,known\na person bows,perhaps\n", "line 2: known is 'perhaps'; give true or false"),
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
    judged = SentenceMotions(rows, [read_golden()[name]["joints"] for name in names]).judged()
    figures = sentence_figures(judged)
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["content_right"], figures["sides_right"], figures["sides_judged"]) == (0.5, 1.0, 1)
    assert figures["by_action"] == {"bow": {"right": 0, "of": 1}, "wave": {"right": 1, "of": 1}}
    assert figures["confusion"]["bow"] == {"wave": 1}
    assert "content right 1 of 2 (50.0%), sides right 100.0% of 1" in sentence_report(judged)


def test_motions_do_not_depend_on_batches(model, processor):
    rows = [SentenceToShow(text, "walk") for text in ("a person walks", "someone walks forward", "he walks")]
    together, apart = (judge_sentences(model, processor, rows, seed=3, batch_size=size) for size in (3, 1))
    assert [one.asked for one in together] == rows
    assert [one.shown_as for one in together] == [one.shown_as for one in apart]


def test_the_command(thin_checkpoint, tmp_path, capsys):
    path, out = tmp_path / "own.csv", tmp_path / "figures.json"
    path.write_text("sentence,action\na person walks,walk\nthe man turns left,\n", encoding="utf-8")
    asked = ["--model", str(thin_checkpoint), "--sentences", str(path), "--out", str(out), "--num-candidates", "1"]
    assert evaluate(asked) == 0
    assert "content right" in capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert (figures["sentences"], figures["seed"], figures["settings"]) == (2, 0, {"num_candidates": 1})
    assert [motion["asked"] for motion in figures["motions"]] == ["walk", "turn"]
    assert evaluate(asked) == 0
    assert json.loads(out.read_text()) == figures


def test_sentences_of_actions_that_the_data_does_not_show():
    rows = read_sentences(FIXTURES / "humanml3d/unknown.csv")
    assert len(rows) == 74
    assert not any(row.known for row in rows)
    assert not {row.sentence for row in rows} & {
        row.sentence for row in read_sentences(FIXTURES / "humanml3d/sentences.csv")
    }


@pytest.mark.parametrize("known, unknown, area", [
    ([0.1, 0.2, 0.3], [0.4, 0.9], 1.0),
    ([0.4, 0.9], [0.1, 0.2, 0.3], 0.0),
    ([0.2, 0.2], [0.2], 0.5),
    ([0.1, 0.3, 0.3, 0.8], [0.3, 0.6], 5 / 8),
])  # fmt: skip
def test_the_area_under_the_curve_counts_ties_half(known, unknown, area):
    assert roc_auc(known, unknown) == pytest.approx(area)
    pairs = [(low < high) + (low == high) / 2 for low in known for high in unknown]
    assert area == pytest.approx(sum(pairs) / len(pairs))
    with pytest.raises(MotionLLMError, match="both kinds"):
        roc_auc(known, [])


def test_figures_of_what_is_not_known():
    row = SentenceToShow("a person waves", "wave")
    [shown] = SentenceMotions([row], [read_golden()["dataset-2_wave-right-hand_youthful_001"]["joints"]]).judged()
    judged = [JudgedSentence(row, shown.shown, shown.right, value) for value in (0.1, 0.6)]
    judged += [
        JudgedSentence(SentenceToShow("a person rows", known=False), (), unknown=value) for value in (0.3, 0.7, 0.9)
    ]
    figures = sentence_figures(judged, threshold=0.5)
    assert (figures["sentences"], figures["content_right"]) == (2, 1.0)
    unknown = figures["unknown"]
    assert (unknown["sentences"], unknown["known_above"]) == (3, 0.5)
    assert (unknown["roc_auc"], unknown["unknown_above"]) == (pytest.approx(5 / 6), pytest.approx(2 / 3))
    last = sentence_report(judged).splitlines()[-1]
    assert last == (
        "unknown: ROC AUC 0.833 (3 sentences that are not known); above 0.5 are 66.7% of them, 50.0% of the known ones"
    )


def test_unknown_sentences_are_asked_and_not_judged(model, processor, thin_checkpoint, tmp_path, capsys):
    known, other, out = tmp_path / "known.csv", tmp_path / "other.csv", tmp_path / "figures.json"
    known.write_text("sentence,action\na person walks,walk\n", encoding="utf-8")
    other.write_text("sentence,known\na person rows a boat,false\n\u4e00\u4e2a\u4eba,FALSE\n", encoding="utf-8")
    asked = ["--model", str(thin_checkpoint), "--out", str(out), "--sentences"]
    assert evaluate([*asked, str(known), str(other)]) == 0
    assert "unknown: ROC AUC" in capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert [motion["sentence"] for motion in figures["motions"]] == ["a person walks"]
    texts = ["a person walks", "a person rows a boat", "\u4e00\u4e2a\u4eba"]
    expected = model.generate_motion(**processor(text=texts), seed=0).unknown.tolist()
    found = [one["unknown"] for one in (*figures["motions"], *figures["unknown"]["values"])]
    assert found == pytest.approx(expected, rel=1e-3)
    with pytest.raises(MotionLLMError, match="has no sentence that is known"):
        evaluate([*asked, str(other)])


@pytest.mark.parametrize(
    "more, message",
    [
        (["--card"], "--card has no effect on --sentences"),
        (["--tasks", "generation"], "--tasks has no effect on --sentences"),
        (["--work", "somewhere"], "--work has no effect on --sentences"),
        (["--out", "folder"], "name a file that ends in .json"),
    ],
)
def test_options_without_effect(thin_checkpoint, tmp_path, more, message):
    with pytest.raises(MotionLLMError, match=message):
        evaluate(["--model", str(thin_checkpoint), "--sentences", str(tmp_path / "own.csv"), *more])
