"""Writing captions for a labelled clip: several different sentences, from its labels and from what the motion does."""

import hashlib
import random
import re
from dataclasses import dataclass, field

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints
from modeling_motionllm.placement_motionllm import turned

from .words import ACTIONS, ADVERBS_OF_PACE, IRREGULAR, NUMBERS, STYLE_ALIASES, STYLES, SUBJECTS, StyleWords

__all__ = ["action_phrases", "content_of", "describe", "inflect", "side_of"]

_NECK, _HEAD = 12, 15
_LEFT_HIP, _RIGHT_HIP = 1, 2
_LEFT_SHOULDER, _RIGHT_SHOULDER = 16, 17
_LEFT_WRIST, _RIGHT_WRIST = 20, 21
_FPS = 20.0
_OTHER = {"left": "right", "right": "left"}
_VERB = re.compile(r"\[([a-z]+)\]")
_FIELD = re.compile(r"\{([a-z]+)\}")
# subjects that say an age or sex would contradict these styles
_WHO_IS_SAID = frozenset({"childish", "elderly", "feminine", "giant", "masculine", "youthful"})


def content_of(content: str, mirrored: bool) -> str:
    """The content label of a clip or of its mirrored copy: in the copy, left and right are swapped."""
    parts = content.split("-")
    return "-".join(_OTHER.get(part, part) for part in parts) if mirrored else content


@dataclass
class _Facts:
    """What is said of one clip: `fields` fill the actions, `extras` are phrases that may follow them."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    extras: list[str] = field(default_factory=list)


def describe(
    content: str, style: str, joints: np.ndarray, name: str, mirrored: bool = False, count: int = 6
) -> list[str]:
    """Captions for one clip; the same arguments always give the same sentences.

    The first is plain and leaves the style out, all others state it (unless it is "normal").

    Args:
        content: content label of the recorded clip, such as "wave-left-hand" (not swapped for a mirrored copy).
        style: style label, such as "elderly".
        joints: (T, 22, 3) joints of this very clip at 20 fps, metres; already mirrored where `mirrored`.
        name: name of the clip; decides which sentences are chosen.
        mirrored: the joints are a mirrored copy.
        count: number of sentences, all different.

    Raises:
        MotionLLMError: a content or style there are no words for, or more sentences asked for than can be written.
    """
    if content not in ACTIONS:
        raise MotionLLMError(f"no words for content '{content}' of '{name}'; known: {', '.join(sorted(ACTIONS))}")
    words = STYLES.get(STYLE_ALIASES.get(style, style))
    if words is None:
        raise MotionLLMError(f"no words for style '{style}' of '{name}'; known: {', '.join(sorted(STYLES))}")
    content = content_of(content, mirrored)
    facts = _measure(content, np.asarray(joints))
    actions = _known(content, facts)
    digest = hashlib.sha256(f"{name}/{mirrored}".encode()).digest()
    rng = random.Random(int.from_bytes(digest[:8], "big"))
    subjects = SUBJECTS[:-2] if STYLE_ALIASES.get(style, style) in _WHO_IS_SAID else SUBJECTS
    sentences = [f"a person {inflect(_fill(actions[0], facts, rng), 's')}"]
    fresh: list[str] = []
    for _ in range(40 * count):
        if len(sentences) >= count:
            break
        if not fresh:
            fresh = rng.sample(actions, len(actions))
        sentence = _sentence(fresh.pop(), words, subjects, facts, rng)
        if sentence not in sentences and len(sentence.split()) <= 18:
            sentences.append(sentence)
    if len(sentences) < count:
        raise MotionLLMError(f"only {len(sentences)} different captions can be written for '{name}'; ask for fewer")
    return sentences[:count]


def action_phrases(content: str, joints: np.ndarray, rng: random.Random, mirrored: bool = False) -> list[str]:
    """What someone does, in several ways of saying it, for sentences that are built elsewhere (see `inflect`).

    Args:
        content: content label of the recorded clip (not swapped for a mirrored copy).
        joints: (T, 22, 3) at 20 fps, metres; already mirrored where `mirrored`.
        rng: chooses among the words for what was measured.
        mirrored: the joints are a mirrored copy.

    Raises:
        MotionLLMError: a content there are no words for.
    """
    if content not in ACTIONS:
        raise MotionLLMError(f"no words for content '{content}'; known: {', '.join(sorted(ACTIONS))}")
    content = content_of(content, mirrored)
    facts = _measure(content, np.asarray(joints))
    return [_fill(action, facts, rng) for action in _known(content, facts)]


def _known(content: str, facts: _Facts) -> list[str]:
    """The actions whose fields are known."""
    return [action for action in ACTIONS[content] if set(_FIELD.findall(action)) - {"my"} <= facts.fields.keys()]


def _sentence(action: str, words: StyleWords, subjects: tuple[str, ...], facts: _Facts, rng: random.Random) -> str:
    """One sentence in a form drawn at random; it states the style, where `words` has any."""
    fields = set(_FIELD.findall(action))
    action = _fill(action, facts, rng)
    extra = ""
    can_take_more = not fields & {"dist", "times", "height", "angle"} and " at a" not in action
    if facts.extras and can_take_more and rng.random() < 0.4:
        extra = " " + rng.choice(facts.extras)
    who, way, opening = rng.choice(subjects), "", ""
    if words.ways:
        kind = rng.choices(("way", "who", "opening"), (6, 3 if words.who else 0, 2 if words.adverbs else 0))[0]
        if kind == "way":
            way = " " + rng.choice(words.ways + words.adverbs)
        elif kind == "who":
            who = rng.choice(words.who)
        else:
            opening = rng.choice(words.adverbs) + ", "
        if kind == "who":
            return _statement(who, action, extra, rng)
    form = rng.choices(("statement", "imperative", "gerund"), (6, 2, 1))[0]
    if form == "imperative":
        return f"{opening.replace(', ', ' ')}{inflect(action, '', 'your')}{way}{extra}"
    if form == "gerund" and not opening:
        return f"{inflect(action, 'ing')}{way}{extra}"
    return opening + _statement(who, action, way + extra, rng)


def _statement(who: str, action: str, ending: str, rng: random.Random) -> str:
    if rng.random() < 0.35:
        return f"{who} is {inflect(action, 'ing')}{ending}"
    return f"{who} {inflect(action, 's')}{ending}"


def _fill(action: str, facts: _Facts, rng: random.Random) -> str:
    return _FIELD.sub(lambda found: found[0] if found[1] == "my" else rng.choice(facts.fields[found[1]]), action)


def inflect(action: str, ending: str, owner: str = "their") -> str:
    """An action as words: `[verb]` with the ending "s", "ing" or "", `{my}` as the owner."""

    def verb(found: re.Match[str]) -> str:
        base = found[1]
        if not ending:
            return base
        if base in IRREGULAR:
            return IRREGULAR[base][0 if ending == "s" else 1]
        if ending == "s":
            return base + ("es" if base.endswith(("s", "sh", "ch", "x", "o")) else "s")
        return (base[:-1] if base.endswith("e") and not base.endswith("ee") else base) + "ing"

    return _VERB.sub(verb, action).replace("{my}", owner)


def _measure(content: str, joints: np.ndarray) -> _Facts:
    """Measure what the words for `content` can use; joints (T, 22, 3)."""
    body = np.asarray(canonicalize_joints(joints), dtype=np.float64)
    facts = _Facts()
    side = side_of(content, body)
    if side:
        facts.fields["side"] = [side]
    if content.startswith(("walk", "run", "dash")):
        _measure_travel(content, body, facts)
    elif content.startswith(("wave", "raise")):
        _measure_hands(content, body, facts)
    elif content == "bow":
        drop = body[0, _HEAD, 1] - body[:, _HEAD, 1].min()
        facts.fields["depth"] = ["deep", "low"] if drop > 0.3 else ["small", "slight"]
    return facts


def side_of(content: str, body: np.ndarray) -> str | None:
    """ "left" or "right", where what someone does has a side: from the label, else measured in the canonical joints."""
    if content.startswith("walk-turn"):
        turn = _turned(body)
        clear = np.flatnonzero(np.abs(turn) > 45)
        if len(clear):  # a few recorded turns go the other way than their label says
            return "left" if turn[clear[0]] > 0 else "right"
    for side in _OTHER:
        if side in content.split("-"):
            return side
    if content in ("bye", "guide", "respond"):
        left, right = (_busy(body, wrist) for wrist in (_LEFT_WRIST, _RIGHT_WRIST))
        return "left" if left > right else "right"
    return None


def _busy(body: np.ndarray, wrist: int) -> float:
    """How much a hand does, in metres: its reach of movement, plus its height (in clips cut short it stays up)."""
    reach = np.ptp(body[:, wrist] - body[:, _NECK], axis=0)
    return float(np.linalg.norm(reach) + body[:, wrist, 1].mean())


def _heading(body: np.ndarray) -> np.ndarray:
    """Facing angle (T,) about the y axis in radians, unwrapped; turning left is positive."""
    across = body[:, _LEFT_HIP] - body[:, _RIGHT_HIP] + body[:, _LEFT_SHOULDER] - body[:, _RIGHT_SHOULDER]
    return np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))


def _turned(body: np.ndarray) -> np.ndarray:
    """Turn (T,) since the first frame in degrees; left is positive."""
    heading = _heading(body)
    return np.degrees(heading - heading[0])


def _measure_travel(content: str, body: np.ndarray, facts: _Facts) -> None:
    path = body[::4, 0][:, [0, 2]]
    length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    metres = round(length)
    if metres >= 2:
        number = NUMBERS.get(metres, str(metres))
        facts.fields["dist"] = [f"about {number} meters", f"about {metres} meters", f"{number} meters"]
    speed = length / (len(body) / _FPS)
    gait, slow, fast = ("run", 1.9, 3.0) if content == "run" else ("walk", 0.85, 1.35)
    if content != "dash" and (speed < slow or speed > fast):
        facts.extras += ADVERBS_OF_PACE[f"{'slow' if speed < slow else 'fast'} {gait}"]
    if content.startswith("walk-turn"):
        turn = _turned(body) * (1 if facts.fields["side"] == ["left"] else -1)
        if turn.max() > 150 or turn[-1] < turn.max() - 60:  # after the turn, some clips end with an about-face
            facts.extras = ["before turning around"]
        else:
            angle = round(abs(turn[-1]) / 10) * 10
            facts.fields["angle"] = [str(angle), NUMBERS.get(angle, str(angle))]


def _measure_hands(content: str, body: np.ndarray, facts: _Facts) -> None:
    if "left" in content:
        wrists = [_LEFT_WRIST]
    elif "right" in content:
        wrists = [_RIGHT_WRIST]
    else:
        wrists = [_LEFT_WRIST, _RIGHT_WRIST]
    head, shoulder = body[-1, _HEAD, 1], body[:, _LEFT_SHOULDER : _RIGHT_SHOULDER + 1, 1].mean()
    top = body[:, wrists, 1].mean(axis=1)
    if top.max() > head + 0.1:
        high = ["above the head", "high in the air"]
    elif top.max() > shoulder + 0.08:
        high = ["at head height", "near the head"]
    else:
        high = ["at shoulder height", "no higher than the shoulder"]
    if content.startswith("raise"):
        facts.fields["height"] = [words.replace("at ", "to ").replace("near ", "close to ") for words in high]
        if len(body) < 32 or len(body) > 75:
            facts.extras += ADVERBS_OF_PACE["fast gesture" if len(body) < 32 else "slow gesture"]
        return
    facts.fields["height"] = high
    swings = max(_swings(body, wrist) for wrist in wrists)
    if swings >= 4:
        often = "a few times" if swings < 8 else "several times" if swings < 16 else "many times"
        facts.fields["times"] = [often]
        facts.extras.append(often)


def _swings(body: np.ndarray, wrist: int) -> int:
    """How often a raised hand changes its sideways direction, counting swings of at least 8 cm."""
    heading = _heading(body)
    arm = body[:, wrist] - body[:, _NECK]
    sideways = turned(arm[:, 0], arm[:, 2], -heading)[0]
    raised = body[:, wrist, 1] > body[:, [_LEFT_SHOULDER, _RIGHT_SHOULDER], 1].mean(axis=1) - 0.15
    turns, direction, low, high = 0, 0, np.inf, -np.inf
    for value in sideways[raised]:
        low, high = min(low, value), max(high, value)
        if direction <= 0 and value > low + 0.08:
            turns, direction, high = turns + 1, 1, value
        elif direction >= 0 and value < high - 0.08:
            turns, direction, low = turns + 1, -1, value
    return turns
