"""`parse_sentence`: what an English sentence about a motion says, by rules: actions, sides, directions, counts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hub_scripts.captions.action_words import (
    BODY_PARTS,
    COUNTS,
    DIRECTIONS,
    HAND_PARTS,
    LEG_PARTS,
    MANNERS,
    NOUNS,
    OTHER_VERBS,
    PATHS,
    SUBJECTS,
    THINGS,
    VERBS,
    word_set,
)
from hub_scripts.captions.sentence_verbs import (
    JOINERS,
    LOCOMOTION,
    PREPOSITIONS,
    STOPS,
    UNKNOWN,
    VerbDraft,
    find_verbs,
    singular,
    split_words,
)

__all__ = ["UNKNOWN", "SaidAction", "SentenceContent", "parse_sentence"]

_TURNING = frozenset(("turn", "spin"))
_HANDS = word_set("wave punch throw point clap salute reach gesture hit slash") | {
    "raise hands",
    "lower hands",
    "move hands",
}


@dataclass(frozen=True)
class SaidAction:
    """One action that a sentence says.

    Args:
        name: a name of `action_words.ACTIONS`, or "unknown".
        verb: the word it was read from, in its base form.
        side: limb that does it: "left", "right" or "both"; None where unsaid.
        directions: "forward", "backward", "left", "right", "sideways", "up", "down", all at once.
        turn: "left", "right" or "around"; clockwise, seen from above, is right.
        degrees: size of the turn.
        path: "circle", "curve", "zigzag", "straight", "diagonal", "in place", "return" ...
        manner: "slow", "angry", "old" ..., in order.
        count: how many times; for steps how many steps.
        objects: body parts and things it is done with or to.
        simultaneous: done during the action before, not after it.
    """

    name: str
    verb: str = ""
    side: str | None = None
    directions: tuple[str, ...] = ()
    turn: str | None = None
    degrees: int | None = None
    path: str | None = None
    manner: tuple[str, ...] = ()
    count: int | None = None
    objects: tuple[str, ...] = ()
    simultaneous: bool = False


@dataclass(frozen=True)
class SentenceContent:
    """What a sentence says.

    Args:
        text: the sentence.
        actions: in the order they are done; one "unknown" where no verb is known.
    """

    text: str
    actions: tuple[SaidAction, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the actions, without mere standing where more is done."""
        names = tuple(action.name for action in self.actions)
        return tuple(name for name in names if name != "stand") or names


_RISING = re.compile(r"^(back )?(up|upright)\b(?! (and )?(in|with|still))")
_BETWEEN = PREPOSITIONS | JOINERS - {"and"} | {"to", "back"}
_HANDLED = word_set("""
    raise lift hoist put place set bring hold extend outstretch stick rest spread shift lower drop move swing stretch
    rotate turn roll shake bend lean reach circle flap spin twist open close tilt wiggle push pull swivel bounce slide
    touch back wave kick drag pick
    """)  # verbs whose meaning depends on what they are done to
_MIDDLE = word_set("turn rotate move shake circle swivel roll swing wiggle")  # done with hips or shoulders
_NODDED = word_set("turn rotate move tilt lower roll drop circle bend")  # done with the head
_TURNS = (["turn"], ["turns"], ["circle"], ["spin"], ["rotation"], ["way"])
_SLOPES = word_set("""
    stair stairs ramp step steps ladder slope hill beam platform stool incline
    """)


def parse_sentence(text: str) -> SentenceContent:
    """What a sentence says that a person does.

    Rules over an English vocabulary of body movement; the same sentence always gives the same content.

    Args:
        text: a sentence, or several.

    Returns:
        Its actions in order; "unknown" for a sentence without a known verb.
    """
    words = split_words(text)
    subject = _manners(words[: next((i for i, word in enumerate(words[:6]) if word in SUBJECTS), 0) + 1])
    actions: list[SaidAction] = []
    for draft in find_verbs(words):
        for action in _read(draft, subject, actions[-1] if actions else None):
            actions.append(_inherit(action, actions[-1]) if actions else action)
    return SentenceContent(text, tuple(actions) or (SaidAction(UNKNOWN),))


def _manners(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(MANNERS[word] for word in words if word in MANNERS))


def _read(draft: VerbDraft, subject: tuple[str, ...], last: SaidAction | None) -> Iterator[SaidAction]:
    """The actions of one verb: several where it is said of one side or way after the other."""
    if last is not None and not draft.noun and draft.words[:1] in (["it"], ["them"]) and _is_of_hands(last):
        limb = "hands" if last.side == "both" else "hand"
        draft.words[:1] = ["their", *([last.side] if last.side else []), limb]
    name = draft.noun or _name(draft)
    if draft.noun in ("roll", "turn", "swing", "spin") and (thing := _first_object(draft.before)) in BODY_PARTS:
        name = _handled(draft.verb, draft.before, thing)
    if name is None:
        return
    if draft.noun in ("punch", "kick") and draft.before[-2:-1] in (["left"], ["right"]):
        draft.before.insert(-1, "hand" if draft.noun == "punch" else "leg")
    parts = _in_turns(draft.before + draft.words if draft.noun else draft.words)
    for number, words in enumerate(parts):
        manner = _manners([*draft.before, *words])
        action = SaidAction(
            name=name,
            verb=draft.verb,
            manner=tuple(dict.fromkeys((*subject, *manner))),
            count=_count(words, name),
            objects=_objects(words),
            simultaneous=draft.simultaneous and number == 0,
        )
        yield _steer(action, words)


def _is_of_hands(action: SaidAction) -> bool:
    return bool(set(action.objects) & HAND_PARTS) and not set(action.objects) & THINGS


def _in_turns(words: Sequence[str]) -> list[list[str]]:
    """The words of one verb, cut where another side or way comes later: "to the left and then to the right"."""
    parts: list[list[str]] = [[]]
    for index, word in enumerate(words):
        if word in JOINERS - STOPS:
            rest, now = list(words[index + 1 :]), parts[-1]
            later = "then" in words[max(0, index - 1) : index + 2]
            if _differs(now, rest, later):
                parts.append([])
                continue
        parts[-1].append(word)
    return [part for part in parts if part] or [[]]


_OPPOSITE = {"left": "right", "right": "left", "forward": "backward", "backward": "forward", "up": "down", "down": "up"}


def _differs(now: Sequence[str], rest: Sequence[str], later: bool) -> bool:
    said, coming = ({DIRECTIONS[word] for word in words if word in DIRECTIONS} for words in (now, rest))
    if not said or not coming:
        return False
    if any(_OPPOSITE.get(way) in coming for way in said):
        both = (
            rest
            and rest[0] in ("left", "right")
            and singular(rest[1] if len(rest) > 1 else "") in BODY_PARTS
            and not later
        )
        return not both
    return later and bool(coming - said)


def _first_object(words: Sequence[str]) -> str | None:
    """The body part or thing that a verb is done to, before any preposition of manner."""
    for word in words:
        part = singular(word)
        if (part in BODY_PARTS or part in THINGS) and part != "back":
            return part
        if word in ("it", "them", "themselves", "himself", "themself"):
            return word
        if word in ("with", "while", "using", "in", "at", "as", "by", ";", "."):
            return None
    return None


def _name(draft: VerbDraft) -> str | None:
    """The action that a verb and its words say; None for a verb that says nothing by itself here."""
    verb, words = draft.verb, draft.words
    said, thing = " ".join(words), _first_object(words)
    if draft.passive:
        return "be pushed"
    if VERBS.get(verb) in _TURNING and "on" in words:  # "turns on the left foot"
        thing = None
    if verb in OTHER_VERBS or verb == UNKNOWN:
        return UNKNOWN
    if verb == "get":
        return "stand up" if _RISING.match(said) else "kneel" if "on-all-fours" in words[:3] else None
    if verb in ("take", "give", "throw"):
        if verb == "throw" and thing in HAND_PARTS:
            return "raise hands" if "up" in words or "over-head" in words else "move hands"
        return {
            "take": "take" if thing or "out" in words else None,
            "give": "give" if thing else None,
            "throw": "throw",
        }[verb]
    if verb in ("stand", "come", "rise", "straighten") and (verb == "rise" or _RISING.match(said)):
        return "stand up"
    if VERBS.get(verb) == "hit" and {"foot", "feet", "leg"} & set(words):
        return "kick"
    if verb == "stand" and words[:1] == ["on"] and ("one" in words[:3] or thing in LEG_PARTS):
        return "balance"
    if verb == "come" and set(words) & {"stop", "halt", "standstill", "rest"}:
        return None
    if verb in _HANDLED:
        return _handled(draft.verb, words, thing)
    return VERBS.get(verb)


def _handled(verb: str, words: Sequence[str], thing: str | None) -> str | None:
    """The action of a verb whose meaning depends on what it is done to."""
    said = set(words)
    raised = bool(said & {"up", "over-head", "above", "upward", "upwards", "air", "high", "out", "outward", "shoulder"})
    if VERBS.get(verb) == "lift" or (verb == "pick" and thing in HAND_PARTS):
        if thing in HAND_PARTS:
            return "raise hands"
        return (
            "raise leg"
            if thing in LEG_PARTS
            else "look"
            if thing == "head"
            else "shrug"
            if thing == "shoulder"
            else "lift"
        )
    if thing in HAND_PARTS and verb not in ("wave", "touch", "reach", "lean", "back", "kick", "shake", "push", "pull"):
        if verb in ("lower", "drop") or (verb not in ("swing",) and "down" in said and not said & {"up", "over-head"}):
            return "lower hands"
        if verb in ("put", "bring", "hold", "extend", "outstretch", "stick", "spread", "stretch", "place") and raised:
            return "raise hands"
        return {"swing": "swing", "stretch": "stretch", "hold": "hold", "flap": "fly"}.get(verb, "move hands")
    if thing in LEG_PARTS and verb in ("bend",):
        return "crouch" if thing == "knee" else "bend"
    if thing in LEG_PARTS and verb not in (
        "stretch",
        "shake",
        "touch",
        "reach",
        "kick",
        "spin",
        "lean",
        "drag",
        "rest",
        "hold",
    ):
        return "raise leg"
    if thing in ("head", "neck", "face") and verb in _NODDED:
        return "look"
    if thing in ("hip", "waist", "torso", "shoulder", "body") and verb in _MIDDLE:
        return "twist" if verb in ("turn", "rotate") else "sway"
    if verb in ("turn", "rotate", "spin") and thing in THINGS and thing not in ("something",) and thing != "it":
        return UNKNOWN if thing in ("knob", "lid", "jar", "bottle") else "turn" if verb != "spin" else "spin"
    if verb == "lower":
        return "crouch" if thing in ("body", "torso", "themselves", "himself", "themself") else "put"
    if verb == "move":
        return "move"
    if verb in ("extend", "outstretch", "stick", "rest", "spread", "shift"):
        return None if thing is None else UNKNOWN
    if verb == "bring":
        return "take"
    return VERBS.get(verb)


def _objects(words: Sequence[str]) -> tuple[str, ...]:
    pairs = zip(["", *words], words, strict=False)
    found = (singular(word) for last, word in pairs if word != "back" or last in ("the", "their", "his", "her", "its"))
    return tuple(dict.fromkeys(word for word in found if word in BODY_PARTS or word in THINGS))


def _count(words: Sequence[str], name: str) -> int | None:
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word in ("once", "twice", "thrice"):
            return COUNTS[word]
        number = COUNTS.get(word) or (int(word) if word.isdigit() and int(word) < 30 else None)
        nearby = {_plain(other) for other in words[index + 1 : index + 4]}
        steps = name in ("step", "walk", "move") and bool(nearby & {"step", "pace"})
        said = any(NOUNS.get(other) == name for other in nearby)
        if number and (following in ("times", "time") or steps or said):
            return number
    return None


def _plain(word: str) -> str:
    return word[:-2] if word.endswith("ches") else word.rstrip("s")


def _sides(words: Sequence[str], name: str) -> tuple[str | None, list[int]]:
    """The limb that does it, and the places of the words that say so."""
    used: list[int] = []
    sides: list[str] = []
    wanted = LEG_PARTS if name in ("kick", "raise leg", "balance", "step", "hop", "lunge") else HAND_PARTS
    for index, word in enumerate(words):
        if word not in ("left", "right", "both"):
            continue
        if (
            index
            and words[index - 1] in ("to", "the")
            and word != "both"
            and (index < 2 or words[index - 2] in ("to", "towards"))
            and (index + 1 >= len(words) or singular(words[index + 1]) not in BODY_PARTS)
        ):
            continue
        after = [singular(other) for other in words[index + 1 : index + 5]]
        limb = next((other for other in after if other in BODY_PARTS), None)
        close = next((place for place, other in enumerate(after) if other in BODY_PARTS or other in STOPS), len(after))
        if limb is not None and not any(other in _BETWEEN for other in after[:close]):
            used.append(index)
            if limb in wanted:
                sides.append(word)
        elif (
            (index and words[index - 1] in ("with", "their", "his", "her"))
            and "to" not in words[max(0, index - 3) : index]
            and ("on" not in words[max(0, index - 2) : index])
            and name in _HANDS | {"kick", "raise leg", "balance"}
        ):
            used.append(index)
            sides.append(word)
    if not sides and wanted is HAND_PARTS and name in ("raise hands", "lower hands", "wave", "move hands", "swing"):
        several = any(word in ("hands", "arms", "fists") for word in words) and "one" not in words
        return ("both" if several else None), used
    if "left" in sides and "right" in sides:
        return "both", used
    return (sides[0] if sides else None), used


def _steer(action: SaidAction, words: Sequence[str]) -> SaidAction:
    """The action with side, directions, turn, degrees and path as its words say them."""
    name = action.name
    side, used = _sides(words, name)
    ways: list[str] = []
    turn = path = None
    said = set(words)
    for index, word in enumerate(words):
        last, following = (words[index - 1] if index else ""), (words[index + 1] if index + 1 < len(words) else "")
        if word in PATHS:
            kind = PATHS[word]
            path = kind if path in (None, "straight", "diagonal") else path
        if word in ("clockwise", "left-to-right", "right-to-left", "counterclockwise"):
            if word.endswith("wise"):
                turn = "left" if word.startswith("counter") else "right"
            elif name in LOCOMOTION:
                ways.append(word.rsplit("-", 1)[1])
            else:
                path = "side to side"
        elif (
            word == "side"
            and name in LOCOMOTION
            and "to" in words[max(0, index - 2) : index]
            and following != "of"
            and (not any(singular(other) in BODY_PARTS for other in words[max(0, index - 4) : index]))
        ):
            ways.append("sideways")
        elif word in DIRECTIONS and index not in used:
            way = DIRECTIONS[word]
            if way in ("up", "down") and not (name in ("jump", "climb", "look", "reach", "point") or said & _SLOPES):
                continue
            if way in ("left", "right") and (
                following in ("side", "angle") and last not in ("the", "their", "his", "to")
            ):
                continue
            if way in ("left", "right") and singular(following) in BODY_PARTS:
                continue
            ways.append(way)
        elif (
            word == "back"
            and name in ("step", "move", "stumble", "jump", "hop")
            and last not in ("the", "their", "his", "come", "turns")
        ):
            if (following in ("to", "from", "into", "in") and name == "move") or action.verb in (
                "come",
                "go",
                "return",
                "head",
            ):
                path = path or "return"
            elif following not in ("to", "toward", "towards") or name == "step":
                ways.append("backward")
        elif word == "back" and name in LOCOMOTION and last not in ("the", "their", "his", "her", "its"):
            path = path or "return"
    if action.verb == "return":
        path = path or "return"
    if action.verb == "back":
        ways.append("backward")
    if action.verb in ("circle", "loop"):
        path = "circle"
    if action.verb == "veer":
        path = "curve"
    degrees = _degrees(words, name)
    sideways = [way for way in ways if way in ("left", "right")]
    if name in _TURNING:
        if sideways:
            turn = sideways[-1]
        elif turn is None and ("around" in said or (degrees or 0) >= 150 or "about" in said):
            turn = "around"
        if turn == "around" and degrees is None and name == "turn":
            degrees = 180
        ways, path = [], (path if path in ("in place", "back and forth") else None)
        if "circle" in said and degrees is None:
            degrees = 360
        side = None
    elif name in LOCOMOTION:
        if path in ("circle", "curve", "figure eight", "square", "triangle") and sideways and name != "step":
            turn = turn or sideways[0]
            ways = [way for way in ways if way not in ("left", "right")]
        if "around" in said and path is None and action.verb != "step":
            path = "around"
        if name != "step":
            side = None
    return replace(action, side=side, directions=tuple(dict.fromkeys(ways)), turn=turn, degrees=degrees, path=path)


def _degrees(words: Sequence[str], name: str) -> int | None:
    for index, word in enumerate(words):
        if word.isdigit() and 10 < int(word) <= 1080 and int(word) % 5 == 0:
            return int(word)
        turned = words[index + 1 : index + 2] in _TURNS
        if name in _TURNING and turned and word in ("quarter", "half", "full", "complete"):
            return {"quarter": 90, "half": 180}.get(word, 360)
    if name in _TURNING:
        return next(
            (
                {"quarter": 90, "half": 180, "full": 360, "semicircle": 180}[w]
                for w in words
                if w in ("quarter", "half", "full", "semicircle")
            ),
            None,
        )
    return None


def _inherit(action: SaidAction, last: SaidAction) -> SaidAction:
    """The side of the hand action before ("raises the right hand and waves") where this one names no limb."""
    if action.name in _HANDS and last.name in _HANDS and action.side is None and not set(action.objects) & HAND_PARTS:
        return replace(action, side=last.side)
    return action
