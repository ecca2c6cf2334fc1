"""Metrics on captions: by hand, against other implementations, and the words of contents and styles."""

import math

import numpy as np
import pytest
from nltk.translate.bleu_score import corpus_bleu

from hub_scripts.captions.clips import describe
from hub_scripts.captions.parsing import caption_words, named_contents, named_styles
from hub_scripts.captions.words import ACTIONS, STYLES
from hub_scripts.metrics.caption import Bleu, CaptionLabelAccuracy, Captions, Cider, RougeL, SentenceSimilarity
from hub_scripts.metrics.score import score_captions
from modeling_motionllm.errors_motionllm import MotionLLMError

CANDIDATES = [
    "a person walks forward",
    "a man waves with the left hand",
    "someone bows",
    "the person runs straight ahead quickly",
]
REFERENCES = [
    ["a person walks straight ahead", "a person is walking forward slowly"],
    ["a person waves the left hand", "someone is waving with the left hand"],
    ["a person bows deeply", "the person takes a bow"],
    ["a person runs forward", "the person runs straight ahead"],
]
# What the scorers of coco-caption (pycocoevalcap 1.2) say of these, their Java tokeniser left out.
COCO = {"bleu1": 0.7579685272905374, "bleu4": 0.5103424069583308, "cider": 2.9599527920072894}


@pytest.fixture
def sample() -> Captions:
    return Captions(CANDIDATES, REFERENCES)


def test_words_have_no_case_and_no_punctuation():
    assert caption_words("Energetically, a Person says 'bye-bye'!") == [
        "energetically",
        "a",
        "person",
        "says",
        "bye-bye",
    ]
    assert caption_words(" -- ") == []


def test_bleu_by_hand():
    # Three of four words and one of three word pairs are the reference's; the candidate is one word short of five.
    sample = Captions(["a person walks left"], [["a person runs left again"]])
    brevity = math.exp(1 - 5 / 4)
    assert Bleu(1)(sample)["bleu1"] == pytest.approx(100 * brevity * 3 / 4)
    assert Bleu(2)(sample)["bleu2"] == pytest.approx(100 * brevity * math.sqrt(3 / 4 * 1 / 3))
    assert Bleu(4)(sample) == {"bleu4": 0}


def test_bleu_against_nltk_and_coco_caption(sample):
    long = [0, 1, 3]  # nltk counts a 4-gram in a sentence of two words
    words = [caption_words(CANDIDATES[index]) for index in long]
    references = [[caption_words(text) for text in REFERENCES[index]] for index in long]
    some = Captions([CANDIDATES[index] for index in long], [REFERENCES[index] for index in long])
    for order in (1, 4):
        nltk = corpus_bleu(references, words, weights=[1 / order] * order)
        assert Bleu(order)(some)[f"bleu{order}"] == pytest.approx(100 * nltk)
        assert Bleu(order)(sample)[f"bleu{order}"] == pytest.approx(100 * COCO[f"bleu{order}"])


def test_the_number_of_references_may_differ():
    some = Captions(CANDIDATES[:2], [REFERENCES[0], REFERENCES[1][:1]])
    assert Bleu(1)(some)["bleu1"] > 0
    assert Cider()(some)["cider"] > 0


def longest_common(a: list[str], b: list[str]) -> int:
    if not a or not b:
        return 0
    if a[-1] == b[-1]:
        return 1 + longest_common(a[:-1], b[:-1])
    return max(longest_common(a[:-1], b), longest_common(a, b[:-1]))


def test_rouge_l_by_hand_and_against_a_plain_recursion(sample):
    # The common subsequence "a ... left" has 3 of 4 and 3 of 5 words.
    one = Captions(["a person walks left"], [["a person runs left again"]])
    assert RougeL()(one)["rouge_l"] == pytest.approx(100 * 2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5))
    best = []
    for text, texts in zip(CANDIDATES, REFERENCES, strict=True):
        a = caption_words(text)
        common = [(longest_common(a, caption_words(other)), len(caption_words(other))) for other in texts]
        best.append(max(2 * n / (len(a) + length) for n, length in common))
    assert RougeL()(sample)["rouge_l"] == pytest.approx(100 * np.mean(best))


def test_cider_by_hand():
    # Two documents; every word but "a" is in one of them (weight log 2), "a" is in both (weight 0). The first candidate
    # has the one weighed word and the one word pair of its reference: 1 + 1 of 4 orders. The second has nothing.
    sample = Captions(["a bow", "kick"], [["a bow"], ["a jump"]])
    assert Cider()(sample)["cider"] == pytest.approx(1000 * np.mean([2 / 4, 0]))
    # A word that is said three times counts once, and three words of difference cost exp(-9 / 72).
    long = Captions(["bow bow bow bow", "x"], [["bow"], ["y"]])
    assert Cider()(long)["cider"] == pytest.approx(1000 * math.exp(-9 / 72) / 4 / 4 / 2)


def test_cider_equals_coco_caption(sample):
    assert Cider()(sample)["cider"] == pytest.approx(100 * COCO["cider"], rel=1e-12)


def test_the_truth_scores_best(sample):
    truth = Captions([texts[0] for texts in REFERENCES], [texts[:1] for texts in REFERENCES])
    for metric in (Bleu(1), Bleu(4), RougeL()):
        assert list(metric(truth).values()) == [pytest.approx(100)]
    shuffled = Captions([*truth.candidates[1:], truth.candidates[0]], truth.references)
    for metric in (Bleu(1), Bleu(4), RougeL(), Cider()):
        assert next(iter(metric(shuffled).values())) < next(iter(metric(truth).values()))


def test_sentence_similarity_takes_the_nearest_reference():
    class Encoder:
        def __call__(self, sentences):
            import torch

            return torch.tensor([{"x": [1.0, 0.0], "y": [0.0, 1.0], "xy": [0.6, 0.8]}[text] for text in sentences])

    metric = SentenceSimilarity(Encoder())  # type: ignore[arg-type]
    sample = Captions(["x", "y"], [["y", "xy"], ["y"]])
    assert metric(sample)["sentence_similarity"] == pytest.approx((0.6 + 1) / 2)
    assert score_captions(sample, metric)["sentence_similarity"].mean == pytest.approx(0.8)


class TestLabelsInCaptions:
    @pytest.mark.parametrize("content", sorted(ACTIONS))
    def test_the_captions_of_every_content_and_style_name_it(self, content, make_joints):
        for index, style in enumerate(STYLES):
            for caption in describe(content, style, make_joints(60, index), f"{content}/{style}"):
                # which way a turn goes is measured, not read from the label
                told = {name.replace("right", "left") for name in named_contents(caption)}
                assert content.replace("right", "left") in told, caption
            for caption in describe(content, style, make_joints(60, index), f"{content}/{style}")[1:]:
                assert style in named_styles(caption), caption

    def test_the_longest_words_win(self):
        assert named_contents("a person waves the left hand") == {"wave-left-hand"}
        assert named_contents("a person waves their left hand to say goodbye") == {"bye"}
        assert named_contents("Someone walks forward and turns right.") == {"walk-turn-right"}
        assert named_contents("he walked forward") == {"walk"}
        assert named_contents("a person dances") == {"dance-long", "dance-short"}
        assert named_contents("a person swims") == frozenset()

    def test_styles(self):
        assert named_styles("a person walks forward") == {"normal"}
        assert named_styles("a childish person runs") == {"childish"}
        assert named_styles("wearily, a man walks forward") == {"exhausted", "tired"}

    def test_accuracy(self):
        sample = Captions(
            ["a person bows forward wearily", "a person swims", "a person runs forward", "a man walks backwards"],
            [["x"]] * 4,
            content=["bow", "bow", "walk", None],
            style=["tired", "normal", "old", None],
        )
        assert CaptionLabelAccuracy("content")(sample) == pytest.approx(
            {"content_words": 1 / 3, "content_words_named": 2 / 3}
        )
        assert CaptionLabelAccuracy("style")(sample) == pytest.approx({"style_words": 2 / 3})
        table = score_captions(sample)
        assert table["content_words"].mean == pytest.approx(1 / 3)
        assert {"bleu1", "bleu4", "rouge_l", "cider", "style_words"} <= table.keys()

    def test_old_means_elderly(self):
        sample = Captions(["an old man walks forward"], [["x"]], style=["old"])
        assert CaptionLabelAccuracy("style")(sample) == {"style_words": 1}


def test_captions_that_do_not_fit_are_refused():
    with pytest.raises(MotionLLMError, match="no captions"):
        Captions([], [])
    with pytest.raises(MotionLLMError, match="1 entries in 'references' for 2"):
        Captions(["a", "b"], [["a"]])
    with pytest.raises(MotionLLMError, match="caption 1 has no reference"):
        Captions(["a", "b"], [["a"], []])
    with pytest.raises(MotionLLMError, match="known content"):
        CaptionLabelAccuracy("content")(Captions(["a"], [["a"]]))
