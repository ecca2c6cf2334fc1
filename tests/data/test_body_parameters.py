"""Pose parameters of SMPL's bodies, as AMASS, SMPL-X and HY-Motion write them, on bones of ours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hub_scripts.cli import main
from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.joint_arrays import untold_rate
from hub_scripts.data.motion_files import load_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D

INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
OURS = (
    "clip.npz: SMPL pose parameters, put on bones of ours (an adult of 1.7 m); its body shape (betas) is not looked at"
)
FRAMES = 40


def poses(z_up: bool = True) -> np.ndarray:
    """(T, 52, 3): the left arm goes up to the side, the right knee bends, in AMASS's axes or Y up."""
    turns = np.zeros((FRAMES, 52, 3))
    share = np.linspace(0, 1, FRAMES)
    turns[:, 0, 0] = np.pi / 2 if z_up else 0.0
    turns[:, INDEX["left_shoulder"], 2] = np.pi / 2 * share
    turns[:, INDEX["right_knee"], 0] = np.pi / 3 * share
    return turns


def way(z_up: bool = True) -> np.ndarray:
    forward = np.linspace(0, 2, FRAMES)
    still = np.full(FRAMES, 0.95)
    return np.stack([0 * still, -forward, still] if z_up else [0 * still, still, forward], axis=-1)


def load(tmp_path: Path, **arrays: Any) -> tuple[Motion, list[str]]:
    np.savez(tmp_path / "clip.npz", **arrays)
    notes: list[str] = []
    return load_motion(tmp_path / "clip.npz", None, notes.append), notes


def test_rotation_matrices_are_the_same_poses(tmp_path: Path) -> None:
    vectors = poses()
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(FRAMES, 52, 3, 3)
    expected, _ = load(tmp_path, poses=vectors.reshape(FRAMES, -1), trans=way(), fps=30.0)
    whole, _ = load(tmp_path, poses=matrices[:, :24], trans=way(), fps=30.0)
    np.testing.assert_allclose(whole.joints, expected.joints, atol=1e-5)
    for root in (matrices[:, 0], matrices[:, :1]):
        parts, _ = load(tmp_path, global_orient=root, body_pose=matrices[:, 1:24], transl=way(), fps=30.0)
        np.testing.assert_allclose(parts.joints, expected.joints, atol=1e-5)


def test_amass_stands_in_metres_and_moves_as_it_says(tmp_path: Path) -> None:
    motion, notes = load(
        tmp_path, poses=poses().reshape(FRAMES, -1), trans=way(), betas=np.ones(16), mocap_framerate=120.0
    )
    assert notes == ["clip.npz: smpl22 skeleton, metres, z up, 120 fps", OURS]
    assert (motion.num_frames, motion.fps) == (FRAMES, 120)
    joints = {joint: motion.joints[:, index] for joint, index in INDEX.items()}
    np.testing.assert_allclose(joints["pelvis"][:, 2], np.linspace(0, 2, FRAMES), atol=1e-5)
    assert joints["left_ankle"][0, 0] > 0.05 > -0.05 > joints["right_ankle"][0, 0]
    assert joints["left_foot"][0, 2] > joints["left_ankle"][0, 2] + 0.08  # faces +z
    arm = joints["left_wrist"] - joints["left_shoulder"]
    assert abs(arm[0, 1]) < 0.05
    assert arm[0, 0] > 0.5
    assert arm[-1, 1] > 0.5
    assert abs(arm[-1, 0]) < 0.1
    assert joints["right_ankle"][-1, 1] > joints["left_ankle"][-1, 1] + 0.15
    assert joints["right_ankle"][-1, 2] < joints["left_ankle"][-1, 2] - 0.2
    lengths = np.linalg.norm(motion.joints[:, 1:] - motion.joints[:, list(HUMANML3D.parents[1:])], axis=-1)
    np.testing.assert_allclose(lengths, np.tile((HUMANML3D.bone_lengths or ())[1:], (FRAMES, 1)), atol=1e-5)


def test_other_programs_keep_them_otherwise(tmp_path: Path) -> None:
    whole = poses().reshape(FRAMES, -1)
    expected, _ = load(tmp_path, poses=whole, trans=way(), mocap_framerate=30.0)
    for arrays in (
        {"root_orient": whole[:, :3], "pose_body": whole[:, 3:66], "trans": way(), "mocap_frame_rate": np.array([30])},
        {"global_orient": whole[:, :3], "body_pose": whole[:, 3:66].reshape(FRAMES, 21, 3), "transl": way(), "fps": 30},
        {"poses": whole[:, :72], "trans": way(), "fps": 30},
        {"poses": poses(), "Rh": whole[:, :3], "trans": way(), "betas": np.zeros((1, 16)), "gender": np.array(["x"])},
    ):
        motion, notes = load(tmp_path, **arrays)
        np.testing.assert_allclose(motion.joints, expected.joints, atol=1e-6)
        assert motion.fps == 30
        guessed = f"clip.npz: {untold_rate(30.0)}"
        assert (guessed in notes) == ("Rh" in arrays)
    upright, _ = load(tmp_path, poses=poses(z_up=False), trans=way(z_up=False), fps=30.0)  # HY-Motion is Y up
    np.testing.assert_allclose(upright.joints, expected.joints, atol=1e-5)
    np.testing.assert_allclose(
        load_motion(tmp_path / "clip.npz", ReadingOptions(fps=60.0, start=0.1)).joints, expected.joints[6:], atol=1e-5
    )


def test_their_own_bones_where_a_file_has_them(tmp_path: Path) -> None:
    joints, _ = load(tmp_path, poses=np.zeros((3, 66)), trans=way(False)[:3], fps=20.0)
    rest = 0.9 * joints.joints[0]
    motion, notes = load(tmp_path, poses=poses(False)[:3], trans=way(False)[:3], fps=20.0, rest_joints=rest)
    assert OURS not in notes
    thigh = np.linalg.norm(motion.joints[:, INDEX["left_knee"]] - motion.joints[:, INDEX["left_hip"]], axis=-1)
    np.testing.assert_allclose(thigh, 0.9 * (HUMANML3D.bone_lengths or ())[4], atol=1e-5)


def test_a_t_pose_is_said(tmp_path: Path) -> None:
    _, notes = load(tmp_path, poses=np.zeros((FRAMES, 156)), trans=way(False), mocap_framerate=120.0)
    assert "clip.npz: no joint is turned in any frame: the body keeps its T-pose" in notes


@pytest.mark.parametrize(
    "arrays, said",
    [
        ({"poses": np.zeros((9, 66))}, "has poses but no 'trans'"),
        ({"poses": np.zeros((9, 66)), "trans": np.zeros((8, 3))}, r"a 'trans' of shape \(8, 3\); give \(9, 3\)"),
        ({"poses": np.zeros((9, 63)), "trans": np.zeros((9, 3))}, r"poses of shape \(9, 63\); give \(T, 66\)"),
        ({"poses": np.full((9, 66), np.nan), "trans": np.zeros((9, 3))}, "are NaN, infinite or no numbers"),
        ({"poses": np.zeros((0, 66)), "trans": np.zeros((0, 3))}, "at least one frame"),
        ({"poses": np.zeros((9, 66)), "trans": np.zeros((9, 3)), "rest_joints": np.zeros((24, 3))}, "'rest_joints'"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(MotionLLMError, match=said) as caught:
        load(tmp_path, **arrays)
    assert "\n" not in str(caught.value)


def test_convert_reads_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "walk.npz", poses=poses(), trans=way(), mocap_framerate=60.0)
    assert main(["convert", str(tmp_path / "walk.npz"), str(tmp_path / "walk.bvh")]) == 0
    assert "put on bones of ours" in capsys.readouterr().err
