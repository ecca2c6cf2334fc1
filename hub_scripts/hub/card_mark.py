"""Telling cards that we wrote from cards that somebody changed by hand."""

import hashlib

__all__ = ["is_unchanged", "mark"]

_MARK = "<!-- written by motionllm, {digest}; change the card and motionllm leaves it alone -->"


def _line(text: str) -> str:
    return _MARK.format(digest=hashlib.sha256(text.encode()).hexdigest()[:16])


def mark(text: str) -> str:
    """The card with a last line, invisible to readers, by which it is known as long as nobody changes it."""
    text = text.rstrip() + "\n"
    return f"{text}\n{_line(text)}\n"


def is_unchanged(card: str) -> bool:
    """Whether a card is as `mark` left it."""
    text, _, line = card.rstrip().rpartition("\n")
    return line == _line(text.rstrip() + "\n")
