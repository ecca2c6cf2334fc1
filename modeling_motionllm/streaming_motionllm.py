"""Streaming: frames while codes are still being decoded, equal to those of the whole motion."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation import BaseStreamer

from .decoding_motionllm import (
    MotionEngine,
    MotionModel,
    MotionRequest,
    choose_decoder,
    decode_steps,
    decode_with_generate,
)
from .modeling_motion_vq import MotionVQModel
from .output_motionllm import MotionGenerationOutput, decode_part
from .prompts_motionllm import pad_right
from .vocabulary_motionllm import MotionVocabulary

__all__ = [
    "ENDED",
    "NOTHING",
    "code_steps",
    "one_person",
    "request_steps",
    "stream_features",
    "stream_generate",
]


NOTHING, ENDED = -1, -2  # in place of a code: none for now, and none any more


def stream_features(
    motion_vq: MotionVQModel, steps: Iterator[torch.Tensor], chunk_codes: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Codes as they come to chunks of raw features, final when they appear.

    A frame depends on `decoder_context` codes before and after its own (the receptive field of the VQ-VAE's decoder),
    so it appears when these are known; every chunk is decoded with that much around it, and what lies farther back is
    forgotten.

    Args:
        motion_vq: reads the codes.
        steps: step by step the next code of each motion, int64 (R,), `NOTHING` or `ENDED`.
        chunk_codes: codes of a chunk; the last one has the rest.

    Yields:
        Codes (R, n), -1 where a motion has ended, their mask (R, n), and features (R, n * frames_per_code, D).
    """
    reach = motion_vq.config.decoder_context
    kept: list[list[int]] = []  # of each motion the codes from `first` on
    ended: list[bool] = []
    first = done = 0

    def chunk(stop: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        codes = pad_right(kept, -1).to(motion_vq.device)[:, : stop + reach - first]
        part = codes[:, done - first : stop - first]
        return part, part != -1, decode_part(motion_vq, codes, done - first, stop - first)

    for step in steps:
        values = step.tolist()
        kept = kept or [[] for _ in values]
        ended = [value == ENDED for value in values]
        for own, value in zip(kept, values, strict=True):
            own += [value] if value >= 0 else []
        while not all(ended):
            known = first + min(len(own) for own, over in zip(kept, ended, strict=True) if not over)
            if known - reach - done < chunk_codes:
                break
            yield chunk(done + chunk_codes)
            done += chunk_codes
            forgotten = max(0, done - reach) - first
            for own in kept:
                del own[:forgotten]
            first += forgotten
    total = first + max(map(len, kept), default=0)
    if done < total:
        yield chunk(total)


def one_person(
    codes: torch.Tensor,
    mask: torch.Tensor,
    features: torch.Tensor,
    unknown: torch.Tensor | None,
    segment_ends: torch.Tensor | None = None,
) -> MotionGenerationOutput:
    """A chunk (R, n) of `stream_features` as an output of scenes of one."""
    people = torch.ones(len(codes), dtype=torch.long)
    places = torch.zeros(len(codes), 1, 3, dtype=torch.float64)
    codes, mask, features = (value[:, None] for value in (codes, mask, features))
    return MotionGenerationOutput(codes, mask, features, places, people, unknown=unknown, segment_ends=segment_ends)


def code_steps(steps: Iterator[torch.Tensor], vocabulary: MotionVocabulary) -> Iterator[torch.Tensor]:
    """Token ids (R,) step by step, `</Motion>` from where a motion has ended, as steps of `stream_features`."""
    ended: torch.Tensor | None = None
    for ids in steps:
        now = ids.cpu() == vocabulary.end
        ended = now if ended is None else ended | now
        yield torch.where(ended, ENDED, ids.cpu() - vocabulary.offset)


def request_steps(
    model: MotionModel, request: MotionRequest, engine: str | MotionEngine, options: dict[str, Any]
) -> Iterator[torch.Tensor]:
    """Token ids (R,) of a request step by step, by the engine that `choose_decoder` chooses."""
    decoder = choose_decoder(engine, model, request, options)
    return decode_steps(model, request, decoder) if decoder else stream_generate(model, request, **options)


class _Steps(BaseStreamer):
    """What `generate` writes, as a queue; None at the end."""

    def __init__(self) -> None:
        self.queue: queue.Queue[torch.Tensor | Exception | None] = queue.Queue()
        self.prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        if self.prompt_seen:
            self.queue.put(value)
        self.prompt_seen = True

    def end(self) -> None:
        pass  # the thread says so itself, also when it fails


class _Cancelled(StoppingCriteria):
    def __init__(self) -> None:
        self.event = threading.Event()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return torch.full_like(input_ids[:, 0], self.event.is_set(), dtype=torch.bool)


def stream_generate(model: MotionModel, request: MotionRequest, **options: Any) -> Iterator[torch.Tensor]:
    """Token ids (R,) step by step from `generate`, which runs in a thread; it stops when the iterator is closed."""
    steps, cancelled = _Steps(), _Cancelled()

    def run() -> None:
        failure: Exception | None = None
        try:
            decode_with_generate(
                model, request, streamer=steps, stopping_criteria=StoppingCriteriaList([cancelled]), **options
            )
        except Exception as error:  # noqa: BLE001  it is raised again where the steps are read
            failure = error
        steps.queue.put(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while isinstance(value := steps.queue.get(), torch.Tensor):
            yield value.to(request.input_ids.device)
        if value is not None:
            raise value
    finally:
        cancelled.event.set()
        thread.join()
