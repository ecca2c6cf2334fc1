"""`python -m benchmarks.example_memory`: memory of a process that trains on a million motions, before and meanwhile.

    python -m benchmarks.example_memory [--rows 1000000] [--examples 1000000] [--made 20000] [--folder DIR]

A store of codes is written in DIR (kept if it is given) and read as `motionllm train` reads it; examples come in the
order of the Trainer's sampler. `own` is what the process has taken for itself, `mapped` what the system keeps in its
cache of the files that the process has looked at, and may give up.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from transformers.trainer_pt_utils import LengthGroupedSampler

from hub_scripts.data.codes import CodeRow, read_codes, write_codes
from hub_scripts.hub.actions import known_actions
from hub_scripts.options.checkpoint import load_processor, quiet
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT
from hub_scripts.training.examples import MotionTextExamples
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["synthetic_rows", "own_and_mapped"]

_ACTIONS = 80


def synthetic_rows(count: int, codebook_size: int) -> Iterator[CodeRow]:
    """Motions of one person of 1 to 10 s, random codes, four sentences each that no other motion has."""
    draw = np.random.default_rng(0)
    for number in range(count):
        yield {
            "name": f"motion-{number:07d}",
            "kind": "",
            "contents": [f"action-{number % _ACTIONS}"],
            "styles": ["normal"],
            "mirrored": False,
            "parts": [],
            "captions": [f"a person does thing {number} in manner {manner}, and goes on" for manner in range(4)],
            "placement_bins": [[64, 64, 0]],
            "codes": [draw.integers(0, codebook_size, draw.integers(5, 51)).tolist()],
        }


def own_and_mapped() -> tuple[float, float]:
    """Resident memory of this process in MB: its own, and that of mapped files (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    values = dict(line.split(":", 1) for line in status.splitlines())
    own, mapped = (int(values[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile"))
    return own, mapped


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.example_memory")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--examples", type=int, default=1_000_000)
    parser.add_argument("--made", type=int, default=20_000, help="how many of the examples are made")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    quiet()
    processor = load_processor(str(DEFAULT_CHECKPOINT))
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        if not (folder / "train.arrow").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_codes(folder, "train", synthetic_rows(args.rows, processor.codebook_size))
        measure(folder, processor, args.examples, args.made)


def measure(folder: Path, processor: MotionLLMProcessor, size: int, made: int) -> None:
    """Print what each step of a training's data takes."""
    started = time.monotonic()

    def tell(what: str) -> None:
        own, mapped = own_and_mapped()
        print(f"{time.monotonic() - started:7.0f} s  own {own:7.0f} MB  mapped {mapped:7.0f} MB  {what}", flush=True)

    tell("libraries and processor")
    rows = read_codes(folder, "train")
    tell(f"{len(rows):,} motions, {(folder / 'train.arrow').stat().st_size >> 20:,} MB on disk")
    known_actions(rows)
    tell("actions counted")
    examples = MotionTextExamples(rows, processor, size, seed=0)
    tell(f"{size:,} examples to be drawn")
    sampler = LengthGroupedSampler(16, lengths=examples.lengths())
    order = iter(sampler)
    tell("lengths, and the order of the batches")
    for number, index in zip(range(1, made + 1), order, strict=False):
        examples[index]
        if number % max(1, made // 5) == 0:
            tell(f"{number:,} examples made")


if __name__ == "__main__":
    main()
