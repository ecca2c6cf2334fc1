"""Metrics on captions: words in common with the references, closeness of meaning, and what they name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hub_scripts.captions.parsing import (
    caption_words,
    named_contents,
    named_kind,
    named_people,
    named_styles,
    plain_style,
    scene_contents,
)
from hub_scripts.metrics.base import LabelMetric, Metric
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.sentence_encoder import SentenceEncoder

__all__ = ["Bleu", "CaptionLabelAccuracy", "Captions", "Cider", "RougeL", "SceneWords", "SentenceSimilarity"]


@dataclass(frozen=True)
class Captions:
    """N written captions and what they are held against.

    Args:
        candidates: the captions that are judged.
        references: for each, the true sentences, at least one.
        content, style: of one person, for each the true label; None where there is none, or not given at all.
        contents: of scenes of several people, for each the true content of each person; "" where unknown.
        kinds: of such scenes, for each the kind of scene.
    """

    candidates: Sequence[str]
    references: Sequence[Sequence[str]]
    content: Sequence[str | None] | None = None
    style: Sequence[str | None] | None = None
    contents: Sequence[Sequence[str]] | None = None
    kinds: Sequence[str] | None = None

    def __post_init__(self) -> None:
        count = len(self.candidates)
        if count == 0:
            raise MotionLLMError("there are no captions to judge")
        for name in ("references", "content", "style", "contents", "kinds"):
            values = getattr(self, name)
            if values is not None and len(values) != count:
                raise MotionLLMError(f"{len(values)} entries in '{name}' for {count} captions")
        empty = [index for index, references in enumerate(self.references) if not references]
        if empty:
            raise MotionLLMError(f"caption {empty[0]} has no reference sentence; give at least one")


class Bleu(Metric[Captions]):
    """Corpus BLEU (Papineni et al. 2002) by sacrebleu, against all references, on a scale to 100.

    Words are those of `caption_words` (lower case, no punctuation), no smoothing: a corpus without any common 4-gram
    scores 0. The published captioning rows come from other packages; their tokens differ a little.

    Args:
        order: longest n-gram; the field prints 1 and 4.
    """

    name, units, better = "bleu", "points of 100", "higher"

    def __init__(self, order: int):
        self.order = order

    @property
    def columns(self) -> tuple[str, ...]:
        return (f"{self.name}{self.order}",)

    def compute(self, sample: Captions, rng: np.random.Generator) -> Sequence[float]:
        from sacrebleu.metrics import BLEU

        metric = BLEU(max_ngram_order=self.order, tokenize="none", smooth_method="none")
        most = max(map(len, sample.references))
        # sacrebleu wants one list for each reference number; None stands for a reference that is not there
        lists: list[Any] = [
            [" ".join(caption_words(r[n])) if n < len(r) else None for r in sample.references] for n in range(most)
        ]
        return [metric.corpus_score([" ".join(caption_words(text)) for text in sample.candidates], lists).score]


class RougeL(Metric[Captions]):
    """ROUGE-L (Lin 2004) by rouge-score: F1 of the longest common subsequence with the best reference, times 100.

    The mean over captions. coco-caption weighs recall higher (beta 1.2), so its values differ by some points.
    """

    name, units, better = "rouge_l", "points of 100", "higher"

    def compute(self, sample: Captions, rng: np.random.Generator) -> Sequence[float]:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer(["rougeL"], tokenizer=_Words())
        scores = [
            scorer.score_multi(list(references), candidate)["rougeL"].fmeasure
            for candidate, references in zip(sample.candidates, sample.references, strict=True)
        ]
        return [100 * float(np.mean(scores))]


class _Words:
    """`caption_words` in the shape that rouge-score asks for."""

    tokenize = staticmethod(caption_words)


class Cider(Metric[Captions]):
    """CIDEr-D (Vedantam et al. 2015), times 100 as captioning papers print it (1000 for the perfect caption).

    Ours, because the kept packages need Java for their tokeniser or bring a hundred megabytes for this one formula; it
    gives the numbers of coco-caption's scorer on equal words (tests). n-grams of 1 to 4 words are weighed by how rare
    they are among the references of this very set, so values of different sets cannot be compared.
    """

    name, units, better = "cider", "points of 1000", "higher"

    order = 4
    sigma = 6.0  # of the penalty on a difference in length, words

    def compute(self, sample: Captions, rng: np.random.Generator) -> Sequence[float]:
        candidates = [self._count(text) for text in sample.candidates]
        references = [[self._count(text) for text in texts] for texts in sample.references]
        documents: Counter[tuple[str, ...]] = Counter()
        for counts in references:
            documents.update(set().union(*counts))
        log_size = np.log(len(references))
        weights = {ngram: log_size - np.log(count) for ngram, count in documents.items()}
        scores = [
            np.mean([self._similarity(candidate, reference, weights, log_size) for reference in counts])
            for candidate, counts in zip(candidates, references, strict=True)
        ]
        return [1000 * float(np.mean(scores))]

    def _count(self, text: str) -> Counter[tuple[str, ...]]:
        words = caption_words(text)
        return Counter(
            tuple(words[start : start + n]) for n in range(1, self.order + 1) for start in range(len(words) - n + 1)
        )

    def _similarity(
        self,
        candidate: Counter[tuple[str, ...]],
        reference: Counter[tuple[str, ...]],
        weights: dict[tuple[str, ...], float],
        unseen: float,
    ) -> float:
        """Mean over n of the clipped cosine of the weighed n-gram counts, times the length penalty."""
        total = 0.0
        for n in range(1, self.order + 1):
            a, b = (
                {ngram: count * weights.get(ngram, unseen) for ngram, count in counts.items() if len(ngram) == n}
                for counts in (candidate, reference)
            )
            norm = np.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
            if norm > 0:
                total += sum(min(value, b[ngram]) * b[ngram] for ngram, value in a.items() if ngram in b) / norm
        longer = sum(v for k, v in candidate.items() if len(k) == 1) - sum(
            v for k, v in reference.items() if len(k) == 1
        )
        return total / self.order * float(np.exp(-(longer**2) / (2 * self.sigma**2)))


class SentenceSimilarity(Metric[Captions]):
    """Cosine of the sentence embeddings (all-MiniLM-L6-v2) of a caption and of its nearest reference; their mean.

    Args:
        encoder: see `load_sentence_encoder`.
    """

    name, units, better = "sentence_similarity", "cosine", "higher"

    def __init__(self, encoder: SentenceEncoder):
        self.encoder = encoder

    def compute(self, sample: Captions, rng: np.random.Generator) -> Sequence[float]:
        candidates = self.encoder(list(sample.candidates))
        flat = self.encoder([text for texts in sample.references for text in texts])
        best, start = [], 0
        for row, texts in zip(candidates, sample.references, strict=True):
            best.append(float((flat[start : start + len(texts)] @ row).max()))
            start += len(texts)
        return [float(np.mean(best))]


class CaptionLabelAccuracy(LabelMetric[Captions]):
    """Share of captions that name the true content (or style) of the motion, in the words of the Bandai-Namco captions.

    A caption that names several labels with the same words counts if one of them is the true one; one that names no
    content counts as wrong, and one that names no style as "normal". Captions in other words than the data's are not
    understood: beside `content_words` stands the share that named any content at all, `content_words_named`.
    """

    name, units, better = "words", "share", "higher"

    @property
    def columns(self) -> tuple[str, ...]:
        name = f"{self.kind}_{self.name}"
        return (name, f"{name}_named") if self.kind == "content" else (name,)

    def compute(self, sample: Captions, rng: np.random.Generator) -> Sequence[float]:
        labels = sample.content if self.kind == "content" else sample.style
        known = [
            (text, label) for text, label in zip(sample.candidates, labels or (), strict=False) if label is not None
        ]
        if not known:
            raise MotionLLMError(f"none of {len(sample.candidates)} captions has a known {self.kind}")
        if self.kind == "style":
            return [float(np.mean([plain_style(label) in named_styles(text) for text, label in known]))]
        named = [named_contents(text) for text, _ in known]
        correct = [label in labels for (_, label), labels in zip(known, named, strict=True)]
        return [float(np.mean(correct)), float(np.mean([bool(labels) for labels in named]))]


class SceneWords(Metric[Captions]):
    """How much of a scene its caption names, in the words of the composed scenes' captions.

    `scene_content_words`: share of people whose content is named anywhere in their scene's caption
    (`scene_contents`). `kind_words`: share of captions that name the true kind of scene (`named_kind`).
    `people_words`: share of captions with the true number of people (`named_people`). Captions in other words than the
    data's are not understood.
    """

    name, units, better = "scene_words", "share", "higher"

    @property
    def columns(self) -> tuple[str, ...]:
        return ("scene_content_words", "kind_words", "people_words")

    def compute(self, sample: Captions, rng: np.random.Generator) -> Sequence[float]:
        contents, kinds = sample.contents or (), sample.kinds or ()
        named = [
            any(content in labels for labels in scene_contents(text))
            for text, several in zip(sample.candidates, contents, strict=False)
            for content in several
            if content
        ]
        if not named or not kinds:
            raise MotionLLMError("none of the scenes has a known content and a kind")
        right = [named_kind(text) == kind for text, kind in zip(sample.candidates, kinds, strict=True)]
        people = [named_people(text) == len(several) for text, several in zip(sample.candidates, contents, strict=True)]
        return [float(np.mean(values)) for values in (named, right, people)]
