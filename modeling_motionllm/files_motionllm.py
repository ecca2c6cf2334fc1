"""Writing files so that a reader never sees half of one."""

import hashlib
import os
import platform
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors_motionllm import MotionLLMError

__all__ = ["atomic_folder", "atomic_path", "ensure_folder", "share_files", "temporary_folder"]

_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
# What unfinished files are called, so that a later run knows whose they were.
_UNFINISHED = re.compile(rf"\..*\.{_HOST}-(\d+)-[0-9a-f]{{16}}\.part(\..*)?")
_looked_through: set[Path] = set()


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


def _unfinished(target: Path) -> Path:
    """A name beside `target` that nobody can guess; what killed runs left there goes, once in the life of a process."""
    if target.parent not in _looked_through:
        _looked_through.add(target.parent)
        with suppress(OSError):
            for path in target.parent.glob(".*.part*"):
                found = _UNFINISHED.fullmatch(path.name)
                if found is not None and not _is_alive(int(found[1])):
                    _remove(path)
    stem = target.stem[:100]  # names of files have an end
    return target.with_name(f".{stem}.{_HOST}-{os.getpid()}-{secrets.token_hex(8)}.part{target.suffix}")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed to `path`, on any failure it is removed.

    The temporary name keeps the suffix of `path`, because many writers choose the format by it.

    Raises:
        MotionLLMError: the file system refuses the file (no space, no permission, no folder).
    """
    target = Path(path)
    temporary = _unfinished(target)
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


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it is renamed to `path`, on any failure it is removed.

    Raises:
        MotionLLMError: the file system refuses it, or `path` is there by now and not empty.
    """
    target = Path(path)
    try:
        with temporary_folder(target) as temporary:
            yield temporary
            temporary.rename(target)
    except OSError as error:
        raise MotionLLMError(
            f"cannot write '{target}' ({error.strerror or error}); free some space or choose another place"
        ) from error


@contextmanager
def temporary_folder(near: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder beside a path, which is removed at the end; after a kill the next run removes it."""
    temporary = _unfinished(Path(near))
    try:
        temporary.mkdir()
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def share_files(folder: str | os.PathLike[str]) -> None:
    """Give the weights of a folder the permissions that other new files get; safetensors makes them private."""
    with tempfile.TemporaryDirectory(dir=folder) as private:
        example = Path(private) / "example"
        example.touch()
        mode = example.stat().st_mode & 0o777
    for path in Path(folder).rglob("*.safetensors"):
        with suppress(OSError):
            path.chmod(mode)
