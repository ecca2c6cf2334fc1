"""The Bandai data: joints against the reference, and the same clips from folder and archive."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

from hub_scripts.data.bandai import bandai_joints, iter_bandai_clips
from hub_scripts.data.bvh import parse_bvh, read_bvh
from hub_scripts.data.motion_files import load_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import joints_to_features

FIXTURES = Path(__file__).parents[1] / "fixtures" / "bandai"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.bvh"))


@pytest.mark.parametrize(
    "name",
    ["dataset-1_walk_normal_002", "dataset-2_raise-up-both-hands_normal_001", "dataset-2_wave-left-hand_active_011"],
)
def test_joints_equal_the_reference(name: str) -> None:
    expected = np.load(FIXTURES / "expected_joints.npz")[name]
    joints = bandai_joints(read_bvh(FIXTURES / f"{name}.bvh"))
    assert joints.dtype == np.float32
    assert joints.shape == expected.shape
    np.testing.assert_allclose(joints, expected, rtol=0, atol=2e-7)


def make_archive(path: Path, folder: Path = FIXTURES) -> Path:
    with tarfile.open(path, "w:xz") as archive:
        for file in sorted(folder.glob("dataset-*"), reverse=True):
            archive.add(file, f"Bandai-Namco-Research-Motiondataset-1/data/{file.name}")
    return path


def test_folder_archive_and_folder_of_archives_give_the_same_clips(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "dataset-1.tar.xz")
    expected = {clip.name: clip for clip in iter_bandai_clips(FIXTURES)}
    assert sorted(expected) == NAMES
    for source in (archive, tmp_path):
        assert {clip.name: clip for clip in iter_bandai_clips(source)} == expected


def test_labels_come_from_the_name_and_a_label_file_without_motion_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "dataset-1_dance-long_normal_001.json").write_text("{}")
    (tmp_path / "notes.bvh").write_text("not a clip of the data set")
    clip_file = "dataset-2_wave-left-hand_active_011.bvh"
    (tmp_path / clip_file).write_bytes((FIXTURES / clip_file).read_bytes())
    (clip,) = iter_bandai_clips(tmp_path)
    assert (clip.content, clip.style, clip.source) == ("wave-left-hand", "active", "bandai-namco-2")
    assert clip.source_file == f"Bandai-Namco-Research-Motiondataset-2/data/{clip_file}"


def test_a_source_without_clips_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match="no Bandai-Namco clips"):
        list(iter_bandai_clips(tmp_path))
    with pytest.raises(MotionLLMError, match="no such file or folder"):
        list(iter_bandai_clips(tmp_path / "absent"))


def test_a_cut_archive_is_an_error_that_names_it(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "dataset-1.tar.xz")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(MotionLLMError, match=r"dataset-1\.tar\.xz.*download it again"):
        list(iter_bandai_clips(archive))


def test_another_skeleton_is_refused_with_the_joints_it_lacks() -> None:
    data = (FIXTURES / "dataset-1_walk_normal_002.bvh").read_bytes().replace(b"Toes_L", b"LeftToe")
    with pytest.raises(MotionLLMError, match=r"other\.bvh.*lacks 1 joints \(Toes_L\)"):
        bandai_joints(parse_bvh(data, "other.bvh"), "other.bvh")


def test_motions_are_read_from_bvh_npz_and_npy(tmp_path: Path) -> None:
    name = "dataset-1_walk_normal_002"
    expected = np.load(FIXTURES / "expected_joints.npz")[name]
    from_bvh = load_motion(FIXTURES / f"{name}.bvh")
    np.testing.assert_allclose(from_bvh.joints, expected, atol=2e-7)
    assert from_bvh.fps == 20.0
    np.save(tmp_path / "joints.npy", expected)
    np.testing.assert_array_equal(load_motion(tmp_path / "joints.npy").joints, expected)
    from_bvh.save(tmp_path / "motion.npz")
    np.testing.assert_array_equal(load_motion(tmp_path / "motion.npz").joints, from_bvh.joints)
    features = joints_to_features(expected)
    np.save(tmp_path / "features.npy", features)
    restored = load_motion(tmp_path / "features.npy")
    assert isinstance(restored, Motion)
    assert restored.num_frames == len(features) == len(expected) - 1
    travelled = np.linalg.norm(restored.joints[-1, 0] - restored.joints[0, 0])
    assert 1.0 < travelled < 2.0


@pytest.mark.parametrize(
    "array, problem",
    [
        (np.zeros((4, 20, 3), np.float32), r"shape \(4, 20, 3\)"),
        (np.zeros((4, 250), np.float32), r"shape \(4, 250\)"),
        (np.full((4, 22, 3), np.nan, np.float32), "NaN"),
        (np.full((4, 263), np.inf, np.float32), "infinite"),
        (np.zeros((0, 22, 3), np.float32), "no frames"),
        (np.array(["a"]), "array of numbers"),
    ],
)
def test_arrays_that_are_no_motion_are_refused(tmp_path: Path, array: np.ndarray, problem: str) -> None:
    path = tmp_path / "motion.npy"
    np.save(path, array)
    with pytest.raises(MotionLLMError, match=problem) as caught:
        load_motion(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_motion_are_refused(tmp_path: Path) -> None:
    for name, problem in (
        ("a.npy", "readable .npy"),
        ("a.npz", "readable .npz"),
        ("a.fbx", "not .npz, .npy, .bvh, .amc, .glb or .gltf"),
    ):
        (tmp_path / name).write_bytes(b"junk")
        with pytest.raises(MotionLLMError, match=problem):
            load_motion(tmp_path / name)
    with pytest.raises(MotionLLMError, match="no such file"):
        load_motion(tmp_path / "absent.npy")
