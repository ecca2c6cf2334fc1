"""What users import from `motionllm` says what goes in, and what comes out or is refused."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import motionllm


def documented() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions of the front door, and methods that its classes define or inherit from our own."""
    for name in motionllm.__all__:
        value = getattr(motionllm, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for method, function in inspect.getmembers(value):
                function = getattr(function, "__func__", function)
                ours = str(getattr(function, "__module__", "")).split(".")[0] in ("modeling_motionllm", "tokenization")
                if ours and inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", function


LONG = {
    name: function
    for name, function in documented()
    if len([each for each in inspect.signature(function).parameters if each not in ("self", "cls")]) >= 3
}


def test_there_are_such_functions():
    assert {"save_motion", "resample_joints", "MotionLLMForCausalLM.generate_motion"} <= LONG.keys()


@pytest.mark.parametrize("name", LONG)
def test_the_docstring_is_complete(name: str):
    text = LONG[name].__doc__
    if text is None:
        assert "." in name
        parents = [vars(base).get(name.split(".")[1]) for base in getattr(motionllm, name.split(".")[0]).__mro__[1:]]
        assert any(parents), "no docstring, and none inherited"
        return
    assert "Args:" in text, text
    assert "Returns:" in text or "Raises:" in text or "Yields:" in text, text
