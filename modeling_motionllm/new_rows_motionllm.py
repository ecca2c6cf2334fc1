"""The new rows of a language model's vocabulary: room for them, and how they start."""

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from .vocabulary_motionllm import MotionVocabulary

if TYPE_CHECKING:
    from .modeling_motionllm import MotionLLMForCausalLM

__all__ = ["grow_vocabulary", "like_codes", "ordered_noise", "trainable_rows"]

_OF_FAMILY = 0.2  # share of the variance that all bins of a family, or all codes, have in common
_OF_CODE = 0.5  # share that similar codes have in common


def grow_vocabulary(
    language_model: PreTrainedModel,
    vocab_size: int,
    vocabulary: MotionVocabulary,
    seed: int,
    brought: Collection[int] = (),
    codebook: torch.Tensor | None = None,
) -> None:
    """Make room for `vocab_size` tokens and draw the rows of the motion tokens around the others.

    `mean_resizing` of transformers would start them all as one vector. Here every dimension is drawn with the mean and
    the standard deviation of the old rows; bins of a placement, which are numbers, with `ordered_noise`; codes with
    `like_codes` where the `codebook` (codebook_size, dim) is given. Ids below the old size are drawn too: some language
    models have more rows than their tokenizer has tokens. Nothing is drawn where all rows are `brought`.
    """
    new_ids = vocabulary.ids
    old = language_model.get_input_embeddings().weight.shape[0]
    if old < vocab_size:
        language_model.resize_token_embeddings(vocab_size, mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    layers = [language_model.get_input_embeddings(), language_model.get_output_embeddings()]
    weights = {id(layer.weight): layer.weight for layer in layers if layer is not None}
    if len(weights) == 1 and set(new_ids) <= set(brought):
        return
    known = min(old, min(new_ids))
    with torch.no_grad():
        for weight in weights.values():
            rows = weight[:known].float()
            noise = torch.randn(len(vocabulary.motion_ids), rows.shape[1], generator=generator)
            if codebook is not None:
                own = torch.Generator().manual_seed(seed + 1)
                codes = slice(-vocabulary.codebook_size, None)
                noise[codes] = like_codes(codebook.float().cpu(), noise[codes], own)
            if vocabulary.placement is not None:
                *positions, headings = vocabulary.placement.families
                parts = [ordered_noise(len(family), rows.shape[1], generator) for family in positions]
                parts.append(ordered_noise(len(headings), rows.shape[1], generator, goes_round=True))
                noise = torch.cat([noise, *parts])
            weight[new_ids] = (rows.mean(0) + noise.to(rows) * rows.std(0)).to(weight)


def like_codes(codebook: torch.Tensor, noise: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Random vectors of unit variance for codes: the more alike, the nearer the codes are in the codebook.

    What is learnt about one code so holds for those that look like it from the first step on.

    Args:
        codebook: (K, dim).
        noise: (K, width), what each code has of its own.
        generator: of the directions.

    Returns:
        float32 (K, width).
    """
    width = noise.shape[1]
    centred = codebook - codebook.mean(0)
    shared = centred @ torch.randn(centred.shape[1], width, generator=generator)
    shared = shared / shared.norm(dim=1, keepdim=True).clamp_min(1e-6) * width**0.5
    common = torch.randn(1, width, generator=generator)
    left = 1 - _OF_FAMILY - _OF_CODE
    return _OF_FAMILY**0.5 * common + _OF_CODE**0.5 * shared + left**0.5 * noise


def ordered_noise(count: int, width: int, generator: torch.Generator, goes_round: bool = False) -> torch.Tensor:
    """Random vectors for numbers in a row: of unit variance each, and the more alike, the nearer the numbers.

    Waves along the numbers, one random direction for each, with equal variance in every octave: a few directions tell
    roughly where a number lies, many exactly. What is learnt about one number so holds for its neighbours; independent
    vectors would have to be learnt one by one, each from the few examples that show it.

    Args:
        count: of the numbers.
        width: of the vectors.
        generator: of the directions.
        goes_round: the last number is the neighbour of the first.

    Returns:
        float32 (count, width).
    """
    places = (torch.arange(count) + 0.5) / count
    if goes_round:
        frequencies = torch.arange(1, count // 2 + 1)
        angles = 2 * math.pi * places[:, None] * frequencies
        waves = torch.cat([angles.cos(), angles.sin()], dim=1)
        frequencies = frequencies.repeat(2)
    else:
        frequencies = torch.arange(1, count)
        waves = (math.pi * places[:, None] * frequencies).cos()
    waves = waves / frequencies.sqrt()
    waves = waves / waves.norm(dim=1, keepdim=True)
    common = torch.randn(1, width, generator=generator)
    own = waves @ torch.randn(waves.shape[1], width, generator=generator)
    return _OF_FAMILY**0.5 * common + (1 - _OF_FAMILY) ** 0.5 * own


def trainable_rows(model: "MotionLLMForCausalLM") -> list[int] | dict[str, list[int]]:
    """The rows to train, as PEFT takes them: an output head that is not tied to the embeddings has rows of its own."""
    ids = model.motion_vocabulary.ids
    layers = (model.get_input_embeddings(), model.get_output_embeddings())
    if layers[0].weight is layers[1].weight:
        return ids
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(layer)].rpartition(".")[-1]: ids for layer in layers}
