"""Writing a motion in the formats that other programs read; `save_motion` chooses by the suffix."""

import importlib
import os
from pathlib import Path
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

from .segments import save_segments

__all__ = ["SUFFIXES", "check_suffix", "save_motion", "save_motion_files"]

# Suffix: module of this package and its function (motion, path, **options); imported only when needed.
_WRITERS = {
    ".mp4": ("video", "save_video"),
    ".gif": ("video", "save_gif"),
    ".png": ("contact_sheet", "save_contact_sheet"),
    ".html": ("html_viewer", "save_html"),
    ".bvh": ("bvh", "save_bvh"),
    ".glb": ("glb", "save_glb"),
}
SUFFIXES = (".npz", *_WRITERS)
_ONE_PERSON = (".bvh",)


def check_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of `path`, in lower case.

    Raises:
        MotionLLMError: no motion is written in such a file.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in SUFFIXES:
        raise MotionLLMError(
            f"cannot write '{Path(path).name}': the suffix '{suffix}' is not one of {', '.join(SUFFIXES)}"
        )
    return suffix.lower()


def save_motion(motion: Motion, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write `motion` in the format that the suffix of `path` names.

    A motion of another skeleton than SMPL-22 is shown, and put on rigs, as `hub_scripts.skeletons.smpl` has it; `.npz`
    keeps its own joints.

    Args:
        motion: what to write.
        path: ends in `.npz` (all of it, to load again), `.bvh` (skeleton and rotations of one person), `.glb` (skinned
            mannequins with an animation), `.mp4`, `.gif`, `.png` (contact sheet) or `.html` (viewer).
        **options: of the writer: `save_bvh`, `save_glb`, `save_video`, `save_gif`, `save_contact_sheet` or `save_html`;
            `.npz` takes none.

    Returns:
        The path.

    Raises:
        MotionLLMError: unknown suffix, several people and a format for one, a package is missing, or the file cannot
            be written.
    """
    path, suffix = Path(path), check_suffix(path)
    if suffix == ".npz":
        if options:
            raise MotionLLMError(f"an .npz takes no options, but {', '.join(sorted(options))} was given; leave it out")
        return motion.save(path)
    module_name, function_name = _WRITERS[suffix]
    writer = getattr(importlib.import_module(f".{module_name}", __name__), function_name)
    return writer(motion, path, **options)


def save_motion_files(motion: Motion, path: str | os.PathLike[str], **options: Any) -> list[Path]:
    """As `save_motion`; where the format holds one person and there are several, one numbered file for each.

    Args:
        motion: of one or more people.
        path: file to write; its suffix chooses the format.
        options: of the format, as in `save_motion`.

    Returns:
        The files written: `path`, or for two people in `duet.bvh` the files `duet-person1.bvh` and `duet-person2.bvh`;
        beside a `.bvh` of a motion with segments a `.json` that lists them, as the format has no place for them.

    Raises:
        MotionLLMError: as `save_motion`.
    """
    path, suffix = Path(path), check_suffix(path)
    if suffix not in _ONE_PERSON or motion.num_people == 1 or options.get("person") is not None:
        written = [save_motion(motion, path, **options)]
        if suffix == ".bvh" and motion.segments:
            written.append(save_segments(motion.segments, path.with_suffix(".json")))
        return written
    return [
        save_motion(motion, path.with_name(f"{path.stem}-person{person + 1}{path.suffix}"), person=person, **options)
        for person in range(motion.num_people)
    ]
