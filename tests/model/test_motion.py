"""`Motion` and its files: validation, round trips, hostile files, and writing that never leaves half a file."""

import json
import pickle
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.motion import Motion


@pytest.fixture
def motion(make_joints) -> Motion:
    return Motion(
        make_joints(12),
        fps=30,
        caption="a person walks – 走る",
        codes=np.array([3, 1, 4]),
        seed=7,
        model="tiny",
        features=np.random.default_rng(0).normal(size=(12, 263)),
        version="0.1.0",
    )


def test_properties_of_one_and_of_several_people(make_joints):
    one = Motion(make_joints(40).astype(np.float64))
    assert (one.num_people, one.num_frames, one.duration, one.fps) == (1, 40, 2.0, 20.0)
    assert one.joints.dtype == np.float32
    assert one.people.shape == (1, 40, 22, 3)
    two = Motion(np.stack([make_joints(40), make_joints(40, seed=1)]), caption="two people meet")
    assert (two.num_people, two.num_frames, two.duration) == (2, 40, 2.0)
    assert repr(two) == "Motion(2 people, 40 frames, 20 fps, 2.00 s, caption='two people meet')"


@pytest.mark.parametrize(
    "joints,message",
    [
        (np.zeros((5, 20, 3)), r"shape \(5, 20, 3\)"),
        (np.zeros((22, 3)), r"shape \(22, 3\)"),
        (np.zeros((0, 22, 3)), "no frame"),
        (np.zeros((0, 5, 22, 3)), "no frame"),
        (np.full((5, 22, 3), np.nan), "330 values that are NaN"),
        (np.full((5, 22, 3), 1e300), "infinite"),
        ([np.zeros((5, 22, 3)), np.zeros((6, 22, 3))], r"shapes \(5, 22, 3\) and \(6, 22, 3\); cut them"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_joints_that_cannot_be_used_are_refused(joints, message):
    with pytest.raises(MotionLLMError, match=message):
        Motion(joints)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_impossible_frame_rates_are_refused(fps, make_joints):
    with pytest.raises(MotionLLMError, match="fps"):
        Motion(make_joints(3), fps=fps)


def test_a_saved_motion_comes_back_whole(motion, tmp_path):
    loaded = Motion.load(motion.save(tmp_path / "motion.npz"))
    np.testing.assert_array_equal(loaded.joints, motion.joints)
    np.testing.assert_array_equal(loaded.codes, motion.codes)
    np.testing.assert_array_equal(loaded.features, motion.features)
    assert loaded.features.dtype == np.float32
    single = (loaded.fps, loaded.caption, loaded.seed, loaded.model, loaded.version)
    assert single == (30.0, motion.caption, 7, "tiny", "0.1.0")


def test_a_file_holds_the_documented_arrays_and_no_others(motion, tmp_path):
    with np.load(motion.save(tmp_path / "motion.npz"), allow_pickle=False) as file:
        assert set(file.files) == {"joints", "features", "codes", "fps", "caption", "seed", "model", "version"}
        assert (file["fps"].item(), file["caption"].item(), file["seed"].item()) == (30.0, motion.caption, 7)
        assert (file["joints"].dtype, file["features"].dtype, file["codes"].dtype) == ("float32", "float32", "int64")
    with np.load(Motion(motion.joints).save(tmp_path / "bare.npz"), allow_pickle=False) as file:
        assert set(file.files) == {"joints", "fps"}


def test_files_of_the_first_version_are_read(motion, tmp_path):
    single = {"format": 1, "fps": 30.0, "caption": "walks", "seed": 7, "model": None, "joint_order": "smpl-22"}
    np.savez(tmp_path / "old.npz", joints=motion.joints, metadata=np.array(json.dumps(single)), codes=motion.codes)
    loaded = Motion.load(tmp_path / "old.npz")
    assert (loaded.fps, loaded.caption, loaded.seed, loaded.model) == (30.0, "walks", 7, None)
    assert (loaded.features, loaded.version) == (None, None)
    np.testing.assert_array_equal(loaded.codes, motion.codes)


@pytest.mark.parametrize("shape", [(12, 251), (14, 263), (10, 263), (2, 12, 263), (263,)])
def test_features_that_do_not_belong_to_the_joints_are_refused(motion, shape):
    with pytest.raises(MotionLLMError, match="features have shape"):
        Motion(motion.joints, features=np.zeros(shape))


def test_features_of_several_people_and_without_the_last_frame(motion):
    assert Motion(motion.joints, features=np.zeros((11, 263))).features.shape == (11, 263)
    assert Motion(np.stack([motion.joints] * 2), features=np.zeros((2, 12, 263))).features.shape == (2, 12, 263)
    with pytest.raises(MotionLLMError, match="features hold values that are NaN"):
        Motion(motion.joints, features=np.full((12, 263), np.nan))


def test_equal_motions_give_equal_bytes(motion, tmp_path):
    first, second = (motion.save(tmp_path / name).read_bytes() for name in ("a.npz", "b.npz"))
    assert first == second
    motion.seed = 8
    assert motion.save(tmp_path / "a.npz").read_bytes() != second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_a_plain_npz_of_joints_is_enough(make_joints, tmp_path):
    np.savez(tmp_path / "plain.npz", joints=make_joints(9).astype(np.float64), fps=25, caption="hello")
    loaded = Motion.load(tmp_path / "plain.npz")
    assert (loaded.num_frames, loaded.fps, loaded.caption) == (9, 25.0, "hello")
    np.savez(tmp_path / "bare.npz", joints=make_joints(9))
    assert (Motion.load(tmp_path / "bare.npz").fps, Motion.load(tmp_path / "bare.npz").caption) == (20.0, None)


def test_other_suffixes_are_refused(motion, tmp_path):
    with pytest.raises(MotionLLMError, match=r"does not end in \.npz"):
        motion.save(tmp_path / "motion.txt")
    assert not list(tmp_path.iterdir())


def damage(kind: str, path: Path, motion: Motion) -> None:
    """Write a file at `path` that is broken in one way."""
    whole = motion.save(path).read_bytes()
    joints = motion.joints
    if kind == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "flipped":
        middle = len(whole) // 3
        path.write_bytes(
            whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 64]) + whole[middle + 64 :]
        )
    elif kind == "text":
        path.write_text("this is no archive")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "npy":
        with path.open("wb") as file:
            np.save(file, joints)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"joints": joints}))
    elif kind == "objects":
        np.savez(path, joints=np.array([{"a": 1}], dtype=object))
    elif kind == "members":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("joints.npy", b"nothing")
    elif kind == "other array":
        np.savez(path, poses=joints)
    elif kind == "words":
        np.savez(path, joints=np.full((3, 22, 3), "left"))
    elif kind == "complex":
        np.savez(path, joints=joints + 1j)
    elif kind == "NaN":
        np.savez(path, joints=joints * np.nan)
    elif kind == "metadata":
        np.savez(path, joints=joints, metadata=np.array("{not json"))
    elif kind == "metadata list":
        np.savez(path, joints=joints, metadata=np.array(json.dumps([1, 2])))
    elif kind == "fps":
        np.savez(path, joints=joints, fps=np.array("fast"))
    elif kind == "fps array":
        np.savez(path, joints=joints, fps=np.array([20.0, 30.0]))
    elif kind == "codes":
        np.savez(path, joints=joints, codes=np.array(["one", "two"]))
    elif kind == "features":
        np.savez(path, joints=joints, features=np.zeros((3, 5)))
    elif kind == "seed":
        np.savez(path, joints=joints, seed=np.array("seven"))
    elif kind == "captions":
        np.savez(path, joints=joints, caption=np.array(["one", "two"]))


DAMAGES = [
    *("cut", "flipped", "text", "empty", "npy", "pickle", "objects", "members", "other array", "words", "complex"),
    *("NaN", "metadata", "metadata list", "fps", "fps array", "codes", "features", "seed", "captions"),
]


@pytest.mark.parametrize("kind", DAMAGES)
def test_hostile_files_are_refused_in_one_sentence(kind, motion, tmp_path):
    damage(kind, tmp_path / "bad.npz", motion)
    with pytest.raises(MotionLLMError, match=r"bad\.npz"):
        Motion.load(tmp_path / "bad.npz")


def test_a_pickle_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "trap.npz"
    np.savez(path, joints=np.array([Trap()], dtype=object))
    with pytest.raises(MotionLLMError, match=r"trap\.npz"):
        Motion.load(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(MotionLLMError, match=r"trap\.npz"):
        Motion.load(path)
    assert not (tmp_path / "ran").exists()


def test_missing_files_are_named(tmp_path):
    with pytest.raises(MotionLLMError, match=r"no such file: .*absent\.npz"):
        Motion.load(tmp_path / "absent.npz")


def test_an_atomic_write_replaces_the_file_whole(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(error, tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def run_script(script: str) -> str:
    """Run a program in another process, so that its limits and its user are its own; returns what it printed."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path):
    # A limit on the size of files fails a write in the middle, as a full disk does.
    printed = run_script(f"""
        import resource, signal, numpy as np
        from modeling_motionllm.motion import Motion
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        motion = Motion(np.random.default_rng(0).normal(size=(500, 22, 3)))
        try:
            motion.save({str(tmp_path / "big.npz")!r})
        except ValueError as error:
            print(type(error).__name__, error)
    """)
    assert printed.startswith("MotionLLMError cannot write")
    assert "big.npz" in printed
    assert "free some space" in printed
    assert not list(tmp_path.iterdir())


def test_writing_where_no_folder_is(motion, tmp_path):
    with pytest.raises(MotionLLMError, match=r"cannot write .*motion\.npz.*No such file"):
        motion.save(tmp_path / "absent" / "motion.npz")
    (tmp_path / "file").write_text("")
    with pytest.raises(MotionLLMError, match=r"cannot write .*Not a directory"):
        motion.save(tmp_path / "file" / "motion.npz")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write, /proc")
def test_a_folder_that_cannot_be_written_is_refused(motion):
    with pytest.raises(MotionLLMError, match=r"cannot write .*/proc/self/motion\.npz"):
        motion.save("/proc/self/motion.npz")
    with pytest.raises(MotionLLMError, match=r"cannot write in the folder '/proc/self'.*another folder"):
        ensure_folder("/proc/self")


def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    printed = run_script(f"""
        import os, numpy as np
        from modeling_motionllm.files_motionllm import ensure_folder
        from modeling_motionllm.motion import Motion
        if os.geteuid() == 0:
            os.setuid(65534)  # root may write everywhere
        for write in (Motion(np.zeros((3, 22, 3))).save, lambda path: ensure_folder(path.parent)):
            try:
                write(__import__("pathlib").Path({str(tmp_path / "motion.npz")!r}))
            except ValueError as error:
                print(type(error).__name__, error)
    """)
    tmp_path.chmod(0o700)
    first, second = printed.splitlines()
    assert first.startswith("MotionLLMError cannot write '")
    assert second.startswith("MotionLLMError cannot write in the folder '")
    assert "Permission denied" in first
    assert "Permission denied" in second
    assert not list(tmp_path.iterdir())


def test_folders_are_made_and_files_in_their_place_refused(tmp_path):
    assert ensure_folder(tmp_path / "a" / "b").is_dir()
    assert not list((tmp_path / "a" / "b").iterdir())
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(MotionLLMError, match=f"cannot write in the folder '{path}'"):
            ensure_folder(path)
    assert (tmp_path / "file").read_text() == "kept"
