import math

import numpy as np
import pytest
from conftest import read_golden

from hub_scripts.metrics.sentences import ContentRight, SentenceMotions, SentenceToShow
from modeling_motionllm.errors_motionllm import MotionLLMError

RIGHT_WAVE = "dataset-2_wave-right-hand_youthful_001"
LEFT_RAISE = "dataset-2_raise-up-left-hand_elderly_001"
LEFT_TURN = "dataset-2_walk-turn-left_youthful_001"


def sample(*pairs):
    return SentenceMotions([sentence for sentence, _ in pairs], [read_golden()[name]["joints"] for _, name in pairs])


def test_content_and_sides():
    shown = sample(
        (SentenceToShow("a person waves", "wave", "right"), RIGHT_WAVE),
        (SentenceToShow("a person waves", "wave", "left"), RIGHT_WAVE),
        (SentenceToShow("a person lifts the left arm", "raise hands", "left"), LEFT_RAISE),
        (SentenceToShow("a person bows", "bow"), LEFT_RAISE),
    )
    values = ContentRight()(shown)
    assert values == {"content_right": 0.5, "sides_right": pytest.approx(2 / 3)}
    assert ContentRight()(shown) == values


def test_kinds_and_confusion():
    judged = sample(
        (SentenceToShow("a person turns left", "turn", direction="left"), LEFT_TURN),
        (SentenceToShow("a person turns right", "turn", direction="right"), LEFT_TURN),
        (SentenceToShow("a person walks", "walk", direction="forward"), RIGHT_WAVE),
    ).judged()
    assert ContentRight.by_kind(judged) == {"turn left": (1, 1), "turn right": (0, 1), "walk": (0, 1)}
    assert ContentRight.confusion(judged) == {
        "turn left": {"walk and turn left": 1},
        "turn right": {"walk and turn left": 1},
        "walk": {"wave": 1},
    }
    assert math.isnan(ContentRight.sides(judged))


def test_without_an_action_the_sentence_says_it():
    row = SentenceToShow("a person walks forward and turns to the left")
    assert [action.name for action in row.said] == ["walk", "turn"]
    assert row.kind == "walk then turn"
    (judged,) = sample((row, LEFT_TURN)).judged()
    assert judged.right


@pytest.mark.parametrize(
    "columns, message",
    [
        (("", "walk"), "empty"),
        (("a person walks", "levitate"), "'levitate' is no action"),
        (("a person waves", "wave", "up"), "'up' is no side"),
        (("a person walks", "walk", "", "around"), "'around' is no direction of 'walk'"),
        (("a person eats", "eat"), "'eat' .* cannot be told from joints"),
        (("a person eats an apple",), "'eat' .* cannot be told from joints"),
    ],
)
def test_bad_rows(columns, message):
    with pytest.raises(MotionLLMError, match=message):
        SentenceToShow(*columns)


def test_as_many_motions_as_sentences():
    with pytest.raises(MotionLLMError, match="0 motions for 1 sentences"):
        SentenceMotions([SentenceToShow("a person walks", "walk")], [])
    with pytest.raises(MotionLLMError, match="no sentences"):
        SentenceMotions([], [np.zeros((40, 22, 3))])
