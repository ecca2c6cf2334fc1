"""Splits: shares, stratification, independence of order."""

import random
from collections import Counter

import pytest

from hub_scripts.data.splits import assign_splits

STYLES = ("active", "angry", "normal", "sad", "tired")
SIZES = {"walk": 205, "run": 332, "wave-left-hand": 209, "raise-up-left-hand": 444, "bow": 15, "bye": 15, "call": 2}


def clips() -> list[tuple[str, str, str]]:
    made = [(f"{c}_{i}", c, STYLES[i % len(STYLES)]) for c, size in SIZES.items() for i in range(size)]
    return [*made, ("kick_0", "kick", "normal")]


def test_shares_are_80_5_15() -> None:
    splits = assign_splits(clips())
    count = Counter(splits.values())
    assert len(splits) == len(clips())
    for split, share in (("train", 0.80), ("val", 0.05), ("test", 0.15)):
        assert count[split] / len(splits) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    "size, expected",
    [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (2, 0, 1)), (15, (12, 1, 2)), (100, (80, 5, 15))],
)
def test_a_content_gets_its_shares_train_first(size: int, expected: tuple[int, int, int]) -> None:
    count = Counter(assign_splits((f"clip_{i}", "walk", "normal") for i in range(size)).values())
    assert (count["train"], count["val"], count["test"]) == expected


def test_styles_get_their_shares_within_a_content() -> None:
    splits = assign_splits(clips())
    for style in STYLES:
        mine = [splits[name] for name, content, its in clips() if content == "raise-up-left-hand" and its == style]
        assert Counter(mine)["test"] / len(mine) == pytest.approx(0.15, abs=0.03)
        assert Counter(mine)["val"] / len(mine) == pytest.approx(0.05, abs=0.03)


def test_contents_with_one_clip_a_style_do_not_all_hold_out_the_same_style() -> None:
    styles = [f"style{i}" for i in range(15)]
    made = [(f"{content}_{style}", content, style) for content in "abcdefgh" for style in styles]
    held = {name.split("_")[1] for name, split in assign_splits(made).items() if split == "test"}
    assert len(held) > 4


def test_the_order_of_the_clips_does_not_matter() -> None:
    shuffled = clips()
    random.Random(0).shuffle(shuffled)
    assert assign_splits(shuffled) == assign_splits(clips())


def test_the_splits_are_fixed() -> None:
    splits = assign_splits((f"clip_{i}", "walk", "normal") for i in range(20))
    held = {name: split for name, split in splits.items() if split != "train"}
    assert held == FIXED


FIXED = {"clip_9": "test", "clip_13": "val", "clip_14": "test", "clip_18": "test"}
