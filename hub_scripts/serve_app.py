"""`motionllm app`: the web app."""

import argparse
import socket
import webbrowser
from collections.abc import Sequence

from hub_scripts.options.checkpoint import add_model_arguments
from hub_scripts.options.engine import add_engine_arguments
from hub_scripts.options.serving import add_address_arguments, check_port
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm app",
        description="Serve the web app: sentences to motion in the browser, with a player, downloads, and motions of "
        "your own to describe, continue or edit. `motionllm push --space` puts it on the Hugging Face Hub.",
        epilog="example: motionllm app --port 7860",
    )
    add_address_arguments(parser, 7860)
    parser.add_argument("--open", action="store_true", help="open the browser")
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm app`, until it is interrupted.

    Raises:
        MotionLLMError: no such checkpoint, or a port that cannot be listened at.
    """
    args = _parser().parse_args(argv)
    check_port(args.port)
    import uvicorn

    from hub_scripts.apps.service import MotionService
    from hub_scripts.apps.web_app import make_app, make_site

    service = MotionService.of_arguments(args)
    site = make_site(make_app(service))
    service.load()  # so that the first visitor does not wait for it
    try:
        listening = socket.create_server((args.host, args.port))
    except OSError as error:
        raise MotionLLMError(f"cannot listen at {args.host}:{args.port} ({error}); choose another --port") from error
    address = f"http://{args.host}:{args.port}"
    print(address, flush=True)
    if args.open:
        webbrowser.open(address)
    uvicorn.Server(uvicorn.Config(site, log_level="warning")).run(sockets=[listening])
    return 0
