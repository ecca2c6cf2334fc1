"""`split_into_turns`: a sentence that says several things in turn, as a sentence for each of them."""

import re

from hub_scripts.captions.action_words import (
    BODY_PARTS,
    HAND_PARTS,
    LIGHT_VERBS,
    MANNERS,
    SUBJECTS,
    THINGS,
    VERBS,
    word_set,
)
from hub_scripts.captions.clips import inflect
from hub_scripts.captions.sentence_content import UNKNOWN, SaidAction, parse_sentence
from hub_scripts.captions.sentence_verbs import (
    DETERMINERS,
    HELPERS,
    LOCOMOTION,
    find_verbs,
    singular,
    split_words,
    verb_lemma,
)

__all__ = ["split_into_turns"]

# Words that say by themselves that something comes next; "the quickly turns" is how people mistype "then".
_NEXT = (
    r"(?:then|afterwards?|after that|after which|(?<!the )next(?! to\b)|finally|lastly|eventually|subsequently)\b"
    r"|the(?= \w+ly )"
)
_JOINT = re.compile(
    rf"(?P<strong>\s*[,;.]?\s+(?:(?:and|but|who|than)\s+)?(?:{_NEXT})(?:,?\s+(?:{_NEXT}))*,?\s+|\s+than\s+(?=\w+s\b)"
    r"|\s*[;.]\s+(?:and\s+)?|\s*,?\s+followed by\s+)"
    r"|(?P<before>\s*,?\s+(?:just |right )?before\s+)|(?P<after>\s*,?\s+after\s+(?=(?:\w+ly )?\w+ing\b))"
    r"|(?P<comma>\s*,\s+(?:and\s+)?)|(?P<purpose>\s+to\s+(?=[a-z]+\b))|(?P<weak>\s+and\s+)",
    re.IGNORECASE,
)
_FIRST = re.compile(r"^(?:at )?first(?: of all)?,?\s+|^to begin,?\s+", re.IGNORECASE)
_TURNED_ROUND = re.compile(r"^(?P<word>after|before)\s+(?P<one>[^,]*?\w+ing\b[^,]*),\s*(?P<other>\S.*)$", re.IGNORECASE)
_WHO = re.compile(
    rf"^(?:(?:a|an|the|this|that|one|some)\s+)?(?:[\w-]+\s+){{0,2}}?(?:{'|'.join(sorted(SUBJECTS))})\b", re.IGNORECASE
)
_MEANWHILE = re.compile(r"^(?:while|whilst|as|meanwhile|simultaneously|at the same time)\b", re.IGNORECASE)
_MANY = re.compile(r"\b(?:people|persons|men|women|children|they|both)$", re.IGNORECASE)
_PRONOUN = re.compile(r"^(?:he|she|they|it)\b(?:'s\b)?", re.IGNORECASE)
_IS = re.compile(r"^(?:is|are|was|were)\s+(?=(?:\w+ly\s+)?\w+ing\b)", re.IGNORECASE)
_OBJECT = re.compile(
    r"\b(?:(?:a|an|the|his|her|their|its|both|one|some)\s+)+(?:(?:left|right|of|his|her|their|the|\w+ed)\s+)*(\w+)",
    re.IGNORECASE,
)
_IT = re.compile(r"^((?:\w+ly\s+)?\w+\s+)(?:it|them)\b", re.IGNORECASE)

# What takes the whole body: of two such things joined by "and", one comes after the other.
_WHOLE_BODY = (
    LOCOMOTION
    | word_set("climb turn spin sit kneel crouch lunge lie fall dance bow kick throw")
    | {
        "stand up",
        "pick up",
    }
)


def split_into_turns(sentence: str) -> list[str]:
    """The things that a sentence says one after another, a sentence each, in the order in which they are done.

    Words such as "then", "before", "after", "followed by" and commas between verbs divide; "and" does where both sides
    take the whole body ("walks and sits down"). What is done at the same time stays together ("walks while waving",
    "walks and waves"), as does what nobody here knows a verb of. The subject is said again in every sentence, in place
    of pronouns too, and what "it" stands for; verbs that "before" or "after" had changed get their ending back.

    Args:
        sentence: in English, of one person.

    Returns:
        One or more sentences; one that says a single thing as it is.
    """
    text = " ".join(sentence.split()).rstrip(" .;,")
    text = _FIRST.sub("", text)
    if found := _TURNED_ROUND.match(text):
        own, other = found["one"], found["other"]
        if _says(own) and _says(other):
            who, _ = _subject(other)
            parts = [own, other] if found["word"].lower() == "after" else [other, own]
            turns = [turn for part in parts for turn in split_into_turns(_third(part, who) if part is own else part)]
            return _told(turns)
    parts = _cut(text)
    return _told(parts) if len(parts) > 1 else [" ".join(sentence.split())]


def _cut(text: str) -> list[str]:
    """The parts of a sentence, without the words between them, in the order in which they are done."""
    parts: list[str] = []
    start, joints = 0, list(_JOINT.finditer(text))
    for number, joint in enumerate(joints):
        now, rest = text[start : joint.start()], text[joint.end() :]
        # "slowly and" of "slowly and calmly walks" is judged with what comes after it.
        stops = [*(one.start() for one in joints[number + 1 :] if one.lastgroup != "purpose"), len(text)]
        stretches = (text[joint.end() : stop] for stop in stops)
        coming = next((some for some in stretches if not all(map(_is_adverb, some.lower().split()))), rest)
        if not now.strip() or not _says(now) or not _divides(joint.lastgroup or "", now, coming, rest):
            continue
        if joint.lastgroup == "after":
            return [*parts, *_cut(rest), now]
        if joint.lastgroup == "strong" and not _says(coming):
            # "walks to the left and then to the right": the verb is said once.
            who, did = _subject(now)
            text = f"{text[: joint.end()]}{f'{who} ' if who else ''}{_verb_words(did)} {rest}"
            return [*parts, now, *_cut(text[joint.end() :])]
        parts.append(now)
        start = joint.end()
    return [*parts, text[start:]]


def _divides(joint: str, now: str, coming: str, rest: str) -> bool:
    """Whether what comes after a joint is done after what came before it."""
    if _MEANWHILE.match(coming):
        return False
    did = _subject(coming)[1]
    if joint == "after":
        return _says(rest)
    if joint == "purpose":  # "steps forward to bow", not "starts to dance"
        actions = _actions(coming)
        return (
            verb_lemma(now.split()[-1].lower()) not in HELPERS
            and verb_lemma(coming.split()[0]) == coming.split()[0].lower()
            and bool(actions)
            and _last(now).name in LOCOMOTION - {"jump", "hop"}
            and actions[0].name in _WHOLE_BODY - LOCOMOTION - {"turn"} | {"reach", "wave"}
        )
    if joint in ("strong", "before"):
        again = (
            joint == "strong"
            and not (_says(coming) or _begins_with_verb(did))
            and len(_actions(f"{now} and then {rest}")) > len(_actions(now))
        )
        return (_says(coming) and (_begins_with_verb(did) or joint == "strong")) or again
    if not _says(coming) or not _begins_with_verb(did):
        return False
    last, first = _last(now), _actions(coming)[0]
    if joint == "comma" and _is_finite(did):
        return not {last.name, first.name} <= {"stand"}
    if joint == "comma" and _is_finite(_subject(now)[1]):  # "walks forward, stepping slowly"
        return False
    told = _actions(f"{now} and {coming}")
    return (
        {last.name, first.name} <= _WHOLE_BODY
        and (last.name, last.verb) != (first.name, first.verb)
        and not any(action.simultaneous for action in told[len(_actions(now)) :])
        and not (last.name in LOCOMOTION and first.name == "move")
    )


def _actions(text: str) -> tuple[SaidAction, ...]:
    return parse_sentence(text).actions


def _last(text: str) -> SaidAction:
    return _actions(text)[-1]


def _says(text: str) -> bool:
    """Whether a part of a sentence says an action."""
    if not find_verbs(split_words(text)):
        return False
    actions = _actions(text)
    return any(action.name != UNKNOWN or action.verb for action in actions)


def _subject(part: str) -> tuple[str, str]:
    """Who does what: the words of the subject, "" without one, and the others."""
    found = _WHO.match(part) or _PRONOUN.match(part)
    if not found or (verb_lemma(found[0].split()[0]) is not None and not _determined(found[0])):
        return "", part.strip()
    return found[0].strip(), part[found.end() :].strip()


def _any_subject(part: str) -> tuple[str, str]:
    """As `_subject`, for whoever stands between an article and a verb in the third person."""
    words = part.split()
    if (
        len(words) > 2
        and words[0].lower() in ("a", "an", "the", "this", "that")
        and words[1].lower() not in ("few", "couple", "number")
    ):
        for place, word in enumerate(words[2:5], 2):
            if verb_lemma(word.lower()) is not None and word.lower().endswith("s"):
                return " ".join(words[:place]), " ".join(words[place:])
    return "", part.strip()


def _determined(words: str) -> bool:
    return words.split()[0].lower() in ("a", "an", "the", "this", "that", "one", "some")


def _verb_place(did: str) -> int:
    """Where the verb stands among words without a subject, after adverbs and "is"; -1 without one."""
    for place, word in enumerate(did.lower().split()):
        if verb_lemma(word) is not None and word not in ("is", "are", "was", "were"):
            return place
        if not (_is_adverb(word) or word in ("is", "are", "was", "were")):
            return -1
    return -1


def _is_adverb(word: str) -> bool:
    return word in MANNERS or word.endswith("ly") or word in ("again", "also", "and")


def _begins_with_verb(did: str) -> bool:
    return _verb_place(did) >= 0


def _is_finite(did: str) -> bool:
    words = did.lower().split()
    place = _verb_place(did)
    return place >= 0 and (not words[place].endswith("ing") or words[0] in ("is", "are"))


def _verb_words(did: str) -> str:
    """The words up to the verb; "throws a punch" is one of several words."""
    words = did.split()
    place = max(_verb_place(did), 0)
    stop = place + 1
    if verb_lemma(words[place].lower()) in LIGHT_VERBS:
        while stop < len(words) and words[stop].lower() not in ("to", "with", "at", "in", "on"):
            stop += 1
    return " ".join(words[:stop])


def _third(part: str, who: str) -> str:
    """A part whose verb ends in -ing as one that can stand alone: "turning around" as "turns around"."""
    own, did = _subject(part)
    words = did.split()
    place = _verb_place(did)
    many = bool(_MANY.search(own or who))  # "two people bow"
    if place == 0 and who and not many and words[place].lower() in VERBS:  # "to bow"
        words[place] = inflect(f"[{words[place].lower()}]", "s")
        return " ".join([own, *words]).strip()
    if place < 0 or not words[place].lower().endswith("ing") or words[0].lower() in ("is", "are", "was", "were"):
        return part
    base = verb_lemma(words[place].lower()) or ""
    if base == "be":  # "after being pushed"
        return " ".join([own, *words[:place], "are" if many else "is", *words[place + 1 :]]).strip()
    plain = not re.search(r"[^aeiou]y$", base)
    if many or (not who and not own):
        words[place] = base
    elif plain:
        words[place] = inflect(f"[{base}]", "s")
    else:
        words.insert(0, "is")
    return " ".join([own, *words]).strip()


def _told(parts: list[str]) -> list[str]:
    """The parts as sentences that can stand alone."""
    who = next((own for part in parts if (own := _subject(part)[0])), "")
    first = _subject(parts[0])
    if not who:  # of a "dancer" or a "zombie"
        first = _any_subject(parts[0])
        who = first[0]
    turns: list[str] = []
    for part in parts:
        own, did = _subject(part) if turns else first
        own = who if not own or (turns and _PRONOUN.match(own)) else own
        if turns:
            did = _named_object(did, turns[-1])
        if own and turns and did.split()[0].lower() in DETERMINERS:
            did = f"does {did}"  # "followed by a wave"
        turns.append(f"{own} {_third(did, own)}".strip(" ,.;"))
    return turns


def _named_object(did: str, before: str) -> str:
    """ "waves it" with what it stands for: the last part of the body or thing that the turn before names."""
    before = re.split(r"\b(?:with|using|by|from|to|on|in|at)\b", before, maxsplit=1)[0]
    found = [one for one in _OBJECT.finditer(before) if singular(one[1].lower()) in BODY_PARTS | THINGS]
    if not found or not _IT.match(did):
        return did
    words = found[-1][0]
    if singular(found[-1][1].lower()) not in HAND_PARTS | BODY_PARTS:
        words = re.sub(r"^(?:a|an|some)\s+", "the ", words, flags=re.IGNORECASE)
    return _IT.sub(lambda one: f"{one[1]}{words}", did)
