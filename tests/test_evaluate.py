"""`motionllm evaluate` on a tiny checkpoint and real fixture clips: the tables, resuming, and bad input."""

import json
import shutil

import pytest
import torch

from hub_scripts import evaluate_motionllm
from hub_scripts.evaluate_motionllm import main as evaluate
from hub_scripts.evaluation_protocol import DEFAULT_EVALUATOR
from hub_scripts.evaluation_tables import generation_table, markdown, plain_text
from hub_scripts.generated_outputs import Decoding, OutputStore, generate_codes, well_formed
from hub_scripts.metrics.judge import load_evaluator
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


def test_every_table_is_printed_and_written(
    sentences_without_minilm, thin_checkpoint, dataset_folder, tmp_path, capsys
):
    folder = shutil.copytree(thin_checkpoint, tmp_path / "model")
    out = tmp_path / "figures.json"
    arguments = [*options(folder, dataset_folder, out=out, work=tmp_path / "work", draws=2), "--card"]
    assert evaluate(arguments) == 0
    printed = capsys.readouterr().out
    for part in ("VQ reconstruction", "R@3", "multimodality", "real motion", "generated", "BLEU@4", "one true caption"):
        assert part in printed
    figures = json.loads(out.read_text())
    rows = figures["generation"]["rows"]
    assert rows["real"]["fid"][0] == pytest.approx(0, abs=1e-6)
    assert rows["real"]["fid"][0] < rows["generated"]["fid"][0]
    assert "0 of 16 outputs not well-formed" in figures["generation"]["protocol"]
    assert "| generated |" in (folder / "README.md").read_text()
    # The same again, from what was kept: no new generation, equal figures.
    kept = {path.name: path.read_bytes() for path in (tmp_path / "work").iterdir()}
    assert evaluate(arguments[:-1]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "work").iterdir()} == kept
    assert json.loads(out.read_text()) == figures


def test_a_run_that_died_goes_on(model, processor, tmp_path):
    lengths = [5, 9, 7, 5]
    whole = generate_codes(model, processor, CAPTIONS, lengths, Decoding(), seed=3, batch_size=4)
    store = OutputStore(tmp_path, a=1)
    assert generate_codes(model, processor, CAPTIONS, lengths, Decoding(), seed=3, batch_size=2, store=store) == whole
    path = next(tmp_path.iterdir())
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][: len(lines[2]) // 2])  # killed while writing the third
    again = OutputStore(tmp_path, a=1)
    assert len(again.values) == 2
    assert generate_codes(model, processor, CAPTIONS, lengths, Decoding(), seed=3, batch_size=2, store=again) == whole
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


def test_bad_input(thin_checkpoint, dataset_folder, tmp_path):
    cases = {
        "--tasks is 'x'": {"tasks": "x"},
        "--draws is 0": {"draws": 0},
        "--batch-size is -1": {"batch-size": -1},
        "no --vq or --folder": {"folder": tmp_path},
        "holds no evaluator": {"evaluator": tmp_path, "tasks": "generation"},
    }
    for message, changed in cases.items():
        card = ["--card"] if "folder" in changed else []
        with pytest.raises(MotionLLMError, match=message):
            evaluate([*options(thin_checkpoint, dataset_folder, **changed), *card])
