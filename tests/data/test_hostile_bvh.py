"""Every way a BVH file can be broken, through the commands that read them: one line, exit code 2, no file, no hang."""

import resource
import time
from pathlib import Path

import pytest
from test_data_bvh import broken_files

from hub_scripts.cli import main

BROKEN = broken_files()


def arguments(command: str, folder: Path) -> list[str]:
    path = str(folder / "clip.bvh")
    if command == "prepare":
        captions = ["--captions", str(folder.parent / "captions.csv"), "--out", str(folder.parent / "out")]
        return ["prepare", "bvh", str(folder), *captions, "--num-proc", "1"]
    return [command, path, *([str(folder.parent / "out.npz")] if command == "convert" else [])]


@pytest.mark.parametrize("command", ["convert", "caption", "prepare"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, command: str
) -> None:
    data, problem = BROKEN[kind]
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "clip.bvh").write_bytes(data)
    (tmp_path / "captions.csv").write_text("file,caption\nclip,somebody moves\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    assert main(arguments(command, folder)) == 2
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = [line for line in err.splitlines() if problem in line]
    assert "clip.bvh" in line
    assert "Traceback" not in err
    if command != "prepare":  # which also lists the files that it left out
        assert line.startswith(f"motionllm {command}: error: ")
        assert err.count("\n") == 1
    assert not (tmp_path / "out.npz").exists()
    assert not list(tmp_path.glob("out/**/*.arrow"))
