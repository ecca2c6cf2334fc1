"""The formats that recorded skeletons come in: which they are, and one way to parse them all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError

from .bvh import Bvh, parse_bvh
from .gate import ReadingOptions
from .gltf_file import GLTF_SUFFIXES
from .joint_arrays import read_joint_arrays
from .retarget import JointPositions

__all__ = ["RECORDING_SUFFIXES", "explain_reading", "parse_recording", "read_bytes", "recording_suffix"]

RECORDING_SUFFIXES = (".bvh", ".amc", *GLTF_SUFFIXES, ".glb.xz", ".npz", ".npy")
_MOST_BYTES = 1 << 28  # of a file: an hour of BVH has half of it
# What is raised inside readers by files that are damaged in a way that nobody has thought of.
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError)
_LOOP_FPS = 120.0  # repeated glTF animations are sampled finely, so that they close


def recording_suffix(name: str | os.PathLike[str]) -> str:
    """The suffix of a file of a recording, in lower case; "" if it is none."""
    text = os.fspath(name).lower()
    return next((suffix for suffix in RECORDING_SUFFIXES if text.endswith(suffix)), "")


@contextmanager
def explain_reading(name: str) -> Iterator[None]:
    """Name the file that cannot be read, whatever is wrong with it: one bad file never ends the work on others.

    Args:
        name: of the file.

    Raises:
        MotionLLMError: it cannot be read.
    """
    try:
        yield
    except MotionLLMError:
        raise
    except _UNREADABLE as error:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise MotionLLMError(f"'{name}' is damaged ({said}); export it again") from error


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file.

    Raises:
        MotionLLMError: it cannot be read, or is larger than any recording.
    """
    try:
        size = Path(path).stat().st_size
        if size > _MOST_BYTES:
            raise MotionLLMError(f"'{path}' has {size >> 20:,} MB, at most {_MOST_BYTES >> 20} are read; cut it")
        return Path(path).read_bytes()
    except OSError as error:
        raise MotionLLMError(f"cannot read '{path}' ({error.strerror}); check the path") from error


def parse_recording(
    data: bytes, path: str | os.PathLike[str], name: str, options: ReadingOptions
) -> Sequence[Bvh | JointPositions]:
    """Parse a file by its suffix.

    Args:
        data: its bytes.
        path: where it is; what belongs to it (the `.asf` of an `.amc`, the `.bin` of a `.gltf`) lies beside it.
        name: what error messages call it.
        options: `animation`, `fps` and, of BVH files, `start` and `end` are looked at.

    Returns:
        One recording for each skeleton in it.

    Raises:
        MotionLLMError: no such format, or a damaged file.
    """
    path, suffix = Path(path), recording_suffix(path)
    if suffix == ".bvh":
        return [parse_bvh(data, name, options)]
    if suffix == ".amc":
        from .acclaim import ACCLAIM_FPS, find_asf, parse_amc, parse_asf  # here, as scipy takes a while to import

        skeleton = find_asf(path)
        try:
            asf = parse_asf(skeleton.read_bytes(), os.fspath(skeleton))
        except OSError as error:
            raise MotionLLMError(f"cannot read '{skeleton}' ({error.strerror}); check the path") from error
        return [parse_amc(data, name, asf, options.fps or ACCLAIM_FPS)]
    if suffix in (".npz", ".npy"):
        return read_joint_arrays(data, path, name, options)
    if suffix:
        from .glb import GltfAnimations
        from .gltf_file import parse_gltf

        animations = GltfAnimations(parse_gltf(data, name, path.parent))
        return (
            animations.read(options.animation, _LOOP_FPS) if options.repeat > 1 else animations.read(options.animation)
        )
    raise MotionLLMError(f"'{name}' is none of {', '.join(RECORDING_SUFFIXES)}; convert it to one of these")
