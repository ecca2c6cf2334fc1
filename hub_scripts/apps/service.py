"""One checkpoint that answers the requests of many clients, one at a time: what the web app and the servers share."""

import argparse
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_scripts.generation.jobs import Job, file_stem, plan_batches
from hub_scripts.generation.prompts import Prompt, in_turns
from hub_scripts.generation.run import MadeMotion
from hub_scripts.hub.version import __version__
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.prompts_motionllm import SHORTEST_GAP

if TYPE_CHECKING:
    from hub_scripts.generation.continuing import ContinuedMotion
    from hub_scripts.hub.actions import KnownAction
    from modeling_motionllm.decoding_motionllm import MotionEngine
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.motion import Motion, MotionSegment
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["MOST_SENTENCES", "MotionAnswer", "MotionService", "unused_name"]

MOST_SENTENCES = 12  # of one request: nobody waits behind somebody's film
_MOST_CANDIDATES = 16
_BETWEEN = "a person stands and waits"  # what leads over to a motion


@dataclass(frozen=True)
class MotionAnswer:
    """A motion that was made.

    Args:
        motion: it.
        notes: lines about it: what each person does, what the model itself sees in it, and whether it has hardly seen
            what was asked for.
        understood: each sentence that was made, and the model's own caption of what it became.
    """

    motion: "Motion"
    notes: list[str]
    understood: Sequence[tuple[str, str]] = ()

    @property
    def stem(self) -> str:
        """A name for its files: its sentence and its seed."""
        seed = "" if self.motion.seed is None else f"-seed{self.motion.seed}"
        return f"{file_stem(self.motion.caption or 'motion')}{seed}"


@dataclass
class MotionService:
    """A checkpoint with its processor; the weights are loaded when the first motion is asked for.

    Requests may come from any thread; they are checked first and then take turns.

    Args:
        args: with --model, --device and --engine.
        processor: of the checkpoint.
    """

    args: argparse.Namespace
    processor: "MotionLLMProcessor"
    _loaded: "tuple[MotionLLMForCausalLM, str | MotionEngine] | None" = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of_arguments(cls, args: argparse.Namespace) -> "MotionService":
        """The service of a command's --model, --device and --engine, which are checked.

        Raises:
            MotionLLMError: there is no such checkpoint, device or engine.
        """
        from hub_scripts.options.checkpoint import check_device, load_processor, quiet
        from hub_scripts.options.engine import check_engine_arguments

        check_engine_arguments(args)
        quiet()
        processor = load_processor(args.model)
        check_device(args.device)
        return cls(args, processor)

    @property
    def name(self) -> str:
        """Name of the checkpoint."""
        return Path(self.args.model).name

    @property
    def max_people(self) -> int:
        """Most people in a scene; 1 of a model of single people."""
        return self.processor.max_people

    @property
    def fills_gaps(self) -> bool:
        """Whether it can make a part of a motion anew."""
        return self.processor.tells_turns and "in_between" in self.processor.prompts

    def load(self) -> None:
        """Load the weights, if they are not there yet."""
        with self._turn:
            self._model()

    def load_in_background(self) -> None:
        """Load the weights while something else is done; what goes wrong then is told to whoever asks first."""

        def load() -> None:
            with contextlib.suppress(MotionLLMError, OSError):
                self.load()

        threading.Thread(target=load, daemon=True).start()

    def actions(self) -> "list[KnownAction]":
        """What the checkpoint was trained on; empty where it does not say."""
        from hub_scripts.hub.actions import read_actions

        return read_actions(self.args.model)

    def generate(
        self,
        sentences: Sequence[str],
        seconds: float | Sequence[float] | None = None,
        *,
        people: int = 1,
        parts: Sequence[str] | None = None,
        seed: int = 0,
        num_candidates: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> MotionAnswer:
        """A motion of one person who does one thing after another, or of several people.

        Args:
            sentences: one, or of one person several.
            seconds: one number for all sentences or one for each; None for as long as the model wants.
            people: in the scene.
            parts: what each of them does, a sentence for each; the model says it where left out.
            seed: of the random draws; the same seed gives the same motion.
            num_candidates: of so many the best; None takes the checkpoint's default.
            progress: called with the seconds of motion that are there, of one person and without candidates.

        Raises:
            MotionLLMError: a value that the model cannot take; nothing is made then.
        """
        from hub_scripts.generation.run import generate_batch
        from modeling_motionllm.settings_motionllm import MotionSettings

        job = self._job(sentences, seconds, seed, split=people == 1)
        told = None if parts is None else list(parts)
        if not job.then:
            self.processor(text=job.text, duration=job.duration, people=people, parts=told)
        elif people > 1 or told:
            raise MotionLLMError(f"{len(sentences)} sentences for a scene of several people; give one")
        else:
            plan_batches([job], self.processor, 1)
        settings: dict[str, Any] = {} if num_candidates is None else {"num_candidates": _candidates(num_candidates)}
        with self._turn:
            model, engine = self._model()
            drawn = MotionSettings.of(model.generation_config, dict(settings))
            alone = people == 1 and not told and drawn.num_candidates == 1
            settings |= {"progress": progress if alone else None, "engine": engine}
            made = generate_batch(model, self.processor, [job], people=people, parts=told, captions=True, **settings)[0]
            return self._answer(made, job)

    def go_on(
        self, motion: "Motion", sentences: Sequence[str], seconds: float | Sequence[float] | None = None, seed: int = 0
    ) -> MotionAnswer:
        """A motion, and what its person does next; arguments as of `generate`.

        Raises:
            MotionLLMError: as `generate`; or the motion cannot be gone on from.
        """
        from hub_scripts.generation.continuing import check_source, go_on

        job = self._job(sentences, seconds, seed, split=True)
        check_source(motion, "the motion", self.processor)
        for sentence, lasting in zip(job.sentences, job.durations, strict=True):
            codes = None if lasting is None else self.processor.num_codes(lasting)
            self.processor.turn_ids(sentence, codes)
        with self._turn:
            model, engine = self._model()
            made = go_on(model, self.processor, motion, job.sentences, job.durations, seed=seed, engine=engine)
            return self._continued(made, job)

    def edit(self, motion: "Motion", sentence: str, start: float, end: float, seed: int = 0) -> MotionAnswer:
        """A motion of which the part from `start` to `end` seconds is made anew.

        Raises:
            MotionLLMError: as `generate`; or there is no such part.
        """
        from hub_scripts.generation.continuing import check_part, check_source, edit_motion

        job = self._job([sentence], None, seed)
        check_source(motion, "the motion", self.processor)
        check_part(motion, start, end, self.processor)
        self.processor.in_between_ids(sentence, [], [], 1)
        with self._turn:
            model, engine = self._model()
            made = edit_motion(model, self.processor, motion, sentence, start, end, seed=seed, engine=engine)
            return self._continued(made, job)

    def lead_in(
        self, motion: "Motion", sentences: Sequence[str], seconds: float | Sequence[float] | None = None, seed: int = 0
    ) -> MotionAnswer:
        """What a person does before a motion, the way over to it, and the motion; arguments as of `generate`.

        The motion is moved and turned as a whole to where the way leads.

        Raises:
            MotionLLMError: as `generate`; or the motion cannot be led over to.
        """
        from hub_scripts.generation.continuing import check_source, fill_between

        job = self._job(sentences, seconds, seed)
        check_source(motion, "the motion", self.processor)
        self.processor.in_between_ids(_BETWEEN, [], [], 1)
        before = self.generate(sentences, seconds, seed=seed)
        with self._turn:
            model, engine = self._model()
            first, least = before.motion, SHORTEST_GAP * self.processor.frames_per_code / self.processor.fps
            made = fill_between(model, self.processor, first, motion, _BETWEEN, least, seed=seed, engine=engine)
            told = [seen for _, seen in before.understood]
            told += [""] * (len(made.motion.segments or ()) - len(told))
            made.motion.unknown = first.unknown
            return self._answer(MadeMotion(made.motion, [], told), job)

    def caption(self, motion: "Motion", seed: int = 0) -> str:
        """The sentence that describes a motion best; where it is longer than the model can take at once, what is done
        when, a line for each part.

        Raises:
            MotionLLMError: a motion that the model cannot read.
        """
        parts = self.describe(motion, seed)
        if len(parts) == 1:
            return parts[0].text
        return "\n".join(f"{start:.1f}-{end:.1f} s: {text}" for text, start, end in parts)

    def describe(self, motion: "Motion", seed: int = 0, always: bool = False) -> "list[MotionSegment]":
        """What is done when in a motion: of its segments, or where it changes what it does.

        Args:
            motion: of any length.
            seed: where anything is drawn.
            always: divide short motions too.

        Raises:
            MotionLLMError: a motion that the model cannot read.
        """
        from hub_scripts.generation.describing import describe_parts, divide_motion, join_equal, prepare_parts
        from modeling_motionllm.motion import MotionSegment

        parts = divide_motion(motion, self.processor.max_seconds, always)
        batches = prepare_parts(self.processor, motion, parts)
        with self._turn:
            told = describe_parts(self._model()[0], self.processor, batches, seed)
        segments = zip(parts, told, strict=True)
        return join_equal(
            [MotionSegment(text, one.start / motion.fps, one.stop / motion.fps) for one, [text] in segments]
        )

    def _model(self) -> "tuple[MotionLLMForCausalLM, str | MotionEngine]":
        if self._loaded is None:
            from hub_scripts.options.engine import load_engine

            self._loaded = load_engine(self.args, self.processor)
        return self._loaded

    def _job(
        self, sentences: Sequence[str], seconds: float | Sequence[float] | None, seed: int, split: bool = False
    ) -> Job:
        """What to make; with `split` sentences that say several things are made in turns, if the model knows turns."""
        if not 1 <= len(sentences) <= MOST_SENTENCES:
            raise MotionLLMError(f"{len(sentences)} sentences in one request; give 1 to {MOST_SENTENCES}")
        if not 0 <= seed < 1 << 63:
            raise MotionLLMError(f"the seed is {seed}; give 0 or more, and less than 2^63")
        duration: float | tuple[float, ...] | None = None
        if isinstance(seconds, int | float):
            duration = float(seconds)
        elif seconds is not None:
            if len(seconds) not in (1, len(sentences)):
                raise MotionLLMError(
                    f"{len(seconds)} durations for {len(sentences)} sentences; give one for all, or one for each"
                )
            duration = tuple(map(float, seconds)) if len(sentences) > 1 and len(seconds) > 1 else float(seconds[0])
        asked = Prompt(sentences[0], duration, then=tuple(sentences[1:]))
        if split and self.processor.tells_turns:
            asked = in_turns(asked)
        return Job(0, asked.text, asked.duration, seed, "", asked.then)

    def _continued(self, made: "ContinuedMotion", job: Job) -> MotionAnswer:
        told = made.understood(self._model()[0], self.processor)
        return self._answer(MadeMotion(made.motion, [], told), job)

    def _answer(self, made: MadeMotion, job: Job) -> MotionAnswer:
        from hub_scripts.generation.nearest_actions import unknown_line

        motion, notes = made.motion, made.notes(0)
        motion.seed, motion.model, motion.version = job.seed, self.name, __version__
        asked = ", then ".join(job.sentences)
        line = unknown_line(asked, motion.unknown, self.actions, self._model()[0], self.processor)
        texts = [segment.text for segment in motion.segments or ()] or job.sentences
        new = [pair for pair in zip(texts, made.understood, strict=False) if pair[1]]
        return MotionAnswer(motion, notes if line is None else [*notes, line], new)


def _candidates(count: int) -> int:
    if not 1 <= count <= _MOST_CANDIDATES:
        raise MotionLLMError(f"num_candidates is {count}; give 1 to {_MOST_CANDIDATES}")
    return count


def unused_name(folder: Path, stem: str, formats: Iterable[str]) -> str:
    """A name that no file of these formats has yet in a folder: `stem`, or `stem-2`, `stem-3` ..."""
    ends = [f"{person}.{name}" for name in formats for person in ("", "-person1")]
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not any((folder / f"{name}{end}").exists() for end in ends))
