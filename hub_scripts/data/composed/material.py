"""The clips of one split of several datasets, as sequences in time are made of them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from hub_scripts.captions.sequences import Said, said_by_rules, said_by_sentences
from hub_scripts.captions.words import ACTIONS, STYLE_ALIASES, STYLES
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D, canonicalize_joints

from ..store import dataset_columns, existing_splits, read_motions, read_summary
from .joins import Piece

__all__ = ["Material", "MaterialClip", "load_material"]

_COMMON = 0.15  # an action is drawn as often as it has clips, to this power: rare ones come often
_FEW = 40  # of an action with fewer clips, styles that hardly show do as "normal"
_MILD = frozenset(("normal", "active", "feminine", "masculine", "youthful", "proud", "happy"))
_RULES = "bandai-namco"  # the sources whose captions are written by rules


@dataclass(frozen=True, eq=False)
class MaterialClip:
    """A prepared clip of one person.

    Args:
        name: "DATASET/NAME".
        content, style: its labels, of the mirrored copy where it is one; aliases of styles resolved.
        captions: its sentences.
        by_rules: whether they were written by rules.
        license: of the motion.
        recorded: joints (T, 22, 3) as stored.
    """

    name: str
    content: str
    style: str
    captions: tuple[str, ...]
    by_rules: bool
    license: str
    recorded: np.ndarray

    @cached_property
    def piece(self) -> Piece:
        """The clip, and where it may be cut."""
        return Piece(self.content, np.asarray(canonicalize_joints(np.asarray(self.recorded, dtype=np.float64))))

    def said(self, joints: np.ndarray, rng: random.Random) -> list[Said]:
        """Ways to say what it shows; what is measured is measured in `joints`, the part that is shown."""
        ways = [] if self.by_rules else said_by_sentences(self.captions)
        return ways or said_by_rules(self.content, joints, rng)


class Material:
    """The clips of one split, to draw from.

    Args:
        clips: in an order that does not change from run to run.
    """

    def __init__(self, clips: list[MaterialClip]):
        self.by_content: dict[str, list[MaterialClip]] = {}
        for clip in clips:
            self.by_content.setdefault(clip.content, []).append(clip)
        self._styles: dict[str, dict[str, list[MaterialClip]]] = {}

    def draw(
        self,
        rng: np.random.Generator,
        wanted: Callable[[str], bool],
        style: str = "normal",
        but: Sequence[MaterialClip] = (),
    ) -> MaterialClip | None:
        """A clip at random; rare actions come nearly as often as common ones.

        Args:
            rng: decides.
            wanted: of a content, whether it may be.
            style: of the clip; of actions with few clips, styles that hardly show are "normal" too.
            but: not one of these.

        Returns:
            None where no clip fits.
        """
        fitting = {content: clips for content, clips in self._of_style(style).items() if wanted(content)}
        if not fitting:
            return None
        weights = np.array([len(clips) ** _COMMON for clips in fitting.values()])
        clips = list(fitting.values())[int(rng.choice(len(fitting), p=weights / weights.sum()))]
        clip = clips[int(rng.integers(len(clips)))]
        return None if clip in but else clip

    def _of_style(self, style: str) -> dict[str, list[MaterialClip]]:
        if style not in self._styles:
            found = {}
            for content, clips in self.by_content.items():
                mild = _MILD if style == "normal" and len(clips) < _FEW else ()
                if suiting := [clip for clip in clips if clip.style == style or clip.style in mild]:
                    found[content] = suiting
            self._styles[style] = found
        return self._styles[style]


@lru_cache(maxsize=3)
def load_material(folders: tuple[str, ...], split: str) -> Material:
    """The clips of one person in a split of several datasets, mirrored copies among them.

    Passed over are clips of several people, of treading water, and without a sentence of the form "a person walks".

    Raises:
        MotionLLMError: no such dataset, or no such clip in the split.
    """
    clips = []
    for folder in folders:
        if split not in existing_splits(folder):
            continue
        summary = read_summary(folder)
        known = dataset_columns(folder, split)
        columns = ["name", "source", "num_people", "contents", "styles", "captions", "joints"]
        for row in read_motions(folder, split, [*columns, *(["license"] if "license" in known else [])]):
            if "segment_ends" in known:
                raise MotionLLMError(f"'{folder}' holds sequences already; give clips that were recorded one by one")
            if row["num_people"] > 1 or row["joints"].shape[-2] != HUMANML3D.num_joints or row["joints"].shape[1] < 12:
                continue
            style = STYLE_ALIASES.get(row["styles"][0], row["styles"][0])
            clip = MaterialClip(
                f"{summary['name']}/{row['name']}",
                row["contents"][0],
                style if style in STYLES else "normal",
                tuple(row["captions"]),
                row["source"].startswith(_RULES),
                row.get("license") or summary["license"],
                row["joints"][0],
            )
            if clip.content == "swim" and _is_upright(clip.recorded):
                continue  # treads water: nobody on land comes to that
            if clip.content in ACTIONS or said_by_sentences(clip.captions):
                clips.append(clip)
    if not clips:
        raise MotionLLMError(
            f"no clip of one person with a sentence such as 'a person walks' in split '{split}' of {', '.join(folders)}"
            f"; give --{split} 0, or more folders"
        )
    return Material(sorted(clips, key=lambda clip: clip.name))


def _is_upright(joints: np.ndarray) -> bool:
    head, pelvis = joints[0, 15, 1], joints[0, 0, 1]
    return bool(head > pelvis + 0.4)
