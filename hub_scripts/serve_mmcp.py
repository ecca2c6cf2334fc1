"""`motionllm mmcp`: motion for 3D programs, over the Motion Model Context Protocol."""

import argparse
from collections.abc import Sequence

from hub_scripts.options.checkpoint import add_model_arguments
from hub_scripts.options.engine import add_engine_arguments
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm mmcp",
        description="Serve motion to Blender and other 3D programs over the Motion Model Context Protocol (MMCP): they "
        "send sentences with their durations and get rotations on one skeleton, as glTF.",
        epilog="example: motionllm mmcp --port 8000",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1: this machine)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen at (default 8000)")
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm mmcp`, until it is interrupted.

    Raises:
        MotionLLMError: no such checkpoint, or a port that cannot be listened at.
    """
    args = _parser().parse_args(argv)
    if not 0 < args.port < 1 << 16:
        raise MotionLLMError(f"--port is {args.port}; give 1 to 65535")
    from motionmcp import serve

    from hub_scripts.apps.mmcp_backbone import MotionBackbone
    from hub_scripts.apps.service import MotionService

    backbone = MotionBackbone(MotionService.of_arguments(args))
    backbone.setup()
    print(f"http://{args.host}:{args.port}", flush=True)
    serve(backbone, host=args.host, port=args.port, log_level="warning", title="MotionLLM")
    return 0
