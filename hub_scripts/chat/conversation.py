"""`Conversation`: what was said, what was planned and done of it, and the motion as it is now; it can be done again."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from hub_scripts.apps.service import MotionAnswer, MotionService, unused_name
from hub_scripts.chat.mending import TAKES, Take, best_take
from hub_scripts.chat.operations import (
    Again,
    Append,
    Describe,
    Edit,
    Generate,
    Operation,
    Prepend,
    Save,
    Speed,
    Undo,
    read_plan,
    written_operation,
)
from hub_scripts.chat.planning import View
from hub_scripts.export import SUFFIXES, check_suffix, save_motion_files
from hub_scripts.generation.jobs import file_stem
from hub_scripts.hub.version import __version__
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion, MotionSegment
from modeling_motionllm.motion_features import resample_joints

__all__ = ["Conversation", "Turn", "read_conversation"]

_KIND = "motionllm chat"
_SLOWEST, _FASTEST = 0.1, 10.0  # of what was there
_WRITTEN = ("npz", "html")  # of every motion
_Making: TypeAlias = Generate | Append | Prepend | Edit


@dataclass(frozen=True)
class Turn:
    """One turn.

    Args:
        said: by the user.
        plan: what was done of it, with the seeds that were taken; nothing where it could not be.
        answer: lines.
        motion_sha256: of the joints after it; None without a motion.
    """

    said: str
    plan: tuple[Operation, ...]
    answer: tuple[str, ...]
    motion_sha256: str | None = None


@dataclass(frozen=True)
class _Step:
    """An operation that made or changed the motion, the motion after it, and how its files are called."""

    operation: _Making | Speed
    motion: Motion
    stem: str = ""


_Steps: TypeAlias = tuple[_Step, ...]


@dataclass
class Conversation:
    """A motion that is made turn by turn.

    Args:
        service: makes the motions.
        folder: existing; every turn that makes a motion writes it here, to work on and to look at.
        seed: of the first motion; others count up.
        turns: so far.
    """

    service: MotionService
    folder: Path
    seed: int = 0
    turns: list[Turn] = field(default_factory=list)
    _versions: list[_Steps] = field(default_factory=lambda: [()])  # undo goes back in them
    _tried: int = -1  # the highest seed so far

    @property
    def motion(self) -> Motion | None:
        """As it is now; None before the first one."""
        steps = self._versions[-1]
        return steps[-1].motion if steps else None

    @property
    def view(self) -> View:
        """What planners see of it."""
        motion, steps = self.motion, self._versions[-1]
        longest = self.service.processor.max_seconds
        if motion is None:
            return View(longest=longest, turns=self.turns)
        place = max(place for place, step in enumerate(steps) if not isinstance(step.operation, Speed))
        made, before = steps[place].operation, steps[place - 1].motion.duration if place else 0.0
        assert not isinstance(made, Speed)
        sentences = (made.sentence,) if isinstance(made, Edit) else made.sentences
        seconds = made.end - made.start if isinstance(made, Edit) else steps[place].motion.duration - before
        whole = [MotionSegment(motion.caption or "", 0.0, motion.duration)]
        return View(tuple(motion.segments or whole), motion.duration, sentences, seconds, longest, self.turns)

    def turn(self, said: str, plan: Sequence[Operation], takes: int = TAKES) -> Turn:
        """Carry out a plan; where a part of it cannot be done, nothing of it is.

        Args:
            said: what was planned for.
            plan: the operations.
            takes: of a motion at most, until one looks to the model like what was asked for.

        Returns:
            The turn, which is now one of `turns`.

        Raises:
            MotionLLMError: an operation that cannot be done; the motion is as before.
        """
        versions = list(self._versions)
        done: list[Operation] = []
        lines: list[str] = []
        try:
            for operation in plan:
                resolved, told = self._do(operation, takes)
                done.append(resolved)
                lines += told
        except BaseException:
            self._versions = versions
            raise
        if len(self._versions) > len(versions) + 1:  # a turn is taken back as a whole
            self._versions[len(versions) : -1] = []
        return self.tell(said, lines, done)

    def tell(self, said: str, lines: Sequence[str], plan: Sequence[Operation] = ()) -> Turn:
        """Write a turn down that is done, or of which nothing was to be done."""
        digest = None if self.motion is None else hashlib.sha256(self.motion.joints.tobytes()).hexdigest()
        made = Turn(said, tuple(plan), tuple(lines), digest)
        self.turns.append(made)
        return made

    def save(self, path: Path) -> None:
        """Write what was said and done, as JSON for `read_conversation`."""
        turns = [
            {
                "said": turn.said,
                "plan": [written_operation(operation) for operation in turn.plan],
                "answer": list(turn.answer),
                "motion_sha256": turn.motion_sha256,
            }
            for turn in self.turns
        ]
        told = {"kind": _KIND, "version": __version__, "model": self.service.name, "turns": turns}
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _do(self, operation: Operation, takes: int) -> tuple[Operation, list[str]]:
        """Carry one operation out; gives it as it was done, and lines about it."""
        if isinstance(operation, Undo):
            return operation, self._undo(operation)
        if isinstance(operation, Generate | Append | Prepend | Edit):
            made, take = self._make(operation, self.motion, takes)
            before = () if isinstance(operation, Generate) else self._versions[-1]
            return made, self._changed((*before, _Step(made, take.answer.motion)), _told(made), take)
        if isinstance(operation, Again):
            return self._again(operation, takes)
        motion = self.motion
        if motion is None:
            raise MotionLLMError("there is no motion yet; say what is to be made first, such as 'make her walk'")
        if isinstance(operation, Speed):
            faster = _played(motion, operation.factor)
            told = f"played at {operation.factor:.3g} times the speed: {motion.duration:.1f} s are now"
            return operation, self._changed((*self._versions[-1], _Step(operation, faster)), told, None)
        if isinstance(operation, Describe):
            parts = self.service.describe(motion, always=bool(motion.segments))
            if len(parts) == 1:
                return operation, [f"the model sees: {parts[0].text}"]
            return operation, ["the model sees:", *(f"  {one.start:.1f}-{one.end:.1f} s: {one.text}" for one in parts)]
        return operation, self._written(operation, motion)

    def _make(self, operation: _Making, before: Motion | None, takes: int) -> tuple[_Making, Take]:
        """Make what an operation asks for of a motion; gives it with the seed that was kept."""
        service = self.service
        sentences = [operation.sentence] if isinstance(operation, Edit) else list(operation.sentences)
        seconds = None if isinstance(operation, Edit) or not operation.seconds else operation.seconds
        make: Callable[[int], MotionAnswer]
        if isinstance(operation, Generate):
            people = operation.people
            make = lambda seed: service.generate(sentences, seconds, people=people, seed=seed)  # noqa: E731
            takes = takes if people == 1 else 1
        elif before is None:
            raise MotionLLMError(f"there is no motion yet to {operation.name}; say what is to be made first")
        elif isinstance(operation, Append):
            make = lambda seed: service.go_on(before, sentences, seconds, seed)  # noqa: E731
        elif isinstance(operation, Prepend):
            make = lambda seed: service.lead_in(before, sentences, seconds, seed)  # noqa: E731
        else:
            make = self._edited(operation, before)
        seed = self._next_seed() if operation.seed is None else operation.seed
        take = best_take(make, seed, takes)
        self._tried = max(self._tried, seed + take.tries - 1)
        return replace(operation, seed=take.seed), take

    def _edited(self, part: Edit, motion: Motion) -> Callable[[int], MotionAnswer]:
        """What makes a part anew: in the middle of a motion, at its end, or at its beginning."""
        fps, start, end = motion.fps, part.start, part.end
        least = (self.service.processor.frames_per_code + 1) / self.service.processor.fps
        if not 0 <= start < end or start >= motion.duration:
            raise MotionLLMError(
                f"there is no part from {start:g} to {end:g} s in {motion.duration:.1f} s of motion; give other seconds"
            )
        last = end > motion.duration - least - 1 / fps
        if start < least and last:
            return lambda seed: self.service.generate([part.sentence], motion.duration, seed=seed)
        if last:
            kept = motion.part(0, round(start * fps))
            return lambda seed: self.service.go_on(kept, [part.sentence], motion.duration - start, seed)
        if start < least:
            kept = motion.part(round(end * fps), motion.num_frames)
            return lambda seed: self.service.lead_in(kept, [part.sentence], end, seed)
        return lambda seed: self.service.edit(motion, part.sentence, start, end, seed)

    def _again(self, asked: Again, takes: int) -> tuple[Operation, list[str]]:
        steps = self._versions[-1]
        places = [place for place, step in enumerate(steps) if not isinstance(step.operation, Speed)]
        if not places:
            raise MotionLLMError("there is nothing yet to make again; say what is to be made first")
        place = places[-1]
        last = steps[place].operation
        assert not isinstance(last, Speed)
        seed = asked.seed
        if seed is None:
            seed = last.seed if asked.sentences or asked.seconds else self._next_seed()
        changed = _changed(replace(last, seed=seed), asked)
        before = steps[place - 1].motion if place else None
        made, take = self._make(changed, before, takes)
        motion = take.answer.motion
        kept = [_Step(made, motion)]
        for step in steps[place + 1 :]:
            assert isinstance(step.operation, Speed)
            motion = _played(motion, step.operation.factor)
            kept.append(_Step(step.operation, motion))
        answer = replace(take.answer, motion=motion)
        lines = self._changed((*steps[:place], *kept), f"again: {_told(made)}", replace(take, answer=answer))
        return replace(asked, seed=made.seed), lines

    def _undo(self, asked: Undo) -> list[str]:
        if asked.count < 1 or asked.count >= len(self._versions):
            there = len(self._versions) - 1
            raise MotionLLMError(
                f"{asked.count} changes cannot be taken back; there {'is' if there == 1 else 'are'} {there or 'none'}"
            )
        del self._versions[-asked.count :]
        if self.motion is None:
            return ["taken back: there is no motion now"]
        return [f"taken back: {_shown(self.motion)}", *self._files(self._versions[-1][-1].stem)]

    def _changed(self, steps: _Steps, told: str, take: Take | None) -> list[str]:
        """The motion is another one now: writes it, and says what is known of it."""
        motion = steps[-1].motion
        every = [suffix.lstrip(".") for suffix in SUFFIXES]
        stem = unused_name(self.folder, MotionAnswer(motion, []).stem, every)
        for name in _WRITTEN:
            self._write(motion, stem, name)
        self._versions.append((*steps[:-1], replace(steps[-1], stem=stem)))
        lines = [f"{told}: {_shown(motion)}" if take else f"{told} {motion.duration:.1f} s"]
        if take is not None:
            lines += [f"  {note}" for note in take.answer.notes]
            lines += _mended(take)
        return lines + self._files(stem)

    def _files(self, stem: str) -> list[str]:
        return [f"  {self.folder / stem}.{name}" for name in _WRITTEN]

    def _write(self, motion: Motion, stem: str, suffix: str) -> list[Path]:
        return save_motion_files(motion, self.folder / f"{stem}.{suffix}")

    def _written(self, asked: Save, motion: Motion) -> list[str]:
        for name in asked.formats:
            check_suffix(f"motion.{name}")
        stem = self._versions[-1][-1].stem if asked.file is None else file_stem(asked.file)
        lines: list[str] = []
        for name in dict.fromkeys(asked.formats):
            if asked.file is None and name == "npz":
                lines.append(f"{self.folder / stem}.npz")  # it is there
                continue
            free = unused_name(self.folder, stem, [name])
            lines += map(str, self._write(motion, free, name))
        return [f"saved: {lines[0]}", *(f"       {line}" for line in lines[1:])]

    def _next_seed(self) -> int:
        return self.seed if self._tried < 0 else self._tried + 1


def _changed(last: _Making, asked: Again) -> _Making:
    """The last operation with the other words and seconds that are asked for."""
    if isinstance(last, Edit):
        if asked.seconds:
            raise MotionLLMError("a part of a motion keeps its length; say from when to when it is to be made anew")
        return replace(last, sentence=", then ".join(asked.sentences)) if asked.sentences else last
    if asked.sentences:
        last = replace(last, sentences=asked.sentences, seconds=last.seconds[:1] if len(last.seconds) == 1 else ())
    return replace(last, seconds=asked.seconds) if asked.seconds else last


def _played(motion: Motion, factor: float) -> Motion:
    """A motion at another speed, at the frame rate that it has."""
    if not _SLOWEST <= factor <= _FASTEST:
        raise MotionLLMError(f"{factor:g} times the speed is not possible; choose {_SLOWEST:g} to {_FASTEST:g}")
    joints = resample_joints(motion.joints, motion.fps * factor, motion.fps)
    made = Motion(joints, motion.fps, motion.caption, unknown=motion.unknown, seed=motion.seed)
    made.model, made.version = motion.model, motion.version
    if motion.segments:
        end = made.duration
        spans = [(text, min(a / factor, end), min(b / factor, end)) for text, a, b in motion.segments]
        made.segments = [MotionSegment(*one) for one in spans]
    return made


def _told(made: _Making) -> str:
    if isinstance(made, Edit):
        return f"made anew from {made.start:.1f} to {made.end:.1f} s, '{made.sentence}'"
    what = ", then ".join(f"'{sentence}'" for sentence in made.sentences)
    where = {"generate": "made", "append": "added at the end", "prepend": "put before it"}[made.name]
    return f"{where} {what}"


def _shown(motion: Motion) -> str:
    people = "" if motion.num_people == 1 else f", {motion.num_people} people"
    return f"{motion.duration:.1f} s{people}"


def _mended(take: Take) -> list[str]:
    """What is said of several takes, and of one that is not what was asked for."""
    if take.tries == 1 and not take.differs:
        return []
    how = ", ".join(take.differs)
    if not take.differs:
        return [f"  take {take.tries}, as the model saw something else in those before"]
    if take.tries == 1:
        return [f"  the model sees {how}"]
    return [f"  of {take.tries} takes the nearest, in which the model sees {how}; say it in other words, or 'again'"]


def read_conversation(path: str | os.PathLike[str]) -> tuple[str, list[Turn]]:
    """The model of a conversation that was saved, and its turns.

    Raises:
        MotionLLMError: there is no such file, or it is none of a conversation.
    """
    path = Path(path)
    if not path.is_file():
        raise MotionLLMError(f"no such file: '{path}'")
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise MotionLLMError(f"'{path}' is no JSON ({error}); give what `motionllm chat` wrote") from error
    if not isinstance(told, dict) or told.get("kind") != _KIND or not isinstance(told.get("turns"), list):
        raise MotionLLMError(f"'{path}' is no conversation; give the .json that `motionllm chat` wrote")
    turns = []
    for number, turn in enumerate(told["turns"], 1):
        where = f"turn {number} of '{path}'"
        if not isinstance(turn, dict):
            raise MotionLLMError(f"{where} is {str(turn)[:60]!r}; give an object with 'said' and 'plan'")
        digest = turn.get("motion_sha256")
        answer = tuple(map(str, turn.get("answer") or ()))
        plan = read_plan(turn.get("plan"), f"the plan of {where}")
        turns.append(Turn(str(turn.get("said", "")), plan, answer, None if digest is None else str(digest)))
    return str(told.get("model", "")), turns
