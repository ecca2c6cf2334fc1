"""What a caption says: actions and styles, who does what, how many people there are, what kind of scene it is.

It reads sentences in the words of `captions.words`, with which the captions of the data are written too.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from hub_scripts.captions.scene_words import GOING
from hub_scripts.captions.words import ACTIONS, IRREGULAR, NUMBERS, STYLE_ALIASES, STYLES

__all__ = [
    "caption_words",
    "judged_caption",
    "named_contents",
    "named_kind",
    "named_people",
    "named_styles",
    "own_caption",
    "plain_style",
    "said_distance",
    "said_side",
    "scene_contents",
    "tells_roles",
]

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

_NUMBERS = {word: number for number, word in NUMBERS.items()}
_METERS = re.compile(rf"\b({'|'.join(_NUMBERS)})( and a half)? meters?\b")
_SIDE = re.compile(r"\bon the (left|right)\b|\bto the (left|right) of\b")


def caption_words(sentence: str) -> list[str]:
    """Words in lower case without punctuation: what the metrics here call a word."""
    letters = "".join(letter if letter.isalnum() or letter in "'-" else " " for letter in sentence.lower())
    return [word for word in (part.strip("'-") for part in letters.split()) if word]


def own_caption(captions: Sequence[str], index: int) -> str:
    """The caption that clip `index` is judged with; over a dataset all the places of the list come up alike."""
    return captions[index % len(captions)]


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


def _content_patterns(actions: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[re.Pattern[str], ...]]:
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
    return _content_patterns(ACTIONS)


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


@cache
def _scene_patterns() -> Mapping[str, tuple[re.Pattern[str], ...]]:
    contents = dict.fromkeys([*ACTIONS, *_SCENE_ACTIONS])
    return _content_patterns(
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
    for content, patterns in _scene_patterns().items():
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
    """The caption that motion `index` is generated and judged with; of several people one that names what everybody
    does, where there is one; of n such the (index mod n)-th."""
    telling = [caption for caption in captions if len(contents) > 1 and tells_roles(caption, contents)]
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


def said_distance(caption: str) -> tuple[float, float] | None:
    """The distance of the first two people that a caption states, from and to, in metres; None where it states none.

    "about two and a half meters apart" is (2.5, 2.5), "close together" is (0, 1).
    """
    found = _METERS.search(caption)
    if found:
        meters = _NUMBERS[found[1]] + (0.5 if found[2] else 0.0)
        return meters, meters
    return (0.0, 1.0) if "close together" in caption else None


def said_side(caption: str) -> int:
    """On which side of person 1 a caption says the others are: 1 for the left, -1 for the right, 0 for neither."""
    found = _SIDE.search(caption)
    return 0 if found is None else 1 if "left" in found.groups() else -1
