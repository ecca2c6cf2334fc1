"""`motionllm train-evaluator`: trains on the train split alone, resumes exactly, records what it did."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import pickled_files
from safetensors.torch import load_file

from hub_scripts.data.storage import dataset_hash, read_split
from hub_scripts.metrics.judge import load_evaluator
from hub_scripts.train_evaluator import EvaluatorExamples, cached_sentence_embeddings, collate, main
from hub_scripts.train_motion_vq import feature_statistics
from modeling_motionllm.configuration_evaluator import MotionTextEvaluatorConfig
from modeling_motionllm.errors_motionllm import MotionLLMError


@pytest.fixture(scope="module")
def arguments(dataset_folder, sentence_folder) -> list[str]:
    options = {
        "data": dataset_folder,
        "sentence_model": sentence_folder,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "embed_dim": 8,
        "max_frames": 60,
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
    monkeypatch.setattr("hub_scripts.train_evaluator.load_sentence_encoder", None)
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
    def rows(self):
        lengths = {"walk": (90, 12), "bow": (30,)}
        return [
            {
                "content": content,
                "style": "old",
                "captions": [f"{content} {length} one", f"{content} {length} two"],
                "features": np.repeat(np.arange(length, dtype=np.float32)[:, None], 263, 1),
            }
            for content, several in lengths.items()
            for length in several
        ]

    @pytest.fixture
    def make(self, rows):
        embeddings = {caption: torch.randn(12) for row in rows for caption in row["captions"]}
        config = MotionTextEvaluatorConfig(contents=["bow", "walk"], styles=["elderly"])

        def make(**options):
            return EvaluatorExamples(rows, embeddings, config, 300, **({"seed": 1, "max_frames": 40} | options))

        return make

    def test_they_are_a_function_of_seed_and_index(self, make):
        one, same, other = make(), make(), make(seed=2)
        for index in (5, 299, 0):
            np.testing.assert_array_equal(one[index]["motion"], same[index]["motion"])
            assert torch.equal(one[index]["text_embeddings"], same[index]["text_embeddings"])
        assert any(one[index]["motion"].shape != other[index]["motion"].shape for index in range(20))

    def test_windows_phases_and_labels(self, make, rows):
        examples = [make(balance=0.0)[index] for index in range(300)]
        starts: dict[int, set[int]] = {}
        captions = [caption for row in rows for caption in row["captions"]]
        for example in examples:
            start, last = example["motion"][0, 0], example["motion"][-1, 0]
            row = next(row for row in rows if captions[example["caption_ids"]] in row["captions"])
            assert last == min(start + 40, len(row["features"])) - 1
            assert (example["content_labels"], example["style_labels"]) == (int(row["content"] == "walk"), 0)
            starts.setdefault(len(row["features"]), set()).add(int(start))
        assert starts[12] == starts[30] == {0, 1, 2, 3}
        assert (min(starts[90]), max(starts[90])) == (0, 50)
        assert {example["caption_ids"] for example in examples} == set(range(6))

    def test_balance(self, make):
        share = {
            balance: np.mean([make(balance=balance)[i]["content_labels"] for i in range(300)]) for balance in (0, 1)
        }
        assert share[0] == pytest.approx(1 / 2, abs=0.08)
        assert share[1] == pytest.approx(2 / 3, abs=0.08)

    def test_batches(self, make):
        examples = make()
        batch = collate([examples[0], examples[1], examples[2]])
        longest = max(len(examples[index]["motion"]) for index in range(3))
        assert batch["motion"].shape == (3, longest, 263)
        assert batch["attention_mask"].sum(1).tolist() == [len(examples[index]["motion"]) for index in range(3)]
        assert batch["text_embeddings"].shape == (3, 12)


def test_bad_input_is_named(run, arguments, tmp_path):
    def fails(options, message):
        with pytest.raises(MotionLLMError, match=message):
            main([*arguments, "--output_dir", str(tmp_path / "out"), *options])

    fails(["--data", str(tmp_path / "absent")], "motionllm prepare")
    fails(["--resume"], "no checkpoint to resume from")
    fails(["--output_dir", str(run)], "already holds checkpoint-6; add --resume")
    fails(["--sentence_model", "nobody/nothing"], "sentence encoder 'nobody/nothing' was not found")
