"""`ToldMotion`: what one motion of a dataset may be told of, by its label, its captions and its joints together."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from hub_scripts.captions.action_words import MANNERS
from hub_scripts.captions.sentence_needs import SentenceNeeds, bare_name, read_needs, words_of
from hub_scripts.captions.unshown_actions import named_actions
from hub_scripts.metrics.shown_needs import ShownNeeds

from .store import MotionRow

__all__ = ["ToldMotion", "ToldPart", "claims_of_labels", "tell_motion"]

Sequence_ = tuple[str, ...]
_PLAIN_STYLES = frozenset(("", "normal", "youthful", "active", "feminine", "masculine", "acted", "genuine"))
_GATED = ("walk", "run", "turn", "wave", "bow", "raise hands", "punch")  # said of a motion only where it shows them
_FREQUENT = 10  # motions of a label from which on rare captions of it are not believed
_SIDE, _OTHER = re.compile(r"\b(left|right)\b"), {"left": "right", "right": "left"}
_MOST_SEQUENCES = 400


@dataclass(frozen=True)
class ToldPart:
    """What may be said of a motion, or of a segment of one.

    Args:
        sequences: names of actions in order, each as a sentence may say them.
        needs: what is known of it, see `sentence_needs`.
        plain: whether it is done in no manner that a sentence should name.
    """

    sequences: frozenset[Sequence_]
    needs: frozenset[str]
    plain: bool = True


@dataclass(frozen=True)
class ToldMotion:
    """A motion and what may be said of it.

    Args:
        name: "DATASET/NAME".
        parts: its segments in time, one for an ordinary motion.
    """

    name: str
    parts: tuple[ToldPart, ...]

    @property
    def plain(self) -> bool:
        """Whether every part is."""
        return all(part.plain for part in self.parts)

    def mirrored(self, name: str) -> "ToldMotion":
        """What may be said of its mirrored copy, called `name`."""
        parts = [
            ToldPart(part.sequences, frozenset(_SIDE.sub(lambda side: _OTHER[side[0]], need) for need in part.needs),
                     part.plain)
            for part in self.parts
        ]  # fmt: skip
        return ToldMotion(name, tuple(parts))

    def ways(self) -> Iterable[tuple[Sequence_, tuple[int, ...]]]:
        """The sequences for the whole, each with the number of steps of every part.

        Sentences about anything else leave out that somebody stands.
        """
        stands = [("stand",) in part.sequences for part in self.parts]
        choices = [
            [()] if stand and not all(stands) else sorted(part.sequences)
            for part, stand in zip(self.parts, stands, strict=True)
        ]
        for count, chosen in enumerate(product(*choices)):
            if count >= _MOST_SEQUENCES:
                return
            yield tuple(name for names in chosen for name in names), tuple(len(names) for names in chosen)

    def meets(self, sentence: SentenceNeeds, lengths: Sequence[int]) -> bool:
        """Whether all needs of a sentence are met, its steps being divided among the parts."""
        start = 0
        for part, length in zip(self.parts, lengths, strict=True):
            steps = sentence.steps[start : start + length]
            start += length
            if not all(step.needs <= part.needs for step in steps):
                return False
        known = set().union(*(part.needs for part in self.parts))
        for need, told in (
            ("start:still", self.parts[:1]),
            ("end:still", self.parts[-1:]),
            ("path:in place", self.parts),
        ):
            if not all(need in part.needs for part in told):
                known.discard(need)
        return sentence.needs <= known


def claims_of_labels(rows: Iterable[MotionRow]) -> dict[str, Counter[Sequence_]]:
    """For each label of content, the sequences that captions of motions with it say, and how many say them."""
    claims: dict[str, Counter[Sequence_]] = {}
    for row in rows:
        if row["num_people"] == 1 and row["contents"][0] and not row.get("segment_captions"):
            counter = claims.setdefault(row["contents"][0], Counter())
            counter.update(names for text in row["captions"] if (names := read_needs(text).names))
            counter[()] += 1
    return claims


def tell_motion(name: str, row: MotionRow, claims: Mapping[str, Counter[Sequence_]]) -> ToldMotion | None:
    """What may be said of a row of a dataset.

    Args:
        name: "DATASET/NAME".
        row: one person; with `segment_captions` and `segment_ends` where it is a sequence.
        claims: of the dataset, see `claims_of_labels`.

    Returns:
        None where nothing is known of it.

    Raises:
        MotionLLMError: joints that cannot be judged.
    """
    joints, fps = np.asarray(row["joints"][0]), row["fps"]
    content, style = row["contents"][0], row["styles"][0]
    if row.get("segment_captions"):
        ends = [0, *row["segment_ends"]]
        parts = [
            _part(joints[start : end + 1], fps, captions, "", style, {})
            for captions, start, end in zip(row["segment_captions"], ends[:-1], ends[1:], strict=True)
        ]
    else:
        parts = [_part(joints, fps, row["captions"], content, style, claims)]
    if not all(part.sequences for part in parts):
        return None
    return ToldMotion(name, tuple(parts))


def _part(
    joints: np.ndarray,
    fps: float,
    captions: Sequence[str],
    content: str,
    style: str,
    claims: Mapping[str, Counter[Sequence_]],
) -> ToldPart:
    shown = ShownNeeds(joints, fps)
    own = [read_needs(text) for text in captions]
    needs = set(shown.needs) | words_of(" ".join([*captions, content.replace("-", " "), style.replace("-", " ")]))
    for sentence in own:
        said = sentence.needs.union(*(step.needs for step in sentence.steps))
        needs |= {
            need
            for need in said
            if not need.startswith(("walk:", "run:", "turn:", "path:", "start:", "end:", "number"))
        }
    if shown.mover:  # how fast someone goes is measured, whatever is written
        needs -= {"manner:slow", "manner:fast"} - shown.needs
    if style in MANNERS:
        needs.add(f"manner:{MANNERS[style]}")
    if shown.find("jump") is not None and "repeated" not in shown.needs:
        needs.discard("repeated")
    plain = style in _PLAIN_STYLES
    if not plain:
        needs.discard("manner:casual")
    claimed = _believed(own, claims.get(content, Counter()))
    label = _label_actions(content)
    if label:  # a sentence about a kick that tells of its steps alone leaves out what matters
        claimed = {names for names in claimed if label & {bare_name(name) for name in names}}
    if "jump" not in label and shown.find("jump") is None:
        claimed = {names for names in claimed if "jump" not in names}
    if not any("jump" in names for names in claimed):
        needs.discard("path:up and down")
    sequences = {one for names in claimed for one in _expand(names, shown)}
    return ToldPart(frozenset(sequences), frozenset(needs), plain)


@cache
def _label_actions(content: str) -> frozenset[str]:
    """Actions that a label such as "walk-turn-left" names."""
    words = re.sub(r"[-_]", " ", content)
    return frozenset(named_actions(words)) | {bare_name(name) for name in read_needs(f"a person {words}").names}


def _believed(own: Sequence[SentenceNeeds], label: Counter[Sequence_]) -> set[Sequence_]:
    """Sequences that captions say: rare ones are not believed where many motions share the label."""
    captions = sum(count for names, count in label.items() if names)
    said = Counter(sentence.names for sentence in own if sentence.names)
    if label[()] < _FREQUENT:
        return set(said) | {names for names, count in label.items() if names and count >= 0.3 * captions}
    frequent = {names for names, count in label.items() if names and count >= 0.05 * captions}
    return frequent | {names for names, count in said.items() if 2 * count > len(own)}


def _expand(names: Sequence_, shown: ShownNeeds) -> set[Sequence_]:
    """Ways to say a claimed sequence that the joints agree with; none where they do not show it."""
    bare = [bare_name(name) for name in names]
    if any(name in _GATED and shown.find(name) is None for name in bare if name != "turn"):
        return set()
    if set(bare) <= {"walk", "turn"} or set(bare) <= {"run", "turn"}:
        return _going(shown)
    if not shown.unturned and "turn" not in bare and shown.motion.spun > 150 and not set(bare) & {"dance", "throw"}:
        return set()
    first, last = shown.hands_hang
    if bare == ["wave"]:
        up, down = [(), ("raise hands",)][: 1 + first], [(), ("lower hands",)][: 1 + last]
        return {(*before, "wave", *after) for before in up for after in down}
    if bare in (["raise hands"], ["raise hands", "lower hands"]):
        return {("raise hands",)} | ({("raise hands", "lower hands")} if last and first else set())
    if bare == ["bow"]:
        deep = shown.motion.lean.max() > 40
        return {("bow",), ("bow", "stand up")} | ({("bend",), ("bend", "stand up"), ("bend", "bow")} if deep else set())
    if bare in (["punch"], ["kick"]):
        action = shown.find(bare[0])
        return {names} | ({names * 2} if action is not None and action.side == "both" else set())
    return {names}


def _going(shown: ShownNeeds) -> set[Sequence_]:
    """Ways to say that someone walks or runs, with a turn where there is one."""
    name, turn, motion = shown.mover, shown.find("turn"), shown.motion
    if name == "crawl" or shown.find("crouch") is not None:
        return set()
    if name is None:
        return set() if turn is None else {("turn",)}
    if turn is None:
        return {(name,)} if shown.unturned else set()
    step = motion.speed / motion.fps
    before = float(step[: round(turn.start * motion.fps)].sum())
    after = float(step[round(turn.end * motion.fps) :].sum())
    if max(before, after) < 0.6 and motion.path < 2.5:
        return {("turn",)}  # with the steps that it takes
    found: set[Sequence_] = {(name,)}
    found |= {(name, "+turn"), ("turn", f"+{name}")}
    if name == "walk":
        found.add(("turn",))  # who "turns left" does not say that nobody walks
    if before > 0.6:
        found.add((name, "turn"))
    if before > 0.6 and after > 0.6:
        found.add((name, "turn", name))
    if before < 1.0 and after > 0.6:
        found.add(("turn", name))
    return found
