"""Raw data that comes packed: archives are unpacked into the folder of unfinished work, once."""

import hashlib
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import temporary_folder

from .recordings import recording_suffix

__all__ = ["archives_of", "is_archive", "plain_name", "unpack"]

_MOST_TIMES, _ALWAYS = 200, 1 << 30  # of the archive's size, and bytes that are always fine
_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def archives_of(path: str | os.PathLike[str]) -> list[Path]:
    """The archives that a path stands for: itself, or those in a folder that holds no recording."""
    path = Path(path)
    if path.is_file() and _suffix(path):
        return [path]
    if not path.is_dir() or any(recording_suffix(file) for file in path.rglob("*")):
        return []
    return sorted(file for file in path.iterdir() if file.is_file() and _suffix(file))


def is_archive(name: str) -> bool:
    """Whether a file is an archive, by its name."""
    return bool(_suffix(Path(name)))


def plain_name(path: str | os.PathLike[str]) -> str:
    """Name of a folder, or of an archive without its suffix."""
    path = Path(path).resolve()
    return path.name if path.is_dir() else path.name[: len(path.name) - len(_suffix(path))]


def unpack(archives: Sequence[Path], work: Path) -> Path:
    """Unpack archives into one folder; what an earlier run unpacked whole is taken as it is.

    Args:
        archives: each of a kind that `archives_of` finds.
        work: folder of unfinished work.

    Returns:
        The folder, in `work`.

    Raises:
        MotionLLMError: an archive that is damaged, wants to write elsewhere, or would grow beyond disk or reason.
    """
    digest = hashlib.sha256()
    for archive in archives:
        with archive.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    folder = work / f"unpacked-{digest.hexdigest()[:32]}"
    if not folder.exists():
        with temporary_folder(folder) as part:
            for archive in archives:
                _unpack(archive, part)
            part.rename(folder)
    return folder


def _suffix(path: Path) -> str:
    """The suffix of an archive; "" if it is none."""
    return next((suffix for suffix in _SUFFIXES if path.name.lower().endswith(suffix)), "")


def _unpack(archive: Path, folder: Path) -> None:
    room = min(max(_MOST_TIMES * archive.stat().st_size, _ALWAYS), shutil.disk_usage(folder).free)
    try:
        if _suffix(archive) == ".zip":
            with zipfile.ZipFile(archive) as packed:
                _check_room(archive, sum(member.file_size for member in packed.infolist()), room)
                packed.extractall(folder)  # leads what wants to go elsewhere into the folder by itself
            return
        with tarfile.open(archive) as packed_tar:
            size = 0
            for member in packed_tar:
                size += member.size
                _check_room(archive, size, room)
                packed_tar.extract(member, folder, filter="data")
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,  # encrypted
        NotImplementedError,
    ) as error:
        if isinstance(error, MotionLLMError):
            raise
        raise MotionLLMError(f"'{archive}' cannot be unpacked ({error}); download it again") from error


def _check_room(archive: Path, size: int, room: int) -> None:
    if size > room:
        raise MotionLLMError(
            f"'{archive}' would unpack to {size >> 20:,} MB or more, but {room >> 20:,} MB are the most that it may; "
            "free some space, or unpack it yourself and give the folder"
        )
