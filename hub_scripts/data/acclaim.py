"""Reading Acclaim motion (`.amc` beside its `.asf`), CMU's and HDM05's own format, as joint positions."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from modeling_motionllm.errors_motionllm import MotionLLMError

from .retarget import JointPositions

__all__ = ["AcclaimSkeleton", "find_asf", "parse_amc", "parse_asf", "read_amc"]

ACCLAIM_FPS = 120.0  # the format does not say; CMU and HDM05 recorded at this rate
_TURNS = ("rx", "ry", "rz")
_MOVES = ("tx", "ty", "tz")


@dataclass(eq=False)
class _Bone:
    """A bone: it starts where its parent ends, and leads in a direction of length 1 (of the root: nowhere) in rest."""

    direction: np.ndarray = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: Rotation = field(default_factory=Rotation.identity)
    order: str = "xyz"
    channels: tuple[str, ...] = ()


@dataclass(eq=False)
class AcclaimSkeleton:
    """An `.asf` file.

    Args:
        bones: by name, `root` first and parents before children.
        parents: name of the bone above each but the root.
        degrees: angles of the file are degrees, else radians.
        start: (3,) where the root lies in rest.
    """

    bones: dict[str, _Bone]
    parents: dict[str, str]
    degrees: bool
    start: np.ndarray


def find_asf(path: str | os.PathLike[str]) -> Path:
    """The `.asf` of an `.amc`: the one in its folder whose name the other's starts with, else the only one.

    Raises:
        MotionLLMError: none, or several that it may be.
    """
    path = Path(path)
    try:
        found = sorted(entry for entry in path.parent.iterdir() if entry.suffix.lower() == ".asf")
    except OSError as error:
        raise MotionLLMError(f"cannot read the folder of '{path}' ({error.strerror}); check the path") from error
    fitting = [entry for entry in found if path.stem.lower().startswith(entry.stem.lower())]
    if fitting:
        return max(fitting, key=lambda entry: len(entry.stem))
    if len(found) != 1:
        raise MotionLLMError(f"'{path}' needs its skeleton: put the .asf beside it, under the same name")
    return found[0]


def read_amc(path: str | os.PathLike[str], fps: float = ACCLAIM_FPS) -> JointPositions:
    """Read an `.amc` file with the `.asf` beside it.

    Args:
        path: the `.amc`.
        fps: frames per second; the file does not say.

    Raises:
        MotionLLMError: a file is missing or damaged.
    """
    skeleton = find_asf(path)
    texts = {}
    for file in (skeleton, Path(path)):
        try:
            texts[file] = file.read_bytes()
        except OSError as error:
            raise MotionLLMError(f"cannot read '{file}' ({error.strerror}); check the path") from error
    return parse_amc(texts[Path(path)], os.fspath(path), parse_asf(texts[skeleton], os.fspath(skeleton)), fps)


def parse_asf(data: bytes, name: str) -> AcclaimSkeleton:
    """Parse an `.asf` file.

    Raises:
        MotionLLMError: damaged; the message names the file and the line.
    """
    skeleton = AcclaimSkeleton({"root": _Bone(channels=(*_MOVES, *_TURNS))}, {}, True, np.zeros(3))
    section, bone, bone_name = "", _Bone(), ""
    for number, words in _lines(data):
        key, rest = words[0].lower(), words[1:]
        try:
            if key.startswith(":"):
                section = key
            elif section == ":units" and key == "angle":
                skeleton.degrees = rest[0].lower().startswith("deg")
            elif section == ":root" or section == ":bonedata":
                if key == "begin":
                    bone, bone_name = _Bone(), ""
                elif key == "end":
                    skeleton.bones[bone_name] = bone
                elif key == "name":
                    bone_name = rest[0]
                elif key == "direction":
                    direction = _numbers(rest, 3)
                    bone.direction = direction / max(np.linalg.norm(direction), 1e-12)
                elif key == "length":
                    bone.length = float(_numbers(rest, 1)[0])
                else:
                    _read_fact(skeleton.bones["root"] if section == ":root" else bone, key, rest, skeleton)
            elif section == ":hierarchy" and key not in ("begin", "end"):
                for child in rest:
                    if child not in skeleton.bones or child in skeleton.parents or child == "root":
                        raise ValueError(child)
                    skeleton.parents[child] = words[0]
        except (ValueError, IndexError, KeyError):
            raise _damaged(name, number, words) from None
    return _in_order(skeleton, name)


def _read_fact(bone: _Bone, key: str, rest: list[str], skeleton: AcclaimSkeleton) -> None:
    """`axis`, `dof`, `order`, `position` and `orientation`; others (limits, mass ...) say nothing of the motion."""
    if key == "axis" and len(rest) == 1:  # of the root, whose angles are its orientation
        bone.order = _order(rest[0])
    elif key == "axis":
        bone.order = _order(rest[3]) if len(rest) > 3 else "xyz"
        bone.axis = Rotation.from_euler(bone.order, _numbers(rest, 3), degrees=skeleton.degrees)
    elif key == "orientation":
        bone.axis = Rotation.from_euler(bone.order, _numbers(rest, 3), degrees=skeleton.degrees)
    elif key in ("dof", "order"):
        bone.channels = tuple(word.lower() for word in rest)
        if not set(bone.channels) <= {*_TURNS, *_MOVES, "l"}:
            raise ValueError(key)
    elif key == "position":
        skeleton.start = _numbers(rest, 3)


def _in_order(skeleton: AcclaimSkeleton, name: str) -> AcclaimSkeleton:
    """Parents before children; bones that hang from nothing are an error."""
    order = ["root"]
    for bone in order:
        order += [child for child, parent in skeleton.parents.items() if parent == bone]
    lost = sorted(skeleton.bones.keys() - set(order))
    if lost or len(order) < 2:
        what = f"has bones outside its hierarchy ({', '.join(lost[:5])})" if lost else "has no bones"
        raise MotionLLMError(f"'{name}' {what}; it is damaged, copy it again")
    skeleton.bones = {bone: skeleton.bones[bone] for bone in order}
    return skeleton


def parse_amc(data: bytes, name: str, skeleton: AcclaimSkeleton, fps: float = ACCLAIM_FPS) -> JointPositions:
    """Parse an `.amc` file.

    Args:
        data: the file.
        name: what error messages call it.
        skeleton: whose motion it is.
        fps: frames per second.

    Returns:
        The places where bones start, and their names.

    Raises:
        MotionLLMError: damaged, or of another skeleton.
    """
    frames: list[dict[str, np.ndarray]] = []
    degrees = skeleton.degrees
    for number, words in _lines(data):
        if words[0].startswith(":"):
            degrees = degrees if words[0].lower() not in (":degrees", ":radians") else words[0].lower() == ":degrees"
        elif len(words) == 1 and words[0].isdigit():
            frames.append({})
        else:
            bone = skeleton.bones.get(words[0])
            if bone is None:
                raise MotionLLMError(
                    f"line {number} of '{name}' moves '{words[0]}', which its .asf has not; put the right one beside it"
                )
            try:
                frames[-1][words[0]] = _numbers(words[1:], len(bone.channels))
            except (ValueError, IndexError):
                raise _damaged(name, number, words) from None
    if not frames or any("root" not in frame for frame in frames):
        raise MotionLLMError(f"'{name}' has no frames, or frames without a root; copy it again")
    values = {
        bone: np.array([frame.get(bone, np.zeros(len(entry.channels))) for frame in frames])
        for bone, entry in skeleton.bones.items()
    }
    positions = _positions(skeleton, values, degrees)
    still = {bone: np.zeros((1, len(entry.channels))) for bone, entry in skeleton.bones.items()}
    turns = [values[bone][0, index] for bone, index in _turns(skeleton)]
    return JointPositions(
        tuple(skeleton.bones),
        tuple(list(skeleton.bones).index(skeleton.parents[bone]) if bone != "root" else -1 for bone in skeleton.bones),
        positions,
        _positions(skeleton, still, degrees)[0],
        fps,
        unturned=bool((np.abs(turns) < 1e-3).all()),
    )


def _turns(skeleton: AcclaimSkeleton) -> list[tuple[str, int]]:
    return [
        (name, index)
        for name, bone in skeleton.bones.items()
        for index, channel in enumerate(bone.channels)
        if channel in _TURNS
    ]


def _positions(skeleton: AcclaimSkeleton, values: dict[str, np.ndarray], degrees: bool) -> np.ndarray:
    """Where bones start, (N, bones, 3)."""
    starts: dict[str, np.ndarray] = {}
    ends: dict[str, np.ndarray] = {}
    turned: dict[str, Rotation] = {}
    for name, bone in skeleton.bones.items():
        moved = dict(zip(bone.channels, values[name].T, strict=True))
        frames = len(values[name])
        turn = Rotation.identity(frames)
        for axis in (channel for channel in bone.channels if channel in _TURNS):  # the first is applied first
            turn = Rotation.from_euler(axis[1], moved[axis][:, None], degrees=degrees) * turn
        shift = np.stack([moved.get(channel, np.zeros(frames)) for channel in _MOVES], axis=-1)
        if name == "root":
            starts[name] = ends[name] = skeleton.start + shift
            turned[name] = turn * bone.axis  # its orientation turns the whole body, a bone's axis only tells its dofs
            continue
        parent = skeleton.parents[name]
        starts[name] = ends[parent] + turned[parent].apply(shift)
        turned[name] = turned[parent] * (bone.axis * turn * bone.axis.inv())
        length = bone.length + moved.get("l", np.zeros(frames))[:, None]
        ends[name] = starts[name] + turned[name].apply(length * bone.direction)
    return np.stack(list(starts.values()), axis=1)


def _lines(data: bytes) -> list[tuple[int, list[str]]]:
    """Line numbers and words; without comments, whatever ends the lines."""
    text = data.decode("utf-8", "replace")
    lines = [line.partition("#")[0].split() for line in re.split(r"\r\n|\r|\n", text)]
    return [(number, words) for number, words in enumerate(lines, start=1) if words]


def _numbers(words: list[str], count: int) -> np.ndarray:
    values = np.array([float(word) for word in words[:count]])
    if len(values) != count or not np.isfinite(values).all():
        raise ValueError(words)
    return values


def _order(word: str) -> str:
    if sorted(word.lower()) != ["x", "y", "z"]:
        raise ValueError(word)
    return word.lower()


def _damaged(name: str, number: int, words: list[str]) -> MotionLLMError:
    return MotionLLMError(f"line {number} of '{name}' means nothing ('{' '.join(words)[:60]}'); copy the file again")
