"""SMPL-22: a motion of another skeleton as its 22 joints, and the pose that SMPL's rotations are relative to."""

from dataclasses import replace

import numpy as np

from hub_scripts.skeletons.missing_joints import add_missing_joints
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D

__all__ = ["smpl_motion", "smpl_rest_offsets"]

# Joints of other skeletons that have the place of one of SMPL-22 under another name. Each foot of KIT-ML has an ankle
# and two joints before it; the last one is what its published processing uses as SMPL's foot (ground contacts).
_NAMES = {"left_foot": "left_toe", "right_foot": "right_toe"}

# Where bones point, roughly, in somebody who stands with the arms out to the sides, the feet apart and turned out a
# little: the pose that rotations of SMPL's bodies start from. Of the left side and the middle; not of unit length.
_REST = {
    **{"left_hip": (0.60, -0.80, -0.06), "left_knee": (0.09, -1.0, -0.01), "left_ankle": (-0.03, -1.0, -0.11)},
    **{"left_foot": (0.20, -0.42, 0.89), "spine1": (0.0, 0.97, -0.24), "spine2": (0.0, 1.0, 0.02)},
    **{"spine3": (0.0, 0.90, 0.43), "neck": (0.0, 0.98, -0.20), "head": (0.0, 0.79, 0.62)},
    **{"left_collar": (0.54, 0.81, -0.23), "left_shoulder": (0.94, 0.31, -0.09)},
    **{"left_elbow": (0.99, -0.05, -0.10), "left_wrist": (1.0, 0.03, 0.0)},
}


def smpl_rest_offsets() -> np.ndarray:
    """The bones of a body in the pose that SMPL's rotations are relative to: Y up, facing +Z, the left at +X.

    They are ours (directions by hand, lengths those of HumanML3D's target body), not those of a body model.

    Returns:
        float64 (22, 3), from the parent to each joint, metres; zero for the root.
    """
    offsets, lengths = np.zeros((HUMANML3D.num_joints, 3)), HUMANML3D.bone_lengths or ()
    for index, joint in enumerate(HUMANML3D.joint_names[1:], start=1):
        direction = np.array(_REST[joint.replace("right_", "left_")])
        direction = direction * ([-1.0, 1.0, 1.0] if joint.startswith("right_") else 1.0)
        offsets[index] = lengths[index] * direction / np.linalg.norm(direction)
    return offsets


def smpl_motion(motion: Motion) -> Motion:
    """The motion with joints (..., T, 22, 3) in SMPL-22 order; one that has them already is returned as it is.

    Joints of the same name are taken over. Those that the skeleton lacks (of KIT-ML: spine3 and the collars) are placed
    between their neighbours as the SMPL body has them. Features are left out: they are of the other skeleton.

    Raises:
        MotionLLMError: joints that others are placed between share one place.
    """
    own = motion.skeleton
    if own is HUMANML3D:
        return motion
    joints = np.zeros((*motion.joints.shape[:-2], HUMANML3D.num_joints, 3), dtype=np.float64)
    known = set()
    for index, name in enumerate(HUMANML3D.joint_names):
        theirs = _NAMES[name] if _NAMES.get(name) in own.joint_names else name
        if theirs in own.joint_names:
            known.add(name)
            joints[..., index, :] = motion.joints[..., own.joint_names.index(theirs), :]
    thigh, shin = (
        np.linalg.norm(motion.joints[..., joint, :] - motion.joints[..., own.parents[joint], :], axis=-1)
        for joint in own.leg
    )
    flat = joints.reshape(-1, HUMANML3D.num_joints, 3)
    add_missing_joints(flat, known, float(np.median(thigh + shin)), motion.caption or f"motion of '{own.name}'")
    return replace(motion, joints=flat.reshape(joints.shape), features=None)
