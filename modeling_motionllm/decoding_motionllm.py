"""Decoding motion codes: what is asked for (`MotionRequest`), and what answers: `generate`, or a `MotionDecoder`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedModel

from .configuration_motionllm import MotionLLMConfig
from .errors_motionllm import MotionLLMError
from .fused_llama_motionllm import FusedCache, FusedLlama, fused_llama_obstacle
from .guidance_motionllm import ClassifierFreeGuidance, guide, unconditional_context
from .modeling_motion_vq import MotionVQModel
from .prompt_memory_motionllm import PromptMemory
from .prompts_motionllm import pad_left
from .sampling_motionllm import MotionGrammar, OwnRepeats, SeededSampling, TypicalLength, sampling_steps
from .settings_motionllm import PLAIN_DECODING, MotionSettings
from .vocabulary_motionllm import MotionVocabulary

__all__ = [
    "ENGINES",
    "FusedDecoder",
    "MotionDecoder",
    "MotionEngine",
    "MotionModel",
    "MotionRequest",
    "check_prompts",
    "choose_decoder",
    "decode_codes",
    "decode_steps",
    "decode_with_generate",
    "generated_codes",
    "read_prompts",
]

ENGINES = ("auto", "generate", "fast")


class MotionModel(Protocol):
    """What decoding needs of the composite model."""

    config: MotionLLMConfig
    generation_config: GenerationConfig
    language_model: PreTrainedModel
    motion_vq: MotionVQModel

    @property
    def device(self) -> torch.device: ...
    @property
    def motion_vocabulary(self) -> MotionVocabulary: ...
    def generate(self, *args: Any, **kwargs: Any) -> torch.Tensor: ...
    def label_log_likelihood(
        self, input_ids: torch.Tensor, labels: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor: ...


def check_prompts(input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
    """Make sure that prompts are (B, S) ids, padded on the left.

    Raises:
        MotionLLMError: they are not.
    """
    if input_ids.ndim != 2 or 0 in input_ids.shape:
        raise MotionLLMError(f"input_ids have shape {tuple(input_ids.shape)}; give (prompts, tokens)")
    if attention_mask is None:
        return
    if attention_mask.shape != input_ids.shape:
        raise MotionLLMError(
            f"attention_mask has shape {tuple(attention_mask.shape)}, input_ids {tuple(input_ids.shape)}; they must be "
            "equal"
        )
    real = attention_mask.bool()
    if bool((real[:, :-1] & ~real[:, 1:]).any()) or not bool(real[:, -1].all()):
        raise MotionLLMError("attention_mask has gaps or padding on the right; pad prompts on the left")


@dataclass
class MotionRequest:
    """Motions of one person to decode: R = B * copies rows, all copies of the first prompt first.

    Args:
        input_ids: (B, S) prompts that end with `<Motion>`, or with codes to go on from, padded on the left.
        attention_mask: (B, S), or None for no padding.
        num_codes: exact length in codes, (B,), (R,) or one number; None leaves it to the model.
        settings: how to draw.
        seeds: of the R rows.
        vocabulary: which ids are codes.
        copies: motions for each prompt.
        turns: the codes in a prompt are of the same motion, earlier turns of it (see `unconditional_context`).
        memory: of what was read of shorter prompts that these go on from; decoders may leave it alone.

    Decoding fills in `unknown` with its first step: float32 (R,), as in `MotionGenerationOutput`.

    Raises:
        MotionLLMError: lengths out of range, or prompts that do not end with `<Motion>`.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None
    num_codes: torch.Tensor | int | None
    settings: MotionSettings
    seeds: Sequence[int]
    vocabulary: MotionVocabulary
    copies: int = 1
    turns: bool = False
    memory: PromptMemory | None = None
    unknown: torch.Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        check_prompts(self.input_ids, self.attention_mask)
        if not bool(self.vocabulary.is_inside(self.input_ids[:, -1]).all()):
            raise MotionLLMError("a prompt does not end with <Motion>; make prompts with MotionLLMProcessor(text=...)")
        self.least, self.most = self._lengths()

    def _lengths(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Fewest and most codes of each row, int64 (R,)."""
        device, prompts = self.input_ids.device, self.input_ids.shape[0]
        if self.num_codes is None:
            least = torch.full((self.rows,), self.settings.min_codes, device=device)
            most = torch.full((self.rows,), self.settings.max_codes, device=device)
        else:
            least = torch.as_tensor(self.num_codes, device=device)
            if least.ndim > 1 or least.numel() not in (1, prompts, self.rows):
                raise MotionLLMError(
                    f"num_codes has shape {tuple(least.shape)} for {prompts} prompts; give one for each"
                )
            each = self.copies if least.numel() == prompts else 1
            least = least.reshape(-1).repeat_interleave(each).expand(self.rows)
            most = least
        if bool((least < 1).any()) or bool((most < least).any()):
            raise MotionLLMError(f"lengths from {int(least.min())} to {int(most.min())} codes make no motion")
        return least, most

    @property
    def rows(self) -> int:
        return self.input_ids.shape[0] * self.copies

    @property
    def longest(self) -> int:
        """Tokens of the prompts, the longest motion and its end."""
        return self.input_ids.shape[1] + int(self.most.max()) + 1

    @property
    def guided(self) -> bool:
        """Whether every row has a second context without the sentence."""
        return self.settings.guidance_scale != 1

    def processors(
        self, end: int, prompt_length: int, candidates: torch.Tensor | None
    ) -> tuple[list[LogitsProcessor], list[LogitsProcessor]]:
        """What ends motions after a typical time, if their length is not told, before guidance; what draws, after it.

        Args:
            end: column of `</Motion>`.
            prompt_length: tokens before the first code.
            candidates: as in `SeededSampling`.
        """
        settings = self.settings
        before: list[LogitsProcessor] = []
        if self.num_codes is None and settings.typical_length:
            before.append(TypicalLength(end))
        if not settings.do_sample:
            return before, []
        repeats = OwnRepeats(prompt_length)
        draws = sampling_steps(self.seeds, settings.temperature, settings.top_k, settings.top_p, candidates, repeats)
        return [*before, repeats], draws

    def without_sentence(self, config: MotionLLMConfig) -> list[list[int]]:
        """Ids of the unconditional context of each prompt, see `unconditional_context`."""
        bos = getattr(config.text_config, "bos_token_id", None)
        return unconditional_context(self.input_ids, self.attention_mask, self.vocabulary, bos, self.turns)


class MotionDecoder(Protocol):
    """A language model that reads the prompts of one request and then code by code, as `decode_steps` wants it.

    Logits are float32 (rows, contexts, V), for the V ids of `vocabulary.motion_ids`. A row has one context, or with
    guidance a second one without the sentence.
    """

    def begin(self, bare: list[list[int]] | None) -> torch.Tensor:
        """Read the prompts, each once; and where there are any, for each prompt the ids `bare`, the second context."""

    def step(self, ids: torch.Tensor) -> torch.Tensor:
        """Read one more token id of every live row, (rows,), in all its contexts."""

    def keep(self, alive: torch.Tensor) -> torch.Tensor:
        """Drop the rows that are not `alive` (rows,). Returns int64 (kept,), which row is where now."""

    def close(self) -> None:
        """Nothing more is decoded."""


# An engine of one's own for `generate_motion(engine=...)`, such as a language model outside of torch.
MotionEngine = Callable[[MotionRequest], MotionDecoder]


def choose_decoder(
    engine: str | MotionEngine, model: MotionModel, request: MotionRequest, options: dict[str, Any]
) -> MotionDecoder | None:
    """The decoder for a request, or None for `generate`; `auto` takes `fast` wherever it gives the same motions.

    Args:
        engine: one of `ENGINES`, or a `MotionEngine`.
        model: the composite model.
        request: what to decode.
        options: further arguments for `generate`.

    Raises:
        MotionLLMError: unknown engine, or it does not fit together with this model or these options.
    """
    if isinstance(engine, str) and engine not in ENGINES:
        raise MotionLLMError(f"there is no engine '{engine}'; choose from {', '.join(ENGINES)}")
    if engine == "generate":
        return None
    obstacle: str | None = None
    if options:
        obstacle = f"{', '.join(sorted(options))} can only be given to `generate`"
    elif isinstance(engine, str):
        obstacle = fused_llama_obstacle(model.language_model, request.vocabulary.motion_ids, request.longest)
    if obstacle is not None:
        if engine == "auto":
            return None
        name = "fast decoder" if engine == "fast" else "engine"
        raise MotionLLMError(f"the {name} cannot be used here: {obstacle}; engine='generate' can")
    if isinstance(engine, str):
        rows = request.rows * (2 if request.guided else 1)
        return FusedDecoder(FusedLlama(model.language_model, request.vocabulary.motion_ids, rows), request)
    return engine(request)


def decode_codes(
    model: MotionModel, request: MotionRequest, engine: str | MotionEngine, options: dict[str, Any]
) -> torch.Tensor:
    """Codes int64 (R, L) of the motions, -1 after each one's end; arguments as `choose_decoder`."""
    decoder = choose_decoder(engine, model, request, options)
    if decoder is None:
        ids = decode_with_generate(model, request, **options)
    else:
        ids = torch.stack(list(decode_steps(model, request, decoder)), dim=1)
    return generated_codes(ids, request.vocabulary)


def generated_codes(ids: torch.Tensor, vocabulary: MotionVocabulary) -> torch.Tensor:
    """Codes int64 (R, L), -1 where padded, of generated ids (R, S), each row codes up to the first `</Motion>`.

    Raises:
        MotionLLMError: a row has no code, or something else between the codes.
    """
    ended = (ids == vocabulary.end).cumsum(-1) > 0
    if not bool((vocabulary.is_code(ids) | ended).all()):
        raise MotionLLMError("the generated sequence is no motion: it holds tokens that are not codes")
    if bool(ended.all(-1).any()):
        raise MotionLLMError("a generated motion is empty; ask for at least one code")
    longest = int((~ended).sum(-1).max())
    return (ids - vocabulary.offset).masked_fill(ended, -1)[:, :longest]


class _NoteUnknown(LogitsProcessor):
    """Fills in `request.unknown` from the scores before the first code, which it leaves as they are.

    Stands before `MotionGrammar`, so that guidance and temperature have not touched the scores.

    Args:
        request: what is decoded.
        vocabulary: columns of the scores.
        prompt_length: tokens before the first code.
    """

    def __init__(self, request: MotionRequest, vocabulary: MotionVocabulary, prompt_length: int):
        self.request, self.vocabulary, self.prompt_length = request, vocabulary, prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] == self.prompt_length:
            first, prompts = self.vocabulary.offset, self.request.input_ids.shape[0]
            own = scores[:: scores.shape[0] // prompts]  # all copies, and beams, of a prompt have the same
            codes, end = own[:, first : first + self.vocabulary.codebook_size], own[:, self.vocabulary.end, None]
            ending = torch.cat([end, codes], dim=1).float().softmax(-1)[:, 0]
            self.request.unknown = ending.repeat_interleave(self.request.copies)
        return scores


def decode_with_generate(model: MotionModel, request: MotionRequest, **options: Any) -> torch.Tensor:
    """Token ids (R, L) of the motions, each codes and then `</Motion>`, by `generate` of transformers.

    Args:
        model: the composite model.
        request: what to decode.
        options: further arguments of `generate`.
    """
    vocabulary, prompt_length = request.vocabulary, request.input_ids.shape[1]
    processors: list[LogitsProcessor] = [
        _NoteUnknown(request, vocabulary, prompt_length),
        MotionGrammar(vocabulary, prompt_length, request.least, request.most),
    ]
    before, draws = request.processors(vocabulary.end, prompt_length, torch.tensor(vocabulary.motion_ids))
    if options.get("num_beams") in (None, 1):  # beams are compared as they are, each with its own end
        processors += before
    if request.guided:
        contexts = request.without_sentence(model.config)
        processors.append(ClassifierFreeGuidance(model, contexts, prompt_length, request.settings.guidance_scale))
    processors += draws
    mask, each = request.attention_mask, request.copies
    sequences = model.generate(
        input_ids=request.input_ids.repeat_interleave(each, dim=0),
        attention_mask=None if mask is None else mask.repeat_interleave(each, dim=0),
        logits_processor=LogitsProcessorList(processors),
        max_new_tokens=int(request.most.max()) + 1,
        eos_token_id=vocabulary.end,
        pad_token_id=vocabulary.end,
        **PLAIN_DECODING | options,
    )
    return sequences[:, prompt_length:]


@torch.inference_mode()
def decode_steps(model: MotionModel, request: MotionRequest, decoder: MotionDecoder) -> Iterator[torch.Tensor]:
    """The same motions step by step, by a decoder: int64 (R,) token ids, `</Motion>` where a motion has ended.

    Prompts are read once, whatever the number of copies. A motion that has ended leaves the batch.
    """
    vocabulary, device = request.vocabulary, request.input_ids.device
    guided, scale = request.guided, request.settings.guidance_scale
    ids = torch.tensor(vocabulary.motion_ids, device=device)
    # Scores have a column for each of `ids`; grammar and sampling work on these as on a vocabulary of its own.
    columns = MotionVocabulary(start=0, end=1, offset=2, codebook_size=vocabulary.codebook_size)
    note, grammar = _NoteUnknown(request, columns, 0), MotionGrammar(columns, 0, request.least, request.most)
    before, draws = request.processors(columns.end, 0, None)
    written = torch.full((request.rows, int(request.most.max()) + 1), columns.end, device=device)
    order = torch.arange(request.rows, device=device)  # which row of the request stands where
    try:
        scores = decoder.begin(request.without_sentence(model.config) if guided else None)
        for count in range(written.shape[1]):
            history = written[order, :count]
            chosen = grammar(history, note(history, scores[:, 0]))
            for step in before:
                chosen = step(history, chosen)
            if guided:
                chosen = guide(chosen, scores[:, 1], scale)
            for step in draws:
                chosen = step(history, chosen)
            picked = chosen.argmax(-1)
            written[order, count] = picked
            yield ids[written[:, count]]
            # After the last code there is nothing to choose: the end need not be decoded.
            alive = (picked != columns.end) & (grammar.max_codes > count + 1)
            if not bool(alive.all()):
                if not bool(alive.any()):
                    return
                kept = decoder.keep(alive)
                order, picked = order[kept], picked[kept]
                grammar.keep(kept)
                for step in (*before, *draws):
                    if isinstance(step, TypicalLength | SeededSampling):
                        step.keep(kept)
            scores = decoder.step(ids[picked])
    finally:
        decoder.close()


def read_prompts(
    network: FusedLlama,
    input_ids: torch.Tensor,
    pads: torch.Tensor,
    cache: FusedCache,
    copies: int,
    memory: PromptMemory | None,
) -> torch.Tensor:
    """`prefill` of prompts, or where there is a memory of what it does not know; now it knows them."""
    if memory is None:
        return network.prefill(input_ids, pads, cache, copies=copies)
    prompts = [row[pad:] for row, pad in zip(input_ids.tolist(), pads.tolist(), strict=True)]
    known = memory.recall(prompts, cache, copies)
    scores = network.prefill(input_ids, pads, cache, copies=copies, known=known)
    memory.remember(prompts, cache, copies, input_ids.shape[1])
    return scores


class FusedDecoder:
    """`FusedLlama` as a `MotionDecoder`: one batch in one preallocated cache, prompts padded on the left.

    Args:
        network: gives logits for `vocabulary.motion_ids`.
        request: what to decode.
    """

    def __init__(self, network: FusedLlama, request: MotionRequest):
        self.network, self.request = network, request
        self.place = request.input_ids.shape[1]  # of the next token in the cache

    def begin(self, bare: list[list[int]] | None) -> torch.Tensor:
        request, network = self.request, self.network
        length, mask = request.input_ids.shape[1], request.attention_mask
        self.contexts = 1 if bare is None else 2
        self.cache = network.new_cache(request.rows, self.contexts, request.longest)
        prompt_pads = torch.zeros_like(request.input_ids[:, 0]) if mask is None else length - mask.long().sum(-1)
        self.pads = prompt_pads.repeat_interleave(request.copies)[:, None]
        scores = read_prompts(network, request.input_ids, prompt_pads, self.cache, request.copies, request.memory)
        scores = scores[:, None]
        if bare is not None:
            different = bare[:1] if all(ids == bare[0] for ids in bare) else bare
            each = request.rows // len(different)
            padded = {name: tensor.to(self.pads.device) for name, tensor in pad_left(different, 0).items()}
            ids, counts = padded["input_ids"], padded["attention_mask"].sum(-1)
            pads = ids.shape[1] - counts
            without = network.prefill(ids, pads, self.cache, copies=each, context=1, end=length)
            scores = torch.cat([scores, without[:, None]], dim=1)
            self.pads = torch.cat([self.pads, (length - counts).repeat_interleave(each)[:, None]], dim=1)
        places = torch.arange(request.longest, device=self.pads.device)
        self.real = places >= self.pads[..., None] if bool(self.pads.any()) else None
        return scores

    def step(self, ids: torch.Tensor) -> torch.Tensor:
        seen = None if self.real is None else self.real.flatten(0, 1)
        tokens = ids.repeat_interleave(self.contexts)
        scores = self.network.step(tokens, self.place, self.pads.flatten(), self.cache, seen)
        self.place += 1
        return scores.unflatten(0, (-1, self.contexts))

    def keep(self, alive: torch.Tensor) -> torch.Tensor:
        kept = self.cache.keep(alive)
        self.pads = self.pads[kept]
        self.real = None if self.real is None else self.real[kept]
        return kept

    def close(self) -> None:
        pass  # the cache goes with this object
