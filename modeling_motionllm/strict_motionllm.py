"""Models that are loaded whole or not at all: from safetensors, without code of the repository, with all tensors."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from huggingface_hub import constants
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils import get_session
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights
from transformers.utils import SAFE_WEIGHTS_NAME, WEIGHTS_INDEX_NAME, WEIGHTS_NAME, cached_file

from .errors_motionllm import MotionLLMError
from .files_motionllm import share_files
from .json_motionllm import Field, check_json, explain_settings

__all__ = [
    "StrictPreTrainedModel",
    "explain_writing",
    "find_file",
    "hub_options",
    "load_complete",
    "why_unreachable",
    "without_weights",
]

_NAMED = 3  # missing tensors of a message


_TIMEOUT = 3.0  # seconds, for the one question whether the Hub is there
_unreachable: dict[str, str] = {}  # endpoint -> why, "" where it answers


def why_unreachable() -> str:
    """Why the Hub cannot be reached; "" if it can. It is asked once in the life of a process."""
    endpoint = constants.ENDPOINT
    if endpoint not in _unreachable:
        try:
            get_session().head(endpoint, timeout=_TIMEOUT)
            _unreachable[endpoint] = ""
        except HTTPError as error:
            said = " ".join(str(error).split())[:160] or type(error).__name__
            _unreachable[endpoint] = f"{endpoint} cannot be reached ({said})"
    return _unreachable[endpoint]


def hub_options(name: str, hub: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the Hub with which `name` is loaded: from the cache alone where the Hub cannot be reached.

    Else every file would be asked for again and again, for minutes.

    Args:
        name: folder or Hub id.
        hub: `cache_dir`, `token`, `revision`, `local_files_only`, `force_download` ..., as they were given.
    """
    asked = hub.get("local_files_only") is not None or hub.get("force_download") or constants.HF_HUB_OFFLINE
    if asked or Path(name).is_dir() or not why_unreachable():
        return dict(hub)
    return {**hub, "local_files_only": True}


def find_file(name: str, file: str, **hub: Any) -> str | None:
    """Local path of a file of a folder or Hub repo, or None if it has none."""
    return cached_file(
        name,
        file,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_connection_errors=False,
        **hub,
    )


def load_complete(
    loader: Callable[..., tuple[PreTrainedModel, dict[str, Any]]],
    name: str,
    *args: Any,
    unneeded: tuple[str, ...] = (),
    **kwargs: Any,
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """`from_pretrained` that reads safetensors only, runs no code of the repository, and leaves no tensor to chance.

    Args:
        loader: its `from_pretrained`.
        name: folder or Hub id.
        args, kwargs: for it.
        unneeded: beginnings of names of tensors that may be missing.

    Returns:
        The model, and what transformers tells about its loading.

    Raises:
        MotionLLMError: tensors are missing or have other shapes, weights are pickled, or code would have to be run.
    """
    kwargs.setdefault("use_safetensors", True)
    try:
        model, info = loader(name, *args, output_loading_info=True, **kwargs)
    except OSError as error:
        hub = {key: kwargs[key] for key in ("cache_dir", "revision", "subfolder") if kwargs.get(key) is not None}
        pickled = (WEIGHTS_NAME, WEIGHTS_INDEX_NAME)
        if kwargs["use_safetensors"] and any(find_file(name, file, local_files_only=True, **hub) for file in pickled):
            raise MotionLLMError(
                f"'{name}' has its weights in {WEIGHTS_NAME}, a pickle, which can run code when it is read; convert it "
                "to safetensors first (https://huggingface.co/spaces/safetensors/convert)"
            ) from error
        raise
    except SafetensorError as error:
        raise MotionLLMError(
            f"the weight file {SAFE_WEIGHTS_NAME} of '{name}' is damaged ({error}); get it again (from the Hub: "
            "force_download=True)"
        ) from error
    except RuntimeError as error:
        said = " ".join(str(error).split())
        if "mismatch" not in said:
            raise
        raise MotionLLMError(
            f"the weight file of '{name}' does not fit its config.json ({said[:200]}); get both again"
        ) from error
    check_complete(name, info, unneeded)
    return model, info


@contextmanager
def explain_writing(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what is said of a full disk, by safetensors too, into one line.

    Args:
        folder: that is written.

    Raises:
        MotionLLMError: a file cannot be written.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        said = getattr(error, "strerror", None) or error
        raise MotionLLMError(f"cannot write in '{folder}' ({said}); free some space or choose another place") from error


def check_complete(name: str, info: Mapping[str, Any], unneeded: tuple[str, ...] = ()) -> None:
    """Make sure that a loaded model has all of its weights.

    Raises:
        MotionLLMError: some were missing, or had other shapes.
    """
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(unneeded or ("\0",)))
    missing += sorted(str(key[0] if isinstance(key, tuple) else key) for key in info["mismatched_keys"])
    if missing:
        more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
        strange = len(info["unexpected_keys"])
        raise MotionLLMError(
            f"the weight file of '{name}' does not fit its config.json: {strange:,} tensors have no place in it and "
            f"{len(missing):,} of its own are missing ({', '.join(missing[:_NAMED])}{more}); get it again"
        )


@contextmanager
def without_weights() -> Iterator[None]:
    """Modules that are made meanwhile have weights of the right shapes that take no memory and no time to draw."""
    with torch.device("meta"), no_init_weights():
        yield


class StrictPreTrainedModel(PreTrainedModel):
    """A model whose `from_pretrained` checks its configuration first and gives all of the weights or none.

    Attributes:
        json_fields: what its `config.json` may say.
    """

    json_fields: ClassVar[Mapping[str, Field]] = {}

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *args: Any,
        output_loading_info: bool = False,
        **kwargs: Any,
    ) -> Any:
        """As of any `PreTrainedModel`, from safetensors.

        Args:
            pretrained_model_name_or_path: local folder or Hub id.
            output_loading_info: return what transformers tells about the loading beside the model.
            args, kwargs: as of any `PreTrainedModel`.

        Raises:
            MotionLLMError: the configuration is damaged, weights are missing, or have other shapes.
        """
        if pretrained_model_name_or_path is None:
            return super().from_pretrained(None, *args, output_loading_info=output_loading_info, **kwargs)
        name = str(pretrained_model_name_or_path)
        places = ("cache_dir", "token", "revision", "local_files_only", "force_download", "subfolder")
        kwargs |= hub_options(name, {key: kwargs[key] for key in places if kwargs.get(key) is not None})
        cls.check_config(name, **{key: kwargs[key] for key in places if kwargs.get(key) is not None})
        model, info = load_complete(super().from_pretrained, name, *args, **kwargs)
        return (model, info) if output_loading_info else model

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """As of any `PreTrainedModel`; who may read new files may read the weights too.

        Args:
            save_directory: the folder.
            args, kwargs: as of any `PreTrainedModel`.

        Raises:
            MotionLLMError: the file system refuses a file.
        """
        with explain_writing(save_directory):
            super().save_pretrained(save_directory, *args, **kwargs)
        if Path(save_directory).is_dir():
            share_files(save_directory)

    @classmethod
    def check_config(cls, name: str, **hub: Any) -> None:
        """Check the `config.json` of a folder or Hub repo, where there is one.

        Raises:
            MotionLLMError: it is damaged, or of another kind of model.
        """
        found = find_file(name, "config.json", **hub)
        if found is None:
            return
        values = check_json(found, cls.json_fields)
        kind = values.get("model_type", cls.config_class.model_type)
        if kind != cls.config_class.model_type:
            wanted = cls.config_class.model_type
            raise MotionLLMError(f"'{found}' is of a {kind}, not of a {wanted}; give another folder")
        with explain_settings(found), without_weights():
            cls(cls.config_class.from_dict(values))
