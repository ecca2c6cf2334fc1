import numpy as np
import pytest
import torch
from conftest import FIXTURES, read_golden

from hub_scripts.captions.sentence_content import parse_sentence
from hub_scripts.data.motion_files import load_motion
from hub_scripts.metrics.agreement import shows
from hub_scripts.metrics.kinematics import Kinematics
from hub_scripts.metrics.shown_actions import JUDGED_ACTIONS, describe_motion, main_action
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints, mirror_joints

SHOWN = {
    "dataset-1_bow_masculinity_001": "bow",
    "dataset-1_bye_happy_001": "wave",
    "dataset-1_dash_angry_001": "run",
    "dataset-1_punch_normal_001": "punch",
    "dataset-1_respond_normal_001": "raise hands",
    "dataset-1_walk-back_not-confident_001": "walk",
    "dataset-1_walk-left_giant_001": "walk",
    "dataset-1_walk-right_sad_001": "walk",
    "dataset-1_walk_musical_001": "walk",
    "dataset-1_walk_normal_002": "walk",
    "dataset-2_raise-up-both-hands_normal_001": "raise hands",
    "dataset-2_raise-up-left-hand_elderly_001": "raise hands",
    "dataset-2_raise-up-right-hand_feminine_001": "raise hands",
    "dataset-2_run_normal_044": "run",
    "dataset-2_walk-turn-left_youthful_001": "walk",
    "dataset-2_wave-both-hands_active_001": "wave",
    "dataset-2_wave-right-hand_youthful_001": "wave",
}


def clip(name):
    return read_golden()[name]["joints"].astype(np.float64)


def turned_about(joints, degrees, place=(3.0, 0.7, -2.0)):
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return joints @ rotation.T + np.array(place)


@pytest.mark.parametrize("name, action", SHOWN.items())
def test_recorded_motions_show_their_action(name, action):
    assert main_action(describe_motion(clip(name))).name == action


@pytest.mark.parametrize("name", SHOWN)
def test_place_and_facing_change_nothing(name):
    here, elsewhere = (describe_motion(joints) for joints in (clip(name), turned_about(clip(name), 130)))
    assert [(a.name, a.side, a.directions, a.turn) for a in here] == [
        (a.name, a.side, a.directions, a.turn) for a in elsewhere
    ]


@pytest.mark.parametrize("name", SHOWN)
def test_the_mirror_swaps_sides(name):
    swap = {"left": "right", "right": "left"}
    mirrored = mirror_joints(torch.from_numpy(clip(name))).numpy()
    for here, there in zip(describe_motion(clip(name)), describe_motion(mirrored), strict=True):
        assert (there.name, there.side) == (here.name, swap.get(here.side, here.side))
        assert set(there.directions) == {swap.get(way, way) for way in here.directions}
        assert there.turn == swap.get(here.turn)


@pytest.mark.parametrize(
    "name, right, wrong",
    [
        ("dataset-2_walk-turn-left_youthful_001", "a person walks and turns left", "a person walks and turns right"),
        ("dataset-2_walk-turn-right_masculine_001", "someone makes a right turn", "a person walks straight ahead"),
        ("dataset-1_walk-back_not-confident_001", "a person walks backwards", "a person walks forward"),
        ("dataset-1_walk-left_giant_001", "a person walks to the left", "a person walks to the right"),
        ("dataset-2_run_normal_044", "the man is jogging", "the man is walking"),
        ("dataset-2_wave-right-hand_youthful_001", "a person waves the right hand", "a person waves the left hand"),
        ("dataset-2_raise-up-both-hands_normal_001", "a person lifts both arms", "a person lifts his right arm"),
        ("dataset-2_raise-up-left-hand_elderly_001", "a person puts their left hand up", "a person waves"),
        ("dataset-1_bow_masculinity_001", "a person takes a bow", "a person kicks"),
        ("dataset-1_punch_normal_001", "a person punches with the left hand", "a person punches with the right hand"),
    ],
)
def test_what_sentences_say(name, right, wrong):
    assert shows(clip(name), parse_sentence(right)) is True
    assert shows(clip(name), parse_sentence(wrong)) is False


def test_one_after_the_other():
    """A bow, then a wave on the same spot: the order of the sentence must be that of the motion."""
    bow, wave = clip("dataset-1_bow_masculinity_001"), clip("dataset-2_wave-right-hand_youthful_001")
    wave = wave - wave[0, 0] + bow[-1, 0]
    joints = np.concatenate([bow, np.linspace(bow[-1], wave[0], 8)[1:-1], wave])
    assert shows(joints, parse_sentence("a person bows and then waves"))
    assert not shows(joints, parse_sentence("a person waves and then bows"))
    assert not shows(joints, parse_sentence("a person bows and then walks away"))


@pytest.mark.parametrize("first, second", [("walk", "bow"), ("walk", "run"), ("bow", "walk")])
def test_parts_of_a_motion_are_judged_by_themselves(first, second):
    """On the whole who walks and bows does not bow, and who walks and runs only runs."""
    names = {
        "walk": "dataset-1_walk_musical_001",
        "bow": "dataset-1_bow_masculinity_001",
        "run": "dataset-2_run_normal_044",
    }
    before, after = (canonicalize_joints(clip(names[name])) for name in (first, second))
    after = after + (before[-1, 0] - after[0, 0]) * np.array([1.0, 0.0, 1.0])
    joints = np.concatenate([before, np.linspace(before[-1], after[0], 8)[1:-1], after])
    assert shows(joints, parse_sentence(f"a person {first}s and then {second}s"))
    assert not shows(joints, parse_sentence(f"a person {second}s and then {first}s"))
    assert not shows(joints, parse_sentence(f"a person {first}s and then {second}s and then waves"))


def test_a_game_animation():
    punch = load_motion(FIXTURES / "mesh2motion/punch_jab.glb").joints
    assert main_action(describe_motion(punch)).name == "punch"


def test_what_cannot_be_told():
    joints = clip("dataset-1_walk_musical_001")
    assert shows(joints, parse_sentence("a person eats an apple")) is None
    assert shows(joints, parse_sentence("blah")) is None


def test_standing_still():
    joints = np.repeat(clip("dataset-1_bow_masculinity_001")[:1], 40, axis=0)
    assert [action.name for action in describe_motion(joints)] == ["stand"]
    assert JUDGED_ACTIONS[-1] == "stand"


def test_steps_ahead_and_back_by_turns_are_a_dance():
    walk = clip("dataset-1_walk_normal_002")
    step = walk[:16]
    dance = np.concatenate([step, step[::-1]] * 5)
    assert main_action(describe_motion(dance)).name == "dance"
    assert main_action(describe_motion(turned_about(dance, 130))).name == "dance"


@pytest.mark.parametrize("name", ["dataset-1_walk_musical_001", "dataset-1_walk-right_sad_001"])
def test_who_walks_there_and_back_does_not_dance(name):
    walk = clip(name)
    assert main_action(describe_motion(np.concatenate([walk, walk[::-1]]))).name == "walk"


def test_turning_on_the_spot():
    still = np.repeat(clip("dataset-1_bow_masculinity_001")[:1], 60, axis=0)
    still = still - still[:, :1] * np.array([1.0, 0.0, 1.0])
    joints = np.concatenate(
        [
            turned_about(frame[None], angle, (0, 0, 0))
            for frame, angle in zip(still, np.linspace(0, 90, 60), strict=True)
        ]
    )
    (turn,) = describe_motion(joints)
    assert (turn.name, turn.turn) == ("turn", "left")
    assert turn.degrees == pytest.approx(86, abs=6)
    assert Kinematics(joints).turned == pytest.approx(turn.degrees)


@pytest.mark.parametrize(
    "joints, fps, message",
    [
        (np.zeros((40, 21, 3)), 20, r"shape \(40, 21, 3\)"),
        (np.zeros((4, 22, 3)), 20, "half a second"),
        (np.full((40, 22, 3), np.nan), 20, "not finite"),
        (np.zeros((40, 22, 3)), 0, "fps is 0"),
    ],
)
def test_bad_joints(joints, fps, message):
    with pytest.raises(MotionLLMError, match=message):
        describe_motion(joints, fps)
