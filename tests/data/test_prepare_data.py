"""`motionllm prepare bandai` from end to end, on copies of a few real clips."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from stored_clips import read_split

from hub_scripts.data import bandai
from hub_scripts.data.store import dataset_hash, read_summary
from hub_scripts.prepare_data import main
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import joints_to_features, mirror_joints

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parents[1] / "fixtures" / "bandai"
WALK, WAVE = "dataset-1_walk_normal_002", "dataset-2_wave-left-hand_active_011"


def make_source(folder: Path, walks: int = 7, waves: int = 7) -> Path:
    """A folder of clips: copies of one short walk and one short wave under other numbers, and labels without motion."""
    folder.mkdir()
    for original, count in ((WALK, walks), (WAVE, waves)):
        data = (FIXTURES / f"{original}.bvh").read_bytes()
        for number in range(count):
            (folder / f"{original[:-3]}{number:03d}.bvh").write_bytes(data)
    (folder / "dataset-1_dance-long_normal_001.json").write_text("{}")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(tmp_path_factory.mktemp("source") / "clips")


@pytest.fixture(scope="module")
def prepared(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "out"
    assert main(["bandai", str(source), "--out", str(out), "--num-proc", "1"]) == 0
    return out


def test_rows_are_complete(prepared: Path) -> None:
    rows = {split: read_split(prepared, split) for split in ("train", "test")}
    assert [len(rows["train"]), len(rows["test"])] == [24, 2]
    summary = read_summary(prepared)
    assert summary["splits"]["train"]["clips"] == 12
    assert summary["splits"]["train"]["frames"] == sum(row["num_frames"] for row in rows["train"])
    assert summary["sha256"] == dataset_hash(prepared)
    assert not (prepared / ".prepare").exists()
    expected = np.load(FIXTURES / "expected_joints.npz")
    for row in rows["train"] + rows["test"]:
        joints = expected[WALK if row["content"] == "walk" else WAVE]
        joints = np.asarray(mirror_joints(joints)) if row["mirrored"] else joints
        np.testing.assert_allclose(row["joints"], joints, atol=1e-6)
        np.testing.assert_allclose(row["features"], joints_to_features(row["joints"]), atol=1e-6)
        assert row["num_frames"] == len(row["joints"]) == len(row["features"]) + 1
        assert len(set(row["captions"])) == 6
        assert row["fps"] == 20.0


def test_train_clips_have_a_mirrored_copy_behind_them(prepared: Path) -> None:
    rows = read_split(prepared, "train", columns=["name", "content", "mirrored", "captions"])
    for plain, mirrored in zip(rows[::2], rows[1::2], strict=True):
        assert mirrored["name"] == f"{plain['name']}_mirrored"
        assert (plain["mirrored"], mirrored["mirrored"]) == (False, True)
        if plain["content"].startswith("wave"):
            assert mirrored["content"] == "wave-right-hand"
            assert all("left" in text for text in plain["captions"])
            assert all("right" in text and "left" not in text for text in mirrored["captions"])
    assert not any(row["mirrored"] for row in read_split(prepared, "test", columns=["mirrored"]))


def test_archive_workers_and_repetition_change_nothing(source: Path, prepared: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "dataset-1.tar.xz", "w:xz") as archive:
        for file in sorted(source.iterdir(), reverse=True):
            archive.add(file, f"Bandai-Namco-Research-Motiondataset-1/data/{file.name}")
    out = tmp_path / "out"
    assert main(["bandai", str(tmp_path / "dataset-1.tar.xz"), "--out", str(out), "--num-proc", "2"]) == 0
    assert files(out) == files(prepared)


def test_limit_and_no_mirror(source: Path, tmp_path: Path) -> None:
    assert main(["bandai", str(source), "--out", str(tmp_path), "--num-proc", "1", "--limit", "4", "--no-mirror"]) == 0
    rows = [row["name"] for split in ("train", "test") for row in read_split(tmp_path, split, columns=["name"])]
    assert sorted(rows) == [f"dataset-1_walk_normal_{number:03d}" for number in range(4)]


def test_broken_clips_are_reported_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_source(tmp_path / "clips", 3, 3)
    broken = source / "dataset-1_walk_normal_001.bvh"
    broken.write_bytes(broken.read_bytes()[:20_000])
    short = source / "dataset-2_wave-left-hand_active_002.bvh"
    lines = short.read_bytes().splitlines(keepends=True)
    start = lines.index(next(line for line in lines if line.startswith(b"Frames:")))
    short.write_bytes(b"".join([*lines[:start], b"Frames: 5\n", lines[start + 1], *lines[start + 2 : start + 7]]))
    (source / "dataset-1_fly_normal_001.bvh").write_bytes((source / "dataset-1_walk_normal_000.bvh").read_bytes())
    (source / "again").mkdir()
    shutil.copy(source / "dataset-1_walk_normal_000.bvh", source / "again")
    out = tmp_path / "out"
    assert main(["bandai", str(source), "--out", str(out), "--num-proc", "1"]) == 0
    errors = capsys.readouterr().err
    assert "left out, 4 files" in errors
    assert "dataset-1_walk_normal_001.bvh' announces" in errors
    assert "dataset-2_wave-left-hand_active_002.bvh' has 3 frames at 20 fps" in errors
    assert "content 'fly'" in errors
    assert "'dataset-1_walk_normal_000' is there twice" in errors
    assert sum(split["clips"] for split in read_summary(out)["splits"].values()) == 4
    assert len(read_summary(out)["left_out"]) == 4


def test_nothing_usable_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "clips"
    source.mkdir()
    (source / "dataset-1_walk_normal_001.bvh").write_bytes(b"junk")
    assert main(["bandai", str(source), "--out", str(tmp_path / "out"), "--num-proc", "1"]) == 2
    assert "no file was usable" in capsys.readouterr().err
    assert files(tmp_path / "out") == {}


def test_a_finished_dataset_is_replaced_only_on_request(source: Path, tmp_path: Path) -> None:
    command = ["bandai", str(source), "--out", str(tmp_path), "--num-proc", "1"]
    assert main([*command, "--limit", "3"]) == 0
    before = files(tmp_path)
    with pytest.raises(MotionLLMError, match="holds a dataset already; give --overwrite"):
        main(command)
    assert files(tmp_path) == before
    assert main([*command, "--limit", "2", "--overwrite"]) == 0
    assert read_summary(tmp_path)["limit"] == 2


def test_bad_arguments_are_errors(source: Path, tmp_path: Path) -> None:
    command = ["bandai", str(source), "--out", str(tmp_path / "out")]
    for extra in (["--num-proc", "0"], ["--limit", "0"]):
        with pytest.raises(MotionLLMError, match=f"{extra[0]} is 0"):
            main([*command, *extra])
    with pytest.raises(MotionLLMError, match="no such file or folder"):
        main(["bandai", str(tmp_path / "absent"), "--out", str(tmp_path / "out"), "--num-proc", "1"])


def test_a_killed_run_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source(tmp_path / "clips", walks=0, waves=150)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    # the run waits after its first part, so that the kill always finds it half way
    script = (
        "import time\nfrom hub_scripts.data import preparation\nfrom hub_scripts.prepare_data import main\n"
        "convert = preparation._convert_part\n"
        "def slow(task):\n"
        "    if list(task[1].glob('joints-*')): time.sleep(600)\n"
        "    return convert(task)\n"
        "preparation._convert_part = slow\n"
        f"main(['bandai', {str(source)!r}, '--out', {str(killed)!r}, '--num-proc', '1'])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600  # it is there at once; a busy machine may take its time
    while not list(killed.glob(".prepare/joints-*.npz")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "motionllm_dataset.json").exists()

    parsed = []
    parse = bandai.parse_bvh
    monkeypatch.setattr(bandai, "parse_bvh", lambda data, name: (parsed.append(name), parse(data, name))[1])
    assert main(["bandai", str(source), "--out", str(killed), "--num-proc", "1"]) == 0
    assert len(parsed) == 150 - 64  # the first part was not made again
    assert main(["bandai", str(source), "--out", str(whole), "--num-proc", "1"]) == 0
    assert files(killed) == files(whole)


def test_a_full_disk_while_writing_shards_leaves_no_half_dataset(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("datasets.arrow_writer.ArrowWriter.write_batch", refuse)
        with pytest.raises(MotionLLMError, match="No space left"):
            main(["bandai", str(source), "--out", str(tmp_path), "--num-proc", "1"])
    assert not (tmp_path / "motionllm_dataset.json").exists()
    assert not list(tmp_path.rglob("*.arrow"))
    assert main(["bandai", str(source), "--out", str(tmp_path), "--num-proc", "1"]) == 0


def test_one_at_a_time_works_in_a_folder(source: Path, tmp_path: Path) -> None:
    holder = "from hub_scripts.data.folder_lock import only_one\nimport sys, time\n"
    holder += "with only_one(sys.argv[1]):\n print('held', flush=True); time.sleep(600)"
    out = tmp_path / "out"
    other = subprocess.Popen([sys.executable, "-c", holder, str(out)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(MotionLLMError, match=rf"another run is at work in '{out}' \(process {other.pid}: "):
        main(["bandai", str(source), "--out", str(out), "--num-proc", "1"])
    other.kill()
    other.wait()
    assert main(["bandai", str(source), "--out", str(out), "--num-proc", "1"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "data", "motionllm_dataset.json"]


def test_a_dataset_stays_until_the_new_one_is_whole(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["bandai", str(source), "--out", str(tmp_path), "--num-proc", "1"]
    assert main(arguments) == 0
    before = files(tmp_path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hub_scripts.data.preparation.finish_dataset", stop)
        with pytest.raises(KeyboardInterrupt):
            main([*arguments, "--overwrite", "--no-mirror"])
    assert {name: data for name, data in files(tmp_path).items() if not name.startswith(".prepare")} == before
    assert main([*arguments, "--overwrite", "--no-mirror"]) == 0
    assert read_summary(tmp_path)["mirrored"] is False
    assert files(tmp_path).keys() == before.keys()


def test_a_missing_source_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError):
        main(["bandai", str(tmp_path / "absent"), "--out", str(tmp_path / "new" / "out")])
    assert list(tmp_path.iterdir()) == []


def test_help_explains_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["bandai", "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "dataset-1.tar.xz" in text
    assert "CC BY-NC 4.0" in text
