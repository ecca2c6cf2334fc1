"""glTF files as they are laid out: the document, its arrays and its nodes. `glb` makes motion of them."""

import base64
import binascii
import json
import lzma
import os
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["GLTF_SUFFIXES", "Gltf", "parse_gltf"]

GLTF_SUFFIXES = (".glb", ".gltf", ".vrma")
_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942
_MOST_BYTES = 1 << 28
_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_AGAIN = "export it again as glTF 2.0 without compression"


class Gltf:
    """A glTF document with its binary data.

    Args:
        document: the JSON.
        binary: the binary chunk of a `.glb`, else empty.
        name: what error messages call it.
        folder: where files that it names lie; None refuses such files.
    """

    def __init__(self, document: dict[str, Any], binary: bytes, name: str, folder: Path | None):
        self.name, self.folder, self._binary, self._document = name, folder, binary, document
        self._lists: dict[str, list[dict[str, Any]]] = {}
        self.nodes: list[dict[str, Any]] = self.objects("nodes")
        self.parents = self._find_parents()
        self._buffers: dict[int, bytes] = {}

    def broken(self, what: str) -> MotionLLMError:
        return MotionLLMError(f"'{self.name}' {what}; {_AGAIN}")

    def objects(self, key: str) -> list[dict[str, Any]]:
        """A list of objects at the top of the document, such as "animations".

        Raises:
            MotionLLMError: it is no such list.
        """
        if key not in self._lists:
            found = self._document.get(key, [])
            if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
                raise self.broken(f"has something else than a list of objects as {key}")
            self._lists[key] = found
        return self._lists[key]

    def extensions(self) -> dict[str, Any]:
        found = self._document.get("extensions")
        return found if isinstance(found, dict) else {}

    def index(self, value: Any, count: int, what: str) -> int:
        """`value` as an index below `count`.

        Args:
            value: as the document has it.
            count: how many there are.
            what: what error messages call them.

        Raises:
            MotionLLMError: it is none.
        """
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
            raise self.broken(f"refers to {what} {value!r}, which is not there")
        return value

    def _find_parents(self) -> list[int]:
        parents = [-1] * len(self.nodes)
        for parent, node in enumerate(self.nodes):
            for child in node.get("children", []):
                child = self.index(child, len(self.nodes), "node")
                if parents[child] >= 0:
                    raise self.broken(f"has node {child} in two places of its tree")
                parents[child] = parent
        for above in range(len(parents)):
            seen = 0
            while above >= 0:
                above = parents[above]
                seen += 1
                if seen > len(parents):
                    raise self.broken("has nodes that hang from themselves")
        return parents

    def array(self, index: Any) -> np.ndarray:
        """The values of an accessor: float64 (count, width), integers that stand for fractions divided.

        Raises:
            MotionLLMError: it is compressed or sparse, or reaches past the data.
        """
        accessors, views = self.objects("accessors"), self.objects("bufferViews")
        accessor = accessors[self.index(index, len(accessors), "accessor")]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise self.broken(f"keeps accessor {index} sparse or compressed")
        view = views[self.index(accessor["bufferView"], len(views), "buffer view")]
        if "EXT_meshopt_compression" in view.get("extensions", {}):
            raise self.broken("is compressed with meshopt")
        dtype, width = _DTYPES.get(accessor.get("componentType", 0)), _WIDTHS.get(accessor.get("type", ""))
        numbers = [accessor.get("count"), accessor.get("byteOffset", 0), view.get("byteOffset", 0)]
        numbers += [view.get("byteLength"), view.get("byteStride", 0)]
        if dtype is None or width is None or not all(isinstance(n, int) and 0 <= n < _MOST_BYTES for n in numbers):
            raise self.broken(f"describes accessor {index} in a way that glTF does not know")
        count, inside, start, length, stride = numbers
        row = np.dtype(dtype).itemsize * width
        step = stride or row
        data = memoryview(self._buffer(view.get("buffer")))[start : start + length]
        if count < 1 or len(data) < length or step < row or inside + step * (count - 1) + row > length:
            raise self.broken(f"has an accessor {index} that reaches past its data")
        rows = np.ndarray((count, width), dtype, data, inside, (step, np.dtype(dtype).itemsize))
        values = rows.astype(np.float64)
        if accessor.get("normalized") and np.dtype(dtype).kind in "iu":
            values = np.maximum(values / np.iinfo(dtype).max, -1.0)
        if not np.isfinite(values).all():
            raise MotionLLMError(f"'{self.name}' holds values that are NaN or infinite; repair or export it again")
        return values

    def _buffer(self, index: Any) -> bytes:
        buffers = self.objects("buffers")
        index = self.index(index, len(buffers), "buffer")
        if index not in self._buffers:
            uri = buffers[index].get("uri")
            self._buffers[index] = self._binary if uri is None else self._read_uri(str(uri))
        return self._buffers[index]

    def _read_uri(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2], validate=True)
            except binascii.Error as error:
                raise self.broken("has damaged data inside its text") from error
        name = unquote(uri)
        if self.folder is None or Path(name).is_absolute() or ".." in Path(name).parts or "://" in name:
            raise MotionLLMError(f"'{self.name}' keeps its data in '{name}'; export it as one .glb")
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise MotionLLMError(
                f"'{self.name}' keeps its data in '{name}', which cannot be read ({error.strerror}); put it beside it"
            ) from error


def parse_gltf(data: bytes, name: str, folder: str | os.PathLike[str] | None = None) -> Gltf:
    """Parse the bytes of a `.glb` or `.gltf`, also packed as `.xz`.

    Args:
        data: the file.
        name: what error messages call it.
        folder: where files that it names lie; None refuses such files.

    Raises:
        MotionLLMError: no glTF 2.0, or damaged.
    """
    where = None if folder is None else Path(folder)
    if data[:6] == b"\xfd7zXZ\x00":
        unpacking = lzma.LZMADecompressor()
        try:
            data = unpacking.decompress(data, _MOST_BYTES)
        except lzma.LZMAError as error:
            raise MotionLLMError(f"'{name}' is a damaged .xz file ({error}); copy it again") from error
        if not unpacking.eof:
            raise MotionLLMError(f"'{name}' is a damaged .xz file (cut off, or too large); copy it again")
    text, binary = data, b""
    if len(data) >= 12 and struct.unpack_from("<I", data)[0] == _MAGIC:
        version, total = struct.unpack_from("<II", data, 4)
        if version != 2 or total > len(data):
            what = f"is glTF {version}" if version != 2 else "is cut off"
            raise MotionLLMError(f"'{name}' {what}; {_AGAIN}")
        chunks = dict(_chunks(data[:total], name))
        text, binary = chunks.get(_JSON, b""), chunks.get(_BINARY, b"")
    try:
        document = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise MotionLLMError(f"'{name}' is not a glTF file ({error}); {_AGAIN}") from error
    if not isinstance(document, dict) or not str(document.get("asset", {}).get("version", "")).startswith("2"):
        raise MotionLLMError(f"'{name}' is not a glTF 2.0 file; {_AGAIN}")
    return Gltf(document, binary, name, where)


def _chunks(data: bytes, name: str) -> list[tuple[int, bytes]]:
    chunks, place = [], 12
    while place + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, place)
        if place + 8 + length > len(data):
            raise MotionLLMError(f"'{name}' is cut off; copy it again")
        chunks.append((kind, data[place + 8 : place + 8 + length]))
        place += 8 + length
    return chunks[::-1]  # of two of a kind the first counts, and dict() keeps the last
