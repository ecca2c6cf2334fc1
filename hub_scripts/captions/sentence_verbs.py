"""The verbs of an English sentence about a motion, each with the words around it; for `sentence_content`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from hub_scripts.captions.action_words import (
    BODY_PARTS,
    COUNTS,
    DIRECTIONS,
    HAND_PARTS,
    IRREGULAR,
    LEG_PARTS,
    LIGHT_VERBS,
    MANNERS,
    NOUNS,
    OTHER_VERBS,
    PATHS,
    PHRASES,
    SPELLING,
    SUBJECTS,
    THINGS,
    VERBS,
    word_set,
)

__all__ = [
    "DETERMINERS",
    "HELPERS",
    "JOINERS",
    "LOCOMOTION",
    "PREPOSITIONS",
    "STOPS",
    "UNKNOWN",
    "VerbDraft",
    "find_verbs",
    "singular",
    "split_words",
    "verb_lemma",
]

UNKNOWN = "unknown"
LOCOMOTION = word_set("walk run move step march skip hop limp crawl stumble jump")


@dataclass
class VerbDraft:
    """A verb and the words that belong to it."""

    verb: str
    words: list[str] = field(default_factory=list)  # after the verb, up to the next one
    before: list[str] = field(default_factory=list)  # just before the verb: adverbs, or what describes a noun
    noun: str | None = None  # the action that a noun says ("takes a bow")
    simultaneous: bool = False
    passive: bool = False


_TOKEN = re.compile(r"[a-z0-9][a-z0-9'-]*|[,.;]")
_PHRASES = tuple((letters, re.compile(pattern), replacement) for letters, pattern, replacement in PHRASES)
STOPS = frozenset((",", ".", ";"))
JOINERS = STOPS | word_set("and then before after while as whilst but when until")
_DURING = word_set("while as whilst")
PREPOSITIONS = word_set("in on with of from at into by for through onto like")
DETERMINERS = word_set("""
    a an the his her their its this that each few several some many multiple couple first second third fourth
    last next both no any other another large small little big full half quarter high wide tiny left right
    sharp complete more degree degrees basketball golf baseball tennis front side straight roundhouse martial
    single different various long short steady
    """) | set(COUNTS)
_STATES = word_set("""
    position positions postion pose stance posture point place spot pace partner bag start state
    """)
HELPERS = (
    word_set("""
    be have get begin start stop continue keep pretend try appear seem finish resume need want attempt pause
    slow speed repeat end prepare decide stay use recover regain halt
    """)
    | LIGHT_VERBS
)
_SILENT = HELPERS - LIGHT_VERBS - {"get", "use"}
_HANDLING = word_set("bring extend outstretch stick rest spread shift")  # verbs known only with a body part
_KNOWN = set(VERBS) | OTHER_VERBS | HELPERS | _HANDLING
_ATTRIBUTES = word_set("bent raised extended outstretched stretched crossed crouched hunched folded held")
_MOSTLY_NOUNS = word_set("""
    back point place box boxes balance motion play rest drink stretch rock circle circles face set ring fish light slide
    head heads watch cross press drum brush saw loop curve text form stack show close open dry clean warm mime tie pose
    pace lead arch cup cups fire film plant screw sign
    """)
_WHO = word_set("to they he she person people man someone")
_NEVER_VERBS = word_set("""
    this his its across towards always perhaps left feet as drums stairs glass upwards sometimes something
    """)
_OBJECTS = BODY_PARTS | THINGS


def split_words(text: str) -> list[str]:
    words = (SPELLING.get(word, word) for word in _TOKEN.findall(text.lower().replace("\u2019", "'")))
    text = " ".join(words)
    for letters, pattern, replacement in _PHRASES:
        if letters in text:
            text = pattern.sub(replacement, text)
    return _TOKEN.findall(text)


@cache
def verb_lemma(word: str) -> str | None:
    """The known verb that a word is a form of."""
    if word in _NEVER_VERBS:
        return None
    if word in IRREGULAR:
        return IRREGULAR[word]
    stems = [word]
    if word.endswith(("ies", "ied")):
        stems.append(word[:-3] + "y")
    if word.endswith("es"):
        stems.append(word[:-2])
    if word.endswith("s"):
        stems.append(word[:-1])
    for ending in ("ing", "ed"):
        if word.endswith(ending):
            stem = word[: -len(ending)]
            stems += [stem, stem + "e", *([stem[:-1]] if len(stem) > 2 and stem[-1] == stem[-2] else [])]
    return next((stem for stem in stems if stem in _KNOWN), None)


@cache
def singular(word: str) -> str:
    return "foot" if word == "feet" else word[:-1] if word[-1:] == "s" and word[:-1] in _OBJECTS else word


def find_verbs(words: Sequence[str]) -> list[VerbDraft]:
    """The verbs of a sentence, each with the words around it."""
    drafts: list[VerbDraft] = []
    denied = during = accompanies = False
    for index, word in enumerate(words):
        last = words[index - 1] if index else ","
        following = words[index + 1] if index + 1 < len(words) else "."
        if word in JOINERS:
            denied, accompanies, during = False, False, word in _DURING
        elif word in ("without", "not", "never", "instead") or word.endswith("n't"):
            denied = True
        accompanies = (accompanies and word not in STOPS) or word in ("with", "holding")
        verb = None if denied else _verb_at(word, last, following, words[max(0, index - 3) : index])
        if verb is None and not denied and _does_noun(word, last, following, drafts):
            verb = word
        if verb is not None:
            light = drafts[-1] if drafts and drafts[-1].verb in LIGHT_VERBS and drafts[-1].noun is None else None
            noun = _noun_action(word, last)
            if noun is not None and light is None and last in DIRECTIONS:
                noun = None
            if noun is not None and light is None and word in _TAKEN:
                if drafts:
                    drafts[-1].words.append(word)
                continue
            if noun is not None:
                if light is not None:
                    light.noun, light.before, light.words = noun, [*light.before, *light.words, word], []
                elif noun in ("step", "walk") and drafts and VERBS.get(drafts[-1].verb) in LOCOMOTION:
                    drafts[-1].words.append(word)
                else:
                    drafts.append(VerbDraft(verb, [], [*_since_joint(words, index), word], noun, during))
                continue
            if verb in _SILENT:
                if drafts:
                    drafts[-1].words.append(word)
                continue
            adverbs = _adverbs_before(words, index)
            limb = _limb_before(words, index - len(adverbs), word in _PARTICIPLES or not drafts)
            if drafts and adverbs:
                del drafts[-1].words[max(0, len(drafts[-1].words) - len(adverbs)) :]
            passive = last in ("is", "gets", "was", "being", "got", "get", "are") and word in _PASSIVES
            during = during or (accompanies and word.endswith(("ing", "ed")))
            drafts.append(VerbDraft(verb, limb, adverbs, None, during, passive))
            during = False
        elif drafts:
            drafts[-1].words.append(word)
    kept: list[VerbDraft] = []
    tool: list[str] = []
    for draft in drafts:
        if draft.verb == "use" or (
            draft.verb in ("make", "do") and not draft.noun and set(draft.words) & {"as", "like"}
        ):
            tool = draft.words  # "uses the right hand to throw": the hand belongs to what it is used for
            continue
        draft.words, tool = draft.words + [word for word in tool if word not in JOINERS], []
        if draft.noun or draft.verb in ("throw", "give", "take") or draft.verb not in LIGHT_VERBS:
            kept.append(draft)
        elif kept and VERBS.get(kept[-1].verb) in LOCOMOTION and draft.words:
            kept[-1].words += draft.words  # "walks while making a circle"
    for shared, after in pairwise(kept):
        if shared.verb in _SHARING and set(shared.words) <= JOINERS | set(MANNERS):  # "raises and lowers his arms"
            shared.words = [word for word in after.words if word not in JOINERS] + shared.words
    return kept


_TAKEN = word_set("drink bite sip seat knee look nap")  # actions only where one takes them
_SHARING = word_set("raise lift lower extend stretch bend swing move open cross")
_PARTICIPLES = word_set("""
    raised lifted extended outstretched stretched spread held bent crossed folded clasped placed swinging
    """)


def _limb_before(words: Sequence[str], index: int, wanted: bool) -> list[str]:
    """The limb that stands before its verb: "with both arms raised", "the right hand waves"."""
    if not wanted or not index or singular(words[index - 1]) not in HAND_PARTS | LEG_PARTS:
        return []
    start = index - 1
    while start > 0 and index - start < 4 and words[start - 1] not in PREPOSITIONS | STOPS:
        start -= 1
    return list(words[start:index])


_PASSIVES = word_set("pushed shoved hit knocked bumped pulled struck")
_ADVERBS_BETWEEN = word_set("""
    is are was be to start starts starting begin begins beginning started began slightly very
    """)


def _adverbs_before(words: Sequence[str], index: int) -> list[str]:
    """Adverbs that stand just before a verb: "slowly walks", "quickly begins to run"."""
    found: list[str] = []
    while index > 0 and (words[index - 1] in MANNERS or words[index - 1] in _ADVERBS_BETWEEN):
        index -= 1
        found.append(words[index])
    return found


def _since_joint(words: Sequence[str], index: int) -> list[str]:
    start = index
    while start > 0 and index - start < 4 and words[start - 1] not in JOINERS and verb_lemma(words[start - 1]) is None:
        start -= 1
    return list(words[start:index])


def _verb_at(word: str, last: str, following: str, before: Sequence[str]) -> str | None:
    """The verb said at a place of a sentence, or None where the word is something else there."""
    verb = verb_lemma(word)
    if verb is None:
        subject = last in SUBJECTS or last == "then"
        plain = (
            word in MANNERS or word in DIRECTIONS or word in PATHS or singular(word) in BODY_PARTS or word in SUBJECTS
        )
        if (subject and word.endswith("s") and not word.endswith("ss") and "-" not in word and not plain
                and word not in _NEVER_VERBS) or (last in ("is", "are") and word.endswith("ing")):  # fmt: skip
            return UNKNOWN
        return None
    if word.endswith("ing") and following in _STATES and verb not in ("take", "make", "do"):
        return None
    attribute = last in DETERMINERS or last in PREPOSITIONS or following in _STATES or singular(following) in BODY_PARTS
    if word in _ATTRIBUTES and attribute:
        return None
    plain_form = word == verb or word.endswith("s")
    if plain_form and verb in LIGHT_VERBS and last in DETERMINERS:
        return None
    if plain_form and verb not in HELPERS:
        if last in PATHS and verb not in NOUNS:
            return None
        if last in PREPOSITIONS and verb not in NOUNS:
            return None
        if (last in DETERMINERS or (last in MANNERS and not last.endswith("ly"))) and verb not in NOUNS:
            return None
        if (last == "to" and word != verb) or (last in ("them", "him") and word == verb):
            return None
        if word in _MOSTLY_NOUNS and not (verb in NOUNS and last in DETERMINERS):
            starts = last in SUBJECTS or last in ("and", "then", "to", ",", "they", "again") or last.endswith("ly")
            if not (starts and (word != verb or last in _WHO)):
                return None
    if word == "stands" and last == "the":
        return None
    return verb


def _does_noun(word: str, last: str, following: str, drafts: Sequence[VerbDraft]) -> bool:
    """Whether a word is a noun that is no verb and stands after a light one: "does karate"; not in "karate kicks"."""
    light = bool(drafts) and drafts[-1].verb in LIGHT_VERBS and drafts[-1].noun is None
    alone = verb_lemma(word) is None and following.rstrip("s") not in NOUNS and singular(word) not in BODY_PARTS
    return light and alone and _noun_action(word, last) is not None


def _noun_action(word: str, last: str) -> str | None:
    """The action of a noun: "a bow", "two kicks", "a walking motion" is none (it is read as a verb)."""
    singular = word[:-2] if word.endswith(("ches", "nges", "shes")) and word[:-2] in NOUNS else word.rstrip("s")
    noun = NOUNS.get(word, NOUNS.get(singular))
    if noun is None or (word.endswith(("ing", "ed")) and word != "boxing"):
        return None
    describes = (
        last in DETERMINERS or last.isdigit() or last in PREPOSITIONS or (last in MANNERS and not last.endswith("ly"))
    )
    describes = describes or last in DIRECTIONS or last in PATHS or last in ("of", "and-a")
    light = verb_lemma(last) in LIGHT_VERBS
    return noun if describes or light else None
