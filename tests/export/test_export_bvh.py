"""BVH files: what was written is read back, by our reader and by name; and everything that is refused."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import read_golden

from hub_scripts.data.bvh import Bvh, forward_kinematics, read_bvh
from hub_scripts.data.motion_files import load_motion
from hub_scripts.export import save_motion
from hub_scripts.export.rig import JOINT_NAMES
from hub_scripts.export.shown_motion import shown_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from motionllm import save_motion_files

CLIPS = ["dataset-1_walk_normal_002", "dataset-1_punch_normal_001"]


def clip(name: str = CLIPS[0], **options) -> Motion:
    return Motion(read_golden()[name]["joints"], **options)


def duet() -> Motion:
    joints = read_golden()[CLIPS[0]]["joints"]
    return Motion(np.stack([joints, joints[::-1] + np.float32([1, 0, 0])]))


def positions(bvh: Bvh, skeleton: str = "smpl", scale: float = 0.01) -> np.ndarray:
    """Metres, in SMPL-22 order, without the joints that the skeleton lacks."""
    order = [bvh.joint_names.index(name) for name in JOINT_NAMES[skeleton] if name]
    return forward_kinematics(bvh)[:, order] * scale


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("skeleton", JOINT_NAMES)
def test_joints_come_back(tmp_path: Path, name: str, skeleton: str) -> None:
    motion = clip(name)
    bvh = read_bvh(save_motion(motion, tmp_path / "clip.bvh", skeleton=skeleton))
    assert sorted(bvh.joint_names) == sorted(name for name in JOINT_NAMES[skeleton] if name)
    assert bvh.fps == 20
    kept = [joint for joint, name in enumerate(JOINT_NAMES[skeleton]) if name]
    error = np.linalg.norm(positions(bvh, skeleton) - shown_motion(motion).joints[:, kept], axis=-1)
    assert error.max() < (0.02 if skeleton == "bandai" else 0.0005)  # whose spine is one bone, and straight
    error = np.linalg.norm(positions(bvh, skeleton) - motion.joints[:, kept], axis=-1)
    assert np.median(error) < 0.001
    assert error.max() < 0.03  # the bones of these clips stretch by as much in single frames


@pytest.mark.parametrize("units,scale", [("cm", 0.01), ("m", 1.0)])
def test_units(tmp_path: Path, units: str, scale: float) -> None:
    motion = clip()
    bvh = read_bvh(save_motion(motion, tmp_path / "clip.bvh", units=units))
    np.testing.assert_allclose(positions(bvh, scale=scale), shown_motion(motion).joints, atol=1e-5)


@pytest.mark.parametrize("order", ["ZXY", "YZX"])
def test_the_order_of_the_rotations(tmp_path: Path, order: str) -> None:
    motion = clip()
    path = save_motion(motion, tmp_path / "clip.bvh", rotation_order=order)
    bvh = read_bvh(path)
    assert bvh.channels[1] == tuple(f"{axis}rotation" for axis in order)
    assert np.median(np.linalg.norm(positions(bvh) - motion.joints, axis=-1)) < 0.001


def test_the_rest_pose_is_a_t_pose(tmp_path: Path) -> None:
    bvh = read_bvh(save_motion(clip(), tmp_path / "clip.bvh"))
    bvh.frames[:] = 0
    rest = positions(bvh)[0]
    assert np.ptp(rest[[16, 18, 20, 17, 19, 21], 1]) < 0.01  # both arms at the height of the shoulders
    assert rest[20, 0] > rest[18, 0] > rest[16, 0] > 0 > rest[17, 0] > rest[19, 0] > rest[21, 0]
    assert rest[10, 2] > rest[7, 2] + 0.05  # the feet point forward
    assert rest[7, 1] < rest[4, 1] < rest[1, 1] < rest[0, 1] < rest[3, 1] < rest[9, 1] < rest[12, 1] < rest[15, 1]
    np.testing.assert_array_equal(bvh.offsets[0], 0)


@pytest.mark.parametrize("fps", [30, 60])
def test_another_frame_rate(tmp_path: Path, fps: int) -> None:
    motion = clip()
    bvh = read_bvh(save_motion(motion, tmp_path / "clip.bvh", fps=fps))
    assert bvh.fps == fps
    assert len(bvh.frames) == (motion.num_frames - 1) * fps // 20 + 1
    shared = positions(bvh)[:: fps // 10]
    assert np.median(np.linalg.norm(shared - motion.joints[::2][: len(shared)], axis=-1)) < 0.001


def test_angles_run_on_past_a_half_turn(tmp_path: Path) -> None:
    pose = clip().joints[0].astype(float)
    angle = np.linspace(0, 4 * np.pi, 120)[:, None]
    centred = pose - pose[0] * [1, 0, 1]
    x, z = centred[:, 0], centred[:, 2]
    turned = [
        np.cos(angle) * x + np.sin(angle) * z,
        np.tile(pose[:, 1], (120, 1)),
        np.cos(angle) * z - np.sin(angle) * x,
    ]
    bvh = read_bvh(save_motion(Motion(np.stack(turned, axis=-1)), tmp_path / "spin.bvh"))
    assert np.abs(np.diff(bvh.frames[:, 3:], axis=0)).max() < 15
    heading = bvh.frames[:, 3 + bvh.channels[0][3:].index("Yrotation")]
    assert heading[-1] - heading[0] == pytest.approx(720, abs=1)


def test_the_bandai_names_load_as_a_motion(tmp_path: Path) -> None:
    motion = clip()
    again = load_motion(save_motion(motion, tmp_path / "clip.bvh", skeleton="bandai"))
    assert (again.fps, again.num_frames) == (20.0, motion.num_frames)
    assert np.median(np.linalg.norm(again.joints - motion.joints, axis=-1)) < 0.001


def test_equal_motions_give_equal_bytes_without_negative_zeros(tmp_path: Path) -> None:
    first, second = (save_motion(clip(), tmp_path / name).read_bytes() for name in ("a.bvh", "b.bvh"))
    assert first == second
    assert re.search(rb"-0\.0+\b", first) is None
    assert first.endswith(b"\n")


def test_several_people_get_a_file_each(tmp_path: Path) -> None:
    motion = duet()
    with pytest.raises(MotionLLMError, match=r"'duet.bvh' can hold one person and the motion has 2.*person=0 to 1"):
        save_motion(motion, tmp_path / "duet.bvh")
    paths = save_motion_files(motion, tmp_path / "duet.bvh", units="m")
    assert [path.name for path in paths] == ["duet-person1.bvh", "duet-person2.bvh"]
    assert sorted(tmp_path.iterdir()) == paths
    for path, joints in zip(paths, motion.joints, strict=True):
        assert np.median(np.linalg.norm(positions(read_bvh(path), scale=1.0) - joints, axis=-1)) < 0.001
    assert save_motion_files(clip(), tmp_path / "solo.bvh") == [tmp_path / "solo.bvh"]
    assert save_motion_files(motion, tmp_path / "duet.npz") == [tmp_path / "duet.npz"]
    assert save_motion_files(motion, tmp_path / "second.bvh", person=1) == [tmp_path / "second.bvh"]
    with pytest.raises(MotionLLMError, match="person is 2; the motion has 2"):
        save_motion(motion, tmp_path / "third.bvh", person=2)


@pytest.mark.parametrize("options,words", [
    ({"skeleton": "vicon"}, "skeleton is 'vicon'; choose one of smpl, mixamo"),
    ({"units": "inch"}, "units is 'inch'; choose one of cm, m"),
    ({"rotation_order": "ZZZ"}, "rotation order is 'ZZZ'"),
    ({"fps": 0}, "fps is 0"),
    ({"fps": float("nan")}, "fps is nan"),
])  # fmt: skip
def test_bad_options_are_refused_and_leave_no_file(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(MotionLLMError, match=re.escape(words)):
        save_motion(clip(), tmp_path / "clip.bvh", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match="cannot write"):
        save_motion(clip(), tmp_path / "missing" / "clip.bvh")


@pytest.mark.parametrize("suffix", ["bvh", "glb"])
def test_ten_seconds_are_written_in_a_moment(tmp_path: Path, suffix: str) -> None:
    joints = read_golden()[CLIPS[1]]["joints"]
    motion = Motion(np.concatenate([joints, joints])[:200])

    def seconds() -> float:
        start = time.process_time()
        save_motion(motion, tmp_path / f"clip.{suffix}")
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < 0.2
