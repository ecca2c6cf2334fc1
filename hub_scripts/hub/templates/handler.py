"""What Inference Endpoints run: sentences become motion, and motion becomes a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoProcessor

_PROMPT = ("duration", "people", "parts")


class EndpointHandler:
    """Answers requests with the model of a full repository.

    Args:
        path: folder of the repository.
    """

    def __init__(self, path: str = ""):
        place = path or str(Path(__file__).resolve().parent)
        self.processor: Any = AutoProcessor.from_pretrained(place, trust_remote_code=True)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model: Any = AutoModel.from_pretrained(place, trust_remote_code=True).to(device).eval()

    def __call__(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer one request.

        Args:
            data: `inputs`: a sentence or a list of them, or `{"joints": ...}`, metres (T, 22, 3) or (P, T, 22, 3) at 20
                frames per second, to be described. `parameters`: `duration` in seconds, `people`, `parts`, `seed`, and
                the settings of `generate_motion`, or of `generate_caption`.

        Returns:
            For each sentence `joints`, `fps`, `codes`, `caption` and `unknown`; for a motion `generated_text`.

        Raises:
            ValueError: something in it cannot be used; the message says what instead.
        """
        inputs, parameters = data.get("inputs"), dict(data.get("parameters") or {})
        if isinstance(inputs, dict) and "joints" in inputs:
            motion = np.asarray(inputs["joints"], dtype=np.float32)
            ids = self.model.generate_caption(**self.processor(motion=motion), processor=self.processor, **parameters)
            return [{"generated_text": text} for text in self.processor.decode_caption(ids)]
        if not inputs or not isinstance(inputs, str | list):
            raise ValueError("inputs is no sentence; give one, a list of them, or a motion as {'joints': ...}")
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        asked = {name: parameters.pop(name) for name in _PROMPT if name in parameters}
        if "parts" in asked:
            asked["parts"] = [asked["parts"]] * len(texts)
        prompt = self.processor(text=texts, **asked)
        output = self.model.generate_motion(**prompt, processor=self.processor, **parameters)
        told = [text for text in texts for _ in range(len(output.codes) // len(texts))]
        return [
            {
                "joints": motion.joints.tolist(),
                "fps": motion.fps,
                "codes": motion.codes.tolist(),
                "caption": motion.caption,
                "unknown": motion.unknown,
            }
            for motion in self.processor.decode_motion(output, told)
        ]
