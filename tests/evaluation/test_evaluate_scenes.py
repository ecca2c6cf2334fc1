"""`motionllm evaluate` on scenes and a tiny checkpoint: the tables, resuming, failures, and bad input."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_evaluator

from hub_scripts import evaluate_motionllm
from hub_scripts.evaluate_motionllm import main as evaluate
from hub_scripts.evaluation.motions import read_real_motions
from hub_scripts.evaluation.outputs import OutputStore, generate_captions, generate_motions
from hub_scripts.metrics.judge import MotionJudge, load_evaluator
from hub_scripts.metrics.reconstruction import reconstruct
from hub_scripts.metrics.score import Scenes, score_motions
from hub_scripts.options.default_models import DEFAULT_EVALUATOR, DEFAULT_SCENE_EVALUATOR
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.placement_motionllm import encode_placements
from modeling_motionllm.settings_motionllm import MotionSettings

pytest_plugins = ("scene_fixtures",)

TEXTS = ["one person calls and the other comes", "three people walk", "two people bow", "two people bow"]
PEOPLE, LENGTHS = [2, 3, 2, 2], [5, 6, 9, 9]


@pytest.fixture(scope="module")
def scene_evaluator(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene-evaluator")
    make_evaluator(True, contents=["call", "walk"]).save_pretrained(folder)
    return folder


@pytest.fixture
def sentences_by_hash(monkeypatch):
    """Sentence embeddings by hash: MiniLM is 90 MB and no part of the tests' installation."""

    class Encoder:
        def __call__(self, sentences):
            rows = [torch.randn(12, generator=torch.Generator().manual_seed(sum(s.encode()))) for s in sentences]
            return torch.nn.functional.normalize(torch.stack(rows), dim=-1)

    monkeypatch.setattr("hub_scripts.metrics.judge.load_sentence_encoder", lambda *_: Encoder())
    monkeypatch.setattr(evaluate_motionllm, "load_sentence_encoder", lambda *_: Encoder())


def options(model, scenes, evaluator, **more):
    values = {"model": model, "data": scenes, "evaluator": evaluator, "split": "train", "repeats": 2} | more
    return [text for name, value in values.items() for text in (f"--{name}", str(value))]


def test_every_table_is_printed_and_written(
    sentences_by_hash, scene_checkpoint, scenes_folder, scene_evaluator, tmp_path, capsys
):
    folder = shutil.copytree(scene_checkpoint, tmp_path / "model")
    (folder / "evaluation.json").write_text(json.dumps({"split": "train", "seed": 0, "scene_generation": {"rows": {}}}))
    out = tmp_path / "figures.json"
    arguments = [
        *options(folder, scenes_folder, scene_evaluator, out=out, work=tmp_path / "work", draws=2, seed=3),
        "--card",
    ]
    assert evaluate(arguments) == 0
    printed = capsys.readouterr().out
    for part in ("scene generation, train", "R@3", "multimodality", "roles %", "place m", "overlap %", "kind words %"):
        assert part in printed
    for part in (
        "real (composed)",
        "VQ reconstruction",
        "generated",
        "another scene's caption",
        "Composed: the scenes",
    ):
        assert part in printed
    figures = json.loads(out.read_text())
    scenes = figures["scene_generation"]
    rows = scenes["rows"]
    assert rows["real"]["fid"][0] == pytest.approx(0, abs=1e-6)
    assert rows["real"]["fid"][0] < rows["generated"]["fid"][0]
    assert (scenes["scenes"], scenes["composed"], scenes["failed"]) == (6, True, 0)
    assert "0 of 12 outputs not well-formed" in scenes["protocol"]
    assert "6 composed scenes, one caption each" in scenes["protocol"]
    assert scenes["by_kind"]["generated"].keys() == {"call-come", "three-walk"}
    assert scenes["by_kind"]["real"]["three-walk"]["scenes"] == 3
    assert scenes["judged"] == {  # 3 pairs and 3 times three people; the roles of the pairs, the line of the three
        "people_content": 15,
        "role_accuracy": 3,
        "placement_error_m": 3,
        "heading_error_deg": 6,
        "interpenetration": sum(40 + 8 * index for index in range(6)),
    }
    # The people of the fixture stand at (k, k / 2) metres: half a metre and one off the line, by real places and bins.
    assert scenes["by_kind"]["real"]["three-walk"]["placement_error_m"] == pytest.approx(0.75, abs=0.15)
    assert rows["reconstructed"]["placement_error_m"][0] == pytest.approx(
        rows["real"]["placement_error_m"][0], abs=0.06
    )
    words = figures["scene_captioning"]["rows"]
    assert words["real"]["people_words"] == [1, 0]
    assert words["real"]["kind_words"] == [1, 0]
    assert set(words) == {"real", "shuffled", "generated"}
    assert json.loads((folder / "evaluation.json").read_text()) == figures
    # The same again, from what was kept: no new generation, equal figures.
    kept = {path: path.read_bytes() for path in (tmp_path / "work").rglob("*.npz")}
    assert evaluate(arguments[:-1]) == 0
    assert {path: path.read_bytes() for path in (tmp_path / "work").rglob("*.npz")} == kept
    assert json.loads(out.read_text()) == figures


def test_a_card_keeps_the_figures_of_clips(
    sentences_by_hash, scene_checkpoint, scenes_folder, scene_evaluator, tmp_path
):
    folder = shutil.copytree(scene_checkpoint, tmp_path / "model")
    before = {"split": "train", "seed": 7, "data_sha256": "0", "generation": {"protocol": "p", "rows": {}}}
    (folder / "evaluation.json").write_text(json.dumps(before))
    arguments = [*options(folder, scenes_folder, scene_evaluator, tasks="captioning", clips=2), "--card"]
    assert evaluate(arguments) == 0
    after = json.loads((folder / "evaluation.json").read_text())
    assert after["generation"] == before["generation"]
    assert after["scene_captioning"]["scenes"] == 2
    (folder / "evaluation.json").write_text(json.dumps(before | {"split": "test"}))
    with pytest.raises(MotionLLMError, match="figures of split 'test'"):
        evaluate(arguments)


def test_a_run_that_died_goes_on(scene_model, scene_processor, tmp_path):
    def run(batch_size, store=None):
        more = {"seed": 3, "batch_size": batch_size, "store": store, "num_candidates": 1}
        made = generate_motions(scene_model, scene_processor, TEXTS, PEOPLE, LENGTHS, **more)
        return [(each.codes.tolist(), each.placements.tolist()) for each in made]

    whole = run(4)
    assert run(2, OutputStore(tmp_path, a=1)) == whole
    next(tmp_path.glob("*/*.npz")).unlink()  # killed before it was written
    again = OutputStore(tmp_path, a=1)
    assert len(again.values) == 2
    assert run(2, again) == whole
    assert [np.shape(codes) for codes, _ in whole] == list(zip(PEOPLE, LENGTHS, strict=True))
    assert [np.shape(placements) for _, placements in whole] == [(count, 3) for count in PEOPLE]
    assert whole[2] != whole[3]  # equal sentences, different seeds


def test_scenes_that_fail_are_counted_and_judged(
    sentences_by_hash, scene_checkpoint, scenes_folder, scene_evaluator, tmp_path, monkeypatch
):
    monkeypatch.setattr("hub_scripts.evaluation.outputs.well_formed", lambda codes, wanted: wanted < 0)
    out = tmp_path / "figures.json"
    arguments = options(scene_checkpoint, scenes_folder, scene_evaluator, out=out, tasks="generation")
    assert evaluate([*arguments, "--temperature", "0"]) == 0
    figures = json.loads(out.read_text())["scene_generation"]
    assert figures["failed"] == 6
    assert (
        f"greedy, guidance {MotionSettings().guidance_scale:g}; 6 of 6 outputs not well-formed" in figures["protocol"]
    )
    rows = figures["rows"]
    assert rows["generated"]["interpenetration"][0] == 1  # everybody stands in one place
    assert rows["generated"]["role_accuracy"][0] == 0
    assert rows["real"]["interpenetration"][0] < 1


def test_captions_do_not_depend_on_the_batch(scene_model, scene_processor, scenes_folder):
    motions = read_real_motions(scenes_folder, "train")[:3]
    people = [reconstruct(scene_model.motion_vq, list(motion.features)).codes for motion in motions]
    codes, bins = [np.stack(each) for each in people], [encode_placements(each.placements) for each in motions]
    together = generate_captions(scene_model, scene_processor, ["a", "b", "c"], codes, bins, batch_size=3)
    alone = [
        generate_captions(scene_model, scene_processor, [str(i)], codes[i : i + 1], bins[i : i + 1])[0]
        for i in range(3)
    ]
    assert together == alone


def test_scores_of_scenes_from_python(scenes_folder):
    motions = read_real_motions(scenes_folder, "train")
    scenes = Scenes([motion.features for motion in motions], [motion.placements for motion in motions])
    captions = [motion.captions[0] for motion in motions]
    model = make_evaluator(True, contents=["call", "walk"])
    judge = MotionJudge(model, {caption: torch.randn(12) for caption in captions})
    known = {"kinds": [motion.kind for motion in motions], "contents": [motion.contents for motion in motions]}
    real = judge.embed_motions(scenes.features, scenes.placements)
    once = score_motions(judge, [scenes], captions, real, **known, repeats=2, pool=6)
    twice = score_motions(judge, [scenes, scenes], captions, real, **known, repeats=2, pool=6)
    assert twice["multimodality"].mean == pytest.approx(0, abs=1e-6)
    assert twice["people_content"] == once["people_content"]
    assert twice.judged["people_content"] == 2 * once.judged["people_content"]
    assert "role_accuracy" not in once  # these captions do not tell the roles
    with pytest.raises(MotionLLMError, match="draw 0 has 6 motions for 5 captions"):
        score_motions(judge, [scenes], captions[:5], real, **known)
    with pytest.raises(MotionLLMError, match="no motions to score"):
        score_motions(judge, [], captions, real, **known)


def test_the_shipped_evaluator_loads():
    folder = DEFAULT_SCENE_EVALUATOR
    evaluator = load_evaluator(folder)
    assert evaluator.config.max_people == 3
    assert sum(parameter.numel() for parameter in evaluator.parameters()) < 2_100_000
    single = load_evaluator(DEFAULT_EVALUATOR)
    for name, value in single.motion_encoder.state_dict().items():
        assert torch.equal(evaluator.motion_encoder.state_dict()[name], value), name
    assert "composed" in (folder / "README.md").read_text()


def test_bad_input(scene_checkpoint, thin_checkpoint, scenes_folder, dataset_folder, scene_evaluator, tmp_path):
    cases = {
        "holds no evaluator": {"evaluator": tmp_path},
        "scenes of up to 1 people and the data has 3": {"evaluator": DEFAULT_EVALUATOR},
        "is not for scenes": {"tasks": "reconstruction"},
        "makes one person at a time": {"model": thin_checkpoint},
        "motionllm prepare": {"data": tmp_path / "absent"},
        "--sheet shows clips of one person": {"sheet": tmp_path / "sheet.png"},
    }
    for message, changed in cases.items():
        given = {"model": scene_checkpoint, "data": scenes_folder, "evaluator": scene_evaluator} | changed
        rest = {name: value for name, value in given.items() if name not in ("model", "data", "evaluator")}
        with pytest.raises(MotionLLMError, match=message):
            evaluate(options(given["model"], given["data"], given["evaluator"], **rest))
    with pytest.raises(SystemExit):
        evaluate(["--model", str(scene_checkpoint)])
