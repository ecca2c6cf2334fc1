"""Best of several motions or captions: of some candidates the one that the model's other task finds likeliest."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from .errors_motionllm import MotionLLMError
from .placement_motionllm import encode_placements
from .prompts_motionllm import pad_examples
from .sampling_motionllm import candidate_seeds, row_seeds

__all__ = ["caption_best", "caption_log_likelihood", "check_best_of", "generate_best"]

_ROWS = 64  # sequences that are read at once
_FLUENCY = 0.5  # how much the likelihood of a caption counts beside that of the motion, given the caption


def check_best_of(best_of: int, do_sample: bool = True) -> None:
    """Raises:
    MotionLLMError: no positive number, or candidates that would all be the same.
    """
    if isinstance(best_of, bool) or not isinstance(best_of, int) or best_of < 1:
        raise MotionLLMError(f"best_of is {best_of}; give the number of candidates for each motion, 1 or more")
    if best_of > 1 and not do_sample:
        raise MotionLLMError(f"best_of is {best_of}, but greedy decoding gives one motion only; draw, or leave it out")


def generate_best(
    model: Any,
    processor: Any,
    texts: Sequence[str],
    inputs: Mapping[str, Any],
    best_of: int = 1,
    *,
    num_samples: int = 1,
    seed: int | Sequence[int] | None = None,
    do_sample: bool = True,
    **settings: Any,
) -> Any:
    """`generate_motion` or `generate_people`, each motion or scene the best of `best_of` candidates.

    The captioning task of the same model judges: of the candidates, the one is kept under which the sentence is
    likeliest. A motion whose left and right are confused, or that is of another action, makes its sentence unlikely.
    Where the model tells parts, the motions of each person are candidates and its part is the sentence: what one person
    does is easier to judge than a whole scene, and the next person sees the motion that was kept.

    Args:
        model: a `MotionLLMForCausalLM`.
        processor: its `MotionLLMProcessor`.
        texts: B sentences.
        inputs: what the processor made of them.
        best_of: candidates for each motion; 1 judges nothing.
        num_samples: motions for each sentence, R = B * num_samples.
        seed: row r draws from `seed + r`, or from the r-th of R seeds; its first candidate is what it is without
            `best_of`.
        do_sample: as in `generate_motion`; must be true for more than one candidate.
        settings: of `generate_motion` or `generate_people`.

    Returns:
        Their output, R rows.

    Raises:
        MotionLLMError: a setting out of range.
    """
    check_best_of(best_of, do_sample)
    generate = model.generate_people if "num_people" in inputs else model.generate_motion
    if best_of == 1:
        return generate(**inputs, num_samples=num_samples, seed=seed, do_sample=do_sample, **settings)
    if "num_people" in inputs and processor.tells_parts:
        settings |= {"candidates": best_of, "judge": partial(_part_log_likelihood, model, processor)}
        return generate(**inputs, num_samples=num_samples, seed=seed, do_sample=do_sample, **settings)
    rows = len(texts) * num_samples
    seeds = candidate_seeds(row_seeds(seed, rows), best_of)
    output = generate(**inputs, num_samples=num_samples * best_of, seed=seeds, do_sample=do_sample, **settings)
    captions = [text for text in texts for _ in range(num_samples * best_of)]
    likelihood = caption_log_likelihood(model, processor, captions, output).reshape(rows, best_of)
    chosen = torch.arange(rows) * best_of + likelihood.argmax(dim=-1)
    return type(output)(**{name: value[chosen.to(value.device)] for name, value in output.items()})


def _part_log_likelihood(
    model: Any, processor: Any, parts: torch.Tensor, codes: torch.Tensor, person: int
) -> torch.Tensor:
    """float32 (N,): how likely the part (N, S) of a person is, given its motion (N, L) alone; -1 where padded.

    All are 0 where the part is no sentence.
    """
    examples, judged = [], []
    for row, own in enumerate(codes.tolist()):
        part = processor.part_text(parts[row], person)
        if _is_sentence(processor, part):
            judged.append(row)
            examples.append(_example(processor, "motion-to-text", part, [[code for code in own if code != -1]], []))
    likelihood = torch.zeros(len(codes))
    likelihood[judged] = _log_likelihood(model, examples)
    return likelihood


def caption_log_likelihood(model: Any, processor: Any, captions: Sequence[str], output: Any) -> torch.Tensor:
    """How likely each caption is, given its motion or scene.

    Args:
        model, processor: as in `generate_best`.
        captions: R sentences.
        output: a `MotionGenerationOutput` or `PeopleGenerationOutput` of R rows.

    Returns:
        float32 (R,): log-likelihood of the caption's tokens and its end.
    """
    examples = []
    for caption, codes, row in zip(captions, output.codes.tolist(), range(len(captions)), strict=True):
        if "num_people" in output:
            people = int(output.num_people[row])
            bins = encode_placements(output.placements[row, :people].cpu().numpy()).tolist()
            codes = codes[:people]
        else:
            bins, codes = [], [codes]
        own = [[code for code in person if code != -1] for person in codes]
        examples.append(_example(processor, "motion-to-text", caption, own, bins))
    return _log_likelihood(model, examples)


def caption_best(
    model: Any,
    processor: Any,
    inputs: Mapping[str, Any],
    best_of: int = 1,
    *,
    seed: int | Sequence[int] | None = None,
    **settings: Any,
) -> list[str]:
    """`generate_caption`, each caption the best of `best_of` candidates: the greedy one and others that are drawn.

    Greedy captions leave out what is not always told, such as the manner of a walk. The text-to-motion task of the same
    model judges: a caption that says more about the motion makes the motion likelier. How likely the caption is itself
    counts half, so that it stays one that people would write.

    Args:
        model: a `MotionLLMForCausalLM`.
        processor: its `MotionLLMProcessor`.
        inputs: what the processor made of B motions or scenes.
        best_of: candidates for each; with 1 the captions are greedy.
        seed: row r draws from `seed + r`, or from the r-th of B seeds.
        settings: of `generate_caption`: `temperature`, `top_p`, `max_new_tokens` ...

    Returns:
        B sentences.

    Raises:
        MotionLLMError: a setting out of range.
    """
    check_best_of(best_of)
    if "do_sample" in settings:
        raise MotionLLMError("best_of takes the greedy caption and draws the others; leave do_sample out")
    ids, mask = inputs["input_ids"], inputs.get("attention_mask")
    if "motion" in inputs:
        ids = model.fill_in_codes(ids, inputs["motion"], inputs.get("motion_attention_mask"))
    greedy = processor.decode_caption(model.generate_caption(ids, mask, **settings))
    if best_of == 1:
        return greedy
    each = best_of - 1
    seeds = candidate_seeds(row_seeds(seed, len(ids)), each)
    masks = None if mask is None else mask.repeat_interleave(each, dim=0)
    drawn = processor.decode_caption(
        model.generate_caption(ids.repeat_interleave(each, dim=0), masks, do_sample=True, seed=seeds, **settings)
    )
    every = [list(dict.fromkeys([first, *drawn[each * row :][:each]])) for row, first in enumerate(greedy)]
    candidates = [[caption for caption in some if _is_sentence(processor, caption)] for some in every]
    told = [_people(row.tolist(), model.motion_vocabulary) for row in ids]
    scores = [
        _log_likelihood(
            model,
            [
                _example(processor, task, caption, codes, bins)
                for (codes, bins), some in zip(told, candidates, strict=True)
                for caption in some
            ],
        )
        for task in ("text-to-motion", "motion-to-text")
    ]
    each_scores = (scores[0] + _FLUENCY * scores[1]).split([len(some) for some in candidates])
    return [
        some[int(judged.argmax())] if some else first
        for first, some, judged in zip(greedy, candidates, each_scores, strict=True)
    ]


def _is_sentence(processor: Any, caption: str) -> bool:
    """Whether the processor would take it; what is drawn can be empty, for one."""
    try:
        processor.normalize_caption(caption)
    except MotionLLMError:
        return False
    return True


def _people(prompt: list[int], vocabulary: Any) -> tuple[list[list[int]], list[list[int]]]:
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
    if not places:
        return codes, [[0, 0, 0]]
    return codes, [[0, 0, 0], *vocabulary.placement.ids_to_bins(torch.tensor(places).reshape(-1, 3)).tolist()]


def _example(processor: Any, task: str, caption: str, codes: list[list[int]], bins: list[list[int]]) -> dict[str, Any]:
    """A training example of one person or, with the bins of all, of several."""
    if len(codes) == 1:
        return processor.training_example(task, caption, codes[0])
    return processor.scene_training_example(task, caption, codes, bins)


def _log_likelihood(model: Any, examples: Sequence[Mapping[str, list[Any]]]) -> torch.Tensor:
    """float32 (R,) of the labels of R examples."""
    found = [torch.zeros(0)]
    for start in range(0, len(examples), _ROWS):
        batch = pad_examples(examples[start : start + _ROWS], 0)
        found.append(model.label_log_likelihood(**batch).cpu())
    return torch.cat(found)
