"""What the training commands share: a Trainer, resuming, and the record of how a model was made."""

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import accelerate
import peft
import torch
import transformers
from torch.utils.data import Dataset, Sampler
from transformers import Trainer, TrainingArguments
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import TrainOutput

from hub_scripts.hub.records import TRAINING_RECORD, read_training_record
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder

from .checkpoints import last_checkpoint

__all__ = [
    "TRAINING_RECORD",
    "ModelTrainer",
    "check_resume",
    "read_training_record",
    "training_outcome",
    "write_training_record",
]


class ModelTrainer(Trainer):
    """Trainer that saves the model alone: the pickled `training_args.bin` of `Trainer` is not needed to resume.

    Batches are grouped by the lengths that a dataset tells by itself (`lengths()`), without making its examples.
    """

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != "group_by_length" or not hasattr(dataset, "lengths"):
            return super()._get_train_sampler(dataset)
        size = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthGroupedSampler(size, lengths=dataset.lengths())

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if self.args.should_save:
            folder = ensure_folder(output_dir or str(self.args.output_dir))
            self.accelerator.unwrap_model(self.model).save_pretrained(folder, state_dict=state_dict)


def check_resume(training: TrainingArguments, resume: bool) -> str | None:
    """The checkpoint to go on from, or None for a fresh start.

    Raises:
        MotionLLMError: `resume` without a checkpoint, or a fresh start in a folder that already holds some.
    """
    folder = ensure_folder(training.output_dir)
    last = last_checkpoint(folder)
    if resume and last is None:
        raise MotionLLMError(f"'{folder}' holds no checkpoint to resume from; start without --resume")
    if last is not None and not resume:
        raise MotionLLMError(f"'{folder}' already holds {last.name}; add --resume or choose another --output-dir")
    return None if last is None else str(last)


def describe_hardware() -> str:
    """One line: processor or GPU, cores, versions."""
    if torch.cuda.is_available():
        device = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    else:
        device = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    versions = {"torch": torch, "transformers": transformers, "peft": peft, "accelerate": accelerate}
    return ", ".join([device, *(f"{name} {module.__version__}" for name, module in versions.items())])


def training_outcome(result: TrainOutput, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Steps, seconds and mean logged loss of a finished `Trainer.train`.

    After a resume the seconds are of the last part only; `TrainOutput` has no loss of the earlier parts, so it is taken
    from the logged history, which goes on.
    """
    losses = [float(entry["loss"]) for entry in history if "loss" in entry]
    return {
        "steps": result.global_step,
        "train_seconds": round(result.metrics.get("train_runtime", 0.0), 1),
        "train_loss": round(sum(losses) / len(losses) if losses else result.training_loss, 5),
    }


def write_training_record(folder: Path, **record: Any) -> Path:
    """Write `training_record.json`: command, seed, data hash, outcome and the logged history, with the hardware."""
    record["hardware"] = describe_hardware()
    with atomic_path(folder / TRAINING_RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return folder / TRAINING_RECORD
