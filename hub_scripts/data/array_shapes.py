"""The shapes that people save joints and features in: which axis is what."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from hub_scripts.skeletons.body_frame import is_body
from hub_scripts.skeletons.numbered_bodies import NUMBERED_BODIES, numbered_joints
from modeling_motionllm.motion_features import HUMANML3D

__all__ = ["BODIES", "by_person", "fits", "in_another_order"]

# How many joints bodies have whose first 22 are SMPL-22: SMPL, SMPL-H and SMPL-X, without and with what their
# libraries add (face, fingers, toes).
BODIES = {22: "", 24: "SMPL's", 45: "SMPL's", 52: "SMPL-H's", 55: "SMPL-X's", 73: "SMPL-H's", 127: "SMPL-X's"} | {
    144: "SMPL-X's"
}
_JOINTS, _COLUMNS = HUMANML3D.num_joints, HUMANML3D.feature_dim
_COUNTS = (*BODIES, *NUMBERED_BODIES)


def fits(shape: Sequence[int]) -> bool:
    """Whether joints of people, or motion features, can have this shape."""
    core = tuple(size for size in shape if size != 1)
    return (
        len(shape) > 1
        and len(core) <= 4
        and (_is_flat(core) or bool(_orders(core)) or bool(_orders((1, *core))) or len(_split(core)) > 0)
    )


def by_person(array: np.ndarray) -> np.ndarray | None:
    """Joints (P, T, J, 3 or 4) or features (1, T, 263) from an array in any of the shapes that people save them in.

    Axes of one entry are of no account. Where joints, frames and numbers may stand in several orders, they stand so
    that legs keep their length; frames and people, so that people move little from frame to frame.

    Returns:
        None for other shapes.
    """
    if array.ndim == 2 and array.shape[1] in (_COLUMNS, 3 * _JOINTS):
        core = array
    else:
        core = array.squeeze()
    if core.ndim == 2 and core.shape[1] == _COLUMNS:
        return core[None]
    if core.ndim == 2 and core.shape[0] == _COLUMNS:
        return core.T[None]
    if core.ndim == 2 and core.shape[1] == 3 * _JOINTS:
        return core.reshape(1, -1, _JOINTS, 3)
    if core.ndim == 2:
        core = core[None]
    if core.ndim == 3 and (orders := _orders(core.shape)):
        return max((core.transpose(order) for order in orders), key=_is_body)[None]
    if core.ndim == 4 and (ways := _split(core.shape)):
        people = core.transpose(ways[0])
        frames_first = len(people) > people.shape[1] and _restless(people, 1) > 2 * _restless(people, 0) > 0
        return people.swapaxes(0, 1) if frames_first else people
    return None


def in_another_order(array: np.ndarray) -> bool:
    """Whether an array (A, B, 3) that could be B joints in A frames is rather a body of A joints in B frames."""
    return array.ndim == 3 and array.shape[0] in BODIES and array.shape[2] == 3 and _is_body(array.swapaxes(0, 1))


def _is_flat(shape: Sequence[int]) -> bool:
    return len(shape) in (1, 2) and (shape[-1] in (_COLUMNS, 3 * _JOINTS) or shape[0] == _COLUMNS)


def _orders(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Orders of three axes in which they are frames, joints and numbers; the usual one first."""
    if len(shape) != 3:
        return []
    return [order for order in permutations(range(3)) if shape[order[1]] in _COUNTS and shape[order[2]] in (3, 4)]


def _split(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Orders of four axes in which they are people, frames, joints and numbers."""
    ways = ((0, 1, 2, 3), (0, 3, 1, 2))  # the second as diffusion models write it
    return [way for way in ways if len(shape) == 4 and shape[way[2]] in _COUNTS and shape[way[3]] in (3, 4)]


def _is_body(joints: np.ndarray) -> bool:
    """Whether joints (T, J, 3 or 4) have legs that keep their length."""
    joints = joints[..., :3]
    if joints.shape[1] in BODIES:
        return is_body(joints[:, :_JOINTS].astype(np.float64))
    return numbered_joints(joints) is not None


def _restless(people: np.ndarray, axis: int) -> float:
    """How far joints are from one entry of an axis to the next, in the middle."""
    if people.shape[axis] < 2:
        return 0.0
    steps = np.linalg.norm(np.diff(people[..., :3].astype(np.float64), axis=axis), axis=-1)
    return float(np.nanmedian(steps))
