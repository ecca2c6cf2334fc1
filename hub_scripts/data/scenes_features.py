"""Scenes as what a VQ-VAE or an evaluator reads: each person's features in a frame of its own, and the placements."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from modeling_motionllm.motion_features import joints_to_features
from modeling_motionllm.placement_motionllm import split_people

__all__ = ["scene_features"]


def scene_features(rows: Sequence[Mapping[str, Any]], label: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Raw features float32 (P, T - 1, 263) and placements (P, 3) of scenes with `joints` (P, T, 22, 3)."""
    features, placements = [], []
    for row in tqdm(rows, desc=f"features {label}"):
        canonical, places = split_people(row["joints"])
        features.append(joints_to_features(canonical).astype(np.float32))
        placements.append(places)
    return features, placements
