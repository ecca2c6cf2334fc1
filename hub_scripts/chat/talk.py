"""`Talk`: a conversation in a terminal, from requests of a command line or a pipe, or from a file."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub_scripts.apps.service import unused_name
from hub_scripts.chat.conversation import Conversation, Turn
from hub_scripts.chat.help import HELP
from hub_scripts.chat.planning import NotUnderstoodError, Planner
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["Talk", "typed_lines"]

_ENDS = ("quit", "exit", "q")
_ASKS_HELP = ("help", "?", "what can you do", "what can i say", "what can i do")


@dataclass
class Talk:
    """Asks a planner, carries its plans out, prints the answers, and keeps a record after every turn.

    Args:
        conversation: it.
        planner: makes operations of requests.
        record: the file, in the folder of the conversation.
    """

    conversation: Conversation
    planner: Planner
    record: Path = field(init=False)

    def __post_init__(self) -> None:
        folder = self.conversation.folder
        self.record = folder / f"{unused_name(folder, 'chat', ['json'])}.json"

    def go_on(self, messages: Iterable[str], echo: bool = True) -> bool:
        """Answer requests until one of them says to quit.

        Args:
            messages: the requests.
            echo: print each of them too.

        Returns:
            Whether all of them were done.
        """
        done = True
        for message in messages:
            plain = message.strip().lower().rstrip("?!. ")
            if plain in _ENDS:
                break
            if plain in _ASKS_HELP or message.strip() == "?":
                print(HELP)
                continue
            # A motion takes seconds; what stands there is written over by the answer.
            print(f"> {message}" if echo else "...", end="\n" if echo else "\r", flush=True)
            try:
                turn = self._answer(message)
            except KeyboardInterrupt:
                if echo:
                    raise
                turn = self.conversation.tell(message, ["stopped; the motion is as it was before"])
            done = done and bool(turn.plan)
            print(*turn.answer, sep="\n", flush=True)
            self.conversation.save(self.record)
        return done

    def _answer(self, message: str) -> Turn:
        """Do what is asked for; a turn without a plan where it was not done."""
        conversation = self.conversation
        try:
            return conversation.turn(message, self.planner(message, conversation.view))
        except NotUnderstoodError as error:
            said = f"not understood: {error} ('help' shows what can be said)"
        except (MotionLLMError, OSError) as error:
            said = f"not done: {' '.join(str(error).split())}"
        except ModuleNotFoundError as error:
            said = f"not done: the package {error.name} is missing; install it"
        return conversation.tell(message, [said])

    def replay(self, model: str, turns: Sequence[Turn], path: str) -> None:
        """Do again what was done, and say whether the motions are the same.

        Args:
            model: that made them.
            turns: what was said and done.
            path: of the conversation, for errors.

        Raises:
            MotionLLMError: something that was done cannot be done now.
        """
        conversation = self.conversation
        if model != conversation.service.name:
            print(f"'{path}' was made with '{model}', and this is '{conversation.service.name}'", file=sys.stderr)
        others = []
        for number, turn in enumerate(turns, 1):
            print(f"> {turn.said}")
            try:
                again = conversation.turn(turn.said, turn.plan, takes=1) if turn.plan else None
            except MotionLLMError as error:
                raise MotionLLMError(f"turn {number} of '{path}' cannot be done again: {error}") from error
            if again is None:
                again = conversation.tell(turn.said, turn.answer)
            print(*again.answer, sep="\n", flush=True)
            if again.motion_sha256 != turn.motion_sha256:
                others.append(str(number))
        conversation.save(self.record)
        if others:
            several = "turns" if len(others) > 1 else "turn"
            print(f"replayed: other motions after {several} {', '.join(others)} (another model, version or machine)")
        else:
            print(f"replayed: {len(turns)} turn{'' if len(turns) == 1 else 's'}, the same motions to the bit")


def typed_lines() -> Iterator[str]:
    """What is typed in a terminal, line by line."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  arrows and history
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            if line := input("> ").strip():
                yield line
    print()
