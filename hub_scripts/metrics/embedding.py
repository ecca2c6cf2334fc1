"""Metrics on embeddings of motions and sentences, in the T2M protocol (Guo et al. 2022, "Generating Diverse and
Natural 3D Human Motions from Text", section 5.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub_scripts.metrics.base import LabelMetric, Metric
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "FID",
    "Diversity",
    "EmbeddedMotions",
    "LabelAccuracy",
    "MMDist",
    "Multimodality",
    "RPrecision",
    "frechet_distance",
]


@dataclass(frozen=True)
class EmbeddedMotions:
    """What is known of N motions; a metric asks for what it needs.

    Args:
        motion: (N, D) embeddings of the motions that are judged.
        text: (N, D) embeddings of the sentences they were made from.
        captions: the N sentences.
        real: (M, D) embeddings of real motions.
        groups: (G, K, D) embeddings of K motions for each of G sentences.
        content, style: N predicted labels.
        likelihoods: for each motion (P, C) log-probabilities of the classifier's contents, of each of its people.
        classes: the C contents.
        asked_content, asked_style: N true labels; None where a motion has none.
    """

    motion: np.ndarray
    text: np.ndarray | None = None
    captions: Sequence[str] | None = None
    real: np.ndarray | None = None
    groups: np.ndarray | None = None
    content: Sequence[str] | None = None
    style: Sequence[str] | None = None
    likelihoods: Sequence[np.ndarray] | None = None
    classes: Sequence[str] = ()
    asked_content: Sequence[str | None] | None = None
    asked_style: Sequence[str | None] | None = None

    def __post_init__(self) -> None:
        for name in ("motion", "text", "real", "groups"):
            array = getattr(self, name)
            if array is None:
                continue
            wanted = 3 if name == "groups" else 2
            if array.ndim != wanted or array.shape[-1] != self.motion.shape[-1] or array.shape[0] == 0:
                raise MotionLLMError(f"embeddings '{name}' have shape {array.shape}; motions have {self.motion.shape}")
            if not np.isfinite(array).all():
                raise MotionLLMError(f"embeddings '{name}' hold values that are NaN or infinite; check the motions")
        for name in ("text", "captions", "content", "style", "likelihoods", "asked_content", "asked_style"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.motion):
                raise MotionLLMError(f"{len(values)} entries in '{name}' for {len(self.motion)} motions")


def _need(sample: EmbeddedMotions, name: str, metric: str) -> np.ndarray:
    value = getattr(sample, name)
    if value is None:
        raise MotionLLMError(f"{metric} needs '{name}', which this sample does not have")
    return value


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances (..., N, M) of float64 rows (..., N, D) and (..., M, D)."""
    squares = (a**2).sum(-1)[..., :, None] + (b**2).sum(-1)[..., None, :]
    return np.sqrt(np.maximum(squares - 2 * a @ np.swapaxes(b, -1, -2), 0))


class RPrecision(Metric[EmbeddedMotions]):
    """How often a sentence finds its own motion among the nearest k of a pool of 32, k = 1, 2, 3 (Guo et al. 2022).

    Pools are drawn without replacement and the rest that fills no pool is left out, as in the published code. Motions
    in a pool whose captions are word for word the same as the sentence (in lower case) **count as correct**: they were
    asked for with the same words. In the published code they count as wrong, so with many equal captions its values
    are lower. Motions at equal distance count half: an embedding that is the same for all motions scores at chance.

    Args:
        top: the numbers k.
        pool: motions in a pool.
        equal_captions: False for the rule of the published code.
    """

    name, units, better = "r_precision", "share", "higher"

    def __init__(self, top: Sequence[int] = (1, 2, 3), pool: int = 32, equal_captions: bool = True):
        self.top, self.pool, self.equal_captions = tuple(top), pool, equal_captions

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"{self.name}_top{k}" for k in self.top)

    def compute(self, sample: EmbeddedMotions, rng: np.random.Generator) -> Sequence[float]:
        text = np.asarray(_need(sample, "text", self.name), dtype=np.float64)
        count = len(text) // self.pool
        if count == 0:
            raise MotionLLMError(f"{len(text)} motions fill no pool of {self.pool}; judge at least {self.pool}")
        if sample.captions is None or not self.equal_captions:
            captions = np.arange(len(text))
        else:
            captions = np.unique([caption.strip().lower() for caption in sample.captions], return_inverse=True)[1]
        pools = rng.permutation(len(text))[: count * self.pool].reshape(count, self.pool)
        distance = _distances(text[pools], np.asarray(sample.motion, dtype=np.float64)[pools])
        correct = captions[pools][:, :, None] == captions[pools][:, None, :]
        best = np.where(correct, distance, np.inf).min(-1, keepdims=True)
        rivals = np.where(correct, np.inf, distance)
        ahead = (rivals < best).sum(-1)
        ties = (rivals == best).sum(-1)
        return [float(np.clip((k - ahead) / (ties + 1), 0, 1).mean()) for k in self.top]


class MMDist(Metric[EmbeddedMotions]):
    """Mean Euclidean distance between a sentence's embedding and that of its motion (Guo et al. 2022)."""

    name, units, better = "mm_dist", "embedding distance", "lower"

    def compute(self, sample: EmbeddedMotions, rng: np.random.Generator) -> Sequence[float]:
        text = np.asarray(_need(sample, "text", self.name), dtype=np.float64)
        return [float(np.linalg.norm(text - sample.motion, axis=-1).mean())]


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of Gaussians fitted to rows a (N, D) and b (M, D); never negative.

    |mean_a - mean_b|^2 + trace(A + B - 2 (A B)^(1/2)). The trace of the root is the sum of the roots of the eigenvalues
    of A^(1/2) B A^(1/2), which is symmetric: no complex numbers, and singular covariances are no special case.

    Raises:
        MotionLLMError: fewer than two rows.
    """
    if min(len(a), len(b)) < 2:
        raise MotionLLMError(f"FID of {len(a)} and {len(b)} motions; a covariance needs at least 2 of each")
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    cov_a, cov_b = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return max(float(shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross), 0.0)


class FID(Metric[EmbeddedMotions]):
    """Fréchet distance between the embeddings of judged and of real motions (Heusel et al. 2017; Guo et al. 2022).

    Its size depends on the embedding space and, upwards, on the number of motions: compare only within one run.
    """

    name, units, better = "fid", "squared embedding distance", "lower"

    def compute(self, sample: EmbeddedMotions, rng: np.random.Generator) -> Sequence[float]:
        return [frechet_distance(_need(sample, "real", self.name), sample.motion)]


class Diversity(Metric[EmbeddedMotions]):
    """Mean distance within random pairs of motions (Guo et al. 2022): 300 pairs, or as many as there are motions.

    The two sides are drawn independently, each without replacement, as in the published code.
    """

    name, units, better = "diversity", "embedding distance", "like real"

    def __init__(self, pairs: int = 300):
        self.pairs = pairs

    def compute(self, sample: EmbeddedMotions, rng: np.random.Generator) -> Sequence[float]:
        count = len(sample.motion)
        first, second = (rng.choice(count, min(self.pairs, count), replace=False) for _ in range(2))
        motion = np.asarray(sample.motion, dtype=np.float64)
        return [float(np.linalg.norm(motion[first] - motion[second], axis=-1).mean())]


class Multimodality(Metric[EmbeddedMotions]):
    """Mean distance within random pairs of motions of one sentence (Guo et al. 2022: 10 pairs of 30 motions).

    The published code draws the two sides independently, so that a motion may meet itself; here the pairs are of
    different motions, because with few motions a sentence the difference is large.
    """

    name, units, better = "multimodality", "embedding distance", "like real"

    def __init__(self, pairs: int = 10):
        self.pairs = pairs

    def compute(self, sample: EmbeddedMotions, rng: np.random.Generator) -> Sequence[float]:
        groups = np.asarray(_need(sample, "groups", self.name), dtype=np.float64)
        size = groups.shape[1]
        if size < 2:
            raise MotionLLMError("multimodality needs at least 2 motions a sentence; generate more of each")
        one, other = np.triu_indices(size, 1)
        chosen = np.sort(rng.choice(len(one), min(self.pairs, len(one)), replace=False))
        return [float(np.linalg.norm(groups[:, one[chosen]] - groups[:, other[chosen]], axis=-1).mean())]


class LabelAccuracy(LabelMetric[EmbeddedMotions]):
    """Share of motions that a classifier takes for the content (or style) that was asked for."""

    name, units, better = "accuracy", "share", "higher"

    @property
    def columns(self) -> tuple[str, ...]:
        return (f"{self.kind}_{self.name}",)

    def compute(self, sample: EmbeddedMotions, rng: np.random.Generator) -> Sequence[float]:
        found, asked = (_need(sample, name, self.name) for name in (self.kind, f"asked_{self.kind}"))
        known = [(a, b) for a, b in zip(found, asked, strict=True) if b is not None]
        if not known:
            raise MotionLLMError(f"none of {len(found)} motions has a known {self.kind}; judge some of the dataset's")
        return [sum(a == b for a, b in known) / len(known)]
