"""InterCLIP, the evaluator of InterGen (Liang et al. 2023) for scenes of two people, for those who have its weights."""

import os
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

__all__ = ["INTERCLIP_COLUMNS", "InterCLIP"]

# Of one person and frame at 30 fps: 22 positions and 22 displacements (Y up, metres, seen from person 1's first frame),
# 21 SMPL rotations of 6 numbers, 4 foot contacts. The contacts are not seen.
INTERCLIP_COLUMNS = 262
_CONTACTS = 4
_MAX_FRAMES = 300  # of a scene; the published data is cut to this
_END_OF_TEXT = 49407  # the highest token id of CLIP


class _Positions(nn.Module):
    """The published table of sines and cosines, a buffer of the weights."""

    pe: torch.Tensor

    def __init__(self, width: int, length: int = 2000):
        super().__init__()
        self.register_buffer("pe", torch.zeros(length, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.pe[: x.shape[1]]


def _transformer(width: int, heads: int, feedforward: int, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(width, heads, feedforward, activation="gelu", batch_first=True)
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


class _SceneEncoder(nn.Module):
    """Frames of two people (B, T, 2 (C - 4)) to (B, out), read off a learnt first token."""

    def __init__(self, columns: int, width: int, heads: int, feedforward: int, layers: int, out: int):
        super().__init__()
        self.query_token = nn.Parameter(torch.zeros(1, width))
        self.embed_motion = nn.Linear(2 * columns, width)
        self.sequence_pos_encoder = _Positions(width)
        self.transformer = _transformer(width, heads, feedforward, layers)
        self.out_ln = nn.LayerNorm(width)
        self.out = nn.Linear(width, out)

    def forward(self, scenes: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.query_token.expand(len(scenes), 1, -1), self.embed_motion(scenes)], dim=1)
        padded = torch.cat([mask.new_zeros(len(mask), 1), ~mask], dim=1)
        x = self.transformer(self.sequence_pos_encoder(x), src_key_padding_mask=padded)
        return self.out(self.out_ln(x[:, 0]))


class InterCLIP(nn.Module):
    """The published scene and text encoders; build it with `from_file`. The names are those of the weights.

    Args:
        width, heads, feedforward, layers: of the scene encoder; the text encoder has the same but its own width.
        text_width: of CLIP's token embeddings.
        tokens, context: of CLIP's vocabulary, and in a text.
        out: of an embedding.
    """

    def __init__(
        self,
        width: int = 1024,
        heads: int = 8,
        feedforward: int = 2048,
        layers: int = 8,
        text_width: int = 768,
        tokens: int = _END_OF_TEXT + 1,
        context: int = 77,
        out: int = 512,
    ):
        super().__init__()
        self.motion_encoder = _SceneEncoder(INTERCLIP_COLUMNS - _CONTACTS, width, heads, feedforward, layers, out)
        self.token_embedding = nn.Embedding(tokens, text_width)
        self.positional_embedding = nn.Parameter(torch.zeros(context, text_width))
        self.latent_scale = nn.Parameter(torch.ones(1))
        self.textTransEncoder = _transformer(text_width, heads, feedforward, layers)
        self.text_ln = nn.LayerNorm(text_width)
        self.out = nn.Linear(text_width, out)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **sizes: Any) -> "InterCLIP":
        """Load the published weights, `eval_model/interclip.ckpt`.

        Args:
            path: the file, read with `weights_only`: no code in it is run.
            sizes: of another architecture, see the class.

        Raises:
            MotionLLMError: a file that cannot be read so, or weights of other names or shapes.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
            weights = {name.removeprefix("model."): value for name, value in state.items()}
        except (
            OSError,
            ValueError,
            EOFError,
            RuntimeError,
            UnpicklingError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise MotionLLMError(
                f"'{Path(path)}' is not read ({reason}); it may hold only tensors and plain values: if you trust it, "
                "save its 'state_dict' alone, as {'state_dict': ...}, into a new file"
            ) from error
        model = cls(**sizes)
        try:
            model.load_state_dict(weights)
        except (RuntimeError, TypeError) as error:
            reason = str(error).splitlines()[-1].strip()
            raise MotionLLMError(f"'{Path(path)}' does not hold InterCLIP ({reason})") from error
        return model.eval()

    @torch.no_grad()
    def embed_scenes(self, scenes: Sequence[np.ndarray], batch_size: int = 32) -> np.ndarray:
        """Embeddings (N, 512) of scenes (T_i, 2, 262), of longer ones the first 300 frames.

        Raises:
            MotionLLMError: no scenes, or one of another shape.
        """
        for index, scene in enumerate(scenes):
            if scene.ndim != 3 or scene.shape[1:] != (2, INTERCLIP_COLUMNS) or len(scene) == 0:
                raise MotionLLMError(
                    f"scene {index} has shape {scene.shape}; it takes (frames, 2, {INTERCLIP_COLUMNS})"
                )
        if not len(scenes):
            raise MotionLLMError("there are no scenes to judge")
        device, parts = self.latent_scale.device, []
        for start in range(0, len(scenes), batch_size):
            batch = [scene[:_MAX_FRAMES, :, :-_CONTACTS] for scene in scenes[start : start + batch_size]]
            frames = torch.zeros(len(batch), max(map(len, batch)), 2 * (INTERCLIP_COLUMNS - _CONTACTS))
            mask = torch.zeros(frames.shape[:2], dtype=torch.bool)
            for row, scene in enumerate(batch):
                frames[row, : len(scene)] = torch.tensor(np.ascontiguousarray(scene, np.float32)).flatten(1)
                mask[row, : len(scene)] = True
            parts.append(self._scaled(self.motion_encoder(frames.to(device), mask.to(device))))
        return torch.cat(parts).cpu().numpy()

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str], tokenizer: "CLIPTokenizer", batch_size: int = 32) -> np.ndarray:
        """Embeddings (N, 512) of sentences.

        The rest of the 77 places is filled with token 0, not with CLIP's own padding, and it is seen: so were the
        weights trained.

        Args:
            texts: N sentences.
            tokenizer: of openai/clip-vit-large-patch14-336.
            batch_size: sentences at once.
        """
        context, parts = len(self.positional_embedding), []
        for start in range(0, len(texts), batch_size):
            rows = [
                tokenizer(text, truncation=True, max_length=context)["input_ids"]
                for text in texts[start : start + batch_size]
            ]
            ids = torch.tensor([row + [0] * (context - len(row)) for row in rows], device=self.latent_scale.device)
            x = self.text_ln(self.textTransEncoder(self.token_embedding(ids) + self.positional_embedding))
            parts.append(self._scaled(self.out(x[torch.arange(len(ids)), ids.argmax(-1)])))
        return torch.cat(parts).cpu().numpy()

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        return x / x.norm(dim=-1, keepdim=True) * self.latent_scale
