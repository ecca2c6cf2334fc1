"""What `motionllm generate` has to make: one job a motion, their batches, and which process takes which."""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_scripts.generation.prompts import Prompt

if TYPE_CHECKING:
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.motion import Motion
    from modeling_motionllm.output_motionllm import MotionGenerationOutput
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["Job", "file_stem", "generate_batch", "make_jobs", "plan_batches", "process_place"]


def file_stem(text: str, limit: int = 48) -> str:
    """A file name from a sentence: its words joined by hyphens."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (words if len(words) <= limit else words[:limit].rsplit("-", 1)[0]) or "motion"


@dataclass(frozen=True)
class Job:
    """One motion to make.

    Args:
        prompt: number of its sentence.
        text: the sentence.
        duration: seconds, None for as long as the model wants.
        seed: of its random draws; it depends on nothing else that is made.
        stem: of its files.
    """

    prompt: int
    text: str
    duration: float | None
    seed: int
    stem: str


def make_jobs(prompts: Sequence[Prompt], samples: int, duration: float | None, seed: int) -> list[Job]:
    """The jobs of some sentences, all samples of the first one first.

    Args:
        prompts: what a sentence says about duration and seed goes before the next two.
        samples: motions for each, with seeds counting up.
        duration: seconds.
        seed: of the first sample of every sentence.
    """
    jobs: list[Job] = []
    taken: set[str] = set()
    used: Counter[str] = Counter()
    for number, prompt in enumerate(prompts):
        stem = words = file_stem(prompt.text)
        # Sentences that would share a name are numbered.
        while stem in taken:
            used[words] += 1
            stem = f"{words}-{used[words] + 1}"
        taken.add(stem)
        seconds = duration if prompt.duration is None else prompt.duration
        first = seed if prompt.seed is None else prompt.seed
        for sample in range(samples):
            name = stem if samples == 1 else f"{stem}-sample{sample + 1}"
            jobs.append(Job(number, prompt.text, seconds, first + sample, name))
    return jobs


def plan_batches(
    jobs: Sequence[Job], processor: "MotionLLMProcessor", batch_size: int, people: int = 1
) -> list[list[Job]]:
    """Batches of prompts of similar length, so that little is padding, the samples of a sentence together.

    They depend on the jobs alone: every process that shares the work plans the same ones.

    Raises:
        MotionLLMError: a sentence or duration that the processor refuses; all are looked at.
    """
    sizes: dict[tuple[str, float | None], tuple[bool, int, int]] = {}
    for job in jobs:
        if (job.text, job.duration) not in sizes:
            codes = 0 if job.duration is None else processor.num_codes(job.duration)
            ids = processor.text_to_motion_ids(job.text, people, codes or None)
            # Timed ones and others cannot be in one batch.
            sizes[job.text, job.duration] = (job.duration is not None, len(ids), codes)
    if len(jobs) > batch_size or len({timed for timed, _, _ in sizes.values()}) > 1:
        jobs = sorted(jobs, key=lambda job: (*sizes[job.text, job.duration], job.prompt))
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


def generate_batch(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    batch: Sequence[Job],
    *,
    people: int = 1,
    parts: Sequence[str] | None = None,
    given: "Motion | None" = None,
    plant_feet: bool = False,
    progress: Callable[[float], None] | None = None,
    **settings: Any,
) -> "list[tuple[Motion, list[str]]]":
    """The `Motion`s of a batch, each with what its people do. Every sentence is read once, if all have as many motions.

    Args:
        model: makes them.
        processor: of the model.
        batch: jobs that all have a duration, or none of them.
        people: in each.
        parts: what each of them does; the model says it where left out.
        given: the motion of the first of them.
        plant_feet: hold the feet of those who are made where they stand.
        progress: called with the seconds of motion that are there, while they are decoded; for one person.
        settings: of `generate_motion`.
    """
    counts = list(Counter(job.prompt for job in batch).values())
    each = counts[0] if len(set(counts)) == 1 else 1
    rows = batch[::each]
    durations = [job.duration for job in rows]
    inputs = processor(
        text=[job.text for job in rows],
        duration=None if durations[0] is None else [seconds for seconds in durations if seconds is not None],
        people=people,
        parts=None if parts is None else [parts] * len(rows),
        given=given,
    )
    settings |= {"num_return_sequences": each, "seed": [job.seed for job in batch]}
    if progress is None:
        output = model.generate_motion(**inputs, processor=processor, **settings)
    else:
        output = _streamed(model, inputs, processor.fps, progress, settings)
    motions = processor.decode_motion(output, [job.text for job in batch], given=given)
    features = output.features.float().cpu().numpy()
    first = 0 if given is None else given.num_people
    for motion, own in zip(motions, features, strict=True):
        if plant_feet:
            from modeling_motionllm.planted_feet_motionllm import plant_feet as planted

            made = motion.joints[first:] if motion.joints.ndim == 4 else motion.joints
            made[...] = planted(made, motion.fps)
        elif given is None:  # else the joints are not all recovered from them
            own = own[: motion.num_people, : motion.num_frames]
            motion.features = own if motion.joints.ndim == 4 else own[0]
    return list(zip(motions, processor.decode_parts(output), strict=True))


def _streamed(
    model: "MotionLLMForCausalLM",
    inputs: Mapping[str, Any],
    fps: float,
    progress: Callable[[float], None],
    settings: dict[str, Any],
) -> "MotionGenerationOutput":
    """The output of `generate_motion`, joined of the chunks of `stream_motion`."""
    import torch  # late, as --help needs this module

    from modeling_motionllm.output_motionllm import MotionGenerationOutput

    inputs = {name: value for name, value in inputs.items() if name != "num_people"}
    chunks = []
    for chunk in model.stream_motion(**inputs, **settings):
        chunks.append(chunk)
        progress(sum(part.features.shape[2] for part in chunks) / fps)
    joined = {
        name: torch.cat([chunk[name] for chunk in chunks], dim=2) for name in ("codes", "attention_mask", "features")
    }
    return MotionGenerationOutput(**joined, placements=chunks[0].placements, num_people=chunks[0].num_people)
