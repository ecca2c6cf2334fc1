"""Skeletons of video and depth cameras in arrays: which of their joints, known by number, are which of the 22."""

from collections.abc import Mapping

import numpy as np

from modeling_motionllm.motion_features import HUMANML3D

from .body_frame import is_body, leg_lengths

__all__ = ["NUMBERED_BODIES", "numbered_joints"]

_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
_LEG = (0.35, 0.75)  # thigh and shin, of how far apart the furthest joints of a body are


def _numbers(
    middle: Mapping[str, tuple[int, ...]], left: tuple[int, ...], right: tuple[int, ...], toes: bool = False
) -> dict[str, tuple[int, ...]]:
    """Joints and their numbers; of the sides hip, knee, ankle, shoulder, elbow, wrist and perhaps toes."""
    parts = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", *(("foot",) if toes else ()))
    sides = {
        f"{side}_{part}": (number,)
        for side, numbers in (("left", left), ("right", right))
        for part, number in zip(parts, numbers, strict=True)
    }
    return dict(middle) | sides


# How many joints -> the skeletons that have so many: what they are called and, for joints of SMPL-22, the numbers of
# those whose mean they are.
NUMBERED_BODIES: dict[int, dict[str, dict[str, tuple[int, ...]]]] = {
    17: {
        "Human3.6M's": _numbers(
            {"pelvis": (0,), "spine2": (7,), "neck": (8,), "head": (10,)},
            (4, 5, 6, 11, 12, 13),
            (1, 2, 3, 14, 15, 16),
        ),
        "COCO's": _numbers(
            {"pelvis": (11, 12), "neck": (5, 6), "head": (3, 4)}, (11, 13, 15, 5, 7, 9), (12, 14, 16, 6, 8, 10)
        ),
    },
    25: {
        "OpenPose's": _numbers(
            {"pelvis": (8,), "neck": (1,), "head": (17, 18)},
            (12, 13, 14, 5, 6, 7, 19),
            (9, 10, 11, 2, 3, 4, 22),
            toes=True,
        ),
        "Kinect's": _numbers(
            {"pelvis": (0,), "spine2": (1,), "spine3": (20,), "neck": (2,), "head": (3,)},
            (12, 13, 14, 4, 5, 6, 15),
            (16, 17, 18, 8, 9, 10, 19),
            toes=True,
        ),
    },
    33: {
        "MediaPipe's": _numbers(
            {"pelvis": (23, 24), "neck": (11, 12), "head": (7, 8)},
            (23, 25, 27, 11, 13, 15, 31),
            (24, 26, 28, 12, 14, 16, 32),
            toes=True,
        )
    },
}


def numbered_joints(array: np.ndarray) -> tuple[str, dict[str, np.ndarray]] | None:
    """The joints of a body of `NUMBERED_BODIES`.

    Args:
        array: (T, J, 3), any unit and axes.

    Returns:
        What the skeleton is called, and (T, 3) for each joint of SMPL-22 that it has; None where none fits.
    """
    for name, numbers in NUMBERED_BODIES.get(array.shape[1], {}).items():
        found = {joint: array[:, list(group)].mean(axis=1) for joint, group in numbers.items()}
        joints = np.full((len(array), len(_INDEX), 3), np.nan)
        for joint, positions in found.items():
            joints[:, _INDEX[joint]] = positions
        if not is_body(joints):
            continue
        whole = array[np.isfinite(array).all(axis=(1, 2))]
        reach = float(np.median(np.linalg.norm(np.ptp(whole, axis=1), axis=-1))) if len(whole) else 0.0
        if _LEG[0] * reach < sum(leg_lengths(joints)) < _LEG[1] * reach:
            return name, found
    return None
