"""Pose parameters of SMPL's bodies in `.npz` files (AMASS, SMPL-H, SMPL-X, HY-Motion) as joints.

The body models have licences of their own and are neither shipped nor needed: forward kinematics runs on bones of ours.
"""

import math
from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from hub_scripts.skeletons.kinematics import forward_kinematics
from hub_scripts.skeletons.smpl import smpl_rest_offsets
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

from .retarget import JointPositions

__all__ = ["holds_poses", "posed_body"]

_JOINTS = HUMANML3D.num_joints
# The names under which programs keep rotations of the whole body, of root and body apart, and the way of the root.
_WHOLE = ("poses", "fullpose", "smpl_poses")
_ROOT, _BODY = ("root_orient", "global_orient", "Rh"), ("pose_body", "body_pose")
_TRANSLATION = ("trans", "transl", "smpl_trans")
_NOTE = "SMPL pose parameters, put on bones of ours (an adult of 1.7 m); its body shape (betas) is not looked at"


def holds_poses(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether an `.npz` holds the pose parameters of a body."""
    return _first(arrays, _WHOLE) is not None or (
        _first(arrays, _ROOT) is not None and _first(arrays, _BODY) is not None
    )


def posed_body(arrays: Mapping[str, np.ndarray], fps: float, name: str) -> JointPositions:
    """The joints of a body that its parameters turn.

    Args:
        arrays: `poses` (T, 66 or more) or (T, 22 or more, 3), axis-angle in radians, or matrices (T, 22 or more, 3, 3);
            or `root_orient` (T, 3) and `pose_body` (T, 63), likewise; and `trans` (T, 3) metres. `rest_joints` (22, 3)
            are the bones they are for, which files of ours say; bones of ours are taken else.
        fps: frames per second.
        name: what error messages call it.

    Raises:
        MotionLLMError: shapes that do not fit, NaN or infinite values, no frames.
    """
    poses, translation = _poses(arrays, name), _first(arrays, _TRANSLATION)
    if translation is None:
        raise MotionLLMError(f"'{name}' has poses but no 'trans', only {sorted(arrays)}; add where the body is (T, 3)")
    translation = _numbers(translation, name)
    if translation.shape != (len(poses), 3) or len(poses) == 0:
        raise MotionLLMError(
            f"'{name}' has poses of {len(poses)} frames and a 'trans' of shape {translation.shape}; give "
            f"({len(poses)}, 3), at least one frame"
        )
    notes: list[str] = []
    if "rest_joints" in arrays:
        rest = _numbers(arrays["rest_joints"], name)
        if rest.shape != (_JOINTS, 3):
            raise MotionLLMError(f"'{name}' has 'rest_joints' of shape {rest.shape}; give (22, 3), or leave them out")
        offsets = rest - rest[[max(parent, 0) for parent in HUMANML3D.parents]]
    else:
        offsets = smpl_rest_offsets()
        notes.append(_NOTE)
    if not poses[:, 1:].any():
        notes.append("no joint is turned in any frame: the body keeps its T-pose")
    placed = np.tile(offsets, (len(poses), 1, 1))
    placed[:, 0] = translation
    turns = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(len(poses), _JOINTS, 3, 3)
    positions = forward_kinematics(HUMANML3D.parents, placed, turns)
    return JointPositions(HUMANML3D.joint_names, HUMANML3D.parents, positions, None, fps, notes=tuple(notes))


def _poses(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Axis-angle vectors (T, 22, 3)."""
    whole, body, root = (_first(arrays, names) for names in (_WHOLE, _BODY, _ROOT))
    parts = [whole] if whole is not None else [part for part in (root, body) if part is not None]
    parts = [_axis_angles(_numbers(part, name), part is root) for part in parts]
    flat = [part.reshape(len(part), math.prod(part.shape[1:])) for part in parts if part.ndim in (2, 3)]
    frames = {len(part) for part in flat}
    if len(flat) != len(parts) or len(frames) != 1 or sum(part.shape[1] for part in flat) < 3 * _JOINTS:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise MotionLLMError(f"'{name}' has poses of shape {shapes}; give (T, 66) or more, three numbers a joint")
    return np.concatenate(flat, axis=1)[:, : 3 * _JOINTS].reshape(-1, _JOINTS, 3)


def _axis_angles(rotations: np.ndarray, alone: bool) -> np.ndarray:
    """Rotations (T, J, 3, 3) as axis-angle vectors (T, J, 3); so are those of one joint, (T, 3, 3). Others stay."""
    if rotations.shape[-2:] != (3, 3) or rotations.ndim not in ((3, 4) if alone else (4,)):
        return rotations
    matrices = rotations.reshape(-1, 3, 3)
    if not np.allclose(np.linalg.det(matrices), 1.0, atol=1e-2):
        return rotations
    return Rotation.from_matrix(matrices).as_rotvec().reshape(len(rotations), -1, 3)


def _first(arrays: Mapping[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _numbers(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise MotionLLMError(f"'{name}' holds pose parameters that are NaN, infinite or no numbers; repair it")
    return array.astype(np.float64)
