"""Which motions a folder holds already.

The `.npz` of a motion says of which sentence, seed and settings it is, and is written after its other files: these are
of it if they are no newer.
"""

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
        people: in each motion.
        sources: files that the motions are made of, so that older ones are of something else.
    """

    def __init__(self, folder: Path, formats: Sequence[str], people: int = 1, sources: Sequence[Path] = ()):
        self.folder, self.formats, self.people, self.sources = folder, formats, people, sources

    def is_others(self, stem: str, sentences: Sequence[str]) -> bool:
        """Whether a motion of other sentences is there under that name.

        Only an `.npz` tells; other files of a name are taken for the sentence whose words they have.
        """
        motion = self._motion(stem)
        return motion is not None and motion.caption is not None and not _is_of(motion, sentences)

    def has(self, job: Job, settings: Mapping[str, Any], seeded: bool) -> bool:
        """Whether all files of a job are there, and of its sentence, seed and settings."""
        from hub_scripts.export import motion_files  # here, as --help needs this module

        if not self.formats:
            return True
        motion = self._motion(job.stem)
        if motion is None or not _is_of(motion, job.sentences):
            return False
        if (motion.seed, motion.settings) != (job.seed if seeded else None, written_settings(settings, job)):
            return False
        written = (self.folder / f"{job.stem}.npz").stat().st_mtime_ns
        paths = [path for end in self.formats for path in motion_files(self.folder / f"{job.stem}.{end}", self.people)]
        if not all(path.is_file() and path.stat().st_size for path in paths):
            return False
        return all(path.is_file() and path.stat().st_mtime_ns <= written for path in (*paths, *self.sources))

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
