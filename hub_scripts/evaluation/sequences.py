"""Sequences in time, one person doing one thing after another: the real ones, and those that a checkpoint makes."""

import argparse
import hashlib
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hub_scripts.data.store import dataset_columns, read_motions
from hub_scripts.evaluation.outputs import (
    Arrays,
    OutputStore,
    candidates_of,
    drawing_words,
    output_store,
    run_batches,
)
from hub_scripts.metrics.reconstruction import reconstruct
from hub_scripts.metrics.sequences import HeadingDrift, Seams, SegmentsDone, SequenceMotions
from hub_scripts.options.checkpoint import load_processor
from hub_scripts.options.engine import engine_settings, load_engine
from modeling_motionllm.decoding_motionllm import MotionEngine
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.motion_features import HUMANML3D, features_to_joints
from modeling_motionllm.placement_motionllm import stand_on_floor
from modeling_motionllm.planted_feet_motionllm import plant_feet
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.settings_motionllm import MotionSettings

__all__ = ["ToldSequence", "generated_row", "measure_sequences", "read_sequences", "sequence_figures"]


def measure_sequences(args: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """The figures of `motionllm evaluate --sequences`, under the name that `evaluation.json` has for them.

    Args:
        args: of the command. Where no checkpoint is given and the default one knows no turns, real motions alone are
            measured.
        settings: of `generate_motion`.

    Raises:
        MotionLLMError: no such data, or a checkpoint that was asked for and knows no turns.
    """
    sequences = read_sequences(args.sequences, args.split, args.clips)
    processor = load_processor(args.model)
    if not processor.tells_turns:
        line = f"the checkpoint '{args.model}' knows no turns: it was trained without sequences"
        if args.model_is_given:
            raise MotionLLMError(f"{line}; give one that was trained with them")
        print(f"{line}; only real motions are measured", file=sys.stderr)
        return {"sequence_generation": sequence_figures(sequences)}
    model, engine = load_engine(args, processor)
    name = ", ".join(engine_settings(args).values())
    drawing = asdict(MotionSettings.of(model.generation_config, dict(settings)))
    generated, words = generated_row(
        model,
        processor,
        sequences,
        seed=args.seed,
        batch_size=args.batch_size,
        store=output_store(args.work, args.model, "sequences", settings=drawing, engine=name),
        engine=engine,
        planted=args.plant_feet,
        **settings,
    )
    return {"sequence_generation": sequence_figures(sequences, model, generated, [*words, *filter(None, [name])])}


@dataclass(frozen=True)
class ToldSequence:
    """A motion of one person in segments.

    Args:
        sentences: what is done in each segment.
        ends: feature row at which each segment ends.
        joints: (T, 22, 3), metres.
        features: raw (T - 1, 263).
        composed: whether it is put together from clips.
    """

    sentences: list[str]
    ends: list[int]
    joints: np.ndarray
    features: np.ndarray
    composed: bool


def read_sequences(folder: str | os.PathLike[str], split: str, count: int | None = None) -> list[ToldSequence]:
    """The sequences of a split; of the n captions of a segment of sequence i the one of number i mod n.

    Args:
        folder: dataset with segments, such as `motionllm prepare sequences` writes.
        split: of it.
        count: only so many, a fixed random choice (by the hash of their names).

    Raises:
        MotionLLMError: no such dataset or split, or one without segments.
    """
    if "segment_ends" not in dataset_columns(folder, split):
        raise MotionLLMError(f"'{folder}' holds no sequences in time; compose some (`motionllm prepare sequences`)")
    columns = ["name", "composed", "joints", "features", "segment_captions", "segment_ends"]
    rows = list(enumerate(read_motions(folder, split, columns)))
    if count is not None:
        order = sorted(rows, key=lambda row: hashlib.sha256(row[1]["name"].encode()).hexdigest())
        rows = sorted(order[:count], key=lambda row: row[0])
    return [
        ToldSequence(
            [captions[index % len(captions)] for captions in row["segment_captions"]],
            list(row["segment_ends"]),
            np.asarray(row["joints"][0], dtype=np.float64),
            row["features"][0],
            bool(row["composed"]),
        )
        for index, row in rows
    ]


def sequence_figures(
    sequences: Sequence[ToldSequence],
    model: MotionLLMForCausalLM | None = None,
    generated: SequenceMotions | None = None,
    protocol: Sequence[str] = (),
) -> dict[str, Any]:
    """The figures: rows of the real sequences and, with a model, of their reconstruction and of what it made.

    Args:
        sequences: the real ones.
        model: whose VQ-VAE reconstructs them.
        generated: of `generated_row`.
        protocol: how they were made, in words.
    """
    told = [one.sentences for one in sequences]
    ends = [one.ends for one in sequences]
    rows = {"real": SequenceMotions([one.joints for one in sequences], ends, told)}
    if model is not None:
        made = reconstruct(model.motion_vq, [one.features for one in sequences], progress=True)
        joints = [
            stand_on_floor(features_to_joints(clip.astype(np.float64), HUMANML3D)[None])[0] for clip in made.clips
        ]
        rows["reconstructed"] = SequenceMotions(joints, ends, told)
    if generated is not None:
        rows["generated"] = generated
    composed = all(one.composed for one in sequences)
    chosen = (
        f"{len(sequences)} {'composed ' if composed else ''}sequences of {sum(map(len, ends))} segments (of the n "
        "captions of a segment of sequence i number i mod n), lengths of the real segments"
    )
    return {
        "sequences": len(sequences),
        "seams": rows["real"].num_seams,
        "composed": composed,
        "protocol": ", ".join([chosen, *protocol]),
        "rows": {name: _values(row) for name, row in rows.items()},
    }


def _values(row: SequenceMotions) -> dict[str, list[float]]:
    """Column to value, with 0 for the interval that other figures have; what cannot be judged is left out."""
    values = {
        name: value for metric in (SegmentsDone(), Seams(), HeadingDrift()) for name, value in metric(row).items()
    }
    return {name: [value, 0.0] for name, value in values.items() if math.isfinite(value)}


def generated_row(
    model: MotionLLMForCausalLM,
    processor: MotionLLMProcessor,
    sequences: Sequence[ToldSequence],
    *,
    seed: int = 0,
    batch_size: int = 32,
    store: OutputStore | None = None,
    engine: str | MotionEngine = "auto",
    planted: bool = False,
    **settings: Any,
) -> tuple[SequenceMotions, list[str]]:
    """A motion for the sentences of each sequence, each segment as long as the real one, and how, in words.

    Args:
        model, processor, engine: see `generate_motion`; they know turns.
        sequences: the real ones.
        seed: sequence i draws from `seed + i`, whatever the batches.
        batch_size: motions at once, candidates included.
        store: where to keep them.
        planted: hold feet where they stand.
        settings: of `generate_motion`, in place of the checkpoint's.

    Raises:
        MotionLLMError: the model knows no turns, or a segment is longer than it can make.
    """
    processor.turn_ids(sequences[0].sentences[0])
    drawing = MotionSettings.of(model.generation_config, dict(settings))
    code_seconds = processor.frames_per_code / processor.fps
    told = [one.sentences for one in sequences]
    asked = [[processor.num_codes((b - a) / HUMANML3D.fps) for a, b in pairwise([0, *one.ends])] for one in sequences]

    def make(rows: list[int]) -> list[Arrays]:
        texts = [told[row] for row in rows]
        inputs = processor(text=texts, duration=[[code_seconds * count for count in asked[row]] for row in rows])
        seeds = [seed + row for row in rows]
        output = model.generate_motion(**inputs, processor=processor, seed=seeds, engine=engine, **settings)
        motions = processor.decode_motion(output)
        assert output.segment_ends is not None  # each has two segments or more
        ends = [[end for end in row if end != -1] for row in output.segment_ends.tolist()]
        return [
            {"joints": motion.joints, "ends": np.array(own) * processor.frames_per_code}
            for motion, own in zip(motions, ends, strict=True)
        ]

    keys = [f"{seed + row} {asked[row]} {told[row]}" for row in range(len(told))]
    size = batch_size // candidates_of(drawing, 1)
    made = run_batches(store, [sum(counts) for counts in asked], keys, size, "generate", make)
    joints = [plant_feet(one["joints"], processor.fps) if planted else one["joints"] for one in made]
    words = [f"seed {seed}", drawing_words(drawing), *(["feet planted"] if planted else [])]
    return SequenceMotions(joints, [one["ends"].tolist() for one in made], told, processor.fps), words
