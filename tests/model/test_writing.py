"""`write_tokens`: the fast decoder writes what `generate` writes."""

import pytest
import torch
from transformers import LogitsProcessor

from modeling_motionllm.prompts_motionllm import pad_left
from modeling_motionllm.sampling_motionllm import TextGrammar, sampling_steps
from modeling_motionllm.writing_motionllm import write_tokens


@pytest.fixture
def prompts(processor):
    """Three motions of different lengths to be described."""
    motions = [[1, 2, 3], [4, 5, 6, 7, 8, 9, 10], [11] * 5]
    return pad_left([processor.motion_to_text_ids([codes], []) for codes in motions], 0)


def written(model, prompts, processors, **options):
    return write_tokens(model, **prompts, processors=processors, pad_token_id=0, **options)


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("drawn", [False, True])
def test_words_are_those_of_generate(model, prompts, copies, drawn):
    def processors() -> list[LogitsProcessor]:
        draws = sampling_steps(list(range(3 * copies)), 1.3, None, 0.95, None) if drawn else []
        return [TextGrammar(model.motion_vocabulary), *draws]

    fast, plain = (
        written(model, prompts, processors(), max_new_tokens=30, copies=copies, plain=plain) for plain in (False, True)
    )
    assert fast.shape[0] == 3 * copies
    assert torch.equal(fast, plain)


class EndsOften(LogitsProcessor):
    def __init__(self, end: int):
        self.end = end

    def __call__(self, input_ids, scores):
        return scores.index_add(1, torch.tensor([self.end]), torch.full_like(scores[:, :1], 3.0))


def test_a_row_that_ended_is_padded(model, prompts):
    start = model.motion_vocabulary.start

    def processors() -> list[LogitsProcessor]:
        return [TextGrammar(model.motion_vocabulary), EndsOften(7), *sampling_steps([5, 6, 7], 2.0, None, None, None)]

    fast, plain = (
        write_tokens(
            model, **prompts, processors=processors(), max_new_tokens=300, eos_token_id=[7, 9], pad_token_id=start,
            plain=plain,
        )
        for plain in (False, True)
    )  # fmt: skip
    assert torch.equal(fast, plain)
    ends = [min(place for place, token in enumerate(row.tolist()) if token in (7, 9)) for row in fast]
    assert len(set(ends)) > 1
    assert fast.shape[1] == max(ends) + 1
    assert all((row[end + 1 :] == start).all() for row, end in zip(fast, ends, strict=True))


def test_generate_writes_where_it_has_to(model, prompts, monkeypatch):
    called = []
    generate = type(model).generate
    monkeypatch.setattr(type(model), "generate", lambda *a, **k: called.append(k) or generate(*a, **k))
    processors = [TextGrammar(model.motion_vocabulary)]
    fast = written(model, prompts, processors, max_new_tokens=5)
    assert not called
    beams = written(model, prompts, processors, max_new_tokens=5, options={"num_beams": 2})
    assert called.pop()["num_beams"] == 2
    assert beams.shape == fast.shape
    model.train()
    try:
        assert torch.equal(written(model, prompts, processors, max_new_tokens=5), fast)
    finally:
        model.eval()
    assert called
