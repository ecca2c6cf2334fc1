"""A process that has the libraries and a checkpoint in memory, and runs each command in a copy of itself.

The copy (`os.fork`) shares the memory, so that nothing is imported or read again. It takes the folder, the environment
and the standard streams of whoever asked, and does what the command does anywhere; what a command changes in memory is
gone with its copy. Threads do not survive a fork, and libraries that had some would wait for them for ever: until it
is copied this process computes on one thread.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hub_scripts.apps.ask_worker import receive_message, send_message, socket_path
from hub_scripts.options.checkpoint import keep_checkpoint, quiet
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["Worker"]

_PATIENCE = 5.0  # seconds for a request to arrive
# Variables that libraries read when they are imported: a command with others would not do the same here.
_READ_ONCE = (
    *(
        "HOME",
        "LANG",
        "LC_",
        "LD_",
        "PYTHON",
        "XDG_CACHE_HOME",
        "CUDA_",
        "HIP_",
        "TORCH",
        "OMP_",
        "GOMP_",
        "MKL_",
        "KMP_",
    ),
    *("OPENBLAS_", "HF_", "HUGGINGFACE_", "TRANSFORMERS_", "ACCELERATE_"),
)
_PACKAGES = ("hub_scripts", "modeling_motionllm", "motionllm", "tokenization")


class Worker:
    """Listens for commands of this user, and runs them.

    Args:
        model: folder of the checkpoint that is kept in memory; commands with another one load it as ever.

    Raises:
        MotionLLMError: no such checkpoint, a system where this cannot be done, or another worker runs.
    """

    def __init__(self, model: str):
        if not sys.platform.startswith("linux"):
            raise MotionLLMError(
                f"a worker needs Linux, and this is {sys.platform}; `motionllm mcp` and `app` stay warm"
            )
        self._environment = _read_once(os.environ)
        self._code = _newest_code()
        _check_place(socket_path())
        quiet(model)
        import torch

        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        _warm_up(model)
        self._listening = _listen(socket_path())

    def serve(self) -> None:
        """Run what is asked for, until interrupted."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
        try:
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    self._answer(connection)
        finally:
            socket_path().unlink(missing_ok=True)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        received = receive_message(connection)
        if received is None:
            return
        request, files = received
        try:
            reason = self._why_not(request)
            try:
                send_message(connection, {"taken": True} if reason is None else {"refused": reason})
            except OSError:  # whoever asked is gone
                return
            if reason is not None:
                return
            sys.stdout.flush()
            if os.fork() == 0:
                self._listening.close()
                connection.settimeout(None)
                _run(connection, request, files, self._threads)
        finally:
            for file in files:
                os.close(file)

    def _why_not(self, request: Mapping[str, Any]) -> str | None:
        """Why a command would not do here what it does in its own process; None where it would."""
        if request.get("python") != sys.executable or request.get("code") != str(_own_file("ask_worker.py")):
            return "it is of another installation"
        if _newest_code() != self._code:
            return "its code has changed since it was started; start it anew"
        theirs = _read_once(request["environment"])
        for name in sorted({*theirs, *self._environment}):
            if theirs.get(name) != self._environment.get(name):
                return f"it was started with another {name}"
        return None


def _read_once(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_ONCE)}


def _own_file(name: str) -> Path:
    return Path(__file__).resolve().with_name(name)


def _newest_code() -> tuple[int, int]:
    """When this project's code was changed last, and how many files it has."""
    root = Path(__file__).resolve().parents[2]
    times = [file.stat().st_mtime_ns for package in _PACKAGES for file in (root / package).rglob("*.py")]
    return max(times), len(times)


def _check_place(path: Path) -> None:
    """Make the folder of a socket, if need be.

    Raises:
        MotionLLMError: others can enter it, or a worker listens there already.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = path.parent.stat()
    if folder.st_uid != os.getuid() or folder.st_mode & 0o077:
        raise MotionLLMError(
            f"others can enter '{path.parent}'; remove it, or set XDG_RUNTIME_DIR to a folder of yours"
        )
    with socket.socket(socket.AF_UNIX) as other, suppress(OSError):
        other.connect(str(path))
        raise MotionLLMError(f"a worker of yours runs already, at '{path}'; end it first")


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # of a worker that was killed
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    return listening


def _warm_up(model: str) -> None:
    """Read a checkpoint, keep it, and make a motion of two codes, so that all is built that is built once."""
    kept, processor = keep_checkpoint(model)
    inputs = processor(text="a person walks", duration=0.4)
    output = kept.generate_motion(**inputs, processor=processor, seed=0)
    kept.generate_caption(**processor(motion=output), num_candidates=1, do_sample=False)


def _run(connection: socket.socket, request: Mapping[str, Any], files: Sequence[int], threads: int) -> None:
    """In the copy: run a command, say how it ended, and end."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.umask(request["umask"])
        os.chdir(request["folder"])
        _take_streams()
        threading.Thread(target=_watch, args=(connection,), daemon=True).start()
        import torch

        from hub_scripts.cli import run

        torch.set_num_threads(threads)
        code = run(request["arguments"])
    except SystemExit as error:  # of argparse
        code = error.code if isinstance(error.code, int) else 1
    finally:
        if (failed := sys.exc_info())[0] is not None:
            sys.excepthook(*failed)
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        with suppress(OSError):
            send_message(connection, {"code": code})
        os._exit(code)  # not through what the worker has yet to do


def _take_streams() -> None:
    """Standard streams anew, as of the terminal or file that they are now."""
    from hub_scripts.options.streams import keep_streams

    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = open(number, "w", closefd=False, buffering=1 if number == 2 or os.isatty(number) else -1)  # noqa: SIM115
        setattr(sys, name, stream)
    keep_streams()


def _watch(connection: socket.socket) -> None:
    """Interrupt this process when the one that asked is, and end it when that one has ended."""
    with suppress(OSError):
        while connection.recv(1):
            os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
