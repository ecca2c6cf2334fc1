"""Writing on the picture: caption, legend of left and right, time and progress."""

import bisect
import unicodedata
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from .theme import RGB, PersonColours, Theme

__all__ = ["Overlay", "draw_legend", "load_font", "wrap_text"]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_FALLBACK_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSans-Regular.ttf",
    "DejaVuSans.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
)


def load_font(pixels: int, text: str = "") -> Font:
    """Pillow's own font, the same on every machine; a system font only where `text` needs letters beyond Latin-1."""
    if any(ord(letter) > 0xFF and unicodedata.category(letter)[0] == "L" for letter in text):
        for name in _FALLBACK_FONTS:
            try:
                return ImageFont.truetype(name, pixels)
            except OSError:
                continue
    return ImageFont.load_default(pixels)


def wrap_text(text: str, font: Font, width: float, max_lines: int) -> list[str]:
    """Lines of at most `width` pixels; what does not fit in `max_lines` ends in an ellipsis."""

    def cut(line: str) -> str:
        count = bisect.bisect_right(range(len(line) + 1), width, key=lambda n: font.getlength(line[:n] + "...")) - 1
        return line[: max(count, 0)].rstrip() + "..."

    text = text[: 8 * max_lines * max(1, int(width))]  # no letter is an eighth of a pixel wide
    lines: list[str] = []
    current = ""
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    for position, word in enumerate(words):
        longer = f"{current} {word}".strip()
        if font.getlength(longer) <= width:
            current = longer
            continue
        if len(lines) == max_lines - 1 or font.getlength(word) > width:
            rest = " ".join([current, *words[position:]]).strip()
            return [*lines, cut(rest)]
        lines.append(current)
        current = word
    return [*lines, current] if current else lines


def _draw_dot(picture: Image.Image, x: float, y: float, radius: float, colour: RGB) -> None:
    """A small antialiased disc."""
    side = int(2 * radius) + 4
    left, top = int(x - side / 2), int(y - side / 2)
    mask = Image.new("L", (4 * side, 4 * side))
    cx, cy, r = 4 * (x - left), 4 * (y - top), 4 * radius
    ImageDraw.Draw(mask).ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)
    picture.paste(colour, (left, top), mask.reduce(4))


def draw_legend(
    picture: Image.Image,
    place: tuple[float, float],
    radius: float,
    people: Sequence[PersonColours],
    font: Font,
    colour: RGB,
) -> None:
    """Explain in place which tones are left and which are right.

    Args:
        picture: drawn on.
        place: left end and middle height of the legend, in pixels.
        radius: of a dot, in pixels.
        people: tones of each person; at most six are shown.
        font: for the words.
        colour: of the words.
    """
    pen = ImageDraw.Draw(picture)
    x, y = place
    for side in ("left", "right"):
        for tones in people[:6]:
            _draw_dot(picture, x + radius, y, radius, getattr(tones, side))
            x += 2.6 * radius
        pen.text((x + 0.4 * radius, y), side, font=font, fill=colour, anchor="lm")
        x += 2.6 * radius + font.getlength(side)


class Overlay:
    """Lays out the strip at the bottom of the picture.

    Args:
        size: width and height of the picture in pixels.
        theme: colours.
        people: tones of each person, for the legend.
        caption: text to show, or nothing.
        duration: seconds.
        legend: whether to explain the tones and show the time.
    """

    def __init__(
        self,
        size: tuple[int, int],
        theme: Theme,
        people: Sequence[PersonColours],
        caption: str | None,
        duration: float,
        *,
        legend: bool = True,
    ) -> None:
        self.size, self.theme, self.people, self.duration, self.legend = size, theme, people, duration, legend
        width, height = size
        self._unit = max(min(height, 0.9 * width), 40)
        self._pad = round(0.035 * self._unit)
        self._font = load_font(max(9, round(0.038 * self._unit)), caption or "")
        self._small = load_font(max(8, round(0.028 * self._unit)))
        self._lines = wrap_text(caption, self._font, width - 2 * self._pad, 2) if caption else []
        self._line_height = round(1.35 * 0.038 * self._unit)
        self._small_height = round(1.5 * 0.028 * self._unit) if legend else 0
        self._bar = max(2, round(0.006 * self._unit)) if legend else 0

    @property
    def height(self) -> int:
        """Pixels that the strip takes."""
        text = len(self._lines) * self._line_height + self._small_height
        return text + self._bar + (self._pad if text else 0)

    def draw_still(self, picture: Image.Image) -> None:
        """Draw in place what does not change over time: the caption and the legend."""
        pen = ImageDraw.Draw(picture)
        y = self.size[1] - self.height
        for line in self._lines:
            pen.text((self._pad, y), line, font=self._font, fill=self.theme.text)
            y += self._line_height
        if not self.legend:
            return
        radius = 0.0095 * self._unit
        draw_legend(picture, (self._pad, self._small_row()), radius, self.people, self._small, self.theme.muted)
        pen.rectangle((0, self.size[1] - self._bar, self.size[0], self.size[1]), fill=self.theme.floor)

    def draw_time(self, picture: Image.Image, seconds: float) -> None:
        """Draw in place the time and the progress bar."""
        if not self.legend:
            return
        pen = ImageDraw.Draw(picture)
        width, height = self.size
        text = f"{seconds:.2f} / {self.duration:.2f} s"
        pen.text((width - self._pad, self._small_row()), text, font=self._small, fill=self.theme.muted, anchor="rm")
        share = min(1.0, seconds / self.duration) if self.duration > 0 else 1.0
        pen.rectangle((0, height - self._bar, width * share, height), fill=self.people[0].middle)

    def _small_row(self) -> float:
        return self.size[1] - self._bar - 0.55 * self._pad - 0.5 * self._small_height
