"""Arrays in `.npy` and `.npz` files, of which the headers are looked at before anything of that size is made."""

import io
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from .errors_motionllm import MotionLLMError

__all__ = ["MOST_ARRAY_BYTES", "NpzArrays", "parse_npy"]

MOST_ARRAY_BYTES = 256 << 20  # of one array: an hour at 120 fps has a tenth of it
_MOST_ARRAYS = 10_000
_AGAIN = "export it again"
# What numpy, zipfile and Python's own parser raise on damaged files; RuntimeError covers encrypted archives.
_DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    tokenize.TokenError,
    EOFError,
    RuntimeError,  # RecursionError too
    MemoryError,
    OverflowError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of the array that follows.

    Raises:
        ValueError: no `.npy`, one of objects, or one that is too large.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"version {version[0]}.{version[1]} is unknown")
    # Versions 2 and 3 differ in the encoding of names of columns alone, which no motion has.
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, order, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects")
    if any(isinstance(size, bool) or size < 0 for size in shape) or len(shape) > 16:
        raise ValueError(f"shape {shape!r:.60} is none")
    size = math.prod(shape) * dtype.itemsize
    if size > MOST_ARRAY_BYTES:
        raise ValueError(f"its array has {size >> 20:,} MB, at most {MOST_ARRAY_BYTES >> 20} are read; cut it")
    return shape, order, dtype


def _read_array(file: IO[bytes]) -> np.ndarray:
    shape, fortran, dtype = _read_header(file)
    wanted = math.prod(shape) * dtype.itemsize
    data = file.read(wanted + 1)
    if len(data) < wanted:
        raise ValueError(f"it is cut off: {len(data):,} of {wanted:,} bytes are there")
    array = np.frombuffer(data[:wanted], dtype, math.prod(shape)) if wanted else np.empty(shape, dtype)
    return array.reshape(shape, order="F" if fortran else "C").copy()


def parse_npy(data: bytes, name: str) -> np.ndarray:
    """The array in the bytes of an `.npy` file.

    Args:
        data: of the file.
        name: what error messages call it.

    Raises:
        MotionLLMError: it is damaged, too large, or holds pickled objects.
    """
    try:
        return _read_array(io.BytesIO(data))
    except _DAMAGED as error:
        raise MotionLLMError(f"'{name}' is not a readable .npy file ({_said(error)}); {_AGAIN}") from error


class NpzArrays(Mapping[str, np.ndarray]):
    """The arrays of an `.npz` by name, each read when it is asked for; pickled ones are left out.

    Args:
        source: the file, or its bytes.
        name: what error messages call it.

    Raises:
        MotionLLMError: it is damaged; also when an array is asked for that is, or that is too large.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes, name: str):
        self.name = name
        self._outlines: dict[str, np.ndarray] = {}
        self._read: dict[str, np.ndarray] = {}
        self._wrong: dict[str, str] = {}
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
            members = self._archive.namelist()
            if len(members) > _MOST_ARRAYS:
                raise ValueError(f"it holds {len(members):,} arrays")
            for member in members:
                self._look_at(member)
        except _DAMAGED as error:
            raise self._damaged(error) from error

    def _look_at(self, member: str) -> None:
        key = member.removesuffix(".npy")
        if not member.endswith(".npy"):
            return
        with self._archive.open(member) as file:
            try:
                shape, _, dtype = _read_header(file)
            except ValueError as error:
                if "pickled" not in str(error):
                    self._wrong[key] = _said(error)
                return
        self._outlines[key] = np.broadcast_to(np.zeros((), dtype), shape)

    def outlines(self) -> Mapping[str, np.ndarray]:
        """Arrays of the same shapes and types without their values, which take no memory."""
        return self._outlines

    def __getitem__(self, key: str) -> np.ndarray:
        if key in self._wrong:
            raise MotionLLMError(f"'{self.name}' is not readable: array '{key}': {self._wrong[key]}")
        if key not in self._outlines:
            raise KeyError(key)
        if key not in self._read:
            try:
                with self._archive.open(f"{key}.npy") as file:
                    self._read[key] = _read_array(file)
                    if file.read(1):  # to the end, where the sum is checked
                        raise ValueError(f"array '{key}' has more data than it tells")
            except _DAMAGED as error:
                raise self._damaged(error) from error
        return self._read[key]

    def _damaged(self, error: BaseException) -> MotionLLMError:
        return MotionLLMError(f"'{self.name}' is not a readable .npz file ({_said(error)}); {_AGAIN}")

    def __contains__(self, key: object) -> bool:
        return key in self._outlines or key in self._wrong

    def __iter__(self) -> Iterator[str]:
        return iter([*self._outlines, *self._wrong])

    def __len__(self) -> int:
        return len(self._outlines) + len(self._wrong)


def _said(error: BaseException) -> str:
    if isinstance(error, zipfile.BadZipFile):
        return "it is damaged, or no .npz file"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return " ".join(str(error).split())[:160] or type(error).__name__
