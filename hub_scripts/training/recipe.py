"""A recipe: the commands that lead from raw data to a checkpoint, stage by stage, in a YAML file; read and checked."""

import hashlib
import json
import os
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["DEVICE", "OUT", "RECIPE", "SOURCES", "Recipe", "Stage", "read_recipe"]

SOURCES, OUT, RECIPE, DEVICE = "sources", "out", "recipe", "device"
_PLACEHOLDERS = {
    SOURCES: "the folder of the raw data",
    OUT: "the folder of the results",
    RECIPE: "the folder of the recipe",
    DEVICE: "cuda, or cpu where there is no such GPU",
}
_TOP = {"name": True, "license": False, "notes": False, "stages": True}  # key: whether it is needed
_STAGE = {"name": True, "command": True, "output": True}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(rf"\{{({SOURCES}|{OUT}|{RECIPE})\}}/?(.*)", re.DOTALL)
_OURS = ("logs", "recipe.json", ".lock")  # of the run itself


@dataclass(frozen=True)
class Stage:
    """One command of a recipe.

    Args:
        name: unique in the recipe.
        command: a command of `motionllm` and its arguments, with placeholders such as `{sources}`.
        output: the folder that it leaves, relative to that of the results.
    """

    name: str
    command: tuple[str, ...]
    output: str

    @property
    def definition(self) -> str:
        """SHA-256 (hex) of the command and the output; the same wherever the folders are."""
        return hashlib.sha256(json.dumps([self.command, self.output]).encode()).hexdigest()

    def paths(self) -> Iterator[tuple[str, str]]:
        """Every path among the arguments: placeholder and what follows it."""
        for argument in self.command:
            found = _PATH.search(argument)
            if found is not None:
                yield found[1], found[2].rstrip("/")

    def inputs(self) -> list[tuple[str, str]]:
        """The paths that it reads, each once; those in its output are not."""
        return list(
            dict.fromkeys((kind, path) for kind, path in self.paths() if kind != OUT or not _within(path, self.output))
        )

    def arguments(self, values: dict[str, str]) -> list[str]:
        """The command with the placeholders filled in."""
        return [_PLACEHOLDER.sub(lambda found: values[found[1]], argument) for argument in self.command]


@dataclass(frozen=True)
class Recipe:
    """What a recipe file says.

    Args:
        path: the file.
        name: of what it makes.
        license: what is to be known of the terms of the data and of the result.
        notes: for people.
        stages: in order.
    """

    path: Path
    name: str
    license: str
    notes: str
    stages: tuple[Stage, ...]

    def index(self, name: str) -> int:
        """Place of a stage.

        Raises:
            MotionLLMError: there is none of that name.
        """
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise MotionLLMError(f"'{self.path}' has no stage '{name}'; choose from {', '.join(names)}")
        return names.index(name)


def read_recipe(path: str | os.PathLike[str], commands: Collection[str]) -> Recipe:
    """Read a recipe and check all that can be known without the data.

    Args:
        path: YAML file.
        commands: of `motionllm` that a stage may have.

    Raises:
        MotionLLMError: it cannot be read, or says what cannot be run.
    """
    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise MotionLLMError(f"cannot read '{path}' ({error}); give a recipe such as recipes/default.yaml") from error
    except yaml.YAMLError as error:
        raise MotionLLMError(f"'{path}' is no YAML ({error})") from error
    content = _mapping(content, f"'{path}'", _TOP)
    for key in ("name", "license", "notes"):
        if not isinstance(content.get(key, ""), str):
            raise MotionLLMError(f"'{path}' has {content[key]!r} for {key}; write a text")
    if not isinstance(content["stages"], list) or not content["stages"]:
        raise MotionLLMError(f"'{path}' has no list of stages; each has {', '.join(_STAGE)}")
    stages: list[Stage] = []
    for number, entry in enumerate(content["stages"], start=1):
        stages.append(_stage(entry, f"stage {number} of '{path}'", commands, stages))
    texts = {key: content.get(key, "").strip() for key in ("name", "license", "notes")}
    return Recipe(path=path, stages=tuple(stages), **texts)


class _Loader(yaml.SafeLoader):
    """Plain values alone, and no key twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _mapping(content: Any, where: str, keys: dict[str, bool]) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise MotionLLMError(f"{where} is no mapping; it has the keys {', '.join(keys)}")
    for key in content:
        if key not in keys:
            raise MotionLLMError(f"{where} has the unknown key {key!r}; the keys are {', '.join(keys)}")
    for key, needed in keys.items():
        if needed and not content.get(key):
            raise MotionLLMError(f"{where} lacks the key '{key}'; its keys are {', '.join(keys)}")
    return content


def _stage(entry: Any, where: str, commands: Collection[str], before: list[Stage]) -> Stage:
    entry = _mapping(entry, where, _STAGE)
    for key, value in entry.items():
        if not isinstance(value, str):
            raise MotionLLMError(f"{where} has {value!r} for {key}; write a text")
    name, output = entry["name"], entry["output"]
    if not _NAME.fullmatch(name):
        raise MotionLLMError(f"{where} is called '{name}'; take small letters, digits and hyphens")
    if name in (stage.name for stage in before):
        raise MotionLLMError(f"{where} is called '{name}' as an earlier one; give it another name")
    where = f"stage '{name}'"
    try:
        command = tuple(shlex.split(entry["command"]))
    except ValueError as error:
        raise MotionLLMError(f"{where} has a command that cannot be split ({error}); close its quotes") from error
    if not command or command[0] not in commands:
        given = command[0] if command else ""
        raise MotionLLMError(f"{where} has the unknown command '{given}'; choose from {', '.join(commands)}")
    for argument in command:
        for placeholder in _PLACEHOLDER.findall(argument):
            if placeholder not in _PLACEHOLDERS:
                meaning = ", ".join(f"{{{known}}} ({means})" for known, means in _PLACEHOLDERS.items())
                raise MotionLLMError(f"{where} has the unknown placeholder {{{placeholder}}}; there are {meaning}")
    stage = Stage(name, command, output)
    _check_output(stage, where, before)
    for kind, path in stage.paths():
        if kind == OUT and ".." in PurePosixPath(path).parts:
            raise MotionLLMError(f"{where} names '{{out}}/{path}'; write the path without ..")
    for kind, path in stage.inputs():
        if kind == OUT and not any(_within(path, earlier.output) for earlier in before):
            raise MotionLLMError(f"{where} reads '{{out}}/{path}', which is in the output of no earlier stage")
    return stage


def _check_output(stage: Stage, where: str, before: list[Stage]) -> None:
    """The output has to be a folder of its own, and be named in the command.

    Raises:
        MotionLLMError: it is not.
    """
    place = PurePosixPath(stage.output)
    if place.is_absolute() or not place.parts or ".." in place.parts or place.as_posix() != stage.output:
        raise MotionLLMError(f"{where} has the output '{stage.output}'; write a folder in {{out}}, such as data/mine")
    if place.parts[0] in _OURS:
        raise MotionLLMError(
            f"{where} has the output '{stage.output}', which the run itself needs; take another folder"
        )
    for other in before:
        if _within(stage.output, other.output) or _within(other.output, stage.output):
            raise MotionLLMError(
                f"{where} has the output '{stage.output}', and '{other.name}' has '{other.output}'; "
                "give each a folder of its own"
            )
    if not any(kind == OUT and _within(path, stage.output) for kind, path in stage.paths()):
        raise MotionLLMError(
            f"{where} has the output '{stage.output}', but its command names no {{out}}/{stage.output}"
        )


def _within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)
