"""`Shape`: what a motion is to be for a game."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Shape"]

_CANDIDATES = 8  # of which the one is kept that has to be bent the least


@dataclass(frozen=True)
class Shape:
    """What a motion is to be for a game.

    Args:
        loop: its end meets its beginning.
        in_place: without its path.
        turn_to: degrees that it faces at its end, to the left of where it faces at its beginning.
        to: where its path ends, x and z in metres as seen from its beginning: to the left, and ahead.
    """

    loop: bool = False
    in_place: bool = False
    turn_to: float | None = None
    to: tuple[float, float] | None = None

    @property
    def candidates(self) -> int:
        """How many motions are drawn of which the best is kept."""
        return _CANDIDATES if self.loop or self.to is not None or self.turn_to is not None else 1

    @property
    def settings(self) -> dict[str, Any]:
        """What is asked for, as JSON values."""
        return {name: value for name, value in asdict(self).items() if value is not None and value is not False}

    @property
    def names(self) -> list[str]:
        """The options that say so."""
        return [f"--{name.replace('_', '-')}" for name in self.settings]
