"""`motionllm train-vq`: trains, resumes exactly, records what it did, and says clearly what is wrong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_vq, pickled_files
from safetensors.torch import load_file

from hub_scripts.data.store import dataset_hash, read_motions, shard_path, write_shard, write_summary
from hub_scripts.train_motion_vq import main
from hub_scripts.training.motion_vq import MotionWindows, collate, feature_statistics
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion_features import feature_groups


@pytest.fixture(scope="module")
def arguments(dataset_folder) -> list[str]:
    options = {
        "data": dataset_folder,
        "width": 16,
        "depth": 1,
        "code_dim": 8,
        "codebook_size": 8,
        "window": 32,
        "max_steps": 6,
        "continuous_steps": 2,
        "per_device_train_batch_size": 4,
        "save_steps": 3,
        "eval_steps": 6,
        "logging_steps": 2,
        "warmup_steps": 1,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    }
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def run(arguments, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("vq-run")
    assert main([*arguments, "--output_dir", str(folder)]) == 0
    return folder


def test_the_trained_model_loads_and_is_not_the_initial_one(run, dataset_folder):
    model = MotionVQModel.from_pretrained(run).eval()
    assert (model.config.width, model.config.codebook_size, model.config.path_weight) == (16, 8, 1.0)
    assert bool(model.quantizer.initialized)
    clips = [row["features"][0] for row in read_motions(dataset_folder, "train", ["features"])]
    mean, std = feature_statistics(clips)
    torch.testing.assert_close(model.mean, mean)
    torch.testing.assert_close(model.std, std)
    early = load_file(run / "checkpoint-3" / "model.safetensors")
    assert not torch.equal(early["decoder.conv_out.weight"], model.decoder.conv_out.weight)
    assert not torch.equal(early["quantizer.codebook"], model.quantizer.codebook)


def test_nothing_is_pickled_but_what_torch_resumes_from(run):
    assert {path.parent.name for path in pickled_files(run)} == {"checkpoint-3", "checkpoint-6"}
    assert {path.name for path in pickled_files(run)} == {"optimizer.pt", "scheduler.pt", "rng_state.pth"}


def test_resuming_equals_training_in_one_go(run, arguments, tmp_path):
    # The state after three steps of the same command is what an interruption leaves behind.
    shutil.copytree(run / "checkpoint-3", tmp_path / "checkpoint-3")
    torch.manual_seed(12345)
    np.random.seed(12345)  # noqa: NPY002
    assert main([*arguments, "--output_dir", str(tmp_path), "--resume"]) == 0
    resumed, straight = (load_file(folder / "model.safetensors") for folder in (tmp_path, run))
    assert resumed.keys() == straight.keys()
    for name, value in straight.items():
        assert torch.equal(resumed[name], value), name


def test_the_record_tells_how_the_model_was_made(run, arguments, dataset_folder):
    record = json.loads((run / "training_record.json").read_text())
    assert record["command"] == " ".join(["motionllm train-vq", *arguments, "--output_dir", str(run)])
    assert record["data_sha256"] == dataset_hash(dataset_folder)
    assert (record["seed"], record["steps"]) == (42, 6)
    assert record["train_seconds"] > 0
    assert "torch" in record["hardware"]
    assert [entry["step"] for entry in record["history"] if "loss" in entry] == [2, 4, 6]
    losses = next(entry for entry in record["history"] if "loss" in entry)
    assert losses.keys() >= {"perplexity", "reconstruction_loss", "velocity_loss", "path_loss", "commitment_loss"}
    evaluated = next(entry for entry in record["history"] if "eval_mpjpe_root_mm" in entry)
    assert evaluated["eval_codes_used"] >= 1


def test_decoder_only_training_keeps_every_code(run, arguments, dataset_folder, tmp_path):
    options = ["--init_from", str(run), "--decoder_only", "true", "--path_weight", "2.0"]
    assert main([*arguments, "--output_dir", str(tmp_path), *options]) == 0
    before, after = MotionVQModel.from_pretrained(run), MotionVQModel.from_pretrained(tmp_path)
    assert after.config.path_weight == 2.0
    changed = {
        name.split(".")[0]
        for name, value in after.state_dict().items()
        if not torch.equal(value, before.state_dict()[name])
    }
    assert changed == {"decoder"}
    clip = torch.tensor(read_motions(dataset_folder, "val", ["features"])[0]["features"])
    assert torch.equal(before.encode(clip).codes, after.encode(clip).codes)


def test_windows_are_a_function_of_seed_and_index():
    clips = [np.full((length, 2), index, np.float32) for index, length in enumerate((10, 100, 30))]
    clips[1][:, 1] = np.arange(100)
    windows, again = (MotionWindows([clips], 16, 400, seed=1) for _ in range(2))
    for index in (7, 3, 399, 0):
        np.testing.assert_array_equal(windows[index], again[index])
    assert len(windows) == 400
    drawn = [windows[index] for index in range(400)]
    counts = np.bincount([int(window[0, 0]) for window in drawn], minlength=3) / 400
    np.testing.assert_allclose(counts, np.array([10, 100, 30]) / 140, atol=0.07)
    assert {len(window) for window in drawn} == {10, 16}
    starts = [int(window[0, 1]) for window in drawn if window[0, 0] == 1]
    assert np.mean(np.array(starts) == 0) == pytest.approx(1 / 8, abs=0.06)
    assert max(starts) == 84
    other = MotionWindows([clips], 16, 400, seed=2)
    assert any(not np.array_equal(other[index], drawn[index]) for index in range(10))


@pytest.mark.parametrize("balance,share", [(1.0, 0.1), (0.5, 0.25), (0.0, 0.5)])
def test_small_datasets_are_drawn_more_often(balance, share):
    large, small = ([np.full((length, 2), value, np.float32)] for value, length in enumerate((900, 100)))
    windows = MotionWindows([large, small], 16, 500, seed=1, balance=balance)
    drawn = [windows[index][0, 0] for index in range(500)]
    assert np.mean(drawn) == pytest.approx(share, abs=0.06)


def test_another_codebook_size_starts_anew_on_what_is_encoded(run, arguments, tmp_path):
    options = ["--init_from", str(run), "--codebook_size", "16", "--max_steps", "1", "--learning_rate", "1e-6"]
    assert main([*arguments, "--output_dir", str(tmp_path), *options]) == 0
    before, after = MotionVQModel.from_pretrained(run), MotionVQModel.from_pretrained(tmp_path)
    assert after.config.codebook_size == 16
    assert bool(after.quantizer.initialized)
    assert len(after.quantizer.codebook.unique(dim=0)) == 16
    torch.testing.assert_close(after.encoder.conv_in.weight, before.encoder.conv_in.weight, atol=1e-5, rtol=0)
    torch.testing.assert_close(after.mean, before.mean)


def test_only_padded_batches_have_a_mask():
    full, short = np.ones((4, 2), np.float32), np.ones((3, 2), np.float32)
    assert collate([full, full]).keys() == {"motion"}
    assert collate([full, short])["attention_mask"].tolist() == [[True] * 4, [True] * 3 + [False]]


def test_deviations_are_averaged_within_column_groups(golden):
    clips = [clip["features"] for clip in golden.values()]
    mean, std = feature_statistics(clips)
    table = np.concatenate(clips).astype(np.float64)
    np.testing.assert_allclose(mean, table.mean(0), atol=1e-5)
    for group in feature_groups():
        assert len(set(std[group].tolist())) == 1
        assert float(std[group][0]) == pytest.approx(table[:, group].std(0).mean(), rel=1e-4)
    assert (std > 0).all()


def test_columns_that_never_change_get_a_deviation_of_one(golden):
    clips = [clip["features"][:20].copy() for clip in golden.values() if len(clip["features"]) > 20]
    for clip in clips:
        clip[:, 259:] = 1  # nobody lifts a foot
    std = feature_statistics(clips)[1]
    assert set(std[259:].tolist()) == {1.0}
    make_vq().set_normalization(*feature_statistics(clips))


def test_bad_input_is_named(run, arguments, tmp_path):
    def fails(options, message):
        with pytest.raises(MotionLLMError, match=message):
            main([*arguments, "--output_dir", str(tmp_path / "out"), *options])

    fails(["--data", str(tmp_path / "absent")], "motionllm prepare")
    fails(["--decoder_only", "true"], "--init-from")
    fails(["--init_from", str(tmp_path)], r"no model\.safetensors")
    fails(["--resume"], "no checkpoint to resume from")
    fails(["--output_dir", str(run)], "already holds checkpoint-6; add --resume")
    (tmp_path / "file").write_text("")
    fails(["--output_dir", str(tmp_path / "file")], "cannot write in the folder")


def test_clips_too_short_for_a_code_are_passed_over(arguments, dataset_folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(dataset_folder, data)
    rows = read_motions(data, "train")
    for row in rows[:-1]:
        row["joints"], row["features"] = row["joints"][:, :4], row["features"][:, :3]
    write_shard(shard_path(data, "train", 0, 1), rows)
    write_summary(data, {})
    out = tmp_path / "out"
    assert main([*arguments, "--data", str(data), "--output_dir", str(out), "--max_steps", "3"]) == 0
    assert (out / "model.safetensors").is_file()


def test_going_on_from_a_checkpoint_takes_its_sizes(arguments, tmp_path):
    make_vq(width=8).save_pretrained(tmp_path / "vq")
    options = ["--init_from", str(tmp_path / "vq"), "--max_steps", "1"]
    assert main([*arguments, "--output_dir", str(tmp_path / "out"), *options]) == 0
    assert MotionVQModel.from_pretrained(tmp_path / "out").config.width == 8
