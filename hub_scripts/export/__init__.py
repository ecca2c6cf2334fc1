"""Writing a motion in the formats that other programs read; `save_motion` chooses by the suffix."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

from .segments import save_segments

__all__ = ["SUFFIXES", "check_suffix", "find_writer", "motion_files", "save_motion", "save_motion_files"]

# Suffix: module of this package and its function (motion, path, **options); imported only when needed.
_WRITERS = {
    ".mp4": ("video", "save_video"),
    ".gif": ("video", "save_gif"),
    ".png": ("contact_sheet", "save_contact_sheet"),
    ".html": ("html_viewer", "save_html"),
    ".bvh": ("bvh", "save_bvh"),
    ".glb": ("glb", "save_glb"),
    ".vrma": ("vrma", "save_vrma"),
    ".usd": ("usd", "save_usd"),
    ".usda": ("usd", "save_usd"),
    ".fbx": ("fbx", "save_fbx"),
    ".amass.npz": ("amass", "save_amass"),
}
SUFFIXES = (".npz", *_WRITERS)
_ONE_PERSON = (".bvh", ".vrma", ".amass.npz")


def check_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of `path`, in lower case.

    Raises:
        MotionLLMError: no motion is written in such a file.
    """
    path = Path(path)
    ends = [suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix) and path.suffix]
    if not ends:
        raise MotionLLMError(
            f"cannot write '{path.name}': the suffix '{path.suffix}' is not one of {', '.join(SUFFIXES)}"
        )
    return max(ends, key=len)


def find_writer(suffix: str) -> Callable[..., Path]:
    """The function that writes a format, of those with a suffix other than `.npz`.

    Raises:
        MotionLLMError: a package or program that it needs is missing.
    """
    module_name, function_name = _WRITERS[suffix]
    writer: Callable[..., Path] = getattr(importlib.import_module(f".{module_name}", __name__), function_name)
    return writer


def save_motion(motion: Motion, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write `motion` in the format that the suffix of `path` names.

    An `.npz` keeps the motion as it is. All other formats show it on one body of SMPL-22 with bones of fixed length,
    see `shown_motion`: what `generate` makes and what is recorded has such a body already, and is the same in all.

    Args:
        motion: what to write.
        path: ends in `.npz` (all of it, to load again), `.bvh` (skeleton and rotations of one person), `.glb`, `.usd`,
            `.usda` or `.fbx` (skinned mannequins with an animation), `.vrma` (one person, for VRM avatars),
            `.amass.npz` (one person, SMPL's pose parameters), `.mp4`, `.gif`, `.png` (contact sheet) or `.html`
            (viewer).
        **options: of the writer: `save_bvh`, `save_glb`, `save_usd`, `save_fbx`, `save_vrma`, `save_amass`,
            `save_video`, `save_gif`, `save_contact_sheet` or `save_html`; `.npz` takes none.

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
    writer = find_writer(suffix)
    from .shown_motion import shown_motion

    return writer(shown_motion(motion), path, **options)


def motion_files(path: str | os.PathLike[str], people: int) -> list[Path]:
    """The files that a motion of so many people is written in.

    Args:
        path: its suffix is the format; where that holds one person and there are several, each has a file.
        people: how many there are.

    Returns:
        `path`, or for two people in `duet.bvh` the files `duet-person1.bvh` and `duet-person2.bvh`.

    Raises:
        MotionLLMError: unknown suffix.
    """
    path, suffix = Path(path), check_suffix(path)
    if suffix not in _ONE_PERSON or people == 1:
        return [path]
    stem, end = path.name[: -len(suffix)], path.name[-len(suffix) :]
    return [path.with_name(f"{stem}-person{person + 1}{end}") for person in range(people)]


def save_motion_files(motion: Motion, path: str | os.PathLike[str], **options: Any) -> list[Path]:
    """As `save_motion`; where the format holds one person and there are several, one numbered file for each.

    Args:
        motion: of one or more people.
        path: file to write; its suffix chooses the format.
        options: of the format, as in `save_motion`.

    Returns:
        The files written, see `motion_files`; beside a `.bvh` of a motion with segments a `.json` that lists them, as
        the format has no place for them.

    Raises:
        MotionLLMError: as `save_motion`.
    """
    path, suffix = Path(path), check_suffix(path)
    files = motion_files(path, motion.num_people)
    if len(files) > 1 and options.get("person") is None:
        return [save_motion(motion, file, person=person, **options) for person, file in enumerate(files)]
    written = [save_motion(motion, path, **options)]
    if suffix == ".bvh" and motion.segments:
        written.append(save_segments(motion.segments, path.with_suffix(".json")))
    return written
