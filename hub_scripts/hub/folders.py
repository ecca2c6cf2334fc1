"""Data that commands are given by name: a folder of this machine, or a repository of the Hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from modeling_motionllm.checkpoint_motionllm import looks_like_path
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.strict_motionllm import why_unreachable

__all__ = ["local_folder", "only_cached", "reading_errors"]

_FILES = ["*.arrow", "*.json", "*.safetensors"]


def local_folder(name: str, holds: str, kind: str = "dataset") -> str:
    """The folder that a name stands for.

    Args:
        name: a folder, or `user/name` of the Hub, or `user/name@revision`; a folder of that name comes first.
        holds: file by which it is known to be what is wanted, such as `motionllm_codes.json`.
        kind: of repository, "dataset" or "model".

    Returns:
        The folder as it was given, whether or not it is there; or that of the repository in the Hub's cache, all files
        of one commit. Without a network, what the cache has.

    Raises:
        MotionLLMError: the Hub has no such repository or revision, it holds something else, or it cannot be had.
    """
    repo, _, revision = name.partition("@")
    if Path(name).exists() or looks_like_path(name) or "/" not in repo:
        return name
    try:
        validate_repo_id(repo)
    except HFValidationError:
        return name
    alone = bool(only_cached())
    with reading_errors(name, kind, holds):
        found = hf_hub_download(repo, holds, repo_type=kind, revision=revision or None, local_files_only=alone)
        commit = Path(found).parent.name  # a branch may move before the other files are here
        return snapshot_download(repo, repo_type=kind, revision=commit, allow_patterns=_FILES, local_files_only=alone)


def only_cached() -> str:
    """Why nothing can be asked of the Hub; "" if it can."""
    return "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else why_unreachable()


@contextmanager
def reading_errors(name: str, kind: str, holds: str = "such file") -> Iterator[None]:
    """Say in a line why a repository cannot be had.

    Args:
        name: `user/name` or `user/name@revision`.
        kind: of repository, "dataset" or "model".
        holds: the file that is asked for.

    Raises:
        MotionLLMError: the Hub has no such repository or revision, it holds something else, or it cannot be had.
    """
    repo, _, revision = name.partition("@")
    try:
        yield
    except LocalEntryNotFoundError as error:
        why = only_cached() or " ".join(str(error).split())[:160]
        raise MotionLLMError(f"there is no folder '{name}', and no {kind} '{name}' in the cache; {why}") from error
    except EntryNotFoundError as error:
        raise MotionLLMError(f"the {kind} '{name}' of the Hub holds no {holds}; give another") from error
    except HFValidationError as error:
        raise MotionLLMError(f"'{name}' is no {kind} of the Hub; give user/name or user/name@revision") from error
    except RevisionNotFoundError as error:
        raise MotionLLMError(f"the {kind} '{repo}' of the Hub has no revision '{revision}'; give another") from error
    except RepositoryNotFoundError as error:
        raise MotionLLMError(
            f"there is no folder '{name}', and no {kind} '{repo}' on the Hub that this token can see; check the name, "
            "log in (`hf auth login`), or accept its terms on its page"
        ) from error
    except (HTTPError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise MotionLLMError(f"the {kind} '{name}' of the Hub cannot be had ({why}); try again") from error
