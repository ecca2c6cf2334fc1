"""Comparing what was asked for with what the model sees in what it made, and making it again where they differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub_scripts.apps.service import MotionAnswer
from hub_scripts.captions.sentence_content import UNKNOWN, SaidAction, parse_sentence

__all__ = ["TAKES", "Take", "best_take", "differences"]

TAKES = 3  # of a motion at most, until one looks to the model like what was asked for


@dataclass(frozen=True)
class Take:
    """A motion that was made.

    Args:
        answer: it.
        seed: that it was made with.
        tries: how many were made.
        differs: how it differs, by the model's own caption, from what was asked for; empty where it does not, and where
            the rules know no such action.
    """

    answer: MotionAnswer
    seed: int
    tries: int
    differs: tuple[str, ...]


def differences(asked: str, seen: str) -> tuple[str, ...]:
    """How a caption differs from a sentence, by the rules of `parse_sentence`: worst first.

    Returns:
        Such as "no bow", "left hand instead of right", "turn as well"; empty where it does not differ, and where the
        rules know no verb of the sentence.
    """
    wanted = parse_sentence(asked)
    if UNKNOWN in wanted.names:
        return ()
    found = parse_sentence(seen)
    missing = [f"no '{name}'" for name in dict.fromkeys(wanted.names) if name not in found.names]
    other = [line for action in wanted.actions for line in _otherwise(action, found.actions)]
    more = [name for name in dict.fromkeys(found.names) if name not in wanted.names and name != "stand"]
    return (*missing, *other, *(f"'{name}' as well" for name in more))


def _otherwise(wanted: SaidAction, found: Sequence[SaidAction]) -> list[str]:
    """The side or way of an action that is another one in all actions of its name."""
    same = [action for action in found if action.name == wanted.name]
    lines = []
    for asked, seen in (
        (wanted.side, [action.side for action in same]),
        (wanted.turn, [action.turn for action in same]),
        (wanted.directions[:1], [action.directions[:1] for action in same]),
    ):
        if asked and seen and asked not in seen:
            told = [one if isinstance(one, str) else one[0] for one in (asked, next(filter(None, seen), None)) if one]
            lines.append(" instead of ".join(reversed(told)) if len(told) > 1 else f"not {told[0]}")
    return lines


def best_take(make: Callable[[int], MotionAnswer], seed: int, takes: int = TAKES) -> Take:
    """The first take that the model itself sees as what was asked for; where all differ, the one that does least.

    Args:
        make: makes it with a seed.
        seed: of the first take; those after it count up.
        takes: at most.
    """
    best: Take | None = None
    for number in range(takes):
        answer = make(seed + number)
        differs = tuple(line for asked, seen in answer.understood for line in differences(asked, seen))
        take = Take(answer, seed + number, number + 1, differs)
        if best is None or _badness(take) < _badness(best):
            best = take
        if not differs:
            break
    assert best is not None
    return Take(best.answer, best.seed, number + 1, best.differs)


def _badness(take: Take) -> tuple[int, int]:
    """What is missing or other counts before what is there as well."""
    more = sum(line.endswith("as well") for line in take.differs)
    return len(take.differs) - more, more
