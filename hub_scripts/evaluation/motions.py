"""The real motions of a dataset, of clips or of scenes: what an evaluator is trained on and a model is judged by."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub_scripts.captions.parsing import judged_caption, plain_style
from hub_scripts.data.scenes_features import scene_features
from hub_scripts.data.scenes_storage import read_scenes
from hub_scripts.data.storage import dataset_columns, read_split

__all__ = ["RealMotion", "read_motions"]


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
        kind: of a scene of several people, what kind of scene it is; None for a clip of one.
        composed: whether it is put together from clips of single people.
        caption_tokens: for each caption its words with their classes, where the dataset has them.
        recording_frames: feature rows of the whole recording that it is a part of.
    """

    name: str
    captions: Sequence[str]
    contents: Sequence[str]
    styles: Sequence[str]
    features: np.ndarray
    placements: np.ndarray
    kind: str | None = None
    composed: bool = False
    caption_tokens: Sequence[str] | None = None
    recording_frames: int = 0

    @property
    def num_people(self) -> int:
        return self.features.shape[0]

    @property
    def num_frames(self) -> int:
        """Feature rows."""
        return self.features.shape[1]

    def judged_caption(self, index: int) -> str:
        """The caption that it is generated and judged with as motion `index` of its split, see `judged_caption`."""
        return judged_caption(self.captions, self.contents, index)


def read_motions(folder: str | os.PathLike[str], split: str) -> list[RealMotion]:
    """The motions of a split, all of clips or all of scenes.

    Raises:
        MotionLLMError: no such dataset or split, or a damaged file.
    """
    columns = dataset_columns(folder, split)
    if "num_people" in columns:
        rows = read_scenes(folder, split, ["name", "kind", "composed", "contents", "captions", "joints"])
        joints = [{"joints": row.pop("joints")} for row in rows]
        return [
            RealMotion(**row, styles=[""] * len(places), features=features, placements=places)
            for row, features, places in zip(rows, *scene_features(joints, split), strict=True)
        ]
    wanted = ["name", "content", "style", "captions", "features"]
    known = ["tokens", "recording_frames"]
    return [
        RealMotion(
            row["name"],
            row["captions"],
            [row["content"]],
            [plain_style(row["style"])],
            row["features"][None],
            np.zeros((1, 3)),
            caption_tokens=row.get("tokens"),
            recording_frames=row.get("recording_frames", len(row["features"])),
        )
        for row in read_split(folder, split, [*wanted, *(name for name in known if name in columns)])
    ]
