"""A worker: what commands do in it is what they do in a process of their own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLI = [sys.executable, "-m", "hub_scripts.cli"]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a worker needs Linux")


def environment(runtime: Path, **variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(runtime), **variables}


def start(runtime: Path, model: Path) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [*CLI, "worker", "--model", str(model)], env=environment(runtime), stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    assert worker.stdout.readline().startswith("ready")
    return worker


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    folder.chmod(0o700)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, thin_checkpoint: Path) -> Path:
    return Path(shutil.copytree(thin_checkpoint, tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def worker(runtime: Path, checkpoint: Path) -> Iterator[subprocess.Popen[str]]:
    worker = start(runtime, checkpoint)
    yield worker
    assert worker.poll() is None  # it is alive whatever was asked
    worker.terminate()
    worker.wait(timeout=60)


def run(runtime: Path, *words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [*CLI, *words]
    return subprocess.run(
        command, env=environment(runtime, **variables), cwd=cwd, capture_output=True, text=True, check=False
    )


def both(
    runtime: Path, tmp_path: Path, *words: str
) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """The same command in the worker and, where no worker is found, in its own process."""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir(mode=0o700)
    folders = [tmp_path / name for name in ("warm", "cold")]
    for folder in folders:
        folder.mkdir()
    return run(runtime, *words, cwd=folders[0]), run(nowhere, *words, cwd=folders[1])


@pytest.mark.usefixtures("worker")
def test_files_and_messages_are_those_of_a_process_of_its_own(runtime: Path, checkpoint: Path, tmp_path: Path) -> None:
    words = ["generate", "a person walks", "--seed", "3", "--duration", "2", "--model", str(checkpoint)]
    warm, cold = both(runtime, tmp_path, *words, "--formats", "npz,bvh", "-o", "out")
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    assert warm.returncode == 0
    names = sorted(file.name for file in (tmp_path / "warm/out").iterdir())
    assert names == sorted(file.name for file in (tmp_path / "cold/out").iterdir()) != []
    for name in names:
        assert (tmp_path / "warm/out" / name).read_bytes() == (tmp_path / "cold/out" / name).read_bytes()


@pytest.mark.usefixtures("worker")
def test_bad_input_is_the_same_line(runtime: Path, checkpoint: Path, tmp_path: Path) -> None:
    warm, cold = both(runtime, tmp_path, "generate", "a person walks", "--duration", "999", "--model", str(checkpoint))
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    assert warm.returncode == 2
    assert warm.stderr.count("\n") == 1


@pytest.mark.usefixtures("worker")
def test_another_environment_is_told_and_served_without_it(runtime: Path, tmp_path: Path) -> None:
    ended = run(runtime, "caption", "none.npz", cwd=tmp_path, OMP_NUM_THREADS="3")
    told, error = ended.stderr.splitlines()
    assert told == "motionllm: without the worker: it was started with another OMP_NUM_THREADS"
    assert "none.npz" in error
    assert ended.returncode == 2


@pytest.mark.usefixtures("worker")
def test_a_changed_checkpoint_is_read_anew(runtime: Path, checkpoint: Path, tmp_path: Path) -> None:
    kept = checkpoint / "adapters/default/adapter_model.safetensors"
    before = kept.read_bytes()
    kept.write_bytes(before[:-100])
    try:
        words = ["generate", "a person walks", "--duration", "1", "--model", str(checkpoint)]
        warm, cold = both(runtime, tmp_path, *words)
        assert warm.stderr == cold.stderr
        assert "changed or damaged" in warm.stderr or "damaged" in warm.stderr
        assert warm.returncode == 2
    finally:
        kept.write_bytes(before)


def _many(runtime: Path, checkpoint: Path, tmp_path: Path) -> subprocess.Popen[str]:
    """A command that would go on for minutes, after its first motion."""
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n".join(f"a person walks {number} meters" for number in range(5000)))
    words = ["--prompts", str(prompts), "--batch-size", "1", "--formats", "npz", "--model", str(checkpoint)]
    started = subprocess.Popen(
        [*CLI, "generate", *words, "--no-caption", "-o", str(tmp_path / "many")],
        env=environment(runtime), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which is ignored behind some shells
    )  # fmt: skip
    _wait(lambda: any((tmp_path / "many").glob("*.npz")))
    return started


def _wait(done: object) -> None:
    assert callable(done)
    for _ in range(600):
        if done():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within a minute")


def _children(process: subprocess.Popen[str]) -> str:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().strip()


def test_ctrl_c_interrupts_the_command_and_not_the_worker(
    worker: subprocess.Popen[str], runtime: Path, checkpoint: Path, tmp_path: Path
) -> None:
    started = _many(runtime, checkpoint, tmp_path)
    assert _children(worker)
    started.send_signal(signal.SIGINT)
    said = started.communicate(timeout=60)[1]
    assert started.returncode == 130
    assert said.splitlines()[-1] == "motionllm generate: interrupted"
    _wait(lambda: not _children(worker))
    assert not list((tmp_path / "many").glob(".*"))


def test_a_command_that_is_killed_ends_in_the_worker_too(
    worker: subprocess.Popen[str], runtime: Path, checkpoint: Path, tmp_path: Path
) -> None:
    started = _many(runtime, checkpoint, tmp_path)
    started.kill()
    started.communicate(timeout=60)
    _wait(lambda: not _children(worker))


@pytest.mark.usefixtures("worker")
def test_there_is_one_worker(runtime: Path, checkpoint: Path, tmp_path: Path) -> None:
    ended = run(runtime, "worker", "--model", str(checkpoint), cwd=tmp_path)
    assert ended.returncode == 2
    assert "a worker of yours runs already" in ended.stderr


def test_a_worker_that_was_killed_is_none(checkpoint: Path, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    first = start(runtime, checkpoint)
    first.kill()
    first.communicate(timeout=60)
    assert (runtime / "motionllm-worker.sock").exists()
    ended = run(runtime, "caption", "none.npz", cwd=tmp_path)
    assert ended.returncode == 2
    assert "worker" not in ended.stderr
    second = start(runtime, checkpoint)
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=60)


def test_a_worker_that_ends_before_it_begins_is_none(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(runtime / "motionllm-worker.sock"))
        listening.listen()
        ending = threading.Thread(target=lambda: listening.accept()[0].close())
        ending.start()
        ended = run(runtime, "caption", "none.npz", cwd=tmp_path)
        ending.join()
    assert ended.returncode == 2
    assert "worker" not in ended.stderr
    assert "none.npz" in ended.stderr


def test_a_folder_that_others_can_enter_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    runtime.chmod(0o755)
    ended = run(runtime, "worker", "--model", str(checkpoint), cwd=tmp_path)
    assert ended.returncode == 2
    assert "others can enter" in ended.stderr


def test_a_model_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    ended = run(runtime, "worker", "--model", "user/name", cwd=tmp_path)
    assert ended.returncode == 2
    assert "only a folder can be kept" in ended.stderr
