"""InterHuman: the published layout, made of our own clips, because the data itself may not be passed on."""

import math
from pathlib import Path

import numpy as np
import pytest

from hub_scripts.data.interhuman import interhuman_joints, mirror_text
from hub_scripts.data.store import dataset_hash, read_motions, read_summary
from hub_scripts.prepare_data import main
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import canonicalize_joints, mirror_joints, resample_joints
from modeling_motionllm.placement_motionllm import join_people

LINES = ["one person walks with the left hand raised.", "", "  The other turns clockwise  ", "two people meet"]


def write_person(path: Path, joints: np.ndarray) -> None:
    """Joints (T, 22, 3) at 20 fps, Y up, as the published array: (T', 492) at 30 fps, Z up."""
    joints = np.asarray(resample_joints(joints, 20, 30))
    array = np.random.default_rng(0).normal(size=(len(joints), 492)).astype(np.float32)
    x, y, z = np.moveaxis(joints, -1, 0)
    array[:, :66] = np.stack([x, -z, y], axis=-1).reshape(len(joints), 66)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


@pytest.fixture(scope="module")
def people(golden) -> np.ndarray:
    """Two people (2, 280, 22, 3) in one world, 2 m apart and face to face."""
    names = ["dataset-2_walk_elderly_004", "dataset-1_slash_normal_001"]
    clips = [golden[name]["joints"][:260].astype(np.float64) for name in names]
    return join_people(np.asarray(canonicalize_joints(np.stack(clips))), np.array([[0, 0, 0], [0.5, 2, math.pi]]))


@pytest.fixture
def source(tmp_path: Path, people: np.ndarray) -> Path:
    """Scenes 1, 2, 4 and 5 (one of them long, one short), a list that names a missing one, and one to ignore."""
    root = tmp_path / "interhuman"
    for name, frames in (("1", 100), ("2", 260), ("4", 60), ("5", 10), ("6", 50)):
        for number in (1, 2):
            person = people[number - 1, :frames] * 1.1 + np.array([4, 0, -3])
            write_person(root / f"motions_processed/person{number}/{name}.npy", person)
        (root / "annots").mkdir(exist_ok=True)
        (root / f"annots/{name}.txt").write_text("\n".join(LINES))
    (root / "split").mkdir()
    (root / "split/train.txt").write_text("1\n2\n3\n5\n6\n")
    (root / "split/test.txt").write_text("4\n")
    (root / "split/ignore_list.txt").write_text("6\n")
    return root


def prepare(source: Path, out: Path, *options: str) -> Path:
    assert main(["interhuman", str(source), "--out", str(out), *options]) == 0
    return out


def test_joints_are_turned_upright_and_resampled(tmp_path, people):
    write_person(tmp_path / "1.npy", people[0])
    joints = interhuman_joints(tmp_path / "1.npy")
    # 20 -> 30 -> 20 fps by lines between frames: every other frame is exact.
    assert abs(len(joints) - people.shape[1]) <= 1
    np.testing.assert_allclose(joints[::2][:129], people[0][::2][:129], atol=1e-6)
    assert joints[..., 1].max() > 1.4 > 0.3 > joints[..., 1].min()  # heads are up
    left_hip, right_hip = joints[0, 1], joints[0, 2]
    toes = joints[0, [10, 11]].mean(0) - joints[0, [7, 8]].mean(0)
    assert np.cross(left_hip - right_hip, [0, 1, 0]) @ toes > 0  # not mirrored: left is left of where the toes point


def test_scenes_come_as_recorded(source, tmp_path, people):
    out = prepare(source, tmp_path / "out")
    rows = {row["name"]: row for row in read_motions(out, "train")}
    assert list(rows) == ["1", "1_mirrored", "2_0", "2_0_mirrored", "2_1", "2_1_mirrored"]
    row = rows["1"]
    assert row["composed"] is False
    assert row["captions"] == [
        "one person walks with the left hand raised.",
        "The other turns clockwise",
        "two people meet",
    ]
    assert row["joints"].shape == (2, 97, 22, 3)
    np.testing.assert_allclose(row["placements"], [[0, 0, 0], [0.5, 2, math.pi]], atol=0.02)
    # The same bones again, smaller by the same share: the people are where they were.
    np.testing.assert_allclose(row["joints"], people[:, :97], atol=0.05)
    assert row["source_clips"] == [["1"], ["1"]]
    assert [row["name"] for row in read_motions(out, "test")] == ["4"]


def test_mirrored_copies_are_mirrored_in_words_too(source, tmp_path):
    plain, mirrored, *_ = read_motions(prepare(source, tmp_path / "out"), "train")
    np.testing.assert_allclose(mirrored["joints"], mirror_joints(plain["joints"]), atol=0.1)
    assert mirrored["captions"][:2] == [
        "one person walks with the right hand raised.",
        "The other turns counterclockwise",
    ]
    names = [row["name"] for row in read_motions(prepare(source, tmp_path / "plain", "--no-mirror"), "train")]
    assert names == ["1", "2_0", "2_1"]


def test_long_scenes_are_divided_into_whole_codes(source, tmp_path):
    rows = read_motions(prepare(source, tmp_path / "out", "--no-mirror"), "train")
    assert [row["num_frames"] for row in rows] == [97, 201, 57]
    assert all(row["num_frames"] % 4 == 1 for row in rows)
    np.testing.assert_allclose(rows[2]["joints"][0, 0, 0, [0, 2]], 0, atol=1e-6)


def test_what_cannot_be_used_is_named(source, tmp_path, capsys):
    out = prepare(source, tmp_path / "out")
    problems = capsys.readouterr().err
    assert "left out, 2 scenes" in problems
    assert "3.txt" in problems
    assert "scene '5' has 9 frames" in problems
    summary = read_summary(out)
    assert set(summary["left_out"]) == {"3", "5"}
    assert summary["splits"]["train"]["rows"] == 6
    assert summary["splits"]["test"]["scenes"] == 1
    assert "keep this folder to yourself" in (out / "README.md").read_text()


def test_equal_input_gives_equal_files(source, tmp_path):
    assert dataset_hash(prepare(source, tmp_path / "a")) == dataset_hash(prepare(source, tmp_path / "b"))


def test_lists_beside_the_folders_are_found_too(source, tmp_path):
    for path in (source / "split").iterdir():
        path.rename(source / path.name)
    (source / "split").rmdir()
    assert len(read_motions(prepare(source, tmp_path / "out", "--limit", "1"), "train")) == 2


@pytest.mark.parametrize(
    "array, problem",
    [
        (np.zeros((50, 262), np.float32), "has floats"),
        (np.zeros((50, 492), np.int64), "has floats"),
        (np.full((50, 492), np.nan, np.float32), "NaN"),
        (np.array({"a": 1}, dtype=object), "no .npy file"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, problem):
    np.save(tmp_path / "1.npy", array, allow_pickle=True)
    with pytest.raises(MotionLLMError, match=problem):
        interhuman_joints(tmp_path / "1.npy")


def test_people_of_different_length_are_left_out(source, tmp_path, people):
    write_person(source / "motions_processed/person2/1.npy", people[1, :90])
    summary = read_summary(prepare(source, tmp_path / "out"))
    assert summary["left_out"]["1"].startswith("the people of scene '1' have 99 and 89 frames")


def test_other_folders_are_refused(source, tmp_path):
    with pytest.raises(MotionLLMError, match="no folder 'motions_processed/person1'"):
        prepare(tmp_path, tmp_path / "out")
    (source / "split/train.txt").write_text("../../etc\n")
    with pytest.raises(MotionLLMError, match="is no scene"):
        prepare(source, tmp_path / "out")
    for path in (source / "split").glob("t*.txt"):
        path.unlink()
    with pytest.raises(MotionLLMError, match=r"none of train\.txt"):
        prepare(source, tmp_path / "out")


def test_nothing_usable_is_told(source, tmp_path, capsys):
    for path in (source / "annots").iterdir():
        path.unlink()
    assert main(["interhuman", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "no scene was usable" in capsys.readouterr().err
    assert not (tmp_path / "out/motionllm_dataset.json").exists()


@pytest.mark.parametrize(
    "text, mirrored",
    [
        ("raises the left hand", "raises the right hand"),
        ("Left foot, then right.", "Right foot, then left."),
        ("turns counterclockwise", "turns clockwise"),
        ("spins anti-clockwise to the left", "spins clockwise to the right"),
        ("steps leftwards, right-handed", "steps rightwards, left-handed"),
        ("a bright theft", "a bright theft"),
    ],
)
def test_words_in_the_mirror(text, mirrored):
    assert mirror_text(text) == mirrored
