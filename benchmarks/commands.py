"""`python -m benchmarks.commands`: whole commands, from the keystroke to the last file, cold and with a worker."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import Row, Timing, machine, print_table
from hub_scripts.apps.ask_worker import WORKER_COMMANDS

__all__ = ["measure"]

_ROOT = Path(__file__).resolve().parent.parent
_CLI = (sys.executable, "-m", "hub_scripts.cli")
_BOW = "a person bows"
_TWENTY = [f"a person {does}" for does in ("walks", "bows", "runs forward", "waves with the left hand", "kicks") * 4]
_NPZ = ("--formats", "npz", "--overwrite")
# Files that others read come after the command that writes them.
_COMMANDS: Mapping[str, Sequence[str]] = {
    "generate, .npz": ("generate", _BOW, *_NPZ),
    "generate, .npz, .mp4 and .html": ("generate", _BOW, "--overwrite"),
    "generate --people 2, .npz": ("generate", "two people bow to each other", "--people", "2", *_NPZ),
    "generate, twenty sentences, .npz": ("generate", *_TWENTY, *_NPZ),
    "caption": ("caption", "out/a-person-bows.npz"),
    "edit": ("edit", "out/a-person-bows.npz", "a person waves", "--from", "1", "--to", "2.5", "--formats", "npz"),
    "convert to .bvh and .glb": ("convert", "out/a-person-bows.npz", "bow.bvh", "bow.glb"),
}


def _run(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds that a command takes, and the most memory of its process in MB."""
    start = time.perf_counter()
    with subprocess.Popen(
        [*_CLI, *words], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"motionllm {' '.join(words)}: {said}")
    return time.perf_counter() - start, used.ru_maxrss / 1e3


@contextmanager
def _worker(environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen([*_CLI, "worker"], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        process.stdout.readline()  # it is ready
        yield
    finally:
        process.terminate()
        process.communicate()


def measure(quick: bool = False, cpu_time: bool = False) -> Iterator[Row]:
    """Seconds that pass (`cpu_time` is not for processes of others), and peak memory of the cold ones."""
    with tempfile.TemporaryDirectory() as place:
        folder, nowhere, runtime = (Path(place) / name for name in ("work", "nowhere", "runtime"))
        for each in (folder, nowhere, runtime):
            each.mkdir(mode=0o700)
        common = {**os.environ, "PYTHONPATH": str(_ROOT), "HF_HUB_OFFLINE": "1"}
        cold, warm = ({**common, "XDG_RUNTIME_DIR": str(where)} for where in (nowhere, runtime))
        _run(_COMMANDS["generate, .npz"], folder, cold)  # the first use may de-quantise the base
        seconds: dict[str, list[tuple[float, float | None]]] = {name: [] for name in _COMMANDS}
        memory: dict[str, list[float]] = {name: [] for name in _COMMANDS}
        with _worker(warm):
            for _ in range(3 if quick else 5):
                for name, words in _COMMANDS.items():
                    alone, peak = _run(words, folder, cold)
                    with_it = None
                    if words[0] in WORKER_COMMANDS:
                        with_it, _ = _run(words, folder, warm)
                    seconds[name].append((alone, with_it))
                    memory[name].append(peak)
    for name, pairs in seconds.items():
        alone = Timing([one for one, _ in pairs])
        yield Row(f"{name}, cold", alone.median, "s", alone.spread())
        if warmed := [one for _, one in pairs if one is not None]:
            timing = Timing(warmed)
            yield Row(f"{name}, worker", timing.median, "s", timing.spread(), timing.faster_than(alone), "cold")
        yield Row(f"{name}, cold: peak memory", Timing(memory[name]).median, "MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commands", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    args = parser.parse_args()
    print(machine())
    print_table("commands", measure(args.quick))
