"""Scoring scenes of several people: features and placements in, one row of scores out, also for each kind of scene."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hub_scripts.metrics.base import Metric, Score, repeat
from hub_scripts.metrics.embedding import FID, Diversity, MMDist, Multimodality, RPrecision
from hub_scripts.metrics.people import (
    HeadingError,
    Interpenetration,
    JudgedScenes,
    PeopleContent,
    PlacementError,
    RoleAccuracy,
    SceneMetric,
)
from hub_scripts.metrics.physics import FootSkating, MotionClips
from hub_scripts.metrics.scene_judge import SceneJudge
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["SceneScores", "Scenes", "score_scenes"]

_METRICS: tuple[SceneMetric, ...] = (
    PeopleContent(),
    RoleAccuracy(),
    PlacementError(),
    HeadingError(),
    Interpenetration(),
)


@dataclass(frozen=True)
class Scenes:
    """The motions of N scenes.

    Args:
        features: N arrays of raw features (P, T, 263), each person in a frame of its own.
        placements: N arrays (P, 3): x and z in metres and heading in radians, in person 1's frame.
    """

    features: Sequence[np.ndarray]
    placements: Sequence[np.ndarray]


@dataclass(frozen=True)
class SceneScores:
    """Args:
    overall: column to score.
    judged: for the columns that cannot judge every scene, how many people, scenes or frames they judged.
    by_kind: kind of scene to its number of `scenes` and to the columns that can be told for a few scenes.
    """

    overall: dict[str, Score]
    judged: dict[str, int]
    by_kind: dict[str, dict[str, float]]


def score_scenes(
    judge: SceneJudge,
    draws: Sequence[Scenes],
    captions: Sequence[str],
    kinds: Sequence[str],
    contents: Sequence[Sequence[str]],
    real: np.ndarray,
    *,
    repeats: int = 20,
    seed: int = 0,
    pool: int = 32,
) -> SceneScores:
    """Every metric on scenes that what is given allows.

    R-precision, FID, MM-Dist, diversity and, with several draws, multimodality are those of InterGen's protocol (Liang
    et al. 2023), through our scene evaluator: repeat r judges draw r (modulo their number). The other columns look at
    all draws at once.

    Args:
        judge: the scene evaluator.
        draws: K times N scenes, one for each caption.
        captions: N sentences.
        kinds: N kinds of scene.
        contents: for each scene what each person should do; "" where unknown.
        real: embeddings (M, D) of real scenes; FID is against these.
        repeats: 20 in the protocol.
        seed: of all draws.
        pool: size of an R-precision pool.

    Raises:
        MotionLLMError: no scenes, or lists of different lengths.
    """
    if not draws or not captions:
        raise MotionLLMError("there are no scenes to score")
    for number, draw in enumerate(draws):
        if len(draw.features) != len(captions):
            raise MotionLLMError(
                f"draw {number} has {len(draw.features)} scenes for {len(captions)} captions; give one each"
            )
    tokens = [judge.tokens(draw.features, draw.placements) for draw in draws]
    samples = [judge(each, captions, real=real) for each in tokens]
    metrics: list[Metric[Any]] = [RPrecision(pool=pool), FID(), MMDist(), Diversity()]
    if len(samples) > 1:
        groups = np.stack([sample.motion for sample in samples], axis=1)
        samples = [replace(sample, groups=groups) for sample in samples]
        metrics.append(Multimodality())
    overall = repeat(metrics, lambda number: samples[number % len(samples)], repeats, seed)

    times = len(draws)
    together = JudgedScenes(
        features=[scene for draw in draws for scene in draw.features],
        placements=[places for draw in draws for places in draw.placements],
        captions=list(captions) * times,
        kinds=list(kinds) * times,
        contents=list(contents) * times,
        likelihoods=[people for each in tokens for people in judge.content_likelihoods(each)],
        classes=judge.evaluator.config.contents,
    )
    measured, judged = _measure(together)
    overall |= {name: Score(value, 0.0, 1) for name, value in measured.items()}
    overall |= repeat([FootSkating()], lambda _: MotionClips(together.people), 1)
    by_kind = {}
    for kind in sorted(set(kinds)):
        part = together.of_kind(kind)
        skating = FootSkating()(MotionClips(part.people))
        by_kind[kind] = {"scenes": len(part.features) // times, **_measure(part)[0], **skating}
    return SceneScores(overall, judged, by_kind)


def _measure(sample: JudgedScenes) -> tuple[dict[str, float], dict[str, int]]:
    """The metrics that can judge any of the scenes, and how many values each of them is made of."""
    scores: dict[str, float] = {}
    judged: dict[str, int] = {}
    for metric in _METRICS:
        count = len(metric.values(sample))
        if count:
            scores |= metric(sample)
            judged[metric.name] = count
    return scores, judged
