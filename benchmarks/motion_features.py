"""`python -m benchmarks.motion_features`: frames per second of joints_to_features and back, on one thread."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from safetensors.numpy import load_file

from modeling_motionllm.motion_features import features_to_joints, joints_to_features

__all__ = ["main"]

# The official HumanML3D code (commit 9176e8f), measured clip by clip on two cores of the same kind.
OFFICIAL_FRAMES_PER_SECOND = 11_700
_REPEATS = 7


def frames_per_second(run: Callable[[np.ndarray], np.ndarray], clips: list[np.ndarray]) -> float:
    """Median over repeats, clip by clip, after one warm-up."""
    frames = sum(len(clip) for clip in clips)
    times = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        for clip in clips:
            run(clip)
        times.append(time.perf_counter() - start)
    return frames / median(times[1:])


def main() -> None:
    torch.set_num_threads(1)
    golden = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "golden"
    arrays = load_file(next(iter(sorted(golden.glob("*.safetensors")))))
    joints = [value for name, value in arrays.items() if name.endswith(".joints")]
    features = [value for name, value in arrays.items() if name.endswith(".features")]
    print(f"{len(joints)} clips, {sum(map(len, joints)):,} frames, one thread, median of {_REPEATS}")
    print(f"  {'official joints_to_features':<30} {OFFICIAL_FRAMES_PER_SECOND:>10,} frames/s")
    for name, run, clips in (
        ("joints_to_features", joints_to_features, joints),
        ("features_to_joints", features_to_joints, features),
    ):
        print(f"  {name:<30} {frames_per_second(run, clips):>10,.0f} frames/s")


if __name__ == "__main__":
    main()
