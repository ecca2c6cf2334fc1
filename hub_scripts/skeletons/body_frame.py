"""Finding out in which unit and axes a body was recorded, whether its sides are right and where its floor is."""

from collections.abc import Sequence

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

__all__ = [
    "UP_AXES",
    "bends_backward",
    "check_body",
    "check_sides",
    "common_scale",
    "find_scale",
    "find_up_axis",
    "floor_offset",
    "front_of",
    "is_body",
    "leg_lengths",
    "stretch_note",
    "to_y_up",
    "up_axis",
]

UP_AXES = ("y", "z", "x", "-y", "-z", "-x")
_INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}

# Metres per unit: name. The adult thigh is 0.35 to 0.50 m, and in no two of these units can one number be that.
_UNITS = {
    1.0: "metres",
    0.1: "decimetres",
    0.01: "centimetres",
    0.001: "millimetres",
    0.0254: "inches",
    0.3048: "feet",
    0.0254 / 0.45: "ASF units of 56.4 mm",  # the CMU database
}
_ADULT_THIGH = (0.35, 0.50)
# Children and giants, in the units that programs write; their ranges do not touch either.
_COMMON_UNITS = (1.0, 0.01, 0.001, 0.0254, 0.3048)
_THIGH = (0.23, 0.56)
_RARE_THIGH = (0.28, 0.56)
_PERSON_THIGH = (0.15, 0.56)  # of children of three, too
_ADULT_LEG = 0.82  # thigh and shin

_BONES = (
    *(("thigh", "hip", "knee"), ("shin", "knee", "ankle")),
    *(("upper arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist")),
)
# Of such a bone's length over a clip, in its median; decoded legs come to 0.2, decoded arms to 0.8.
_MOST_SPREAD = {"thigh": 0.6, "shin": 0.6, "upper arm": 1.0, "forearm": 1.0}
_NOTED_SPREAD = 0.3
_MOST_UNLIKE = 2.2  # between thigh and shin, or left and right

_FLOOR_RANGE = (-0.07, 0.25)  # where the lowest joint of a clip is, if the floor is at height 0
_LEANING = 30.0  # degrees, over a whole clip
_SOMETIMES = 0.05  # of the frames
_KNEE_BEND = 0.03  # of the leg: how far a knee is from the line of hip and ankle, to tell anything


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
    for units, (least, most) in (
        (tuple(_UNITS), _ADULT_THIGH),
        (_COMMON_UNITS, _THIGH),
        (tuple(_UNITS), _RARE_THIGH),
    ):
        if scale is None:
            scale = next((unit for unit in units if least <= thigh * unit <= most), None)
    if scale is None:
        scale = _ADULT_LEG / (thigh + shin)
        note = f"the unit is none of the usual ones (the thigh is {thigh:.3g} long), so the legs are scaled to "
        return scale, f"units of {1000 * scale:.3g} mm", f"{note}{_ADULT_LEG} m; --scale tells it otherwise"
    unit = _UNITS.get(scale, f"units of {1000 * scale:.3g} mm")
    metres = thigh * scale
    if _ADULT_THIGH[0] <= metres <= _ADULT_THIGH[1]:
        return scale, unit, None
    return scale, unit, f"the thigh is {metres:.2f} m long, which is no adult's; --scale corrects a wrong unit"


def common_scale(thighs: Sequence[float], scales: Sequence[float] = ()) -> float | None:
    """The unit in which most of these thighs are a person's, then most of them an adult's.

    Args:
        thighs: lengths in units of the files.
        scales: metres per unit to choose from; those that programs write by default, then the rarer ones.

    Returns:
        Metres per unit; None where no thigh is a person's in any.
    """

    def within(scale: float, limits: tuple[float, float]) -> int:
        return sum(limits[0] <= thigh * scale <= limits[1] for thigh in thighs)

    units = scales or (*_COMMON_UNITS, *(unit for unit in _UNITS if unit not in _COMMON_UNITS))
    best = max(units, key=lambda scale: (within(scale, _PERSON_THIGH), within(scale, _ADULT_THIGH)))
    return best if within(best, _PERSON_THIGH) else None


def check_body(joints: np.ndarray, name: str, remedy: str) -> None:
    """Make sure that these are the joints of a body: limbs whose bones keep their length, and legs that are alike.

    Args:
        joints: (N, 22, 3), any unit and axes.
        name: what error messages call the file.
        remedy: what they advise.

    Raises:
        MotionLLMError: they are not.
    """
    lengths: list[float] = []
    for side in ("left", "right"):
        for bone, upper, lower in _BONES:
            low, length, high = _bone_lengths(joints, f"{side}_{upper}", f"{side}_{lower}")
            if high - low > _MOST_SPREAD[bone] * length:
                raise MotionLLMError(
                    f"'{name}' holds no body: the {side} {bone} is {low:.3g} to {high:.3g} long; {remedy}"
                )
            lengths += [length] * (bone in ("thigh", "shin"))
    if min(lengths) > 0 and max(lengths) > _MOST_UNLIKE * min(lengths):
        said = ", ".join(f"{length:.3g}" for length in lengths)
        raise MotionLLMError(
            f"'{name}' holds no body: left thigh and shin, right thigh and shin are {said} long; {remedy}"
        )


def stretch_note(joints: np.ndarray) -> str | None:
    """A note about bones of arms and legs that change their length more than a decoded motion's; joints (N, 22, 3)."""
    worst, which = 0.0, ""
    for side in ("left", "right"):
        for bone, upper, lower in _BONES:
            low, length, high = _bone_lengths(joints, f"{side}_{upper}", f"{side}_{lower}")
            if length > 0 and (high - low) / length > worst:
                worst, which = (high - low) / length, f"{side} {bone}"
    if worst <= _NOTED_SPREAD:
        return None
    return (
        f"its bones are not rigid (the {which} changes its length by {100 * worst:.0f} %): are all axes in one scale?"
    )


def _bone_lengths(joints: np.ndarray, upper: str, lower: str) -> tuple[float, float, float]:
    """Of a bone's lengths over a clip the 5th, 50th and 95th percentile."""
    lengths = np.linalg.norm(joints[:, _INDEX[upper]] - joints[:, _INDEX[lower]], axis=-1)
    low, middle, high = np.nanpercentile(lengths, [5, 50, 95]).tolist()
    return low, middle, high


def is_body(joints: np.ndarray) -> bool:
    """Whether joints (N, 22, 3), of which some frames may be zero or NaN, have limbs as `check_body` asks for."""
    ends = {f"{side}_{part}" for side in ("left", "right") for _, *bone in _BONES for part in bone}
    limbs = joints[:, sorted(map(_INDEX.__getitem__, ends))]
    there = np.isfinite(limbs).all(axis=(1, 2)) & limbs.any(axis=(1, 2))
    if not there.any():
        return False
    try:
        check_body(joints[there], "", "")
    except MotionLLMError:
        return False
    return True


def up_axis(text: str) -> str | None:
    """The axis that `text` names ("z", "+z", "-Y"), one of `UP_AXES`; None if it names none."""
    axis = text.strip().lower().removeprefix("+")
    return axis if axis in UP_AXES else None


def find_up_axis(
    joints: np.ndarray, rest: np.ndarray | None, top: str, leg: float, name: str
) -> tuple[str, str | None]:
    """Which axis of the file points up, one of `UP_AXES`, and a note if that is not sure or turns it upside down.

    A rest pose that stands upright tells the axis, and how the body is held over the clip which way it goes. Without
    such a rest pose (bones lie along an axis of their own, or arrays) how it is held decides; somebody who lies all the
    time is told from other axes by the floor.

    Args:
        joints: (N, 22, 3) in axes of the file.
        rest: (22, 3), the same joints where no joint is turned; only legs, pelvis and `top` are looked at. None where
            there is none.
        top: "head" or "neck".
        leg: length of thigh and shin in the file's unit.
        name: what error messages call the file.

    Raises:
        MotionLLMError: nothing tells it.
    """
    held = _foot_to_top(joints, top)
    held = held / np.maximum(np.linalg.norm(held, axis=-1, keepdims=True), 1e-12)
    by_motion, strength = _axis_along(held.mean(0))
    by_rest = None
    if rest is not None:
        chain = [rest[_INDEX[joint]] for joint in (top, "pelvis", "left_hip", "left_knee", "left_ankle")]
        length = float(np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum())
        axis, straight = _axis_along(_foot_to_top(rest[None], top)[0] / (length or 1.0))
        # Bones along x are how some programs draw them, and no upright body; but a file may be all along x.
        by_rest = axis if straight > 0.8 and (axis[-1] != "x" or by_motion[-1] == "x") else None
    if by_rest is None:
        stands_up = float((held[:, 1] > 0.9).mean()) > _SOMETIMES
        found, note = _up_as_held(joints, by_motion, strength, leg, name, stands_up)
    elif by_motion[-1] == by_rest[-1]:
        found, note = (by_motion if strength > 0.6 else by_rest), None
    elif strength > 0.9 and (_travels(joints, by_rest, leg) or _stands_on(joints, by_motion, by_rest, leg)):
        found, note = (
            by_motion,
            (
                f"the rest pose stands along {by_rest}, but the body stands along {by_motion}; if it lies, give "
                f"--up {by_rest}"
            ),
        )
    elif strength > 0.9:
        found, note = (
            by_rest,
            (
                f"the rest pose stands along {by_rest}, but the body is held along {by_motion}; if it does not lie, "
                f"give --up {by_motion}"
            ),
        )
    else:
        found, note = by_rest, None
    if note is None and found.startswith("-"):
        note = f"it stands on its head: {found} is up, turned (if it stands on its hands, give --up {found[-1]})"
    return found, note


def _up_as_held(
    joints: np.ndarray, held: str, strength: float, leg: float, name: str, stands_up: bool
) -> tuple[str, str | None]:
    """The up axis of a body held along an axis, where nothing else tells it; `stands_up` if it is sometimes along y."""
    if strength <= 0.6:
        return "y", "the body is never upright, so y is taken as up; --up z tells it otherwise"
    lean, leans = np.degrees(np.arccos(min(strength, 1.0))), None
    if lean > _LEANING:
        leans = f"the body leans by {lean:.0f} degrees from {held}; if its axes do (a camera's), turn them upright"
    if held[-1] == "y":
        return held, leans
    stands, lies = _on_floor(joints, held, leg), _lies_on(joints, "y", leg)
    travels, stands_up = _travels(joints, "y", leg), stands_up and _on_floor(joints, "y", leg)
    if travels or (stands and not lies and not stands_up):
        return held, leans
    if stands_up or (lies and not stands):
        return "y", f"the body lies along {held} most of the time; if it stands, give --up {held}"
    if held[-1] == "x":
        raise MotionLLMError(
            f"'{name}' has a body that is held along {held} all the time; give --up y if it lies, else --up {held}"
        )
    return held, f"the body is held along {held} all the time, so {held} is taken as up; if it lies, give --up y"


def _axis_along(vector: np.ndarray) -> tuple[str, float]:
    """The signed axis that lies nearest to a vector, and how far the vector goes along it."""
    axis = int(np.abs(vector).argmax())
    return ("-" if vector[axis] < 0 else "") + "xyz"[axis], abs(float(vector[axis]))


def _travels(joints: np.ndarray, axis: str, leg: float) -> bool:
    """Whether a body gets further along an axis than anybody rises or sinks."""
    return bool(np.ptp(joints[:, 0, "xyz".index(axis[-1])]) > 1.5 * leg)


def _stands_on(joints: np.ndarray, held: str, other: str, leg: float) -> bool:
    """Whether a body has straight legs along an axis and a floor there, and none square to the other axis."""
    legs = joints[:, _INDEX["pelvis"]] - (joints[:, _INDEX["left_ankle"]] + joints[:, _INDEX["right_ankle"]]) / 2
    upright = to_y_up(legs, held)[..., 1].mean() > 0.85 * leg
    return bool(upright and _on_floor(joints, held, leg) and not _on_floor(joints, other, leg))


def _lies_on(joints: np.ndarray, up: str, leg: float) -> bool:
    """Whether all of a body is low over a floor at height 0."""
    return _on_floor(joints, up, leg) and float(np.ptp(to_y_up(joints, up)[..., 1])) < 0.9 * leg


def _on_floor(joints: np.ndarray, up: str, leg: float) -> bool:
    """Whether the lowest joint is near height 0."""
    return bool(-0.15 * leg < to_y_up(joints, up)[..., 1].min() < 0.25 * leg)


def _foot_to_top(joints: np.ndarray, top: str) -> np.ndarray:
    """Vectors (N, 3) from between the ankles to the top of the body."""
    return joints[:, _INDEX[top]] - (joints[:, _INDEX["left_ankle"]] + joints[:, _INDEX["right_ankle"]]) / 2


def to_y_up(joints: np.ndarray, up: str) -> np.ndarray:
    """Joints (..., 3) with `up` (one of `UP_AXES`) turned to y; right-handed before and after."""
    x, y, z = (joints[..., axis] for axis in range(3))
    turned = {"y": (x, y, z), "-y": (x, -y, -z), "z": (x, z, -y), "-z": (x, -z, y), "x": (-y, x, z), "-x": (y, -x, z)}
    return joints if up == "y" else np.stack(turned[up], axis=-1)


def front_of(joints: np.ndarray) -> np.ndarray:
    """Where hips and spine say that the body faces: unit vectors (N, 3) of joints (N, 22, 3), in any axes."""
    hips = joints[:, _INDEX["left_hip"]] - joints[:, _INDEX["right_hip"]]
    front = np.cross(hips, joints[:, _INDEX["neck"]] - joints[:, _INDEX["pelvis"]])
    return front / np.maximum(np.linalg.norm(front, axis=-1, keepdims=True), 1e-12)


def bends_backward(joints: np.ndarray) -> bool:
    """Whether the knees bend to the back; joints (N, 22, 3). False where they are straight all the time."""
    front, along, size = front_of(joints), 0.0, 0.0
    for side in ("left", "right"):
        hip, knee, ankle = (joints[:, _INDEX[f"{side}_{joint}"]] for joint in ("hip", "knee", "ankle"))
        leg = ankle - hip
        share = ((knee - hip) * leg).sum(-1) / np.maximum((leg**2).sum(-1), 1e-12)
        off = knee - hip - share[:, None] * leg
        bend = np.linalg.norm(off, axis=-1)
        bent = bend > _KNEE_BEND * np.linalg.norm(leg, axis=-1)
        along += float((off * front)[bent].sum())
        size += float(bend[bent].sum())
    return along < -0.3 * size


def check_sides(joints: np.ndarray, name: str, remedy: str, toes_known: bool = True) -> None:
    """Make sure that left is left: toes point, and knees bend, to where hips and spine say the front is.

    Args:
        joints: (N, 22, 3).
        name: what error messages call the file.
        remedy: what they advise.
        toes_known: whether the toes are the file's own; the knees are asked else.

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
    toes = at["left_foot"] - at["left_ankle"] + at["right_foot"] - at["right_ankle"]
    if toes_known and _cosine(front_of(joints), toes) < -0.3:
        raise MotionLLMError(f"'{name}' has toes that point backward: left and right are swapped; {remedy}")
    if not toes_known and bends_backward(joints):
        raise MotionLLMError(f"'{name}' has knees that bend backward: left and right are swapped; {remedy}")


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Mean cosine between vectors (N, 3)."""
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return float(((first * second).sum(-1) / np.maximum(lengths, 1e-12)).mean())


def floor_offset(joints: np.ndarray) -> float:
    """Height to add so that the lowest joint of the clip is on the floor; 0 where the recorded floor can be right.

    Args:
        joints: (N, 22, 3) metres, Y up.
    """
    lowest = float(joints[..., 1].min())
    return 0.0 if _FLOOR_RANGE[0] <= lowest <= _FLOOR_RANGE[1] else -lowest
