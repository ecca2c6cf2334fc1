"""Joint positions in arrays, `.npy` and `.npz`: of SMPL's bodies or their pose parameters, of Kimodo's SOMA skeleton,
motion features, or any skeleton that is told.

A `skeleton.json` beside the file tells a skeleton: `joints` (J names), `parents` (J indices, -1 for a root) and `fps`;
others of its entries are not looked at.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hub_scripts.skeletons.body_frame import check_body
from modeling_motionllm.arrays_motionllm import NpzArrays, parse_npy
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import FASTEST, HUMANML3D, SLOWEST, Skeleton, features_to_joints

from .body_parameters import holds_poses, posed_body
from .odd_frames import padding
from .pickled_arrays import is_object_array, read_results
from .retarget import JointPositions
from .soma import SOMA_JOINTS, soma_skeleton
from .t2m import read_statistics

__all__ = ["feature_joints", "frame_rate", "read_array", "read_joint_arrays"]

_SKELETON = "skeleton.json"
# How many joints bodies have whose first 22 are SMPL-22: SMPL, SMPL-H and SMPL-X, without and with what their
# libraries add (face, fingers, toes).
_BODIES = {22: "", 24: "SMPL's", 45: "SMPL's", 52: "SMPL-H's", 55: "SMPL-X's", 73: "SMPL-H's", 127: "SMPL-X's"} | {
    144: "SMPL-X's"
}
# Arrays that programs write, and their rate where the file does not say it.
_KEYS: dict[str, float | None] = {"joints": None, "posed_joints": 30.0}
_RATES = ("fps", "mocap_framerate", "mocap_frame_rate", "frame_rate", "framerate")
_SHAPES = "it should be joints (T, 22, 3) or features (T, 263), of KIT-ML (T, 21, 3) or (T, 251)"
# Metres, in features that are not normalised. HumanML3D's are all on one body, KIT-ML's on those of their recordings.
_THIGH, _KIT_THIGH = (0.2, 0.7), (0.1, 1.2)
_MOST_SPREAD = 0.6  # of its length


def read_joint_arrays(data: bytes, path: Path, name: str, key: str | None = None) -> list[JointPositions]:
    """The people of an array: joints with the skeleton beside them, or of a body whose joints are known by number.

    Args:
        data: bytes of the `.npz` or `.npy`; of an `.npz` none, to read from the file what is needed.
        path: where it is; `skeleton.json`, and the statistics of features, lie beside it.
        name: what error messages call it.
        key: name of the array; may be left out where one array or one shape can be meant.

    Raises:
        MotionLLMError: no such array, another shape, NaN, or no skeleton that fits.
    """
    told = path.with_name(_SKELETON)
    arrays: Mapping[str, np.ndarray]
    if path.suffix.lower() == ".npy":
        arrays, key = {"": read_array(data, name, key)}, ""
    else:
        arrays = NpzArrays(data or path, name)
        if told.exists() and key is None and len(arrays) == 1:
            key = next(iter(arrays))
    if told.exists():
        return [_of_skeleton(arrays, key, name, *_skeleton(told))]
    fps = frame_rate(arrays, name)
    if key is None and not any(entry in arrays for entry in _KEYS) and holds_poses(arrays):
        return [posed_body(arrays, fps, name)]
    key = _chosen(arrays, key, name)
    soma = _of_soma(arrays[key], fps or _KEYS["posed_joints"] or HUMANML3D.fps, name) if key == "posed_joints" else None
    if soma is not None:
        return [soma]
    people, notes = _people(arrays[key], path, name)
    usual = _KEYS.get(key)
    if fps is None and usual is not None:
        fps = usual
        notes.append(f"no frame rate in it, {fps:g} fps as '{key}' has; --source-fps says otherwise")
    elif fps is None:
        fps = HUMANML3D.fps
    names, parents = HUMANML3D.joint_names, HUMANML3D.parents
    return [JointPositions(names, parents, person, None, fps, notes=tuple(notes)) for person in people]


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
    """The frames per second that stand beside the joints, under any of the usual names.

    Raises:
        MotionLLMError: a rate that is none.
    """
    for key in _RATES:
        if key in arrays and arrays[key].size == 1 and arrays[key].dtype.kind in "fiu":
            fps = float(arrays[key].reshape(()))
            if not SLOWEST <= fps <= FASTEST:
                raise MotionLLMError(f"'{name}' has {key} {fps:g}; give the frames per second by --source-fps")
            return fps
    return None


def feature_joints(features: np.ndarray, skeleton: Skeleton, path: Path, name: str) -> tuple[np.ndarray, list[str]]:
    """Joints (T, J, 3) in units of the skeleton from raw features, and notes on them.

    Normalised features give no body. They are undone by a `Mean.npy` and `Std.npy` that lie beside the file or in the
    folder above.

    Raises:
        MotionLLMError: they are normalised, and there are no statistics that make them a body.
    """
    notes: list[str] = []
    front, end = padding(features[..., None])
    if 0 < front + end < len(features):
        features = features[front : len(features) - end]
        notes.append(f"{front + end} frames at its ends are padding (all zero), cut off")
    joints = features_to_joints(features.astype(np.float32), skeleton)
    if _is_body(joints, skeleton):
        return joints, notes
    for folder in (path.parent, path.parent.parent):
        statistics = read_statistics(folder, skeleton)
        if statistics is not None:
            mean, std = statistics
            joints = features_to_joints((features * std + mean).astype(np.float32), skeleton)
            if _is_body(joints, skeleton):
                return joints, [*notes, f"features were normalised, undone by Mean.npy and Std.npy of '{folder}'"]
    raise MotionLLMError(
        f"'{name}' holds features that give no body: they are normalised, it seems; save features * Std + Mean, or put "
        "Mean.npy and Std.npy of its dataset beside the file"
    )


def _is_body(joints: np.ndarray, skeleton: Skeleton) -> bool:
    """Whether thighs are as long as a person's, and stay so; of HumanML3D the shins, too, are like them."""
    if skeleton is HUMANML3D:
        try:
            check_body(joints, "", "")
        except MotionLLMError:
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
    fitting = known or [entry for entry, array in outlines.items() if _by_person(array) is not None]
    if key is None and len(fitting) > 1 and not known:
        raise MotionLLMError(f"'{name}' has several arrays of joints: {', '.join(fitting)}; give one by --animation")
    if key is None and not fitting:
        raise MotionLLMError(f"'{name}' has no array 'joints', only {sorted(arrays)}; save joints (T, 22, 3) in it")
    return fitting[0] if key is None else key


def _people(array: np.ndarray, path: Path, name: str) -> tuple[list[np.ndarray], list[str]]:
    """Joints (T, 22, 3) of each person in an array of any of the known shapes, and notes."""
    if array.dtype.kind not in "fiu":
        raise MotionLLMError(f"'{name}' does not hold an array of numbers; save joints (T, 22, 3) or features (T, 263)")
    people = _by_person(array)
    if people is None:
        raise MotionLLMError(f"'{name}' has shape {array.shape}; {_SHAPES}")
    if people.size == 0 or not np.isfinite(people).all():
        problem = "no frames" if people.size == 0 else "values that are NaN or infinite"
        raise MotionLLMError(f"'{name}' has {problem}; repair it or export it again")
    if people.ndim == 3:
        joints, notes = feature_joints(people[0], HUMANML3D, path, name)
        return [joints.astype(np.float64)], notes
    count, notes = people.shape[2], []
    if count != HUMANML3D.num_joints:
        notes.append(f"the first 22 of {_BODIES[count]} {count} joints")
    return [person[:, : HUMANML3D.num_joints].astype(np.float64) for person in people], notes


def _by_person(array: np.ndarray) -> np.ndarray | None:
    """Joints (P, T, J, 3) or features (1, T, 263) from the shapes that people save them in; None for others."""
    shape, joints = array.shape, HUMANML3D.num_joints
    if array.ndim == 3 and shape[0] == 1 and shape[2] in (3 * joints, HUMANML3D.feature_dim):
        array, shape = array[0], shape[1:]
    if array.ndim == 2 and shape[1] == HUMANML3D.feature_dim:
        return array[None]
    if array.ndim == 2 and shape[1] == 3 * joints:
        return array.reshape(1, -1, joints, 3)
    if array.ndim == 3 and shape[2] == 3 and shape[1] in _BODIES:
        return array[None]
    if array.ndim == 4 and shape[3] == 3 and shape[2] in _BODIES:
        return array.swapaxes(0, 1) if shape[1] == 1 else array  # (T, 1, J, 3) is one person
    if array.ndim == 4 and shape[0] == 1 and shape[1:3] == (joints, 3):
        array, shape = array[0], shape[1:]
    if array.ndim == 3 and shape[:2] == (joints, 3):  # time last, as diffusion models write it
        return np.moveaxis(array, -1, 0)[None]
    return None


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
