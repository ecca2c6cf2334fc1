"""`Rig` and `RigMotion`: a skeleton of fixed bones in T-pose, and joint rotations over time that move it."""

from dataclasses import dataclass, replace

import numpy as np

from hub_scripts.skeletons import kinematics
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

from .rotations import align_signs, multiply, slerp, to_matrix

__all__ = [
    "JOINT_NAMES",
    "Rig",
    "RigMotion",
    "check_fps",
    "check_skeleton",
    "forward_kinematics",
    "rename_joints",
    "resample_rotations",
]

# The 22 joints in the words of other programs; "" where a skeleton has no such joint.
JOINT_NAMES: dict[str, tuple[str, ...]] = {
    "smpl": HUMANML3D.joint_names,
    "mixamo": tuple(
        f"mixamorig:{name}"
        for name in (
            *("Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot"),
            *("Spine2", "LeftToeBase", "RightToeBase", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm"),
            *("RightArm", "LeftForeArm", "RightForeArm", "LeftHand", "RightHand"),
        )
    ),
    "cmu": (
        *("Hips", "LeftUpLeg", "RightUpLeg", "LowerBack", "LeftLeg", "RightLeg", "Spine", "LeftFoot", "RightFoot"),
        *("Spine1", "LeftToeBase", "RightToeBase", "Neck1", "LeftShoulder", "RightShoulder", "Head", "LeftArm"),
        *("RightArm", "LeftForeArm", "RightForeArm", "LeftHand", "RightHand"),
    ),
    "bandai": (
        *("Hips", "UpperLeg_L", "UpperLeg_R", "Spine", "LowerLeg_L", "LowerLeg_R", "", "Foot_L", "Foot_R", "Chest"),
        *("Toes_L", "Toes_R", "Neck", "Shoulder_L", "Shoulder_R", "Head", "UpperArm_L", "UpperArm_R", "LowerArm_L"),
        *("LowerArm_R", "Hand_L", "Hand_R"),
    ),
}


@dataclass(frozen=True, eq=False)
class Rig:
    """A skeleton of fixed bones; its rest pose is a T-pose that faces +Z, with identity rotations everywhere.

    Args:
        joint_names: J names.
        parents: index of each joint's parent, -1 for the root; parents come before children.
        offsets: float64 (J, 3), from the parent to the joint in the rest pose, metres; zero for the root.
        tips: float64 (J, 3), from a joint without children to the end of its bone (crown, fingertips, toes); else zero.
        smpl_rest: float64 (22, 3), the joints of SMPL-22 in the rest pose, also those that this rig leaves out.
        carriers: for each joint of SMPL-22 the joint of this rig that it moves with.
    """

    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    tips: np.ndarray
    smpl_rest: np.ndarray
    carriers: tuple[int, ...]

    @property
    def rest_positions(self) -> np.ndarray:
        """Joints in the rest pose, float64 (J, 3), metres; the root is at the origin."""
        return kinematics.rest_positions(self.parents, self.offsets)

    def children(self, joint: int) -> tuple[int, ...]:
        """Indices of the joints below `joint`."""
        return tuple(child for child, parent in enumerate(self.parents) if parent == joint)


@dataclass(frozen=True, eq=False)
class RigMotion:
    """One person's motion as rotations.

    Args:
        rig: the skeleton.
        root_positions: float64 (T, 3), of the root, metres, Y up.
        rotations: float64 (T, J, 4), unit quaternions (w, x, y, z), each relative to the parent's; sign-continuous.
        fps: frames per second.
    """

    rig: Rig
    root_positions: np.ndarray
    rotations: np.ndarray
    fps: float


def forward_kinematics(motion: RigMotion) -> np.ndarray:
    """Positions of all joints, float64 (T, J, 3), metres."""
    offsets = np.tile(motion.rig.offsets, (len(motion.rotations), 1, 1))
    offsets[:, 0] = motion.root_positions
    return kinematics.forward_kinematics(motion.rig.parents, offsets, to_matrix(motion.rotations))


def check_skeleton(skeleton: str) -> None:
    """Raise `MotionLLMError` unless there are joint names for `skeleton`."""
    if skeleton not in JOINT_NAMES:
        raise MotionLLMError(f"skeleton is '{skeleton}'; choose one of {', '.join(JOINT_NAMES)}")


def check_fps(fps: float) -> float:
    """`fps` as a float.

    Raises:
        MotionLLMError: not between 1 and 1000.
    """
    if not 1 <= fps <= 1000:
        raise MotionLLMError(f"fps is {fps:g}; give 1 to 1000 frames per second, such as 30 or 60")
    return float(fps)


def resample_rotations(motion: RigMotion, fps: float) -> RigMotion:
    """The motion at another frame rate: rotations along great arcs, the root along straight lines.

    As with `resample_joints`, frame k lies at k / fps seconds and the result never reaches past the last frame.

    Raises:
        MotionLLMError: `fps` is not between 1 and 1000.
    """
    fps = check_fps(fps)
    if fps == motion.fps:
        return motion
    last = len(motion.rotations) - 1
    times = np.arange(int(last * fps / motion.fps + 1e-9) + 1) * (motion.fps / fps)
    low = np.minimum(times.astype(int), last)
    high, share = np.minimum(low + 1, last), times - low
    rotations = slerp(motion.rotations[low], motion.rotations[high], share[:, None])
    below, above = motion.root_positions[low], motion.root_positions[high]
    return replace(
        motion,
        rotations=align_signs(rotations),
        root_positions=below + share[:, None] * (above - below),
        fps=fps,
    )


def rename_joints(motion: RigMotion, skeleton: str) -> RigMotion:
    """The motion with the joint names of another skeleton.

    A joint that the skeleton lacks (spine2 of "bandai") is merged into its parent and child; joints move then exactly
    as before only where the two bones at that joint lie in one line.

    Args:
        motion: with all 22 joints.
        skeleton: "smpl", "mixamo", "cmu" or "bandai".

    Raises:
        MotionLLMError: no such skeleton.
    """
    check_skeleton(skeleton)
    names, rig = JOINT_NAMES[skeleton], motion.rig
    parents, offsets, rotations = list(rig.parents), rig.offsets.copy(), motion.rotations.copy()
    for joint in [joint for joint, name in enumerate(names) if not name]:
        for child in rig.children(joint):
            parents[child] = parents[joint]
            offsets[child] = offsets[joint] + offsets[child]
            rotations[:, child] = multiply(rotations[:, joint], rotations[:, child])
    kept = [joint for joint, name in enumerate(names) if name]
    renamed = Rig(
        joint_names=tuple(names[joint] for joint in kept),
        parents=tuple(kept.index(parents[joint]) if parents[joint] >= 0 else -1 for joint in kept),
        offsets=offsets[kept],
        tips=rig.tips[kept],
        smpl_rest=rig.smpl_rest,
        carriers=tuple(kept.index(joint if joint in kept else parents[joint]) for joint in range(22)),
    )
    return replace(motion, rig=renamed, rotations=align_signs(rotations[:, kept]))
