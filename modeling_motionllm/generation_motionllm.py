"""`MotionGenerationMixin`: motions and scenes from sentences, whole or as a stream, and captions of motions."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, PreTrainedModel

from .candidates_motionllm import best_captions, caption_log_likelihood
from .configuration_motionllm import MotionLLMConfig
from .decoding_motionllm import (
    FusedDecoder,
    MotionEngine,
    MotionRequest,
    generated_codes,
)
from .errors_motionllm import MotionLLMError
from .int8_llama_motionllm import Int8Llama
from .modeling_motion_vq import MotionVQModel
from .output_motionllm import MotionGenerationOutput
from .people_turns_motionllm import tell_people_turns
from .processing_motionllm import MotionLLMProcessor
from .prompts_motionllm import pad_right
from .sampling_motionllm import TextGrammar, candidate_seeds, row_seeds, sampling_steps
from .scene_motionllm import Scene
from .settings_motionllm import CaptionSettings, MotionSettings, check_generate_options
from .streaming_motionllm import code_steps, one_person, request_steps, stream_features
from .turns_motionllm import TurnsRequest, stream_turns, tell_turns
from .vocabulary_motionllm import MotionVocabulary
from .writing_motionllm import write_tokens

__all__ = ["MotionGenerationMixin", "MotionGenerationOutput"]


class MotionGenerationMixin:
    """`generate_motion` and `generate_caption` for a model with `generate` and `motion_vq`."""

    generate: Callable[..., torch.Tensor]
    config: MotionLLMConfig
    device: torch.device
    language_model: PreTrainedModel
    motion_vq: MotionVQModel
    generation_config: GenerationConfig
    label_log_likelihood: Callable[..., torch.Tensor]

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
        num_people: torch.Tensor | int = 1,
        motion: torch.Tensor | None = None,
        placement_bins: torch.Tensor | None = None,
        parts: torch.Tensor | None = None,
        turns: torch.Tensor | None = None,
        *,
        generation_config: GenerationConfig | None = None,
        processor: MotionLLMProcessor | None = None,
        seed: int | Sequence[int] | None = None,
        engine: str | MotionEngine = "auto",
        **settings: Any,
    ) -> MotionGenerationOutput:
        """Motions of one or several people, for prompts as `MotionLLMProcessor(text=...)` makes them.

        Person 1 comes from the sentence; every other one from the sentence, the people before it, and a place that the
        model chooses first. A model that tells parts then says in words what this person does, and makes that motion.
        All people of a scene move equally long. With `turns` one thing is done after another, see `tell_turns` and, of
        several people, `tell_people_turns`; candidates are then judged turn by turn.

        Args:
            input_ids: (B, S), padded on the left, ending with `<Motion>`, before it where parts are to be told, or with
                codes to go on from.
            attention_mask: (B, S).
            num_codes: exact length in codes, (B,) or one number; without it the model ends each motion itself, and
                person 1 decides for all. With turns (B, N), of each turn.
            num_people: people of each scene, (B,) or one number.
            motion: raw features (G, T, D) of the first G people, who are given and the same in every scene; the others
                react to them.
            placement_bins: int64 (G, 3), where these start; the first is not looked at.
            parts: int64 (B, P, S) ids of what each person does, -1 where padded; without it the model says it, and
                where there are candidates chooses of several for people who are given.
            turns: int64 (B, N - 1, S) prompts of the turns after the first, -1 where padded or where a motion has
                fewer.
            generation_config: drawing settings to use instead of the checkpoint's.
            processor: the model's processor, needed for more than one candidate, and for several people in turns. The
                model's captioning judges: of the motions that are drawn for a person, the one is kept under which its
                part, or the sentence of a scene of one, is likeliest, and that runs into nobody. Without a processor
                there is one candidate, unless the call asks for more.
            seed: row r draws from `seed + r`, or from the r-th of R seeds; the same seed gives the same motion. None
                takes one from torch's global random state.
            engine: `fast` decodes with `FusedLlama`, `generate` with transformers, `auto` takes the fast one where it
                can: Llama-type language models, in eval mode, without an unmerged adapter and without options of
                `generate`. Both give the same codes in float32; in bfloat16 near ties may fall otherwise. Or a
                `MotionEngine`, such as `int8_engine()`.
            settings: instead of the checkpoint's: `do_sample`, `temperature`, `top_k`, `top_p`, `guidance_scale`,
                `num_return_sequences`, `num_candidates` and what else `MotionSettings` has; and options of `generate`
                of transformers, such as `num_beams`.

        Returns:
            R = B * num_return_sequences motions, all of the first prompt first; `MotionLLMProcessor.decode_motion`
            makes `Motion`s of them.

        Raises:
            MotionLLMError: a setting out of range, prompts that do not end as they have to, several people of a model
                without placement tokens, more people given than asked for, an argument of `generate` that cannot be
                passed on, or `engine="fast"` where it cannot be used.
        """
        asked = {"num_candidates", "people_candidates"} & settings.keys()
        drawing = MotionSettings.of(generation_config or self.generation_config, settings)
        check_generate_options(settings)
        each = drawing.num_return_sequences
        people = _each(num_people, len(input_ids), each, "num_people")
        if int(people.min()) < 1:
            raise MotionLLMError(f"num_people is {int(people.min())}; give 1 or more")
        several = int(people.max()) > 1
        vocabulary = self.motion_vocabulary
        if several and vocabulary.placement is None:
            raise MotionLLMError("this model has no placement tokens, so it makes one person at a time")
        ends_told = bool(vocabulary.is_inside(input_ids[:, -1]).all()) if input_ids.ndim == 2 else True
        if not several and not ends_told:
            raise MotionLLMError("a prompt does not end with <Motion>; make prompts with MotionLLMProcessor(text=...)")
        if parts is not None and ends_told:
            raise MotionLLMError("the prompts end with <Motion>, so no parts can follow; make both with the processor")
        if several:
            drawing = replace(drawing, num_candidates=drawing.people_candidates)
        if processor is None:
            if asked and drawing.num_candidates > 1:
                raise MotionLLMError(
                    f"num_candidates is {drawing.num_candidates}; give processor=, which candidates are judged with"
                )
            drawing = replace(drawing, num_candidates=1)
        # Scenes without parts are judged whole, by their sentence.
        whole = drawing.num_candidates if several and ends_told else 1
        seeds = row_seeds(0 if seed is None and not drawing.do_sample else seed, len(people))
        if turns is not None:
            if motion is not None or parts is not None:
                raise MotionLLMError("motion and parts are for scenes of one sentence; leave them or turns out")
            codes = None if num_codes is None else torch.as_tensor(num_codes)
            request = TurnsRequest(
                input_ids.to(self.device), attention_mask, turns, codes, each, seeds, drawing, engine, settings
            )
            if not several:
                return tell_turns(self, request, processor if drawing.num_candidates > 1 else None)
            if processor is None:
                raise MotionLLMError("several people in turns need processor=, which reads what each of them does")
            return tell_people_turns(self, request, people, processor)
        lengths = None if num_codes is None else _each(num_codes, len(input_ids), each, "num_codes")
        scene = Scene(
            self, input_ids.to(self.device), attention_mask,
            copies=each * whole,
            people=people.repeat_interleave(whole),
            lengths=None if lengths is None else lengths.repeat_interleave(whole),
            seeds=candidate_seeds(seeds, whole),
            settings=drawing,
            engine=engine,
            options=settings,
            judge=processor if drawing.num_candidates > 1 and whole == 1 else None,
        )  # fmt: skip
        given = [] if motion is None else self._given(motion, placement_bins, int(people.min()))
        told = None
        if parts is not None:
            told = [[[int(i) for i in part if i != -1] for part in row] for row in parts.tolist() for _ in range(each)]
        output = scene.tell(given, told)
        if whole == 1 or processor is None:
            return output
        captions = [
            processor.prompt_caption(prompt, int(count))
            for prompt, count in zip(scene.prompts, scene.people, strict=True)
        ]
        likelihood = caption_log_likelihood(self, processor, captions, output).reshape(len(seeds), whole)
        return output.select(torch.arange(len(seeds)) * whole + likelihood.argmax(-1))

    def generate_people(self, *args: Any, **kwargs: Any) -> MotionGenerationOutput:
        """`generate_motion`, under its earlier name for scenes; it goes with the next release."""
        warnings.warn("generate_people is generate_motion now", FutureWarning, stacklevel=2)
        return self.generate_motion(*args, **kwargs)

    def _given(
        self, motion: torch.Tensor, placement_bins: torch.Tensor | None, fewest: int
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Codes (1, L) and placement bins (3,) of each given person."""
        if len(motion) >= fewest:
            raise MotionLLMError(f"{len(motion)} people are given for a scene of {fewest}; give fewer, or ask for more")
        if placement_bins is None:
            placement_bins = torch.zeros(len(motion), 3, dtype=torch.long)
            if len(motion) > 1:
                raise MotionLLMError("several people are given without placement_bins; use the processor's given=...")
        codes = self.motion_vq.encode(motion.to(self.device)).codes.cpu()
        return [(codes[person : person + 1], placement_bins[person]) for person in range(len(motion))]

    def stream_motion(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        num_codes: torch.Tensor | int | None = None,
        turns: torch.Tensor | None = None,
        *,
        chunk_codes: int = 5,
        generation_config: GenerationConfig | None = None,
        seed: int | Sequence[int] | None = None,
        engine: str | MotionEngine = "auto",
        **settings: Any,
    ) -> Iterator[MotionGenerationOutput]:
        """The motions of `generate_motion` in chunks, while their codes are decoded; of one person each.

        Chunks joined along time are what `generate_motion` gives with the same arguments. The first one comes after
        `chunk_codes + motion_config.decoder_context` codes: a frame depends on that many codes after it. With `turns`
        neither memory nor the time between chunks grows with the motion, however long it is.

        Args:
            chunk_codes: codes of a chunk (5 are one second); the last chunk has the rest.
            others: as in `generate_motion`; there is one candidate.

        Returns:
            Iterator of outputs with `codes` (R, 1, n), `attention_mask` (R, 1, n), `features` (R, 1, n *
            frames_per_code, D) and `unknown` (R,), the same in each; with turns `unknown` is of the turns that are
            done, and so are `segment_ends` (R, N), in codes from the beginning of the motion. Closing it ends the
            decoding.

        Raises:
            MotionLLMError: as `generate_motion`, before the first chunk is asked for.
        """
        if isinstance(chunk_codes, bool) or not isinstance(chunk_codes, int) or chunk_codes < 1:
            raise MotionLLMError(f"chunk_codes is {chunk_codes}; give 1 or more")
        if "num_people" in settings:
            raise MotionLLMError("stream_motion shows one person; make scenes with generate_motion")
        if settings.get("num_candidates", 1) != 1:
            raise MotionLLMError("a stream shows a motion while it is made, num_candidates chooses after it")
        drawing = MotionSettings.of(generation_config or self.generation_config, settings)
        check_generate_options(settings)
        each, mask = drawing.num_return_sequences, attention_mask
        seeds = row_seeds(0 if seed is None and not drawing.do_sample else seed, len(input_ids) * each)
        if turns is not None:
            codes = None if num_codes is None else torch.as_tensor(num_codes)
            asked = TurnsRequest(input_ids.to(self.device), mask, turns, codes, each, seeds, drawing, engine, settings)
            return stream_turns(self, asked, chunk_codes)
        request = MotionRequest(
            input_ids.to(self.device),
            None if mask is None else mask.to(self.device),
            num_codes,
            drawing,
            seeds,
            self.motion_vocabulary,
            each,
        )
        steps = request_steps(self, request, engine, settings)
        return self._chunks(steps, chunk_codes, request)

    def _chunks(
        self, steps: Iterator[torch.Tensor], chunk_codes: int, request: MotionRequest
    ) -> Iterator[MotionGenerationOutput]:
        vocabulary = self.motion_vocabulary
        for codes, mask, features in stream_features(self.motion_vq, code_steps(steps, vocabulary), chunk_codes):
            unknown = None if request.unknown is None else request.unknown.clone().cpu()
            yield one_person(codes, mask, features, unknown)

    def int8_engine(self) -> MotionEngine:
        """The fast decoder with int8 weights, for `engine`: faster on the CPU, and not quite the same (`Int8Llama`).

        Keep it for all motions: it rounds the weights of the model as they are now.

        Raises:
            MotionLLMError: the fast decoder cannot be used, or the model is not on the CPU.
        """
        network = Int8Llama(self.language_model, self.motion_vocabulary.motion_ids)
        return partial(FusedDecoder, network)

    def decode_motion_ids(self, ids: torch.Tensor) -> MotionGenerationOutput:
        """Generated ids (R, S) of single people, each row codes up to the first `</Motion>`, to codes and features.

        Raises:
            MotionLLMError: a row has no code, or something else between the codes.
        """
        return MotionGenerationOutput.of_codes(self.motion_vq, generated_codes(ids, self.motion_vocabulary)[:, None])

    @torch.no_grad()
    def generate_caption(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        motion: torch.Tensor | None = None,
        motion_attention_mask: torch.Tensor | None = None,
        *,
        generation_config: GenerationConfig | None = None,
        processor: MotionLLMProcessor | None = None,
        seed: int | Sequence[int] | None = None,
        **settings: Any,
    ) -> torch.Tensor:
        """Captions for motions, as `MotionLLMProcessor(motion=...)` prepares them.

        Args:
            input_ids: (B, S), padded on the left; with `motion`, its code tokens are places for the motion's codes.
            attention_mask: (B, S).
            motion: raw features (N, T, D), one row for each person, prompt by prompt; without it `input_ids` holds the
                codes already.
            motion_attention_mask: (N, T), padded on the right.
            generation_config: settings to use instead of the checkpoint's.
            processor: the model's processor, needed for more than one candidate. The candidates are the greedy caption
                and others that are drawn; the model's text-to-motion task judges, see `best_captions`.
            seed: row r draws from `seed + r`, or from the r-th of R seeds.
            settings: instead of the checkpoint's: `num_candidates`, `num_return_sequences`, `max_new_tokens`,
                `do_sample` (False unless told), `temperature`, `top_k`, `top_p`; and options of `generate` of
                transformers.

        Returns:
            New token ids only, (R, S'), R = B * num_return_sequences; `MotionLLMProcessor.decode_caption` makes
            sentences of them.

        Raises:
            MotionLLMError: the prompts have not as many places as the motions have codes, a setting out of range, or
                several candidates without a processor.
        """
        drawn = {"do_sample", "num_return_sequences"} & settings.keys()
        options = CaptionSettings.of(generation_config or self.generation_config, settings)
        check_generate_options(settings)
        ids = input_ids.to(self.device)
        if motion is not None:
            ids = self.fill_in_codes(ids, motion, motion_attention_mask)
        each = options.num_return_sequences
        if options.num_candidates == 1:
            seeds = row_seeds(seed, len(ids) * each) if options.do_sample else None
            return self._captions(ids, attention_mask, each, options, seeds, settings)
        if drawn:
            raise MotionLLMError(
                "num_candidates takes the greedy caption and draws the others, and keeps one; leave "
                f"{' and '.join(sorted(drawn))} out"
            )
        if processor is None:
            raise MotionLLMError(
                f"num_candidates is {options.num_candidates}; give processor=, which candidates are judged with"
            )
        others = options.num_candidates - 1
        greedy = self._captions(ids, attention_mask, 1, options, None, settings)
        seeds = candidate_seeds(row_seeds(seed, len(ids)), others)
        more = self._captions(ids, attention_mask, others, options, seeds, settings)
        rows = [[own, *more[others * row :][:others]] for row, own in enumerate(greedy)]
        texts = [processor.decode_caption(some) for some in rows]
        # The same sentence is judged once.
        unique = [list(dict.fromkeys(some)) for some in texts]
        chosen = best_captions(self, processor, ids.tolist(), unique)
        pad = self._caption_pad()
        kept = [
            own[some.index(different[place])].tolist()
            for own, some, different, place in zip(rows, texts, unique, chosen, strict=True)
        ]
        return pad_right(kept, pad).to(self.device)

    def _caption_pad(self) -> int:
        eos, pad = self.generation_config.eos_token_id, self.generation_config.pad_token_id
        return pad if pad is not None else (eos[0] if isinstance(eos, list) else eos)

    def _captions(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor | None,
        each: int,
        settings: CaptionSettings,
        seeds: Sequence[int] | None,
        options: dict[str, Any],
    ) -> torch.Tensor:
        """New ids (B * each, S') for prompts (B, S): drawn from `seeds`, or greedy without."""
        processors: list[LogitsProcessor] = [TextGrammar(self.motion_vocabulary)]
        if seeds is not None:
            processors += sampling_steps(seeds, settings.temperature, settings.top_k, settings.top_p, None)
        return write_tokens(
            self,
            ids,
            None if mask is None else mask.to(self.device),
            processors,
            max_new_tokens=settings.max_new_tokens,
            pad_token_id=self._caption_pad(),
            copies=each,
            options=options,
        )

    @torch.no_grad()
    def fill_in_codes(
        self, input_ids: torch.Tensor, motion: torch.Tensor, motion_attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Prompts with the codes of their motions in place of the place-holders.

        Args:
            input_ids: int64 (B, S) of `processor(motion=...)`.
            motion: float32 (R, T, 263) raw features, one row for each person of each prompt, in their order.
            motion_attention_mask: bool (R, T), False where padded; nothing is padded by default.

        Returns:
            int64 (B, S).

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


def _each(value: torch.Tensor | int, prompts: int, copies: int, name: str) -> torch.Tensor:
    """int64 (R,) of one number, one for each prompt, or one for each of R = prompts * copies rows."""
    values = torch.as_tensor(value).cpu().long().reshape(-1)
    if values.numel() not in (1, prompts, prompts * copies):
        raise MotionLLMError(f"{name} has {values.numel()} values for {prompts} prompts; give one, or one for each")
    if values.numel() in (1, prompts):
        values = values.expand(prompts).repeat_interleave(copies)
    return values
