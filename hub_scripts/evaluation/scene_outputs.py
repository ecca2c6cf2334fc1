"""Generating for a whole split of scenes: people for sentences and captions for scenes, kept as they come."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hub_scripts.evaluation.outputs import Decoding, OutputStore, caption_keys, run_batches, well_formed
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.placement_motionllm import encode_placements

__all__ = ["generate_scene_captions", "generate_scenes"]


def generate_scenes(
    model: Any,
    processor: Any,
    captions: Sequence[str],
    people: Sequence[int],
    lengths: Sequence[int],
    decoding: Decoding,
    *,
    seed: int = 0,
    batch_size: int = 32,
    store: OutputStore | None = None,
    label: str = "generate scenes",
    engine: Any = "auto",
) -> list[dict[str, list[list[int]]] | None]:
    """Codes and placement bins for sentences; what comes out for one does not depend on the batch it is in.

    Args:
        captions: N sentences.
        people: N numbers of people to ask for.
        lengths: N numbers of codes to ask for, of each person.
        decoding: how to draw; sentence i draws from `seed + i`.
        batch_size: scenes at once.
        store: where to keep them.
        engine: of the motions, see `generate_motion`.

    Returns:
        For each `codes` (P, L) and `bins` (P, 3); None for a scene that is not well-formed (somebody has another number
        of codes than asked), which is counted and never replaced.

    Raises:
        MotionLLMError: not a number of people and a length for each, or a number that the model cannot make.
    """
    if not len(captions) == len(people) == len(lengths):
        raise MotionLLMError(f"{len(captions)} sentences, {len(people)} numbers of people, {len(lengths)} lengths")
    for count in sorted(set(people)):
        processor.check_people(count)
    store = store or OutputStore(None)
    keys = [f"{seed + row} {people[row]} {lengths[row]} {caption}" for row, caption in enumerate(captions)]
    code_seconds = processor.frames_per_code / processor.fps

    def make(rows: list[int]) -> list[dict[str, list[list[int]]] | None]:
        texts = [captions[row] for row in rows]
        inputs = processor(
            text=texts,
            people=[people[row] for row in rows],
            duration=[lengths[row] * code_seconds for row in rows],
        )
        seeds = [seed + row for row in rows]
        output = model.generate_motion(**inputs, processor=processor, seed=seeds, engine=engine, **decoding.settings)
        made: list[dict[str, list[list[int]]] | None] = []
        for place, row in enumerate(rows):
            count, length = people[row], lengths[row]
            codes = output.codes[place, :count].cpu()
            good = bool(well_formed(codes, inputs["num_codes"][place].expand(count)).all())
            bins = encode_placements(output.placements[place, :count].cpu().numpy()).tolist()
            made.append({"codes": codes[:, :length].tolist(), "bins": bins} if good else None)
        return made

    # All people of a scene stand in one sequence.
    whole = [count * length for count, length in zip(people, lengths, strict=True)]
    return run_batches(store, whole, keys, max(1, batch_size // decoding.best_of), label, make)


def generate_scene_captions(
    model: Any,
    processor: Any,
    names: Sequence[str],
    scenes: Sequence[np.ndarray],
    *,
    best_of: int = 1,
    seed: int = 0,
    batch_size: int = 32,
    store: OutputStore | None = None,
) -> list[str]:
    """Captions of scenes; `best_of` and `seed` as in `generate_captions`.

    Args:
        names: N names, of the scenes.
        scenes: N joints (P, T, 22, 3) in one world; a scene longer than the model takes is described by its beginning.

    Raises:
        MotionLLMError: not a name for each, or a scene that the model cannot take.
    """
    if len(names) != len(scenes):
        raise MotionLLMError(f"{len(names)} names for {len(scenes)} scenes; give one each")
    for count in sorted({len(scene) for scene in scenes}):
        processor.check_people(count)
    frames = processor.num_codes(processor.max_seconds) * processor.frames_per_code + 1

    def make(rows: list[int]) -> list[str]:
        inputs = processor(motion=[scenes[row][:, :frames] for row in rows])
        seeds = [seed + row for row in rows]
        ids = model.generate_caption(**inputs, processor=processor, num_candidates=best_of, seed=seeds)
        return processor.decode_caption(ids)

    whole = [scene.shape[0] * scene.shape[1] for scene in scenes]
    keys = caption_keys(names, best_of, seed)
    return run_batches(store or OutputStore(None), whole, keys, batch_size, "describe scenes", make)
