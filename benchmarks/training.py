"""`python -m benchmarks.training`: examples a second of one training step, ours and by the official procedure."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from peft import PeftModel

from benchmarks.measuring import Row, alternate, clock, machine, peak_memory, print_table
from hub_scripts.options.checkpoint import load_processor, quiet
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT
from hub_scripts.training.arguments import ModelArguments
from hub_scripts.training.examples import LossWeights, MotionTextExamples, PadExamples
from hub_scripts.training.model import add_adapter
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["measure"]

_OFFICIAL_LENGTH = 200  # tokens that every example is padded to
_OFFICIAL_BATCH, _BATCH = 4, 16
_SENTENCES = ("a person walks forward", "an old woman runs forward without hurrying", "someone waves with both hands")


def _rows(vq: MotionVQModel, count: int) -> list[dict[str, Any]]:
    """Clips of 1.4 to 7.8 s, as long as most of the Bandai-Namco clips, of random features."""
    draw = np.random.default_rng(0)
    rows = []
    for number in range(count):
        codes = int(draw.integers(7, 40))
        features = draw.standard_normal((codes * vq.config.frames_per_code, vq.config.input_dim), dtype=np.float32)
        rows.append(
            {
                "contents": [str(number)],
                "parts": [],
                "captions": [_SENTENCES[number % len(_SENTENCES)]],
                "codes": [draw.integers(0, vq.config.codebook_size, codes).tolist()],
                "features": torch.from_numpy(features)[None],
            }
        )
    return rows


def _learner() -> tuple[PeftModel, MotionLLMProcessor, torch.optim.Optimizer]:
    """The shipped model with a fresh adapter, and its optimiser."""
    processor = load_processor(str(DEFAULT_CHECKPOINT))
    composite = MotionLLMForCausalLM.from_pretrained(DEFAULT_CHECKPOINT)
    model = add_adapter(composite, ModelArguments(codes=[], vq=""), []).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return model, processor, torch.optim.AdamW(trained, lr=1e-4)


def _ours(
    model: PeftModel,
    processor: MotionLLMProcessor,
    optimizer: torch.optim.Optimizer,
    rows: list[dict[str, Any]],
    bfloat16: bool = False,
) -> Callable[[], None]:
    """One step from stored codes: like lengths together, the head only where there is a label."""
    examples = list(MotionTextExamples(rows, processor, len(rows), seed=0, weights=LossWeights(3.0, 4.0)))
    examples.sort(key=lambda example: len(example["input_ids"]))
    batches = [examples[start : start + _BATCH] for start in range(0, len(examples), _BATCH)]
    pad = PadExamples(processor.tokenizer.pad_token_id)

    def loss(batch: list[dict[str, Any]]) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):  # as `--bf16 true` does
            return model(**pad(batch)).loss

    def steps() -> None:
        for batch in batches:
            _step(model, optimizer, lambda batch=batch: loss(batch))

    return steps


def _official(
    model: PeftModel, processor: MotionLLMProcessor, optimizer: torch.optim.Optimizer, rows: list[dict[str, Any]]
) -> Callable[[], None]:
    """One step as the paper's code makes it: every clip encoded anew, the long prompt, padding, the whole head."""
    vq, language_model = model.get_base_model().motion_vq, model.get_base_model().language_model
    wordy = MotionLLMProcessor(
        processor.tokenizer, prompts="paper", codebook_size=processor.codebook_size, fps=processor.fps
    )
    pad = processor.tokenizer.pad_token_id

    def step() -> None:
        batch: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "attention_mask": []}
        for row in rows[:_OFFICIAL_BATCH]:
            with torch.no_grad():
                codes = vq.encode(row["features"]).codes[0].tolist()
            example = wordy.training_example("text-to-motion", row["captions"][0], codes)
            missing = _OFFICIAL_LENGTH - len(example["input_ids"])
            batch["input_ids"].append(example["input_ids"] + [pad] * missing)
            batch["labels"].append(example["labels"] + [-100] * missing)
            batch["attention_mask"].append([1] * len(example["input_ids"]) + [0] * missing)
        tensors = {name: torch.tensor(values) for name, values in batch.items()}
        _step(model, optimizer, lambda: language_model(**tensors, use_cache=False).loss)

    return step


def _step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[], torch.Tensor]) -> None:
    optimizer.zero_grad()
    loss().backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()


def _peak(which: str) -> float:
    """Largest resident set, in MB, of a process that trains so and does nothing else."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", "--peak", which], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout.splitlines()[-1])


_WAYS = {
    "ours": (_ours, _BATCH),
    "ours, bfloat16": (partial(_ours, bfloat16=True), _BATCH),
    "official": (_official, _OFFICIAL_BATCH),
}


def measure(quick: bool = False, cpu_time: bool = False) -> Iterator[Row]:
    """Examples a second and peak memory."""
    quiet()
    model, processor, optimizer = _learner()
    rows = _rows(model.get_base_model().motion_vq, _BATCH * (1 if quick else 3))
    cases = {name: make(model, processor, optimizer, rows) for name, (make, _) in _WAYS.items()}
    timings = alternate(cases, 3 if quick else 5, clock(cpu_time))
    count = {name: _OFFICIAL_BATCH if name == "official" else len(rows) for name in _WAYS}
    more = {name: number / count["official"] for name, number in count.items()}  # examples a round
    for name, timing in timings.items():
        ratio = timing.faster_than(timings["official"]) * more[name]
        told = (ratio, "official") if name != "official" else (None, "")
        yield Row(f"training, {name}", count[name] / timing.median, "examples/s", timing.spread(), *told)
    for name, (_, batch) in _WAYS.items():
        yield Row(f"peak memory of training, {name}, batches of {batch}", _peak(name), "MB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--cpu-time", action="store_true", help="processor seconds instead of seconds that pass")
    parser.add_argument("--peak", choices=list(_WAYS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        quiet()
        model, processor, optimizer = _learner()
        make, _ = _WAYS[args.peak]
        make(model, processor, optimizer, _rows(model.get_base_model().motion_vq, _BATCH))()
        print(peak_memory())
        return
    print(machine())
    print_table("training", measure(args.quick, args.cpu_time))


if __name__ == "__main__":
    main()
