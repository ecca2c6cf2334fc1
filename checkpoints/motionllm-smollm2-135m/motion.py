"""`Motion`: what a user holds in the hand: joint positions over time, of one person or several."""

import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors_motionllm import MotionLLMError
from .files_motionllm import atomic_path

__all__ = ["Motion"]

_FORMAT = 1
# What numpy, zipfile and json raise on damaged files; RuntimeError covers encrypted and oddly compressed archives.
_DAMAGED = (OSError, ValueError, TypeError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


@dataclass(eq=False)
class Motion:
    """Joint positions over time.

    Args:
        joints: float32 (T, 22, 3) or (P, T, 22, 3) for P people; metres, Y up, right-handed, SMPL-22 joint order
            (facing +Z means left is +X). Converted to float32.
        fps: frames per second.
        caption: what the motion shows, if known.
        codes: int64 codebook indices (L,) that the motion was decoded from, if any.
        seed: the random seed that made it, if any.
        model: name of the model that made it, if any.

    Raises:
        MotionLLMError: wrong shape, no frames, NaN or infinite values, or `fps` not positive.
    """

    joints: np.ndarray
    fps: float = 20.0
    caption: str | None = None
    codes: np.ndarray | None = None
    seed: int | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        given = np.asarray(self.joints)
        if given.dtype.kind not in "fiu":
            raise MotionLLMError(f"joints are of type {given.dtype}; give an array of numbers, (frames, 22, 3)")
        self.joints = np.ascontiguousarray(given, dtype=np.float32)
        shape = self.joints.shape
        if self.joints.ndim not in (3, 4) or shape[-2:] != (22, 3):
            raise MotionLLMError(
                f"joints have shape {shape}; give (frames, 22, 3), or (people, frames, 22, 3), in SMPL-22 order"
            )
        if 0 in shape:
            raise MotionLLMError(f"joints of shape {shape} hold no frame; a motion needs at least one")
        if not np.isfinite(self.joints).all():
            bad = int((~np.isfinite(self.joints)).sum())
            raise MotionLLMError(f"joints hold {bad} values that are NaN or infinite; repair or cut these frames first")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise MotionLLMError(f"fps is {self.fps}; give a positive number of frames per second")
        self.fps = float(self.fps)
        if self.codes is not None:
            self.codes = np.asarray(self.codes, dtype=np.int64)

    @property
    def people(self) -> np.ndarray:
        """Joints with a person axis always: (P, T, 22, 3)."""
        return self.joints[None] if self.joints.ndim == 3 else self.joints

    @property
    def num_people(self) -> int:
        return self.people.shape[0]

    @property
    def num_frames(self) -> int:
        return self.joints.shape[-3]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.num_frames / self.fps

    def __repr__(self) -> str:
        who = "1 person" if self.num_people == 1 else f"{self.num_people} people"
        text = f", caption={self.caption!r}" if self.caption else ""
        return f"Motion({who}, {self.num_frames} frames, {self.fps:g} fps, {self.duration:.2f} s{text})"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an `.npz` with `joints`, `metadata` (JSON) and, where known, `codes`; equal motions give equal bytes.

        Raises:
            MotionLLMError: the suffix is not `.npz`, or the file cannot be written.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise MotionLLMError(f"'{path}' does not end in .npz; use motionllm.save_motion for other formats")
        metadata = {
            "format": _FORMAT,
            "fps": self.fps,
            "caption": self.caption,
            "seed": self.seed,
            "model": self.model,
            "joint_order": "smpl-22",
            "axes": "y-up, metres",
        }
        arrays = {"joints": self.joints, "metadata": np.array(json.dumps(metadata))}
        if self.codes is not None:
            arrays["codes"] = self.codes
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **arrays)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Motion":
        """Read an `.npz` written by `save`, or any `.npz` with `joints` and optionally `fps` and `caption`.

        Raises:
            MotionLLMError: no such file, not an npz, no `joints` in it, or joints that `Motion` refuses.
        """
        path = Path(path)
        if not path.is_file():
            raise MotionLLMError(f"no such file: '{path}'")
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            metadata = json.loads(str(arrays["metadata"])) if "metadata" in arrays else {}
            if not isinstance(metadata, dict):
                raise ValueError("its metadata is no JSON object")
            fps = float(metadata.get("fps", arrays.get("fps", 20.0)))
            codes = np.asarray(arrays["codes"], dtype=np.int64) if "codes" in arrays else None
        except _DAMAGED as error:
            raise MotionLLMError(f"'{path}' is not a readable .npz file ({error}); export it again") from error
        if "joints" not in arrays:
            raise MotionLLMError(f"'{path}' has no array 'joints', only {sorted(arrays)}; save joints (T, 22, 3) in it")
        caption = metadata.get("caption", str(arrays["caption"]) if "caption" in arrays else None)
        return cls(
            joints=arrays["joints"],
            fps=fps,
            caption=caption,
            codes=codes,
            seed=metadata.get("seed"),
            model=metadata.get("model"),
        )
