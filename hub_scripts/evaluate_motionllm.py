"""`motionllm evaluate`: reconstruction by the VQ-VAE, and generation from test captions, on a prepared dataset."""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from hub_scripts.card import EVALUATION, write_model_card
from hub_scripts.data.storage import read_split, read_summary
from hub_scripts.loading import add_model_arguments, load_model, load_processor, quiet
from hub_scripts.metrics.content import NearestContent
from hub_scripts.metrics.reconstruction import batches_by_length, reconstruction_metrics
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.processing_motionllm import pad_features

__all__ = ["evaluate_generation", "main"]

_RECONSTRUCTION = {
    "mpjpe_root_mm": "root-relative MPJPE, mm",
    "mpjpe_global_mm": "global MPJPE, mm",
    "drift_mm_median": "root drift at the end, median mm",
    "drift_mm_mean": "root drift at the end, mean mm",
    "velocity_mm": "velocity error, mm per frame",
    "perplexity": "code perplexity",
    "codes_used": "codes used",
}


def choose_clips(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """`count` rows in the order of a hash of their names: a fixed random sample."""
    return sorted(rows, key=lambda row: hashlib.sha256(row["name"].encode()).hexdigest())[:count]


def well_formed(codes: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Bool (B,): codes (B, L) first, padding after them, as many as wanted."""
    real = codes != -1
    contiguous = ~(real[:, 1:] & ~real[:, :-1]).any(-1)
    return contiguous & (real.sum(-1) == wanted)


def evaluate_generation(
    model: Any, processor: Any, rows: list[dict[str, Any]], greedy: bool, seed: int, batch_size: int
) -> tuple[list[np.ndarray], int]:
    """Generate a motion for one caption of each row, as long as its real motion; features, and how many well-formed."""
    limit = processor.num_codes(processor.max_seconds)
    lengths = [min(len(row["features"]) // processor.frames_per_code, limit) for row in rows]
    features: list[np.ndarray] = [np.zeros(0)] * len(rows)
    correct = 0
    name = "greedy" if greedy else "sampled"
    for batch in tqdm(batches_by_length(lengths, batch_size), desc=f"generate ({name})"):
        texts = [rows[index]["captions"][index % len(rows[index]["captions"])] for index in batch]
        seconds = [lengths[index] * processor.frames_per_code / processor.fps for index in batch]
        inputs = processor(text=texts, duration=seconds)
        output = model.generate_motion(**inputs, do_sample=not greedy, seed=seed + 1000 * batch[0])
        correct += int(well_formed(output.codes.cpu(), inputs["num_codes"]).sum())
        for row, index in enumerate(batch):
            features[index] = output.features[row, : lengths[index] * processor.frames_per_code].cpu().numpy()
    return features, correct


@torch.no_grad()
def _reconstruct(vq: MotionVQModel, clips: list[np.ndarray]) -> list[np.ndarray]:
    out = []
    for clip in clips:
        features, _ = pad_features([clip])
        codes = vq.encode(features.to(vq.device)).codes
        out.append(vq.decode(codes).features[0].cpu().numpy())
    return out


def _generation_table(model: Any, processor: Any, args: argparse.Namespace) -> dict[str, Any]:
    columns = ["name", "content", "captions", "features"]
    train = read_split(args.data, "train", columns)
    least = processor.frames_per_code
    rows = [row for row in read_split(args.data, args.split, columns) if len(row["features"]) >= least]
    rows = choose_clips(rows, args.prompts)
    judge = NearestContent([row["features"] for row in train], [row["content"] for row in train])
    asked = [row["content"] for row in rows]

    def share(clips: list[np.ndarray]) -> float:
        return float(np.mean([found == content for found, content in zip(judge.predict(clips), asked, strict=True)]))

    real = [row["features"] for row in rows]
    table: dict[str, Any] = {
        "prompts": len(rows),
        "real": {"content_accuracy": share(real)},
        "reconstructed": {"content_accuracy": share(_reconstruct(model.motion_vq, real))},
    }
    for name, greedy in (("greedy", True), ("sampled", False)):
        clips, correct = evaluate_generation(model, processor, rows, greedy, args.seed, args.batch_size)
        table[name] = {"content_accuracy": share(clips), "well_formed": correct / len(rows)}
    return table


def main(argv: Sequence[str]) -> int:
    """Run `motionllm evaluate`.

    Raises:
        MotionLLMError: no checkpoint or dataset there.
    """
    parser = argparse.ArgumentParser(
        prog="motionllm evaluate",
        description="Measure a checkpoint on a prepared dataset: how well its VQ-VAE reconstructs whole clips, and "
        "whether motions generated from the captions are well-formed and recognised as the content that was asked for "
        "(nearest neighbours among the train clips; the same share for real motions stands beside it).",
        epilog="example: motionllm evaluate --data data/bandai --split test --tasks reconstruction",
    )
    add_model_arguments(parser)
    parser.add_argument("--data", required=True, help="folder written by `motionllm prepare`")
    parser.add_argument("--split", default="test", choices=["train", "val", "test"], help="default test")
    parser.add_argument("--tasks", default="reconstruction,generation", help="default reconstruction,generation")
    parser.add_argument("--vq", help="measure this VQ-VAE folder instead of the checkpoint's (reconstruction only)")
    parser.add_argument("--prompts", type=int, default=64, help="number of captions to generate from (default 64)")
    parser.add_argument("--batch-size", type=int, default=16, help="motions per batch (default 16)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the draws (default 0)")
    parser.add_argument("--out", help="also write the figures as JSON to this file")
    parser.add_argument("--card", action="store_true", help="write the figures into the checkpoint and its card")
    args = parser.parse_args(argv)
    tasks = set(args.tasks.split(","))
    if not tasks <= {"reconstruction", "generation"}:
        raise MotionLLMError(f"--tasks is '{args.tasks}'; choose from reconstruction,generation")
    if args.prompts < 1 or args.batch_size < 1:
        raise MotionLLMError(f"--prompts {args.prompts} and --batch-size {args.batch_size} must be 1 or more")
    if args.card and (args.vq is not None or not Path(args.model).is_dir()):
        raise MotionLLMError("--card writes into a checkpoint folder; give one with --model, and no --vq")
    if args.vq is not None:
        tasks = {"reconstruction"}
    quiet()
    results: dict[str, Any] = {"split": args.split, "data_sha256": read_summary(args.data)["sha256"], "seed": args.seed}
    if args.out:
        ensure_folder(Path(args.out).parent)
    model = None
    if args.vq is None:
        processor, model = load_processor(args.model), load_model(args.model, args.device)
    if "reconstruction" in tasks:
        vq = MotionVQModel.from_pretrained(args.vq).eval() if model is None else model.motion_vq
        clips = [row["features"] for row in read_split(args.data, args.split, ["features"])]
        clips = [clip for clip in clips if len(clip) >= vq.config.frames_per_code]
        results["reconstruction"] = {"clips": len(clips), **reconstruction_metrics(vq, clips, progress=True)}
        print(f"\nVQ reconstruction, {len(clips)} whole clips of {args.split}")
        for key, label in _RECONSTRUCTION.items():
            print(f"  {label:<34} {results['reconstruction'][key]:10.1f}")
    if "generation" in tasks and model is not None:
        table = _generation_table(model, processor, args)
        results["generation"] = table
        print(f"\ngeneration from {table['prompts']} captions of {args.split}, lengths of the real motions")
        print(f"  {'':<16} {'well-formed':>12} {'content recognised':>20}")
        for name in ("real", "reconstructed", "greedy", "sampled"):
            formed = f"{100 * table[name]['well_formed']:.1f} %" if "well_formed" in table[name] else "-"
            print(f"  {name:<16} {formed:>12} {100 * table[name]['content_accuracy']:>18.1f} %")
    for path in [args.out] * bool(args.out) + [Path(args.model) / EVALUATION] * args.card:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if args.card:
        write_model_card(Path(args.model))
    return 0
