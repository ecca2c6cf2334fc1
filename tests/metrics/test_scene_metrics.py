"""Metrics on scenes, each with a case computed by hand."""

from math import pi, radians

import numpy as np
import pytest
from conftest import read_golden

from hub_scripts.captions.parsing import (
    judged_caption,
    named_kind,
    named_people,
    said_distance,
    said_side,
    scene_contents,
    tells_roles,
)
from hub_scripts.captions.scene_words import SENTENCES
from hub_scripts.data.composed.kinds import KINDS
from hub_scripts.metrics.arrangement import ARRANGEMENTS, heading_errors, place_errors
from hub_scripts.metrics.caption import Captions, SceneWords
from hub_scripts.metrics.people import (
    HeadingError,
    Interpenetration,
    JudgedScenes,
    PeopleContent,
    PlacementError,
    RoleAccuracy,
)
from modeling_motionllm.errors_motionllm import MotionLLMError

BOW = "two people bow to each other from two meters away"


def places(*others):
    """Placements of person 1 and of others given as x, z and degrees."""
    return np.array([(0, 0, 0), *((x, z, radians(degrees)) for x, z, degrees in others)], dtype=float)


class TestArrangement:
    def test_what_is_said(self):
        assert said_distance("two people stand about two and a half meters apart") == (2.5, 2.5)
        assert said_distance("one and a half meters behind the other") == (1.5, 1.5)
        assert said_distance("they jog one meter apart") == (1, 1)
        assert said_distance("two people walk, close together") == (0, 1)
        assert said_distance("two people walk") is None
        assert said_side("the second on the left of the first") == 1
        assert said_side("the second and third to the right of the first") == -1
        assert said_side("two people walk and turn to the left") == 0

    def test_stated_distance(self):
        assert place_errors("bow", BOW, places((1.5, 2.0, 180))) == pytest.approx([0.5])
        assert place_errors("bow", "two people bow", places((1.5, 2.0, 180))) == []
        assert place_errors("pass-by", "close together, two people pass", places((0, 0.6, 180))) == [0]
        assert place_errors("pass-by", "close together, two people pass", places((0, 1.6, 180))) == pytest.approx([0.6])

    def test_side_by_side(self):
        walk = "two people walk side by side"
        assert place_errors("walk-together", walk, places((1.2, -0.3, 0))) == pytest.approx([0.3])
        assert place_errors("walk-together", f"{walk}, about one meter apart", places((-1.3, 0.4, 0))) == pytest.approx(
            [0.5]
        )
        right = f"{walk}, the second on the right of the first"
        assert place_errors("walk-together", right, places((-0.8, 0, 0))) == [0]
        assert place_errors("walk-together", right, places((0.3, 0.4, 0))) == pytest.approx([0.5])
        three = "three people walk together, the second and third to the left of the first"
        assert place_errors("three-walk", three, places((1, 0.1, 0), (2, -0.2, 0))) == pytest.approx([0.1, 0.2])

    def test_in_parting_the_sides_are_of_the_turns(self):
        text = "one person turns left and another, on the right until then, turns right"
        assert place_errors("part", text, places((1, 0.2, 0))) == pytest.approx([0.2])

    def test_behind(self):
        assert place_errors("follow", "one follows", places((0.3, -2, 0))) == pytest.approx([0.3])
        assert place_errors("follow", "one follows", places((0.3, 0.4, 0))) == pytest.approx([0.5])
        assert place_errors("follow", "one follows two meters behind", places((0.3, -2.4, 0))) == pytest.approx([0.5])
        # The third one is behind the second: here 0.4 m too far ahead and 0.3 m aside.
        errors = place_errors("three-follow", "three people in a line", places((0, -2, 0), (0.3, -1.6, 0)))
        assert errors == pytest.approx([0, 0.5])

    def test_kinds_that_fix_nothing(self):
        assert place_errors("run-past", "one runs past, two meters away", places((1, 2, 0))) == []
        assert heading_errors("guide", places((1, 2, 0))) == []
        assert set(KINDS) - set(ARRANGEMENTS) == {"run-past", "guide"}
        assert set(ARRANGEMENTS) <= set(KINDS)

    def test_facing(self):
        # Person 2 stands 45 degrees to the left of where person 1 looks, and looks at person 1 but for 5 degrees.
        assert heading_errors("bow", places((2, 2, 45 + 180 + 5))) == pytest.approx([45, 5])
        assert heading_errors("dance", places((2, 2, 45 + 180 - 5))) == pytest.approx([5])
        assert heading_errors("follow", places((0, -2, 350))) == pytest.approx([10])
        assert heading_errors("three-walk", places((1, 0, -10), (2, 0, 20))) == pytest.approx([10, 20])
        assert heading_errors("pass-by", places((1, 4, 170))) == pytest.approx([10])
        assert heading_errors("goodbye", places((2, 2, 30))) == pytest.approx([15])
        assert heading_errors("three-goodbye", places((1, 0, 0), (0, 2, -20))) == pytest.approx([20])
        # An equilateral triangle around (0, 1): everybody looks at the middle, the last one turned by 30 degrees.
        corner = np.sqrt(0.75)
        triangle = places((-corner, 1.5, 120), (corner, 1.5, 240 + 30))
        assert heading_errors("three-greet", triangle) == pytest.approx([0, 0, 30])


def scenes(features, placements, **more):
    count = len(features)
    given = {
        "captions": [BOW] * count,
        "kinds": ["bow"] * count,
        "contents": [["bow"] * len(scene) for scene in features],
        "likelihoods": [np.zeros((len(scene), 2)) for scene in features],
        "classes": ["bow", "walk"],
    }
    return JudgedScenes(features, placements, **(given | more))


@pytest.fixture
def standing():
    clip = next(clip["features"] for clip in read_golden().values() if len(clip["features"]) > 20)
    return np.repeat(clip[None, :1], 10, 1) * np.where(np.arange(263) < 3, 0, 1)  # its first pose, held


class TestPeople:
    def test_content(self, standing):
        pair = np.concatenate([standing, standing])
        likely = [np.log([[0.9, 0.1], [0.4, 0.6]]), np.log([[0.2, 0.8], [0.3, 0.7]])]
        sample = scenes(
            [pair, pair], [places((0, 2, 180))] * 2, likelihoods=likely, contents=[["bow", "bow"], ["walk", ""]]
        )
        assert PeopleContent().values(sample).tolist() == [True, False, True]
        assert PeopleContent()(sample) == {"people_content": pytest.approx(2 / 3)}

    def test_roles(self, standing):
        pair, three = np.concatenate([standing] * 2), np.concatenate([standing] * 3)
        told = "one person bows while the other walks away"
        cases = [
            (
                told,
                ["bow", "walk"],
                [[0.4, 0.6], [0.1, 0.9]],
            ),  # .4 x .9 > .6 x .1, although the first looks like walking
            (told, ["bow", "walk"], [[0.3, 0.7], [0.5, 0.5]]),  # .3 x .5 < .7 x .5
            (told, ["bow", "walk"], [[0.5, 0.5], [0.5, 0.5]]),  # a tie is wrong
            (told, ["bow", "bow"], [[0.5, 0.5], [0.5, 0.5]]),  # the same content: not judged
            ("two people greet each other", ["bow", "walk"], [[0.5, 0.5], [0.5, 0.5]]),  # not told: not judged
            (told, ["bow", "run"], [[0.5, 0.5], [0.5, 0.5]]),  # not known: not judged
            (told, ["walk", "bow", "walk"], [[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]),
            (told, ["walk", "bow", "walk"], [[0.2, 0.8], [0.6, 0.4], [0.8, 0.2]]),  # .8 x .6 x .2 < .8 x .4 x .8
        ]
        sample = scenes(
            [pair if len(contents) == 2 else three for _, contents, _ in cases],
            [np.zeros((len(contents), 3)) for _, contents, _ in cases],
            captions=[caption for caption, _, _ in cases],
            contents=[contents for _, contents, _ in cases],
            likelihoods=[np.log(likely) for _, _, likely in cases],
        )
        assert RoleAccuracy().values(sample).tolist() == [True, False, False, True, False]
        assert RoleAccuracy()(sample) == {"role_accuracy": pytest.approx(0.4)}

    def test_places_and_facings_by_the_median_scene(self, standing):
        pair = np.concatenate([standing] * 2)
        placed = [places((0, z, 180 + turn)) for z, turn in ((2.1, 0), (2.3, 20), (4.0, 60))]
        sample = scenes([pair] * 3, placed)
        assert PlacementError()(sample) == {"placement_error_m": pytest.approx(0.3)}
        assert HeadingError()(sample) == {"heading_error_deg": pytest.approx(10)}  # person 1 is right, person 2 is not
        nothing = scenes([pair], placed[:1], captions=["two people bow"], kinds=["guide"])
        assert not len(PlacementError().values(nothing))
        with pytest.raises(MotionLLMError, match="placement_error_m can judge none of these 1 scenes"):
            PlacementError()(nothing)

    def test_bodies_in_one_place(self, standing):
        pair = np.concatenate([standing] * 2)
        short = pair[:, :5]
        sample = scenes([pair, short], [places((0, 3, 0)), places((0.1, 0, 0))], kinds=["bow", "wave"])
        assert Interpenetration()(sample) == {"interpenetration": pytest.approx(5 / 15)}
        assert Interpenetration()(sample.of_kind("wave")) == {"interpenetration": 1.0}
        assert Interpenetration()(sample.of_kind("bow")) == {"interpenetration": 0.0}
        assert len(sample.people) == 4

    def test_what_does_not_fit_is_named(self, standing):
        with pytest.raises(MotionLLMError, match="no scenes"):
            scenes([], [])
        with pytest.raises(MotionLLMError, match=r"placements of shape \(2, 3\)"):
            scenes([standing], [np.zeros((2, 3))])
        with pytest.raises(MotionLLMError, match="2 entries in 'placements' for 1 scenes"):
            scenes([standing], [np.zeros((1, 3))] * 2)
        with pytest.raises(MotionLLMError, match="1 people but 2 contents"):
            scenes([standing], [np.zeros((1, 3))], contents=[["bow", "walk"]])


class TestWords:
    @pytest.mark.parametrize(
        ("caption", "contents"),
        [
            ("one person waves the left hand while the other strolls away", ["wave-left-hand", "walk"]),
            ("one person slashes with a sword and the other backs away", ["slash", "walk-back"]),
            ("the first person greets the other by waving both hands and the second bows", ["wave-both-hands", "bow"]),
            ("two people walk together and turn left", ["walk", "walk-turn-left"]),
            ("two people wave to each other", []),
        ],
    )
    def test_contents(self, caption, contents):
        assert scene_contents(caption) == tuple(frozenset({content}) for content in contents)

    def test_who_does_what(self):
        assert tells_roles("one person calls out and the other walks over", ["call", "walk"])
        assert not tells_roles("one person calls and the other comes", ["call", "walk"])
        assert not tells_roles("two people wave", ["wave-left-hand", "wave-both-hands"])
        both_turns = "two people walk side by side, then one turns left and the other turns right"
        assert not tells_roles(both_turns, ["walk-turn-left", "walk-turn-right"])

    def test_the_judged_caption(self):
        captions = ["one bows", "one person calls out and the other runs over", "someone shouts and another runs up"]
        chosen = [judged_caption(captions, ["call", "run"], index) for index in range(4)]
        assert chosen == [captions[1], captions[2], captions[1], captions[2]]
        assert judged_caption(captions, ["kick", "run"], 2) == captions[2]  # nobody says so: any caption

    @pytest.mark.parametrize("kind", SENTENCES)
    def test_every_kind_is_known_by_its_sentences(self, kind):
        fields = {"goes": "walks", "goes2": "walks", "goes:base": "walk", "two": "two people", "three": "three people"}
        fields |= {"one": "one person", "other": "another person", "third": "a third person"}
        for sentence in SENTENCES[kind]:
            for name, words in fields.items():
                sentence = sentence.replace(f"{{{name}}}", words)
            if "{" not in sentence:
                assert named_kind(sentence) == kind
                assert named_people(sentence) == (3 if kind.startswith("three") else 2)

    def test_people(self):
        assert named_people("a person waves both hands") == 1
        assert named_people("a lady walks behind an old man") == 2
        assert named_people("a worn-out person waves and somebody else answers") == 2
        assert (
            named_people("one person runs in front, followed by a second about two meters behind and by a third") == 3
        )
        assert named_kind("a person bows forward") is None

    def test_words_of_scenes(self):
        sample = Captions(
            ["one person calls out and the other walks over", "three people bow in a circle", "they jump"],
            [["x"]] * 3,
            contents=[["call", "run"], ["bow", "bow"], ["", "bow"]],
            kinds=["call-come", "three-greet", "bow"],
        )
        # call, bow, bow of five named; two kinds; only the first tells of the right number of people
        assert SceneWords()(sample) == {
            "scene_content_words": pytest.approx(3 / 5),
            "kind_words": pytest.approx(2 / 3),
            "people_words": pytest.approx(1 / 3),
        }
        with pytest.raises(MotionLLMError, match="known content"):
            SceneWords()(Captions(["a"], [["x"]], contents=[["", ""]], kinds=["interhuman"]))
        with pytest.raises(MotionLLMError, match="2 entries in 'contents' for 1 captions"):
            Captions(["a"], [["x"]], contents=[[], []], kinds=["bow"])


def test_radians():
    assert heading_errors("pass-by", np.array([[0, 0, 0], [1, 4, -pi]])) == pytest.approx([0])
