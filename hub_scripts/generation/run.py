"""Making the motions of `motionllm generate`, batch by batch, and writing each batch when it is there."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from hub_scripts.generation.jobs import Job
from hub_scripts.generation.kept_files import written_settings
from hub_scripts.hub.version import __version__

if TYPE_CHECKING:
    from hub_scripts.generation.dataset import GeneratedDataset
    from hub_scripts.generation.shape import Shape
    from hub_scripts.hub.actions import KnownAction
    from modeling_motionllm.decoding_motionllm import MotionEngine
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.motion import Motion
    from modeling_motionllm.output_motionllm import MotionGenerationOutput
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["MadeMotion", "MotionRun", "generate_batch", "understood_as"]


@dataclass(frozen=True)
class MadeMotion:
    """A generated motion.

    Args:
        motion: it.
        parts: what each of its people does, where that was told.
        understood: the model's own caption of it, or of each of its segments, where that was asked for.
        shaped: what was done to it for a game.
    """

    motion: "Motion"
    parts: list[str]
    understood: list[str]
    shaped: Sequence[str] = ()

    def notes(self, given: int) -> list[str]:
        """Lines about it; the first `given` people were given."""
        lines = [
            f"person {person + 1}: {part}{' (given)' if person < given else ''}"
            for person, part in enumerate(self.parts)
        ]
        if self.motion.segments is None:
            return [*lines, *self.shaped, *(f"understood as: {caption}" for caption in self.understood)]
        for place, (text, start, end) in enumerate(self.motion.segments):
            understood = self.understood[place] if self.understood else ""
            more = f" (understood as: {understood})" if understood else ""
            lines.append(f"{start:.1f}-{end:.1f} s: {text}{more}")
        return [*lines, *self.shaped]


@dataclass
class MotionRun:
    """Makes batches of motions; the model is loaded when the first motion is to be made.

    Args:
        processor: of the model.
        load: gives the model and its engine.
        write: writes the files of a motion, with lines about it.
        is_there: whether all files of a job are written already, of its sentence, seed and settings.
        model_name: recorded in the motions.
        actions: gives the actions that the model was trained on.
        dataset: where whole batches are written too.
        skip_existing: make only what is not there yet.
        seeded: whether motions are drawn, so that the seed is recorded.
        settings: how motions are drawn, recorded in them.
        options: of `generate_batch`.
    """

    processor: "MotionLLMProcessor"
    load: "Callable[[], tuple[MotionLLMForCausalLM, str | MotionEngine]]"
    write: "Callable[[Motion, Job, Sequence[str]], None]"
    is_there: Callable[[Job], bool]
    model_name: str
    actions: "Callable[[], Sequence[KnownAction]]"
    dataset: "GeneratedDataset | None" = None
    skip_existing: bool = False
    seeded: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    _told_unknown: set[int] = field(default_factory=set)  # sentences
    _loaded: "tuple[MotionLLMForCausalLM, str | MotionEngine] | None" = None

    def make(self, number: int, batch: Sequence[Job]) -> None:
        """Make and write the motions of batch `number`."""
        # A shard is made whole or not at all; files one by one.
        held = self.dataset is None or self.dataset.has(number)
        if self.skip_existing and held:
            batch = [job for job in batch if not self.is_there(job)]
        if not batch:
            return
        if self._loaded is None:
            self._loaded = self.load()
        model, engine = self._loaded
        made = generate_batch(model, self.processor, batch, engine=engine, **self.options)
        given = self.options.get("given")
        known = 0 if given is None else given.num_people
        for one, job in zip(made, batch, strict=True):
            motion = one.motion
            motion.seed = job.seed if self.seeded else None
            motion.model = self.model_name
            motion.version = __version__
            motion.settings = written_settings(self.settings, job)
            self._tell_unknown(motion.unknown, job)
            self.write(motion, job, one.notes(known))
        if self.dataset is not None and not self.dataset.has(number):
            print(f"  {self.dataset.write(number, [one.motion for one in made])}")

    def _tell_unknown(self, unknown: float | None, job: Job) -> None:
        """Say once of a sentence that the model has hardly seen what it asks for, where it says so itself."""
        from hub_scripts.generation.nearest_actions import unknown_line

        assert self._loaded is not None
        if job.prompt in self._told_unknown:
            return
        line = unknown_line(", then ".join(job.sentences), unknown, self.actions, self._loaded[0], self.processor)
        if line is not None:
            self._told_unknown.add(job.prompt)
            print(line)


def generate_batch(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    batch: Sequence[Job],
    *,
    people: int = 1,
    parts: Sequence[str] | None = None,
    given: "Motion | None" = None,
    plant_feet: bool = False,
    captions: bool = False,
    progress: Callable[[float], None] | None = None,
    after: "Motion | None" = None,
    before: "Motion | None" = None,
    shape: "Shape | None" = None,
    **settings: Any,
) -> list[MadeMotion]:
    """The motions of a batch. Every sentence is read once, if all have as many motions.

    Args:
        model: makes them.
        processor: of the model.
        batch: jobs that all have a duration, or none of them; with sentences to come `then`, or without.
        people: in each.
        parts: what each of them does; the model says it where left out.
        given: the motion of the first of them.
        plant_feet: hold the feet of those who are made where they stand.
        captions: ask the model too what it sees in them: the likeliest sentence for each, all at once; not where
            several people do one thing after another.
        progress: called with the seconds of motion that are there, while they are decoded; for one person.
        after: a motion of one person that all of them go on from.
        before: with `after`, another one that they lead over to.
        shape: what to make of each motion of one person.
        settings: of `generate_motion`.

    Raises:
        MotionLLMError: as `generate_motion`, or a motion cannot be what `shape` asks for.
    """
    if shape is not None:
        from hub_scripts.generation.shaping import made_in_shape

        settings |= {"plant_feet": plant_feet}
        return made_in_shape(model, processor, batch, shape, captions, settings)
    if after is not None:
        return [_made_after(model, processor, job, after, before, plant_feet, captions, settings) for job in batch]
    counts = list(Counter(job.prompt for job in batch).values())
    each = counts[0] if len(set(counts)) == 1 else 1
    rows = batch[::each]
    in_turns = any(job.then for job in rows)
    durations: list[Any] = [job.durations if in_turns else job.duration for job in rows]
    inputs = processor(
        text=[job.sentences if in_turns else job.text for job in rows],
        duration=None if rows[0].duration is None else durations,
        people=people,
        parts=None if parts is None else [parts] * len(rows),
        given=given,
    )
    settings |= {"num_return_sequences": each, "seed": [job.seed for job in batch]}
    if progress is None:
        output = model.generate_motion(**inputs, processor=processor, **settings)
    else:
        output = _streamed(model, inputs, processor.fps, progress, settings)
    told: list[Any] = [job.sentences if in_turns else job.text for job in batch]
    motions = processor.decode_motion(output, told, given=given)
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
    understood: list[list[str]] = [[] for _ in motions]
    if captions and not (in_turns and people > 1):  # which begin where the turns before them have led
        sentences = iter(understood_as(model, processor, output))
        understood = [list(islice(sentences, len(motion.segments or ("",)))) for motion in motions]
    return list(map(MadeMotion, motions, processor.decode_parts(output), understood))


def understood_as(
    model: "MotionLLMForCausalLM", processor: "MotionLLMProcessor", output: "MotionGenerationOutput"
) -> list[str]:
    """The model's own captions of motions, or of each of their segments, one after the other: the likeliest ones."""
    shown = output if output.segment_ends is None else _segments(output)
    ids = model.generate_caption(**processor(motion=shown), num_candidates=1, do_sample=False)
    return processor.decode_caption(ids)


def _made_after(
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
    job: Job,
    after: "Motion",
    before: "Motion | None",
    plant_feet: bool,
    captions: bool,
    settings: dict[str, Any],
) -> MadeMotion:
    """The motion of a job that goes on from another one, and leads over to a third where there is one."""
    from hub_scripts.generation.continuing import fill_between, go_on

    settings = {**settings, "seed": job.seed}
    if before is None:
        made = go_on(model, processor, after, job.sentences, job.durations, plant_feet, **settings)
    else:
        assert isinstance(job.duration, float)
        made = fill_between(model, processor, after, before, job.text, job.duration, **settings)
    return MadeMotion(made.motion, [], made.understood(model, processor) if captions else [])


def _segments(output: "MotionGenerationOutput") -> "MotionGenerationOutput":
    """The segments of motions in turns as motions of their own, one after the other; codes alone."""
    import torch

    from modeling_motionllm.output_motionllm import MotionGenerationOutput
    from modeling_motionllm.prompts_motionllm import pad_right

    assert output.segment_ends is not None
    rows = []
    for codes, ends in zip(output.codes[:, 0].tolist(), output.segment_ends.tolist(), strict=True):
        known = [0, *(end for end in ends if end != -1)]
        rows += [codes[start:stop] for start, stop in pairwise(known)]
    codes = pad_right(rows, -1)[:, None]
    one = torch.ones(len(rows), dtype=torch.long)
    places = torch.zeros(len(rows), 1, 3, dtype=torch.float64)
    return MotionGenerationOutput(codes, codes != -1, placements=places, num_people=one)


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
    last = chunks[-1]
    return MotionGenerationOutput(
        **joined,
        placements=last.placements,
        num_people=last.num_people,
        unknown=last.unknown,
        segment_ends=last.segment_ends,
    )
