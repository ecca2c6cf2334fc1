"""Turns in time: one person doing one thing after another, each turn gone on to from the ones before."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from conftest import AS_LEARNT, make_vq

from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.motion_files import load_motion
from modeling_motionllm import output_motionllm, streaming_motionllm, turns_motionllm
from modeling_motionllm.decoding_motionllm import MotionRequest
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion, MotionSegment
from modeling_motionllm.output_motionllm import MotionGenerationOutput

TURNS = ["a person walks forward", "the person bows slowly", "a person waves with the left hand"]


def codes_of(output: MotionGenerationOutput) -> list[list[int]]:
    return [[code for code in row if code != -1] for row in output.codes[:, 0].tolist()]


def tell(model: Any, inputs: Any, **options: Any) -> MotionGenerationOutput:
    return model.generate_motion(**inputs, **(AS_LEARNT | options))


def read_prompts(monkeypatch: pytest.MonkeyPatch) -> list[list[list[int]]]:
    """The prompts of each request that is decoded from now on, without padding."""
    seen: list[list[list[int]]] = []
    plain = MotionRequest.__post_init__

    def noted(request: MotionRequest) -> None:
        plain(request)
        real = request.input_ids != request.input_ids.new_tensor(0)
        if request.attention_mask is not None:
            real = request.attention_mask.bool()
        seen.append([ids[keep].tolist() for ids, keep in zip(request.input_ids, real, strict=True)])

    monkeypatch.setattr(MotionRequest, "__post_init__", noted)
    return seen


@pytest.mark.parametrize("options", [{}, {"guidance_scale": 2.0}, {"num_candidates": 3}, {"do_sample": False}])
@pytest.mark.parametrize("engine", ["fast", "generate"])
def test_one_turn_is_what_one_sentence_gives(model, processor, engine, options):
    options = options | {
        "engine": engine,
        "seed": 3,
        "num_return_sequences": 2 if options.get("do_sample", True) else 1,
    }
    judge = processor if "num_candidates" in options else None
    for duration in (None, 1.6):
        alone = tell(model, processor(text=TURNS[:2], duration=duration), processor=judge, **options)
        lists = tell(model, processor(text=[[t] for t in TURNS[:2]], duration=duration), processor=judge, **options)
        # The first of several turns too.
        first = tell(
            model,
            processor(text=[[TURNS[0], "bow"], [TURNS[1]]], duration=duration),
            processor=judge,
            **options,
        )
        assert codes_of(lists) == codes_of(alone)
        assert lists.segment_ends is None
        ends = first.segment_ends[:, 0].tolist()
        assert [own[:end] for own, end in zip(codes_of(first), ends, strict=True)] == codes_of(alone)
        torch.testing.assert_close(lists.features, alone.features, rtol=0, atol=0)


@pytest.mark.parametrize("options", [{}, {"guidance_scale": 2.0}, {"num_candidates": 2}])
def test_engines_agree_and_batches_do_not_matter(model, processor, options):
    texts, seconds = [TURNS, TURNS[:1], TURNS[1:]], [[1.0, 0.6, 2.0], [0.8], [0.4, 1.2]]
    options = {"temperature": 0.5, "processor": processor, "num_return_sequences": 2} | options
    both = [
        tell(model, processor(text=texts, duration=seconds), engine=engine, seed=5, **options)
        for engine in ("fast", "generate")
    ]
    assert codes_of(both[0]) == codes_of(both[1])
    assert both[0].segment_ends.tolist() == [[5, 8, 18]] * 2 + [[4, -1, -1]] * 2 + [[2, 8, -1]] * 2
    torch.testing.assert_close(both[0].unknown, both[1].unknown, rtol=1e-3, atol=1e-5)
    again = tell(model, processor(text=texts[2:], duration=seconds[2:]), seed=9, **options)
    assert codes_of(again) == codes_of(both[0])[4:]
    other = tell(model, processor(text=texts[2:], duration=seconds[2:]), seed=10, **options)
    assert codes_of(other)[0] == codes_of(again)[1]
    assert codes_of(other)[1] != codes_of(again)[1]


def test_without_context_each_turn_is_what_its_sentence_gives(model, processor, monkeypatch):
    options = {"do_sample": False, "guidance_scale": 2.0, "turn_context": False}
    seconds: list[float] = [1.0, 0.6, 2.0]
    seen = read_prompts(monkeypatch)
    output = tell(model, processor(text=[TURNS], duration=[seconds]), **options)
    alone = [
        codes_of(tell(model, processor(text=text, duration=lasting), **options))
        for text, lasting in zip(TURNS, seconds, strict=True)
    ]
    assert codes_of(output)[0] == [code for [codes] in alone for code in codes]
    together, *apart = seen  # all turns are drawn at once
    assert [together] == [[ids for [ids] in apart]]
    assert output.segment_ends.tolist() == [[5, 8, 18]]
    # What was given is gone on from even so, by the first turn.
    vocabulary, bos = processor.vocabulary, processor.bos_ids
    given = [*processor.turn_ids("stand"), vocabulary.offset + 3, vocabulary.offset + 1, vocabulary.end]
    first, second = ([*processor.turn_ids(text)] for text in TURNS[:2])
    inputs = {"input_ids": torch.tensor([[*bos, *given, *first]]), "turns": torch.tensor([[second]])}
    seen.clear()
    tell(model, inputs, max_codes=9, **options)
    assert seen == [[[*bos, *given, *first]], [[*bos, *second]]]
    # Drawn ones are the same however many are drawn at once, and in a stream.
    drawn = {"seed": 4, "temperature": 1.0, "turn_context": False, "max_codes": 12}
    texts = processor(text=[TURNS, TURNS[:1], TURNS[1:]])
    at_once = tell(model, texts, **drawn)
    monkeypatch.setattr(turns_motionllm, "_ROWS", 1)
    one_by_one = tell(model, texts, **drawn)
    assert codes_of(one_by_one) == codes_of(at_once)
    assert torch.equal(one_by_one.segment_ends, at_once.segment_ends)
    *_, last = model.stream_motion(**texts, **(AS_LEARNT | drawn))
    assert torch.equal(last.segment_ends, at_once.segment_ends)


def test_a_turn_is_asked_for_after_all_turns_before_it(model, processor, monkeypatch):
    seen = read_prompts(monkeypatch)
    output = tell(model, processor(text=[TURNS], duration=1.0), seed=0)
    codes = codes_of(output)[0]
    whole = processor.turns_example(TURNS, [codes[:5], codes[5:10], codes[10:]], timed=True)["input_ids"]
    # The example goes on with the codes of the last turn, `</Motion>` and the end of the text.
    assert seen[2] == [whole[:-7]]
    assert whole[: len(seen[0][0])] == seen[0][0]
    assert seen[1][0] == whole[: len(seen[1][0])]
    # Without a duration the model ends every turn itself.
    free = tell(model, processor(text=[TURNS]), seed=0, min_codes=2, max_codes=9)
    ends = [0, *free.segment_ends[0].tolist()]
    assert all(2 <= stop - start <= 9 for start, stop in pairwise(ends))


def test_the_prompt_does_not_grow_with_the_motion(model, processor, monkeypatch):
    seen = read_prompts(monkeypatch)
    texts = [f"{TURNS[number % 3]} {'again ' * number}" for number in range(12)]
    output = tell(model, processor(text=[texts], duration=3.0), seed=0, max_codes=50)
    assert output.codes.shape[2] == 12 * 15
    vocabulary = processor.vocabulary
    counts = [sum(token in range(vocabulary.offset, vocabulary.offset + 32) for token in own) for [own] in seen]
    assert counts == [0, 15, 30, *[30] * 9]
    bos = processor.bos_ids
    for number in range(3, 12):
        head = processor.turn_ids(texts[number - 2], 15)
        assert seen[number][0][: len(bos) + len(head)] == [*bos, *head]
    # Of a long turn before a long one 4 s are left, whatever there is room for.
    seen.clear()
    tell(model, processor(text=[[TURNS[0], TURNS[1]]], duration=10.0), seed=0, max_codes=50)
    kept = [token for token in seen[1][0] if token in range(vocabulary.offset, vocabulary.offset + 32)]
    assert len(kept) == 20
    # And no more than the language model reads.
    monkeypatch.setattr(model.config.text_config, "max_position_embeddings", 80)
    seen.clear()
    tell(model, processor(text=[texts[:4]], duration=1.0), seed=0)
    assert max(len(own) for [own] in seen) <= 80 - 6


@pytest.mark.parametrize("engine,chunk_codes", [("fast", 1), ("fast", 5), ("generate", 100)])
def test_streamed_turns_are_what_generate_motion_gives(model, processor, engine, chunk_codes):
    texts = [TURNS, TURNS[:1], TURNS[1:]]
    for seconds in ([[1.0, 0.6, 2.0], [1.2], [0.4, 3.2]], None):
        options = AS_LEARNT | {"seed": 5, "num_return_sequences": 2, "min_codes": 2, "max_codes": 12}
        inputs = processor(text=texts, duration=seconds)
        whole = model.generate_motion(**inputs, **options)
        chunks = list(model.stream_motion(**inputs, **options, engine=engine, chunk_codes=chunk_codes))
        joined = {
            name: torch.cat([chunk[name] for chunk in chunks], dim=2)
            for name in ("codes", "attention_mask", "features")
        }
        assert torch.equal(joined["codes"], whole.codes)
        assert torch.equal(joined["attention_mask"], whole.attention_mask)
        torch.testing.assert_close(joined["features"], whole.features, atol=1e-4, rtol=1e-4)
        assert chunks[-1].segment_ends.tolist() == whole.segment_ends.tolist()
        torch.testing.assert_close(chunks[-1].unknown, whole.unknown, rtol=1e-3, atol=1e-5)
        assert all(chunk.codes.shape[2] == chunk_codes for chunk in chunks[:-1])


def test_a_stream_of_turns_keeps_little_and_shows_them_as_they_come(model, processor, monkeypatch):
    sizes: list[int] = []
    plain = streaming_motionllm.decode_part

    def noted(vq: Any, codes: torch.Tensor, *rest: int) -> torch.Tensor:
        sizes.append(codes.shape[1])
        return plain(vq, codes, *rest)

    monkeypatch.setattr(streaming_motionllm, "decode_part", noted)
    seen = read_prompts(monkeypatch)
    inputs = processor(text=[[TURNS[number % 3] for number in range(12)]], duration=3.0)
    stream = model.stream_motion(**inputs, **AS_LEARNT, seed=0)
    first = next(stream)
    reach = model.motion_vq.config.decoder_context
    # The first second is there when no more is decoded than its frames depend on.
    assert first.codes.shape[2] == 5
    assert len(seen) == -(-(5 + reach) // 15)
    assert sum(chunk.codes.shape[2] for chunk in stream) == 12 * 15 - 5
    assert len(seen) == 12
    assert max(sizes) <= 5 + 2 * reach


def test_a_stream_of_turns_that_cannot_be_told_says_so_at_once(model, processor):
    inputs = processor(text=[TURNS], duration=1.0)
    for wrong in ({"turns": inputs["turns"][0]}, {"num_codes": torch.tensor([1, 2, 3])}, {"engine": "no"}):
        with pytest.raises(MotionLLMError):
            model.stream_motion(**inputs | wrong)


def test_turns_go_on_from_turns_in_the_first_prompt(model, processor, monkeypatch):
    told = processor.turns_example(TURNS[:1], [[1, 2, 3]])["input_ids"][:-1]
    ids = torch.tensor([told + processor.turn_ids(TURNS[1], 4)])
    turns = torch.tensor([[processor.turn_ids(TURNS[2], 5)]])
    seen = read_prompts(monkeypatch)
    output = tell(model, {"input_ids": ids, "turns": turns, "num_codes": torch.tensor([[4, 5]])}, seed=1)
    assert seen[0][0] == ids[0].tolist()
    assert seen[1][0][: len(told)] == told
    assert output.segment_ends.tolist() == [[4, 9]]
    assert output.codes.shape == (1, 1, 9)
    assert processor.prompt_caption(seen[1][0]) == TURNS[2]
    alone = tell(model, {"input_ids": ids, "num_codes": 4}, seed=1, num_candidates=3, processor=processor)
    assert alone.codes.shape == (1, 1, 4)


def test_a_gap_is_filled_from_both_sides(model, processor):
    vocabulary = processor.vocabulary
    before, after = ([vocabulary.offset + code for code in codes] for codes in ([1, 2, 3], [4, 5]))
    ids = processor.in_between_ids("Raises both hands.", before, after, 6)
    assert processor.prompt_caption(ids) == "raises both hands"
    options = {"seed": 0, "num_candidates": 2, "processor": processor}
    both = [
        tell(model, {"input_ids": torch.tensor([ids]), "num_codes": 6}, engine=engine, **options)
        for engine in ("fast", "generate")
    ]
    assert both[0].codes.shape == (1, 1, 6)
    assert codes_of(both[0]) == codes_of(both[1])


def test_long_motions_are_decoded_in_parts(monkeypatch):
    vq = make_vq()
    codes = torch.randint(0, 32, (2, 700), generator=torch.Generator().manual_seed(0))
    codes[1, 500:] = -1
    with torch.no_grad():
        whole = vq.decode(codes).features
    sizes: list[int] = []
    plain = vq.decode
    monkeypatch.setattr(vq, "decode", lambda part, *rest: sizes.append(part.shape[1]) or plain(part, *rest))
    output = MotionGenerationOutput.of_codes(vq, codes[:, None])
    torch.testing.assert_close(output.features[:, 0], whole, rtol=0, atol=1e-5)
    assert len(sizes) == 3
    assert max(sizes) == output_motionllm._CODES_AT_ONCE + 2 * vq.config.decoder_context


def test_motions_know_their_segments(model, processor, tmp_path):
    output = tell(model, processor(text=[TURNS, TURNS[:2]], duration=[[1.0, 0.6, 2.0], [1.0, 0.4]]), seed=0)
    long, short = processor.decode_motion(output, [TURNS, TURNS[:2]])
    assert (long.num_frames, long.duration, short.duration) == (72, 3.6, 1.4)
    assert long.caption == ", then ".join(TURNS)
    assert [segment[1:] for segment in long.segments] == [(0, 1.0), (1.0, 1.6), (1.6, 3.6)]
    assert [segment.text for segment in short.segments] == TURNS[:2]
    loaded = Motion.load(long.save(tmp_path / "long.npz"))
    assert loaded.segments == long.segments
    assert loaded.segments[0] == MotionSegment(TURNS[0], 0.0, 1.0)
    with np.load(tmp_path / "long.npz", allow_pickle=False) as file:
        assert file["segment_texts"].tolist() == TURNS
    assert processor.decode_motion(output)[1].segments[1].text == ""
    with pytest.raises(MotionLLMError, match="1 sentences for a motion of 3 turns"):
        processor.decode_motion(output, [["walk"], TURNS[:2]])
    with pytest.raises(MotionLLMError, match="in order, and so that none overlap"):
        Motion(long.joints, segments=[MotionSegment("walk", 0, 2), MotionSegment("bow", 1, 3)])
    with pytest.raises(MotionLLMError, match="ends at 44 s, the motion at"):
        Motion(long.joints, segments=[MotionSegment("walk", 0, 2), MotionSegment("bow", 2, 44)])


def test_a_part_of_a_motion_keeps_the_segments_in_it(tmp_path):
    told = [MotionSegment("walk", 0, 1), MotionSegment("bow", 1, 2), MotionSegment("wave", 2, 3)]
    motion = Motion(np.random.default_rng(0).normal(size=(60, 22, 3)), segments=told, model="made up")
    path = motion.save(tmp_path / "told.npz")
    part = load_motion(path, ReadingOptions(start=0.5, end=1.75))
    assert part.segments == [MotionSegment("walk", 0, 0.5), MotionSegment("bow", 0.5, 1.25)]
    np.testing.assert_array_equal(part.joints, motion.joints[10:35])
    # A rate that the file has wrong moves the times too.
    assert load_motion(path, ReadingOptions(fps=40.0)).segments[1] == MotionSegment("bow", 0.5, 1)


@pytest.mark.parametrize("arguments,message", [
    ({"text": [["walk"], "bow"]}, "text holds 'bow' among lists"),
    ({"text": [["walk"], []]}, r"text holds \[\] among lists"),
    ({"text": [["walk", ""]]}, "the text is empty"),
    ({"text": [["walk", "bow"]], "people": 2}, "makes one person at a time"),
    ({"text": [["walk", "bow"]], "parts": ["walk"]}, "given and parts are for scenes of one sentence"),
    ({"text": [["walk", "bow"]], "duration": [3, 2]}, "1 lists of sentences but 2 durations"),
    ({"text": [["walk", "bow"]], "duration": [[3]]}, "2 sentences but 1 durations"),
    ({"text": [["walk", "bow"]], "duration": [[3, 0]]}, "duration of 0 s"),
])  # fmt: skip
def test_turns_that_cannot_be_told_are_refused(processor, arguments, message):
    with pytest.raises(MotionLLMError, match=message):
        processor(**arguments)


def test_a_model_without_turns_says_so(thin_checkpoint, model, processor):
    import motionllm

    old = motionllm.MotionLLMProcessor.from_pretrained(thin_checkpoint)
    assert "turn" not in old.prompts
    with pytest.raises(MotionLLMError, match="knows no turns"):
        old(text=[["walk", "bow"]])
    with pytest.raises(MotionLLMError, match="motion and parts are for scenes of one sentence"):
        model.generate_motion(**processor(text=[["walk", "bow"]]), num_people=1, motion=torch.zeros(1, 4, 263))
    inputs = processor(text=[["walk", "bow"]], duration=1.0)
    with pytest.raises(MotionLLMError, match=r"num_codes has shape \(3,\)"):
        model.generate_motion(**inputs | {"num_codes": torch.tensor([1, 2, 3])})


def test_seeds_of_turns_differ():
    seeds = [turns_motionllm.derived_seed(7, turn, 3) for turn in range(50)]
    assert len({7, *seeds}) == 51
