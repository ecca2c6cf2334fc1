"""`PromptMemory`: a prompt that goes on from what was read gives what it gives when it is read anew."""

import pytest
import torch

from modeling_motionllm.decoding_motionllm import read_prompts
from modeling_motionllm.fused_llama_motionllm import FusedLlama
from modeling_motionllm.prompt_memory_motionllm import PromptMemory
from modeling_motionllm.prompts_motionllm import pad_left
from modeling_motionllm.sampling_motionllm import TextGrammar
from modeling_motionllm.writing_motionllm import write_tokens

BEFORE = [[5, 6, 7, 8], [5, 9], [11, 12, 13, 14, 15, 16]]
LATER = [
    [[5, 6, 7, 8, 20, 21], [5, 9, 22], [11, 12, 13, 14, 15, 16, 17]],  # all of them longer
    [[5, 6, 30, 31], [5, 9, 22, 23, 24], [11, 12, 13, 14, 15, 16]],  # one differs within, one is the same
    [[5, 9], [11, 12, 13, 14, 15, 16, 17, 18]],  # fewer, in other places
    [[40, 41], [42]],  # nothing is known of them
    [[5], [11, 12, 13, 14, 15, 16, 17, 18, 19]],  # one shorter than what is left to read
]


def read(network, rows, copies, memory):
    padded = pad_left(rows, 0)
    pads = padded["input_ids"].shape[1] - padded["attention_mask"].sum(-1)
    cache = network.new_cache(len(rows) * copies, 1, padded["input_ids"].shape[1] + 4)
    with torch.no_grad():
        return read_prompts(network, padded["input_ids"], pads, cache, copies, memory), cache


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("rows", LATER)
def test_what_is_known_is_not_read_and_changes_nothing(model, rows, copies):
    network = FusedLlama(model.language_model, range(60))
    memory = PromptMemory()
    read(network, BEFORE, 2, memory)
    scores, cache = read(network, rows, copies, memory)
    expected, anew = read(network, rows, copies, None)
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)
    end = max(map(len, rows))
    for row, ids in enumerate(rows):
        own = slice(row * copies, (row + 1) * copies)
        torch.testing.assert_close(
            cache.keys[:, own, :, :, end - len(ids) : end], anew.keys[:, own, :, :, end - len(ids) : end]
        )
    again, _ = read(network, rows, copies, memory)
    torch.testing.assert_close(again, expected, rtol=1e-4, atol=1e-5)


def test_only_what_is_new_is_read(model, monkeypatch):
    network, memory = FusedLlama(model.language_model, range(60)), PromptMemory()
    known: list[int] = []
    prefill = FusedLlama.prefill
    monkeypatch.setattr(FusedLlama, "prefill", lambda *a, **k: known.append(k.get("known", 0)) or prefill(*a, **k))
    read(network, BEFORE, 1, memory)
    for rows in LATER:
        fresh = PromptMemory()
        read(network, BEFORE, 1, fresh)
        read(network, rows, 1, fresh)
    assert known[2::2] == [5, 3, 6, 0, 6]


def test_what_was_written_is_known_too(model, processor):
    prompts = pad_left([processor.motion_to_text_ids([codes], []) for codes in ([1, 2], [3, 4, 5, 6])], 0)
    grammar, memory = [TextGrammar(model.motion_vocabulary)], PromptMemory()
    told = write_tokens(
        model, **prompts, processors=grammar, max_new_tokens=6, pad_token_id=0, eos_token_id=[], memory=memory
    )
    longer = [
        [*ids[mask.bool()].tolist(), *new]
        for ids, mask, new in zip(prompts["input_ids"], prompts["attention_mask"], told.tolist(), strict=True)
    ]
    network = FusedLlama(model.language_model, range(60))
    scores, _ = read(network, longer, 1, memory)
    expected, _ = read(network, longer, 1, None)
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)
