"""Joint positions to motion features and back: the HumanML3D representation (Guo et al. 2022), for any skeleton.

All functions take numpy arrays or torch tensors and return the same kind; leading dimensions are batch dimensions.
Features are computed in float64 and returned in the dtype of the input; `features_to_joints` stays in the input's dtype
and is differentiable, because losses run through it.

The columns of one feature row (t), for J joints (J = 22: 263 columns, J = 21: 251); lengths in the skeleton's unit:

    0                   half the turn between frames t and t+1, radians; turning left is negative
    1-2                 root displacement in x and z from t to t+1, in the facing frame of t+1
    3                   root height
    4 .. 4+3(J-1)       positions of joints 1..J-1, x and z relative to the root, in the facing frame
    next 6(J-1)         local rotations of joints 1..J-1, first two columns of the matrix
    next 3J             displacements of all joints from t to t+1, in the facing frame of t
    last 4              foot contacts: left ankle, left toe, right ankle, right toe (0 or 1)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F

from .errors_motionllm import MotionLLMError

__all__ = [
    "FASTEST",
    "HUMANML3D",
    "KIT",
    "MOST_FRAMES",
    "SKELETONS",
    "SLOWEST",
    "Skeleton",
    "canonicalize_joints",
    "feature_groups",
    "features_to_joints",
    "integrate_root",
    "joints_to_features",
    "mirror_joints",
    "motion_start",
    "resample_joints",
    "skeleton_of_features",
    "skeleton_of_joints",
]

ArrayT = TypeVar("ArrayT", np.ndarray, torch.Tensor)

MOST_FRAMES = 200_000  # of one motion: close to three hours at 20 fps, and 50 MB
SLOWEST, FASTEST = 0.1, 10_000.0  # frames per second
HEADING_SIGMA = 20.0  # frames; the low-pass of the facing direction
HEADING_RADIUS = 80  # frames; where its Gaussian is cut (4 sigma)


@dataclass(frozen=True)
class Skeleton:
    """What the representation must know of a skeleton.

    Args:
        name: what it is called, a key of `SKELETONS`.
        joint_names: J names, the root first.
        parents: index of each joint's parent, -1 for the root; parents come before children.
        directions: (J, 3) canonical bone directions (unit; root unused).
        bone_lengths: J lengths in its unit that every motion is put on (root 0), or None to keep a clip's own bones.
        facing: right hip, left hip, right shoulder, left shoulder.
        leg: two joints whose bones set the scale between a clip and `bone_lengths`.
        feet: left ankle, left toe, right ankle, right toe (KIT: foot and toe).
        rotation_roots: joints whose stored rotation is relative to the facing direction, not to the parent bone.
        fps: frames per second that features are defined at.
        contact_threshold: squared displacement per frame, in units squared, under which a foot is in contact.
        metres_per_unit: of joint positions and features; 1 where they are in metres.
    """

    name: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    directions: tuple[tuple[int, int, int], ...]
    bone_lengths: tuple[float, ...] | None
    facing: tuple[int, int, int, int]
    leg: tuple[int, int]
    feet: tuple[int, int, int, int]
    rotation_roots: tuple[int, ...]
    fps: float
    contact_threshold: float = 0.002  # of metres: a foot slower than 4.47 cm a frame
    metres_per_unit: float = 1.0

    @property
    def num_joints(self) -> int:
        return len(self.parents)

    @property
    def feature_dim(self) -> int:
        """Number of feature columns, 12 J - 1."""
        return 12 * self.num_joints - 1

    @property
    def mirror_permutation(self) -> tuple[int, ...]:
        """For each joint the index of its left-right counterpart, found by name."""
        swapped = [
            name.replace("left", "\0").replace("right", "left").replace("\0", "right") for name in self.joint_names
        ]
        return tuple(self.joint_names.index(name) for name in swapped)


HUMANML3D = Skeleton(
    name="humanml3d",
    joint_names=(
        *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle"),
        *("right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    ),
    parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19),
    directions=(
        *((0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, -1, 0), (0, 1, 0), (0, -1, 0)),
        *((0, -1, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1), (0, 1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, 1)),
        *((0, -1, 0), (0, -1, 0), (0, -1, 0), (0, -1, 0), (0, -1, 0), (0, -1, 0)),
    ),
    bone_lengths=(
        *(0.0, 0.10307395, 0.10988335, 0.13156825, 0.39362314, 0.39018813, 0.14319026, 0.43243298),
        *(0.42564332, 0.05736471, 0.14338174, 0.14941867, 0.21935999, 0.13748683, 0.14338283),
        *(0.10303927, 0.13161398, 0.12298431, 0.25683984, 0.26309186, 0.26601186, 0.26987630),
    ),
    facing=(2, 1, 17, 16),
    leg=(5, 8),
    feet=(7, 10, 8, 11),
    rotation_roots=(1, 2, 3, 13, 14),
    fps=20.0,
)

# KIT-ML (Plappert et al. 2016) in the form of Guo et al. 2022. The joints are, in the MMM model's words: root, BP, BT,
# BLN, BUN, LS, LE, LW, RS, RE, RW, LH, LK, LA, LMrot, LF, RH, RK, RA, RMrot, RF. The published processing takes those
# that begin with L for the right side (facing, feet), and so do the names here. Every motion is on the bones of one
# recording, whose lengths are not published, so `bone_lengths` is None. The unit is not told; the scale of the
# published drawing scripts fits millimetres.
KIT = Skeleton(
    name="kit",
    joint_names=(
        *("pelvis", "spine1", "spine2", "neck", "head", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "right_foot"),
        *("right_toe", "left_hip", "left_knee", "left_ankle", "left_foot", "left_toe"),
    ),
    parents=(-1, 0, 1, 2, 3, 3, 5, 6, 3, 8, 9, 0, 11, 12, 13, 14, 0, 16, 17, 18, 19),
    directions=(
        *((0, 0, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0), (1, 0, 0), (0, -1, 0), (0, -1, 0)),
        *((-1, 0, 0), (0, -1, 0), (0, -1, 0), (1, 0, 0), (0, -1, 0), (0, -1, 0), (0, 0, 1), (0, 0, 1)),
        *((-1, 0, 0), (0, -1, 0), (0, -1, 0), (0, 0, 1), (0, 0, 1)),
    ),
    bone_lengths=None,
    facing=(11, 16, 5, 8),
    leg=(17, 18),
    feet=(19, 20, 14, 15),
    rotation_roots=(1, 5, 8, 11, 16),
    fps=12.5,
    contact_threshold=0.05,
    metres_per_unit=0.001,
)

SKELETONS = {skeleton.name: skeleton for skeleton in (HUMANML3D, KIT)}


def skeleton_of_features(columns: int) -> Skeleton:
    """The skeleton whose features have that many columns.

    Raises:
        MotionLLMError: none has.
    """
    for skeleton in SKELETONS.values():
        if skeleton.feature_dim == columns:
            return skeleton
    known = ", ".join(f"{skeleton.feature_dim} ({name})" for name, skeleton in SKELETONS.items())
    raise MotionLLMError(f"features have {columns} columns; known are {known}")


def skeleton_of_joints(count: int) -> Skeleton:
    """The skeleton that has that many joints.

    Raises:
        MotionLLMError: none has.
    """
    for skeleton in SKELETONS.values():
        if skeleton.num_joints == count:
            return skeleton
    known = " or ".join(f"{skeleton.num_joints} ({name})" for name, skeleton in SKELETONS.items())
    raise MotionLLMError(f"a body of {count} joints is not known; give {known}")


def feature_groups(skeleton: Skeleton = HUMANML3D) -> tuple[slice, ...]:
    """Columns that share one standard deviation: turn, root displacement, height, positions, rotations, velocities,
    contacts (as the published `Std.npy` does; single columns can be constant)."""
    bounds = [0, 1, 3, 4]
    for width in (3, 6):
        bounds.append(bounds[-1] + width * (skeleton.num_joints - 1))
    bounds += [bounds[-1] + 3 * skeleton.num_joints, skeleton.feature_dim]
    return tuple(slice(start, stop) for start, stop in pairwise(bounds))


def _for_arrays(function: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    """Let a torch function take numpy arrays too; it returns what it was given."""

    @wraps(function)
    def wrapper(array: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(array, np.ndarray):
            # A copy where torch would warn (read-only) or refuse (reversed views); it never writes to it anyway.
            usable = array.flags.writeable and min(array.strides, default=0) >= 0
            tensor = torch.from_numpy(array if usable else array.copy())
            return function(tensor, *args, **kwargs).numpy()
        return function(array, *args, **kwargs)

    return wrapper


def _check_joints(joints: torch.Tensor, skeleton: Skeleton, min_frames: int) -> None:
    if joints.ndim < 3 or tuple(joints.shape[-2:]) != (skeleton.num_joints, 3):
        raise MotionLLMError(
            f"joints have shape {tuple(joints.shape)}; this skeleton needs (..., frames, {skeleton.num_joints}, 3)"
        )
    if joints.shape[-3] < min_frames:
        raise MotionLLMError(f"the motion has {joints.shape[-3]} frames; at least {min_frames} are needed")


def _first(joints: torch.Tensor) -> torch.Tensor:
    """(..., T, J, 3) to (3, ..., T, J) in float64: arithmetic runs over long contiguous rows, not over triples."""
    return joints.double().movedim(-1, 0).contiguous()


def _turn(points: torch.Tensor, half_angle: torch.Tensor) -> torch.Tensor:
    """Turn component-first points (3, ...) about the y axis by twice `half_angle` (broadcast over points)."""
    cos, sin = (2 * half_angle).cos(), (2 * half_angle).sin()
    x, y, z = points
    return torch.stack([cos * x + sin * z, y, cos * z - sin * x])


def _half_angle_to_forward(x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Half of the angle about y, in (-pi/2, pi/2], that turns the horizontal direction (x, z) to +Z."""
    return torch.atan2(-x, z) / 2


@lru_cache(maxsize=8)
def _bone_matrices(parents: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """(J, J-1) matrix from joints to bones, and (J-1, J) from bones to joints relative to the root."""
    count = len(parents)
    to_bones = torch.zeros(count, count - 1, dtype=torch.float64)
    to_joints = torch.zeros(count - 1, count, dtype=torch.float64)
    for joint in range(1, count):
        to_bones[joint, joint - 1] = 1
        to_bones[parents[joint], joint - 1] -= 1
        to_joints[:, joint] = to_joints[:, parents[joint]]
        to_joints[joint - 1, joint] = 1
    return to_bones, to_joints


def _put_on_bones(joints: torch.Tensor, skeleton: Skeleton) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Component-first joints with the skeleton's bones, the unit bones, and the scale (..., 1, 1) of the root path."""
    to_bones, to_joints = (matrix.to(joints.device) for matrix in _bone_matrices(skeleton.parents))
    bones = joints @ to_bones
    lengths = bones.square().sum(0).sqrt()
    if bool((lengths == 0).any()):
        joint = int((lengths == 0).flatten(0, -2).any(0).nonzero()[0]) + 1
        names = (skeleton.joint_names[joint], skeleton.joint_names[skeleton.parents[joint]])
        raise MotionLLMError(f"joints '{names[0]}' and '{names[1]}' share one place; map them to different joints")
    bones = bones / lengths
    scale = torch.ones_like(lengths[..., :1, :1])
    if skeleton.bone_lengths is not None:
        target = joints.new_tensor(skeleton.bone_lengths[1:])
        leg = [joint - 1 for joint in skeleton.leg]
        scale = target[leg].sum() / lengths[..., :1, leg].sum(-1, keepdim=True)
        joints = joints[..., :1] * scale + (bones * target) @ to_joints
    return joints, bones, scale


def _half_angle_of_first(joints: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """Half of the angle (..., 1, 1) that turns the facing of the first frame of component-first joints to +Z."""
    right_hip, left_hip, right_shoulder, left_shoulder = skeleton.facing
    first = joints[..., 0, :]
    across = first[..., right_hip] - first[..., left_hip] + first[..., right_shoulder] - first[..., left_shoulder]
    return _half_angle_to_forward(across[2], -across[0])[..., None, None]


def _canonicalize(joints: torch.Tensor, skeleton: Skeleton) -> tuple[torch.Tensor, torch.Tensor]:
    """Canonical joints (3, ..., T, J) and unit bone directions (3, ..., T, J-1) of component-first joints."""
    joints, bones, _ = _put_on_bones(joints, skeleton)
    x, y, z = joints
    joints = torch.stack([x - x[..., :1, :1], y - y.amin(dim=(-1, -2), keepdim=True), z - z[..., :1, :1]])
    half = _half_angle_of_first(joints, skeleton)
    return _turn(joints, half), _turn(bones, half)


@lru_cache(maxsize=1)
def _heading_kernel() -> torch.Tensor:
    steps = torch.arange(-HEADING_RADIUS, HEADING_RADIUS + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (steps / HEADING_SIGMA) ** 2)
    return kernel / kernel.sum()


def _half_headings(joints: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """Half angles (..., T) that turn the smoothed facing of each frame to +Z; frame 0 is 0 by definition.

    The hip term has the opposite sign of the one in `_canonicalize`. That is how the published features are made.
    """
    right_hip, left_hip, right_shoulder, left_shoulder = skeleton.facing
    across = joints[..., left_hip] - joints[..., right_hip] + joints[..., right_shoulder] - joints[..., left_shoulder]
    forward = torch.stack([across[2], -across[0]]) / across.square().sum(0).sqrt()
    rows = F.pad(forward.flatten(0, -2)[:, None], (HEADING_RADIUS, HEADING_RADIUS), mode="replicate")
    smooth = F.conv1d(rows, _heading_kernel().to(rows)[None, None]).view(forward.shape)
    half = _half_angle_to_forward(smooth[0], smooth[1])
    half[..., 0] = 0
    return half


def _local_rotations(bones: torch.Tensor, half: torch.Tensor, skeleton: Skeleton) -> torch.Tensor:
    """(6, ..., T, J-1) rotations of unit bones (3, ..., T, J-1) relative to the parent bone, or to the facing.

    Each bone's world rotation is the shortest one from its canonical direction. A bone opposite to it has no shortest
    rotation and turns half way round a fixed axis.
    """
    dx, dy, dz = bones.new_tensor(skeleton.directions)[1:].T
    bx, by, bz = bones
    w = 1 + dx * bx + dy * by + dz * bz
    x, y, z = dy * bz - dz * by, dz * bx - dx * bz, dx * by - dy * bx
    norm = (w * w + x * x + y * y + z * z).sqrt()
    world = torch.stack([w, x, y, z]) / norm
    if bool((norm < 1e-12).any()):
        axis = torch.stack([torch.zeros_like(dx), dy, dz, dx])[:, *[None] * (w.ndim - 1), :]
        world = torch.where(norm < 1e-12, axis, world)

    zero = torch.zeros_like(half)
    facing = torch.stack([half.cos(), zero, half.sin(), zero])[..., None]
    roots = skeleton.rotation_roots
    above = [0 if joint in roots else skeleton.parents[joint] for joint in range(1, skeleton.num_joints)]
    pw, px, py, pz = torch.cat([facing, world], dim=-1)[..., above]
    w, x, y, z = world
    # conjugate(parent) * world
    w, x, y, z = (
        pw * w + px * x + py * y + pz * z,
        pw * x - px * w - py * z + pz * y,
        pw * y - py * w - pz * x + px * z,
        pw * z - pz * w - px * y + py * x,
    )
    xx, yy, zz = x * x, y * y, z * z
    xy, xz, yz, wx, wy, wz = x * y, x * z, y * z, w * x, w * y, w * z
    first_column = [1 - 2 * (yy + zz), 2 * (xy + wz), 2 * (xz - wy)]
    second_column = [2 * (xy - wz), 1 - 2 * (xx + zz), 2 * (yz + wx)]
    return torch.stack(first_column + second_column)


def _rows(components: torch.Tensor) -> torch.Tensor:
    """Component-first (C, ..., T, J) to feature columns (..., T, J C)."""
    return components.movedim(0, -1).flatten(-2)


def _hold_last(joints: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Replace padding frames by the last real one: floor and heading filter then see only the real motion."""
    frames = torch.arange(joints.shape[-3], device=joints.device)
    index = torch.minimum(frames, torch.as_tensor(lengths).to(frames)[..., None] - 1)
    return torch.gather(joints, -3, index[..., None, None].expand(joints.shape))


@_for_arrays
def canonicalize_joints(
    joints: torch.Tensor, skeleton: Skeleton = HUMANML3D, lengths: torch.Tensor | None = None
) -> torch.Tensor:
    """Put a motion on the skeleton's bones, on the floor, at the origin, facing +Z in its first frame.

    Args:
        joints: (..., T, J, 3) metres, Y up.
        skeleton: target skeleton.
        lengths: frames that count, per batch entry, for padded batches.

    Returns:
        (..., T, J, 3), same dtype.

    Raises:
        MotionLLMError: wrong shape, or a bone of length zero.
    """
    _check_joints(joints, skeleton, 1)
    if lengths is not None:
        joints = _hold_last(joints, lengths)
    return _canonicalize(_first(joints), skeleton)[0].movedim(0, -1).to(joints.dtype).contiguous()


@_for_arrays
def motion_start(joints: torch.Tensor, skeleton: Skeleton = HUMANML3D) -> torch.Tensor:
    """Where a motion starts: what `canonicalize_joints` takes away from it.

    Args:
        joints: (..., T, J, 3) metres, Y up.
        skeleton: target skeleton.

    Returns:
        (..., 4) float64: x and z of the root in the first frame, as given (metres); its heading, the angle about Y from
        +Z towards +X, so that turning left is positive, in (-pi, pi]; the factor that lengths are scaled by.

    Raises:
        MotionLLMError: wrong shape, or a bone of length zero.
    """
    _check_joints(joints, skeleton, 1)
    first = _first(joints[..., :1, :, :])
    on_bones, _, scale = _put_on_bones(first, skeleton)
    heading = -2 * _half_angle_of_first(on_bones, skeleton)
    root = first[..., :1, :1]
    return torch.stack([root[0], root[2], heading, scale], dim=-1)[..., 0, 0, :]


@_for_arrays
def joints_to_features(
    joints: torch.Tensor,
    skeleton: Skeleton = HUMANML3D,
    lengths: torch.Tensor | None = None,
    canonicalize: bool = True,
) -> torch.Tensor:
    """Joint positions to HumanML3D features (Guo et al. 2022; the official code's numbers to 1e-4).

    Canonicalises first, unless told not to. Compute features of whole clips and cut features: the heading filter
    reaches 80 frames.

    Args:
        joints: (..., T, J, 3) in the skeleton's unit (metres for HUMANML3D), Y up, at `skeleton.fps`.
        skeleton: the skeleton of the joints.
        lengths: frames that count, per batch entry, for padded batches; rows from `lengths - 1` on come back as zeros.
        canonicalize: without it, bones, floor and heading are left as they are, so that `features_to_joints` gives back
            the joints themselves if they start at the origin: for motions that were decoded, whose first frame may face
            a little off +Z.

    Returns:
        (..., T-1, 12 J - 1) raw features, same dtype; columns in the module's docstring.

    Raises:
        MotionLLMError: wrong shape, fewer than 2 frames, or a bone of length zero.
    """
    _check_joints(joints, skeleton, 2)
    dtype = joints.dtype
    if lengths is not None:
        joints = _hold_last(joints, lengths)
    canonical = _first(joints)
    if canonicalize:
        canonical, bones = _canonicalize(canonical, skeleton)
    else:
        bones = _put_on_bones(canonical, skeleton)[1]
    half = _half_headings(canonical, skeleton)
    here, turn = half[..., :-1], half[..., 1:] - half[..., :-1]
    # The official arcsin sees the sine of the half angle, so a heading that passes 180 degrees shows the wrong turn.
    turn = torch.arcsin(turn.sin())

    step = canonical[..., 1:, :] - canonical[..., :-1, :]
    root_step = _turn(step[..., 0], half[..., 1:])
    x, y, z = canonical[..., :-1, 1:]
    root = canonical[..., :-1, :1]
    local = _turn(torch.stack([x - root[0], y, z - root[2]]), here[..., None])
    contact = step[..., list(skeleton.feet)].square().sum(0) < skeleton.contact_threshold
    columns = [
        torch.stack([turn, root_step[0], root_step[2], root[1, ..., 0]], dim=-1),
        _rows(local),
        _rows(_local_rotations(bones[..., :-1, :], here, skeleton)),
        _rows(_turn(step, here[..., None])),
        contact,
    ]
    features = torch.cat([column.to(dtype) for column in columns], dim=-1)
    if lengths is not None:
        rows = torch.arange(features.shape[-2], device=features.device)
        features = features * (rows < torch.as_tensor(lengths).to(rows)[..., None] - 1)[..., None]
    return features


def integrate_root(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Half headings (..., T) and root positions (..., T, 3) of raw features (..., T, D), from the origin facing +Z."""
    half = features[..., 0].cumsum(-1)
    half = F.pad(half[..., :-1], (1, 0))
    step = torch.stack([features[..., 1], torch.zeros_like(half), features[..., 2]])[..., :-1]
    x, _, z = F.pad(_turn(step, -half[..., 1:]).cumsum(-1), (1, 0))
    return half, torch.stack([x, features[..., 3], z], dim=-1)


@_for_arrays
def features_to_joints(features: torch.Tensor, skeleton: Skeleton = HUMANML3D) -> torch.Tensor:
    """Recover joint positions from raw features: integrate the root's turn and path, place the joints around it.

    Args:
        features: (..., T, 12 J - 1) raw (not normalised).
        skeleton: the skeleton of the features.

    Returns:
        (..., T, J, 3) in the skeleton's unit, from the origin facing +Z; differentiable.

    Raises:
        MotionLLMError: wrong number of columns.
    """
    if features.ndim < 2 or features.shape[-1] != skeleton.feature_dim:
        raise MotionLLMError(
            f"features have shape {tuple(features.shape)}; this skeleton needs (..., frames, {skeleton.feature_dim})"
        )
    half, root = integrate_root(features)
    local = features[..., 4 : 4 + 3 * (skeleton.num_joints - 1)].unflatten(-1, (-1, 3))
    x, y, z = _turn(local.movedim(-1, 0), -half[..., None])
    joints = torch.stack([x + root[..., 0:1], y, z + root[..., 2:3]], dim=-1)
    return torch.cat([root[..., None, :], joints], dim=-2)


@_for_arrays
def mirror_joints(joints: torch.Tensor, skeleton: Skeleton = HUMANML3D) -> torch.Tensor:
    """Mirror left and right: x changes sign, and left and right joints change places. Its own inverse.

    Args:
        joints: (..., J, 3).
        skeleton: names the counterparts.
    """
    return joints[..., list(skeleton.mirror_permutation), :] * joints.new_tensor([-1.0, 1.0, 1.0])


@_for_arrays
def resample_joints(joints: torch.Tensor, source_fps: float, target_fps: float) -> torch.Tensor:
    """Resample (..., T, J, 3) joint positions to another frame rate by linear interpolation.

    Frame k of the result is taken at k / target_fps seconds; the result never reaches past the last frame.

    Args:
        joints: (..., T, J, 3), in any unit.
        source_fps: frames per second of `joints`.
        target_fps: frames per second of the result.

    Returns:
        (..., T', J, 3) with T' = floor((T - 1) * target_fps / source_fps) + 1.

    Raises:
        MotionLLMError: a frame rate is not positive and finite, there is no frame, or would be more than `MOST_FRAMES`.
    """
    for fps in (source_fps, target_fps):
        if not (math.isfinite(fps) and fps > 0):
            raise MotionLLMError(f"cannot resample from {source_fps} to {target_fps} fps; both must be positive")
    if joints.shape[-3] == 0:
        raise MotionLLMError("the motion has no frames; at least 1 is needed")
    last = joints.shape[-3] - 1
    if last * target_fps / source_fps >= MOST_FRAMES:
        raise MotionLLMError(
            f"{last + 1:,} frames at {source_fps:g} fps make more than {MOST_FRAMES:,} at {target_fps:g} fps; correct "
            "the frame rate, or cut the motion"
        )
    count = math.floor(last * target_fps / source_fps + 1e-9) + 1
    position = torch.arange(count, dtype=torch.float64, device=joints.device) * (source_fps / target_fps)
    low = position.floor().long().clamp(0, last)
    weight = (position - low).to(joints)[:, None, None]
    below, above = joints[..., low, :, :], joints[..., (low + 1).clamp(0, last), :, :]
    return (1 - weight) * below + weight * above
