"""One stage of a recipe as a process: its output on the screen and in a log, and ended when that is asked for."""

import codecs
import os
import select
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import TextIO

__all__ = ["StageProcesses"]


class StageProcesses:
    """Runs commands of `motionllm`, one at a time.

    As a context, Ctrl-C and requests to end (SIGTERM, SIGHUP) are passed on to the running process as Ctrl-C, once; the
    next one kills it.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._busy = False
        self._asked, self._sent = 0, 0

    def __enter__(self) -> "StageProcesses":
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {number: signal.signal(number, self._stop) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, arguments: list[str], log: Path, lock: TextIO) -> int:
        """Run a command, its output on the screen and at the end of a log; returns its exit code.

        The process is in a group of its own, and holds the lock as long as it lives: nothing else starts in the folder
        while it outlives this one.

        Raises:
            KeyboardInterrupt: it was ended because that was asked for.
        """
        with log.open("a", encoding="utf-8") as written:
            written.write(f"$ {shlex.join(['motionllm', *arguments])}\n")
            self._busy = True
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "hub_scripts.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
            try:
                self._pass_on()
                _copy_output(process, written)
            except BaseException:
                _send(process, signal.SIGKILL)
                raise
            finally:
                code = process.wait()
                self._process, self._busy = None, False
                _send(process, signal.SIGKILL)  # workers that outlived it
        if self._asked:
            raise KeyboardInterrupt
        return code

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._asked += 1
        if not self._busy:
            raise KeyboardInterrupt
        self._pass_on()

    def _pass_on(self) -> None:
        while self._process is not None and self._sent < self._asked:
            self._sent += 1
            _send(self._process, signal.SIGINT if self._sent == 1 else signal.SIGKILL)


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and to what it started."""
    with suppress(ProcessLookupError, PermissionError):  # they have ended
        os.killpg(process.pid, number)


def _copy_output(process: subprocess.Popen[bytes], log: TextIO) -> None:
    """Copy what a process prints until it ends: as it is to a terminal, by whole lines elsewhere.

    Of a line that was written over, as progress bars do, the log gets what stands there at last.
    """
    assert process.stdout is not None
    decoder, rest, terminal = codecs.getincrementaldecoder("utf-8")("replace"), "", sys.stdout.isatty()
    while True:
        if not select.select([process.stdout], [], [], 1.0)[0]:
            if process.poll() is None:
                continue
            data = b""  # it has ended, and what it started keeps the output open
        else:
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
                print(shown, flush=True)
        log.flush()
        if len(rest) > 1 << 16:
            rest = rest.rstrip("\r").rpartition("\r")[2]
        if not data:
            return
