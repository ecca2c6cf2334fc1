"""`told_sentences`: what somebody is told to do ("make her walk"), as sentences of what a person does."""

import re
from dataclasses import dataclass

from hub_scripts.captions.action_words import COUNTS, MANNERS, NOUNS, SUBJECTS, VERBS, word_set
from hub_scripts.captions.clips import inflect
from hub_scripts.captions.sentence_content import UNKNOWN, parse_sentence
from hub_scripts.captions.sentence_verbs import DETERMINERS, PREPOSITIONS, verb_lemma
from hub_scripts.captions.turns import split_into_turns

__all__ = ["ToldSentence", "done_by_noun", "in_digits", "plain_request", "told_sentences"]

_ANYONE = "a person"
_POLITE = re.compile(
    r"^(?:please|okay|ok|hey|hi|so|well|yes|yeah|no|nope|great|good|nice|cool|perfect|alright|just|maybe|and|but|now|then|"
    r"next|also|(?:can|could|would|will) (?:you|we)(?: please)?|(?:can|could|may) i (?:see|get|have)|"
    r"i(?:'d| would) (?:like|love)(?: you)?(?: to see| to)?|(?:i|we) want(?: you)?(?: to see| to)?|"
    r"(?:i|we) need(?: you to)?|picture|imagine|"
    r"let's(?: see)?|let us)\b[,!.:]?\s*"
)
_AFTERTHOUGHT = re.compile(
    r"[,\s]+(?:please|now|for me|instead|too|as well|thanks|thank you|if you can|(?:there|here))$"
)
_MAKE = re.compile(
    r"^(?:make|let|have|get|show(?: me)?|animate|generate|create|give me)\s+(?:me\s+)?"
    r"(?:(?:a|an|the)\s+(?:\w+ )?(?:motion|animation|clip|video)\s+(?:of|where|in which|with|that shows)\s+)?"
)
_NAMED = "|".join(sorted(SUBJECTS - {"he", "she", "they", "it", "body"}, key=len, reverse=True))
_WHO = re.compile(
    rf"^(?:(?P<pronoun>her|him|them|it|she|he|they|me)\b|(?P<noun>some(?:one|body)|(?:a|an|the|this|that|one|another|some)"
    rf"\s+(?:[\w-]+\s+){{0,3}}?(?:{_NAMED})))\b\s*"
)
_SEVERAL = re.compile(
    r"^(?:(?:two|three|four|five|2|3|4|5|some|a few|several)\s+(?:[\w-]+\s+)?)(?:people|persons|men|women)\b"
)
_MODAL = re.compile(
    r"^(?:should|shall|must|can|could|will|would|has to|have to|needs? to|ought to|is to|to|who|that|be|also|then)\s+"
)
_SIDE_BY_SIDE = re.compile(r"(?P<joint>,?\s+and(?: then)?\s+|,?\s+then\s+|,\s+|;\s+)")
_SECONDS = re.compile(
    r"\s*,?\s*(?:\bfor|\blasting|\bin)?\s*(?:about\s+|around\s+|exactly\s+)?(?P<number>\d+(?:[.,]\d+)?)\s*"
    r"(?:s|secs?|seconds?)\b(?:\s+long)?"
)
_OWN = re.compile(r"\b(?:her|his|its|your|my)\b(?=\s+\w)")
_A_SECOND = re.compile(rf"\b(?P<word>half a|an?|{'|'.join(COUNTS)})(?= (?:secs?|seconds?)\b)")
_NO_ACTION = DETERMINERS | PREPOSITIONS | {"it", "that", "so", "not"}  # "make her a zombie"
_NOT_VERBS = word_set("left right both each back forward backward up down to with in on at hands arms legs") | {"forth"}


@dataclass(frozen=True)
class ToldSentence:
    """A sentence of what a person does.

    Args:
        text: it, in the third person.
        seconds: how long, None where that is not said.
    """

    text: str
    seconds: float | None = None


def plain_request(text: str) -> str:
    """A request in lower case, without what is said only to be polite, and without its last dot."""
    text = re.sub(r"^(she|he|it)'s ", r"\1 is ", " ".join(text.lower().replace("\u2019", "'").split()))
    text = text.strip(" .!?,;:")
    for pattern in (_POLITE, _AFTERTHOUGHT):
        while (shorter := pattern.sub("", text)) != text and shorter:
            text = shorter
    return text


def in_digits(text: str) -> str:
    """The text with numbers of seconds in digits: "two seconds" as "2 seconds"."""
    return _A_SECOND.sub(lambda one: str(_NUMBERS.get(one["word"]) or COUNTS[one["word"]]), text)


_NUMBERS = {"half a": 0.5, "a": 1, "an": 1}


def done_by_noun(noun: str) -> str:
    """What a noun of `NOUNS` says to do: "bow" is "bow", "backflip" is "do a backflip"."""
    return noun if VERBS.get(noun) == noun else f"do a {noun}"


def told_sentences(text: str) -> list[ToldSentence]:
    """What somebody is told to do, as one sentence or, where several things are to be done in turn, as several.

    "make her walk, then wave her hand for 2 seconds" becomes "a person walks" and "a person waves their hand", of 2 s.
    Whoever is called by a pronoun is "a person".

    Args:
        text: in the imperative, or a sentence already; as of `plain_request`.

    Returns:
        The sentences; none for a text that neither says who is to do something, nor begins with a movement that the
        rules know.
    """
    text = in_digits(text)
    rest, explicit = text, False
    if made := _MAKE.match(rest):
        rest, explicit = rest[made.end() :], True
    if _SEVERAL.match(rest):
        return [ToldSentence(rest)]
    who, named = _ANYONE, False
    if found := _WHO.match(rest):
        named = True
        if found["noun"]:
            who = re.sub(r"^(?:the|this|that|one|another)\s(?=(\w))", _article, found["noun"])
        rest = rest[found.end() :]
    elif doing := re.match(r"(?P<who>(?:a|an|the) (?:[\w-]+ )?[\w-]+) (?=\w+ing\b)", rest):
        who, named = re.sub(r"^the ", "a ", doing["who"]), True  # "a boxer throwing punches"
        rest = rest[doing.end() :]
    elif explicit:
        if not (noun := re.match(r"^(?:a|an|the|some)?\s*(?P<word>[\w-]+)", rest)) or noun["word"] not in NOUNS:
            rest = text  # "do push-ups", "get up"
            explicit = False
        elif re.fullmatch(r"\s+(?:more |less )?\w+(?:er|ly)?", rest[noun.end() :]) and rest.startswith("the"):
            return []  # "make the bow deeper"
        else:  # "show me a bow"
            rest = f"{done_by_noun(noun['word'])}{rest[noun.end() :]}"
    while named and (shorter := _MODAL.sub("", rest)) != rest:
        rest = shorter
    rest = re.sub(r"^(?:is|are)\s+(?=(?:\w+ly\s+)?\w+ing\b)", "", rest)
    if not rest or rest.split()[0] in _NO_ACTION or not (named or _begins_with_verb(rest)):
        return []
    if not named and not explicit and UNKNOWN in parse_sentence(rest).names:
        return []  # "change the colour"
    if re.match(r"\w+ it\b(?! (?:up|down|over))|do(?:es)? the\b", rest):
        return []  # "give it another go": nothing is there that "it" or "the bow" stands for
    if named and not _begins_with_verb(rest) and rest.split()[0].endswith(("er", "ed")):
        return []  # "make her taller"
    sentence = f"{who} {_OWN.sub('their', _third(rest, named))}"
    turns = []
    for turn in _turns(sentence):
        found_seconds = _SECONDS.search(turn)
        plain = _SECONDS.sub("", turn).strip(" ,") if found_seconds else turn
        seconds = float(found_seconds["number"].replace(",", ".")) if found_seconds else None
        turns.append(ToldSentence(plain, seconds))
    return turns


def _article(found: re.Match[str]) -> str:
    return "an " if found[1] in "aeiou" else "a "


def _turns(sentence: str) -> list[str]:
    """The turns of a sentence; what follows a number of seconds is one of its own."""
    turns = []
    start = 0
    for found in _SECONDS.finditer(sentence):
        if joint := re.match(r",?\s+(?:and\s+)?(?:then\s+)?(?=\w)", sentence[found.end() :]):
            turns.append(sentence[start : found.end()])
            start = found.end() + joint.end()
    parts = [*turns, sentence[start:]]
    who = _WHO.match(parts[0])
    subject = f"{who[0].strip()} " if who else ""
    told = [parts[0], *(part if _WHO.match(part) else f"{subject}{part}" for part in parts[1:])]
    return [turn for part in told for turn in split_into_turns(part)]


def _begins_with_verb(text: str) -> bool:
    for word in text.split():
        word = word.strip(",")
        if not (word.endswith("ly") or word in MANNERS):
            return verb_lemma(word) is not None and word not in _NOT_VERBS
    return False


def _third(text: str, named: bool) -> str:
    """Commands as what is done: "walk slowly and wave" as "walks slowly and waves"."""
    pieces = _SIDE_BY_SIDE.split(text)
    told = [_verb_third(pieces[0], certain=named)]
    for joint, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        told += [joint, _verb_third(piece, certain=False)]
    return "".join(told)


def _verb_third(piece: str, certain: bool) -> str:
    """The verb that a piece of a sentence begins with in the third person; `certain` where there has to be one."""
    words = piece.split(" ")
    place = next((place for place, word in enumerate(words) if not word.endswith("ly")), None)
    if place is None:
        return piece
    word = words[place]
    lemma = verb_lemma(word)
    if lemma is None or word in _NOT_VERBS:
        if certain and re.fullmatch(r"[a-z-]+", word) and not word.endswith("s") and word not in MANNERS:
            words[place] = word if word.endswith("ing") else _third_of(word)
            if word.endswith("ing"):
                words.insert(0, "is")
        return " ".join(words)
    if word == lemma or word.endswith("ing"):
        words[place] = _third_of(lemma)
    return " ".join(words)


def _third_of(verb: str) -> str:
    if verb in ("be", "have"):
        return {"be": "is", "have": "has"}[verb]
    if re.search(r"[^aeiou]y$", verb):
        return f"{verb[:-1]}ies"
    return inflect(f"[{verb}]", "s")
