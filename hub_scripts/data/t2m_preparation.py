"""Making a dataset of the published HumanML3D or KIT-ML folder; nothing is mirrored or left out by length."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import ensure_folder
from modeling_motionllm.motion_features import SKELETONS, Skeleton

from .cards import dataset_card
from .preparation import Preparation
from .recordings import explain_reading
from .store import MotionRow, finish_dataset, start_dataset, write_shards
from .t2m import read_lists, read_rows, read_statistics

__all__ = ["prepare_t2m"]

_NAMES = {"humanml3d": "humanml3d", "kit": "kit-ml"}
_ROWS_PER_SHARD = 512
_FAR = 0.25  # deviations that a column's mean may be away from the published one


def prepare_t2m(
    kind: str,
    src: str | os.PathLike[str],
    out: str | os.PathLike[str],
    limit: int | None = None,
    overwrite: bool = False,
) -> Preparation:
    """Prepare the published folder `src` as a dataset in `out`, with its own sentences and splits.

    Args:
        kind: "humanml3d" or "kit".
        src: the folder, see `hub_scripts.data.t2m`.
        out: folder for the dataset.
        limit: only the first `limit` motions of each split.
        overwrite: replace a finished dataset in `out`.

    Raises:
        MotionLLMError: `src` has not this layout, `out` cannot be written or holds a dataset already.
    """
    source, skeleton, card = Path(src), SKELETONS[kind], dataset_card(kind)
    failures: list[tuple[str, str]] = []
    notes: Counter[str] = Counter()
    lists = read_lists(source, failures)
    statistics = read_statistics(source, skeleton)
    folder = ensure_folder(out)
    work = start_dataset(folder, overwrite)
    sums = _Sums(skeleton.feature_dim)
    shards: dict[str, list[Path]] = {}
    counts: dict[str, Counter[str]] = {}
    for split, names in lists.items():
        bar = tqdm(names[:limit], desc=f"reading {split}", unit=" motions")
        rows = sums.see(_rows(source, bar, skeleton, _NAMES[kind], failures, notes))
        paths, made = write_shards(work, split, rows, _ROWS_PER_SHARD, "clips")
        if paths:
            shards[split], counts[split] = paths, made
    failures.sort()
    if not shards:
        shutil.rmtree(work)
        return Preparation(None, failures, notes)
    if statistics is not None and limit is None and sums.far_from(*statistics):
        notes["Mean.npy is not the mean of these motions: are some missing, or from elsewhere?"] += 1
    summary = {
        "name": _NAMES[kind],
        "license": card.license,
        "fps": skeleton.fps,
        "skeleton": kind,
        "limit": limit,
        "splits": {split: dict(made) for split, made in counts.items()},
        "left_out": dict(failures),
        "notes": dict(notes),
    }
    return Preparation(finish_dataset(folder, shards, card, summary), failures, notes)


def _rows(
    source: Path,
    names: Iterable[str],
    skeleton: Skeleton,
    collection: str,
    failures: list[tuple[str, str]],
    notes: Counter[str],
) -> Iterator[MotionRow]:
    for name in names:
        try:
            with explain_reading(name):
                yield from read_rows(source, name, skeleton, collection, failures, notes)
        except MotionLLMError as error:
            failures.append((name, str(error)))


class _Sums:
    """The mean of all feature rows that went by."""

    def __init__(self, columns: int):
        self.total, self.count = np.zeros(columns), 0

    def see(self, rows: Iterable[MotionRow]) -> Iterator[MotionRow]:
        for row in rows:
            self.total += row["features"].sum((0, 1), dtype=np.float64)
            self.count += row["features"].shape[1]
            yield row

    def far_from(self, mean: np.ndarray, std: np.ndarray) -> bool:
        return bool((np.abs(self.total / self.count - mean) > _FAR * std).any())
