"""`smpl_motion`: a motion of another skeleton as the 22 joints that pictures and rigs are made for."""

from dataclasses import replace

import numpy as np

from hub_scripts.skeletons.missing_joints import add_missing_joints
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D

__all__ = ["smpl_motion"]

# Joints of other skeletons that have the place of one of SMPL-22 under another name. Each foot of KIT-ML has an ankle
# and two joints before it; the last one is what its published processing uses as SMPL's foot (ground contacts).
_NAMES = {"left_foot": "left_toe", "right_foot": "right_toe"}


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
