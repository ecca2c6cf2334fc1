"""The checkpoints that an unfinished training leaves in its folder: written whole or not at all, and found again."""

import json
import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from modeling_motionllm.checksums_motionllm import CHECKSUMS, check_checksum, read_checksums, write_checksums
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "UNFINISHED",
    "check_same_run",
    "finish_checkpoint",
    "find_checkpoint",
    "last_checkpoint",
    "remove_unfinished",
]

UNFINISHED = ".unfinished"  # in the folder of a training: where a checkpoint is written before it gets its name
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_STATE = "trainer_state.json"  # the Trainer writes it last
_NEEDED = ("optimizer.pt", "scheduler.pt")
_RUN = "training_run.json"


def last_checkpoint(folder: str | os.PathLike[str]) -> Path | None:
    """The last whole checkpoint of `transformers.Trainer` in a folder; None where there is none."""
    return find_checkpoint(folder)[0]


def find_checkpoint(folder: str | os.PathLike[str]) -> tuple[Path | None, dict[str, str]]:
    """The last whole checkpoint in a folder, and those after it with what is wrong with each.

    Checkpoints that an earlier version or the plain Trainer wrote may be cut short; they are passed over.
    """
    found = [
        (int(match[1]), path)
        for path in Path(folder).glob("checkpoint-*")
        if (match := _CHECKPOINT.fullmatch(path.name))
    ]
    broken: dict[str, str] = {}
    for _, path in sorted(found, reverse=True):
        wrong = _damage(path)
        if wrong is None:
            return path, broken
        broken[path.name] = wrong
    return None, broken


def _damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, in a few words; None if it is whole."""
    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        if not isinstance(state, dict):
            return f"{_STATE} is damaged"
    except FileNotFoundError:
        return f"{_STATE} is missing"
    except (OSError, ValueError, RecursionError):
        return f"{_STATE} is damaged"
    sharded = any(each.is_dir() for each in path.iterdir())  # DeepSpeed and FSDP keep the optimizer in folders
    missing = [name for name in _NEEDED if not sharded and not (path / name).is_file()]
    if not sharded and not any(path.glob("*.safetensors")):
        missing.append("the weights")
    if missing:
        return f"{missing[0]} is missing" if len(missing) == 1 else f"{' and '.join(missing)} are missing"
    files = sorted(path.iterdir(), key=lambda file: (file.name == CHECKSUMS, file.name))
    return next((f"{file.name} is damaged" for file in files if not _readable(file)), None)


def _readable(file: Path) -> bool:
    """Whether a file of weights or of the Trainer's state is whole; other files are taken as they are."""
    try:
        if file.suffix in (".pt", ".pth"):  # a zip archive with the sum of each part
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is None
        if file.suffix == ".safetensors":
            with safe_open(file, "numpy"):
                pass
        if file.name == CHECKSUMS:
            for name in read_checksums(file):  # after the weights themselves
                check_checksum(file.parent / name, file, file.parent.name)
    except (OSError, ValueError, zipfile.BadZipFile, SafetensorError, MotionLLMError):
        return False
    return True


def remove_unfinished(run: Path) -> None:
    """Remove what a killed training left half written."""
    hidden = run / UNFINISHED
    if hidden.is_symlink():
        hidden.unlink()
    elif hidden.exists():
        shutil.rmtree(hidden)


def finish_checkpoint(run: Path, name: str, record: Mapping[str, Any]) -> None:
    """Give the checkpoint that lies in the hidden folder of a training its place, once all of it is on the disk.

    Args:
        run: folder of the training.
        name: of the checkpoint; a broken one of that name is replaced.
        record: what the training was begun with, for `check_same_run`.
    """
    written, place = run / UNFINISHED / name, run / name
    (written / _RUN).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    write_checksums(written)
    for path in [*written.rglob("*"), written]:
        _flush(path)
    if place.exists():
        place.rename(run / UNFINISHED / "replaced")
    written.rename(place)
    _flush(run)


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_same_run(checkpoint: Path, record: Mapping[str, Any]) -> None:
    """Make sure that a training goes on with what it was begun with; checkpoints from before there were records pass.

    Raises:
        MotionLLMError: it does not.
    """
    path = checkpoint / _RUN
    if not path.is_file():
        return
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        given = json.loads(json.dumps(record))
        other = [name for name in given if name in begun and begun[name] != given[name]]
    except (OSError, ValueError, TypeError) as error:
        raise MotionLLMError(f"'{path}' is damaged ({error}); remove '{checkpoint}', or start anew") from error
    if other:
        told = ", ".join(f"{name} {_short(begun[name])} (now {_short(given[name])})" for name in other[:3])
        raise MotionLLMError(
            f"the training in '{checkpoint.parent}' was begun with {told}; go on with the same, or choose another "
            "--output-dir"
        )


def _short(value: Any) -> str:
    text = " + ".join(_short(each) for each in value) if isinstance(value, list) else str(value)
    return f"{text[:12]}..." if re.fullmatch(r"[0-9a-f]{64}", text) else text
