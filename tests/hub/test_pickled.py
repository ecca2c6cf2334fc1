"""Nothing pickled is written: every layout, every training folder and what the repository ships, by content."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import pickled_files
from hub_repos import Commit
from hub_server import HubServer
from safetensors.torch import save_file
from transformers.trainer_pt_utils import safe_globals

from hub_scripts.hub.layouts import LAYOUTS
from hub_scripts.hub.pickled import is_pickled
from hub_scripts.hub.push import push_files
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT
from modeling_motionllm.errors_motionllm import MotionLLMError

pytest_plugins = ("hub_fixtures",)

# What `torch` writes to go on with a training; it reads them with weights_only=True.
RESUME = {"optimizer.pt", "scheduler.pt", "rng_state.pth"}


@pytest.fixture
def sources(thin_checkpoint: Path, hub_checkpoint: Path, evaluator_checkpoint: Path) -> dict[str, Path]:
    """What each layout is made of; `thin` needs a base of the Hub, the others load theirs."""
    special = {"thin": hub_checkpoint, "evaluator": evaluator_checkpoint}
    return {name: special.get(name, thin_checkpoint) for name in LAYOUTS}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_no_layout_holds_a_pickle(layout: str, sources: dict[str, Path], hub: HubServer, tmp_path: Path) -> None:
    folder, received = tmp_path / "written", tmp_path / "received"
    folder.mkdir()
    LAYOUTS[layout].write(sources[layout], folder, "user/name", "default")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert any(name.endswith(".safetensors") for name in files)
    assert pickled_files(folder) == set()
    push_files(files, "user/name", layout)
    _unpack(hub.head("user/name", kind="spaces" if layout == "space" else "models"), received)
    assert {path.name for path in received.rglob("*.safetensors")} == {
        path.name for path in folder.rglob("*.safetensors")
    }
    assert pickled_files(received) == set()


def _unpack(commit: Commit, folder: Path) -> None:
    for name, blob in commit.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(blob.data)


def test_models_and_processors_save_no_pickle(model, processor, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert pickled_files(tmp_path) == set()


def test_a_training_holds_none_but_what_torch_resumes_from(training_run: Path) -> None:
    assert pickled_files(training_run / "final") == set()
    assert {path.name for path in pickled_files(training_run)} == RESUME
    with safe_globals():  # numpy's random state, as Trainer allows it
        for path in pickled_files(training_run):
            torch.load(path, weights_only=True)  # tensors and plain values, no code


def test_the_repository_ships_none() -> None:
    assert len(list(DEFAULT_CHECKPOINT.parent.rglob("*.safetensors"))) >= 3
    assert pickled_files(DEFAULT_CHECKPOINT.parent) == set()


VALUE = {"weights": [1.0, 2.0], "name": "x" * 300}


def write_npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3), b=np.array([{"a": 1}], dtype=object))


def write_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([{"a": 1}], dtype=object))


PICKLED = {
    **{f"protocol {n}": lambda path, n=n: path.write_bytes(pickle.dumps(VALUE, protocol=n)) for n in range(6)},
    "torch": lambda path: torch.save(VALUE, path),
    "torch, old format": lambda path: torch.save(VALUE, path, _use_new_zipfile_serialization=False),
    "npz of objects": write_npz,
    "npy of objects": write_npy,
}


@pytest.mark.parametrize("kind", list(PICKLED))
@pytest.mark.parametrize("name", ["model.safetensors", "notes.json", "optimizer.pt"])
def test_pickles_are_found_by_their_content(kind: str, name: str, hub_checkpoint: Path, tmp_path: Path) -> None:
    PICKLED[kind](tmp_path / name)
    assert pickled_files(tmp_path) == {tmp_path / name}


def test_other_files_are_not_taken_for_pickles(tmp_path: Path) -> None:
    # A header of 0x0480 bytes: the file begins as a pickle of protocol 4 does.
    for size in range(1, 2000):
        save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors", metadata={"padding": "x" * size})
        if (tmp_path / "model.safetensors").read_bytes()[:2] == b"\x80\x04":
            break
    else:
        pytest.fail("no header of that size")
    np.savez(tmp_path / "motion.npz", joints=np.zeros((3, 22, 3)))
    np.save(tmp_path / "joints.npy", np.zeros((3, 22, 3)))
    (tmp_path / "a.json").write_text(json.dumps(VALUE))
    for index, text in enumerate(["", ".", "N", "I am a text.\n", "(I1\n", "\x80", "class A:\n    pass\n"]):
        (tmp_path / f"{index}.txt").write_text(text, encoding="latin-1")
    (tmp_path / "cut.pt").write_bytes(pickle.dumps(VALUE)[:-1])  # nothing that could be read
    assert pickled_files(tmp_path) == set()


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        is_pickled(tmp_path / "nowhere")


def test_the_commands_refuse_them(hub_checkpoint: Path, tmp_path: Path) -> None:
    from hub_scripts.hub.layouts import layout_files

    torch.save(VALUE, tmp_path / "extra.safetensors")
    with pytest.raises(MotionLLMError, match=r"extra\.safetensors, which readers would have to unpickle"):
        layout_files(tmp_path)
