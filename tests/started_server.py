"""Servers of processes of their own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def started(command: list[str], port: int, **options: Any) -> Iterator[str]:
    """Python with these arguments; gives the address when it listens."""
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True, **options)
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        assert process.poll() is None, process.stderr.read()
        yield f"http://127.0.0.1:{port}"
        assert process.poll() is None, process.stderr.read()  # it is alive whatever was asked
    finally:
        process.terminate()
        process.communicate(timeout=60)
