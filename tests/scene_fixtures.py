"""Fixtures: a tiny dataset of scenes, its codes, and a checkpoint that has learnt from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import go_on_training

import motionllm
from hub_scripts.cli import main as cli
from hub_scripts.data.store import write_shard, write_summary
from modeling_motionllm.placement_motionllm import split_people

_PARTS = {
    2: ["a person leans forward and calls out to someone", "a person waits for one second and then walks forward"],
    3: ["a person walks forward"] * 3,
}
_CAPTIONS = {
    2: ["one person calls and the other comes", "one person calls out and the other walks over"],
    3: ["three people walk side by side", "three people walk abreast in the same direction"],
}


@pytest.fixture(scope="session")
def scenes_folder(tmp_path_factory: pytest.TempPathFactory, make_joints: Callable[..., np.ndarray]) -> Path:
    """A dataset of scenes of two and three people."""
    folder = tmp_path_factory.mktemp("scenes")
    (folder / "data").mkdir()
    for split, count in (("train", 6), ("val", 2), ("test", 2)):
        rows = []
        for index in range(count):
            people = 2 + index % 2
            contents = ["call", "walk"] if people == 2 else ["walk"] * 3
            captions = _CAPTIONS[people]
            frames = 41 + 8 * index
            world = np.stack([make_joints(frames, seed=10 * index + person) for person in range(people)])
            world += np.arange(people)[:, None, None, None] * np.array([1.0, 0, 0.5])
            rows.append(
                {
                    "name": f"{split}{index}",
                    "split": split,
                    "source": "made up",
                    "composed": True,
                    "kind": "call-come" if people == 2 else "three-walk",
                    "num_people": people,
                    "roles": ["calling", "coming"] if people == 2 else ["walking"] * 3,
                    "contents": contents,
                    "styles": ["normal"] * people,
                    "mirrored": False,
                    "parts": _PARTS[people],
                    "captions": captions,
                    "fps": 20.0,
                    "num_frames": frames,
                    "placements": split_people(world)[1],
                    "joints": world.astype(np.float32),
                    "source_clips": [["clip"]] * people,
                }
            )
        write_shard(folder / "data" / f"{split}-00000-of-00001.arrow", rows)
    write_summary(folder, {"name": "scenes", "type": "scenes"})
    return folder


@pytest.fixture(scope="session")
def scene_codes(tmp_path_factory: pytest.TempPathFactory, scenes_folder: Path, vq_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("scene-codes")
    assert cli(["encode", "--vq", str(vq_folder), "--data", str(scenes_folder), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def scene_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, train_arguments: list[str], scene_codes: Path, thin_checkpoint: Path
) -> Path:
    """The shared checkpoint of single people, gone on with scenes."""
    folder = tmp_path_factory.mktemp("scene-run")
    return go_on_training(train_arguments, thin_checkpoint, scene_codes, folder, "--scene_share", "0.5")


@pytest.fixture(scope="session")
def scene_model(scene_checkpoint: Path) -> Any:
    return motionllm.MotionLLMForCausalLM.from_pretrained(scene_checkpoint)


@pytest.fixture(scope="session")
def scene_processor(scene_checkpoint: Path) -> Any:
    return motionllm.MotionLLMProcessor.from_pretrained(scene_checkpoint)


@pytest.fixture
def processor_without_parts(scene_processor: Any, tmp_path: Path) -> Any:
    """The processor of a checkpoint from before there were parts."""
    scene_processor.save_pretrained(tmp_path / "old")
    old = motionllm.MotionLLMProcessor.from_pretrained(tmp_path / "old")
    old.prompts = {name: template for name, template in old.prompts.items() if name != "part"}
    return old
