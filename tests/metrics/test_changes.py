"""Where a motion changes what it does: found in joins of recorded clips whose cuts are known."""

import numpy as np
import pytest
from conftest import read_golden

from hub_scripts.metrics.changes import find_changes
from hub_scripts.skeletons.seams import carried, fade_over, placed
from modeling_motionllm.motion_features import resample_joints

CLIPS = {
    "walk": "dataset-1_walk_normal_002",
    "wave": "dataset-2_wave-both-hands_active_001",
    "bow": "dataset-1_bow_masculinity_001",
    "run": "dataset-2_run_normal_044",
    "punch": "dataset-1_punch_normal_001",
}


def one_after_another(*names: str) -> tuple[np.ndarray, list[float]]:
    """Clips joined, joints (T, 22, 3) at 20 fps, and the seconds at which they are."""
    joints, cuts = read_golden()[CLIPS[names[0]]]["joints"].astype(np.float64), []
    for name in names[1:]:
        after = carried(read_golden()[CLIPS[name]]["joints"].astype(np.float64), *placed(joints[-1:]))
        cuts.append((len(joints) - 1) / 20)
        joints = np.concatenate([joints, fade_over(joints, after, 8)[1:]])
    return joints, cuts


@pytest.mark.parametrize("fps", [20.0, 30.0, 100.0])
@pytest.mark.parametrize("names", [("walk", "wave"), ("wave", "run", "bow"), ("punch", "walk", "bow", "wave")])
def test_cuts_are_where_clips_were_joined(names: tuple[str, ...], fps: float) -> None:
    joints, cuts = one_after_another(*names)
    found = find_changes(resample_joints(joints, 20.0, fps)[None], fps, 10.0)
    for cut in cuts:
        assert min(abs(cut - one) for one in found) < 0.6
    ends = [0.0, *found, len(joints) / 20]
    assert min(np.diff(ends)) > 0.95
    # A world of another place and heading, and a second person who does the same.
    elsewhere = carried(joints, 3.0, -7.0, 2.0)
    assert find_changes(elsewhere[None], 20.0, 10.0) == find_changes(joints[None], 20.0, 10.0)
    assert find_changes(np.stack([joints, elsewhere]), 20.0, 10.0) == find_changes(joints[None], 20.0, 10.0)


def test_what_goes_on_is_cut_only_where_it_is_too_long() -> None:
    walk, _ = one_after_another("walk", "walk", "walk", "walk")
    assert len(walk) / 20 > 4
    assert find_changes(walk[None], 20.0, 10.0) == []
    for longest in (3.0, 1.5, 0.5):
        ends = np.diff([0.0, *find_changes(walk[None], 20.0, longest), len(walk) / 20])
        assert max(ends) <= longest + 1e-6
    assert find_changes(walk[None, :30], 20.0, 10.0) == []  # 1.5 s
    standing = np.repeat(walk[:1], 900, axis=0)
    assert max(np.diff([0.0, *find_changes(standing[None], 20.0, 10.0), 45.0])) <= 10.0
