"""Choosing among candidates: the motion or caption that the model's other task finds likeliest."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .decoding_motionllm import MotionModel
from .errors_motionllm import MotionLLMError
from .output_motionllm import MotionGenerationOutput
from .processing_motionllm import MotionLLMProcessor
from .prompts_motionllm import pad_examples
from .vocabulary_motionllm import MotionVocabulary

__all__ = ["best_captions", "caption_log_likelihood", "sentence_log_likelihood"]

_ROWS = 64  # sequences that are read at once
_FLUENCY = 0.5  # how much the likelihood of a caption counts beside that of the motion, given the caption


def sentence_log_likelihood(
    model: MotionModel, processor: MotionLLMProcessor, sentences: Sequence[str], codes: torch.Tensor
) -> torch.Tensor:
    """How likely each sentence is as the caption of one person's motion.

    A motion whose left and right are confused, or that is of another action, makes its sentence unlikely.

    Args:
        model: reads them.
        processor: of the model.
        sentences: N sentences.
        codes: (N, L), -1 where padded.

    Returns:
        float32 (N,): log-likelihood of the sentence's tokens and its end; 0 for what is no sentence.
    """
    examples, judged = [], []
    for row, (sentence, own) in enumerate(zip(sentences, codes.tolist(), strict=True)):
        if _is_sentence(processor, sentence):
            judged.append(row)
            motion = [code for code in own if code != -1]
            examples.append(processor.training_example("motion-to-text", sentence, motion))
    likelihood = torch.zeros(len(codes))
    likelihood[judged] = _log_likelihood(model, examples)
    return likelihood


def caption_log_likelihood(
    model: MotionModel,
    processor: MotionLLMProcessor,
    captions: Sequence[str],
    output: MotionGenerationOutput,
) -> torch.Tensor:
    """How likely each caption is, given a whole motion or scene.

    Args:
        model, processor: as in `sentence_log_likelihood`.
        captions: R sentences.
        output: of R rows.

    Returns:
        float32 (R,): log-likelihood of the caption's tokens and its end.
    """
    examples = []
    for row, caption in enumerate(captions):
        examples.append(processor.training_example("motion-to-text", caption, *output.told(row)))
    return _log_likelihood(model, examples)


def best_captions(
    model: MotionModel,
    processor: MotionLLMProcessor,
    prompts: Sequence[Sequence[int]],
    candidates: Sequence[Sequence[str]],
) -> list[int]:
    """Which of its candidates describes each motion best.

    Greedy captions leave out what is not always told, such as the manner of a walk. The text-to-motion task of the same
    model judges: a caption that says more about the motion makes the motion likelier. How likely the caption is itself
    counts half, so that it stays one that people would write.

    Args:
        model, processor: as in `sentence_log_likelihood`.
        prompts: B prompts that ask for a caption, as ids, with the codes in their places.
        candidates: sentences for each.

    Returns:
        B positions; 0 where none of the candidates is a sentence.
    """
    told = [_people(prompt, model.motion_vocabulary) for prompt in prompts]
    usable = [[place for place, one in enumerate(some) if _is_sentence(processor, one)] for some in candidates]
    scores = [
        _log_likelihood(
            model,
            [
                processor.training_example(task, some[place], codes, bins)
                for (codes, bins), some, places in zip(told, candidates, usable, strict=True)
                for place in places
            ],
        )
        for task in ("text-to-motion", "motion-to-text")
    ]
    judged = (scores[0] + _FLUENCY * scores[1]).split([len(places) for places in usable])
    return [places[int(own.argmax())] if places else 0 for places, own in zip(usable, judged, strict=True)]


def _is_sentence(processor: MotionLLMProcessor, caption: str) -> bool:
    """Whether the processor would take it; what is drawn can be empty, for one."""
    try:
        processor.normalize_caption(caption)
    except MotionLLMError:
        return False
    return True


def _people(prompt: Sequence[int], vocabulary: MotionVocabulary) -> tuple[list[list[int]], list[list[int]]]:
    """Codes and placement bins of each person in a prompt's ids; the first one's bins are not told."""
    codes: list[list[int]] = []
    places: list[int] = []
    known = set() if vocabulary.placement is None else set(vocabulary.placement.ids)
    for token in prompt:
        if token == vocabulary.start:
            codes.append([])
        elif vocabulary.offset <= token < vocabulary.offset + vocabulary.codebook_size:
            codes[-1].append(token - vocabulary.offset)
        elif token in known:
            places.append(token)
    if not places or vocabulary.placement is None:
        return codes, [[0, 0, 0]]
    return codes, [[0, 0, 0], *vocabulary.placement.ids_to_bins(torch.tensor(places).reshape(-1, 3)).tolist()]


def _log_likelihood(model: MotionModel, examples: Sequence[Mapping[str, list[Any]]]) -> torch.Tensor:
    """float32 (R,) of the labels of R examples."""
    found = [torch.zeros(0)]
    for start in range(0, len(examples), _ROWS):
        batch = pad_examples(examples[start : start + _ROWS], 0)
        found.append(model.label_log_likelihood(**batch).cpu())
    return torch.cat(found)
