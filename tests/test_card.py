"""The model card: filled from the records, valid for the Hub, and honest about what was not measured."""

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from hub_scripts.card import EVALUATION, write_model_card
from modeling_motionllm.errors_motionllm import MotionLLMError

_EVALUATION = {
    "split": "test",
    "seed": 0,
    "reconstruction": {
        "clips": 7,
        "drift_mm_mean": 10.0,
        "velocity_mm": 4.0,
        "codes_used": 30,
        "mpjpe_root_mm": 12.34,
        "mpjpe_global_mm": 56.78,
        "drift_mm_median": 9.1,
        "perplexity": 300.4,
    },
    "generation": {
        "protocol": "4 captions, pools of 4, 20 repeats, seed 0, greedy",
        "rows": {
            "real": {"r_precision_top3": [0.97, 0.01], "fid": [0.0, 0.0], "content_accuracy": [1.0, 0.0]},
            "generated": {"r_precision_top3": [0.5, 0.02], "fid": [0.25, 0.0], "content_accuracy": [0.75, 0.0]},
        },
    },
    "captioning": {
        "protocol": "7 real motions, greedy",
        "rows": {"real": {"bleu4": [30.0, 0]}, "generated": {"bleu4": [12.5, 0], "content_words": [0.5, 0]}},
    },
}


@pytest.fixture
def folder(thin_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(thin_checkpoint, tmp_path / "my-model"))


def test_every_field_is_filled_and_the_metadata_is_read_back(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"base_model_name_or_path": "user/base"}))
    write_model_card(folder)
    card = ModelCard.load(folder / "README.md")
    assert card.data.library_name == "transformers"
    assert card.data.base_model == "user/base"
    assert "{{" not in card.text
    assert "{%" not in card.text
    assert "None" not in card.text
    assert "# my-model" in card.text
    assert "Nothing has been measured" in card.text


def test_measured_figures_appear_with_their_rows(folder):
    (folder / EVALUATION).write_text(json.dumps(_EVALUATION))
    text = write_model_card(folder).read_text()
    assert "| root-relative MPJPE, mm | 12.3 |" in text
    assert "| global MPJPE, mm | 56.8 |" in text
    assert "4 captions, pools of 4" in text
    assert "| real motion | 0.970 ± 0.010 | 0.000 | 100.0 |" in text
    assert "| generated | 0.500 ± 0.020 | 0.250 | 75.0 |" in text
    assert "| generated | 12.5 | 50.0 |" in text
    assert "| one true caption | 30.0 | - |" in text
    assert "Nothing has been measured" not in text


def test_without_a_training_record_there_is_no_card(folder):
    (folder / "adapters" / "default" / "training_record.json").unlink()
    before = (folder / "README.md").read_bytes()
    with pytest.raises(MotionLLMError, match="training_record"):
        write_model_card(folder)
    assert (folder / "README.md").read_bytes() == before


def test_weights_that_start_from_others_keep_their_licence(folder):
    path = folder / "adapters" / "default" / "training_record.json"
    record = json.loads(path.read_text()) | {"data_name": "mine"}
    path.write_text(json.dumps(record))
    assert ModelCard.load(write_model_card(folder)).data.license == "other"
    path.write_text(json.dumps(record | {"continued_from": {"continued_from": {"data_name": "bandai-namco"}}}))
    card = ModelCard.load(write_model_card(folder))
    assert card.data.license == "cc-by-nc-4.0"
    assert "it started from weights trained on Bandai-Namco" in card.text
    assert "only as the licence of the later data allows" in card.text
    path.write_text(json.dumps(record))
    (folder / "motion_vq" / "training_record.json").write_text(json.dumps({"data_name": "bandai-namco"}))
    assert ModelCard.load(write_model_card(folder)).data.license == "cc-by-nc-4.0"
    path.write_text(json.dumps(record | {"data_name": "bandai-namco"}))
    assert "it started from" not in write_model_card(folder).read_text()
