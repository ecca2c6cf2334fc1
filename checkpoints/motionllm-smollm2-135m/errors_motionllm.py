"""The one exception for bad input: it names the value and the remedy, and the command line prints it as one line."""

__all__ = ["MotionLLMError"]


class MotionLLMError(ValueError):
    """Input that cannot be used; the message says which value is wrong and what to do instead."""
