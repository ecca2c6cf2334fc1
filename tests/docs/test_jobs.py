"""The programs of `examples/jobs/`, as they are: with a server of vLLM's interface."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from completion_server import CompletionServer
from datasets import load_dataset

CLONE = Path(__file__).resolve().parents[2]
JOBS = CLONE / "examples" / "jobs"
SENTENCES = "a person walks\na person bows\nsomeone jumps\nsomebody runs\n"


def run(name: str, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(JOBS / name), *map(str, arguments)]
    whole = os.environ | {"PYTHONPATH": str(CLONE)}
    return subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True, check=False)


def captions(folder: Path) -> list[str]:
    shards = sorted(str(path) for path in (folder / "data").glob("*.arrow"))
    rows = load_dataset("arrow", data_files=shards, split="train", cache_dir=str(folder / "cache"))
    return sorted(row["caption"] for row in rows)


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.py")), ids=lambda path: path.name)
def test_it_is_short_and_names_what_it_needs(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60
    assert lines[0] == "# /// script"
    block = tomllib.loads("\n".join(line[2:] for line in lines[1 : lines.index("# ///")]))
    assert block["requires-python"] == ">=3.11"
    assert "motionllm" in block["dependencies"]


def test_several_processes_ask_one_server(model, processor, thin_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "sentences.txt").write_text(SENTENCES, encoding="utf-8")
    options = ["--model", thin_checkpoint, "--duration", 1, "--batch-size", 1, "--processes", 2]
    with CompletionServer(model.language_model, processor.tokenizer) as server:
        arguments = ["sentences.txt", "motions", "--engine", server.address, *options]
        done = run("generate_with_vllm.py", tmp_path, *arguments)
        assert done.returncode == 0, done.stderr[-3000:]
        assert len(server.bodies) == 4
        assert captions(tmp_path / "motions") == sorted(SENTENCES.splitlines())
