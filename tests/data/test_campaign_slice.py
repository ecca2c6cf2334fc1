"""A short slice of the campaign: every reader reads damaged files, or refuses them in a line."""

from pathlib import Path

import pytest
from campaign.inputs import Reader, mutations, refuses_or_reads, samples, shrunk
from conftest import FIXTURES

TRIED = 25


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return {reader.name: reader for reader in samples(tmp_path_factory.mktemp("samples"), FIXTURES)}


@pytest.mark.parametrize("name", ["bvh", "npy", "npz", "own npz", "glb", "csv", "jsonl"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused_in_a_line(readers: dict[str, Reader], name: str, tmp_path: Path) -> None:
    reader = readers[name]
    whole = reader.file.read_bytes()
    path = tmp_path / reader.file.name
    path.write_bytes(whole)
    assert refuses_or_reads(reader.read, path) == "read"

    def outcome(data: bytes) -> str:
        path.write_bytes(data)
        return refuses_or_reads(reader.read, path)

    for number, damaged in zip(range(TRIED), mutations(whole, seed=1), strict=False):
        found = outcome(damaged)
        if found not in ("read", "refused"):
            least = shrunk(whole, damaged, lambda data, found=found: outcome(data) == found)
            pytest.fail(f"{name} {number}: {found} of {least[:200]!r}")


def test_shrinking_keeps_what_fails() -> None:
    whole, damaged = b"0123456789" * 4, b"01X3456789" + b"0123Y56789" + b"0123456789" * 2
    assert shrunk(whole, damaged, lambda data: b"Y" in data) == b"0123456789" + b"0123Y56789" + b"0123456789" * 2
