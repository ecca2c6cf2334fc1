"""`motionllm train` in two processes on processors: the same batches, the same losses, the same adapter as in one.

They are launched by `accelerate` with the configuration of `examples/accelerate/`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType
from conftest import THREADS
from safetensors.torch import load_file

from hub_scripts.train_motionllm import main as train
from modeling_motionllm.errors_motionllm import MotionLLMError

CLONE = Path(__file__).resolve().parents[2]
ADAPTER = Path("adapters") / "default"
CONFIGURATION = CLONE / "examples" / "accelerate" / "two_processes.yaml"


def losses(checkpoint: Path) -> list[tuple[int, float]]:
    record = json.loads((checkpoint / ADAPTER / "training_record.json").read_text(encoding="utf-8"))
    return [
        (entry["step"], entry[name]) for entry in record["history"] for name in ("loss", "eval_loss") if name in entry
    ]


def test_the_configuration_is_one_of_accelerate():
    loaded = load_config_from_file(str(CONFIGURATION))
    assert (loaded.num_processes, loaded.num_machines, loaded.distributed_type) == (2, 1, DistributedType.MULTI_GPU)
    assert not loaded.use_cpu  # the same for GPUs; --use-cpu says it of a training


def test_weights_are_not_shared_out(train_arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(MotionLLMError, match="FSDP shares out the weights"):
        train([*train_arguments, "--output_dir", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_two_processes_train_as_one(training_run, train_arguments, tmp_path):
    arguments = list(train_arguments)
    size = arguments.index("--per_device_train_batch_size") + 1
    assert arguments[size] == "4"
    arguments[size] = "2"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIGURATION)]
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
