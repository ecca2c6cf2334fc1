"""`motionllm push`: send a checkpoint, its adapters, its VQ-VAE or an evaluator to the Hugging Face Hub."""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from huggingface_hub import HfApi, constants
from huggingface_hub.utils import enable_progress_bars, validate_repo_id

from hub_scripts.hub.card import is_local_base
from hub_scripts.hub.errors import hub_errors
from hub_scripts.hub.layouts import (
    LAYOUTS,
    check_evaluator,
    check_licence,
    check_public_base,
    check_thin_checkpoint,
    layout_files,
)
from hub_scripts.hub.push import push_files
from hub_scripts.options.checkpoint import quiet
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT, DEFAULT_EVALUATOR, require_shipped
from modeling_motionllm.checkpoint_motionllm import ADAPTERS_FOLDER
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


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
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--repo", metavar="USER/NAME", help="repository; created if it does not exist")
    where.add_argument(
        "--space",
        metavar="USER/NAME",
        help="a Space instead, with the web app and the checkpoint in it (with the base model merged in, if that is a "
        "folder of this machine)",
    )
    parser.add_argument("--private", action="store_true", help="create the repository private")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--layout",
        choices=("full", "thin", "plain"),
        help="full (default): everything merged into one model, which loads without knowing its base; thin: the folder "
        "with the code beside it, without the base model's weights; plain: the language model alone, for servers",
    )
    what.add_argument("--adapters-only", action="store_true", help="only adapters/, beside what the repository has")
    what.add_argument("--vq-only", action="store_true", help="only the VQ-VAE, as a repository of its own")
    what.add_argument(
        "--evaluator",
        action="store_true",
        help="the folder is an evaluator of `motionllm train-evaluator` (default: the shipped one)",
    )
    parser.add_argument("--adapter", default="default", help="adapter to merge, or to describe (default: default)")
    parser.add_argument("--revision", default="main", help="branch, created if it does not exist (default main)")
    parser.add_argument("--message", help="commit message")
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


def _layout(args: argparse.Namespace) -> str:
    parts = {"adapters": args.adapters_only, "vq": args.vq_only, "evaluator": args.evaluator}
    chosen = next((name for name, wanted in parts.items() if wanted), args.layout)
    if args.space is None:
        return chosen or "full"
    if chosen is not None:
        raise MotionLLMError(f"--space sends the web app with the checkpoint, and {chosen} was asked for; give --repo")
    return "space"


def main(argv: Sequence[str]) -> int:
    """Run `motionllm push`.

    Raises:
        MotionLLMError: bad input, or the Hub refused, failed, or could not be reached; the repository is as it was.
    """
    args = _parser().parse_args(argv)
    layout, repo = _layout(args), args.repo or args.space
    folder = Path(args.folder or (DEFAULT_EVALUATOR if layout == "evaluator" else DEFAULT_CHECKPOINT))
    require_shipped(folder)
    with hub_errors(repo):
        validate_repo_id(repo)
    if repo.count("/") != 1:
        raise MotionLLMError(f"--{'space' if args.space else 'repo'} is '{repo}'; give 'user/name'")
    if layout == "evaluator":
        check_evaluator(folder)
        merged = False
    else:
        base = check_thin_checkpoint(folder, args.adapter)["base_model_name_or_path"]
        merged = layout in ("full", "plain") or (layout == "space" and is_local_base(base))
    if layout == "thin":
        check_public_base(folder)
    if merged:
        if not args.allow_forbidden_license:
            check_licence(folder, args.adapter)
        others = sorted({path.name for path in (folder / ADAPTERS_FOLDER).iterdir()} - {args.adapter})
        if others:
            print(f"{layout} holds the adapter '{args.adapter}' alone, merged; --layout thin sends {others} too")
    quiet()
    address = f"{constants.ENDPOINT}/{'spaces/' if layout == 'space' else ''}{repo}"
    if not args.dry_run:
        with hub_errors(repo):  # a wrong token shows before the work, not after it
            HfApi().whoami()
    with tempfile.TemporaryDirectory(prefix="motionllm-push-") as temporary:
        LAYOUTS[layout].write(folder, Path(temporary), repo, args.adapter)
        files = layout_files(Path(temporary))
        if args.dry_run:
            print(f"would send to {address} ({layout}, revision {args.revision}):")
            _print_files(files)
            print("nothing was sent (--dry-run)")
            return 0
        if sys.stderr.isatty():
            enable_progress_bars()
        print(f"sending to {repo} ({layout}, revision {args.revision}):")
        _print_files(files)
        options = {"private": args.private, "revision": args.revision, "message": args.message}
        commit, new = push_files(files, repo, layout, **options)
    print(f"{'sent' if new else 'up to date'}: {address} ({commit.oid[:12]})")
    return 0
