"""`motionllm interact`: the earlier name of `motionllm generate --people 2`."""

import sys
from collections.abc import Sequence

from hub_scripts.generate_motion import main as generate

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run `motionllm generate`, for two people unless told otherwise.

    Raises:
        MotionLLMError: as `motionllm generate`.
    """
    print("motionllm interact is motionllm generate --people 2 now, and goes with the next release", file=sys.stderr)
    told = any(word.split("=")[0] in ("--people", "--parts", "--given") for word in argv)
    return generate(argv if told else [*argv, "--people", "2"])
