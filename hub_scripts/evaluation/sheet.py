"""The contact sheet of an evaluation: generated motions beside the real ones of the same captions."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import features_to_joints, skeleton_of_features

__all__ = ["choose_sheet_rows", "save_evaluation_sheet"]

_ROWS = 16


def choose_sheet_rows(rows: Sequence[Mapping[str, Any]], seed: int = 0, count: int = _ROWS) -> list[int]:
    """Which clips to show, spread over contents and styles: a rule without an eye on how they came out.

    One by one, a clip of the content that has been taken least often, of these one of the style that has been taken
    least often, of these the first by the hash of seed and name. Where there are no labels the hash alone decides.

    Args:
        rows: clips, with `name`, `content` and `style`.
        seed: of the choice.
        count: how many; all where there are fewer.

    Returns:
        Indices of the rows, in the order of their contents and names.
    """
    order = sorted(range(len(rows)), key=lambda i: hashlib.sha256(f"{seed} {rows[i]['name']}".encode()).hexdigest())
    contents: Counter[str] = Counter()
    styles: Counter[str] = Counter()
    chosen: list[int] = []
    while order and len(chosen) < count:
        best = min(order, key=lambda i: (contents[rows[i]["content"]], styles[rows[i]["style"]]))
        order.remove(best)
        chosen.append(best)
        contents[rows[best]["content"]] += 1
        styles[rows[best]["style"]] += 1
    return sorted(chosen, key=lambda i: (rows[i]["content"], rows[i]["name"]))


def save_evaluation_sheet(
    path: Path, captions: Sequence[str], generated: Sequence[np.ndarray], real: Sequence[np.ndarray]
) -> Path:
    """Write the sheet as PNG.

    Args:
        path: ends in `.png`.
        captions: one for each row.
        generated, real: raw features (T_i, D) of its two motions; each is put on the floor.

    Raises:
        MotionLLMError: Pillow is missing, or the file cannot be written.
    """
    from hub_scripts.export.comparison_sheet import Comparison, save_comparison_sheet

    pairs = zip(captions, generated, real, strict=True)
    return save_comparison_sheet(
        [Comparison(caption, _motion(one), _motion(other)) for caption, one, other in pairs], path
    )


def _motion(features: np.ndarray) -> Motion:
    skeleton = skeleton_of_features(features.shape[1])
    joints = skeleton.metres_per_unit * features_to_joints(features.astype(np.float64), skeleton)
    joints[..., 1] -= joints[..., 1].min()
    return Motion(joints, skeleton.fps)
