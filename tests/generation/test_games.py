"""Motions for games: `motionllm generate --loop`, `--in-place`, `--turn-to` and `--to`."""

import json

import numpy as np
import pytest
from conftest import assert_refused, read_golden

from hub_scripts.cli import main as cli
from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.motion_files import load_motion
from hub_scripts.export import save_motion
from hub_scripts.export.shown_motion import shown_motion
from hub_scripts.generation.shape import Shape
from hub_scripts.generation.shaping import shape_motion
from hub_scripts.metrics.physics import FootSkating, MotionClips
from hub_scripts.skeletons.loops import close_loop, loop_error
from hub_scripts.skeletons.paths import bend_path, floor_path, headings, without_path
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion, MotionSegment
from modeling_motionllm.motion_features import HUMANML3D, canonicalize_joints

FPS = 20.0
WALKS = (
    "dataset-1_walk_musical_001",
    "dataset-2_walk_elderly_004",
    "dataset-2_walk_exhausted_001",
    "dataset-1_run_proud_001",
    "dataset-2_run_normal_044",
)
STANDING = ("dataset-1_bow_childish_001", "dataset-1_bye_happy_001", "dataset-2_wave-right-hand_youthful_001")


def clip(name: str) -> np.ndarray:
    """A recorded motion from the origin, facing +Z."""
    return canonicalize_joints(read_golden()[name]["joints"].astype(np.float64))


def skating(joints: np.ndarray) -> float:
    return FootSkating().compute(MotionClips([joints]), np.random.default_rng(0))[0]


def bones(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[:, 1:] - joints[:, list(HUMANML3D.parents[1:])], axis=-1)


@pytest.mark.parametrize("name", WALKS)
def test_a_path_leads_to_a_place(name):
    joints = clip(name)
    far = np.linalg.norm(joints[-1, 0, [0, 2]])
    for ahead, left in ((1.0, 0.0), (0.7, 0.5), (0.6, -0.7)):
        goal = far * np.array([left, ahead])
        bend = bend_path(joints, FPS, to=tuple(goal))
        end = bend.joints[-1, 0, [0, 2]]
        assert np.hypot(*(end - goal)) == pytest.approx(bend.miss, abs=1e-6)
        assert bend.miss < 0.05
        assert 0.75 <= bend.scale <= 1.3
        np.testing.assert_allclose(bend.joints[0, 0], joints[0, 0])
        np.testing.assert_allclose(bones(bend.joints), bones(joints), atol=1e-6)
        # As the recording, no faster, and with feet that slide no more.
        assert np.abs(np.diff(bend.joints, axis=0)).max() < 1.3 * np.abs(np.diff(joints, axis=0)).max()
        assert skating(bend.joints) < 1.2 * skating(joints) + 10
    # Half of the way and no further, where the rest may go.
    short = bend_path(joints, FPS, to=(0.0, far / 2), cut=True)
    assert len(short.joints) < 0.7 * len(joints)
    assert short.miss < 0.05


@pytest.mark.parametrize("degrees", [-120.0, 0.0, 45.0, 180.0])
def test_a_motion_turns_to_a_heading(degrees):
    for name in ("dataset-1_walk_musical_001", "dataset-2_walk-turn-right_masculine_001"):
        joints = clip(name)
        bend = bend_path(joints, FPS, heading=np.radians(degrees))
        left = np.degrees(headings(bend.joints)[-1]) - degrees
        assert (left + 180) % 360 - 180 == pytest.approx(0, abs=0.5)
        assert len(bend.joints) == len(joints)
    both = bend_path(clip("dataset-1_walk_musical_001"), FPS, to=(4.0, 7.0), heading=np.radians(degrees))
    left = np.degrees(headings(both.joints)[-1]) - degrees
    assert (left + 180) % 360 - 180 == pytest.approx(0, abs=0.5)
    assert both.miss < 0.3


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_loops_in_place(name):
    loop = close_loop(clip(name), FPS, in_place=True)
    check_loop(loop.joints)
    assert loop.way > 1
    assert loop.path.shape == (len(loop.joints), 2)
    # Of the path nothing but the sway of the hips is left.
    assert np.ptp(loop.joints[:, 0, [0, 2]], axis=0).max() < 0.25
    going = loop.joints.copy()
    going[..., [0, 2]] += loop.path[:, None]
    assert skating(going) < 1.2 * skating(clip(name)) + 10


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("name", STANDING)
def test_what_stays_loops_as_it_is(name, in_place):
    joints = clip(name)
    loop = close_loop(joints, FPS, in_place)
    check_loop(loop.joints)
    assert loop.way < 0.3
    assert len(loop.joints) > len(joints) / 3
    np.testing.assert_allclose(bones(loop.joints), np.tile(bones(loop.joints[:1]), (len(loop.joints), 1)), atol=1e-6)


def check_loop(joints: np.ndarray) -> None:
    """The last frame is the first; velocities go on, and feet that stand at the seam do not slide there."""
    far, angle = loop_error(joints)
    assert far < 0.01
    assert angle < 2
    twice = np.concatenate([joints[:-1], joints])
    length = len(joints) - 1
    acceleration = np.linalg.norm(np.diff(twice, n=2, axis=0), axis=-1).max(-1) * FPS**2
    at_seam, elsewhere = (
        acceleration[length - 3 : length + 1].max(),
        np.delete(acceleration, range(length - 3, length + 1)),
    )
    assert at_seam <= max(1.2 * elsewhere.max(), 10)


def test_a_path_is_taken_out_and_put_back():
    joints = clip("dataset-1_walk_musical_001")
    path = floor_path(joints, FPS)
    np.testing.assert_allclose(path[[0, -1]], joints[[0, -1], 0][:, [0, 2]], atol=1e-9)
    still = without_path(joints, path)
    assert np.ptp(still[:, 0, [0, 2]], axis=0).max() < 0.25
    motion = shape_motion(Motion(joints), Shape(in_place=True)).motion
    put_back = motion.joints.copy()
    put_back[..., [0, 2]] += motion.root_path[:, None]
    np.testing.assert_allclose(put_back, joints, atol=1e-5)


def test_files_keep_the_path(tmp_path):
    motion = shape_motion(Motion(clip(WALKS[0]), caption="walks"), Shape(in_place=True, loop=True)).motion
    loaded = Motion.load(save_motion(motion, tmp_path / "walk.npz"))
    np.testing.assert_array_equal(loaded.root_path, motion.root_path)
    part = motion.part(10, 30)
    np.testing.assert_allclose(part.root_path, motion.root_path[10:30] - motion.root_path[10])
    with pytest.raises(MotionLLMError, match=r"root_path has shape \(3, 2\)"):
        Motion(motion.joints, root_path=np.zeros((3, 2)))
    data = save_motion(motion, tmp_path / "walk.glb", fps=30).read_bytes()
    asset = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    still, going = asset["animations"]
    assert (still["name"], going["name"]) == ("walks", "walks with root motion")
    assert going["channels"][:-1] == still["channels"]
    channel = going["channels"][-1]["target"]
    assert asset["nodes"][channel["node"]]["name"] == "person1"
    assert channel["path"] == "translation"
    keys = asset["accessors"][going["samplers"][-1]["output"]]
    assert keys["count"] == asset["accessors"][going["samplers"][0]["output"]]["count"]
    # Without a path there is one animation.
    data = save_motion(Motion(motion.joints), tmp_path / "plain.glb").read_bytes()
    assert len(json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])["animations"]) == 1


@pytest.mark.parametrize("shape", [
    Shape(loop=True, in_place=True),
    Shape(in_place=True),
    Shape(to=(2.0, 4.0)),
    Shape(to=(-1.0, 5.0), turn_to=90.0),
])  # fmt: skip
@pytest.mark.parametrize("name", [WALKS[1], WALKS[4]])
def test_every_format_shows_them_as_they_are(name, shape, tmp_path):
    motion = shape_motion(Motion(clip(name), caption="walks"), shape).motion
    # The body has been fixed: nothing bends the joints after that.
    assert shown_motion(motion).joints is motion.joints
    for suffix in (".bvh", ".glb", ".amass.npz"):
        named = suffix == ".glb" and motion.root_path is not None
        options = ReadingOptions(animation="walks" if named else None)
        again = load_motion(save_motion(motion, tmp_path / f"walk{suffix}"), options).joints
        assert len(again) == len(motion.joints)
        if suffix != ".amass.npz":  # which are other bones
            np.testing.assert_allclose(again, motion.joints, atol=1e-3)
        if shape.loop:
            far, angle = loop_error(again)
            assert far < 1e-4
            assert angle < 0.1


def test_what_is_no_loop_says_why():
    walk = shape_motion(Motion(clip(WALKS[0])), Shape(loop=True))
    assert "give --in-place too" in walk.problem
    assert walk.cost == np.inf
    turn = shape_motion(Motion(clip("dataset-2_walk-turn-left_youthful_001")), Shape(loop=True, in_place=True))
    assert turn.problem is None or "so that it is no loop" in turn.problem


def test_segments_stay_where_they_are():
    told = [MotionSegment("walk", 0, 2), MotionSegment("stop", 2, 8.9)]
    made = shape_motion(Motion(clip(WALKS[0]), segments=told), Shape(to=(1.0, 8.0), in_place=True))
    assert made.motion.segments == told
    assert [note.split(":")[0] for note in made.notes] == ["to 1 8", "in place"]


def generate(checkpoint, *options) -> int:
    return cli(["generate", *map(str, options), "--model", str(checkpoint)])


def test_the_command_makes_them(thin_checkpoint, tmp_path, capsys):
    options = ["--formats", "npz", "--seed", 3, "--duration", 3, "--num-return-sequences", 2]
    assert generate(thin_checkpoint, "walk", *options, "--in-place", "-o", tmp_path / "still", "--no-caption") == 0
    assert generate(thin_checkpoint, "walk", *options, "-o", tmp_path / "plain", "--no-caption") == 0
    for name in ("walk-sample1.npz", "walk-sample2.npz"):
        still, plain = (Motion.load(tmp_path / folder / name) for folder in ("still", "plain"))
        put_back = still.joints.copy()
        put_back[..., [0, 2]] += still.root_path[:, None]
        np.testing.assert_allclose(put_back, plain.joints, atol=1e-4)
        assert still.codes is None
        assert json.loads(still.settings)["in_place"] is True
    capsys.readouterr()
    assert generate(thin_checkpoint, "walk", *options, "--loop", "--in-place", "-o", tmp_path / "loop") == 0
    out = capsys.readouterr().out
    assert out.count("its ends are 0.00 cm and 0.0 degrees apart (") == 2
    assert out.count("  in place: a path of ") == 2
    assert out.count("  understood as: ") == 2
    again = ["--loop", "--in-place", "-o", tmp_path / "loop", "--skip-existing"]
    assert generate(thin_checkpoint, "walk", *options, *again) == 0
    assert capsys.readouterr().out == ""
    assert generate(thin_checkpoint, "walk", *options, "--to", -0.5, 0.5, "--turn-to", 90, "-o", tmp_path / "to") == 0
    assert capsys.readouterr().out.count("  to -0.5 0.5: ends ") == 2
    # Without a duration a motion that stops before the place is drawn again, longer.
    far = ["--to", 0, 40, "--seed", 3, "--formats", "npz", "-o", tmp_path / "far", "--no-caption"]
    assert generate(thin_checkpoint, "walk", *far) == 0
    assert " m from there (way turned by " in capsys.readouterr().out


@pytest.mark.parametrize("options,words", [
    (["--loop", "--to", 1, 1], ["--loop ends as it begins, and --to does not"]),
    (["--loop", "--turn-to", 0], ["--loop ends as it begins, and --turn-to does not"]),
    (["--loop", "--then", "bow"], ["--loop ends as it begins, and --then does not"]),
    (["--loop", "--split"], ["--loop ends as it begins, and --split does not"]),
    (["--loop", "--duration", 0.6], ["--duration is 0.6 s, too short to find a loop in"]),
    (["--turn-to", 270], ["--turn-to is 270; give degrees from -180 to 180"]),
    (["--to", "nan", 1], ["--to is nan 1; give metres"]),
    (["--in-place", "--people", 2], ["--in-place is for single motions that are made whole, not for --people"]),
    (["--to", 1, 1, "--after", "a.npz"], ["--to is for single motions that are made whole, not for --after"]),
    (["--turn-to", 0, "--dataset-dir", "data"], ["--turn-to is for single motions", "not for --dataset-dir"]),
])  # fmt: skip
def test_what_does_not_go_together_is_one_line(thin_checkpoint, tmp_path, capsys, options, words):
    assert generate(thin_checkpoint, "walk", *options, "-o", tmp_path / "out") == 2
    assert_refused(capsys, words, tmp_path / "out")
