"""`read_needs`: what must be true of a motion so that an English sentence tells of it, word by word.

`parse_sentence` says which actions a sentence tells of. Here every other word counts as well: a direction, a manner, an
object or a word that means nothing to us becomes a need, and a motion is told of only where it is known to meet it.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from hub_scripts.captions.action_words import (
    BODY_PARTS,
    COUNTS,
    DIRECTIONS,
    HAND_PARTS,
    LEG_PARTS,
    LIGHT_VERBS,
    MANNERS,
    NOUNS,
    PATHS,
    SUBJECTS,
    VERBS,
    word_set,
)
from hub_scripts.captions.sentence_content import UNKNOWN, SaidAction, SentenceContent, parse_sentence
from hub_scripts.captions.sentence_verbs import (
    DETERMINERS,
    HELPERS,
    JOINERS,
    PREPOSITIONS,
    singular,
    split_words,
    verb_lemma,
)

__all__ = ["MOVING", "SentenceNeeds", "Step", "bare_name", "plain_sentence", "read_needs", "words_of"]

# Words that say nothing which could be wrong of a motion.
_HARMLESS = word_set("""
    to towards toward who them him himself themselves themself itself ground floor direction way fashion manner motion
    motions movement movements moves very just there their where seen appears simply seemingly also which what so
    finally then now all only out at is are was were viewer camera room area space really screen person persons someone
    somebody human individual own across along off away if like though moment still some video plane
    road street sidewalk path time process said while air form style hello hi goodbye bye friend
    crowd attention during be being been about i i'm imaginary good normal regular average typical medium moderate pace
    neutral us you your
    """) | (SUBJECTS - word_set("zombie monkey robot kid child lady toon"))
_DESCRIBING = (
    DETERMINERS
    - word_set("""
    few several some many multiple couple each both half full quarter high wide tiny basketball golf baseball tennis
    martial degree degrees first second third fourth last large small big little various different long short sharp
    left right side front roundhouse straight single
    """)
    - set(COUNTS)
)
_REPEATED = word_set("several multiple many repeatedly repeat repeats repeating times continuously series few couple")
_LINES = {("diagonal", "line"), ("straight", "line")}
_DENIED = re.compile(r"\b(without|not|no|never|little)\b[ -]\S+")
_OTHER_WAYS = word_set("direction way side leg foot hand arm")
_SELF = word_set("himself themselves themself itself herself them")
_WASHING = word_set("wash scratch wipe dry")
_DENYING = word_set("not no never without instead nor neither")
_OWNERS = word_set("the a an his her their its")
_ENDING = word_set("stop halt pause finish end rest")
_CARRIED = word_set("slow speed prepare need want try recover regain")  # helpers that do say something
_SAME: dict[str, str] = {
    word: meaning
    for meaning, words in {
        "something": "something object item thing things objects items",
        "chair": "chair stool bench seat sofa couch",
        "meter": "meter metre",
    }.items()
    for word in words.split()
}
# Verbs that say no more than the action; of other verbs the word itself must be true.
_PLAIN_VERBS: dict[str, frozenset[str]] = {
    "walk": word_set("walk stroll stride amble move go come travel proceed advance head step tread take veer return"),
    "run": word_set("run"),
    "sit": word_set("sit"),
    "stand up": word_set("rise stand get arise"),
    "pick up": word_set("pick"),
    "wipe": word_set("wipe clean"),
    "wash": word_set("wash"),
    "drink": word_set("drink sip"),
    "talk": word_set("talk speak"),
    "fall": word_set("fall collapse"),
    "lie": word_set("lie lay"),
    "look": word_set("look"),
    "take": word_set("take grab"),
    "call": word_set("call shout yell"),
    "jumping jack": word_set("jumping-jack"),
    "push-up": word_set("push-up pushup"),
    "stumble": word_set("stumble stagger"),
    "bow": word_set("bow"),
    "turn": word_set("turn pivot rotate swivel"),
    "wave": word_set("wave waive"),
    "dance": word_set("dance"),
    "jump": word_set("jump leap"),
    "punch": word_set("punch throw box"),
    "kick": word_set("kick hit strike"),
    "throw": word_set("throw toss hurl pitch fling chuck lob"),
    "crouch": word_set("crouch squat duck bend lower"),
    "flip": word_set("flip"),
    "fight": word_set("fight"),
    "exercise": word_set("exercise"),
    "stretch": word_set("stretch"),
    "play": word_set("play"),
    "sway": word_set("sway"),
    "gesture": word_set("gesture jesture gesticulate signal motion"),
}
OWN_PARTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        word_set("wave punch throw clap point gesture slash reach touch wipe scratch drink pick-up"), HAND_PARTS
    ),
    **dict.fromkeys(("raise hands", "lower hands", "move hands", "pick up", "push"), word_set("hand arm")),
    "wash": word_set("arm"),
    **dict.fromkeys(("kick", "raise leg", "balance", "hop"), word_set("leg foot")),
    "bow": word_set("waist body torso head back"),
    "bend": word_set("waist body torso"),
    "nod": word_set("head"),
    "dance": word_set("hand arm leg foot hip body"),
    "jump": word_set("leg foot"),
    "crouch": word_set("knee"),
    "kneel": word_set("knee"),
    "crawl": word_set("hand knee arm"),
    "jumping jack": HAND_PARTS | LEG_PARTS,
    "salute": HAND_PARTS,
    "swing": HAND_PARTS,
}
# Kinds of dancing and jumping that `split_words` takes for the action alone.
_LOST = re.compile(r"\b(chicken|robot|line|indian|salsa|break|ballet|hip hop|tap)(?= danc)|\b(rope)\b")
_ON_SOMETHING = word_set("sit lie kneel crouch bend fall throw kick push") | {"stand up", "pick up"}
_STRETCHING = word_set("stretch extend spread outstretch stick hold reach")  # not upward, or not said so
_FACING = word_set("wave punch throw kick gesture bow clap point")
_HELD = word_set("ball box bottle sword chair table window phone cup basketball")
_OUT = word_set("punch kick throw reach point stretch") | {"move hands"}
MOVING = ("walk", "run", "crawl")
_MOVED = word_set("move walk step turn sit run") | {"stand up"}  # with "it" something is done to a thing
_SPEEDS = {"sprint": "run:sprint", "dash": "run:sprint", "race": "run:sprint", "jog": "run:jog", "trot": "run:jog"}
_VERTICAL = word_set("up down over upward upwards downward downwards uphill downhill upstairs downstairs")
_SILENT = (
    _HARMLESS
    | _DESCRIBING
    | JOINERS
    | PREPOSITIONS
    | word_set("""
    times time degrees degree turns counterclockwise clockwise left-to-right right-to-left left right both
    """)
)  # said by a count, a side, a direction or a turn
# what is done -> words for how, which say nothing more
MEANT = frozenset((name, word) for name, words in {
    "sit": "down", "crouch": "down|up", "lie": "down", "bend": "down|over|forward", "bow": "down|over|forward",
    "kneel": "down", "fall": "down|over", "lower hands": "down", "raise hands": "up|upward|upwards", "stand up": "up",
    "pick up": "up", "jump": "up|down", "roll": "over", "wave": "up|side to side|back and forth", "flip": "over",
}.items() for word in words.split("|"))  # fmt: skip
_ALSO_SAY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(word_set("put place set hold extend outstretch stick stretch reach"), ("raise hands",)),
    "raise": ("raise hands",),
    "lift": ("raise hands",),
    "hoist": ("raise hands",),
    "drop": ("lower hands",),
    "lower": ("lower hands", "crouch", "bow"),
    "bring": ("raise hands", "lower hands"),
    "return": ("lower hands", "walk"),
    "move": ("walk",),
    "step": ("walk",),
    "go": ("walk",),
    "come": ("walk",),
    "spin": ("turn",),
    "twirl": ("turn",),
    "bend": ("bow", "crouch"),
    "box": ("punch",),
}  # verbs that say another action than `VERBS` has for them
_ALSO_SAY["put"] = _ALSO_SAY["place"] = ("raise hands", "lower hands")


@dataclass(frozen=True)
class Step:
    """One action of a sentence and what it needs.

    Args:
        name: of the action; what is done during the step before begins with "+".
        needs: what must be known of a motion, such as "walk:forward", "turn:left", "manner:slow" or a plain word; with
            "~" before it a word that another sentence about the motion must have in the same meaning.
    """

    name: str
    needs: frozenset[str]


@dataclass(frozen=True)
class SentenceNeeds:
    """What a sentence tells, and what must be known of a motion that it tells of.

    Args:
        text: the sentence.
        content: as parsed.
        steps: in order; empty where an action is unknown.
        needs: of the whole sentence.
    """

    text: str
    content: SentenceContent
    steps: tuple[Step, ...]
    needs: frozenset[str] = field(default_factory=frozenset)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps."""
        return tuple(step.name for step in self.steps)

    @property
    def manners(self) -> frozenset[str]:
        """The manners among the needs."""
        return frozenset(need for need in self.needs if need.startswith("manner:"))


def plain_sentence(text: str) -> str:
    """A sentence in lower case, with single spaces and without a final stop: equal sentences are equal so."""
    return " ".join(text.lower().split()).rstrip(". ")


@cache
def read_needs(text: str) -> SentenceNeeds:
    """The steps of a sentence and its needs.

    Args:
        text: a sentence.
    """
    content = parse_sentence(text)
    words = split_words(text)
    actions = content.actions
    if any(action.name == UNKNOWN for action in actions):
        return SentenceNeeds(text, content, ())
    done = [action for action in actions if action.name != "stand"] or list(actions[:1])
    names = [_canonical(action, words) for action in done]
    numbered = any(action.count is not None or action.degrees is not None for action in done)
    steps: list[Step] = []
    for action, name in zip(done, names, strict=True):
        step = Step(
            ("+" if action.simultaneous and steps else "") + name,
            frozenset(_step_needs(action, name, "turn" in names, words)),
        )
        if steps and steps[-1].name.removeprefix("+") == name and _says_no_more(step, steps[-1]):
            continue
        if steps and step.name == f"+{name}" and steps[-1].name == name:
            steps[-1] = Step(name, steps[-1].needs | step.needs)  # "walks forward, curving left as they walk"
            continue
        steps.append(step)
    needs = _word_needs(text, words, names, {action.verb for action in done}, numbered)
    needs.update(_path_needs(words, names, frozenset().union(*(step.needs for step in steps))))
    if len(done) < len(actions) and set(names) & set(MOVING):
        if actions[0].name == "stand":
            needs.add("start:still")
        if actions[-1].name == "stand":
            needs.add("end:still")
    elif len(done) < len(actions):
        needs.add("path:in place")
    return SentenceNeeds(text, content, tuple(steps), frozenset(needs))


def _canonical(action: SaidAction, words: Sequence[str]) -> str:
    """The name under which actions that look alike are compared; a verb of its own kind is part of it."""
    name = "turn" if action.name == "spin" else action.name
    if name == "move" and action.verb not in ("slide", "back", "enter", "retreat") and not action.objects:
        name = "walk"
    if name == "step" and {"steps", "paces"} & set(words) and action.verb in LIGHT_VERBS:
        name = "walk"
    if action.verb in _SPEEDS:
        return "run"
    plain = _PLAIN_VERBS.get(name, frozenset((name,))) | LIGHT_VERBS
    if name == "raise hands" and action.verb in _STRETCHING:
        return f"{name}/{action.verb}"
    by_object = VERBS.get(action.verb) != action.name  # "lifts the hands": what it is done to says the action
    return name if by_object or action.verb in plain else f"{name}/{action.verb}"


def _says_no_more(step: Step, last: Step) -> bool:
    """Whether a step of the same name adds nothing: "walks forward, walking slowly"."""
    return step.needs <= last.needs or step.needs == {f"{step.name}:"}


def _step_needs(action: SaidAction, name: str, turns: bool, words: Sequence[str]) -> Iterator[str]:
    if action.verb in _SPEEDS:
        yield _SPEEDS[action.verb]
    name = name.partition("/")[0]
    path = action.path
    if name in MOVING:
        ways = [way for way in action.directions if way not in ("up", "down")]
        if set(action.directions) & {"up", "down"}:
            yield "slope"
        if path == "diagonal" and set(ways) <= {"forward"}:
            yield f"{name}:diagonal"
        elif path == "circle" and set(ways) <= {"forward"}:
            pass  # which the path says
        elif action.turn is None or "backward" in ways:
            # A sentence with a turn of its own says nothing of the way from where it began.
            yield f"{name}:{'turning:' if turns else ''}{'+'.join(sorted(ways))}"
        if action.turn is not None:
            yield f"turn:{action.turn}"
        if {"left-to-right", "right-to-left"} & set(words):
            yield "path:straight"  # across the view, without a turn
        if path not in (None, "diagonal"):
            yield f"path:{path}"
        if path == "curve" and {"semicircle", "half"} & set(words):
            yield "degrees:180"
    elif name == "turn":
        yield f"turn:{action.turn or ''}"
        if {"backward", "backwards"} & set(words):
            yield "turn:around"
        if action.turn in ("left", "right") and action.verb == "turn" and "around" in words:
            yield "turn:around"
        if action.name == "spin" and action.degrees is None:
            yield "degrees:360"
        if path is not None or "side-to-side" in words:
            yield f"path:{path or 'side to side'}"
    else:
        for way in action.directions:
            if (name, way) not in MEANT:
                yield f"{name}>{way}"
        if action.turn is not None:
            yield f"turn:{action.turn}"
        if path is not None and (name, path) not in MEANT:
            yield f"path:{path}"
    if action.degrees is not None and not (action.turn == "around" and action.degrees == 180):
        yield f"degrees:{action.degrees}"
    if action.side is not None:
        yield f"{name}:{action.side}"
    if action.count is not None:
        yield f"{name}#{action.count}"


def _word_needs(
    text: str, words: Sequence[str], names: Sequence[str], verbs: Collection[str], numbered: bool
) -> set[str]:
    """What the words of a sentence need that are neither its actions nor how these were read."""
    needs: set[str] = set()
    said = {bare_name(name) for name in names}
    needs |= {found[0] for found in _LOST.finditer(text.lower())}
    parts = frozenset().union(*(OWN_PARTS.get(name, frozenset()) for name in said))
    for index, word in enumerate(words):
        last, following = (words[index - 1] if index else ""), (words[index + 1] if index + 1 < len(words) else "")
        one, lemma = singular(word), verb_lemma(word)
        if word == "stick" and following == "figure":
            continue
        if word in MANNERS:
            needs.add(f"manner:{MANNERS[word]}")
        elif word in _REPEATED:
            if {"steps", "paces"} & set(words[index + 1 : index + 4]):
                needs |= {"walk:few"} if word in ("few", "couple") else set()
            else:
                needs.add("repeated")
        elif word in _DENYING or word.endswith("n't"):
            needs.add("~not")
        elif word in ("other", "opposite", "different") and following in _OTHER_WAYS:
            needs.add("turn:around" if following in ("direction", "way") else "~other")
        elif (word in ("again", "another") and following not in SUBJECTS) or (lemma == "stay" and said <= set(MOVING)):
            needs.add(f"~{word}")
        elif lemma == "get" and following in ("on", "down", "onto", "into", "off"):
            needs.add("~get")
        elif word in SUBJECTS and {"like", "as"} & set(words[max(0, index - 2) : index]):
            needs.add(one)
        elif word in _SELF and said & _WASHING:
            needs.add("~self")
        elif one in ("body", "torso") and index > 3 and not said & {"bow", "bend", "dance"}:
            needs.add(one)
        elif word in ("floor", "ground") and said & _ON_SOMETHING:
            needs.add("~floor")
        elif word in ("it", "them") and VERBS.get(verb_lemma(last) or "") in _MOVED:
            needs.add(f"~{word}")  # "sat it down"
        elif word == "out" and not said & _OUT:
            needs.add("~out")
        elif _says_nothing(last, word, said):
            continue
        elif word in COUNTS or word.isdigit():
            if word in ("one", "1") and following in HAND_PARTS | LEG_PARTS:
                needs.add("one hand" if following in HAND_PARTS else "one leg")
            elif not numbered:
                needs.add("number")
        elif word in _VERTICAL:
            needs |= set() if any((name, word) in MEANT for name in said) else {f"~{word}"}
        elif word == "back":
            if verb_lemma(last) in ("turn", "spin", "pivot"):
                needs.add("turn:around")
            elif not said & {"turn", "stand up", "lower hands"} or following == "to":
                needs.add("~back")
        elif word == "around":
            needs |= set() if said & {"turn", "dance"} else {"~around"}
        elif one == "side" and (last in ("left", "right") or _rests(words, index)):
            continue
        elif one in BODY_PARTS:
            if one not in parts:
                needs.add(one)
            elif one in LEG_PARTS and word != one and "kick" in said:
                needs.add("kick:both")
            elif one in HAND_PARTS and word == one and last not in ("left", "right", "each", "other", "both"):
                needs.add("one hand")
        elif lemma in _ENDING:
            needs.add("stop" if any(verb_lemma(other) for other in words[index + 1 :]) else "end:still")
        elif last in _OWNERS and one == lemma and lemma not in NOUNS:
            needs.add(one)  # "their watch" is a thing
        elif lemma is not None and (lemma in HELPERS or _is_said(lemma, said, verbs)) and lemma not in _CARRIED:
            continue
        else:
            needs.add(_SAME.get(one, one))
    return needs


def _path_needs(words: Sequence[str], names: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """The paths that are said somewhere in a sentence and that no step needs yet."""
    said = {bare_name(name) for name in names}
    for kind in dict.fromkeys(PATHS[word] for word in words if word in PATHS):
        if f"path:{kind}" in known or any((name, kind) in MEANT for name in said):
            continue
        if kind == "diagonal":
            yield from (f"{name}:diagonal" for name in MOVING if name in said)
        elif not (kind in ("circle", "curve") and any(need.startswith("degrees:") for need in known)):
            yield f"path:{kind}"


def _says_nothing(last: str, word: str, names: Collection[str]) -> bool:
    """Whether a word says nothing that the actions, as they were read, do not say."""
    if word in _SILENT or word in DIRECTIONS.keys() - _VERTICAL or word in PATHS:
        return True
    return (last, word) in _LINES or (word == "in-front" and bool(_FACING & set(names)))


def _rests(words: Sequence[str], index: int) -> bool:
    """Whether a side is where hanging arms are: "lowers them to their sides"."""
    before = words[max(0, index - 8) : index]
    return words[index - 1] in ("their", "his", "her", "the") and any(
        verb_lemma(word) in ("lower", "drop", "bring", "put", "return") or word in ("down", "by", "at")
        for word in before
    )


def bare_name(name: str) -> str:
    """The action of a step's name, without how it stands to the step before and without the verb."""
    return name.removeprefix("+").partition("/")[0]


def _is_said(verb: str, names: Collection[str], verbs: Collection[str]) -> bool:
    """Whether a verb, or a noun like one, says no more than one of the actions does."""
    if verb in verbs or VERBS.get(verb) == "stand":
        return True
    action = VERBS.get(verb, NOUNS.get(verb, ""))
    plain = action in names and verb in _PLAIN_VERBS.get(action, (action,))
    return plain or bool({*_ALSO_SAY.get(verb, ())} & set(names))


def words_of(text: str) -> frozenset[str]:
    """The words of a text as needs may name them: as written, verbs in base form and nouns in the singular."""
    text = _DENIED.sub(" ", text.lower())
    words = split_words(text)
    found = {_SAME.get(singular(word), singular(word)) for word in words}
    found |= {lemma for word in words if (lemma := verb_lemma(word))} | set(re.findall(r"[a-z]+", text))
    if found & _HELD:
        found.add("something")
    return frozenset(found)
