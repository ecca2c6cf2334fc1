"""Colours of the pictures, shared by the video renderer and the HTML viewer."""

import colorsys
from dataclasses import dataclass

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["RGB", "THEMES", "PersonColours", "Theme", "mix", "person_colours", "to_hex", "to_theme"]

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class PersonColours:
    """Tones of one person: limbs of the left and of the right side, and the rest."""

    left: RGB
    right: RGB
    middle: RGB


@dataclass(frozen=True)
class Theme:
    """Colours of everything but the people; `shadow_strength` is in 0..1."""

    sky: RGB
    floor: RGB
    grid: RGB
    text: RGB
    muted: RGB
    shadow: RGB
    shadow_strength: float


THEMES = {
    "dark": Theme((17, 20, 28), (45, 52, 68), (86, 98, 124), (236, 240, 248), (139, 150, 172), (8, 10, 15), 0.72),
    "light": Theme(
        (226, 230, 236), (250, 251, 253), (196, 203, 214), (30, 36, 48), (110, 120, 138), (72, 82, 104), 0.5
    ),
}

_PEOPLE = (
    PersonColours(left=(168, 218, 255), right=(38, 112, 232), middle=(92, 160, 238)),
    PersonColours(left=(255, 214, 150), right=(226, 96, 22), middle=(242, 150, 72)),
    PersonColours(left=(176, 240, 196), right=(22, 146, 86), middle=(84, 190, 132)),
    PersonColours(left=(255, 190, 220), right=(206, 44, 122), middle=(232, 112, 168)),
    PersonColours(left=(216, 200, 255), right=(112, 68, 214), middle=(158, 126, 236)),
    PersonColours(left=(252, 240, 150), right=(186, 144, 12), middle=(222, 192, 70)),
)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Colour between two others; `share` 0 gives the first, 1 the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def to_hex(colour: RGB) -> str:
    """`#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _from_hue(hue: float) -> PersonColours:
    def tone(lightness: float, saturation: float) -> RGB:
        red, green, blue = (round(255 * channel) for channel in colorsys.hls_to_rgb(hue, lightness, saturation))
        return red, green, blue

    return PersonColours(left=tone(0.82, 0.85), right=tone(0.42, 0.75), middle=tone(0.62, 0.7))


def person_colours(index: int) -> PersonColours:
    """Tones of person `index`; six chosen by hand, then hues by the golden ratio, so that no two are the same."""
    if index < len(_PEOPLE):
        return _PEOPLE[index]
    return _from_hue((0.47 + index * 0.6180339887) % 1.0)


def to_theme(name: str) -> Theme:
    """Theme by name.

    Raises:
        MotionLLMError: no such theme.
    """
    if name not in THEMES:
        raise MotionLLMError(f"theme is '{name}'; choose one of {', '.join(sorted(THEMES))}")
    return THEMES[name]
