"""Fixtures: a running test Hub, checkpoints to push, and the table of faults."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import make_evaluator
from hub_client import BASE, use_hub
from hub_server import HubServer
from huggingface_hub import HfApi, close_session
from safetensors.torch import load_file, save_file
from sample_evaluation import SAMPLE_EVALUATION

from hub_scripts.hub.card import write_evaluation
from hub_scripts.hub.part_cards import write_evaluator_card
from hub_scripts.training.trainer import write_training_record
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
    """The trained and evaluated thin checkpoint, as if it had been trained on `user/base` of the Hub."""
    folder = tmp_path_factory.mktemp("hub") / "checkpoint"
    shutil.copytree(thin_checkpoint, folder)
    for name in ("config.json", "adapters/default/adapter_config.json"):
        values = json.loads((folder / name).read_text())
        values["base_model_name_or_path"] = BASE
        (folder / name).write_text(json.dumps(values, indent=2))
    write_evaluation(folder, SAMPLE_EVALUATION)
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
def evaluator_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny evaluator, as `motionllm train-evaluator` leaves it."""
    folder = tmp_path_factory.mktemp("hub") / "evaluator"
    make_evaluator().save_pretrained(folder)
    scores = {"r_precision_top1": {"mean": 0.5, "interval": 0.01}}
    write_training_record(
        folder,
        command="motionllm train-evaluator",
        seed=0,
        data_name="bandai-namco",
        data_sha256="0" * 64,
        steps=1,
        train_seconds=60.0,
        real_motions={"val": scores, "test": scores},
    )
    write_evaluator_card(folder)
    return folder


_FAULT = "hub fault"


class FaultTable:
    """Rows of fault, state found after it and state after the next try; printed when all tests are done.

    They travel with the reports of the tests, so that they come from other processes too.
    """

    def __init__(self, node: pytest.Item):
        self.node = node

    def append(self, row: list[str]) -> None:
        self.node.user_properties.append((_FAULT, row))


@pytest.fixture
def fault_table(request: pytest.FixtureRequest) -> FaultTable:
    return FaultTable(request.node)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    rows = [
        row
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, row in report.user_properties
        if name == _FAULT
    ]
    if not rows:
        return
    terminalreporter.section("faults injected on the test Hub")
    table = [["fault", "found then", "after the next try"], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for row in table:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())
