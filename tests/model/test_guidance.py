"""Classifier-free guidance: the formula, its cache, its context, and that 1 is none."""

from collections.abc import Sequence

import pytest
import torch
from conftest import SENTENCES, generate_single

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.guidance_motionllm import ClassifierFreeGuidance, guide, unconditional_context
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary


def test_guidance_is_the_formula_over_the_allowed_ids():
    scores = torch.tensor([[0.3, -torch.inf, 1.2, 2.0]])
    unconditional = torch.tensor([[1.0, 9.0, 0.5, 0.1]])
    conditional_p = torch.tensor([0.3, 1.2, 2.0]).softmax(0)
    unconditional_p = torch.tensor([1.0, 0.5, 0.1]).softmax(0)
    guided = guide(scores, unconditional, 2.5)
    expected = unconditional_p.log() + 2.5 * (conditional_p.log() - unconditional_p.log())
    torch.testing.assert_close(guided[0, [0, 2, 3]], expected)
    assert guided[0, 1] == -torch.inf
    torch.testing.assert_close(guide(scores, unconditional, 1.0), scores.log_softmax(-1))


def test_a_single_allowed_id_stays_allowed():
    scores = torch.tensor([[-torch.inf, 0.7, -torch.inf]])
    guided = guide(scores, torch.randn(1, 3), 4.0)
    assert guided.argmax(-1).item() == 1
    assert not guided.isnan().any()


VOCABULARY = MotionVocabulary(start=9, end=10, offset=11, codebook_size=4)


@pytest.mark.parametrize("bos,expected", [(1, [1, 9]), (7, [9]), (None, [9])])
def test_the_context_begins_as_the_prompts_do(bos, expected):
    prompts = torch.tensor([[0, 0, 1, 5, 9], [1, 4, 4, 4, 9]])
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    assert unconditional_context(prompts, mask, VOCABULARY, bos) == [expected, expected]


def test_the_context_holds_the_motion_so_far():
    turn = torch.tensor([[1, 5, 9, 12, 14, 10, 6, 9]])  # a sentence, two codes, another sentence
    assert unconditional_context(turn, None, VOCABULARY, 1, turns=True) == [[1, 9, 12, 14]]
    assert unconditional_context(turn, None, VOCABULARY, 1) == [[1, 9]]  # of somebody else
    between = torch.tensor([[1, 5, 9, 11, 10, 6, 9, 13]])  # until code 11, a sentence, from code 13 on
    assert unconditional_context(between, None, VOCABULARY, 1) == [[1, 9, 13]]


def guided_step_by_step(
    model, processor, text: str, num_codes: int, scale: float, told: Sequence[int] = (), so_far: Sequence[int] = ()
) -> list[int]:
    """Greedy guided codes, by two whole forward passes for each code; no cache and no processor.

    Args:
        told: ids of the turns before, with what begins the text.
        so_far: ids of their codes.
    """
    vocabulary = model.motion_vocabulary
    conditional = [*told, *processor.turn_ids(text, None)] if told else processor(text=text)["input_ids"][0].tolist()
    unconditional = [1, vocabulary.start, *so_far]  # the tests' tokenizer begins every text with token 1
    codes: list[int] = []
    allowed = slice(vocabulary.offset, vocabulary.offset + vocabulary.codebook_size)
    for _ in range(num_codes):
        rows = [model(torch.tensor([ids])).logits[0, -1, allowed] for ids in (conditional, unconditional)]
        log_c, log_u = (row.log_softmax(-1) for row in rows)
        code = int((log_u + scale * (log_c - log_u)).argmax())
        codes.append(code)
        conditional.append(vocabulary.offset + code)
        unconditional.append(vocabulary.offset + code)
    return codes


@torch.no_grad()
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_guided_generation_equals_the_plain_computation(model, processor, scale):
    options = {"do_sample": False, "guidance_scale": scale}
    batch = generate_single(model, **processor(text=SENTENCES[:3]), num_codes=12, **options)
    for row in range(3):
        expected = guided_step_by_step(model, processor, SENTENCES[row], 12, scale)
        assert batch.codes[row].tolist() == expected
    plain = generate_single(model, **processor(text=SENTENCES[:3]), num_codes=12, do_sample=False)
    assert not torch.equal(batch.codes, plain.codes)


@torch.no_grad()
@pytest.mark.parametrize("engine", ["generate", "fast"])
def test_a_guided_turn_is_compared_with_the_motion_so_far(model, processor, engine):
    first, second = SENTENCES[:2]
    counts = [5, 8]
    output = model.generate_motion(
        **processor(text=[[first, second], [second, first]]), num_codes=torch.tensor([counts, counts[::-1]]),
        do_sample=False, guidance_scale=3.0, engine=engine,
    )  # fmt: skip
    vocabulary = model.motion_vocabulary
    for row, (own, lengths) in enumerate((((first, second), counts), ((second, first), counts[::-1]))):
        codes = guided_step_by_step(model, processor, own[0], lengths[0], 3.0)
        ids = [vocabulary.offset + code for code in codes]
        told = [*processor(text=own[0])["input_ids"][0].tolist(), *ids, vocabulary.end]
        codes += guided_step_by_step(model, processor, own[1], lengths[1], 3.0, told, ids)
        assert output.codes[row, 0].tolist() == codes


def test_guided_rows_are_as_they_would_be_alone(model, processor):
    texts = ["jump", "a person walks forward and waves with the left hand, then turns around"]
    batch = generate_single(model, **processor(text=texts), seed=4, guidance_scale=2, max_codes=16, top_p=None)
    for row, text in enumerate(texts):
        alone = generate_single(model, **processor(text=text), seed=4 + row, guidance_scale=2, max_codes=16, top_p=None)
        count = alone.codes.shape[1]
        assert torch.equal(batch.codes[row, :count], alone.codes[0])
        assert (batch.codes[row, count:] == -1).all()


def test_a_scale_of_one_changes_nothing_and_runs_nothing(model, processor, monkeypatch):
    inputs = processor(text=SENTENCES[:2], duration=2)
    plain = generate_single(model, **inputs, seed=3)
    monkeypatch.setattr(ClassifierFreeGuidance, "__call__", None)
    assert torch.equal(generate_single(model, **inputs, seed=3, guidance_scale=1).codes, plain.codes)


def test_beam_search_keeps_lengths_and_rows_apart(model, processor):
    options = {"num_beams": 3, "do_sample": False, "guidance_scale": 2.0}
    batch = generate_single(model, **processor(text=SENTENCES[:2], duration=[1, 2]), **options)
    for row, seconds in enumerate((1, 2)):
        alone = generate_single(model, **processor(text=SENTENCES[row], duration=seconds), **options)
        assert alone.codes.shape == (1, seconds * 5)
        assert torch.equal(batch.codes[row, : seconds * 5], alone.codes[0])


@torch.no_grad()
def test_swapped_rows_are_read_again(model):
    vocabulary = model.motion_vocabulary
    context = [[1, vocabulary.start]]
    codes = torch.tensor([[3, 1], [2, 5]]) + vocabulary.offset
    scores = torch.zeros(2, model.config.text_config.vocab_size)
    guidance = ClassifierFreeGuidance(model, context, 0, 2.0)
    guidance(codes, scores)
    swapped = guidance(torch.cat([codes.flip(0), codes[:, :1]], 1), scores)
    fresh = ClassifierFreeGuidance(model, context, 0, 2.0)(torch.cat([codes.flip(0), codes[:, :1]], 1), scores)
    torch.testing.assert_close(swapped, fresh)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), "2", True])
def test_impossible_scales_are_refused(model, processor, scale):
    with pytest.raises(MotionLLMError, match="guidance_scale"):
        generate_single(model, **processor(text="walk"), guidance_scale=scale)
