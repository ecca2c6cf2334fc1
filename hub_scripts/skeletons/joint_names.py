"""What a program or a user put around the names of all joints: `Armature|`, `Character1_`, `Bob_`, `_bind`."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["bare_names"]

_NAMESPACE = re.compile(r"[:|/\\]")
_MOST = 0.75  # of the joints have what is taken off: a side is half of them at most
_FEWEST = 8  # joints of which so much can be said


def bare_names(names: Sequence[str]) -> list[str]:
    """The names without namespaces, and without what nearly all begin or end with, up to or from a mark or capital."""
    local = [_NAMESPACE.split(name)[-1].strip() for name in names]
    before = _shared(local, (_starts(name) for name in local))
    local = [name.removeprefix(before) or name for name in local]
    after = _shared(local, (_ends(name) for name in local))
    return [name.removesuffix(after) or name for name in local]


def _starts(name: str) -> list[str]:
    """Each beginning of a name that ends at a mark, or before a capital."""
    return [name[: place.end()] for place in re.finditer(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])", name)]


def _ends(name: str) -> list[str]:
    return [name[place.start() :] for place in re.finditer(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])", name) if place.start()]


def _shared(names: Sequence[str], parts: Iterable[list[str]]) -> str:
    """The longest part that most names have."""
    if len(names) < _FEWEST:
        return ""
    counts = Counter(part for group in parts for part in set(group))
    return max((part for part, count in counts.items() if count >= _MOST * len(names)), key=len, default="")
