"""What makes operations of a request, and what it gets to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hub_scripts.chat.operations import Operation
from modeling_motionllm.motion import MotionSegment

if TYPE_CHECKING:
    from hub_scripts.chat.conversation import Turn

__all__ = ["NotUnderstoodError", "Planner", "View"]


class NotUnderstoodError(Exception):
    """A request of which nothing is to be done; says why."""


@dataclass(frozen=True)
class View:
    """What a planner knows of a conversation.

    Args:
        segments: what the motion shows, in order; nothing without a motion.
        duration: of the motion, seconds.
        last_sentences: of the last thing that was made.
        last_seconds: how long that is.
        longest: seconds that the model can make at once.
        turns: so far.
    """

    segments: tuple[MotionSegment, ...] = ()
    duration: float = 0.0
    last_sentences: tuple[str, ...] = ()
    last_seconds: float = 0.0
    longest: float = 10.0
    turns: "Sequence[Turn]" = ()


class Planner(Protocol):
    """Makes operations of requests."""

    def __call__(self, message: str, view: View) -> tuple[Operation, ...]:
        """The operations that a request asks for.

        Raises:
            NotUnderstoodError: it asks for none.
            MotionLLMError: there can be no plan now.
        """
        ...
