import csv
import time
from pathlib import Path

import pytest

from hub_scripts.captions.action_words import ACTIONS, VERBS
from hub_scripts.captions.sentence_content import UNKNOWN, parse_sentence

SENTENCES = Path(__file__).parents[1] / "fixtures/humanml3d/sentences.csv"


def only(text):
    (action,) = parse_sentence(text).actions
    return action


@pytest.mark.parametrize(
    "text, names",
    [
        ("a person walks forward and then bows", ["walk", "bow"]),
        ("the man is jogging in place", ["run"]),
        ("a person who seems to be doing a dance move", ["dance"]),
        ("a person dances and moves to the left", ["dance", "move"]),
        ("move slowly like the waves", ["move"]),
        ("a person does karate moves using his hands", ["fight"]),
        ("the person practices martial arts moves, then takes a seat", ["fight", "sit"]),
        ("a person is doing karate kicks", ["kick"]),
        ("a person stands still, then sits down and gets back up.", ["stand", "sit", "stand up"]),
        ("a person does five jumping jacks", ["jumping jack"]),
        ("the figure takes a bow", ["bow"]),
        ("someone throws a punch, then throws a ball", ["punch", "throw"]),
        ("a person picks up a box and puts it down", ["pick up", "put"]),
        ("a man does push ups", ["push-up"]),
        ("a person on their hands and knees crawls around", ["crawl"]),
        ("person puts both arms up", ["raise hands"]),
        ("a person lowers their arms", ["lower hands"]),
        ("a person turns their head", ["look"]),
        ("a person lifts their left leg", ["raise leg"]),
        ("a person is pushed and stumbles", ["be pushed", "stumble"]),
        ("a person uses their right hand to throw a ball", ["throw"]),
        ("a person swims", ["swim"]),
        ("a person ponders", [UNKNOWN]),
        ("一个人向前走", [UNKNOWN]),
        ("", [UNKNOWN]),
    ],
)
def test_actions_in_order(text, names):
    assert [action.name for action in parse_sentence(text).actions] == names


@pytest.mark.parametrize(
    "text, side",
    [
        ("a person waves with the left hand", "left"),
        ("a man kicks with his right foot", "right"),
        ("a person raises both arms", "both"),
        ("a person waves their hands", "both"),
        ("a person waves", None),
        ("a person raises the right hand and waves", "right"),
        ("a person lifts their left arm, then waves it", "left"),
        ("a person throws a left punch", "left"),
        ("a person uses the right hand to wave", "right"),
        ("with both arms raised", "both"),
    ],
)
def test_sides(text, side):
    assert parse_sentence(text).actions[-1].side == side


@pytest.mark.parametrize(
    "text, directions, turn, degrees, path",
    [
        ("a person walks backwards", ("backward",), None, None, None),
        ("a person walks forward to the right", ("forward", "right"), None, None, None),
        ("a person steps sideways to their left", ("sideways", "left"), None, None, None),
        ("a person walks in a counter-clockwise circle", (), "left", None, "circle"),
        ("a person walks clockwise", (), "right", None, None),
        ("the man turns around", (), "around", 180, None),
        ("the man turns 90 degrees to the right", (), "right", 90, None),
        ("a person makes a left turn", (), "left", None, None),
        ("a person walks back to where he started", (), None, None, "return"),
        ("a person takes a step back", ("backward",), None, None, None),
        ("a person walks in a zig zag", (), None, None, "zigzag"),
        ("a person walks back and forth", (), None, None, "back and forth"),
        ("a person walks diagonally to the left", ("left",), None, None, "diagonal"),
        ("a person jogs from left to right", ("right",), None, None, None),
    ],
)
def test_ways(text, directions, turn, degrees, path):
    action = only(text)
    assert (action.directions, action.turn, action.degrees, action.path) == (directions, turn, degrees, path)


def test_one_side_after_the_other_is_two_actions():
    kicks = parse_sentence("a person kicks with the left leg and then with the right leg").actions
    assert [(kick.name, kick.side) for kick in kicks] == [("kick", "left"), ("kick", "right")]
    walks = parse_sentence("a person walks to the left, then to the right").actions
    assert [walk.directions for walk in walks] == [("left",), ("right",)]


def test_manner_and_count():
    walk = only("an old man slowly walks forward")
    assert walk.manner == ("old", "slow")
    assert only("a person bows three times").count == 3
    assert only("a person takes four steps forward").count == 4
    assert only("a person claps twice").count == 2
    first, second = parse_sentence("a person walks slowly and then quickly turns").actions
    assert (first.manner, second.manner) == (("slow",), ("fast",))


def test_done_at_the_same_time():
    walk, wave = parse_sentence("a person walks forward while waving the left hand").actions
    assert not walk.simultaneous
    assert wave.simultaneous


def test_nothing_is_read_after_a_denial():
    assert parse_sentence("a person walks without turning").names == ("walk",)


def test_a_name_for_every_verb():
    assert set(VERBS.values()) <= set(ACTIONS)


def test_sentences_of_people():
    with SENTENCES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    contents = [parse_sentence(row["sentence"]) for row in rows]
    assert all(row["action"] in content.names for row, content in zip(rows, contents, strict=True))
    assert contents == [parse_sentence(row["sentence"]) for row in rows]


def test_thousands_of_sentences_take_seconds():
    with SENTENCES.open(newline="") as file:
        texts = [row["sentence"] for row in csv.DictReader(file)]
    begun = time.process_time()
    for text in texts * 10:
        parse_sentence(text)
    assert time.process_time() - begun < 2
