"""The text of BVH files as programs in all countries write it: encodings, line ends, decimal commas, rounded rates."""

import re
from decimal import Decimal

__all__ = ["decode_names", "exact_rate", "plain_text"]

_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
_NAME_LINE = re.compile(rb"^([ \t]*(?:ROOT|JOINT|END)\b.*)$", re.MULTILINE | re.IGNORECASE)
_DECIMAL_COMMA = re.compile(rb"(?<=[\d\s+-]),(?=\d)")
# Frames per second that cameras and programs have: a frame time of few digits stands for one of them, of whole ones
# first, then of those of film and television.
_WHOLE = (10, 12, 15, 16, 20, 24, 25, 30, 40, 48, 50, 60, 72, 75, 80, 90, 100, 120, 125, 144, 150, 180, 200, 240, 250)
_TELEVISION = (24_000 / 1001, 30_000 / 1001, 60_000 / 1001, 120_000 / 1001)


def plain_text(data: bytes) -> tuple[bytes, list[str]]:
    """The text without a mark, in one byte a letter, with `\\n` at line ends and points in numbers; and notes.

    UTF-16 is told by its mark or by the zeros in it. Where all numbers are written with commas and none with a point,
    a comma is a decimal point; where both are there, commas stand between numbers.
    """
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    encoding = _MARKS.get(mark, "")
    data = data[len(mark) :]
    if not encoding and data[:64].strip(b"\0") and data[:64].count(0) >= len(data[:64]) // 2 - 1 > 0:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    if encoding.startswith("utf-16"):
        data = data.decode(encoding, errors="replace").encode()
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
    data = data.rstrip(b" \t\n\0\x1a") + b"\n"  # old programs end a file by Ctrl-Z, or fill it up with zeros
    if b"," not in data:
        return data, []
    pieces = _NAME_LINE.split(data)  # every second one is a line with a name
    numbers = pieces[::2]
    if not any(b"," in piece for piece in numbers):
        return data, []
    if any(b"." in piece for piece in numbers):
        pieces[::2] = [piece.replace(b",", b" ") for piece in numbers]
        return b"".join(pieces), ["commas between its numbers are read as blanks"]
    pieces[::2] = [_DECIMAL_COMMA.sub(b".", piece) for piece in numbers]
    return b"".join(pieces), ["its numbers have decimal commas, read as points"]


def decode_names(header: bytes) -> tuple[str, list[str]]:
    """The header as text, and a note where it is not UTF-8: then names are Japanese (Shift-JIS) or else Latin-1."""
    for encoding, said in (("utf-8", ""), ("cp932", "Shift-JIS"), ("latin-1", "Latin-1")):
        try:
            text = header.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text, [f"its names are not UTF-8, read as {said}"] if said else []
    raise AssertionError("Latin-1 has a letter for every byte")


def exact_rate(written: str) -> float:
    """Frames per second of a frame time as it is written, in seconds; a rounded or cut off one stands for a usual rate.

    "0.0333" is 30, "0.017" 60, "0.0334" 29.97; what fits none is taken as it is.

    Args:
        written: a positive number.
    """
    frame_time, exponent = float(written), Decimal(written).as_tuple().exponent
    step = 10.0 ** int(exponent)
    nearest = round(1.0 / frame_time)
    if nearest and abs(1.0 / nearest - frame_time) < 1e-12:
        return float(nearest)
    for rates in (_WHOLE, _TELEVISION):
        for least, most in ((-0.5, 0.5), (0.0, 1.0)):  # rounded, or cut off
            fits = [rate for rate in rates if least * step <= 1.0 / rate - frame_time <= most * step]
            if fits and (rates is _WHOLE or most == 0.5):
                return float(min(fits, key=lambda rate: abs(1.0 / rate - frame_time)))
    return 1.0 / frame_time
