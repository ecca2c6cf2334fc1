"""Checkpoints of an unfinished training: whole or not there, found again, gone on from with the same settings only."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from hub_scripts.data.folder_lock import only_one
from hub_scripts.train_motionllm import main
from hub_scripts.training.checkpoints import UNFINISHED, find_checkpoint
from modeling_motionllm.errors_motionllm import MotionLLMError

ROOT = Path(__file__).parents[2]
ADAPTER = "adapter_model.safetensors"


@pytest.fixture
def interrupted(training_run: Path, tmp_path: Path) -> Path:
    """What a training leaves that was ended after checkpoint-6."""
    for name in ("checkpoint-3", "checkpoint-6"):
        shutil.copytree(training_run / name, tmp_path / "run" / name)
    return tmp_path / "run"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@pytest.mark.parametrize("name", ["trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth", ADAPTER])
def test_a_cut_file_of_any_kind_makes_the_one_before_the_last(interrupted: Path, name: str) -> None:
    cut(interrupted / "checkpoint-6" / name)
    found, broken = find_checkpoint(interrupted)
    assert found == interrupted / "checkpoint-3"
    assert broken == {"checkpoint-6": f"{name} is damaged"}
    if name != "rng_state.pth":
        (interrupted / "checkpoint-6" / name).unlink()
        assert find_checkpoint(interrupted)[0] == interrupted / "checkpoint-3"


def test_a_changed_byte_is_damage(interrupted: Path) -> None:
    for name in ("optimizer.pt", ADAPTER):
        path = interrupted / "checkpoint-6" / name
        before = path.read_bytes()
        data = bytearray(before)
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert find_checkpoint(interrupted)[1].keys() == {"checkpoint-6"}
        path.write_bytes(before)


def test_a_run_goes_on_over_a_broken_checkpoint(
    interrupted: Path, training_run: Path, train_arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cut(interrupted / "checkpoint-6" / "optimizer.pt")
    (interrupted / UNFINISHED / "checkpoint-6").mkdir(parents=True)  # of a killed run
    for path in (interrupted / "checkpoint-3").iterdir():
        if path.name in ("training_run.json", "SHA256SUMS"):
            path.unlink()  # as runs have them that were begun before there were records
    assert main([*train_arguments, "--output_dir", str(interrupted), "--resume"]) == 0
    assert "checkpoint-6: optimizer.pt is damaged" in capsys.readouterr().err
    assert find_checkpoint(interrupted) == (interrupted / "checkpoint-6", {})
    assert not (interrupted / UNFINISHED).exists()
    resumed, straight = (load_file(run / "final/adapters/default" / ADAPTER) for run in (interrupted, training_run))
    for name, value in straight.items():
        assert value.equal(resumed[name]), name


def test_only_broken_checkpoints_are_said(interrupted: Path, train_arguments: list[str]) -> None:
    for name in ("checkpoint-3", "checkpoint-6"):
        (interrupted / name / "trainer_state.json").unlink()
    with pytest.raises(MotionLLMError, match=r"no whole checkpoint .*trainer_state.json is missing.* without --resume"):
        main([*train_arguments, "--output_dir", str(interrupted), "--resume"])


@pytest.mark.parametrize(
    "options,told",
    [
        (["--seed", "43"], r"begun with seed 42 \(now 43\)"),
        (["--lora_r", "4"], r"begun with lora_r 8 \(now 4\)"),
        (["--per_device_train_batch_size", "2"], r"begun with batch size 4 \(now 2\)"),
    ],
)
def test_other_settings_are_refused(
    interrupted: Path, train_arguments: list[str], options: list[str], told: str
) -> None:
    with pytest.raises(MotionLLMError, match=told):
        main([*train_arguments, *options, "--output_dir", str(interrupted), "--resume"])


def test_other_data_is_refused(
    interrupted: Path, train_arguments: list[str], codes_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "codes"
    shutil.copytree(codes_folder, other)
    shutil.copyfile(other / "val.arrow", other / "train.arrow")
    with pytest.raises(MotionLLMError, match=r"was begun with codes [0-9a-f]{12}\.\.\. \(now [0-9a-f]{12}\.\.\.\)"):
        main([*train_arguments, "--codes", str(other), "--output_dir", str(interrupted), "--resume"])


def test_another_rank_is_refused_where_there_is_no_record(interrupted: Path, train_arguments: list[str]) -> None:
    (interrupted / "checkpoint-6" / "training_run.json").unlink()
    with pytest.raises(MotionLLMError, match="does not fit this model"):
        main([*train_arguments, "--lora_r", "4", "--output_dir", str(interrupted), "--resume"])


# Trains in a copy of itself for each number n, which ends itself at the n-th time that it opens for writing, renames or
# removes a file from the first checkpoint on.
_KILLED = """
import os, signal, sys
from pathlib import Path
from hub_scripts.train_motionllm import main
import hub_scripts.training.motionllm, transformers.models.llama.modeling_llama

def kill_at(limit):
    seen = 0
    def watch(event, args):
        nonlocal seen
        if event == "open" and not (isinstance(args[1], str) and set(args[1]) & set("wax+")):
            return
        if event in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir") and (seen or "unfinished" in str(args)):
            seen += 1
            if seen == limit:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)

for limit in sys.argv[1].split(","):
    child = os.fork()
    if not child:
        kill_at(int(limit))
        main([*sys.argv[3:], "--output_dir", str(Path(sys.argv[2], limit))])
        os._exit(0)
    print("ended", os.waitpid(child, 0)[1], flush=True)
"""


def test_a_run_killed_while_it_writes_goes_on_to_the_same_weights(
    training_run: Path, train_arguments: list[str], tmp_path: Path
) -> None:
    events = ["2", "9", "16"]
    command = [sys.executable, "-c", _KILLED, ",".join(events), str(tmp_path), *train_arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    ended = [line for line in run.stdout.splitlines() if line.startswith("ended")]
    assert ended == [f"ended {int(signal.SIGKILL)}"] * 3
    straight = load_file(training_run / "final/adapters/default" / ADAPTER)
    for folder in (tmp_path / event for event in events):
        found, broken = find_checkpoint(folder)
        assert broken == {}
        assert main([*train_arguments, "--output_dir", str(folder), *(["--resume"] if found else [])]) == 0
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
        resumed = load_file(folder / "final/adapters/default" / ADAPTER)
        assert all(value.equal(resumed[name]) for name, value in straight.items())


def test_a_full_disk_is_one_line_and_leaves_no_half(
    train_arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # no file may be larger
    try:
        with pytest.raises(MotionLLMError, match=r"cannot write '.*checkpoint-3' .*free some space"):
            main([*train_arguments, "--output_dir", str(tmp_path)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, was)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_two_trainings_do_not_share_a_folder(train_arguments: list[str], tmp_path: Path) -> None:
    holder = "from hub_scripts.data.folder_lock import only_one\nimport sys, time\n"
    holder += "with only_one(sys.argv[1]):\n print('held', flush=True); time.sleep(600)"
    other = subprocess.Popen([sys.executable, "-c", holder, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(MotionLLMError, match=rf"another run is at work in .*process {other.pid}: -c"):
        main([*train_arguments, "--output_dir", str(tmp_path)])
    other.kill()  # the lock ends with it, though its file stays
    other.wait()
    assert (tmp_path / ".lock").exists()
    with only_one(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_no_way_to_write_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(MotionLLMError, match="cannot write"), only_one(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_the_record_names_what_matters(interrupted: Path) -> None:
    record = json.loads((interrupted / "checkpoint-6" / "training_run.json").read_text())
    assert record["seed"] == 42
    assert record["lora_r"] == 8
    assert len(record["codes"][0]) == 64


def test_a_run_killed_after_its_last_checkpoint_leaves_nothing_behind(
    interrupted: Path, train_arguments: list[str]
) -> None:
    (interrupted / UNFINISHED / "replaced").mkdir(parents=True)
    assert main([*train_arguments, "--output_dir", str(interrupted), "--resume"]) == 0
    assert not (interrupted / UNFINISHED).exists()
