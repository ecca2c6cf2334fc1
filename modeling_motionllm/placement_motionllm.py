"""Placements: where the people of a scene start relative to the first one, as numbers and as bins."""

import math
from dataclasses import dataclass

import numpy as np

from .errors_motionllm import MotionLLMError
from .motion_features import HUMANML3D, Skeleton, canonicalize_joints, mirror_joints, motion_start

__all__ = [
    "HEADING_BINS",
    "POSITION_BINS",
    "POSITION_LIMIT",
    "Placement",
    "decode_placements",
    "encode_placements",
    "join_people",
    "mirror_people",
    "split_people",
    "stand_on_floor",
    "turned",
]

POSITION_LIMIT = 6.4  # metres; positions lie in [-6.4, 6.4)
POSITION_BINS = 128  # of 0.1 m
HEADING_BINS = 72  # of 5 degrees; centred on multiples of 5 degrees, so that "same way" and "face to face" are exact
_POSITION_STEP = 2 * POSITION_LIMIT / POSITION_BINS
_HEADING_STEP = 2 * math.pi / HEADING_BINS


@dataclass(frozen=True)
class Placement:
    """Where a person starts, in the first-frame frame of person 1, who stands at the origin and faces +Z.

    Args:
        x: metres to the left of person 1.
        z: metres in front of person 1.
        heading: radians about Y that this person's facing is turned from person 1's; turning left is positive, and
            pi is face to face.

    Raises:
        MotionLLMError: a value is NaN or infinite.
    """

    x: float = 0.0
    z: float = 0.0
    heading: float = 0.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.x, self.z, self.heading)):
            raise MotionLLMError(f"{self} is no place; give finite numbers of metres and radians")

    @property
    def bins(self) -> tuple[int, int, int]:
        """Bins of x, z and heading.

        Raises:
            MotionLLMError: x or z outside of what the bins cover.
        """
        x, z, heading = (int(value) for value in encode_placements(self.as_array()))
        return x, z, heading

    @classmethod
    def from_bins(cls, x: int, z: int, heading: int) -> "Placement":
        """The centre of these bins.

        Args:
            x: 0 to 127, bins of 0.1 m to the left of person 1, from -6.4 m on.
            z: likewise ahead of person 1.
            heading: 0 to 71, bins of 5 degrees to the left of person 1's facing.

        Raises:
            MotionLLMError: there is no such bin.
        """
        return cls(*map(float, decode_placements(np.array([x, z, heading]))))

    def as_array(self) -> np.ndarray:
        """(3,) float64: x, z, heading."""
        return np.array([self.x, self.z, self.heading])


def encode_placements(placements: np.ndarray) -> np.ndarray:
    """Bins of placements.

    Args:
        placements: (..., 3): x and z in metres, heading in radians (any turn).

    Returns:
        int64 (..., 3): x and z in 0..127, lowest first; heading in 0..71, where 0 is -180 and 36 is 0 degrees.

    Raises:
        MotionLLMError: wrong shape, NaN, or x or z outside [-6.4, 6.4) metres.
    """
    values = _checked_shape(np.asarray(placements, dtype=np.float64))
    if not np.isfinite(values).all():
        raise MotionLLMError("placements hold values that are NaN or infinite; repair the motion first")
    places = values[..., :2]
    outside = (places < -POSITION_LIMIT) | (places >= POSITION_LIMIT)
    if outside.any():
        raise MotionLLMError(
            f"a person starts {places[outside][0]:.2f} m from person 1 along one axis; placements reach from "
            f"-{POSITION_LIMIT} up to {POSITION_LIMIT} m: let the people start closer together"
        )
    # The sum can round up to the very end although the value is inside.
    position = np.minimum(np.floor((places + POSITION_LIMIT) / _POSITION_STEP), POSITION_BINS - 1)
    heading = np.mod(np.rint(values[..., 2:] / _HEADING_STEP) + HEADING_BINS // 2, HEADING_BINS)
    return np.concatenate([position, heading], axis=-1).astype(np.int64)


def decode_placements(bins: np.ndarray) -> np.ndarray:
    """Centres of bins.

    Args:
        bins: integers (..., 3), as `encode_placements` gives them.

    Returns:
        float64 (..., 3): x and z in metres, heading in radians in [-pi, pi).

    Raises:
        MotionLLMError: wrong shape, no integers, or no such bin.
    """
    values = _checked_shape(np.asarray(bins))
    if values.dtype.kind not in "iu":
        raise MotionLLMError(f"bins are of type {values.dtype}; give integers")
    counts = np.array([POSITION_BINS, POSITION_BINS, HEADING_BINS])
    wrong = (values < 0) | (values >= counts)
    if wrong.any():
        raise MotionLLMError(
            f"there is no bin {int(values[wrong][0])}; bins of x and z are 0 to {POSITION_BINS - 1}, "
            f"bins of the heading 0 to {HEADING_BINS - 1}"
        )
    position = (values[..., :2] + 0.5) * _POSITION_STEP - POSITION_LIMIT
    heading = (values[..., 2:] - HEADING_BINS // 2) * _HEADING_STEP
    return np.concatenate([position, heading], axis=-1)


def split_people(joints: np.ndarray, skeleton: Skeleton = HUMANML3D) -> tuple[np.ndarray, np.ndarray]:
    """People of one world to motions of their own and where they start.

    Each person comes on the skeleton's bones, which scales its path by its legs; distances between the people are
    scaled as person 1 is. Each person stands on the floor on its own: someone on a platform comes down.

    Args:
        joints: (..., P, T, J, 3) metres, Y up, in one world; person 1 first.
        skeleton: target skeleton.

    Returns:
        Canonical joints (..., P, T, J, 3), each at the origin and facing +Z in the first frame, in the dtype given; and
        placements float64 (..., P, 3): x, z, heading in (-pi, pi] in person 1's first-frame frame. Person 1's is zero.

    Raises:
        MotionLLMError: wrong shape, or a bone of length zero.
    """
    joints = np.asarray(joints)
    if joints.ndim < 4 or 0 in joints.shape:
        raise MotionLLMError(f"joints have shape {joints.shape}; give (people, frames, {skeleton.num_joints}, 3)")
    start = motion_start(joints, skeleton)
    offset = start[..., :2] - start[..., :1, :2]
    first = start[..., :1, :]
    x, z = turned(offset[..., 0], offset[..., 1], -first[..., 2]) * first[..., 3]
    heading = start[..., 2] - first[..., 2]
    heading = math.pi - np.mod(math.pi - heading, 2 * math.pi)
    return canonicalize_joints(joints, skeleton), np.stack([x, z, heading], axis=-1)


def join_people(canonical: np.ndarray, placements: np.ndarray) -> np.ndarray:
    """The way back: canonical motions to the world of person 1.

    Args:
        canonical: (..., P, T, J, 3), each starting at the origin and facing +Z.
        placements: (..., P, 3): x and z in metres, heading in radians.

    Returns:
        (..., P, T, J, 3) in one world, same dtype.

    Raises:
        MotionLLMError: shapes that do not fit together.
    """
    canonical = np.asarray(canonical)
    placements = _checked_shape(np.asarray(placements, dtype=np.float64))
    if canonical.ndim < 4 or canonical.shape[-1] != 3 or canonical.shape[:-3] != placements.shape[:-1]:
        raise MotionLLMError(
            f"motions of shape {canonical.shape} and placements of shape {placements.shape} do not fit together; "
            "give (people, frames, joints, 3) and (people, 3)"
        )
    place = placements[..., None, None, :]
    x, z = turned(canonical[..., 0].astype(np.float64), canonical[..., 2].astype(np.float64), place[..., 2])
    world = np.stack([x + place[..., 0], canonical[..., 1], z + place[..., 1]], axis=-1)
    return world.astype(canonical.dtype)


def stand_on_floor(joints: np.ndarray) -> np.ndarray:
    """A copy of motions (..., T, J, 3), the lowest joint of each, over all its frames, at height 0."""
    lowest = joints[..., 1].min(axis=(-2, -1), keepdims=True)
    return np.stack([joints[..., 0], joints[..., 1] - lowest, joints[..., 2]], axis=-1)


def mirror_people(
    canonical: np.ndarray, placements: np.ndarray, skeleton: Skeleton = HUMANML3D
) -> tuple[np.ndarray, np.ndarray]:
    """The scene in the mirror: left and right change places in every motion and in where people are.

    The skeleton's own left and right bones differ by millimetres, so the mirrored people are put on its bones anew; the
    world grows or shrinks by about one percent with that.

    Args:
        canonical: (..., P, T, J, 3), as `split_people` gives them.
        placements: (..., P, 3).
        skeleton: of the joints.

    Returns:
        Canonical joints and placements of the mirrored scene.

    Raises:
        MotionLLMError: shapes that do not fit together.
    """
    return split_people(mirror_joints(join_people(canonical, placements), skeleton), skeleton)


def turned(x: np.ndarray, z: np.ndarray, angle: np.ndarray | float) -> np.ndarray:
    """Points (2, ...) turned about Y by `angle`, from +Z towards +X."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x + sin * z, cos * z - sin * x])


def _checked_shape(values: np.ndarray) -> np.ndarray:
    if values.ndim < 1 or values.shape[-1] != 3:
        raise MotionLLMError(f"placements have shape {values.shape}; give (..., 3): x, z, heading")
    return values
