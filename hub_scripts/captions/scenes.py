"""Telling a scene: who does what, where and how, in several different sentences."""

import hashlib
import random
import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

from .clips import action_phrases, content_of, inflect
from .scene_words import GOING, MANY_STYLES, SENTENCES
from .words import NUMBERS, STYLE_ALIASES, STYLES

__all__ = ["describe_part", "describe_scene", "parts_of_caption"]

_SHORTEST_WAIT = 0.75  # seconds
_MOST_WORDS = 28
_FIELD = re.compile(r"\{([a-z0-9]+)(?::([a-z]+))?\}")
_WHO, _DOES = ("one", "other", "third"), ("a", "b", "c")
_FORMS = {None: "s", "ing": "ing", "base": ""}
# Said of single clips, but not between the people of a scene.
_LONELY = ("far away", "leaving", "meters", "{dist}")
# Names of the people in the order they are mentioned, and what each is called from the second time on.
_PAIRS = (
    (("one person", "the first person"), ("the other person", "the other person")),
    (("one person", "the first person"), ("the other", "the other")),
    (("one person", "the first person"), ("another person", "the other person")),
    (("someone", "the first person"), ("somebody else", "the other person")),
)
_TRIPLES = (
    (("one person", "the first person"), ("another person", "the second person"), ("a third person", "the third one")),
    (("one person", "the first person"), ("a second person", "the second person"), ("a third", "the third person")),
)
_ORDINALS = tuple((f"the {nth} person",) * 2 for nth in ("first", "second", "third"))
_GROUPS = {"two": ("two people", "two people", "two persons", "a pair of people"), "three": ("three people",) * 3}


def describe_scene(
    kind: str,
    contents: Sequence[str],
    styles: Sequence[str],
    joints: np.ndarray,
    placements: np.ndarray,
    name: str,
    mirrored: bool = False,
    count: int = 6,
) -> list[str]:
    """Sentences for one scene; the same arguments always give the same ones.

    The first is plain and leaves the styles out; others state a style that is everybody's, or each person's own.

    Args:
        kind: kind of scene, see `KINDS` of the composed scenes.
        contents: content label of each person's recorded clip (not swapped for a mirrored copy).
        styles: style label of each person, with aliases resolved.
        joints: (P, T, 22, 3) metres, in one world; already mirrored where `mirrored`.
        placements: (P, 3) x, z, heading of these joints.
        name: name of the scene; decides which sentences are chosen.
        mirrored: the joints are a mirrored copy.
        count: number of sentences, all different.

    Raises:
        MotionLLMError: a kind, content or style there are no words for, or more sentences than can be written.
    """
    if kind not in SENTENCES:
        raise MotionLLMError(f"no words for scenes of kind '{kind}'; known: {', '.join(sorted(SENTENCES))}")
    digest = hashlib.sha256(f"{name}/{mirrored}".encode()).digest()
    rng = random.Random(int.from_bytes(digest[:8], "big"))
    teller = _Teller(contents, styles, joints, placements, mirrored, rng)
    plain, *others = SENTENCES[kind]
    sentences = [teller.plain(plain)]
    fresh: list[str] = []
    for attempt in range(80 * count):
        if len(sentences) >= count:
            break
        if not fresh:
            fresh = rng.sample(others, len(others))
        sentence = teller.tell(fresh.pop())
        # Of some scenes of three there are too few short sentences.
        most_words = _MOST_WORDS if attempt < 40 * count else 2 * _MOST_WORDS
        if sentence is not None and sentence not in sentences and len(sentence.split()) <= most_words:
            sentences.append(sentence)
    if len(sentences) < count:
        raise MotionLLMError(f"only {len(sentences)} different captions can be written for '{name}'; ask for fewer")
    return sentences


def describe_part(content: str, style: str, joints: np.ndarray, wait: int = 0, mirrored: bool = False) -> str:
    """What one person of a scene does, as a sentence about that person alone: always the same words for the same thing.

    Args:
        content: content label of the recorded clip (not swapped for a mirrored copy).
        style: style label.
        joints: (T, 22, 3) at 20 fps, metres; already mirrored where `mirrored`.
        wait: frames before the person begins; told in seconds from 0.75 s on.
        mirrored: the joints are a mirrored copy.

    Raises:
        MotionLLMError: a content or style there are no words for.
    """
    words = STYLES.get(STYLE_ALIASES.get(style, style))
    if words is None:
        raise MotionLLMError(f"no words for style '{style}'; known: {', '.join(sorted(STYLES))}")
    action = action_phrases(content, joints, random.Random(0), mirrored)[0]
    seconds = round(wait / HUMANML3D.fps)
    waits = ""
    if wait >= _SHORTEST_WAIT * HUMANML3D.fps:
        waits = f"waits for {NUMBERS[seconds]} second{'s' if seconds > 1 else ''} and then "
    manner = f" {words.ways[0]}" if words.ways else ""
    return f"a person {waits}{inflect(action, 's')}{manner}"


def parts_of_caption(caption: str, parts: Sequence[str], styles: Sequence[str]) -> list[str]:
    """The parts of a scene as far as a caption of it tells them: the manner is left out where the caption does so.

    Args:
        caption: one of the scene, as `describe_scene` writes them.
        parts: what each person does, as `describe_part` writes it.
        styles: style label of each person; of labels that have no words the part is kept as it is.
    """
    told = []
    for part, style in zip(parts, styles, strict=True):
        style = STYLE_ALIASES.get(style, style)
        words = STYLES.get(style)
        if words is not None and words.ways and not _manner(style).search(caption):
            part = part.removesuffix(f" {words.ways[0]}")
        told.append(part)
    return told


@cache
def _manner(style: str) -> re.Pattern[str]:
    """What `_Teller` says of one person's style, or of everybody's."""
    adjectives, ways = MANY_STYLES.get(style, ((), ()))
    said = (*STYLES[style].who, *ways, *(f"{adjective} people" for adjective in adjectives))
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, said))})\b")


class _Teller:
    """The fields of one scene's sentences."""

    def __init__(
        self,
        contents: Sequence[str],
        styles: Sequence[str],
        joints: np.ndarray,
        placements: np.ndarray,
        mirrored: bool,
        rng: random.Random,
    ):
        self.rng, self.styles, self.many = rng, list(styles), len(joints)
        self.alike = len(set(contents)) == 1
        self.actions = [
            _between(action_phrases(content, person, rng, mirrored), self.many)
            for content, person in zip(contents, joints, strict=True)
        ]
        self.going = [GOING.get(content) for content in (contents[0], contents[-1])]
        self.measured = _measure(content_of(contents[0], mirrored), np.asarray(joints), placements)
        for style in styles:
            if style not in STYLES:
                raise MotionLLMError(f"no words for style '{style}'; known: {', '.join(sorted(STYLES))}")

    def plain(self, sentence: str) -> str:
        """A sentence without styles."""
        names = (_PAIRS if self.many == 2 else _TRIPLES)[0]
        told = self._fill(sentence, names, False, {name: words[0] for name, words in _GROUPS.items()})
        if told is None:
            raise MotionLLMError(f"the sentence '{sentence}' needs what is not known of every scene")
        return told

    def tell(self, sentence: str) -> str | None:
        """A sentence with the people, and in some way their style; None where it needs what is not known."""
        groups = {name: self.rng.choice(words) for name, words in _GROUPS.items()}
        names, by_number, ending = self.rng.choice(_PAIRS if self.many == 2 else _TRIPLES), False, ""
        if self.rng.random() < 0.2:
            names, by_number = _ORDINALS, True
        shared = self.styles[0] if len(set(self.styles)) == 1 else None
        if shared in MANY_STYLES:
            adjectives, ways = MANY_STYLES[shared]
            if re.search(r"\{(two|three)\}", sentence) and adjectives and self.rng.random() < 0.6:
                groups = {name: f"{name} {self.rng.choice(adjectives)} people" for name in _GROUPS}
            else:
                ending = f", {'both' if self.many == 2 else 'all'} {self.rng.choice(ways)}"
        elif shared is None and self.rng.random() < 0.5:
            styled = self._named()
            if styled is not None:
                names, by_number = styled, True
        told = self._fill(sentence, names, by_number, groups)
        return None if told is None else told + ending

    def _named(self) -> tuple[tuple[str, str], ...] | None:
        """The people by their styles: "an old person"; None where two could not be told apart."""
        if len(set(self.styles)) < len(self.styles) or "musical" in self.styles:
            return None
        named = [self.rng.choice(STYLES[style].who or ("a person",)) for style in self.styles]
        return tuple((name, re.sub(r"^an? ", "the ", name)) for name in named)

    def _fill(
        self, sentence: str, names: Sequence[tuple[str, str]], by_number: bool, groups: dict[str, str]
    ) -> str | None:
        """The sentence with its fields, or None where one is not known.

        Names go to the people as they are mentioned or, `by_number`, in the order of the scene.
        """
        unknown = False
        mentioned: list[int] = []
        going = [self.rng.choice(words) if words else None for words in self.going]

        def field(found: re.Match[str]) -> str:
            nonlocal unknown
            name, form = found[1], found[2]
            value: str | None = None
            if name in _WHO:
                person = _WHO.index(name)
                again = person in mentioned
                mentioned.extend([] if again else [person])
                value = names[person if by_number else mentioned.index(person)][again]
            elif name in groups:
                value = groups[name]
            elif name in _DOES and _DOES.index(name) < self.many:
                value = inflect(self.rng.choice(self.actions[_DOES.index(name)]), _FORMS[form])
            elif name == "both" and self.alike:
                value = inflect(self.rng.choice(self.actions[0]), "")
                value = re.sub(r"\b(the others?|someone|somebody)\b", "each other", value)
            elif name in ("goes", "goes2"):
                verb = going[name == "goes2"]
                if verb is not None:
                    value = re.sub(r"[\[\]]", "", verb) if form == "noun" else inflect(verb, _FORMS[form])
            else:
                value = self.measured.get(name)
            unknown = unknown or value is None
            return value or ""

        told = _FIELD.sub(field, sentence)
        return None if unknown else told


def _between(phrases: list[str], many: int) -> list[str]:
    """Phrases for one among several people."""
    kept = [phrase for phrase in phrases if not any(word in phrase for word in _LONELY)] or phrases
    other = "the other" if many == 2 else "the others"
    return [re.sub(r"\b(someone|somebody)\b", other, phrase) for phrase in kept]


def _measure(content: str, joints: np.ndarray, placements: np.ndarray) -> dict[str, str]:
    """What can be said of where people are: fields and their words."""
    fields = {"turn": ""}
    distance = float(np.hypot(*np.asarray(placements, dtype=np.float64)[1, :2]))
    halves = round(2 * distance) / 2
    if abs(distance - halves) < 0.2 and halves >= 1:
        number = NUMBERS[int(halves)] if halves % 1 == 0 else f"{NUMBERS[int(halves)]} and a half"
        about = "about " if abs(distance - halves) > 0.07 else ""
        fields["dist"] = f"{about}{number} {'meter' if halves == 1 else 'meters'}"
        fields["apart"] = f"{fields['dist']} apart"
    elif distance < 1:
        fields["apart"] = "close together"
    aside = _aside(joints[0], joints[1])
    if abs(aside) > 0.3:
        fields["side"], fields["away"] = ("left", "right") if aside > 0 else ("right", "left")
    if content.startswith("walk-turn"):
        fields["turn"] = f" and turn {content.rpartition('-')[2]}"
    return fields


def _aside(one: np.ndarray, other: np.ndarray) -> float:
    """How far to the left the other person is when nearest, in metres, seen along the way that one has gone until then.

    Both (T, 22, 3), in a world in which `one` faces +Z at first.
    """
    between = (other - one)[:, 0, [0, 2]]
    nearest = int(np.linalg.norm(between, axis=-1).argmin())
    way = (one[nearest] - one[0])[0, [0, 2]]
    length = float(np.linalg.norm(way))
    ahead = way / length if length > 0.5 else np.array([0.0, 1.0])
    return float(between[nearest, 0] * ahead[1] - between[nearest, 1] * ahead[0])
