"""Rows that stay on disk: what is read, that it takes no memory, and that other processes can have it too."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import code_row

from hub_scripts.data.codes import read_codes, write_codes
from hub_scripts.data.mapped_rows import MappedRows
from hub_scripts.data.tables import table_features, write_table
from modeling_motionllm.errors_motionllm import MotionLLMError


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        code_row(f"motion{number}", "walk", [f"a person walks {number} steps"], [number % 32] * (1 + number % 40))
        for number in range(first, first + count)
    ]


def test_rows_of_several_files_are_one_sequence(tmp_path: Path) -> None:
    written = [rows(2500), [], rows(3, 2500)]  # more than a batch, an empty file, less than a batch
    folders = [tmp_path / str(number) for number in range(3)]
    for folder, some in zip(folders, written, strict=True):
        folder.mkdir()
        write_codes(folder, "train", some)
    expected = [{**row, "segment_captions": [], "segment_ends": []} for some in written for row in some]
    read = read_codes(folders, "train")
    assert len(read) == 2503
    assert [dict(row) for row in read] == expected
    for place in (0, 1023, 1024, 2499, 2500, 2502, -1, -2503):
        assert read[place] == expected[place]
    assert list(read[2498:2502]) == expected[2498:2502]
    for place in (2503, -2504):
        with pytest.raises(IndexError):
            read[place]
    assert list(read_codes([], "train")) == []
    again = pickle.loads(pickle.dumps(read))  # noqa: S301
    assert again[2501] == expected[2501]
    assert len(pickle.dumps(read)) < 2000  # where the files are, not what is in them


def test_columns_that_are_missing(tmp_path: Path) -> None:
    write_table(tmp_path / "a.arrow", [{"name": "x"}], table_features({"name": "string"}))
    assert dict(MappedRows([tmp_path / "a.arrow"], ["name", "ends"], ["ends"])[0]) == {"name": "x", "ends": []}
    with pytest.raises(MotionLLMError, match=r"no column ends in '.*a\.arrow'; it has: name"):
        MappedRows([tmp_path / "a.arrow"], ["name", "ends"])
    whole = (tmp_path / "a.arrow").read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"arrow" * 100):
        (tmp_path / "a.arrow").write_bytes(damage)
        with pytest.raises(MotionLLMError, match=r"a\.arrow' cannot be read"):
            MappedRows([tmp_path / "a.arrow"], ["name"])


_MEASURE = """
import sys
from benchmarks.example_memory import own_and_mapped
from hub_scripts.data.codes import read_codes
from hub_scripts.hub.actions import known_actions
from hub_scripts.training.examples import MotionTextExamples

before, _ = own_and_mapped()
rows = read_codes(sys.argv[1], "train")
known_actions(rows)
examples = MotionTextExamples(rows, None, 10_000, seed=0)
lengths = examples.lengths()
print(own_and_mapped()[0] - before, len(rows), len(lengths))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is measured by what Linux tells")
def test_many_motions_take_no_memory(tmp_path: Path) -> None:
    """As lists, 60,000 motions take more than 150 MB."""
    from benchmarks.example_memory import synthetic_rows

    write_codes(tmp_path, "train", synthetic_rows(60_000, 1024))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    grown, motions, examples = (float(word) for word in done.stdout.split())
    assert (motions, examples) == (60_000, 10_000)
    assert grown < 60
