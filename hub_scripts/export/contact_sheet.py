"""Contact sheets: frames of a clip side by side in one PNG, one row for each clip, or for each of its segments."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion

try:
    from PIL import Image, ImageDraw

    from .camera import Camera
    from .overlay import Font, draw_legend, load_font, wrap_text
    from .renderer import Renderer, RenderOptions
    from .theme import person_colours, to_theme
except ImportError as error:
    raise MotionLLMError(f"pictures need Pillow ({error}); run: pip install 'motionllm[viz]'") from error

__all__ = ["draw_contact_sheet", "draw_frames", "draw_path", "picked_frames", "save_contact_sheet"]

_SMALL = 0.7  # of the size that people have where the camera goes along


def _parts(motion: Motion) -> list[tuple[Motion, float]]:
    """What gets a row: each segment of several as a clip of its own, with the second at which it begins; else all."""
    if motion.segments is None or len(motion.segments) < 2:
        return [(motion, 0.0)]
    parts = []
    for text, start, end in motion.segments:
        first = min(round(start * motion.fps), motion.num_frames - 1)
        last = max(first + 1, min(round(end * motion.fps), motion.num_frames))
        caption = f"{start:.1f}-{end:.1f} s: {text}"
        parts.append((replace(motion.part(first, last), caption=caption, segments=None), first / motion.fps))
    return parts


def _draw_row(
    motion: Motion, start: float, count: int, panel: tuple[int, int], theme_name: str, **options: Any
) -> Image.Image:
    """One clip: its caption above `count` panels, each with its time, counted from `start` seconds."""
    theme = to_theme(theme_name)
    width, height = panel
    gap = max(2, round(0.02 * height))
    caption_height = round(0.12 * height)
    row = Image.new("RGB", (count * (width + gap) + gap, caption_height + height + gap), theme.sky)
    pen = ImageDraw.Draw(row)
    caption = options.pop("caption", None)
    caption = motion.caption if caption is None else caption
    font = load_font(max(9, round(0.055 * height)), caption or "")
    small = load_font(max(8, round(0.04 * height)))
    legend_width = round(0.5 * height)
    for line in wrap_text(caption or "", font, max(row.width - legend_width - 2 * gap, 20), 1):
        pen.text((2 * gap, 0.5 * caption_height), line, font=font, fill=theme.text, anchor="lm")
    people = [person_colours(index) for index in range(motion.num_people)]
    legend = 0.0135 * height
    wide = 2 * (5.2 * legend + small.getlength("right")) + 5.2 * legend * min(len(people), 6)
    draw_legend(row, (row.width - wide, 0.5 * caption_height), legend, people, small, theme.muted)
    strip = draw_frames(motion, count, panel, theme_name, gap, small, start, follow=True, **options)
    row.paste(strip, (gap, caption_height))
    return row


def picked_frames(motion: Motion, count: int) -> np.ndarray:
    """`count` frames spread evenly over a clip, the first and the last among them; all where it has fewer."""
    return np.unique(np.linspace(0, motion.num_frames - 1, count).round().astype(int))


def draw_path(
    motion: Motion, count: int, size: tuple[int, int], theme_name: str, font: Font, **options: Any
) -> Image.Image:
    """The same frames of one person as `draw_frames` has, in one picture: the person at each moment, along its path.

    For motions that lead away, which are small in panels that all show the whole path.

    Args:
        motion: the clip of one person.
        count: moments.
        size: width and height of the picture in pixels.
        theme_name: "dark" or "light".
        font: of the times.
        **options: further ones of `RenderOptions`.
    """
    picked = picked_frames(motion, count)
    # Several people who stop where the one person is at each moment; they leave its path behind them.
    moments = np.stack([motion.people[0, np.minimum(np.arange(motion.num_frames), frame)] for frame in picked])
    headroom = round(1.5 * font.getbbox("0 s")[3])
    shown = RenderOptions(
        size, theme=theme_name, caption="", legend=False, one_colour=True, headroom=headroom, **options
    )
    renderer = Renderer(Motion(moments, motion.fps), shown)
    picture = renderer.frame(motion.num_frames - 1)
    pen = ImageDraw.Draw(picture)
    heads, _ = renderer.camera.project(renderer.body_tops(motion.num_frames - 1))
    times = [f"{frame / motion.fps:.2f} s" for frame in picked.tolist()]
    labels = [(text, *head) for text, head in zip(times, heads.tolist(), strict=True)]
    written: list[tuple[float, float, float, float]] = []
    for text, x, y in [labels[0], *labels[:0:-1]]:  # where there is no room for all, the first and the last remain
        box = pen.textbbox((x, y), text, font=font, anchor="mb")
        if not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in written):
            pen.text((x, y), text, font=font, fill=to_theme(theme_name).muted, anchor="mb")
            written.append(box)
    return picture


def draw_frames(
    motion: Motion,
    count: int,
    panel: tuple[int, int],
    theme_name: str,
    gap: int,
    font: Font,
    start: float = 0.0,
    follow: bool = False,
    **options: Any,
) -> Image.Image:
    """`count` frames spread evenly over a clip, side by side, each with its time.

    Args:
        motion: the clip; with fewer frames than `count` the rest stays empty.
        count: panels.
        panel: width and height of one panel in pixels.
        theme_name: "dark" or "light".
        gap: pixels between two panels.
        font: of the times.
        start: seconds of the first frame.
        follow: whether the camera goes along with people who go so far that they would be small in pictures of all of
            their way; else one camera sees all panels.
        **options: further ones of `RenderOptions`.
    """
    theme, (width, height) = to_theme(theme_name), panel
    strip = Image.new("RGB", (count * (width + gap) - gap, height), theme.sky)
    shown = RenderOptions(size=panel, theme=theme_name, caption="", legend=False, **options)
    renderer = Renderer(motion, shown)
    along = _camera_along(motion, renderer, shown) if follow else None
    picked = picked_frames(motion, count)
    inset = 2 * max(2, round(0.02 * height))
    for column, index in enumerate(picked.tolist()):
        if along is not None:
            renderer = Renderer(motion, shown, along(index))
        picture = renderer.frame(index)
        time = f"{start + index / motion.fps:.2f} s"
        ImageDraw.Draw(picture).text((width - inset, height - inset), time, font=font, fill=theme.muted, anchor="rb")
        strip.paste(picture, (column * (width + gap), 0))
    return strip


def _camera_along(motion: Motion, whole: Renderer, options: RenderOptions) -> Callable[[int], Camera] | None:
    """The camera of each frame that goes along with the people; None where `whole` shows them about as large."""
    middle = motion.people[..., 0, :].mean(axis=0) * np.array([1.0, 0.0, 1.0])
    near = Renderer(replace(motion, joints=motion.joints - middle[:, None]), options).camera
    sizes = [view.focal / np.median(view.project(at)[1]) for view, at in ((whole.camera, middle), (near, 0 * middle))]
    if sizes[0] > _SMALL * sizes[1]:
        return None
    return lambda index: replace(near, position=near.position + middle[index])


def draw_contact_sheet(
    motions: Motion | Sequence[Motion],
    *,
    count: int = 8,
    panel: tuple[int, int] = (240, 300),
    theme: str = "dark",
    **options: Any,
) -> Image.Image:
    """Draw frames spread evenly over each clip, time going to the right, one clip under the other with its caption.

    A clip with several segments has a row for each, with its sentence. The camera goes along with people who go far.

    Args:
        motions: one clip or several.
        count: panels in a row; a clip of fewer frames leaves the rest of its row empty.
        panel: width and height of one panel in pixels.
        theme: "dark" or "light".
        **options: further ones of `RenderOptions`: azimuth, elevation, caption.

    Raises:
        MotionLLMError: no motion, or `count` not between 1 and 64.
    """
    clips = [motions] if isinstance(motions, Motion) else list(motions)
    if not clips:
        raise MotionLLMError("a contact sheet of no motions; give at least one")
    if not 1 <= count <= 64:
        raise MotionLLMError(f"count is {count}; give 1 to 64 panels in a row")
    parts = [part for clip in clips for part in _parts(clip)]
    rows = [_draw_row(clip, start, count, panel, theme, **options) for clip, start in parts]
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), to_theme(theme).sky)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def save_contact_sheet(motions: Motion | Sequence[Motion], path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a contact sheet as PNG; equal motions give equal bytes.

    Args:
        motions: one clip, or several, which become rows.
        path: ends in `.png`.
        **options: of `draw_contact_sheet`.

    Returns:
        The path.

    Raises:
        MotionLLMError: bad options, or the file cannot be written.
    """
    path = Path(path)
    sheet = draw_contact_sheet(motions, **options)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=False)
    return path
