"""Writing files so that a reader never sees half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors_motionllm import MotionLLMError

__all__ = ["atomic_path", "ensure_folder"]


def ensure_folder(folder: str | os.PathLike[str]) -> Path:
    """Create `folder` if needed and check that files can be written in it.

    Raises:
        MotionLLMError: the path is a file, or the folder cannot be created or written.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise MotionLLMError(
            f"cannot write in the folder '{path}' ({error.strerror}); choose another folder or change its permissions"
        ) from error
    return path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed to `path`, on any failure it is removed.

    The temporary name keeps the suffix of `path`, because many writers choose the format by it.

    Raises:
        MotionLLMError: the file system refuses the file (no space, no permission, no folder).
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise MotionLLMError(
            f"cannot write '{target}' ({error.strerror or error}); free some space or choose another place"
        ) from error
    finally:
        with suppress(OSError):  # the folder itself may be what is wrong
            temporary.unlink(missing_ok=True)
