"""`motionllm recipe`: what it refuses, and the whole chain of `recipes/tiny.yaml`, cut off and gone on with."""

import argparse
import importlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_sources import lay_out

from hub_scripts.cli import COMMANDS
from hub_scripts.run_recipe import main
from hub_scripts.train_motionllm import main as train_motionllm
from hub_scripts.training.checkpoints import last_checkpoint
from hub_scripts.training.recipe import read_recipe
from hub_scripts.training.recipe_run import RecipeRun, told_seconds
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import ensure_folder

ROOT = Path(__file__).parents[2]
TINY = ROOT / "recipes" / "tiny.yaml"
STAGES = ["clips", "vq", "codes", "evaluator", "motionllm", "figures"]
ENCODE = "encode --vq {sources}/vq --data {out}/a --out {out}/b"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw") / "tiny sources"
    lay_out(folder)
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of two stages."""
    return write(tmp_path, stage("first", "prepare kit {sources}/kit --out {out}/a", "a"), stage("second", ENCODE, "b"))


def stage(name: str, command: str, output: str) -> str:
    return f"  - name: {name}\n    command: '{command}'\n    output: {output}\n"


def write(folder: Path, *stages: str, head: str = "name: test\n") -> Path:
    path = folder / "recipe.yaml"
    path.write_text(f"{head}stages:\n" + "".join(stages))
    return path


@pytest.mark.parametrize(
    ("stages", "head", "problem"),
    [
        ([], "name: x\n", "lacks the key 'stages'"),
        ([stage("a", ENCODE, "b")], "", "lacks the key 'name'"),
        ([stage("a", ENCODE, "b")], "name: x\nseed: 1\n", "unknown key 'seed'; the keys are name"),
        ([stage("a", ENCODE, "b")], "name: x\nname: y\n", "the key 'name' is there twice"),
        ([stage("a", ENCODE, "b")], "name: [x]\n", "for name; write a text"),
        ([stage("a", ENCODE, "b")], "name: !!python/name:os.system\n", "is no YAML"),
        ([stage("a", ENCODE, "b").replace("output", "leaves")], "name: x\n", "stage 1 .* unknown key 'leaves'"),
        ([stage("A b", ENCODE, "b")], "name: x\n", "is called 'A b'"),
        ([stage("a", "cook {out}/b", "b")], "name: x\n", "unknown command 'cook'; choose from generate"),
        ([stage("a", "recipe {out}/b", "b")], "name: x\n", "unknown command 'recipe'"),
        ([stage("a", 'encode "{out}/b', "b")], "name: x\n", "No closing quotation"),
        (
            [stage("a", "encode --out {outs}/b", "b")],
            "name: x\n",
            r"unknown placeholder \{outs\}; there are \{sources\}",
        ),
        ([stage("a", "encode --out {out}/b", "../b")], "name: x\n", r"output '../b'; write a folder in \{out\}"),
        ([stage("a", "encode --out {out}/b", "/b")], "name: x\n", r"output '/b'; write a folder"),
        ([stage("a", "encode --out {out}/c", "b")], "name: x\n", r"names no \{out\}/b"),
        ([stage("a", "encode --out {out}/logs", "logs")], "name: x\n", "the run itself needs"),
        ([stage("a", "encode --out {out}/b/../..", "b")], "name: x\n", r"without \.\."),
        ([stage("a", ENCODE, "b")], "name: x\n", r"reads '\{out\}/a', which is in the output of no earlier stage"),
        (
            [stage("a", "prepare kit x --out {out}/a", "a")] * 2,
            "name: x\n",
            "stage 2 .* is called 'a' as an earlier one",
        ),
        (
            [stage("a", "prepare kit x --out {out}/a", "a"), stage("c", "prepare kit x --out {out}/a/c", "a/c")],
            "name: x\n",
            "'a' has 'a'; give each a folder of its own",
        ),
    ],
)
def test_recipes_that_cannot_be_run(tmp_path: Path, stages: list[str], head: str, problem: str) -> None:
    path = write(tmp_path, *stages, head=head)
    with pytest.raises(MotionLLMError, match=problem):
        main([str(path), "--sources", str(tmp_path), "--output-dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_said_before_work_starts(recipe: Path, tmp_path: Path) -> None:
    arguments = [str(recipe), "--sources", str(tmp_path), "--output-dir", str(tmp_path / "out")]
    with pytest.raises(MotionLLMError, match=r"stage 'first' reads '.*/kit', which is not there; docs/training.md"):
        main(arguments)
    (tmp_path / "kit").mkdir()
    with pytest.raises(MotionLLMError, match=r"stage 'second' reads '.*/vq', which is not there"):
        main(arguments)
    (tmp_path / "vq").mkdir()
    with pytest.raises(MotionLLMError, match=r"has no stage 'third'; choose from first, second"):
        main([*arguments, "--from", "third"])
    with pytest.raises(MotionLLMError, match=r"cannot read '.*none.yaml'"):
        main(["none.yaml", *arguments[1:]])
    ensure_folder(tmp_path / "out" / "a").joinpath("mine").touch()
    with pytest.raises(
        MotionLLMError, match=r"out/a' is there already and .* tells nothing of stage 'first'; give --from"
    ):
        main(arguments)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_recipes_that_are_shipped_are_right(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Parsed(BaseException):
        pass

    depth, parse = 0, argparse.ArgumentParser.parse_known_args

    def parse_alone(*args, **kwargs):
        nonlocal depth
        depth += 1
        try:
            namespace, unknown = parse(*args, **kwargs)
        finally:
            depth -= 1
        if depth:  # the parser of a subcommand
            return namespace, unknown
        assert not unknown
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", parse_alone)
    values = {"sources": "raw data", "out": "out", "recipe": "recipes", "device": "cpu"}
    for each in read_recipe(path, COMMANDS).stages:
        for kind, place in each.inputs():
            assert kind != "recipe" or (path.parent / place).is_file()
        command, *arguments = each.arguments(values)
        with pytest.raises(Parsed):
            importlib.import_module(f"hub_scripts.{COMMANDS[command][0]}").main(arguments)


@pytest.fixture(scope="module")
def cut_run(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain; the training of the language model was killed in the middle, and the same command given again."""
    out = tmp_path_factory.mktemp("runs") / "tiny run"
    arguments = [str(TINY), "--sources", str(sources), "--output-dir", str(out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        processes = []

        class Watched(subprocess.Popen):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                processes.append(self)

        patch.setattr("hub_scripts.training.recipe_process.subprocess.Popen", Watched)

        def kill_training() -> None:
            while (last := last_checkpoint(out / "motionllm")) is None or last.name == "checkpoint-60":
                time.sleep(0.01)
            os.killpg(processes[-1].pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_training, daemon=True)
        killer.start()
        with pytest.raises(
            MotionLLMError, match=r"stage 'motionllm' ended by signal 9; '.*05-motionllm.log' tells why"
        ):
            main(arguments)
        killer.join()
        assert len(processes) == 5
        assert 0 < int(last_checkpoint(out / "motionllm").name.partition("-")[2]) < 60
        assert main(arguments) == 0
        assert len(processes) == 7
    return out


def test_the_record_and_the_logs_tell_what_was_done(cut_run: Path) -> None:
    record = json.loads((cut_run / "recipe.json").read_text())
    assert list(record["stages"]) == STAGES
    for name, entry in record["stages"].items():
        assert entry["finished"]
        assert entry["seconds"] > 0
        assert entry["command"].startswith("motionllm ")
        assert {"python", "motionllm", "torch"} < entry["versions"].keys()
        (log,) = (cut_run / "logs").glob(f"0?-{name}.log")
        assert log.read_text().startswith("$ motionllm ")
    log = (cut_run / "logs" / "05-motionllm.log").read_text()
    assert log.count("$ motionllm train") == 2
    assert re.search(r"--warmup-steps 5 --resume$", log, re.MULTILINE)
    assert "\r" not in log
    assert "the model is in" in log
    # The figures are in the card of the checkpoint.
    assert "R@1" in (cut_run / "motionllm" / "final" / "README.md").read_text()


def test_a_finished_run_is_left_alone(cut_run: Path, sources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (cut_run / "recipe.json").read_bytes()
    # Also without the raw data.
    assert main([str(TINY), "--sources", str(sources / "none"), "--output-dir", str(cut_run)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [f"[{number}/6] {name}: finished before" for number, name in enumerate(STAGES, 1)] == said[1:-1]
    assert (cut_run / "recipe.json").read_bytes() == before


def test_what_has_changed_since_is_refused(cut_run: Path, sources: Path, tmp_path: Path) -> None:
    def start(old: str = "", new: str = "") -> RecipeRun:
        changed = tmp_path / "changed.yaml"
        changed.write_text(TINY.read_text().replace(old, new))
        return RecipeRun(read_recipe(changed, COMMANDS), raw, out)

    raw, out = tmp_path / "raw", tmp_path / "out"
    shutil.copytree(sources, raw)
    shutil.copytree(cut_run, out)
    assert start().todo == []
    with pytest.raises(MotionLLMError, match=r"stage 'vq' was run with another command .*; give --from vq to do"):
        start("--width 16", "--width 32")
    (raw / "clips.csv").write_text((raw / "clips.csv").read_text() + "more\n")
    with pytest.raises(MotionLLMError, match=r"stage 'clips' was run with another '.*clips.csv'; give --from clips"):
        start()
    shutil.copy(sources / "clips.csv", raw)
    (out / "vq" / "model.safetensors").write_bytes(b"other")
    with pytest.raises(MotionLLMError, match=r"stage 'codes' was run with another '.*vq'; give --from codes"):
        start()
    shutil.copytree(cut_run / "vq", out / "vq", dirs_exist_ok=True)
    shutil.rmtree(out / "evaluator")
    assert start().todo == []  # nothing needs it any more
    record = json.loads((out / "recipe.json").read_text())
    del record["stages"]["figures"]["finished"]
    (out / "recipe.json").write_text(json.dumps(record))
    with pytest.raises(MotionLLMError, match=r"stage 'figures' reads '.*final', which is gone; give --from evaluator"):
        start()
    (out / "recipe.json").write_text("{}")
    with pytest.raises(MotionLLMError, match=r"recipe.json' cannot be read"):
        start()


def test_the_cut_run_ends_with_the_bits_of_one_in_one_go(cut_run: Path, tmp_path: Path) -> None:
    command = shlex.split(json.loads((cut_run / "recipe.json").read_text())["stages"]["motionllm"]["command"])
    assert (command[:2], command[-1]) == (["motionllm", "train"], "--resume")
    command[command.index("--output-dir") + 1] = str(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert train_motionllm(command[2:-1]) == 0
    finally:
        torch.set_num_threads(threads)
    files = list((tmp_path / "final").rglob("*.safetensors"))
    assert any("adapter_model" in file.name for file in files)
    for file in files:
        one, other = load_file(file), load_file(cut_run / "motionllm" / file.relative_to(tmp_path))
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert value.equal(other[name]), name


def test_from_a_stage_on_all_is_done_anew(cut_run: Path, sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "moved"
    shutil.copytree(cut_run, out)
    run = RecipeRun(read_recipe(TINY, COMMANDS), sources, out, "evaluator")
    assert [stage.name for stage in run.todo] == STAGES[3:]
    assert (out / "motionllm" / "final").is_dir()
    assert next(run.run())[0].name == "evaluator"
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["codes", "data", "logs", "vq"]
    assert list(json.loads((out / "recipe.json").read_text())["stages"]) == STAGES[:3]


def test_ctrl_c_ends_the_stage_and_says_so_in_a_line(sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "hub_scripts.cli", "recipe", str(TINY), "--sources", str(sources)]
    run = subprocess.Popen([*command, "--output-dir", str(out)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not (out / "logs" / "01-clips.log").exists():
        assert run.poll() is None
        time.sleep(0.01)
    again = RecipeRun(read_recipe(TINY, COMMANDS), sources, out)
    with pytest.raises(MotionLLMError, match="another run is at work in"):
        next(again.run())
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=600)[1]
    assert run.returncode == 130
    assert said == "motionllm recipe: stopped in stage 'clips'; the same command goes on from there\n"
    assert "finished" not in json.loads((out / "recipe.json").read_text())["stages"]["clips"]
    assert [each.name for each in RecipeRun(read_recipe(TINY, COMMANDS), sources, out).todo] == STAGES
    assert next(again.run())[0].name == "clips"  # nothing is at work any more


def test_half_written_checkpoints_are_passed_over(training_run: Path, tmp_path: Path) -> None:
    for step, state in (("5", "{}"), ("10", "{"), ("15", None), ("x", "{}")):
        folder = tmp_path / f"checkpoint-{step}"
        shutil.copytree(training_run / "checkpoint-3", folder)
        if state is not None:
            (folder / "trainer_state.json").write_text(state)
        else:
            (folder / "trainer_state.json").unlink()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"


def test_times_are_told_as_people_say_them() -> None:
    assert [told_seconds(each) for each in (3.4, 99, 150, 3599, 7500)] == [
        "3 s",
        "99 s",
        "2 min",
        "1 h 0 min",
        "2 h 5 min",
    ]
