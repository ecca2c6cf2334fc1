"""Generating for a whole split: codes for sentences and captions for motions, in batches, kept as they come."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from hub_scripts.metrics.reconstruction import batches_by_length
from hub_scripts.options.engine import engine_settings
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import ensure_folder
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion_features import features_to_joints, joints_to_features, skeleton_of_features
from modeling_motionllm.planted_feet_motionllm import plant_feet
from modeling_motionllm.prompts_motionllm import pad_left

__all__ = [
    "Decoding",
    "OutputStore",
    "caption_decoding",
    "caption_keys",
    "decode_codes",
    "drawing_words",
    "generate_captions",
    "generate_codes",
    "plant_features",
    "run_batches",
    "well_formed",
]


@dataclass(frozen=True)
class Decoding:
    """How motions are drawn; see `generate_motion`."""

    greedy: bool = False
    temperature: float = 1.0
    top_p: float = 0.9
    guidance_scale: float = 1.0
    best_of: int = 1

    @classmethod
    def of(cls, args: Any) -> "Decoding":
        """As a command's options say."""
        return cls(args.greedy, args.temperature, args.top_p, args.guidance, args.best_of)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `generate_motion`."""
        values = asdict(self)
        return {"do_sample": not values.pop("greedy"), "num_candidates": values.pop("best_of"), **values}

    def __str__(self) -> str:
        guidance = f", guidance {self.guidance_scale:g}" if self.guidance_scale != 1 else ""
        kind = "greedy" if self.greedy else f"sampled, temperature {self.temperature:g}, top-p {self.top_p:g}"
        best = f", best of {self.best_of}" if self.best_of != 1 else ""
        return kind + guidance + best


def drawing_words(args: Any, *more: str) -> str:
    """How motions are drawn and finished, in the words of a protocol: decoding, `more`, feet, engine."""
    planted = ["feet planted"] if args.plant_feet else []
    return ", ".join([str(Decoding.of(args)), *more, *planted, *engine_settings(args).values()])


def caption_decoding(best_of: int) -> str:
    """How captions are decoded, in the words of a protocol."""
    return "greedy" if best_of == 1 else f"best of {best_of} (the greedy one and others drawn, top-p 0.9)"


def caption_keys(names: Sequence[str], best_of: int, seed: int) -> list[str]:
    """Under which each caption is kept: a greedy one by its name, a drawn one by its seed too."""
    return list(names) if best_of == 1 else [f"{seed + row} {name}" for row, name in enumerate(names)]


class OutputStore:
    """Outputs by key in a file of JSON lines, written as they come; what is there is not made again.

    Args:
        folder: where to keep them; None keeps them in memory.
        settings: everything that the outputs depend on; other settings are kept in another file.
    """

    def __init__(self, folder: str | Path | None, **settings: Any):
        self.values: dict[str, Any] = {}
        self.path: Path | None = None
        if folder is None:
            return
        key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        self.path = ensure_folder(folder) / f"outputs-{key}.jsonl"
        if self.path.is_file():
            # A run that was killed may have left half a line at the end.
            lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
            self.values = dict(json.loads(line) for line in lines)
            self.path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def add(self, outputs: dict[str, Any]) -> None:
        """Keep some outputs."""
        self.values |= outputs
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(item) + "\n" for item in outputs.items())


def well_formed(codes: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Bool (B,): codes (B, L) first, padding after them, as many as wanted."""
    real = codes != -1
    contiguous = ~(real[:, 1:] & ~real[:, :-1]).any(-1)
    return contiguous & (real.sum(-1) == wanted)


@torch.no_grad()
def decode_codes(vq: MotionVQModel, codes: Sequence[Sequence[int]], planted: bool = False) -> list[np.ndarray]:
    """Raw features (T, 263) of codes; a motion that failed is a standing frame: it is judged and not left out.

    Args:
        vq: reads the codes.
        codes: of each motion; empty for one that failed.
        planted: whether feet are held where they stand, as `--plant-feet` does.
    """
    clips = []
    for row in codes:
        features = vq.decode(torch.tensor([row or [0]], device=vq.device)).features[0].cpu().numpy()
        clips.append(plant_features(features) if planted else features)
    return clips


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
    store: OutputStore, lengths: Sequence[int], keys: Sequence[str], batch_size: int, label: str, make: Callable
) -> list[Any]:
    """What `make` makes of the rows whose keys the store does not have, in batches of like length; all values."""
    missing = [index for index, key in enumerate(keys) if key not in store.values]
    batches = batches_by_length([lengths[index] for index in missing], batch_size)
    for batch in tqdm(batches, desc=label):
        rows = [missing[place] for place in batch]
        store.add(dict(zip([keys[row] for row in rows], make(rows), strict=True)))
    return [store.values[key] for key in keys]


def generate_codes(
    model: Any,
    processor: Any,
    captions: Sequence[str],
    lengths: Sequence[int],
    decoding: Decoding,
    *,
    seed: int = 0,
    batch_size: int = 32,
    store: OutputStore | None = None,
    label: str = "generate",
    engine: Any = "auto",
) -> list[list[int]]:
    """Codes for sentences; what comes out for one does not depend on the batch it is in.

    Args:
        captions: N sentences.
        lengths: N numbers of codes to ask for.
        decoding: how to draw; sentence i draws from `seed + i`.
        batch_size: motions at once.
        store: where to keep them.
        engine: see `generate_motion`.

    Returns:
        N lists of codes; empty for an output that is not well-formed, which is counted and never replaced.
    """
    store = store or OutputStore(None)
    keys = [f"{seed + index} {lengths[index]} {caption}" for index, caption in enumerate(captions)]
    code_seconds = processor.frames_per_code / processor.fps

    def make(rows: list[int]) -> list[list[int]]:
        texts = [captions[row] for row in rows]
        inputs = processor(text=texts, duration=[lengths[row] * code_seconds for row in rows])
        seeds = [seed + row for row in rows]
        output = model.generate_motion(**inputs, processor=processor, seed=seeds, engine=engine, **decoding.settings)
        codes = output.codes[:, 0].cpu()
        good = well_formed(codes, inputs["num_codes"])
        return [row[row != -1].tolist() if fine else [] for row, fine in zip(codes, good, strict=True)]

    return run_batches(store, lengths, keys, max(1, batch_size // decoding.best_of), label, make)


def generate_captions(
    model: Any,
    processor: Any,
    names: Sequence[str],
    codes: Sequence[np.ndarray],
    *,
    best_of: int = 1,
    seed: int = 0,
    batch_size: int = 32,
    store: OutputStore | None = None,
) -> list[str]:
    """Captions of motions.

    Args:
        names: N names, of the motions.
        codes: their codes (L_i,); a motion longer than the model takes is described by its beginning.
        best_of: candidates of each, see `generate_caption`; 1: greedy.
        seed: motion i draws from `seed + i`.

    Raises:
        MotionLLMError: not a name for each.
    """
    if len(names) != len(codes):
        raise MotionLLMError(f"{len(names)} names for {len(codes)} motions; give one each")
    store = store or OutputStore(None)
    limit = processor.num_codes(processor.max_seconds)

    def make(rows: list[int]) -> list[str]:
        prompts = pad_left([processor.motion_to_text_ids(codes[row][:limit].tolist()) for row in rows], 0)
        seeds = [seed + row for row in rows]
        ids = model.generate_caption(**prompts, processor=processor, num_candidates=best_of, seed=seeds)
        return processor.decode_caption(ids)

    keys = caption_keys(names, best_of, seed)
    return run_batches(store, [len(row) for row in codes], keys, batch_size, "describe", make)
