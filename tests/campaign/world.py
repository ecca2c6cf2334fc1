"""What the campaign works on: the tiny models of the tests, and the commands that write."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .inputs import Reader
from .runs import Command

__all__ = ["World", "make_world"]

_FILES = (
    "config.json",
    "processor_config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "motion_vq/config.json",
    "motion_vq/model.safetensors",
    "adapters/default/adapter_config.json",
    "adapters/default/adapter_model.safetensors",
)


@dataclass(frozen=True)
class World:
    """Folder of everything, a tiny thin checkpoint, and the commands."""

    folder: Path
    checkpoint: Path
    commands: list[Command]

    def checkpoint_files(self) -> list[Reader]:
        """Each file of a copy of the checkpoint, read by loading all of it."""
        copied = self.folder / "damaged"
        shutil.copytree(self.checkpoint, copied)

        def load(path: Path) -> Any:
            from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
            from modeling_motionllm.processing_motionllm import MotionLLMProcessor

            MotionLLMProcessor.from_pretrained(copied)
            MotionLLMForCausalLM.from_pretrained(copied)

        return [Reader(name, copied / name, load, name.endswith(".safetensors")) for name in _FILES]


def make_world(folder: Path) -> World:
    """Make the tiny models and data of the tests, once; no thread is started, so that copies can be made."""
    import numpy as np
    import torch

    torch.set_num_threads(1)
    import conftest

    from hub_scripts.cli import main
    from hub_scripts.data.codes import weights_hash, write_codes, write_codes_summary

    base = conftest.save_base(folder / "base", conftest.train_base_tokenizer())
    vq = folder / "vq"
    conftest.make_vq().save_pretrained(vq)
    codes = folder / "codes"
    codes.mkdir()
    draw = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 2)):
        rows: list[Any] = [
            conftest.code_row(
                f"{split}{index}",
                "walk",
                [conftest.SENTENCES[index % len(conftest.SENTENCES)]],
                draw.integers(0, conftest.CODEBOOK_SIZE, size=9).tolist(),
            )
            for index in range(count)
        ]
        write_codes(codes, split, rows)
    write_codes_summary(codes, {"vq_sha256": weights_hash(vq), "data_sha256": "0" * 64})
    recordings = folder / "recordings"
    recordings.mkdir()
    clip = conftest.FIXTURES / "bandai" / "dataset-1_walk_normal_002.bvh"
    for number in range(8):
        shutil.copyfile(clip, recordings / f"dataset-1_walk_normal_{number:03d}.bvh")
    data = conftest.write_golden_dataset(folder / "data", conftest.read_golden())
    steps = ["--max_steps", "4", "--save_steps", "2", "--logging_steps", "2", "--use_cpu", "True"]
    steps += ["--per_device_train_batch_size", "2", "--eval_strategy", "no", "--dataloader_pin_memory", "False"]
    train = ["train", "--codes", str(codes), "--vq", str(vq), "--base_model", str(base), *steps]
    checkpoint = folder / "trained" / "final"
    _quietly(lambda: main([*train, "--output_dir", str(checkpoint.parent)]))
    sizes = ["--width", "16", "--depth", "1", "--codebook_size", "32", "--code_dim", "16", "--continuous_steps", "0"]
    generate = ["generate", "a person walks", "--model", str(checkpoint), "--duration", "1", "--no-caption"]
    commands = [
        Command("train", train, "--output_dir", _resume),
        Command("train-vq", ["train-vq", "--data", str(data), *sizes, *steps], "--output_dir", _resume),
        Command("prepare", ["prepare", "bandai", str(recordings), "--num-proc", "1"], "--out", _overwrite),
        Command("encode", ["encode", "--vq", str(vq), "--data", str(data)], "--out"),
        Command("generate", [*generate, "--formats", "npz,bvh,glb,html"], "-o", lambda folder: ["--overwrite"]),
    ]
    return World(folder, checkpoint, commands)


def _resume(folder: Path) -> list[str]:
    from hub_scripts.training.checkpoints import last_checkpoint

    return ["--resume"] if folder.is_dir() and last_checkpoint(folder) else []


def _overwrite(folder: Path) -> list[str]:
    return ["--overwrite"]


def _quietly(work: Callable[[], int]) -> None:
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        code = work()
    finally:
        os.dup2(out, 1)
    if code:
        raise SystemExit(f"a command of the campaign's own world ended with {code}")
