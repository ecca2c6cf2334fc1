"""Going on from a file, leading over to another, and making a part anew: what was there stays to the bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FIXTURES, assert_refused

import motionllm
from hub_scripts.cli import main as cli
from hub_scripts.data.joint_arrays import untold_rate
from hub_scripts.generation.continuing import BLEND_SECONDS, edit_motion
from hub_scripts.skeletons.seams import bone_lengths, carried, lead_to, on_body, placed
from modeling_motionllm.motion import Motion, MotionSegment
from modeling_motionllm.motion_features import canonicalize_joints, resample_joints

pytest_plugins = ("turn_fixtures",)

WALK_BVH = FIXTURES / "bandai" / "dataset-1_walk_normal_002.bvh"
BOW_BVH = FIXTURES / "bandai" / "dataset-1_bow_normal_001.bvh"


@pytest.fixture(scope="session")
def clip() -> Motion:
    """A real bow somewhere in the world, of a smaller person, at 30 fps."""
    joints = motionllm.load_motion(BOW_BVH).joints.astype(np.float64)
    joints = carried(joints, 2.0, -3.0, 1.0) * 0.9 + np.array([0.0, 0.2, 0.0])
    joints = resample_joints(joints, 20.0, 30.0)
    return Motion(joints, 30.0, caption="a person bows", model="made up")


@pytest.fixture
def clip_file(clip: Motion, tmp_path: Path) -> Path:
    return clip.save(tmp_path / "clip.npz")


def run(checkpoint: Path, command: str, *options: object) -> int:
    return cli([command, *map(str, options), "--model", str(checkpoint), "--formats", "npz"])


def seam_speed(motion: Motion, frame: int) -> float:
    """Fastest joint between two frames, m/s."""
    step = np.linalg.norm(motion.joints[frame + 1] - motion.joints[frame], axis=-1)
    return float(step.max()) * motion.fps


def check_body(motion: Motion, like: Motion) -> None:
    lengths = np.stack([bone_lengths(pose) for pose in motion.joints])
    np.testing.assert_allclose(lengths, np.stack([bone_lengths(like.joints[-1])] * len(lengths)), atol=2e-3)


def test_what_comes_next_begins_where_a_file_ends(turn_checkpoint, clip, clip_file, tmp_path, capsys):
    options = ["bows", "--then", "waves", "--after", clip_file, "--duration", 2, 1, "--seed", 3]
    assert run(turn_checkpoint, "generate", *options, "-o", tmp_path / "out") == 0
    told = capsys.readouterr().out
    motion = Motion.load(tmp_path / "out" / "bows-waves.npz")
    frames = clip.num_frames
    assert motion.fps == 30
    np.testing.assert_array_equal(motion.joints[:frames], clip.joints)
    assert motion.duration == pytest.approx(clip.duration + 3, abs=0.1)
    assert [segment.text for segment in motion.segments] == ["a person bows", "bows", "waves"]
    start = clip.duration
    assert motion.segments[1][1:] == pytest.approx((start, start + 2), abs=1e-6)
    assert f"{start:.1f}-{start + 2:.1f} s: bows (understood as: " in told
    # No joint jumps, although an untrained model does not care: what is left over fades out.
    assert seam_speed(motion, frames - 1) < 4.0
    check_body(Motion(motion.joints[frames:], 30), clip)
    # The same again, and of a recording, which is read at 20 fps.
    assert run(turn_checkpoint, "generate", *options, "-o", tmp_path / "again") == 0
    assert (tmp_path / "again" / "bows-waves.npz").read_bytes() == (tmp_path / "out" / "bows-waves.npz").read_bytes()
    capsys.readouterr()
    assert run(turn_checkpoint, "generate", *options, "--skip-existing", "-o", tmp_path / "again") == 0
    assert capsys.readouterr().out == ""
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["bows-waves.npz"]
    assert run(turn_checkpoint, "generate", "bows", "--after", WALK_BVH, "-o", tmp_path / "bvh") == 0
    recorded = motionllm.load_motion(WALK_BVH)
    from_bvh = Motion.load(tmp_path / "bvh" / "bows.npz")
    np.testing.assert_array_equal(from_bvh.joints[: recorded.num_frames], recorded.joints)


def test_the_way_between_two_files(turn_checkpoint, clip, clip_file, tmp_path):
    options = ["stops", "--after", clip_file, "--before", WALK_BVH, "--duration", 2, "-o", tmp_path / "out"]
    assert run(turn_checkpoint, "generate", *options) == 0
    motion = Motion.load(tmp_path / "out" / "stops.npz")
    walk = motionllm.load_motion(WALK_BVH)
    frames, later = clip.num_frames, resample_joints(walk.joints.astype(np.float64), 20.0, 30.0)
    np.testing.assert_array_equal(motion.joints[:frames], clip.joints)
    # The second motion is moved and turned as a whole.
    own = motion.joints[-len(later) :].astype(np.float64)
    np.testing.assert_allclose(canonicalize_joints(own), canonicalize_joints(later), atol=1e-4)
    assert motion.num_frames == frames + 59 + len(later)
    assert [segment.text for segment in motion.segments] == ["a person bows", "stops", ""]
    assert seam_speed(motion, frames - 1) < 4.0
    assert seam_speed(motion, frames + 58) < 1.2 * max(seam_speed(motion, frames + 59 + step) for step in range(8))


@pytest.mark.parametrize("fps", [30, 20])
def test_a_part_is_made_anew_and_nothing_else(turn_checkpoint, clip, tmp_path, capsys, fps):
    old = clip if fps == 30 else Motion(resample_joints(clip.joints, 30.0, 20.0), 20.0, clip.caption, model="made up")
    path = old.save(tmp_path / "clip.npz")
    start, end = 0.7, 2.0
    assert old.duration > 2.4
    options = [path, "raises both hands", "--from", start, "--to", end, "--seed", 1, "-o", tmp_path / "out"]
    assert run(turn_checkpoint, "edit", *options) == 0
    assert "s: raises both hands (understood as: " in capsys.readouterr().out
    new = Motion.load(tmp_path / "out" / "clip-raises-both-hands.npz")
    first, last = round(start * fps), round(end * fps)
    assert new.joints[: first + 1].tobytes() == old.joints[: first + 1].tobytes()
    assert new.joints[last:].tobytes() == old.joints[last:].tobytes()
    assert new.num_frames == old.num_frames
    changed = np.abs(new.joints[first + 1 : last] - old.joints[first + 1 : last]).max(axis=(1, 2))
    assert changed.max() > 0.01
    assert seam_speed(new, first) < 4.0
    assert seam_speed(new, last - 1) < 4.0
    assert [segment.text for segment in new.segments] == ["a person bows", "raises both hands", "a person bows"]
    assert new.segments[1] == MotionSegment("raises both hands", first / fps, last / fps)
    check_body(Motion(new.joints[first:last], fps), old)
    assert round(BLEND_SECONDS * fps) < (last - first) / 2


def test_a_body_is_put_where_another_one_stands(clip):
    joints = motionllm.load_motion(WALK_BVH).joints
    there = on_body(joints, clip.joints[-1], 0.2)
    np.testing.assert_allclose(placed(there[:1]), placed(clip.joints[-1:]), atol=1e-6)
    np.testing.assert_allclose(bone_lengths(there[5]), bone_lengths(clip.joints[-1]), atol=1e-5)
    assert there[..., 1].min() == pytest.approx(0.2)
    goal = carried(joints.astype(np.float64), 1.5, -2.0, -2.5)[0]
    led = lead_to(there, goal)
    np.testing.assert_allclose(placed(led[-1:]), placed(goal[None]), atol=1e-6)
    np.testing.assert_allclose(led[0], there[0], atol=1e-9)


@pytest.mark.parametrize("command,options,words", [
    ("generate", ["bows", "--after", "nowhere.npz"], ["no such file"]),
    ("generate", ["bows", "--before", "{clip}"], ["--before is for the way between two motions"]),
    ("generate", ["bows", "--after", "{clip}", "--before", "{clip}", "--duration", 0.4], ["0.4 s cannot be filled"]),
    ("generate", ["bows", "--after", "{clip}", "--before", "{clip}", "--then", "waves", "--duration", 2],
     ["--then"]),
    ("generate", ["bows", "--after", "{clip}", "--people", 2], ["--after goes on from a motion of one person"]),
    ("generate", ["bows", "--after", "{short}"], ["lasts 0.20 s", "0.25 s are needed"]),
    ("generate", ["bows", "--after", "{two}"], ["shows 2 people"]),
    ("generate", ["bows", "--after", "{slow}"], ["has 4 frames per second, too few", "--source-fps"]),
    ("generate", ["bows", "--after", "{clip}", "--then", "waves", "--duration", 1, 0.1], ["a duration of 0.1 s"]),
    ("generate", ["bows", "--after", "{clip}", "--duration", -1], ["a duration of -1 s"]),
    ("edit", ["{slow}", "bows", "--from", 0.5, "--to", 1.6], ["has 4 frames per second"]),
    ("edit", ["{clip}", "bows", "--from", "nan", "--to", 1], ["from nan to 1 s is none"]),
    ("edit", ["{clip}", "bows", "--from", 2, "--to", 1], ["from 2 to 1 s is none"]),
    ("edit", ["{clip}", "bows", "--from", -1, "--to", 1], ["leaves too little", "0.25 s before and after"]),
    ("edit", ["{clip}", "bows", "--from", 1, "--to", 60], ["leaves too little"]),
    ("edit", ["{clip}", "bows", "--from", 1, "--to", 1.2], ["0.2 s cannot be filled", "0.8 to 9.6 s"]),
    ("edit", ["{clip}", "", "--from", 0.5, "--to", 1.6], ["the text is empty"]),
    ("edit", ["{two}", "bows", "--from", 1, "--to", 2], ["shows 2 people"]),
])  # fmt: skip
def test_what_cannot_be_gone_on_from_is_one_line(turn_checkpoint, clip, tmp_path, capsys, command, options, words):
    files = {
        "clip": clip,
        "short": Motion(clip.joints[:6], 30, model="made up"),
        "slow": Motion(clip.joints[:12], 4, model="made up"),
        "two": Motion(np.stack([clip.joints, clip.joints[::-1]]), 30),
    }
    for name, motion in files.items():
        motion.save(tmp_path / f"{name}.npz")
    given = [str(option).format(**{name: tmp_path / f"{name}.npz" for name in files}) for option in options]
    assert run(turn_checkpoint, command, *given, "-o", tmp_path / "out") == 2
    assert_refused(capsys, words, tmp_path / "out")


@pytest.mark.parametrize("command, options", [
    ("generate", ["bows", "--after", "{}", "--duration", 0.4]),
    ("edit", ["{}", "bows", "--from", 0.4, "--to", 1.3]),
    ("caption", ["{}"]),
])  # fmt: skip
def test_a_file_without_a_rate_is_said_to_have_none(turn_checkpoint, tmp_path, capsys, command, options):
    np.save(tmp_path / "bow.npy", motionllm.load_motion(BOW_BVH).joints)
    given = [str(option).format(tmp_path / "bow.npy") for option in options]
    writing = [] if command == "caption" else ["--formats", "npz", "-o", tmp_path / "out"]
    assert cli([command, *given, "--model", str(turn_checkpoint), *map(str, writing)]) == 0
    assert capsys.readouterr().err.count(f"bow.npy: {untold_rate(20.0)}\n") == 1


def test_checkpoints_that_have_not_learnt_it_say_so(thin_checkpoint, clip_file, tmp_path, capsys):
    assert run(thin_checkpoint, "generate", "bows", "--after", clip_file, "-o", tmp_path / "out") == 2
    assert "knows no turns" in capsys.readouterr().err
    model = motionllm.MotionLLMForCausalLM.from_pretrained(thin_checkpoint)
    processor: Any = motionllm.MotionLLMProcessor.from_pretrained(thin_checkpoint)
    del processor.prompts["in_between"]
    with pytest.raises(motionllm.MotionLLMError, match="has not learnt to fill gaps"):
        edit_motion(model, processor, Motion.load(clip_file), "bows", 0.7, 2.0)
