"""What the caption of a scene says: who does what, how many people there are, what kind of scene it is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from hub_scripts.captions.labels import content_patterns
from hub_scripts.captions.scene_words import GOING
from hub_scripts.captions.words import ACTIONS, STYLES
from hub_scripts.metrics.base import Metric
from hub_scripts.metrics.caption import caption_words
from hub_scripts.metrics.judge import own_caption
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "SceneCaptions",
    "SceneWords",
    "judged_caption",
    "named_kind",
    "named_people",
    "scene_contents",
    "tells_roles",
]

# Said of the people of a scene, and not of single clips; written as in `caption_words.ACTIONS`.
_SCENE_ACTIONS: dict[str, tuple[str, ...]] = {
    **GOING,
    "walk-back": (*GOING["walk-back"], "[give] way", "[retreat]"),
    "walk-turn-left": ("[turn] {side}",),
    "walk-turn-right": ("[turn] {side}",),
    "bow": ("[bow]",),
    "call": ("[call]", "[call] out", "[shout]"),
    "guide": ("[show] the way", "[direct] someone"),
    "dance-short": ("[dance]",),
    "dance-long": ("[dance]",),
}
_SOMEONE = re.compile(r"\b(?:somebody|the others?|each other)\b")
# The one sentence that names both turns, but not who takes which.
_NOBODY_IN_PARTICULAR = "then one turns left and the other turns right"

_GOES = r"(?:walk|stroll|run|jog|dash|sprint)(?:s|es|ning|ing)?"
_THREE = re.compile(
    r"\bthree (?:[\w-]+ )?people\b|\b(?:line|group) of three\b|\bthird\b|\bother two\b(?! (?:and a half )?meters)"
    r"|\bthe others\b|\babreast\b|\bcircle\b|\btriangle\b|\bwave after\b|\bbehind and by\b|\bside by side .* wave"
)
_SECOND = re.compile(r"\b(?:two|another|other|second|pair|somebody else)\b")
# Kinds by their phrases; a caption is of the first kind one of whose phrases it has.
_PAIRS = {
    "fight": r"punch|kick|slash|sword|attack|retreat|fight|\bbox",
    "dance": r"\bdanc",
    "call-come": rf"\b(?:call|shout|yell).*\b(?:{_GOES}|comes|over from)\b"
    rf"|\b(?:{_GOES}|comes)\b.*\b(?:call|shout|yell)",
    "call-answer": r"\b(?:call|shout|yell)",
    "guide": r"(?<!leads )the way\b|\bdirects|\busher|\bguid|hand points",
    "goodbye": r"bye|farewell|wav\w* after|\bsees .* off\b|\baway\b(?<!meter away)(?<!meters away)|stays behind"
    r"|turns their back",
    "part": r"\bpart\b|separate ways|turn off|\bturns?\b.*\b(?:left|right)\b.*\b(?:left|right)\b",
    "follow": r"\bfollow|\bbehind\b|\bahead and\b|\bleads\b",
    "pass-by": r"\bpass\b|\bpast each other|the other way|cross paths",
    "run-past": rf"\b{_GOES} (?:past|by)\b",
    "meet": rf"(?:towards|approach) each other|come together|\bmeet\b|{_GOES} up to .* {_GOES} towards",
    "walk-together": r"side by side|next to each other|along on|same direction|\btogether\b(?! about)",
    "greet-comer": r"\btowards\b|\bup to\b|\bcloser\b|\bover to\b|\bcoming\b|from the front",
    "wave-answer": r"\bthen\b|moment later|\banswer|in return",
    "bow": r"\bbow",
    "raise-hands": r"\b(?:rais|lift|stretch|put)(?!.*\bwav)",
    "wave": r"\bwav",
}
_TRIPLES = {
    "three-goodbye": r"bye|farewell|wave after|see off|\bleaves\b|\baway\b(?<!meters away)|\boff\b"
    r"|side by side .* wave",
    "three-follow": r"one behind|in a line|single file|line of three|\bfollow|\bbehind\b|comes last",
    "three-walk": r"side by side|next to each other|in a row|abreast|\btogether\b(?! about)",
    "three-greet": r"circle|triangle|facing each other|stand around|group of three",
}


@dataclass(frozen=True)
class SceneCaptions:
    """N written captions of scenes and what is true of these.

    Args:
        candidates: the captions that are judged.
        contents: for each, the content of each person; "" where unknown.
        kinds: for each, the kind of scene.
    """

    candidates: Sequence[str]
    contents: Sequence[Sequence[str]]
    kinds: Sequence[str]

    def __post_init__(self) -> None:
        if not self.candidates or not len(self.candidates) == len(self.contents) == len(self.kinds):
            raise MotionLLMError(
                f"{len(self.candidates)} captions, {len(self.contents)} lists of contents and {len(self.kinds)} kinds; "
                "give one of each for each scene, and at least one scene"
            )


class SceneWords(Metric[SceneCaptions]):
    """How much of a scene its caption names, in the words of the composed scenes' captions.

    `scene_content_words`: share of people whose content is named anywhere in their scene's caption
    (`scene_contents`). `kind_words`: share of captions that name the true kind of scene (`named_kind`).
    `people_words`: share of captions with the true number of people (`named_people`). Captions in other words than the
    data's are not understood.
    """

    name, units, better = "scene_words", "share", "higher"

    @property
    def columns(self) -> tuple[str, ...]:
        return ("scene_content_words", "kind_words", "people_words")

    def compute(self, sample: SceneCaptions, rng: np.random.Generator) -> Sequence[float]:
        named = [
            any(content in labels for labels in scene_contents(text))
            for text, contents in zip(sample.candidates, sample.contents, strict=True)
            for content in contents
            if content
        ]
        if not named:
            raise MotionLLMError("none of the scenes has a known content")
        kinds = [named_kind(text) == kind for text, kind in zip(sample.candidates, sample.kinds, strict=True)]
        people = [
            named_people(text) == len(contents)
            for text, contents in zip(sample.candidates, sample.contents, strict=True)
        ]
        return [float(np.mean(values)) for values in (named, kinds, people)]


@cache
def _patterns() -> Mapping[str, tuple[re.Pattern[str], ...]]:
    contents = dict.fromkeys([*ACTIONS, *_SCENE_ACTIONS])
    return content_patterns(
        {
            content: [
                _SOMEONE.sub("someone", action)
                for action in (*ACTIONS.get(content, ()), *_SCENE_ACTIONS.get(content, ()))
            ]
            for content in contents
        }
    )


@lru_cache(maxsize=65536)
def scene_contents(sentence: str) -> tuple[frozenset[str], ...]:
    """The contents that the caption of a scene names, in the order of the words.

    Each place of the sentence counts once, for the words that take up most of it: "walks backward" is no "walk". One
    place can name several contents that have the same words.
    """
    text = _SOMEONE.sub("someone", " ".join(caption_words(sentence)))
    spans: dict[tuple[int, int], set[str]] = {}
    for content, patterns in _patterns().items():
        for pattern in patterns:
            for match in pattern.finditer(text):
                spans.setdefault(match.span(), set()).add(content)
    whole = [
        (start, end)
        for start, end in spans
        if not any(first <= start and end <= last and (first, last) != (start, end) for first, last in spans)
    ]
    return tuple(frozenset(spans[span]) for span in sorted(whole))


def tells_roles(caption: str, contents: Sequence[str]) -> bool:
    """Whether a caption names the content of everybody, so that it can be seen who should do what.

    Who is person 1 is fixed by the kind of scene or, among equals, by the order in the sentence; so the names are
    enough.
    """
    if _NOBODY_IN_PARTICULAR in caption:
        return False
    named = scene_contents(caption)
    return all(any(content in labels for labels in named) for content in contents)


def judged_caption(captions: Sequence[str], contents: Sequence[str], index: int) -> str:
    """The caption that scene `index` is generated and judged with: one that names what everybody does, where there is
    one; of n such the (index mod n)-th."""
    telling = [caption for caption in captions if tells_roles(caption, contents)]
    return own_caption(telling or captions, index)


@cache
def _somebody() -> re.Pattern[str]:
    """One person, by the words of the data: "a person", "an old man"."""
    names = {name for words in STYLES.values() for name in words.who} | {"a person", "the person"}
    return re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})\b")


def named_people(sentence: str) -> int:
    """How many people a caption tells of: three where it says so in one of the data's ways; two where it says "two",
    "another", "other", "second", "pair" or "somebody else", or names two people ("a lady", "an old man"); else one."""
    text = " ".join(caption_words(sentence))
    if _THREE.search(text):
        return 3
    return 2 if _SECOND.search(text) or len(_somebody().findall(text)) > 1 else 1


@lru_cache(maxsize=65536)
def named_kind(sentence: str) -> str | None:
    """The kind of scene that a caption tells of: of the kinds with as many people as it tells of, the first in a list
    one of whose phrases it has; None for one person."""
    text = " ".join(caption_words(sentence))
    kinds: dict[str, str] = {3: _TRIPLES, 2: _PAIRS}.get(named_people(sentence), {})
    return next((kind for kind, phrases in kinds.items() if re.search(phrases, text)), None)
