"""Streaming: frames while codes are still being decoded, equal to those of the whole motion."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation import BaseStreamer

from .decoding_motionllm import MotionRequest, decode_with_generate
from .output_motionllm import decode_part
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["stream_features", "stream_generate"]


def stream_features(
    motion_vq: Any, steps: Iterator[torch.Tensor], vocabulary: MotionVocabulary, chunk_codes: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Codes as they come to chunks of raw features, final when they appear.

    A frame depends on `decoder_context` codes before and after its own (the receptive field of the VQ-VAE's decoder),
    so it appears when these are known; every chunk is decoded with that much around it.

    Args:
        motion_vq: `MotionVQModel`.
        steps: token ids (R,) step by step, `</Motion>` from where a motion has ended.
        vocabulary: which ids are codes.
        chunk_codes: codes of a chunk; the last one has the rest.

    Yields:
        Codes (R, n), -1 where a motion has ended, their mask (R, n), and features (R, n * frames_per_code, D).
    """
    reach = motion_vq.config.decoder_context
    columns: list[torch.Tensor] = []
    ended: torch.Tensor | None = None
    done = 0

    def chunk(stop: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        codes = torch.stack(columns, dim=1)
        part = codes[:, done:stop]
        return part, part != -1, decode_part(motion_vq, codes, done, stop)

    for ids in steps:
        now = ids == vocabulary.end
        ended = now if ended is None else ended | now
        if bool(ended.all()):
            break
        columns.append(torch.where(ended, -1, ids - vocabulary.offset))
        if len(columns) - reach - done >= chunk_codes:
            yield chunk(done + chunk_codes)
            done += chunk_codes
    if done < len(columns):
        yield chunk(len(columns))


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


def stream_generate(model: Any, request: MotionRequest, **options: Any) -> Iterator[torch.Tensor]:
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
