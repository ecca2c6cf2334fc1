"""The programs of `examples/`, run as a reader would, with the shipped checkpoint."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import motionllm

CLONE = Path(__file__).resolve().parents[2]
EXAMPLES = CLONE / "examples"


def run(name: str, folder: Path, *arguments: str) -> list[str]:
    environment = os.environ | {"PYTHONPATH": str(CLONE)}
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return [line for line in done.stdout.splitlines() if "de-quantising" not in line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def generated(folder: Path) -> list[str]:
    return run("generate.py", folder, "a person bows")


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*")} == {
        "accelerate",
        "generate.py",
        "describe.py",
        "jobs",
        "scene.py",
        "notebook.ipynb",
    }


def test_generate(generated: list[str], folder: Path):
    assert generated[0].startswith("joints (60, 22, 3)")
    assert len(generated) == 4
    motion = motionllm.load_motion(folder / "out" / "example.npz")
    assert (motion.caption, motion.num_frames) == ("a person bows", 60)


def test_describe(generated: list[str], folder: Path):
    bad, good = run("describe.py", folder, "nowhere.npz", "out/example.bvh")
    assert bad.startswith("nowhere.npz: ")
    assert good.startswith("out/example.bvh (3.0 s): ")
    assert len(good.split()) > 5


def test_scene(folder: Path):
    shape, apart = run("scene.py", folder)
    assert shape.startswith("joints (2, 60, 22, 3)")
    assert 0.4 < float(apart.split()[2]) < 9
    assert (folder / "out" / "scene.html").is_file()


def test_notebook(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(CLONE))
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # what is shown is made by whoever opens it
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    player, caption, written = (output["data"] for output in shown)
    assert player["text/plain"].startswith("Motion(1 person, 60 frames, 20 fps, 3.00 s")
    assert player["text/html"].startswith("<iframe ")
    assert len(caption["text/plain"].split()) > 3
    assert "wave.glb" in written["text/plain"]
    assert (folder / "wave.glb").read_bytes()[:4] == b"glTF"
