"""The software renderer and contact sheets: everything in view, a camera that stands still, pictures that differ."""

import numpy as np
import pytest
from PIL import Image

from hub_scripts.export import save_motion
from hub_scripts.export.camera import Margins, fit_camera
from hub_scripts.export.contact_sheet import draw_contact_sheet, draw_frames, save_contact_sheet
from hub_scripts.export.overlay import load_font, wrap_text
from hub_scripts.export.renderer import Renderer, RenderOptions
from hub_scripts.export.theme import person_colours
from modeling_motionllm.body_motionllm import (
    CAPSULES,
    LEFT_HEEL,
    NUM_POINTS,
    PARENTS,
    RIGHT_HEEL,
    body_points,
    body_scale,
)
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion, MotionSegment

# Standing adult, facing +Z, left is +X.
STANDING = np.array(
    [
        (0, 0.92, 0), (0.07, 0.83, 0), (-0.07, 0.83, 0), (0, 1.04, 0), (0.09, 0.46, 0.02), (-0.09, 0.46, 0.02),
        (0, 1.17, 0), (0.1, 0.07, -0.02), (-0.1, 0.07, -0.02), (0, 1.23, 0), (0.12, 0.02, 0.11), (-0.12, 0.02, 0.11),
        (0, 1.43, 0), (0.07, 1.35, 0), (-0.07, 1.35, 0), (0, 1.53, 0.03), (0.19, 1.38, 0), (-0.19, 1.38, 0),
        (0.25, 1.12, 0), (-0.25, 1.12, 0), (0.27, 0.88, 0.04), (-0.27, 0.88, 0.04),
    ]
)  # fmt: skip


def make_motion(frames: int = 12, speed: float = 0.0, people: int = 1, wave: float = 0.0, **options) -> Motion:
    """A figure that moves along +Z at `speed` metres per second and lifts the right hand by `wave` metres."""
    seconds = np.arange(frames) / 20.0
    joints = np.repeat(STANDING[None], frames, axis=0)
    joints[..., 2] += speed * seconds[:, None]
    joints[:, 21, 1] += wave * np.sin(4 * seconds)
    everyone = np.stack([joints + np.array([1.2 * person, 0, 0.3 * person]) for person in range(people)])
    return Motion(everyone[0] if people == 1 else everyone, **options)


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=np.int64)


@pytest.mark.parametrize("size", [(640, 480), (320, 240), (200, 400), (96, 64)])
@pytest.mark.parametrize("speed,people", [(0.0, 1), (3.0, 1), (-2.0, 3)])
def test_every_joint_is_inside_every_frame(size, speed, people):
    motion = make_motion(40, speed, people, wave=0.9, caption="somebody moves")
    renderer = Renderer(motion, RenderOptions(size=size))
    flat, depth = renderer.camera.project(motion.people.astype(float))
    assert (flat >= 0).all()
    assert (flat <= np.array(size)).all()
    assert (depth > 1).all()


@pytest.mark.parametrize("azimuth", [-120.0, 0.0, 35.0, 180.0])
def test_fitted_camera_is_tight(azimuth):
    """Spheres touch the free area's edges in one direction at least, and never cross one."""
    generator = np.random.default_rng(1)
    points, radii = generator.uniform(-3, 3, (200, 3)), generator.uniform(0.01, 0.2, 200)
    margins = Margins(20, 30, 10, 60)
    camera = fit_camera(points, radii, (640, 480), azimuth=azimuth, elevation=20, margins=margins, nearest=0.5)
    turns = np.linspace(0, 2 * np.pi, 60)
    ring = np.cos(turns)[:, None, None] * camera.axes[0] + np.sin(turns)[:, None, None] * camera.axes[1]
    flat, _ = camera.project(points + radii[:, None] * ring)
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    assert (low >= (20 - 1e-6, 10 - 1e-6)).all()
    assert (high <= (610 + 1e-6, 420 + 1e-6)).all()
    slack = np.array([low[0] - 20, 610 - high[0], low[1] - 10, 420 - high[1]])
    assert min(slack[0] + slack[1], slack[2] + slack[3]) < 8


def test_camera_stands_still_so_that_a_sliding_figure_moves_on_the_picture():
    still, sliding = make_motion(20), make_motion(20, speed=2.0)
    renderer = Renderer(sliding)
    foot = renderer.camera.project(sliding.joints[:, 10].astype(float))[0]
    assert np.linalg.norm(foot[-1] - foot[0]) > 60
    first, last = pixels(renderer.frame(0)), pixels(renderer.frame(19))
    assert (np.abs(first - last).sum(axis=2) > 40).mean() > 0.02
    renderer = Renderer(still, RenderOptions(legend=False))
    assert (pixels(renderer.frame(0)) == pixels(renderer.frame(19))).all()


def test_floor_is_the_same_in_all_frames():
    renderer = Renderer(make_motion(20, wave=0.8), RenderOptions(legend=False))
    corner = (slice(0, 40), slice(0, 640))
    assert (pixels(renderer.frame(0))[corner] == pixels(renderer.frame(15))[corner]).all()


def test_left_is_seen_on_the_right_when_facing_the_camera():
    """The light tone (left) of a person who faces us lies right of the deep tone on the picture."""
    picture = pixels(Renderer(make_motion(), RenderOptions(azimuth=0.0, legend=False)).frame(0))
    tones = person_colours(0)
    columns = {
        side: np.nonzero(np.abs(picture - np.array(getattr(tones, side))).sum(axis=2) < 25)[1].mean()
        for side in ("left", "right")
    }
    assert columns["left"] > 320 > columns["right"]


def test_people_have_different_colours():
    seen = {(person_colours(index).left, person_colours(index).right) for index in range(40)}
    assert len(seen) == 40
    one, two = make_motion(3), make_motion(3, people=2)
    picture = pixels(Renderer(two, RenderOptions(legend=False)).frame(0))
    orange = np.abs(picture - np.array(person_colours(1).right)).sum(axis=2) < 40
    assert orange.sum() > 50
    alone = pixels(Renderer(one, RenderOptions(legend=False)).frame(0))
    assert (np.abs(alone - np.array(person_colours(1).right)).sum(axis=2) < 40).sum() == 0


def test_different_motions_and_the_same_motion():
    standing, waving = (Renderer(make_motion(12, wave=wave)).frame(8) for wave in (0.0, 0.9))
    assert (pixels(standing) != pixels(waving)).any()
    again = Renderer(make_motion(12, wave=0.9))
    again.frame(3)
    assert again.frame(8).tobytes() == waving.tobytes()


def test_frames_between_frames():
    motion = make_motion(11, speed=2.0)
    renderer = Renderer(motion, RenderOptions(size=(160, 120)))
    assert len(list(renderer.frames())) == 11
    assert renderer.frame(4.5).tobytes() not in (renderer.frame(4).tobytes(), renderer.frame(5).tobytes())


@pytest.mark.parametrize(
    "joints",
    [
        np.zeros((3, 22, 3)),
        np.full((1, 22, 3), 500.0),
        STANDING[None] * 0.01,
        np.random.default_rng(0).normal(size=(4, 22, 3)) * 30,
        np.repeat(STANDING[None], 2, axis=0)[None] + np.arange(9)[:, None, None, None],
    ],
)
def test_strange_motions_still_give_a_picture(joints):
    motion = Motion(joints)
    picture = Renderer(motion, RenderOptions(size=(160, 120))).frame(motion.num_frames - 1)
    assert picture.size == (160, 120)
    assert picture.mode == "RGB"


def test_body_adds_points_and_leaves_the_joints():
    joints = np.random.default_rng(2).normal(size=(2, 5, 22, 3))
    points = body_points(joints, np.ones((2, 1, 1)))
    assert points.shape == (2, 5, NUM_POINTS, 3)
    assert (points[..., :22, :] == joints).all()
    assert max(max(capsule.start, capsule.end) for capsule in CAPSULES) == NUM_POINTS - 1
    assert len(PARENTS) == 22
    ankles, heels = STANDING[[7, 8]], body_points(STANDING[None], 1.0)[0, [LEFT_HEEL, RIGHT_HEEL]]
    assert (np.abs(heels[:, 2] - (ankles[:, 2] - 0.05)) < 0.01).all()  # behind the ankles
    assert (np.abs(heels[:, 1] - 0.02) < 0.01).all()  # as low as the toes
    assert body_scale(STANDING[None] * 0.5) == pytest.approx(0.5 * body_scale(STANDING[None]))


def test_captions_are_wrapped_and_cut():
    font = load_font(16)
    lines = wrap_text("a person walks " * 30, font, 300, 2)
    assert len(lines) == 2
    assert lines[1].endswith("...")
    assert all(font.getlength(line) <= 300 for line in lines)
    assert wrap_text("x" * 500, font, 100, 2)[0].endswith("...")
    assert wrap_text("  ", font, 100, 2) == []
    captions = ["", "short", "long " * 80, "bad \x00 \n\t letters \ud83d", "走る人 идёт"]
    pictures = [Renderer(make_motion(2, caption=text), RenderOptions(size=(320, 240))).frame(0) for text in captions]
    assert len({picture.tobytes() for picture in pictures}) == len(captions)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_contact_sheet(tmp_path, theme):
    walking, waving = make_motion(30, speed=1.0, caption="walks"), make_motion(3, wave=0.5, caption="waves")
    path = save_contact_sheet(walking, tmp_path / "one.png", count=5, panel=(100, 120), theme=theme)
    with Image.open(path) as picture:
        one = picture.size
    assert 500 < one[0] < 530
    sheet = draw_contact_sheet([walking, waving, walking], count=5, panel=(100, 120), theme=theme)
    assert sheet.size == (one[0], 3 * one[1])
    again = save_motion(walking, tmp_path / "two.png", count=5, panel=(100, 120), theme=theme)
    assert again.read_bytes() == path.read_bytes()


def test_each_segment_has_a_row_of_a_contact_sheet(tmp_path):
    parts = [make_motion(20, speed=1.0, caption="0.0-1.0 s: walks"), make_motion(20, caption="1.0-2.0 s: stands")]
    told = Motion(np.concatenate([part.joints for part in parts]), caption="walks, then stands")
    told.segments = [MotionSegment("walks", 0.0, 1.0), MotionSegment("stands", 1.0, 2.0)]
    sheet = draw_contact_sheet(told, count=3, panel=(100, 120))
    height = sheet.height // 2
    assert sheet.size == draw_contact_sheet(parts, count=3, panel=(100, 120)).size
    # The first second is as it would be alone; the other one has the same pictures, but counts on.
    first, second = (draw_contact_sheet(part, count=3, panel=(100, 120)) for part in parts)
    assert sheet.crop((0, 0, sheet.width, height)).tobytes() == first.tobytes()
    below = sheet.crop((0, height, sheet.width, sheet.height))
    upper = (0, 0, sheet.width, height - 20)  # without the times
    assert below.crop(upper).tobytes() == second.crop(upper).tobytes()
    assert below.tobytes() != second.tobytes()


def test_contact_sheets_go_along_with_who_walks_away():
    """A person keeps its size in the panels, however far it goes; one that stays is seen as by a camera that stays."""
    standing, walking = make_motion(40), make_motion(40, speed=8.0)
    font = load_font(8)

    def sizes(motion: Motion, follow: bool) -> list[int]:
        strip = pixels(draw_frames(motion, 4, (100, 120), "dark", 2, font, follow=follow))
        panels = [strip[:, column * 102 : column * 102 + 100] for column in range(4)]
        return [int((panel[:100, :, 2] > 150).sum()) for panel in panels]  # blue of the body; above the time

    assert sizes(standing, True) == sizes(standing, False)
    whole = min(sizes(standing, True))
    assert min(sizes(walking, True)) > 0.6 * whole
    assert max(sizes(walking, False)) < 0.4 * whole


@pytest.mark.parametrize(
    "options,word",
    [({"theme": "pink"}, "pink"), ({"size": (10, 10)}, "size"), ({"elevation": 95.0}, "elevation 95|elevation is 95")],
)
def test_bad_options_are_named(options, word):
    with pytest.raises(MotionLLMError, match=word):
        Renderer(make_motion(), RenderOptions(**options))


def test_bad_frames_and_counts():
    with pytest.raises(MotionLLMError, match="12 frames"):
        Renderer(make_motion(12), RenderOptions(size=(96, 64))).frame(12)
    with pytest.raises(MotionLLMError, match="no motions"):
        draw_contact_sheet([])
    with pytest.raises(MotionLLMError, match="count is 0"):
        draw_contact_sheet(make_motion(), count=0)


def test_unknown_suffix_names_the_supported_ones(tmp_path):
    with pytest.raises(MotionLLMError, match=r"\.xyz.*\.npz.*\.mp4.*\.gif.*\.png.*\.html"):
        save_motion(make_motion(), tmp_path / "motion.xyz")
    with pytest.raises(MotionLLMError, match="no options"):
        save_motion(make_motion(), tmp_path / "motion.npz", fps=3)
    saved = save_motion(make_motion(caption="stands"), tmp_path / "motion.npz")
    assert Motion.load(saved).caption == "stands"
    assert [path.name for path in tmp_path.iterdir()] == ["motion.npz"]
