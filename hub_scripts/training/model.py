"""The model that `motionllm train` trains: base, VQ-VAE and tokenizer put together, and the adapter on top."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hub_scripts.data.codes import CodeRow, read_codes_summary, weights_hash
from modeling_motionllm.base_model_motionllm import load_base_tokenizer
from modeling_motionllm.checkpoint_motionllm import MOTION_VQ_FOLDER
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.json_motionllm import PROCESSOR_FIELDS, check_json
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.new_rows_motionllm import trainable_rows
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.vocabulary_motionllm import motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

from .arguments import ModelArguments
from .carried_rows import carried_rows, shared_time

__all__ = ["add_adapter", "build_model", "train_in_bfloat16", "trained_share"]


def build_model(
    arguments: ModelArguments, rows: Sequence[CodeRow], seed: int, dtype: torch.dtype | None = None
) -> tuple[MotionLLMForCausalLM, MotionLLMTokenizer, MotionLLMProcessor]:
    """Base language model + VQ-VAE + tokenizer + processor, not yet trained.

    Args:
        arguments: of the training.
        rows: that it learns from.
        seed: of the new vocabulary rows.
        dtype: of the language model, fp32 by default.

    Raises:
        MotionLLMError: something is missing, or the codes come from another VQ-VAE.
    """
    given = weights_hash(arguments.vq)
    for folder in arguments.codes:
        made_by = read_codes_summary(folder)["vq_sha256"]
        if made_by != given:
            raise MotionLLMError(
                f"the codes in '{folder}' were made by VQ-VAE {made_by[:12]}, but '{arguments.vq}' is {given[:12]}; "
                "run `motionllm encode` with it"
            )
    known = _known_settings(arguments)
    max_people = max([1, (known or {}).get("max_people", 1), *(len(row["contents"]) for row in rows)])
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
    for prompt in _not_learnt(rows, known):
        processor.prompts.pop(prompt, None)
    model = MotionLLMForCausalLM.from_base(arguments.base_model, tokenizer, vq, dtype=dtype, seed=seed)
    model.language_model.config.dtype = torch.float32  # what the adapter is for, however it was trained
    if arguments.from_scratch:
        model.language_model = AutoModelForCausalLM.from_config(model.language_model.config)
    return model, tokenizer, processor


def _known_settings(arguments: ModelArguments) -> dict[str, Any] | None:
    """The processor's settings of the checkpoint that training goes on from, if there is one."""
    path = Path(str(arguments.init_from)) / "processor_config.json"
    if arguments.init_from is None or not path.is_file():
        return None
    return check_json(path, PROCESSOR_FIELDS)


def _not_learnt(rows: Sequence[CodeRow], known: dict[str, Any] | None) -> set[str]:
    """Prompts that neither the data teaches nor the checkpoint knows that training goes on from."""
    learnt = set() if known is None else set(known.get("prompts", {}))
    scenes = any(len(row["contents"]) > 1 for row in rows)
    if any(row["parts"] for row in rows if len(row["contents"]) > 1) if scenes else known is None:
        learnt.add("part")
    elif scenes:
        learnt.discard("part")
    if any(row.get("segment_captions") for row in rows):
        learnt |= {"turn", "turn_timed"}
    return {"part", "turn", "turn_timed"} - learnt


def add_adapter(model: MotionLLMForCausalLM, arguments: ModelArguments, rows: Sequence[CodeRow]) -> PeftModel:
    """Wrap the composite in LoRA on all linear layers, with the new vocabulary rows trained unless frozen.

    Args:
        model: of `build_model`.
        arguments: of the training.
        rows: that it learns from. They tell which codes are alike where --init-from has another VQ-VAE.

    Raises:
        MotionLLMError: --init-from has no adapter, or one of another shape.
    """
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=arguments.lora_r,
        lora_alpha=arguments.lora_alpha,
        target_modules="all-linear",
        trainable_token_indices=None if arguments.freeze_new_rows else trainable_rows(model),
    )
    peft_model = get_peft_model(model, config)
    if arguments.init_from is not None:
        _load_adapter_weights(peft_model, arguments, rows)
    for parameter in peft_model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return peft_model


def train_in_bfloat16(model: PeftModel, device: torch.device) -> None:
    """Prepare a model with a bfloat16 base and an fp32 adapter for training under autocast, which casts by itself."""
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.cast_input_dtype_enabled = False
    if device.type == "cpu":  # the gradients of fused attention take ten times as long there
        model.get_base_model().language_model.set_attn_implementation("eager")


def _load_adapter_weights(model: PeftModel, arguments: ModelArguments, rows: Sequence[CodeRow]) -> None:
    """Start from the adapter of a thin checkpoint."""
    path = Path(str(arguments.init_from)) / "adapters" / arguments.adapter_name / "adapter_model.safetensors"
    if not path.is_file():
        raise MotionLLMError(f"--init-from has no '{path}'; give a thin checkpoint and the --adapter-name in it")
    weights = load_file(path)
    shared = _shared_time(model, arguments, rows)
    for name, drawn in get_peft_model_state_dict(model).items():
        if name not in weights or "trainable_tokens" not in name:
            continue
        if shared is not None:
            weights[name] = _with_new_codes(weights[name], drawn.to(weights[name]), shared)
        # Without placements before, with them now: their rows come last and start as they are.
        if len(weights[name]) < len(drawn):
            weights[name] = torch.cat([weights[name], drawn[len(weights[name]) :].to(weights[name])])
    try:
        report = set_peft_model_state_dict(model, weights)
    except RuntimeError as error:
        raise MotionLLMError(f"the adapter '{path}' has other shapes; use its base model and --lora-r") from error
    if report.unexpected_keys:
        raise MotionLLMError(f"the adapter '{path}' has weights this one lacks: {report.unexpected_keys[:2]}")


def _shared_time(model: PeftModel, arguments: ModelArguments, rows: Sequence[CodeRow]) -> torch.Tensor | None:
    """`shared_time` of the codes now and those of --init-from; None where they are the same."""
    earlier = Path(str(arguments.init_from)) / MOTION_VQ_FOLDER
    if not earlier.is_dir() or weights_hash(earlier) == weights_hash(arguments.vq):
        return None
    print(f"'{arguments.init_from}' has another VQ-VAE: rows start where codes for the same motion stood")
    return shared_time(rows, model.get_base_model().motion_vq, MotionVQModel.from_pretrained(earlier).eval())


def _with_new_codes(weights: torch.Tensor, drawn: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
    """Trained rows for other codes: those of `<Motion>` and `</Motion>` in front, then the codes, then placements."""
    codes, older = shared.shape
    end = 2 + older
    if len(weights) < end:
        raise MotionLLMError(f"the adapter has {len(weights)} rows, its VQ-VAE {older} codes: they do not fit together")
    carried = carried_rows(weights[2:end], drawn[2 : 2 + codes], shared)
    return torch.cat([weights[:2], carried, weights[end:]])


def trained_share(model: PeftModel | MotionLLMForCausalLM) -> tuple[int, int]:
    """Trained parameters, and parameters of the language model they are compared with (adapters not counted)."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    composite = model.get_base_model() if isinstance(model, PeftModel) else model
    parts = composite.language_model.named_parameters()
    return trained, sum(p.numel() for name, p in parts if "lora_" not in name and "trainable_tokens" not in name)
