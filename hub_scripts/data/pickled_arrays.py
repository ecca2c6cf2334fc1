"""Arrays out of a `.npy` file that holds a pickled dict of them, as MDM writes its `results.npy`, without unpickling.

A pickle is a program, and Python's reader runs whatever it calls. Here the few instructions that numbers, texts, lists,
dicts and arrays are made of are followed; anything else in the file refuses it, and nothing in it is ever called.
"""

import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["is_object_array", "read_results"]

_NUMPY = {
    f"{core}.multiarray.{name}": name for core in ("numpy.core", "numpy._core") for name in ("_reconstruct", "scalar")
}
_CALLABLE = {**_NUMPY, "numpy.dtype": "dtype", "numpy.ndarray": "ndarray"}
_NUMBERS = re.compile(r"[fiu][1248]|b1")
_HEADER = re.compile(rb"'descr'\s*:\s*'\|O'")


@dataclass(frozen=True)
class _Name:
    """A name of numpy's that may be called."""

    name: str


@dataclass(eq=False)
class _Type:
    """A type of numbers, "f4"."""

    code: str
    order: str = "<"


@dataclass(eq=False)
class _Array:
    """An array, filled in when its state comes."""

    shape: tuple[int, ...] = ()
    kind: _Type | None = None
    by_columns: bool = False
    content: Any = None


class _Mark:
    """Where on the stack a list, dict or tuple begins."""


def is_object_array(data: bytes) -> bool:
    """Whether the bytes of a `.npy` file hold pickled objects."""
    return _HEADER.search(data[:256]) is not None


def read_results(data: bytes, name: str, sample: str | None = None) -> np.ndarray:
    """The joints of one motion of a `results.npy` of MDM.

    Args:
        data: the file: a dict with `motion` (N, J, 3, T), and perhaps `lengths` (N,) and `text` (N,).
        name: what error messages call it.
        sample: index of the motion; may be left out where there is one.

    Returns:
        (T, J, 3), its padding cut off.

    Raises:
        MotionLLMError: anything but such a dict, or no such motion.
    """
    refused = MotionLLMError(
        f"'{name}' holds pickled Python objects, which could run any code and are not read, but for the dict of arrays "
        "of MDM's results.npy; save the joints as a plain array, np.save('motion.npy', joints)"
    )
    start = (
        10 + int.from_bytes(data[8:10], "little") if data[6:7] == b"\x01" else 12 + int.from_bytes(data[8:12], "little")
    )
    try:
        outer = _follow(data[start:])
        content = outer.content[0] if isinstance(outer, _Array) and outer.shape == () else None
        if not isinstance(content, dict) or "motion" not in content:
            raise ValueError
        motion = _numbers(content["motion"])
        lengths = _numbers(content["lengths"]).reshape(-1) if "lengths" in content else None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
        raise refused from None
    if motion.ndim != 4 or 0 in motion.shape:
        raise MotionLLMError(f"'{name}' has 'motion' of shape {motion.shape}; MDM writes (motions, 22, 3, frames)")
    texts = content.get("text")
    told = texts if isinstance(texts, list) else []
    listed = [f"{index} ({told[index]})" if index < len(told) else str(index) for index in range(len(motion))]
    if sample is None and len(motion) > 1:
        some = ", ".join(listed[:20])
        raise MotionLLMError(f"'{name}' holds {len(motion)} motions; give the number of one by --animation: {some}")
    if sample is not None and sample not in map(str, range(len(motion))):
        raise MotionLLMError(f"'{name}' holds no motion '{sample}'; give one of 0 to {len(motion) - 1} by --animation")
    index = int(sample or 0)
    joints = np.moveaxis(motion[index], -1, 0)
    return joints if lengths is None or len(lengths) <= index else joints[: max(int(lengths[index]), 1)]


def _numbers(value: Any) -> np.ndarray:
    """A numpy array of what the file says is one.

    Raises:
        ValueError: not numbers, or not as many as its shape asks for.
    """
    if isinstance(value, list):
        return np.array([_numbers(entry) if isinstance(entry, _Array) else entry for entry in value], dtype=np.float64)
    if not isinstance(value, _Array) or value.kind is None or not isinstance(value.content, bytes):
        raise ValueError("no array of numbers")
    if not _NUMBERS.fullmatch(value.kind.code) or not all(isinstance(size, int) and size >= 0 for size in value.shape):
        raise ValueError("no array of numbers")
    dtype = np.dtype(value.kind.code).newbyteorder(">" if value.kind.order == ">" else "<")
    if math.prod(value.shape) * dtype.itemsize != len(value.content):
        raise ValueError("as many bytes as its shape asks for")
    array = np.frombuffer(value.content, dtype)
    return array.reshape(value.shape, order="F" if value.by_columns else "C")


def _call(function: Any, arguments: Any) -> Any:
    """What numpy's own functions would make, without calling them."""
    name = function.name if isinstance(function, _Name) else ""
    if name == "_reconstruct" and arguments[0] == _Name("ndarray"):
        return _Array()
    if name == "dtype" and isinstance(arguments[0], str):
        return _Type(arguments[0])
    if name == "scalar":
        return _Array((), arguments[0], False, arguments[1])
    raise ValueError("a call that is not known")


def _build(target: Any, state: Any) -> None:
    """Give an array or a type its state."""
    if isinstance(target, _Type):
        target.order = str(state[1])
        if any(entry is not None for entry in state[2:5]):
            raise ValueError("a type with fields")
    elif isinstance(target, _Array):
        _, target.shape, target.kind, target.by_columns, target.content = state
    else:
        raise ValueError("a state of something else")


def _named(module: str, name: str) -> _Name:
    return _Name(_CALLABLE[f"{module}.{name}"])


def _follow(data: bytes) -> Any:
    """What a pickle describes, as far as it is made of the instructions that are known.

    Raises:
        ValueError, KeyError and others of broken data: it is not.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        place = max(index for index, entry in enumerate(stack) if isinstance(entry, _Mark))
        taken = stack[place + 1 :]
        del stack[place:]
        return taken

    def put_pairs(pairs: list[Any]) -> None:
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            _container(stack[-1], dict)[key] = value

    def last(count: int) -> list[Any]:
        taken = stack[-count:]
        del stack[-count:]
        return taken

    values = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
    makes: dict[str, Callable[[], Any]] = {
        "MARK": _Mark,
        "EMPTY_DICT": dict,
        "EMPTY_LIST": list,
        "EMPTY_TUPLE": tuple,
        "TUPLE": lambda: tuple(since_mark()),
        **{f"TUPLE{count}": lambda count=count: tuple(last(count)) for count in (1, 2, 3)},  # type: ignore[misc]
        "STACK_GLOBAL": lambda: _named(*last(2)),
        "REDUCE": lambda: _call(*last(2)),
    }
    argument: Any
    for opcode, argument, _ in pickletools.genops(data):
        kind = opcode.name
        if kind in ("PROTO", "FRAME"):
            continue
        if kind == "STOP":
            return stack.pop()
        if kind in values:
            stack.append(values[kind])
        elif kind in makes:
            stack.append(makes[kind]())
        elif kind in _LITERALS:
            stack.append(argument)
        elif kind == "GLOBAL":
            stack.append(_named(*argument.split(" ")))
        elif kind in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if kind == "MEMOIZE" else argument] = stack[-1]
        elif kind in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif kind == "BUILD":
            _build(stack[-2], stack.pop())
        elif kind in ("SETITEM", "SETITEMS"):
            put_pairs(last(2) if kind == "SETITEM" else since_mark())
        elif kind in ("APPEND", "APPENDS"):
            entries = last(1) if kind == "APPEND" else since_mark()
            _container(stack[-1], list).extend(entries)
        else:
            raise ValueError(f"the instruction {kind}")
    raise ValueError("cut off")


def _container(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError("no container")
    return value


_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}
