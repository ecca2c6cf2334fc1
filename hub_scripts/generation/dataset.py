"""Generated motions as a dataset: Parquet shards that `datasets.load_dataset` opens, one row a motion."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hub_scripts.data.columns import array_field, nested_array
from hub_scripts.data.storage import shard_path
from hub_scripts.generation.jobs import Job
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.motion_features import HUMANML3D, Skeleton

__all__ = ["GeneratedDataset"]

_MARK = b"motionllm_sha256"
_HF_FEATURES: dict[str, Any] = {
    "prompt": {"dtype": "int32", "_type": "Value"},
    "caption": {"dtype": "string", "_type": "Value"},
    "seed": {"dtype": "int64", "_type": "Value"},
    "fps": {"dtype": "float32", "_type": "Value"},
    "num_frames": {"dtype": "int32", "_type": "Value"},
    "joints": {"dtype": "float32", "_type": "Array3D"},  # and its shape, which the skeleton tells
    "codes": {"feature": {"dtype": "int32", "_type": "Value"}, "_type": "List"},
    "model": {"dtype": "string", "_type": "Value"},
}
_TYPES = {
    "prompt": pa.int32(),
    "caption": pa.string(),
    "seed": pa.int64(),
    "fps": pa.float32(),
    "num_frames": pa.int32(),
    "codes": pa.list_(pa.int32()),
    "model": pa.string(),
}
_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
tags:
- motionllm
- human-motion
- synthetic
---

# Generated human motion

Motions that the model `{model}` made from {prompts} sentences ({motions} motions). One row is one motion: `joints`
(frames, {num_joints}, 3) in metres, Y up, {order}, at `fps` frames per second; `codes` of the model's VQ-VAE; the
sentence (`caption`, and its number in the list of sentences, `prompt`); the random `seed`, none for greedy ones. What
they may be used for is said in the model's card.

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
        for shard in sorted((self.folder / "data").glob("train-*.parquet")):
            number = next((index for index in range(len(batches)) if self._path(index) == shard), None)
            if number is None or (keep and not self._is_written(number)):
                raise MotionLLMError(
                    f"'{shard}' is of another dataset (other sentences, settings or batches); give another folder, or "
                    "remove it"
                )

    def _path(self, number: int) -> Path:
        return shard_path(self.folder, "train", number, len(self.batches))

    def _hash(self, number: int) -> bytes:
        content = [self.settings, [asdict(job) for job in self.batches[number]]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest().encode()

    def _is_written(self, number: int) -> bool:
        path = self._path(number)
        try:
            return path.is_file() and (pq.read_schema(path).metadata or {}).get(_MARK) == self._hash(number)
        except (OSError, pa.ArrowInvalid) as error:
            raise MotionLLMError(f"'{path}' cannot be read ({error}); remove it, and it is made again") from error

    def has(self, number: int) -> bool:
        """Whether the shard of batch `number` is there and to be kept."""
        return self.keep and self._is_written(number)

    def write(self, number: int, motions: Sequence[Any]) -> Path:
        """Write the `Motion`s of batch `number`; equal motions give equal bytes."""
        jobs = self.batches[number]
        values: dict[str, list[Any]] = {
            "prompt": [job.prompt for job in jobs],
            "caption": [motion.caption for motion in motions],
            "seed": [motion.seed for motion in motions],
            "fps": [motion.fps for motion in motions],
            "num_frames": [motion.num_frames for motion in motions],
            "codes": [motion.codes for motion in motions],
            "model": [motion.model for motion in motions],
        }
        shape = (self.skeleton.num_joints, 3)
        joints = array_field("joints", shape)
        fields = [joints if name == "joints" else pa.field(name, _TYPES[name]) for name in _HF_FEATURES]
        columns = [
            nested_array([motion.joints for motion in motions])
            if field is joints
            else pa.array(values[field.name], type=field.type)
            for field in fields
        ]
        features = _HF_FEATURES | {"joints": {"shape": [None, *shape], **_HF_FEATURES["joints"]}}
        metadata = {
            b"huggingface": json.dumps({"info": {"features": features}}).encode(),
            _MARK: self._hash(number),
        }
        with atomic_path(self._path(number)) as temporary:
            texts = ["caption", "model"]
            table = pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=metadata))
            pq.write_table(table, temporary, compression="zstd", compression_level=1, use_dictionary=texts)
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
