"""Pipelines that travel with a checkpoint: `pipeline("text-to-motion", ...)` and `pipeline("motion-to-text", ...)`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import Pipeline

from .motion import Motion

if TYPE_CHECKING:  # both are there already when a pipeline is made
    from .modeling_motionllm import MotionLLMForCausalLM
    from .processing_motionllm import MotionLLMProcessor

__all__ = ["MotionToTextPipeline", "TextToMotionPipeline"]


class _MotionPipeline(Pipeline):
    """Runs a call's inputs in batches of `batch_size` (default 32), padded by the processor."""

    _load_tokenizer = False
    _load_processor = True
    _load_image_processor = False
    _load_feature_extractor = False
    _load_video_processor = False

    model: "MotionLLMForCausalLM"
    processor: "MotionLLMProcessor"
    _preprocess_names: tuple[str, ...] = ()

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        preprocess = {name: kwargs.pop(name) for name in self._preprocess_names if name in kwargs}
        return preprocess, kwargs, {}

    def postprocess(self, model_outputs: list[Any], **kwargs: Any) -> list[Any]:
        return model_outputs

    def _in_batches(self, inputs: list[Any], batch_size: int | None, **kwargs: Any) -> list[Any]:
        """Row r draws from seed + r, whatever the batches."""
        size = batch_size or self._batch_size or 32
        seed = kwargs.pop("seed", None)
        given = {name: kwargs.pop(name) for name in self._preprocess_names if kwargs.get(name) is not None}
        outputs: list[Any] = []
        for start in range(0, len(inputs), size):
            part = slice(start, min(start + size, len(inputs)))
            if seed is not None:
                kwargs["seed"] = (
                    [seed + row for row in range(part.start, part.stop)] if isinstance(seed, int) else list(seed)[part]
                )
            for name, value in given.items():
                kwargs[name] = value if isinstance(value, (int, float)) else list(value)[part]
            # A dict, so that the base class takes the batch for one input.
            outputs += super().__call__({"inputs": inputs[part]}, **kwargs)
        return outputs


class TextToMotionPipeline(_MotionPipeline):
    """`pipeline("text-to-motion", model=..., trust_remote_code=True)`."""

    _preprocess_names = ("duration", "people", "parts")

    def __call__(  # type: ignore[override]
        self, inputs: str | Iterable[str], *, batch_size: int | None = None, **kwargs: Any
    ) -> Motion | list[Motion]:
        """Motions for sentences.

        Args:
            inputs: one or several sentences.
            batch_size: sentences that are decoded at once (default 32).
            kwargs: `duration` in seconds and, for scenes of several people, `people` (each one number, or one for each
                sentence) and `parts` (what each of them does, see `MotionLLMProcessor`), and the settings of
                `generate_motion` (`seed`, `num_candidates`, `temperature` ...).

        Returns:
            A `Motion` for a sentence, a list of them for several; with `people` each shows as many.

        Raises:
            MotionLLMError: as `MotionLLMProcessor` and `generate_motion`.
        """
        if isinstance(inputs, str) and kwargs.get("parts") is not None:
            kwargs["parts"] = [kwargs["parts"]]
        motions = self._in_batches([inputs] if isinstance(inputs, str) else list(inputs), batch_size, **kwargs)
        return motions[0] if isinstance(inputs, str) else motions

    def preprocess(
        self, input_: dict[str, Any], duration: Any = None, people: Any = None, parts: Any = None
    ) -> dict[str, Any]:
        texts = input_["inputs"]
        batch = self.processor(text=texts, duration=duration, people=people, parts=parts)
        return {"texts": texts, "batch": dict(batch)}

    def _forward(self, input_tensors: dict[str, Any], **settings: Any) -> list[Motion]:
        output = self.model.generate_motion(**input_tensors["batch"], processor=self.processor, **settings)
        each = len(output.codes) // len(input_tensors["texts"])
        return self.processor.decode_motion(output, [text for text in input_tensors["texts"] for _ in range(each)])


class MotionToTextPipeline(_MotionPipeline):
    """`pipeline("motion-to-text", model=..., trust_remote_code=True)`."""

    def __call__(  # type: ignore[override]
        self, inputs: Motion | np.ndarray | Iterable[Any], *, batch_size: int | None = None, **kwargs: Any
    ) -> str | list[str]:
        """Captions of motions.

        Args:
            inputs: one or several motions: `Motion`, joints (T, 22, 3) or raw features (T, 263), arrays at the model's
                frame rate.
            batch_size: motions that are described at once (default 32).
            kwargs: the settings of `generate_caption` (`num_candidates`, `max_new_tokens`, `do_sample`, `seed` ...).

        Returns:
            A sentence for a motion, a list of them for several.

        Raises:
            MotionLLMError: as `MotionLLMProcessor` and `generate_caption`.
        """
        # Not by class: a Motion of the installed package is another class than this file's.
        single = isinstance(inputs, np.ndarray) or hasattr(inputs, "joints")
        captions = self._in_batches([inputs] if single else list(inputs), batch_size, **kwargs)  # type: ignore
        return captions[0] if single else captions

    def preprocess(self, input_: dict[str, Any]) -> dict[str, Any]:
        return {"batch": dict(self.processor(motion=input_["inputs"]))}

    def _forward(self, input_tensors: dict[str, Any], **settings: Any) -> list[str]:
        ids = self.model.generate_caption(**input_tensors["batch"], processor=self.processor, **settings)
        return self.processor.decode_caption(ids)
