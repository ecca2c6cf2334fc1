"""The training loss: plain cross-entropy but for placements, and the weights of what a sentence decides."""

import math

import pytest
import torch
import torch.nn.functional as F
from conftest import CODEBOOK_SIZE

from hub_scripts.training.examples import OPENING, LossWeights, MotionTextExamples, PadExamples
from modeling_motionllm.losses_motionllm import PLACEMENT_WIDTH, token_losses
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary, PlacementVocabulary

pytest_plugins = ("scene_fixtures",)

PLACEMENT = PlacementVocabulary(offset=10)
X, Z, HEADING = PLACEMENT.families
VOCABULARY = MotionVocabulary(offset=400, start=398, end=399, codebook_size=100, placement=PLACEMENT)


@pytest.fixture
def logits():
    return torch.randn(6, 345, generator=torch.Generator().manual_seed(0))


def test_tokens_that_are_no_placements_have_their_cross_entropy(logits):
    targets = torch.tensor([0, 9, 338, 344, 5, 7])
    expected = F.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(token_losses(logits, targets, PLACEMENT), expected)
    placed = torch.tensor([0, X[3], Z[9], HEADING[2], 5, 7])
    torch.testing.assert_close(
        token_losses(logits, placed, None), F.cross_entropy(logits, placed, reduction="none"), msg="no placements"
    )
    mixed = token_losses(logits, placed, PLACEMENT)
    torch.testing.assert_close(mixed[[0, 4, 5]], token_losses(logits, placed, None)[[0, 4, 5]])


@pytest.mark.parametrize(("family", "goes_round"), [(X, False), (Z, False), (HEADING, True)])
def test_the_best_prediction_of_a_placement_is_a_bell_around_it_in_its_own_family(family, goes_round):
    logits = torch.zeros(1, 345, requires_grad=True)
    token_losses(logits, torch.tensor([family[0]]), PLACEMENT).sum().backward()
    share = logits.detach().softmax(-1)[0] - logits.grad[0]  # the gradient is zero where the prediction is the target
    assert share[family.start : family.stop].sum() == pytest.approx(1, abs=1e-5)
    assert share.argmax() == family[0]
    ratio = math.exp(-0.5 / PLACEMENT_WIDTH**2)
    assert float(share[family[1]] / share[family[0]]) == pytest.approx(ratio, rel=1e-3)
    assert float(share[family[-1]] / share[family[0]]) == pytest.approx(ratio if goes_round else 0, abs=1e-3)


def test_weights_of_a_scene_fall_on_placements_and_the_first_codes_of_each_person():
    codes = list(range(400, 400 + OPENING + 3))
    prompt = [1, 2, VOCABULARY.start]
    person = [VOCABULARY.end, X[1], Z[2], HEADING[3], VOCABULARY.start]
    ids = [*prompt, *codes, *person, *codes, VOCABULARY.end, 3]
    labels = [-100] * len(prompt) + ids[len(prompt) :]
    weights = LossWeights(opening=3, placement=4).of(ids, labels, VOCABULARY)
    motion = [3] * OPENING + [1] * 3
    assert weights == [1, 1, 1, *motion, 1, 4, 4, 4, 1, *motion, 1, 1]


def test_words_of_parts_have_a_weight_and_the_end_of_the_text_has_not():
    part, codes = [350, 351], [400, 401]
    told = [*part, VOCABULARY.start, *codes, VOCABULARY.end, X[1], Z[2], HEADING[3]]
    ids = [1, 2, *told, *part, VOCABULARY.start, *codes, VOCABULARY.end, 3]
    labels = [-100, -100, *ids[2:]]
    weights = LossWeights(part=5, placement=4).of(ids, labels, VOCABULARY)
    assert weights == [1, 1, 5, 5, 1, 1, 1, 1, 4, 4, 4, 5, 5, 1, 1, 1, 1, 1]


def test_the_opening_of_someone_who_waits_lasts_until_after_the_waiting():
    waiting, moving = [400] * 9, list(range(401, 401 + OPENING + 3))
    ids = [VOCABULARY.start, *waiting, *moving, VOCABULARY.end]
    weights = LossWeights(opening=3).of(ids, [-100, *ids[1:]], VOCABULARY)
    # The code repeated while waiting is the first of `OPENING` different ones.
    assert weights == [1, *[3] * (len(waiting) + OPENING - 1), *[1] * 4, 1]


def test_examples_carry_weights_for_generation_only(processor):
    rows = [{"contents": ["walk"], "captions": ["a person walks."], "parts": [], "codes": [[1, 2, 3, 4]]}]
    weights = LossWeights(opening=3, placement=4)
    examples = MotionTextExamples(rows, processor, 40, 0, text_to_motion=0.5, unconditional=1.0, weights=weights)
    told = {max(example["loss_weights"]) for example in examples}
    assert told == {1.0, 3}
    for example in examples:
        assert len(example["loss_weights"]) == len(example["input_ids"]) == len(example["labels"])
    assert "loss_weights" not in MotionTextExamples(rows, processor, 1, 0)[0]


def test_batches_are_padded_with_weight_one(processor):
    weights = LossWeights(opening=3)
    rows = [
        {"contents": ["walk"], "captions": ["a person walks."], "parts": [], "codes": [list(range(length))]}
        for length in (2, 9, CODEBOOK_SIZE - 1)
    ]
    examples = MotionTextExamples(rows, processor, 8, 0, text_to_motion=1.0, weights=weights)
    batch = PadExamples(0)(list(examples))
    assert {name: value.shape for name, value in batch.items()} == dict.fromkeys(batch, batch["input_ids"].shape)
    assert bool((batch["loss_weights"][batch["attention_mask"] == 0] == 1).all())
    plain = PadExamples(0)([{"input_ids": [5, 6], "labels": [-100, 6]}, {"input_ids": [5], "labels": [5]}])
    assert plain["input_ids"].tolist() == [[5, 6], [5, 0]]
    assert plain["labels"].tolist() == [[-100, 6], [5, -100]]
    assert plain["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert "loss_weights" not in plain


def test_scene_examples_weigh_placements(scene_processor):
    rows = [
        {
            "captions": ["two people wave."],
            "contents": ["wave-both-hands"] * 2,
            "parts": [],
            "codes": [[1, 2], [3, 4]],
            "placement_bins": [[64, 64, 36], [70, 80, 0]],
        }
    ]
    examples = MotionTextExamples(
        rows, scene_processor, 20, 0, text_to_motion=1.0, weights=LossWeights(opening=1.0, placement=4)
    )
    for example in examples:
        assert example["loss_weights"].count(4) == 3
