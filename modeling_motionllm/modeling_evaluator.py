"""`MotionTextEvaluator`: motions and sentences in one embedding space, with heads for content and style."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_evaluator import MotionTextEvaluatorConfig
from .sentence_encoder import SentenceEncoder

__all__ = ["MotionTextEvaluator", "MotionTextEvaluatorOutput"]

FRAMES_PER_TOKEN = 4  # two convolutions of stride 2
_CHUNK = 32  # motions encoded together
INITIAL_TEMPERATURE = 0.07  # of CLIP (Radford et al. 2021)
_MAX_LOGIT_SCALE = math.log(100)


@dataclass
class MotionTextEvaluatorOutput(ModelOutput):
    """Args:
    loss: contrastive loss plus the weighted classification losses, for the terms whose inputs were given.
    motion_embeds: (B, embed_dim), length 1.
    text_embeds: (B, embed_dim), length 1.
    content_logits: (B, contents).
    style_logits: (B, styles).
    contrastive_loss, content_loss, style_loss: the unweighted terms.
    """

    loss: torch.Tensor | None = None
    motion_embeds: torch.Tensor | None = None
    text_embeds: torch.Tensor | None = None
    content_logits: torch.Tensor | None = None
    style_logits: torch.Tensor | None = None
    contrastive_loss: torch.Tensor | None = None
    content_loss: torch.Tensor | None = None
    style_loss: torch.Tensor | None = None


def positions(length: int, width: int, like: torch.Tensor) -> torch.Tensor:
    """Sinusoidal positions (length, width), for clips of any length (Vaswani et al. 2017)."""
    rate = torch.exp(torch.arange(0, width, 2, device=like.device) * (-math.log(10_000.0) / width))
    angle = torch.arange(length, device=like.device)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=-1).to(like)


class MotionSequenceEncoder(nn.Module):
    """Raw features (B, T, input_dim) to a summary (B, hidden_size): two strided convolutions, a transformer, a mean."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: MotionTextEvaluatorConfig):
        super().__init__()
        width = config.hidden_size
        self.down = nn.ModuleList(
            nn.Conv1d(channels, width, 4, stride=2, padding=1) for channels in (config.input_dim, width)
        )
        layer = nn.TransformerEncoderLayer(
            width,
            config.num_attention_heads,
            config.intermediate_size,
            config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer, config.num_hidden_layers, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("mean", torch.zeros(config.input_dim))
        self.register_buffer("std", torch.ones(config.input_dim))

    def states(self, motion: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States (B, ceil(T / 4), hidden_size) at a quarter of the frame rate, and their mask."""
        missing = -motion.shape[1] % FRAMES_PER_TOKEN
        motion, mask = F.pad(motion, (0, 0, 0, missing)), F.pad(mask, (0, missing))
        x = (motion.to(self.mean) - self.mean) / self.std
        # The turn in a clip's first row leads from the first facing to the smoothed one; it is no movement.
        x = torch.cat([x[:, :1] * (torch.arange(x.shape[-1], device=x.device) > 0), x[:, 1:]], dim=1)
        x = x.transpose(1, 2)
        for conv in self.down:
            # Padding looks like the zeros beyond the end; a half-rate frame is real if one of its two frames is.
            x = F.gelu(conv(x.masked_fill(~mask[:, None], 0)))
            mask = mask[:, ::2] | mask[:, 1::2]
        x = x.transpose(1, 2)
        x = self.dropout(x + positions(x.shape[1], x.shape[2], x))
        return self.layers(x, src_key_padding_mask=~mask), mask

    def forward(self, motion: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x, mask = self.states(motion, mask)
        return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def text_head(config: MotionTextEvaluatorConfig) -> nn.Sequential:
    """Sentence embeddings (B, sentence_dim) to the shared space (B, embed_dim)."""
    dim = config.embed_dim
    return nn.Sequential(
        nn.Linear(config.sentence_dim, 2 * dim), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(2 * dim, dim)
    )


def contrastive_loss(
    motion: torch.Tensor, text: torch.Tensor, caption_ids: torch.Tensor | None, logit_scale: torch.Tensor
) -> torch.Tensor:
    """Symmetric InfoNCE (Oord et al. 2018, Radford et al. 2021); equal captions share the target equally."""
    ids = torch.arange(len(motion), device=motion.device) if caption_ids is None else caption_ids
    target = (ids[:, None] == ids).to(motion)
    target = target / target.sum(1, keepdim=True)  # symmetric: equal captions have equally many partners
    logits = logit_scale.clamp(max=_MAX_LOGIT_SCALE).exp() * (text @ motion.T)
    by_text = -(target * logits.log_softmax(1)).sum(1).mean()
    by_motion = -(target * logits.T.log_softmax(1)).sum(1).mean()
    return (by_text + by_motion) / 2


class MotionTextEvaluator(PreTrainedModel):
    """Motions and sentences in one space, trained contrastively on frozen MiniLM sentence embeddings.

    Its distances give R-precision, MM-Dist, FID, diversity and multimodality in the protocol of Guo et al. 2022; two
    linear heads on the motion embedding name content and style. Features go in raw. Padded frames never change a
    result. Input that does not fit raises `ValueError`.
    """

    config_class = MotionTextEvaluatorConfig
    config: MotionTextEvaluatorConfig
    main_input_name = "motion"
    base_model_prefix = "evaluator"

    def __init__(self, config: MotionTextEvaluatorConfig):
        super().__init__(config)
        width, dim = config.hidden_size, config.embed_dim
        self.motion_encoder = MotionSequenceEncoder(config)
        self.motion_projection = nn.Linear(width, dim)
        self.text_projection = text_head(config)
        self.content_head = nn.Linear(dim, len(config.contents))
        self.style_head = nn.Linear(dim, len(config.styles))
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self._sentence_encoder: SentenceEncoder | None = None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Conv1d | nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, nn.MultiheadAttention):
            module._reset_parameters()
        elif isinstance(module, MotionSequenceEncoder):
            init.zeros_(module.mean)
            init.ones_(module.std)
        elif isinstance(module, MotionTextEvaluator):
            init.constant_(module.logit_scale, math.log(1 / INITIAL_TEMPERATURE))

    def set_normalization(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Set the (input_dim,) statistics that features are normalised with; `std` must be positive."""
        if not bool((std > 0).all()):
            raise ValueError("std has values that are not positive; average it over column groups first")
        self.motion_encoder.mean.copy_(mean)
        self.motion_encoder.std.copy_(std)

    def get_motion_features(self, motion: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Embeddings (B, embed_dim), length 1, of raw features.

        Args:
            motion: (B, T, input_dim) raw features at the configured frame rate, any T.
            attention_mask: (B, T), True or 1 where a frame is real; padding only at the end.

        Raises:
            ValueError: wrong shape, a motion without frames, or gaps in the mask.
        """
        if motion.ndim != 3 or motion.shape[-1] != self.config.input_dim:
            raise ValueError(f"motion has shape {tuple(motion.shape)}; give (batch, frames, {self.config.input_dim})")
        mask = motion.new_ones(motion.shape[:2], dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        if mask.shape != motion.shape[:2] or not bool(mask.any(1).all()):
            raise ValueError("attention_mask does not fit the motions, or one of them has no real frame")
        if bool((mask[:, 1:] & ~mask[:, :-1]).any()):
            raise ValueError("attention_mask has gaps; pad motions at the end only")
        lengths = mask.sum(1)
        order = lengths.argsort(stable=True)
        # Neighbours in length go through together: the result is the same, and little time goes into padding.
        parts = [
            self.motion_encoder(motion[part, : int(lengths[part[-1]])], mask[part, : int(lengths[part[-1]])])
            for part in order.split(_CHUNK)
        ]
        return F.normalize(self.motion_projection(torch.cat(parts)[order.argsort()]), dim=-1)

    def get_text_features(self, text_embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, embed_dim), length 1, of sentence embeddings (B, sentence_dim)."""
        return F.normalize(self.text_projection(text_embeddings), dim=-1)

    def classify(self, motion_embeds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Content logits (B, contents) and style logits (B, styles) of motion embeddings (B, embed_dim)."""
        scaled = motion_embeds * math.sqrt(self.config.embed_dim)  # entries of about 1
        return self.content_head(scaled), self.style_head(scaled)

    @torch.no_grad()
    def encode_text(self, sentences: Sequence[str]) -> torch.Tensor:
        """Embeddings (N, embed_dim) of sentences; loads the frozen sentence encoder when first used.

        Raises:
            OSError: the sentence encoder is found nowhere.
        """
        if self._sentence_encoder is None:
            self._sentence_encoder = SentenceEncoder(self.config.sentence_model, self.device)
        return self.get_text_features(self._sentence_encoder(sentences).to(self.device))

    def forward(
        self,
        motion: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        text_embeddings: torch.Tensor | None = None,
        caption_ids: torch.Tensor | None = None,
        content_labels: torch.Tensor | None = None,
        style_labels: torch.Tensor | None = None,
    ) -> MotionTextEvaluatorOutput:
        """Embed a batch; the loss has a term for each kind of label given.

        Args:
            motion: (B, T, input_dim) raw features.
            attention_mask: (B, T), True where a frame is real.
            text_embeddings: (B, sentence_dim) sentence embeddings, row i of motion i.
            caption_ids: (B,) equal where the captions are equal words: those pairs are positives, not negatives.
                All different by default.
            content_labels: (B,) indices into `config.contents`.
            style_labels: (B,) indices into `config.styles`.
        """
        motion_embeds = self.get_motion_features(motion, attention_mask)
        content_logits, style_logits = self.classify(motion_embeds)
        output = MotionTextEvaluatorOutput(
            motion_embeds=motion_embeds, content_logits=content_logits, style_logits=style_logits
        )
        losses = []
        if text_embeddings is not None:
            output["text_embeds"] = self.get_text_features(text_embeddings)
            output["contrastive_loss"] = contrastive_loss(
                motion_embeds, output["text_embeds"], caption_ids, self.logit_scale
            )
            losses.append(output["contrastive_loss"])
        for name, logits, labels in (
            ("content_loss", content_logits, content_labels),
            ("style_loss", style_logits, style_labels),
        ):
            if labels is not None:
                output[name] = F.cross_entropy(logits, labels)
                losses.append(self.config.classification_weight * output[name])
        if losses:
            output["loss"] = torch.stack(losses).sum()
        return output


MotionTextEvaluator.register_for_auto_class("AutoModel")
