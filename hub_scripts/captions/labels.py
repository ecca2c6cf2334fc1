"""Which content and which style a caption names, by the words that the captions of the data are written with."""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

import numpy as np

from hub_scripts.captions.words import ACTIONS, IRREGULAR, STYLE_ALIASES, STYLES
from hub_scripts.metrics.base import Metric
from hub_scripts.metrics.caption import Captions, caption_words
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["CaptionLabelAccuracy", "content_patterns", "named_contents", "named_styles", "plain_style"]

# What the measured fields of an action may look like in a sentence.
_FIELDS = {
    "my": r"(?:their|your|his|her|its|the)",
    "dist": r"(?:about )?[a-z0-9]+ (?:meters?|metres?|m)",
    "angle": r"[a-z0-9]+",
    "times": r"(?:[a-z]+ )?[a-z0-9]+ times",
    "height": r"(?:above the head|high in the air|(?:at|to|near|close to) (?:the )?(?:head|shoulder)(?: height)?"
    r"|no higher than the shoulder)",
    "depth": r"[a-z]+",
}
_SIDES = ("left", "right")


def plain_style(style: str) -> str:
    """The style under the name that its words have: `old` is `elderly`, `masculinity` is `masculine`."""
    return STYLE_ALIASES.get(style, style)


def _verb(base: str) -> str:
    """All forms of a verb: walk, walks, walking, walked."""
    stem = base[:-1] if base.endswith("e") else base
    forms = {base, f"{base}s", f"{base}es", f"{stem}ing", f"{stem}ed", *IRREGULAR.get(base, ())}
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})"


def _pattern(action: str, side: str) -> re.Pattern[str]:
    """An action of `ACTIONS` as a pattern over the words of a sentence; `side` says which sides fit."""
    parts = []
    for word in action.replace(",", "").split():
        if word.startswith("["):
            parts.append(_verb(word.strip("[]")))
        elif word.startswith("{"):
            parts.append(side if word == "{side}" else _FIELDS[word.strip("{}")])
        else:
            parts.append(re.escape(word))
    return re.compile(rf"\b{' '.join(parts)}\b")


def content_patterns(actions: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[re.Pattern[str], ...]]:
    """The words of each content as patterns over `caption_words`; of a content with a side, with that side alone.

    Args:
        actions: content to its actions, written as in `caption_words.ACTIONS`.
    """
    patterns = {}
    for content, several in actions.items():
        own = [side for side in _SIDES if side in content.split("-")]
        side = f"(?:{'|'.join(own or _SIDES)})"
        patterns[content] = tuple(_pattern(action, side) for action in several)
    return patterns


@cache
def _action_patterns() -> Mapping[str, tuple[re.Pattern[str], ...]]:
    return content_patterns(ACTIONS)


@cache
def _style_patterns() -> Mapping[str, tuple[re.Pattern[str], ...]]:
    return {
        style: tuple(
            re.compile(rf"\b{re.escape(' '.join(caption_words(phrase)))}\b")
            for phrase in (*words.ways, *words.adverbs, *words.who)
        )
        for style, words in STYLES.items()
    }


def _longest(sentence: str, patterns: Mapping[str, tuple[re.Pattern[str], ...]]) -> frozenset[str]:
    """The labels one of whose patterns matches the most words of a sentence; empty where none matches."""
    text = " ".join(caption_words(sentence))
    lengths = {
        label: max((len(match[0].split()) for one in several for match in one.finditer(text)), default=0)
        for label, several in patterns.items()
    }
    most = max(lengths.values())
    return frozenset(label for label, length in lengths.items() if length == most and most > 0)


@lru_cache(maxsize=65536)
def named_contents(sentence: str) -> frozenset[str]:
    """The contents that a caption names: those whose words match the longest stretch of it.

    Empty where it uses none of the words; several where the words are the same (`dance-long` and `dance-short`).
    """
    return _longest(sentence, _action_patterns())


@lru_cache(maxsize=65536)
def named_styles(sentence: str) -> frozenset[str]:
    """The styles that a caption names: those whose words match the longest stretch of it; else `normal`.

    Several where a word stands for several ("wearily": exhausted and tired).
    """
    return _longest(sentence, _style_patterns()) or frozenset({"normal"})


class CaptionLabelAccuracy(Metric[Captions]):
    """Share of captions that name the true content (or style) of the motion, in the words of the Bandai-Namco captions.

    A caption that names several labels with the same words counts if one of them is the true one; one that names no
    content counts as wrong, and one that names no style as "normal". Captions in other words than the data's are not
    understood: beside `content_words` stands the share that named any content at all, `content_words_named`.

    Args:
        kind: `content` or `style`.
    """

    name, units, better = "words", "share", "higher"

    def __init__(self, kind: str):
        if kind not in ("content", "style"):
            raise MotionLLMError(f"there is no label '{kind}'; choose content or style")
        self.kind = kind

    @property
    def columns(self) -> tuple[str, ...]:
        name = f"{self.kind}_{self.name}"
        return (name, f"{name}_named") if self.kind == "content" else (name,)

    def compute(self, sample: Captions, rng: np.random.Generator) -> Sequence[float]:
        labels = sample.content if self.kind == "content" else sample.style
        known = [
            (text, label) for text, label in zip(sample.candidates, labels or (), strict=False) if label is not None
        ]
        if not known:
            raise MotionLLMError(f"none of {len(sample.candidates)} captions has a known {self.kind}")
        if self.kind == "style":
            return [float(np.mean([plain_style(label) in named_styles(text) for text, label in known]))]
        named = [named_contents(text) for text, _ in known]
        correct = [label in labels for (_, label), labels in zip(known, named, strict=True)]
        return [float(np.mean(correct)), float(np.mean([bool(labels) for labels in named]))]
