"""InterHuman (Liang et al. 2023, InterGen): recorded scenes of two people, read as they are published.

`motions_processed/person{1,2}/ID.npy` hold float (T, 492) at 30 fps, Z up: 62 positions, of which the first 22 are the
body's joints in SMPL order, and 51 rotations of 6 numbers each. Only those 22 positions are used.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from modeling_motionllm.arrays_motionllm import parse_npy
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import ensure_folder
from modeling_motionllm.motion_features import resample_joints
from modeling_motionllm.placement_motionllm import encode_placements, join_people, mirror_people, split_people

from .cards import dataset_card
from .composed.drawing import MAX_FRAMES
from .preparation import Preparation
from .recordings import explain_reading, read_bytes
from .splits import SPLITS
from .store import MotionRow, finish_dataset, start_dataset, write_shards

__all__ = ["interhuman_joints", "mirror_text", "prepare_interhuman"]

_SOURCE_FPS, _FPS = 30.0, 20.0
_COLUMNS = 492
_MIN_FRAMES = 17  # four codes; the official code leaves out scenes under half a second
_SCENES_PER_SHARD = 128
_MIRRORED = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
    "counter-clockwise": "clockwise",
    "anticlockwise": "clockwise",
    "anti-clockwise": "clockwise",
}
_SIDED = re.compile(
    r"\b(left|right|(?:counter|anti)-?clockwise|clockwise)(?=(?:ward|wards|most|hand|handed|side)?s?\b)", re.IGNORECASE
)


def prepare_interhuman(
    src: str | os.PathLike[str],
    out: str | os.PathLike[str],
    mirror: bool = True,
    limit: int | None = None,
    overwrite: bool = False,
) -> Preparation:
    """Prepare the processed InterHuman data in `src` as scenes in `out`, with its own splits and captions.

    Scenes over 10 s become several of at most 10 s with the same captions (the official code draws such windows).

    Args:
        src: folder with `motions_processed`, `annots`, and the lists `train.txt`, `val.txt`, `test.txt` in `split` or
            beside them; an `ignore_list.txt` there is obeyed.
        out: folder for the scenes.
        mirror: store mirrored copies of the train scenes.
        limit: only the first `limit` scenes of each split.
        overwrite: replace a finished dataset in `out`.

    Raises:
        MotionLLMError: `src` has not this layout, `out` cannot be written or holds a dataset already.
    """
    source = Path(src)
    lists = _lists(source)
    folder = ensure_folder(out)
    work = start_dataset(folder, overwrite)
    failures: list[tuple[str, str]] = []
    shards: dict[str, list[Path]] = {}
    counts: dict[str, Counter[str]] = {}
    for split, names in lists.items():
        bar = tqdm(names[:limit], desc=f"reading {split}", unit=" scenes")
        rows = _rows(source, split, bar, mirror, failures)
        paths, made = write_shards(work, split, rows, _SCENES_PER_SHARD, "scenes")
        if paths:
            shards[split], counts[split] = paths, made
    if not shards:
        shutil.rmtree(work)
        return Preparation(None, failures)
    card = dataset_card("interhuman")
    summary = {
        "name": "interhuman",
        "type": "scenes",
        "composed": False,
        "license": card.license,
        "fps": _FPS,
        "mirrored": mirror,
        "limit": limit,
        "splits": {
            split: {**made, "people": 2 * made["scenes"], "kinds": {"interhuman": made["scenes"]}}
            for split, made in counts.items()
        },
        "left_out": dict(failures),
    }
    return Preparation(finish_dataset(folder, shards, card, summary), failures)


def interhuman_joints(path: str | os.PathLike[str]) -> np.ndarray:
    """Joints of one person of one scene.

    Args:
        path: a published `.npy`, (T, 492), 30 fps, Z up.

    Returns:
        float64 (T', 22, 3) at 20 fps, metres, Y up, SMPL-22 order, where it was recorded.

    Raises:
        MotionLLMError: no such file, another shape, or NaN.
    """
    path = Path(path)
    try:
        array = parse_npy(read_bytes(path), str(path))
    except MotionLLMError as error:
        raise MotionLLMError(
            f"'{path}' is missing or no .npy file ({error}); unpack motions_processed again"
        ) from error
    if array.ndim != 2 or array.shape[1] != _COLUMNS or len(array) == 0 or array.dtype.kind != "f":
        raise MotionLLMError(f"'{path}' holds {array.dtype} {array.shape}; InterHuman has floats (frames, {_COLUMNS})")
    x, y, z = np.moveaxis(array[:, :66].astype(np.float64).reshape(-1, 22, 3), -1, 0)
    joints = np.stack([x, z, -y], axis=-1)
    if not np.isfinite(joints).all():
        raise MotionLLMError(f"'{path}' holds joints that are NaN or infinite; unpack motions_processed again")
    return np.asarray(resample_joints(joints, _SOURCE_FPS, _FPS))


def mirror_text(text: str) -> str:
    """A caption of the mirrored scene: left and right, clockwise and counterclockwise change places."""

    def swapped(found: re.Match[str]) -> str:
        word = _MIRRORED[found[1].lower()]
        return word.capitalize() if found[1][0].isupper() else word

    return _SIDED.sub(swapped, text)


def _lists(source: Path) -> dict[str, list[str]]:
    """Names of the scenes of each split, without those to ignore."""
    for part in ("motions_processed/person1", "motions_processed/person2", "annots"):
        if not (source / part).is_dir():
            raise MotionLLMError(f"'{source}' has no folder '{part}'; give the folder InterHuman was unpacked in")
    folder = source / "split" if (source / "split").is_dir() else source
    ignored = set(_lines(folder / "ignore_list.txt")) if (folder / "ignore_list.txt").is_file() else set()
    lists: dict[str, list[str]] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        if path.is_file():
            names = [name for name in dict.fromkeys(_lines(path)) if name not in ignored]
            unsafe = [name for name in names if Path(name).name != name]
            if unsafe:
                raise MotionLLMError(f"'{path}' names '{unsafe[0]}', which is no scene; one name a line, as published")
            lists[split] = names
    if not lists:
        raise MotionLLMError(f"'{folder}' has none of train.txt, val.txt and test.txt; unpack the split lists there")
    return lists


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise MotionLLMError(f"'{path}' cannot be read as text ({error}); unpack it again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _rows(
    source: Path, split: str, names: Iterable[str], mirror: bool, failures: list[tuple[str, str]]
) -> Iterator[MotionRow]:
    """The rows of a split, mirrored copies behind theirs; scenes that cannot be used go to `failures`."""
    for name in names:
        try:
            captions = _lines(source / "annots" / f"{name}.txt")
            if not captions:
                raise MotionLLMError(f"'annots/{name}.txt' holds no sentence; unpack the annotations again")
            with explain_reading(name):
                windows = list(_windows(source, name))
        except MotionLLMError as error:
            failures.append((name, str(error)))
            continue
        for number, (canonical, placements) in enumerate(windows):
            for mirrored in (False, True) if mirror and split == "train" else (False,):
                whole = name if len(windows) == 1 else f"{name}_{number}"
                yield _row(whole, name, split, captions, canonical, placements, mirrored)


def _windows(source: Path, name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Canonical joints (2, T, 22, 3) and placements (2, 3) of a scene, in windows of whole codes and at most 10 s."""
    one, other = (interhuman_joints(source / f"motions_processed/person{k}/{name}.npy") for k in (1, 2))
    if len(one) != len(other):
        raise MotionLLMError(f"the people of scene '{name}' have {len(one)} and {len(other)} frames; unpack it again")
    if len(one) < _MIN_FRAMES:
        raise MotionLLMError(f"scene '{name}' has {len(one)} frames at 20 fps; at least {_MIN_FRAMES} are needed")
    people = np.stack([one, other])
    for first in range(0, people.shape[1], MAX_FRAMES):
        part = people[:, first : first + MAX_FRAMES]
        frames = (part.shape[1] - 1) // 4 * 4 + 1
        if frames < _MIN_FRAMES:
            continue
        canonical, placements = split_people(part[:, :frames])
        encode_placements(placements)
        yield canonical, placements


def _row(
    name: str,
    scene: str,
    split: str,
    captions: list[str],
    canonical: np.ndarray,
    placements: np.ndarray,
    mirrored: bool,
) -> MotionRow:
    if mirrored:
        canonical, placements = mirror_people(canonical, placements)
        captions = [mirror_text(caption) for caption in captions]
    return {
        "name": f"{name}_mirrored" if mirrored else name,
        "split": split,
        "source": "interhuman",
        "composed": False,
        "kind": "interhuman",
        "num_people": 2,
        "roles": ["person 1", "person 2"],
        "contents": ["", ""],
        "styles": ["", ""],
        "mirrored": mirrored,
        "parts": [],
        "captions": captions,
        "fps": _FPS,
        "num_frames": canonical.shape[1],
        "placements": placements,
        "joints": join_people(canonical, placements).astype(np.float32),
        "source_clips": [[scene], [scene]],
    }
