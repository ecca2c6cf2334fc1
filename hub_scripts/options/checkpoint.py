"""Loading a checkpoint for the command line: the default one, quietly, with the processor first."""

import argparse
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hub_scripts.options.default_models import DEFAULT_CHECKPOINT, require_shipped
from hub_scripts.options.later import compiler_later, imported_later
from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:  # the libraries are imported when they are needed
    from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = [
    "add_model_arguments",
    "check_device",
    "keep_checkpoint",
    "load_model",
    "load_processor",
    "quiet",
]


_LONGEST_NAME = 1000  # letters


class _Kept(NamedTuple):
    """A checkpoint in memory, and the files it was read from: their sizes and times."""

    files: dict[Path, tuple[int, int]]
    processor: "MotionLLMProcessor"
    model: "MotionLLMForCausalLM"


_kept: dict[Path, _Kept] = {}  # by folder


@contextmanager
def _without_collecting() -> Iterator[None]:
    """While modules are imported, nothing becomes garbage; searching for it is a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what is imported stays, and later searches leave it out
        if enabled:
            gc.enable()


@contextmanager
def _one_process() -> Iterator[None]:
    """While transformers is imported, what it brings in for compilers, sharded models and losses that are not ours
    waits: half of the time of its import.
    """
    if "transformers" in sys.modules or "WORLD_SIZE" in os.environ:
        yield
        return
    from torch import distributed

    available = distributed.is_available
    # As in a torch that was built without: transformers asks once, and leaves the modules for sharded models alone.
    distributed.is_available = lambda: False
    try:
        compiler_later()
        with imported_later("scipy", "accelerate"):
            yield
    finally:
        distributed.is_available = available


def quiet(model: str | None = None) -> None:
    """Import the libraries, and keep their progress bars and notices off the terminal; errors still come through.

    Args:
        model: checkpoint that will be loaded; who waits at a terminal is told so.
    """
    if model is not None and sys.stderr.isatty():
        print(f"loading {Path(model).name} ...", file=sys.stderr, flush=True)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with _without_collecting(), _one_process():
        import motionllm  # noqa: F401
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """`--model` and `--device`, the same for every command that uses a checkpoint."""
    parser.add_argument(
        "--model",
        default=os.environ.get("MOTIONLLM_MODEL") or str(DEFAULT_CHECKPOINT),
        help="checkpoint: folder or Hub id (default: $MOTIONLLM_MODEL, else the shipped one)",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps ... (default cpu)")


def load_processor(name: str) -> "MotionLLMProcessor":
    """The processor of a checkpoint; fast, so input is checked with it before the weights are loaded.

    Raises:
        MotionLLMError: no checkpoint under that name.
    """
    import motionllm
    from modeling_motionllm.checkpoint_motionllm import looks_like_path

    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise MotionLLMError(f"--model is {name[:60]!a}, which is no name; give a folder or a Hub id 'user/name'")
    require_shipped(name)
    if (kept := _kept_checkpoint(name)) is not None:
        return kept.processor
    if Path(name).is_dir() and not (Path(name) / "processor_config.json").is_file():
        raise MotionLLMError(f"the folder '{name}' holds no MotionLLM checkpoint (no processor_config.json)")
    if not Path(name).exists() and (looks_like_path(name) or "/" not in name):
        raise MotionLLMError(f"there is no checkpoint folder '{name}'; check the path, or give a Hub id 'user/name'")
    try:
        return motionllm.MotionLLMProcessor.from_pretrained(name)
    except OSError as error:
        raise _not_loaded(name, error) from error


def _not_loaded(name: str, error: OSError) -> MotionLLMError:
    """What is said where a checkpoint is neither here nor on the Hub, or the Hub cannot be reached."""
    from huggingface_hub import constants

    from modeling_motionllm.strict_motionllm import why_unreachable

    shown = name if len(name) <= 200 else f"{name[:200]}..."
    reason = "" if constants.HF_HUB_OFFLINE or Path(name).is_dir() else why_unreachable()
    if reason:
        return MotionLLMError(f"cannot load '{shown}': not all of it is in the cache, and {reason}; check the network")
    return MotionLLMError(f"cannot load '{shown}': {' '.join(str(error).split())[:300]}")


def check_device(device: str) -> None:
    """Make sure that a device can be used, before anything is loaded or written.

    Raises:
        MotionLLMError: it cannot.
    """
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MotionLLMError(f"--device is '{device}', which cannot be used here; try cpu") from error


def load_model(name: str, device: str, dtype: str = "fp32") -> "MotionLLMForCausalLM":
    """The model of a checkpoint on a device, its language model in `fp32` or `bf16`.

    Raises:
        MotionLLMError: no weights under that name, or no such device.
    """
    import motionllm

    check_device(device)
    if dtype == "fp32" and (kept := _kept_checkpoint(name)) is not None:
        return kept.model.to(device)
    try:
        # A whole model that was saved in another dtype is read as it is, unless bf16 is asked for.
        asked = "bfloat16" if dtype == "bf16" else None
        return motionllm.MotionLLMForCausalLM.from_pretrained(name, dtype=asked).to(device).eval()
    except OSError as error:
        raise _not_loaded(name, error) from error


def keep_checkpoint(folder: str) -> "tuple[MotionLLMForCausalLM, MotionLLMProcessor]":
    """Load a checkpoint, and give it to every later `load_processor` and `load_model` (fp32) that names it, as long as
    its files are what they are now.

    Raises:
        MotionLLMError: it is no folder, or holds no checkpoint.
    """
    if not Path(folder).is_dir():
        raise MotionLLMError(f"--model is '{folder}', and only a folder can be kept in memory; `hf download` makes one")
    files = _files(Path(folder))
    kept = _Kept(files, load_processor(folder), load_model(folder, "cpu"))
    _kept[Path(folder).resolve()] = kept
    return kept.model, kept.processor


def _kept_checkpoint(name: str) -> _Kept | None:
    """The checkpoint of that name if it is in memory and has not changed since."""
    kept = _kept.get(Path(name).resolve()) if _kept else None
    return kept if kept is not None and kept.files == _files(Path(name)) else None


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    known = [(file.relative_to(folder), file.stat()) for file in folder.rglob("*") if file.is_file()]
    return {file: (found.st_size, found.st_mtime_ns) for file, found in known}
