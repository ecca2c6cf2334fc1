"""`motionllm export`: write a checkpoint in another layout to a local folder."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hub_scripts.hub.layouts import LAYOUTS, check_thin_checkpoint, layout_files
from hub_scripts.options.checkpoint import quiet
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT, require_shipped
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_folder, ensure_folder, share_files

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run `motionllm export`.

    Raises:
        MotionLLMError: no such checkpoint, the target exists, or options that do not go together.
    """
    parser = argparse.ArgumentParser(
        prog="motionllm export",
        description="Write a checkpoint that `motionllm train` made in another layout. full: one file of weights with "
        "the adapter merged in and the code beside it. plain: the language model alone, a stock checkpoint that "
        "`transformers serve`, vLLM and others load without our code, or one file for llama.cpp (--format gguf). vq: "
        "the VQ-VAE alone. thin: a copy.",
        epilog="example: motionllm export --layout plain --out runs/plain",
    )
    parser.add_argument(
        "folder", nargs="?", default=str(DEFAULT_CHECKPOINT), help="thin checkpoint (default: the shipped one)"
    )
    parser.add_argument("--layout", choices=("full", "plain", "vq", "thin"), default="full", help="default full")
    parser.add_argument("--format", choices=("safetensors", "gguf"), default="safetensors", help="of the plain layout")
    parser.add_argument("--dtype", choices=("f32", "f16", "q8_0"), help="of the matrices in a .gguf (default f16)")
    parser.add_argument("--out", required=True, help="folder to write; it must not exist")
    parser.add_argument("--adapter", default="default", help="which adapter (default 'default')")
    args = parser.parse_args(argv)
    if args.format == "gguf" and args.layout != "plain":
        raise MotionLLMError(f"--format gguf is for --layout plain, not {args.layout}")
    if args.dtype is not None and args.format != "gguf":
        raise MotionLLMError(f"--dtype {args.dtype} is for --format gguf; add it, or leave --dtype out")
    folder, out = Path(args.folder), Path(args.out)
    require_shipped(folder)
    check_thin_checkpoint(folder, args.adapter)
    if out.exists():
        raise MotionLLMError(f"--out '{out}' exists; give the name of a new folder")
    ensure_folder(out.parent)
    quiet()
    with atomic_folder(out) as target:
        if args.format == "gguf":
            from hub_scripts.hub.gguf import write_gguf_layout

            write_gguf_layout(folder, target, out.name, args.adapter, args.dtype or "f16")
        else:
            LAYOUTS[args.layout].write(folder, target, out.as_posix(), args.adapter)
        share_files(target)
        files = layout_files(target)
    size = sum((out / name).stat().st_size for name in files)
    print(f"{out}: layout {args.layout}, {len(files)} files, {size / 1e6:.1f} MB")
    return 0
