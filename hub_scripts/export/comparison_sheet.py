"""Comparison sheets: two motions of each sentence side by side in one PNG, frames over time, one row a sentence."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion

try:
    from PIL import Image, ImageDraw

    from .contact_sheet import draw_frames, draw_path, picked_frames
    from .overlay import draw_legend, load_font, wrap_text
    from .theme import person_colours, to_theme
except ImportError as error:
    raise MotionLLMError(f"pictures need Pillow ({error}); run: pip install 'motionllm[viz]'") from error

__all__ = ["Comparison", "draw_comparison_sheet", "save_comparison_sheet"]

_TITLES = ("generated", "real motion")
_PANEL = (112, 136)  # width and height, pixels
_THEME = "light"
_TRAVEL = 1.5  # metres, from which on a motion is drawn on its path
_FROM_THE_SIDE = -80.0  # degrees; who walks on from the start walks to the right
_COLOURS = 96  # of the palette: pictures of one body and one floor have few


@dataclass(frozen=True)
class Comparison:
    """A sentence and two motions of it."""

    caption: str
    left: Motion
    right: Motion


def draw_comparison_sheet(rows: Sequence[Comparison], count: int = 5) -> Image.Image:
    """Draw each row's sentence, and below it frames of its two motions, spread evenly over each.

    Motions that lead away are drawn in one picture each, seen from the side: the person at these moments on its path.

    Args:
        rows: what to compare, from top to bottom.
        count: panels of one motion.

    Raises:
        MotionLLMError: no rows, or `count` not between 1 and 64.
    """
    if not rows:
        raise MotionLLMError("a comparison of no motions; give at least one")
    if not 1 <= count <= 64:
        raise MotionLLMError(f"count is {count}; give 1 to 64 panels for a motion")
    colours, (width, height) = to_theme(_THEME), _PANEL
    gap, line = 2, max(18, round(0.17 * height))
    middle = 8 * gap  # between the two motions
    strip = count * (width + gap) - gap
    font, small = load_font(round(0.72 * line)), load_font(max(9, round(0.08 * height)))
    sheet = Image.new("RGB", (2 * gap + 2 * strip + middle, line + len(rows) * (line + height + gap)), colours.sky)
    pen = ImageDraw.Draw(sheet)
    lefts = (gap, gap + strip + middle)
    for left, title in zip(lefts, _TITLES, strict=True):
        pen.text((left + 2 * gap, 0.5 * line), title, font=font, fill=colours.muted, anchor="lm")
    radius = 0.09 * line
    wide = 2 * (5.2 * radius + small.getlength("right")) + 5.2 * radius
    draw_legend(sheet, (sheet.width - wide, 0.5 * line), radius, [person_colours(0)], small, colours.muted)
    top = line
    for number, row in enumerate(rows, 1):
        text_font = load_font(round(0.72 * line), row.caption)
        [text] = wrap_text(f"{number}. {row.caption}", text_font, sheet.width - 6 * gap, 1)
        pen.text((3 * gap, top + 0.5 * line), text, font=text_font, fill=colours.text, anchor="lm")
        travels = max(_travel(row.left, count), _travel(row.right, count)) > _TRAVEL
        for left, motion in zip(lefts, (row.left, row.right), strict=True):
            picture = (
                draw_path(motion, count, (strip, height), _THEME, small, azimuth=_FROM_THE_SIDE, elevation=28.0)
                if travels
                else draw_frames(motion, count, _PANEL, _THEME, gap, small)
            )
            sheet.paste(picture, (left, top + line))
        top += line + height + gap
    return sheet


def _travel(motion: Motion, count: int) -> float:
    """How far apart the person of a motion is at most between the frames to show, metres."""
    places = motion.people[0][picked_frames(motion, count), 0][:, [0, 2]]
    return float(np.linalg.norm(places[:, None] - places, axis=-1).max())


def save_comparison_sheet(rows: Sequence[Comparison], path: str | os.PathLike[str]) -> Path:
    """Write such a sheet as PNG with a palette, some 30 kB a row; equal motions give equal bytes.

    Args:
        rows: see `draw_comparison_sheet`.
        path: ends in `.png`.

    Raises:
        MotionLLMError: no rows, or the file cannot be written.
    """
    path = Path(path)
    sheet = draw_comparison_sheet(rows).quantize(_COLOURS, dither=Image.Dither.NONE)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)
    return path
