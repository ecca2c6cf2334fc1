"""Where a server listens, for the commands that serve."""

import argparse

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["add_address_arguments", "check_port"]


def add_address_arguments(parser: argparse.ArgumentParser, port: int, only_with: str = "") -> None:
    """Add `--host` and `--port`.

    Args:
        parser: of the command.
        port: the default one.
        only_with: what the help says in front, where the two need another option.
    """
    local = "127.0.0.1: this machine" if not only_with else "127.0.0.1"
    parser.add_argument("--host", default="127.0.0.1", help=f"{only_with}address to listen at (default {local})")
    parser.add_argument("--port", type=int, default=port, help=f"{only_with}port to listen at (default {port})")


def check_port(port: int) -> None:
    """Raises:
    MotionLLMError: there is no such port.
    """
    if not 0 < port < 1 << 16:
        raise MotionLLMError(f"--port is {port}; give 1 to 65535")
