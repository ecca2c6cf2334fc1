"""Of the actions that a checkpoint was trained on, the nearest to a sentence it has never seen the like of."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from hub_scripts.captions.action_words import SUBJECTS, word_set
from hub_scripts.captions.language import speaks_of_movement
from hub_scripts.captions.sentence_content import UNKNOWN, parse_sentence
from hub_scripts.captions.sentence_verbs import JOINERS, PREPOSITIONS
from modeling_motionllm.settings_motionllm import unknown_threshold

if TYPE_CHECKING:
    from hub_scripts.hub.actions import KnownAction
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["nearest_actions", "unknown_line"]

_NAMED = 3  # at most
_SIMILAR = 0.5  # cosine; below it lie mostly pairs that have nothing to do with each other
_EMPTY = SUBJECTS | PREPOSITIONS | JOINERS | word_set("a an the his her their its one two people to is are was were be")


def nearest_actions(
    sentence: str,
    actions: "Sequence[KnownAction]",
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
) -> list[str]:
    """Names of the nearest actions.

    First those that the sentence says, synonyms included (`parse_sentence`); where there are none, those whose words
    are similar by the language model's own token embeddings.

    Args:
        sentence: what was asked for.
        actions: what the checkpoint was trained on.
        model, processor: of the checkpoint.

    Returns:
        Three at most; none where nothing is near, such as for a sentence in another script.
    """
    asked = _said(sentence)
    shared = [(len(asked & _meant(known)), known) for known in actions]
    same = sorted((one for one in shared if one[0]), key=lambda one: (-one[0], -one[1].motions))
    if same:
        return [known.action for _, known in same[:_NAMED]]
    words = [_content_words(text) for text in (sentence, *(f"{one.action} {one.example}" for one in actions))]
    if not words[0] or not actions:
        return []
    vectors = _embeddings(words, model, processor)
    centre = vectors[1:].mean(0)  # what all actions have in common tells nothing
    similar = torch.cosine_similarity(vectors[1:] - centre, vectors[:1] - centre)
    return [actions[place].action for place in similar.argsort(descending=True)[:_NAMED] if similar[place] >= _SIMILAR]


def unknown_line(
    sentence: str,
    unknown: float | None,
    actions: "Callable[[], Sequence[KnownAction]]",
    model: "MotionLLMForCausalLM",
    processor: "MotionLLMProcessor",
) -> str | None:
    """One line where a sentence is no English about movement, or the model says itself that it has hardly seen what it
    asks for, else None.

    Args:
        sentence: what was asked for.
        unknown: `output.unknown` of the motion; None where it is not known.
        actions: gives what the checkpoint was trained on, asked only where it is needed.
        model, processor: of the checkpoint.
    """
    if not speaks_of_movement(sentence):
        return f"'{sentence}': few of these words are known; the model reads English sentences about movement"
    if unknown is None or unknown <= unknown_threshold(model.generation_config):
        return None
    nearest = ", ".join(nearest_actions(sentence, actions(), model, processor))
    more = f"; nearest actions it knows: {nearest}" if nearest else ""
    return f"'{sentence}': the model has hardly seen this (unknown {unknown:.2f}){more}"


def _said(text: str) -> set[str]:
    return set(parse_sentence(text).names) - {UNKNOWN}


def _meant(known: "KnownAction") -> set[str]:
    return _said(known.action.replace("-", " ")) or _said(known.example)


def _content_words(text: str) -> list[str]:
    return [word for word in re.findall("[a-z]+", text.lower()) if word not in _EMPTY]


def _embeddings(
    texts: Sequence[list[str]], model: "MotionLLMForCausalLM", processor: "MotionLLMProcessor"
) -> torch.Tensor:
    """Mean of the input embeddings of each text's tokens, float32 (N, D)."""
    table = model.language_model.get_input_embeddings()
    found = []
    for words in texts:
        ids = processor.tokenizer(" " + " ".join(words), add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            found.append(table(torch.tensor(ids, device=model.device)).float().mean(0).cpu())
    return torch.stack(found)
