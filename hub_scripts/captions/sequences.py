"""Telling what one person does one after another: sentences for each segment, and for the whole."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .clips import action_phrases, inflect
from .words import ACTIONS, IRREGULAR, STYLE_ALIASES, STYLES, SUBJECTS

__all__ = ["Said", "describe_circle", "describe_segment", "describe_sequence", "said_by_rules", "said_by_sentences"]

_MOST_WORDS = {2: 26, 3: 34, 4: 42}
_MOST_OF_ONE = 12  # words of people for one segment, where there are any shorter ones
_SUBJECT = re.compile(
    r"^(?:(?:a|an|the|this|one) )?(?:person|man|woman|human|someone|somebody|character|figure|sim|boxer|soldier|dancer|"
    r"guy|individual|toon|basketball referee)\s+"
)
_IS = re.compile(r"^(?:is|are) (\w+ing\b.*)$")
_OWN = re.compile(r"\b(?:his|her|its)\b")
# What does not go on in the same sentence: a second sentence or subject, and what is already one thing after another.
_NOT_ONE = re.compile(r"[.;:()]\s*\S|\b(?:he|she|it|they|while|who|then|before|after|someone|somebody|camera)\b")
_ALONE = re.compile(r"\b(?:again and again|and then|before|while|after)\b")
_NO_VERBS = frozenset(("is", "has", "was"))

# {0} {1} ... are what is done: "s" walks, "ing" walking, "base" walk. {who} is the subject.
_TWO = (
    "{who} {0:s} and then {1:s}",
    "{who} {0:s}, then {1:s}",
    "{who} {0:s} and {1:s}",
    "{who} {0:s} before {1:ing}",
    "after {0:ing}, {who} {1:s}",
    "{who} first {0:s} and then {1:s}",
    "first {who} {0:s}, then {1:s}",
    "{who} {0:s} and after that {1:s}",
    "{who} {1:s} after {0:ing}",
    "{who} starts by {0:ing} and then {1:s}",
    "{who} is {0:ing} and then {1:s}",
    "{0:base} and then {1:base}",
    "{0:base}, then {1:base}",
    "{who} begins by {0:ing}, then {1:s}",
    "{0:ing} and then {1:ing}",
    "{who} {0:s}, followed by {1:ing}",
)
_STOPS = (
    "{who} {0:s}, stops and {1:s}",
    "{who} {0:s}, stops, and then {1:s}",
    "{who} {0:s}, comes to a stop and {1:s}",
)
_THREE = (
    "{who} {0:s}, then {1:s} and then {2:s}",
    "{who} {0:s}, then {1:s} and finally {2:s}",
    "{who} {0:s}, {1:s} and {2:s}",
    "first {who} {0:s}, then {1:s}, and finally {2:s}",
    "{who} {0:s}, {1:s}, and then {2:s}",
    "after {0:ing}, {who} {1:s} and then {2:s}",
    "{who} {0:s} and {1:s} before {2:ing}",
    "{who} starts by {0:ing}, then {1:s}, and ends by {2:ing}",
    "{0:base}, then {1:base}, then {2:base}",
    "{0:base}, {1:base} and finally {2:base}",
)
_FOUR = (
    "{who} {0:s}, then {1:s}, then {2:s} and finally {3:s}",
    "{who} {0:s}, {1:s}, {2:s} and {3:s}",
    "first {who} {0:s}, then {1:s}, after that {2:s}, and finally {3:s}",
    "{who} {0:s}, {1:s}, {2:s}, and then {3:s}",
    "{who} {0:s} and then {1:s}, before {2:ing} and {3:ing}",
    "after {0:ing} and {1:ing}, {who} {2:s} and then {3:s}",
    "{0:base}, {1:base}, {2:base} and then {3:base}",
    "{0:base}, then {1:base}, then {2:base}, then {3:base}",
)
_FORMS = {2: _TWO, 3: _THREE, 4: _FOUR}
_FIELD = re.compile(r"\{(\d|who)(?::(s|ing|base))?\}")


@dataclass(frozen=True)
class Said:
    """One way to say what is done: in the third person ("walks forward"), and where they are known as "walking forward"
    and "walk forward"."""

    third: str
    ing: str | None = None
    base: str | None = None

    def form(self, name: str) -> str | None:
        return {"s": self.third, "ing": self.ing, "base": self.base}[name]


def said_by_rules(content: str, joints: np.ndarray, rng: random.Random) -> list[Said]:
    """Ways to say what a clip shows whose content there are words for, the plainest first; none without words.

    Args:
        content: content label of this very clip (swapped for a mirrored copy).
        joints: (T, 22, 3) at 20 fps, metres, of the part that is shown.
        rng: chooses among the words for what was measured.
    """
    if content not in ACTIONS:
        return []
    phrases = action_phrases(content, joints, rng)
    return [_said(phrase) for phrase in phrases]


def said_by_sentences(sentences: Sequence[str]) -> list[Said]:
    """What sentences of one person say that this person does, the shortest first; those of another form are left out.

    Args:
        sentences: such as "a person walks forward" or "someone is waving".
    """
    ways = []
    for sentence in sentences:
        text = _OWN.sub("their", sentence.lower().strip().rstrip(".").strip())
        found = _SUBJECT.match(text)
        if not found or _NOT_ONE.search(rest := text[found.end() :]):
            continue
        verb = rest.split()[0].rstrip(",")
        if going := _IS.match(rest):
            ways.append(Said(rest, None if _several(rest) else going[1]))
        elif verb.endswith("ly") and len(rest.split()) > 1 and _base(rest.split()[1]):
            ways.append(Said(rest))
        elif base := _base(verb):
            ways.append(Said(rest) if _several(rest) else _said(f"[{base}]{rest[len(verb) :]}"))
    return sorted(ways, key=lambda way: len(way.third.split()))


def _said(phrase: str) -> Said:
    third, ing, base = (inflect(phrase, ending) for ending in ("s", "ing", ""))
    return Said(third, ing, base)


def _several(text: str) -> bool:
    """Whether more than one verb may have to be inflected."""
    return "," in text or " and " in text


def _base(verb: str) -> str | None:
    """The verb of a third person; None where it is none."""
    if verb in _NO_VERBS or not verb.endswith("s") or verb.endswith("ss"):
        return None
    bases = [base for base, (third, _) in IRREGULAR.items() if third == verb]
    bases += [verb[:-3] + "y"] if verb.endswith("ies") else []
    bases += [verb[:-2], verb[:-1]] if verb.endswith("es") else [verb[:-1]]
    return next((base for base in bases if base and inflect(f"[{base}]", "s") == verb), None)


def describe_segment(said: Sequence[Said], style: str, rng: random.Random) -> list[str]:
    """Sentences for one segment alone; up to four, all different, the first plain.

    Args:
        said: ways to say it, the plainest first.
        style: label that all of the sequence has; "normal" for none.
        rng: chooses.
    """
    sentences = [f"a person {said[0].third}"]
    ways = rng.sample(said, len(said))
    for way in [*ways, *ways]:
        if len(sentences) == 4:
            break
        who, ending = _styled(style, rng)
        sentence = f"{who} {way.third}{ending}"
        if way.base is not None and not ending and rng.random() < 0.25:
            sentence = way.base.replace("their", "your")
        if sentence not in sentences:
            sentences.append(sentence)
    return sentences


def describe_circle(side: str) -> list[str]:
    """Sentences for a walk in a circle, the plainest first.

    Args:
        side: "left" or "right", to which it goes; clockwise, seen from above, is right.
    """
    way = {"left": "counterclockwise", "right": "clockwise"}[side]
    return [
        "a person walks in a circle",
        f"a person walks in a circle to the {side}",
        f"a person walks {way} in a circle",
        f"someone walks in a {way} circle",
        "a person walks around in a circle",
        f"walk in a circle, {way}",
    ]


def describe_sequence(
    segments: Sequence[Sequence[Said]], stops: Sequence[bool], style: str, rng: random.Random, count: int = 6
) -> list[str]:
    """Sentences for the whole of two to four segments; up to `count`, all different.

    The first is plain, and leaves the style out.

    Args:
        segments: for each the ways to say it, the plainest first.
        stops: for each seam, whether somebody comes to a stop there.
        style: label that all of it has; "normal" for none.
        rng: chooses.
        count: most sentences.
    """
    forms = _FORMS[len(segments)]
    fitting = [_fitting(said, len(segments)) for said in segments]
    sentences = [_told(forms[0], [said[0] for said in fitting], "a person") or ""]
    choices = [*forms, *(_STOPS if len(segments) == 2 and stops[0] else ())]
    fresh: list[str] = []
    for _ in range(20 * count):
        if len(sentences) >= count:
            break
        fresh = fresh or rng.sample(choices, len(choices))
        form = fresh.pop()
        who, ending = _styled(style, rng)
        sentence = _told(form, [rng.choice(said) for said in fitting], who)
        if sentence is None or len(sentence.split()) > _MOST_WORDS[len(segments)]:
            continue
        if "{who}" not in form:
            sentence = sentence.replace("their", "your") if ":base" in form else sentence
        sentence += f",{ending}" if ending else ""
        if sentence not in sentences:
            sentences.append(sentence)
    return sentences


def _fitting(said: Sequence[Said], segments: int) -> list[Said]:
    """The ways that go into a sentence of several segments; the plainest where none does."""
    short = [way for way in said if not _ALONE.search(way.third) and "," not in way.third]
    plain = [way for way in short if len(way.third.split()) <= _MOST_OF_ONE and not _IS.match(way.third)]
    short = plain or short
    return [way for way in short if segments == 2 or " and " not in way.third] or short or [said[0]]


def _told(form: str, ways: Sequence[Said], who: str) -> str | None:
    """The sentence; None where a form of a verb is not known."""
    unknown = False

    def fill(found: re.Match[str]) -> str:
        nonlocal unknown
        if found[1] == "who":
            return who
        words = ways[int(found[1])].form(found[2])
        unknown = unknown or words is None
        return words or ""

    told = _FIELD.sub(fill, form)
    return None if unknown else told


def _styled(style: str, rng: random.Random) -> tuple[str, str]:
    """The subject, and words that may end the sentence, which say the style most of the time."""
    words = STYLES[STYLE_ALIASES.get(style, style)]
    subject = rng.choice(("a person",) * 6 + SUBJECTS) if not words.ways else "a person"
    if not words.ways or rng.random() < 0.3:
        return subject, ""
    if words.who and rng.random() < 0.5:
        return rng.choice(words.who), ""
    return subject, f" {rng.choice(words.ways)}"
