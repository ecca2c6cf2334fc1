"""Metrics of reconstruction, against numbers computed by hand, and the classifier of contents."""

import numpy as np
import pytest
import torch
from conftest import FIXTURES, make_vq

from hub_scripts.metrics.kept_actions import actions_kept
from hub_scripts.metrics.reconstruction import batches_by_length, pad_features, reconstruction_metrics
from modeling_motionllm.motion_features import joints_to_features, mirror_joints


def still_clip(frames: int) -> np.ndarray:
    """Features of someone who stands still with every joint one metre up."""
    clip = np.zeros((frames, 263), np.float32)
    clip[:, 3] = 1
    clip[:, 5:67:3] = 1
    return clip


def shifted_vq(**columns: float):
    """A VQ-VAE that decodes every code to the still pose, with some columns off."""
    model = make_vq()
    torch.nn.init.zeros_(model.decoder.conv_out.weight)
    pose = torch.from_numpy(still_clip(1)[0])
    for name, value in columns.items():
        pose[int(name.removeprefix("c"))] += value
    with torch.no_grad():
        model.decoder.conv_out.bias.copy_(pose)
    return model


def test_perfect_reconstruction_has_no_error():
    metrics = reconstruction_metrics(shifted_vq(), [still_clip(8), still_clip(13)])
    for name in ("mpjpe_root_mm", "mpjpe_global_mm", "drift_mm_median", "drift_mm_mean", "velocity_mm"):
        assert metrics[name] == pytest.approx(0, abs=1e-9), name


def test_a_drifting_root_is_measured_in_millimetres():
    # One centimetre forward a frame that is not there: after t frames the whole body is t centimetres off.
    metrics = reconstruction_metrics(shifted_vq(c2=0.01), [still_clip(8), still_clip(4), still_clip(14)])
    frames = [*range(8), *range(4), *range(12)]  # the third clip is cut to whole codes
    assert metrics["mpjpe_global_mm"] == pytest.approx(10 * np.mean(frames), rel=1e-5)
    assert metrics["mpjpe_root_mm"] == pytest.approx(0, abs=1e-6)
    assert metrics["drift_mm_median"] == pytest.approx(70, rel=1e-5)
    assert metrics["drift_mm_mean"] == pytest.approx((70 + 30 + 110) / 3, rel=1e-5)
    assert metrics["velocity_mm"] == pytest.approx(10, rel=1e-5)


def test_a_misplaced_joint_counts_among_all():
    metrics = reconstruction_metrics(shifted_vq(c4=0.22), [still_clip(8)])
    assert metrics["mpjpe_root_mm"] == pytest.approx(10, rel=1e-5)  # 22 cm in one of 22 joints
    assert metrics["mpjpe_global_mm"] == pytest.approx(10, rel=1e-5)
    assert metrics["drift_mm_mean"] == pytest.approx(0, abs=1e-9)
    assert metrics["velocity_mm"] == pytest.approx(0, abs=1e-9)


def test_height_counts_for_joints_and_not_for_drift():
    metrics = reconstruction_metrics(shifted_vq(c3=0.05), [still_clip(8)])
    assert metrics["mpjpe_root_mm"] == pytest.approx(50 * 21 / 22, rel=1e-4)
    assert metrics["mpjpe_global_mm"] == pytest.approx(50 / 22, rel=1e-4)
    assert metrics["drift_mm_mean"] == pytest.approx(0, abs=1e-9)


def test_the_batch_size_and_the_mode_do_not_matter(golden):
    model = make_vq().train()
    clips = [golden[name]["features"] for name in sorted(golden, key=lambda name: len(golden[name]["joints"]))[:5]]
    one, many = (reconstruction_metrics(model, clips, batch_size=size) for size in (1, 5))
    assert one == pytest.approx(many, rel=1e-4)
    assert model.training
    codes = [model.eval().encode(torch.from_numpy(clip)[None]).codes[0] for clip in clips]
    counts = torch.bincount(torch.cat(codes)).double()
    share = counts[counts > 0] / counts.sum()
    assert one["codes_used"] == len(share)
    assert one["perplexity"] == pytest.approx(float(torch.exp(-(share * share.log()).sum())), rel=1e-4)


def test_actions_that_are_still_seen_are_counted():
    with np.load(FIXTURES / "bandai" / "expected_joints.npz") as file:
        walk, wave = (
            next(file[name] for name in file.files if content in name) for content in ("walk_normal", "wave-left-hand")
        )
    walk, wave, other_hand = (
        np.asarray(joints_to_features(joints), np.float32) for joints in (walk, wave, mirror_joints(wave))
    )
    assert actions_kept([walk, wave], [walk[:-1], wave]) == 100
    assert actions_kept([walk, wave], [walk, other_hand]) == 50
    assert actions_kept([wave], [np.repeat(wave[:1], len(wave), axis=0)]) == 0
    assert actions_kept([walk[:8]], [walk[:8]]) is None  # too short to be judged
    assert actions_kept([walk[:, :251]], [walk[:, :251]]) is None  # another skeleton


def test_batches_hold_every_clip_once_longest_first():
    lengths = [5, 9, 1, 9, 7]
    assert batches_by_length(lengths, 2) == [[1, 3], [4, 0], [2]]
    assert batches_by_length([], 2) == []


def test_padding_is_marked():
    features, mask = pad_features([np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)])
    assert mask.tolist() == [[True, True, False, False], [True] * 4]
    assert torch.equal(features.sum(-1), 3.0 * mask)
