"""The still background of a clip: floor with a grid of one-metre squares, lit around the people."""

import numpy as np
from PIL import Image

from .camera import Camera
from .theme import Theme

__all__ = ["draw_ground"]

_LINE_WIDTH = 1.1  # pixels


def _grid_strength(coordinate: np.ndarray) -> np.ndarray:
    """Antialiased lines at whole numbers: 0..1 for every pixel; lines closer than a few pixels fade away."""
    step = np.hypot(np.gradient(coordinate, axis=0), np.gradient(coordinate, axis=1))
    step = np.maximum(step, 1e-6)
    distance = np.abs(coordinate - np.round(coordinate)) / step
    line = np.clip(0.5 * _LINE_WIDTH + 0.5 - distance, 0.0, 1.0)
    return line * np.clip(1.5 - 6.0 * step, 0.0, 1.0)


def draw_ground(size: tuple[int, int], camera: Camera, theme: Theme, middle: np.ndarray, reach: float) -> Image.Image:
    """Picture of the empty floor at y = 0.

    Args:
        size: width and height in pixels.
        camera: camera made for pictures of that size.
        theme: colours.
        middle: (3,), the place on the floor that is lit, metres.
        reach: metres from `middle` at which the light begins to fade.

    Returns:
        An RGB image.
    """
    width, height = size
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    local = np.stack(
        [
            (columns - camera.centre[0]) / camera.focal,
            (camera.centre[1] - rows) / camera.focal,
            np.ones_like(rows),
        ],
        axis=-1,
    )
    rays = local @ camera.axes
    down = np.minimum(rays[..., 1], -1e-3)
    away = np.where(rays[..., 1] < -1e-3, -camera.position[1] / down, 1e4)
    x = camera.position[0] + away * rays[..., 0]
    z = camera.position[2] + away * rays[..., 2]
    distance = np.hypot(x - middle[0], z - middle[2])
    light = np.exp(-0.5 * (np.maximum(distance - 0.35 * reach, 0.0) / (0.75 * reach)) ** 2)
    grid = np.maximum(_grid_strength(x), _grid_strength(z)) * light**0.7
    sky, floor, line = (np.array(colour, dtype=np.float64) for colour in (theme.sky, theme.floor, theme.grid))
    picture = sky + (floor - sky) * light[..., None]
    picture += (line - picture) * (0.85 * grid)[..., None]
    return Image.fromarray(np.clip(np.round(picture), 0, 255).astype(np.uint8))
