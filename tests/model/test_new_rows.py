"""How new vocabulary rows start: codes as alike as in the codebook, placement bins in their order."""

import pytest
import torch
import torch.nn.functional as F
from conftest import CODEBOOK_SIZE, make_vq

from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.new_rows_motionllm import like_codes, ordered_noise
from modeling_motionllm.vocabulary_motionllm import motion_token_names
from tokenization.tokenization_motionllm import MotionLLMTokenizer


def likeness(vectors: torch.Tensor, distance: int) -> float:
    return float(F.cosine_similarity(vectors[:-distance], vectors[distance:]).mean())


@pytest.mark.parametrize("goes_round", [False, True])
def test_the_nearer_two_numbers_the_more_alike_their_vectors(goes_round):
    noise = ordered_noise(128, 512, torch.Generator().manual_seed(0), goes_round)
    found = [likeness(noise, distance) for distance in (1, 2, 5, 15, 60)]
    assert found == sorted(found, reverse=True)
    assert 0.6 < found[0] < 0.9
    assert found[-1] < 0.3
    assert float(noise.std()) == pytest.approx(1, abs=0.05)
    ends = float(F.cosine_similarity(noise[0], noise[-1], dim=0))
    assert ends == pytest.approx(found[0], abs=0.1) if goes_round else ends < 0.35


def test_the_seed_decides():
    same, again, other = (ordered_noise(20, 8, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(same, again)
    assert not torch.isclose(same, other).any()


def test_rows_of_codes_are_as_alike_as_the_codes(base_tokenizer, base_folder):
    torch.manual_seed(0)
    codebook = torch.randn(200, 64)
    codebook[100:] = codebook[:100] + 0.3 * torch.randn(100, 64)  # each has one that is near
    rows = like_codes(codebook, torch.randn(200, 512), torch.Generator().manual_seed(0))
    assert float(rows.std()) == pytest.approx(1, abs=0.05)
    assert likeness(rows, 100) > 0.6
    assert 0.1 < likeness(rows, 1) < 0.3  # what all codes have in common

    tokenizer = MotionLLMTokenizer.from_base(base_tokenizer, motion_token_names(CODEBOOK_SIZE))
    vq = make_vq()
    with torch.no_grad():
        vq.quantizer.codebook[1] = vq.quantizer.codebook[0]
    model = MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, vq, seed=3)
    first, second, *_ = model.get_input_embeddings().weight[model.motion_vocabulary.motion_ids[2:]].detach()
    old = model.get_input_embeddings().weight[: len(base_tokenizer)].detach()
    assert (
        float(F.cosine_similarity((first - old.mean(0)) / old.std(0), (second - old.mean(0)) / old.std(0), dim=0)) > 0.4
    )


def test_rows_of_placements_are_as_alike_as_near(base_tokenizer, base_folder):
    tokenizer = MotionLLMTokenizer.from_base(base_tokenizer, motion_token_names(CODEBOOK_SIZE, placement=True))
    model = MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, make_vq(), seed=3)
    vocabulary, weight = model.motion_vocabulary, model.get_input_embeddings().weight.detach()
    old = weight[: len(base_tokenizer)]
    assert vocabulary.placement is not None
    for family in vocabulary.placement.families:
        rows = (weight[list(family)] - old.mean(0)) / old.std(0)
        assert likeness(rows, 1) > 0.5 > likeness(rows, len(family) // 2)
        assert float(rows.std()) == pytest.approx(1, abs=0.2)
    # A model of single people draws the same rows for its codes.
    single = MotionLLMTokenizer.from_base(base_tokenizer, motion_token_names(CODEBOOK_SIZE))
    alone = MotionLLMForCausalLM.from_base(str(base_folder), single, make_vq(), seed=3)
    rows = alone.get_input_embeddings().weight[alone.motion_vocabulary.ids]
    torch.testing.assert_close(rows, weight[vocabulary.motion_ids])
