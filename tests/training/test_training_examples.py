"""Kinds of training examples beside clips and scenes: people's sentences, unknown ones, turns in time, gaps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from hub_scripts.training.examples import LossWeights, MatchedSentence, MotionTextExamples

WALK: dict[str, Any] = {
    "name": "walk", "contents": ["walk"], "captions": ["a person walks"], "parts": [], "codes": [[1, 2, 3, 4, 5, 6]],
}  # fmt: skip
BOW: dict[str, Any] = {
    "name": "bow", "contents": ["bow"], "captions": ["a person bows"], "parts": [], "codes": [[9] * 8],
}  # fmt: skip
BOTH: dict[str, Any] = {
    "name": "both",
    "contents": ["walk"],
    "captions": ["a person walks and then bows"],
    "parts": [],
    "codes": [[1, 2, 3, 9, 9]],
    "segment_captions": [["a person walks"], ["a person bows"]],
    "segment_ends": [3, 5],
}


def split(example: dict[str, list[Any]], processor: Any) -> tuple[str, list[int], list[int]]:
    """The text of an example, its learnt codes, and its learnt ids in order."""
    vocabulary = processor.vocabulary
    learnt = [label for label in example["labels"] if label != -100]
    codes = [label - vocabulary.offset for label in learnt if vocabulary.offset <= label < vocabulary.offset + 32]
    return processor.tokenizer.decode(example["input_ids"]), codes, learnt


def examples(rows: Sequence[Any], processor: Any, size: int = 40, **options: Any) -> MotionTextExamples:
    return MotionTextExamples(rows, processor, size, 0, **({"text_to_motion": 1.0, "with_duration": 0.0} | options))


def test_people_s_sentences_come_with_a_motion_that_shows_them(processor):
    sentences = [MatchedSentence("The man strolls.", ["walk"], [0]), MatchedSentence("he takes a bow", ["bow"], [1])]
    drawn = examples([WALK, BOW], processor, 300, sentences=sentences, sentence_share=0.4)
    found = [split(example, processor)[:2] for example in drawn]
    codes = {"strolls": WALK["codes"][0], "takes a bow": BOW["codes"][0]}
    for words, expected in codes.items():
        of_sentence = [motion for text, motion in found if words in text]
        assert of_sentence
        assert all(motion == expected for motion in of_sentence)
    said = [any(words in text for words in codes) for text, _ in found]
    assert np.mean(said) == pytest.approx(0.4, abs=0.08)


@pytest.mark.parametrize("style,described", [("normal", True), ("elderly", False)])
def test_a_motion_with_a_manner_is_described_by_captions_that_tell_it(processor, style, described):
    rows = [{**WALK, "styles": [style]}]
    sentences = [MatchedSentence("the man strolls", ["walk"], [0])]
    drawn = examples(rows, processor, 60, sentences=sentences, sentence_share=0.5, text_to_motion=0.5)
    said: dict[bool, set[bool]] = {True: set(), False: set()}  # of captions or not: whether it is the person's
    for example in drawn:
        text, learnt_codes, _ = split(example, processor)
        said[not learnt_codes].add("strolls" in text)
    assert said[False] == {True, False}
    assert said[True] == ({True, False} if described else {False})


def test_unknown_sentences_end_at_once_and_weigh_more(processor):
    unknown = [MatchedSentence("a person swims", ["swim"], [])]
    weights = LossWeights(unknown=8.0)
    drawn = examples([WALK], processor, 200, sentences=unknown, unknown_share=0.25, weights=weights, with_duration=0.5)
    of_unknown = [example for example in drawn if "swims" in processor.tokenizer.decode(example["input_ids"])]
    assert len(of_unknown) / 200 == pytest.approx(0.25, abs=0.08)
    end, eos = processor.vocabulary.end, processor.tokenizer.eos_token_id
    for example in of_unknown:
        assert split(example, processor)[2] == [end, eos]
        assert example["loss_weights"][-2:] == [8.0, 1.0]
        assert example["input_ids"][-3] == processor.vocabulary.start
    timed = ["s)" in processor.tokenizer.decode(example["input_ids"]) for example in of_unknown]
    assert 0 < np.mean(timed) < 1


def test_sequences_are_told_in_turns_or_as_a_whole(processor):
    drawn = list(examples([BOTH], processor, 60, in_turns=0.5, sequence_share=1.0))
    vocabulary = processor.vocabulary
    first, second = ([vocabulary.offset + code for code in codes] for codes in ([1, 2, 3], [9, 9]))
    start, end, eos = vocabulary.start, vocabulary.end, processor.tokenizer.eos_token_id
    ids = [processor.tokenizer(text + "\n", add_special_tokens=False)["input_ids"] for text in (
        "a person walks", "a person bows", "a person walks and then bows",
    )]  # fmt: skip
    bos = processor.bos_ids
    in_turns = [*bos, *ids[0], start, *first, end, *ids[1], start, *second, end, eos]
    whole = [*bos, *ids[2], start, *first, *second, end, eos]
    assert {tuple(example["input_ids"]) for example in drawn} == {tuple(in_turns), tuple(whole)}
    [turns] = [example for example in drawn if example["input_ids"] == in_turns][:1]
    assert [label for label in turns["labels"] if label != -100] == [*first, end, *second, end, eos]
    timed = processor.turns_example(BOTH["segment_captions"][0] + ["x"], [[1, 2, 3], [9]], timed=True)
    assert "(0.6 s)" in processor.tokenizer.decode(timed["input_ids"])
    assert "(0.2 s)" in processor.tokenizer.decode(timed["input_ids"])


def test_a_gap_is_learnt_from_what_comes_before_and_after(processor):
    for example in examples([BOW | {"codes": [list(range(10))]}], processor, 50, in_between=1.0):
        text, codes, learnt = split(example, processor)
        assert text.startswith(processor.tokenizer.decode(processor.bos_ids) + "until <Motion>")
        assert len(codes) >= 4
        assert codes == list(range(codes[0], codes[-1] + 1))
        assert codes[0] > 0
        assert codes[-1] < 9
        assert learnt[-2:] == [processor.vocabulary.end, processor.tokenizer.eos_token_id]
        assert f"({len(codes) * 0.2:.1f} s)" in text
        given = [token - processor.vocabulary.offset for token in example["input_ids"]]
        given = [code for code in given if 0 <= code < 32][: 10 - len(codes)]
        assert given == [*range(codes[-1] + 1, 10), *range(codes[0])]


def test_shares_of_what_the_data_lacks_go_to_the_others(processor):
    drawn = examples([WALK], processor, 20, scene_share=0.5, sentence_share=0.4)
    assert all("a person walks" in split(example, processor)[0] for example in drawn)


def test_lengths_tell_which_examples_are_alike(processor):
    drawn = examples([WALK | {"codes": [list(range(30))]}, BOW], processor, 100, openings=0.5)
    real = [len(example["input_ids"]) for example in drawn]
    assert np.corrcoef(drawn.lengths(), real)[0, 1] > 0.95


def test_an_opening_stops_after_its_codes(processor):
    long, short = WALK | {"codes": [list(range(30))]}, BOW
    weights = LossWeights(opening=2.0)
    drawn = examples([long, short], processor, 100, openings=0.5, weights=weights, with_duration=1.0)
    found = []
    for example in drawn:
        text, codes, learnt = split(example, processor)
        assert len({len(values) for values in example.values()}) == 1
        if "walks" in text:
            assert "(6.0 s)" in text
            assert codes == list(range(len(codes)))
            assert (learnt[-1] == processor.tokenizer.eos_token_id) == (len(codes) == 30)
            found.append(len(codes))
        else:
            assert len(codes) == 8
    assert set(found) == {12, 30}
    assert np.mean(np.array(found) == 12) == pytest.approx(0.5, abs=0.15)
