"""Writing a motion in the formats that other programs read; `save_motion` chooses by the suffix."""

import importlib
import os
from pathlib import Path
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

__all__ = ["save_motion"]

# Suffix: module of this package and its function (motion, path, **options); imported only when needed.
_WRITERS = {
    ".mp4": ("video", "save_video"),
    ".gif": ("video", "save_gif"),
    ".png": ("contact_sheet", "save_contact_sheet"),
    ".html": ("html_viewer", "save_html"),
    ".bvh": ("bvh", "save_bvh"),
    ".glb": ("glb", "save_glb"),
}


def save_motion(motion: Motion, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write `motion` in the format that the suffix of `path` names.

    Args:
        motion: what to write.
        path: ends in `.npz` (all of it, to load again), `.mp4`, `.gif`, `.png` (contact sheet) or `.html` (viewer).
        **options: of the writer: `save_video`, `save_gif`, `save_contact_sheet` or `save_html`; `.npz` takes none.

    Returns:
        The path.

    Raises:
        MotionLLMError: unknown suffix, a package is missing, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        if options:
            raise MotionLLMError(f"an .npz takes no options, but {', '.join(sorted(options))} was given; leave it out")
        return motion.save(path)
    if suffix not in _WRITERS:
        supported = ", ".join([".npz", *_WRITERS])
        raise MotionLLMError(f"cannot write '{path.name}': the suffix '{path.suffix}' is not one of {supported}")
    module_name, function_name = _WRITERS[suffix]
    writer = getattr(importlib.import_module(f".{module_name}", __name__), function_name)
    return writer(motion, path, **options)
