"""`output.unknown`: what the model says about `</Motion>` right after the prompt, whatever is then drawn and how."""

import copy
from typing import Any

import pytest
import torch
from conftest import AS_LEARNT, SENTENCES

import motionllm

pytest_plugins = ("scene_fixtures",)


@torch.no_grad()
def read_off(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The probability by a plain forward pass over prompts that end with `<Motion>`."""
    vocabulary = model.motion_vocabulary
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[:, -1].float()
    codes = range(vocabulary.offset, vocabulary.offset + vocabulary.codebook_size)
    return logits[:, [vocabulary.end, *codes]].softmax(-1)[:, 0]


@pytest.mark.parametrize("engine", ["fast", "generate"])
@pytest.mark.parametrize("settings", [
    {**AS_LEARNT},
    {"temperature": 0.3, "top_p": 0.5, "guidance_scale": 3.0},
    {"do_sample": False, "num_return_sequences": 2},
    {"num_candidates": 3, "num_codes": 4},
])  # fmt: skip
def test_it_is_read_off_the_prompt_alone(model, processor, engine, settings):
    inputs = processor(text=SENTENCES[:3])
    output = model.generate_motion(**inputs, **settings, processor=processor, engine=engine, seed=1)
    each = settings.get("num_return_sequences", 1)
    expected = read_off(model, inputs["input_ids"], inputs["attention_mask"]).repeat_interleave(each)
    assert (output.unknown.shape, output.unknown.dtype) == ((3 * each,), torch.float32)
    torch.testing.assert_close(output.unknown, expected, atol=1e-5, rtol=1e-4)
    assert len(set(output.unknown.tolist())) == 3
    motions = processor.decode_motion(output)
    assert [motion.unknown for motion in motions] == [round(float(value), 4) for value in output.unknown]


def test_beams_have_the_value_of_their_prompt(model, processor):
    inputs = processor(text=SENTENCES[:2], duration=0.8)
    output = model.generate_motion(**inputs, do_sample=False, guidance_scale=1.0, num_beams=3)
    expected = read_off(model, inputs["input_ids"], inputs["attention_mask"])
    torch.testing.assert_close(output.unknown, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("engine", ["fast", "generate"])
def test_every_chunk_of_a_stream_has_it(model, processor, engine):
    inputs = processor(text=SENTENCES[:2], duration=[0.8, 4])
    whole = model.generate_motion(**inputs, seed=2)
    chunks = list(model.stream_motion(**inputs, seed=2, engine=engine))
    assert len(chunks) > 1
    for chunk in chunks:
        torch.testing.assert_close(chunk.unknown, whole.unknown, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("end_probability", [1e-6, 0.999])
def test_a_motion_is_made_all_the_same(model, processor, end_probability):
    """The row of `</Motion>` is set so that the model says how likely it is after this prompt."""
    inputs = processor(text=SENTENCES[0])
    model = copy.deepcopy(model)
    vocabulary, language_model = model.motion_vocabulary, model.language_model
    with torch.no_grad():
        seen = language_model.model(**inputs).last_hidden_state[0, -1]
        head = language_model.get_output_embeddings().weight
        codes = head[vocabulary.offset : vocabulary.offset + vocabulary.codebook_size] @ seen
        odds = torch.logit(torch.tensor(end_probability, dtype=torch.float64)).float()
        head[vocabulary.end] = seen / seen.square().sum() * (codes.logsumexp(0) + odds)
    for engine in ("fast", "generate"):
        output = model.generate_motion(**inputs, seed=0, engine=engine)
        torch.testing.assert_close(output.unknown, torch.tensor([end_probability]), atol=1e-4, rtol=1e-3)
        assert output.attention_mask.any()


@pytest.mark.parametrize("candidates", [1, 2])
def test_of_a_scene_it_is_that_of_person_1(scene_model, scene_processor, candidates):
    inputs = scene_processor(text=SENTENCES[:2], people=2, duration=0.8)
    output = scene_model.generate_motion(**inputs, processor=scene_processor, num_candidates=candidates, seed=3)
    start = torch.tensor([scene_model.motion_vocabulary.start])
    for row, (ids, mask) in enumerate(zip(inputs["input_ids"], inputs["attention_mask"], strict=True)):
        part = output.parts[row, 0]
        prompt = torch.cat([ids[mask.bool()], part[part != -1], start])[None]
        expected = read_off(scene_model, prompt, torch.ones_like(prompt))[0]
        torch.testing.assert_close(output.unknown[row], expected, atol=1e-5, rtol=1e-4)


def test_scenes_without_parts_are_asked_at_their_prompt(scene_model, processor_without_parts):
    inputs = processor_without_parts(text=SENTENCES[:2], people=2, duration=0.8)
    output = scene_model.generate_motion(**inputs, processor=processor_without_parts, num_candidates=2, seed=3)
    expected = read_off(scene_model, inputs["input_ids"], inputs["attention_mask"])
    torch.testing.assert_close(output.unknown, expected, atol=1e-5, rtol=1e-4)


def test_nothing_is_asked_about_a_person_who_is_given(scene_model, scene_processor, make_joints):
    inputs = scene_processor(text=SENTENCES[0], people=2, given=motionllm.Motion(make_joints(30)))
    output = scene_model.generate_motion(**inputs, seed=0)
    assert output.unknown is None
    assert scene_processor.decode_motion(output)[0].unknown is None


def test_files_keep_it(make_joints, tmp_path):
    motion = motionllm.Motion(make_joints(10), unknown=0.93)
    assert motionllm.Motion.load(motion.save(tmp_path / "a.npz")).unknown == 0.93
    assert motionllm.Motion.load(motionllm.Motion(make_joints(10)).save(tmp_path / "b.npz")).unknown is None
