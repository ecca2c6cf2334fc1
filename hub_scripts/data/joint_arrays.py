"""Joint positions in arrays, `.npy` and `.npz`: of SMPL's bodies or their pose parameters, of Kimodo's SOMA skeleton,
motion features, or any skeleton that is told.

A `skeleton.json` beside the file tells a skeleton: `joints` (J names), `parents` (J indices, -1 for a root) and `fps`;
others of its entries are not looked at.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hub_scripts.skeletons.body_frame import is_body
from hub_scripts.skeletons.numbered_bodies import NUMBERED_BODIES, numbered_joints
from modeling_motionllm.arrays_motionllm import NpzArrays, parse_npy
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import FASTEST, HUMANML3D, SLOWEST, Skeleton, features_to_joints

from .array_shapes import BODIES, by_person, fits
from .body_parameters import holds_poses, posed_body
from .gate import ReadingOptions
from .odd_frames import padding
from .pickled_arrays import is_object_array, read_results
from .retarget import JointPositions
from .soma import SOMA_JOINTS, soma_skeleton
from .t2m import read_statistics

__all__ = ["feature_joints", "frame_rate", "read_array", "read_joint_arrays", "untold_rate"]

_SKELETON = "skeleton.json"
# Arrays that programs write, and their rate where the file does not say it.
_KEYS: dict[str, float | None] = {"joints": None, "posed_joints": 30.0}
_USUAL_FPS = 30.0  # of skeletons of cameras, and of pose parameters
# Without case and marks; of the second, seconds from frame to frame.
_RATES = ("fps", "framerate", "mocapframerate", "mocapfps", "samplingrate", "samplerate", "framespersecond")
_TIMES = ("frametime", "dt", "timestep")
_SHAPES = "it should be joints (T, 22, 3) or features (T, 263), of KIT-ML (T, 21, 3) or (T, 251)"
# Metres, in features that are not normalised. HumanML3D's are all on one body, KIT-ML's on those of their recordings.
_THIGH, _KIT_THIGH = (0.2, 0.7), (0.1, 1.2)
_MOST_SPREAD = 0.6  # of its length
_ZERO = 1e-5  # of features, where they were normalised


def read_joint_arrays(data: bytes, path: Path, name: str, options: ReadingOptions) -> list[JointPositions]:
    """The people of an array: joints with the skeleton beside them, or of a body whose joints are known by number.

    Args:
        data: bytes of the `.npz` or `.npy`; of an `.npz` none, to read from the file what is needed.
        path: where it is; `skeleton.json`, and the statistics of features, lie beside it.
        name: what error messages call it.
        options: `fps`, and `animation`, the name of the array; it may be left out where one array or one shape can
            be meant.

    Raises:
        MotionLLMError: no such array, another shape, NaN, or no skeleton that fits.
    """
    told, key = path.with_name(_SKELETON), options.animation
    arrays: Mapping[str, np.ndarray]
    if path.suffix.lower() == ".npy":
        arrays, key = {"": read_array(data, name, key)}, ""
    else:
        arrays = NpzArrays(data or path, name)
        if told.exists() and key is None and len(arrays) == 1:
            key = next(iter(arrays))
    if told.exists():
        return [_of_skeleton(arrays, key, name, *_skeleton(told))]
    people, taken = _bodies(arrays, key, path, name)
    fps = options.fps or frame_rate(arrays, name)
    if fps is not None:
        return [replace(person, fps=fps) for person in people]
    said = (untold_rate(people[0].fps, taken),) if taken else ()
    return [replace(person, notes=(*person.notes, *said)) for person in people]


def untold_rate(fps: float, taken: str = "taken") -> str:
    """What is said of a file without a frame rate."""
    return f"no frame rate in it, {fps:g} fps {taken}; --source-fps (here or of `motionllm convert`) says otherwise"


def read_array(data: bytes, name: str, sample: str | None = None) -> np.ndarray:
    """The array of an `.npy` file; of a `results.npy` of MDM one of its motions, see `read_results`.

    Raises:
        MotionLLMError: damaged, or no numbers.
    """
    if is_object_array(data):
        return read_results(data, name, sample)
    array = parse_npy(data, name)
    if array.dtype.kind not in "fiu":
        raise MotionLLMError(f"'{name}' does not hold an array of numbers; save joints (T, 22, 3) or features (T, 263)")
    return array


def frame_rate(arrays: Mapping[str, np.ndarray], name: str) -> float | None:
    """The frames per second that stand beside the joints, under any of the usual names, in any spelling.

    Raises:
        MotionLLMError: a rate that is none.
    """
    plain = {re.sub(r"[\W_]+", "", key).lower(): key for key in arrays}
    for known in (*_RATES, *_TIMES):
        if known not in plain:
            continue
        key = plain[known]
        values = np.unique(arrays[key])
        try:
            value = float(values.item())
            fps = 1.0 / value if known in _TIMES else value
        except (ValueError, TypeError, ZeroDivisionError):
            fps = math.nan
        if not SLOWEST <= fps <= FASTEST:
            said = str(values.item()) if values.size == 1 else f"an array of {values.size} values"
            raise MotionLLMError(f"'{name}' has {key} {said[:40]}; give the frames per second by --source-fps")
        return fps
    return None


def feature_joints(
    features: np.ndarray, skeleton: Skeleton, path: Path, name: str, arrays: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Joints (T, J, 3) in units of the skeleton from raw features, and notes on them.

    Normalised features give no body. They are undone by `mean` and `std` among the `arrays` of the same file, or by a
    `Mean.npy` and `Std.npy` that lie beside it or in the folder above.

    Raises:
        MotionLLMError: they are normalised, and there are no statistics that make them a body.
    """
    if not np.isfinite(features).all():
        raise MotionLLMError(f"'{name}' has values that are NaN or infinite; repair it or export it again")
    features, notes = _without_padding(features)
    joints = features_to_joints(features.astype(np.float32), skeleton)
    if _is_body(joints, skeleton):
        return joints, notes
    for mean, std, where in _statistics(skeleton, path, arrays or {}):
        raw, more = _without_padding(features * std + mean)
        joints = features_to_joints(raw.astype(np.float32), skeleton)
        if _is_body(joints, skeleton):
            return joints, [*notes, f"features were normalised, undone by {where}", *more]
    raise MotionLLMError(
        f"'{name}' holds features that give no body: they are normalised, it seems; save features * Std + Mean, or put "
        "Mean.npy and Std.npy of its dataset beside the file"
    )


def _without_padding(features: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Features without rows at their ends that are zero, but for rounding, and a note on them."""
    front, end = padding(np.where(np.abs(features) < _ZERO, 0.0, features)[..., None])
    if not 0 < front + end < len(features):
        return features, []
    return features[front : len(features) - end], [f"{front + end} frames at its ends are padding (all zero), cut off"]


def _statistics(
    skeleton: Skeleton, path: Path, arrays: Mapping[str, np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """Means and deviations that normalised features may have, and where they are from."""
    plain = {key.lower(): key for key in arrays}
    if {"mean", "std"} <= plain.keys():
        mean, std = arrays[plain["mean"]], arrays[plain["std"]]
        if mean.shape == std.shape == (skeleton.feature_dim,):
            yield mean, std, "the mean and std in it"
    for folder in (path.parent, path.parent.parent):
        statistics = read_statistics(folder, skeleton)
        if statistics is not None:
            yield *statistics, f"Mean.npy and Std.npy of '{folder}'"


def _is_body(joints: np.ndarray, skeleton: Skeleton) -> bool:
    """Whether thighs are as long as a person's, and stay so; of HumanML3D the shins, too, are like them."""
    if skeleton is HUMANML3D and not is_body(joints):
        return False
    least, most = _THIGH if skeleton is HUMANML3D else _KIT_THIGH
    thigh = skeleton.leg[0]
    lengths = np.linalg.norm(joints[:, thigh] - joints[:, skeleton.parents[thigh]], axis=-1) * skeleton.metres_per_unit
    low, length, high = np.percentile(lengths, [5, 50, 95])
    return bool(least <= length <= most and high - low < _MOST_SPREAD * length)


def _chosen(arrays: Mapping[str, np.ndarray], key: str | None, name: str) -> str:
    """The name of the array that holds the motion."""
    if key is not None and key not in arrays:
        raise MotionLLMError(
            f"'{name}' holds no array '{key}'; name one of {', '.join(list(arrays)[:20])} as the animation"
        )
    known = [entry for entry in _KEYS if entry in arrays]
    outlines = arrays.outlines() if isinstance(arrays, NpzArrays) else arrays
    fitting = known or [entry for entry, array in outlines.items() if fits(array.shape)]
    if key is None and len(fitting) > 1 and not known:
        raise MotionLLMError(f"'{name}' has several arrays of joints: {', '.join(fitting)}; give one by --animation")
    if key is None and not fitting:
        raise MotionLLMError(f"'{name}' has no array 'joints', only {sorted(arrays)}; save joints (T, 22, 3) in it")
    return fitting[0] if key is None else key


def _bodies(
    arrays: Mapping[str, np.ndarray], key: str | None, path: Path, name: str
) -> tuple[list[JointPositions], str]:
    """People at the usual rate of their kind, and why it is taken; "" of features (theirs is known)."""
    if key is None and not any(entry in arrays for entry in _KEYS) and holds_poses(arrays):
        return [posed_body(arrays, _USUAL_FPS, name)], "taken"
    key = _chosen(arrays, key, name)
    usual = _KEYS.get(key)
    fps, taken = (HUMANML3D.fps, "taken") if usual is None else (usual, f"as '{key}' has")
    soma = _of_soma(arrays[key], fps, name) if key == "posed_joints" else None
    if soma is not None:
        return [soma], taken
    names, parents = HUMANML3D.joint_names, HUMANML3D.parents
    people, notes, features = _people(arrays[key], path, name, arrays)
    if people[0].shape[1] in NUMBERED_BODIES:
        names, people, said = _numbered(people, name)
        parents, fps = tuple(-1 if place == 0 else 0 for place in range(len(names))), _USUAL_FPS
        notes.append(said)
    bodies = [JointPositions(names, parents, person, None, fps, notes=tuple(notes)) for person in people]
    return bodies, "" if features else taken


def _people(
    array: np.ndarray, path: Path, name: str, arrays: Mapping[str, np.ndarray]
) -> tuple[list[np.ndarray], list[str], bool]:
    """Joints (T, J, 3) of each person in an array of any of the known shapes, notes, and whether it held features."""
    if array.dtype.kind not in "fiu":
        raise MotionLLMError(f"'{name}' does not hold an array of numbers; save joints (T, 22, 3) or features (T, 263)")
    people = by_person(array)
    if people is None:
        raise MotionLLMError(f"'{name}' has shape {array.shape}; {_SHAPES}")
    if people.size == 0:
        raise MotionLLMError(f"'{name}' has no frames; export it again")
    if people.ndim == 3:
        joints, notes = feature_joints(people[0], HUMANML3D, path, name, arrays)
        return [joints.astype(np.float64)], notes, True
    count, notes = people.shape[2], []
    if people.shape[3] == 4:
        if not ((people[..., 3] >= 0) & (people[..., 3] <= 1)).all():
            raise MotionLLMError(f"'{name}' has shape {array.shape}, four numbers a joint; {_SHAPES}")
        people = people[..., :3]
        notes.append("the fourth number of each joint (how sure it is) is not looked at")
    if count in BODIES and count != HUMANML3D.num_joints:
        notes.append(f"the first 22 of {BODIES[count]} {count} joints")
    first = HUMANML3D.num_joints if count in BODIES else count
    return [person[:, :first].astype(np.float64) for person in people], notes, False


def _numbered(people: list[np.ndarray], name: str) -> tuple[tuple[str, ...], list[np.ndarray], str]:
    """Names of the joints that a skeleton of cameras has, these joints of each person, and what skeleton it is."""
    read = [numbered_joints(person) for person in people]
    told = [found for found in read if found is not None]
    if len(told) < len(read) or len({skeleton for skeleton, _ in told}) > 1:
        count = people[0].shape[1]
        known = " or ".join(NUMBERED_BODIES[count])
        raise MotionLLMError(
            f"'{name}' has {count} joints, which are no body in {known} order; put a skeleton.json with their names "
            "beside it (docs/own_data.md), or save joints in SMPL-22 order"
        )
    skeleton, joints = told[0]
    names = tuple(joints)
    return (
        names,
        [np.stack([found[joint] for joint in names], axis=1) for _, found in told],
        (f"{people[0].shape[1]} joints in {skeleton} order"),
    )


def _of_soma(array: np.ndarray, fps: float, name: str) -> JointPositions | None:
    """Joints of Kimodo's own skeleton; None for another."""
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    if array.ndim != 3 or array.shape[1] not in SOMA_JOINTS or array.shape[2] != 3:
        return None
    if array.dtype.kind != "f" or len(array) == 0 or not np.isfinite(array).all():
        raise MotionLLMError(f"'{name}' has 'posed_joints' without frames, or with NaN or infinite values; repair it")
    return JointPositions(*soma_skeleton(array.shape[1]), array.astype(np.float64), None, fps)


def _of_skeleton(
    arrays: Mapping[str, np.ndarray],
    key: str | None,
    name: str,
    names: tuple[str, ...],
    parents: tuple[int, ...],
    fps: float,
) -> JointPositions:
    """One array of joints of the skeleton that `skeleton.json` tells."""
    if key is None or key not in arrays:
        raise MotionLLMError(
            f"'{name}' holds no array '{key}'; name one of {', '.join(list(arrays)[:20])} as the animation"
        )
    positions = arrays[key]
    if positions.ndim != 3 or positions.shape[1:] != (len(names), 3) or positions.dtype.kind != "f":
        raise MotionLLMError(
            f"'{name}' has '{key}' of shape {positions.shape}; its skeleton.json asks for (frames, {len(names)}, 3)"
        )
    if len(positions) == 0 or not np.isfinite(positions).all():
        raise MotionLLMError(f"'{name}' has '{key}' without frames, or with NaN or infinite values; repair it")
    positions = positions.astype(np.float64)
    return JointPositions(names, parents, positions, positions[0], fps)


def _skeleton(path: Path) -> tuple[tuple[str, ...], tuple[int, ...], float]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        names = tuple(str(joint) for joint in content["joints"])
        parents = tuple(int(parent) for parent in content["parents"])
        fps = float(content["fps"])
    except (OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise MotionLLMError(
            f"'{path}' does not tell the joints, parents and fps of the arrays beside it ({error}); write it so"
        ) from error
    if (
        len(parents) != len(names)
        or not all(-1 <= parent < len(names) for parent in parents)
        or not SLOWEST <= fps <= FASTEST
    ):
        raise MotionLLMError(f"'{path}' has parents or fps that cannot be; one parent a joint, -1 for a root")
    return names, parents, fps
