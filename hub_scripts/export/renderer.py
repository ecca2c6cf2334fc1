"""A small software renderer: bodies of shaded capsules under a camera that does not move."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from hub_scripts.skeletons.smpl import smpl_motion
from modeling_motionllm.body_motionllm import CAPSULES, body_points, body_scale, point_radii
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

from .camera import Camera, Margins, fit_camera
from .ground import draw_ground
from .overlay import Overlay
from .theme import RGB, mix, person_colours, to_theme

__all__ = ["RenderOptions", "Renderer"]

_SUPERSAMPLING = 2
# Each capsule is drawn as nested ones: share of the radius, shift towards the light in radii, and brightness.
_LAYERS = ((1.0, 0.0, 0.56), (0.9, 0.06, 0.8), (0.74, 0.15, 0.97), (0.5, 0.25, 1.12), (0.26, 0.34, 1.26))
_TRUNK = [which for which, capsule in enumerate(CAPSULES) if capsule.trunk]
_OTHERS = [which for which, capsule in enumerate(CAPSULES) if not capsule.trunk]
_LIGHT = np.array([-0.55, -0.83])  # towards the light, on the picture, y down
_BEHIND = 0.3  # metres before the camera
_SHARES, _SHIFTS = np.array(_LAYERS)[:, :2].T
_ARC = np.linspace(0.0, 1.0, 11)  # points of an end of a capsule
_AT_ONCE = 16  # frames whose outlines are worked out together
_SHADOW_SLANT = (0.2, 0.26)  # metres to the right and away from the camera per metre of height


@dataclass(frozen=True)
class RenderOptions:
    """How a motion is shown.

    Args:
        size: width and height in pixels.
        azimuth: degrees from +Z towards +X from which the camera looks; 0 is from the front of someone facing +Z.
        elevation: degrees above the ground.
        theme: "dark" or "light".
        caption: text to show; None takes the motion's own, "" shows none.
        legend: whether to show the legend, the time and the progress bar.
        one_colour: whether all people have the colours of the first; they are one person at several moments then.
        headroom: pixels to keep free at the top, for what is written over people.
    """

    size: tuple[int, int] = (640, 480)
    azimuth: float = 35.0
    elevation: float = 15.0
    theme: str = "dark"
    caption: str | None = None
    legend: bool = True
    one_colour: bool = False
    headroom: int = 0

    def __post_init__(self) -> None:
        if not all(64 <= side <= 8192 for side in self.size):
            raise MotionLLMError(f"size is {self.size}; give a width and a height between 64 and 8192 pixels")
        if not 0 < self.elevation < 89:
            raise MotionLLMError(f"elevation is {self.elevation}; give degrees between 0 and 89")


def _outlines(start: np.ndarray, end: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Outlines of tapered capsules in a plane: (..., 22, 2) from two centres (..., 2) and radii (...)."""
    axis = end - start
    length = np.maximum(np.hypot(axis[..., 0], axis[..., 1]), 1e-9)
    angle = np.arctan2(axis[..., 1], axis[..., 0])[..., None]
    tangent = np.arccos(np.clip((first - second) / length, -1.0, 1.0))[..., None]
    around_start = angle + tangent + _ARC * (2 * np.pi - 2 * tangent)
    around_end = angle - tangent + _ARC * (2 * tangent)
    turns = np.stack([around_start, around_end], axis=-2)
    circles = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    circles *= np.stack([first, second], axis=-1)[..., None, None]
    circles += np.stack([start, end], axis=-2)[..., None, :]
    return circles.reshape(*circles.shape[:-3], -1, 2)


def _corners(outlines: np.ndarray) -> Any:
    """Outlines (..., N, 2) as Pillow takes them from a buffer: it draws from whole pixels to whole pixels."""
    return np.trunc(outlines).astype(np.float32).reshape(*outlines.shape[:-2], -1)


@dataclass(frozen=True)
class _Shapes:
    """What is drawn of F frames: M capsules of all people, L layers of each, N points of an outline.

    Args:
        shadows: (F, M, N, 2) outlines on the floor, pixels.
        strengths: (F, M) how dark they are, 0 to 255.
        blurs: (F) how far shadows spread, pixels.
        bodies: (F, M, L, N, 2) outlines, supersampled pixels.
        depths: (F, P, J) of the points of the bodies, metres.
    """

    shadows: np.ndarray
    strengths: np.ndarray
    blurs: list[float]
    bodies: np.ndarray
    depths: np.ndarray


class Renderer:
    """Draws the frames of one motion; the camera is chosen once, so a foot that slides is seen to slide.

    Args:
        motion: what to draw.
        options: how to draw it.
        camera: from where; chosen so that all of the clip is in the picture if None.
    """

    def __init__(self, motion: Motion, options: RenderOptions | None = None, camera: Camera | None = None) -> None:
        self.options = options or RenderOptions()
        self.motion = motion = smpl_motion(motion)
        self._theme = to_theme(self.options.theme)
        colours = [0] * motion.num_people if self.options.one_colour else range(motion.num_people)
        self._tones = [person_colours(index) for index in colours]
        caption = motion.caption if self.options.caption is None else self.options.caption
        size = self.options.size
        self._overlay = Overlay(size, self._theme, self._tones, caption, motion.duration, legend=self.options.legend)
        self._scales = np.array([body_scale(person) for person in motion.people])
        self._points = body_points(motion.people, self._scales[:, None, None])
        self.camera = camera or self._choose_camera()
        self._prepare_capsules()
        self._background = self._draw_background()

    @property
    def num_frames(self) -> int:
        return self.motion.num_frames

    def frame(self, index: float) -> Image.Image:
        """Picture at frame `index`; a fraction lies between two frames.

        Raises:
            MotionLLMError: the motion has no such frame.
        """
        last = self.num_frames - 1
        if not 0 <= index <= last:
            raise MotionLLMError(f"frame {index} of a motion of {self.num_frames} frames; give 0 to {last}")
        lower = int(index)
        points = self._points[:, lower : lower + 1]
        if index > lower:
            points = points + (self._points[:, lower + 1 : lower + 2] - points) * (index - lower)
        return next(self._pictures(points, [index]))

    def body_tops(self, index: int) -> np.ndarray:
        """A point just above each body at frame `index`, (P, 3), metres: where a label can stand."""
        points, radii = self._points[:, index], point_radii()[:, None] * self._scales
        tops = points[:, 0].copy()
        tops[:, 1] = (points[..., 1] + radii.T).max(axis=-1) + 0.04 * self._scales
        return tops

    def frames(self) -> Iterator[Image.Image]:
        """All pictures in order."""
        for start in range(0, self.num_frames, _AT_ONCE):
            stop = min(start + _AT_ONCE, self.num_frames)
            yield from self._pictures(self._points[:, start:stop], range(start, stop))

    def _pictures(self, points: np.ndarray, moments: Sequence[float]) -> Iterator[Image.Image]:
        """Pictures of points (P, F, J, 3) at F frames or between them."""
        shapes = self._shapes(np.ascontiguousarray(points.swapaxes(0, 1)))
        for place, moment in enumerate(moments):
            picture = self._background.copy()
            self._draw_shadow(picture, shapes, place)
            self._draw_people(picture, shapes, place, int(moment))
            self._overlay.draw_time(picture, moment / self.motion.fps)
            yield picture

    def _choose_camera(self) -> Camera:
        radii = point_radii() * self._scales[:, None, None]
        feet = self._points[:, :, 0] * np.array([1.0, 0.0, 1.0])
        points = np.concatenate([self._points.reshape(-1, 3), feet.reshape(-1, 3)])
        sizes = np.broadcast_to(radii, self._points.shape[:-1]).ravel()
        sizes = np.concatenate([sizes, np.full(feet.shape[0] * feet.shape[1], 0.1)])
        width, height = self.options.size
        margin = 0.05 * height
        return fit_camera(
            points,
            sizes,
            self.options.size,
            azimuth=self.options.azimuth,
            elevation=self.options.elevation,
            margins=Margins(
                0.05 * width, 0.05 * width, margin + self.options.headroom, 0.6 * margin + self._overlay.height
            ),
            nearest=3.5 * float(self._scales.max()),
        )

    def _prepare_capsules(self) -> None:
        self._starts = np.array([capsule.start for capsule in CAPSULES])
        self._ends = np.array([capsule.end for capsule in CAPSULES])
        self._start_radii = np.array([capsule.start_radius for capsule in CAPSULES]) * self._scales[:, None]
        self._end_radii = np.array([capsule.end_radius for capsule in CAPSULES]) * self._scales[:, None]
        self._fills = [
            [self._shade(getattr(tones, capsule.side), layer[2]) for layer in _LAYERS]
            for tones in self._tones
            for capsule in CAPSULES
        ]

    @staticmethod
    def _shade(colour: RGB, brightness: float) -> RGB:
        if brightness <= 1:
            return mix((10, 14, 30), colour, brightness)
        return mix(colour, (255, 255, 255), brightness - 1)

    def _draw_background(self) -> Image.Image:
        """Everything that is the same in all frames; also keeps the pelvis paths, in supersampled pixels."""
        paths = self._points[:, :, 0] * np.array([1.0, 0.0, 1.0])
        low, high = paths.min(axis=(0, 1)), paths.max(axis=(0, 1))
        reach = 2.6 * float(self._scales.max()) + 0.5 * float(np.linalg.norm(high - low))
        picture = draw_ground(self.options.size, self.camera, self._theme, 0.5 * (low + high), reach)
        pixels, depth = self.camera.project(paths)
        # What lies behind the camera is where the path was last seen.
        seen = np.maximum.accumulate(np.where(depth > _BEHIND, np.arange(depth.shape[1]), -1), axis=1)
        pixels = np.take_along_axis(pixels, np.maximum(seen, (depth > _BEHIND).argmax(axis=1)[:, None])[..., None], 1)
        pixels = pixels * _SUPERSAMPLING
        self._path_width = max(2, round(0.0045 * min(self.options.size) * _SUPERSAMPLING))
        self._paths = [self._thin_out(path) for path in pixels]
        large = picture.resize([side * _SUPERSAMPLING for side in picture.size], Image.Resampling.NEAREST)
        pen = ImageDraw.Draw(large)
        for tones, (path, _) in zip(self._tones, self._paths, strict=True):
            if len(path) > 1:
                pen.line(path, fill=mix(self._theme.floor, tones.middle, 0.3), width=self._path_width, joint="curve")
        picture = large.reduce(_SUPERSAMPLING)
        self._overlay.draw_still(picture)
        return picture

    @staticmethod
    def _thin_out(path: np.ndarray) -> tuple[list[tuple[float, float]], np.ndarray]:
        """Points of a path at least three pixels apart, and how many of them have been reached at each frame."""
        kept = [tuple(path[0].tolist())]
        reached = np.ones(len(path), dtype=np.int64)
        for frame, (x, y) in enumerate(path.tolist()):
            if np.hypot(x - kept[-1][0], y - kept[-1][1]) >= 3.0:
                kept.append((x, y))
            reached[frame] = len(kept)
        return kept, reached

    def _shapes(self, points: np.ndarray) -> _Shapes:
        """What is drawn of points (F, P, J, 3)."""
        frames = len(points)
        right, _, forward = self.camera.axes
        slant = _SHADOW_SLANT[0] * right + _SHADOW_SLANT[1] * forward / np.hypot(forward[0], forward[2])
        heights = np.maximum(points[..., 1], 0.0)
        floor = points[..., [0, 2]] + heights[..., None] * slant[[0, 2]]
        flat = _outlines(
            floor[:, :, self._starts].reshape(frames, -1, 2),
            floor[:, :, self._ends].reshape(frames, -1, 2),
            np.broadcast_to(self._start_radii.ravel(), (frames, self._start_radii.size)),
            np.broadcast_to(self._end_radii.ravel(), (frames, self._end_radii.size)),
        )
        world = np.stack([flat[..., 0], np.zeros(flat.shape[:-1]), flat[..., 1]], axis=-1)
        shadows, away = self.camera.project(world)
        scale = float(self._scales.mean())
        rise = 0.5 * (heights[..., self._starts] + heights[..., self._ends]).reshape(frames, -1)
        rise = np.clip(rise / np.repeat(self._scales, len(CAPSULES)) / 1.3, 0.0, 1.0)

        pixels, depth = self.camera.project(points)
        pixels = pixels * _SUPERSAMPLING
        zoom = self.camera.focal * _SUPERSAMPLING / depth
        start = pixels[:, :, self._starts].reshape(frames, -1, 1, 2)
        end = pixels[:, :, self._ends].reshape(frames, -1, 1, 2)
        first = (self._start_radii * zoom[..., self._starts]).reshape(frames, -1, 1)
        second = (self._end_radii * zoom[..., self._ends]).reshape(frames, -1, 1)
        bodies = _outlines(
            start + (_SHIFTS * first)[..., None] * _LIGHT,
            end + (_SHIFTS * second)[..., None] * _LIGHT,
            first * _SHARES,
            second * _SHARES,
        )
        return _Shapes(
            shadows=shadows,
            strengths=255 * self._theme.shadow_strength * (1.0 - 0.6 * rise),
            blurs=[0.03 * self.camera.focal / float(one.mean()) * scale for one in away],
            bodies=bodies,
            depths=depth,
        )

    def _draw_shadow(self, picture: Image.Image, shapes: _Shapes, place: int) -> None:
        pixels, strength, blur = shapes.shadows[place], shapes.strengths[place], shapes.blurs[place]
        box = self._box(pixels, 3 * blur + 2)
        if box is None:
            return
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        pen = ImageDraw.Draw(mask)
        outlines = _corners(np.round(pixels - np.array(box[:2]), 3))
        for which in np.argsort(strength, kind="stable").tolist():
            pen.polygon(outlines[which], fill=int(strength[which]))
        picture.paste(self._theme.shadow, box, mask.filter(ImageFilter.GaussianBlur(blur)))

    def _draw_people(self, picture: Image.Image, shapes: _Shapes, place: int, frame: int) -> None:
        bodies = shapes.bodies[place]
        travelled = [path[: int(reached[frame])] for path, reached in self._paths]
        trace = np.array([point for path in travelled for point in path])
        around = np.concatenate([bodies[:, 0].reshape(-1, 2), trace])
        box = self._box(around / _SUPERSAMPLING, self._path_width + 2)
        if box is None:
            return
        large = picture.crop(box).resize(
            ((box[2] - box[0]) * _SUPERSAMPLING, (box[3] - box[1]) * _SUPERSAMPLING), Image.Resampling.NEAREST
        )
        pen = ImageDraw.Draw(large)
        origin = np.array(box[:2]) * _SUPERSAMPLING
        left, top = origin.tolist()
        for tones, path in zip(self._tones, travelled, strict=True):
            if len(path) > 1:
                shifted = [(x - left, y - top) for x, y in path]
                pen.line(shifted, fill=mix(self._theme.floor, tones.middle, 0.75), width=self._path_width)
        outlines = _corners(bodies - origin)
        for group in self._far_to_near(shapes.depths[place]):
            for layer in range(len(_LAYERS)):
                for which in group:
                    pen.polygon(outlines[which, layer], fill=self._fills[which][layer])
        picture.paste(large.reduce(_SUPERSAMPLING), box[:2])

    def _far_to_near(self, depth: np.ndarray) -> list[list[int]]:
        """Capsules in painter's order; a trunk is one group, drawn layer by layer so that its parts melt together."""
        middle = 0.5 * (depth[:, self._starts] + depth[:, self._ends])
        groups: list[tuple[float, list[int]]] = []
        for person, depths in enumerate(middle):
            first = person * len(CAPSULES)
            trunk = sorted(_TRUNK, key=lambda which: -depths[which])
            groups.append((float(depths[_TRUNK].mean()), [first + which for which in trunk]))
            groups += [(float(depths[which]), [first + which]) for which in _OTHERS]
        return [group for _, group in sorted(groups, key=lambda pair: -pair[0])]

    def _box(self, pixels: np.ndarray, margin: float) -> tuple[int, int, int, int] | None:
        """Smallest whole box around the points, cut at the picture's edges; None where nothing is left."""
        flat = pixels.reshape(-1, 2)
        low = np.floor(flat.min(axis=0) - margin).astype(int)
        high = np.ceil(flat.max(axis=0) + margin).astype(int)
        width, height = self.options.size
        left, top = max(0, int(low[0])), max(0, int(low[1]))
        right, bottom = min(width, int(high[0])), min(height, int(high[1]))
        return (left, top, right, bottom) if right > left and bottom > top else None
