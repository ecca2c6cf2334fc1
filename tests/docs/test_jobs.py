"""The programs of `examples/jobs/`, as they are: with a server of vLLM's interface, and with the tests' Hub."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from completion_server import CompletionServer
from datasets import load_dataset
from hub_server import HubServer
from huggingface_hub import HfApi

pytest_plugins = ("hub_fixtures",)
CLONE = Path(__file__).resolve().parents[2]
JOBS = CLONE / "examples" / "jobs"
SENTENCES = "a person walks\na person bows\nsomeone jumps\nsomebody runs\n"


def run(name: str, folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(JOBS / name), *map(str, arguments)]
    whole = os.environ | {"PYTHONPATH": str(CLONE)} | environment
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
        next((tmp_path / "motions" / "data").glob("train-00002*")).unlink()
        done = run("generate_with_vllm.py", tmp_path, *arguments, "--processes", 1)
        assert done.returncode == 0, done.stderr[-3000:]
        assert len(server.bodies) == 5  # only what was missing
    assert captions(tmp_path / "motions") == sorted(SENTENCES.splitlines())


def test_a_job_keeps_its_motions_on_the_hub(hub: HubServer, thin_checkpoint: Path, tmp_path: Path) -> None:
    HfApi().create_repo("user/sentences", repo_type="dataset")
    HfApi().upload_file(
        path_or_fileobj=SENTENCES.encode(),
        path_in_repo="sentences.txt",
        repo_id="user/sentences",
        repo_type="dataset",
    )
    settings = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_user", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    options = ["--model", thin_checkpoint, "--duration", 1, "--batch-size", 2]
    arguments = ["user/sentences", "sentences.txt", "user/motions", *options]
    for machine in ("first", "second"):  # the second begins with what the first left on the Hub
        (tmp_path / machine).mkdir()
        if machine == "second":
            hub.remove("user/motions", "data/train-00001-of-00002.arrow", "datasets")
        place = settings | {"HF_HOME": str(tmp_path / machine / "home")}
        done = run("generate_on_the_hub.py", tmp_path / machine, *arguments, **place)
        assert done.returncode == 0, done.stderr[-3000:]
        files = hub.head("user/motions", kind="datasets").files
        assert {name for name in files if not name.startswith(".")} == {
            "README.md",
            "data/train-00000-of-00002.arrow",
            "data/train-00001-of-00002.arrow",
        }
        assert not [name for name in files if name.startswith(".cache")]
        assert captions(tmp_path / machine / "motions") == sorted(SENTENCES.splitlines())
    assert done.stdout.count("train-00001-of-00002.arrow") == 1  # written anew; the other one is taken as it is
    assert "train-00000-of-00002.arrow" not in done.stdout
