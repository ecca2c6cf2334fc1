"""Files are written whole or not at all, under names that nobody can guess, and leftovers of killed runs go."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_vq

from modeling_motionllm import files_motionllm
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_folder, atomic_path, temporary_folder

ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from modeling_motionllm.files_motionllm import atomic_folder, atomic_path
with atomic_path(sys.argv[1] + "/file.txt") as file, atomic_folder(sys.argv[1] + "/folder") as folder:
    file.write_text("half")
    (folder / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_leftovers_of_a_killed_run_go_with_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 2
    mine = tmp_path / ".mine.part"
    mine.touch()
    with atomic_path(tmp_path / "other.txt") as file:
        file.write_text("whole")
        with atomic_path(tmp_path / "file.txt") as second:  # of a process that lives: it stays
            second.write_text("whole too")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.part", "file.txt", "other.txt"]


def test_temporary_names_cannot_be_guessed(tmp_path: Path) -> None:
    names = set()
    for _ in range(20):
        with atomic_path(tmp_path / "file.txt") as file:
            file.write_text("whole")
            names.add(file.name)
    assert len(names) == 20
    assert all(len(name) > 30 and name.endswith(".part.txt") for name in names)


def test_a_file_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("before")

    def half(file: Path) -> None:
        file.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(MotionLLMError, match="No space left"), atomic_path(tmp_path / "file.txt") as file:
        half(file)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file.txt", "before")]


def test_folders_appear_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_text("whole")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder" / "file").read_text() == "whole"
    with pytest.raises(MotionLLMError, match="cannot write"), atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_text("another")
    with temporary_folder(tmp_path / "folder") as folder:
        (folder / "file").write_text("nothing")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "file"]


def test_long_names_have_room_for_a_temporary_one(tmp_path: Path) -> None:
    with atomic_path(tmp_path / f"{'x' * 250}.txt") as file:
        file.write_text("whole")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_weights_can_be_read_by_whom_other_files_can_be(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        make_vq().save_pretrained(tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.safetensors")} == {0o640}


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_weights_on_a_full_disk_are_one_line(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # no file may be larger
    try:
        with pytest.raises(MotionLLMError, match=r"cannot write in .*free some space"):
            make_vq().save_pretrained(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, was)


def test_the_host_is_part_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_motionllm, "_looked_through", set())
    elsewhere = tmp_path / f".file.0123abcd-999999-{'0' * 16}.part.txt"  # of a machine that shares the folder
    elsewhere.touch()
    with atomic_path(tmp_path / "file.txt") as file:
        file.touch()
    assert elsewhere.exists()
