"""Stand-ins for the published HumanML3D, KIT-ML and T2M evaluator files: their names and shapes, our own motion."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from hub_scripts.metrics.t2m import T2MEvaluator
from modeling_motionllm.motion_features import Skeleton, features_to_joints

WORDS = ["sos", "eos", "unk", "a", "man", "person", "walk", "slowly", "bow", "turn"]


def write_published(
    folder: Path,
    motions: Mapping[str, np.ndarray],
    texts: Mapping[str, Sequence[str]],
    lists: Mapping[str, Sequence[str]],
    skeleton: Skeleton,
) -> Path:
    """A folder as Guo et al. publish it, of raw features (T, D) and lines `sentence#tokens#from#to`."""
    for part in ("new_joint_vecs", "new_joints", "texts"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, features in motions.items():
        np.save(folder / "new_joint_vecs" / f"{name}.npy", features)
        np.save(folder / "new_joints" / f"{name}.npy", features_to_joints(features, skeleton))
    for name, lines in texts.items():
        (folder / "texts" / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for split, names in lists.items():
        (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    rows = np.concatenate(list(motions.values()))
    np.save(folder / "Mean.npy", rows.mean(0))
    np.save(folder / "Std.npy", rows.std(0) + 0.05)
    return folder


def write_evaluator(folder: Path, name: str, statistics: str, columns: int) -> Path:
    """`checkpoints` and `glove` of the T2M evaluator in `folder`, with random weights of the published sizes."""
    torch.manual_seed(0)
    model = T2MEvaluator(columns - 4)
    weights, meta = (
        folder / "checkpoints" / name / part for part in ("text_mot_match/model/finest.tar", f"{statistics}/meta")
    )
    weights.parent.mkdir(parents=True)
    meta.mkdir(parents=True)
    state = {part: getattr(model, part).state_dict() for part in ("movement_encoder", "text_encoder", "motion_encoder")}
    torch.save({**state, "opt_text_encoder": {"state": {}, "param_groups": []}, "epoch": 3}, weights)
    rng = np.random.default_rng(0)
    np.save(meta / "mean.npy", rng.normal(size=columns))
    np.save(meta / "std.npy", rng.random(columns) + 0.5)
    write_words(folder / "glove", rng)
    return folder


def write_words(folder: Path, rng: np.random.Generator) -> None:
    """`our_vab_data.npy`, `our_vab_words.pkl` and `our_vab_idx.pkl`."""
    folder.mkdir()
    np.save(folder / "our_vab_data.npy", rng.normal(size=(len(WORDS), 300)))
    for name, value in (("words", WORDS), ("idx", {word: row for row, word in enumerate(WORDS)})):
        with (folder / f"our_vab_{name}.pkl").open("wb") as file:
            pickle.dump(value, file)
