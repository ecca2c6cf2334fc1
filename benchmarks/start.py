"""`python -m benchmarks.start`: `motionllm --help` and a cold `motionllm generate`, step by step."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

from benchmarks.measuring import Row, Timing, machine, peak_memory, print_table

__all__ = ["measure"]

_ROOT = Path(__file__).resolve().parent.parent
_STEPS = (
    "start Python, import torch",
    "import transformers and motionllm",
    "tokenizer and processor",
    "model: base, VQ-VAE, adapter",
    "first motion (4 s)",
    "write .npz, .html, .mp4",
)
_NAIVE = "PEFT's merge, no care"


def _child(naive: bool, cpu_time: bool, started: float) -> None:
    """What `motionllm generate` does; the seconds of its steps and the peak of its memory as JSON on the last line.

    Args:
        started: `time.time()` just before this process was started: torch is there before the first line of this runs.
    """
    now = time.process_time if cpu_time else time.time
    marks = [0.0 if cpu_time else started]

    def done() -> None:
        marks.append(now())

    import torch  # noqa: F401

    done()
    from hub_scripts.options import checkpoint as loading

    if naive:
        loading._without_collecting = loading._one_process = nullcontext
    loading.quiet()
    if naive:
        from modeling_motionllm import checkpoint_motionllm, fused_llama_motionllm

        checkpoint_motionllm.merge_plain_lora = lambda *arguments: False
        fused_llama_motionllm._is_stock_llama = lambda model: False
    done()
    name = str(loading.DEFAULT_CHECKPOINT)
    processor = loading.load_processor(name)
    inputs = processor(text="a person waves with the left hand", duration=4)
    done()
    model = loading.load_model(name, "cpu")
    done()
    motion = processor.decode_motion(model.generate_motion(**inputs, seed=1), ["a person waves with the left hand"])[0]
    done()
    from hub_scripts.export import save_motion_files

    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("npz", "html", "mp4"):
            save_motion_files(motion, Path(folder) / f"motion.{suffix}")
    done()
    print(json.dumps({"steps": [after - before for before, after in pairwise(marks)], "peak": peak_memory()}))


def _run(*arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(_ROOT), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, *arguments], cwd=_ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout


def _help_seconds(cpu_time: bool) -> float:
    before, start = os.times(), time.perf_counter()
    _run("-m", "hub_scripts.cli", "--help")
    passed, after = time.perf_counter() - start, os.times()
    if cpu_time:
        return after.children_user + after.children_system - before.children_user - before.children_system
    return passed


def _by_step(runs: Sequence[dict]) -> list[Timing]:
    """Timings of each step over several runs, and of all steps together."""
    steps = [run["steps"] for run in runs]
    return [*(Timing(list(step)) for step in zip(*steps, strict=True)), Timing([sum(step) for step in steps])]


def measure(rounds: int = 5, cpu_time: bool = False) -> Iterator[Row]:
    """Seconds of the steps of a cold start, each round in new processes, against the naive way in turn."""
    flags = ["--cpu-time"] if cpu_time else []

    def cold(*more: str) -> dict:
        return json.loads(_run("-m", "benchmarks.start", "--child", str(time.time()), *flags, *more).splitlines()[-1])

    cold()  # the first use may de-quantise the base
    helps, ours, naive = [], [], []
    for _ in range(rounds):
        helps.append(_help_seconds(cpu_time))
        ours.append(cold())
        naive.append(cold("--naive"))
    timing = Timing(helps)
    yield Row("motionllm --help", timing.median, "s", timing.spread())
    names = (*_STEPS, "cold motionllm generate, in all")
    for name, timing, other in zip(names, _by_step(ours), _by_step(naive), strict=True):
        yield Row(name, timing.median, "s", timing.spread(), timing.faster_than(other), _NAIVE)
    yield Row("peak memory of it", Timing([one["peak"] for one in ours]).median, "MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (default 5)")
    parser.add_argument("--cpu-time", action="store_true", help="processor seconds instead of seconds that pass")
    parser.add_argument("--child", type=float, metavar="STARTED", help=argparse.SUPPRESS)
    parser.add_argument("--naive", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        _child(args.naive, args.cpu_time, args.child)
    else:
        print(machine())
        print_table("start", measure(args.rounds, args.cpu_time))
