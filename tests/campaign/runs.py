"""Writing commands that are killed, or whose disk is full, and what the same command makes of what they left.

Everything is imported once; each run is a copy of this process, which takes no time to start and can be killed.
"""

import contextlib
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import load_file

__all__ = ["Command", "Ended", "in_a_copy", "killed_at", "with_small_disk"]

_WRITES = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate", "os.chmod")


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Args:
        name: of the row in the table.
        arguments: of `motionllm`, but for the folder that it writes.
        out: the option of that folder.
        again: options of the second run, after one that did not end.
    """

    name: str
    arguments: Sequence[str]
    out: str
    again: Callable[[Path], list[str]] = lambda folder: []


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Args:
        how: "well", "line" (bad input in one line), "traceback", "killed" or "hang".
        said: what it wrote to stderr.
        megabytes: the most memory that it took.
        events: how often it wrote, renamed or removed a file.
    """

    how: str
    said: str
    megabytes: int
    events: int = 0


def in_a_copy(work: Callable[[], object], seconds: float = 120.0) -> Ended:
    """Run something in a copy of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.dup2(writing, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 3
        try:
            code = int(work() or 0)  # type: ignore[call-overload]
        except BaseException:  # noqa: BLE001  whatever it is, it is told
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    os.set_blocking(reading, False)
    said, until, status = b"", time.monotonic() + seconds, None
    while status is None:
        with contextlib.suppress(BlockingIOError):
            said += os.read(reading, 1 << 16)
        found, status_now, usage = os.wait4(child, os.WNOHANG)
        if found:
            status = status_now
        elif time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            _, _, usage = os.wait4(child, 0)
            os.close(reading)
            return Ended("hang", said.decode(errors="replace"), usage.ru_maxrss >> 10)
        else:
            time.sleep(0.005)
    with contextlib.suppress(BlockingIOError):
        said += os.read(reading, 1 << 20)
    os.close(reading)
    text = said.decode(errors="replace")
    if os.WIFSIGNALED(status):
        how = "killed"
    elif "Traceback (most recent call last)" in text:
        how = "traceback"
    else:
        how = "well" if os.WEXITSTATUS(status) == 0 else "line"
    return Ended(how, text, usage.ru_maxrss >> 10)


def run(command: Command, folder: Path, *more: str) -> int:
    from hub_scripts.cli import main

    return main([*command.arguments, *more, command.out, str(folder)])


def killed_at(command: Command, folder: Path, event: int) -> Ended:
    """The command, killed at the n-th time that it writes, renames or removes a file in the folder; 0 counts them."""
    counted = folder.with_name(f"{folder.name}.events")

    def work() -> int:
        seen = 0

        def watch(name: str, args: tuple[object, ...]) -> None:
            nonlocal seen
            if name not in _WRITES or str(folder) not in str(args[0]):
                return
            if name == "open" and not (isinstance(args[1], str) and set(args[1]) & set("wax+")):
                return
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        code = run(command, folder)
        if not event:
            counted.write_text(str(seen))
        return code

    ended = in_a_copy(work)
    events = int(counted.read_text()) if counted.exists() else 0
    counted.unlink(missing_ok=True)
    return Ended(ended.how, ended.said, ended.megabytes, events)


def with_small_disk(command: Command, folder: Path, most: int) -> Ended:
    """The command where no file can grow beyond so many bytes: writing fails as on a full disk, in the middle."""

    def work() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        return run(command, folder)

    return in_a_copy(work)


def results(folder: Path) -> dict[str, bytes]:
    """What a command made: tensors of weights, bytes of other files that are the same each time."""
    kept = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or "checkpoint-" in name:
            continue
        if path.suffix == ".safetensors":
            kept |= {f"{name}:{key}": value.tobytes() for key, value in load_file(path).items()}
        elif path.suffix in (".arrow", ".npz", ".bvh", ".glb", ".html") or path.name.startswith("motionllm_"):
            kept[name] = path.read_bytes()
    return kept


def leftovers(folder: Path) -> list[str]:
    """Hidden files that nobody needs any more."""
    return [path.name for path in folder.rglob(".*")]


def copy_of(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target
