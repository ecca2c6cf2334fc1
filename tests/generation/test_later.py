"""Imports that wait, and what the libraries are imported with."""

import subprocess
import sys
import types
from pathlib import Path

import pytest

from hub_scripts.options.later import imported_later

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package `slow_library` with a module `shapes`; nothing of it is imported."""
    folder = tmp_path / "slow_library"
    folder.mkdir()
    (folder / "__init__.py").write_text("unit = 1\n")
    (folder / "shapes.py").write_text(
        "class Shape:\n    sides = 3\n\ndef grown(shape, by=1):\n    return shape.sides + by\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "slow_library"
    for name in [name for name in sys.modules if name.startswith("slow_library")]:
        del sys.modules[name]


def test_names_are_imported_when_they_are_used(package):
    with imported_later(package, "no_such_library"):
        from slow_library import unit  # noqa: F401
        from slow_library.shapes import Shape, grown

        annotation = Shape | None
    assert annotation is Shape
    assert package not in sys.modules
    assert not isinstance(3, Shape)
    assert package not in sys.modules
    shape = Shape()
    assert isinstance(sys.modules[package], types.ModuleType)
    assert grown(shape, by=4) == 7
    assert (isinstance(shape, Shape), isinstance(3, Shape), Shape.sides) == (True, False, 3)

    class Square(Shape):
        sides = 4

    assert Square.__mro__[1] is type(shape)
    with pytest.raises(ModuleNotFoundError):
        import no_such_library  # noqa: F401


def test_what_is_used_at_once_is_imported_at_once(package):
    with imported_later(package):
        from slow_library.shapes import Shape

        sides = Shape.sides
        import slow_library.shapes
    assert sides == 3
    assert type(slow_library.shapes) is types.ModuleType
    assert slow_library.shapes.Shape.sides == 3


def test_what_is_there_already_is_left_alone(package):
    import slow_library.shapes

    with imported_later(package):
        from slow_library.shapes import Shape
    assert Shape is slow_library.shapes.Shape


def test_commands_import_no_compiler_and_the_compiler_works_afterwards():
    program = """
import sys
from hub_scripts.options.checkpoint import quiet

quiet()
names = ("torch._dynamo.utils", "sympy", "scipy", "accelerate", "torch.distributed.tensor")
print([name for name in names if name in sys.modules], type(sys.modules["torch._dynamo"]).__name__)
import torch

from transformers import PreTrainedModel

print(torch.distributed.is_available(), type(PreTrainedModel.__dict__["can_record_outputs"]).__name__)
print(torch.compile(lambda x: 2 * x, backend="eager")(torch.tensor(21)).item())
print("torch._dynamo.utils" in sys.modules, type(sys.modules["torch._dynamo"]).__name__)
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    import torch.distributed

    assert run.stdout.split("\n")[0] == "[] _LaterModule"
    assert run.stdout.split("\n")[1] == f"{torch.distributed.is_available()} property"
    assert run.stdout.split("\n")[2:4] == ["42", "True module"]


@pytest.mark.parametrize("command", ["generate", "caption", "edit", "convert", "view", "actions", "prepare"])
def test_options_are_read_before_torch_is_imported(command):
    program = (
        "import sys; from hub_scripts.cli import main\n"
        "try:\n    main([sys.argv[1], '--no-such-option'])\n"
        "except SystemExit:\n    print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout == "[]\n"
