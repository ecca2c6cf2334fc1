"""Whether a reconstruction still shows what the recording shows, tested on joints."""

from collections.abc import Sequence

import numpy as np

from hub_scripts.metrics.shown_actions import describe_motion, main_action
from modeling_motionllm.motion_features import HUMANML3D, features_to_joints

__all__ = ["actions_kept"]


def actions_kept(clips: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> float | None:
    """In how many clips, in percent, the reconstruction still shows what the recording mainly shows, on the same side.

    Joint errors are means over all frames and joints, in which a punch that is smoothed away hardly counts.

    Args:
        clips: raw features (T_i, D).
        made: those of their reconstructions, up to a code shorter.

    Returns:
        None where nothing can be told: for another skeleton than HumanML3D's, or clips of less than half a second.
    """
    pairs = [(clip, new) for clip, new in zip(clips, made, strict=True) if len(new) >= HUMANML3D.fps / 2]
    if not pairs or pairs[0][0].shape[1] != HUMANML3D.feature_dim:
        return None

    def seen(features: np.ndarray) -> tuple[str, str | None]:
        joints = np.asarray(features_to_joints(features.astype(np.float64), HUMANML3D))
        action = main_action(describe_motion(joints, HUMANML3D.fps))
        return action.name, action.side

    return 100 * sum(seen(clip[: len(new)]) == seen(new) for clip, new in pairs) / len(pairs)
