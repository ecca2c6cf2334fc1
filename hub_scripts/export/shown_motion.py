"""The gate that motions pass on their way out: on a body of fixed bones, at the frame rate that is asked for."""

from dataclasses import replace

import numpy as np

from hub_scripts.skeletons.smpl import smpl_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.fixed_body_motionllm import fixed_body
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, resample_joints
from modeling_motionllm.planted_feet_motionllm import legs_of, move_foot, stands

from .ik import solve_rotations
from .rig import (
    JOINT_NAMES,
    RigMotion,
    check_fps,
    check_skeleton,
    forward_kinematics,
    rename_joints,
    resample_rotations,
)

__all__ = ["one_person", "shown_motion", "solve_people"]

_SPINE2 = HUMANML3D.joint_names.index("spine2")


def shown_motion(motion: Motion, fps: float | None = None) -> Motion:
    """The motion as every format shows it, to the millimetre: pictures and skeletons alike.

    Its people are on bones of fixed length, see `fixed_body`. At another frame rate joints turn along great arcs, so
    that bones keep their lengths, roots move along straight lines, and feet that stand stay.

    Args:
        motion: of any skeleton.
        fps: frames per second of the result, 1 to 1000; the motion's own if None.

    Returns:
        A motion of SMPL-22, without `features` where it has other frames; `motion` itself where nothing changes.

    Raises:
        MotionLLMError: `fps` out of range, or joints that `solve_rotations` refuses.
    """
    motion = smpl_motion(motion)
    joints = fixed_body(motion.joints, motion.fps)
    if fps is not None and check_fps(fps) != motion.fps:
        people = joints.reshape(-1, *joints.shape[-3:])
        resampled = np.stack([_resampled(person.astype(np.float64), motion.fps, fps) for person in people])
        joints = resampled.reshape(*joints.shape[:-3], *resampled.shape[1:])
        path = motion.root_path
        if path is not None:
            path = resample_joints(path[:, None], motion.fps, fps)[:, 0]
        return replace(motion, joints=joints, fps=fps, features=None, root_path=path)
    return motion if joints is motion.joints else replace(motion, joints=joints)


def one_person(motion: Motion, person: int | None, name: str) -> Motion:
    """One person of a motion, for a file format that holds one.

    Args:
        motion: of any number of people.
        person: which one, from 0; needed where there are several.
        name: of the file to write.

    Raises:
        MotionLLMError: no such person, or several and none is chosen.
    """
    if person is None and motion.num_people > 1:
        raise MotionLLMError(
            f"'{name}' can hold one person and the motion has {motion.num_people}; choose one with person=0 to "
            f"{motion.num_people - 1}, use save_motion_files for a file each, or write .glb"
        )
    if person is not None and not 0 <= person < motion.num_people:
        raise MotionLLMError(f"person is {person}; the motion has {motion.num_people}, counted from 0")
    return Motion(motion.people[person or 0], motion.fps, motion.caption)


def solve_people(motion: Motion, fps: float | None = None, skeleton: str = "smpl") -> list[RigMotion]:
    """Rotations of all people of a motion, for a file format that holds rotations.

    Args:
        motion: one person or several; as `shown_motion` has it.
        fps: frames per second of the result; the motion's own if None.
        skeleton: whose joint names to use; "smpl", "mixamo", "cmu" or "bandai".

    Raises:
        MotionLLMError: no such skeleton, `fps` out of range, or joints that `solve_rotations` refuses.
    """
    check_skeleton(skeleton)
    shown = shown_motion(motion, fps)
    people = []
    for joints in shown.people.astype(np.float64):
        if not JOINT_NAMES[skeleton][_SPINE2]:
            joints[:, _SPINE2] = 0.5 * (joints[:, 3] + joints[:, 9])  # a straight bone can do without its middle
        people.append(rename_joints(solve_rotations(joints, shown.fps), skeleton))
    return people


def _resampled(joints: np.ndarray, source_fps: float, fps: float) -> np.ndarray:
    """One person (T, 22, 3) at another frame rate."""
    result = forward_kinematics(resample_rotations(solve_rotations(joints, source_fps), fps))
    last = len(joints) - 1
    times = np.arange(len(result)) * (source_fps / fps)
    for leg in legs_of(HUMANML3D):
        toe = joints[:, leg[-1]]
        standing = np.zeros(last + 1)
        for run in stands(toe, source_fps):
            standing[run] = 1.0
        there, weight = (
            np.stack([np.interp(times, np.arange(last + 1), column) for column in values.T], axis=-1)
            for values in (toe, standing[:, None])
        )
        move_foot(result, leg, weight * (there - result[:, leg[-1]]))
    return result
