"""What earlier runs left is taken only where it is what it says: codes, outputs of an evaluation, motions."""

from pathlib import Path

import numpy as np
import pytest

from hub_scripts.data.codes import read_codes_summary
from hub_scripts.encode_motions import main as encode
from hub_scripts.evaluation.outputs import OutputStore
from hub_scripts.generation.jobs import Job
from hub_scripts.generation.kept_files import KeptFiles, written_settings
from modeling_motionllm.motion import Motion


def test_codes_are_up_to_date_only_while_their_files_are_whole(
    vq_folder: Path, dataset_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--vq", str(vq_folder), "--data", str(dataset_folder), "--out", str(tmp_path)]

    def said() -> str:
        assert encode(arguments) == 0
        return capsys.readouterr().out

    assert "up to date" not in said()
    assert "up to date" in said()
    whole = (tmp_path / "train.arrow").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *["motionllm_codes.json", "test.arrow", "train.arrow", "val.arrow"]
    ]
    for damage in (whole[:100], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        (tmp_path / "train.arrow").write_bytes(damage)
        assert "up to date" not in said()
        assert (tmp_path / "train.arrow").read_bytes() == whole
    (tmp_path / "val.arrow").unlink()
    assert "up to date" not in said()
    (tmp_path / "motionllm_codes.json").write_text("null")
    assert "up to date" not in said()
    assert read_codes_summary(tmp_path)["splits"]["train"]["motions"] > 0


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: data + b"\0" * 100, lambda _: b""]
)
def test_outputs_that_are_damaged_are_made_again(
    damage: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = OutputStore(tmp_path, seed=0)
    store.add({"one": {"codes": np.arange(3)}})
    store.add({"two": {"codes": np.arange(4)}})
    first, second = sorted(Path(tmp_path).rglob("*.npz"))
    first.write_bytes(damage(first.read_bytes()))  # type: ignore[operator]
    again = OutputStore(tmp_path, seed=0)
    lost = {"one", "two"} - set(again.values)
    if lost:  # a tail of zeros is no damage to the archive before it
        assert "left out, and made again" in capsys.readouterr().err
    again.add({name: {"codes": np.arange(9)} for name in lost})
    assert set(OutputStore(tmp_path, seed=0).values) == {"one", "two"}
    assert second.exists()


def test_files_of_no_bytes_are_no_motions(tmp_path: Path) -> None:
    job = Job(0, "a person walks", None, 0, "a-person-walks")
    kept = KeptFiles(tmp_path, ["mp4", "npz"])
    film, arrays = (tmp_path / f"a-person-walks.{suffix}" for suffix in ("mp4", "npz"))
    made = Motion(np.zeros((8, 22, 3), dtype=np.float32), caption=job.text, seed=0, settings=written_settings({}, job))
    for content in (b"", b"film"):
        film.write_bytes(content)
        made.save(arrays)
        assert kept.has(job, {}, seeded=True) == bool(content)
    for content in (b"", b"PK\x03\x04damaged"):
        arrays.write_bytes(content)
        assert not kept.has(job, {}, seeded=True)
