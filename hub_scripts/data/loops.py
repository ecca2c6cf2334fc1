"""Animations made to be looped in place, as games have them: played several times, and moved over the floor."""

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

__all__ = ["move_forward", "repeat_motion"]

_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}
_FEET = [_INDEX[f"{side}_foot"] for side in ("left", "right")]
_STANDING = 0.04  # metres above its lowest at which a foot counts as standing


def repeat_motion(joints: np.ndarray, times: int) -> np.ndarray:
    """Joints (N, J, 3) played `times` times; the last frame stands for the first of the next round, which goes on from
    where the body is.
    """
    step = joints[-1, :1] - joints[0, :1]  # of the pelvis
    step[:, 1] = 0.0
    return np.concatenate([joints[:-1] + k * step for k in range(times - 1)] + [joints + (times - 1) * step])


def move_forward(joints: np.ndarray, fps: float, speed: float | str, name: str) -> np.ndarray:
    """Joints of an animation in place as they are when it is played on a moving body.

    Args:
        joints: (N, 22, 3) metres, Y up.
        fps: frames per second.
        speed: metres per second to where the body faces in the first frame; "feet" for the steady speed, in any
            direction, at which standing feet stand still.
        name: what error messages call it.

    Raises:
        MotionLLMError: "feet", and no foot ever stands.
    """
    if isinstance(speed, str):
        velocity = _speed_of_feet(joints, fps, name)
    else:
        across = joints[0, _INDEX["left_hip"]] - joints[0, _INDEX["right_hip"]]
        front = np.cross(across, [0.0, 1.0, 0.0])
        velocity = front * (speed / max(float(np.linalg.norm(front)), 1e-9))
    time = np.arange(len(joints)) / fps
    return joints + time[:, None, None] * velocity


def _speed_of_feet(joints: np.ndarray, fps: float, name: str) -> np.ndarray:
    """Velocity (3) of the body over the floor: standing feet move against it."""
    feet = joints[:, _FEET]
    height = feet[..., 1]
    middle = (height[1:] + height[:-1]) / 2
    standing = (middle < middle.min(initial=np.inf) + _STANDING) & (middle <= middle.min(axis=1, keepdims=True))
    steps = np.diff(feet, axis=0)[standing] * fps
    if len(steps) == 0:
        raise MotionLLMError(f"'{name}' has no foot that stands; give its speed in metres per second")
    velocity = -np.median(steps, axis=0)
    velocity[1] = 0.0
    return velocity
