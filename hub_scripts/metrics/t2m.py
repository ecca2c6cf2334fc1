"""The evaluator of the T2M protocol (Guo et al. 2022), for those who have its published files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from hub_scripts.metrics.embedding import EmbeddedMotions
from hub_scripts.metrics.t2m_words import T2MWords
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["T2MEvaluator", "T2MJudge"]

_STEP = 4  # frames a movement
_MAX_FRAMES = 196  # all motions are padded to this with zeros, after normalisation; the convolutions see it
_CONTACTS = 4  # the last columns, which the evaluator does not see


class MovementEncoder(nn.Module):
    """Normalised features without contacts (B, T, D - 4) to movements (B, T // 4, 512)."""

    def __init__(self, columns: int, width: int, out: int):
        super().__init__()
        activation = nn.LeakyReLU(0.2)
        # The places of the published weights: 0 and 3 are the convolutions, a dropout stood before each activation.
        self.main = nn.Sequential(
            nn.Conv1d(columns, width, 4, 2, 1),
            nn.Identity(),
            activation,
            nn.Conv1d(width, out, 4, 2, 1),
            nn.Identity(),
            activation,
        )
        self.out_net = nn.Linear(out, out)

    def forward(self, motion: torch.Tensor) -> torch.Tensor:
        return self.out_net(self.main(motion.transpose(1, 2)).transpose(1, 2))


class SequenceEncoder(nn.Module):
    """A bidirectional GRU with a learnt start; its two last states make the embedding (B, 512)."""

    def __init__(self, columns: int, width: int, out: int, classes: int = 0):
        super().__init__()
        if classes:
            self.pos_emb = nn.Linear(classes, columns)
        self.input_emb = nn.Linear(columns, width)
        self.gru = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * width, width), nn.LayerNorm(width), nn.LeakyReLU(0.2), nn.Linear(width, out)
        )
        self.hidden = nn.Parameter(torch.zeros(2, 1, width))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(self.input_emb(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        last = self.gru(packed, self.hidden.repeat(1, len(x), 1))[1]
        return self.output_net(torch.cat([last[0], last[1]], dim=-1))


class T2MEvaluator(nn.Module):
    """The published movement, motion and text encoders; build it with `from_files`.

    Args:
        columns: feature columns without the four contacts.
        sizes: of movements, motion GRU, text GRU and embedding.
        word_size: of a word vector.
        classes: number of word classes.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        columns: int = 259,
        sizes: tuple[int, int, int, int] = (512, 1024, 512, 512),
        word_size: int = 300,
        classes: int = 15,
    ):
        super().__init__()
        movement, motion, text, out = sizes
        self.movement_encoder = MovementEncoder(columns, movement, movement)
        self.motion_encoder = SequenceEncoder(movement, motion, out)
        self.text_encoder = SequenceEncoder(word_size, text, out, classes)
        self.register_buffer("mean", torch.zeros(columns + _CONTACTS))
        self.register_buffer("std", torch.ones(columns + _CONTACTS))

    @classmethod
    def from_files(
        cls,
        checkpoint: str | os.PathLike[str],
        mean: str | os.PathLike[str],
        std: str | os.PathLike[str],
        **sizes: Any,
    ) -> "T2MEvaluator":
        """Load the published weights.

        Args:
            checkpoint: `text_mot_match/model/finest.tar`, read with `weights_only`: no code in it is run.
            mean, std: the evaluator's own statistics, `meta/mean.npy` and `meta/std.npy`, (263,), or (251,) for KIT.
            sizes: of another architecture, see the class.

        Raises:
            MotionLLMError: a file that cannot be read, or weights of other names or shapes.
        """
        try:
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
            statistics = [np.load(path, allow_pickle=False).astype(np.float32) for path in (mean, std)]
        except (OSError, ValueError, EOFError, RuntimeError, UnpicklingError) as error:
            reason = str(error).splitlines()[0]
            raise MotionLLMError(f"the T2M evaluator is not read ({reason}); give the published files") from error
        columns = statistics[0].shape[-1]
        model = cls(columns - _CONTACTS, **sizes)
        try:
            for name in ("movement_encoder", "motion_encoder", "text_encoder"):
                getattr(model, name).load_state_dict(state[name])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            reason = str(error).splitlines()[-1].strip()
            raise MotionLLMError(f"'{Path(checkpoint)}' does not hold the T2M evaluator ({reason})") from error
        if any(table.shape != (columns,) for table in statistics) or not (statistics[1] > 0).all():
            raise MotionLLMError(f"'{mean}' and '{std}' are no mean and positive deviation of {columns} columns")
        model.mean.copy_(torch.from_numpy(statistics[0]))
        model.std.copy_(torch.from_numpy(statistics[1]))
        return model.eval()

    @torch.no_grad()
    def embed_motions(self, clips: Sequence[np.ndarray], batch_size: int = 32) -> np.ndarray:
        """Embeddings (N, 512) of raw features (T_i, 263); of longer clips the first 196 frames, as published.

        Raises:
            MotionLLMError: a clip with under four frames or of a wrong width, or no clips.
        """
        columns = len(self.mean)
        for index, clip in enumerate(clips):
            if clip.ndim != 2 or clip.shape[1] != columns or len(clip) < _STEP:
                raise MotionLLMError(f"motion {index} has shape {clip.shape}; it takes ({_STEP} or more, {columns})")
        if not len(clips):
            raise MotionLLMError("there are no motions to judge")
        parts = []
        for start in range(0, len(clips), batch_size):
            batch = clips[start : start + batch_size]
            motion = torch.zeros(len(batch), _MAX_FRAMES, columns)
            lengths = [min(len(clip), _MAX_FRAMES) // _STEP for clip in batch]
            for row, (clip, length) in enumerate(zip(batch, lengths, strict=True)):
                frames = torch.tensor(clip[: length * _STEP], dtype=torch.float32)
                motion[row, : length * _STEP] = (frames - self.mean.cpu()) / self.std.cpu()
            movements = self.movement_encoder(motion[..., :-_CONTACTS].to(self.mean.device))
            parts.append(self.motion_encoder(movements, torch.tensor(lengths)).cpu())
        return torch.cat(parts).numpy()

    @torch.no_grad()
    def embed_words(self, vectors: np.ndarray, classes: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
        """Embeddings (N, 512) of sentences: word vectors (N, W, 300), one-hot classes (N, W, 15), words of each."""
        device = self.mean.device
        words = torch.from_numpy(vectors).to(device) + self.text_encoder.pos_emb(torch.from_numpy(classes).to(device))
        return self.text_encoder(words, torch.tensor(lengths)).cpu().numpy()


class T2MJudge:
    """The T2M evaluator in the place of `MotionJudge`.

    Args:
        evaluator: see `T2MEvaluator.from_files`.
        words: see `T2MWords`.
        tokens: sentence to its tokens "word/CLASS ...", as HumanML3D's texts give them (`sentence#tokens#from#to`).
    """

    equal_captions = False  # the published rule
    protocol = (
        "judged by the T2M evaluator: motions cut to whole steps of 4 frames and to 196, normalised with its own "
        "statistics; only the own motion of a pool is right"
    )

    def __init__(self, evaluator: T2MEvaluator, words: T2MWords, tokens: Mapping[str, str]):
        self.evaluator, self.words, self.tokens = evaluator, words, tokens

    def embed_motions(
        self, motions: Sequence[np.ndarray], placements: Sequence[np.ndarray] | None = None
    ) -> np.ndarray:
        """See `T2MEvaluator.embed_motions`; one person stands nowhere in particular."""
        return self.evaluator.embed_motions(motions)

    def embed_sentences(self, captions: Sequence[str]) -> np.ndarray:
        """Embeddings (N, 512) of sentences.

        Raises:
            MotionLLMError: a sentence whose tokens are not known.
        """
        unknown = [caption for caption in captions if caption not in self.tokens]
        if unknown:
            raise MotionLLMError(f"no tokens for the sentence {unknown[0]!r}; take them from HumanML3D's texts")
        vectors, classes, lengths = zip(*(self.words(self.tokens[text].split()) for text in captions), strict=True)
        return self.evaluator.embed_words(np.stack(vectors), np.stack(classes), lengths)

    def __call__(self, motions: Sequence[np.ndarray], captions: Sequence[str], **known: Any) -> EmbeddedMotions:
        """Embed motions and their captions; `known` are further fields of `EmbeddedMotions`."""
        return EmbeddedMotions(self.embed_motions(motions), self.embed_sentences(captions), list(captions), **known)
