"""`motionllm evaluate` on a tiny checkpoint and real fixture clips: the tables, resuming, and bad input."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from PIL import Image

from hub_scripts import evaluate_motionllm
from hub_scripts.data.joint_arrays import untold_rate
from hub_scripts.data.store import read_motions
from hub_scripts.evaluate_motionllm import main as evaluate
from hub_scripts.evaluation.outputs import OutputStore, generate_motions, well_formed
from hub_scripts.evaluation.tables import generation_table, markdown, plain_text
from hub_scripts.export_checkpoint import main as export
from hub_scripts.hub.evaluation_record import put_sheet
from hub_scripts.hub.records import SHEET
from hub_scripts.metrics.judge import load_evaluator
from hub_scripts.options.default_models import DEFAULT_EVALUATOR
from modeling_motionllm.errors_motionllm import MotionLLMError

CAPTIONS = ["a person walks forward", "the person bows slowly", "someone jumps high", "a person walks forward"]


@pytest.fixture
def sentences_without_minilm(monkeypatch):
    """Sentence embeddings by hash: MiniLM is 90 MB and no part of the tests' installation."""

    class Encoder:
        def __call__(self, sentences):
            rows = [torch.randn(384, generator=torch.Generator().manual_seed(sum(s.encode()))) for s in sentences]
            return torch.nn.functional.normalize(torch.stack(rows), dim=-1)

    monkeypatch.setattr("hub_scripts.metrics.judge.load_sentence_encoder", lambda *_: Encoder())
    monkeypatch.setattr(evaluate_motionllm, "load_sentence_encoder", lambda *_: Encoder())


def options(model, data, **more):
    values = {"model": model, "data": data, "split": "train", "repeats": 2} | more
    return [text for name, value in values.items() for text in (f"--{name}", str(value))]


def kept_outputs(work):
    return {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}


def test_every_table_is_printed_and_written(
    sentences_without_minilm, thin_checkpoint, dataset_folder, tmp_path, capsys, monkeypatch
):
    folder = Path(shutil.copytree(thin_checkpoint, tmp_path / "models" / "mine"))
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "figures.json"
    kept = {"out": out, "work": tmp_path / "work", "sheet": tmp_path / "pictures" / "sheet.png"}
    arguments = [*options("models/mine", dataset_folder, draws=2, **kept), "--card"]
    assert evaluate(arguments) == 0
    printed = capsys.readouterr().out
    for part in ("VQ reconstruction", "R@3", "multimodality", "real motion", "generated", "BLEU@4", "one true caption"):
        assert part in printed
    figures = json.loads(out.read_text())
    rows = figures["generation"]["rows"]
    assert rows["real"]["fid"][0] == pytest.approx(0, abs=1e-6)
    assert rows["real"]["fid"][0] < rows["generated"]["fid"][0]
    assert "0 of 16 outputs not well-formed" in figures["generation"]["protocol"]
    card = ModelCard.load(folder / "README.md")
    assert "| generated |" in card.text
    assert 'from_pretrained("models/mine")' in card.text
    assert card.data.model_name == "mine"
    assert {result.task_type for result in card.data.eval_results} == TASKS
    assert result_tasks(folder) == TASKS
    # The contact sheet lies where it was asked for, and in the checkpoint, whose card shows it.
    picture = Image.open(kept["sheet"])
    assert picture.format == "PNG"
    assert picture.height > 8 * 140  # eight clips
    assert (folder / SHEET).read_bytes() == kept["sheet"].read_bytes()
    assert f"]({SHEET})" in card.text
    assert str(kept["sheet"]) in printed
    # The same again, from what was kept: no new generation, equal figures.
    work = kept_outputs(tmp_path / "work")
    kept["sheet"].unlink()
    assert evaluate(arguments[:-1]) == 0
    assert kept_outputs(tmp_path / "work") == work
    assert json.loads(out.read_text()) == figures
    assert kept["sheet"].read_bytes() == (folder / SHEET).read_bytes()
    # Figures of scenes alone leave it; new motions without a sheet of theirs take it away.
    put_sheet(folder, None, measured=False)
    assert (folder / SHEET).exists()
    alone = options("models/mine", dataset_folder, tasks="generation", work=tmp_path / "work")
    assert evaluate([*alone, "--card"]) == 0
    assert not (folder / SHEET).exists()
    assert SHEET not in (folder / "README.md").read_text()


def test_planted_feet_and_chosen_captions(
    everything_stands, sentences_without_minilm, thin_checkpoint, dataset_folder, tmp_path
):
    """Planting changes the sliding of the generated row and nothing of the others; the protocols tell both."""
    found = {}
    for name, more in (("plain", []), ("planted", ["--plant-feet"])):
        kept = {"out": tmp_path / f"{name}.json", "work": tmp_path / "work"}
        assert evaluate([*options(thin_checkpoint, dataset_folder, **kept), *more]) == 0
        found[name] = json.loads(kept["out"].read_text())
    plain, planted = (found[name]["generation"] for name in ("plain", "planted"))
    assert planted["protocol"] == plain["protocol"].replace("; 0 of", ", feet planted; 0 of")
    assert "feet planted" in planted["protocol"]
    for row in ("real", "reconstructed"):
        assert planted["rows"][row] == plain["rows"][row]
    slid = [each["rows"]["generated"]["foot_skating_cm"][0] for each in (plain, planted)]
    assert slid[1] < slid[0]
    assert planted["rows"]["generated"]["length_error"] == plain["rows"]["generated"]["length_error"]
    assert ", greedy;" in found["plain"]["captioning"]["protocol"]
    best = tmp_path / "best.json"
    more = {"tasks": "captioning", "num-candidates": 2, "work": tmp_path / "work", "out": best}
    assert evaluate(options(thin_checkpoint, dataset_folder, **more)) == 0
    assert ", best of 2 (" in json.loads(best.read_text())["captioning"]["protocol"]
    assert evaluate(options(thin_checkpoint, dataset_folder, tasks="captioning", clips=3)) == 0
    with pytest.raises(MotionLLMError, match="--num-candidates is 0"):
        evaluate(options(thin_checkpoint, dataset_folder, **{"num-candidates": 0}))


def test_motions_are_drawn_as_the_checkpoint_says(sentences_without_minilm, thin_checkpoint, dataset_folder, tmp_path):
    """Settings come from generation_config.json; options override them."""
    folder = Path(shutil.copytree(thin_checkpoint, tmp_path / "mine"))
    config = json.loads((folder / "generation_config.json").read_text())
    changed = {"temperature": 0.6, "guidance_scale": 1.0, "num_candidates": 1}
    (folder / "generation_config.json").write_text(json.dumps(config | changed))
    quick = {"tasks": "generation", "clips": 2, "out": tmp_path / "figures.json"}
    others = {"temperature": 0.8, "guidance-scale": 2, "num-candidates": 2}
    for more, words in (
        ({}, "seed 0, sampled, temperature 0.6, top-p 0.9;"),
        (others, "temperature 0.8, top-p 0.9, guidance 2, best of 2;"),
        ({"temperature": 0}, "seed 0, greedy;"),
    ):
        assert evaluate(options(folder, dataset_folder, **quick, **more)) == 0
        assert words in json.loads(quick["out"].read_text())["generation"]["protocol"]


def test_a_vq_alone(vq_folder, dataset_folder, tmp_path):
    out = tmp_path / "figures.json"
    assert evaluate(options(vq_folder, dataset_folder, out=out)) == 0
    figures = json.loads(out.read_text())
    assert figures["reconstruction"]["clips"] == 8
    assert "generation" not in figures


TASKS = {"text-to-motion", "motion-to-text", "motion-reconstruction"}


def result_tasks(folder):
    """The tasks of `.eval_results`, each file read by `huggingface_hub`."""
    files = list((folder / ".eval_results").glob("*.yaml"))
    for path in files:
        entries = parse_eval_result_entries(yaml.safe_load(path.read_text()))
        assert {entry.task_id.removeprefix(path.stem.replace("-", "_"))[0] for entry in entries} == {"_"}
    return {path.stem for path in files}


def test_figures_go_into_any_checkpoint(thin_checkpoint, dataset_folder, tmp_path, capsys):
    full, bare, results = tmp_path / "full", tmp_path / "bare", tmp_path / "results"
    assert export([str(thin_checkpoint), "--out", str(full)]) == 0
    shutil.copytree(full, bare)
    for path in (*bare.glob("training_record*"), bare / "README.md"):
        path.unlink()
    quick = {"tasks": "reconstruction", "clips": 2, "dataset-id": "user/clips"}
    for folder in (full, bare):
        assert evaluate([*options(folder, dataset_folder, **quick), "--card"]) == 0
        assert result_tasks(folder) == {"motion-reconstruction"}
    card = ModelCard.load(full / "README.md")
    assert "This is a full checkpoint" in card.text
    assert "| codes used |" in card.text
    assert {result.dataset_type for result in card.data.eval_results} == {"user/clips"}
    assert not (bare / "README.md").exists()  # there is nothing to make one of
    assert evaluate(options(thin_checkpoint, dataset_folder, out=results, **quick)) == 0
    assert result_tasks(results) == {"motion-reconstruction"}
    for name in ("full", "results"):
        figures = json.loads((tmp_path / name / "evaluation.json").read_text())
        assert figures["dataset_id"] == "user/clips"
        assert figures["reconstruction"]["clips"] == 2


def test_a_run_that_died_goes_on(model, processor, tmp_path):
    lengths = [5, 9, 7, 5]

    def run(batch_size, store=None):
        more = {"seed": 3, "batch_size": batch_size, "store": store, "temperature": 2.0}  # draws that differ
        made = generate_motions(model, processor, CAPTIONS, [1] * 4, lengths, **more)
        assert all(each.features.shape == (1, 4 * length, 263) for each, length in zip(made, lengths, strict=True))
        return [each.codes[0].tolist() for each in made]

    whole = run(4)
    assert run(2, OutputStore(tmp_path, a=1)) == whole
    first, second = sorted(tmp_path.glob("*/*.npz"))
    second.unlink()
    second.with_name(f".{second.name}").write_bytes(first.read_bytes()[:100])  # killed while writing it
    again = OutputStore(tmp_path, a=1)
    assert len(again.values) == 2
    assert run(2, again) == whole
    assert OutputStore(tmp_path, a=2).values == {}
    assert [len(codes) for codes in whole] == lengths
    assert whole[0] != whole[3]  # equal sentences, different seeds


def test_what_is_well_formed():
    codes = torch.tensor([[1, 2, 3], [1, 2, -1], [1, -1, 3]])
    assert well_formed(codes, torch.tensor([3, 3, 2])).tolist() == [True, False, False]


def test_tables():
    rows = {"real": {"fid": [0.0, 0.0]}, "generated": {"fid": [1.5, 0.25], "r_precision_top1": [0.5, 0.0]}}
    assert markdown(generation_table(rows)).splitlines() == [
        "|  | R@1 | FID |",
        "| --- | --- | --- |",
        "| real motion | - | 0.000 |",
        "| generated | 0.500 | 1.500 ± 0.250 |",
    ]
    assert len({len(line) for line in plain_text(generation_table(rows)).splitlines()}) == 1


def test_the_shipped_evaluator_loads():
    evaluator = load_evaluator(DEFAULT_EVALUATOR)
    assert len(evaluator.config.contents) == 24
    assert sum(parameter.numel() for parameter in evaluator.parameters()) < 4_000_000


def test_files_of_others_without_a_rate_are_said_once(dataset_folder, tmp_path, capsys):
    motions = tmp_path / "motions"
    motions.mkdir()
    rows = list(read_motions(dataset_folder, "train"))[:4]
    for row in rows:
        np.savez(motions / f"{row['name']}.npz", joints=row["joints"][0])
    assert evaluate(options(motions, dataset_folder, repeats=1)) == 0
    assert capsys.readouterr().err.count(f"4 files of {motions}: {untold_rate(20.0)}\n") == 1


def test_bad_input(thin_checkpoint, dataset_folder, tmp_path):
    motions = tmp_path / "motions"
    motions.mkdir()
    (motions / "a.npz").write_bytes(b"")
    cases = {
        "--tasks is 'x'": {"tasks": "x"},
        "--draws is 0": {"draws": 0},
        "--batch-size is -1": {"batch-size": -1},
        "--guidance-scale is 0": {"guidance-scale": 0},
        "--temperature is -1": {"temperature": -1},
        "--num-candidates 2 needs": {"temperature": 0, "num-candidates": 2},
        "--card writes into a checkpoint": {"model": motions},
        "tells of a checkpoint": {"model": motions, "out": tmp_path / "results"},
        "--dataset-id is 'a/b/c'": {"dataset-id": "a/b/c"},
        "--dataset-id is 'x y'": {"dataset-id": "x y"},
        "--frames is '40'": {"frames": 40},
        "--evaluator t2m:DIR": {"evaluator": "t2m"},
        "--sheet is 'sheet.jpg'": {"sheet": "sheet.jpg"},
        "--sheet shows what the checkpoint generates": {"sheet": "sheet.png", "tasks": "captioning"},
        "holds no evaluator": {"evaluator": tmp_path, "tasks": "generation"},
    }
    for message, changed in cases.items():
        card = ["--card"] if "model" in changed and "out" not in changed else []
        with pytest.raises(MotionLLMError, match=message):
            evaluate([*options(**({"model": thin_checkpoint, "data": dataset_folder} | changed)), *card])
