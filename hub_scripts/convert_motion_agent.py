"""`motionllm convert motion-agent`: the official checkpoints (Motion-Agent, the paper's ICLR 2025 code) as ours."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from hub_scripts.hub.motion_agent import convert_llm, convert_vq, read_state, read_statistics
from hub_scripts.hub.part_cards import render_converted_card
from hub_scripts.options.checkpoint import quiet
from modeling_motionllm.base_model_motionllm import load_base_tokenizer
from modeling_motionllm.checkpoint_motionllm import save_thin_checkpoint
from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_folder, ensure_folder
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.vocabulary_motionllm import motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

__all__ = ["CONVERSION_RECORD", "main"]

CONVERSION_RECORD = "conversion_record.json"
# Official adapter: its name in our checkpoint. `default` is what from_pretrained loads.
_ADAPTERS = {"t2m": "default", "m2t": "m2t"}


def main(argv: Sequence[str]) -> int:
    """Run `motionllm convert motion-agent`.

    Raises:
        MotionLLMError: a file is missing, unsafe, or does not fit the base model.
    """
    parser = argparse.ArgumentParser(
        prog="motionllm convert motion-agent",
        description="Turn the official checkpoints (vqvae.pth, motionllm.pth) into a thin checkpoint of ours with two "
        "adapters: 'default' (text-to-motion) and 'm2t' (captioning). The files are read with weights_only=True.",
        epilog="example: motionllm convert motion-agent --vq ckpt/vqvae.pth --llm ckpt/motionllm.pth --mean mean.npy "
        "--std std.npy --base google/gemma-2-2b-it --out motion-agent",
    )
    parser.add_argument("--vq", required=True, help="vqvae.pth")
    parser.add_argument("--llm", required=True, help="motionllm.pth")
    parser.add_argument("--mean", required=True, help="mean.npy (checkpoints/t2m/VQVAEV3_CB1024_CMT_H1024_NRES3/meta)")
    parser.add_argument("--std", required=True, help="std.npy, beside it")
    parser.add_argument("--base", default="google/gemma-2-2b-it", help="base model (default google/gemma-2-2b-it)")
    parser.add_argument("--out", required=True, help="folder to write; it must not exist")
    args = parser.parse_args(argv)
    out = Path(args.out)
    if out.exists():
        raise MotionLLMError(f"--out '{out}' exists; give the name of a new folder")
    quiet()
    vq = convert_vq(read_state(Path(args.vq)), read_statistics(Path(args.mean)), read_statistics(Path(args.std)))
    state = read_state(Path(args.llm))
    tokenizer = MotionLLMTokenizer.from_base(
        load_base_tokenizer(args.base), motion_token_names(vq.config.codebook_size)
    )
    processor = MotionLLMProcessor(
        tokenizer,
        prompts="paper",
        codebook_size=vq.config.codebook_size,
        frames_per_code=vq.config.frames_per_code,
        fps=vq.config.fps,
        feature_dim=vq.config.input_dim,
    )
    ensure_folder(out.parent)
    with atomic_folder(out) as target:
        for official, name in _ADAPTERS.items():
            model = MotionLLMForCausalLM.from_base(args.base, tokenizer, vq)
            save_thin_checkpoint(target, convert_llm(state, model, official), processor, name)
        sources = {name: file_sha256(Path(getattr(args, name))) for name in ("vq", "llm", "mean", "std")}
        record = {"converted_from": "Motion-Agent", "base_model": args.base, "sha256": sources}
        (target / CONVERSION_RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        (target / "README.md").write_text(render_converted_card(args.base, out.name, sources), encoding="utf-8")
    print(f"{out}: adapters {', '.join(_ADAPTERS.values())} for {args.base}, {vq.config.codebook_size} codes")
    return 0
