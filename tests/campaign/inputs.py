"""Damaged inputs: what readers are given, how it is damaged, and what they may do with it."""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["READERS", "Reader", "mutations", "refuses_or_reads", "samples", "shrunk"]

# What damages numbers and texts: the ends of every range, and what is none.
_WORDS = (
    b"nan", b"inf", b"-1", b"0", b"1e300", b"1e-300", b"5e-324", b"9" * 400, b"null", b"[]", b"{}", b"true", b'""',
    b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"[" * 2000, b"999999999999", b"{caption:999999999}",
)  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    Args:
        name: of the row in the table.
        file: what it reads, whole.
        read: reads the file at a path; MotionLLMError is its way to refuse.
        summed: whether sums beside it tell every change.
    """

    name: str
    file: Path
    read: Callable[[Path], Any]
    summed: bool = False


def mutations(data: bytes, seed: int) -> Iterator[bytes]:
    """Damaged copies of some bytes, without end; the same for the same seed."""
    draw = random.Random(seed)
    while True:
        damaged = bytearray(data)
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            _damage(damaged, draw)
        yield bytes(damaged)


def _damage(data: bytearray, draw: random.Random) -> None:
    place = draw.randrange(len(data) + 1)
    length = draw.choice((1, 2, 4, 8, 64, 512))
    match draw.randrange(7):
        case 0:  # cut off
            del data[place:]
        case 1:  # a hole
            del data[place : place + length]
        case 2:  # another byte
            if place < len(data):
                data[place] = draw.randrange(256)
        case 3:  # noise
            data[place : place + length] = draw.randbytes(length)
        case 4:  # a number of another size
            data[place : place + 4] = struct.pack("<I", draw.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000)))
        case 5:  # a word in the place of a word
            start, end = _word(data, place)
            data[start:end] = draw.choice(_WORDS)
        case _:  # twice
            data[place:place] = data[place : place + length]


def _word(data: bytearray, place: int) -> tuple[int, int]:
    inside = b"0123456789.-+eE" if data[place : place + 1].isdigit() else b"abcdefghijklmnopqrstuvwxyz_\"'"
    start = end = min(place, len(data))
    while start > 0 and data[start - 1] in inside and end - start < 40:
        start -= 1
    while end < len(data) and data[end] in inside and end - start < 40:
        end += 1
    return start, end


def shrunk(whole: bytes, damaged: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """The least damaged copy that still fails, by halves: what differs is put back as long as the failure stays."""
    shorter = min(len(whole), len(damaged))
    front = next((place for place in range(shorter) if whole[place] != damaged[place]), shorter)
    back = 0
    while back < shorter - front and whole[-1 - back] == damaged[-1 - back]:
        back += 1
    middle, original = damaged[front : len(damaged) - back], whole[front : len(whole) - back]
    size = max(1, len(middle) // 2)
    while size:
        start = 0
        while start < len(middle):
            tried = middle[:start] + original[start : start + size] + middle[start + size :]
            candidate = whole[:front] + tried + whole[len(whole) - back :]
            if tried != middle and fails(candidate):
                middle = tried
            start += size
        size //= 2
    return whole[:front] + middle + whole[len(whole) - back :]


def _motion(path: Path) -> Any:
    from hub_scripts.data.motion_files import load_motion

    return load_motion(path)


def _saved_motion(path: Path) -> Any:
    from modeling_motionllm.motion import Motion

    return Motion.load(path)


def _table(path: Path) -> Any:
    from hub_scripts.data.text_tables import read_table

    return read_table(path)


READERS: dict[str, Callable[[Path], Any]] = {
    "bvh": _motion,
    "npy": _motion,
    "npz": _motion,
    "own npz": _saved_motion,
    "glb": _motion,
    "csv": _table,
    "jsonl": _table,
}


def refuses_or_reads(read: Callable[[Path], Any], path: Path) -> str:
    """What a reader did: "read", "refused" in one line, or the name of what else it raised."""
    try:
        read(path)
    except MotionLLMError as error:
        return "refused" if len(str(error)) < 2000 else "refused in a text without end"
    except Exception as error:  # noqa: BLE001  that is what is looked for
        return type(error).__name__
    return "read"


def samples(folder: Path, fixtures: Path) -> Sequence[Reader]:
    """Write one whole file of each kind; returns them with their readers."""
    import numpy as np

    from hub_scripts.export import save_motion
    from modeling_motionllm.motion import Motion

    bvh = folder / "walk.bvh"
    text = (fixtures / "bandai" / "dataset-1_walk_normal_002.bvh").read_text()
    head, _, rows = text.partition("Frame Time")
    lines = rows.splitlines()[:25]
    announced = next(line for line in head.splitlines() if line.startswith("Frames"))
    bvh.write_text(head.replace(announced, f"Frames: {len(lines) - 1}") + "Frame Time" + "\n".join(lines) + "\n")
    motion = _motion(bvh)
    motion = Motion(motion.joints[:12], motion.fps, "a person walks")
    motion.save(folder / "own.npz")
    np.save(folder / "walk.npy", motion.joints)
    np.savez(folder / "walk.npz", walk=motion.joints, mocap_framerate=20.0)
    save_motion(motion, folder / "walk.glb")
    (folder / "table.csv").write_text('caption,duration,seed\na person walks,2,1\n"a person, who bows",3,2\n')
    (folder / "table.jsonl").write_text('{"caption": "a person walks", "duration": 2}\n{"caption": "bows"}\n')
    files = {
        "bvh": bvh,
        "npy": folder / "walk.npy",
        "npz": folder / "walk.npz",
        "own npz": folder / "own.npz",
        "glb": folder / "walk.glb",
        "csv": folder / "table.csv",
        "jsonl": folder / "table.jsonl",
    }
    return [Reader(name, file, READERS[name]) for name, file in files.items()]
