"""Films: decoded again, they have the frames, the speed and the size that were asked for."""

import av
import numpy as np
import pytest
from PIL import Image

from hub_scripts.export import save_motion
from hub_scripts.export.renderer import Renderer, RenderOptions
from hub_scripts.export.video import save_gif, save_video
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion


def make_motion(frames: int = 10, speed: float = 1.0, fps: float = 20.0) -> Motion:
    """A stick of a person: two columns of joints that move along +Z."""
    joints = np.zeros((frames, 22, 3))
    joints[..., 1] = np.linspace(0.02, 1.6, 22)
    joints[:, 0::2, 0] = 0.2
    joints[..., 2] = speed * np.arange(frames)[:, None] / fps
    return Motion(joints, fps=fps, caption="a person moves")


def decode(path) -> tuple[list[np.ndarray], float, av.VideoStream]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return frames, float(stream.average_rate), stream


@pytest.mark.parametrize(
    "size,real,fps,count",
    [((320, 240), (320, 240), None, 10), ((161, 121), (162, 122), 40.0, 19), ((160, 120), (160, 120), 12.5, 6)],
)
def test_mp4_decodes_to_what_was_asked(tmp_path, size, real, fps, count):
    path = save_video(make_motion(), tmp_path / "film.mp4", fps=fps, size=size)
    frames, rate, stream = decode(path)
    assert len(frames) == count
    assert rate == pytest.approx(fps or 20.0)
    assert (stream.width, stream.height) == real
    assert stream.codec_context.name == "h264"
    assert stream.codec_context.pix_fmt == "yuv420p"


def test_mp4_shows_the_rendered_pictures(tmp_path):
    motion = make_motion()
    frames, _, _ = decode(save_motion(motion, tmp_path / "film.mp4", size=(320, 240)))
    renderer = Renderer(motion, RenderOptions(size=(320, 240)))
    for index in (0, 5, 9):
        difference = np.abs(frames[index].astype(int) - np.asarray(renderer.frame(index)).astype(int))
        assert difference.mean() < 4
    assert np.abs(frames[0].astype(int) - frames[9].astype(int)).max() > 60


def test_mp4_of_an_odd_frame_rate(tmp_path):
    frames, rate, _ = decode(save_video(make_motion(fps=29.97), tmp_path / "film.mp4", size=(96, 64)))
    assert len(frames) == 10
    assert rate == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize("save,suffix", [(save_video, ".mp4"), (save_gif, ".gif")])
def test_same_motion_same_bytes(tmp_path, save, suffix):
    first, second, other = (
        save(make_motion(speed=speed), tmp_path / f"{name}{suffix}", size=(160, 120)).read_bytes()
        for name, speed in (("first", 1.0), ("second", 1.0), ("other", 2.0))
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize("fps,delays", [(None, {50}), (30.0, {30, 40}), (100.0, {20})])
def test_gif_loops_with_the_right_delays(tmp_path, fps, delays):
    path = save_motion(make_motion(11), tmp_path / "film.gif", fps=fps, size=(160, 120))
    seen = []
    with Image.open(path) as picture:
        assert picture.size == (160, 120)
        assert picture.info["loop"] == 0
        for index in range(picture.n_frames):
            picture.seek(index)
            seen.append(picture.info["duration"])
    assert set(seen) <= delays
    assert sum(seen) == pytest.approx(550, abs=40)


def test_gif_has_the_colours_of_the_renderer(tmp_path):
    motion = make_motion()
    path = save_gif(motion, tmp_path / "film.gif", size=(160, 120))
    renderer = Renderer(motion, RenderOptions(size=(160, 120)))
    with Image.open(path) as picture:
        picture.seek(6)
        shown = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(shown - np.asarray(renderer.frame(6)).astype(int)).mean() < 3


def test_one_frame_is_a_film_too(tmp_path):
    assert len(decode(save_video(make_motion(1), tmp_path / "film.mp4", size=(96, 64)))[0]) == 1
    assert save_gif(make_motion(1), tmp_path / "film.gif", size=(96, 64)).stat().st_size > 0


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png", ".html", ".npz"])
def test_a_place_that_cannot_be_written(tmp_path, suffix):
    with pytest.raises(MotionLLMError, match="cannot write"):
        save_motion(make_motion(2), tmp_path / "missing" / f"motion{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_failure_leaves_what_was_there(tmp_path, suffix):
    old, folder = tmp_path / f"old{suffix}", tmp_path / f"folder{suffix}"
    old.write_bytes(b"old")
    film = {".mp4": save_video, ".gif": save_gif}[suffix]
    with pytest.raises(MotionLLMError, match="size"):
        film(make_motion(6), old, size=(10, 10))
    # A folder in the place of the file lets the encoding run to its end, and only the renaming fails.
    folder.mkdir()
    with pytest.raises(MotionLLMError, match="cannot write"):
        film(make_motion(6), folder, size=(96, 64))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [folder.name, old.name]
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("fps", [0.0, -5.0, float("nan"), 1000.0])
def test_bad_rates_are_refused(tmp_path, fps):
    with pytest.raises(MotionLLMError, match="frames per second"):
        save_video(make_motion(), tmp_path / "film.mp4", fps=fps)
    assert list(tmp_path.iterdir()) == []
