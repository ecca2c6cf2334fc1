"""`--engine`: what decodes motions, the same for every command that generates."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hub_scripts.options.checkpoint import load_model
from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from modeling_motionllm.decoding_motionllm import MotionEngine
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["add_engine_arguments", "check_engine_arguments", "engine_settings", "is_server", "load_engine"]

_LLAMA_CPP = "llama.cpp"
_SERVED_HELP = "; or the address of a server that has the plain layout, http://HOST:8000/v1 (docs/serving.md)"
_ENGINES = ("auto", "fast", "fast-bf16", "fast-int8", "generate", "generate-bf16", _LLAMA_CPP, f"{_LLAMA_CPP}-q8_0")


def add_engine_arguments(parser: argparse.ArgumentParser, served: bool = False) -> None:
    """Add --engine, and with `served` --served-model, for commands that a server may make motions for."""
    parser.add_argument(
        "--engine",
        default="auto",
        metavar="ENGINE",
        help="what runs the language model: fast (built in, exact), fast-bf16, fast-int8 (quicker on some machines), "
        "generate or generate-bf16 (transformers), llama.cpp or llama.cpp-q8_0 (needs llama-cpp-python; writes its "
        "file once), or a FILE.gguf of the model; auto (default): fast where it can (docs/performance.md)"
        f"{_SERVED_HELP if served else ''}",
    )
    if served:
        parser.add_argument(
            "--served-model", metavar="NAME", help="with --engine http...: the model's name there (default: the first)"
        )


def is_server(engine: str) -> bool:
    """Whether an engine is the address of a server."""
    return engine.startswith(("http://", "https://"))


def _is_gguf(engine: str) -> bool:
    return engine.endswith(".gguf")


def check_engine_arguments(args: argparse.Namespace) -> None:
    """Check --engine before anything is loaded.

    Raises:
        MotionLLMError: there is no such engine or file, it is not for the device, or llama-cpp-python is missing.
    """
    engine = args.engine
    if is_server(engine) and hasattr(args, "served_model"):
        return
    if getattr(args, "served_model", None) is not None:
        raise MotionLLMError(f"--served-model is for --engine http..., and --engine is '{engine}'; leave it out")
    if _is_gguf(engine):
        if not Path(engine).is_file():
            raise MotionLLMError(
                f"--engine is '{engine}', and there is no such file; take {_LLAMA_CPP} to have one written"
            )
    elif engine not in _ENGINES:
        raise MotionLLMError(f"--engine is '{engine}'; choose from {', '.join(_ENGINES)}, or give a FILE.gguf")
    if engine == "fast-int8" and args.device != "cpu":
        raise MotionLLMError(f"--engine fast-int8 is for the CPU, and --device is {args.device}; take fast-bf16 there")
    if _is_gguf(engine) or engine.startswith(_LLAMA_CPP):
        from hub_scripts.generation.llama_cpp import llama_cpp_library

        llama_cpp_library()


def engine_settings(args: argparse.Namespace) -> dict[str, str]:
    """The engine as a setting, if it changes the motions; empty for the exact ones."""
    if is_server(args.engine):
        return {"engine": "served"}  # wherever it is
    return {} if args.engine in ("auto", "fast", "generate") else {"engine": args.engine}


def load_engine(
    args: argparse.Namespace, processor: "MotionLLMProcessor", device: str | None = None
) -> "tuple[MotionLLMForCausalLM, str | MotionEngine]":
    """The model and what goes into `generate_motion(engine=...)`.

    Args:
        args: with --model, --device and --engine.
        processor: of the same checkpoint.
        device: instead of --device.

    Raises:
        MotionLLMError: the checkpoint cannot be loaded, or the engine does not fit it.
    """
    if is_server(args.engine):
        from hub_scripts.generation.served import load_served

        served = load_served(args.engine, args.model, processor, args.served_model)
        return cast("MotionLLMForCausalLM", served), "auto"  # it has what the commands with --served-model call
    name, _, dtype = args.engine.partition("-")
    model = load_model(args.model, device or args.device, "bf16" if dtype == "bf16" else "fp32")
    if _is_gguf(args.engine) or name == _LLAMA_CPP:
        from hub_scripts.generation.llama_cpp import LlamaCppEngine, cached_gguf

        file = args.engine if _is_gguf(args.engine) else cached_gguf(model, processor, dtype or "f16")
        return model, LlamaCppEngine(file, model)
    return model, model.int8_engine() if dtype == "int8" else name
