"""Reading BVH files and turning them into world positions.

Why our own: the kept libraries do not read all of the recordings we need, or are slow. For a 343-frame, 31-joint CMU
clip and a 68-frame Bandai-Namco clip (parsing and world positions, one core): ours 30 and 7 ms; pybvh 0.9 29 ms, equal
to 1e-14, but it refuses position channels below the root, which every Bandai-Namco file has; bvhio 1.5 605 and 90 ms,
in single precision; bvh 0.3 77 and 17 ms for parsing alone, without forward kinematics.
"""

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hub_scripts.skeletons import kinematics
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import FASTEST

from .bvh_text import decode_names, exact_rate, plain_text
from .gate import ReadingOptions, cut_part

__all__ = [
    "Bvh",
    "forward_kinematics",
    "parse_bvh",
    "read_bvh",
    "read_bvh_skeleton",
    "rest_positions",
    "with_end_sites",
]

_MAX_DEPTH = 1000
_LARGEST = 1e9  # of a channel or an offset, in units of the file or degrees
_MAX_FRAME_TIME = 1.0  # seconds; more is a frame rate in the wrong place, and would blow up when resampled
_FRAMES_AT_A_TIME = 2048  # bounds the memory that forward kinematics takes
_CHANNELS = frozenset(f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation"))
_MOTION_LINE = re.compile(rb"^[ \t]*MOTION[ \t]*$", re.MULTILINE | re.IGNORECASE)
_MOTION_HEAD = re.compile(
    rb"\s*Frames[ \t]*:?[ \t]*(\S+)[ \t]*\n\s*Frame[ \t]*Time[ \t]*:?[ \t]*(\S+)[ \t]*(?:\n|\Z)", re.IGNORECASE
)
_MOST_HEADER = 1 << 18  # bytes that the skeleton takes at most: some hundred joints take a tenth
_MOST_ROWS_OFF = 0.1  # of the rows; one more or less than announced is a slip of the program that wrote them
_EXPORT_AGAIN = "export it again as a plain BVH file"


@dataclass(eq=False)
class Bvh:
    """One BVH file.

    Args:
        joint_names: J names in file order (a parent always before its children); end sites are left out.
        parents: index of each joint's parent, -1 for a root.
        offsets: float64 (J, 3), in the units of the file.
        channels: per joint its channel names in file order, such as `("Xposition", "Zrotation")`.
        frames: float64 (N, C), the channel values; rotations in degrees.
        frame_time: seconds per frame.
        end_sites: index of a joint at the end of a chain -> offsets (3) of its end sites, one or several.
        notes: what was odd about the file.
    """

    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    frames: np.ndarray
    frame_time: float
    end_sites: dict[int, list[list[float]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def fps(self) -> float:
        """Frames per second, a whole number where it is nearly one."""
        fps = 1.0 / self.frame_time
        return float(round(fps)) if abs(fps - round(fps)) < 1e-4 * fps else fps


def read_bvh(path: str | os.PathLike[str]) -> Bvh:
    """Read a BVH file.

    Raises:
        MotionLLMError: the file cannot be read or is not a sound BVH file; the message names the file.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise MotionLLMError(f"cannot read '{path}' ({error.strerror}); check the path") from error
    return parse_bvh(data, os.fspath(path))


def read_bvh_skeleton(path: str | os.PathLike[str]) -> Bvh:
    """The skeleton of a BVH file, without frames.

    Raises:
        MotionLLMError: the file cannot be read or has no sound skeleton.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_HEADER)
    except OSError as error:
        raise MotionLLMError(f"cannot read '{path}' ({error.strerror}); check the path") from error
    data, _ = plain_text(data)
    split = _MOTION_LINE.search(data)
    if split is None:
        raise MotionLLMError(f"'{path}' has no MOTION section; {_EXPORT_AGAIN}")
    return _parse_hierarchy(decode_names(data[: split.start()])[0], os.fspath(path))


def parse_bvh(data: bytes, name: str, options: ReadingOptions | None = None) -> Bvh:
    """Parse the bytes of a BVH file.

    Args:
        data: of the file.
        name: what error messages call it.
        options: what is known of it. Its `fps` goes before the frame time of the file, which may be none then, and
            only frames from `start` to `end` have to be numbers.

    Raises:
        MotionLLMError: empty, binary or truncated data, counts that disagree, values that are no finite numbers.
    """
    if not data.strip():
        raise MotionLLMError(f"'{name}' is empty; {_EXPORT_AGAIN}")
    data, notes = plain_text(data)
    start = data[:4096].lstrip()
    if b"\0" in start or not start.upper().startswith(b"HIERARCHY"):
        raise MotionLLMError(f"'{name}' is not a BVH file (it does not start with HIERARCHY); {_EXPORT_AGAIN}")
    split = _MOTION_LINE.search(data)
    if split is None:
        raise MotionLLMError(f"'{name}' has no MOTION section, it may be cut off; copy or {_EXPORT_AGAIN}")
    header, more = decode_names(data[: split.start()])
    skeleton = _parse_hierarchy(header, name)
    channels = sum(map(len, skeleton.channels))
    frames, frame_time, odd = _parse_motion(data, split.end(), channels, name, options or ReadingOptions())
    return replace(skeleton, frames=frames, frame_time=frame_time, notes=(*notes, *more, *odd))


def _parse_hierarchy(header: str, name: str) -> Bvh:
    """The skeleton, as a file without frames."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    ends: dict[int, list[list[float]]] = {}
    stack: list[int] = []  # open blocks: joint index, or -1 for an end site
    opened: int | None = None  # the joint whose "{" comes next
    lines = header.replace("{", "\n{\n").replace("}", "\n}\n").splitlines()
    for line in lines:
        words = line.split()
        if not words:
            continue
        keyword = words[0].upper()
        if keyword in ("ROOT", "JOINT"):
            if (keyword == "ROOT") != (not stack) or (stack and stack[-1] < 0) or len(words) < 2:
                raise MotionLLMError(f"'{name}' has '{line.strip()}' in a wrong place; {_EXPORT_AGAIN}")
            opened = len(names)
            names.append(" ".join(words[1:]))
            parents.append(stack[-1] if stack else -1)
            offsets.append([0.0, 0.0, 0.0])
            channels.append(())
        elif keyword in ("END", "ENDSITE"):
            opened = -1
        elif keyword == "{":
            if opened is None:
                raise MotionLLMError(f"'{name}' opens a block that belongs to no joint; {_EXPORT_AGAIN}")
            stack.append(opened)
            opened = None
            if len(stack) > _MAX_DEPTH:
                raise MotionLLMError(f"'{name}' nests joints more than {_MAX_DEPTH} levels deep; {_EXPORT_AGAIN}")
        elif keyword == "}":
            if not stack:
                raise MotionLLMError(f"'{name}' closes more blocks than it opens; {_EXPORT_AGAIN}")
            stack.pop()
        elif keyword in ("OFFSET", "CHANNELS"):
            if not stack:
                raise MotionLLMError(f"'{name}' has {keyword} outside a joint; {_EXPORT_AGAIN}")
            if keyword == "OFFSET" and stack[-1] >= 0:
                offsets[stack[-1]] = _offset(words, line, name)
            elif keyword == "OFFSET" and len(stack) > 1 and stack[-2] >= 0:
                ends.setdefault(stack[-2], []).append(_offset(words, line, name))
            elif stack[-1] >= 0:
                channels[stack[-1]] = _joint_channels(words, line, name)
        elif keyword != "HIERARCHY":
            raise MotionLLMError(f"'{name}' has an unknown line '{line.strip()[:60]}'; {_EXPORT_AGAIN}")
    if stack:
        raise MotionLLMError(f"'{name}' leaves {len(stack)} blocks open, it may be cut off; {_EXPORT_AGAIN}")
    if not names:
        raise MotionLLMError(f"'{name}' has no joints; {_EXPORT_AGAIN}")
    return Bvh(
        joint_names=tuple(names),
        parents=tuple(parents),
        offsets=np.array(offsets, dtype=np.float64),
        channels=tuple(channels),
        frames=np.empty((0, sum(map(len, channels)))),
        frame_time=0.0,
        end_sites=ends,
    )


def _offset(words: list[str], line: str, name: str) -> list[float]:
    try:
        values = [float(word) for word in words[1:4]]  # some programs write more, which say nothing of the place
    except ValueError:
        values = []
    if len(values) != 3:
        raise MotionLLMError(f"'{name}' has '{line.strip()[:60]}' where OFFSET and 3 numbers belong; {_EXPORT_AGAIN}")
    bad = next((word for word, value in zip(words[1:4], values, strict=True) if not abs(value) < _LARGEST), None)
    if bad is not None:
        raise MotionLLMError(f"'{name}' has an OFFSET of {bad[:40]}, NaN, infinite or above {_LARGEST:g}; repair it")
    return values


def _joint_channels(words: list[str], line: str, name: str) -> tuple[str, ...]:
    found = tuple(word[:1].upper() + word[1:].lower() for word in words[2:])
    if words[1:2] != [str(len(found))] or not _CHANNELS.issuperset(found) or len(set(found)) != len(found):
        raise MotionLLMError(f"'{name}' has a broken line '{line.strip()[:80]}'; {_EXPORT_AGAIN}")
    return found


def _parse_motion(
    data: bytes, start: int, num_channels: int, name: str, options: ReadingOptions
) -> tuple[np.ndarray, float, tuple[str, ...]]:
    """The rows of values, the seconds per frame, and a note if there are not as many as announced."""
    head = _MOTION_HEAD.match(data, start)
    try:
        if head is None:
            raise ValueError
        num_frames, written = int(re.sub(rb"\.0*$", b"", head[1])), head[2].decode("ascii")
        seconds = float(written)
    except ValueError:
        raise MotionLLMError(f"'{name}' lacks 'Frames:' and 'Frame Time:' after MOTION; {_EXPORT_AGAIN}") from None
    if options.fps is None:
        _check_frame_time(seconds, name)
    frame_time = 1.0 / (options.fps or exact_rate(written))
    if num_channels == 0 or num_frames < 1:
        raise MotionLLMError(f"'{name}' has {num_frames} frames of {num_channels} channels; {_EXPORT_AGAIN}")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # older numpy stops at a bad word with only this warning
        try:
            text = data[head.end() :].decode("ascii")
            values = np.fromstring(text, dtype=np.float64, sep=" ") if text.strip() else np.empty(0)
        except (ValueError, DeprecationWarning) as error:
            raise MotionLLMError(f"'{name}' has something that is no number in its frames; {_EXPORT_AGAIN}") from error
    rows = values.size // num_channels
    notes: tuple[str, ...] = ()
    if values.size % num_channels == 0 and abs(rows - num_frames) == 1 and _MOST_ROWS_OFF * rows >= 1:
        notes = (f"announces {num_frames} frames but holds {rows}; all of them are read",)
        num_frames = rows
    if values.size != num_frames * num_channels:
        found = f"{values.size / num_channels:.1f}".removesuffix(".0")
        raise MotionLLMError(
            f"'{name}' announces {num_frames} frames of {num_channels} channels but holds {found}; "
            "it is cut off or was edited: copy it again or correct 'Frames:'"
        )
    frames = values.reshape(num_frames, num_channels)
    bad = ~(np.abs(frames[cut_part(num_frames, 1.0 / frame_time, options, name)]) < _LARGEST)
    if bad.any():
        raise MotionLLMError(
            f"'{name}' holds {int(bad.sum())} values that are NaN or infinite, or above {_LARGEST:g}; repair these "
            "frames, or leave them out by --start and --end"
        )
    return frames, frame_time, notes


def _check_frame_time(seconds: float, name: str) -> None:
    if not (np.isfinite(seconds) and seconds >= 1 / FASTEST):
        raise MotionLLMError(
            f"'{name}' has a frame time of {seconds} s; set it to 1 / fps, such as 0.0333333, or give --source-fps"
        )
    if seconds > _MAX_FRAME_TIME:
        raise MotionLLMError(
            f"'{name}' has a frame time of {seconds:g} s, less than one frame a second; if this is the frame rate, "
            f"set it to {1 / seconds:.6g}, or give --source-fps"
        )


def with_end_sites(bvh: Bvh) -> Bvh:
    """The same file with its end sites as joints without channels, behind the others, named `JOINT End Site`."""
    ends = [(joint, offset) for joint, offsets in sorted(bvh.end_sites.items()) for offset in offsets]
    return replace(
        bvh,
        joint_names=(*bvh.joint_names, *(f"{bvh.joint_names[joint]} End Site" for joint, _ in ends)),
        parents=(*bvh.parents, *(joint for joint, _ in ends)),
        offsets=np.concatenate([bvh.offsets, np.array([offset for _, offset in ends]).reshape(-1, 3)]),
        channels=(*bvh.channels, *(() for _ in ends)),
        end_sites={},
    )


def rest_positions(bvh: Bvh) -> np.ndarray:
    """Positions float64 (J, 3) of all joints where no joint is turned, from the root's OFFSET, in units of the file."""
    return kinematics.rest_positions(bvh.parents, bvh.offsets)


def forward_kinematics(bvh: Bvh, joints: Sequence[int] | None = None) -> np.ndarray:
    """World positions of joints.

    Rotations are applied in channel order (the first listed is the outermost). Where a joint has position channels,
    these replace the matching components of its OFFSET.

    Args:
        bvh: the parsed file.
        joints: indices of the J joints that are wanted; all by default. Only these and those above them are computed.

    Returns:
        float64 (N, J, 3), in the units of the file.
    """
    wanted = list(range(len(bvh.joint_names)) if joints is None else joints)
    needed = set(wanted)
    for joint in reversed(range(len(bvh.parents))):
        if joint in needed and bvh.parents[joint] >= 0:
            needed.add(bvh.parents[joint])
    chain = sorted(needed)
    place_of = {joint: place for place, joint in enumerate(chain)}
    places = [place_of[joint] for joint in wanted]
    positions = np.empty((len(bvh.frames), len(wanted), 3))
    for start in range(0, len(bvh.frames), _FRAMES_AT_A_TIME):
        part = slice(start, start + _FRAMES_AT_A_TIME)
        positions[part] = _positions(bvh, bvh.frames[part], chain)[:, places]
    return positions


def _positions(bvh: Bvh, frames: np.ndarray, chain: list[int]) -> np.ndarray:
    """Positions (N, len(chain), 3) of the joints in `chain`, which holds the parents of all its joints."""
    starts = np.cumsum([0, *map(len, bvh.channels)])
    translation = np.tile(bvh.offsets[chain], (len(frames), 1, 1))
    rotation = np.tile(np.eye(3), (len(frames), len(chain), 1, 1))
    for layout in dict.fromkeys(bvh.channels[joint] for joint in chain):
        places = [place for place, joint in enumerate(chain) if bvh.channels[joint] == layout]
        turns = None
        for index, channel in enumerate(layout):
            values = frames[:, [starts[chain[place]] + index for place in places]]
            axis = "XYZ".index(channel[0])
            if channel.endswith("position"):
                translation[:, places, axis] = values
            else:
                turn = Rotation.from_euler(channel[0], values[..., None], degrees=True).as_matrix()
                turns = turn if turns is None else turns @ turn
        if turns is not None:
            rotation[:, places] = turns
    place_of = {joint: place for place, joint in enumerate(chain)} | {-1: -1}
    return kinematics.forward_kinematics([place_of[bvh.parents[joint]] for joint in chain], translation, rotation)
