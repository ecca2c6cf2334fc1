"""One run at a time in a folder, by a lock that ends with the process that holds it, however that ends."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import ensure_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["only_one"]

_LOCK = ".lock"


@contextmanager
def only_one(folder: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Be the only one at work in `folder`, which is made if needed; yields the open lock file.

    The file system forgets the lock when the process ends, also when it is killed; the file may stay and means nothing.
    A folder that was made for it and stays empty goes again.

    Raises:
        MotionLLMError: another run is at work there, or the folder cannot be written.
    """
    made = [each for each in (Path(folder), *Path(folder).parents) if not each.exists()]
    path = ensure_folder(folder) / _LOCK
    with _locked(path) as lock:
        lock.truncate()
        lock.write(f"process {os.getpid()}: {shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])}")
        lock.flush()
        try:
            yield lock
        finally:
            with suppress(OSError):
                path.unlink()
                for each in made:
                    each.rmdir()  # as long as they are empty


def _locked(path: Path) -> TextIO:
    """The lock file, open and locked."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise MotionLLMError(f"cannot write '{path}' ({error.strerror}); remove it") from error
        lock = os.fdopen(handle, "r+", encoding="utf-8", errors="replace")
        if fcntl is None:
            return lock
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = " ".join(lock.read(200).split()) or "process unknown"
            lock.close()
            raise MotionLLMError(
                f"another run is at work in '{path.parent}' ({who}); wait for it, or end it first"
            ) from error
        except OSError:
            return lock  # a file system without locks
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return lock
        lock.close()  # who had it before took the file away meanwhile
