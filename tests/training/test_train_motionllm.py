"""`motionllm train`: exact resume, what is trained and stored, and the codes it refuses."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from conftest import CODEBOOK_SIZE, generate_single, make_vq
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import set_seed

from hub_scripts.data.codes import read_codes, weights_hash
from hub_scripts.train_motionllm import main
from hub_scripts.training.arguments import ModelArguments
from hub_scripts.training.examples import MotionTextExamples, PadExamples
from hub_scripts.training.model import build_model
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

ADAPTER = "adapter_model.safetensors"


def test_resuming_equals_training_in_one_go(training_run, train_arguments, tmp_path):
    # The state after three steps of the same command is what an interruption leaves behind.
    shutil.copytree(training_run / "checkpoint-3", tmp_path / "checkpoint-3")
    torch.manual_seed(12345)
    np.random.seed(12345)  # noqa: NPY002
    assert main([*train_arguments, "--output_dir", str(tmp_path), "--resume"]) == 0
    for file in ("final/adapters/default", "checkpoint-6"):
        resumed, straight = (load_file(folder / file / ADAPTER) for folder in (tmp_path, training_run))
        assert resumed.keys() == straight.keys()
        for name, value in straight.items():
            assert torch.equal(resumed[name], value), name
    early = load_file(training_run / "checkpoint-3" / ADAPTER)
    assert any(not torch.equal(value, early[name]) for name, value in straight.items())
    losses = [
        [entry.get("loss") for entry in json.loads(path.read_text())["history"] if "loss" in entry]
        for path in (run / "final/adapters/default/training_record.json" for run in (tmp_path, training_run))
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 2


def test_training_in_bfloat16_comes_to_the_same_and_stores_fp32(training_run, train_arguments, tmp_path):
    assert main([*train_arguments, "--output_dir", str(tmp_path), "--bf16", "true"]) == 0
    stored = load_file(tmp_path / "final/adapters/default" / ADAPTER)
    assert {value.dtype for value in stored.values()} == {torch.float32}
    assert MotionLLMForCausalLM.from_pretrained(tmp_path / "final").language_model.dtype == torch.float32
    config = json.loads((tmp_path / "final/config.json").read_text())
    assert config["text_config"]["dtype"] == "float32"
    assert not config["motion_config"].get("_name_or_path")
    losses = [
        [entry["eval_loss"] for entry in json.loads(path.read_text())["history"] if "eval_loss" in entry]
        for path in (run / "final/adapters/default/training_record.json" for run in (tmp_path, training_run))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)


def test_tensorboard_shows_motions_and_nothing_else_changes(training_run, train_arguments, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "logs"))
    assert main([*train_arguments, "--output_dir", str(tmp_path / "run"), "--report_to", "tensorboard"]) == 0
    told, straight = (load_file(run / "final/adapters/default" / ADAPTER) for run in (tmp_path / "run", training_run))
    assert all(torch.equal(told[name], value) for name, value in straight.items())
    events = EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    shown = events.Images("motions")
    assert [image.step for image in shown] == [3, 6]
    assert all(image.width > image.height > 4 * 300 for image in shown)  # four rows of eight panels
    assert "eval/loss" in events.Tags()["scalars"]


def test_checkpoints_hold_the_adapter_and_not_the_base(training_run, base_folder, model):
    hidden, rows = 32, CODEBOOK_SIZE + 2
    for file in (training_run / "checkpoint-6" / ADAPTER, training_run / "final/adapters/default" / ADAPTER):
        with safe_open(file, "pt") as tensors:
            shapes = {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
        others = {name: shape for name, shape in shapes.items() if "lora_" not in name}
        assert len(others) == 1
        assert next(iter(others.values())) == [rows, hidden]  # the new rows, and no table
        assert all(8 in shape for name, shape in shapes.items() if "lora_" in name)


def test_the_record_tells_how_the_adapter_was_made(training_run, train_arguments, vq_folder, model):
    record = json.loads((training_run / "final/adapters/default/training_record.json").read_text())
    assert record["command"] == " ".join(["motionllm train", *train_arguments, "--output_dir", str(training_run)])
    assert record["vq_sha256"] == weights_hash(vq_folder)
    assert record["data_sha256"] == "0" * 64
    assert (record["seed"], record["steps"]) == (42, 6)
    assert record["language_model_parameters"] == model.language_model.num_parameters()
    stored = load_file(training_run / "final/adapters/default" / ADAPTER)
    assert record["trained_parameters"] == sum(value.numel() for value in stored.values())
    assert [entry["step"] for entry in record["history"] if "eval_loss" in entry] == [3, 6]


def test_the_vq_in_the_checkpoint_is_the_given_one(thin_checkpoint, vq_folder):
    stored, given = (load_file(folder / "model.safetensors") for folder in (thin_checkpoint / "motion_vq", vq_folder))
    for name, value in given.items():
        assert torch.equal(stored[name], value), name
    assert weights_hash(thin_checkpoint / "motion_vq") == weights_hash(vq_folder)


def test_frozen_rows_stay_and_the_share_is_told(train_arguments, base_folder, tokenizer, tmp_path, capsys):
    options = ["--output_dir", str(tmp_path), "--max_steps", "1", "--freeze_new_rows", "true", "--lora_r", "2"]
    assert main([*train_arguments, *options]) == 0
    stored = load_file(tmp_path / "final/adapters/default" / ADAPTER)
    assert all("lora_" in name for name in stored)
    trained = sum(value.numel() for value in stored.values())
    told = re.search(
        r"trained parameters: ([\d,]+) of ([\d,]+) in the language model \((\d+\.\d\d) %\)", capsys.readouterr().out
    )
    assert told is not None
    assert int(told[1].replace(",", "")) == trained
    total = int(told[2].replace(",", ""))
    assert float(told[3]) == pytest.approx(100 * trained / total, abs=0.01)
    loaded = MotionLLMForCausalLM.from_pretrained(tmp_path / "final")
    start = MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, make_vq(), seed=42)
    assert total == loaded.language_model.num_parameters()
    rows = loaded.motion_vocabulary.ids
    # The rows that were drawn for training have to be the ones of the loaded checkpoint: it does not store them.
    tables = (each.get_input_embeddings().weight for each in (loaded, start))
    torch.testing.assert_close(*(table[rows] for table in tables))


@pytest.fixture(scope="module")
def whole_run(train_arguments, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert main([*train_arguments, "--train_all", "true", "--output_dir", str(folder)]) == 0
    return folder


def test_the_whole_language_model_is_trained_and_the_vq_is_not(whole_run, train_arguments, tokenizer, base_folder):
    final = whole_run / "final"
    loaded = MotionLLMForCausalLM.from_pretrained(final)
    start = MotionLLMForCausalLM.from_base(str(base_folder), tokenizer, make_vq(), seed=42)
    for name, value in start.language_model.named_parameters():
        assert not torch.equal(loaded.language_model.get_parameter(name), value), name
    for name, value in start.motion_vq.state_dict().items():
        assert torch.equal(loaded.motion_vq.state_dict()[name], value), name
    record = json.loads((final / "training_record.json").read_text())
    assert record["trained_parameters"] == record["language_model_parameters"] == start.language_model.num_parameters()
    assert (final / "README.md").is_file()
    assert not list(final.rglob("*.bin"))
    processor = MotionLLMProcessor.from_pretrained(final)
    output = generate_single(loaded, **processor(text="a person walks", duration=1), seed=0)
    assert output.codes.shape == (1, 5)


def test_resuming_the_training_of_a_whole_model_equals_one_go(whole_run, train_arguments, tmp_path):
    shutil.copytree(whole_run / "checkpoint-3", tmp_path / "checkpoint-3")
    torch.manual_seed(12345)
    assert main([*train_arguments, "--train_all", "true", "--output_dir", str(tmp_path), "--resume"]) == 0
    resumed, straight = (load_file(folder / "final" / "model.safetensors") for folder in (tmp_path, whole_run))
    for name, value in straight.items():
        assert torch.equal(resumed[name], value), name


def test_random_weights_are_fixed_by_the_seed(train_arguments, base_folder):
    arguments = [ModelArguments(codes=["x"], vq="x", from_scratch=flag) for flag in (True, False)]
    vq = train_arguments[train_arguments.index("--vq") + 1]
    codes = train_arguments[train_arguments.index("--codes") + 1]
    made = []
    for one, seed in ((arguments[0], 3), (arguments[0], 3), (arguments[0], 4), (arguments[1], 3)):
        one.codes, one.vq, one.base_model = [codes], vq, str(base_folder)
        set_seed(seed)
        rows = read_codes(codes, "train")
        made.append(build_model(one, rows, seed)[0].get_input_embeddings().weight)
    torch.testing.assert_close(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    assert made[0].shape == made[3].shape
    assert not torch.isclose(made[0], made[3])[1:].all(-1).any()  # the first row is padding, zero in both


@pytest.mark.parametrize(
    "options,message",
    [
        (["--from-scratch", "true"], "needs --train-all"),
        (["--train-all", "true", "--freeze-new-rows", "true"], "freeze-new-rows is for adapters"),
        (["--train_all", "true", "--init_from", "x"], "init-from is for adapters"),
        (["--train_all", "true", "--push_to_hub", "true"], "motionllm push"),
        (["--balance", "2"], "balance is 2; give a number from 0 to 1"),
    ],
)
def test_options_that_do_not_go_together(train_arguments, base_folder, tmp_path, options, message):
    with pytest.raises(MotionLLMError, match=message):
        main([*train_arguments, "--output_dir", str(tmp_path), "--base_model", "x/y", *options])
    assert not list(tmp_path.iterdir())


def test_codes_of_another_vq_are_refused(train_arguments, tmp_path):
    other = make_vq()
    other.mean.add_(1)
    other.save_pretrained(tmp_path / "vq")
    with pytest.raises(MotionLLMError, match=r"were made by VQ-VAE .*; run `motionllm encode`"):
        main([*train_arguments, "--output_dir", str(tmp_path / "out"), "--vq", str(tmp_path / "vq")])


def test_bad_input_is_named(training_run, train_arguments, tmp_path):
    def fails(options, message):
        with pytest.raises(MotionLLMError, match=message):
            main([*train_arguments, "--output_dir", str(tmp_path / "out"), *options])

    fails(["--codes", str(tmp_path / "absent")], "motionllm encode")
    fails(["--vq", str(tmp_path / "absent")], r"no model\.safetensors")
    fails(["--base_model", "nobody/nothing"], "'nobody/nothing' was not found")
    fails(["--prompts", "long"], "choose from short, paper")
    fails(["--resume"], "no checkpoint to resume from")
    fails(["--output_dir", str(training_run)], "already holds checkpoint-6; add --resume")


def test_examples_are_a_function_of_seed_and_index(codes_folder, processor):
    rows = read_codes(codes_folder, "train")
    first, again = (list(MotionTextExamples(rows, processor, 300, seed=4)) for _ in range(2))
    assert first == again
    assert list(MotionTextExamples(rows, processor, 300, seed=5)) != first
    start, end = processor.vocabulary.start, processor.vocabulary.end
    to_motion = [example for example in first if example["labels"][-2] == end]
    assert len(to_motion) / 300 == pytest.approx(0.65, abs=0.08)
    timed = [
        "s)" in processor.tokenizer.decode(example["input_ids"][: example["input_ids"].index(start)])
        for example in to_motion
    ]
    assert np.mean(timed) == pytest.approx(0.7, abs=0.1)


def test_describing_is_learnt_from_the_longer_half_of_the_captions(processor):
    captions = ["walk", "an old person walks slowly", "walk on", "a tired old man walks forward"]
    rows = [{"contents": ["walk"], "captions": captions, "parts": [], "codes": [[1, 2, 3]]}]

    def drawn(task, share):
        examples = list(MotionTextExamples(rows, processor, 100, seed=0, text_to_motion=share, with_duration=0))
        known = {caption: processor.training_example(task, caption, [1, 2, 3]) for caption in captions}
        assert all(example in known.values() for example in examples)
        return {caption for caption, example in known.items() if example in examples}

    assert drawn("motion-to-text", 0.0) == {captions[1], captions[3]}
    assert drawn("text-to-motion", 1.0) == set(captions)


@pytest.mark.parametrize("balance,share", [(1.0, 1 / 3), (0.0, 1 / 2)])
def test_balance_draws_clips_or_contents_alike(codes_folder, processor, balance, share):
    rows = [{**row, "captions": row["contents"]} for row in read_codes(codes_folder, "train")]  # a third are jumps
    drawn = MotionTextExamples(rows, processor, 600, seed=0, text_to_motion=1.0, with_duration=0.0, balance=balance)
    (jump,) = {tuple(processor.text_to_motion_ids("jump"))}
    jumps = np.mean([tuple(example["input_ids"][: len(jump)]) == jump for example in drawn])
    assert jumps == pytest.approx(share, abs=0.06)


def test_long_clips_are_cut(processor):
    rows = [{"contents": ["walk"], "captions": ["walk"], "parts": [], "codes": [list(range(32)) * 3]}]
    (example,) = MotionTextExamples(rows, processor, 1, seed=0, text_to_motion=1.0, with_duration=0.0, max_codes=40)
    assert sum(processor.vocabulary.offset <= token for token in example["input_ids"]) == 40


def test_examples_are_padded_on_the_right():
    batch = PadExamples(9)([{"input_ids": [1, 2, 3], "labels": [-100, 2, 3]}, {"input_ids": [4], "labels": [4]}])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch["labels"].tolist() == [[-100, 2, 3], [4, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
