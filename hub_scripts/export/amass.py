"""Writing a motion as the pose parameters of SMPL's bodies, laid out as AMASS has them (SMPL-X, 55 joints)."""

import os
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hub_scripts.skeletons.kinematics import rest_positions
from hub_scripts.skeletons.smpl import smpl_rest_offsets
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.fixed_body_motionllm import CHEST, PELVIS, fit_rotations
from modeling_motionllm.motion import Motion

from .rig import Rig, RigMotion
from .rotations import conjugate, from_matrix, multiply, rotate, swing
from .shown_motion import one_person, solve_people

__all__ = ["build_amass", "save_amass"]

_JOINTS, _BODY = 55, 22  # of SMPL-X: the body, then jaw, eyes and fingers, which do not turn
_Z_UP = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])  # y up to z up, a quarter turn about x


def _from_smpl_rest(rig: Rig) -> np.ndarray:
    """Quaternions (22, 4) that turn each joint from SMPL's rest pose to the rig's."""
    theirs, ours = smpl_rest_offsets(), rig.offsets
    turns = np.tile([1.0, 0.0, 0.0, 0.0], (_BODY, 1))
    for joint in range(_BODY):
        children = list(rig.children(joint))
        if joint in (PELVIS.joint, CHEST.joint):
            turns[joint] = from_matrix(fit_rotations(theirs[children], ours[None, children]))[0]
        elif children:
            start, end = (offsets[children[0]] / np.linalg.norm(offsets[children[0]]) for offsets in (theirs, ours))
            turns[joint] = swing(start, end)
        else:  # nothing shows how it is turned: it goes with its parent
            turns[joint] = turns[rig.parents[joint]]
    return turns


def build_amass(motion: RigMotion) -> dict[str, np.ndarray]:
    """The arrays of the file.

    Args:
        motion: one person, on the rig of 22 joints.
    """
    rig = motion.rig
    turns = _from_smpl_rest(rig)
    above = [max(parent, 0) for parent in rig.parents]
    # As SMPL has it, with R of a joint and C of its parent: C_parent^-1 R C; the root is turned to z up.
    local = multiply(multiply(conjugate(turns[above]), motion.rotations), turns)
    local[:, 0] = multiply(_Z_UP, multiply(motion.rotations[:, 0], turns[0]))
    poses = np.zeros((len(local), 3 * _JOINTS), dtype=np.float32)
    vectors = Rotation.from_quat(local.reshape(-1, 4), scalar_first=True).as_rotvec()
    poses[:, : 3 * _BODY] = vectors.reshape(len(local), -1)
    bones = rotate(conjugate(turns[above]), rig.offsets)
    bones[0] = 0.0
    return {
        "poses": poses,
        "root_orient": poses[:, :3],
        "pose_body": poses[:, 3 : 3 * _BODY],
        "trans": rotate(_Z_UP, motion.root_positions).astype(np.float32),
        "betas": np.zeros(16, dtype=np.float32),
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplx"),
        # Programs know the one or the other.
        "mocap_framerate": np.array(motion.fps),
        "mocap_frame_rate": np.array(motion.fps),
        "rest_joints": rest_positions(rig.parents, bones),
    }


def save_amass(
    motion: Motion, path: str | os.PathLike[str], *, person: int | None = None, fps: float | None = None
) -> Path:
    """Write one person of a motion as an AMASS-like `.npz`; equal motions give equal bytes.

    Z up, metres; rotations are relative to the rest pose of SMPL's bodies, whose shape is left at its mean (`betas`
    zero). The bones that the motion itself is on are in `rest_joints` (22, 3).

    Args:
        motion: what to write.
        path: ends in `.amass.npz`.
        person: which one, from 0; needed where there are several.
        fps: frames per second; the motion's own if None, else rotations are interpolated.

    Returns:
        The path.

    Raises:
        MotionLLMError: bad options, joints that no skeleton can follow, or the file cannot be written.
    """
    path = Path(path)
    arrays = build_amass(solve_people(one_person(motion, person, path.name), fps)[0])
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
    return path
