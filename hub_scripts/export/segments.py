"""What is done when, as a file of its own: JSON, or subtitles."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import MotionSegment

__all__ = ["SEGMENT_SUFFIXES", "save_segments"]

SEGMENT_SUFFIXES = (".json", ".srt")


def save_segments(segments: Sequence[MotionSegment], path: str | os.PathLike[str]) -> Path:
    """Write segments.

    Args:
        segments: in order.
        path: ends in `.json` (`{"segments": [{"text": ..., "start": seconds, "end": seconds}, ...]}`) or in `.srt`
            (SubRip subtitles, which video players show).

    Returns:
        The path.

    Raises:
        MotionLLMError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SEGMENT_SUFFIXES:
        raise MotionLLMError(f"cannot write segments to '{path.name}'; give a name that ends in .json or .srt")
    if path.suffix.lower() == ".srt":
        text = "\n".join(_subtitle(number, segment) for number, segment in enumerate(segments, start=1))
    else:
        rows = [segment._asdict() for segment in segments]
        text = json.dumps({"segments": rows}, indent=2, ensure_ascii=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path


def _subtitle(number: int, segment: MotionSegment) -> str:
    words = " ".join(segment.text.split())  # an empty line would end it
    return f"{number}\n{_time(segment.start)} --> {_time(segment.end)}\n{words}\n"


def _time(seconds: float) -> str:
    """HH:MM:SS,mmm."""
    whole, thousandths = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{thousandths:03}"
