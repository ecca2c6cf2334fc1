"""Which of the known contents a motion shows: nearest neighbours among the train clips."""

from collections.abc import Sequence

import numpy as np

__all__ = ["NearestContent"]

_FRAMES = 16


def _describe(features: np.ndarray) -> np.ndarray:
    """A fixed-length summary of raw features (T, 263): the pose over normalised time, and the root's movement."""
    time = np.linspace(0, len(features) - 1, _FRAMES)
    low = np.floor(time).astype(int)
    high = np.minimum(low + 1, len(features) - 1)
    weight = (time - low)[:, None]
    pose = features[:, 3:67]
    pose = (1 - weight) * pose[low] + weight * pose[high]
    # Row 0 of the turn holds the step from the first facing to the smoothed one, which is no movement.
    heading = 2 * np.cumsum(np.concatenate([[0], features[1:, 0]]))
    cos, sin = np.cos(-heading), np.sin(-heading)
    path = np.stack(
        [
            np.cumsum(cos * features[:, 1] + sin * features[:, 2]),
            np.cumsum(cos * features[:, 2] - sin * features[:, 1]),
        ]
    )
    moved = [*path[:, -1], *path[:, len(features) // 2], heading[-1], heading[len(features) // 2]]
    speed = [*features[:, 1:3].mean(0), *features[:, 1:3].std(0), features[1:, 0].mean() if len(features) > 1 else 0.0]
    spread = features[:, 3:67].std(0)
    return np.concatenate([pose.ravel(), spread, np.array(moved), np.array(speed)]).astype(np.float32)


class NearestContent:
    """k-nearest-neighbour classifier of contents; each part of the summary counts alike (pose, spread, root).

    Args:
        clips: raw features (T_i, 263) of the train clips.
        contents: their contents.
        neighbours: how many vote; the nearest one breaks ties.
    """

    def __init__(self, clips: Sequence[np.ndarray], contents: Sequence[str], neighbours: int = 3):
        table = np.stack([_describe(clip) for clip in clips])
        self.mean, std = table.mean(0), table.std(0) + 1e-3
        pose, spread = _FRAMES * 64, 64
        share = np.concatenate(
            [np.full(pose, pose), np.full(spread, spread), np.full(table.shape[1] - pose - spread, 11)]
        )
        self.scale = 1 / (std * np.sqrt(share))
        self.table = (table - self.mean) * self.scale
        self.contents = list(contents)
        self.neighbours = neighbours

    def predict(self, clips: Sequence[np.ndarray]) -> list[str]:
        """The content of each clip of raw features (T_i, 263)."""
        queries = (np.stack([_describe(clip) for clip in clips]) - self.mean) * self.scale
        distance = (self.table**2).sum(1) - 2 * queries @ self.table.T
        nearest = np.argsort(distance, axis=1, kind="stable")[:, : self.neighbours]
        answers = []
        for row in nearest:
            votes = [self.contents[index] for index in row]
            answers.append(max(votes, key=lambda content: (votes.count(content), -votes.index(content))))
        return answers
