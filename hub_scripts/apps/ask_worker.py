"""The commands' side of a worker: whether one runs, and having it run a command. Imports nothing heavy."""

import json
import os
import signal
import socket
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["WORKER_COMMANDS", "ask_worker", "receive_message", "send_message", "socket_path"]

WORKER_COMMANDS = ("generate", "interact", "caption", "edit")  # those that load a checkpoint and ask nothing back
_HEAD = struct.Struct("!I")
_LONGEST = 1 << 24  # bytes of a message: arguments and environment variables are shorter


def socket_path() -> Path:
    """Where the worker of this user listens: in a folder that nobody else can enter."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) if runtime else Path(tempfile.gettempdir()) / f"motionllm-{os.getuid()}"
    return folder / "motionllm-worker.sock"


def send_message(connection: socket.socket, message: Mapping[str, Any], files: Sequence[int] = ()) -> None:
    """Send a message, and open files with it."""
    data = json.dumps(message).encode()
    socket.send_fds(connection, [_HEAD.pack(len(data))], list(files))
    connection.sendall(data)


def receive_message(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """A message and the open files that came with it; None where the other side is gone, or sends what is none."""
    files: list[int] = []
    data = b""
    try:
        head, files, _, _ = socket.recv_fds(connection, _HEAD.size, 3)
        size = _HEAD.unpack(head)[0] if len(head) == _HEAD.size else 0
        while len(data) < size <= _LONGEST and (more := connection.recv(size - len(data))):
            data += more
        message = json.loads(data)
    except (OSError, ValueError):
        message = None
    if isinstance(message, dict):
        return message, files
    for file in files:
        os.close(file)
    return None


def ask_worker(arguments: Sequence[str]) -> int | None:
    """Have the worker run a command, if one runs: in this folder, with this environment and these standard streams.

    Args:
        arguments: of `motionllm`.

    Returns:
        The exit code; None where no worker runs, or where it would not run the command as this process would: a line
        says why then.
    """
    several = "WORLD_SIZE" in os.environ  # processes, of a launcher
    if several or not hasattr(socket, "send_fds") or arguments[0] not in WORKER_COMMANDS:
        return None
    path = socket_path()
    if not _is_ours(path):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
            request = {
                "arguments": list(arguments),
                "folder": os.getcwd(),  # noqa: PTH109
                "environment": dict(os.environ),
                "umask": _umask(),
                "python": sys.executable,
                "code": str(Path(__file__).resolve()),
            }
            send_message(connection, request, (0, 1, 2))
        except OSError:  # nobody listens any more
            return None
        taken = receive_message(connection)
        if taken is None:  # it ended before it began with the command
            return None
        if "refused" in taken[0]:
            print(f"motionllm: without the worker: {taken[0]['refused']}", file=sys.stderr)
            return None
        with _ctrl_c_goes_to(connection):
            answer = receive_message(connection)
    if answer is None:
        print(f"motionllm {arguments[0]}: error: the worker's process for it was killed; try again", file=sys.stderr)
        return 1
    return int(answer[0]["code"])


def _is_ours(path: Path) -> bool:
    """Whether a socket is there, of this user's, in a folder that only this user can write to."""
    try:
        own, folder = path.lstat(), path.parent.stat()
    except OSError:
        return False
    return (
        stat.S_ISSOCK(own.st_mode)
        and own.st_uid == folder.st_uid == os.getuid()
        and not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _umask() -> int:
    mask = os.umask(0)  # it can only be read by setting it
    os.umask(mask)
    return mask


@contextmanager
def _ctrl_c_goes_to(connection: socket.socket) -> Iterator[None]:
    """While it lasts, ctrl-C interrupts the command there, and this process waits for what it says to that."""

    def forward(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):  # it has ended meanwhile
            connection.sendall(b"\0")

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # as shells have it for what runs behind them
        signal.signal(signal.SIGINT, forward)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
