"""One training of the language model: its examples, the run, and the checkpoint and record that it leaves."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import set_seed
from transformers.trainer_utils import IntervalStrategy, TrainOutput

from hub_scripts.data.codes import CodeRow, read_codes, read_codes_summary, weights_hash
from hub_scripts.data.sentence_store import SentenceRow, read_sentences, read_sentences_summary
from hub_scripts.hub.actions import actions_in, known_actions, write_actions
from hub_scripts.hub.card import write_model_card
from hub_scripts.hub.records import VQ_RECORD
from modeling_motionllm.checkpoint_motionllm import MOTION_VQ_FOLDER, save_processor, save_thin_checkpoint
from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

from .adapter_trainer import AdapterTrainer
from .arguments import ModelArguments, MotionLLMTrainingArguments
from .examples import LossWeights, MatchedSentence, MotionTextExamples, PadExamples
from .model import add_adapter, build_model, train_in_bfloat16, trained_share
from .previews import add_previews
from .trainer import (
    TRAINING_RECORD,
    ModelTrainer,
    check_resume,
    num_examples,
    read_training_record,
    run_record,
    training_outcome,
    write_training_record,
)

__all__ = ["MotionLLMTraining"]

# As in the last stage of the shipped checkpoint, see docs/training.md.
_WEIGHTS = LossWeights(opening=2.5, placement=4.0, part=3.0, unknown=8.0)
_UNCONDITIONAL, _WITH_PARTS, _ALONE, _IN_BETWEEN, _OPENINGS = 0.5, 0.95, 0.2, 0.08, 0.35

_OF_DATA = ("data_name", "data_license", "data_licenses", "data_sha256", "notice")


class MotionLLMTraining:
    """A training, ready to run: everything is loaded and checked.

    Args:
        arguments: the model and its data, checked.
        training: of the Trainer.
        command: as it was typed, for the record.

    Raises:
        MotionLLMError: something is missing or does not fit together.
    """

    trainer: AdapterTrainer | ModelTrainer

    def __init__(self, arguments: ModelArguments, training: MotionLLMTrainingArguments, command: str):
        self.arguments, self.training, self.command = arguments, training, command
        run = run_record(arguments, training, **_read_hashes(arguments))
        self.resume = check_resume(training, run)
        set_seed(training.seed)
        rows, sentences = read_rows(arguments, "train")
        low = training.bf16 and not arguments.train_all
        dtype = torch.bfloat16 if low else None
        model, tokenizer, self.processor = build_model(arguments, rows, training.seed, dtype)
        learner: PeftModel | MotionLLMForCausalLM = model
        if arguments.train_all:
            model.motion_vq.requires_grad_(False)
        else:
            learner = add_adapter(model, arguments, rows)
            if low:
                train_in_bfloat16(learner, training.device)
        self.trained, self.total = trained_share(learner)
        train = training_examples(rows, sentences, self.processor, arguments, training)
        val = val_examples(self.processor, arguments)
        self.has_val = val is not None
        earlier = Path(arguments.init_from) if arguments.init_from else None
        self.actions = known_actions(rows, actions_in(earlier, arguments.adapter_name))
        if val is None:
            training.eval_strategy = IntervalStrategy.NO
        self.trainer = (ModelTrainer if arguments.train_all else AdapterTrainer)(
            model=learner,
            args=training,
            train_dataset=train,
            eval_dataset=val,
            data_collator=PadExamples(tokenizer.pad_token_id),
            processing_class=tokenizer,
            run=run,
        )
        if val is not None:
            add_previews(self.trainer, self.processor, val.rows)

    def run(self) -> Path | None:
        """Train, and save the checkpoint in `final/` of the output folder.

        Returns:
            That folder; None in the processes of a distributed run that save nothing.
        """
        result = self.trainer.train(resume_from_checkpoint=self.resume)
        self.trainer.save_state()
        if not self.trainer.is_world_process_zero():
            return None
        final = self._save(result)
        if isinstance(self.trainer, AdapterTrainer):
            self.trainer.final_checkpoint, self.trainer.adapter_name = final, self.arguments.adapter_name
        return final

    def _save(self, result: TrainOutput) -> Path:
        """The checkpoint, thin or full, with the records of this training and of the VQ-VAE's, and a card."""
        arguments, trainer = self.arguments, self.trainer
        final = Path(str(self.training.output_dir)) / "final"
        summaries = [read_codes_summary(folder) for folder in arguments.codes]
        if arguments.sentences is not None:
            summaries.append(read_sentences_summary(arguments.sentences))
        learner = trainer.accelerator.unwrap_model(trainer.model)
        if arguments.train_all:
            learner.save_pretrained(final)
            save_processor(self.processor, final)
            of_training, of_vq = final, final / VQ_RECORD
        else:
            save_thin_checkpoint(final, learner, self.processor, arguments.adapter_name)
            of_training = final / "adapters" / arguments.adapter_name
            of_vq = final / MOTION_VQ_FOLDER / TRAINING_RECORD
        vq_record = Path(arguments.vq) / TRAINING_RECORD
        if vq_record.is_file():
            shutil.copyfile(vq_record, of_vq)
        earlier = arguments.init_from and Path(arguments.init_from) / "adapters" / arguments.adapter_name
        write_training_record(
            of_training,
            command=self.command,
            finished=time.strftime("%Y-%m-%d"),
            seed=self.training.seed,
            data_name=summaries[0].get("data_name"),
            data_license=summaries[0].get("data_license"),
            data_sha256=summaries[0]["data_sha256"],
            more_data=[{name: summary[name] for name in _OF_DATA if name in summary} for summary in summaries[1:]],
            frozen_rows=arguments.freeze_new_rows,
            vq_sha256=weights_hash(arguments.vq),
            trained_parameters=self.trained,
            language_model_parameters=self.total,
            **training_outcome(result, trainer.state.log_history),
            history=trainer.state.log_history,
            continued_from=read_training_record(earlier or None),
        )
        write_actions(of_training, self.actions)
        write_model_card(final, adapter_name=arguments.adapter_name)
        return final


def _read_hashes(arguments: ModelArguments) -> dict[str, Any]:
    """Hashes of the files that a training reads, whatever their folders are called.

    Raises:
        MotionLLMError: one is missing.
    """
    hashes: dict[str, Any] = {"codes": [], "vq": weights_hash(arguments.vq)}
    for folder in arguments.codes:
        read_codes_summary(folder)
        train = Path(folder) / "train.arrow"
        hashes["codes"].append(file_sha256(train) if train.is_file() else None)
    if arguments.sentences is not None:
        read_sentences_summary(arguments.sentences)
        hashes["sentences"] = file_sha256(Path(arguments.sentences) / "train.arrow")
    if Path(arguments.base_model).is_dir():
        weights = sorted(Path(arguments.base_model).glob("*.safetensors"))
        hashes["base_model"] = [file_sha256(path) for path in weights]
    return hashes


def read_rows(arguments: ModelArguments, split: str) -> tuple[Sequence[CodeRow], list[MatchedSentence]]:
    """The rows of all code stores that have this split, and people's sentences matched with them.

    Raises:
        MotionLLMError: a store cannot be read.
    """
    stores = [(folder, read_codes_summary(folder)) for folder in arguments.codes]
    stores = [(folder, summary) for folder, summary in stores if split in summary.get("splits", {split: None})]
    rows = read_codes([folder for folder, _ in stores], split)
    if arguments.sentences is None:
        return rows, []
    places: dict[str, int] = {}
    start = 0
    for folder, summary in stores:
        name, own = summary.get("data_name"), read_codes(folder, split)
        places |= {f"{name}/{row['name']}": index for index, row in enumerate(own, start)}
        start += len(own)
    return rows, match_sentences(read_sentences(arguments.sentences, split), places)


def match_sentences(sentences: Sequence[SentenceRow], places: Mapping[str, int]) -> list[MatchedSentence]:
    """Sentences with the indices of the rows that show them.

    Args:
        sentences: of a sentence store.
        places: index of each row, by "DATASET/NAME".

    Returns:
        Those that a row shows, and those that are unknown; others, whose motions are not trained on, are left out.
    """
    matched = []
    for row in sentences:
        found = [places[name] for name in row["motions"] if name in places]
        if found or not row["known"]:
            matched.append(MatchedSentence(row["sentence"], row["actions"], found))
    return matched


def training_examples(
    rows: Sequence[CodeRow],
    sentences: Sequence[MatchedSentence],
    processor: MotionLLMProcessor,
    arguments: ModelArguments,
    training: MotionLLMTrainingArguments,
) -> MotionTextExamples:
    """The examples of a whole training."""
    return MotionTextExamples(
        rows,
        processor,
        num_examples(training),
        training.seed,
        sentences,
        **_shares(arguments),
        balance=arguments.balance,
        unconditional=_UNCONDITIONAL,
        with_parts=_WITH_PARTS,
        alone=_ALONE,
        in_between=_IN_BETWEEN if "in_between" in processor.prompts else 0.0,
        openings=_OPENINGS,
        weights=_WEIGHTS,
    )


def val_examples(processor: MotionLLMProcessor, arguments: ModelArguments) -> MotionTextExamples | None:
    """Examples to measure the loss on; None where the first code store has no val split.

    Raises:
        MotionLLMError: a store cannot be read.
    """
    if "val" not in read_codes_summary(arguments.codes[0]).get("splits", {"val": None}):
        return None
    rows, sentences = read_rows(arguments, "val")
    return MotionTextExamples(
        rows, processor, 2 * len(rows), 0, sentences, **_shares(arguments), balance=1.0, with_parts=_WITH_PARTS
    )


def _shares(arguments: ModelArguments) -> dict[str, Any]:
    names = ("text_to_motion", "scene_share", "sequence_share", "sentence_share", "unknown_share")
    return {name: getattr(arguments, name) for name in names}
