"""SHA-256 sums of weights: of files, in the format of `sha256sum -c SHA256SUMS`, and of tensors wherever they are."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from .errors_motionllm import MotionLLMError
from .files_motionllm import atomic_path

if TYPE_CHECKING:
    import torch

__all__ = ["CHECKSUMS", "check_checksum", "file_sha256", "read_checksums", "tensors_sha256", "write_checksums"]

CHECKSUMS = "SHA256SUMS"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensors_sha256(tensors: "Iterable[tuple[str, torch.Tensor]]") -> str:
    """SHA-256 of named tensors as float32, in hexadecimal; it depends on their order, not on how they are stored."""
    whole = hashlib.sha256()
    for name, tensor in tensors:
        whole.update(f"{name} {tuple(tensor.shape)} ".encode())
        whole.update(tensor.detach().cpu().float().contiguous().numpy().data)
    return whole.hexdigest()


def write_checksums(folder: str | os.PathLike[str]) -> Path:
    """Write the sums of all safetensors files of a folder (not of its sub-folders) beside them."""
    folder = Path(folder)
    lines = [f"{file_sha256(path)}  {path.name}\n" for path in sorted(folder.glob("*.safetensors"))]
    with atomic_path(folder / CHECKSUMS) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
    return folder / CHECKSUMS


def read_checksums(path: str | os.PathLike[str]) -> dict[str, str]:
    """File name to SHA-256 of a `SHA256SUMS`."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return {name: value for value, _, name in (line.partition("  ") for line in lines) if name}


def check_checksum(weights: str | os.PathLike[str], checksums: str | os.PathLike[str], name: str) -> None:
    """Compare a weight file with its line in a file of sums.

    Args:
        weights: local path.
        checksums: local path of its `SHA256SUMS`.
        name: of the checkpoint, for the error.

    Raises:
        MotionLLMError: it has no line there, or another sum: it was changed or damaged.
    """
    weights = Path(weights)
    sums = read_checksums(checksums)
    if weights.name not in sums:
        raise MotionLLMError(f"{CHECKSUMS} of '{name}' has no line for {weights.name}; it belongs to other weights")
    found = file_sha256(weights)
    if found != sums[weights.name]:
        raise MotionLLMError(
            f"the weight file {weights.name} of '{name}' was changed or damaged after it was saved: its SHA-256 is "
            f"{found[:12]}..., {CHECKSUMS} says {sums[weights.name][:12]}...; get it again "
            f"(from the Hub: force_download=True), or delete {CHECKSUMS} if you changed it yourself"
        )
