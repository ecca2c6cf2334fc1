"""What every metric is: a name, a unit, which way is better, and a seeded computation; and running it 20 times."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["Better", "LabelMetric", "Metric", "Score", "repeat"]

Better = Literal["higher", "lower", "like real"]
SampleT = TypeVar("SampleT")


class Metric(ABC, Generic[SampleT]):
    """A measurement of one kind of sample (embeddings, captions, motions, labels).

    `metric(sample, seed=0)` gives a dict of floats, one for each entry of `columns`; equal arguments give equal values.
    A new metric says its `name`, `units`, `better` and `columns`, and implements `compute`.
    """

    name: ClassVar[str]
    units: ClassVar[str]
    better: ClassVar[Better]

    @property
    def columns(self) -> tuple[str, ...]:
        """Keys of the result; the metric's name where it has one value."""
        return (self.name,)

    def __call__(self, sample: SampleT, seed: int = 0) -> dict[str, float]:
        """Measure a sample.

        Raises:
            MotionLLMError: the sample does not fit the metric.
        """
        values = self.compute(sample, np.random.default_rng(seed))
        return dict(zip(self.columns, map(float, values), strict=True))

    @abstractmethod
    def compute(self, sample: SampleT, rng: np.random.Generator) -> Sequence[float]:
        """The values of `columns`; every random choice comes from `rng`."""


class LabelMetric(Metric[SampleT]):
    """A metric of one kind of label.

    Args:
        kind: `content` or `style`.

    Raises:
        MotionLLMError: another kind.
    """

    def __init__(self, kind: str):
        if kind not in ("content", "style"):
            raise MotionLLMError(f"there is no label '{kind}'; choose content or style")
        self.kind = kind


@dataclass(frozen=True)
class Score:
    """A mean over repeats and the half width of its 95 % interval (0 for one repeat)."""

    mean: float
    interval: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Score":
        """1.96 standard errors, with the population standard deviation, as the T2M protocol (Guo et al. 2022) does."""
        table = np.asarray(values, dtype=np.float64)
        return cls(float(table.mean()), float(1.96 * table.std() / np.sqrt(len(table))), len(table))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.interval:.3f}" if self.repeats > 1 else f"{self.mean:.3f}"


def repeat(
    metrics: Sequence[Metric[Any]],
    sample: Callable[[int], Any],
    repeats: int = 20,
    seed: int = 0,
) -> dict[str, Score]:
    """Measure `repeats` times, as the T2M protocol does.

    Args:
        metrics: all of one kind of sample.
        sample: repeat number (0, 1, ...) to the sample to measure: a new generation, or the same one each time; then
            only what the metrics draw themselves (pools, pairs) changes.
        repeats: 20 in the protocol.
        seed: repeat r draws with a seed made of this and r.

    Returns:
        Column to score.

    Raises:
        MotionLLMError: no repeats, or a sample that does not fit.
    """
    if repeats < 1:
        raise MotionLLMError(f"repeats is {repeats}; measure at least once")
    values: dict[str, list[float]] = {}
    for number in range(repeats):
        drawn = sample(number)
        for metric in metrics:
            for column, value in metric(drawn, seed=seed * 1_000_003 + number).items():
                values.setdefault(column, []).append(value)
    return {column: Score.of(list_of) for column, list_of in values.items()}
