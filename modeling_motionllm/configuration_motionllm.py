"""Configurations of the motion VQ-VAE and of the composite motion-language model."""

import math
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

__all__ = ["MotionLLMConfig", "MotionVQConfig"]

# Which file of a checkpoint folder holds which Auto class, for users without this package.
_AUTO_MAP = {
    "AutoConfig": "configuration_motionllm.MotionLLMConfig",
    "AutoModel": "modeling_motionllm.MotionLLMForCausalLM",
    "AutoModelForCausalLM": "modeling_motionllm.MotionLLMForCausalLM",
}
# The same for `pipeline(task, ...)`.
_CUSTOM_PIPELINES = {
    "text-to-motion": "pipeline_motionllm.TextToMotionPipeline",
    "motion-to-text": "pipeline_motionllm.MotionToTextPipeline",
}


class MotionVQConfig(PreTrainedConfig):
    """Configuration of `MotionVQModel`; the defaults are T2M-GPT's reference size (Zhang et al. 2023, 19.7 M).

    There are two forms. The reference halves the rate stage by stage (`num_downsampling`). With a `patch_size` above 1
    the first convolution takes that many frames at once and all residual blocks run at the codes' rate, which
    reconstructs better for the same time of training.

    Args:
        input_dim: feature columns (263 for HumanML3D, 251 for KIT-ML).
        num_joints: joints of the skeleton the features describe.
        fps: frames per second of the features.
        metres_per_unit: of the features' lengths.
        width: channels of the convolutions.
        depth: residual blocks per resolution.
        num_downsampling: stride-2 stages, each with a stack of residual blocks; one code stands for
            `2 ** num_downsampling` frames.
        patch_size: frames that one code stands for, an even number; 1 for the form with stages.
        num_stacks: stacks of residual blocks of the form with patches.
        dilation_growth: dilation of the n-th residual block is `dilation_growth ** n`.
        codebook_size: number of codes.
        code_dim: dimension of a code vector.
        ema_decay: decay of the codebook's moving averages.
        dead_code_threshold: a code used less than this (moving average per step) is redrawn from the batch. Keep it
            well below the codes per batch / `codebook_size`, or half the codebook is redrawn at every step.
        commitment_weight: weight of the commitment loss.
        velocity_weight: weight of the extra loss on the local joint positions (T2M-GPT's "velocity" term).
        root_weight: weight of the four root columns in the reconstruction loss (1 in the reference).
        path_weight: weight of the loss on the integrated root path and heading (0 in the reference).
        foot_weight: weight of the loss on the speed of the feet in the world, m/s (0 in the reference): feet that stand
            are to stay.
    """

    model_type = "motion_vq"
    base_config_key = "motion_config"

    input_dim: int = 263
    num_joints: int = 22
    fps: float = 20.0
    metres_per_unit: float = 1.0
    width: int = 512
    depth: int = 3
    num_downsampling: int = 2
    patch_size: int = 1
    num_stacks: int = 2
    dilation_growth: int = 3
    codebook_size: int = 512
    code_dim: int = 512
    ema_decay: float = 0.99
    dead_code_threshold: float = 0.1
    commitment_weight: float = 0.02
    velocity_weight: float = 0.5
    root_weight: float = 1.0
    path_weight: float = 0.0
    foot_weight: float = 0.0

    @property
    def frames_per_code(self) -> int:
        return self.patch_size if self.patch_size > 1 else 2**self.num_downsampling

    @property
    def decoder_context(self) -> int:
        """Codes on each side that a decoded frame depends on: the receptive field of `MotionDecoder`, rounded up."""
        blocks = sum(self.dilation_growth**n for n in range(self.depth))
        if self.patch_size > 1:
            return self.num_stacks * blocks + 2  # conv_in, conv_out
        reach = 1.0  # conv_in
        for stage in range(self.num_downsampling):
            reach += blocks / 2**stage + 1 / 2 ** (stage + 1)  # residual blocks, then the convolution after doubling
        return math.ceil(reach + 2 / self.frames_per_code)  # conv_mid, conv_out


class MotionLLMConfig(PreTrainedConfig):
    """Configuration of `MotionLLMForCausalLM`: a language model and a motion VQ-VAE that share one vocabulary.

    Args:
        text_config: configuration of the language model (any causal language model of transformers).
        motion_config: a `MotionVQConfig`.
        motion_token_offset: token id of code 0, `<Motion_0>`; the codes' ids are contiguous from there.
        motion_start_token_id: token id of `<Motion>`.
        motion_end_token_id: token id of `</Motion>`.
        placement_token_offset: token id of `<Place_x_0>`, the other placement tokens are contiguous from there; None
            for a model of single people, which has none.
        motion_rows_seed: seed that the new vocabulary rows were drawn with; thin checkpoints draw those again that they
            do not store.
        motion_rows_like_codes: rows of similar codes start alike; False in checkpoints of the first edition.
        base_model_name_or_path: the pre-trained language model, for thin checkpoints that do not contain it.
    """

    model_type = "motionllm"
    sub_configs = {"text_config": AutoConfig, "motion_config": MotionVQConfig}  # noqa: RUF012

    # Given as dicts or configurations; configurations after construction.
    text_config: Any = None
    motion_config: Any = None
    motion_token_offset: int | None = None
    motion_start_token_id: int | None = None
    motion_end_token_id: int | None = None
    placement_token_offset: int | None = None
    motion_rows_seed: int = 0
    motion_rows_like_codes: bool = False
    base_model_name_or_path: str | None = None
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        if not isinstance(self.text_config, PreTrainedConfig):
            self.text_config = AutoConfig.for_model(**{"model_type": "llama", **(self.text_config or {})})
        if not isinstance(self.motion_config, PreTrainedConfig):
            self.motion_config = MotionVQConfig(**(self.motion_config or {}))
        super().__post_init__(**kwargs)
        self.tie_word_embeddings = bool(getattr(self.text_config, "tie_word_embeddings", False))

    def name_remote_code(self) -> None:
        """Set `auto_map` and `custom_pipelines` to the files that a saved checkpoint holds."""
        self.auto_map = dict(_AUTO_MAP)
        # Anew each time: `pipeline` puts classes into the dict it loads from.
        self.custom_pipelines = {
            task: {"impl": impl, "pt": ["AutoModelForCausalLM"], "type": "multimodal"}
            for task, impl in _CUSTOM_PIPELINES.items()
        }


MotionVQConfig.register_for_auto_class()
MotionLLMConfig.register_for_auto_class()
