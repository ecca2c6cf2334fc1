"""What `motionllm generate` says about what it made: how the model understands it, and what it has hardly seen."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import SENTENCES
from transformers import GenerationConfig

from hub_scripts.cli import main as cli
from hub_scripts.generation.nearest_actions import nearest_actions
from hub_scripts.hub.actions import KnownAction
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.settings_motionllm import unknown_threshold

pytest_plugins = ("scene_fixtures",)

ACTIONS = [
    KnownAction("raise-up-left-hand", 30, "a person raises the left hand"),
    KnownAction("run", 20, "a person runs forward"),
    KnownAction("walk-turn-left", 10, "a person walks and turns left"),
    KnownAction("walk", 9, "a person walks"),
    KnownAction("guide", 5, "a person shows the way"),
    KnownAction("bye", 2, "a person waves goodbye"),
]


@pytest.mark.parametrize("sentence,nearest", [
    ("a man is jogging around the block", ["run"]),  # another word for it
    ("someone strolls about and turns right", ["walk-turn-left", "walk"]),  # the one that says more of it first
    ("somebody waves to a friend", ["bye"]),  # by its example, as its name says nothing
    ("lift your right arm", ["raise-up-left-hand"]),
    ("一个人在游泳", []),
])  # fmt: skip
def test_the_nearest_actions_by_words(model, processor, sentence, nearest):
    assert nearest_actions(sentence, ACTIONS, model, processor) == nearest


def test_the_nearest_actions_by_the_embeddings_of_words(model, processor):
    assert nearest_actions("a person way shows", ACTIONS, model, processor)[0] == "guide"
    assert nearest_actions("a person way shows", [], model, processor) == []


def generate(folder: Path, *options: object) -> None:
    assert cli(["generate", *map(str, options), "--model", str(folder), "--duration", "0.8", "--formats", "npz"]) == 0


def test_every_motion_is_told_as_the_model_understands_it(model, processor, thin_checkpoint, tmp_path, capsys):
    generate(thin_checkpoint, *SENTENCES[:2], "-o", tmp_path / "a")
    told = [line for line in capsys.readouterr().out.splitlines() if "understood as: " in line]
    output = model.generate_motion(**processor(text=SENTENCES[:2], duration=0.8), seed=[0, 0])
    ids = model.generate_caption(**processor(motion=output), num_candidates=1)
    assert told == [f"  understood as: {caption}" for caption in processor.decode_caption(ids)]
    generate(thin_checkpoint, *SENTENCES[:2], "-o", tmp_path / "b", "--no-caption")
    assert "understood as" not in capsys.readouterr().out
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_codes_are_described_as_they_are(scene_model, scene_processor):
    output = scene_model.generate_motion(**scene_processor(text=SENTENCES[:2], people=[2, 1], duration=0.8), seed=0)
    inputs = scene_processor(motion=output)
    assert set(inputs) == {"input_ids", "attention_mask"}
    for row, (ids, mask) in enumerate(zip(inputs["input_ids"], inputs["attention_mask"], strict=True)):
        people = int(output.num_people[row])
        written = ids[mask.bool()]
        vocabulary = scene_model.motion_vocabulary
        codes = written[vocabulary.is_code(written)] - vocabulary.offset
        assert torch.equal(codes, output.codes[row, :people].flatten())
        assert int((written == vocabulary.start).sum()) == people


def test_what_it_has_hardly_seen_is_said_once(thin_checkpoint, tmp_path, capsys):
    folder = Path(shutil.copytree(thin_checkpoint, tmp_path / "model"))
    options = ["a person leaps over a puddle", "--num-return-sequences", 2, "-o", tmp_path / "out"]
    generate(folder, *options)
    assert "hardly seen" not in capsys.readouterr().out
    settings = json.loads((folder / "generation_config.json").read_text())
    assert settings["unknown_threshold"] == 0.5
    (folder / "generation_config.json").write_text(json.dumps(settings | {"unknown_threshold": 0.0}))
    generate(folder, *options)
    notes = [line for line in capsys.readouterr().out.splitlines() if "hardly seen" in line]
    assert len(notes) == 1
    assert notes[0].startswith("'a person leaps over a puddle': the model has hardly seen this (unknown 0.")
    assert notes[0].endswith("); nearest actions it knows: jump")


def test_the_threshold_is_a_setting_of_the_checkpoint():
    assert unknown_threshold(GenerationConfig()) == 0.5
    assert unknown_threshold(GenerationConfig(unknown_threshold=0.3)) == 0.3
    for value in (1.5, True, "high"):
        with pytest.raises(MotionLLMError, match=f"unknown_threshold of generation_config.json is {value}"):
            unknown_threshold(GenerationConfig(unknown_threshold=value))
