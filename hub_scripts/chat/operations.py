"""What turns of a conversation are made of: a small typed set of operations that can be written down and done again."""

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, TypeAlias, get_args, get_origin, get_type_hints

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "OPERATIONS",
    "Again",
    "Append",
    "Describe",
    "Edit",
    "Generate",
    "Operation",
    "Prepend",
    "Save",
    "Speed",
    "Undo",
    "operation_schema",
    "read_plan",
    "written_operation",
]


@dataclass(frozen=True)
class Generate:
    """A new motion.

    Args:
        sentences: what is done, one thing after another.
        seconds: of all sentences, or one for each; none for as long as is typical.
        people: in the scene; with several give one sentence.
        seed: of the draws; None takes the next one.
    """

    name: ClassVar[str] = "generate"
    sentences: tuple[str, ...]
    seconds: tuple[float, ...] = ()
    people: int = 1
    seed: int | None = None


@dataclass(frozen=True)
class Append:
    """What is done after the motion; arguments as of `Generate`."""

    name: ClassVar[str] = "append"
    sentences: tuple[str, ...]
    seconds: tuple[float, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Prepend:
    """What is done before the motion; arguments as of `Generate`."""

    name: ClassVar[str] = "prepend"
    sentences: tuple[str, ...]
    seconds: tuple[float, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Edit:
    """A part of the motion, made anew.

    Args:
        sentence: what is done in it.
        start, end: seconds; a part at the beginning or the end of the motion may be one, too.
        seed: as of `Generate`.
    """

    name: ClassVar[str] = "edit"
    sentence: str
    start: float
    end: float
    seed: int | None = None


@dataclass(frozen=True)
class Again:
    """The last thing that was made, made once more in another way; changes of speed after it stay.

    Args:
        seed: another one gives another motion; None takes the next one, or where other words or seconds are given the
            same again.
        sentences: other words, none for the same.
        seconds: another length, none for the same.
    """

    name: ClassVar[str] = "again"
    seed: int | None = None
    sentences: tuple[str, ...] = ()
    seconds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Speed:
    """The motion, played faster or slower.

    Args:
        factor: 2 is twice as fast, 0.5 half as fast.
    """

    name: ClassVar[str] = "speed"
    factor: float


@dataclass(frozen=True)
class Describe:
    """What the model sees in the motion."""

    name: ClassVar[str] = "describe"


@dataclass(frozen=True)
class Save:
    """The motion as files.

    Args:
        formats: such as "glb", "bvh", "mp4".
        file: their name without folder and suffix; None for that of the motion.
    """

    name: ClassVar[str] = "save"
    formats: tuple[str, ...]
    file: str | None = None


@dataclass(frozen=True)
class Undo:
    """The motion as it was before.

    Args:
        count: so many changes back.
    """

    name: ClassVar[str] = "undo"
    count: int = 1


Operation: TypeAlias = Generate | Append | Prepend | Edit | Again | Speed | Describe | Save | Undo
OPERATIONS: dict[str, type[Operation]] = {kind.name: kind for kind in get_args(Operation)}

_JSON = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": 0},
    float: {"type": "number"},
    tuple[str, ...]: {"type": "array", "items": {"type": "string"}, "minItems": 1},
    tuple[float, ...]: {"type": "array", "items": {"type": "number"}},
}
_WANTED = {
    str: "a text",
    int: "a whole number from 0 on",
    float: "a number",
    tuple[str, ...]: "a list of texts",
    tuple[float, ...]: "a list of numbers",
}


def written_operation(operation: Operation) -> dict[str, Any]:
    """An operation as JSON values; what is as by default is left out."""
    told: dict[str, Any] = {"do": operation.name}
    for field in fields(operation):
        value = getattr(operation, field.name)
        if value != field.default:
            told[field.name] = list(value) if isinstance(value, tuple) else value
    return told


def read_plan(values: object, where: str) -> tuple[Operation, ...]:
    """A list of operations from JSON values.

    Args:
        values: as of `written_operation`, in a list.
        where: named in errors.

    Raises:
        MotionLLMError: they are no operations.
    """
    if not isinstance(values, list):
        raise MotionLLMError(f"{where} is no list of operations; give [{{'do': ...}}, ...]")
    return tuple(_read_operation(value, f"{where}, operation {place}") for place, value in enumerate(values, 1))


def _read_operation(value: object, where: str) -> Operation:
    if not isinstance(value, Mapping) or value.get("do") not in OPERATIONS:
        said = value.get("do") if isinstance(value, Mapping) else value
        raise MotionLLMError(f"{where} does {str(said)[:60]!r}; choose from {', '.join(OPERATIONS)}")
    kind = OPERATIONS[value["do"]]
    kinds = _kinds(kind)
    for name in value:
        if name not in {"do", *kinds}:
            known = f"only {', '.join(kinds)}" if kinds else "nothing"
            raise MotionLLMError(f"{where}: {kind.name} takes no '{str(name)[:60]}', {known}")
    given = {name: _read(value[name], kinds[name], f"{where}, {name}") for name in value.keys() - {"do"}}
    for field in fields(kind):
        if field.default is MISSING and given.get(field.name) in (None, ()):
            raise MotionLLMError(f"{where}: {kind.name} has no '{field.name}'; give {_WANTED[kinds[field.name]]}")
    return kind(**{name: one for name, one in given.items() if one is not None})


def _kinds(kind: type[Operation]) -> dict[str, Any]:
    """The type of each field, without None."""
    hints = get_type_hints(kind)
    return {field.name: _plain(hints[field.name]) for field in fields(kind)}


def _plain(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is types.UnionType else hint


def _read(value: object, kind: Any, where: str) -> Any:
    """A value of a field, None where it is left open.

    Raises:
        MotionLLMError: it is of another type.
    """
    if value is None:
        return None
    if get_origin(kind) is tuple:
        one = get_args(kind)[0]
        several = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if all(_is(part, one) for part in several):
            return tuple(one(part) for part in several)
    elif _is(value, kind):
        return kind(value)
    raise MotionLLMError(f"{where} is {str(value)[:60]!r}; give {_WANTED[kind]}")


def _is(value: object, kind: type) -> bool:
    if kind is str:
        return isinstance(value, str) and bool(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return kind is float or (value == int(value) and 0 <= value < 1 << 63)


def operation_schema() -> dict[str, Any]:
    """JSON schema of one operation."""
    every = []
    for kind in OPERATIONS.values():
        kinds = _kinds(kind)
        needed = [field.name for field in fields(kind) if field.default is MISSING]
        shapes = {"do": {"const": kind.name}, **{name: _JSON[one] for name, one in kinds.items()}}
        every.append(
            {"type": "object", "properties": shapes, "required": ["do", *needed], "additionalProperties": False}
        )
    return {"anyOf": every}
