"""Pictures of what a model makes while it is trained, for TensorBoard and trackio."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from peft import PeftModel
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback, TrackioCallback

from hub_scripts.data.codes import CodeRow
from hub_scripts.evaluation.sheet import choose_sheet_rows
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["MotionPreviews", "add_previews"]

_ROWS = 4


class MotionPreviews(TrainerCallback):
    """At each evaluation a contact sheet, a row a sentence, goes to the trackers of `report_to` that take pictures.

    Args:
        processor: of the model.
        sentences: of one person each.
        trainer: whose callbacks the trackers are.
    """

    def __init__(self, processor: MotionLLMProcessor, sentences: Sequence[str], trainer: Trainer):
        self.processor, self.sentences, self.trainer = processor, list(sentences), trainer

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Draw the sheet and send it."""
        if not state.is_world_process_zero:
            return
        from hub_scripts.export.contact_sheet import draw_contact_sheet

        learner = kwargs["model"]
        model = learner.get_base_model() if isinstance(learner, PeftModel) else learner
        output = model.generate_motion(**self.processor(text=self.sentences), seed=0)
        sheet = draw_contact_sheet(self.processor.decode_motion(output, self.sentences))
        for tracker in self.trainer.callback_handler.callbacks:
            if isinstance(tracker, TensorBoardCallback) and tracker.tb_writer is not None:
                tracker.tb_writer.add_image("motions", np.asarray(sheet), state.global_step, dataformats="HWC")
            elif isinstance(tracker, TrackioCallback):
                import trackio

                trackio.log({"motions": trackio.Image(sheet)}, step=state.global_step)


def add_previews(trainer: Trainer, processor: MotionLLMProcessor, rows: Sequence[CodeRow]) -> None:
    """Let a training show motions for sentences of some clips, where it reports to a tracker that takes pictures.

    Args:
        trainer: of the training.
        processor: of its model.
        rows: of the val split.
    """
    trackers = (TensorBoardCallback, TrackioCallback)
    single = [row for row in rows if len(row["codes"]) == 1 and row["captions"]]
    if not single or not any(isinstance(one, trackers) for one in trainer.callback_handler.callbacks):
        return
    try:
        import hub_scripts.export.contact_sheet  # noqa: F401
    except MotionLLMError as error:
        print(f"no pictures of motions are reported: {error}", file=sys.stderr)
        return
    labels = [{"name": one["name"], "content": one["contents"][0], "style": one["styles"][0]} for one in single]
    sentences = [single[place]["captions"][0] for place in choose_sheet_rows(labels, count=_ROWS)]
    trainer.add_callback(MotionPreviews(processor, sentences, trainer))
