"""`MotionVocabulary`: which token ids are codes, looked up and never guessed."""

import pytest
import torch
from conftest import CODEBOOK_SIZE, train_base_tokenizer

from modeling_motionllm.configuration_motionllm import MotionLLMConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary, motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer

VOCABULARY = MotionVocabulary(offset=102, start=100, end=101, codebook_size=8)


def test_the_names_come_in_the_order_of_the_official_code():
    assert motion_token_names(3) == ["<Motion>", "</Motion>", "<Motion_0>", "<Motion_1>", "<Motion_2>"]


def test_the_tokenizer_and_the_config_tell_the_same(tokenizer, model):
    vocabulary = MotionVocabulary.from_tokenizer(tokenizer, CODEBOOK_SIZE)
    assert vocabulary == MotionVocabulary.from_config(model.config) == model.motion_vocabulary
    assert vocabulary.start == tokenizer.convert_tokens_to_ids("<Motion>")
    assert vocabulary.end == tokenizer.convert_tokens_to_ids("</Motion>")
    assert vocabulary.offset == tokenizer.convert_tokens_to_ids("<Motion_0>")
    assert vocabulary.ids == [tokenizer.convert_tokens_to_ids(name) for name in motion_token_names(CODEBOOK_SIZE)]


def test_codes_and_ids_go_both_ways():
    codes = torch.tensor([7, 0, 3, 3])
    ids = VOCABULARY.codes_to_ids(codes)
    assert ids.tolist() == [109, 102, 105, 105]
    assert torch.equal(VOCABULARY.ids_to_codes(ids), codes)


def test_only_codes_are_codes():
    ids = torch.tensor([99, 100, 101, 102, 109, 110])
    assert VOCABULARY.is_code(ids).tolist() == [False, False, False, True, True, False]
    assert VOCABULARY.ids_to_codes(ids).tolist() == [0, 7]


@pytest.mark.parametrize("codes", [[-1, 0], [8]])
def test_codes_outside_the_codebook_are_refused(codes):
    with pytest.raises(MotionLLMError, match="must be 0 to 7"):
        VOCABULARY.codes_to_ids(torch.tensor(codes))


def test_no_codes_are_no_ids():
    assert VOCABULARY.codes_to_ids(torch.tensor([], dtype=torch.long)).tolist() == []


def test_missing_tokens_are_named(tokenizer):
    with pytest.raises(MotionLLMError, match=f"lacks 4 motion tokens, the first is <Motion_{CODEBOOK_SIZE}>"):
        MotionVocabulary.from_tokenizer(tokenizer, CODEBOOK_SIZE + 4)
    with pytest.raises(MotionLLMError, match="the first is <Motion>"):
        MotionVocabulary.from_tokenizer(train_base_tokenizer(), CODEBOOK_SIZE)


def test_scattered_codes_are_refused():
    names = motion_token_names(4)
    names.insert(4, "<other>")
    tokenizer = MotionLLMTokenizer.from_base(train_base_tokenizer(), names)
    with pytest.raises(MotionLLMError, match="not contiguous"):
        MotionVocabulary.from_tokenizer(tokenizer, 4)


def test_motion_tokens_need_not_be_the_last_ones():
    names = ["<other>", *motion_token_names(4), "<another>"]
    tokenizer = MotionLLMTokenizer.from_base(train_base_tokenizer(), names)
    vocabulary = MotionVocabulary.from_tokenizer(tokenizer, 4)
    assert tokenizer.convert_ids_to_tokens(vocabulary.ids) == motion_token_names(4)
    assert max(vocabulary.ids) == len(tokenizer) - 2


def test_a_config_without_motion_tokens_is_refused():
    with pytest.raises(MotionLLMError, match="names no motion tokens"):
        MotionVocabulary.from_config(MotionLLMConfig())
