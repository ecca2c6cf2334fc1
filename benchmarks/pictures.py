"""`python -m benchmarks.pictures`: frames per second of pictures and films at their default sizes, on one core."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Row, alternate, clock, machine, print_table
from hub_scripts.data.motion_files import load_motion
from hub_scripts.export.renderer import Renderer
from hub_scripts.export.shown_motion import shown_motion
from hub_scripts.export.video import save_gif, save_video

__all__ = ["measure"]

_FRAME_BY_FRAME = "frame by frame"


def measure(quick: bool = False, cpu_time: bool = False) -> list[Row]:
    """Frames per second of drawing, and of drawing and encoding."""
    folder = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "bandai"
    motion = shown_motion(load_motion(min(folder.glob("*.bvh"))), 20.0)
    renderer = Renderer(motion)
    together, one_by_one = list(renderer.frames()), [renderer.frame(index) for index in range(renderer.num_frames)]
    if [picture.tobytes() for picture in together] != [picture.tobytes() for picture in one_by_one]:
        raise RuntimeError("frames that are drawn together are others than frames that are drawn one by one")
    with tempfile.TemporaryDirectory() as temporary:
        film = Path(temporary) / "motion"
        cases: dict[str, Callable[[], object]] = {
            "pictures, 640 x 480": lambda: [None for _ in renderer.frames()],
            _FRAME_BY_FRAME: lambda: [renderer.frame(index) for index in range(renderer.num_frames)],
            ".mp4, 640 x 480": lambda: save_video(motion, film.with_suffix(".mp4")),
            ".gif, 480 x 360": lambda: save_gif(motion, film.with_suffix(".gif")),
        }
        timings = alternate(cases, 3 if quick else 5, clock(cpu_time))
    one = timings.pop(_FRAME_BY_FRAME)
    rows = []
    for name, timing in timings.items():
        ratio = timing.faster_than(one) if name.startswith("pictures") else None
        speed = motion.num_frames / timing.median
        rows.append(Row(name, speed, "frames/s", timing.spread(), ratio, _FRAME_BY_FRAME if ratio else ""))
    return rows


if __name__ == "__main__":
    print(machine())
    print_table("pictures", measure())
