"""Public functions of three and more parameters say what goes in and what comes out, or what is refused."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CLONE = Path(__file__).resolve().parents[2]
ROOMS = ["motionllm", "modeling_motionllm", "tokenization", "hub_scripts"]
MODULES = sorted(
    ".".join(path.relative_to(CLONE).with_suffix("").parts).removesuffix(".__init__")
    for room in ROOMS
    for path in (CLONE / room).rglob("*.py")
)


def public_functions(module: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions of `__all__` and public methods of its classes, those that are defined here."""
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for method, member in vars(value).items():
                function = getattr(member, "__func__", member)
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", function


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_are_complete(name: str):
    module = importlib.import_module(name)
    wanting = []
    for label, function in public_functions(module):
        parameters = [each for each in inspect.signature(function).parameters if each not in ("self", "cls")]
        text = function.__doc__ or ""
        inherited = not text and "." in label  # a method of transformers: its documentation is there
        if len(parameters) < 3 or inherited:
            continue
        if "Args:" not in text or not ("Returns:" in text or "Raises:" in text or "Yields:" in text):
            wanting.append(label)
    assert wanting == [], f"no Args, or neither Returns nor Raises, in the docstring of {', '.join(wanting)}"
