"""Reading one motion from a file a user has: `.npz`, `.npy` or `.bvh`."""

import os
from pathlib import Path

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import features_to_joints

from .bandai import FPS, bandai_joints
from .bvh import read_bvh

__all__ = ["load_motion"]


def load_motion(path: str | os.PathLike[str]) -> Motion:
    """Read a motion, by the suffix of its file.

    Args:
        path: `.npz` (what `Motion.save` writes); `.npy` with joints (T, 22, 3) in metres or HumanML3D features
            (T, 263), both taken as 20 fps; `.bvh` with the skeleton of the Bandai-Namco data.

    Raises:
        MotionLLMError: no such file, a format or shape that is not known, NaN or infinite values.
    """
    path = Path(path)
    if not path.is_file():
        raise MotionLLMError(f"no such file: '{path}'")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return Motion.load(path)
    if suffix == ".npy":
        return _load_npy(path)
    if suffix == ".bvh":
        return Motion(bandai_joints(read_bvh(path), os.fspath(path)), fps=FPS)
    raise MotionLLMError(f"'{path}' is not .npz, .npy or .bvh; convert it to one of these")


def _load_npy(path: Path) -> Motion:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MotionLLMError(f"'{path}' is not a readable .npy file ({error}); export it again") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise MotionLLMError(f"'{path}' does not hold an array of numbers; save joints (T, 22, 3) or features (T, 263)")
    is_features = array.ndim == 2 and array.shape[1] == 263
    if not is_features and array.shape[1:] != (22, 3):
        raise MotionLLMError(f"'{path}' has shape {array.shape}; it should be joints (T, 22, 3) or features (T, 263)")
    if len(array) == 0 or not np.isfinite(array).all():
        problem = "no frames" if len(array) == 0 else "values that are NaN or infinite"
        raise MotionLLMError(f"'{path}' has {problem}; repair it or export it again")
    joints = features_to_joints(array.astype(np.float32)) if is_features else array
    return Motion(np.asarray(joints), fps=FPS)
