"""The ways to decode that the benchmarks compare: an engine and a dtype each."""

import importlib.util
from typing import TYPE_CHECKING, cast

from hub_scripts.options.checkpoint import load_model
from modeling_motionllm.decoding_motionllm import MotionEngine
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

if TYPE_CHECKING:
    from hub_scripts.generation.llama_cpp import LlamaCppEngine

__all__ = ["CASES", "Systems"]

_TORCH = ("generate fp32", "generate bf16", "fast fp32", "fast bf16")
_LLAMA_CPP = ("llama.cpp f16", "llama.cpp q8_0")
# llama.cpp stands among them where llama-cpp-python is installed.
CASES = (*_TORCH, "fast int8", *(_LLAMA_CPP if importlib.util.find_spec("llama_cpp") else ()))


class Systems:
    """Models and engines of the cases, each made when it is first asked for."""

    def __init__(self, name: str, device: str, processor: MotionLLMProcessor):
        self.name, self.device, self.processor = name, device, processor
        self.models: dict[str, MotionLLMForCausalLM] = {}
        self.engines: dict[str, MotionEngine] = {}

    def model(self, dtype: str = "fp32") -> MotionLLMForCausalLM:
        if dtype not in self.models:
            self.models[dtype] = load_model(self.name, self.device, dtype)
        return self.models[dtype]

    def case(self, name: str) -> tuple[MotionLLMForCausalLM, str | MotionEngine]:
        """Model and engine of a case such as `fast bf16`.

        Raises:
            MotionLLMError: there is none of that name, or llama-cpp-python is missing.
        """
        if name not in (*_TORCH, "fast int8", *_LLAMA_CPP):
            raise MotionLLMError(f"there is no case '{name}'; choose from {', '.join(CASES)}")
        engine, dtype = name.split()
        if name in _TORCH:
            return self.model(dtype), engine
        if name not in self.engines:
            if name == "fast int8":
                self.engines[name] = self.model().int8_engine()
            else:
                from hub_scripts.generation.llama_cpp import LlamaCppEngine, cached_gguf

                file = cached_gguf(self.model(), self.processor, dtype)
                self.engines[name] = LlamaCppEngine(file, self.model())
        return self.model(), self.engines[name]

    def bytes_read(self, name: str) -> float:
        """Of weights, for one step: layers and the rows of the output head that are asked for."""
        if name.startswith("llama.cpp"):
            return cast("LlamaCppEngine", self.case(name)[1]).weight_bytes
        model = self.model("bf16" if name.endswith("bf16") else "fp32")
        language_model = model.language_model
        tables = {
            id(layer.weight): layer.weight.nbytes
            for layer in (language_model.get_input_embeddings(), language_model.get_output_embeddings())
        }
        layers = sum(parameter.nbytes for parameter in language_model.parameters()) - sum(tables.values())
        head = language_model.get_output_embeddings().weight
        if name.startswith("fast"):
            head = head[: len(model.motion_vocabulary.motion_ids)]
        return (layers / 4 if name.endswith("int8") else layers) + head.nbytes
