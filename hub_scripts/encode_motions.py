"""`motionllm encode`: turn a prepared dataset into codes, once; training reads codes and never motions."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from hub_scripts.data.codes import (
    CODES_SUMMARY,
    CodeRow,
    codes_are_whole,
    read_codes_summary,
    weights_hash,
    write_codes,
    write_codes_summary,
)
from hub_scripts.data.folder_lock import only_one
from hub_scripts.data.store import SUMMARY, existing_splits, read_motions, read_summary
from hub_scripts.hub.folders import local_folder
from hub_scripts.metrics.reconstruction import batches_by_length, check_columns
from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import ensure_folder
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.placement_motionllm import encode_placements
from modeling_motionllm.processing_motionllm import pad_features

__all__ = ["encode_clips", "encode_dataset", "main"]


@torch.no_grad()
def encode_clips(vq: MotionVQModel, clips: Sequence[np.ndarray], batch_size: int, label: str) -> list[list[int]]:
    """Codes of raw features (T_i, 263), each at least one code long; clips of about one length share a batch."""
    check_columns(vq, clips)
    codes: list[list[int]] = [[] for _ in clips]
    for batch in tqdm(batches_by_length([len(clip) for clip in clips], batch_size), desc=f"encode {label}"):
        features, mask = pad_features([clips[index] for index in batch])
        encoded = vq.encode(features.to(vq.device), mask.to(vq.device))
        for index, row, valid in zip(batch, encoded.codes.cpu(), encoded.attention_mask.cpu(), strict=True):
            codes[index] = row[valid].tolist()
    return codes


def encode_dataset(
    vq: MotionVQModel, data: str, out: Path, splits: Sequence[str], batch_size: int = 64
) -> dict[str, dict[str, Any]]:
    """Encode splits of a dataset, each person in a frame of its own, and write them to `out`.

    Returns:
        The number of motions and of codes per split, and the SHA-256 of its file.
    """
    counts = {}
    columns = ["name", "kind", "contents", "styles", "mirrored", "parts", "captions", "placements", "features"]
    columns += ["segment_captions", "segment_ends"]
    for split in splits:
        rows = read_motions(data, split, columns)
        rows = [row for row in rows if row["features"].shape[1] >= vq.config.frames_per_code]
        damaged = {row["name"] for row in rows if not np.isfinite(row["features"]).all()}
        for name in sorted(damaged):
            print(f"left out: '{name}' has features that are NaN or infinite", file=sys.stderr)
        rows = [row for row in rows if row["name"] not in damaged]
        codes = iter(encode_clips(vq, [one for row in rows for one in row.pop("features")], batch_size, split))
        encoded: list[CodeRow] = [
            {
                "name": row["name"],
                "kind": row["kind"],
                "contents": row["contents"],
                "styles": row["styles"],
                "mirrored": row["mirrored"],
                "parts": row["parts"],
                "captions": row["captions"],
                "placement_bins": encode_placements(row["placements"]).tolist(),
                "codes": [next(codes) for _ in row["contents"]],
                "segment_captions": row["segment_captions"],
                "segment_ends": [end // vq.config.frames_per_code for end in row["segment_ends"]],
            }
            for row in rows
        ]
        path = write_codes(out, split, encoded)
        number = sum(len(one) for row in encoded for one in row["codes"])
        counts[split] = {"motions": len(rows), "codes": number, "sha256": file_sha256(path)}
    return counts


def main(argv: Sequence[str]) -> int:
    """Run `motionllm encode`.

    Raises:
        MotionLLMError: no VQ-VAE or dataset there, or a folder that cannot be written.
    """
    parser = argparse.ArgumentParser(
        prog="motionllm encode",
        description="Encode every motion of a prepared dataset with a trained VQ-VAE, once. The codes are "
        "stored under the hash of the VQ-VAE's weights, so codes of another VQ-VAE are never taken for its own.",
        epilog="example: motionllm encode --vq runs/motion_vq --data data/bandai",
    )
    parser.add_argument("--vq", required=True, help="trained VQ-VAE (motionllm train-vq): folder or Hub id")
    parser.add_argument("--data", required=True, help="what `motionllm prepare` wrote: folder, or dataset of the Hub")
    parser.add_argument("--out", help="where to write (default: DATA/codes-<hash of the VQ-VAE>)")
    parser.add_argument("--batch-size", type=int, default=64, help="people per batch (default 64)")
    args = parser.parse_args(argv)
    if args.batch_size < 1:
        raise MotionLLMError(f"--batch-size is {args.batch_size}; give 1 or more")

    given, args.data = args.data, local_folder(args.data, SUMMARY)
    if args.data != given and args.out is None:
        raise MotionLLMError(f"--data is '{given}' of the Hub, not a folder to write codes into; give --out")
    args.vq = local_folder(args.vq, "config.json", "model")
    data = read_summary(args.data)
    key = {"vq_sha256": weights_hash(args.vq), "data_sha256": data["sha256"], "data_name": data.get("name")}
    out = ensure_folder(args.out or Path(args.data) / f"codes-{key['vq_sha256'][:12]}")
    with only_one(out):
        return _encode(args, out, key, data)


def _encode(args: argparse.Namespace, out: Path, key: dict[str, Any], data: dict[str, Any]) -> int:
    if (out / CODES_SUMMARY).is_file():
        with suppress(MotionLLMError):  # a damaged summary is made anew
            summary = read_codes_summary(out)
            if key.items() <= summary.items() and codes_are_whole(out, summary):
                print(f"{out} is up to date")
                return 0
    (out / CODES_SUMMARY).unlink(missing_ok=True)
    vq = MotionVQModel.from_pretrained(args.vq).eval()
    counts = encode_dataset(vq, args.data, out, existing_splits(args.data), args.batch_size)
    licences = {
        "data_license": data.get("license"),
        "data_licenses": sorted(data.get("licenses", [data.get("license")])),
    }
    write_codes_summary(out, {**key, **licences, "splits": counts})
    print(f"{out}: " + ", ".join(f"{split} {c['motions']} motions, {c['codes']} codes" for split, c in counts.items()))
    return 0
