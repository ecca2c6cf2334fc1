"""`motionllm mmcp`: motion for 3D programs, over the Motion Model Context Protocol."""

import argparse
from collections.abc import Sequence

from hub_scripts.options.checkpoint import add_model_arguments
from hub_scripts.options.engine import add_engine_arguments
from hub_scripts.options.serving import add_address_arguments, check_port

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm mmcp",
        description="Serve motion to Blender and other 3D programs over the Motion Model Context Protocol (MMCP): they "
        "send sentences with their durations and get rotations on one skeleton, as glTF.",
        epilog="example: motionllm mmcp --port 8000",
    )
    add_address_arguments(parser, 8000)
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm mmcp`, until it is interrupted.

    Raises:
        MotionLLMError: no such checkpoint, or a port that cannot be listened at.
    """
    args = _parser().parse_args(argv)
    check_port(args.port)
    from motionmcp import serve

    from hub_scripts.apps.mmcp_backbone import MotionBackbone
    from hub_scripts.apps.service import MotionService

    backbone = MotionBackbone(MotionService.of_arguments(args))
    backbone.setup()
    print(f"http://{args.host}:{args.port}", flush=True)
    serve(backbone, host=args.host, port=args.port, log_level="warning", title="MotionLLM")
    return 0
