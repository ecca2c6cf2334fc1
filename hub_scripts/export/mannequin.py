"""A mannequin around a skeleton in T-pose: tubes with smooth normals, skinned so that knees, elbows and spine bend."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from modeling_motionllm.body_motionllm import body_scale

__all__ = ["Mannequin", "build_mannequin"]

_SEGMENTS = 20  # around a tube
_CAP = np.sin(np.radians([15, 40, 65]))  # how far out the rings of a rounded end lie
_X, _Y, _Z = np.eye(3)

Weights = dict[int, float]
Ring = tuple[np.ndarray, float, float, Weights]


@dataclass(eq=False)
class Mannequin:
    """A skinned triangle mesh in the rest pose of a rig (root at the origin, metres).

    Args:
        positions: float32 (V, 3).
        normals: float32 (V, 3), unit.
        joints: uint8 (V, 4), the joints of the skeleton that move a vertex.
        weights: float32 (V, 4), sum 1.
        triangles: for each body side ("left", "right", "middle") uint16 (N, 3), counter-clockwise from outside.
    """

    positions: np.ndarray
    normals: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    triangles: dict[str, np.ndarray]


@dataclass
class _Tube:
    """A closed tube along an axis, given by rings; between them radii and centres run smoothly.

    Args:
        side: "left", "right" or "middle".
        along: unit vector from the first ring to the last.
        across: first axis of the elliptic rings; the second is `along` x `across`.
        rings: for each ring its centre (3,), the two radii, and who moves it.
        caps: how far the rounded ends stand out, as a share of the end rings' smaller radius.
    """

    side: str
    along: np.ndarray
    across: np.ndarray
    caps: tuple[float, float] = (1.0, 1.0)
    rings: list[Ring] = field(default_factory=list)

    def add(self, centre: np.ndarray, first: float, second: float, weights: Weights) -> "_Tube":
        self.rings.append((centre, first, second, weights))
        return self


def _blend(first: int, second: int, share: float) -> Weights:
    return {first: 1.0 - share, second: share}


def _limb(
    tube: _Tube, points: np.ndarray, joints: Sequence[int], radii: Sequence[Sequence[float]], bend: float
) -> _Tube:
    """Rings along a limb of two bones, `points` (3), with both radii at each share of a bone in `radii`; the skin turns
    from one bone to the next within `bend` metres on either side of the joint."""
    for bone, profile in enumerate(radii):
        start, end = points[bone], points[bone + 1]
        length = float(np.linalg.norm(end - start))
        steps = len(profile) - 1
        for step, radius in enumerate(profile):
            if bone and step == 0:
                continue  # the joint has its ring already
            share = step / steps
            weights: Weights = {joints[bone]: 1.0}
            if bone == 0:
                weights = _blend(joints[0], joints[1], 0.5 * _smooth(1.0 - (1.0 - share) * length / bend))
            elif share * length < bend:
                weights = _blend(joints[0], joints[1], 0.5 + 0.5 * _smooth(share * length / bend))
            tube.add(start + share * (end - start), radius, radius, weights)
    return tube


def _smooth(share: float) -> float:
    """0 to 1 with level ends."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)


def _trunk(rest: np.ndarray, s: float) -> list[_Tube]:
    hip = 0.5 * float(rest[1, 0] - rest[2, 0])
    shoulder = 0.5 * float(rest[16, 0] - rest[17, 0])
    crotch = min(rest[1, 1], rest[2, 1]) - 0.045 * s
    collar = 0.5 * float(rest[13, 1] + rest[14, 1])
    trunk = _Tube("middle", _Y, _Z, caps=(0.5, 0.5))
    waist = max(0.118 * s, 0.78 * shoulder)
    # What is nearly flush flickers where it meets: the trunk stands out over the thighs, shoulders over the arms.
    heights = [
        (crotch, 0.088 * s, hip + 0.05 * s, {0: 1.0}),
        (0.5 * crotch + 0.5 * rest[0, 1], 0.108 * s, hip + 0.084 * s, {0: 1.0}),
        (rest[0, 1] + 0.03 * s, 0.106 * s, hip + 0.077 * s, {0: 0.9, 3: 0.1}),
        (rest[3, 1], 0.092 * s, waist, _blend(0, 3, 0.5)),
        (rest[6, 1], 0.096 * s, max(waist, 0.84 * shoulder), _blend(3, 6, 0.5)),
        (rest[9, 1], 0.108 * s, 0.98 * shoulder, _blend(6, 9, 0.6)),
        (0.5 * (rest[9, 1] + collar), 0.116 * s, 1.04 * shoulder, {9: 1.0}),
        (collar, 0.092 * s, 0.92 * shoulder, {9: 1.0}),
        (0.55 * collar + 0.45 * rest[12, 1] + 0.012 * s, 0.066 * s, 0.48 * shoulder, {9: 1.0}),
        (max(rest[12, 1], collar + 0.03 * s), 0.052 * s, 0.054 * s, {9: 0.8, 12: 0.2}),
    ]
    for height, deep, wide, weights in heights:
        trunk.add(height * _Y, deep, wide, weights)
    head = rest[15] + s * np.array([0.0, 0.085, 0.018])
    neck = _Tube("middle", _Y, _Z, caps=(0.3, 0.3))
    for share, weights in ((0.0, {9: 0.5, 12: 0.5}), (0.5, {12: 1.0}), (1.0, _blend(12, 15, 0.5))):
        neck.add(rest[12] + share * (head - rest[12]), 0.052 * s, 0.05 * s, weights)
    skull = _Tube("middle", _Y, _Z, caps=(0.75, 0.8))
    for height, deep, wide in ((-0.07, 0.062, 0.05), (-0.03, 0.088, 0.072), (0.025, 0.1, 0.08), (0.07, 0.084, 0.068)):
        skull.add(head + s * height * _Y, deep * s, wide * s, {15: 1.0})
    nose = _Tube("middle", _Z, _X)
    nose.add(head + s * np.array([0.0, -0.012, 0.088]), 0.016 * s, 0.022 * s, {15: 1.0})
    nose.add(head + s * np.array([0.0, -0.018, 0.104]), 0.013 * s, 0.015 * s, {15: 1.0})
    return [trunk, neck, skull, nose]


def _leg(rest: np.ndarray, s: float, side: str) -> list[_Tube]:
    hip, knee, ankle, ball = (1, 4, 7, 10) if side == "left" else (2, 5, 8, 11)
    thigh = [radius * s for radius in (0.076, 0.082, 0.08, 0.075, 0.068, 0.062, 0.058)]
    shin = [radius * s for radius in (0.058, 0.057, 0.058, 0.055, 0.048, 0.042, 0.039)]
    leg = _limb(_Tube(side, -_Y, _X), rest[[hip, knee, ankle]], (hip, knee), (thigh, shin), 0.09 * s)
    # The sole is flat and level in the rest pose: so is the foot that the rig was measured on. It is as low as the ball
    # of the foot, since motions have their lowest joint on the floor.
    heel, toes = rest[ankle] + s * np.array([0.0, 0.0, -0.045]), rest[ball] + s * np.array([0.0, 0.0, 0.05])
    sole, top = float(rest[ball, 1]), float(rest[ankle, 1]) + 0.028 * s
    foot = _Tube(side, _Z, _X, caps=(0.6, 0.8))
    tall = top - sole
    for share, width, height, weights in (
        (0.0, 0.036, 0.8, {ankle: 1.0}),
        (0.25, 0.044, 1.3, {ankle: 1.0}),
        (0.55, 0.045, 0.78, {ankle: 1.0}),
        (0.8, 0.047, 0.46, _blend(ankle, ball, 0.5)),
        (1.0, 0.043, 0.34, {ball: 1.0}),
    ):
        centre = heel + share * (toes - heel)
        centre[1] = sole + 0.5 * height * tall
        foot.add(centre, width * s, 0.5 * height * tall, weights)
    return [leg, foot]


def _arm(rest: np.ndarray, s: float, side: str) -> list[_Tube]:
    collar, shoulder, elbow, wrist = (13, 16, 18, 20) if side == "left" else (14, 17, 19, 21)
    out = _X if side == "left" else -_X
    yoke = _Tube("middle", out, _Y)
    yoke.add(0.6 * rest[collar] + 0.4 * rest[shoulder], 0.064 * s, 0.072 * s, {9: 0.7, collar: 0.3})
    yoke.add(0.3 * rest[collar] + 0.7 * rest[shoulder], 0.065 * s, 0.07 * s, _blend(9, collar, 0.8))
    yoke.add(rest[shoulder], 0.063 * s, 0.065 * s, {collar: 1.0})
    upper = [radius * s for radius in (0.054, 0.053, 0.049, 0.046, 0.043, 0.041, 0.04)]
    lower = [radius * s for radius in (0.04, 0.041, 0.041, 0.038, 0.034, 0.031, 0.029)]
    arm = _limb(_Tube(side, out, _Y), rest[[shoulder, elbow, wrist]], (shoulder, elbow), (upper, lower), 0.07 * s)
    hand = _Tube(side, out, _Y, caps=(0.8, 0.9))
    for reach, thick, wide in ((0.0, 0.026, 0.028), (0.04, 0.022, 0.038), (0.09, 0.02, 0.042), (0.15, 0.014, 0.03)):
        hand.add(rest[wrist] + s * reach * out, thick * s, wide * s, {wrist: 1.0})
    towards = 0.7 * out + 0.714 * _Z
    thumb = _Tube(side, towards, _Y)
    for reach, radius in ((0.02, 0.015), (0.06, 0.013), (0.085, 0.011)):
        thumb.add(rest[wrist] + s * reach * towards, radius * s, radius * s, {wrist: 1.0})
    return [yoke, arm, hand, thumb]


def _rings(tube: _Tube) -> list[Ring]:
    """The rings with one more between each two (cubic through the four around it) and with the rings of the ends."""
    given = tube.rings
    numbers = np.array([[*centre, first, second] for centre, first, second, _ in given])
    padded = np.concatenate([numbers[:1], numbers, numbers[-1:]])
    between = (9 * (padded[1:-2] + padded[2:-1]) - padded[:-3] - padded[3:]) / 16
    rings: list[Ring] = []
    for index, (centre, first, second, weights) in enumerate(given):
        rings.append((centre, first, second, weights))
        if index + 1 < len(given):
            after = given[index + 1][3]
            mixed = {j: 0.5 * (weights.get(j, 0.0) + after.get(j, 0.0)) for j in sorted({*weights, *after})}
            middle = between[index]
            rings.append((middle[:3], float(middle[3]), float(middle[4]), mixed))
    for end, way in ((0, -1.0), (-1, 1.0)):
        centre, first, second, weights = given[end]
        reach = tube.caps[end] * min(first, second)
        cap: list[Ring] = []
        for out in _CAP:
            shrink = float(np.sqrt(1.0 - out**2))
            cap.append((centre + way * reach * out * tube.along, first * shrink, second * shrink, weights))
        rings = cap[::-1] + rings if end == 0 else rings + cap
    return rings


def _mesh(tube: _Tube) -> tuple[np.ndarray, list[Weights], np.ndarray]:
    """Vertices, what moves them, and triangles of a tube; a ring's vertices run from `across` to `along` x `across`."""
    rings = _rings(tube)
    turn = 2.0 * np.pi * np.arange(_SEGMENTS) / _SEGMENTS
    second_axis = np.cross(tube.along, tube.across)
    vertices = [
        centre + first * np.cos(turn)[:, None] * tube.across + second * np.sin(turn)[:, None] * second_axis
        for centre, first, second, _ in rings
    ]
    weights = [weights for *_, weights in rings for _ in range(_SEGMENTS)]
    ends = []
    for end, way in ((0, -1.0), (-1, 1.0)):
        centre, first, second, who = tube.rings[end]
        ends.append(centre + way * tube.caps[end] * min(first, second) * tube.along)
        weights.append(who)
    low = np.arange(_SEGMENTS)
    high = (low + 1) % _SEGMENTS
    triangles = []
    for ring in range(len(rings) - 1):
        base = ring * _SEGMENTS
        quads = np.stack([base + low, base + high, base + _SEGMENTS + high, base + _SEGMENTS + low], axis=1)
        triangles += [quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]
    count, last = len(rings) * _SEGMENTS, (len(rings) - 1) * _SEGMENTS
    triangles.append(np.stack([high, low, np.full(_SEGMENTS, count)], axis=1))
    triangles.append(np.stack([last + low, last + high, np.full(_SEGMENTS, count + 1)], axis=1))
    return np.concatenate([*vertices, np.stack(ends)]), weights, np.concatenate(triangles)


def _normals(positions: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals of vertices: of the triangles around, weighted by area."""
    corners = positions[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(positions)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _skin(weights: Sequence[Weights], carriers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Who moves each vertex, as (V, 4) joints and shares; shares of joints with the same carrier add up."""
    joints, shares = np.zeros((len(weights), 4), dtype=np.uint8), np.zeros((len(weights), 4))
    for vertex, who in enumerate(weights):
        merged: Weights = {}
        for joint, share in who.items():
            merged[carriers[joint]] = merged.get(carriers[joint], 0.0) + share
        known = sorted(((joint, share) for joint, share in merged.items() if share > 0), key=lambda item: -item[1])
        for slot, (joint, share) in enumerate(known[:4]):
            joints[vertex, slot], shares[vertex, slot] = joint, share
    return joints, shares / shares.sum(axis=1, keepdims=True)


def build_mannequin(rest: np.ndarray, carriers: Sequence[int] = range(22)) -> Mannequin:
    """A mannequin for a skeleton.

    Args:
        rest: (22, 3), joints in T-pose, facing +Z, metres, SMPL-22 order.
        carriers: for each of these joints the one of the skeleton that it moves with.
    """
    scale = body_scale(rest[None])
    tubes = _trunk(rest, scale)
    for side in ("left", "right"):
        tubes += _leg(rest, scale, side) + _arm(rest, scale, side)
    positions, weights = [], []
    triangles: dict[str, list[np.ndarray]] = {"left": [], "right": [], "middle": []}
    count = 0
    for tube in tubes:
        vertices, who, faces = _mesh(tube)
        positions.append(vertices)
        weights += who
        triangles[tube.side].append(faces + count)
        count += len(vertices)
    joints, shares = _skin(weights, carriers)
    points = np.concatenate(positions)
    sides = {side: np.concatenate(parts) for side, parts in triangles.items()}
    return Mannequin(
        positions=points.astype(np.float32),
        normals=_normals(points, np.concatenate(list(sides.values()))).astype(np.float32),
        joints=joints,
        weights=shares.astype(np.float32),
        triangles={side: parts.astype(np.uint16) for side, parts in sides.items()},
    )
