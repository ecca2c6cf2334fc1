"""`motionllm push`: send a checkpoint, its adapters, its VQ-VAE or an evaluator to the Hugging Face Hub."""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, HTTPError
from huggingface_hub.utils import enable_progress_bars, validate_repo_id

from hub_scripts.hub.errors import hub_errors, is_transient
from hub_scripts.hub.layouts import (
    LAYOUTS,
    Layout,
    check_evaluator,
    check_licence,
    check_public_base,
    check_thin_checkpoint,
    layout_files,
)
from hub_scripts.hub.records import CARD
from hub_scripts.options.checkpoint import DEFAULT_CHECKPOINT, DEFAULT_EVALUATOR, quiet, require_shipped
from modeling_motionllm.checkpoint_motionllm import ADAPTERS_FOLDER
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main", "push_files"]

_COMMIT_TRIES = 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm push",
        description="Send a checkpoint that `motionllm train` wrote to the Hugging Face Hub, in one commit: a reader "
        "sees all of it or nothing. Files that the Hub has already are not sent again. Needs `hf auth login` or "
        "HF_TOKEN; HF_ENDPOINT chooses another Hub.",
        epilog="example: motionllm push runs/motionllm/final --repo user/name --private",
    )
    parser.add_argument(
        "folder", nargs="?", help="thin checkpoint (default: the shipped one), or with --evaluator an evaluator"
    )
    parser.add_argument("--repo", required=True, help="user/name; created if it is not there")
    parser.add_argument("--private", action="store_true", help="create the repository private")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--layout",
        choices=("full", "thin", "plain"),
        default="full",
        help="full (default): everything merged into one model, which loads without knowing its base; thin: the folder "
        "as it is, without the base model's weights; plain: the language model alone, for servers",
    )
    what.add_argument("--adapters-only", action="store_true", help="only adapters/, beside what the repository has")
    what.add_argument("--vq-only", action="store_true", help="only the VQ-VAE, as a repository of its own")
    what.add_argument(
        "--evaluator",
        action="store_true",
        help="the folder is an evaluator of `motionllm train-evaluator` (default: the shipped one)",
    )
    parser.add_argument("--adapter", default="default", help="adapter to merge and to tell of (default: default)")
    parser.add_argument("--revision", default="main", help="branch, created if it is not there (default main)")
    parser.add_argument("--message", help="of the commit")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    parser.add_argument(
        "--allow-forbidden-license",
        action="store_true",
        help="put the base model's weights into a full repository though its licence restricts that",
    )
    return parser


def _print_files(files: Mapping[str, Path]) -> None:
    sizes = {name: path.stat().st_size for name, path in files.items()}
    for name, size in sizes.items():
        print(f"  {size:>13,}  {name}")
    print(f"  {sum(sizes.values()):>13,}  bytes in {len(sizes)} files")


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
    api.create_repo(repo, private=private or None, exist_ok=True)
    info = api.model_info(repo)
    if private and not info.private:
        raise MotionLLMError(
            f"'{repo}' is there already and public; make it private in its settings, or choose another"
        )
    alone = {"vq": "VQ-VAE", "evaluator": "evaluator"}.get(layout)
    if alone is not None and any(file.rfilename == "processor_config.json" for file in info.siblings or []):
        raise MotionLLMError(f"'{repo}' holds a whole checkpoint; push the {alone} to a repository of its own")
    if revision != constants.DEFAULT_REVISION:
        api.create_branch(repo, branch=revision, exist_ok=True)


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
    api = HfApi(token=token)
    with hub_errors(repo):
        _prepare_repo(api, repo, layout, private, revision)
        for tries_left in reversed(range(_COMMIT_TRIES)):
            head = api.model_info(repo, revision=revision)
            remote = [file.rfilename for file in head.siblings or []]
            try:
                # Made anew each time: they remember what the repository had, and a commit whose answer was lost counts.
                commit = api.create_commit(
                    repo,
                    _operations(files, LAYOUTS[layout], remote),
                    commit_message=message or f"Upload MotionLLM ({layout})",
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


def _layout(args: argparse.Namespace) -> str:
    parts = {"adapters": args.adapters_only, "vq": args.vq_only, "evaluator": args.evaluator}
    return next((name for name, wanted in parts.items() if wanted), args.layout)


def main(argv: Sequence[str]) -> int:
    """Run `motionllm push`.

    Raises:
        MotionLLMError: bad input, or the Hub refused, failed, or could not be reached; the repository is as it was.
    """
    args = _parser().parse_args(argv)
    layout = _layout(args)
    folder = Path(args.folder or (DEFAULT_EVALUATOR if layout == "evaluator" else DEFAULT_CHECKPOINT))
    require_shipped(folder)
    with hub_errors(args.repo):
        validate_repo_id(args.repo)
    if args.repo.count("/") != 1:
        raise MotionLLMError(f"--repo is '{args.repo}'; give 'user/name'")
    if layout == "evaluator":
        check_evaluator(folder)
    else:
        check_thin_checkpoint(folder, args.adapter)
    if layout == "thin":
        check_public_base(folder)
    if layout in ("full", "plain"):
        if not args.allow_forbidden_license:
            check_licence(folder, args.adapter)
        others = sorted({path.name for path in (folder / ADAPTERS_FOLDER).iterdir()} - {args.adapter})
        if others:
            print(f"{layout} holds the adapter '{args.adapter}' alone, merged; --layout thin sends {others} too")
    quiet()
    if not args.dry_run:
        with hub_errors(args.repo):  # a wrong token shows before the work, not after it
            HfApi().whoami()
    with tempfile.TemporaryDirectory(prefix="motionllm-push-") as temporary:
        LAYOUTS[layout].write(folder, Path(temporary), args.repo, args.adapter)
        files = layout_files(Path(temporary))
        if args.dry_run:
            print(f"would send to {constants.ENDPOINT}/{args.repo} ({layout}, revision {args.revision}):")
            _print_files(files)
            print("nothing was sent (--dry-run)")
            return 0
        if sys.stderr.isatty():
            enable_progress_bars()
        print(f"sending to {args.repo} ({layout}, revision {args.revision}):")
        _print_files(files)
        options = {"private": args.private, "revision": args.revision, "message": args.message}
        commit, new = push_files(files, args.repo, layout, **options)
    print(f"{'sent' if new else 'up to date'}: {constants.ENDPOINT}/{args.repo} ({commit.oid[:12]})")
    return 0
