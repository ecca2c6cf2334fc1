"""`motionllm prepare bvh` from end to end, on CMU, iClone and Bandai clips."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from bvh_writer import NAMES, bvh_bytes
from stored_clips import read_split

from hub_scripts.data import recordings
from hub_scripts.data.recording_folder import RecordingFolderSource
from hub_scripts.data.store import existing_splits, read_summary
from hub_scripts.encode_motions import main as encode
from hub_scripts.prepare_data import main
from hub_scripts.train_motionllm import main as train
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import joints_to_features, mirror_joints

FIXTURES = Path(__file__).parents[1] / "fixtures"
WALK = np.load(FIXTURES / "bandai" / "expected_joints.npz")["dataset-1_walk_normal_002"].astype(np.float64)
BANDAI_WALK = FIXTURES / "bandai" / "dataset-1_walk_normal_002.bvh"
CAPTIONS = """file,caption,content,style,split
cmu/02_01.bvh,a person walks with the left foot first,walk-left,calm,train
cmu/02_01.bvh,somebody walks,,,
01_01,a person stands and looks ahead,stand,,test
007_10_iclone.bvh,somebody walks fast,walk-left,,val
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three real clips in two folders, and their table beside them."""
    folder = tmp_path / "recordings"
    (folder / "cmu").mkdir(parents=True)
    for name, place in (("02_01", "cmu"), ("01_01", "cmu"), ("007_10_iclone", ".")):
        shutil.copy(FIXTURES / "cmu" / f"{name}.bvh", folder / place)
    (tmp_path / "captions.csv").write_text(CAPTIONS)
    return folder


def command(folder: Path, *options: str, out: str = "out", num_proc: str = "1") -> list[str]:
    paths = ["--captions", str(folder.parent / "captions.csv"), "--out", str(folder.parent / out)]
    return ["bvh", str(folder), *paths, "--num-proc", num_proc, *options]


def rows_of(out: Path) -> dict[str, dict]:
    return {row["name"]: row | {"split": split} for split in existing_splits(out) for row in read_split(out, split)}


def test_a_folder_and_a_table_become_a_dataset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(folder, "--name", "mine", "--license", "cc-by-4.0", num_proc="2")) == 0
    shown = capsys.readouterr()
    assert "2 files: cmu skeleton, ASF units of 56.4 mm, y up" in shown.out
    assert "1 file: iclone skeleton, centimetres, y up" in shown.out
    assert "left out" not in shown.err
    out = folder.parent / "out"
    rows = rows_of(out)
    assert {name: row["split"] for name, row in rows.items()} == {
        "cmu/02_01": "train",
        "cmu/02_01_mirrored": "train",
        "cmu/01_01": "test",
        "007_10_iclone": "val",
    }
    plain, mirrored = rows["cmu/02_01"], rows["cmu/02_01_mirrored"]
    assert plain["captions"] == ["a person walks with the left foot first", "somebody walks"]
    assert mirrored["captions"] == ["a person walks with the right foot first", "somebody walks"]
    assert (plain["content"], mirrored["content"]) == ("walk-left", "walk-right")
    assert (plain["style"], rows["cmu/01_01"]["style"]) == ("calm", "normal")
    assert (plain["source"], plain["source_file"]) == ("mine", "cmu/02_01.bvh")
    np.testing.assert_allclose(mirrored["joints"], mirror_joints(plain["joints"]), atol=1e-6)
    for row in rows.values():
        np.testing.assert_allclose(row["features"], joints_to_features(row["joints"]), atol=1e-6)
        assert row["num_frames"] == len(row["joints"])
    summary = read_summary(out)
    assert (summary["name"], summary["license"]) == ("mine", "cc-by-4.0")
    assert summary["notes"]["the first frame is a rest pose before the motion, left out"] == 2
    card = (out / "README.md").read_text()
    assert "# mine" in card
    assert 'license: "cc-by-4.0"' in card

    assert main(command(folder, "--name", "mine", "--license", "cc-by-4.0", out="again")) == 0
    assert read_summary(folder.parent / "again") == summary  # the number of processes changes nothing


def test_long_recordings_are_cut_into_pieces_that_stay_together(folder: Path) -> None:
    out = folder.parent / "out"
    shutil.copy(BANDAI_WALK, folder / "cmu" / "walk.bvh")
    with (folder.parent / "captions.csv").open("a") as file:
        file.write("walk,a person walks,,,train\n")
    assert main(command(folder, "--clip-seconds", "1", "--no-mirror")) == 0
    rows = rows_of(out)
    assert set(rows) == {
        *("007_10_iclone", "cmu/01_01", "cmu/02_01_000", "cmu/02_01_001"),
        *("cmu/walk_000", "cmu/walk_001"),
    }
    assert {rows[name]["split"] for name in rows if "walk" in name} == {"train"}
    pieces = [rows[f"cmu/walk_{index:03d}"]["joints"] for index in range(2)]
    np.testing.assert_allclose(np.concatenate(pieces), WALK, atol=1e-6)
    assert [len(piece) for piece in pieces] == [11, 10]
    with pytest.raises(MotionLLMError, match=r"--clip-seconds is 0\.5"):
        main(command(folder, "--clip-seconds", "0.5"))


def test_bad_files_and_missing_captions_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = (folder / "cmu" / "02_01.bvh").read_bytes()
    half = WALK.copy()
    half[5, 20] = half[5, 18]  # an elbow and a wrist in one place, for one frame
    broken = {
        "cut": good[:-3000],
        "empty": b"",
        "binary": b"\x89PNG\0\0",
        "nan": good.replace(b"0.564972", b"nan", 1),
        "short": BANDAI_WALK.read_bytes(),
        "touch": bvh_bytes(half, {joint: joint for joint in NAMES}),
        "robot": bvh_bytes(WALK, {joint: f"bone {index}" for index, joint in enumerate(NAMES)}),
        "robot2": bvh_bytes(WALK, {joint: f"bone {index}" for index, joint in enumerate(NAMES)}),
        "silent": good,
    }
    lines = broken["short"].splitlines(keepends=True)
    start = next(index for index, line in enumerate(lines) if line.startswith(b"Frames:"))
    broken["short"] = b"".join([*lines[:start], b"Frames: 5\n", *lines[start + 1 : start + 7]])
    with (folder.parent / "captions.csv").open("a") as file:
        for name, data in broken.items():
            (folder / f"{name}.bvh").write_bytes(data)
            if name != "silent":
                file.write(f"{name},somebody moves,,,\n")
        file.write("absent.bvh,somebody moves,,,\n")
    (folder / "notes.txt").write_text("not a recording")
    assert main(command(folder)) == 0
    shown = capsys.readouterr().err
    assert "left out, 10 files:" in shown
    for part in (
        "'cut.bvh' announces 121 frames of 96 channels but holds",
        "'empty.bvh' is empty",
        "'binary.bvh' is not a BVH file",
        "'nan.bvh' holds",
        "'short.bvh' has 3 frames at 20 fps",
        "'touch.bvh' has left_elbow and left_wrist in one place 0.25 s from its start",
        "the skeleton of 'robot.bvh' is not known",
        "'silent.bvh' has no caption in 'captions.csv'",
        "line 14 of 'captions.csv' names 'absent.bvh', which is not in the folder",
    ):
        assert part in shown
    out = folder.parent / "out"
    (offered,) = out.glob("skeleton-*.map.json")  # one for both robots
    assert shown.count(str(offered)) == 2
    assert json.loads(offered.read_text())["joints_of_the_file"][1] == "bone 1"
    assert len(rows_of(out)) == 4
    assert len(read_summary(out)["left_out"]) == 10


def test_a_completed_map_lets_the_files_in(folder: Path) -> None:
    out, robots = folder.parent / "out", folder.parent / "robots"
    robots.mkdir()
    names = {joint: f"bone {index}" for index, joint in enumerate(NAMES)}
    (robots / "robot.bvh").write_bytes(bvh_bytes(WALK, names, unit=0.01))
    (folder.parent / "captions.csv").write_text("file,caption\nrobot,a robot walks\n")
    assert main(command(robots)) == 2
    (offered,) = out.glob("skeleton-*.map.json")
    content = json.loads(offered.read_text())
    content["joints"] = names
    offered.write_text(json.dumps(content))
    assert main(command(robots, "--map", str(offered))) == 0
    rows = rows_of(out)
    np.testing.assert_allclose(rows["robot"]["joints"], WALK, atol=1e-6)
    assert rows["robot"]["content"] == "motion"


def test_a_continued_run_converts_nothing_twice_and_sees_changed_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    parse = recordings.parse_bvh
    monkeypatch.setattr(
        recordings, "parse_bvh", lambda data, name, options: (parsed.append(name), parse(data, name, options))[1]
    )
    with monkeypatch.context() as patch:
        patch.setattr("datasets.arrow_writer.ArrowWriter.write_batch", _refuse)
        with pytest.raises(MotionLLMError, match="No space left"):
            main(command(folder))
    assert len(parsed) == 3
    captions = folder.parent / "captions.csv"
    captions.write_text(captions.read_text().replace("looks ahead", "looks away"))
    assert main(command(folder)) == 0
    assert len(parsed) == 3
    assert rows_of(folder.parent / "out")["cmu/01_01"]["captions"] == ["a person stands and looks away"]
    assert main(command(folder, "--up", "y", "--overwrite")) == 0
    assert len(parsed) == 6  # other options, other joints


def _refuse(*args: object, **kwargs: object) -> None:
    raise OSError(28, "No space left on device")


def test_splits_come_from_the_table_and_else_from_the_names(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for index in range(12):
        shutil.copy(BANDAI_WALK, folder / f"walk{index}.bvh")
    table = tmp_path / "captions.csv"
    table.write_text("file,caption,content\n" + "".join(f"walk{i},walks,c{i // 4}\n" for i in range(12)))

    def splits() -> dict[str, str]:
        source = RecordingFolderSource(folder, table, tmp_path)
        clips = [
            clip
            for recording in source.recordings([])
            for clip in source.convert(recording, recording.read(), "0" * 64)[0]
        ]
        return source.splits(clips)

    drawn = splits()
    assert drawn == splits()
    counts = [list(drawn.values()).count(split) for split in ("train", "val", "test")]
    assert counts == [9, 1, 2]  # three contents with one held out each, of which one is for val
    table.write_text(table.read_text().replace("content\n", "content,split\n").replace("c0\n", "c0,val\n"))
    said = splits()
    assert [said[f"walk{index}"] for index in range(4)] == ["val"] * 4
    assert [list(said.values()).count(split) for split in ("val", "test")] == [4, 2]


def test_a_dataset_without_val_is_encoded_and_trained_on(
    folder: Path, vq_folder: Path, base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.parent / "captions.csv").write_text("file,caption\n01_01,stands\n02_01,walks\n007_10_iclone,walks\n")
    assert main(command(folder)) == 0
    out = folder.parent / "out"
    assert existing_splits(out) == ["train", "test"]
    codes = folder.parent / "codes"
    assert encode(["--vq", str(vq_folder), "--data", str(out), "--out", str(codes)]) == 0
    options = [
        "--max_steps",
        "1",
        "--per_device_train_batch_size",
        "2",
        "--use_cpu",
        "--dataloader_pin_memory",
        "False",
    ]
    paths = ["--codes", codes, "--vq", vq_folder, "--base_model", base_folder, "--output_dir", folder.parent / "run"]
    assert train([*map(str, paths), *options]) == 0
    assert "no val split" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change, problem",
    [
        (lambda folder: shutil.rmtree(folder), "no such folder"),
        (lambda folder: [path.unlink() for path in folder.rglob("*.bvh")], "holds no .bvh files"),
        (lambda folder: (folder.parent / "captions.csv").unlink(), "cannot read the captions"),
        (
            lambda folder: (folder.parent / "captions.csv").write_text("file,caption\nx,y\n"),
            "no row of .* names a file",
        ),
    ],
)
def test_nothing_to_prepare_is_an_error_before_work_starts(folder: Path, change, problem: str) -> None:
    change(folder)
    with pytest.raises(MotionLLMError, match=problem):
        main(command(folder))
    assert not (folder.parent / "out").exists()


def test_a_name_that_is_there_twice_must_be_said_with_its_folder(folder: Path) -> None:
    shutil.copy(folder / "cmu" / "01_01.bvh", folder / "01_01.bvh")
    shutil.copy(folder / "cmu" / "01_01.bvh", folder / "cmu" / "007_10_iclone.bvh")
    (folder / "b").mkdir()
    shutil.copy(folder / "cmu" / "02_01.bvh", folder / "b")
    (folder.parent / "captions.csv").write_text("file,caption\n01_01,stands\n02_01,walks\ncmu/01_01,stands\n")
    failures: list[tuple[str, str]] = []
    source = RecordingFolderSource(folder, folder.parent / "captions.csv", folder)
    assert [recording.name for recording in source.recordings(failures)] == ["01_01", "cmu/01_01"]
    problems = dict(failures)
    assert "which is there 2 times; write its folder, as 'b/02_01'" in problems["02_01"]
    assert "has no caption" in problems["007_10_iclone"]


def test_help_names_the_columns_and_skeletons(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bvh", "--help"])
    shown = capsys.readouterr().out
    for word in ("`file`", "`caption`", "`split`", "Mixamo", "--map", "--clip-seconds", "--no-mirror"):
        assert word in shown


@pytest.mark.parametrize("kind", ["xztar", "zip"])
def test_an_archive_is_as_good_as_the_folder_that_it_holds(folder: Path, kind: str) -> None:
    assert main(command(folder)) == 0
    (folder.parent / "packed").mkdir()
    archive = Path(shutil.make_archive(str(folder.parent / "packed" / "recordings"), kind, folder))
    options = ["--captions", str(folder.parent / "captions.csv"), "--num-proc", "1", "--name", "recordings"]
    for number, given in enumerate((archive, archive.parent)):  # itself, or the folder that holds it
        out = folder.parent / f"out{number}"
        named = options if number else options[:-2]
        assert main(["bvh", str(given), *named, "--out", str(out)]) == 0
        assert read_summary(out) == read_summary(folder.parent / "out")
        assert not (out / ".prepare").exists()


def test_archives_that_cannot_be_unpacked(folder: Path) -> None:
    broken = folder.parent / "broken.zip"
    broken.write_bytes(b"PK no more")
    paths = ["--captions", str(folder.parent / "captions.csv"), "--out", str(folder.parent / "out")]
    with pytest.raises(MotionLLMError, match=r"broken.zip' cannot be unpacked .*; download it again"):
        main(["bvh", str(broken), *paths])
    elsewhere = folder.parent / "elsewhere.tar.xz"
    with tarfile.open(elsewhere, "w:xz") as archive:
        archive.add(folder / "007_10_iclone.bvh", "../outside.bvh")
    with pytest.raises(MotionLLMError, match=r"elsewhere.tar.xz' cannot be unpacked \(.*outside"):
        main(["bvh", str(elsewhere), *paths])
    assert not list(folder.parent.rglob("outside.bvh"))
