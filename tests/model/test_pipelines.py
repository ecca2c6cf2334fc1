"""The two pipelines, made from local checkpoints as a user would."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hub_client import BASE
from hub_server import HubServer
from transformers import pipeline

import motionllm

pytest_plugins = ("hub_fixtures",)

PROMPTS = ["a person walks forward", "the person bows slowly", "someone jumps high"]


@pytest.fixture(scope="module")
def text_to_motion(thin_checkpoint):
    return pipeline("text-to-motion", model=str(thin_checkpoint), trust_remote_code=True, device="cpu")


@pytest.fixture(scope="module")
def motion_to_text(thin_checkpoint):
    return pipeline("motion-to-text", model=str(thin_checkpoint), trust_remote_code=True, device="cpu")


def test_a_sentence_gives_the_models_motion(text_to_motion, model, processor):
    motion = text_to_motion(PROMPTS[0], duration=2, seed=3)
    inputs = processor(text=PROMPTS[0], duration=2)
    expected = processor.decode_motion(model.generate_motion(**inputs, seed=3), PROMPTS[:1])[0]
    assert motion.caption == PROMPTS[0]
    assert motion.joints.shape == (40, 22, 3)
    assert np.array_equal(motion.codes, expected.codes)
    assert np.allclose(motion.joints, expected.joints, atol=1e-5)


def test_the_base_model_may_be_on_the_hub(hub: HubServer, hub_checkpoint: Path, push_base: Callable[[], None]) -> None:
    push_base()
    made = pipeline("text-to-motion", model=str(hub_checkpoint), trust_remote_code=True, device="cpu")
    assert made(PROMPTS[0], duration=1).joints.shape == (20, 22, 3)
    # Once it is in the cache, the Hub is not needed.
    model = motionllm.MotionLLMForCausalLM.from_pretrained(hub_checkpoint, local_files_only=True)
    assert model.config.base_model_name_or_path == BASE


def test_batches_change_nothing(text_to_motion):
    whole = text_to_motion(PROMPTS, duration=[1, 2, 1.6], seed=5)
    split = text_to_motion(iter(PROMPTS), duration=[1, 2, 1.6], seed=5, batch_size=2)
    assert [motion.num_frames for motion in whole] == [20, 40, 32]
    assert all(np.array_equal(one.codes, other.codes) for one, other in zip(whole, split, strict=True))
    seeds = text_to_motion(PROMPTS, duration=[1, 2, 1.6], seed=[5, 6, 7], batch_size=1)
    assert all(np.array_equal(one.codes, other.codes) for one, other in zip(whole, seeds, strict=True))


def test_motions_get_captions(motion_to_text, text_to_motion, model, processor, make_joints):
    joints = make_joints(41)
    caption = motion_to_text(joints, max_new_tokens=6)
    ids = model.generate_caption(**processor(motion=joints), max_new_tokens=6)
    assert [caption] == processor.decode_caption(ids)
    motions = text_to_motion(PROMPTS, duration=1, seed=1)
    captions = motion_to_text(motions, max_new_tokens=4, batch_size=2)
    assert len(captions) == 3
    assert captions[0] == motion_to_text(motions[0], max_new_tokens=4)


def test_settings_can_be_given_when_the_pipeline_is_made(thin_checkpoint, text_to_motion):
    settings = {"duration": 1.2, "do_sample": False}
    made = pipeline("text-to-motion", str(thin_checkpoint), trust_remote_code=True, device="cpu", **settings)
    assert np.array_equal(made(PROMPTS[0]).codes, text_to_motion(PROMPTS[0], **settings).codes)


def test_bad_input(text_to_motion, motion_to_text, make_joints):
    with pytest.raises(Exception, match="the text is empty"):
        text_to_motion("  ")
    with pytest.raises(Exception, match="not possible"):
        text_to_motion("a person walks", duration=99)
    with pytest.raises(Exception, match="too short"):
        motion_to_text(make_joints(3))


def test_a_folder_without_code_needs_no_trust(thin_checkpoint, text_to_motion):
    made = pipeline("text-to-motion", model=str(thin_checkpoint), device="cpu")
    settings = {"duration": 1.2, "do_sample": False}
    assert np.array_equal(made(PROMPTS[0], **settings).codes, text_to_motion(PROMPTS[0], **settings).codes)


def test_code_of_others_needs_the_users_trust(text_to_motion, processor, tmp_path):
    text_to_motion.model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="trust_remote_code"):
        pipeline("text-to-motion", model=str(tmp_path), trust_remote_code=False)


def test_a_loaded_model_can_be_saved_again(text_to_motion, tmp_path):
    text_to_motion.model.save_pretrained(tmp_path)
    tasks = json.loads((tmp_path / "config.json").read_text())["custom_pipelines"]
    assert sorted(tasks) == ["motion-to-text", "text-to-motion"]
    assert all((tmp_path / f"{task['impl'].split('.')[0]}.py").is_file() for task in tasks.values())
    assert isinstance(motionllm.MotionLLMForCausalLM.from_pretrained(tmp_path), motionllm.MotionLLMForCausalLM)
