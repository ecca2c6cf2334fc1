"""`plan_by_rules`: what a request of a conversation asks for, by rules over English words and sentences."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from hub_scripts.captions.action_words import MANNERS, NOUNS
from hub_scripts.captions.commands import ToldSentence, done_by_noun, in_digits, plain_request, told_sentences
from hub_scripts.captions.parsing import named_people, plain_style
from hub_scripts.captions.sentence_content import UNKNOWN, parse_sentence
from hub_scripts.captions.sentence_verbs import split_words, verb_lemma
from hub_scripts.captions.words import STYLES
from hub_scripts.chat.operations import Again, Append, Describe, Edit, Generate, Operation, Prepend, Save, Speed, Undo
from hub_scripts.chat.phrases import (
    AGAIN,
    ANEW,
    AROUND_SPEED,
    BESIDE,
    DESCRIBE,
    FILE,
    FIRST,
    GOES_ON,
    HANDED,
    INSTEAD,
    JOINT,
    LEADS,
    LENGTH,
    LONGER,
    MODIFIES,
    NEXT,
    ONCE_MORE,
    PROGRAMS,
    REMOVE,
    SAVE,
    SEED,
    SPAN,
    SPEED,
    UNDO,
    WANTED,
    WRONG,
)
from hub_scripts.chat.planning import NotUnderstoodError, View
from modeling_motionllm.motion import MotionSegment

__all__ = ["plan_by_rules"]

_SAVED_BY_DEFAULT = "glb"
_PLAIN, _MUCH, _A_BIT = 4 / 3, 2.0, 1.15  # times as fast
_SIDES = re.compile(r"\b(?:left|right|both)\b")
_ALSO_WORDS = frozenset(("game", "web", "page", "sheet", "robot", "film", "engine", "avatar"))
_LASTS = 2.0  # seconds of what is done "at 2 seconds"
_SAYS_NOTHING = frozenset(("more", "very", "a", "bit", "little", "really", "and", ","))


def plan_by_rules(message: str, view: View) -> tuple[Operation, ...]:
    """The operations that a request asks for; the same request, the same operations.

    Args:
        message: in English.
        view: of the conversation before it.

    Raises:
        NotUnderstoodError: no rule knows it, or a part of it.
    """
    text = in_digits(" ".join(message.lower().replace("\u2019", "'").split())).strip(" ,.:;!?")
    text = re.sub(r"[,.!]?\s+(?:please|thanks|thank you)$", "", text)
    if not text:
        raise NotUnderstoodError("nothing was said")
    return tuple(_requests(text, view))


def _requests(text: str, view: View) -> list[Operation]:
    """The operations of a text with one or several requests: "slower, and then save it"."""
    while (shorter := LEADS.sub("", text)) != text and shorter:
        text = shorter
    for joint in JOINT.finditer(text):
        first, rest = text[: joint.start()].strip(), text[joint.end() :].strip(" ,.:;!?")
        if not first or not rest or (first[-1].isdigit() and rest[0].isdigit()):  # "between 1 and 2 seconds"
            continue
        ends = joint[0].strip() in (".", ";", "!", "?")
        if not (ends or _of_motion(first, view) or _of_motion(rest, view)):
            continue
        try:
            plan = _request(first, view)
            said = [sentence for one in plan for sentence in getattr(one, "sentences", ())]
            # Where in the motion they will be is not known yet.
            later = replace(view, segments=(*view.segments, *(MotionSegment(one, 0.0, 0.0) for one in said)))
            placed = rest if ends or _of_motion(rest, later) else f"then {rest}"
            return [*plan, *_requests(placed, later)]
        except NotUnderstoodError:
            if ends:
                raise
    return _request(text, view)


def _of_motion(text: str, view: View) -> list[Operation] | None:
    """What a request asks for that is no action; None where it asks for none such."""
    plain = plain_request(text)
    rules = (_describe, _undo, _save, _again, _speed, _length)
    return next((found for rule in rules if (found := rule(plain, view)) is not None), None)


def _request(text: str, view: View) -> list[Operation]:
    if (found := _of_motion(text, view)) is not None:
        return found
    # "now" and "then" say where something goes: they are looked at before they are left out.
    for rule in (_part, _beside, _before, _after, _instead, _once_more):
        if (found := rule(text, view)) is not None:
            return found
    plain = plain_request(text)
    for rule in (_other_way, _anew):
        if (found := rule(plain, view)) is not None:
            return found
    if REMOVE.fullmatch(plain) and view.segments:
        raise NotUnderstoodError("nothing is cut out of a motion; 'undo' takes back what was done last")
    raise NotUnderstoodError(f"'{text}' says neither what somebody does nor what to do with the motion")


def _describe(text: str, view: View) -> list[Operation] | None:
    return [Describe()] if DESCRIBE.fullmatch(text) else None


def _undo(text: str, view: View) -> list[Operation] | None:
    if not (found := UNDO.fullmatch(text)):
        return None
    count = {None: 1, "once": 1, "one": 1, "twice": 2}.get(found["count"])
    return [Undo(int(found["count"]) if count is None else count)]


def _save(text: str, view: View) -> list[Operation] | None:
    found = SAVE.fullmatch(text)
    if not found and not (
        WANTED.fullmatch(text) and PROGRAMS.keys() & set(re.findall(r"[a-z0-9]+", text)) - _ALSO_WORDS
    ):
        return None
    rest = found["rest"] if found else text
    if named := FILE.search(rest):
        suffix = named["suffix"]
        if PROGRAMS.get(suffix) != suffix and suffix != "amass.npz":
            raise NotUnderstoodError(f"no motion is written as .{suffix}")
        return [Save((suffix,), named["stem"].rpartition("/")[2])]
    words = re.findall(r"[a-z0-9]+", rest)
    formats = [PROGRAMS[name] for word in words for name in {word, word.removesuffix("s")} if name in PROGRAMS]
    called = re.search(r"\b(?:called|named|as)\s+[\"']?(?P<name>[\w -]+?)[\"']?$", rest)
    meant = re.search(r"\b(?:for|to|in)\s+(?!(?:a|the) (?:file|disk|folder))(?P<what>.+)", rest)
    if meant and not formats:
        raise NotUnderstoodError(
            f"which format '{meant['what']}' takes is not known; name one, such as glb, bvh or fbx"
        )
    name = called["name"] if called and not formats else None
    return [Save(tuple(dict.fromkeys(formats)) or (_SAVED_BY_DEFAULT,), name)]


def _again(text: str, view: View) -> list[Operation] | None:
    if found := SEED.fullmatch(text):
        return [Again(seed=int(found["seed"]))]
    return [Again()] if AGAIN.fullmatch(text) or WRONG.fullmatch(text) else None


def _speed(text: str, view: View) -> list[Operation] | None:
    found = SPEED.search(text)
    if not found:
        return [Speed(_factor(text, "", text == "slowly"))] if text in ("slowly", "quickly") else None
    said, others = found[0], f"{text[: found.start()]} {text[found.end() :]}"
    left = {verb_lemma(word) or word for word in split_words(re.sub(r"\d+ ?%", "", others))} - AROUND_SPEED
    if not left <= {verb_lemma(word) or word for part in view.segments for word in split_words(part.text)}:
        return None
    if left and len(view.segments) > 1:
        raise NotUnderstoodError("only the whole motion is played at another speed; say it without the action")
    words = set(said.split())
    slower = bool({"slower", "slow", "slowly", "down"} & words) != bool({"too", "less"} & words)
    return [Speed(_factor(said, others, slower))]


def _factor(said: str, others: str, slower: bool) -> float:
    """How many times as fast."""
    if share_of := re.search(r"(\d+(?:\.\d+)?) ?%", f"{said} {others}"):
        share = float(share_of[1]) / 100
        changed = re.search("slower|faster|down|up", said) is not None
        return round((1 - share if slower else 1 + share) if changed else share, 4)
    number = re.search(r"\d+(?:\.\d+)?", said)
    factor = _PLAIN
    if number or re.search("half|twice|double|three", said):
        factor = float(number[0]) if number else 3.0 if "three" in said else 2.0
        slower = slower or "half" in said
    elif re.search(r"\b(?:much|lot|way|far)\b", others):
        factor = _MUCH
    elif re.search(r"\b(?:bit|little|slightly|somewhat)\b", others):
        factor = _A_BIT
    return round(1 / factor if slower and factor else factor, 4)


def _length(text: str, view: View) -> list[Operation] | None:
    sentences = max(len(view.last_sentences), 1)
    if found := LENGTH.fullmatch(text):
        seconds = float(found["seconds"])
        if found["more"]:
            seconds = view.last_seconds + (seconds if found["more"] in ("longer", "more") else -seconds)
        return [Again(seconds=(round(seconds / sentences, 2),))]
    if (found := LONGER.fullmatch(text)) and (found["way"].endswith("er") or found["much"] == "twice as"):
        factor = 2.0 if found["much"] else 1.2 if found["bit"] else 1.5
        seconds = view.last_seconds / sentences * (factor if found["way"].startswith("long") else 1 / factor)
        return [Again(seconds=(round(min(seconds, view.longest), 2),))]
    return None


def _part(text: str, view: View) -> list[Operation] | None:
    found = _match(SPAN, text)
    if not found or not view.segments:
        return None
    if found["middle"]:
        start, end = view.duration / 3, view.duration * 2 / 3
    elif found["after"]:
        start, end = float(found["after"]), view.duration
    elif found["at"]:
        start = float(found["at"])
        end = min(start + _LASTS, view.duration)
    else:
        start = float(found["start"])
        end = view.duration if found["end"] == "the end" else float(found["end"])
    if not (told := told_sentences(plain_request(found["rest"]))):
        raise NotUnderstoodError(f"'{found['rest']}' does not say what is done in that part")
    return [Edit(_joined(told), round(start, 2), round(end, 2))]


def _beside(text: str, view: View) -> list[Operation] | None:
    """ "after the bow she jumps", where the bow is the last or the first thing."""
    if not view.segments or not (found := BESIDE.fullmatch(text)):
        return None
    after = found["where"] == "after"
    names = set(parse_sentence(_of_noun(found["old"])).names) - {UNKNOWN}
    told = told_sentences(plain_request(found["rest"]))
    if not told or not names & set(parse_sentence(view.segments[-1 if after else 0].text).names):
        return None
    return _made(told, Append if after else Prepend)


def _once_more(text: str, view: View) -> list[Operation] | None:
    """ "bow slowly this time": the last thing in other words; "walk again": once more at the end."""
    if not view.segments or not (found := ONCE_MORE.fullmatch(text)):
        return None
    told = told_sentences(_of_noun(plain_request(found["rest"])))
    names = {name for one in told for name in parse_sentence(one.text).names} - {UNKNOWN}
    if names & {name for sentence in view.last_sentences for name in parse_sentence(sentence).names}:
        return [Again(sentences=tuple(one.text for one in told))]
    if names & {name for part in view.segments for name in parse_sentence(part.text).names}:
        return _made(told, Append)
    raise NotUnderstoodError(f"'{found['rest']}' is not in the motion, so it cannot be once more")


def _before(text: str, view: View) -> list[Operation] | None:
    return _placed(text, view, FIRST, Prepend)


def _after(text: str, view: View) -> list[Operation] | None:
    if view.segments and (more := GOES_ON.fullmatch(text)):
        last = view.segments[-1].text
        said = more["ing"] or more["verb"]
        if last and (not said or verb_lemma(said) in {verb_lemma(word) for word in split_words(last)}):
            return [Append((last,))]
    return _placed(text, view, NEXT, Append)


def _placed(
    text: str, view: View, patterns: Sequence[re.Pattern[str]], kind: type[Prepend] | type[Append]
) -> list[Operation] | None:
    found = _match(patterns, text)
    if not found:
        return None
    rest = found["rest"]
    if twice := _match(patterns, rest):  # "now bow at the end"
        rest = twice["rest"]
    told = told_sentences(_of_noun(plain_request(rest)))
    return _made(told, kind if view.segments else Generate) if told else None


def _instead(text: str, view: View) -> list[Operation] | None:
    if not view.segments or not (found := _match(INSTEAD, text)):
        return None
    if not (told := told_sentences(_of_noun(plain_request(found["new"])))):
        return None
    old = found.groupdict().get("old")
    wanted = set() if old is None else set(parse_sentence(_of_noun(old)).names) - {UNKNOWN}
    for part in reversed(view.segments):
        if old is None or wanted & set(parse_sentence(part.text).names):
            if len(view.segments) == 1:
                return _made(told, Generate)
            return [Edit(_joined(told), round(part.start, 2), round(part.end, 2))]
    shown = ", ".join(f"'{part.text}'" for part in view.segments)
    raise NotUnderstoodError(f"there is no '{old}' in the motion, only {shown}")


def _other_way(text: str, view: View) -> list[Operation] | None:
    """The last thing with another manner, side or direction: "sadly", "with the left hand"."""
    if not view.last_sentences:
        return None
    text = re.sub(r"^(?:make (?:it|her|him|them)|do it|should be|be|it|but)\s+", "", text)
    text = re.sub(r"\b(?:her|his|my|your)\b", "their", text)
    text = re.sub(
        r"^(?:use |with )?(?:the )?((?:left|right|both|their \w+) (?:hand|arm|leg|foot)s?)$", r"with the \1", text
    )
    text = text.replace("the both", "both").replace("the their", "their")
    words = [word for word in split_words(text) if word not in _SAYS_NOTHING]
    if words and all(word in MANNERS for word in words):
        manner = " and ".join(_adverb(word) for word in words)
        return [Again(sentences=tuple(f"{sentence} {manner}" for sentence in view.last_sentences))]
    if not MODIFIES.match(text) or UNKNOWN not in parse_sentence(f"a person {text}").names:
        return None
    *before, last = view.last_sentences
    if HANDED.search(text) and HANDED.search(last):
        last = HANDED.sub(text if " with " in last else text.removeprefix("with "), last, count=1)
    elif (side := _SIDES.search(text)) and _SIDES.search(last):
        last = _SIDES.sub(side[0], last)
    else:
        last = f"{last} {text}"
    return [Again(sentences=(*before, last))]


def _adverb(word: str) -> str:
    """A manner as it is said of what somebody does: "sad" as "sadly"."""
    if word.endswith("ly"):
        return word
    style = STYLES.get(plain_style(MANNERS[word]))
    return f"in a {word} way" if style is None else (style.adverbs or style.ways)[0]


def _anew(text: str, view: View) -> list[Operation] | None:
    if found := ANEW.fullmatch(text):
        text = _of_noun(found["rest"])
    return _made(told, Generate) if (told := told_sentences(text)) else None


def _made(told: Sequence[ToldSentence], kind: type[Generate] | type[Append] | type[Prepend]) -> list[Operation]:
    """Operations that make sentences: those with seconds and those without need one each."""
    if kind is Generate and len(told) == 1 and (people := named_people(told[0].text)) > 1 and _is_plural(told[0].text):
        return [Generate((told[0].text,), _seconds(told), people)]
    plan: list[Operation] = []
    for _, several in groupby(told, lambda one: one.seconds is not None):
        group = list(several)
        make: Callable[..., Operation] = Append if plan and kind is Generate else kind
        plan.append(make(tuple(one.text for one in group), _seconds(group)))
    return plan[::-1] if kind is Prepend else plan


def _seconds(told: Sequence[ToldSentence]) -> tuple[float, ...]:
    return tuple(one.seconds for one in told if one.seconds is not None)


def _is_plural(sentence: str) -> bool:
    return re.match(r"(?:\w+ ){1,2}(?:people|persons|men|women)\b", sentence) is not None


def _joined(told: Sequence[ToldSentence]) -> str:
    return ", then ".join(one.text for one in told)


def _match(patterns: Sequence[re.Pattern[str]], text: str) -> re.Match[str] | None:
    return next((found for pattern in patterns if (found := pattern.fullmatch(text))), None)


def _of_noun(text: str) -> str:
    """ "a wave with the left hand" as "wave with the left hand"; "some clapping" as "clapping"."""
    found = re.match(r"(?:(?:put|add|insert|do) )?(?:(?P<some>some) |a |an |the )?(?P<noun>[\w-]+)", text)
    if found and found["noun"] in NOUNS:
        return f"{done_by_noun(found['noun'])}{text[found.end() :]}"
    return text.removeprefix("some ") if found and found["some"] else text
