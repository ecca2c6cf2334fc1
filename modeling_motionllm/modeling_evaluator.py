"""`MotionTextEvaluator`: motions of one or more people and sentences in one embedding space, with heads for labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_evaluator import MotionTextEvaluatorConfig
from .json_motionllm import EVALUATOR_FIELDS
from .sentence_encoder import SentenceEncoder
from .strict_motionllm import StrictPreTrainedModel

__all__ = ["MotionTextEvaluator", "MotionTextEvaluatorOutput"]

FRAMES_PER_TOKEN = 4  # two convolutions of stride 2
_CHUNK = 32  # motions encoded together
_PLACE = 4  # columns that say where a person of a scene is and faces: x, z, sine and cosine of the heading
_METERS = 3.0  # that one unit of x and z stands for
INITIAL_TEMPERATURE = 0.07  # of CLIP (Radford et al. 2021)
_MAX_LOGIT_SCALE = math.log(100)


@dataclass
class MotionTextEvaluatorOutput(ModelOutput):
    """Args:
    loss: contrastive loss plus the weighted classification losses, for the terms whose inputs were given.
    motion_embeds: (B, embed_dim), length 1.
    text_embeds: (B, embed_dim), length 1.
    content_logits: (B, P, contents), of each person.
    style_logits: (B, P, styles), of each person; None with scene layers.
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


def transformer(config: MotionTextEvaluatorConfig, width: int, intermediate: int, layers: int) -> nn.TransformerEncoder:
    """Pre-norm layers with the heads and the dropout of the configuration."""
    layer = nn.TransformerEncoderLayer(
        width,
        config.num_attention_heads,
        intermediate,
        config.dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    return nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)


class MotionSequenceEncoder(nn.Module):
    """Raw features (B, T, input_dim) of one person to states: two strided convolutions and a transformer."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: MotionTextEvaluatorConfig):
        super().__init__()
        width = config.hidden_size
        self.down = nn.ModuleList(
            nn.Conv1d(channels, width, 4, stride=2, padding=1) for channels in (config.input_dim, width)
        )
        self.layers = transformer(config, width, config.intermediate_size, config.num_hidden_layers)
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("mean", torch.zeros(config.input_dim))
        self.register_buffer("std", torch.ones(config.input_dim))

    def forward(self, motion: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States (B, ceil(T / 4), hidden_size) and their mask."""
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


class MotionTextEvaluator(StrictPreTrainedModel):
    """Motions and sentences in one space, trained contrastively on frozen MiniLM sentence embeddings.

    Its distances give R-precision, MM-Dist, FID, diversity and multimodality in the protocol of Guo et al. 2022. Every
    person's motion goes through one motion encoder. Of one person the mean of its states is projected into the space,
    and two linear heads on the embedding name content and style.

    With scene layers the evaluator is for people in an order. The motion encoder, that of an evaluator without them,
    stays as it is. Its states, averaged over 0.4 s, together with where the person is and faces at that moment in the
    world of person 1, and which person it is, are the tokens of one transformer over the whole scene. A head on the
    mean state of one person alone names its content: it cannot guess from the others what someone should do.

    Features go in raw. Padded frames and people never change a result. Input that does not fit raises `ValueError`.
    """

    config_class = MotionTextEvaluatorConfig
    json_fields = EVALUATOR_FIELDS
    config: MotionTextEvaluatorConfig
    main_input_name = "motion"
    base_model_prefix = "evaluator"

    def __init__(self, config: MotionTextEvaluatorConfig):
        super().__init__(config)
        hidden, width, dim = config.hidden_size, config.scene_hidden_size, config.embed_dim
        self.motion_encoder = MotionSequenceEncoder(config)
        if self.has_scene_layers:
            self.motion_encoder.requires_grad_(False)
            self.token_projection = nn.Linear(hidden + _PLACE, width)
            self.person_embedding = nn.Embedding(config.max_people, width)
            self.dropout = nn.Dropout(config.dropout)
            self.layers = transformer(config, width, 2 * width, config.num_scene_layers)
            self.scene_projection = nn.Linear(width, dim)
            self.content_head: nn.Module = nn.Sequential(
                nn.Linear(hidden, width),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(width, len(config.contents)),
            )
        else:
            self.motion_projection = nn.Linear(hidden, dim)
            self.content_head = nn.Linear(dim, len(config.contents))
            self.style_head = nn.Linear(dim, len(config.styles))
        self.text_projection = text_head(config)
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self._sentence_encoder: SentenceEncoder | None = None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Conv1d | nn.LayerNorm | nn.Embedding):
            module.reset_parameters()
        elif isinstance(module, nn.MultiheadAttention):
            module._reset_parameters()
        elif isinstance(module, MotionSequenceEncoder):
            init.zeros_(module.mean)
            init.ones_(module.std)
        elif isinstance(module, MotionTextEvaluator):
            init.constant_(module.logit_scale, math.log(1 / INITIAL_TEMPERATURE))

    @property
    def has_scene_layers(self) -> bool:
        """Whether it judges scenes of several people."""
        return self.config.num_scene_layers > 0

    def train(self, mode: bool = True) -> "MotionTextEvaluator":
        """Training mode; a motion encoder that stays as it is has no dropout."""
        super().train(mode)
        if self.has_scene_layers:
            self.motion_encoder.eval()
        return self

    def set_normalization(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Set the (input_dim,) statistics that features are normalised with; `std` must be positive."""
        if not bool((std > 0).all()):
            raise ValueError("std has values that are not positive; average it over column groups first")
        self.motion_encoder.mean.copy_(mean)
        self.motion_encoder.std.copy_(std)

    def _checked(
        self, motion: torch.Tensor, attention_mask: torch.Tensor | None, placements: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Motion (B, P, T, D), mask (B, P, T) and placements (B, P, 3) of the arguments of `get_tokens`."""
        config, shape = self.config, tuple(motion.shape)
        if motion.ndim == 3:
            motion = motion[:, None]
            attention_mask = None if attention_mask is None else attention_mask[:, None]
        if motion.ndim == 4 and motion.shape[1] == 1 and placements is None:
            placements = motion.new_zeros(len(motion), 1, 3)
        wanted = f"(batch, people, frames, {config.input_dim}), or without people for one,"
        if motion.ndim != 4 or motion.shape[-1] != config.input_dim:
            raise ValueError(f"motion has shape {shape}; give {wanted} of raw features")
        if placements is None or placements.shape != (*motion.shape[:2], 3):
            given = None if placements is None else tuple(placements.shape)
            raise ValueError(f"motion has shape {shape} and placements {given}; give {wanted} and (batch, people, 3)")
        if motion.shape[1] > config.max_people:
            raise ValueError(f"scenes of {motion.shape[1]} people; this evaluator knows up to {config.max_people}")
        mask = motion.new_ones(motion.shape[:3], dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        if mask.shape != motion.shape[:3] or not bool(mask[:, 0].any(-1).all()):
            raise ValueError("attention_mask does not fit the motions, or one has no person 1 or no real frame")
        there = mask.any(-1)
        if bool((mask[..., 1:] & ~mask[..., :-1]).any()) or bool((there[:, 1:] & ~there[:, :-1]).any()):
            raise ValueError("attention_mask has gaps; pad motions at the end, and people after the last one")
        return motion, mask, placements

    def get_tokens(
        self,
        motion: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        placements: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is made of each person alone, 0 where padded, and its mask.

        Args:
            motion: (B, P, T, input_dim) raw features at the configured frame rate, each person in a frame of its own;
                or (B, T, input_dim) of one person.
            attention_mask: (B, P, T) or (B, T), True or 1 where a frame is real; padding only at the end, and only
                last people may be missing altogether. All real by default.
            placements: (B, P, 3): x and z in metres and heading in radians, in person 1's first-frame frame. One
                person needs none.

        Returns:
            Tokens (B, P, ceil(T / 4), hidden_size) and mask (B, P, ceil(T / 4)); with scene layers tokens
            (B, P, ceil(T / 8), hidden_size + 4), without gradient: motion and place are known before training.

        Raises:
            ValueError: wrong shapes, more people than configured, a motion without person 1, or gaps in the mask.
        """
        motion, mask, placements = self._checked(motion, attention_mask, placements)
        there = mask.any(-1)
        motion, placements, frames = motion[there], placements[there], mask[there]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.has_scene_layers):
            lengths = frames.sum(1)
            order = lengths.argsort(stable=True)
            length = -(-motion.shape[1] // FRAMES_PER_TOKEN)
            parts = []
            # Neighbours in length go through together: the result is the same, and little time goes into padding.
            for part in order.split(_CHUNK):
                longest = int(lengths[part[-1]])
                states, real = self.motion_encoder(motion[part, :longest], frames[part, :longest])
                parts.append(F.pad(states.masked_fill(~real[..., None], 0), (0, 0, 0, length - states.shape[1])))
            own, back = torch.cat(parts), order.argsort()
            own = own[back]
            real = torch.arange(length, device=own.device) < -(-lengths[:, None] // FRAMES_PER_TOKEN)
            if self.has_scene_layers:
                own, real = _halved(own, real)
                paths = _paths(motion.masked_fill(~frames[..., None], 0), placements)[:, :: 2 * FRAMES_PER_TOKEN]
                own = torch.cat([own, paths.to(own)], dim=-1).masked_fill(~real[..., None], 0)
            tokens = own.new_zeros(*there.shape, *own.shape[1:])
            tokens[there] = own
        token_mask = torch.zeros(tokens.shape[:3], dtype=torch.bool, device=tokens.device)
        token_mask[there] = real
        return tokens, token_mask

    def embed_tokens(self, tokens: torch.Tensor, token_mask: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, embed_dim), length 1, of `get_tokens`' result."""
        if not self.has_scene_layers:
            return F.normalize(self.motion_projection(_mean(tokens[:, 0], token_mask[:, 0])), dim=-1)
        x = self.token_projection(tokens)
        people, length, width = x.shape[1:]
        x = x + positions(length, width, x) + self.person_embedding.weight[:people, None]
        x, mask = self.dropout(x).flatten(1, 2), token_mask.flatten(1, 2)
        # Real tokens first, and neighbours in number go through together: the same result without much padding.
        front = (~mask).int().argsort(dim=1, stable=True)
        counts = mask.sum(1)
        order = counts.argsort(stable=True)
        parts = []
        for part in order.split(_CHUNK):
            kept = front[part, : int(counts[part[-1]])]
            own = mask[part].gather(1, kept)
            parts.append(_mean(self.layers(x[part[:, None], kept], src_key_padding_mask=~own), own))
        return F.normalize(self.scene_projection(torch.cat(parts)[order.argsort()]), dim=-1)

    def get_motion_features(
        self,
        motion: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        placements: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Embeddings of motions in the space that they share with sentences.

        Args:
            motion, attention_mask, placements: as in `get_tokens`.

        Returns:
            float32 (B, embed_dim), each of length 1.

        Raises:
            MotionLLMError: as `get_tokens`.
        """
        return self.embed_tokens(*self.get_tokens(motion, attention_mask, placements))

    def get_text_features(self, text_embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, embed_dim), length 1, of sentence embeddings (B, sentence_dim)."""
        return F.normalize(self.text_projection(text_embeddings), dim=-1)

    def classify(self, tokens: torch.Tensor, token_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Content logits (B, P, contents) and style logits (B, P, styles) of `get_tokens`' result.

        Each person is judged by its own motion alone. With scene layers there are no style logits.
        """
        if self.has_scene_layers:
            return self.content_head(_mean(tokens[..., : self.config.hidden_size], token_mask)), None
        embeds = self.embed_tokens(tokens, token_mask)[:, None]
        scaled = embeds * math.sqrt(self.config.embed_dim)  # entries of about 1
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
        motion: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        placements: torch.Tensor | None = None,
        text_embeddings: torch.Tensor | None = None,
        caption_ids: torch.Tensor | None = None,
        content_labels: torch.Tensor | None = None,
        style_labels: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        token_mask: torch.Tensor | None = None,
    ) -> MotionTextEvaluatorOutput:
        """Embed a batch; the loss has a term for each kind of label given.

        Args:
            motion, attention_mask, placements: as in `get_tokens`.
            text_embeddings: (B, sentence_dim) sentence embeddings, row i of motion i.
            caption_ids: (B,) equal where the captions are equal words: those pairs are positives, not negatives.
                All different by default.
            content_labels: (B, P) indices into `config.contents`; -100 for people who are not there.
            style_labels: (B, P) indices into `config.styles`, likewise; not with scene layers.
            tokens, token_mask: of `get_tokens`, in place of the motion.

        Returns:
            The embeddings, the logits of contents and styles, and the loss where labels were given.
        """
        if tokens is None or token_mask is None:
            if motion is None:
                raise ValueError("give motion, or tokens and token_mask")
            tokens, token_mask = self.get_tokens(motion, attention_mask, placements)
        content_logits, style_logits = self.classify(tokens, token_mask)
        output = MotionTextEvaluatorOutput(
            motion_embeds=self.embed_tokens(tokens, token_mask),
            content_logits=content_logits,
            style_logits=style_logits,
        )
        losses = []
        if text_embeddings is not None:
            output["text_embeds"] = self.get_text_features(text_embeddings)
            output["contrastive_loss"] = contrastive_loss(
                output["motion_embeds"], output["text_embeds"], caption_ids, self.logit_scale
            )
            losses.append(output["contrastive_loss"])
        for name, logits, labels in (
            ("content_loss", content_logits, content_labels),
            ("style_loss", style_logits, style_labels),
        ):
            if labels is not None and logits is not None:
                output[name] = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
                losses.append(self.config.classification_weight * output[name])
        if losses:
            output["loss"] = torch.stack(losses).sum()
        return output


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of states (..., L, D) over the True of a mask (..., L); 0 where there is none."""
    return (states * mask[..., None]).sum(-2) / mask.sum(-1, keepdim=True).clamp(min=1)


def _halved(states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """States (N, L, D), 0 where padded, and their mask, each two averaged to one."""
    odd = states.shape[1] % 2
    states, mask = F.pad(states, (0, 0, 0, odd)), F.pad(mask, (0, odd))
    pairs = mask.view(len(mask), -1, 2)
    return _mean(states.view(*pairs.shape, states.shape[-1]), pairs), pairs.any(-1)


def _paths(motion: torch.Tensor, placements: torch.Tensor) -> torch.Tensor:
    """Where people (N, T, D) are and face, frame by frame, in person 1's world: (N, T, 4), as the tokens have it.

    The root's turn and steps of the features (Guo et al. 2022), summed up.
    """
    turn = F.pad(motion[..., 0].cumsum(-1)[..., :-1], (1, 0))  # half the angle, to the right
    heading = placements[:, None, 2] - 2 * turn
    step_x, step_z = F.pad(motion[..., :-1, 1], (1, 0)), F.pad(motion[..., :-1, 2], (1, 0))
    sine, cosine = heading.sin(), heading.cos()
    x = placements[:, None, 0] + (cosine * step_x + sine * step_z).cumsum(-1)
    z = placements[:, None, 1] + (cosine * step_z - sine * step_x).cumsum(-1)
    return torch.stack([x / _METERS, z / _METERS, sine, cosine], dim=-1)


MotionTextEvaluator.register_for_auto_class("AutoModel")
