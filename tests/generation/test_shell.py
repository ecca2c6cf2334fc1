"""The command line in odd shells: closed streams, other encodings, folders that are gone, names that are none."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hub_scripts.cli import main
from hub_scripts.options.checkpoint import load_processor
from hub_scripts.options.streams import _Lasting
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

ROOT = Path(__file__).parents[2]
CLI = [sys.executable, "-m", "hub_scripts.cli"]


def run(*words: str | bytes, shell: str = '"$@"', **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "latin-1"}
    command = ["bash", "-c", shell, "bash", *CLI, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def test_letters_that_the_terminal_has_not_are_printed_as_numbers() -> None:
    ended = run("dance-\u8df3".encode(), cwd=ROOT)
    assert ended.returncode == 2
    assert "there is no command" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_arguments_that_are_no_text_are_one_line() -> None:
    ended = run(b"dance-\xff\xfe", cwd=ROOT)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "shell", ['"$@" >&-', '"$@" 2>&-', '"$@" <&- >&- 2>&-', '"$@" | true; exit "${PIPESTATUS[0]}"']
)
def test_closed_streams_end_nothing(shell: str) -> None:
    ended = run("--help", shell=shell, cwd=ROOT)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    ended = run("actions", shell=f'cd "{gone}" && rmdir "{gone}" && "$@"')
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].endswith("the working folder is gone; change to one that is there")
    assert "Traceback" not in ended.stderr


def test_a_reader_that_goes_away_stops_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        with os.fdopen(writing, "w") as stream:
            lasting = _Lasting(stream)
            for _ in range(3):
                lasting.write("told\n")
                lasting.flush()
    finally:
        signal.signal(signal.SIGPIPE, before)


@pytest.mark.parametrize("name", ["x" * 5000, "two\nlines", "a\0b", "user/" + "y" * 500, "bell\a"])
def test_names_that_are_none_are_one_line(name: str) -> None:
    with pytest.raises(MotionLLMError) as caught:
        load_processor(name)
    assert len(str(caught.value)) < 800


def test_errors_of_the_machine_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(argv: list[str]) -> int:
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr("hub_scripts.list_actions.main", full)
    assert main(["actions"]) == 2
    assert capsys.readouterr().err == ("motionllm actions: error: [Errno 28] No space left on device: '/somewhere'\n")


@pytest.mark.parametrize("text", ["a person \udcff walks", "x" * 500_000])
def test_sentences_that_are_no_text_are_refused(processor: MotionLLMProcessor, text: str) -> None:
    with pytest.raises(MotionLLMError, match="the text h"):
        processor(text=text)


def test_ctrl_c_ends_workers_without_a_word(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import signal, time\n"
        "from hub_scripts.data.workers import in_order, workers\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # shells ignore it behind them
        "    with workers(2) as pool:\n"
        "        for _ in in_order(pool, 2, time.sleep, [0.01, 0.01, 600, 600]):\n"
        "            print('one', flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = subprocess.Popen(
        [sys.executable, str(program)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert started.stdout is not None
    assert [started.stdout.readline() for _ in range(2)] == ["one\n", "one\n"]
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    said = started.communicate(timeout=600)[1]
    assert said.count("Traceback") == 1  # that of the program itself, which does not catch it
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_a_motion_is_written_before_it_is_told(
    make_joints: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import argparse

    from hub_scripts.options.generation import write_formats
    from modeling_motionllm.motion import Motion

    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", closed)
    args = argparse.Namespace(fps=None, skeleton=None, units=None)
    with pytest.raises(BrokenPipeError):
        write_formats(Motion(make_joints(20), caption="a person walks"), tmp_path / "walk", ["npz"], args)  # type: ignore[arg-type]
    assert (tmp_path / "walk.npz").is_file()
