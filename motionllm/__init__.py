"""MotionLLM: human motion and language in one Hugging Face model. Importing it registers the Auto classes."""

from typing import TYPE_CHECKING

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoProcessor, AutoTokenizer
from transformers.pipelines import PIPELINE_REGISTRY

from hub_scripts.hub.version import __version__
from modeling_motionllm.configuration_evaluator import MotionTextEvaluatorConfig
from modeling_motionllm.configuration_motionllm import MotionLLMConfig, MotionVQConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.motion import Motion, MotionSegment
from modeling_motionllm.motion_features import (
    HUMANML3D,
    KIT,
    Skeleton,
    canonicalize_joints,
    features_to_joints,
    joints_to_features,
    mirror_joints,
    resample_joints,
)
from modeling_motionllm.output_motionllm import MotionGenerationOutput
from modeling_motionllm.pipeline_motionllm import MotionToTextPipeline, TextToMotionPipeline
from modeling_motionllm.placement_motionllm import (
    Placement,
    decode_placements,
    encode_placements,
    join_people,
    mirror_people,
    split_people,
)
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.sampling_motionllm import MotionGrammar
from modeling_motionllm.settings_motionllm import CaptionSettings, MotionSettings
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary, motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

if TYPE_CHECKING:  # `__getattr__` brings them when they are first asked for
    from hub_scripts.data.motion_files import load_motion
    from hub_scripts.export import save_motion, save_motion_files
    from hub_scripts.options.default_models import default_checkpoint

__all__ = [
    "HUMANML3D",
    "KIT",
    "CaptionSettings",
    "Motion",
    "MotionGenerationOutput",
    "MotionGrammar",
    "MotionLLMConfig",
    "MotionLLMError",
    "MotionLLMForCausalLM",
    "MotionLLMProcessor",
    "MotionLLMTokenizer",
    "MotionSegment",
    "MotionSettings",
    "MotionVQConfig",
    "MotionVQModel",
    "MotionTextEvaluator",
    "MotionTextEvaluatorConfig",
    "MotionVocabulary",
    "Placement",
    "Skeleton",
    "__version__",
    "canonicalize_joints",
    "decode_placements",
    "default_checkpoint",
    "encode_placements",
    "features_to_joints",
    "join_people",
    "joints_to_features",
    "load_motion",
    "mirror_joints",
    "mirror_people",
    "motion_token_names",
    "resample_joints",
    "save_motion",
    "save_motion_files",
    "split_people",
]

AutoConfig.register("motion_vq", MotionVQConfig)
AutoModel.register(MotionVQConfig, MotionVQModel)
AutoConfig.register("motion_text_evaluator", MotionTextEvaluatorConfig)
AutoModel.register(MotionTextEvaluatorConfig, MotionTextEvaluator)
AutoConfig.register("motionllm", MotionLLMConfig)
AutoModel.register(MotionLLMConfig, MotionLLMForCausalLM)
AutoModelForCausalLM.register(MotionLLMConfig, MotionLLMForCausalLM)
AutoTokenizer.register(MotionLLMConfig, fast_tokenizer_class=MotionLLMTokenizer)
AutoProcessor.register(MotionLLMConfig, MotionLLMProcessor)
for _task, _class in (("text-to-motion", TextToMotionPipeline), ("motion-to-text", MotionToTextPipeline)):
    PIPELINE_REGISTRY.register_pipeline(_task, _class, pt_model=AutoModelForCausalLM, type="multimodal")


def __getattr__(name: str) -> object:
    # The file formats need optional packages, so they are imported when first asked for.
    if name in ("save_motion", "save_motion_files"):
        from hub_scripts import export

        return getattr(export, name)
    if name == "load_motion":
        from hub_scripts.data.motion_files import load_motion

        return load_motion
    if name == "default_checkpoint":
        from hub_scripts.options.default_models import default_checkpoint

        return default_checkpoint
    raise AttributeError(f"module 'motionllm' has no attribute '{name}'")
