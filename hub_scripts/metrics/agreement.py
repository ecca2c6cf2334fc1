"""`shows`: whether a motion does what a sentence says, by the actions that joints show."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hub_scripts.captions.sentence_content import SaidAction, SentenceContent
from hub_scripts.metrics.shown_actions import FITTING, ShownAction, describe_motion, main_action

__all__ = ["agrees", "does", "fits", "shows"]

_CUT = 0.25  # seconds from one moment at which a motion may be cut in parts to the next
_SHORTEST = 0.75  # seconds of a part


def shows(joints: np.ndarray, content: SentenceContent, fps: float = 20.0) -> bool | None:
    """Whether a motion shows what a sentence says, see `does`; manner, count, objects and size are not judged.

    Args:
        joints: (T, 22, 3), metres, Y up, SMPL-22 order.
        content: from `parse_sentence`.
        fps: frames a second.

    Returns:
        None where one of the actions cannot be told from joints.

    Raises:
        MotionLLMError: joints that cannot be judged, see `Kinematics`.
    """
    said = [action for action in content.actions if action.name != "stand"] or list(content.actions)
    if any(action.name not in FITTING for action in said):
        return None
    return does(joints, said, fps)


def does(joints: np.ndarray, said: Sequence[SaidAction], fps: float = 20.0) -> bool:
    """Whether a motion does the said actions.

    Either the motion as a whole shows them (see `agrees`), or it can be cut into as many parts as there are things said
    one after another, each of which shows its own: whoever bows on the spot and then walks is no bow on the whole.

    Args:
        joints: (T, 22, 3), metres, Y up, SMPL-22 order.
        said: actions that joints can tell (`FITTING`), in order.
        fps: frames a second.

    Raises:
        MotionLLMError: joints that cannot be judged, see `Kinematics`.
    """
    if agrees(describe_motion(joints, fps), said):
        return True
    turns: list[list[SaidAction]] = []
    for action in said:
        if action.simultaneous and turns:
            turns[-1].append(action)
        else:
            turns.append([action])
    return len(turns) > 1 and _does_in_parts(joints, turns, fps)


def _does_in_parts(joints: np.ndarray, turns: Sequence[Sequence[SaidAction]], fps: float) -> bool:
    """Whether a motion can be cut so that each part shows its own."""
    last, shortest = len(joints) - 1, round(_SHORTEST * fps)
    cuts = [*range(shortest, last - shortest + 1, round(_CUT * fps)), last]
    reached = {0}
    for number, turn in enumerate(turns, 1):
        ends = cuts[-1:] if number == len(turns) else cuts[:-1]
        spans = [(start, end) for end in ends for start in sorted(reached) if end - start >= shortest]
        found: set[int] = set()
        for start, end in spans:
            if end not in found and agrees(describe_motion(joints[start : end + 1], fps), turn):
                found.add(end)
        reached = found
    return bool(reached)


def agrees(shown: Sequence[ShownAction], said: Sequence[SaidAction]) -> bool:
    """Whether shown actions are the said ones.

    Every action said must be shown with its side, direction and turn, those said one after the other must begin in that
    order, and what the motion is mainly known by must be among them.
    """
    found = [fits(action, shown) for action in said]
    if any(action is None for action in found):
        return False
    begun = [one.start for one, action in zip(found, said, strict=True) if one is not None and not action.simultaneous]
    ordered = all(a <= b + 0.3 for a, b in pairwise(begun))
    named = {name for action in said for name in FITTING[action.name]}
    named |= {"walk", "run"} if named & {"turn"} else set()  # "turns left" does not say that nobody walks
    turns = any(action.name == "turn" for action in shown)
    straight = not any(action.directions for action in said) or any(a.turn or a.name in ("turn", "spin") for a in said)
    aside = any(set(action.directions) & {"left", "right", "sideways"} for action in said)
    return ordered and main_action(shown).name in named and (straight or aside or not turns)


def fits(said: SaidAction, shown: Sequence[ShownAction]) -> ShownAction | None:
    """The shown action that does a said one: name, side, directions and turn, as far as they are said; or None."""
    for action in shown:
        if action.name not in FITTING.get(said.name, ()):
            continue
        if said.side is not None and action.side is not None and said.side != action.side:
            continue
        ways = set(said.directions) & {"forward", "backward", "left", "right", "sideways"}
        if action.name in ("walk", "run", "crawl") and not ways <= set(action.directions):
            continue
        if said.directions == ("forward",) and "sideways" in action.directions:
            continue
        if said.turn is not None and not _turned(said, shown):
            continue
        return action
    return None


def _turned(said: SaidAction, shown: Sequence[ShownAction]) -> bool:
    turns = [action for action in shown if action.name == "turn"]
    if said.turn == "around":
        return any(action.degrees > 120 for action in turns)
    return any(action.turn == said.turn for action in turns)
