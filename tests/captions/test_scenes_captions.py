"""Sentences for scenes: true, different, and in English."""

from itertools import pairwise

import numpy as np
import pytest

from hub_scripts.captions.scene_words import GOING, MANY_STYLES, SENTENCES
from hub_scripts.captions.scenes import _aside, describe_scene
from hub_scripts.captions.words import STYLES
from hub_scripts.data.composed.kinds import KINDS
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints, mirror_joints
from modeling_motionllm.placement_motionllm import join_people

RAISE = "dataset-2_raise-up-left-hand_elderly_001"
WALK = "dataset-2_walk_exhausted_001"
TURN = "dataset-2_walk-turn-left_youthful_001"


@pytest.fixture(scope="module")
def scene(golden):
    def make(names, placements, frames=81):
        clips = [np.asarray(canonicalize_joints(golden[name]["joints"][:frames].astype(np.float64))) for name in names]
        placements = np.array(placements, dtype=float)
        return join_people(np.stack(clips), placements), placements

    return make


def tell(kind, contents, styles, joints, placements, name="x", **options):
    return describe_scene(kind, contents, styles, joints, placements, name, **options)


def many(kind, contents, styles, joints, placements, **options):
    """All sentences over many names of scenes."""
    return [s for k in range(40) for s in tell(kind, contents, styles, joints, placements, f"scene{k}", **options)]


def test_the_same_scene_gets_the_same_sentences(scene):
    joints, places = scene([RAISE, RAISE], [[0, 0, 0], [0, 2, np.pi]])
    arguments = ("raise-hands", ["raise-up-left-hand"] * 2, ["elderly"] * 2, joints, places)
    assert tell(*arguments) == tell(*arguments)
    assert tell(*arguments) != tell(*arguments, name="y")
    assert len(set(tell(*arguments, count=8))) == 8


def test_the_first_is_plain_and_the_others_state_a_shared_style(scene):
    joints, places = scene([RAISE, RAISE], [[0, 0, 0], [0, 2, np.pi]])
    for name in "abcdef":
        plain, *others = tell("raise-hands", ["raise-up-left-hand"] * 2, ["elderly"] * 2, joints, places, name)
        assert plain == "two people face each other and raise their hands"
        assert all("old" in sentence or "elderly" in sentence for sentence in others)


def test_people_of_two_styles_can_be_told_apart(scene):
    joints, places = scene([RAISE, WALK], [[0, 0, 0], [0, 2, np.pi]])
    sentences = many("greet-comer", ["raise-up-left-hand", "walk"], ["happy", "angry"], joints, places)
    styled = [sentence for sentence in sentences if "angry" in sentence or "furious" in sentence]
    assert styled
    assert all("happy" in sentence or "cheerful" in sentence for sentence in styled)
    assert any(sentence.startswith(("a happy person", "a cheerful person")) for sentence in styled)


@pytest.mark.parametrize(
    "distance, words",
    [(2.0, "two meters"), (2.13, "about two meters"), (3.5, "three and a half meters"), (2.25, None)],
)
def test_distances_are_true(scene, distance, words):
    joints, places = scene([RAISE, RAISE], [[0, 0, 0], [0, distance, np.pi]])
    sentences = many("raise-hands", ["raise-up-left-hand"] * 2, ["normal"] * 2, joints, places)
    measured = [sentence for sentence in sentences if "meter" in sentence]
    assert bool(measured) == (words is not None)
    assert all(words in sentence for sentence in measured)
    about = words is not None and words.startswith("about")
    assert all(("about" in sentence) == about for sentence in measured)


@pytest.mark.parametrize("x, side, away", [(1.0, "left", "right"), (-1.0, "right", "left")])
def test_sides_are_true_and_swap_in_the_mirror(scene, x, side, away):
    joints, places = scene([WALK, WALK], [[0, 0, 0], [x, 0, 0]])
    arguments = ("walk-together", ["walk"] * 2, ["normal"] * 2)
    sentences = many(*arguments, joints, places)
    assert any(side in sentence for sentence in sentences)
    assert not any(away in sentence for sentence in sentences)
    mirrored = many(*arguments, mirror_joints(joints), places * [-1, 1, -1], mirrored=True)
    assert any(away in sentence for sentence in mirrored)
    assert not any(side in sentence for sentence in mirrored)


def test_hands_and_turns_swap_in_the_mirror(scene):
    joints, places = scene([TURN, TURN], [[0, 0, 0], [0.1, -1, 0]])
    arguments = ("walk-together", ["walk-turn-left"] * 2, ["youthful"] * 2)
    assert any("turn left" in sentence for sentence in many(*arguments, joints, places))
    swapped = many(*arguments, mirror_joints(joints), places * [-1, 1, -1], mirrored=True)
    assert any("turn right" in sentence for sentence in swapped)
    assert not any("left" in sentence for sentence in swapped)


def test_the_side_is_that_of_the_way_not_of_the_first_step(scene):
    joints, _ = scene([WALK, WALK], [[0, 0, 0], [0, 5, np.pi]])
    way = joints[0, -1, 0] - joints[0, 0, 0]
    left = np.array([way[2], 0, -way[0]]) / np.hypot(way[0], way[2])
    stander = np.repeat(joints[0, :1], len(joints[0]), axis=0) + 0.6 * way * [1, 0, 1]
    assert _aside(joints[0], stander + 0.8 * left) == pytest.approx(0.8, abs=0.2)
    assert _aside(joints[0], stander - 0.8 * left) == pytest.approx(-0.8, abs=0.2)


def test_who_runs_does_not_walk(scene):
    joints, places = scene([RAISE, "dataset-2_run_normal_044"], [[0, 0, 0], [0, 1, 0]], 61)
    sentences = many("goodbye", ["bye", "run"], ["normal"] * 2, joints, places)
    assert not any("walk" in sentence or "stroll" in sentence for sentence in sentences)
    assert any("runs away" in sentence for sentence in sentences)


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_are_clean(scene, kind):
    """Of every kind, with clips that fit roughly: no field, no brackets, no doubled word, lower case."""
    moving = {"walk-together", "follow", "meet", "pass-by", "three-walk", "three-follow", "run-past"}
    contents = ["walk" if kind in moving else "raise-up-left-hand", "raise-up-left-hand", "raise-up-left-hand"]
    if kind in moving - {"run-past"}:
        contents = ["walk"] * 3
    people = len(KINDS[kind].roles)
    contents = contents[:people]
    if kind in ("goodbye", "three-goodbye", "greet-comer", "call-come", "fight", "guide"):
        contents[-1] = "walk-back" if kind == "fight" else "walk"
    if kind in ("call-answer", "call-come"):
        contents[0] = "call"
    if kind == "part":
        contents = ["walk-turn-right", "walk-turn-left"]
    names = [WALK if content.startswith("walk") else RAISE for content in contents]
    joints, places = scene(names, [[0, 0, 0], [1.0, 0.2, 0], [2.0, -0.1, 0]][:people])
    for styles in (["normal"] * people, ["happy"] * people, ["happy", "elderly", "proud"][:people]):
        sentences = many(kind, contents, styles, joints, places)
        assert len(set(sentences)) > 12
        for sentence in sentences:
            assert not set(sentence) & set("{}[]\0"), sentence
            assert "  " not in sentence
            assert sentence == sentence.lower().strip()
            words = sentence.replace(",", " ").split()
            assert all(one != other for one, other in pairwise(words)), sentence
            assert " a other" not in sentence
            assert len(words) <= 28 + 2


def test_every_style_of_many_is_a_style():
    assert set(MANY_STYLES) == set(STYLES) - {"normal"}


def test_every_way_of_going_is_inflected():
    assert all(form.startswith("[") for forms in GOING.values() for form in forms)


def test_the_plain_sentence_needs_nothing_measured():
    for sentences in SENTENCES.values():
        assert not any(f"{{{field}}}" in sentences[0] for field in ("apart", "dist", "side", "away", "both"))
        assert len(set(sentences)) == len(sentences) >= 7


def test_what_there_are_no_words_for_is_refused(scene):
    joints, places = scene([RAISE, RAISE], [[0, 0, 0], [0, 2, np.pi]])
    with pytest.raises(MotionLLMError, match="kind 'hug'"):
        tell("hug", ["bow"] * 2, ["normal"] * 2, joints, places)
    with pytest.raises(MotionLLMError, match="content 'jump'"):
        tell("bow", ["bow", "jump"], ["normal"] * 2, joints, places)
    with pytest.raises(MotionLLMError, match="style 'zen'"):
        tell("bow", ["bow"] * 2, ["normal", "zen"], joints, places)
    with pytest.raises(MotionLLMError, match="ask for fewer"):
        tell("bow", ["bow"] * 2, ["normal"] * 2, joints, places, count=3000)


def test_scenes_of_three_with_much_to_tell_have_sentences_too(scene):
    """Three different gestures, one style, and a distance that is no round number: few short sentences."""
    joints, placements = scene([RAISE] * 3, [[0, 0, 0], [-0.974, 1.412, 1.78], [0.976, 1.407, -1.88]])
    contents = ["wave-left-hand", "wave-right-hand", "wave-left-hand"]
    for number in range(40):
        sentences = tell("three-greet", contents, ["elderly"] * 3, joints, placements, f"scene{number}")
        assert len(set(sentences)) == 6
        assert max(len(sentence.split()) for sentence in sentences) <= 56
