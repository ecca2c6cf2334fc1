"""The model card: filled from the records, valid for the Hub, and honest about what was not measured."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from huggingface_hub.repocard_data import model_index_to_eval_results
from sample_evaluation import SAMPLE_EVALUATION

from hub_scripts.hub import part_cards as hub_part_cards
from hub_scripts.hub.card import has_own_card, write_evaluation, write_model_card
from hub_scripts.hub.eval_results import RESULT_FILES
from hub_scripts.hub.layouts import LAYOUTS
from hub_scripts.hub.part_cards import render_plain_card
from hub_scripts.hub.records import EVALUATION, SHEET
from hub_scripts.options.default_models import DEFAULT_EVALUATOR
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
    clips = [result for result in results if not result.task_type.startswith(("scene", "sequence"))]
    assert {result.dataset_type for result in clips} == {"bandai-namco"}
    found = {result.metric_type: result for result in clips}
    assert found["r_precision_top3"].metric_value == 0.5
    assert found["r_precision_top3"].metric_name == "R@3 (real motion: 0.970)"
    assert found["content_accuracy"].metric_value == 75.0
    assert found["bleu4"].metric_name == "BLEU@4 (one true caption: 30.0)"
    assert found["mpjpe_root_mm"].metric_value == 12.3
    assert "diversity" not in found  # not a number
    assert {result.task_type for result in clips} == {"text-to-motion", "motion-to-text", "motion-reconstruction"}

    entries = results_of(folder)
    assert {path.name for path in (folder / ".eval_results").iterdir()} == {Path(name).name for name in RESULT_FILES}
    assert len(entries) == len(results)
    fid = entries["text_to_motion_fid"]
    assert (fid.dataset_id, fid.value, fid.date) == ("bandai-namco", 0.25, "2026-01-02")
    assert entries["text_to_motion_r_precision_top3"].notes.startswith("R@3: ± 0.020 (95 %); 4 captions")
    for part in ("FID: 4 captions", "4 captions, pools of 4", "real motion: 0.000", "split test", "0" * 16):
        assert part in fid.notes
    assert entries["motion_reconstruction_mpjpe_global_mm"].value == 56.8


def test_figures_of_scenes_are_metadata_too(folder):
    write_evaluation(folder, SAMPLE_EVALUATION, "runs/my-model")
    metadata = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    _, results = model_index_to_eval_results(metadata["model-index"])
    scenes = {(result.task_type, result.metric_type): result for result in results if "scene" in result.task_type}
    assert {result.dataset_type for result in scenes.values()} == {"bandai-namco-composed-scenes"}
    assert {result.task_name for result in scenes.values()} == {
        "Text-to-motion of several people, composed scenes",
        "Captioning of several people, composed scenes",
    }
    content = scenes["scene-text-to-motion", "people_content"]
    assert (content.metric_value, content.metric_name) == (41.1, "content % (real scenes: 91.8)")
    assert scenes["scene-text-to-motion", "fid"].metric_name == "FID"
    assert scenes["scene-motion-to-text", "bleu4"].metric_value == 20.5

    place = results_of(folder)["scene_text_to_motion_placement_error_m"]
    assert (place.dataset_id, place.value) == ("bandai-namco-composed-scenes", 1.34)
    for part in ("place m: 3 composed scenes", "real scenes: 0.14", "5" * 16):
        assert part in place.notes
    assert "0" * 16 in results_of(folder)["text_to_motion_fid"].notes

    old = {key: value for key, value in SAMPLE_EVALUATION.items() if key != "scenes_name"}
    write_evaluation(folder, old)
    assert results_of(folder)["scene_motion_to_text_bleu4"].dataset_id == "bandai-namco-composed-scenes"
    ids = {"dataset_id": "me/clips", "scenes_dataset_id": "me/scenes", "sequences_dataset_id": "me/sequences"}
    write_evaluation(folder, SAMPLE_EVALUATION | ids)
    assert {entry.dataset_id for entry in results_of(folder).values()} == set(ids.values())


def test_figures_of_sequences_are_metadata_too(folder):
    write_evaluation(folder, SAMPLE_EVALUATION, "runs/my-model")
    assert "| fastest joint, ratio | 0.85 | 1.12 |" in (folder / "README.md").read_text()
    done = results_of(folder)["sequence_text_to_motion_segments_done"]
    assert (done.dataset_id, done.value) == ("composed-sequences", 62.5)
    for part in ("segments done %: 3 composed sequences of 7", "real sequences: 87.5", "6" * 16):
        assert part in done.notes


@pytest.mark.parametrize(
    ("recorded", "sentence"),
    [
        (
            {"evaluator": "t2m"},
            "The evaluator is the published one of Guo et al. 2022 (T2M), with its authors' weights.",
        ),
        (
            {"evaluator": "mine", "evaluator_data_sha256": "0" * 64},
            "The evaluator (`mine`) was trained on the train split of the same data.",
        ),
        (
            {"evaluator": "motionllm-evaluator", "evaluator_data_sha256": "1" * 64},
            f"The evaluator (`checkpoints/motionllm-evaluator` of the code) was trained on other data (SHA-256 "
            f"`{'1' * 64}`).",
        ),
        ({"evaluator": "user/judge", "evaluator_data_sha256": None}, "The evaluator is `user/judge`."),
        ({}, "Which evaluator judged is not recorded."),
    ],
)
def test_the_evaluator_that_judged_is_named(folder, recorded, sentence):
    generation = SAMPLE_EVALUATION["generation"] | recorded
    write_evaluation(folder, SAMPLE_EVALUATION | {"generation": generation})
    text = " ".join((folder / "README.md").read_text().split())
    assert sentence in text
    assert text.count("The evaluator") == sentence.count("The evaluator")


def test_older_figures_of_the_default_evaluator_name_its_data(folder):
    record = json.loads((DEFAULT_EVALUATOR / "training_record.json").read_text())
    generation = SAMPLE_EVALUATION["generation"] | {"evaluator": DEFAULT_EVALUATOR.name}
    same = {"generation": generation, "data_sha256": record["data_sha256"]}
    write_evaluation(folder, SAMPLE_EVALUATION | same)
    assert "was trained on the train split of the same data" in (folder / "README.md").read_text()
    write_evaluation(folder, SAMPLE_EVALUATION | {"generation": generation})
    assert f"was trained on other data (SHA-256 `{record['data_sha256']}`)" in (folder / "README.md").read_text()
    write_evaluation(folder, {key: value for key, value in SAMPLE_EVALUATION.items() if key != "generation"})
    assert "valuator (" not in (folder / "README.md").read_text()


def set_data(folder, **values):
    path = folder / "adapters" / "default" / "training_record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("name", "words", "link"),
    [
        ("humanml3d", ["HumanML3D (Guo et al. 2022)", "AMASS", "HumanAct12", "MIT"], "https://amass.is.tue.mpg.de"),
        (
            "kit-ml",
            ["KIT Motion-Language Dataset (Plappert et al. 2016)", "terms of its authors"],
            "https://motion-annotation.humanoids.kit.edu/dataset/",
        ),
    ],
)
def test_published_datasets_have_their_terms(folder, name, words, link):
    set_data(folder, data_name=name)
    card = ModelCard.load(write_model_card(folder))
    assert (card.data.license, card.data.license_link, card.data.datasets) == ("other", link, [name])
    assert card.data.license_name
    assert all(word in card.text for word in words)
    assert "written by rules" not in card.text
    assert "Before you use or share these weights, check" in card.text
    # So does every other card that goes out.
    for other in (render_vq_card, render_plain):
        (folder / "motion_vq" / "training_record.json").write_text(json.dumps({"data_name": name}))
        metadata = yaml.safe_load(other(folder).split("---")[1])
        assert (metadata["license"], metadata["license_link"]) == ("other", link)


def test_interhuman_has_its_licence(folder):
    set_data(folder, data_name="interhuman")
    card = ModelCard.load(write_model_card(folder))
    assert (card.data.license, card.data.datasets) == ("cc-by-nc-sa-4.0", ["interhuman"])
    assert "arXiv:2304.05684" in card.text
    assert "may not be passed on" in card.text
    assert "written by rules" not in card.text


def render_plain(folder):
    return render_plain_card(folder, "user/plain", "default")


def render_vq_card(folder):
    return hub_part_cards.render_vq_card(folder, "user/vq")


def test_own_data_is_named_and_its_licence_left_to_its_owner(folder):
    set_data(folder, data_name="our-dances", data_license="cc-by-4.0")
    card = ModelCard.load(write_model_card(folder))
    assert card.data.license == "other"
    assert "the dataset `our-dances`, prepared by its owner" in card.text
    assert "prepared as `cc-by-4.0`" in card.text
    assert "states the licence" in card.text
    set_data(folder, data_name="our-dances", data_license="other")
    assert "prepared as" not in write_model_card(folder).read_text()


def test_of_several_datasets_the_terms_of_the_known_one_hold(folder):
    set_data(folder, data_name="our-dances + bandai-namco", data_license="mit + cc-by-nc-4.0")
    card = ModelCard.load(write_model_card(folder))
    assert card.data.license == "cc-by-nc-4.0"
    assert "the dataset `our-dances + bandai-namco`" in card.text
    assert "a part of it is Bandai-Namco-Research-Motiondataset" in card.text
    assert "started from weights" not in card.text
    assert "only as the licence of the rest allows" in " ".join(card.text.split())


def test_the_contact_sheet_is_shown_where_it_lies(folder):
    shown = SAMPLE_EVALUATION | {"generation": SAMPLE_EVALUATION["generation"] | {"sheet": True}}
    write_evaluation(folder, shown)
    assert SHEET not in (folder / "README.md").read_text()  # it is not there
    (folder / SHEET).write_bytes(b"a picture")
    write_evaluation(folder, shown)
    assert f"![Generated and real motions of 16 captions]({SHEET})" in (folder / "README.md").read_text()
    for layout in ("full", "thin"):
        if layout == "thin":  # which names its base model for others
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps(config | {"base_model_name_or_path": "user/base"}))
        target = folder.parent / layout
        target.mkdir()
        LAYOUTS[layout].write(folder, target, "user/model", "default")
        assert (target / SHEET).read_bytes() == b"a picture"
        assert f"]({SHEET})" in (target / "README.md").read_text()


def test_the_card_tells_the_skeleton_of_the_model(folder):
    assert "20 frames per second, 22 joints" in write_model_card(folder).read_text()
    path = folder / "processor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fps": 12.5, "feature_dim": 251}))
    assert "12.5 frames per second, 21 joints" in write_model_card(folder).read_text()


def test_figures_that_were_not_measured_again_go(folder):
    write_evaluation(folder, SAMPLE_EVALUATION)
    (folder / ".eval_results" / "other.yaml").write_text("[]")
    gone = ("captioning", "reconstruction", "scene_generation", "scene_captioning", "sequence_generation")
    only = {key: value for key, value in SAMPLE_EVALUATION.items() if key not in gone}
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
    named = {"theirs", "bandai-namco-composed-scenes", "composed-sequences"}
    assert {entry.dataset_id for entry in results_of(folder).values()} == named


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


def test_other_data_is_named_with_its_licences_and_notices(folder):
    set_data(
        folder,
        more_data=[
            {"data_name": "cmu", "data_licenses": ["cmu-mocap"], "data_sha256": "1" * 64},
            {"data_name": "people", "data_license": "mit", "data_sha256": "2" * 64, "notice": "MIT, Copyright\n(c) X."},
        ],
    )
    card = write_model_card(folder).read_text()
    assert f"| `cmu` | cmu-mocap | `{'1' * 64}` |\n| `people` | mit | `{'2' * 64}` |" in card
    assert "NSF EIA-0196217" in card
    assert "MIT, Copyright (c) X." in card


def test_the_template_of_models_stands_at_the_top():
    root = Path(__file__).parents[2]
    assert (root / "model_card.md").read_text() == (root / "hub_scripts/hub/templates/model.md").read_text()
