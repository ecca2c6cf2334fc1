"""Which motions a folder holds already: `.npz` files say of which sentence, seed and settings they are."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_scripts.generation.jobs import Job
from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from modeling_motionllm.motion import Motion

__all__ = ["KeptFiles", "written_settings"]


def written_settings(settings: Mapping[str, Any], job: Job) -> str:
    """The settings of a motion as they are recorded in it."""
    return json.dumps({**settings, "duration": job.duration}, sort_keys=True)


def _is_of(motion: "Motion", sentences: Sequence[str]) -> bool:
    """Whether a motion was made of these sentences; what goes on from a file has segments of that beside them."""
    stored = [segment.text for segment in motion.segments] if motion.segments else [motion.caption or ""]
    if motion.codes is not None or len(stored) <= len(sentences):
        return stored == list(sentences)
    return any(stored[start:][: len(sentences)] == list(sentences) for start in range(len(stored)))


class KeptFiles:
    """The files of earlier runs in a folder.

    Args:
        folder: it; need not be there.
        formats: suffixes that each motion is written with.
    """

    def __init__(self, folder: Path, formats: Sequence[str]):
        self.folder, self.formats = folder, formats

    def is_others(self, stem: str, sentences: Sequence[str]) -> bool:
        """Whether a motion of other sentences is there under that name.

        Only an `.npz` tells; other files of a name are taken for the sentence whose words they have.
        """
        motion = self._motion(stem)
        return motion is not None and motion.caption is not None and not _is_of(motion, sentences)

    def has(self, job: Job, settings: Mapping[str, Any], seeded: bool) -> bool:
        """Whether all files of a job are there, and as far as an `.npz` tells of its sentence, seed and settings."""
        files = [self.folder / f"{job.stem}.{suffix}" for suffix in self.formats]
        if not all(file.is_file() and file.stat().st_size > 0 for file in files):
            return False
        motion = self._motion(job.stem) if "npz" in self.formats else None
        if motion is None:  # nothing tells; but what began as an archive and is none was cut off
            return "npz" not in self.formats or not self._begins_as_archive(job.stem)
        stored = _is_of(motion, job.sentences), motion.seed, motion.settings
        wanted = True, job.seed if seeded else None, written_settings(settings, job)
        # Files of earlier versions have no settings.
        return stored == wanted or (motion.settings is None and stored[:2] == wanted[:2])

    def _begins_as_archive(self, stem: str) -> bool:
        with (self.folder / f"{stem}.npz").open("rb") as file:
            return file.read(2) == b"PK"

    def _motion(self, stem: str) -> "Motion | None":
        """The motion of a name, None where there is none or it cannot be read."""
        from modeling_motionllm.motion import Motion  # here, as --help needs this module

        path = self.folder / f"{stem}.npz"
        if not path.is_file():
            return None
        try:
            return Motion.load(path)
        except MotionLLMError:
            return None
