"""Metrics on joints: by hand, on motions made for them, and on recorded ones."""

import numpy as np
import pytest

from hub_scripts.metrics.physics import FloorDistance, FootSkating, Jerk, LengthError, MotionClips
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import features_to_joints

LEFT_TOE, RIGHT_TOE = 10, 11


def standing(frames: int) -> np.ndarray:
    """A body whose joints are a metre up and whose toes are on the floor."""
    joints = np.zeros((frames, 22, 3), np.float32)
    joints[..., 1] = 1
    joints[:, [LEFT_TOE, RIGHT_TOE], 1] = 0
    return joints


def sliding(frames: int, step: float, toe: int = LEFT_TOE) -> np.ndarray:
    """One toe that moves `step` metres a frame along the floor."""
    joints = standing(frames)
    joints[:, toe, 2] = step * np.arange(frames)
    return joints


class TestFootSkating:
    def test_by_hand(self):
        # 3 cm a frame for 20 steps, that is one second: 60 cm, and every step is faster than 2.5 cm.
        assert FootSkating()(MotionClips([sliding(21, 0.03)])) == pytest.approx(
            {"foot_skating_cm": 60, "foot_skating_ratio": 1}
        )
        slow = FootSkating()(MotionClips([sliding(21, 0.02, RIGHT_TOE)]))
        assert slow == pytest.approx({"foot_skating_cm": 40, "foot_skating_ratio": 0})

    def test_a_foot_in_the_air_does_not_slide(self):
        joints = sliding(21, 0.03)
        joints[:, LEFT_TOE, 1] = 0.06
        assert FootSkating()(MotionClips([joints])) == {"foot_skating_cm": 0, "foot_skating_ratio": 0}
        joints[:, LEFT_TOE, 1] = np.where(np.arange(21) % 2, 0.06, 0)  # never two frames in a row
        assert FootSkating()(MotionClips([joints]))["foot_skating_cm"] == 0

    def test_time_counts_not_frames_nor_clips(self):
        # one clip of 1 s that slides 60 cm, one of 3 s that stands still
        both = MotionClips([sliding(21, 0.03), standing(61)])
        assert FootSkating()(both) == pytest.approx({"foot_skating_cm": 15, "foot_skating_ratio": 0.25})
        fast = FootSkating()(MotionClips([sliding(41, 0.015)], fps=40))
        assert fast == pytest.approx({"foot_skating_cm": 60, "foot_skating_ratio": 1})


class TestFloorDistance:
    def test_by_hand(self):
        joints = standing(4)
        joints[:, LEFT_TOE, 1] = [-0.02, -0.004, 0, 0]
        joints[3, [LEFT_TOE, RIGHT_TOE], 1] = 0.1
        # 2 cm deep in one of four frames, 4 mm is within the tolerance; 10 cm up in another one
        assert FloorDistance()(MotionClips([joints])) == pytest.approx(
            {"floor_penetration_mm": 20 / 4, "floating_mm": 100 / 4}
        )

    def test_padding_is_no_floor(self):
        sunk = standing(2) - np.array([0, 0.1, 0])
        pair = FloorDistance()(MotionClips([sunk, standing(6)]))
        assert pair == pytest.approx({"floor_penetration_mm": 100 * 2 / 8, "floating_mm": 0})


class TestJerk:
    def test_by_hand(self):
        time = np.arange(30)[:, None, None] / 20
        cubic = standing(30) + np.float64([0, 0, 0.5]) * time**3  # third derivative 3 m/s^3 in z
        assert Jerk()(MotionClips([cubic]))["jerk"] == pytest.approx(3)
        assert Jerk()(MotionClips([standing(30) + time**2]))["jerk"] == pytest.approx(0, abs=1e-6)

    def test_against_numpy_clip_by_clip(self, golden):
        clips = [clip["joints"] for clip in golden.values()][:4]
        each = [np.linalg.norm(np.diff(clip.astype(np.float64), 3, axis=0) * 8000, axis=-1) for clip in clips]
        expected = np.concatenate([values.mean(-1) for values in each]).mean()
        assert Jerk()(MotionClips(clips))["jerk"] == pytest.approx(expected)

    def test_too_short(self):
        with pytest.raises(MotionLLMError, match="more than 3 frames"):
            Jerk()(MotionClips([standing(3)]))


def test_length_error_leaves_out_what_was_not_asked():
    clips = [standing(20), standing(50), standing(10)]
    assert LengthError()(MotionClips(clips, seconds=[1.5, 2.0, None])) == pytest.approx({"length_error": 0.5})
    with pytest.raises(MotionLLMError, match="give `seconds`"):
        LengthError()(MotionClips(clips))


def test_recorded_motion_hardly_slides_and_noise_shows(golden):
    clips = [features_to_joints(clip["features"]) for clip in golden.values()]
    rng = np.random.default_rng(0)
    noisy = [clip + rng.normal(size=clip.shape).astype(np.float32) * 0.02 for clip in clips]
    for metric, column in ((FootSkating(), "foot_skating_cm"), (Jerk(), "jerk"), (FloorDistance(), None)):
        real, bad = (metric(MotionClips(several)) for several in (clips, noisy))
        key = column or "floor_penetration_mm"
        assert 0 <= real[key] < bad[key] / 2, key


def test_motions_that_do_not_fit_are_refused():
    with pytest.raises(MotionLLMError, match="no motions"):
        MotionClips([])
    with pytest.raises(MotionLLMError, match="motion 1 has shape"):
        MotionClips([standing(4), np.zeros((4, 21, 3))])
    with pytest.raises(MotionLLMError, match="1 asked lengths for 2"):
        MotionClips([standing(4), standing(4)], seconds=[1])
