"""Finding files that a reader would have to unpickle, by what is in them and not by their names; nothing is loaded."""

import io
import pickletools
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

__all__ = ["is_pickled"]

_NPY = b"\x93NUMPY"
_LONGEST_TEXT = 1 << 20  # a file in an old text protocol is looked at only up to this size


def is_pickled(path: Path) -> bool:
    """Whether a file is a pickle, or a zip file (as torch and numpy write) or array file that holds one.

    Raises:
        OSError: the file cannot be read.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(_holds_pickle(partial(archive.open, name)) for name in archive.namelist())
    return _holds_pickle(lambda: path.open("rb"))


def _holds_pickle(open_file: Callable[[], IO[bytes]]) -> bool:
    with open_file() as file:
        head = file.read(256)
    if head.startswith(_NPY):
        return b"|O" in head  # the type of an array of Python objects, which numpy pickles
    with open_file() as file:
        if head[:1] == b"\x80":  # protocol 2 and later say so
            return _is_pickle_stream(file)
        text = file.read(_LONGEST_TEXT + 1)
    # Protocols 0 and 1 are letters; a text is one of them only if all of it reads so.
    return len(text) <= _LONGEST_TEXT and _is_pickle_stream(io.BytesIO(text), whole=True)


def _is_pickle_stream(file: IO[bytes], whole: bool = False) -> bool:
    """Whether the opcodes of a pickle can be read up to its end (torch's old format goes on after that)."""
    try:
        count = sum(1 for _ in pickletools.genops(file))
    except (ValueError, MemoryError, OverflowError):  # not an opcode, or its argument is cut off
        return False
    return count > 1 and (not whole or not file.read(1))
