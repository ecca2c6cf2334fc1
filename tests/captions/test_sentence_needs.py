"""What must be true of a motion so that a sentence tells of it, and which sentences tell only of unknown actions."""

import pytest

from hub_scripts.captions.sentence_content import parse_sentence
from hub_scripts.captions.sentence_needs import plain_sentence, read_needs
from hub_scripts.captions.unshown_actions import named_actions, tells_only_of_unshown

NEEDS = [
    ("a person walks forward", ("walk",), {"walk:forward"}),
    ("the man slowly walks in a straight line.", ("walk",), {"walk:", "path:straight", "manner:slow"}),
    ("a person walks forward, turns left and walks on", ("walk", "turn", "walk"),
     {"walk:turning:forward", "turn:left", "walk:turning:"}),
    ("a figure jogs forward and stops", ("run",), {"run:forward", "run:jog", "end:still"}),
    ("a person waves with their right hand", ("wave",), {"wave:right"}),
    ("someone waves a hand", ("wave",), {"one hand"}),
    ("a person raises both arms above their head then lowers them", ("raise hands", "lower hands"),
     {"raise hands:both", "lower hands:both", "over-head"}),
    ("a person throws a ball with the left hand", ("throw",), {"throw:left", "ball"}),
    ("a person kicks twice with the right leg", ("kick",), {"kick:right", "kick#2"}),
    ("a person does a robot dance", ("dance",), {"robot"}),
    ("a person does a roundhouse kick", ("kick",), {"roundhouse"}),
    ("a person sneaks forward", ("walk/sneak",), {"walk:forward"}),
    ("a person walks up the stairs", ("walk",), {"walk:", "~up", "stair", "slope"}),
    ("a person moves an object", ("move",), {"something"}),
    ("a person raises the hands and makes a circle", ("raise hands",), {"raise hands:both", "path:circle"}),
    ("someone walks forward and turns backward", ("walk", "turn"), {"walk:turning:forward", "turn:", "turn:around"}),
    ("a person walks, then starts to walk the other direction", ("walk",), {"walk:", "turn:around"}),
    ("a person walks to the right on a diagonal path", ("walk",), {"walk:right", "walk:diagonal"}),
    ("the person is washing themselves", ("wash",), {"~self"}),
    ("the man runs like a girl", ("run",), {"run:", "girl"}),
    ("a person walks but not in a straight line", ("walk",), {"walk:", "path:straight", "~not"}),
    ("a person walks while holding a box", ("walk", "+hold"), {"walk:", "box"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "names", "needs"), NEEDS)
def test_every_word_counts(text: str, names: tuple[str, ...], needs: set[str]) -> None:
    found = read_needs(text)
    assert found.names == names
    assert found.needs.union(*(step.needs for step in found.steps)) == needs


def test_a_verb_that_nobody_knows_gives_no_steps() -> None:
    assert read_needs("a person juggles").steps == ()


def test_equal_sentences_are_equal_whatever_the_case_and_stop() -> None:
    assert plain_sentence(" A person  walks. ") == plain_sentence("a person walks")


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("a person claps their hands", True),
        ("a person is juggling", True),
        ("a person is playing the violin", True),
        ("a person walks", False),
        ("a person claps while walking", False),
        ("a person limps", False),  # it is a walk
        ("a person wobbulates", False),  # not understood
        ("a person stands still", False),
        ("a person plays basketball", False),
    ],
)
def test_only_certain_sentences_are_unknown(text: str, certain: bool) -> None:
    shown = named_actions("a person walks, waves and plays basketball")
    assert tells_only_of_unshown(parse_sentence(text), shown) is certain
