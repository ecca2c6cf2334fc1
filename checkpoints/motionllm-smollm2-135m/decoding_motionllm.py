"""Decoding motion codes: what is asked for (`MotionRequest`), and two engines that answer it: `generate` and `fast`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from .errors_motionllm import MotionLLMError
from .fused_llama_motionllm import FusedLlama, fused_llama_obstacle
from .guidance_motionllm import ClassifierFreeGuidance, check_guidance_scale, guide, unconditional_context
from .sampling_motionllm import MotionGrammar, SeededSampling, check_sampling, sampling_steps
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["ENGINES", "MotionRequest", "choose_engine", "decode_fast", "decode_with_generate"]

ENGINES = ("auto", "generate", "fast")


@dataclass
class MotionRequest:
    """Motions to decode: R = B * num_samples rows, all samples of the first prompt first.

    Args:
        input_ids: (B, S) prompts that end with `<Motion>`, padded on the left.
        attention_mask: (B, S), or None for no padding.
        num_codes: exact length in codes, (B,), (R,) or one number; None leaves it to the model.
        min_codes, max_codes: bounds where `num_codes` is None.
        num_samples: motions for each prompt.
        do_sample, temperature, top_k, top_p, seed, guidance_scale: see `generate_motion`.
        vocabulary: which ids are codes.

    Raises:
        MotionLLMError: a setting out of range, or prompts that do not end with `<Motion>`.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None
    num_codes: torch.Tensor | int | None
    min_codes: int
    max_codes: int
    num_samples: int
    do_sample: bool
    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int | Sequence[int] | None
    guidance_scale: float
    vocabulary: MotionVocabulary

    def __post_init__(self) -> None:
        self.guidance_scale = check_guidance_scale(self.guidance_scale)
        if self.do_sample:
            check_sampling(self.temperature, self.top_k, self.top_p)
        if isinstance(self.num_samples, bool) or not isinstance(self.num_samples, int) or self.num_samples < 1:
            raise MotionLLMError(f"num_samples is {self.num_samples}; give 1 or more")
        if self.input_ids.ndim != 2 or 0 in self.input_ids.shape:
            raise MotionLLMError(f"input_ids have shape {tuple(self.input_ids.shape)}; give (prompts, tokens)")
        if not bool((self.input_ids[:, -1] == self.vocabulary.start).all()):
            raise MotionLLMError("a prompt does not end with <Motion>; make prompts with MotionLLMProcessor(text=...)")
        if self.attention_mask is not None:
            if self.attention_mask.shape != self.input_ids.shape:
                raise MotionLLMError(
                    f"attention_mask has shape {tuple(self.attention_mask.shape)}, input_ids "
                    f"{tuple(self.input_ids.shape)}; they must be equal"
                )
            real = self.attention_mask.bool()
            if bool((real[:, :-1] & ~real[:, 1:]).any()) or not bool(real[:, -1].all()):
                raise MotionLLMError("attention_mask has gaps or padding on the right; pad prompts on the left")
        if isinstance(self.seed, Sequence) and len(self.seed) != self.rows:
            raise MotionLLMError(f"{len(self.seed)} seeds for {self.rows} motions; give one seed, or one for each")
        self.least, self.most = self._lengths()

    def _lengths(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Fewest and most codes of each row, int64 (R,)."""
        device, prompts = self.input_ids.device, self.input_ids.shape[0]
        if self.num_codes is None:
            least = torch.full((self.rows,), self.min_codes, device=device)
            most = torch.full((self.rows,), self.max_codes, device=device)
        else:
            least = torch.as_tensor(self.num_codes, device=device)
            if least.ndim > 1 or least.numel() not in (1, prompts, self.rows):
                raise MotionLLMError(
                    f"num_codes has shape {tuple(least.shape)} for {prompts} prompts; give one for each"
                )
            each = self.num_samples if least.numel() == prompts else 1
            least = least.reshape(-1).repeat_interleave(each).expand(self.rows)
            most = least
        if bool((least < 1).any()) or bool((most < least).any()):
            raise MotionLLMError(f"lengths from {int(least.min())} to {int(most.min())} codes make no motion")
        return least, most

    @property
    def rows(self) -> int:
        return self.input_ids.shape[0] * self.num_samples

    @property
    def longest(self) -> int:
        """Tokens of the prompts, the longest motion and its end."""
        return self.input_ids.shape[1] + int(self.most.max()) + 1

    def sampling(self, candidates: torch.Tensor | None) -> list[LogitsProcessor]:
        """The processors that draw, if any; `candidates` as in `SeededSampling`."""
        if not self.do_sample:
            return []
        return sampling_steps(self.seed, self.temperature, self.top_k, self.top_p, candidates)

    def without_sentence(self, config: Any) -> torch.Tensor:
        """Ids of the unconditional context, see `unconditional_context`."""
        bos = getattr(config.text_config, "bos_token_id", None)
        return unconditional_context(self.input_ids, self.attention_mask, self.vocabulary.start, bos)


def choose_engine(engine: str, model: Any, request: MotionRequest, options: dict[str, Any]) -> str:
    """`fast` or `generate`; `auto` takes the fast one wherever it gives the same motions.

    Args:
        engine: one of `ENGINES`.
        model: the composite model.
        request: what to decode.
        options: further arguments for `generate`.

    Raises:
        MotionLLMError: unknown engine, or `fast` and this model or these options do not fit together.
    """
    if engine not in ENGINES:
        raise MotionLLMError(f"there is no engine '{engine}'; choose from {', '.join(ENGINES)}")
    if engine == "generate":
        return engine
    obstacle: str | None
    if options:
        obstacle = f"{', '.join(sorted(options))} can only be given to `generate`"
    else:
        obstacle = fused_llama_obstacle(model.language_model, request.vocabulary.motion_ids, request.longest)
    if obstacle is None:
        return "fast"
    if engine == "fast":
        raise MotionLLMError(f"the fast decoder cannot be used here: {obstacle}; engine='generate' can")
    return "generate"


def decode_with_generate(model: Any, request: MotionRequest, **options: Any) -> torch.Tensor:
    """Token ids (R, L) of the motions, each codes and then `</Motion>`, by `generate` of transformers.

    Args:
        model: the composite model.
        request: what to decode.
        options: further arguments of `generate`.
    """
    vocabulary, prompt_length = request.vocabulary, request.input_ids.shape[1]
    processors: list[LogitsProcessor] = [MotionGrammar(vocabulary, prompt_length, request.least, request.most)]
    if request.guidance_scale != 1:
        context = request.without_sentence(model.config)
        processors.append(ClassifierFreeGuidance(model, context, prompt_length, request.guidance_scale))
    processors += request.sampling(torch.tensor(vocabulary.motion_ids))
    mask, each = request.attention_mask, request.num_samples
    sequences = model.generate(
        input_ids=request.input_ids.repeat_interleave(each, dim=0),
        attention_mask=None if mask is None else mask.repeat_interleave(each, dim=0),
        logits_processor=LogitsProcessorList(processors),
        do_sample=False,
        max_new_tokens=int(request.most.max()) + 1,
        eos_token_id=vocabulary.end,
        pad_token_id=vocabulary.end,
        **options,
    )
    return sequences[:, prompt_length:]


@torch.inference_mode()
def decode_fast(model: Any, request: MotionRequest) -> Iterator[torch.Tensor]:
    """The same motions step by step, by `FusedLlama`: int64 (R,) token ids, `</Motion>` where a motion has ended.

    Prompts are read once, whatever the number of samples. A motion that has ended leaves the batch.
    """
    vocabulary = request.vocabulary
    ids = vocabulary.motion_ids
    network = FusedLlama(model.language_model, ids)
    device, length, guided = network.ids.device, request.input_ids.shape[1], request.guidance_scale != 1
    # Scores have a column for each of `ids`; grammar and sampling work on these as on a vocabulary of its own.
    columns = MotionVocabulary(start=0, end=1, offset=2, codebook_size=vocabulary.codebook_size)
    grammar = MotionGrammar(columns, 0, request.least, request.most)
    steps = request.sampling(None)

    cache = network.new_cache(request.rows, 1 + guided, request.longest)
    mask = request.attention_mask
    prompt_pads = torch.zeros_like(request.input_ids[:, 0]) if mask is None else length - mask.long().sum(-1)
    pads = prompt_pads.repeat_interleave(request.num_samples)[:, None]
    scores = network.prefill(request.input_ids, prompt_pads, cache, copies=request.num_samples)[:, None]
    if guided:
        context = request.without_sentence(model.config)[None]
        none = torch.zeros_like(context[:, 0])
        bare = network.prefill(context, none, cache, copies=request.rows, context=1, end=length)[:, None]
        scores = torch.cat([scores, bare], dim=1)
        pads = torch.cat([pads, torch.full_like(pads, length - context.shape[1])], dim=1)
    places = torch.arange(request.longest, device=device)
    real = places >= pads[..., None] if bool(pads.any()) else None

    written = torch.full((request.rows, int(request.most.max()) + 1), columns.end, device=device)
    order = torch.arange(request.rows, device=device)  # which row of the request stands where
    for count in range(written.shape[1]):
        history = written[order, :count]
        chosen = grammar(history, scores[:, 0])
        if guided:
            chosen = guide(chosen, scores[:, 1], request.guidance_scale)
        for step in steps:
            chosen = step(history, chosen)
        picked = chosen.argmax(-1)
        written[order, count] = picked
        yield network.ids[written[:, count]]
        # After the last code there is nothing to choose: the end need not be decoded.
        alive = (picked != columns.end) & (grammar.max_codes > count + 1)
        if not bool(alive.all()):
            if not bool(alive.any()):
                return
            kept = cache.keep(alive)
            order, picked, pads = order[kept], picked[kept], pads[kept]
            real = None if real is None else real[kept]
            grammar.keep(kept)
            for step in steps:
                if isinstance(step, SeededSampling):
                    step.keep(kept)
        tokens = network.ids[picked].repeat_interleave(1 + guided)
        seen = None if real is None else real.flatten(0, 1)
        scores = network.step(tokens, length + count, pads.flatten(), cache, seen).unflatten(0, (-1, 1 + guided))
