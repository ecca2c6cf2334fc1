"""What the training commands share: a Trainer, resuming, and the record of how a model was made."""

import dataclasses
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import accelerate
import peft
import torch
import transformers
from safetensors import SafetensorError
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset, Sampler
from transformers import HfArgumentParser, Trainer, TrainingArguments
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import TrainOutput, rotate_checkpoints

from hub_scripts.data.folder_lock import only_one
from hub_scripts.hub.records import TRAINING_RECORD, read_training_record
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder

from .checkpoints import UNFINISHED, check_same_run, find_checkpoint, finish_checkpoint, remove_unfinished

__all__ = [
    "TRAINING_RECORD",
    "ModelTrainer",
    "ModelTrainingArguments",
    "check_resume",
    "num_examples",
    "only_training",
    "parse_training",
    "read_training_record",
    "run_record",
    "training_outcome",
    "write_training_record",
]


@dataclass
class ModelTrainingArguments(TrainingArguments):
    """Trainer arguments, with the defaults that all our models share."""

    lr_scheduler_type: str = field(default="cosine")
    eval_strategy: str = field(default="steps")
    save_total_limit: int | None = field(default=2)
    report_to: str = field(default="none")
    remove_unused_columns: bool = field(default=False)
    resume: bool = field(default=False, metadata={"help": "Go on from the last checkpoint in output_dir."})


class ModelTrainer(Trainer):
    """Trainer that saves the model alone: the pickled `training_args.bin` of `Trainer` is not needed to resume.

    Batches are grouped by the lengths that a dataset tells by itself (`lengths()`), without making its examples. A
    checkpoint is written in a hidden folder and gets its name when it is whole.

    Args:
        args, kwargs: as for `Trainer`.
        run: what the training was begun with, as `run_record` tells it; it is kept in every checkpoint.
    """

    def __init__(self, *args: Any, run: Mapping[str, Any], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.run = run
        self._hidden: str | None = None
        self._parameters: int | None = None

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != "group_by_length" or not hasattr(dataset, "lengths"):
            return super()._get_train_sampler(dataset)
        # Of all processes together: they share out the batches of the order that one process would have.
        size = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return LengthGroupedSampler(size, lengths=dataset.lengths())

    def _run_epoch(self, model: nn.Module, *args: Any, **kwargs: Any) -> Any:
        model.train()  # all of it, also what was loaded in evaluation mode
        with _steady(model):
            return super()._run_epoch(model, *args, **kwargs)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """As of the base class, which would count all parameters anew at each step."""
        if self._parameters is None:
            self._parameters = self.model.num_parameters(exclude_embeddings=True)
        main_input = inputs.get(self.model.main_input_name)
        return 0 if main_input is None else 6 * main_input.numel() * self._parameters

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if self.args.should_save:
            folder = ensure_folder(output_dir or str(self.args.output_dir))
            self.accelerator.unwrap_model(self.model).save_pretrained(folder, state_dict=state_dict)

    def _get_output_dir(self, trial: Any) -> str:
        return self._hidden or super()._get_output_dir(trial)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder, name = Path(self._get_output_dir(trial)), f"checkpoint-{self.state.global_step}"
        try:
            if self.args.should_save:
                remove_unfinished(folder)
            self.accelerator.wait_for_everyone()
            self._hidden = str(folder / UNFINISHED)
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                self._name_best(folder, name)
                finish_checkpoint(folder, name, self.run)
        except (OSError, RuntimeError, SafetensorError) as error:  # the last two of torch and safetensors: a full disk
            raise MotionLLMError(
                f"cannot write '{folder / name}' ({' '.join(str(error).split())[:160]}); free some space, then go on "
                "with --resume"
            ) from error
        finally:
            self._hidden = None
            if self.args.should_save:
                remove_unfinished(folder)
        if self.args.should_save:
            best = self.state.best_model_checkpoint
            rotate_checkpoints(str(folder), self.args.save_total_limit, best, use_mtime=True)

    def _name_best(self, folder: Path, name: str) -> None:
        """Where the best checkpoint is the one being written, call it by the name that it gets."""
        if self.state.best_model_checkpoint == str(folder / UNFINISHED / name):
            self.state.best_model_checkpoint = str(folder / name)
            self.state.save_to_json(str(folder / UNFINISHED / name / "trainer_state.json"))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        try:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        except (RuntimeError, ValueError, SafetensorError) as error:
            why = " ".join(str(error).split())[:160]
            raise MotionLLMError(
                f"'{resume_from_checkpoint}' does not fit this model ({why}); go on with the options it was begun "
                "with, or choose another --output-dir"
            ) from error


@contextmanager
def _steady(model: torch.nn.Module) -> Iterator[None]:
    """Meanwhile `model.train()` looks at all modules only where the mode changes; the Trainer calls it at each step."""
    # The Trainer evaluates what is inside of the wrapper of several processes, which knows nothing of that.
    inner = model.module if isinstance(model, DistributedDataParallel) else model

    def train(mode: bool = True) -> torch.nn.Module:
        return model if model.training == inner.training == mode else type(model).train(model, mode)

    model.train = train  # type: ignore[method-assign]
    try:
        yield
    finally:
        del model.train


_Arguments = TypeVar("_Arguments")
_Training = TypeVar("_Training", bound=ModelTrainingArguments)


def parse_training(
    argv: Sequence[str], command: str, description: str | None, kinds: tuple[type[_Arguments], type[_Training]]
) -> tuple[_Arguments, _Training]:
    """The options of a command that trains, in the dataclasses that hold its own and those of the Trainer.

    Raises:
        MotionLLMError: the weights are to be shared out among processes (FSDP).
    """
    parser = HfArgumentParser(kinds, prog=command, description=description, allow_abbrev=False)
    arguments, training = parser.parse_args_into_dataclasses(list(argv))
    if training.fsdp or os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true":
        raise MotionLLMError(
            "FSDP shares out the weights, and checkpoints here are written by a process that has all of them; launch "
            "processes that share out the batches, as examples/accelerate/two_processes.yaml does"
        )
    return arguments, training


def num_examples(training: TrainingArguments) -> int:
    """How many examples a whole training sees, in all of its processes together."""
    return training.max_steps * training.train_batch_size * training.gradient_accumulation_steps * training.world_size


def run_record(arguments: Any, training: TrainingArguments, **data: Any) -> dict[str, Any]:
    """What must be the same when a training goes on: the settings of model and data, the seed and the batch.

    Args:
        arguments: dataclass of the command.
        training: of the Trainer.
        data: hashes of what the training reads, by the names of the arguments that tell where it is.
    """
    size = training.train_batch_size * training.gradient_accumulation_steps * training.world_size
    left_out = {"init_from", "adapter_name"}  # where the first step began, and what the result is called
    settings = {name: value for name, value in dataclasses.asdict(arguments).items() if name not in left_out}
    return {**settings, **data, "seed": training.seed, "batch size": size}


def only_training(training: TrainingArguments) -> AbstractContextManager[Any]:
    """Nothing else trains in the output folder meanwhile; of a distributed run the first process sees to that.

    Raises:
        MotionLLMError: another run is at work there.
    """
    return only_one(training.output_dir) if training.should_save else nullcontext()


def check_resume(training: ModelTrainingArguments, run: Mapping[str, Any]) -> str | None:
    """The checkpoint to go on from, or None for a fresh start; broken ones are named and left out.

    What a killed training left half written is removed, by the process that holds the folder (`only_training`).

    Args:
        training: of the Trainer; its `resume` says whether to go on.
        run: what the training is begun with, see `run_record`.

    Raises:
        MotionLLMError: --resume without a whole checkpoint or with other data or settings, or a fresh start in a folder
            that already holds some.
    """
    if not 0 <= training.seed < 1 << 32:
        raise MotionLLMError(f"--seed is {training.seed}; give a number from 0 to {(1 << 32) - 1}")
    folder = ensure_folder(training.output_dir)
    last, broken = find_checkpoint(folder)
    told = ", ".join(f"{name}: {wrong}" for name, wrong in broken.items())
    if training.resume and last is None:
        what = f"no whole checkpoint ({told})" if broken else "no checkpoint"
        raise MotionLLMError(f"'{folder}' holds {what} to resume from; start without --resume")
    if last is not None and not training.resume:
        raise MotionLLMError(f"'{folder}' already holds {last.name}; add --resume or choose another --output-dir")
    if broken:
        print(f"left out in '{folder}': {told}", file=sys.stderr)
    if last is not None:
        check_same_run(last, run)
    if training.should_save:
        remove_unfinished(folder)
    return str(last) if last is not None else None


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
