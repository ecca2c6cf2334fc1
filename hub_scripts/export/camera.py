"""A perspective camera, chosen once for a whole clip so that everything stays in the picture."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Camera", "Margins", "fit_camera"]

_FIELD_OF_VIEW = 30.0  # degrees, vertical; long lenses keep limbs near the camera from looking huge
_WIDEST = 2.0  # width to height; a wider picture has a longer lens, or bodies at its ends would look broad


@dataclass(frozen=True)
class Margins:
    """Pixels to keep free at each edge of the picture."""

    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0


@dataclass(frozen=True)
class Camera:
    """Pinhole camera.

    Args:
        axes: (3, 3), rows right, up and forward, in world coordinates.
        position: (3,), metres.
        focal: pixels.
        centre: (2,), the picture's middle in pixels.
    """

    axes: np.ndarray
    position: np.ndarray
    focal: float
    centre: np.ndarray

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (..., 2), x right and y down, and depth (...) in metres, of world points (..., 3)."""
        local = (points - self.position) @ self.axes.T
        depth = np.maximum(local[..., 2], 1e-3)
        flat = local[..., :2] * (self.focal / depth[..., None])
        return self.centre + flat * np.array([1.0, -1.0]), depth


def _view_axes(azimuth: float, elevation: float) -> np.ndarray:
    turn, rise = np.deg2rad(azimuth), np.deg2rad(elevation)
    forward = -np.array([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)])
    right = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    return np.stack([right, np.cross(right, forward), forward])


def fit_camera(
    points: np.ndarray,
    radii: np.ndarray,
    size: tuple[int, int],
    *,
    azimuth: float,
    elevation: float,
    margins: Margins,
    nearest: float = 3.5,
) -> Camera:
    """The closest camera, of the given direction, that sees every sphere completely.

    For a fixed direction each edge of the picture bounds the position linearly, so the answer is exact.

    Args:
        points: (N, 3), metres.
        radii: (N,), metres.
        size: picture width and height in pixels.
        azimuth: degrees from +Z towards +X from which the camera looks.
        elevation: degrees above the ground.
        margins: edges to keep free.
        nearest: metres the camera keeps from the nearest point at least.
    """
    width, height = size
    axes = _view_axes(azimuth, elevation)
    focal = 0.5 * max(height, width / _WIDEST) / np.tan(np.deg2rad(_FIELD_OF_VIEW) / 2)
    right, up, forward = (points @ axes.T).T

    def bound(along: np.ndarray, pixels: float) -> tuple[float, float]:
        """Slope of one edge's plane, and how far out the spheres reach beyond it."""
        slope = max(pixels, 4.0) / focal
        return slope, float(np.max(along - slope * forward + radii * np.hypot(1.0, slope)))

    (slope_l, reach_l), (slope_r, reach_r) = (
        bound(-right, width / 2 - margins.left),
        bound(right, width / 2 - margins.right),
    )
    (slope_t, reach_t), (slope_b, reach_b) = (
        bound(up, height / 2 - margins.top),
        bound(-up, height / 2 - margins.bottom),
    )
    back = min(
        -(reach_l + reach_r) / (slope_l + slope_r),
        -(reach_t + reach_b) / (slope_t + slope_b),
        float(np.min(forward - radii)) - nearest,
    )
    # What room is left over at this distance is shared out evenly between opposite edges.
    sideways = 0.5 * ((reach_r + slope_r * back) - (reach_l + slope_l * back))
    upwards = 0.5 * ((reach_t + slope_t * back) - (reach_b + slope_b * back))
    position = np.array([sideways, upwards, back]) @ axes
    return Camera(axes=axes, position=position, focal=float(focal), centre=np.array([width / 2, height / 2]))
