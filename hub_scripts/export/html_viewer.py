"""A motion as one HTML file that plays anywhere without a network."""

import base64
import html
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from hub_scripts.skeletons.smpl import smpl_motion
from modeling_motionllm.body_motionllm import CAPSULES, body_scale
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion

from .theme import person_colours, to_hex, to_theme

__all__ = ["build_html", "embed_html", "save_html"]

_LARGEST_ERROR = 0.0005  # metres


def _encode_joints(joints: np.ndarray) -> dict[str, Any]:
    """Joints as base64 of little-endian int16 where that errs by half a millimetre at most, else of float32."""
    low, high = joints.reshape(-1, 3).min(axis=0).astype(float), joints.reshape(-1, 3).max(axis=0).astype(float)
    offset = 0.5 * (low + high)
    step = max(float((high - low).max()) / 65534.0, 1e-9)
    if 0.5 * step <= _LARGEST_ERROR:
        whole = np.clip(np.round((joints.astype(float) - offset) / step), -32767, 32767).astype("<i2")
        data, encoding = whole.tobytes(), "int16"
    else:
        data, encoding, step, offset = joints.astype("<f4").tobytes(), "float32", 1.0, np.zeros(3)
    text = base64.b64encode(data).decode("ascii")
    return {"encoding": encoding, "step": step, "offset": offset.tolist(), "data": text}


def _as_script(payload: dict[str, Any]) -> str:
    """JSON that cannot end the script element that holds it, whatever the caption says."""
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def build_html(
    motion: Motion,
    *,
    caption: str | None = None,
    theme: str = "dark",
    azimuth: float = 35.0,
    elevation: float = 15.0,
) -> str:
    """The text of a page that shows `motion`; joints in it are exact to half a millimetre.

    Its segments are a timeline. The state of the page can be shared as a link: `#t=1.5` and what else `docs/export.md`
    tells.

    Args:
        motion: what to show.
        caption: text to show; None takes the motion's own, "" shows none.
        theme: "dark" or "light".
        azimuth: degrees from +Z towards +X from which the camera looks at first.
        elevation: degrees above the ground, likewise.

    Raises:
        MotionLLMError: no such theme, or an angle out of range.
    """
    if not (np.isfinite(azimuth) and 0 < elevation < 89):
        raise MotionLLMError(f"azimuth {azimuth}, elevation {elevation}; give degrees, the elevation between 0 and 89")
    motion, colours = smpl_motion(motion), to_theme(theme)
    text = motion.caption if caption is None else caption
    people = [person_colours(index) for index in range(motion.num_people)]
    payload = {
        "format": 1,
        "fps": motion.fps,
        "people": motion.num_people,
        "frames": motion.num_frames,
        "caption": text or "",
        "segments": [segment._asdict() for segment in motion.segments or ()],
        "joints": _encode_joints(motion.people),
        "scales": [round(body_scale(person), 5) for person in motion.people],
        "capsules": [
            [part.start, part.end, part.start_radius, part.end_radius, part.side, int(part.trunk)] for part in CAPSULES
        ],
        "colours": [{side: getattr(tones, side) for side in ("left", "right", "middle")} for tones in people],
        "theme": {name: getattr(colours, name) for name in ("sky", "floor", "grid", "text", "muted", "shadow")},
        "shadow": colours.shadow_strength,
        "azimuth": azimuth,
        "elevation": elevation,
    }
    template = Path(__file__).with_name("viewer.html").read_text(encoding="utf-8")
    # Split rather than replaced one after the other: a caption may hold the other mark.
    head, rest = template.split("{{TITLE}}", 1)
    middle, tail = rest.split("{{MOTION}}", 1)
    head = head.replace("{{SKY}}", to_hex(colours.sky), 1)
    title = html.escape((text or "Motion").encode("utf-8", "replace").decode("utf-8"))
    return "".join([head, title, middle, _as_script(payload), tail])


def embed_html(motion: Motion, height: int = 480, **options: Any) -> str:
    """The player as an element of another page, such as a notebook; it can reach nothing of that page.

    Args:
        motion: what to show.
        height: of the element, pixels; it is as wide as there is room.
        **options: of `build_html`.

    Raises:
        MotionLLMError: bad options.
    """
    page = html.escape(build_html(motion, **options))
    style = f"width: 100%; height: {height}px; border: 0"
    return f'<iframe title="motion" sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'


def save_html(motion: Motion, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a self-contained page with a player; equal motions give equal bytes.

    Args:
        motion: what to show.
        path: ends in `.html`.
        **options: of `build_html`.

    Returns:
        The path.

    Raises:
        MotionLLMError: bad options, or the file cannot be written.
    """
    path = Path(path)
    text = build_html(motion, **options)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path
