"""`motionllm train`: fine-tune a language model on motion codes with LoRA and new vocabulary rows, or as a whole."""

from collections.abc import Sequence

from hub_scripts.data.codes import CODES_SUMMARY
from hub_scripts.data.sentence_store import SENTENCES_SUMMARY
from hub_scripts.hub.folders import local_folder
from hub_scripts.training.arguments import ModelArguments, MotionLLMTrainingArguments, check_arguments
from hub_scripts.training.motionllm import MotionLLMTraining
from hub_scripts.training.trainer import only_training, parse_training

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Train from the command line; see `motionllm train --help`.

    Raises:
        MotionLLMError: bad input, or the Hub has not what was named.
    """
    command = "motionllm train"
    arguments, options = parse_training(argv, command, __doc__, (ModelArguments, MotionLLMTrainingArguments))
    check_arguments(arguments, options)
    arguments.codes = [local_folder(name, CODES_SUMMARY) for name in arguments.codes]
    arguments.vq = local_folder(arguments.vq, "config.json", "model")
    if arguments.sentences is not None:
        arguments.sentences = local_folder(arguments.sentences, SENTENCES_SUMMARY)
    with only_training(options):
        return _train(MotionLLMTraining(arguments, options, command=" ".join([command, *argv])))


def _train(training: MotionLLMTraining) -> int:
    share = 100 * training.trained / training.total
    print(
        f"trained parameters: {training.trained:,} of {training.total:,} in the language model ({share:.2f} %)",
        flush=True,
    )
    if not training.has_val:
        print("the codes have no val split, so the loss is not evaluated")
    final = training.run()
    if final is not None:
        print(f"the model is in {final}")
        if training.training.push_to_hub:
            training.trainer.push_to_hub()
            print(f"sent to {training.trainer.hub_model_id}")
    return 0
