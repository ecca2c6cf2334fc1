"""Imports that wait: what a library brings in at its top and a command may never use comes when it is first used."""

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["compiler_later", "imported_later"]

_COMPILER = "torch._dynamo"  # its decorators mark functions for a compiler, and do nothing else


class _Later:
    """Stands for a name of a module that has not been imported yet: calling it, asking it and looking into it
    import the module; whether something is one of its instances is known without, as long as nobody else imported it.
    """

    def __init__(self, module: str, name: str, finder: "_Finder") -> None:
        self.__dict__.update(_module=module, _name=name, _finder=finder)

    def _real(self) -> Any:
        self._finder.close()
        return getattr(importlib.import_module(self._module), self._name)

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self._finder.is_open and self._module == _COMPILER and args:
            if args[0] is None:  # called for a decorator
                return lambda function: self(function, *args[1:], **options)
            if isinstance(args[0], FunctionType):
                return _marked_later(self._real, *args, **options)
        return self._real()(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def __instancecheck__(self, instance: object) -> bool:
        return _is_there(self._module) and isinstance(instance, self._real())

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return (self._real(),)

    def __or__(self, other: object) -> Any:  # in annotations
        return self

    __ror__ = __or__


def _marked_later(decorator: Callable[[], Any], function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """The function, marked for the compiler once there is one."""
    marked: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        if not marked and _is_there(_COMPILER):
            marked.append(decorator()(function, *args, **options))
        return (marked[0] if marked else function)(*arguments, **named)

    return call


class _LaterModule(ModuleType):
    """A module whose names are all `_Later`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        assert isinstance(self.__loader__, _Finder)
        return _Later(self.__name__, name, self.__loader__)

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("__") or isinstance(value, ModuleType):
            return super().__setattr__(name, value)
        assert isinstance(self.__loader__, _Finder)
        self.__loader__.close()
        setattr(importlib.import_module(self.__name__), name, value)


def _is_there(module: str) -> bool:
    return not isinstance(sys.modules.get(module), _LaterModule | None)


class _Finder(MetaPathFinder, Loader):
    """Gives `_LaterModule`s while it is open."""

    def __init__(self, packages: Sequence[str]) -> None:
        # What is there already stays; what is not installed is found by nobody.
        self._packages = [name for name in packages if name not in sys.modules and importlib.util.find_spec(name)]

    @property
    def is_open(self) -> bool:
        return self in sys.meta_path

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if any(fullname == name or fullname.startswith(f"{name}.") for name in self._packages):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LaterModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: there is nothing in it."""

    def close(self) -> None:
        """From here on imports bring the real modules, whoever asks."""
        if not self.is_open:
            return
        sys.meta_path.remove(self)
        for name, module in list(sys.modules.items()):
            if isinstance(module, _LaterModule) and module.__loader__ is self:
                del sys.modules[name]
                parent, _, own = name.rpartition(".")
                vars(sys.modules.get(parent, module)).pop(own, None)


@contextmanager
def imported_later(*packages: str) -> Iterator[None]:
    """While it lasts, `from PACKAGE import NAME` imports nothing: a name's module is imported when the name is first
    called, looked into or inherited from. What is left out so costs no time, and nothing behaves otherwise.

    Args:
        packages: names of packages, which stand for all modules in them. Those that are imported already, or that are
            not installed, are left alone.
    """
    finder = _Finder(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        finder.close()


def compiler_later() -> None:
    """From here on torch's compiler is imported when it is used, and not where functions are only marked for it."""
    sys.meta_path.insert(0, _Finder([_COMPILER]))
