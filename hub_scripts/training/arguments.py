"""What `motionllm train` can be told."""

from dataclasses import dataclass, field

from hub_scripts.hub.card import is_local_base
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.prompts_motionllm import PROMPT_PRESETS

from .trainer import ModelTrainingArguments

__all__ = ["ModelArguments", "MotionLLMTrainingArguments", "check_arguments"]


@dataclass
class ModelArguments:
    """The model and its data."""

    codes: list[str] = field(
        metadata={
            "help": "What `motionllm encode` wrote, of clips, sequences and scenes of several people: folders, or "
            "datasets of the Hub, user/name or user/name@revision."
        }
    )
    vq: str = field(metadata={"help": "The VQ-VAE that made the codes: folder or Hub id."})
    base_model: str = field(
        default="HuggingFaceTB/SmolLM2-135M-Instruct",
        metadata={"help": "Pre-trained causal language model: local folder or Hub id."},
    )
    lora_r: int = field(default=8, metadata={"help": "Rank of the LoRA matrices."})
    lora_alpha: int = field(default=16, metadata={"help": "Scale of the LoRA matrices."})
    freeze_new_rows: bool = field(
        default=False, metadata={"help": "Do not train the new vocabulary rows (the paper's variant)."}
    )
    train_all: bool = field(
        default=False,
        metadata={"help": "Train the whole language model instead of an adapter; final/ is then a full checkpoint."},
    )
    from_scratch: bool = field(
        default=False, metadata={"help": "With --train-all: begin with random weights, not the pre-trained ones."}
    )
    prompts: str = field(default="short", metadata={"help": f"Prompt preset: {', '.join(PROMPT_PRESETS)}."})
    text_to_motion: float = field(default=0.65, metadata={"help": "Share of text-to-motion among the examples."})
    balance: float = field(
        default=0.5,
        metadata={"help": "1 draws every motion equally often, 0 every action; values between mix the two."},
    )
    sentences: str | None = field(
        default=None,
        metadata={
            "help": "What `motionllm prepare sentences` wrote, folder or dataset of the Hub: learn people's words too."
        },
    )
    scene_share: float = field(default=0.2, metadata={"help": "Share of scenes among the examples, if there are any."})
    sequence_share: float = field(
        default=0.2, metadata={"help": "Share of sequences among the examples, if there are any."}
    )
    sentence_share: float = field(default=0.3, metadata={"help": "Share of people's sentences, with --sentences."})
    unknown_share: float = field(
        default=0.08, metadata={"help": "Share of sentences that no motion shows, with --sentences."}
    )
    init_from: str | None = field(
        default=None, metadata={"help": "Thin checkpoint whose adapter to go on from (same base and LoRA)."}
    )
    adapter_name: str = field(default="default", metadata={"help": "Folder of the adapter under adapters/."})


@dataclass
class MotionLLMTrainingArguments(ModelTrainingArguments):
    """Trainer arguments with defaults for this model."""

    output_dir: str = field(default="runs/motionllm", metadata={"help": "Trainer checkpoints; the model in final/."})
    max_steps: int = field(default=1000)
    per_device_train_batch_size: int = field(default=16)
    per_device_eval_batch_size: int = field(default=16)
    learning_rate: float = field(default=1e-3)
    warmup_steps: float = field(default=50)
    weight_decay: float = field(default=0.0)
    logging_steps: float = field(default=20)
    eval_steps: float | None = field(default=250)
    save_steps: float = field(default=100)
    train_sampling_strategy: str = field(default="group_by_length")
    prediction_loss_only: bool = field(default=True)
    hub_strategy: str = field(default="end", metadata={"help": "Only 'end': the finished thin checkpoint is pushed."})


def check_arguments(arguments: ModelArguments, training: MotionLLMTrainingArguments) -> None:
    """Find out before any work what would stop it.

    Raises:
        MotionLLMError: a share outside 0 to 1, or options that do not go together.
    """
    shares = ("scene_share", "sequence_share", "sentence_share", "unknown_share")
    for name in ("text_to_motion", "balance", *shares):
        if not 0 <= getattr(arguments, name) <= 1:
            raise MotionLLMError(
                f"--{name.replace('_', '-')} is {getattr(arguments, name):g}; give a number from 0 to 1"
            )
    given = shares if arguments.sentences is not None else shares[:2]
    if sum(getattr(arguments, name) for name in given) > 1:
        raise MotionLLMError("the shares of scenes, sequences, sentences and unknown ones make more than 1; lower one")
    if arguments.prompts not in PROMPT_PRESETS:
        raise MotionLLMError(f"--prompts is '{arguments.prompts}'; choose from {', '.join(PROMPT_PRESETS)}")
    if arguments.from_scratch and not arguments.train_all:
        raise MotionLLMError("--from-scratch needs --train-all: an adapter alone cannot make a model of random weights")
    if arguments.train_all:
        for name in ("init_from", "freeze_new_rows"):
            if getattr(arguments, name):
                raise MotionLLMError(f"--{name.replace('_', '-')} is for adapters; leave it out with --train-all")
        if training.push_to_hub:
            raise MotionLLMError("--push-to-hub sends adapters; with --train-all use `motionllm push` after it")
    if not training.push_to_hub:
        return
    strategy = getattr(training.hub_strategy, "value", training.hub_strategy)
    if strategy != "end":
        raise MotionLLMError(f"--hub-strategy is '{strategy}'; only 'end' is possible: the finished model is pushed")
    if is_local_base(arguments.base_model):
        raise MotionLLMError(
            f"--push-to-hub needs a base model of the Hub, '{arguments.base_model}' is a local folder; train without "
            "it and use `motionllm push --layout full`"
        )
