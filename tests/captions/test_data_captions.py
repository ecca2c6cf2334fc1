"""Captions: sides, styles, measured facts, variety, and the same sentences every time."""

import re
from pathlib import Path

import numpy as np
import pytest

from hub_scripts.captions.clips import content_of, describe
from hub_scripts.captions.words import ACTIONS, STYLE_ALIASES, STYLES
from hub_scripts.data.bandai import bandai_joints
from hub_scripts.data.bvh import read_bvh
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import mirror_joints

FIXTURES = Path(__file__).parents[1] / "fixtures" / "bandai"
WAVE = bandai_joints(read_bvh(FIXTURES / "dataset-2_wave-left-hand_active_011.bvh"))
RUN = bandai_joints(read_bvh(FIXTURES / "dataset-2_run_normal_001.bvh"))
BOW = bandai_joints(read_bvh(FIXTURES / "dataset-1_bow_normal_001.bvh"))


def walker(turn_degrees: float, frames: int = 60, speed: float = 1.2) -> np.ndarray:
    """The first pose of the run, moved along a path that turns half way; left is positive."""
    pose = RUN[0] - RUN[0, 0] * [1, 0, 1]
    across = pose[1] - pose[2] + pose[16] - pose[17]
    heading = np.arctan2(-across[2], across[0])
    share = np.clip((np.arange(frames) - frames / 3) / (frames / 3), 0, 1)
    angles = heading + np.radians(turn_degrees) * share
    steps = speed / 20 * np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=1)
    turned = []
    for angle, place in zip(angles - heading, np.cumsum(steps, axis=0), strict=True):
        rotation = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        turned.append(pose @ rotation.T + place)
    return np.array(turned, dtype=np.float32)


def test_the_same_clip_always_gets_the_same_sentences() -> None:
    first = describe("wave-left-hand", "active", WAVE, "dataset-2_wave-left-hand_active_011")
    assert first == describe("wave-left-hand", "active", WAVE, "dataset-2_wave-left-hand_active_011")
    assert first != describe("wave-left-hand", "active", WAVE, "dataset-2_wave-left-hand_active_012")
    assert first[0] == "a person waves with the left hand"


@pytest.mark.parametrize("content", sorted(ACTIONS))
def test_sentences_are_many_different_and_well_formed(content: str) -> None:
    for style in sorted(set(STYLES) | set(STYLE_ALIASES)):
        captions = describe(content, style, WAVE, f"clip_{style}")
        assert len(captions) == len(set(captions)) == 6
        for caption in captions:
            assert re.fullmatch(r"[a-z0-9 ,-]+", caption), caption
            assert not caption.endswith((".", " ", ",")), caption
            assert "  " not in caption
            assert 1 <= len(caption.split()) <= 18, caption


@pytest.mark.parametrize(
    "content, mirrored, said, unsaid",
    [
        ("wave-left-hand", False, "left", "right"),
        ("wave-left-hand", True, "right", "left"),
        ("raise-up-right-hand", False, "right", "left"),
        ("raise-up-right-hand", True, "left", "right"),
        ("walk-left", False, "left", "right"),
        ("walk-left", True, "right", "left"),
        ("wave-both-hands", False, "", "left"),
        ("wave-both-hands", True, "", "right"),
    ],
)
def test_every_sentence_names_the_right_side(content: str, mirrored: bool, said: str, unsaid: str) -> None:
    for number in range(20):
        for caption in describe(content, "normal", WAVE, f"clip_{number}", mirrored):
            assert said in caption
            assert unsaid not in caption


def test_hands_without_a_label_are_measured() -> None:
    assert all("left" in caption for caption in describe("bye", "normal", WAVE, "clip"))
    mirrored = np.asarray(mirror_joints(WAVE))
    assert all("right" in caption for caption in describe("bye", "normal", mirrored, "clip", True))


def test_turns_follow_the_motion_and_say_their_angle() -> None:
    texts = [c for i in range(20) for c in describe("walk-turn-left", "normal", walker(92), f"clip_{i}")]
    assert all("left" in text for text in texts)
    assert any("90 degrees" in text or "ninety degrees" in text for text in texts)
    # a clip that turns right in spite of its label
    texts = describe("walk-turn-left", "normal", walker(-80), "clip")
    assert all("right" in text and "left" not in text for text in texts)
    mirrored = np.asarray(mirror_joints(walker(92)))
    assert all("right" in text for text in describe("walk-turn-left", "normal", mirrored, "clip", True))


def test_distance_and_pace_are_measured() -> None:
    slow = [c for i in range(20) for c in describe("walk", "normal", walker(0, 200, 0.5), f"clip_{i}")]
    assert any("5 meters" in text or "five meters" in text for text in slow)
    assert any("slow" in text for text in slow)
    assert not any("brisk" in text or "fast" in text for text in slow)
    fast = [c for i in range(20) for c in describe("walk", "normal", walker(0, 100, 1.6), f"clip_{i}")]
    assert any("8 meters" in text or "eight meters" in text for text in fast)
    assert any("brisk" in text or "fast" in text for text in fast)


def test_contents_are_kept_apart() -> None:
    texts = {content: set() for content in ACTIONS}
    for content, found in texts.items():
        for number in range(30):
            found.update(describe(content, "normal", BOW, f"clip_{number}"))
    for content, found in texts.items():
        for other, others in texts.items():
            if content != other and not {content, other} <= {"dance-short", "dance-long"}:
                assert not found & others, (content, other)
    goodbye = texts["bye"] | texts["byebye"]
    assert all(re.search("goodbye|farewell|bye-bye|leaving", text) for text in goodbye)
    assert not any("goodbye" in text for text in texts["wave-both-hands"] | texts["wave-right-hand"])
    assert all("back" in text for text in texts["walk-back"])


@pytest.mark.parametrize("style", sorted(set(STYLES) - {"normal"}))
def test_all_sentences_but_the_first_state_the_style(style: str) -> None:
    words = STYLES[style]
    said = words.ways + words.adverbs + words.who
    for number in range(10):
        plain, *others = describe("walk", style, BOW, f"clip_{number}")
        assert not any(word in plain for word in words.ways + words.adverbs)
        assert all(any(word in caption for word in said) for caption in others)


def test_style_normal_adds_no_style_words() -> None:
    for number in range(20):
        for caption in describe("walk", "normal", BOW, f"clip_{number}"):
            for words in STYLES.values():
                assert not any(re.search(rf"\b{re.escape(word)}\b", caption) for word in words.ways + words.adverbs)


def test_content_of_swaps_sides_only_in_mirrored_copies() -> None:
    assert content_of("walk-turn-left", True) == "walk-turn-right"
    assert content_of("raise-up-right-hand", True) == "raise-up-left-hand"
    assert content_of("walk-turn-left", False) == "walk-turn-left"
    for content in ("dance-short", "walk-back", "wave-both-hands", "bow"):
        assert content_of(content, True) == content


def test_unknown_labels_are_errors() -> None:
    with pytest.raises(MotionLLMError, match="content 'fly'"):
        describe("fly", "normal", WAVE, "clip")
    with pytest.raises(MotionLLMError, match="style 'robot'"):
        describe("walk", "robot", WAVE, "clip")
    with pytest.raises(MotionLLMError, match="ask for fewer"):
        describe("kick", "normal", WAVE, "clip", count=5000)
