"""`MotionVocabulary`: which token ids are codes, looked up and never guessed."""

import pytest
import torch
from conftest import CODEBOOK_SIZE, train_base_tokenizer

from modeling_motionllm.configuration_motionllm import MotionLLMConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.vocabulary_motionllm import (
    MotionVocabulary,
    PlacementVocabulary,
    motion_token_names,
    placement_token_names,
)
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


@pytest.fixture(scope="module")
def placed_tokenizer():
    return MotionLLMTokenizer.from_base(train_base_tokenizer(), motion_token_names(4, placement=True))


def test_placement_tokens_come_after_the_codes():
    names = motion_token_names(4, placement=True)
    assert names[:6] == motion_token_names(4)
    assert names[6:] == placement_token_names()
    assert len(set(names)) == 2 + 4 + 128 + 128 + 72
    assert (names[6], names[134], names[262], names[-1]) == (
        "<Place_x_0>",
        "<Place_z_0>",
        "<Place_r_0>",
        "<Place_r_71>",
    )


def test_a_tokenizer_has_placements_or_not(tokenizer, placed_tokenizer):
    assert MotionVocabulary.from_tokenizer(tokenizer, CODEBOOK_SIZE).placement is None
    vocabulary = MotionVocabulary.from_tokenizer(placed_tokenizer, 4)
    assert vocabulary.placement is not None
    assert placed_tokenizer.convert_ids_to_tokens(vocabulary.placement.ids) == placement_token_names()
    assert placed_tokenizer.convert_ids_to_tokens(vocabulary.ids) == motion_token_names(4, placement=True)
    assert not vocabulary.is_code(torch.tensor(vocabulary.placement.ids)).any()


def test_placement_tokens_are_never_split(placed_tokenizer):
    ids = placed_tokenizer("a<Place_x_127><Place_z_0><Place_r_36><Motion>", add_special_tokens=False).input_ids
    placement = MotionVocabulary.from_tokenizer(placed_tokenizer, 4).placement
    assert placement is not None
    assert placement.ids_to_bins(torch.tensor(ids[-4:-1])).tolist() == [127, 0, 36]


def test_bins_and_ids_go_both_ways(placed_tokenizer):
    placement = MotionVocabulary.from_tokenizer(placed_tokenizer, 4).placement
    assert placement is not None
    bins = torch.tensor([[[64, 84, 36], [0, 127, 71]], [[5, 6, 0], [127, 0, 7]]])
    ids = placement.bins_to_ids(bins)
    tokens = placed_tokenizer.convert_ids_to_tokens(ids[0, 1].tolist())
    assert tokens == ["<Place_x_0>", "<Place_z_127>", "<Place_r_71>"]
    assert torch.equal(placement.ids_to_bins(ids), bins)


@pytest.mark.parametrize("bins", [[-1, 0, 0], [128, 0, 0], [0, 0, 72], [0, 0]])
def test_bins_that_are_none_are_refused(bins):
    with pytest.raises(MotionLLMError, match="no bins of x, z and heading"):
        PlacementVocabulary(500).bins_to_ids(torch.tensor(bins))


def test_ids_of_another_family_are_refused():
    placement = PlacementVocabulary(500)
    ids = placement.bins_to_ids(torch.tensor([1, 2, 3]))
    for wrong in (ids[[1, 0, 2]], ids - 1000, ids[:2]):
        with pytest.raises(MotionLLMError, match="no placements"):
            placement.ids_to_bins(wrong)


def test_half_a_set_of_placements_is_refused():
    names = [*motion_token_names(4), *placement_token_names()[:300]]
    tokenizer = MotionLLMTokenizer.from_base(train_base_tokenizer(), names)
    with pytest.raises(MotionLLMError, match="lacks 28 of 328 placement tokens, the first is <Place_r_44>"):
        MotionVocabulary.from_tokenizer(tokenizer, 4)


def test_scattered_placements_are_refused():
    places = placement_token_names()
    names = [*motion_token_names(4), *places[128:], *places[:128]]
    tokenizer = MotionLLMTokenizer.from_base(train_base_tokenizer(), names)
    with pytest.raises(MotionLLMError, match="placement tokens are not contiguous"):
        MotionVocabulary.from_tokenizer(tokenizer, 4)
