"""The real motions of a dataset, of clips or of scenes: what an evaluator is trained on and a model is judged by."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hub_scripts.captions.parsing import judged_caption, plain_style
from hub_scripts.data.store import check_features, dataset_columns, read_motions

__all__ = ["RealMotion", "read_real_motions"]


@dataclass
class RealMotion:
    """A motion of one or more people, and what is known of it.

    Args:
        name: in its dataset.
        captions: its sentences.
        contents: what each person does; "" where unknown.
        styles: how; "" where unknown.
        features: raw (P, T, D), each person in a frame of its own.
        placements: (P, 3): x and z in metres and heading in radians, in person 1's frame.
        kind: of a scene of several people, what kind of scene it is; "" for one person.
        composed: whether it is put together from clips of single people.
        tokens: for each caption its words with their classes, where the dataset has them.
        recording_frames: feature rows of the whole recording that it is a part of.
    """

    name: str
    captions: Sequence[str]
    contents: Sequence[str]
    styles: Sequence[str]
    features: np.ndarray
    placements: np.ndarray
    kind: str = ""
    composed: bool = False
    tokens: Sequence[str] | None = None
    recording_frames: int = 0

    @property
    def num_people(self) -> int:
        return self.features.shape[0]

    @property
    def num_frames(self) -> int:
        """Feature rows."""
        return self.features.shape[1]

    def row(self) -> dict[str, Any]:
        """The first person as `match_folder` and `choose_sheet_rows` take motions of one."""
        own = {"content": self.contents[0], "style": self.styles[0], "features": self.features[0]}
        return {"name": self.name, "captions": self.captions, **own}

    def judged_caption(self, index: int) -> str:
        """The caption that it is generated and judged with as motion `index` of its split, see `judged_caption`."""
        return judged_caption(self.captions, self.contents, index)


def read_real_motions(folder: str | os.PathLike[str], split: str) -> list[RealMotion]:
    """The motions of a split.

    Raises:
        MotionLLMError: no such dataset or split, a damaged file, or a motion with NaN.
    """
    columns = ["name", "captions", "contents", "styles", "kind", "features", "placements"]
    known = dataset_columns(folder, split)
    columns += [name for name in ("composed", "tokens", "recording_frames") if name in known]
    motions = []
    rows = read_motions(folder, split, columns)
    check_features(rows, folder)
    for row in rows:
        values: dict[str, Any] = {**row, "styles": [plain_style(style) for style in row["styles"]]}
        motion = RealMotion(**values)
        motion.recording_frames = motion.recording_frames or motion.num_frames
        motions.append(motion)
    return motions
