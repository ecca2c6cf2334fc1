"""Left and right in a sentence or label of a mirrored motion."""

import re

__all__ = ["mirror_words"]

# Letters only, so that `wave_left`, `left-hand` and `lefthanded` count, and `upright` and `bright` do not. The phrases
# before the sides are no sides.
_SIDES = re.compile(
    r"(?P<no_side>all right|right (?:away|now|angles?)|left (?:over|behind|alone|off))(?![a-z])"
    r"|(?<![a-z])(?P<side>left|right)(?=(?:wards?|most|hand(?:ed)?|side|foot|leg|arm)?(?![a-z]))"
    r"|(?<![a-z])(?P<turn>(?:(?:counter|anti)[ -]?)?clockwise)(?![a-z])",
    re.IGNORECASE,
)
_OTHER = {"left": "right", "right": "left"}


def mirror_words(text: str) -> str:
    """Swap left and right, clockwise and counterclockwise; letter case is kept."""
    return _SIDES.sub(_swap, text)


def _swap(found: re.Match[str]) -> str:
    if found["no_side"]:
        return found[0]
    if found["side"]:
        other = _OTHER[found["side"].lower()]
    else:
        other = "counterclockwise" if found["turn"].lower() == "clockwise" else "clockwise"
    return other.upper() if found[0].isupper() else other.capitalize() if found[0][0].isupper() else other
