"""Reading one motion from a file a user has: `.npz`, `.npy`, `.bvh`, `.amc`, `.glb`, `.gltf` or `.vrma`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hub_scripts.skeletons.match import UnknownSkeletonError, offer_map_template
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import HUMANML3D, SKELETONS, features_to_joints

from .bvh import Bvh
from .recordings import read_recording, recording_suffix
from .retarget import BvhOptions, JointPositions, retarget_people

__all__ = ["load_motion"]

_SMALLEST_BODY = 0.05  # metres; under it the unit must be another one


def load_motion(
    path: str | os.PathLike[str], options: BvhOptions | None = None, tell: Callable[[str], None] | None = None
) -> Motion:
    """Read a motion, by the suffix of its file.

    Args:
        path: `.npz` (what `Motion.save` writes); `.npy` with joints (T, 22, 3) in metres or HumanML3D features
            (T, 263), both taken as 20 fps, or joints (T, 21, 3) or features (T, 251) of KIT-ML as published, in
            millimetres at 12.5 fps; `.bvh`, `.amc` (with its `.asf` beside it), `.glb`, `.gltf` or `.vrma` with any
            skeleton whose joints can be told or mapped. A glTF file may move several people.
        options: what is known of a recorded skeleton.
        tell: takes what was found out about such a file, one line each.

    Raises:
        MotionLLMError: no such file, a format or shape that is not known, NaN or infinite values. For an unknown
            skeleton a map to complete is written beside the file.
    """
    path = Path(path)
    if not path.is_file():
        raise MotionLLMError(f"no such file: '{path}'")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return Motion.load(path)
    if suffix == ".npy":
        return _load_npy(path)
    if recording_suffix(path):
        options = options or BvhOptions()
        return _load_skeletons(read_recording(path, options), path, options, tell)
    raise MotionLLMError(f"'{path}' is not .npz, .npy, .bvh, .amc, .glb or .gltf; convert it to one of these")


def _load_skeletons(
    recordings: Sequence[Bvh | JointPositions], path: Path, options: BvhOptions, tell: Callable[[str], None] | None
) -> Motion:
    try:
        people = retarget_people(recordings, os.fspath(path), options)
    except UnknownSkeletonError as error:
        raise MotionLLMError(f"{error}; {offer_map_template(error, path.with_suffix('.map.json'))}") from error
    if tell is not None:
        for recording, read in zip(recordings, people, strict=False):
            for line in (f"{read.skeleton}, {options.fps or recording.fps:g} fps", *read.notes):
                tell(f"{path.name}: {line}")
    joints = [read.joints for read in people]
    return Motion(joints[0] if len(joints) == 1 else np.stack(joints), fps=HUMANML3D.fps)


def _load_npy(path: Path) -> Motion:
    try:
        # Not np.load, which takes what it does not know for a pickle, and says how to load that unsafely.
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MotionLLMError(f"'{path}' is not a readable .npy file ({error}); export it again") from error
    if array.dtype.kind not in "fiu":
        raise MotionLLMError(f"'{path}' does not hold an array of numbers; save joints (T, 22, 3) or features (T, 263)")
    shapes = {
        shape: skeleton
        for skeleton in SKELETONS.values()
        for shape in ((skeleton.feature_dim,), (skeleton.num_joints, 3))
    }
    skeleton = shapes.get(array.shape[1:])
    if skeleton is None:
        raise MotionLLMError(
            f"'{path}' has shape {array.shape}; it should be joints (T, 22, 3) or features (T, 263), of KIT-ML "
            "(T, 21, 3) or (T, 251)"
        )
    if len(array) == 0 or not np.isfinite(array).all():
        problem = "no frames" if len(array) == 0 else "values that are NaN or infinite"
        raise MotionLLMError(f"'{path}' has {problem}; repair it or export it again")
    joints = features_to_joints(array.astype(np.float32), skeleton) if array.ndim == 2 else array
    motion = Motion(skeleton.metres_per_unit * joints, fps=skeleton.fps)
    if np.ptp(motion.joints[0], axis=0).max() < _SMALLEST_BODY:
        raise MotionLLMError(
            f"'{path}' shows a body of {1000 * np.ptp(motion.joints[0], axis=0).max():.3g} mm; files of this skeleton "
            f"are read in units of {skeleton.metres_per_unit:g} m, so save joints in metres as .npz (`Motion.save`)"
        )
    return motion
