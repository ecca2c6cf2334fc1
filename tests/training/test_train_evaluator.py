"""`motionllm train-evaluator`: trains on the train split alone, resumes exactly, records what it did.

On clips and on scenes of several people.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_evaluator, pickled_files
from safetensors.torch import load_file
from stored_clips import read_split

from hub_scripts.data.store import dataset_hash
from hub_scripts.evaluation.motions import RealMotion, read_real_motions
from hub_scripts.metrics.judge import load_evaluator
from hub_scripts.train_evaluator import main
from hub_scripts.training.evaluator import (
    EvaluatorExamples,
    cached_sentence_embeddings,
    collate,
    read_datasets,
    real_scores,
)
from hub_scripts.training.motion_vq import feature_statistics
from modeling_motionllm.errors_motionllm import MotionLLMError

pytest_plugins = ("scene_fixtures",)

_SMALL = {
    "max_steps": 6,
    "per_device_train_batch_size": 4,
    "save_steps": 3,
    "eval_steps": 3,
    "logging_steps": 2,
    "warmup_steps": 1,
    "use_cpu": True,
    "dataloader_pin_memory": False,
}


def _texts(options) -> list[str]:
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def arguments(dataset_folder, sentence_folder) -> list[str]:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "embed_dim": 8, "max_frames": 60}
    return _texts({"data": dataset_folder, "sentence_model": sentence_folder, **sizes, **_SMALL})


@pytest.fixture(scope="module")
def run(arguments, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluator-run")
    assert main([*arguments, "--output_dir", str(folder)]) == 0
    return folder


def test_the_trained_model_loads_with_the_classes_and_statistics_of_train(run, dataset_folder):
    model = load_evaluator(run / "final")
    rows = read_split(dataset_folder, "train", ["content", "style", "features"])
    assert model.config.contents == sorted({row["content"] for row in rows})
    assert (model.config.sentence_dim, model.config.hidden_size) == (12, 16)
    mean, std = feature_statistics([row["features"] for row in rows])
    torch.testing.assert_close(model.motion_encoder.mean, mean)
    torch.testing.assert_close(model.motion_encoder.std, std)
    early = load_file(run / "checkpoint-3" / "model.safetensors")
    assert not torch.equal(early["motion_projection.weight"], model.motion_projection.weight)


def test_the_final_folder_is_a_repository_of_its_own(run):
    names = {path.name for path in (run / "final").iterdir()}
    assert names >= {"config.json", "model.safetensors", "README.md", "training_record.json"}
    assert names >= {"configuration_evaluator.py", "modeling_evaluator.py", "sentence_encoder.py"}
    assert not any(name.startswith(("sentence_embeddings", "checkpoint")) for name in names)
    assert pickled_files(run / "final") == set()
    assert {path.name for path in pickled_files(run)} == {"optimizer.pt", "scheduler.pt", "rng_state.pth"}
    card = (run / "final" / "README.md").read_text()
    assert "| test | " in card
    assert "r_precision_top1" in card


def test_the_record_tells_how_the_model_was_made(run, arguments, dataset_folder):
    record = json.loads((run / "final" / "training_record.json").read_text())
    assert record["command"] == " ".join(["motionllm train-evaluator", *arguments, "--output_dir", str(run)])
    assert record["data_sha256"] == dataset_hash(dataset_folder)
    assert (record["seed"], record["steps"]) == (42, 6)
    assert set(record["real_motions"]) == {"val", "test"}
    assert 0 <= record["real_motions"]["test"]["r_precision_top1"]["mean"] <= 1
    assert [entry["step"] for entry in record["history"] if "loss" in entry] == [2, 4, 6]
    losses = next(entry for entry in record["history"] if "loss" in entry)
    assert losses.keys() >= {"contrastive_loss", "content_loss", "style_loss"}
    assert any("eval_content_accuracy" in entry for entry in record["history"])


def test_resuming_equals_training_in_one_go(run, arguments, tmp_path, monkeypatch):
    shutil.copytree(run / "checkpoint-3", tmp_path / "checkpoint-3")
    shutil.copy(run / "sentence_embeddings.safetensors", tmp_path)
    # the cache is enough: nothing goes through the sentence encoder again
    monkeypatch.setattr("hub_scripts.training.evaluator.load_sentence_encoder", None)
    torch.manual_seed(12345)
    assert main([*arguments, "--output_dir", str(tmp_path), "--resume"]) == 0
    resumed, straight = (load_file(folder / "final" / "model.safetensors") for folder in (tmp_path, run))
    assert resumed.keys() == straight.keys()
    for name, value in straight.items():
        assert torch.equal(resumed[name], value), name


def test_other_sentences_are_not_taken_from_the_cache(sentence_folder, tmp_path):
    first = cached_sentence_embeddings(["b", "a", "b"], tmp_path, str(sentence_folder))
    again = cached_sentence_embeddings(["a", "b"], tmp_path, str(sentence_folder))
    assert list(first) == ["a", "b"]
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = cached_sentence_embeddings(["a", "c"], tmp_path, str(sentence_folder))
    assert not torch.equal(other["c"], first["b"])


class TestExamples:
    @pytest.fixture
    def motions(self):
        lengths = {"walk": (90, 12), "bow": (30,)}
        return [
            RealMotion(
                f"{content}{length}",
                [f"{content} {length} one", f"{content} {length} two"],
                [content],
                ["elderly"],
                np.repeat(np.arange(length, dtype=np.float32)[None, :, None], 263, 2),
                np.zeros((1, 3)),
            )
            for content, several in lengths.items()
            for length in several
        ]

    @pytest.fixture
    def make(self, motions):
        embeddings = {caption: torch.randn(12) for motion in motions for caption in motion.captions}
        classes = (["bow", "walk"], ["elderly"])

        def make(**options):
            return EvaluatorExamples(motions, embeddings, *classes, 300, **({"seed": 1, "max_frames": 40} | options))

        return make

    def test_they_are_a_function_of_seed_and_index(self, make):
        one, same, other = make(), make(), make(seed=2)
        for index in (5, 299, 0):
            np.testing.assert_array_equal(one[index]["motion"], same[index]["motion"])
            assert torch.equal(one[index]["text_embeddings"], same[index]["text_embeddings"])
        assert any(one[index]["motion"].shape != other[index]["motion"].shape for index in range(20))

    def test_windows_phases_and_labels(self, make, motions):
        examples = [make(balance=0.0)[index] for index in range(300)]
        starts: dict[int, set[int]] = {}
        captions = [caption for motion in motions for caption in motion.captions]
        for example in examples:
            start, last = example["motion"][0, 0, 0], example["motion"][0, -1, 0]
            motion = next(motion for motion in motions if captions[example["caption_ids"]] in motion.captions)
            assert last == min(start + 40, motion.num_frames) - 1
            assert (example["content_labels"], example["style_labels"]) == ([int(motion.contents == ["walk"])], [0])
            starts.setdefault(motion.num_frames, set()).add(int(start))
        assert starts[12] == starts[30] == {0, 1, 2, 3}
        assert (min(starts[90]), max(starts[90])) == (0, 50)
        assert {example["caption_ids"] for example in examples} == set(range(6))

    def test_balance(self, make):
        share = {
            balance: np.mean([make(balance=balance)[i]["content_labels"][0] for i in range(300)]) for balance in (0, 1)
        }
        assert share[0] == pytest.approx(1 / 2, abs=0.08)
        assert share[1] == pytest.approx(2 / 3, abs=0.08)

    def test_batches(self, make):
        examples = make()
        batch = collate([examples[0], examples[1], examples[2]])
        lengths = [examples[index]["motion"].shape[1] for index in range(3)]
        assert batch["motion"].shape == (3, 1, max(lengths), 263)
        assert batch["attention_mask"].sum(-1).tolist() == [[length] for length in lengths]
        assert batch["text_embeddings"].shape == (3, 12)


def test_bad_input_is_named(run, arguments, tmp_path):
    def fails(options, message):
        with pytest.raises(MotionLLMError, match=message):
            main([*arguments, "--output_dir", str(tmp_path / "out"), *options])

    fails(["--data", str(tmp_path / "absent")], "motionllm prepare")
    fails(["--resume"], "no checkpoint to resume from")
    fails(["--output_dir", str(run)], "already holds checkpoint-6; add --resume")
    fails(["--sentence_model", "nobody/nothing"], "sentence encoder 'nobody/nothing' was not found")


@pytest.fixture(scope="module")
def single(tmp_path_factory, sentence_folder) -> Path:
    """The evaluator of single motions whose motion encoder is taken."""
    folder = tmp_path_factory.mktemp("single")
    make_evaluator(sentence_model=str(sentence_folder)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def scene_arguments(scenes_folder, single) -> list[str]:
    sizes = {"scene_hidden_size": 12, "num_scene_layers": 1}
    return _texts({"data": scenes_folder, "evaluator": single, **sizes, **_SMALL})


@pytest.fixture(scope="module")
def scene_run(scene_arguments, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene-evaluator-run")
    assert main([*scene_arguments, "--output_dir", str(folder)]) == 0
    return folder


def test_training_on_scenes_takes_the_motion_encoder_and_leaves_it(scene_run, single):
    model, before = load_evaluator(scene_run / "final"), load_evaluator(single)
    for name, value in before.motion_encoder.state_dict().items():
        assert torch.equal(model.motion_encoder.state_dict()[name], value), name
    assert (model.config.contents, model.config.max_people) == (["call", "walk"], 3)
    early = load_file(scene_run / "checkpoint-3" / "model.safetensors")
    assert not torch.equal(early["scene_projection.weight"], model.scene_projection.weight)


def test_the_final_folder_of_scenes_is_a_repository_of_its_own(scene_run, scenes_folder):
    final = scene_run / "final"
    names = {path.name for path in final.iterdir()}
    assert names >= {"config.json", "model.safetensors", "README.md", "training_record.json"}
    assert names >= {"configuration_evaluator.py", "modeling_evaluator.py", "sentence_encoder.py"}
    card = (final / "README.md").read_text()
    assert "composed scenes" in card
    assert "| test | " in card
    record = json.loads((final / "training_record.json").read_text())
    assert record["composed"] is False  # the summary of the made-up scenes does not say so
    assert record["data_sha256"] == dataset_hash(scenes_folder)
    assert record["real_motions"]["test"].keys() >= {"r_precision_top1", "content_accuracy"}
    assert any("contrastive_loss" in entry for entry in record["history"])


def test_resuming_on_scenes_equals_training_in_one_go(scene_run, scene_arguments, tmp_path):
    shutil.copytree(scene_run / "checkpoint-3", tmp_path / "checkpoint-3")
    torch.manual_seed(12345)
    assert main([*scene_arguments, "--output_dir", str(tmp_path), "--resume"]) == 0
    resumed, straight = (load_file(folder / "final" / "model.safetensors") for folder in (tmp_path, scene_run))
    for name, value in straight.items():
        assert torch.equal(resumed[name], value), name


def test_examples_of_scenes_are_a_function_of_seed_and_index(scenes_folder):
    motions = read_real_motions(scenes_folder, "train")
    tokens = [
        np.full((motion.num_people, 4 + number, 20), number, dtype=np.float16) for number, motion in enumerate(motions)
    ]
    embeddings = {caption: torch.randn(12) for motion in motions for caption in motion.captions}
    one, same, other = (
        EvaluatorExamples(motions, embeddings, ["walk"], [], 13, seed, tokens=tokens) for seed in (1, 1, 2)
    )
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
    model = make_evaluator(scenes=True, dropout=0.5).train()
    rng = np.random.default_rng(0)
    contents = ["bow", "run", "walk"]
    motions = [
        RealMotion(
            str(number),
            [str(number)],
            list(rng.choice(contents, 2)),
            [""] * 2,
            np.empty((2, 0, 263)),
            np.zeros((2, 3)),
            "bow",
        )
        for number in range(40)
    ]
    tokens = [rng.normal(size=(2, 5, 20)).astype(np.float16) for _ in motions]
    sentences = {str(number): torch.randn(12) for number in range(40)}
    once, again = (real_scores(model, motions, sentences, repeats=2, tokens=tokens) for _ in range(2))
    assert once == again
    assert {"r_precision_top1", "content_accuracy"} <= once.keys()
    assert model.training


def test_bad_input_of_scenes_is_named(scene_run, scene_arguments, tmp_path):
    for changed, message in (
        (["--data", str(tmp_path / "absent")], "motionllm prepare"),
        (["--evaluator", str(tmp_path)], "holds no evaluator"),
        (["--scene_hidden_size", "13"], "--scene-hidden-size is 13"),
        (["--output_dir", str(scene_run)], "already holds checkpoint-6"),
    ):
        with pytest.raises(MotionLLMError, match=message):
            main([*scene_arguments, "--output_dir", str(tmp_path / "out"), *changed])


def test_several_datasets_are_learned_as_one(dataset_folder, scenes_folder, arguments, tmp_path, capsys):
    counts = {split: len(read_real_motions(dataset_folder, split)) for split in ("train", "val", "test")}
    alone = read_datasets([dataset_folder, scenes_folder], alone=True)
    assert {split: len(motions) for split, motions in alone.items()} == counts
    assert "motions of several people are left out" in capsys.readouterr().out
    whole = read_datasets([dataset_folder, scenes_folder], alone=False)
    assert [len(whole[split]) for split in counts] == [
        counts[split] + len(read_real_motions(scenes_folder, split)) for split in counts
    ]
    # Scenes alone are learned, as nothing else is there.
    assert read_datasets([scenes_folder], alone=True)["train"][0].num_people > 1
    options = ["--data", str(dataset_folder), str(dataset_folder), "--max_steps", "1", "--output_dir", str(tmp_path)]
    assert main([*arguments, *options]) == 0
    record = json.loads((tmp_path / "final" / "training_record.json").read_text())
    assert record["data_sha256"] == dataset_hash(dataset_folder, dataset_folder) != dataset_hash(dataset_folder)


def test_datasets_without_val_or_of_other_features_are_refused(dataset_folder, tmp_path):
    copy = shutil.copytree(dataset_folder, tmp_path / "copy")
    for shard in (copy / "data").glob("val-*"):
        shard.unlink()
    with pytest.raises(MotionLLMError, match="has no val motions"):
        read_datasets([str(copy)], alone=True)


def test_scenes_and_single_people_are_learned_together(dataset_folder, scene_arguments, scenes_folder, tmp_path):
    options = ["--data", str(scenes_folder), str(dataset_folder), "--max_steps", "1", "--output_dir", str(tmp_path)]
    assert main([*scene_arguments, *options]) == 0
    config = load_evaluator(tmp_path / "final").config
    assert config.max_people == 3
    assert {"call", "walk", "bow"} <= set(config.contents)
