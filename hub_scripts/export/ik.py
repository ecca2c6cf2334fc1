"""Joint positions to joint rotations: our own inverse kinematics, for whole clips at once.

Positions say where a bone points, not how it is turned about itself. What they leave open is taken from the neighbours:
the pelvis turns with the hips and the chest with the collars (least squares, Kabsch 1976), the spine between them
shares their twist, and an upper arm or leg is turned so that its elbow or knee bends about its hinge. The hinge of a
straight limb is unknown; it follows from the frames around it (and for legs from the foot) by one linear system over
time, so that it neither flips nor jitters.
"""

import numpy as np

from hub_scripts.skeletons.kinematics import rest_positions
from modeling_motionllm.body_motionllm import PARENTS, body_scale
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.fixed_body_motionllm import CHEST, PELVIS, Part, fit_rotations, nearest_known, part_shape
from modeling_motionllm.motion_features import HUMANML3D

from .hinges import hinge_axes
from .rig import Rig, RigMotion, check_fps
from .rotations import align_signs, conjugate, from_matrix, multiply, rotate, slerp, swing

__all__ = ["solve_rotations"]

_SHORTEST_BONE = 1e-3  # metres
_X, _Y, _Z = np.eye(3)

# Directions of single bones in the T-pose. Feet are set by the clip; bones of the pelvis and the chest by their shape.
_REST = {
    **{4: -_Y, 5: -_Y, 7: -_Y, 8: -_Y, 6: _Y, 9: _Y, 15: _Y},
    **{16: _X, 18: _X, 20: _X, 17: -_X, 19: -_X, 21: -_X},
}
# Limbs: the joint they hang on, their joints, and the axis about which their hinge bends in the T-pose.
_LIMBS = (
    (0, (1, 4, 7, 10), _X),
    (0, (2, 5, 8, 11), _X),
    (13, (16, 18, 20), -_Y),
    (14, (17, 19, 21), _Y),
)
_TIPS = {15: 0.19 * _Y, 20: 0.17 * _X, 21: -0.17 * _X, 10: 0.055 * _Z, 11: 0.055 * _Z}  # metres, adult of 1.7 m
_DEFAULT_FOOT_PITCH, _FOOT_PITCHES = 35.0, (10.0, 60.0)  # degrees below the horizontal, standing


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1, keepdims=True)


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors of (T, 3); where one has no length it is that of the nearest frame."""
    lengths = _length(vectors)
    return nearest_known(vectors / np.maximum(lengths, 1e-12), lengths[:, 0] > 1e-6)


def _check_lengths(lengths: np.ndarray, given: bool) -> None:
    short = [joint for joint in range(1, 22) if not (np.isfinite(lengths[joint]) and lengths[joint] >= _SHORTEST_BONE)]
    if short:
        names = HUMANML3D.joint_names
        bones = ", ".join(f"{names[PARENTS[joint]]}-{names[joint]}" for joint in short)
        where = "the given bone lengths" if given else "this motion"
        raise MotionLLMError(
            f"bones without length in {where}: {bones}; rotations need joints that lie apart (at least 1 mm, in metres)"
        )


def _shape(joints: np.ndarray, part: Part) -> np.ndarray:
    """Unit vectors (children, 3) from a joint to its children in the T-pose."""
    shape = part_shape(joints, part)
    shape = shape / np.maximum(_length(shape), 1e-12)
    if np.linalg.svd(shape, compute_uv=False)[1] < 1e-2:
        name = HUMANML3D.joint_names[part.joint]
        raise MotionLLMError(f"the joints around the {name} lie on one line, so nothing tells how it is turned")
    return np.asarray(shape)


def _foot_pitch(joints: np.ndarray) -> float:
    """Degrees from the ankle down to the ball of a foot that stands flat: what most low feet of the clip show."""
    pitches = []
    for ankle, ball in ((7, 10), (8, 11)):
        low = joints[:, ball, 1] <= np.quantile(joints[:, ball, 1], 0.3) + 0.01
        foot = joints[low, ball] - joints[low, ankle]
        pitches.append(np.degrees(np.arctan2(-foot[:, 1], np.hypot(foot[:, 0], foot[:, 2]))))
    pitch = float(np.median(np.concatenate(pitches)))
    return pitch if _FOOT_PITCHES[0] <= pitch <= _FOOT_PITCHES[1] else _DEFAULT_FOOT_PITCH


def _make_rig(joints: np.ndarray, lengths: np.ndarray) -> Rig:
    pitch = np.radians(_foot_pitch(joints))
    foot = np.array([0.0, -np.sin(pitch), np.cos(pitch)])
    directions = np.zeros((22, 3))
    for joint, direction in (_REST | {10: foot, 11: foot}).items():
        directions[joint] = direction
    for part in (PELVIS, CHEST):
        directions[list(part.children)] = _shape(joints, part)
    tips, scale = np.zeros((22, 3)), body_scale(joints)
    for joint, tip in _TIPS.items():
        tips[joint] = tip * scale
    offsets = directions * lengths[:, None]
    return Rig(HUMANML3D.joint_names, PARENTS, offsets, tips, rest_positions(PARENTS, offsets), tuple(range(22)))


def _frames(direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Matrices whose columns are a bone, its hinge (made to be at right angles to it) and their cross product."""
    across = axis - direction * (axis * direction).sum(axis=-1, keepdims=True)
    across = across / np.maximum(_length(across), 1e-12)
    return np.stack([direction, across, np.cross(direction, across)], axis=-1)


def _aim(targets: np.ndarray, from_input: np.ndarray, from_rig: np.ndarray, same_lengths: bool) -> np.ndarray:
    """Directions (T, 3) of a bone: to where its end should be, or, on other bone lengths, as it points in the input."""
    return _directions(targets - (from_rig if same_lengths else from_input))


def solve_rotations(
    joints: np.ndarray, fps: float, bone_lengths: np.ndarray | None = None, rig: Rig | None = None
) -> RigMotion:
    """Rotations that move a skeleton of fixed bones through given joint positions.

    Joints come out where they were, but for the lengths of the bones: where the clip's bones stretch or its pelvis and
    chest change shape, every following bone points to where its end was. Rotations are continuous: no bone turns about
    itself faster than its neighbours do.

    Args:
        joints: (T, 22, 3), metres, Y up, SMPL-22 order.
        fps: frames per second.
        bone_lengths: (22,), metres, root 0: the skeleton to use instead of the clip's own (the median over time). The
            path of the root is then scaled by the legs, and bones point as they do in the clip.
        rig: the same with the shapes of pelvis, chest and feet too: a skeleton that an earlier call returned.

    Returns:
        Rotations and the skeleton, in T-pose, facing +Z.

    Raises:
        MotionLLMError: wrong shape, NaN, bones without length, or joints of pelvis or chest on one line.
    """
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (22, 3) or len(joints) == 0:
        raise MotionLLMError(f"joints have shape {joints.shape}; give (frames, 22, 3) of one person, in SMPL-22 order")
    if not np.isfinite(joints).all():
        raise MotionLLMError("joints hold values that are NaN or infinite; repair or cut these frames first")
    fps = check_fps(fps)
    own = np.zeros(22)
    own[1:] = np.median(_length(joints[:, 1:] - joints[:, list(PARENTS[1:])])[..., 0], axis=0)
    _check_lengths(own, given=False)
    if rig is not None:
        bone_lengths = _length(rig.offsets)[:, 0]
    lengths = own if bone_lengths is None else np.asarray(bone_lengths, dtype=np.float64)
    if lengths.shape != (22,):
        raise MotionLLMError(f"bone_lengths have shape {lengths.shape}; give 22 lengths in metres, the first 0")
    _check_lengths(lengths, given=True)
    same = bone_lengths is None
    rig = _make_rig(joints, lengths) if rig is None else rig
    legs = [4, 5, 7, 8]
    root = joints[:, 0] * (1.0 if same else lengths[legs].sum() / own[legs].sum())

    # Down the tree: where each bone points, and where the joints of the rig come to lie.
    position = np.empty_like(joints)
    position[:, 0] = root
    world = np.zeros((len(joints), 22, 4))
    direction = np.zeros_like(joints)
    for joint in range(22):
        if joint in (PELVIS.joint, CHEST.joint):
            children = list((PELVIS if joint == PELVIS.joint else CHEST).children)
            origin = position[:, joint] if same else joints[:, joint]
            turns = fit_rotations(rig.offsets[children], joints[:, children] - origin[:, None])
            world[:, joint] = align_signs(from_matrix(turns))
            position[:, children] = position[:, joint, None] + rotate(world[:, joint, None], rig.offsets[children])
        for child in rig.children(joint):
            if child in _REST or child in (10, 11):
                direction[:, child] = _aim(joints[:, child], joints[:, joint], position[:, joint], same)
                position[:, child] = position[:, joint] + lengths[child] * direction[:, child]

    _turn_spine(world, direction)
    for joint, child in ((12, 15), (13, 16), (14, 17)):
        world[:, joint] = _follow(world[:, 9], _REST[child], direction[:, child])
    _turn_limbs(world, direction, rig, fps)
    for joint in (15, 20, 21, 10, 11):  # nothing shows how these are turned: they go with their parents
        world[:, joint] = world[:, PARENTS[joint]]
    local = world.copy()
    local[:, 1:] = multiply(conjugate(world[:, list(PARENTS[1:])]), world[:, 1:])
    return RigMotion(rig, root, align_signs(local), fps)


def _follow(parent: np.ndarray, rest: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """World rotations (T, 4) that go with `parent` (T, 4) and on the shortest way from there to `direction` (T, 3)."""
    return multiply(swing(rotate(parent, rest), direction), parent)


def _turn_spine(world: np.ndarray, direction: np.ndarray) -> None:
    """Set the rotations of spine1 and spine2: a third and two thirds of the way from the pelvis to the chest."""
    between = align_signs(multiply(conjugate(world[:, 0]), world[:, 9]))
    still = np.broadcast_to([1.0, 0.0, 0.0, 0.0], between.shape)
    for joint, child, share in ((3, 6, 1 / 3), (6, 9, 2 / 3)):
        shared = multiply(world[:, 0], slerp(still, between, share))
        world[:, joint] = _follow(shared, _Y, direction[:, child])


def _turn_limbs(world: np.ndarray, direction: np.ndarray, rig: Rig, fps: float) -> None:
    """Set the rotations of arms and legs, all four at once."""
    anchors = [anchor for anchor, _, _ in _LIMBS]
    upper, lower = ([chain[index] for _, chain, _ in _LIMBS] for index in (1, 2))
    axes = np.stack([axis for _, _, axis in _LIMBS])
    rest = np.stack([_REST[joint] for joint in upper])
    feet = np.zeros((len(world), 4, 3))
    feet[:, :2] = direction[:, [10, 11]]
    into = conjugate(world[:, anchors])
    local = [rotate(into, vectors) for vectors in (direction[:, upper], direction[:, lower], feet)]
    hinge = hinge_axes(local[0], local[1], local[2], rest, axes, fps)
    hinge = rotate(world[:, anchors], hinge)
    still = np.swapaxes(_frames(rest, axes), -1, -2)
    for bones, joints in ((upper, [1, 2, 16, 17]), (lower, [4, 5, 18, 19])):
        world[:, joints] = from_matrix(_frames(direction[:, bones], hinge) @ still)
    for ankle, ball in ((7, 10), (8, 11)):
        rest_foot = rig.offsets[ball] / _length(rig.offsets[ball])
        world[:, ankle] = _follow(world[:, PARENTS[ankle]], rest_foot, direction[:, ball])
