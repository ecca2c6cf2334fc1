"""Generation: the motion grammar, seeds that do not depend on the batch, captions without motion tokens, errors."""

import copy
from dataclasses import asdict

import pytest
import torch
from conftest import CODEBOOK_SIZE, SENTENCES, generate_single
from transformers import GenerationConfig, LogitsProcessorList

import motionllm
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.sampling_motionllm import MotionGrammar, OwnRepeats, RepeatCap, SeededSampling, TextGrammar
from modeling_motionllm.settings_motionllm import CaptionSettings, MotionSettings
from modeling_motionllm.vocabulary_motionllm import MotionVocabulary

VOCABULARY = MotionVocabulary(offset=4, start=2, end=3, codebook_size=3)


def lengths_of(output) -> list[int]:
    return (output.codes != -1).sum(-1).tolist()


def allowed(count: int, least: int, most: int) -> list[int]:
    """Ids that the grammar allows after `count` codes."""
    grammar = MotionGrammar(VOCABULARY, 5, torch.tensor([least]), torch.tensor([most]))
    scores = grammar(torch.zeros(1, 5 + count, dtype=torch.long), torch.randn(1, 9))
    return torch.isfinite(scores[0]).nonzero()[:, 0].tolist()


@pytest.mark.parametrize(
    "count,ids",
    [(0, [4, 5, 6]), (1, [4, 5, 6]), (2, [3, 4, 5, 6]), (3, [3, 4, 5, 6]), (4, [3])],
)
def test_the_grammar_allows_codes_then_the_end(count, ids):
    assert allowed(count, least=2, most=4) == ids


def test_the_grammar_keeps_the_scores_and_the_rows_apart():
    grammar = MotionGrammar(VOCABULARY, 1, torch.tensor([1, 3]), torch.tensor([1, 3]))
    scores = torch.randn(2, 9)
    out = grammar(torch.zeros(2, 2, dtype=torch.long), scores)
    assert torch.isfinite(out).tolist() == [
        [False, False, False, True, False, False, False, False, False],
        [False, False, False, False, True, True, True, False, False],
    ]
    assert torch.equal(out[torch.isfinite(out)], scores[torch.isfinite(out)])


def test_captions_may_use_everything_but_motion():
    scores = TextGrammar(VOCABULARY)(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 9))
    assert torch.isfinite(scores[0]).nonzero()[:, 0].tolist() == [0, 1, 7, 8]


def test_seeded_draws_follow_the_distribution():
    probabilities = torch.tensor([0.5, 0.3, 0.2, 0.0])
    sampling = SeededSampling(seed=3)
    scores = probabilities.log().expand(4000, -1)
    drawn = sampling(torch.zeros(4000, 1, dtype=torch.long), scores).argmax(-1)
    shares = torch.bincount(drawn, minlength=4) / 4000
    torch.testing.assert_close(shares, probabilities, atol=0.03, rtol=0)
    assert shares[3] == 0


def test_exact_lengths(model, processor):
    inputs = processor(text=SENTENCES[:3], duration=[0.2, 1.4, 3])
    output = generate_single(model, **inputs, seed=1)
    assert lengths_of(output) == [1, 7, 15]
    assert output.codes.shape == (3, 15)
    assert output.features.shape == (3, 60, 263)
    assert torch.equal(output.attention_mask, output.codes != -1)
    assert output.codes.max() < CODEBOOK_SIZE
    assert not output.features[0, 4:].any()
    decoded = model.decode_motion(output.codes[1:2, :7]).features[0]
    torch.testing.assert_close(output.features[1, :28], decoded, atol=1e-5, rtol=1e-5)


def test_one_length_for_all(model, processor):
    assert lengths_of(generate_single(model, **processor(text=SENTENCES[:2]), num_codes=6, seed=0)) == [6, 6]


def test_free_endings_stay_between_the_bounds(model, processor):
    inputs = processor(text=[SENTENCES[0]] * 24)
    lengths = lengths_of(generate_single(model, **inputs, min_codes=2, max_codes=30, top_p=None, seed=0))
    assert all(2 <= length <= 30 for length in lengths)
    assert len(set(lengths)) > 3
    bounded = lengths_of(generate_single(model, **inputs, min_codes=3, max_codes=4, top_p=None, seed=0))
    assert set(bounded) <= {3, 4}


def test_a_seed_fixes_the_motion_and_not_the_global_state(model, processor):
    inputs = processor(text=SENTENCES[:2], duration=3)
    first = generate_single(model, **inputs, seed=5)
    state = torch.random.get_rng_state()
    torch.manual_seed(99)
    second = generate_single(model, **inputs, seed=5)
    assert torch.equal(first.codes, second.codes)
    torch.testing.assert_close(first.features, second.features)
    assert not torch.equal(first.codes, generate_single(model, **inputs, seed=6).codes)
    torch.random.set_rng_state(state)
    generate_single(model, **inputs, seed=5)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_without_a_seed_motions_differ(model, processor):
    inputs = processor(text=SENTENCES[0], duration=4)
    first, second = (generate_single(model, **inputs, top_p=None).codes for _ in range(2))
    assert not torch.equal(first, second)


def test_a_row_draws_as_it_would_alone(model, processor):
    durations = [1, 3.4, 2, 0.6]
    batch = generate_single(model, **processor(text=SENTENCES[:4], duration=durations), seed=20)
    for row, (text, duration) in enumerate(zip(SENTENCES, durations, strict=False)):
        alone = generate_single(model, **processor(text=text, duration=duration), seed=20 + row)
        assert torch.equal(batch.codes[row, : alone.codes.shape[1]], alone.codes[0])
        assert (batch.codes[row, alone.codes.shape[1] :] == -1).all()


def test_greedy_rows_are_as_they_would_be_alone(model, processor):
    texts = ["jump", "a person walks forward and waves with the left hand, then turns around", "bow"]
    inputs = processor(text=texts)
    assert inputs["attention_mask"][0, 0] == 0
    batch = generate_single(model, **inputs, do_sample=False, max_codes=20)
    for row, text in enumerate(texts):
        alone = generate_single(model, **processor(text=text), do_sample=False, max_codes=20)
        count = alone.codes.shape[1]
        assert torch.equal(batch.codes[row, :count], alone.codes[0])
        assert (batch.codes[row, count:] == -1).all()
        torch.testing.assert_close(batch.features[row, : 4 * count], alone.features[0], atol=1e-4, rtol=1e-4)


def test_every_row_can_have_a_seed_of_its_own(model, processor):
    texts = [SENTENCES[0]] * 3
    output = generate_single(model, **processor(text=texts, duration=2), seed=[8, 3, 8])
    assert torch.equal(output.codes[0], output.codes[2])
    alone = generate_single(model, **processor(text=texts[0], duration=2), seed=3)
    assert torch.equal(output.codes[1], alone.codes[0])
    assert not torch.equal(output.codes[0], output.codes[1])


@pytest.fixture
def uncapped(monkeypatch):
    """Draws without `RepeatCap`, which keeps even the coldest draw from holding a code on for good."""
    monkeypatch.setattr(RepeatCap, "__call__", lambda self, input_ids, scores: scores)


def test_sampling_settings_shape_the_draws(model, processor, uncapped):
    inputs = processor(text=SENTENCES[0], duration=6)
    greedy = generate_single(model, **inputs, do_sample=False)
    assert torch.equal(generate_single(model, **inputs, top_k=1, top_p=None, seed=1).codes, greedy.codes)
    assert torch.equal(generate_single(model, **inputs, temperature=1e-4, seed=1).codes, greedy.codes)
    assert torch.equal(generate_single(model, **inputs, top_p=1e-6, seed=1).codes, greedy.codes)
    assert not torch.equal(generate_single(model, **inputs, temperature=3.0, top_p=None, seed=1).codes, greedy.codes)


def test_a_code_comes_again_no_more_often_than_the_model_says():
    """Of the first row sharpening makes code 2 likelier, of the second less likely; other codes keep their odds."""
    own = torch.tensor([[0.1, 0.3, 0.6], [0.5, 0.3, 0.2]])
    written = torch.tensor([[0, 2], [0, 2]])
    repeats = OwnRepeats(prompt_length=1)
    cap = RepeatCap(repeats)
    cold = own.log() / 0.5
    repeats(written[:, :1], own.log())
    assert torch.equal(cap(written[:, :1], cold), cold)  # before the first code
    repeats(written, own.log())
    capped = cap(written, cold).softmax(-1)
    torch.testing.assert_close(capped[0, 2], own[0, 2])
    torch.testing.assert_close(capped[0, 0] / capped[0, 1], torch.tensor(1 / 9))
    torch.testing.assert_close(capped[1], cold.softmax(-1)[1])
    alone = torch.tensor([[-torch.inf, -torch.inf, 1.0]]).expand(2, 3)  # nothing else is allowed
    assert torch.equal(cap(written, alone), alone)


@pytest.mark.parametrize("options", [
    {"temperature": 0},
    {"temperature": float("nan")},
    {"top_k": 0},
    {"top_p": 0.0},
    {"top_p": 1.5},
    {"num_codes": 0},
    {"min_codes": 0},
    {"min_codes": 9, "max_codes": 8},
])  # fmt: skip
def test_impossible_settings_are_refused(model, processor, options):
    with pytest.raises(MotionLLMError):
        generate_single(model, **processor(text="walk"), **options)


def test_prompts_of_another_task_are_refused(model, processor, make_joints):
    captions = processor(motion=make_joints(20))
    with pytest.raises(MotionLLMError, match="does not end with <Motion>"):
        generate_single(model, input_ids=captions["input_ids"])
    other = processor(motion=make_joints(40))
    with pytest.raises(MotionLLMError, match="do not fit together"):
        model.generate_caption(**captions | {"motion": other["motion"], "motion_attention_mask": None})


def test_sequences_that_are_no_motion_are_refused(model):
    end, code = model.motion_vocabulary.end, model.motion_vocabulary.offset
    with pytest.raises(MotionLLMError, match="not codes"):
        model.decode_motion_ids(torch.tensor([[code, 5, end]]))
    with pytest.raises(MotionLLMError, match="empty"):
        model.decode_motion_ids(torch.tensor([[code, code], [end, end]]))
    output = model.decode_motion_ids(torch.tensor([[code + 1, code + 2, end], [code, end, 5]]))
    assert output.codes.tolist() == [[[1, 2]], [[0, -1]]]


@pytest.mark.parametrize("options", [{}, {"do_sample": True, "seed": 3, "top_p": None, "temperature": 2.0}])
def test_captions_never_hold_motion_tokens(model, processor, make_joints, options):
    inputs = processor(motion=[make_joints(30, seed=seed) for seed in range(6)])
    ids = model.generate_caption(**inputs, max_new_tokens=24, **options)
    assert ids.shape[0] == 6
    assert not torch.isin(ids, torch.tensor(model.motion_vocabulary.ids)).any()
    for caption in processor.decode_caption(ids):
        assert "Motion" not in caption
        assert "<|" not in caption


def test_captions_describe_the_codes_of_the_motion(model, processor, golden):
    inputs = processor(motion=golden["dataset-1_walk-right_sad_001"]["joints"])
    ids = model.generate_caption(**inputs, max_new_tokens=8)
    codes = model.encode_motion(inputs["motion"]).codes[0].tolist()
    assert len(set(codes)) > 1
    prompt = torch.tensor([processor.motion_to_text_ids(codes)])
    assert torch.equal(model.generate_caption(input_ids=prompt, max_new_tokens=8), ids)


def test_captions_of_a_batch_are_as_they_would_be_alone(model, processor, make_joints):
    clips = [make_joints(frames, seed=frames) for frames in (14, 60, 33)]
    batch = model.generate_caption(**processor(motion=clips), max_new_tokens=10)
    drawn = model.generate_caption(**processor(motion=clips), max_new_tokens=10, do_sample=True, seed=7)
    for row, clip in enumerate(clips):
        inputs = processor(motion=clip)
        for together, options in ((batch, {}), (drawn, {"do_sample": True, "seed": 7 + row})):
            alone = model.generate_caption(**inputs, max_new_tokens=10, **options)[0]
            assert torch.equal(together[row, : len(alone)], alone)
            assert (together[row, len(alone) :] == model.generation_config.pad_token_id).all()


def test_as_many_lengths_as_prompts(model, processor):
    inputs = processor(text=["a person walks forward", "a person bows"])
    with pytest.raises(MotionLLMError, match="num_codes"):
        generate_single(model, **inputs, num_codes=torch.tensor([3, 4, 5]))


@pytest.mark.parametrize("name,hint", [
    ("logits_processor", "MotionGrammar"),
    ("max_new_tokens", "num_codes, or max_codes"),
    ("return_dict_in_generate", "its names already"),
    ("stopping_criteria", "num_codes, or max_codes"),
    ("num_samples", "num_return_sequences"),
    ("best_of", "num_candidates"),
    ("repeat_penalty", "gone"),
    ("temprature", "give one of do_sample, temperature"),
])  # fmt: skip
def test_arguments_that_have_no_place_here_say_what_has(model, processor, name, hint):
    with pytest.raises(MotionLLMError, match=hint) as caught:
        model.generate_motion(**processor(text="walk"), **{name: 3})
    assert name in str(caught.value)
    with pytest.raises(MotionLLMError, match=hint):
        model.stream_motion(**processor(text="walk"), **{name: 3})


def test_settings_come_from_the_call_then_the_checkpoint_then_one_place(model, processor, monkeypatch, uncapped):
    inputs = processor(text=SENTENCES[0], duration=4)
    stored = model.generation_config
    assert stored.num_candidates == 1  # written when it was trained
    assert MotionSettings.of(stored, {}) == MotionSettings()
    greedy = model.generate_motion(**inputs, do_sample=False, guidance_scale=1.0)
    config = copy.deepcopy(stored)
    config.update(temperature=1e-4, guidance_scale=1.0, num_return_sequences=2)
    monkeypatch.setattr(model, "generation_config", config)
    twice = model.generate_motion(**inputs)
    assert torch.equal(twice.codes, greedy.codes.repeat(2, 1, 1))
    assert torch.equal(model.generate_motion(**inputs, generation_config=stored, seed=1).codes, model.generate_motion(
        **inputs, **asdict(MotionSettings()), seed=1
    ).codes)  # fmt: skip
    # A configuration from before there were settings says nothing about motions.
    old = GenerationConfig(temperature=9.0, top_k=1)
    assert MotionSettings.of(old, {}) == MotionSettings()
    assert MotionSettings.of(old, {"temperature": 0.2}).temperature == 0.2


def test_generate_of_transformers_works_beside_the_settings(model, processor, tmp_path):
    inputs = processor(text=SENTENCES[0])
    assert model.generation_config.guidance_scale == MotionSettings().guidance_scale
    greedy = model.generate(**inputs, do_sample=False, max_new_tokens=6)
    plain = model.language_model.generate(**inputs, do_sample=False, max_new_tokens=6)
    assert torch.equal(greedy, plain)
    assert model.generate(**inputs, max_new_tokens=3).shape[1] <= inputs["input_ids"].shape[1] + 3
    guided = model.generate(**inputs, do_sample=False, max_new_tokens=6, guidance_scale=3.0)
    assert guided.shape[0] == 1
    model.generation_config.save_pretrained(tmp_path)
    assert MotionSettings.of(GenerationConfig.from_pretrained(tmp_path), {}) == MotionSettings()
    assert CaptionSettings.of(GenerationConfig.from_pretrained(tmp_path), {}) == CaptionSettings()


def test_the_grammar_is_for_everybody(model, processor):
    inputs = processor(text=SENTENCES[0])
    length = inputs["input_ids"].shape[1]
    grammar = motionllm.MotionGrammar(model.motion_vocabulary, length, torch.tensor([4]), torch.tensor([4]))
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=5, logits_processor=LogitsProcessorList([grammar]))
    assert model.decode_motion_ids(ids[:, length:]).codes.shape == (1, 1, 4)
