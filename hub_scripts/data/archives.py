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

from .recordings import recording_suffix

__all__ = ["archives_of", "plain_name", "unpack"]

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def archives_of(path: str | os.PathLike[str]) -> list[Path]:
    """The archives that a path stands for: itself, or those in a folder that holds no recording."""
    path = Path(path)
    if path.is_file() and _suffix(path):
        return [path]
    if not path.is_dir() or any(recording_suffix(file) for file in path.rglob("*")):
        return []
    return sorted(file for file in path.iterdir() if file.is_file() and _suffix(file))


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
        MotionLLMError: an archive that is damaged, or that wants to write elsewhere.
    """
    digest = hashlib.sha256()
    for archive in archives:
        with archive.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    folder = work / f"unpacked-{digest.hexdigest()[:32]}"
    if not folder.exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        for archive in archives:
            _unpack(archive, part)
        part.replace(folder)
    return folder


def _suffix(path: Path) -> str:
    """The suffix of an archive; "" if it is none."""
    return next((suffix for suffix in _SUFFIXES if path.name.lower().endswith(suffix)), "")


def _unpack(archive: Path, folder: Path) -> None:
    try:
        if _suffix(archive) == ".zip":  # zipfile leads what wants to go elsewhere into the folder by itself
            shutil.unpack_archive(archive, folder)
        else:
            shutil.unpack_archive(archive, folder, filter="data")
    except (
        shutil.ReadError,
        tarfile.TarError,
        zipfile.BadZipFile,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        OSError,
    ) as error:
        raise MotionLLMError(f"'{archive}' cannot be unpacked ({error}); download it again") from error
