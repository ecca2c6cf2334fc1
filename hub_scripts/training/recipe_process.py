"""One stage of a recipe as a process: its output on the screen and in a log, and ended when it is asked for."""

import codecs
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

__all__ = ["run_process", "stoppable"]


@contextmanager
def stoppable() -> Iterator[None]:
    """While a stage runs, a request to end (SIGTERM, SIGHUP) is like Ctrl-C."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_process(arguments: list[str], log: Path, lock: TextIO) -> int:
    """Run a command of `motionllm`, its output on the screen and in a log; returns its exit code.

    The process is in a group of its own and is sent Ctrl-C from here, once. It holds the lock as long as it lives, so
    that nothing else starts in the folder while it outlives this one.
    """
    with log.open("a", encoding="utf-8") as written:
        written.write(f"$ {shlex.join(['motionllm', *arguments])}\n")
        process = subprocess.Popen(
            [sys.executable, "-m", "hub_scripts.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
        try:
            _copy_output(process, written)
            return process.wait()
        except BaseException:
            _stop(process, written)
            raise


def _stop(process: subprocess.Popen[bytes], log: TextIO) -> None:
    """End a process as Ctrl-C does; at once if it is asked for again."""
    try:
        os.killpg(process.pid, signal.SIGINT)
        _copy_output(process, log)
        process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    except ProcessLookupError:
        process.wait()


def _copy_output(process: subprocess.Popen[bytes], log: TextIO) -> None:
    """Copy what a process prints until it closes its output: as it is to a terminal, by whole lines elsewhere.

    Of a line that was written over, as progress bars do, the log gets what stands there at last.
    """
    assert process.stdout is not None
    decoder, rest, terminal = codecs.getincrementaldecoder("utf-8")("replace"), "", sys.stdout.isatty()
    while True:
        data = os.read(process.stdout.fileno(), 1 << 16)
        text = decoder.decode(data, final=not data)
        if terminal:
            print(text, end="", flush=True)
        *lines, rest = (rest + text).split("\n")
        if not data and rest:
            lines, rest = [*lines, rest], ""
        for line in lines:
            shown = line.rstrip("\r").rpartition("\r")[2]
            log.write(f"{shown}\n")
            if not terminal:
                print(shown)
        log.flush()
        if len(rest) > 1 << 16:
            rest = rest.rstrip("\r").rpartition("\r")[2]
        if not data:
            return
