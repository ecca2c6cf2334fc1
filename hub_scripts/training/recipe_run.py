"""Running a recipe: each stage in a process of its own, with a log and a record by which a later run goes on."""

import hashlib
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from hub_scripts.data.folder_lock import only_one
from hub_scripts.hub.version import __version__
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder

from .checkpoints import last_checkpoint
from .recipe import DEVICE, OUT, RECIPE, SOURCES, Recipe, Stage
from .recipe_process import StageProcesses

__all__ = ["RecipeRun", "told_seconds"]

_RECORD = "recipe.json"
_FORMAT = 1
_RESUMABLE = ("train", "train-vq", "train-evaluator")
_PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "datasets", "numpy")


class RecipeRun:
    """A recipe, the raw data and the folder of the results. What a run before has finished is known and not done again.

    Args:
        recipe: what to do.
        sources: folder of the raw data; stages that are finished do not need it.
        out: folder of the results.
        start: stage that is done anew with all after it; None goes on where a run before stopped.

    Attributes:
        finished: the stages that need not be done.
        todo: the others, in order.

    Raises:
        MotionLLMError: something is missing, or does not fit what a run before left.
    """

    def __init__(
        self, recipe: Recipe, sources: str | os.PathLike[str], out: str | os.PathLike[str], start: str | None = None
    ):
        self.recipe, self.out = recipe, Path(out)
        self.values = {SOURCES: os.fspath(sources), OUT: os.fspath(out), RECIPE: os.fspath(recipe.path.parent)}
        self._anew = recipe.stages[len(recipe.stages) if start is None else recipe.index(start) :]
        self._known = self._read_record()
        names = [stage.name for stage in self._anew]
        kept = {name: entry for name, entry in self._known.items() if name not in names}
        self.finished = [stage for stage in recipe.stages if "finished" in kept.get(stage.name, {})]
        self.todo = [stage for stage in recipe.stages if stage not in self.finished]
        for stage in recipe.stages:
            if stage not in self._anew:
                self._check_known(stage, kept.get(stage.name))
        for stage in self.todo:
            self._check_inputs(stage)

    def run(self) -> Iterator[tuple[Stage, float | None]]:
        """Do what is to do; yields each stage before (None) and after it (its seconds, over all runs).

        Raises:
            MotionLLMError: a stage failed, or another run is at work in the folder.
            KeyboardInterrupt: stopped by Ctrl-C or a request to end; the stage has ended too.
        """
        ensure_folder(self.out / "logs")
        with only_one(self.out) as lock, StageProcesses() as processes:
            self._clear()
            for stage in self.todo:
                yield stage, None
                yield stage, self._do(stage, processes, lock)

    def _do(self, stage: Stage, processes: StageProcesses, lock: TextIO) -> float:
        inputs = {_shown(kind, path): self._fingerprint(kind, path) for kind, path in stage.inputs()}
        arguments = stage.arguments(self._values_of(stage))
        entry = self._known.setdefault(stage.name, {"definition": stage.definition, "inputs": inputs, "seconds": 0.0})
        folder = self.out / stage.output
        if stage.command[0] in _RESUMABLE and last_checkpoint(folder) is not None:
            arguments.append("--resume")
        elif stage.command[0] == "prepare" and any(folder.glob("motionllm_*.json")):
            shutil.rmtree(folder)  # it was stopped between its end and the record
        entry |= {"command": shlex.join(["motionllm", *arguments]), "versions": _versions()}
        self._write_record()
        log = self.out / "logs" / f"{self.recipe.index(stage.name) + 1:02d}-{stage.name}.log"
        started = time.monotonic()
        try:
            code = processes.run(arguments, log, lock)
        finally:
            entry["seconds"] = round(entry["seconds"] + time.monotonic() - started, 1)
            self._write_record()
        if code:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            raise MotionLLMError(
                f"stage '{stage.name}' ended {how}; '{log}' tells why, and the same command goes on from there"
            )
        entry["finished"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self._write_record()
        return float(entry["seconds"])

    def _values_of(self, stage: Stage) -> dict[str, str]:
        if not any(f"{{{DEVICE}}}" in argument for argument in stage.command):
            return self.values
        import torch  # takes seconds

        return {**self.values, DEVICE: "cuda" if torch.cuda.is_available() else "cpu"}

    def _check_known(self, stage: Stage, entry: dict[str, Any] | None) -> None:
        """Make sure that what a run before did of a stage is what the recipe says now.

        Raises:
            MotionLLMError: it is not.
        """
        remedy = f"give --from {stage.name} to do it and what follows anew, or another --output-dir"
        holds = _holds_files(self.out / stage.output)
        if entry is None:
            if holds:
                raise MotionLLMError(
                    f"'{self.out / stage.output}' is there already and '{self.out / _RECORD}' tells nothing of stage "
                    f"'{stage.name}'; {remedy}"
                )
            return
        if not holds and "finished" not in entry:
            del self._known[stage.name]  # it had not begun to write
            return
        if entry["definition"] != stage.definition:
            raise MotionLLMError(f"stage '{stage.name}' was run with another command than the recipe has now; {remedy}")
        for kind, path in stage.inputs():
            place, then = Path(self.values[kind], path), entry["inputs"].get(_shown(kind, path))
            if place.exists() and self._fingerprint(kind, path) != then:
                raise MotionLLMError(f"stage '{stage.name}' was run with another '{place}'; {remedy}")

    def _check_inputs(self, stage: Stage) -> None:
        """Make sure that what a stage reads is there, or will be.

        Raises:
            MotionLLMError: it is not.
        """
        for kind, path in stage.inputs():
            place = Path(self.values[kind], path)
            made_by = next((other for other in self.recipe.stages if Path(path).is_relative_to(other.output)), None)
            if (kind == OUT and made_by in self.todo) or place.exists():
                continue
            if kind == OUT and made_by is not None:
                raise MotionLLMError(
                    f"stage '{stage.name}' reads '{place}', which is gone; give --from {made_by.name} to make it anew"
                )
            raise MotionLLMError(
                f"stage '{stage.name}' reads '{place}', which is not there; docs/training.md tells what the folder of "
                "--sources holds"
            )

    def _fingerprint(self, kind: str, path: str) -> str:
        """What tells whether an input is another one, wherever it is: for results the summaries and weights, for raw
        data the names and sizes, for what lies beside the recipe the bytes."""
        place, digest = Path(self.values[kind], path), hashlib.sha256()
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            name = file.relative_to(place).as_posix()
            if not file.is_file() or (kind == OUT and not _tells(name)):
                continue
            digest.update(f"{name}\0{file.stat().st_size}\n".encode())
            if kind != SOURCES:
                with file.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    def _clear(self) -> None:
        """Forget the stages that are to be done anew, and remove what they left."""
        if not self._anew:
            return
        for stage in self._anew:
            self._known.pop(stage.name, None)
        self._write_record()
        for stage in self._anew:
            if (self.out / stage.output).exists():
                shutil.rmtree(self.out / stage.output)

    def _read_record(self) -> dict[str, dict[str, Any]]:
        path = self.out / _RECORD
        if not path.exists():
            return {}
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["format"] != _FORMAT:
                raise ValueError(f"format {record['format']}")
            return dict(record["stages"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MotionLLMError(f"'{path}' cannot be read ({error}); give another --output-dir") from error

    def _write_record(self) -> None:
        record = {"format": _FORMAT, "recipe": self.recipe.name, "license": self.recipe.license, "stages": self._known}
        with atomic_path(self.out / _RECORD) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _shown(kind: str, path: str) -> str:
    return f"{{{kind}}}/{path}"


def _tells(name: str) -> bool:
    """Whether a file of a result is a summary or weights, and not of an unfinished training."""
    if any(part.startswith(("checkpoint-", ".")) for part in name.split("/")):
        return False
    last = name.rpartition("/")[2]
    return last.endswith(".safetensors") or (last.startswith("motionllm_") and last.endswith(".json"))


def _holds_files(folder: Path) -> bool:
    return folder.is_file() or any(path.is_file() for path in folder.rglob("*"))


def _versions() -> dict[str, str]:
    """Of Python, this package and those that training depends on."""
    found = {"python": sys.version.split()[0], "motionllm": __version__}
    return found | {name: metadata.version(name) for name in _PACKAGES}


def told_seconds(seconds: float) -> str:
    """A time as people say it, such as "2 h 5 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
