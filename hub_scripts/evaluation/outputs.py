"""Generating for a whole split: motions for sentences and captions for motions, in batches, kept as they come."""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from hub_scripts.metrics.reconstruction import batches_by_length
from modeling_motionllm.arrays_motionllm import NpzArrays
from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.decoding_motionllm import MotionEngine
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.generation_motionllm import MotionGenerationOutput
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.motion_features import features_to_joints, joints_to_features, skeleton_of_features
from modeling_motionllm.planted_feet_motionllm import plant_feet
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.prompts_motionllm import pad_left
from modeling_motionllm.settings_motionllm import CaptionSettings, MotionSettings

__all__ = [
    "GeneratedMotion",
    "OutputStore",
    "candidates_of",
    "caption_words",
    "drawing_words",
    "generate_captions",
    "generate_motions",
    "output_store",
    "plant_features",
    "run_batches",
    "well_formed",
]

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class GeneratedMotion:
    """What came out for one sentence.

    Args:
        codes: (P, L); of an output that is not well-formed (somebody has another number of codes than asked) code 0.
        features: raw (P, T, D) of these codes.
        placements: (P, 3); of an output that is not well-formed everybody stands in one place.
        well_formed: whether it is.
    """

    codes: np.ndarray
    features: np.ndarray
    placements: np.ndarray
    well_formed: np.ndarray


def drawing_words(settings: MotionSettings, people: int = 1) -> str:
    """How motions of so many people are drawn, in the words of a protocol."""
    kind = f"sampled, temperature {settings.temperature:g}, top-p {settings.top_p or 1:g}"
    guidance = f", guidance {settings.guidance_scale:g}" if settings.guidance_scale != 1 else ""
    candidates = candidates_of(settings, people)
    best = f", best of {candidates}" if candidates != 1 else ""
    return (kind if settings.do_sample else "greedy") + guidance + best


def caption_words(settings: CaptionSettings) -> str:
    """How captions are decoded, in the words of a protocol."""
    if settings.num_candidates == 1:
        return f"sampled, temperature {settings.temperature:g}" if settings.do_sample else "greedy"
    return f"best of {settings.num_candidates} (the greedy one and others drawn, top-p {settings.top_p or 1:g})"


def candidates_of(settings: MotionSettings, people: int) -> int:
    return settings.people_candidates if people > 1 else settings.num_candidates


class OutputStore:
    """Outputs by key in files of arrays, one for each batch as it comes; what is there is not made again.

    Args:
        folder: where to keep them; None keeps them in memory.
        settings: everything that the outputs depend on; other settings are kept in another folder.
    """

    def __init__(self, folder: str | Path | None, **settings: Any):
        self.values: dict[str, Arrays] = {}
        self.folder: Path | None = None
        if folder is None:
            return
        key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = ensure_folder(Path(folder) / f"outputs-{key}")
        for path in sorted(self.folder.glob("[!.]*.npz")):
            try:
                self.values |= _read_outputs(path)
            except MotionLLMError as error:  # such as a disk that was full left it
                print(f"left out, and made again: {error}", file=sys.stderr)

    def add(self, outputs: dict[str, Arrays]) -> None:
        """Keep some outputs."""
        self.values |= outputs
        if self.folder is None:
            return
        arrays = {
            f"{number} {field}": array
            for number, several in enumerate(outputs.values())
            for field, array in several.items()
        }
        digest = hashlib.sha256("\n".join(outputs).encode()).hexdigest()[:16]
        with atomic_path(self.folder / f"{digest}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **{"keys": np.array(list(outputs))}, **arrays)  # type: ignore[arg-type]


def output_store(folder: str | None, model: str, task: str, **settings: Any) -> OutputStore:
    """Where the outputs of a checkpoint are kept: they depend on its weights, by their hash where they are local.

    Args:
        folder: see `OutputStore`.
        model: folder or Hub id of the checkpoint.
        task: what it does.
        settings: everything else that the outputs depend on.
    """
    weights = sorted(Path(model).rglob("*.safetensors")) if Path(model).is_dir() else []
    return OutputStore(folder, model=[file_sha256(path) for path in weights] or model, task=task, **settings)


def _read_outputs(path: Path) -> dict[str, Arrays]:
    """The outputs in a file of `OutputStore`.

    Raises:
        MotionLLMError: it is damaged.
    """
    arrays = NpzArrays(path, str(path))
    if "keys" not in arrays:
        raise MotionLLMError(f"'{path}' is no file of outputs")
    fields: dict[str, Arrays] = {}
    for name in arrays:
        number, space, field = name.partition(" ")
        if space:
            fields.setdefault(number, {})[field] = arrays[name]
    return {str(key): fields.get(str(number), {}) for number, key in enumerate(arrays["keys"].tolist())}


def well_formed(codes: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Bool (B,): codes (B, L) first, padding after them, as many as wanted."""
    real = codes != -1
    contiguous = ~(real[:, 1:] & ~real[:, :-1]).any(-1)
    return contiguous & (real.sum(-1) == wanted)


def plant_features(features: np.ndarray) -> np.ndarray:
    """Raw features (T, 263) of the same motion with planted feet, see `plant_feet`; all else stays in its place."""
    skeleton = skeleton_of_features(features.shape[1])
    unit = skeleton.metres_per_unit
    joints = features_to_joints(features.astype(np.float64), skeleton)
    joints = plant_feet(unit * joints, skeleton.fps) / unit
    # Features have a row less than frames: the last step is taken once more.
    longer = np.concatenate([joints, 2 * joints[-1:] - joints[-2:-1]])
    return joints_to_features(longer, skeleton, canonicalize=False).astype(np.float32)


def run_batches(
    store: OutputStore | None,
    lengths: Sequence[int],
    keys: Sequence[str],
    batch_size: int,
    label: str,
    make: Callable[[list[int]], list[Arrays]],
) -> list[Arrays]:
    """What `make` makes of the rows whose keys the store does not have, in batches of like length; all values."""
    store = store or OutputStore(None)
    missing = [index for index, key in enumerate(keys) if key not in store.values]
    batches = batches_by_length([lengths[index] for index in missing], max(1, batch_size))
    for batch in tqdm(batches, desc=label):
        rows = [missing[place] for place in batch]
        store.add(dict(zip([keys[row] for row in rows], make(rows), strict=True)))
    return [store.values[key] for key in keys]


def generate_motions(
    model: MotionLLMForCausalLM,
    processor: MotionLLMProcessor,
    captions: Sequence[str],
    people: Sequence[int],
    lengths: Sequence[int],
    *,
    seed: int = 0,
    batch_size: int = 32,
    store: OutputStore | None = None,
    label: str = "generate",
    engine: str | MotionEngine = "auto",
    **settings: Any,
) -> list[GeneratedMotion]:
    """Motions for sentences; what comes out for one does not depend on the batch it is in.

    Args:
        captions: N sentences.
        people: N numbers of people to ask for.
        lengths: N numbers of codes to ask for, of each person.
        seed: sentence i draws from `seed + i`.
        batch_size: motions at once, candidates included.
        store: where to keep them.
        engine: see `generate_motion`.
        settings: of `generate_motion`, in place of the checkpoint's.

    Returns:
        N motions; one that is not well-formed stands still, it is counted and never replaced.

    Raises:
        MotionLLMError: not a number of people and a length for each, or a number that the model cannot make.
    """
    if not len(captions) == len(people) == len(lengths):
        raise MotionLLMError(f"{len(captions)} sentences, {len(people)} numbers of people, {len(lengths)} lengths")
    for count in sorted(set(people)):
        processor.check_people(count)
    keys = [f"{seed + row} {people[row]} {lengths[row]} {caption}" for row, caption in enumerate(captions)]
    code_seconds = processor.frames_per_code / processor.fps
    drawing = MotionSettings.of(model.generation_config, dict(settings))

    def make(rows: list[int]) -> list[Arrays]:
        counts = [people[row] for row in rows]
        inputs = processor(
            text=[captions[row] for row in rows],
            people=None if max(people) == 1 else counts,
            duration=[lengths[row] * code_seconds for row in rows],
        )
        seeds = [seed + row for row in rows]
        output = model.generate_motion(**inputs, processor=processor, seed=seeds, engine=engine, **settings)
        made = []
        for place, (row, count) in enumerate(zip(rows, counts, strict=True)):
            codes = output.codes[place, :count].cpu()
            good = bool(well_formed(codes, torch.tensor([lengths[row]] * count)).all())
            own, length = (output.select(torch.tensor([place])), lengths[row]) if good else (_standing(model, count), 1)
            frames = length * processor.frames_per_code
            made.append(
                {
                    "codes": own.codes[0, :count, :length].cpu().numpy(),
                    "features": own.features[0, :count, :frames].float().cpu().numpy(),
                    "placements": own.placements[0, :count].cpu().numpy(),
                    "well_formed": np.array(good),
                }
            )
        return made

    # All people of a scene stand in one sequence.
    whole = [count * length for count, length in zip(people, lengths, strict=True)]
    size = batch_size // candidates_of(drawing, max(people, default=1))
    return [GeneratedMotion(**made) for made in run_batches(store, whole, keys, size, label, make)]


def _standing(model: MotionLLMForCausalLM, people: int) -> MotionGenerationOutput:
    return MotionGenerationOutput.of_codes(model.motion_vq, torch.zeros(1, people, 1, dtype=torch.long))


def generate_captions(
    model: MotionLLMForCausalLM,
    processor: MotionLLMProcessor,
    names: Sequence[str],
    codes: Sequence[np.ndarray],
    placement_bins: Sequence[np.ndarray] | None = None,
    *,
    seed: int = 0,
    batch_size: int = 32,
    store: OutputStore | None = None,
    **settings: Any,
) -> list[str]:
    """Captions of motions.

    Args:
        names: N names, of the motions.
        codes: their codes, (L,) of one person or (P, L); a motion longer than the model takes is described by its
            beginning.
        placement_bins: (P, 3) of each; one person needs none.
        seed: motion i draws from `seed + i`, where anything is drawn.
        settings: of `generate_caption`, in place of the checkpoint's.

    Raises:
        MotionLLMError: not a name for each, or a number of people that the model does not know.
    """
    if len(names) != len(codes):
        raise MotionLLMError(f"{len(names)} names for {len(codes)} motions; give one each")
    people = [np.atleast_2d(motion) for motion in codes]
    for count in sorted({len(motion) for motion in people}):
        processor.check_people(count)
    limit = processor.num_codes(processor.max_seconds)
    drawing = CaptionSettings.of(model.generation_config, dict(settings))

    def make(rows: list[int]) -> list[Arrays]:
        bins = [[] if placement_bins is None else placement_bins[row].tolist() for row in rows]
        told = [people[row][:, :limit].tolist() for row in rows]
        prompts = pad_left([processor.motion_to_text_ids(*pair) for pair in zip(told, bins, strict=True)], 0)
        seeds = [seed + row for row in rows]
        ids = model.generate_caption(**prompts, processor=processor, seed=seeds, **settings)
        return [{"caption": np.array(text)} for text in processor.decode_caption(ids)]

    # A greedy caption is kept by its name, a drawn one by its seed too.
    drawn = drawing.do_sample or drawing.num_candidates > 1
    keys = [f"{seed + row} {name}" if drawn else name for row, name in enumerate(names)]
    made = run_batches(store, [motion.size for motion in people], keys, batch_size, "describe", make)
    return [str(each["caption"]) for each in made]
