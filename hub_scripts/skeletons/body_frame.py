"""Finding out in which unit and axes a body was recorded, where its floor is, and whether it starts with a T-pose."""

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

__all__ = [
    "check_sides",
    "find_scale",
    "find_up_axis",
    "floor_offset",
    "leg_lengths",
    "starts_with_rest_pose",
    "to_y_up",
]

_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}

# Metres per unit: name. The adult thigh is 0.35 to 0.50 m; with room for children and giants the ranges of these units
# still do not touch.
_UNITS = {
    1.0: "metres",
    0.1: "decimetres",
    0.01: "centimetres",
    0.001: "millimetres",
    0.0254: "inches",
    0.3048: "feet",
    0.0254 / 0.45: "ASF units of 56.4 mm",  # the CMU database
}
_THIGH = (0.28, 0.56)
_ADULT_THIGH = (0.35, 0.50)
_ADULT_LEG = 0.82  # thigh and shin

_FLOOR_RANGE = (-0.20, 0.50)  # where the lowest joint of a clip is, if the floor is at height 0


def leg_lengths(joints: np.ndarray) -> tuple[float, float]:
    """Median lengths of thigh and shin over frames and both sides; joints (N, 22, 3)."""
    sides = [[joints[:, _INDEX[f"{side}_{joint}"]] for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]
    thigh = np.median([np.linalg.norm(knee - hip, axis=-1) for hip, knee, _ in sides])
    shin = np.median([np.linalg.norm(ankle - knee, axis=-1) for _, knee, ankle in sides])
    return float(thigh), float(shin)


def find_scale(thigh: float, shin: float, name: str, given: float | None = None) -> tuple[float, str, str | None]:
    """The unit of a recording, from its legs.

    Args:
        thigh: length in units of the file.
        shin: likewise.
        name: what error messages call the file.
        given: metres per unit, if known.

    Returns:
        Metres per unit, the unit in words, and a note if something about it is odd.

    Raises:
        MotionLLMError: legs of length zero.
    """
    if not thigh > 0 or not shin > 0:
        raise MotionLLMError(f"'{name}' has legs of length zero; map hips, knees and ankles to different joints")
    scale = given
    if scale is None:
        scale = next((unit for unit in _UNITS if _THIGH[0] <= thigh * unit <= _THIGH[1]), None)
    if scale is None:
        scale = _ADULT_LEG / (thigh + shin)
        note = f"the unit is none of the usual ones (the thigh is {thigh:.3g} long), so the legs are scaled to "
        return scale, f"units of {1000 * scale:.3g} mm", f"{note}{_ADULT_LEG} m; --scale tells it otherwise"
    unit = _UNITS.get(scale, f"units of {1000 * scale:.3g} mm")
    metres = thigh * scale
    if _ADULT_THIGH[0] <= metres <= _ADULT_THIGH[1]:
        return scale, unit, None
    return scale, unit, f"the thigh is {metres:.2f} m long, which is no adult's; --scale corrects a wrong unit"


def find_up_axis(joints: np.ndarray, rest: np.ndarray, top: str) -> tuple[str, str | None]:
    """Which axis of the file points up, "y" or "z", and a note if that is not sure.

    A rest pose that stands upright tells; in the others bones lie along an axis of their own, and how the body is held
    over the clip decides.

    Args:
        joints: (N, 22, 3) in axes of the file.
        rest: (22, 3), the same joints where no joint is turned; only legs, pelvis and `top` are looked at.
        top: "head" or "neck".
    """
    held, standing = _foot_to_top(joints, top), _foot_to_top(rest[None], top)[0]
    held = (held / np.maximum(np.linalg.norm(held, axis=-1, keepdims=True), 1e-12)).mean(0)
    chain = [rest[_INDEX[joint]] for joint in (top, "pelvis", "left_hip", "left_knee", "left_ankle")]
    length = float(np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum())
    standing = standing / length if length > 0 else standing
    by_rest, by_motion = ("xyz"[int(np.abs(vector).argmax())] for vector in (standing, held))
    if by_rest != "x" and abs(standing["xyz".index(by_rest)]) > 0.8:
        if by_motion not in ("x", by_rest) and abs(held["xyz".index(by_motion)]) > 0.9:
            return by_rest, (
                f"the rest pose stands along {by_rest}, but the body is held along {by_motion}; if it does not lie, "
                f"give --up {by_motion}"
            )
        return by_rest, None
    if by_motion != "x" and abs(held["xyz".index(by_motion)]) > 0.6:
        return by_motion, None
    return "y", "the body is never upright, so y is taken as up; --up z tells it otherwise"


def _foot_to_top(joints: np.ndarray, top: str) -> np.ndarray:
    """Vectors (N, 3) from between the ankles to the top of the body."""
    return joints[:, _INDEX[top]] - (joints[:, _INDEX["left_ankle"]] + joints[:, _INDEX["right_ankle"]]) / 2


def to_y_up(joints: np.ndarray, up: str) -> np.ndarray:
    """Joints (..., 3) with `up` ("y" or "z") turned to y; right-handed before and after."""
    return joints if up == "y" else np.stack([joints[..., 0], joints[..., 2], -joints[..., 1]], axis=-1)


def check_sides(joints: np.ndarray, name: str) -> None:
    """Make sure that left is left: the toes point where hips and spine say the front is; joints (N, 22, 3).

    Raises:
        MotionLLMError: they point backward, or hips and shoulders disagree.
    """
    at = {joint: joints[:, index] for joint, index in _INDEX.items()}
    hips = at["left_hip"] - at["right_hip"]
    shoulders = at["left_shoulder"] - at["right_shoulder"]
    if _cosine(hips, shoulders) < -0.3:
        raise MotionLLMError(
            f"'{name}' has the left hip on the side of the right shoulder; correct the sides in a --map file"
        )
    front = np.cross(hips, at["neck"] - at["pelvis"])
    toes = at["left_foot"] - at["left_ankle"] + at["right_foot"] - at["right_ankle"]
    if _cosine(front, toes) < -0.3:
        raise MotionLLMError(
            f"'{name}' has toes that point backward: left and right are swapped; give a --map file with the sides "
            'swapped, or with "left_handed": true if the file has left-handed axes'
        )


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Mean cosine between vectors (N, 3)."""
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return float(((first * second).sum(-1) / np.maximum(lengths, 1e-12)).mean())


def starts_with_rest_pose(joints: np.ndarray, unturned: bool) -> bool:
    """Whether the first frame is a T-pose or rest pose that was put before the motion.

    Such a frame stands with stretched arms or has all rotations zero, and the body jumps out of it: a recording that
    begins with a T-pose moves on from it without a jump.

    Args:
        joints: (N, 22, 3) metres, Y up.
        unturned: no joint is turned in the first frame.
    """
    if len(joints) < 3:
        return False
    jump, next_step = np.linalg.norm(np.diff(joints[:3], axis=0), axis=-1).max(-1)
    if jump < 0.10 or jump < 3 * next_step:
        return False
    return unturned or _is_t_pose(joints[0])


def _is_t_pose(pose: np.ndarray) -> bool:
    """Both arms straight and level, (22, 3) metres, Y up."""
    for side in ("left", "right"):
        shoulder, elbow, wrist = (pose[_INDEX[f"{side}_{joint}"]] for joint in ("shoulder", "elbow", "wrist"))
        arm = wrist - shoulder
        reach = np.linalg.norm(arm)
        straight = reach > 0.97 * (np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))
        if not straight or abs(arm[1]) > 0.25 * reach:
            return False
    return True


def floor_offset(joints: np.ndarray) -> float:
    """Height to add so that the lowest joint of the clip is on the floor; 0 where the recorded floor can be right.

    Args:
        joints: (N, 22, 3) metres, Y up.
    """
    lowest = float(joints[..., 1].min())
    return 0.0 if _FLOOR_RANGE[0] <= lowest <= _FLOOR_RANGE[1] else -lowest
