"""`split_into_turns`: what a sentence says one after another."""

import csv
import time
from pathlib import Path

import pytest

from hub_scripts.captions.sentence_content import parse_sentence
from hub_scripts.captions.turns import split_into_turns

FIXTURES = Path(__file__).parents[1] / "fixtures/humanml3d"


def sentences(name: str) -> list[str]:
    with (FIXTURES / name).open(newline="") as file:
        return [row["sentence"] for row in csv.DictReader(file)]


def test_sentences_of_people_that_say_two_things():
    texts = sentences("two_actions.csv")
    split = [split_into_turns(text) for text in texts]
    right = 0
    for text, turns in zip(texts, split, strict=True):
        names = [name for turn in turns for name in parse_sentence(turn).names]
        # Nothing is lost, nothing done twice, and the order stays.
        right += len(turns) == 2 and names == list(parse_sentence(text).names)
    assert right >= 35
    assert sum(len(turns) == 2 for turns in split) == len(texts) == 37


@pytest.mark.parametrize("text,turns", [
    ("walks, then bows", ["walks", "bows"]),
    ("walk forward, then jump", ["walk forward", "jump"]),
    ("A person walks forward. Then she turns left.", ["A person walks forward", "A person turns left"]),
    ("a man walks forward, then he bows and waves", ["a man walks forward", "a man bows and waves"]),
    ("a person walks, turns around and sits down", ["a person walks", "a person turns around", "a person sits down"]),
    ("after bowing, a person walks forward", ["a person bows", "a person walks forward"]),
    ("a person walks forward after sitting down", ["a person sits down", "a person walks forward"]),
    ("before sitting down, a person walks", ["a person walks", "a person sits down"]),
    ("a man walks before he sits", ["a man walks", "a man sits"]),
    ("a person stumbles after being pushed", ["a person is pushed", "a person stumbles"]),
    ("a person bows followed by a wave", ["a person bows", "a person does a wave"]),
    ("a man lifts his left arm, then waves it", ["a man lifts his left arm", "a man waves his left arm"]),
    ("a person picks up a box, then throws it", ["a person picks up a box", "a person throws the box"]),
    ("a person walks to the left and then to the right", ["a person walks to the left", "a person walks to the right"]),
    ("a man is walking and then sits", ["a man is walking", "a man sits"]),
    ("a man stands, then slowly and calmly walks", ["a man stands", "a man slowly and calmly walks"]),
    ("first, a person jumps, and finally lies down", ["a person jumps", "a person lies down"]),
    ("two people bow, then they shake hands", ["two people bow", "two people shake hands"]),
    ("two people walk after bowing", ["two people bow", "two people walk"]),
    ("a dancer spins, then jumps", ["a dancer spins", "a dancer jumps"]),
    ("an angry robot marches and then falls", ["an angry robot marches", "an angry robot falls"]),
    ("a few steps forward, then a bow", ["a few steps forward", "a bow"]),
    ("a person stands up before carrying a box", ["a person stands up", "a person is carrying a box"]),
])  # fmt: skip
def test_one_thing_after_another(text, turns):
    assert split_into_turns(text) == turns


@pytest.mark.parametrize("text", [
    "a person walks forward",
    "a person walks while waving",
    "a person is walking, and while walking he waves",
    "a person walks forward and waves",
    "a person raises both arms and waves",
    "a person bends down and picks something up",
    "a person walks forward, waving the left hand",
    "a person walks slowly and carefully",
    "a person starts to dance",
    "a person walks next to a wall",
    "a person walks backwards, then stops",
    "a person ponders",
    "一个人向前走",
    "",
])  # fmt: skip
def test_one_thing_stays_one_sentence(text):
    assert split_into_turns(text) == [text]


def test_what_was_split_is_not_split_again_and_takes_little_time():
    texts = sentences("sentences.csv") + sentences("two_actions.csv") + sentences("unknown.csv")
    begun = time.process_time()
    turns = [turn for text in texts for turn in split_into_turns(text)]
    assert time.process_time() - begun < 5
    assert all(turn.strip() for turn in turns)
    assert sum(len(split_into_turns(turn)) > 1 for turn in turns) <= 0.02 * len(turns)
