"""What `motionllm generate` has to make: one job a motion, their batches, and which process takes which."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_scripts.generation.prompts import Prompt

if TYPE_CHECKING:
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["Job", "file_stem", "make_jobs", "plan_batches", "process_place"]

_LONGEST_STEM = 48  # letters


def file_stem(text: str) -> str:
    """A file name from a sentence: its words, in any script, joined by hyphens; of a long one the first, and a hash.

    One without words (emoji, say) has the hash alone, so that no other such sentence has its name.
    """
    text = unicodedata.normalize("NFC", text.lower())

    def hashed(words: str) -> str:
        return hashlib.sha256(words.encode()).hexdigest()[:6]

    # Marks are vowels and tones of many scripts, and no part of `\\w`.
    kept = "".join(sign if sign.isalnum() or unicodedata.category(sign)[0] == "M" else "-" for sign in text)
    words = re.sub("-+", "-", kept).strip("-")
    if len(words) > _LONGEST_STEM:
        words = f"{words[: _LONGEST_STEM - 7].rsplit('-', 1)[0]}-{hashed(words)}"
    return words or f"motion-{hashed(text)}"


@dataclass(frozen=True)
class Job:
    """One motion to make.

    Args:
        prompt: number of its sentence.
        text: the sentence.
        duration: seconds, None for as long as the model wants; with `then` of each sentence, or one number for all.
        seed: of its random draws; it depends on nothing else that is made.
        stem: of its files.
        then: what the person does after it, sentence by sentence.
    """

    prompt: int
    text: str
    duration: float | tuple[float, ...] | None
    seed: int
    stem: str
    then: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """All of them, in order."""
        return [self.text, *self.then]

    @property
    def durations(self) -> list[float | None]:
        """Seconds of each sentence."""
        return list(self.duration) if isinstance(self.duration, tuple) else [self.duration] * len(self.sentences)


def make_jobs(
    prompts: Sequence[Prompt],
    samples: int,
    duration: float | None,
    seed: int,
    is_others: Callable[[str, Sequence[str]], bool] = lambda stem, sentences: False,
) -> list[Job]:
    """The jobs of some sentences, all samples of the first one first.

    Args:
        prompts: what a sentence says about duration and seed goes before the next two.
        samples: motions for each, with seeds counting up.
        duration: seconds.
        seed: of the first sample of every sentence.
        is_others: whether files of a stem are there already and of other sentences; they are left alone.
    """
    jobs: list[Job] = []
    taken: set[str] = set()
    used: Counter[str] = Counter()
    for number, prompt in enumerate(prompts):
        stem = words = file_stem(prompt.as_written or " ".join((prompt.text, *prompt.then)))
        # Sentences that would share a name are numbered.
        while stem in taken or is_others(stem if samples == 1 else f"{stem}-sample1", (prompt.text, *prompt.then)):
            used[words] += 1
            stem = f"{words}-{used[words] + 1}"
        taken.add(stem)
        seconds = duration if prompt.duration is None else prompt.duration
        first = seed if prompt.seed is None else prompt.seed
        for sample in range(samples):
            name = stem if samples == 1 else f"{stem}-sample{sample + 1}"
            jobs.append(Job(number, prompt.text, seconds, first + sample, name, prompt.then))
    return jobs


def plan_batches(
    jobs: Sequence[Job], processor: "MotionLLMProcessor", batch_size: int, people: int = 1
) -> list[list[Job]]:
    """Batches of prompts of similar length, so that little is padding, the samples of a sentence together.

    They depend on the jobs alone: every process that shares the work plans the same ones.

    Raises:
        MotionLLMError: a sentence or duration that the processor refuses; all are looked at.
    """
    sizes: dict[tuple[Any, ...], tuple[bool, int, int]] = {}
    for job in jobs:
        if _content(job) not in sizes:
            codes = [None if seconds is None else processor.num_codes(seconds) for seconds in job.durations]
            ids = processor.text_to_motion_ids(job.text, people, codes[0])
            for text, count in zip(job.then, codes[1:], strict=True):
                ids = ids + processor.turn_ids(text, count)
            # Timed ones and others cannot be in one batch.
            sizes[_content(job)] = (job.duration is not None, len(ids), sum(count or 0 for count in codes))
    if len(jobs) > batch_size or len({timed for timed, _, _ in sizes.values()}) > 1:
        jobs = sorted(jobs, key=lambda job: (*sizes[_content(job)], job.prompt))
    batches: list[list[Job]] = []
    start = 0
    while start < len(jobs):
        stop = min(start + batch_size, len(jobs))
        # Whole sentences, where a batch has room for at least one.
        if stop < len(jobs) and jobs[start].prompt != jobs[stop].prompt:
            while jobs[stop - 1].prompt == jobs[stop].prompt:
                stop -= 1
        timed = jobs[start].duration is not None
        stop = next((place for place in range(start, stop) if (jobs[place].duration is not None) != timed), stop)
        batches.append(list(jobs[start:stop]))
        start = stop
    return batches


def _content(job: Job) -> tuple[Any, ...]:
    """What its inputs depend on."""
    return job.text, job.then, job.duration


def process_place(environment: Any = os.environ) -> tuple[int, int, int]:
    """Number of this process, how many share the work, and its number on this machine.

    As `accelerate launch`, `torchrun` and `mpirun` tell their processes; (0, 1, 0) where nobody did.
    """
    for rank, world, local in (
        ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
        ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    ):
        if rank in environment and world in environment:
            return int(environment[rank]), int(environment[world]), int(environment.get(local, 0))
    return 0, 1, 0
