"""`fixed_body`: a motion on bones that keep their lengths; what quantised motions blur into stretching."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .body_motionllm import PARENTS
from .planted_feet_motionllm import ease_of_stands

__all__ = ["CHEST", "PELVIS", "Part", "fit_rotations", "fixed_body", "nearest_known", "part_shape"]

_FITS = 1e-4  # metres; a frame whose bones differ by less stays as it is, to the bit
_LOW, _FREE = 0.06, 0.12  # metres above the floor; a lower toe stays in its place, a higher one need not
_ROOM = 0.9995  # of a leg's length, as far as hips are from a foot that is held
_STEPS_TO_KNEES, _STEPS_TO_REACH = 4, 50


class Part(NamedTuple):
    """A joint with several children, which turn with it as one rigid piece.

    Args:
        joint: it.
        children: its children.
        sides: the joints that the axis from right to left runs between: left, right.
        ends: joints at the bottom and at the top of the axis that points up.
    """

    joint: int
    children: tuple[int, ...]
    sides: tuple[int, int]
    ends: tuple[tuple[int, ...], tuple[int, ...]]


PELVIS = Part(0, (1, 2, 3), (1, 2), ((1, 2), (3,)))
CHEST = Part(9, (12, 13, 14), (13, 14), ((9,), (12,)))
# Bones below the pelvis and the chest, from the body outwards: (joint, child).
_TRUNK = ((3, 6), (6, 9))
_ABOVE = ((12, 15), (13, 16), (14, 17), (16, 18), (17, 19), (18, 20), (19, 21))
_LEGS = ((1, 4, 7, 10), (2, 5, 8, 11))  # hip, knee, ankle, toe


def fixed_body(joints: np.ndarray, fps: float) -> np.ndarray:
    """The same motion on bones of fixed length, pelvis and chest rigid.

    Lengths and shapes are the medians over the motion. Toes that stand or are near the floor stay where they are: the
    body moves so that the knees need not bend more or less for it, and the legs follow by inverse kinematics. Pelvis
    and chest are fitted to the joints around them, all other bones point to where their ends were. Frames that fit
    already stay as they are, to the bit.

    Args:
        joints: (..., T, 22, 3) metres, Y up, the floor at y = 0, SMPL-22 order.
        fps: frames per second.

    Returns:
        An array of the same shape and dtype; `joints` itself where all frames fit.
    """
    people = joints.reshape(-1, *joints.shape[-3:])
    fixed = [_fixed(person.astype(np.float64), fps) for person in people]
    if all(person is None for person in fixed):
        return joints
    result = people.copy()
    for own, person in zip(result, fixed, strict=True):
        if person is not None:
            fits, placed = person
            own[~fits] = placed[~fits]
    return result.reshape(joints.shape)


def part_shape(joints: np.ndarray, part: Part) -> np.ndarray:
    """The children of a joint as a motion shows them, in the axes of the part (x left, y up): (children, 3), metres."""
    x = _unit(joints[:, part.sides[0]] - joints[:, part.sides[1]])
    bottom, top = (joints[:, list(end)].mean(axis=1) for end in part.ends)
    y = _unit(_across(top - bottom, x))
    axes = np.stack([x, y, np.cross(x, y)], axis=-1)
    return np.asarray(np.median((joints[:, list(part.children)] - joints[:, part.joint, None]) @ axes, axis=0))


def fit_rotations(offsets: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Matrices (T, 3, 3) that bring `offsets` (N, 3) nearest to `targets` (T, N, 3) in the sense of least squares."""
    left, sizes, right = np.linalg.svd(np.einsum("tni,nj->tij", targets, offsets))
    left[..., 2] *= np.sign(np.linalg.det(left @ right))[..., None]
    # Where the targets lie on one line for a moment, the frames around say how the part is turned.
    return nearest_known(left @ right, sizes[:, 1] > 1e-6 * np.maximum(sizes[:, 0], 1e-12))


def nearest_known(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """`values` (T, ...) with the frames that are not `known` (T,) replaced by the nearest that is."""
    if known.all() or not known.any():
        return values
    frames = np.flatnonzero(known)
    index = np.arange(len(known))
    after = np.searchsorted(frames, index).clip(0, len(frames) - 1)
    before = (after - 1).clip(0)
    nearer = np.where(index - frames[before] <= np.abs(frames[after] - index), frames[before], frames[after])
    return values[nearer]


def _fixed(joints: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Which frames fit, (T,), and joints (T, 22, 3) of all others on a fixed body; None where all frames fit."""
    lengths = np.zeros(22)
    bones = np.linalg.norm(joints[:, 1:] - joints[:, list(PARENTS[1:])], axis=-1)
    lengths[1:] = np.median(bones, axis=0)
    pelvis, chest = (_scaled(part_shape(joints, part), lengths[list(part.children)]) for part in (PELVIS, CHEST))
    hips = _rigid(joints, PELVIS, pelvis, joints[:, 0])
    wrong = np.abs(bones - lengths[1:]).max(axis=1)
    for part, there in ((PELVIS, hips), (CHEST, _rigid(joints, CHEST, chest, joints[:, CHEST.joint]))):
        wrong = np.maximum(wrong, np.abs(there - joints[:, list(part.children)]).max(axis=(1, 2)))
    fits = wrong < _FITS
    if fits.all():
        return None
    legs = [_leg(joints, leg, lengths, fps) for leg in _LEGS]
    shift = _nearer_to_feet(joints, hips, legs)
    placed, meant = joints.copy(), joints + shift[:, None]
    placed[:, 0] = meant[:, 0]
    placed[:, list(PELVIS.children)] = hips + shift[:, None]
    for bone in _TRUNK:
        _aim(placed, meant, bone, lengths)
    placed[:, list(CHEST.children)] = _rigid(meant, CHEST, chest, placed[:, CHEST.joint])
    for bone in _ABOVE:
        _aim(placed, meant, bone, lengths)
    for leg in legs:
        _bend_leg(placed, joints, leg)
    return fits, placed


def _scaled(shape: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return _unit(shape) * lengths[:, None]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _across(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """What of `vectors` (..., 3) is at right angles to the unit vectors `axis`."""
    return vectors - axis * (vectors * axis).sum(axis=-1, keepdims=True)


def _rigid(joints: np.ndarray, part: Part, shape: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Places (T, children, 3) of a rigid part at `origin` (T, 3), turned as its joints are."""
    turns = fit_rotations(shape, joints[:, list(part.children)] - origin[:, None])
    return np.asarray(origin[:, None] + np.einsum("tij,nj->tni", turns, shape))


def _aim(placed: np.ndarray, meant: np.ndarray, bone: tuple[int, int], lengths: np.ndarray) -> None:
    """Set the end of a bone, which points to where it is meant to be."""
    joint, child = bone
    way = meant[:, child] - placed[:, joint]
    way = nearest_known(_unit(way), np.linalg.norm(way, axis=-1) > 1e-6)
    placed[:, child] = placed[:, joint] + lengths[child] * way


class _Leg(NamedTuple):
    """A leg as the motion shows it.

    Args:
        joints: hip, knee, ankle and toe.
        bones: of thigh, shin and foot, unit vectors, three times (T, 3).
        lengths: of the three on the fixed body.
        held: (T,), 1 where the toe stays in its place, 0 where it goes where the bones point.
        stretched: (T,), how far it is from hip to ankle on the fixed body with the knee bent as it is.
    """

    joints: tuple[int, int, int, int]
    bones: list[np.ndarray]
    lengths: list[float]
    held: np.ndarray
    stretched: np.ndarray


def _leg(joints: np.ndarray, leg: tuple[int, int, int, int], lengths: np.ndarray, fps: float) -> _Leg:
    bones = [_unit(joints[:, end] - joints[:, start]) for start, end in pairwise(leg)]
    thigh, shin, foot = (float(lengths[joint]) for joint in leg[1:])
    toe = joints[:, leg[3]]
    held = np.maximum(ease_of_stands(toe, fps), np.clip((_FREE - toe[:, 1]) / (_FREE - _LOW), 0.0, 1.0))
    stretched = np.linalg.norm(thigh * bones[0] + shin * bones[1], axis=-1)
    return _Leg(leg, bones, [thigh, shin, foot], held, stretched)


def _nearer_to_feet(joints: np.ndarray, hips: np.ndarray, legs: list[_Leg]) -> np.ndarray:
    """How far the body moves (T, 3), so that the knees above held feet bend as they did, and these are within reach."""
    shift, ways = np.zeros((len(joints), 3)), []
    for side, leg in enumerate(legs):
        ways.append(joints[:, leg.joints[3]] - leg.lengths[2] * leg.bones[2] - hips[:, side])
    share = sum(leg.held for leg in legs)
    for _ in range(_STEPS_TO_KNEES):
        steps = np.zeros_like(shift)
        for way, leg in zip(ways, legs, strict=True):
            left = way - shift
            steps += (leg.held * (np.linalg.norm(left, axis=-1) - leg.stretched))[:, None] * _unit(left)
        shift += steps / np.maximum(share, 1.0)[:, None]
    for step in range(_STEPS_TO_REACH):
        way, leg = ways[step % 2], legs[step % 2]
        left = way - shift
        excess = np.linalg.norm(left, axis=-1) - _ROOM * (leg.lengths[0] + leg.lengths[1])
        shift += _unit(left) * (leg.held * np.maximum(excess, 0.0))[:, None]
    return shift


def _bend_leg(placed: np.ndarray, joints: np.ndarray, leg: _Leg) -> None:
    """Set knee, ankle and toe, from the hip that is placed."""
    hip, knee, ankle, toe = leg.joints
    thigh, shin, foot = leg.lengths
    free = placed[:, hip] + thigh * leg.bones[0] + shin * leg.bones[1]
    wanted = free + leg.held[:, None] * (joints[:, toe] - foot * leg.bones[2] - free)
    way = wanted - placed[:, hip]
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    axis = way / np.maximum(distance, 1e-12)
    distance = np.clip(distance, abs(thigh - shin) + 1e-6, thigh + shin)
    placed[:, ankle] = placed[:, hip] + distance * axis
    placed[:, toe] = placed[:, ankle] + foot * leg.bones[2]
    along = (thigh**2 - shin**2 + distance**2) / np.maximum(2 * distance, 1e-12)
    height = np.sqrt(np.maximum(thigh**2 - along**2, 0.0))
    # The knee stays on its side of the line from hip to ankle. A leg that was nearly straight says little of that: as
    # far as it has to bend more than it did, it bends to where the foot points.
    side = _across(thigh * leg.bones[0], _unit(thigh * leg.bones[0] + shin * leg.bones[1]))
    more = np.maximum(height - np.linalg.norm(side, axis=-1, keepdims=True), 0.0)
    front = _unit(_across(leg.bones[2], axis))
    placed[:, knee] = placed[:, hip] + along * axis + height * _unit(_across(side, axis) + more * front)
