"""`motionllm mcp`: motion for agents, over the Model Context Protocol."""

import argparse
from collections.abc import Sequence

from hub_scripts.options.checkpoint import add_model_arguments
from hub_scripts.options.engine import add_engine_arguments
from hub_scripts.options.serving import add_address_arguments, check_port

__all__ = ["main"]

_EPILOG = """\
An agent's configuration: {"mcpServers": {"motionllm": {"command": "motionllm", "args": ["mcp"]}}}
examples: motionllm mcp -o out/
          motionllm mcp --http --port 8765          (the address to give to the agent: http://127.0.0.1:8765/mcp)
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm mcp",
        description="Serve motion to agents over the Model Context Protocol, with the tools generate_motion, "
        "continue_motion, edit_motion, caption_motion, convert_motion, list_actions and render_picture. Over standard "
        "input and output, for an agent that starts it, it reads any motion file of this machine; over HTTP only files "
        "of the output folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--output-dir", default="out", help="folder for the files (default out/)")
    parser.add_argument("--http", action="store_true", help="serve HTTP instead of standard input and output")
    add_address_arguments(parser, 8765, only_with="with --http: ")
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm mcp`, until its client is gone.

    Raises:
        MotionLLMError: no such checkpoint, folder or port.
    """
    args = _parser().parse_args(argv)
    check_port(args.port)
    from hub_scripts.apps.mcp_tools import make_server
    from hub_scripts.apps.service import MotionService
    from modeling_motionllm.files_motionllm import ensure_folder

    service = MotionService.of_arguments(args)
    server = make_server(service, ensure_folder(args.output_dir), alone=args.http)
    if args.http:
        service.load()  # so that the first request does not wait for it
        server.run("streamable-http", host=args.host, port=args.port)
    else:
        service.load_in_background()
        server.run("stdio")
    return 0
