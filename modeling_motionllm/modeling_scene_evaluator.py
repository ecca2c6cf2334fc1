"""`SceneTextEvaluator`: scenes of several people and sentences in one space, with a head for what each person does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_scene_evaluator import SceneTextEvaluatorConfig
from .modeling_evaluator import (
    FRAMES_PER_TOKEN,
    INITIAL_TEMPERATURE,
    MotionSequenceEncoder,
    contrastive_loss,
    positions,
    text_head,
)
from .sentence_encoder import SentenceEncoder

__all__ = ["SceneTextEvaluator", "SceneTextEvaluatorOutput"]

FRAMES_PER_SCENE_TOKEN = 2 * FRAMES_PER_TOKEN  # 0.4 s: two states of the motion encoder
_CHUNK = 32  # scenes encoded together
_PLACE = 4  # columns that say where a person is and faces: x, z, sine and cosine of the heading
_METERS = 3.0  # that one unit of x and z stands for


@dataclass
class SceneTextEvaluatorOutput(ModelOutput):
    """Args:
    loss: contrastive loss plus the weighted classification loss, for the terms whose inputs were given.
    scene_embeds: (B, embed_dim), length 1.
    text_embeds: (B, embed_dim), length 1.
    content_logits: (B, P, contents), of each person alone.
    contrastive_loss, content_loss: the unweighted terms.
    """

    loss: torch.Tensor | None = None
    scene_embeds: torch.Tensor | None = None
    text_embeds: torch.Tensor | None = None
    content_logits: torch.Tensor | None = None
    contrastive_loss: torch.Tensor | None = None
    content_loss: torch.Tensor | None = None


class SceneTextEvaluator(PreTrainedModel):
    """Scenes and sentences in one space, trained contrastively on frozen sentence embeddings; for people in an order.

    Every person's motion goes through one motion encoder, that of a trained `MotionTextEvaluator`, which stays as it
    is. Its states, averaged over 0.4 s, together with where the person is and faces at that moment in the
    world of person 1, and which person it is, are the tokens of one transformer over the whole scene. A head on the
    mean state of one person alone names its content: it cannot guess from the others what someone should do. Padded
    frames and people never change a result. Input that does not fit raises `ValueError`.
    """

    config_class = SceneTextEvaluatorConfig
    config: SceneTextEvaluatorConfig
    main_input_name = "motion"
    base_model_prefix = "scene_evaluator"

    def __init__(self, config: SceneTextEvaluatorConfig):
        super().__init__(config)
        width, dim = config.scene_hidden_size, config.embed_dim
        self.motion_encoder = MotionSequenceEncoder(config).requires_grad_(False)
        self.token_projection = nn.Linear(config.hidden_size + _PLACE, width)
        self.person_embedding = nn.Embedding(config.max_people, width)
        self.dropout = nn.Dropout(config.dropout)
        layer = nn.TransformerEncoderLayer(
            width,
            config.num_attention_heads,
            2 * width,
            config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer, config.num_scene_layers, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.scene_projection = nn.Linear(width, dim)
        self.text_projection = text_head(config)
        self.content_head = nn.Sequential(
            nn.Linear(config.hidden_size, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(width, len(config.contents)),
        )
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
        elif isinstance(module, SceneTextEvaluator):
            init.constant_(module.logit_scale, math.log(1 / INITIAL_TEMPERATURE))

    @torch.no_grad()
    def get_tokens(
        self, motion: torch.Tensor, placements: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the trained part sees: tokens (B, P, ceil(T / 8), hidden_size + 4) and their mask (B, P, ceil(T / 8)).

        Args:
            motion: (B, P, T, input_dim) raw features at the configured frame rate, each person in a frame of its own.
            placements: (B, P, 3): x and z in metres and heading in radians, in person 1's first-frame frame.
            attention_mask: (B, P, T), True or 1 where a frame is real; padding only at the end, and only last people
                may be missing altogether. All real by default.

        Raises:
            ValueError: wrong shapes, more people than configured, a scene without person 1, or gaps in the mask.
        """
        config = self.config
        if motion.ndim != 4 or motion.shape[-1] != config.input_dim or placements.shape != (*motion.shape[:2], 3):
            raise ValueError(
                f"motion has shape {tuple(motion.shape)} and placements {tuple(placements.shape)}; give "
                f"(batch, people, frames, {config.input_dim}) and (batch, people, 3)"
            )
        if motion.shape[1] > config.max_people:
            raise ValueError(f"scenes of {motion.shape[1]} people; this evaluator knows up to {config.max_people}")
        mask = motion.new_ones(motion.shape[:3], dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        if mask.shape != motion.shape[:3] or not bool(mask[:, 0].any(-1).all()):
            raise ValueError("attention_mask does not fit the motions, or a scene has no person 1")
        there = mask.any(-1)
        if bool((mask[..., 1:] & ~mask[..., :-1]).any()) or bool((there[:, 1:] & ~there[:, :-1]).any()):
            raise ValueError("attention_mask has gaps; pad motions at the end, and people after the last one")
        was_training = self.motion_encoder.training
        states, state_mask = _halved(*self.motion_encoder.eval().states(motion[there], mask[there]))
        self.motion_encoder.train(was_training)
        paths = _paths(motion[there].masked_fill(~mask[there][..., None], 0), placements[there])
        paths = paths[:, ::FRAMES_PER_SCENE_TOKEN]
        tokens = states.new_zeros(*there.shape, *states.shape[1:-1], states.shape[-1] + _PLACE)
        token_mask = torch.zeros(tokens.shape[:3], dtype=torch.bool, device=tokens.device)
        tokens[there] = torch.cat([states, paths.to(states)], dim=-1)
        token_mask[there] = state_mask
        return tokens, token_mask

    def embed_tokens(self, tokens: torch.Tensor, token_mask: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, embed_dim), length 1, of `get_tokens`' result."""
        # Padding holds whatever it was filled with; NaN would spread through the attention.
        x = self.token_projection(tokens.masked_fill(~token_mask[..., None], 0))
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
            states = self.layers(x[part[:, None], kept], src_key_padding_mask=~own)
            parts.append((states * own[..., None]).sum(1) / own.sum(1, keepdim=True))
        return F.normalize(self.scene_projection(torch.cat(parts)[order.argsort()]), dim=-1)

    def get_scene_features(
        self, motion: torch.Tensor, placements: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Embeddings (B, embed_dim), length 1, of scenes; arguments and errors as those of `get_tokens`."""
        return self.embed_tokens(*self.get_tokens(motion, placements, attention_mask))

    def get_text_features(self, text_embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, embed_dim), length 1, of sentence embeddings (B, sentence_dim)."""
        return F.normalize(self.text_projection(text_embeddings), dim=-1)

    def classify(self, tokens: torch.Tensor, token_mask: torch.Tensor) -> torch.Tensor:
        """Content logits (B, P, contents) of each person, from the states of its own motion alone."""
        states = tokens[..., : self.config.hidden_size].masked_fill(~token_mask[..., None], 0)
        return self.content_head(states.sum(2) / token_mask.sum(2).clamp(min=1)[..., None])

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
        tokens: torch.Tensor,
        token_mask: torch.Tensor,
        text_embeddings: torch.Tensor | None = None,
        caption_ids: torch.Tensor | None = None,
        content_labels: torch.Tensor | None = None,
    ) -> SceneTextEvaluatorOutput:
        """Embed a batch of `get_tokens`' results; the loss has a term for each kind of label given.

        Args:
            tokens: (B, P, L, hidden_size + 4).
            token_mask: (B, P, L).
            text_embeddings: (B, sentence_dim) sentence embeddings, row i of scene i.
            caption_ids: (B,) equal where the captions are equal words: those pairs are positives, not negatives.
            content_labels: (B, P) indices into `config.contents`; -100 for people who are not there.
        """
        output = SceneTextEvaluatorOutput(
            scene_embeds=self.embed_tokens(tokens, token_mask), content_logits=self.classify(tokens, token_mask)
        )
        losses = []
        if text_embeddings is not None:
            output["text_embeds"] = self.get_text_features(text_embeddings)
            output["contrastive_loss"] = contrastive_loss(
                output["scene_embeds"], output["text_embeds"], caption_ids, self.logit_scale
            )
            losses.append(output["contrastive_loss"])
        if content_labels is not None:
            output["content_loss"] = F.cross_entropy(output["content_logits"].flatten(0, 1), content_labels.flatten())
            losses.append(self.config.classification_weight * output["content_loss"])
        if losses:
            output["loss"] = torch.stack(losses).sum()
        return output


def _halved(states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """States (N, L, D) and their mask, each two averaged to one."""
    odd = states.shape[1] % 2
    states, mask = F.pad(states, (0, 0, 0, odd)), F.pad(mask, (0, odd))
    weights = mask.view(len(mask), -1, 2, 1).to(states)
    both = (states.masked_fill(~mask[..., None], 0).view(len(mask), -1, 2, states.shape[-1]) * weights).sum(2)
    return both / weights.sum(2).clamp(min=1), mask.view(len(mask), -1, 2).any(-1)


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


SceneTextEvaluator.register_for_auto_class("AutoModel")
