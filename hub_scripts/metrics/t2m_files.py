"""Finding the published files of the T2M evaluator (Guo et al. 2022) in a folder."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modeling_motionllm.checksums_motionllm import file_sha256
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["T2MFiles", "find_t2m_files"]

_NAMES = {263: "t2m", 251: "kit"}
# Whose statistics the evaluator was trained with, in the published code.
_STATISTICS = {263: "Comp_v6_KLD01", 251: "Comp_v6_KLD005"}


@dataclass(frozen=True)
class T2MFiles:
    """Weights, statistics, and the folder of the word vectors."""

    checkpoint: Path
    mean: Path
    std: Path
    words: Path


def find_t2m_files(folder: str | os.PathLike[str], columns: int) -> T2MFiles:
    """Find the evaluator for features of so many columns.

    Looks where the published archives put things, `checkpoints/t2m` or `checkpoints/kit` with
    `text_mot_match/model/finest.tar` and `Comp_v6_KLD01/meta` (KIT-ML: `Comp_v6_KLD005/meta`), and `glove` in `folder`
    or up to two folders above; `finest.tar`, `mean.npy`, `std.npy` and `our_vab_*` may also lie in `folder` itself.

    Args:
        folder: the one of the checkpoints, or one with that in it.
        columns: 263 for HumanML3D, 251 for KIT-ML.

    Raises:
        MotionLLMError: something is missing, or there are different statistics and no telling which.
    """
    root = Path(folder)
    if columns not in _NAMES:
        raise MotionLLMError(f"there is no T2M evaluator for {columns} feature columns, only for 263 and 251")
    name = _NAMES[columns]
    homes = [root, root / name, root / "checkpoints" / name]
    checkpoint = _first(
        (home / part for home in homes for part in ("finest.tar", "text_mot_match/model/finest.tar")),
        f"the weights finest.tar in '{root}'",
    )
    metas = [home / part for home in homes for part in (".", "meta", f"{_STATISTICS[columns]}/meta")]
    others = [path.parent for home in homes for path in sorted(home.glob("*/meta/mean.npy"))]
    mean = _first((meta / "mean.npy" for meta in metas + others), f"the statistics meta/mean.npy in '{root}'")
    if mean.parent in others and mean.parent not in metas:
        different = {file_sha256(meta / "mean.npy") for meta in others}
        if len(different) > 1:
            found = ", ".join(f"'{meta}'" for meta in others)
            raise MotionLLMError(f"{found} hold different statistics; put the evaluator's own into '{root / 'meta'}'")
    std = _first([mean.parent / "std.npy"], f"std.npy beside '{mean}'")
    words = _first(
        (
            place / "our_vab_data.npy"
            for home in (root, root.parent, root.parent.parent)
            for place in (home / "glove", home)
        ),
        f"the word vectors glove/our_vab_data.npy in '{root}' or above",
    )
    return T2MFiles(checkpoint, mean, std, words.parent)


def _first(paths: Iterable[Path], what: str) -> Path:
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise MotionLLMError(f"did not find {what}; give the folder of the published evaluator")
    return found
