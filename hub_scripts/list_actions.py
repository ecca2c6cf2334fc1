"""`motionllm actions`: what a checkpoint was trained on, with counts and examples."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hub_scripts.options.default_models import DEFAULT_CHECKPOINT, require_shipped
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run `motionllm actions`.

    Raises:
        MotionLLMError: no such checkpoint, or it does not say its actions.
    """
    parser = argparse.ArgumentParser(
        prog="motionllm actions",
        description="List the actions that a checkpoint was trained on: how many motions show each, and a sentence "
        "that asks for it. Other actions come out as the nearest of these.",
        epilog="example: motionllm actions user/my-motionllm",
    )
    parser.add_argument(
        "model",
        nargs="?",
        default=os.environ.get("MOTIONLLM_MODEL") or str(DEFAULT_CHECKPOINT),
        help="checkpoint: folder or Hub id (default: $MOTIONLLM_MODEL, else the shipped one)",
    )
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    args = parser.parse_args(argv)
    require_shipped(args.model)
    from hub_scripts.hub.actions import read_actions
    from modeling_motionllm.checkpoint_motionllm import looks_like_path

    if not Path(args.model).is_dir() and (looks_like_path(args.model) or "/" not in args.model):
        raise MotionLLMError(f"there is no checkpoint folder '{args.model}'; check the path, or give a Hub id")
    actions = read_actions(args.model)
    if not actions:
        raise MotionLLMError(
            f"'{args.model}' has no actions.json, which `motionllm train` writes: what it was trained on is not known"
        )
    if args.json:
        print(json.dumps([asdict(action) for action in actions], indent=2, ensure_ascii=False))
        return 0
    width = max(len("action"), *(len(one.action) for one in actions))
    print(f"{'action':{width}}  motions  for example")
    for one in actions:
        print(f"{one.action:{width}}  {one.motions:>7}  {one.example}")
    return 0
