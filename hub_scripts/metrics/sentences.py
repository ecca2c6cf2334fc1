"""Whether motions show what people's sentences say: content right, by action, with a confusion table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub_scripts.captions.action_words import ACTIONS
from hub_scripts.captions.sentence_content import SaidAction, parse_sentence
from hub_scripts.metrics.agreement import does
from hub_scripts.metrics.base import Metric
from hub_scripts.metrics.shown_actions import FITTING, ShownAction, describe_motion, main_action
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["ContentRight", "JudgedSentence", "SentenceMotions", "SentenceToShow", "roc_auc"]

_SIDES = ("left", "right", "both")
_DIRECTIONS = ("forward", "backward", "left", "right", "sideways")


@dataclass(frozen=True)
class SentenceToShow:
    """A sentence and what a motion for it must show.

    Args:
        sentence: as a person wrote it.
        action: a name of `captions.action_words.ACTIONS`; empty: the actions are read from the sentence.
        side: "left", "right" or "both" limbs; empty where unsaid.
        direction: where it goes ("forward", "backward", "left", "right", "sideways"), or turns ("left", "right",
            "around").
        known: whether the data has motions that show it; what is not known is not judged by its motion.

    Raises:
        MotionLLMError: a word that is none of these, or an action that cannot be told from joints.
    """

    sentence: str
    action: str = ""
    side: str = ""
    direction: str = ""
    known: bool = True

    def __post_init__(self) -> None:
        if not self.sentence.strip():
            raise MotionLLMError("a sentence is empty")
        if not self.known:
            return
        if self.action and self.action not in ACTIONS:
            raise MotionLLMError(f"'{self.action}' is no action; choose from {', '.join(ACTIONS)}")
        if self.side and self.side not in _SIDES:
            raise MotionLLMError(f"'{self.side}' is no side; choose from {', '.join(_SIDES)}")
        ways = (*_DIRECTIONS, "around") if self.action in ("turn", "spin", "") else _DIRECTIONS
        if self.direction and self.direction not in ways:
            raise MotionLLMError(
                f"'{self.direction}' is no direction of '{self.action}'; choose from {', '.join(ways)}"
            )
        untold = [action.name for action in self.said if action.name not in FITTING]
        if untold:
            known = ", ".join(sorted(FITTING))
            raise MotionLLMError(f"'{untold[0]}' ('{self.sentence}') cannot be told from joints; judged are {known}")

    @property
    def said(self) -> tuple[SaidAction, ...]:
        """The actions to be shown, in order."""
        if not self.action:
            content = parse_sentence(self.sentence)
            return tuple(action for action in content.actions if action.name != "stand") or content.actions
        turn = self.direction if self.action in ("turn", "spin") else None
        ways = (self.direction,) if self.direction and turn is None else ()
        return (SaidAction(self.action, side=self.side or None, directions=ways, turn=turn or None),)

    @property
    def kind(self) -> str:
        """What the tables call it: its actions, with the direction where it is not straight on."""
        names = " then ".join(action.name for action in self.said)
        return f"{names} {self.direction}" if self.direction not in ("", "forward") else names


@dataclass(frozen=True)
class JudgedSentence:
    """A sentence and what its motion showed.

    Args:
        asked: the sentence.
        shown: the actions of the motion; none of a sentence that is not known.
        right: whether the motion does what the sentence says, see `agreement.does`.
        unknown: of the model, see `MotionGenerationOutput`.
    """

    asked: SentenceToShow
    shown: tuple[ShownAction, ...]
    right: bool = False
    unknown: float | None = None

    @property
    def side_right(self) -> bool | None:
        """Whether the asked limb did it; None where no limb was asked for or another action was shown."""
        said = self.asked.said[0]
        sides = [action.side for action in self.shown if action.name in FITTING[said.name] and action.side]
        return said.side in sides if said.side and sides else None

    @property
    def shown_as(self) -> str:
        """What the motion is mainly known by, in the words of `SentenceToShow.kind`."""
        main = main_action(self.shown)
        turns = [f"turn {action.turn}" for action in self.shown if action.name == "turn"]
        if main.name in ("walk", "run") and turns:
            return f"{main.name} and {turns[0]}"
        if main.name == "turn":
            return turns[0]
        return " ".join([main.name, *(way for way in main.directions if way not in ("forward", "sideways"))])


@dataclass(frozen=True)
class SentenceMotions:
    """Motions made for sentences.

    Args:
        sentences: N sentences.
        joints: for each, (T, 22, 3) in metres.
        fps: frames a second of all.

    Raises:
        MotionLLMError: no sentences, or another number of motions.
    """

    sentences: Sequence[SentenceToShow]
    joints: Sequence[np.ndarray]
    fps: float = 20.0

    def __post_init__(self) -> None:
        if not self.sentences:
            raise MotionLLMError("there are no sentences to judge")
        if len(self.sentences) != len(self.joints):
            raise MotionLLMError(f"{len(self.joints)} motions for {len(self.sentences)} sentences; give one for each")

    def judged(self) -> list[JudgedSentence]:
        """Each sentence with what its motion shows."""
        return [
            JudgedSentence(sentence, tuple(describe_motion(joints, self.fps)), does(joints, sentence.said, self.fps))
            for sentence, joints in zip(self.sentences, self.joints, strict=True)
        ]


class ContentRight(Metric[SentenceMotions]):
    """Share of sentences whose motion shows what they say, and of their sides that are the right ones.

    By the kinematic tests of `shown_actions`; `confusion` says what was shown instead. Sides count where the action
    itself was shown; with none of them the share is not a number.
    """

    name, units, better = "content_right", "share", "higher"

    @property
    def columns(self) -> tuple[str, ...]:
        return ("content_right", "sides_right")

    def compute(self, sample: SentenceMotions, rng: np.random.Generator) -> Sequence[float]:
        judged = sample.judged()
        return (self.share(judged), self.sides(judged))

    @staticmethod
    def share(judged: Sequence[JudgedSentence]) -> float:
        """Share of sentences that are right."""
        return float(np.mean([one.right for one in judged]))

    @staticmethod
    def sides(judged: Sequence[JudgedSentence]) -> float:
        """Share of right sides."""
        sides = [one.side_right for one in judged if one.side_right is not None]
        return float(np.mean(sides)) if sides else float("nan")

    @staticmethod
    def by_kind(judged: Sequence[JudgedSentence]) -> dict[str, tuple[int, int]]:
        """How many are right and how many there are, by what is asked for."""
        kinds = sorted({one.asked.kind for one in judged})
        groups = {kind: [one.right for one in judged if one.asked.kind == kind] for kind in kinds}
        return {kind: (sum(rights), len(rights)) for kind, rights in groups.items()}

    @staticmethod
    def confusion(judged: Sequence[JudgedSentence]) -> dict[str, dict[str, int]]:
        """What was shown, by what is asked for, the most frequent first."""
        kinds = sorted({one.asked.kind for one in judged})
        return {
            kind: dict(Counter(one.shown_as for one in judged if one.asked.kind == kind).most_common())
            for kind in kinds
        }


def roc_auc(negative: Sequence[float], positive: Sequence[float]) -> float:
    """Area under the ROC curve: how often a positive value is above a negative one, ties counted half.

    Raises:
        MotionLLMError: there are none of one kind.
    """
    if not negative or not positive:
        raise MotionLLMError("a ROC curve needs values of both kinds")
    _, place, counts = np.unique([*negative, *positive], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # equal values share their mean rank
    above = ranks[len(negative) :].sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(negative) * len(positive)))
