"""`motionllm worker`: commands that need not load what is loaded already."""

import argparse
import os
from collections.abc import Sequence

from hub_scripts.options.default_models import default_checkpoint

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm worker",
        description="Keep the libraries and a checkpoint in memory. While it runs, `motionllm generate`, `caption` and "
        "`edit` of the same user run in a copy of it instead of a process of their own: with the same options, files, "
        "messages and exit codes, without the seconds of loading. Linux only.",
        epilog="example: motionllm worker &",
    )
    parser.add_argument(
        "--model",
        default=os.environ.get("MOTIONLLM_MODEL"),
        help="folder of the checkpoint to keep (default: $MOTIONLLM_MODEL, else the shipped one); commands with "
        "another --model load it as ever",
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm worker`, until it is interrupted.

    Raises:
        MotionLLMError: no such checkpoint, another system than Linux, or a worker runs already.
    """
    args = _parser().parse_args(argv)
    from hub_scripts.apps.worker import Worker

    worker = Worker(args.model or default_checkpoint())
    print("ready: `motionllm generate`, `caption` and `edit` run here now; ctrl-C ends it", flush=True)
    worker.serve()
    return 0
