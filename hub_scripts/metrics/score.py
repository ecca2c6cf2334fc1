"""Scoring any system: motions of one or more people and their captions in, one row of scores out."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hub_scripts.captions.parsing import plain_style
from hub_scripts.metrics.base import Metric, Score, repeat
from hub_scripts.metrics.caption import (
    Bleu,
    CaptionLabelAccuracy,
    Captions,
    Cider,
    RougeL,
    SceneWords,
    SentenceSimilarity,
)
from hub_scripts.metrics.embedding import (
    FID,
    Diversity,
    EmbeddedMotions,
    LabelAccuracy,
    MMDist,
    Multimodality,
    RPrecision,
)
from hub_scripts.metrics.judge import Judge
from hub_scripts.metrics.people import JudgedScenes, measure_people
from hub_scripts.metrics.physics import FloorDistance, FootSkating, Jerk, LengthError, MotionClips
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import (
    canonicalize_joints,
    features_to_joints,
    joints_to_features,
    resample_joints,
    skeleton_of_features,
    skeleton_of_joints,
)

__all__ = [
    "FolderMotions",
    "Scenes",
    "Scores",
    "load_motion_folder",
    "match_folder",
    "score_captions",
    "score_folder",
    "score_motions",
]


def _features(clip: np.ndarray, index: int) -> np.ndarray:
    """Raw features of a motion that is such features, or joints in metres."""
    if clip.ndim == 2:
        return clip
    if len(clip) < 2:
        raise MotionLLMError(f"motion {index} has {len(clip)} frames; a motion to judge has at least 2")
    skeleton = skeleton_of_joints(clip.shape[1])
    return joints_to_features(clip / np.float32(skeleton.metres_per_unit), skeleton)


def _body(clip: np.ndarray) -> np.ndarray:
    """Joints in metres, on the floor, of a motion that is raw features, or joints in metres."""
    if clip.ndim == 2:
        skeleton = skeleton_of_features(clip.shape[1])
        return skeleton.metres_per_unit * features_to_joints(clip, skeleton)
    return canonicalize_joints(clip, skeleton_of_joints(clip.shape[1]))


@dataclass(frozen=True)
class Scenes:
    """The motions of N scenes of several people.

    Args:
        features: N arrays of raw features (P, T, 263), each person in a frame of its own.
        placements: N arrays (P, 3): x and z in metres and heading in radians, in person 1's frame.
    """

    features: Sequence[np.ndarray]
    placements: Sequence[np.ndarray]


class Scores(dict[str, Score]):
    """Column to score.

    Attributes:
        judged: for the columns that cannot judge every scene, how many people, scenes or frames they judged.
        by_kind: kind of scene to its number of `scenes` and to the columns that can be told for a few scenes.
    """

    judged: dict[str, int]
    by_kind: dict[str, dict[str, float]]

    def __init__(self, scores: Mapping[str, Score]):
        super().__init__(scores)
        self.judged, self.by_kind = {}, {}


def score_motions(
    judge: Judge,
    draws: Sequence[Sequence[np.ndarray] | Scenes],
    captions: Sequence[str],
    real: Sequence[np.ndarray] | np.ndarray,
    *,
    content: Sequence[str | None] | None = None,
    style: Sequence[str | None] | None = None,
    seconds: Sequence[float | None] | None = None,
    contents: Sequence[Sequence[str]] | None = None,
    kinds: Sequence[str] | None = None,
    repeats: int = 20,
    seed: int = 0,
    pool: int = 32,
) -> Scores:
    """Every metric on motions that what is given allows.

    Repeat r judges draw r (modulo their number) with pools and pairs of its own. For the ground-truth row, give the
    real motions of the captions as the one draw. On scenes R-precision, FID, MM-Dist, diversity and multimodality are
    those of InterGen's protocol (Liang et al. 2023), through our evaluator.

    Args:
        judge: the evaluator: `MotionJudge`, or `T2MJudge` (which names no labels, and knows one person only).
        draws: K times N motions, one for each caption: features (T, 263), or joints (T, 22, 3) at 20 fps, metres, Y up.
            Joints are put on the bones of the features and on the floor first, as features are. Of KIT-ML, features
            (T, 251) in millimetres, or joints (T, 21, 3) at 12.5 fps in metres, which keep their bones. Of several
            people, K `Scenes`. With K > 1 multimodality is measured too.
        captions: N sentences.
        real: real motions of one person, in the same forms, of any number, or embeddings (M, D) by the judge; FID is
            against these.
        content, style: N true labels of one person, None where unknown: for the accuracies.
        seconds: N lengths that were asked for.
        contents: of scenes, what each person should do; "" where unknown.
        kinds: of scenes, the kind of each.
        repeats: 20 in the protocol.
        seed: of all draws.
        pool: size of an R-precision pool.

    Returns:
        Column to score.

    Raises:
        MotionLLMError: lists of different lengths, or a motion of a wrong shape.
    """
    if not draws or not captions:
        raise MotionLLMError("there are no motions to score")
    for number, draw in enumerate(draws):
        count = len(draw.features if isinstance(draw, Scenes) else draw)
        if count != len(captions):
            raise MotionLLMError(f"draw {number} has {count} motions for {len(captions)} captions; give one each")
    known: dict[str, Any] = {}
    if isinstance(real, np.ndarray):
        known["real"] = real
    else:
        known["real"] = judge.embed_motions([_features(clip, index) for index, clip in enumerate(real)])
    if content is not None:
        known["asked_content"] = list(content)
    if style is not None:
        known["asked_style"] = [None if name is None else plain_style(name) for name in style]
    samples = []
    for draw in draws:
        if isinstance(draw, Scenes):
            samples.append(judge(draw.features, captions, placements=draw.placements, **known))
        else:
            samples.append(judge([_features(clip, index) for index, clip in enumerate(draw)], captions, **known))
    metrics: list[Metric[Any]] = [RPrecision(pool=pool, equal_captions=judge.equal_captions), FID(), MMDist()]
    metrics.append(Diversity())
    if len(samples) > 1:
        groups = np.stack([sample.motion for sample in samples], axis=1)
        samples = [replace(sample, groups=groups) for sample in samples]
        metrics.append(Multimodality())
    metrics += [LabelAccuracy(name) for name in ("content", "style") if any(known.get(f"asked_{name}", ()))]
    scores = Scores(repeat(metrics, lambda number: samples[number % len(samples)], repeats, seed))
    scores |= _physics(draws, seconds)
    if kinds is not None and contents is not None:
        scenes = [draw for draw in draws if isinstance(draw, Scenes)]
        _score_people(scores, scenes, samples, captions, contents, kinds)
    return scores


def _physics(
    draws: Sequence[Sequence[np.ndarray] | Scenes], seconds: Sequence[float | None] | None
) -> dict[str, Score]:
    """What needs no evaluator, of every person in a frame of its own."""
    bodies = []
    for draw in draws:
        people = [person for scene in draw.features for person in scene] if isinstance(draw, Scenes) else list(draw)
        width = people[0].shape[1]
        skeleton = skeleton_of_features(width) if people[0].ndim == 2 else skeleton_of_joints(width)
        bodies.append(
            MotionClips(
                [_body(person) for person in people],
                fps=skeleton.fps,
                seconds=seconds,
                toes=(skeleton.feet[1], skeleton.feet[3]),
            )
        )
    metrics: list[Metric[Any]] = [FootSkating(), FloorDistance(), Jerk()]
    if any(value is not None for value in seconds or ()):
        metrics.append(LengthError())
    return repeat(metrics, lambda number: bodies[number], len(bodies))  # they draw nothing at random


def _score_people(
    scores: Scores,
    scenes: Sequence[Scenes],
    samples: Sequence[EmbeddedMotions],
    captions: Sequence[str],
    contents: Sequence[Sequence[str]],
    kinds: Sequence[str],
) -> None:
    """Add who does what, where people start and whether they run into each other, of all draws at once."""
    times = len(scenes)
    together = JudgedScenes(
        features=[scene for draw in scenes for scene in draw.features],
        placements=[places for draw in scenes for places in draw.placements],
        captions=list(captions) * times,
        kinds=list(kinds) * times,
        contents=list(contents) * times,
        likelihoods=[people for sample in samples for people in sample.likelihoods or ()],
        classes=samples[0].classes,
    )
    measured, scores.judged = measure_people(together)
    scores |= {name: Score(value, 0.0, 1) for name, value in measured.items()}
    for kind in sorted(set(kinds)):
        part = together.of_kind(kind)
        skating = FootSkating()(MotionClips(part.people))
        scores.by_kind[kind] = {"scenes": len(part.features) // times, **measure_people(part)[0], **skating}


def score_captions(sample: Captions, similarity: SentenceSimilarity | None = None) -> dict[str, Score]:
    """Every metric on captions that what is given allows: BLEU 1 and 4, ROUGE-L, CIDEr, what they name.

    Args:
        sample: captions, their references and, where known, labels.
        similarity: measure sentence similarity too.

    Raises:
        MotionLLMError: no captions, or one without a reference.
    """
    metrics: list[Metric[Any]] = [Bleu(1), Bleu(4), RougeL(), Cider()]
    metrics += [CaptionLabelAccuracy(name) for name in ("content", "style") if any(getattr(sample, name) or ())]
    if sample.kinds is not None and any(content for several in sample.contents or () for content in several):
        metrics.append(SceneWords())
    if similarity is not None:
        metrics.append(similarity)
    return repeat(metrics, lambda _: sample, repeats=1)


def load_motion_folder(
    folder: str | os.PathLike[str], read: Callable[[Path], Motion] = Motion.load
) -> dict[str, list[Motion]]:
    """Motions of a folder of `.npz` files: `NAME.npz`, or `NAME.0.npz`, `NAME.1.npz` ... for several of one caption.

    A file holds `joints` (T, 22, 3), `caption`, and optionally `fps` (20 by default), or is one that `Motion.save`
    wrote. Motions of other frame rates are resampled to 20; those of KIT-ML, joints (T, 21, 3) in metres, to 12.5.

    Args:
        folder: it.
        read: of one file.

    Returns:
        NAME to its motions, as many for each.

    Raises:
        MotionLLMError: no such files, several people in one, different skeletons, a name with more motions than
            another, or one of a name's captions that differs.
    """
    paths = sorted(Path(folder).glob("*.npz"))
    if not paths:
        raise MotionLLMError(f"there are no .npz files in '{folder}'; write one motion a file into it")
    motions: dict[str, dict[int, Motion]] = {}
    skeleton = None
    for path in paths:
        name, _, number = path.stem.rpartition(".")
        if not (name and number.isdecimal()):
            name, number = path.stem, "0"
        motion = read(path)
        if motion.num_people != 1:
            raise MotionLLMError(f"'{path}' holds {motion.num_people} people; score one person at a time")
        skeleton = skeleton or motion.skeleton
        if motion.skeleton is not skeleton:
            raise MotionLLMError(
                f"'{path}' has {motion.skeleton.num_joints} joints and the motions before it {skeleton.num_joints}; "
                "score motions of one skeleton at a time"
            )
        if motion.fps != skeleton.fps:
            joints = resample_joints(motion.people[0], motion.fps, skeleton.fps)
            motion = replace(motion, joints=joints, fps=skeleton.fps, features=None, root_path=None)
        motions.setdefault(name, {})[int(number)] = motion
    for name, several in motions.items():
        if sorted(several) != list(range(len(next(iter(motions.values()))))):
            raise MotionLLMError(
                f"'{name}' has motions {sorted(several)}, others have more or fewer; write as many each"
            )
        if len({motion.caption for motion in several.values()}) > 1:
            raise MotionLLMError(f"the motions of '{name}' have different captions; give them different names")
    return {name: [several[number] for number in sorted(several)] for name, several in motions.items()}


@dataclass(frozen=True)
class FolderMotions:
    """The motions of a folder beside the rows of a split that they belong to, see `match_folder`.

    Args:
        draws: K times N joints (T, J, 3), metres.
        captions: N sentences.
        matched: N rows; empty where a motion belongs to none.
        rows: all rows of the split.
    """

    draws: list[list[np.ndarray]]
    captions: list[str]
    matched: list[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]

    @property
    def pool(self) -> int:
        """Size of an R-precision pool: 32 as in the protocol, or all where there are fewer."""
        return min(32, len(self.captions))

    def protocol(self, repeats: int, seed: int) -> str:
        """What was scored, in words."""
        found = {row["name"] for row in self.matched if row}
        return (
            f"{len(self.captions)} captions, {len(self.draws)} motion(s) each; {len(found)} of the {len(self.rows)} "
            f"clips of the split have one, {sum(not row for row in self.matched)} motions belong to no clip; pools of "
            f"{self.pool}, {repeats} repeats, seed {seed}"
        )

    def score(self, judge: Judge, repeats: int = 20, seed: int = 0, pool: int | None = None) -> Scores:
        """Column to score, see `score_motions`; FID is against all rows."""
        fps = skeleton_of_features(self.rows[0]["features"].shape[1]).fps
        return score_motions(
            judge,
            self.draws,
            self.captions,
            [row["features"] for row in self.rows],
            content=[row.get("content") for row in self.matched],
            style=[row.get("style") for row in self.matched],
            seconds=[len(row["features"]) / fps if row else None for row in self.matched],
            repeats=repeats,
            seed=seed,
            pool=pool or self.pool,
        )


def match_folder(
    folder: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]], read: Callable[[Path], Motion] = Motion.load
) -> FolderMotions:
    """The motions of a folder, and which row of a split each belongs to.

    A motion belongs to the row whose `name` its file has; else to the first row that has its caption; else to none,
    and then it has no labels and no length to hold it against.

    Args:
        folder: see `load_motion_folder`.
        rows: of one person, with name, captions, features (T, D), content and style.
        read: of one file.

    Raises:
        MotionLLMError: an unusable folder, motions of another skeleton than the dataset's, or a motion without a
            caption that belongs to no row.
    """
    motions = load_motion_folder(folder, read)
    skeleton = skeleton_of_features(rows[0]["features"].shape[1])
    theirs = next(iter(motions.values()))[0].skeleton
    if theirs is not skeleton:
        raise MotionLLMError(
            f"the motions of '{folder}' have the {theirs.num_joints} joints of '{theirs.name}', the dataset is of "
            f"'{skeleton.name}'; score them against data of their skeleton"
        )
    by_name = {row["name"]: row for row in rows}
    by_caption: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        for caption in row["captions"]:
            by_caption.setdefault(caption.strip().lower(), row)
    captions: list[str] = []
    matched: list[Mapping[str, Any]] = []
    for name, several in motions.items():
        caption = several[0].caption
        row = by_name.get(name) or by_caption.get((caption or "").strip().lower(), {})
        if caption is None and not row:
            raise MotionLLMError(f"'{name}.npz' has no caption, and no clip of the dataset has its name; add a caption")
        captions.append(row["captions"][0] if caption is None else caption)
        matched.append(row)
    count = len(next(iter(motions.values())))
    draws = [[several[number].people[0] for several in motions.values()] for number in range(count)]
    return FolderMotions(draws, captions, matched, rows)


def score_folder(
    folder: str | os.PathLike[str],
    rows: Sequence[Mapping[str, Any]],
    judge: Judge,
    repeats: int = 20,
    seed: int = 0,
    pool: int | None = None,
) -> Scores:
    """Score the motions of a folder against a split of a dataset; arguments and errors as those of `match_folder` and
    `score_motions`, `pool` 32 by default, or all captions where there are fewer."""
    return match_folder(folder, rows).score(judge, repeats, seed, pool)
