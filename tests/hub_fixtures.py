"""Fixtures: a running test Hub, checkpoints to push, and the table of faults."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_client import BASE, use_hub
from hub_server import HubServer
from huggingface_hub import HfApi, close_session
from safetensors.torch import load_file, save_file

from hub_scripts.card import write_model_card
from modeling_motionllm.checksums_motionllm import write_checksums


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """An empty Hub."""
    with HubServer() as server:
        use_hub(monkeypatch, server)
        yield server
        close_session()


@pytest.fixture(scope="session")
def hub_checkpoint(tmp_path_factory: pytest.TempPathFactory, thin_checkpoint: Path) -> Path:
    """The trained thin checkpoint, as if it had been trained on `user/base` of the Hub."""
    folder = tmp_path_factory.mktemp("hub") / "checkpoint"
    shutil.copytree(thin_checkpoint, folder)
    for name in ("config.json", "adapters/default/adapter_config.json"):
        values = json.loads((folder / name).read_text())
        values["base_model_name_or_path"] = BASE
        (folder / name).write_text(json.dumps(values, indent=2))
    write_model_card(folder)
    return folder


@pytest.fixture(scope="session")
def next_checkpoint(tmp_path_factory: pytest.TempPathFactory, hub_checkpoint: Path) -> Path:
    """A later version of it: other adapter and VQ-VAE weights."""
    folder = tmp_path_factory.mktemp("hub") / "checkpoint"
    shutil.copytree(hub_checkpoint, folder)
    for name in ("adapters/default/adapter_model.safetensors", "motion_vq/model.safetensors"):
        tensors = {
            key: value * 2 if value.is_floating_point() else value for key, value in load_file(folder / name).items()
        }
        save_file(tensors, folder / name, metadata={"format": "pt"})
        write_checksums((folder / name).parent)
    return folder


@pytest.fixture
def push_base(base_folder: Path) -> Callable[[], None]:
    """Puts the base language model on the Hub."""

    def push() -> None:
        HfApi().create_repo(BASE, exist_ok=True)
        HfApi().upload_folder(repo_id=BASE, folder_path=base_folder)

    return push


@pytest.fixture(scope="session")
def fault_table(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, str, str]]]:
    """Rows of fault, state after it and state after the next push; printed when all tests are done."""
    rows: list[tuple[str, str, str]] = []
    yield rows
    head = ("fault", "the repository then", "after the next push")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(3)]
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n")
        for row in [head, *rows]:
            print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
