"""Fixtures: a checkpoint that knows turns in time, made by the real commands."""

from pathlib import Path

import numpy as np
import pytest
from conftest import CODEBOOK_SIZE, code_row, go_on_training

from hub_scripts.data.codes import weights_hash, write_codes, write_codes_summary


@pytest.fixture(scope="session")
def sequence_codes(tmp_path_factory: pytest.TempPathFactory, vq_folder: Path) -> Path:
    """A code store of sequences of two random segments."""
    folder = tmp_path_factory.mktemp("sequence-codes")
    rng = np.random.default_rng(1)
    for split, count in (("train", 8), ("val", 2), ("test", 2)):
        rows = [
            {
                **code_row(
                    f"{split}{index}",
                    "walk",
                    ["a person walks forward and then bows"],
                    rng.integers(0, CODEBOOK_SIZE, size=12).tolist(),
                ),
                "kind": "two",
                "segment_captions": [["a person walks forward"], ["the person bows slowly"]],
                "segment_ends": [5 + index % 3, 12],
            }
            for index in range(count)
        ]
        write_codes(folder, split, rows)
    write_codes_summary(folder, {"vq_sha256": weights_hash(vq_folder), "data_sha256": "1" * 64})
    return folder


@pytest.fixture(scope="session")
def turn_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, train_arguments: list[str], sequence_codes: Path, thin_checkpoint: Path
) -> Path:
    """The shared checkpoint, gone on with sequences."""
    return go_on_training(train_arguments, thin_checkpoint, sequence_codes, tmp_path_factory.mktemp("turn-run"))
