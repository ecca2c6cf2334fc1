"""Motions and sentences in the folder layout of HumanML3D and KIT-ML, as Guo et al. (2022) publish both.

new_joint_vecs/NAME.npy   (T, 263) features, KIT-ML (T, 251)
new_joints/NAME.npy       (T, 22, 3) joints recovered from them, KIT-ML (T, 21, 3); may be missing
texts/NAME.txt            lines `sentence#word/CLASS word/CLASS ...#from#to`; seconds, both 0.0 for the whole motion
train.txt, val.txt, test.txt   names; those that begin with M are mirrored copies, published like the others
Mean.npy, Std.npy         statistics of the features
"""

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from modeling_motionllm.arrays_motionllm import parse_npy
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import Skeleton, features_to_joints, integrate_root
from modeling_motionllm.placement_motionllm import turned

from .splits import SPLITS, Split
from .store import MotionRow

__all__ = [
    "PublishedMotion",
    "PublishedSentence",
    "read_lists",
    "read_motion",
    "read_rows",
    "read_sentences",
    "read_statistics",
]

_MIN_ROWS = 4  # of features: one code
_MIRRORED = re.compile(r"M\d+")
_SAME_PLACE = 0.01  # metres; the published joints are the recovered ones


@dataclass(frozen=True)
class PublishedSentence:
    """One line of a text file.

    Args:
        caption: the sentence.
        tokens: "word/CLASS word/CLASS ...", what the T2M evaluator reads.
        start, stop: seconds of the part it tells of; both 0 for the whole motion.
    """

    caption: str
    tokens: str
    start: float
    stop: float


@dataclass(frozen=True)
class PublishedMotion:
    """One published motion.

    Args:
        features: float32 (T, D), as published.
        joints: float32 (T + 1, J, 3): those published, and the last frame, which only the features' last row tells.
        sha256: of the file of the features.
        joints_published: whether `new_joints` had it; else they are recovered from the features.
    """

    features: np.ndarray
    joints: np.ndarray
    sha256: str
    joints_published: bool


def read_lists(folder: Path, failures: list[tuple[str, str]]) -> dict[Split, list[str]]:
    """The names of each split, in the order of its list.

    Args:
        folder: the published folder.
        failures: takes the names that stand in two lists; they stay in the first.

    Raises:
        MotionLLMError: the folder has not this layout.
    """
    for part in ("new_joint_vecs", "texts"):
        if not (folder / part).is_dir():
            raise MotionLLMError(f"'{folder}' has no folder '{part}'; give the folder that holds it, as published")
    lists: dict[Split, list[str]] = {}
    where: dict[str, str] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        if not path.is_file():
            continue
        names = list(dict.fromkeys(line.strip() for line in _text(path).splitlines() if line.strip()))
        unsafe = [name for name in names if Path(name).name != name]
        if unsafe:
            raise MotionLLMError(f"'{path}' names '{unsafe[0]}', which is no motion; one name a line, as published")
        failures += [(name, f"'{name}' of {split}.txt is in {where[name]}.txt too") for name in names if name in where]
        lists[split] = [name for name in names if name not in where]
        where |= dict.fromkeys(lists[split], split)
    if not lists:
        raise MotionLLMError(f"'{folder}' has none of train.txt, val.txt and test.txt; put the published lists there")
    return lists


def read_sentences(folder: Path, name: str, failures: list[tuple[str, str]]) -> list[PublishedSentence]:
    """The lines of a motion's text file; those that cannot be used go to `failures`.

    Raises:
        MotionLLMError: no such file, or nothing usable in it.
    """
    path = folder / "texts" / f"{name}.txt"
    sentences = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            try:
                sentences.append(_sentence(line.strip()))
            except ValueError as error:
                failures.append((f"{name}:{number}", f"'texts/{name}.txt', line {number}: {error}"))
    if not sentences:
        raise MotionLLMError(f"'texts/{name}.txt' holds no usable sentence; unpack the texts again")
    return sentences


def _sentence(line: str) -> PublishedSentence:
    """Raises ValueError."""
    parts = line.split("#")
    if len(parts) != 4:
        raise ValueError(f"{len(parts)} fields between # instead of sentence, tokens, from, to")
    caption, tokens = parts[0].strip(), " ".join(parts[1].split())
    bad = [token for token in tokens.split() if token.count("/") != 1]
    if not caption or not tokens or bad:
        raise ValueError(f"'{bad[0]}' is not word/CLASS" if bad else "no sentence, or none of its tokens")
    # NaN stands for 0 in some lines, as in the published loader.
    start, stop = (0.0 if math.isnan(time) else time for time in map(float, parts[2:]))
    if not (math.isfinite(start + stop) and start >= 0 and (stop > start or stop == start == 0)):
        raise ValueError(f"from {start:g} s to {stop:g} s is no part of a motion")
    return PublishedSentence(caption, tokens, start, stop)


def read_motion(folder: Path, name: str, skeleton: Skeleton) -> PublishedMotion:
    """A published motion.

    Raises:
        MotionLLMError: a file is missing or damaged, is of another skeleton, or the two do not tell the same motion.
    """
    data = _bytes(folder / "new_joint_vecs" / f"{name}.npy")
    features = _array(data, f"new_joint_vecs/{name}.npy", (skeleton.feature_dim,))
    if len(features) < _MIN_ROWS:
        raise MotionLLMError(f"'{name}' has {len(features)} frames; at least {_MIN_ROWS} are needed")
    recovered = features_to_joints(features.astype(np.float64), skeleton)
    path = folder / "new_joints" / f"{name}.npy"
    published = path.is_file()
    if published:
        joints = _array(_bytes(path), f"new_joints/{name}.npy", (skeleton.num_joints, 3))
        limit = _SAME_PLACE / skeleton.metres_per_unit
        if joints.shape != recovered.shape or np.abs(joints - recovered).max() > limit:
            raise MotionLLMError(
                f"'new_joints/{name}.npy' is another motion than 'new_joint_vecs/{name}.npy'; unpack both again"
            )
    else:
        joints = recovered
    whole = np.concatenate([joints, _last_frame(features, joints, skeleton)])
    return PublishedMotion(features, whole.astype(np.float32), hashlib.sha256(data).hexdigest(), published)


def _last_frame(features: np.ndarray, joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(1, J, 3): the last frame (published motions lack it) by the displacements in the last row of the features."""
    first = 4 + 9 * (skeleton.num_joints - 1)
    x, y, z = features[-1, first:-4].astype(np.float64).reshape(-1, 3).T
    angle = 2 * float(integrate_root(torch.from_numpy(features.astype(np.float64)))[0][-1])
    left, ahead = turned(x, z, -angle)
    return (joints[-1] + np.stack([left, y, ahead], axis=-1))[None]


def read_rows(
    folder: Path, name: str, skeleton: Skeleton, source: str, failures: list[tuple[str, str]], notes: dict[str, int]
) -> Iterator[MotionRow]:
    """The dataset rows of one name: the whole motion with its sentences, then the part of each sentence with times.

    Parts are cut as the published loader cuts them, rows `int(from * fps)` to `int(to * fps)`, each with its one
    sentence, and are called NAME_000, NAME_001 ... (there: a random letter before the name). No length is left out here
    but what makes no code: the limits of the protocol belong to the evaluation.

    Args:
        folder: the published folder.
        name: of the motion.
        skeleton: HUMANML3D or KIT.
        source: what the collection is called.
        failures: takes the sentences and parts that cannot be used.
        notes: counts how motions were read.

    Raises:
        MotionLLMError: the motion cannot be used.
    """
    sentences = read_sentences(folder, name, failures)
    motion = read_motion(folder, name, skeleton)
    if not motion.joints_published:
        note = "no joints in new_joints, recovered from the features"
        notes[note] = notes.get(note, 0) + 1
    whole = [sentence for sentence in sentences if sentence.stop == 0]
    parts = [(name, slice(0, len(motion.features)), whole)] if whole else []
    for number, sentence in enumerate(sentence for sentence in sentences if sentence.stop > 0):
        start, stop = int(sentence.start * skeleton.fps), int(sentence.stop * skeleton.fps)
        parts.append((f"{name}_{number:03d}", slice(start, min(stop, len(motion.features))), [sentence]))
    for title, rows, told in parts:
        features = motion.features[rows]
        if len(features) < _MIN_ROWS:
            failures.append(
                (title, f"'texts/{name}.txt': {told[0].start:g} s to {told[0].stop:g} s is under a code long")
            )
            continue
        joints = motion.joints[rows.start : rows.stop + 1]
        yield {
            "name": title,
            "source": source,
            "num_people": 1,
            "contents": [""],
            "styles": [""],
            "mirrored": _MIRRORED.fullmatch(name) is not None,
            "captions": [sentence.caption for sentence in told],
            "tokens": [sentence.tokens for sentence in told],
            "fps": skeleton.fps,
            "num_frames": len(joints),
            "recording_frames": len(motion.features),
            "joints": joints[None],
            "features": features[None],
            "source_file": f"new_joint_vecs/{name}.npy",
            "source_sha256": motion.sha256,
        }


def read_statistics(folder: Path, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray] | None:
    """Published mean and deviation (D,) of the features; None where the folder has none.

    Raises:
        MotionLLMError: damaged, or of another skeleton.
    """
    spelled = [[folder / name for name in names] for names in (("Mean.npy", "Std.npy"), ("mean.npy", "std.npy"))]
    paths = next((pair for pair in spelled if all(path.is_file() for path in pair)), None)
    if paths is None:
        return None
    mean, std = (_array(_bytes(path), path.name, ()) for path in paths)
    if not len(mean) == len(std) == skeleton.feature_dim or not (std > 0).all():
        raise MotionLLMError(f"Mean.npy and Std.npy in '{folder}' are not of {skeleton.feature_dim} columns")
    return mean, std


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MotionLLMError(f"'{path.parent.name}/{path.name}' cannot be read ({error.strerror})") from error


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MotionLLMError(
            f"'{path.parent.name}/{path.name}' is no text ({error.reason}); unpack it again"
        ) from error


def _array(data: bytes, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array (any, *shape) of finite numbers from the bytes of an `.npy` file."""
    try:
        array = parse_npy(data, name)
    except MotionLLMError as error:
        raise MotionLLMError(f"'{name}' is no .npy file ({error}); unpack it again") from error
    if array.dtype.kind != "f" or array.ndim == 0 or array.shape[1:] != shape:
        wanted = ", ".join(map(str, ("any", *shape)))
        raise MotionLLMError(f"'{name}' holds {array.dtype} {array.shape}, not floats ({wanted})")
    if not np.isfinite(array).all():
        raise MotionLLMError(f"'{name}' holds NaN or infinite values")
    return array.astype(np.float32)
