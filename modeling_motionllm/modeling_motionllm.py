"""`MotionLLMForCausalLM`: a language model and a motion VQ-VAE behind one vocabulary (arXiv 2405.17013)."""

import contextlib
import copy
import os
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    Cache,
    GenerationConfig,
    GenerationMixin,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils import SAFE_WEIGHTS_NAME, ModelOutput

from .base_model_motionllm import load_base_language_model
from .checkpoint_motionllm import (
    adapter_rows,
    check_whole_model,
    explain_damage,
    is_thin_checkpoint,
    load_adapter_into,
    load_motion_vq,
    save_code,
)
from .checksums_motionllm import write_checksums
from .configuration_motionllm import MotionLLMConfig
from .errors_motionllm import MotionLLMError
from .generation_motionllm import MotionGenerationMixin
from .json_motionllm import GENERATION_FIELDS, MODEL_FIELDS, check_json, explain_settings
from .losses_motionllm import token_losses
from .modeling_motion_vq import MotionVQDecoderOutput, MotionVQEncoderOutput, MotionVQModel
from .new_rows_motionllm import grow_vocabulary
from .settings_motionllm import add_default_settings
from .strict_motionllm import StrictPreTrainedModel, find_file, hub_options, without_weights
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["MotionLLMForCausalLM"]

# Arguments of `from_pretrained` that say where files are, and those that the Auto classes add to them.
_HUB_ARGUMENTS = ("cache_dir", "token", "revision", "local_files_only", "force_download")
_OF_AUTO_CLASSES = ("trust_remote_code", "adapter_kwargs", "_from_auto")
# Those that concern weights, and must not be taken for values of the configuration.
_OF_LOADING = ("dtype", "torch_dtype", "device_map", "quantization_config")
# Logits that the language model transforms after its output head cannot be taken from the head alone.
_WHOLE = 8  # one in so many labels inside motions competes with the whole vocabulary in training
_LOGIT_TRANSFORMS = ("final_logit_softcapping", "logit_scale", "logits_scaling", "logits_soft_cap")
_DeviceMap = str | int | torch.device | dict[str, str | int | torch.device] | None


class MotionLLMForCausalLM(MotionGenerationMixin, StrictPreTrainedModel, GenerationMixin):
    """A causal language model whose vocabulary holds motion codes, with the VQ-VAE that makes and reads them.

    `forward` and `generate` are the language model's; `generate_motion`, `generate_caption` (`MotionGenerationMixin`),
    `encode_motion` and `decode_motion` are ours. Any `AutoModelForCausalLM` can be the language model.
    """

    config_class = MotionLLMConfig
    json_fields = MODEL_FIELDS
    config: MotionLLMConfig
    base_model_prefix = "language_model"
    main_input_name = "input_ids"
    input_modalities = ("text",)
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012
    _keep_in_fp32_modules_strict = ["motion_vq"]  # noqa: RUF012
    # A dict, though empty: PEFT reads it here, and the language model adds its own tied weights in post_init.
    _tied_weights_keys: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, config: MotionLLMConfig):
        super().__init__(config)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.motion_vq = MotionVQModel(config.motion_config)
        self.post_init()

    @classmethod
    def from_base(
        cls,
        base_model_name_or_path: str,
        tokenizer: PreTrainedTokenizerBase,
        motion_vq: MotionVQModel,
        *,
        dtype: torch.dtype | None = None,
        seed: int = 0,
    ) -> "MotionLLMForCausalLM":
        """Join a pre-trained language model and a trained VQ-VAE; new vocabulary rows are drawn around the old ones.

        Args:
            base_model_name_or_path: any causal language model (local folder or Hub id).
            tokenizer: its tokenizer with the motion tokens, see `MotionLLMTokenizer.from_base`.
            motion_vq: the VQ-VAE whose codes the tokens stand for.
            dtype: of the language model; the VQ-VAE stays in fp32.
            seed: of the new rows.

        Raises:
            MotionLLMError: the base is not found, or the tokenizer lacks motion tokens.
        """
        vocabulary = MotionVocabulary.from_tokenizer(tokenizer, motion_vq.config.codebook_size)
        language_model = load_base_language_model(base_model_name_or_path, dtype=dtype)
        config = MotionLLMConfig(
            text_config=language_model.config,
            motion_config=motion_vq.config,
            motion_token_offset=vocabulary.offset,
            motion_start_token_id=vocabulary.start,
            motion_end_token_id=vocabulary.end,
            placement_token_offset=vocabulary.placement.offset if vocabulary.placement else None,
            motion_rows_seed=seed,
            motion_rows_like_codes=True,
            base_model_name_or_path=base_model_name_or_path,
        )
        return cls._assemble(config, language_model, motion_vq, len(tokenizer))

    @classmethod
    def _assemble(
        cls,
        config: MotionLLMConfig,
        language_model: PreTrainedModel,
        motion_vq: MotionVQModel,
        vocab_size: int,
        brought: Collection[int] = (),
    ) -> "MotionLLMForCausalLM":
        """The composite of two loaded models; the language model gets its new rows, if it has not got them yet.

        Args:
            brought: ids of rows that an adapter will put in their place.
        """
        with without_weights():
            model = cls(config)
        vocabulary = MotionVocabulary.from_config(config)
        codebook = motion_vq.quantizer.codebook if config.motion_rows_like_codes else None
        grow_vocabulary(language_model, vocab_size, vocabulary, config.motion_rows_seed, brought, codebook)
        model.language_model, model.motion_vq = language_model, motion_vq
        # Where this machine keeps the two is nobody else's business.
        language_model.config.name_or_path = config.base_model_name_or_path or ""
        motion_vq.config.name_or_path = config.motion_config.name_or_path = ""
        config.text_config = language_model.config
        # Collects the tied weights again: the modules they name are new.
        model.post_init()
        model.generation_config = add_default_settings(copy.deepcopy(language_model.generation_config))
        return model.eval()

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike | None,
        *model_args: Any,
        config: MotionLLMConfig | None = None,
        adapter_name: str | Sequence[str] = "default",
        merge_adapter: bool = True,
        **kwargs: Any,
    ) -> "MotionLLMForCausalLM":
        """Load a full checkpoint, or assemble a thin one (base language model + VQ-VAE + adapter); one call for both.

        Args:
            pretrained_model_name_or_path: local folder or Hub id.
            config: configuration to use instead of the stored one.
            adapter_name: for thin checkpoints, the folder under `adapters/` to load; several, with
                `merge_adapter=False`, to switch between them with `model.set_adapter(name)` (the first is active).
            merge_adapter: for thin checkpoints, fold the adapter into the weights (2.7 times faster decoding); with
                False it stays a PEFT adapter that can be switched and trained.
            kwargs: as for any `PreTrainedModel.from_pretrained`. In both layouts `dtype`, `quantization_config` and
                `attn_implementation` concern the language model; the VQ-VAE stays in fp32. The keys of a `device_map`
                are names of this model's parts, `language_model...` and `motion_vq`.

        Raises:
            MotionLLMError: the base language model, the VQ-VAE or the adapter of a thin checkpoint is missing, or
                a weight file is damaged, or several adapters are to be merged, or the `device_map` keeps weights of a
                thin checkpoint outside of memory.
            OSError: nothing is found under that name.
            TypeError: an argument that there is not.
        """
        name = str(pretrained_model_name_or_path)
        hub = hub_options(name, {key: kwargs[key] for key in _HUB_ARGUMENTS if kwargs.get(key) is not None})
        kwargs |= hub
        if pretrained_model_name_or_path is None:
            return super().from_pretrained(None, *model_args, config=config, **kwargs)
        thin = is_thin_checkpoint(name, **hub)
        if (drawing := find_file(name, "generation_config.json", **hub)) is not None:
            check_json(drawing, GENERATION_FIELDS)
        if not thin:
            check_whole_model(name, **hub)
            kwargs |= {"config": config} if config is not None else {}
            with explain_damage(name, SAFE_WEIGHTS_NAME):
                return super().from_pretrained(pretrained_model_name_or_path, *model_args, **kwargs)
        adapters = [adapter_name] if isinstance(adapter_name, str) else list(adapter_name)
        if len(adapters) != 1 and (merge_adapter or not adapters):
            raise MotionLLMError(
                f"adapter_name is {adapters}; one adapter can be merged, several need merge_adapter=False"
            )
        # The Auto classes add these two, which concern this checkpoint and not its base.
        options = {key: value for key, value in kwargs.items() if key not in (*_HUB_ARGUMENTS, *_OF_AUTO_CLASSES)}
        loading = {key: options.pop(key) for key in _OF_LOADING if options.get(key) is not None}
        if config is None:
            cls.check_config(name, **hub)
            with explain_settings(f"{name}/config.json"):
                config, options = cls.config_class.from_pretrained(name, return_unused_kwargs=True, **hub, **options)
        if config.base_model_name_or_path is None:
            raise MotionLLMError(f"the config of '{name}' names no base_model_name_or_path; export it again")
        device_map = loading.pop("device_map", None)
        language_model = load_base_language_model(
            config.base_model_name_or_path,
            {key: value for key, value in hub.items() if key != "revision"},
            *model_args,
            device_map=_language_model_map(device_map),
            attn_implementation=_language_model_attention(config, options.pop("attn_implementation", None)),
            **loading,
            **options,
        )
        if any(weight.device.type == "meta" for weight in language_model.parameters()):
            raise MotionLLMError(
                f"the device_map {device_map!r} keeps weights of the language model on disk or waiting in CPU memory, "
                "where no adapter can be added; leave them out of it, or load the full layout (motionllm export)"
            )
        motion_vq = load_motion_vq(name, config.motion_config, **hub)
        if device_map is not None:
            place = device_map.get("motion_vq") if isinstance(device_map, dict) else None
            motion_vq.to(language_model.get_input_embeddings().weight.device if place is None else place)
        brought = adapter_rows(name, adapters[0], **hub) if merge_adapter else ()
        model = cls._assemble(config, language_model, motion_vq, config.text_config.vocab_size, brought)
        for adapter in adapters:
            model = load_adapter_into(model, name, adapter, merge=merge_adapter, **hub)
        if len(adapters) > 1:
            model.set_adapter(adapters[0])
        model.name_or_path = name
        with contextlib.suppress(OSError):  # a checkpoint without one is drawn with the defaults
            model.generation_config = GenerationConfig.from_pretrained(name, **hub)
        return model

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> None:  # type: ignore[override]
        """Write a full checkpoint (language model, VQ-VAE, configuration, code), as any `PreTrainedModel`."""
        self.config.name_remote_code()
        super().save_pretrained(save_directory, **kwargs)
        save_code(type(self), save_directory)
        write_checksums(save_directory)

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.language_model.set_output_embeddings(new_embeddings)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Module:
        # Gemma reads its own vocab_size in the loss, which the inherited method would not update.
        return self.language_model.resize_token_embeddings(*args, **kwargs)

    def generate(self, *args: Any, **kwargs: Any) -> torch.Tensor | ModelOutput:
        """`generate` of transformers. The checkpoint's `guidance_scale` is for `generate_motion`: here only one counts
        that the call gives.
        """
        if getattr(kwargs.get("generation_config"), "guidance_scale", None) is None:
            kwargs.setdefault("guidance_scale", 1.0)
        return super().generate(*args, **kwargs)

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        loss_weights: torch.FloatTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """The language model's forward pass over text and motion tokens.

        In training mode with `labels` the loss is `token_losses`, weighted, the output head runs only where a label is
        not -100, and `logits` is None; where embeddings and head are one, most labels inside motions compete with codes
        and `</Motion>` alone, see `_label_losses`. In evaluation mode it is the plain cross-entropy.

        Args:
            input_ids: (B, S) token ids.
            labels: (B, S) token ids to predict, -100 where there is nothing to learn.
            loss_weights: (B, S) how much each label counts in training; without it, all count 1.
            others: as for any causal language model of transformers.

        Returns:
            `loss` where there are labels, and `logits` (B, S, V).
        """
        inputs = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
        }
        if labels is not None:
            use_cache = False  # a cache would make packed samples see one another
            if self.training:
                return self._training_loss(inputs, labels, loss_weights, **kwargs)
        output = self.language_model(
            **inputs,
            past_key_values=past_key_values,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )
        if self._adapter_is_off():
            output.logits = self._as_the_base(output.logits, input_ids, logits_to_keep)
        return output

    def _adapter_is_off(self) -> bool:
        """Whether the model has adapters that are switched off."""
        if not hasattr(self, "peft_config"):
            return False
        return any(getattr(module, "disable_adapters", None) is True for module in self.language_model.modules())

    def _as_the_base(
        self, logits: torch.Tensor, input_ids: torch.Tensor | None, logits_to_keep: int | torch.Tensor
    ) -> torch.Tensor:
        """Logits (B, S, V) of a model that knows no motion: tokens of it follow others of it alone, never a text."""
        vocabulary = self.motion_vocabulary
        hidden = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
        hidden[vocabulary.ids] = True
        if input_ids is not None:
            kept = slice(-logits.shape[1], None) if isinstance(logits_to_keep, int) else logits_to_keep
            before = input_ids[:, kept].to(logits.device)
            hidden = hidden & (~hidden[before] | (before == vocabulary.end))[..., None]
        return logits.masked_fill(hidden, torch.finfo(logits.dtype).min)

    def _head_is_plain(self) -> bool:
        """Whether the logits are the output head applied to the last hidden state, and nothing more."""
        text_config = self.config.text_config
        transformed = any(getattr(text_config, name, None) not in (None, 1, 1.0) for name in _LOGIT_TRANSFORMS)
        return not transformed and self.language_model.base_model is not self.language_model

    def _training_loss(
        self,
        inputs: dict[str, Any],
        labels: torch.Tensor,
        weights: torch.Tensor | None,
        num_items_in_batch: torch.Tensor | int | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        if self._head_is_plain() and self.language_model.config.tie_word_embeddings:
            hidden, targets, chosen = self._label_states(inputs, labels, **kwargs)
            losses = self._label_losses(hidden, targets, chosen.nonzero()[:, 1])
        else:
            logits, targets, chosen = self._label_logits(inputs, labels, **kwargs)
            losses = token_losses(logits, targets, self.motion_vocabulary.placement)
        if weights is not None:
            losses = losses * weights[:, 1:][chosen]
        items = len(targets) if num_items_in_batch is None else num_items_in_batch
        return CausalLMOutputWithPast(loss=losses.sum() / items)

    def _label_logits(
        self, inputs: dict[str, Any], labels: torch.Tensor, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits (N, V) of the N labels that are not -100, these labels (N,), and bool (B, S - 1) where they stand."""
        if self._head_is_plain():
            hidden, targets, chosen = self._label_states(inputs, labels, **kwargs)
            return self.language_model.get_output_embeddings()(hidden), targets, chosen
        chosen = labels[:, 1:] != -100
        logits = self.language_model(**inputs, use_cache=False, **kwargs).logits[:, :-1][chosen]
        return logits, labels[:, 1:][chosen], chosen

    def _label_states(
        self, inputs: dict[str, Any], labels: torch.Tensor, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `_label_logits`, with the last hidden states (N, D) that the logits are made of."""
        chosen = labels[:, 1:] != -100
        hidden = self.language_model.base_model(**inputs, use_cache=False, **kwargs)[0]
        return hidden[:, :-1][chosen], labels[:, 1:][chosen], chosen

    def _label_losses(self, hidden: torch.Tensor, targets: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """`token_losses` (N,) of hidden states (N, D), most of those inside motions by the rows of motions alone.

        Decoding lets a motion go on with a code or `</Motion>` only, and the output head over the whole vocabulary is a
        third of the work of a step. So such a label is compared with these alone; one in `_WHOLE` is compared with the
        whole vocabulary, so that without a grammar too no word comes inside a motion. Which ones is told by their
        places (N,) in their rows, whatever else is in the batch.
        """
        vocabulary = self.motion_vocabulary
        code, is_end = targets - vocabulary.offset, targets == vocabulary.end
        inside = (code >= 0) & (code < vocabulary.codebook_size) | is_end
        inside = inside & (places % _WHOLE != 0)
        code = code.masked_fill(is_end, vocabulary.codebook_size)
        head, rows = self.language_model.get_output_embeddings(), self.get_input_embeddings()
        whole = token_losses(head(hidden[~inside]), targets[~inside], vocabulary.placement)
        ids = torch.arange(vocabulary.codebook_size + 1, device=targets.device) + vocabulary.offset
        ids[-1] = vocabulary.end
        logits = (hidden[inside] @ rows(ids).to(hidden).T).float()
        narrow = torch.nn.functional.cross_entropy(logits, code[inside], reduction="none")
        return (
            torch.zeros_like(targets, dtype=whole.dtype).masked_scatter(~inside, whole).masked_scatter(inside, narrow)
        )

    @torch.no_grad()
    def label_log_likelihood(
        self, input_ids: torch.Tensor, labels: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Sum over the labels of a row of the log-likelihood of each, given the tokens before it.

        Args:
            input_ids: (B, S).
            labels: (B, S) token ids, -100 where there is nothing to judge.
            attention_mask: (B, S).

        Returns:
            float32 (B,).
        """
        inputs = {"input_ids": input_ids.to(self.device)}
        if attention_mask is not None:
            inputs["attention_mask"] = attention_mask.to(self.device)
        logits, targets, chosen = self._label_logits(inputs, labels.to(self.device))
        losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
        rows = chosen.nonzero()[:, 0]
        return -torch.zeros(len(labels), device=losses.device).index_add(0, rows, losses)

    def encode_motion(self, motion: torch.Tensor, attention_mask: torch.Tensor | None = None) -> MotionVQEncoderOutput:
        """`MotionVQModel.encode`: raw features (B, T, D) to codes (B, L)."""
        return self.motion_vq.encode(motion, attention_mask)

    def decode_motion(self, codes: torch.Tensor, attention_mask: torch.Tensor | None = None) -> MotionVQDecoderOutput:
        """`MotionVQModel.decode`: codes (B, L) to raw features (B, T, D)."""
        return self.motion_vq.decode(codes, attention_mask)


def _language_model_map(device_map: _DeviceMap) -> _DeviceMap:
    """The part of a `device_map` that concerns the language model, with its own names for its parts."""
    if not isinstance(device_map, dict):
        return device_map
    parts = {name: place for name, place in device_map.items() if name.partition(".")[0] in ("", "language_model")}
    return {name.removeprefix("language_model").removeprefix("."): place for name, place in parts.items()}


def _language_model_attention(config: MotionLLMConfig, asked: str | dict[str, str] | None) -> str | None:
    """The implementation of attention that is asked of the language model, by argument or in the configuration."""
    if isinstance(asked, dict):
        return asked.get("text_config", asked.get(""))
    return asked or config.text_config._attn_implementation or config._attn_implementation


MotionLLMForCausalLM.register_for_auto_class("AutoModelForCausalLM")
