"""Forward kinematics: from offsets and rotations of a tree of joints to positions."""

from collections.abc import Sequence

import numpy as np

__all__ = ["forward_kinematics", "rest_positions"]


def rest_positions(parents: Sequence[int], offsets: np.ndarray) -> np.ndarray:
    """Positions of all joints where none is turned.

    Args:
        parents: index of each joint's parent, -1 for the root; parents come before children.
        offsets: float64 (J, 3), from the parent to the joint; of the root, its place.

    Returns:
        float64 (J, 3).
    """
    return forward_kinematics(parents, offsets[None], np.broadcast_to(np.eye(3), (1, len(parents), 3, 3)))[0]


def forward_kinematics(parents: Sequence[int], offsets: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Positions of all joints over time.

    Args:
        parents: index of each joint's parent, -1 for the root; parents come before children.
        offsets: float64 (T, J, 3), from the parent to the joint in the axes of the parent; of the root, its place.
        rotations: float64 (T, J, 3, 3), matrices, each relative to the parent's.

    Returns:
        float64 (T, J, 3), in the unit of the offsets.
    """
    positions, world = offsets.astype(np.float64), rotations.astype(np.float64)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            above = world[:, parent]
            positions[:, joint] = positions[:, parent] + (above @ offsets[:, joint, :, None])[..., 0]
            world[:, joint] = above @ world[:, joint]
    return positions
