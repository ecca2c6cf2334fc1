"""Sending files to a repository of the Hub as one commit, again where the Hub failed for a moment."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, HTTPError

from hub_scripts.hub.errors import hub_errors, is_transient
from hub_scripts.hub.layouts import LAYOUTS, Layout
from hub_scripts.hub.records import CARD
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["push_files"]

_COMMIT_TRIES = 3


def _operations(
    files: Mapping[str, Path], layout: Layout, remote: Sequence[str]
) -> list[CommitOperationAdd | CommitOperationDelete]:
    chosen = {name: path for name, path in files.items() if layout.whole or name != CARD or CARD not in remote}
    stale = layout.stale(remote, files)
    return [
        *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in chosen.items()),
        *(CommitOperationDelete(path_in_repo=name) for name in stale),
    ]


def _prepare_repo(api: HfApi, repo: str, layout: str, private: bool, revision: str) -> None:
    """Create the repository and the branch where they are missing, and refuse one that does not fit.

    Raises:
        MotionLLMError: a public repository for a private push, or a whole checkpoint where a part should go alone.
    """
    kind = LAYOUTS[layout].kind
    space = {"space_sdk": "gradio"} if kind == "space" else {}
    api.create_repo(repo, repo_type=kind, private=private or None, exist_ok=True, **space)
    info = api.repo_info(repo, repo_type=kind)
    if private and not info.private:
        raise MotionLLMError(
            f"'{repo}' is there already and public; make it private in its settings, or choose another"
        )
    alone = {"vq": "VQ-VAE", "evaluator": "evaluator"}.get(layout)
    if alone is not None and any(file.rfilename == "processor_config.json" for file in info.siblings or []):
        raise MotionLLMError(f"'{repo}' holds a whole checkpoint; push the {alone} to a repository of its own")
    if revision != constants.DEFAULT_REVISION:
        api.create_branch(repo, repo_type=kind, branch=revision, exist_ok=True)


def push_files(
    files: Mapping[str, Path],
    repo: str,
    layout: str,
    *,
    private: bool = False,
    revision: str = "main",
    message: str | None = None,
    token: str | None = None,
) -> tuple[CommitInfo, bool]:
    """Send files to a repository of the Hub, as one commit on top of what is there.

    Args:
        files: path in the repository to local file.
        repo: `user/name`.
        layout: name in `LAYOUTS`; it decides which files of an earlier push are deleted.
        private: for a repository that is not there yet.
        revision: branch.
        message: of the commit.
        token: instead of the one of the login.

    Returns:
        The commit, and whether it is new; it is not where the repository has exactly these files already.

    Raises:
        MotionLLMError: the Hub refused, failed, or could not be reached; the repository is as it was then.
    """
    api, kind = HfApi(token=token), LAYOUTS[layout].kind
    with hub_errors(repo):
        _prepare_repo(api, repo, layout, private, revision)
        for tries_left in reversed(range(_COMMIT_TRIES)):
            head = api.repo_info(repo, repo_type=kind, revision=revision)
            remote = [file.rfilename for file in head.siblings or []]
            try:
                # Made anew each time: they remember what the repository had, and a commit whose answer was lost counts.
                commit = api.create_commit(
                    repo,
                    _operations(files, LAYOUTS[layout], remote),
                    commit_message=message or f"Upload MotionLLM ({layout})",
                    repo_type=kind,
                    revision=revision,
                    parent_commit=head.sha,
                )
            except HTTPError as error:
                if not (tries_left and _is_commit_request(error) and is_transient(error)):
                    raise
                time.sleep(2.0 ** (_COMMIT_TRIES - 1 - tries_left))
            else:
                return commit, commit.oid != head.sha
    raise AssertionError("the last try returns or raises")


def _is_commit_request(error: HTTPError) -> bool:
    # The client repeats every other request itself.
    request = error.response.request if isinstance(error, HfHubHTTPError) else error.request
    return "/commit/" in request.url.path
