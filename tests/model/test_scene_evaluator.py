"""The scene evaluator: masks, order and places of people, saving; and `motionllm train-evaluator --scenes`."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import make_evaluator, read_golden
from safetensors.torch import load_file

from hub_scripts.data.scenes_storage import read_scenes
from hub_scripts.data.storage import dataset_hash
from hub_scripts.metrics.judge import load_evaluator
from hub_scripts.metrics.scene_judge import SceneJudge, load_scene_evaluator, pad_scenes
from hub_scripts.train_evaluator import main
from hub_scripts.train_scene_evaluator import SceneExamples, collate, real_scores
from modeling_motionllm.configuration_scene_evaluator import SceneTextEvaluatorConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_scene_evaluator import SceneTextEvaluator
from modeling_motionllm.motion_features import features_to_joints
from modeling_motionllm.placement_motionllm import join_people

pytest_plugins = ("scene_fixtures",)


def make_scene_evaluator(**options) -> SceneTextEvaluator:
    """A small scene evaluator with random weights."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    sizes |= {"embed_dim": 8, "sentence_dim": 12, "contents": ["bow", "run", "walk"], "scene_hidden_size": 12}
    return SceneTextEvaluator(SceneTextEvaluatorConfig(**(sizes | options))).eval()


@pytest.fixture
def evaluator():
    return make_scene_evaluator()


class TestScenes:
    @pytest.mark.parametrize("length", [1, 3, 4, 21])
    def test_padding_never_changes_a_result(self, evaluator, length):
        scene, places = torch.randn(1, 2, length, 263), torch.randn(1, 2, 3)
        tokens, mask = evaluator.get_tokens(scene, places)
        assert tokens.shape == (1, 2, math.ceil(length / 8), 20)
        assert evaluator.embed_tokens(tokens, mask).norm().item() == pytest.approx(1, abs=1e-6)
        batch, batch_mask = torch.full((3, 3, 30, 263), float("nan")), torch.zeros(3, 3, 30, dtype=torch.bool)
        for row, (people, frames) in enumerate(((3, 30), (2, length), (1, 9))):
            batch[row, :people, :frames] = torch.randn(people, frames, 263)
            batch_mask[row, :people, :frames] = True
        batch[1, :2, :length] = scene[0]
        more_places = torch.full((3, 3, 3), float("nan"))
        more_places[batch_mask.any(-1)] = torch.randn(6, 3)
        more_places[1, :2] = places[0]
        more, more_mask = evaluator.get_tokens(batch, more_places, batch_mask)
        together = evaluator.embed_tokens(more, more_mask)
        assert torch.isfinite(together).all()
        torch.testing.assert_close(together[1], evaluator.embed_tokens(tokens, mask)[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(
            evaluator.classify(more, more_mask)[1, :2], evaluator.classify(tokens, mask)[0], atol=1e-6, rtol=0
        )

    def test_tokens_know_where_people_are(self, evaluator):
        clips = [clip["features"][:60] for clip in read_golden().values() if len(clip["features"]) >= 60][:2]
        motion, placements = np.stack(clips).astype(np.float64), np.array([[0, 0, 0], [1.5, -2.0, 2.5]])
        world = join_people(features_to_joints(motion), placements)
        tokens, _ = evaluator.get_tokens(torch.tensor(motion)[None], torch.tensor(placements)[None])
        paths = tokens[0, ..., 16:].numpy()
        np.testing.assert_allclose(3 * paths[..., 0], world[:, ::8, 0, 0], atol=1e-4)
        np.testing.assert_allclose(3 * paths[..., 1], world[:, ::8, 0, 2], atol=1e-4)
        np.testing.assert_allclose(paths[1, 0, 2:], [np.sin(2.5), np.cos(2.5)], atol=1e-6)

    def test_places_and_order_count_for_the_scene_and_not_for_the_person(self, evaluator):
        scene, places = torch.randn(1, 2, 20, 263), torch.tensor([[[0.0, 0, 0], [0, 2, 3.1]]])
        here = evaluator.get_tokens(scene, places)
        elsewhere = evaluator.get_tokens(scene, places + torch.tensor([[[0.0, 0, 0], [1, 0, 0]]]))
        assert not torch.allclose(evaluator.embed_tokens(*here), evaluator.embed_tokens(*elsewhere), atol=1e-4)
        swapped = tuple(part.flip(1) for part in here)
        assert not torch.allclose(evaluator.embed_tokens(*here), evaluator.embed_tokens(*swapped), atol=1e-4)
        torch.testing.assert_close(evaluator.classify(*here), evaluator.classify(*elsewhere))
        torch.testing.assert_close(evaluator.classify(*here), evaluator.classify(*swapped).flip(1))

    def test_bad_scenes_are_named(self, evaluator):
        good = torch.zeros(1, 2, 8, 263)
        with pytest.raises(ValueError, match=r"placements \(1, 3, 3\)"):
            evaluator.get_tokens(good, torch.zeros(1, 3, 3))
        with pytest.raises(ValueError, match="scenes of 4 people"):
            evaluator.get_tokens(torch.zeros(1, 4, 8, 263), torch.zeros(1, 4, 3))
        with pytest.raises(ValueError, match="no person 1"):
            evaluator.get_tokens(good, torch.zeros(1, 2, 3), torch.tensor([[[0] * 8, [1] * 8]]))
        with pytest.raises(ValueError, match="gaps"):
            evaluator.get_tokens(good, torch.zeros(1, 2, 3), torch.tensor([[[1] * 8, [0, *[1] * 7]]]))
        judge = SceneJudge(evaluator)
        with pytest.raises(MotionLLMError, match=r"scene 1 has features of shape \(2, 0, 263\)"):
            judge.tokens([np.zeros((2, 8, 263)), np.zeros((2, 0, 263))], [np.zeros((2, 3))] * 2)
        with pytest.raises(MotionLLMError, match="scene 0 has 4 people"):
            judge.tokens([np.zeros((4, 8, 263))], [np.zeros((4, 3))])
        with pytest.raises(MotionLLMError, match="no scenes"):
            judge.tokens([], [])

    def test_loss_by_hand(self, evaluator):
        tokens, mask = evaluator.get_tokens(torch.randn(3, 2, 12, 263), torch.randn(3, 2, 3))
        labels = torch.tensor([[0, 1], [2, -100], [1, 1]])
        output = evaluator(tokens, mask, torch.randn(3, 12), content_labels=labels)
        logits = output.text_embeds @ output.scene_embeds.T / 0.07
        rows = torch.arange(3)
        contrast = (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2
        known = labels != -100
        content = F.cross_entropy(output.content_logits[known], labels[known])
        torch.testing.assert_close(output.loss, contrast + content / 2)
        assert evaluator(tokens, mask).loss is None

    def test_the_motion_encoder_stays_as_it_is(self):
        model = make_scene_evaluator().train()
        tokens, mask = model.get_tokens(torch.randn(2, 2, 12, 263), torch.randn(2, 2, 3))
        again, _ = model.get_tokens(torch.randn(2, 2, 12, 263), torch.randn(2, 2, 3))
        assert not torch.equal(tokens, again)
        model(tokens, mask, torch.randn(2, 12)).loss.backward()
        assert all(parameter.grad is None for parameter in model.motion_encoder.parameters())
        assert model.token_projection.weight.grad is not None


class TestJudge:
    def test_it_embeds_in_the_order_given(self, evaluator):
        rng = np.random.default_rng(0)
        shapes = [(2, 9), (3, 30), (2, 4), (3, 17)]
        scenes = [rng.normal(size=(*shape, 263)).astype(np.float32) for shape in shapes]
        placements = [rng.normal(size=(shape[0], 3)) for shape in shapes]
        judge = SceneJudge(evaluator, {"a": torch.randn(12), "b": torch.randn(12)}, batch_size=3)
        tokens = judge.tokens(scenes, placements)
        assert [scene.shape for scene in tokens] == [(2, 2, 20), (3, 4, 20), (2, 1, 20), (3, 3, 20)]
        sample = judge(tokens, ["a", "b", "a", "b"])
        likelihoods = judge.content_likelihoods(tokens)
        np.testing.assert_allclose(sample.text[0], sample.text[2], atol=1e-6)
        for index, (scene, places) in enumerate(zip(scenes, placements, strict=True)):
            exact, mask = evaluator.get_tokens(torch.tensor(scene)[None], torch.tensor(places).float()[None])
            # Tokens are kept in half precision.
            np.testing.assert_allclose(sample.motion[index], evaluator.embed_tokens(exact, mask)[0].detach(), atol=2e-3)
            expected = evaluator.classify(exact, mask)[0].log_softmax(-1).detach()
            np.testing.assert_allclose(likelihoods[index], expected, atol=5e-3)

    def test_no_evaluator_there(self, tmp_path):
        with pytest.raises(MotionLLMError, match="train-evaluator --scenes"):
            load_scene_evaluator(tmp_path)
        with pytest.raises(MotionLLMError, match="cannot load the scene evaluator"):
            load_scene_evaluator(tmp_path / "absent")


@pytest.fixture(scope="module")
def single(tmp_path_factory, sentence_folder) -> Path:
    """The evaluator of single motions whose motion encoder is taken."""
    folder = tmp_path_factory.mktemp("single")
    make_evaluator(sentence_model=str(sentence_folder)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def arguments(scenes_folder, single) -> list[str]:
    options = {
        "scenes": scenes_folder,
        "evaluator": single,
        "scene_hidden_size": 12,
        "num_scene_layers": 1,
        "max_steps": 6,
        "per_device_train_batch_size": 4,
        "save_steps": 3,
        "eval_steps": 3,
        "logging_steps": 2,
        "warmup_steps": 1,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    }
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def run(arguments, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene-evaluator-run")
    assert main([*arguments, "--output_dir", str(folder)]) == 0
    return folder


def test_training_takes_the_motion_encoder_and_leaves_it(run, single):
    model, before = load_scene_evaluator(run / "final"), load_evaluator(single)
    for name, value in before.motion_encoder.state_dict().items():
        assert torch.equal(model.motion_encoder.state_dict()[name], value), name
    assert (model.config.contents, model.config.max_people) == (["call", "walk"], 3)
    early = load_file(run / "checkpoint-3" / "model.safetensors")
    assert not torch.equal(early["scene_projection.weight"], model.scene_projection.weight)


def test_the_final_folder_is_a_repository_of_its_own(run, scenes_folder):
    final = run / "final"
    names = {path.name for path in final.iterdir()}
    assert names >= {"config.json", "model.safetensors", "README.md", "training_record.json"}
    assert names >= {"configuration_scene_evaluator.py", "modeling_scene_evaluator.py", "modeling_evaluator.py"}
    card = (final / "README.md").read_text()
    assert "composed scenes" in card
    assert "| test | " in card
    record = json.loads((final / "training_record.json").read_text())
    assert record["composed"] is False  # the summary of the made-up scenes does not say so
    assert record["data_sha256"] == dataset_hash(scenes_folder)
    assert record["real_motions"]["test"].keys() >= {"r_precision_top1", "content_accuracy"}
    assert any("contrastive_loss" in entry for entry in record["history"])


def test_it_loads_from_its_folder_without_this_package(run, tmp_path):
    program = (
        "import torch; from transformers import AutoModel\n"
        f"m = AutoModel.from_pretrained({str(run / 'final')!r}, trust_remote_code=True).eval()\n"
        "x = torch.linspace(-1, 1, 2 * 20 * 263).view(1, 2, 20, 263)\n"
        "print(type(m).__module__, *m.get_scene_features(x, torch.ones(1, 2, 3))[0].tolist())"
    )
    environment = {**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules"), "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    module, *values = done.stdout.split()
    assert module.startswith("transformers_modules.")
    motion = torch.linspace(-1, 1, 2 * 20 * 263).view(1, 2, 20, 263)
    expected = load_scene_evaluator(run / "final").get_scene_features(motion, torch.ones(1, 2, 3))[0]
    np.testing.assert_allclose([float(v) for v in values], expected.detach(), atol=1e-5)


def test_resuming_equals_training_in_one_go(run, arguments, tmp_path):
    shutil.copytree(run / "checkpoint-3", tmp_path / "checkpoint-3")
    torch.manual_seed(12345)
    assert main([*arguments, "--output_dir", str(tmp_path), "--resume"]) == 0
    resumed, straight = (load_file(folder / "final" / "model.safetensors") for folder in (tmp_path, run))
    for name, value in straight.items():
        assert torch.equal(resumed[name], value), name


def test_examples_are_a_function_of_seed_and_index(scenes_folder):
    rows = read_scenes(scenes_folder, "train", ["captions", "contents"])
    for number, row in enumerate(rows):
        row["tokens"] = np.full((len(row["contents"]), 4 + number, 20), number, dtype=np.float16)
    embeddings = {caption: torch.randn(12) for row in rows for caption in row["captions"]}
    one, same, other = (SceneExamples(rows, embeddings, ["walk"], 13, seed) for seed in (1, 1, 2))
    assert len(one) == 13
    drawn = [[int(each[index]["tokens"][0, 0, 0]) for index in range(13)] for each in (one, same, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(drawn[0][:6]) == sorted(drawn[0][6:12]) == list(range(6))  # every scene once a round
    assert [one[i]["caption_ids"] for i in range(13)] == [same[i]["caption_ids"] for i in range(13)]
    batch = collate([one[index] for index in range(6)])
    assert batch["tokens"].shape == (6, 3, 9, 20)
    for index, labels in enumerate(batch["content_labels"].tolist()):
        two = len(one[index]["content_labels"]) == 2
        assert labels == ([-100, 0, -100] if two else [0, 0, 0])  # "call" is no class here
        assert int(batch["token_mask"][index].sum()) == one[index]["tokens"][..., 0].size


def test_real_scenes_are_judged_without_dropout():
    model = make_scene_evaluator(dropout=0.5).train()
    rng = np.random.default_rng(0)
    contents = ["bow", "run", "walk"]
    rows = [
        {
            "tokens": rng.normal(size=(2, 5, 20)).astype(np.float16),
            "caption": str(number),
            "contents": list(rng.choice(contents, 2)),
        }
        for number in range(40)
    ]
    sentences = {str(number): torch.randn(12) for number in range(40)}
    once, again = (real_scores(model, rows, sentences, repeats=2) for _ in range(2))
    assert once == again
    assert model.training


def test_padding_of_scenes():
    table, mask = pad_scenes([np.ones((2, 3, 1)), np.ones((3, 1, 1))])
    assert table[..., 0].sum((1, 2)).tolist() == mask.sum((1, 2)).tolist() == [6, 3]
    assert table.shape == (2, 3, 3, 1)


def test_bad_input_is_named(run, arguments, dataset_folder, tmp_path):
    for changed, message in (
        (["--scenes", str(tmp_path / "absent")], "motionllm prepare"),
        (["--scenes", str(dataset_folder)], "holds no scenes"),
        (["--evaluator", str(tmp_path)], "holds no evaluator"),
        (["--scene_hidden_size", "13"], "--scene_hidden_size is 13"),
        (["--output_dir", str(run)], "already holds checkpoint-6"),
    ):
        with pytest.raises(MotionLLMError, match=message):
            main([*arguments, "--output_dir", str(tmp_path / "out"), *changed])
