"""One training of the language model: its examples, the run, and the checkpoint and record that it leaves."""

import shutil
import time
from pathlib import Path

from peft import PeftModel
from transformers import set_seed
from transformers.trainer_utils import IntervalStrategy, TrainOutput

from hub_scripts.data.codes import read_codes, read_codes_summary, weights_hash
from hub_scripts.hub.actions import actions_in, known_actions, write_actions
from hub_scripts.hub.card import write_model_card
from hub_scripts.hub.records import VQ_RECORD
from modeling_motionllm.checkpoint_motionllm import MOTION_VQ_FOLDER, save_processor, save_thin_checkpoint
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

from .adapter_trainer import AdapterTrainer
from .arguments import ModelArguments, MotionLLMTrainingArguments
from .examples import LossWeights, MotionTextExamples, PadExamples
from .model import add_adapter, build_model, trained_share
from .trainer import (
    TRAINING_RECORD,
    ModelTrainer,
    check_resume,
    read_training_record,
    training_outcome,
    write_training_record,
)

__all__ = ["MotionLLMTraining"]

# As in the last stage of the shipped checkpoint, see docs/training.md.
_WEIGHTS = LossWeights(opening=2.5, placement=4.0, part=3.0)
_UNCONDITIONAL, _WITH_PARTS, _ALONE = 0.5, 0.95, 0.2


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
        self.resume = check_resume(training, training.resume)
        set_seed(training.seed)
        model, tokenizer, self.processor = build_model(arguments, training.seed)
        learner: PeftModel | MotionLLMForCausalLM = model
        if arguments.train_all:
            model.motion_vq.requires_grad_(False)
        else:
            learner = add_adapter(model, arguments)
        self.trained, self.total = trained_share(learner)
        train, val = read_examples(arguments, training, self.processor)
        self.has_val = val is not None
        earlier = Path(arguments.init_from) if arguments.init_from else None
        self.actions = known_actions(train.rows, actions_in(earlier, arguments.adapter_name))
        if val is None:
            training.eval_strategy = IntervalStrategy.NO
        self.trainer = (ModelTrainer if arguments.train_all else AdapterTrainer)(
            model=learner,
            args=training,
            train_dataset=train,
            eval_dataset=val,
            data_collator=PadExamples(tokenizer.pad_token_id),
            processing_class=tokenizer,
        )

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
        codes = read_codes_summary(arguments.codes)
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
            data_name=codes.get("data_name"),
            data_license=codes.get("data_license"),
            data_sha256=codes["data_sha256"],
            frozen_rows=arguments.freeze_new_rows,
            scenes_sha256=read_codes_summary(arguments.scenes)["data_sha256"] if arguments.scenes else None,
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


def read_examples(
    arguments: ModelArguments, training: MotionLLMTrainingArguments, processor: MotionLLMProcessor
) -> tuple[MotionTextExamples, MotionTextExamples | None]:
    """Examples to train on and, where there is a val split, to measure the loss on.

    Raises:
        MotionLLMError: no codes there.
    """
    folders = [folder for folder in (arguments.codes, arguments.scenes) if folder is not None]
    train = MotionTextExamples(
        [row for folder in folders for row in read_codes(folder, "train")],
        processor,
        training.max_steps * training.train_batch_size * training.gradient_accumulation_steps * training.world_size,
        training.seed,
        scene_share=arguments.scene_share,
        text_to_motion=arguments.text_to_motion,
        balance=arguments.balance,
        unconditional=_UNCONDITIONAL,
        with_parts=_WITH_PARTS,
        alone=_ALONE,
        weights=_WEIGHTS,
    )
    with_val = [folder for folder in folders if "val" in read_codes_summary(folder).get("splits", {"val": None})]
    if arguments.codes not in with_val:
        return train, None
    rows = [row for folder in with_val for row in read_codes(folder, "val")]
    val = MotionTextExamples(
        rows,
        processor,
        2 * len(rows),
        seed=0,
        scene_share=arguments.scene_share,
        text_to_motion=arguments.text_to_motion,
        balance=1.0,
        with_parts=_WITH_PARTS,
    )
    return train, val
