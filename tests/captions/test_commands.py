"""What somebody is told to do, as sentences of what is done."""

import pytest

from hub_scripts.captions.commands import plain_request, told_sentences


@pytest.mark.parametrize("text,sentences", [
    ("make her walk", ["a person walks"]),
    ("Please have him waving!", ["a person waves"]),
    ("could you make the old man carry a box?", ["an old man carries a box"]),
    ("she's walking", ["a person walks"]),
    ("raise her left hand", ["a person raises their left hand"]),
    ("wave with left and right hand", ["a person waves with left and right hand"]),
    ("turn left while waving", ["a person turns left while waving"]),
    ("show me a bow", ["a person bows"]),
    ("let her do a cartwheel", ["a person does a cartwheel"]),
    ("generate a person running to the left", ["a person runs to the left"]),
    ("a person who is walking in circles", ["a person walks in circles"]),
    ("someone throws a ball", ["someone throws a ball"]),
    ("two people bow to each other", ["two people bow to each other"]),
    ("sit down and stand up", ["a person sits down", "a person stands up"]),
    ("kneel down, get up and walk away", ["a person kneels down", "a person gets up", "a person walks away"]),
    ("make her vogue", ["a person vogues"]),  # no rule knows it, but it is to be done
])  # fmt: skip
def test_commands_become_sentences_in_the_third_person(text, sentences):
    told = told_sentences(plain_request(text))
    assert [one.text for one in told] == sentences
    assert all(one.seconds is None for one in told)


@pytest.mark.parametrize("text,told", [
    ("walk for 3 seconds then bow for two seconds", [("a person walks", 3.0), ("a person bows", 2.0)]),
    ("walk, then wave for 2.5 s", [("a person walks", None), ("a person waves", 2.5)]),
    ("jump for half a second", [("a person jumps", 0.5)]),
])  # fmt: skip
def test_seconds_belong_to_what_they_are_said_of(text, told):
    assert [(one.text, one.seconds) for one in told_sentences(plain_request(text))] == told


@pytest.mark.parametrize(
    "text", ["hello", "thanks", "make her taller", "make her a zombie", "change the colour", "red"]
)
def test_what_is_no_movement_is_none(text):
    assert told_sentences(plain_request(text)) == []
