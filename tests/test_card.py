"""The model card: filled from the records, valid for the Hub, and honest about what was not measured."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from huggingface_hub.repocard_data import model_index_to_eval_results
from sample_evaluation import SAMPLE_EVALUATION

from hub_scripts.card import EVALUATION, has_own_card, write_evaluation, write_model_card
from hub_scripts.eval_results import RESULT_FILES
from modeling_motionllm.errors_motionllm import MotionLLMError


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
    (folder / EVALUATION).write_text(json.dumps(SAMPLE_EVALUATION))
    text = write_model_card(folder).read_text()
    assert "| root-relative MPJPE, mm | 12.3 |" in text
    assert "| global MPJPE, mm | 56.8 |" in text
    assert "4 captions, pools of 4" in text
    assert "| real motion | 0.970 ± 0.010 | 0.000 | - | 100.0 |" in text
    assert "| generated | 0.500 ± 0.020 | 0.250 | nan | 75.0 |" in text
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


def results_of(folder):
    """The entries of `.eval_results/*.yaml`, read by `huggingface_hub`, by task id."""
    texts = [path.read_text() for path in sorted((folder / ".eval_results").glob("*.yaml"))]
    entries = [entry for text in texts for entry in parse_eval_result_entries(yaml.safe_load(text))]
    assert len({entry.task_id for entry in entries}) == len(entries)
    return {entry.task_id: entry for entry in entries}


def test_the_figures_are_metadata_that_the_hub_reads(folder):
    write_evaluation(folder, SAMPLE_EVALUATION, "runs/my-model")
    metadata = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    name, results = model_index_to_eval_results(metadata["model-index"])
    assert name == "my-model"
    assert {result.dataset_type for result in results} == {"bandai-namco"}
    found = {result.metric_type: result for result in results}
    assert found["r_precision_top3"].metric_value == 0.5
    assert found["r_precision_top3"].metric_name == "R@3 (real motion: 0.970)"
    assert found["content_accuracy"].metric_value == 75.0
    assert found["bleu4"].metric_name == "BLEU@4 (one true caption: 30.0)"
    assert found["mpjpe_root_mm"].metric_value == 12.3
    assert "diversity" not in found  # not a number
    assert {result.task_type for result in results} == {"text-to-motion", "motion-to-text", "motion-reconstruction"}

    entries = results_of(folder)
    assert {path.name for path in (folder / ".eval_results").iterdir()} == {Path(name).name for name in RESULT_FILES}
    assert len(entries) == len(results)
    fid = entries["text_to_motion_fid"]
    assert (fid.dataset_id, fid.value, fid.date) == ("bandai-namco", 0.25, "2026-01-02")
    assert entries["text_to_motion_r_precision_top3"].notes.startswith("R@3: ± 0.020 (95 %); 4 captions")
    for part in ("FID: 4 captions", "4 captions, pools of 4", "real motion: 0.000", "split test", "0" * 16):
        assert part in fid.notes
    assert entries["motion_reconstruction_mpjpe_global_mm"].value == 56.8


def test_figures_that_were_not_measured_again_go(folder):
    write_evaluation(folder, SAMPLE_EVALUATION)
    (folder / ".eval_results" / "other.yaml").write_text("[]")
    only = {key: value for key, value in SAMPLE_EVALUATION.items() if key not in ("captioning", "reconstruction")}
    write_evaluation(folder, only | {"dataset_id": "user/bandai"})
    assert {path.name for path in (folder / ".eval_results").iterdir()} == {"text-to-motion.yaml", "other.yaml"}
    assert {entry.dataset_id for entry in results_of(folder).values()} == {"user/bandai"}
    assert "Captioning:" not in (folder / "README.md").read_text()


def test_the_data_of_another_evaluation_is_named(folder):
    write_evaluation(folder, SAMPLE_EVALUATION)
    assert "Split `test` of the data above" in (folder / "README.md").read_text()
    write_evaluation(folder, SAMPLE_EVALUATION | {"data_name": "mine", "data_sha256": "1" * 64})
    assert f"Split `test` of mine (SHA-256 `{'1' * 64}`), not of the data above" in (folder / "README.md").read_text()
    old = {key: value for key, value in SAMPLE_EVALUATION.items() if key not in ("data_name", "date")}
    record = folder / "adapters" / "default" / "training_record.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"data_name": "theirs"}))
    write_evaluation(folder, old)
    assert {entry.dataset_id for entry in results_of(folder).values()} == {"theirs"}


def test_a_card_changed_by_hand_keeps_its_text(folder):
    write_model_card(folder)
    assert not has_own_card(folder)
    text = (folder / "README.md").read_text()
    (folder / "README.md").write_text(text.replace("# my-model", "# My model"))
    assert has_own_card(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n\nMy own words.\n")
    write_evaluation(folder, SAMPLE_EVALUATION)
    card = ModelCard.load(folder / "README.md")
    assert card.text.strip() == "My own words."
    assert card.data.license == "mit"
    assert card.data.model_name == "my-model"
    assert {result.metric_type for result in card.data.eval_results} >= {"fid", "bleu4", "perplexity"}
