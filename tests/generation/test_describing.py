"""`motionllm caption` and `convert` of recordings of any length: parts, their times, and the files that tell them."""

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import read_golden

from hub_scripts.cli import main
from hub_scripts.data.motion_files import load_motion
from hub_scripts.generation.describing import divide_motion, join_equal
from hub_scripts.skeletons.seams import carried, fade_over, placed
from modeling_motionllm.motion import Motion, MotionSegment
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

CLIPS = (
    "dataset-1_walk_normal_002",
    "dataset-2_wave-both-hands_active_001",
    "dataset-2_run_normal_044",
    "dataset-1_bow_masculinity_001",
    "dataset-1_punch_normal_001",
)
LINE = re.compile(r"(\d+\.\d)-(\d+\.\d) s: (.*)")


def recording(seconds: float) -> np.ndarray:
    """Joints (T, 22, 3) at 20 fps of somebody who does one thing after another."""
    joints = read_golden()[CLIPS[0]]["joints"].astype(np.float64)
    number = 1
    while len(joints) < 20 * seconds:
        after = read_golden()[CLIPS[number % len(CLIPS)]]["joints"].astype(np.float64)
        after = carried(after, *placed(joints[-1:]))
        joints, number = np.concatenate([joints, fade_over(joints, after, 8)[1:]]), number + 1
    return joints[: round(20 * seconds)]


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Motion(recording(35.0)).save(tmp_path_factory.mktemp("long") / "long.npz")


def told(text: str) -> list[tuple[float, float, str]]:
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found)
    return [(float(one[1]), float(one[2]), one[3]) for one in found if one]


def test_a_long_recording_is_told_part_by_part(
    long_file: Path, thin_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["caption", str(long_file), "--model", str(thin_checkpoint)]
    assert main(run) == 0
    parts = told(capsys.readouterr().out)
    assert len(parts) >= 4
    assert (parts[0][0], parts[-1][1]) == (0.0, 35.0)
    assert all(one[1] == other[0] and one[2] != other[2] for one, other in pairwise(parts))
    assert main([*run, "--start", "20", "--end", "33", "-o", str(tmp_path / "new" / "told.json")]) == 0
    *lines, name = capsys.readouterr().out.splitlines()
    some = told("\n".join(lines))
    assert (some[0][0], some[-1][1]) == (20.0, 33.0)  # seconds of the file
    assert name == str(tmp_path / "new" / "told.json")
    kept = json.loads((tmp_path / "new" / "told.json").read_text())["segments"]
    assert [(round(one["start"], 1), round(one["end"], 1), one["text"]) for one in kept] == some


def test_what_is_told_goes_into_subtitles_and_into_motions(
    long_file: Path, thin_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["caption", str(long_file), "--model", str(thin_checkpoint), "--start", "12"]
    for name in ("told.srt", "told.npz", "told.bvh"):
        assert main([*run, "-o", str(tmp_path / name)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert str(tmp_path / "told.json") in lines  # beside the .bvh
    motion = Motion.load(tmp_path / "told.npz")
    assert motion.segments is not None
    assert motion.duration == 23.0
    assert (motion.segments[0].start, motion.segments[-1].end) == (0.0, 23.0)
    blocks = (tmp_path / "told.srt").read_text().split("\n\n")
    assert len(blocks) == len(motion.segments)
    number, time, text = blocks[0].splitlines()
    assert (number, text) == ("1", motion.segments[0].text)
    assert re.fullmatch(r"00:00:12,000 --> 00:00:\d\d,\d{3}", time)
    # The segments of a file are its parts when it is told again, and stay with it when it is cut.
    assert main(["caption", str(tmp_path / "told.npz"), "--model", str(thin_checkpoint)]) == 0
    again = told(capsys.readouterr().out)
    assert [round(one.start, 1) for one in motion.segments] == [one[0] for one in again]
    assert main(["convert", str(tmp_path / "told.npz"), str(tmp_path / "end.npz"), "--start", "15"]) == 0
    end = Motion.load(tmp_path / "end.npz")
    assert end.segments is not None
    assert [one.text for one in end.segments] == [one.text for one in motion.segments if one.end > 15.0]
    np.testing.assert_allclose(end.joints, motion.joints[300:], atol=1e-6)


def test_short_ones_are_one_sentence_unless_parts_are_asked_for(
    thin_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(Motion(recording(9.0)).save(tmp_path / "short.npz"))
    run = ["caption", file, "--model", str(thin_checkpoint)]
    assert main(run) == 0
    assert not LINE.match(capsys.readouterr().out)
    assert main([*run, "--segments"]) == 0
    whole = told(capsys.readouterr().out)
    assert (whole[0][0], whole[-1][1]) == (0.0, 9.0)
    assert main([*run, "--segments", "--num-return-sequences", "2"]) == 0
    several = told(capsys.readouterr().out)
    assert len(several) == 2 * len({one[:2] for one in several}) >= len(whole)
    assert main([*run, "-o", str(tmp_path / "short.srt")]) == 0
    assert (tmp_path / "short.srt").read_text().startswith("1\n00:00:00,000 --> 00:00:09,000\n")


@pytest.mark.parametrize(
    "options, problem",
    [
        (["-o", "told.txt"], "cannot write 'told.txt'"),
        (["-o", "told.srt", "--num-return-sequences", "2"], "not 2 sentences each"),
        (["long.npz", "-o", "told.srt"], "not 2 files"),
        (["-o", "long.npz"], "is the motion to read"),
        (["--start", "40"], "leave nothing of 'long.npz', which lasts 35.00 s"),
        (["--start", "-1"], "--start is -1"),
        (["--start", "5", "--end", "3"], "--start 5 and --end 3 leave nothing"),
    ],
)
def test_what_cannot_be_is_one_line(
    options: list[str],
    problem: str,
    long_file: Path,
    thin_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(long_file.parent)
    assert main(["caption", "long.npz", *options, "--model", str(thin_checkpoint)]) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert problem in error
    assert [path.name for path in long_file.parent.iterdir()] == ["long.npz"]


def test_parts_fit_the_model_at_every_rate(processor: MotionLLMProcessor, long_file: Path) -> None:
    motion = load_motion(long_file)
    for fps in (12.5, 20.0, 29.97, 120.0):
        other = Motion(motion.joints, fps=fps)
        parts = divide_motion(other, processor.max_seconds)
        assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
        assert (parts[0].start, parts[-1].stop) == (0, other.num_frames)
        for part in parts:
            processor(motion=other.part(part.start, part.stop))


def test_segments_of_a_motion_are_its_parts_but_none_that_is_too_short() -> None:
    segments = [MotionSegment("a", 0.0, 0.2), MotionSegment("b", 1.0, 3.0), MotionSegment("c", 3.2, 18.0)]
    motion = Motion(recording(18.1), segments=segments)
    parts = divide_motion(motion, 10.0)
    assert [part.start for part in parts][:3] == [0, 20, 60]
    assert len(parts) >= 4  # what is too long is divided
    assert parts[-1].stop == motion.num_frames


def test_equal_neighbours_are_joined() -> None:
    parts = [("a", 0, 1), ("a", 1, 2), ("b", 2, 3), ("a", 3, 4)]
    joined = join_equal([MotionSegment(text, start, end) for text, start, end in parts])
    assert joined == [MotionSegment("a", 0, 2), MotionSegment("b", 2, 3), MotionSegment("a", 3, 4)]
