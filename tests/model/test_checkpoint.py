"""The shipped checkpoint: complete, small, without code, and able to do what the README promises."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import generate_single, stream_single
from safetensors.torch import load_file
from transformers import AutoModel

import motionllm
from hub_scripts.metrics.shown_actions import describe_motion, main_action
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT, DEFAULT_EVALUATOR, DEFAULT_SCENE_EVALUATOR
from modeling_motionllm.base_model_motionllm import load_base_language_model, load_base_tokenizer

ROOT = Path(__file__).resolve().parents[2]
LEFT_WRIST, RIGHT_WRIST, HEAD = 20, 21, 15


@pytest.fixture(scope="module")
def loaded():
    model = motionllm.MotionLLMForCausalLM.from_pretrained(DEFAULT_CHECKPOINT)
    return model, motionllm.MotionLLMProcessor.from_pretrained(DEFAULT_CHECKPOINT)


def generate(loaded, text: str, seconds: float, seeds: int = 4) -> list:
    model, processor = loaded
    inputs = processor(text=[text] * seeds, duration=seconds)
    return processor.decode_motion(model.generate_motion(**inputs, seed=0))


def test_it_is_thin():
    files = [path for path in DEFAULT_CHECKPOINT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40e6
    assert not (DEFAULT_CHECKPOINT / "model.safetensors").exists()
    suffixes = {path.suffix or path.name for path in files}
    assert suffixes <= {".json", ".md", ".safetensors", ".jinja", ".yaml", ".png", "SHA256SUMS"}


@pytest.mark.parametrize("folder", [DEFAULT_CHECKPOINT, DEFAULT_EVALUATOR, DEFAULT_SCENE_EVALUATOR])
def test_it_holds_no_code_and_names_none(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".py"]
    configs = [path.read_text() for path in files if path.name.endswith("config.json")]
    assert configs
    assert not [text for text in configs if '"auto_map"' in text or '"custom_pipelines"' in text]


@pytest.mark.parametrize("folder", [DEFAULT_EVALUATOR, DEFAULT_SCENE_EVALUATOR])
def test_the_auto_classes_know_the_evaluators(folder):
    evaluator = AutoModel.from_pretrained(folder)
    assert evaluator.state_dict().keys() == load_file(folder / "model.safetensors").keys()


def test_its_chat_template_yields_the_training_prompts(loaded):
    _, processor = loaded
    message = [{"role": "user", "content": "A person waves with the left hand."}]
    ids = processor.tokenizer.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
    assert ids == processor.text_to_motion_ids("A person waves with the left hand.")


def test_without_its_adapter_it_answers_as_its_base():
    model = motionllm.MotionLLMForCausalLM.from_pretrained(DEFAULT_CHECKPOINT, merge_adapter=False)
    name = model.config.base_model_name_or_path
    base, tokenizer = load_base_language_model(name), load_base_tokenizer(name)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")
    expected = base.generate(**inputs, max_new_tokens=24, do_sample=False)
    assert "Paris" in tokenizer.decode(expected[0])
    model.disable_adapters()
    assert torch.equal(model.generate(**inputs, max_new_tokens=24, do_sample=False), expected)
    prompt = motionllm.MotionLLMProcessor.from_pretrained(DEFAULT_CHECKPOINT)(text="a person bows")["input_ids"]
    words = model.generate(prompt[:, :-2], max_new_tokens=12, do_sample=False)  # without the newline and <Motion>
    assert not set(words[0].tolist()) & set(model.motion_vocabulary.ids)
    model.enable_adapters()
    after = model.generate(prompt, max_new_tokens=12, do_sample=False)[0, prompt.shape[1] :]
    assert bool(model.motion_vocabulary.is_code(after).any())


def test_its_records_say_how_it_was_made():
    for folder in ("adapters/default", "motion_vq"):
        record = json.loads((DEFAULT_CHECKPOINT / folder / "training_record.json").read_text())
        assert record["command"].startswith("motionllm train")
        assert len(record["data_sha256"]) == 64
        assert record["hardware"]
        assert any("loss" in entry for entry in record["history"])
    record = json.loads((DEFAULT_CHECKPOINT / "adapters/default/training_record.json").read_text())
    assert 0.01 <= record["trained_parameters"] / record["language_model_parameters"] <= 0.03


def test_its_card_is_filled():
    card = (DEFAULT_CHECKPOINT / "README.md").read_text()
    assert "{{" not in card
    assert "None" not in card
    assert "cc-by-nc-4.0" in card
    assert "Content and style %" in card


@pytest.mark.parametrize("options", [
    {"do_sample": False},
    {"seed": 7, "num_return_sequences": 2},
    {"seed": 7, "guidance_scale": 2.0},
])  # fmt: skip
def test_fast_decoding_gives_what_generate_gives(loaded, options):
    model, processor = loaded
    inputs = processor(text=["a person bows", "an old person walks forward and turns right"], duration=[1.6, 2.4])
    fast, plain = (generate_single(model, **inputs, **options, engine=engine) for engine in ("fast", "generate"))
    assert torch.equal(fast.codes, plain.codes)
    chunks = list(stream_single(model, **inputs, **options, chunk_codes=5))
    features = torch.cat([chunk.features for chunk in chunks], dim=1)
    torch.testing.assert_close(features, plain.features, atol=1e-4, rtol=1e-4)


def test_left_is_left(loaded):
    motions = generate(loaded, "a person waves with the left hand", 3)
    higher = [float((m.joints[:, LEFT_WRIST, 1] > m.joints[:, RIGHT_WRIST, 1]).mean()) for m in motions]
    assert sum(higher) / len(higher) > 0.6
    motions = generate(loaded, "a person waves with the right hand", 3)
    higher = [float((m.joints[:, RIGHT_WRIST, 1] > m.joints[:, LEFT_WRIST, 1]).mean()) for m in motions]
    assert sum(higher) / len(higher) > 0.6


def test_walking_gets_somewhere_on_its_feet(loaded):
    for motion in generate(loaded, "a person walks forward", 4):
        assert motion.joints[-1, 0, 2] > 1.0  # forward is +Z
        assert motion.joints[:, HEAD, 1].min() > 1.0
        feet = motion.joints[:, [10, 11], 1].min(axis=1)
        assert 0.0 <= feet.min() < 0.01
        assert feet.max() < 0.15  # one foot is always near the floor


def test_lengths_are_kept_and_captions_are_words(loaded):
    model, processor = loaded
    (motion,) = generate(loaded, "a person bows", 2.4, seeds=1)
    assert motion.num_frames == 48
    caption = processor.decode_caption(model.generate_caption(**processor(motion=motion)))[0]
    assert len(caption.split()) >= 3
    assert "<Motion" not in caption


def test_the_same_seed_gives_the_same_bytes(loaded, tmp_path):
    for name in ("a", "b"):
        torch.manual_seed(len(name))
        generate(loaded, "a person runs", 1, seeds=1)[0].save(tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("name, words", [
    ("dataset-2_run_normal_001", ["run", "jog"]),
    ("dataset-2_raise-up-both-hands_normal_001", ["both hands", "both arms", "hands up"]),
    ("dataset-2_wave-left-hand_active_011", ["left hand", "left arm"]),
])  # fmt: skip
def test_recorded_motion_is_described(loaded, name, words):
    model, processor = loaded
    motion = motionllm.load_motion(ROOT / "tests" / "fixtures" / "bandai" / f"{name}.bvh")
    caption = processor.decode_caption(model.generate_caption(**processor(motion=motion)))[0]
    assert any(word in caption for word in words), caption


def test_scenes_show_everybody_in_one_world(loaded):
    model, processor = loaded
    inputs = processor(text=["two people face each other and bow", "three people walk"], people=[2, 3], duration=[2, 3])
    output = model.generate_motion(**inputs, seed=0)
    two, three = processor.decode_motion(output)
    assert two.joints.shape == (2, 40, 22, 3)
    assert three.joints.shape == (3, 60, 22, 3)
    for scene in (two, three):
        assert np.allclose(scene.joints[:, :, :, 1].min(axis=(1, 2)), 0, atol=1e-4)
        assert (scene.joints[:, :, HEAD, 1] > 0.5).all()
        starts = scene.joints[:, 0, 0][:, [0, 2]]
        assert np.linalg.norm(starts[1:] - starts[0], axis=1).min() > 0.3  # nobody stands in person 1
    assert (np.abs(output.placements[:, 1:, :2].numpy()) <= 6.4).all()


@pytest.mark.parametrize("drawing", [{"do_sample": False}, {"seed": 0}])
@pytest.mark.parametrize("sentence, turned, distance", [
    ("two people walk side by side", 0, (0.4, 2.5)),
    ("two people face each other and bow", 180, (1, 4)),
    ("two people wave to each other", 180, (1, 6)),
])  # fmt: skip
def test_people_start_where_the_sentence_puts_them(loaded, sentence, turned, distance, drawing):
    model, processor = loaded
    inputs = processor(text=sentence, people=2, duration=3)
    x, z, heading = model.generate_motion(**inputs, **drawing).placements[0, 1].tolist()
    assert distance[0] < math.hypot(x, z) < distance[1]
    off = (math.degrees(heading) - turned + 180) % 360 - 180
    assert abs(off) < 30


@pytest.mark.parametrize("sentence", ["someone bows", "a person bows"])
def test_bows_last_a_typical_time_and_bow(loaded, sentence):
    """Without a duration, at the checkpoint's own settings.

    The 15 recorded bows last 2.3 to 7.4 s and lower the head by 5 to 35 cm.
    """
    model, processor = loaded
    for motion in processor.decode_motion(model.generate_motion(**processor(text=[sentence] * 3), seed=0)):
        assert 2.0 <= motion.duration <= 7.5
        heads = motion.joints[:, HEAD, 1]
        assert heads.min() < heads[0] - 0.05
        assert heads[-1] > heads[0] - 0.1  # and up again
        assert main_action(describe_motion(motion.joints, motion.fps)).name == "bow"  # the trunk leans by 20 degrees
