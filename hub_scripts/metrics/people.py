"""Metrics on scenes of several people: who does what, where they start, whether they run into each other."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations

import numpy as np

from hub_scripts.captions.parsing import tells_roles
from hub_scripts.metrics.arrangement import heading_errors, place_errors
from hub_scripts.metrics.base import Metric
from modeling_motionllm.collisions_motionllm import OVERLAP_TOLERANCE, body_gaps
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import features_to_joints
from modeling_motionllm.placement_motionllm import join_people, stand_on_floor

__all__ = [
    "HeadingError",
    "Interpenetration",
    "JudgedScenes",
    "PeopleContent",
    "PlacementError",
    "RoleAccuracy",
    "SceneMetric",
    "measure_people",
]


@dataclass(frozen=True)
class JudgedScenes:
    """N scenes of any numbers of people.

    Args:
        features: for each, raw features (P, T, 263) of its people, each in a frame of its own.
        placements: for each, (P, 3): x and z in metres and heading in radians, in person 1's frame.
        captions: what each was asked with.
        kinds: what kind of scene each is.
        contents: what each person should do; "" where unknown.
        likelihoods: for each, (P, C) log-probabilities of the classifier's contents.
        classes: the C contents.
    """

    features: Sequence[np.ndarray]
    placements: Sequence[np.ndarray]
    captions: Sequence[str]
    kinds: Sequence[str]
    contents: Sequence[Sequence[str]]
    likelihoods: Sequence[np.ndarray]
    classes: Sequence[str]

    def __post_init__(self) -> None:
        if not self.features:
            raise MotionLLMError("there are no scenes to judge")
        for index, (people, places) in enumerate(zip(self.features, self.placements, strict=False)):
            if people.ndim != 3 or places.shape != (len(people), 3):
                raise MotionLLMError(
                    f"scene {index} has features of shape {people.shape} and placements of shape {places.shape}; "
                    "give (people, frames, 263) and (people, 3)"
                )
        for name in ("placements", "captions", "kinds", "contents", "likelihoods"):
            if len(getattr(self, name)) != len(self.features):
                raise MotionLLMError(f"{len(getattr(self, name))} entries in '{name}' for {len(self.features)} scenes")
        for index, (people, contents) in enumerate(zip(self.features, self.contents, strict=True)):
            if len(people) != len(contents):
                raise MotionLLMError(f"scene {index} has {len(people)} people but {len(contents)} contents")

    @cached_property
    def people(self) -> list[np.ndarray]:
        """Joints (T, 22, 3) of everybody, each in a frame of its own, as decoded: feet are judged by these."""
        return [person for scene in self.features for person in features_to_joints(scene)]

    @cached_property
    def gaps(self) -> list[np.ndarray]:
        """The smallest gap (T,) between two bodies in each frame of each scene, in metres; everybody on the floor."""
        gaps = []
        for features, placements in zip(self.features, self.placements, strict=True):
            joints = stand_on_floor(features_to_joints(features))
            gaps.append(body_gaps(join_people(joints, placements)))
        return gaps

    def of_kind(self, kind: str) -> "JudgedScenes":
        """The scenes of one kind."""
        chosen = [index for index, own in enumerate(self.kinds) if own == kind]
        part = replace(
            self,
            **{
                name: [getattr(self, name)[index] for index in chosen]
                for name in ("features", "placements", "captions", "kinds", "contents", "likelihoods")
            },
        )
        part.__dict__["gaps"] = [self.gaps[index] for index in chosen]  # measured once, for all and for each kind
        return part


class SceneMetric(Metric[JudgedScenes]):
    """A metric with one value for each person, scene or frame that it can judge, summed up as a mean or median."""

    median = False

    @abstractmethod
    def values(self, sample: JudgedScenes) -> np.ndarray:
        """The values; empty where nothing in the sample can be judged."""

    def compute(self, sample: JudgedScenes, rng: np.random.Generator) -> Sequence[float]:
        values = self.values(sample)
        if not len(values):
            raise MotionLLMError(f"{self.name} can judge none of these {len(sample.features)} scenes")
        return [float(np.median(values) if self.median else np.mean(values))]


class PeopleContent(SceneMetric):
    """Share of people whom the classifier takes for doing what they should. Contents it does not know are wrong."""

    name, units, better = "people_content", "share of people", "higher"

    def values(self, sample: JudgedScenes) -> np.ndarray:
        return np.array(
            [
                sample.classes[int(scores.argmax())] == content
                for people, contents in zip(sample.likelihoods, sample.contents, strict=True)
                for scores, content in zip(people, contents, strict=True)
                if content
            ]
        )


class RoleAccuracy(SceneMetric):
    """Share of scenes in which everybody does what they should rather than what another one should.

    Of all ways to give the contents of a scene to its people, the one with the highest sum of the classifier's
    log-probabilities must be the true one; a tie with another one is wrong. Judged are scenes whose contents differ,
    whose caption names all of them (`tells_roles`), and whose contents the classifier knows. Chance: a half for two
    different contents.
    """

    name, units, better = "role_accuracy", "share of scenes", "higher"

    def values(self, sample: JudgedScenes) -> np.ndarray:
        place = {name: index for index, name in enumerate(sample.classes)}
        right = []
        for scores, contents, caption in zip(sample.likelihoods, sample.contents, sample.captions, strict=True):
            if len(set(contents)) < 2 or not set(contents) <= place.keys() or not tells_roles(caption, contents):
                continue
            totals = {
                order: float(scores[np.arange(len(order)), [place[content] for content in order]].sum())
                for order in set(permutations(contents))
            }
            own = totals.pop(tuple(contents))
            right.append(own > max(totals.values()))
        return np.array(right)


class PlacementError(SceneMetric):
    """How far people start from where the caption has them, metres: mean of a scene's people, median over scenes.

    See `arrangement.place_errors` for what a caption fixes; scenes of which it fixes no place are left out.
    """

    name, units, better = "placement_error_m", "m", "lower"
    median = True

    def values(self, sample: JudgedScenes) -> np.ndarray:
        errors = map(place_errors, sample.kinds, sample.captions, sample.placements)
        return np.array([float(np.mean(error)) for error in errors if error])


class HeadingError(SceneMetric):
    """How far people are turned from where they should face, degrees: mean of a scene's facings, median over scenes.

    See `arrangement.heading_errors`; scenes of kinds that fix no facing are left out.
    """

    name, units, better = "heading_error_deg", "degrees", "lower"
    median = True

    def values(self, sample: JudgedScenes) -> np.ndarray:
        errors = map(heading_errors, sample.kinds, sample.placements)
        return np.array([float(np.mean(error)) for error in errors if error])


class Interpenetration(SceneMetric):
    """Share of all frames in which two bodies sink into each other by more than 2 cm (see `body_gaps`)."""

    name, units, better = "interpenetration", "share of frames", "lower"

    def values(self, sample: JudgedScenes) -> np.ndarray:
        return np.concatenate(sample.gaps) < -OVERLAP_TOLERANCE


_METRICS: tuple[SceneMetric, ...] = (
    PeopleContent(),
    RoleAccuracy(),
    PlacementError(),
    HeadingError(),
    Interpenetration(),
)


def measure_people(sample: JudgedScenes) -> tuple[dict[str, float], dict[str, int]]:
    """The metrics of scenes that can judge any of these, and how many values each of them is made of."""
    scores: dict[str, float] = {}
    judged: dict[str, int] = {}
    for metric in _METRICS:
        count = len(metric.values(sample))
        if count:
            scores |= metric(sample)
            judged[metric.name] = count
    return scores, judged
