"""Generated motions as a dataset: Arrow shards that `datasets.load_dataset` opens, one row a motion."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hub_scripts.data.store import shard_path
from hub_scripts.data.tables import table_features, table_fingerprint, write_table
from hub_scripts.generation.jobs import Job
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, Skeleton

__all__ = ["GeneratedDataset"]

_COLUMNS: dict[str, Any] = {
    "prompt": "int32",
    "caption": "string",
    "seed": "int64",
    "fps": "float32",
    "num_frames": "int32",
    "joints": "array",
    "codes": ["int32"],
    "model": "string",
    "unknown": "float32",
    "segment_captions": [["string"]],
    "segment_ends": ["int32"],
}
_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.arrow
tags:
- motionllm
- human-motion
- synthetic
---

# Generated human motion

Motions that the model `{model}` made from {prompts} sentences ({motions} motions). One row is one motion: `joints`
(frames, {num_joints}, 3) in metres, Y up, {order}, at `fps` frames per second; `codes` of the model's VQ-VAE; the
sentence (`caption`, and its number in the list of sentences, `prompt`); the random `seed`, none for greedy ones;
`unknown`, the probability, by the model, that it has never seen what the sentence asks for. Of motions of several
sentences `segment_captions` holds each of them, and `segment_ends` the frame where it is done. What they may be used
for is said in the model's card.

Settings: `{settings}`
"""


class GeneratedDataset:
    """A folder of shards, one for each batch of jobs; they can be written in any order, by several processes.

    Args:
        folder: where to write.
        batches: all of them.
        settings: everything else that the motions depend on, as JSON values, with the `model`'s name.
        keep: go on with a folder that holds some of the shards already.
        skeleton: of the motions.

    Raises:
        MotionLLMError: the folder cannot be written, or holds shards of something else.
    """

    def __init__(
        self,
        folder: str | Path,
        batches: Sequence[Sequence[Job]],
        settings: dict[str, Any],
        keep: bool,
        skeleton: Skeleton = HUMANML3D,
    ):
        self.folder, self.batches, self.settings, self.keep = Path(folder), batches, settings, keep
        self.skeleton = skeleton
        ensure_folder(self.folder / "data")
        for shard in sorted((self.folder / "data").glob("train-*.arrow")):
            number = next((index for index in range(len(batches)) if self._path(index) == shard), None)
            if number is None or (keep and not self._is_written(number)):
                raise MotionLLMError(
                    f"'{shard}' is of another dataset (other sentences, settings or batches); give another folder, or "
                    "remove it"
                )

    def _path(self, number: int) -> Path:
        return shard_path(self.folder, "train", number, len(self.batches))

    def _hash(self, number: int) -> str:
        content = [self.settings, sorted(_COLUMNS), [asdict(job) for job in self.batches[number]]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _is_written(self, number: int) -> bool:
        path = self._path(number)
        return path.is_file() and table_fingerprint(path) == self._hash(number)

    def has(self, number: int) -> bool:
        """Whether the shard of batch `number` is there and to be kept."""
        return self.keep and self._is_written(number)

    def write(self, number: int, motions: Sequence[Motion]) -> Path:
        """Write the `Motion`s of batch `number`; equal motions give equal bytes."""
        rows = [
            {
                "prompt": job.prompt,
                "caption": motion.caption,
                "seed": motion.seed,
                "fps": motion.fps,
                "num_frames": motion.num_frames,
                "joints": np.asarray(motion.joints, dtype=np.float32),
                "codes": motion.codes,
                "model": motion.model,
                "unknown": motion.unknown,
                "segment_captions": [[segment.text] for segment in motion.segments or ()],
                "segment_ends": [round(segment.end * motion.fps) for segment in motion.segments or ()],
            }
            for job, motion in zip(self.batches[number], motions, strict=True)
        ]
        features = table_features(_COLUMNS, {"joints": (self.skeleton.num_joints, 3)})
        write_table(self._path(number), rows, features, fingerprint=self._hash(number))
        return self._path(number)

    def write_card(self) -> None:
        """Write the dataset card."""
        jobs = [job for batch in self.batches for job in batch]
        settings = " ".join(f"{name}={value}" for name, value in self.settings.items() if name != "model")
        with atomic_path(self.folder / "README.md") as temporary:
            text = _CARD.format(
                model=self.settings["model"],
                num_joints=self.skeleton.num_joints,
                order="SMPL-22 order"
                if self.skeleton is HUMANML3D
                else f"joints of the skeleton '{self.skeleton.name}'",
                prompts=len({job.prompt for job in jobs}),
                motions=len(jobs),
                settings=settings,
            )
            temporary.write_text(text, encoding="utf-8")
