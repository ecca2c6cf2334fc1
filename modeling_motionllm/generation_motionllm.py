"""Text-to-motion and captioning: the motion grammar, seeded sampling, and `MotionGenerationMixin`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.utils import ModelOutput

from .errors_motionllm import MotionLLMError
from .guidance_motionllm import ClassifierFreeGuidance, check_guidance_scale, unconditional_context
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["MotionGenerationMixin", "MotionGenerationOutput", "MotionGrammar", "SeededSampling", "TextGrammar"]


@dataclass
class MotionGenerationOutput(ModelOutput):
    """Args:
    codes: int64 (B, L), -1 where padded.
    attention_mask: bool (B, L), True where a code is real.
    features: (B, L * frames_per_code, 263) raw features, 0 where padded.
    """

    codes: torch.Tensor = None  # type: ignore[assignment]
    attention_mask: torch.Tensor = None  # type: ignore[assignment]
    features: torch.Tensor = None  # type: ignore[assignment]


class MotionGrammar(LogitsProcessor):
    """After `<Motion>` only codes, then `</Motion>`, with at least `min_codes` and at most `max_codes` codes per row.

    Args:
        vocabulary: which ids are codes.
        prompt_length: tokens before the first code.
        min_codes: int64 (B,).
        max_codes: int64 (B,).
    """

    def __init__(
        self, vocabulary: MotionVocabulary, prompt_length: int, min_codes: torch.Tensor, max_codes: torch.Tensor
    ):
        self.vocabulary, self.prompt_length = vocabulary, prompt_length
        self.min_codes, self.max_codes = min_codes, max_codes

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        first, size = self.vocabulary.offset, self.vocabulary.codebook_size
        count = input_ids.shape[1] - self.prompt_length
        allowed = torch.full_like(scores, -torch.inf)
        beams = scores.shape[0] // self.max_codes.shape[0]
        more = (self.max_codes > count).repeat_interleave(beams)
        enough = (self.min_codes <= count).repeat_interleave(beams)
        codes = scores[:, first : first + size]
        allowed[:, first : first + size] = codes.masked_fill(~more[:, None], -torch.inf)
        end = self.vocabulary.end
        allowed[:, end] = scores[:, end].masked_fill(~enough, -torch.inf)
        return allowed


class TextGrammar(LogitsProcessor):
    """Never a motion token: what captions are made of."""

    def __init__(self, vocabulary: MotionVocabulary):
        self.ids = torch.tensor(vocabulary.ids)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return scores.index_fill(-1, self.ids.to(scores.device), -torch.inf)


class SeededSampling(LogitsProcessor):
    """Turns the arg-max into a random draw (Gumbel-max), with a random stream of its own for every row.

    Unlike `do_sample=True`, a row's draws do not depend on the batch it is in, nor on the global random state.

    Args:
        seed: seed of row 0, and row r draws from `seed + r`; or one seed for each row.
        candidates: ids that can be drawn at all; None for the whole vocabulary.
    """

    def __init__(self, seed: int | Sequence[int], candidates: torch.Tensor | None = None):
        self.seed, self.candidates = seed, candidates
        self.generators: list[torch.Generator] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows, size = scores.shape
        if not self.generators:
            seeds = [self.seed + row for row in range(rows)] if isinstance(self.seed, int) else list(self.seed)
            if len(seeds) != rows:
                raise MotionLLMError(f"{len(seeds)} seeds for {rows} rows; give one seed, or one for each row")
            self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        count = size if self.candidates is None else len(self.candidates)
        uniform = torch.stack([torch.rand(count, generator=generator) for generator in self.generators])
        noise = -(-uniform.clamp_min(1e-20).log()).log()
        noise = noise.to(device=scores.device, dtype=scores.dtype)
        if self.candidates is None:
            return scores + noise
        return scores.index_add(-1, self.candidates.to(scores.device), noise)


def _sampling(
    seed: int | Sequence[int] | None,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    candidates: torch.Tensor | None,
) -> list[LogitsProcessor]:
    """Processors that sample, in the order temperature, top-k, top-p, draw.

    Raises:
        MotionLLMError: a setting out of range.
    """
    if not temperature > 0:
        raise MotionLLMError(f"temperature is {temperature}; give a positive number, or do_sample=False for greedy")
    if top_k is not None and top_k < 1:
        raise MotionLLMError(f"top_k is {top_k}; give at least 1, or leave it out")
    if top_p is not None and not 0 < top_p <= 1:
        raise MotionLLMError(f"top_p is {top_p}; give a number above 0 and up to 1")
    steps: list[LogitsProcessor] = []
    if temperature != 1:
        steps.append(TemperatureLogitsWarper(temperature))
    if top_k is not None:
        steps.append(TopKLogitsWarper(top_k))
    if top_p is not None and top_p < 1:
        steps.append(TopPLogitsWarper(top_p))
    seed = int(torch.randint(2**31, ())) if seed is None else seed
    return [*steps, SeededSampling(seed, candidates)]


class MotionGenerationMixin:
    """`generate_motion` and `generate_caption` for a model with `generate` and `motion_vq`."""

    generate: Any
    config: Any
    device: Any
    motion_vq: Any
    generation_config: Any

    @property
    def motion_vocabulary(self) -> MotionVocabulary:
        """Which token ids are motion."""
        return MotionVocabulary.from_config(self.config)

    @torch.no_grad()
    def generate_motion(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        num_codes: torch.Tensor | int | None = None,
        *,
        min_codes: int = 4,
        max_codes: int = 50,
        do_sample: bool = True,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = 0.9,
        seed: int | Sequence[int] | None = None,
        guidance_scale: float = 1.0,
        **kwargs: Any,
    ) -> MotionGenerationOutput:
        """Motions for prompts that end with `<Motion>`, as `MotionLLMProcessor(text=...)` makes them.

        Args:
            input_ids: (B, S), padded on the left.
            attention_mask: (B, S).
            num_codes: exact length of each motion in codes, (B,) or one number; without it the model ends each motion
                itself, within `min_codes` and `max_codes`.
            do_sample: draw codes at random, or take the likeliest ones.
            temperature, top_k, top_p: shape the distribution that is drawn from.
            seed: row r draws from `seed + r`, or from the r-th of several seeds; the same seed gives the same motion.
                None takes one from torch's global random state.
            guidance_scale: above 1 the motion follows the sentence more closely (classifier-free guidance, see
                `guidance_motionllm.guide`), at the price of a second, sentence-free pass for every code; 1 is none. The
                model must have learnt motions without a sentence for it to help.
            kwargs: passed on to `generate`.

        Returns:
            Codes and raw features; `MotionLLMProcessor.decode_motion` makes `Motion`s of them.

        Raises:
            MotionLLMError: a setting out of range, or prompts that do not end with `<Motion>`.
        """
        vocabulary = self.motion_vocabulary
        input_ids = input_ids.to(self.device)
        rows, prompt_length = input_ids.shape
        guidance_scale = check_guidance_scale(guidance_scale)
        if not bool((input_ids[:, -1] == vocabulary.start).all()):
            raise MotionLLMError("a prompt does not end with <Motion>; make prompts with MotionLLMProcessor(text=...)")
        if num_codes is not None:
            least = torch.as_tensor(num_codes, device=self.device)
            if least.ndim > 1 or least.numel() not in (1, rows):
                raise MotionLLMError(f"num_codes has shape {tuple(least.shape)} for {rows} prompts; give one for each")
            least = least.expand(rows)
            most = least
        else:
            least = torch.full((rows,), min_codes, device=self.device)
            most = torch.full((rows,), max_codes, device=self.device)
        if bool((least < 1).any()) or bool((most < least).any()):
            raise MotionLLMError(f"lengths from {int(least.min())} to {int(most.min())} codes make no motion")
        processors: list[LogitsProcessor] = [MotionGrammar(vocabulary, prompt_length, least, most)]
        if guidance_scale != 1:
            bos = getattr(self.config.text_config, "bos_token_id", None)
            context = unconditional_context(input_ids, attention_mask, vocabulary.start, bos)
            processors.append(ClassifierFreeGuidance(self, context, prompt_length, guidance_scale))
        if do_sample:
            processors += _sampling(seed, temperature, top_k, top_p, torch.tensor(vocabulary.ids))
        sequences = self.generate(
            input_ids=input_ids,
            attention_mask=None if attention_mask is None else attention_mask.to(self.device),
            logits_processor=LogitsProcessorList(processors),
            do_sample=False,
            max_new_tokens=int(most.max()) + 1,
            eos_token_id=vocabulary.end,
            pad_token_id=vocabulary.end,
            **kwargs,
        )
        return self.decode_motion_ids(sequences[:, prompt_length:])

    def decode_motion_ids(self, ids: torch.Tensor) -> MotionGenerationOutput:
        """Generated ids (B, S), each row codes up to the first `</Motion>`, to codes and features.

        Raises:
            MotionLLMError: a row has no code, or something else between the codes.
        """
        vocabulary = self.motion_vocabulary
        ended = (ids == vocabulary.end).cumsum(-1) > 0
        if not bool((vocabulary.is_code(ids) | ended).all()):
            raise MotionLLMError("the generated sequence is no motion: it holds tokens that are not codes")
        if bool(ended.all(-1).any()):
            raise MotionLLMError("a generated motion is empty; ask for at least one code")
        longest = int((~ended).sum(-1).max())
        codes = (ids - vocabulary.offset).masked_fill(ended, -1)[:, :longest]
        mask = codes != -1
        features = self.motion_vq.decode(codes, mask).features
        return MotionGenerationOutput(codes=codes, attention_mask=mask, features=features)

    @torch.no_grad()
    def generate_caption(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        motion: torch.Tensor | None = None,
        motion_attention_mask: torch.Tensor | None = None,
        *,
        max_new_tokens: int = 48,
        do_sample: bool = False,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = 0.9,
        seed: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Captions for motions, as `MotionLLMProcessor(motion=...)` prepares them.

        Args:
            input_ids: (B, S), padded on the left; with `motion`, its code tokens are places for the motion's codes.
            attention_mask: (B, S).
            motion: raw features (B, T, 263); without it `input_ids` holds the codes already.
            motion_attention_mask: (B, T), padded on the right.
            do_sample, temperature, top_k, top_p, seed: as in `generate_motion`.
            kwargs: passed on to `generate`.

        Returns:
            New token ids only, (B, S'); `MotionLLMProcessor.decode_caption` makes sentences of them.

        Raises:
            MotionLLMError: the prompts have not as many places as the motions have codes, or a setting out of range.
        """
        vocabulary = self.motion_vocabulary
        input_ids = input_ids.to(self.device)
        if motion is not None:
            mask = None if motion_attention_mask is None else motion_attention_mask.to(self.device)
            encoded = self.motion_vq.encode(motion.to(self.device), mask)
            places = vocabulary.is_code(input_ids)
            if not torch.equal(places.sum(-1), encoded.attention_mask.sum(-1)):
                raise MotionLLMError("prompts and motions do not fit together; make both with the processor")
            ids = vocabulary.codes_to_ids(encoded.codes[encoded.attention_mask])
            input_ids = input_ids.masked_scatter(places, ids)
        processors: list[LogitsProcessor] = [TextGrammar(vocabulary)]
        if do_sample:
            processors += _sampling(seed, temperature, top_k, top_p, None)
        eos = self.generation_config.eos_token_id
        pad = self.generation_config.pad_token_id
        sequences = self.generate(
            input_ids=input_ids,
            attention_mask=None if attention_mask is None else attention_mask.to(self.device),
            logits_processor=LogitsProcessorList(processors),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            pad_token_id=pad if pad is not None else (eos[0] if isinstance(eos, list) else eos),
            **kwargs,
        )
        return sequences[:, input_ids.shape[1] :]
