"""`MotionGenerationMixin`: text-to-motion, whole or as a stream, and captioning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.utils import ModelOutput

from .decoding_motionllm import (
    FusedDecoder,
    MotionEngine,
    MotionRequest,
    choose_decoder,
    decode_steps,
    decode_with_generate,
)
from .errors_motionllm import MotionLLMError
from .int8_llama_motionllm import Int8Llama
from .sampling_motionllm import TextGrammar, sampling_steps
from .streaming_motionllm import stream_features, stream_generate
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["MotionGenerationMixin", "MotionGenerationOutput"]


@dataclass
class MotionGenerationOutput(ModelOutput):
    """Args:
    codes: int64 (R, L), -1 where padded; R motions, all samples of the first prompt first.
    attention_mask: bool (R, L), True where a code is real.
    features: (R, L * frames_per_code, 263) raw features, 0 where padded.
    """

    codes: torch.Tensor = None  # type: ignore[assignment]
    attention_mask: torch.Tensor = None  # type: ignore[assignment]
    features: torch.Tensor = None  # type: ignore[assignment]


class MotionGenerationMixin:
    """`generate_motion` and `generate_caption` for a model with `generate` and `motion_vq`."""

    generate: Any
    config: Any
    device: Any
    language_model: Any
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
        num_samples: int = 1,
        do_sample: bool = True,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = 0.9,
        seed: int | Sequence[int] | None = None,
        guidance_scale: float = 1.0,
        repeat_penalty: float = 0.0,
        engine: str | MotionEngine = "auto",
        **kwargs: Any,
    ) -> MotionGenerationOutput:
        """Motions for prompts that end with `<Motion>`, as `MotionLLMProcessor(text=...)` makes them.

        Args:
            input_ids: (B, S), padded on the left.
            attention_mask: (B, S).
            num_codes: exact length of each motion in codes, (B,) or one number; without it the model ends each motion
                itself, within `min_codes` and `max_codes`.
            num_samples: motions for each prompt, R = B * num_samples rows, all samples of the first prompt first.
            do_sample: draw codes at random, or take the likeliest ones.
            temperature, top_k, top_p: shape the distribution that is drawn from.
            seed: row r draws from `seed + r`, or from the r-th of R seeds; the same seed gives the same motion. None
                takes one from torch's global random state.
            guidance_scale: above 1 the motion follows the sentence more closely (classifier-free guidance, see
                `guidance_motionllm.guide`), at the price of a second, sentence-free context for every motion; 1 is
                none. The model must have learnt motions without a sentence for it to help.
            repeat_penalty: taken off the logit of the code that was written last, against people who never stop
                waiting; 0 is none, 2 is much. (transformers' `repetition_penalty` concerns all earlier tokens.)
            engine: `fast` decodes with `FusedLlama`, `generate` with transformers, `auto` takes the fast one where it
                can: Llama-type language models, in eval mode, without an unmerged adapter and without `kwargs`. Both
                give the same codes in float32; in bfloat16 near ties may fall otherwise. Or a `MotionEngine`, such
                as `int8_engine()`.
            kwargs: passed on to `generate`.

        Returns:
            Codes and raw features; `MotionLLMProcessor.decode_motion` makes `Motion`s of them.

        Raises:
            MotionLLMError: a setting out of range, prompts that do not end with `<Motion>`, or `engine="fast"` where it
                cannot be used.
        """
        request = self._motion_request(
            input_ids, attention_mask, num_codes,
            min_codes=min_codes, max_codes=max_codes, num_samples=num_samples, do_sample=do_sample,
            temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, guidance_scale=guidance_scale,
            repeat_penalty=repeat_penalty,
        )  # fmt: skip
        decoder = choose_decoder(engine, self, request, kwargs)
        if decoder is not None:
            return self.decode_motion_ids(torch.stack(list(decode_steps(self, request, decoder)), dim=1))
        return self.decode_motion_ids(decode_with_generate(self, request, **kwargs))

    def stream_motion(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        num_codes: torch.Tensor | int | None = None,
        *,
        chunk_codes: int = 5,
        min_codes: int = 4,
        max_codes: int = 50,
        num_samples: int = 1,
        do_sample: bool = True,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = 0.9,
        seed: int | Sequence[int] | None = None,
        guidance_scale: float = 1.0,
        repeat_penalty: float = 0.0,
        engine: str | MotionEngine = "auto",
        **kwargs: Any,
    ) -> Iterator[MotionGenerationOutput]:
        """The motions of `generate_motion` in chunks, while their codes are decoded.

        Chunks joined along time are what `generate_motion` gives with the same arguments. The first one comes after
        `chunk_codes + motion_config.decoder_context` codes: a frame depends on that many codes after it.

        Args:
            chunk_codes: codes of a chunk (5 are one second); the last chunk has the rest.
            others: as in `generate_motion`.

        Returns:
            Iterator of outputs with `codes` (R, n), `attention_mask` (R, n) and `features` (R, n * frames_per_code,
            263); closing it ends the decoding.

        Raises:
            MotionLLMError: as `generate_motion`, before the first chunk is asked for.
        """
        if isinstance(chunk_codes, bool) or not isinstance(chunk_codes, int) or chunk_codes < 1:
            raise MotionLLMError(f"chunk_codes is {chunk_codes}; give 1 or more")
        request = self._motion_request(
            input_ids, attention_mask, num_codes,
            min_codes=min_codes, max_codes=max_codes, num_samples=num_samples, do_sample=do_sample,
            temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, guidance_scale=guidance_scale,
            repeat_penalty=repeat_penalty,
        )  # fmt: skip
        decoder = choose_decoder(engine, self, request, kwargs)
        steps = decode_steps(self, request, decoder) if decoder else stream_generate(self, request, **kwargs)
        return self._chunks(steps, chunk_codes)

    @torch.no_grad()
    def _chunks(self, steps: Iterator[torch.Tensor], chunk_codes: int) -> Iterator[MotionGenerationOutput]:
        for codes, mask, features in stream_features(self.motion_vq, steps, self.motion_vocabulary, chunk_codes):
            yield MotionGenerationOutput(codes=codes, attention_mask=mask, features=features)

    def _motion_request(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        num_codes: torch.Tensor | int | None,
        **settings: Any,
    ) -> MotionRequest:
        mask = None if attention_mask is None else attention_mask.to(self.device)
        return MotionRequest(input_ids.to(self.device), mask, num_codes, vocabulary=self.motion_vocabulary, **settings)

    def int8_engine(self) -> MotionEngine:
        """The fast decoder with int8 weights, for `engine`: faster on the CPU, and not quite the same (`Int8Llama`).

        Keep it for all motions: it rounds the weights of the model as they are now.

        Raises:
            MotionLLMError: the fast decoder cannot be used, or the model is not on the CPU.
        """
        network = Int8Llama(self.language_model, self.motion_vocabulary.motion_ids)
        return partial(FusedDecoder, network)

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
            motion: raw features (N, T, 263), one row for each person, prompt by prompt; without it `input_ids` holds
                the codes already.
            motion_attention_mask: (N, T), padded on the right.
            do_sample, temperature, top_k, top_p, seed: as in `generate_motion`.
            kwargs: passed on to `generate`.

        Returns:
            New token ids only, (B, S'); `MotionLLMProcessor.decode_caption` makes sentences of them.

        Raises:
            MotionLLMError: the prompts have not as many places as the motions have codes, or a setting out of range.
        """
        input_ids = input_ids.to(self.device)
        if motion is not None:
            input_ids = self.fill_in_codes(input_ids, motion, motion_attention_mask)
        processors: list[LogitsProcessor] = [TextGrammar(self.motion_vocabulary)]
        if do_sample:
            processors += sampling_steps(seed, temperature, top_k, top_p, None)
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

    @torch.no_grad()
    def fill_in_codes(
        self, input_ids: torch.Tensor, motion: torch.Tensor, motion_attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Prompts (B, S) whose places for codes hold the codes of their motions; arguments as `generate_caption`.

        Raises:
            MotionLLMError: the prompts have not as many places as the motions have codes.
        """
        vocabulary, input_ids = self.motion_vocabulary, input_ids.to(self.device)
        mask = None if motion_attention_mask is None else motion_attention_mask.to(self.device)
        encoded = self.motion_vq.encode(motion.to(self.device), mask)
        places = vocabulary.is_code(input_ids)
        # A scene has a row of `motion` for each of its people, and the codes of all in its prompt, in that order.
        held = (input_ids == vocabulary.start).sum(-1)
        fits = int(held.sum()) == len(motion)
        if fits:
            prompt = torch.arange(len(held), device=held.device).repeat_interleave(held)
            lengths = encoded.attention_mask.sum(-1)
            fits = torch.equal(places.sum(-1), torch.zeros_like(held).index_add(0, prompt, lengths))
        if not fits:
            raise MotionLLMError("prompts and motions do not fit together; make both with the processor")
        ids = vocabulary.codes_to_ids(encoded.codes[encoded.attention_mask])
        return input_ids.masked_scatter(places, ids)
