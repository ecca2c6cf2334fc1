"""`motionllm train` in two processes on processors: the same batches, the same losses, the same adapter as in one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from conftest import THREADS
from safetensors.torch import load_file

CLONE = Path(__file__).resolve().parents[2]
ADAPTER = Path("adapters") / "default"


def losses(checkpoint: Path) -> list[tuple[int, float]]:
    record = json.loads((checkpoint / ADAPTER / "training_record.json").read_text(encoding="utf-8"))
    return [
        (entry["step"], entry[name]) for entry in record["history"] for name in ("loss", "eval_loss") if name in entry
    ]


def test_two_processes_train_as_one(training_run, train_arguments, tmp_path):
    arguments = list(train_arguments)
    size = arguments.index("--per_device_train_batch_size") + 1
    assert arguments[size] == "4"
    arguments[size] = "2"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "hub_scripts.cli", "train", *arguments, "--output_dir", str(tmp_path / "run")]
    environment = dict(os.environ) | {"PYTHONPATH": str(CLONE), "OMP_NUM_THREADS": str(THREADS)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    final = tmp_path / "run" / "final"
    assert done.stdout.count(f"the model is in {final}") == 1  # one of them writes it
    one, two = losses(training_run / "final"), losses(final)
    assert [step for step, _ in one] == [step for step, _ in two] == [3, 3, 6, 6]
    torch.testing.assert_close(torch.tensor([value for _, value in two]), torch.tensor([value for _, value in one]))
    ours, theirs = (load_file(path / ADAPTER / "adapter_model.safetensors") for path in (final, training_run / "final"))
    assert ours.keys() == theirs.keys()
    for name, weights in theirs.items():
        torch.testing.assert_close(
            ours[name], weights, atol=1e-4, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}"
        )
