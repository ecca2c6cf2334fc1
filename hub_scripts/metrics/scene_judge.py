"""`SceneJudge`: scenes of several people and sentences through the scene evaluator, ready for the metrics."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hub_scripts.metrics.embedding import EmbeddedMotions
from hub_scripts.metrics.judge import load_sentence_encoder
from hub_scripts.metrics.reconstruction import batches_by_length
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_scene_evaluator import SceneTextEvaluator

__all__ = ["SceneJudge", "load_scene_evaluator", "pad_scenes", "scene_tokens"]


def load_scene_evaluator(path: str | os.PathLike[str], device: str = "cpu") -> SceneTextEvaluator:
    """A trained scene evaluator, from a folder or the Hub.

    Raises:
        MotionLLMError: none there.
    """
    name = str(path)
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise MotionLLMError(
            f"the folder '{name}' holds no scene evaluator; train one with `motionllm train-evaluator --scenes`"
        )
    try:
        return SceneTextEvaluator.from_pretrained(name).to(device).eval()  # type: ignore[arg-type]
    except (OSError, RuntimeError) as error:
        raise MotionLLMError(f"cannot load the scene evaluator '{name}': {str(error).splitlines()[0]}") from error


def pad_scenes(scenes: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Arrays (P_i, T_i, D) to one float32 tensor (B, P, T, D), 0 where padded, and its bool mask (B, P, T)."""
    people, frames = (max(scene.shape[axis] for scene in scenes) for axis in (0, 1))
    table = torch.zeros(len(scenes), people, frames, scenes[0].shape[2])
    mask = torch.zeros(len(scenes), people, frames, dtype=torch.bool)
    for row, scene in enumerate(scenes):
        table[row, : len(scene), : scene.shape[1]] = torch.from_numpy(np.ascontiguousarray(scene, dtype=np.float32))
        mask[row, : len(scene), : scene.shape[1]] = True
    return table, mask


def scene_tokens(
    evaluator: SceneTextEvaluator,
    scenes: Sequence[np.ndarray],
    placements: Sequence[np.ndarray],
    batch_size: int = 32,
) -> list[np.ndarray]:
    """The tokens (P, L, D) that the trained part of the evaluator sees, of each scene; float16, to keep many.

    Args:
        evaluator: its motion encoder is what counts.
        scenes: raw features (P, T, 263).
        placements: (P, 3) of each.

    Raises:
        MotionLLMError: no scenes, or one that the evaluator does not take.
    """
    if not scenes:
        raise MotionLLMError("there are no scenes to judge")
    most, columns = evaluator.config.max_people, evaluator.config.input_dim
    for index, (scene, places) in enumerate(zip(scenes, placements, strict=True)):
        if scene.ndim != 3 or 0 in scene.shape or scene.shape[2] != columns or places.shape != (len(scene), 3):
            raise MotionLLMError(
                f"scene {index} has features of shape {scene.shape} and placements of shape {places.shape}; the "
                f"evaluator needs (people, frames, {columns}) and (people, 3)"
            )
        if len(scene) > most:
            raise MotionLLMError(f"scene {index} has {len(scene)} people; the evaluator knows scenes of up to {most}")
    tokens: list[np.ndarray] = [np.empty(0)] * len(scenes)
    for batch in batches_by_length([scene.shape[1] for scene in scenes], batch_size):
        motion, mask = pad_scenes([scenes[index] for index in batch])
        starts, _ = pad_scenes([placements[index][:, None] for index in batch])
        device = evaluator.device
        made, made_mask = evaluator.get_tokens(motion.to(device), starts[:, :, 0].to(device), mask.to(device))
        for index, row, real in zip(batch, made.cpu(), made_mask.cpu(), strict=True):
            people, length = len(scenes[index]), int(real[0].sum())
            tokens[index] = row[:people, :length].numpy().astype(np.float16)
    return tokens


class SceneJudge:
    """The scene evaluator with its sentence encoder.

    Args:
        evaluator: in evaluation mode.
        sentences: sentence embeddings that are known already.
        batch_size: scenes at once.
    """

    def __init__(
        self,
        evaluator: SceneTextEvaluator,
        sentences: Mapping[str, torch.Tensor] | None = None,
        batch_size: int = 32,
    ):
        self.evaluator, self.batch_size = evaluator, batch_size
        self.sentences = dict(sentences or {})

    def tokens(self, scenes: Sequence[np.ndarray], placements: Sequence[np.ndarray]) -> list[np.ndarray]:
        """See `scene_tokens`; every other method takes them, so that motions are encoded once."""
        return scene_tokens(self.evaluator, scenes, placements, self.batch_size)

    @torch.no_grad()
    def embed_scenes(self, tokens: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings (N, D) of scenes."""
        table = np.zeros((len(tokens), self.evaluator.config.embed_dim), dtype=np.float32)
        for batch in batches_by_length([scene.shape[1] for scene in tokens], self.batch_size):
            padded, mask = (part.to(self.evaluator.device) for part in pad_scenes([tokens[index] for index in batch]))
            table[batch] = self.evaluator.embed_tokens(padded, mask).cpu().numpy()
        return table

    @torch.no_grad()
    def content_likelihoods(self, tokens: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Log-probabilities (P, contents) of what each person does, judged by its own motion alone."""
        likelihoods = []
        for scene in tokens:
            padded, mask = (part.to(self.evaluator.device) for part in pad_scenes([scene]))
            likelihoods.append(self.evaluator.classify(padded, mask)[0].log_softmax(-1).cpu().numpy())
        return likelihoods

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

    def __call__(self, tokens: Sequence[np.ndarray], captions: Sequence[str], **known: Any) -> EmbeddedMotions:
        """Embed scenes and their captions; `known` are further fields of `EmbeddedMotions`."""
        return EmbeddedMotions(self.embed_scenes(tokens), self.embed_sentences(captions), list(captions), **known)
