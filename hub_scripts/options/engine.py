"""Options that say what decodes motions (--engine, --dtype, --gguf), the same for every command that generates."""

import argparse
from pathlib import Path
from typing import Any

from hub_scripts.options.checkpoint import load_model
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["add_engine_arguments", "check_engine_arguments", "engine_settings", "load_engine"]

_LLAMA_CPP = "llama.cpp"
_ENGINES = ("auto", "fast", "generate", _LLAMA_CPP)
_DTYPES = ("fp32", "bf16", "int8")
_GGUF_DTYPES = ("f16", "q8_0")


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --engine, --dtype, --gguf and --gguf-dtype."""
    group = parser.add_argument_group("decoding (docs/performance.md)")
    group.add_argument(
        "--engine",
        choices=_ENGINES,
        default="auto",
        help="what runs the language model: the built-in fast decoder, transformers' generate, or llama.cpp (needs "
        "llama-cpp-python); auto (default): fast where it can",
    )
    group.add_argument(
        "--dtype",
        choices=_DTYPES,
        default="fp32",
        help="of the language model in torch: fp32 (default) is exact, bf16 and int8 are faster on some machines",
    )
    group.add_argument("--gguf", metavar="FILE", help="for llama.cpp: the language model (default: written once)")
    group.add_argument("--gguf-dtype", choices=_GGUF_DTYPES, help="for llama.cpp, of the file that is written: f16")


def check_engine_arguments(args: argparse.Namespace) -> None:
    """Check these options before anything is loaded.

    Raises:
        MotionLLMError: some that do not go together, no such file, or llama-cpp-python is missing.
    """
    if args.engine != _LLAMA_CPP:
        for name in ("gguf", "gguf_dtype"):
            if getattr(args, name) is not None:
                raise MotionLLMError(f"--{name.replace('_', '-')} is for --engine {_LLAMA_CPP}, not {args.engine}")
        if args.dtype == "int8" and args.engine == "generate":
            raise MotionLLMError("--dtype int8 is for the fast decoder, not for --engine generate")
        if args.dtype == "int8" and args.device != "cpu":
            raise MotionLLMError(f"--dtype int8 is for the CPU, and --device is {args.device}; take bf16 there")
        return
    if args.dtype != "fp32":
        raise MotionLLMError(f"--dtype {args.dtype} is not for --engine {_LLAMA_CPP}; there --gguf-dtype says it")
    if args.gguf is not None and args.gguf_dtype is not None:
        raise MotionLLMError("give --gguf, a file, or --gguf-dtype, of the file that is written; not both")
    if args.gguf is not None and not Path(args.gguf).is_file():
        raise MotionLLMError(f"--gguf is '{args.gguf}', and there is no such file; leave it out to have one written")
    from hub_scripts.generation.llama_cpp import llama_cpp_library

    llama_cpp_library()


def engine_settings(args: argparse.Namespace) -> dict[str, str]:
    """What of these options changes the motions, for settings that are compared; empty for the exact engines."""
    if args.engine == _LLAMA_CPP:
        return {"engine": f"llama.cpp {args.gguf or args.gguf_dtype or _GGUF_DTYPES[0]}"}
    return {} if args.dtype == "fp32" else {"dtype": args.dtype}


def load_engine(args: argparse.Namespace, processor: Any, device: str | None = None) -> tuple[Any, Any]:
    """The model and what goes into `generate_motion(engine=...)`.

    Args:
        args: with --model, --device and these options.
        processor: of the same checkpoint.
        device: instead of --device.

    Raises:
        MotionLLMError: the checkpoint cannot be loaded, or the engine does not fit it.
    """
    model = load_model(args.model, device or args.device, "bf16" if args.dtype == "bf16" else "fp32")
    if args.engine == _LLAMA_CPP:
        from hub_scripts.generation.llama_cpp import LlamaCppEngine, cached_gguf

        file = args.gguf or cached_gguf(model, processor, args.gguf_dtype or _GGUF_DTYPES[0])
        return model, LlamaCppEngine(file, model)
    return model, model.int8_engine() if args.dtype == "int8" else args.engine
