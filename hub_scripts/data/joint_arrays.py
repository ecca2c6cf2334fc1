"""Joint positions of any skeleton: an `.npz` of arrays (T, J, 3), a `skeleton.json` beside it that names the joints.

`skeleton.json` holds `joints` (J names), `parents` (J indices, -1 for a root) and `fps`; others of its entries are not
looked at.
"""

import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

from .retarget import JointPositions

__all__ = ["read_joint_arrays"]

_SKELETON = "skeleton.json"


def read_joint_arrays(data: bytes, path: Path, name: str, key: str | None = None) -> list[JointPositions]:
    """The people of an `.npz`: one array of joints with its skeleton, or what `Motion.save` wrote where there is none.

    Args:
        data: bytes of the `.npz`.
        path: where it is; `skeleton.json` lies beside it.
        name: what error messages call it.
        key: name of the array; may be left out where there is one.

    Raises:
        MotionLLMError: no such array, another shape, NaN, or no skeleton that fits.
    """
    if not path.with_name(_SKELETON).exists():
        motion = Motion.load(path)
        names, parents = motion.skeleton.joint_names, motion.skeleton.parents
        return [
            JointPositions(names, parents, person.astype(np.float64), person[0].astype(np.float64), motion.fps)
            for person in motion.people
        ]
    names, parents, fps = _skeleton(path.with_name(_SKELETON))
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            if key is None and len(file.files) == 1:
                key = file.files[0]
            if key not in file.files:
                raise MotionLLMError(
                    f"'{name}' holds no array '{key}'; name one of {', '.join(file.files[:20])} as the animation"
                )
            positions = file[key]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise MotionLLMError(f"'{name}' is not a readable .npz file ({error}); export it again") from error
    if positions.ndim != 3 or positions.shape[1:] != (len(names), 3) or positions.dtype.kind != "f":
        raise MotionLLMError(
            f"'{name}' has '{key}' of shape {positions.shape}; its skeleton.json asks for (frames, {len(names)}, 3)"
        )
    if len(positions) == 0 or not np.isfinite(positions).all():
        raise MotionLLMError(f"'{name}' has '{key}' without frames, or with NaN or infinite values; repair it")
    positions = positions.astype(np.float64)
    return [JointPositions(names, parents, positions, positions[0], fps)]


def _skeleton(path: Path) -> tuple[tuple[str, ...], tuple[int, ...], float]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        names = tuple(str(joint) for joint in content["joints"])
        parents = tuple(int(parent) for parent in content["parents"])
        fps = float(content["fps"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MotionLLMError(
            f"'{path}' does not tell the joints, parents and fps of the arrays beside it ({error}); write it so"
        ) from error
    if len(parents) != len(names) or not all(-1 <= parent < len(names) for parent in parents) or not 0 < fps < 1e4:
        raise MotionLLMError(f"'{path}' has parents or fps that cannot be; one parent a joint, -1 for a root")
    return names, parents, fps
