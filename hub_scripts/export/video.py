"""Films of a motion: H.264 in mp4, and animated GIF; one frame in memory at a time."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path
from modeling_motionllm.motion import Motion

try:
    import av
    from PIL import Image

    from .renderer import Renderer, RenderOptions
except ImportError as error:
    raise MotionLLMError(f"films need Pillow and PyAV ({error}); run: pip install 'motionllm[viz]'") from error
from .shown_motion import shown_motion

__all__ = ["save_gif", "save_video"]

_MAX_GIF_FPS = 50.0  # browsers slow down GIFs that are faster
_PALETTE_SAMPLES = 6
_BT709, _LIMITED_RANGE = 1, 1  # FFmpeg's numbers; without them players guess the colours


def _rate(motion: Motion, fps: float | None) -> float:
    rate = motion.fps if fps is None else float(fps)
    if not (np.isfinite(rate) and 1 <= rate <= 240):
        raise MotionLLMError(f"a film of {rate:g} frames per second; give fps between 1 and 240")
    return rate


def _meanwhile(frames: Iterator[Any]) -> Iterator[Any]:
    """The same frames, each drawn while the one before it is encoded."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, frames, None)
        while (frame := coming.result()) is not None:
            coming = pool.submit(next, frames, None)
            yield frame


def _encode(path: Path, codec: str, pixels: str, rate: float, frames: Iterator[Any], size: tuple[int, int]) -> None:
    """Write `frames`, which yields av.VideoFrame in the pixel format that the codec wants, as one film."""
    h264 = codec == "libx264"
    container_options = {"movflags": "+faststart"} if h264 else {"loop": "0"}
    codec_options = {"crf": "19", "preset": "veryfast", "tune": "animation"} if h264 else {}
    # FFmpeg would otherwise write its version into the file; the number of threads changes the bytes.
    container_options["fflags"] = "+bitexact"
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary), "w", container_options=container_options) as container:
                stream: Any = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
                stream.width, stream.height = size
                stream.pix_fmt = pixels
                stream.options = codec_options
                stream.thread_count = 1
                stream.codec_context.flags |= av.codec.context.Flags.bitexact
                if h264:
                    colours = stream.codec_context
                    colours.colorspace = colours.color_primaries = colours.color_trc = _BT709
                    colours.color_range = _LIMITED_RANGE
                for frame in _meanwhile(frames):
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
        except (av.FFmpegError, av.codec.codec.UnknownCodecError) as error:
            if isinstance(error, OSError):
                raise
            raise MotionLLMError(f"cannot encode '{path}' with {codec} ({error}); reinstall PyAV") from error


def save_video(
    motion: Motion,
    path: str | os.PathLike[str],
    *,
    fps: float | None = None,
    size: tuple[int, int] = (640, 480),
    **options: Any,
) -> Path:
    """Write an mp4 (H.264, yuv420p); equal motions give equal bytes.

    Args:
        motion: what to show.
        path: ends in `.mp4`.
        fps: frames per second of the film; the motion's own if None, else the motion is resampled in time.
        size: width and height in pixels; an odd number is made one larger, because H.264 wants even ones.
        **options: of `RenderOptions`: azimuth, elevation, theme, caption, legend.

    Returns:
        The path.

    Raises:
        MotionLLMError: bad `fps` or `size`, or the file cannot be written.
    """
    path = Path(path)
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    rate = _rate(motion, fps)
    renderer = Renderer(shown_motion(motion, rate), RenderOptions(size=even, **options))

    def frames() -> Iterator[Any]:
        for picture in renderer.frames():
            frame = av.VideoFrame.from_image(picture)
            yield frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")

    _encode(path, "libx264", "yuv420p", rate, frames(), even)
    return path


def _palette(renderer: Renderer) -> Image.Image:
    """A palette image of 256 colours that suits the whole clip."""
    picked = np.unique(np.linspace(0, renderer.num_frames - 1, _PALETTE_SAMPLES).round().astype(int))
    width, height = renderer.options.size
    sheet = Image.new("RGB", (width, height * len(picked)))
    for row, index in enumerate(picked.tolist()):
        sheet.paste(renderer.frame(index), (0, row * height))
    return sheet.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def save_gif(
    motion: Motion,
    path: str | os.PathLike[str],
    *,
    fps: float | None = None,
    size: tuple[int, int] = (480, 360),
    **options: Any,
) -> Path:
    """Write an animated GIF that loops for ever, with one palette for the whole clip.

    Args:
        motion: what to show.
        path: ends in `.gif`.
        fps: frames per second; the motion's own if None, at most 50.
        size: width and height in pixels.
        **options: of `RenderOptions`.

    Returns:
        The path.

    Raises:
        MotionLLMError: bad `fps` or `size`, or the file cannot be written.
    """
    path = Path(path)
    rate = min(_rate(motion, fps), _MAX_GIF_FPS)
    renderer = Renderer(shown_motion(motion, rate), RenderOptions(size=size, **options))
    palette = _palette(renderer)
    colours = np.zeros((256, 4), dtype=np.uint8)
    known = np.array(palette.getpalette(), dtype=np.uint8).reshape(-1, 3)
    # PyAV wants palette entries as the bytes A, R, G, B.
    colours[:, 0] = 255
    colours[: len(known), 1:] = known

    def frames() -> Iterator[Any]:
        for picture in renderer.frames():
            indices = np.asarray(picture.quantize(palette=palette, dither=Image.Dither.NONE))
            pair: Any = (indices, colours)
            yield av.VideoFrame.from_ndarray(pair, format="pal8")

    _encode(path, "gif", "pal8", rate, frames(), size)
    return path
