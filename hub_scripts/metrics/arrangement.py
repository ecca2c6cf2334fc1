"""What a scene's caption fixes of where people start and whom they face, and how far a scene is from that."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np

from hub_scripts.captions.parsing import said_distance, said_side

__all__ = ["ARRANGEMENTS", "Arrangement", "heading_errors", "place_errors"]


@dataclass(frozen=True)
class Arrangement:
    """What every caption of a kind of scene says of the start.

    Args:
        place: `apart`: nothing but the distance of the first two people, where the caption states it. `abreast`:
            everybody in one line with person 1, across its facing. `behind`: in one line with person 1, along its
            facing, each behind the one before.
        facing: `each other` (the first two), `same` (all face where person 1 faces), `opposite` (person 2 faces the
            other way), `away` (the last person faces away from person 1), `centre` (everybody faces
            the middle of all), `first` (person 2 faces person 1).
    """

    place: Literal["apart", "abreast", "behind"]
    facing: Literal["each other", "same", "opposite", "away", "centre", "first"]


_FACE_TO_FACE = Arrangement("apart", "each other")
# Of `run-past` and `guide` the captions tell what happens later, and not where people start.
ARRANGEMENTS: dict[str, Arrangement] = {
    **dict.fromkeys(("bow", "wave", "raise-hands", "wave-answer", "call-answer"), _FACE_TO_FACE),
    **dict.fromkeys(("call-come", "greet-comer", "meet", "fight"), _FACE_TO_FACE),
    **dict.fromkeys(("walk-together", "part", "three-walk"), Arrangement("abreast", "same")),
    **dict.fromkeys(("follow", "three-follow"), Arrangement("behind", "same")),
    **dict.fromkeys(("goodbye", "three-goodbye"), Arrangement("apart", "away")),
    "pass-by": Arrangement("apart", "opposite"),
    "three-greet": Arrangement("apart", "centre"),
    "dance": Arrangement("apart", "first"),
}


def place_errors(kind: str, caption: str, placements: np.ndarray) -> list[float]:
    """How far each person starts from the nearest place that the caption allows, in metres.

    - `apart`: the difference between the distance of person 2 and the one stated; nothing where none is stated.
    - `abreast`: allowed is the line across person 1's facing; for person 2 at the distance stated, and for all on the
      side stated, where there is one.
    - `behind`: allowed is the half line behind person 1, for person 2 at the distance stated; for each next person
      what is behind the one before.

    Args:
        kind: of the scene; nothing is fixed in kinds without an `Arrangement`.
        caption: what the scene was asked with.
        placements: (P, 3) x, z, heading in person 1's frame.

    Returns:
        One error for each person who is not free; empty where the caption fixes no place.
    """
    arrangement = ARRANGEMENTS.get(kind)
    said = said_distance(caption)
    if arrangement is None or (arrangement.place == "apart" and said is None):
        return []
    places = np.asarray(placements, dtype=np.float64)[:, :2]
    near, far = said or (0.0, inf)
    if arrangement.place == "apart":
        return [_beyond(float(np.hypot(*places[1])), near, far)]
    errors = []
    for person in range(1, len(places)):
        x, z = map(float, places[person])
        if person > 1:
            near, far = 0.0, inf
        if arrangement.place == "abreast":
            side = said_side(caption) if kind != "part" else 0  # there the sides are of the turns
            ways = (side,) if side else (1, -1)
            errors.append(min(float(np.hypot(_beyond(way * x, near, far), z)) for way in ways))
        else:
            if person > 1:
                near = max(0.0, -float(places[person - 1, 1]))
            errors.append(float(np.hypot(x, _beyond(-z, near, far))))
    return errors


def heading_errors(kind: str, placements: np.ndarray) -> list[float]:
    """How far each facing that the kind of scene fixes is turned from what it says, in degrees, 0 to 180.

    `each other`: person 1's facing against the direction of person 2, and the other way round. See `Arrangement`.

    Args:
        kind: of the scene.
        placements: (P, 3) x, z, heading in person 1's frame.

    Returns:
        One error for each facing; empty where the kind fixes none.
    """
    arrangement = ARRANGEMENTS.get(kind)
    if arrangement is None:
        return []
    placements = np.asarray(placements, dtype=np.float64)
    places, headings = placements[:, :2], placements[:, 2]
    facing, wanted = headings[1:], np.zeros(len(placements) - 1)
    if arrangement.facing == "each other":
        facing, wanted = headings[:2], np.array([_direction(places[1]), _direction(-places[1])])
    elif arrangement.facing == "first":
        facing, wanted = headings[1:2], np.array([_direction(-places[1])])
    elif arrangement.facing == "opposite":
        wanted = wanted + np.pi
    elif arrangement.facing == "away":
        facing, wanted = headings[-1:], np.array([_direction(places[-1])])
    elif arrangement.facing == "centre":
        facing, wanted = headings, np.array([_direction(places.mean(0) - place) for place in places])
    return _angles(facing, wanted)


def _beyond(value: float, low: float, high: float) -> float:
    """How far a value is outside of an interval."""
    return max(low - value, value - high, 0.0)


def _direction(place: np.ndarray) -> float:
    """The heading, radians, that looks from the origin to a place (x, z)."""
    return float(np.arctan2(place[0], place[1]))


def _angles(one: np.ndarray, other: Sequence[float] | np.ndarray) -> list[float]:
    turned = np.mod(one - np.asarray(other) + np.pi, 2 * np.pi) - np.pi
    return np.degrees(np.abs(turned)).tolist()
