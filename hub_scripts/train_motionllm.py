"""`motionllm train`: fine-tune a language model on motion codes with LoRA and new vocabulary rows, or as a whole."""

import json
import math
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch.utils.data import ConcatDataset, Dataset
from transformers import AutoModelForCausalLM, HfArgumentParser, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import IntervalStrategy

from hub_scripts.data.codes import read_codes, read_codes_summary, weights_hash
from hub_scripts.data.scene_codes import read_scene_codes
from hub_scripts.hub.card import VQ_RECORD, is_local_base, write_model_card
from hub_scripts.training.adapter_trainer import AdapterTrainer
from hub_scripts.training.examples import LossWeights, MotionTextExamples, PadExamples, SceneTextExamples
from hub_scripts.training.trainer import (
    TRAINING_RECORD,
    ModelTrainer,
    check_resume,
    read_training_record,
    training_outcome,
    write_training_record,
)
from modeling_motionllm.base_model_motionllm import load_base_tokenizer
from modeling_motionllm.checkpoint_motionllm import MOTION_VQ_FOLDER, save_thin_checkpoint
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.prompts_motionllm import PROMPT_PRESETS
from modeling_motionllm.vocabulary_motionllm import motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

__all__ = ["add_adapter", "build_model", "main", "new_rows", "trained_share"]


@dataclass
class ModelArguments:
    """The model and its data."""

    codes: str = field(metadata={"help": "Folder written by `motionllm encode`."})
    vq: str = field(metadata={"help": "Folder of the VQ-VAE that made the codes."})
    base_model: str = field(
        default="HuggingFaceTB/SmolLM2-135M-Instruct",
        metadata={"help": "Pre-trained causal language model: local folder or Hub id."},
    )
    lora_r: int = field(default=8, metadata={"help": "Rank of the LoRA matrices."})
    lora_alpha: int = field(default=16, metadata={"help": "Scale of the LoRA matrices."})
    lora_dropout: float = field(default=0.0, metadata={"help": "Dropout on the LoRA matrices' input."})
    freeze_new_rows: bool = field(
        default=False, metadata={"help": "Do not train the new vocabulary rows (the paper's variant)."}
    )
    train_all: bool = field(
        default=False,
        metadata={"help": "Train the whole language model instead of an adapter; final/ is then a full checkpoint."},
    )
    from_scratch: bool = field(
        default=False, metadata={"help": "With --train_all: begin with random weights, not the pre-trained ones."}
    )
    prompts: str = field(default="short", metadata={"help": f"Prompt preset: {', '.join(PROMPT_PRESETS)}."})
    text_to_motion: float = field(default=0.65, metadata={"help": "Share of text-to-motion among the examples."})
    timed: float = field(default=0.7, metadata={"help": "Share of text-to-motion prompts that tell the duration."})
    balance: float = field(
        default=0.5, metadata={"help": "1 draws all clips alike, 0 all contents alike; between, in between."}
    )
    openings: float = field(
        default=0.0, metadata={"help": "Share of text-to-motion examples that hold only the first 12 codes."}
    )
    opening_weight: float = field(
        default=3.0, metadata={"help": "Weight in the loss of the first 12 codes of each person, repeats not counted."}
    )
    placement_weight: float = field(default=4.0, metadata={"help": "Weight in the loss of the placement tokens."})
    part_weight: float = field(
        default=4.0, metadata={"help": "Weight in the loss of the words that say what a person of a scene does."}
    )
    unconditional: float = field(
        default=0.5,
        metadata={"help": "Share of captioning examples that learn the motion too (for classifier-free guidance)."},
    )
    scenes: str | None = field(
        default=None, metadata={"help": "Folder that `motionllm encode` wrote for scenes: learn several people too."}
    )
    scene_share: float = field(default=0.3, metadata={"help": "Share of scenes among the examples, with --scenes."})
    scene_parts: float = field(
        default=0.9,
        metadata={"help": "Share of the scenes to generate that are told with what each person does, if known."},
    )
    scene_alone: float = field(
        default=0.25, metadata={"help": "Share of the scene examples that are of one of the people alone."}
    )
    init_from: str | None = field(
        default=None, metadata={"help": "Thin checkpoint whose adapter to go on from (same base, VQ-VAE and LoRA)."}
    )
    adapter_name: str = field(default="default", metadata={"help": "Folder of the adapter under adapters/."})


@dataclass
class MotionLLMTrainingArguments(TrainingArguments):
    """Trainer arguments with defaults for this model."""

    output_dir: str = field(default="runs/motionllm", metadata={"help": "Trainer checkpoints; the model in final/."})
    max_steps: int = field(default=1000)
    per_device_train_batch_size: int = field(default=16)
    per_device_eval_batch_size: int = field(default=16)
    learning_rate: float = field(default=1e-3)
    lr_scheduler_type: str = field(default="cosine")
    warmup_steps: float = field(default=50)
    weight_decay: float = field(default=0.0)
    logging_steps: float = field(default=20)
    eval_strategy: str = field(default="steps")
    eval_steps: float | None = field(default=250)
    save_steps: float = field(default=100)
    save_total_limit: int | None = field(default=2)
    train_sampling_strategy: str = field(default="group_by_length")
    report_to: str = field(default="none")
    prediction_loss_only: bool = field(default=True)
    remove_unused_columns: bool = field(default=False)
    hub_strategy: str = field(default="end", metadata={"help": "Only 'end': the finished thin checkpoint is pushed."})
    resume: bool = field(default=False, metadata={"help": "Go on from the last checkpoint in output_dir."})


def build_model(
    arguments: ModelArguments, seed: int
) -> tuple[MotionLLMForCausalLM, MotionLLMTokenizer, MotionLLMProcessor]:
    """Base language model + VQ-VAE + tokenizer + processor, not yet trained.

    Raises:
        MotionLLMError: something is missing, or the codes come from another VQ-VAE.
    """
    if arguments.prompts not in PROMPT_PRESETS:
        raise MotionLLMError(f"--prompts is '{arguments.prompts}'; choose from {', '.join(PROMPT_PRESETS)}")
    given = weights_hash(arguments.vq)
    for folder in filter(None, (arguments.codes, arguments.scenes)):
        made_by = read_codes_summary(folder)["vq_sha256"]
        if made_by != given:
            raise MotionLLMError(
                f"the codes in '{folder}' were made by VQ-VAE {made_by[:12]}, but '{arguments.vq}' is {given[:12]}; "
                "run `motionllm encode` with it"
            )
    scenes = [] if arguments.scenes is None else read_scene_codes(arguments.scenes, "train")
    known = _known_settings(arguments)
    max_people = _max_people(scenes, known)
    vq = MotionVQModel.from_pretrained(arguments.vq).eval()
    base = load_base_tokenizer(arguments.base_model)
    tokenizer = MotionLLMTokenizer.from_base(
        base, motion_token_names(vq.config.codebook_size, placement=max_people > 1)
    )
    processor = MotionLLMProcessor(
        tokenizer,
        prompts=arguments.prompts,
        codebook_size=vq.config.codebook_size,
        frames_per_code=vq.config.frames_per_code,
        fps=vq.config.fps,
        feature_dim=vq.config.input_dim,
        max_people=max_people,
    )
    if not _tells_parts(arguments, scenes, known):
        del processor.prompts["part"]
    model = MotionLLMForCausalLM.from_base(arguments.base_model, tokenizer, vq, seed=seed)
    if arguments.from_scratch:
        model.language_model = AutoModelForCausalLM.from_config(model.language_model.config)
    return model, tokenizer, processor


def _known_settings(arguments: ModelArguments) -> dict[str, Any] | None:
    """The processor's settings of the checkpoint that training goes on from, if there is one."""
    path = Path(str(arguments.init_from)) / "processor_config.json"
    if arguments.init_from is None or not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def _max_people(scenes: list[dict[str, Any]], known: dict[str, Any] | None) -> int:
    """Most people in a scene that the model will know: those of the scenes, or of the checkpoint it goes on from."""
    return max([1, (known or {}).get("max_people", 1), *(len(row["codes"]) for row in scenes)])


def _tells_parts(arguments: ModelArguments, scenes: list[dict[str, Any]], known: dict[str, Any] | None) -> bool:
    """Whether scenes are to be told with what each person does: as far as the scenes say it, or else as before."""
    if arguments.scenes is not None:
        return arguments.scene_parts > 0 and any(row["parts"] for row in scenes)
    return known is None or "part" in known.get("prompts", {})


def add_adapter(model: MotionLLMForCausalLM, arguments: ModelArguments) -> PeftModel:
    """Wrap the composite in LoRA on all linear layers, with the new vocabulary rows trained unless frozen."""
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=arguments.lora_r,
        lora_alpha=arguments.lora_alpha,
        lora_dropout=arguments.lora_dropout,
        target_modules="all-linear",
        trainable_token_indices=None if arguments.freeze_new_rows else new_rows(model),
    )
    peft_model = get_peft_model(model, config)
    if arguments.init_from is not None:
        _load_adapter_weights(peft_model, arguments)
    return peft_model


def _load_adapter_weights(model: PeftModel, arguments: ModelArguments) -> None:
    """Start from the adapter of a thin checkpoint.

    Raises:
        MotionLLMError: it has none, or one of another shape.
    """
    path = Path(str(arguments.init_from)) / "adapters" / arguments.adapter_name / "adapter_model.safetensors"
    if not path.is_file():
        raise MotionLLMError(f"--init_from has no '{path}'; give a thin checkpoint and the --adapter_name in it")
    weights = load_file(path)
    for name, rows in get_peft_model_state_dict(model).items():
        # Without placements before, with them now: their rows come last and start as they are.
        if name in weights and "trainable_tokens" in name and len(weights[name]) < len(rows):
            weights[name] = torch.cat([weights[name], rows[len(weights[name]) :].to(weights[name])])
    try:
        report = set_peft_model_state_dict(model, weights)
    except RuntimeError as error:
        raise MotionLLMError(f"the adapter '{path}' has other shapes; use its base model and --lora_r") from error
    if report.unexpected_keys:
        raise MotionLLMError(f"the adapter '{path}' has weights this one lacks: {report.unexpected_keys[:2]}")


def new_rows(model: MotionLLMForCausalLM) -> list[int] | dict[str, list[int]]:
    """The rows to train, as PEFT takes them: an output head that is not tied to the embeddings has rows of its own."""
    ids = model.motion_vocabulary.ids
    layers = (model.get_input_embeddings(), model.get_output_embeddings())
    if layers[0].weight is layers[1].weight:
        return ids
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(layer)].rpartition(".")[-1]: ids for layer in layers}


def trained_share(model: PeftModel | MotionLLMForCausalLM) -> tuple[int, int]:
    """Trained parameters, and parameters of the language model they are compared with (adapters not counted)."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    composite = model.get_base_model() if isinstance(model, PeftModel) else model
    parts = composite.language_model.named_parameters()
    return trained, sum(p.numel() for name, p in parts if "lora_" not in name and "trainable_tokens" not in name)


def _datasets(
    arguments: ModelArguments, training: MotionLLMTrainingArguments, processor: MotionLLMProcessor
) -> tuple[Dataset, Dataset | None]:
    """Examples to train on and, where there is a val split, to measure the loss on."""
    mixture: dict[str, Any] = {"text_to_motion": arguments.text_to_motion, "timed": arguments.timed}
    weights = LossWeights(
        opening=arguments.opening_weight, placement=arguments.placement_weight, part=arguments.part_weight
    )
    size = training.max_steps * training.train_batch_size * training.gradient_accumulation_steps * training.world_size
    scenes = round(size * arguments.scene_share) if arguments.scenes is not None else 0
    rows = read_codes(arguments.codes, "train")
    train: Dataset = MotionTextExamples(
        rows,
        processor,
        size - scenes,
        training.seed,
        balance=arguments.balance,
        openings=arguments.openings,
        unconditional=arguments.unconditional,
        weights=weights,
        **mixture,
    )
    val: Dataset | None = None
    if "val" in read_codes_summary(arguments.codes).get("splits", {"val": None}):
        val_rows = read_codes(arguments.codes, "val")
        val = MotionTextExamples(val_rows, processor, 2 * len(val_rows), 0, balance=1.0, **mixture)
    if arguments.scenes is None:
        return train, val
    scene_rows = read_scene_codes(arguments.scenes, "train")
    mixture |= {"parts": arguments.scene_parts}
    of_scenes = SceneTextExamples(
        scene_rows,
        processor,
        scenes,
        training.seed,
        weights=weights,
        unconditional=arguments.unconditional,
        alone=arguments.scene_alone,
        balance=arguments.balance,
        **mixture,
    )
    train = ConcatDataset([train, of_scenes])
    if val is not None and "val" in read_codes_summary(arguments.scenes)["splits"]:
        scene_rows = read_scene_codes(arguments.scenes, "val")
        val = ConcatDataset([val, SceneTextExamples(scene_rows, processor, len(scene_rows), 0, **mixture)])
    return train, val


def _check_shares(arguments: ModelArguments) -> None:
    """Raises:
    MotionLLMError: a share outside 0 to 1, or a weight that is not positive.
    """
    for name in (
        "text_to_motion",
        "timed",
        "balance",
        "openings",
        "unconditional",
        "scene_share",
        "scene_parts",
        "scene_alone",
    ):
        if not 0 <= getattr(arguments, name) <= 1:
            raise MotionLLMError(f"--{name} is {getattr(arguments, name):g}; give a number from 0 to 1")
    for name in ("opening_weight", "placement_weight", "part_weight"):
        if not 0 < getattr(arguments, name) < math.inf:
            raise MotionLLMError(f"--{name} is {getattr(arguments, name):g}; give a positive number")


def _check_train_all(arguments: ModelArguments, training: MotionLLMTrainingArguments) -> None:
    """Raises:
    MotionLLMError: an option that is for adapters only, or `--from_scratch` with an adapter.
    """
    if arguments.from_scratch and not arguments.train_all:
        raise MotionLLMError("--from_scratch needs --train_all: an adapter alone cannot make a model of random weights")
    if arguments.train_all:
        for name in ("init_from", "freeze_new_rows"):
            if getattr(arguments, name):
                raise MotionLLMError(f"--{name} is for adapters; leave it out with --train_all")
        if training.push_to_hub:
            raise MotionLLMError("--push_to_hub sends adapters; with --train_all use `motionllm push` after it")


def _earlier_record(arguments: ModelArguments) -> dict[str, Any] | None:
    if arguments.init_from is None:
        return None
    return read_training_record(Path(arguments.init_from) / "adapters" / arguments.adapter_name)


def _check_push(arguments: ModelArguments, training: MotionLLMTrainingArguments) -> None:
    """Find out before the training what would stop the push after it.

    Raises:
        MotionLLMError: an option that is not possible.
    """
    if not training.push_to_hub:
        return
    strategy = getattr(training.hub_strategy, "value", training.hub_strategy)
    if strategy != "end":
        raise MotionLLMError(f"--hub_strategy is '{strategy}'; only 'end' is possible: the finished model is pushed")
    if is_local_base(arguments.base_model):
        raise MotionLLMError(
            f"--push_to_hub needs a base model of the Hub, '{arguments.base_model}' is a local folder; train without "
            "it and use `motionllm push --layout full`"
        )


def main(argv: list[str]) -> int:
    """Train from the command line; see `motionllm train --help`."""
    parser = HfArgumentParser(
        (ModelArguments, MotionLLMTrainingArguments), prog="motionllm train", description=__doc__, allow_abbrev=False
    )
    arguments, training = parser.parse_args_into_dataclasses(argv)
    _check_push(arguments, training)
    _check_shares(arguments)
    _check_train_all(arguments, training)
    resume = check_resume(training, training.resume)
    set_seed(training.seed)
    model, tokenizer, processor = build_model(arguments, training.seed)
    learner: PeftModel | MotionLLMForCausalLM
    if arguments.train_all:
        model.motion_vq.requires_grad_(False)
        learner, trainer_class = model, ModelTrainer
    else:
        learner, trainer_class = add_adapter(model, arguments), AdapterTrainer
    trained, total = trained_share(learner)
    print(f"trained parameters: {trained:,} of {total:,} in the language model ({100 * trained / total:.2f} %)")

    train, val = _datasets(arguments, training, processor)
    if val is None:
        print("the codes have no val split, so the loss is not evaluated")
        training.eval_strategy = IntervalStrategy.NO
    trainer = trainer_class(
        model=learner,
        args=training,
        train_dataset=train,
        eval_dataset=val,
        data_collator=PadExamples(tokenizer.pad_token_id),
        processing_class=tokenizer,
    )
    result = trainer.train(resume_from_checkpoint=resume)
    trainer.save_state()
    if trainer.is_world_process_zero():
        final = _save_final(arguments, training, trainer, processor, trained, total, result, argv)
        print(f"the model is in {final}")
        if isinstance(trainer, AdapterTrainer):
            trainer.final_checkpoint, trainer.adapter_name = final, arguments.adapter_name
        if training.push_to_hub:
            trainer.push_to_hub()
            print(f"sent to {trainer.hub_model_id}")
    return 0


def _save_final(
    arguments: ModelArguments,
    training: MotionLLMTrainingArguments,
    trainer: Trainer,
    processor: MotionLLMProcessor,
    trained: int,
    total: int,
    result: Any,
    argv: list[str],
) -> Path:
    """The checkpoint in `final/`, thin or full, with the records of this training and of the VQ-VAE's."""
    final = Path(str(training.output_dir)) / "final"
    codes = read_codes_summary(arguments.codes)
    learner = trainer.accelerator.unwrap_model(trainer.model)
    if arguments.train_all:
        for part in (learner, trainer.processing_class, processor):
            part.save_pretrained(final)
        of_training, of_vq = final, final / VQ_RECORD
    else:
        save_thin_checkpoint(final, learner, trainer.processing_class, processor, arguments.adapter_name)
        of_training = final / "adapters" / arguments.adapter_name
        of_vq = final / MOTION_VQ_FOLDER / TRAINING_RECORD
    vq_record = Path(arguments.vq) / TRAINING_RECORD
    if vq_record.is_file():
        shutil.copyfile(vq_record, of_vq)
    write_training_record(
        of_training,
        command="motionllm train " + " ".join(argv),
        finished=time.strftime("%Y-%m-%d"),
        seed=training.seed,
        data_name=codes.get("data_name"),
        data_license=codes.get("data_license"),
        data_sha256=codes["data_sha256"],
        frozen_rows=arguments.freeze_new_rows,
        scenes_sha256=read_codes_summary(arguments.scenes)["data_sha256"] if arguments.scenes else None,
        vq_sha256=weights_hash(arguments.vq),
        trained_parameters=trained,
        language_model_parameters=total,
        **training_outcome(result, trainer.state.log_history),
        history=trainer.state.log_history,
        continued_from=_earlier_record(arguments),
    )
    write_model_card(final, adapter_name=arguments.adapter_name)
    return final
