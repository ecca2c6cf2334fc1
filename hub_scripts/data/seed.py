"""BONES-SEED (`bones-studio/seed` on the Hub): motion on SOMA's skeleton, and its two tables of sentences."""

import os
from collections.abc import Iterator

from modeling_motionllm.errors_motionllm import MotionLLMError

from .caption_table import CaptionEntry, clip_name, read_caption_table, without_suffix
from .text_tables import TableRow, read_table

__all__ = ["hub_table"]

_PATH, _EVENTS = "move_soma_uniform_path", "events"
_SENTENCES = (*(f"content_natural_desc_{number}" for number in range(1, 5)), "content_short_description")
_MIRRORED = "_M"  # how the names of its mirrored copies end


def hub_table(path: str | os.PathLike[str]) -> tuple[dict[str, CaptionEntry], str]:
    """Read the table of a captioned set of the Hub: one of BONES-SEED's, or one as `read_caption_table` takes.

    Of BONES-SEED's, `seed_metadata_*.csv` or `.parquet` has sentences for whole motions, with labels, and
    `seed_metadata_*_temporal_labels.jsonl` one for each event in them, which becomes a clip. Its mirrored copies are
    left out: `prepare` makes its own, of train clips alone.

    Returns:
        The entries, as of `read_caption_table`, and how the names of files end that are left out; "" for none.

    Raises:
        MotionLLMError: a table that cannot be used.
    """
    table = read_table(path)
    if _PATH in table.columns:
        clips = (entry for row in table.rows for entry in _whole(row))
    elif {"filename", _EVENTS} <= set(table.columns):
        clips = (entry for row in table.rows for entry in _events(row))
    else:
        return read_caption_table(path), ""
    entries = {
        clip_name(entry.file, "", entry.reading.get("start"), entry.reading.get("end")): entry for entry in clips
    }
    if not entries:
        raise MotionLLMError(f"the captions '{path}' hold no sentence of a motion; get the file again")
    return entries, _MIRRORED


def _whole(row: TableRow) -> Iterator[CaptionEntry]:
    """The motion of a row, with its sentences and labels."""
    written = row.text(_PATH)
    file = without_suffix(written)
    captions = list(dict.fromkeys(filter(None, map(row.text, _SENTENCES))))
    if file and captions and not file.endswith(_MIRRORED):
        content, style = row.text("content_type_of_movement"), row.text("content_uniform_style")
        yield CaptionEntry(row.line, file, written, captions, content, style)


def _events(row: TableRow) -> Iterator[CaptionEntry]:
    """The events of a motion, each with its sentence."""
    written = row.text("filename")
    file = without_suffix(written)
    for event in [] if file.endswith(_MIRRORED) else row.cells.get(_EVENTS) or []:
        try:
            start, end, caption = float(event["start_time"]), float(event["end_time"]), str(event["description"])
        except (KeyError, TypeError, ValueError) as error:
            raise MotionLLMError(f"{row.where} has an event without start_time, end_time or description") from error
        if end > start >= 0 and caption.strip():
            reading = {"start": start, "end": end}
            yield CaptionEntry(row.line, file, written, [" ".join(caption.split())], reading=reading)
