"""Dividing clips into train, val and test: stratified, and fixed by the clips' names."""

import hashlib
from collections.abc import Iterable
from typing import Literal

__all__ = ["SHARES", "SPLITS", "Split", "assign_splits"]

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SHARES: dict[Split, float] = {"train": 0.80, "val": 0.05, "test": 0.15}


def assign_splits(clips: Iterable[tuple[str, str, str]]) -> dict[str, Split]:
    """Assign each clip to a split: 80 % train, 5 % val, 15 % test.

    Every content gets its shares (train first where it has few clips: a lone clip is for training, the second for
    test), and inside a content the clips for val and test are spread over its styles. The result depends on the names
    and labels alone, not on their order.

    Args:
        clips: (name, content, style) of each clip.

    Returns:
        name -> split.
    """
    groups: dict[str, dict[str, list[str]]] = {}
    for name, content, style in clips:
        groups.setdefault(content, {}).setdefault(style, []).append(name)
    splits: dict[str, Split] = {}
    for content, styles in sorted(groups.items()):
        order = _spread(content, styles)
        train, val, _ = _quota(len(order))
        places: list[Split] = _interleave(len(order), train, val)
        splits.update(zip(order, places, strict=True))
    return splits


def _quota(count: int) -> tuple[int, int, int]:
    """Numbers of clips for train, val and test out of `count` clips of one content."""
    if count < 3:
        return 1, 0, count - 1
    test = max(1, round(count * SHARES["test"]))
    val = round(count * SHARES["val"])
    return count - test - val, val, test


def _spread(content: str, styles: dict[str, list[str]]) -> list[str]:
    """All clips of a content, so ordered that any evenly spaced choice holds the styles in proportion."""
    ranked = []
    for style, names in styles.items():
        for place, name in enumerate(sorted(names, key=_digest)):
            ranked.append(((place + 0.5) / len(names), style, name))
    # Styles one after the other: every n-th clip then takes from each style what is its due. Their order differs from
    # content to content, or else contents with one clip a style would all hold out the same styles.
    ranked.sort(key=lambda entry: (_digest(f"{content}/{entry[1]}"), entry[0], entry[2]))
    return [name for _, _, name in ranked]


def _interleave(count: int, train: int, val: int) -> list[Split]:
    """Spread val and test places evenly over `count` places."""
    held = count - train
    places: list[Split] = ["train"] * count
    chosen = [int((index + 0.5) * count / held) for index in range(held)]
    for index, place in enumerate(chosen):
        # val places are spread over the held-out ones in the same way
        is_val = (index + 1) * val // held > index * val // held
        places[place] = "val" if is_val else "test"
    return places


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
