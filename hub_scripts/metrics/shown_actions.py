"""`describe_motion`: which actions a motion shows, tested on joints alone.

The thresholds were chosen on the training clips of the Bandai-Namco data and hold for adults; see `docs/evaluation.md`
for how often they are right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hub_scripts.metrics.kinematics import ANKLES, HEAD, HIPS, KNEES, NECK, PELVIS, WRISTS, Kinematics, longest_run

__all__ = [
    "FITTING",
    "JUDGED_ACTIONS",
    "ShownAction",
    "actions_of",
    "describe_motion",
    "main_action",
]

SIDES = ("left", "right")
TRAVEL = 0.8  # metres of way from which on a person goes somewhere
_ROUND = 3.0  # metres of way from which on someone may walk in a circle
HAND_UP = -0.2  # metres above its shoulder from which on a hand is raised


@dataclass(frozen=True)
class ShownAction:
    """One action that a motion shows.

    Args:
        name: as in `SaidAction`.
        side: limb that does it: "left", "right", "both" or None.
        directions: ways that would be a right name for where it goes; several may hold.
        turn: "left", "right" or None.
        degrees: size of the turn.
        start, end: when, in seconds.
    """

    name: str
    side: str | None = None
    directions: tuple[str, ...] = ()
    turn: str | None = None
    degrees: float = 0.0
    start: float = 0.0
    end: float = 0.0


def describe_motion(joints: np.ndarray, fps: float = 20.0) -> list[ShownAction]:
    """The actions that a motion shows, in the order they begin; "stand" alone where it shows none.

    Args:
        joints: (T, 22, 3), metres, Y up, SMPL-22 order.
        fps: frames a second.

    Raises:
        MotionLLMError: joints that cannot be judged, see `Kinematics`.
    """
    return actions_of(Kinematics(joints, fps))


def actions_of(motion: Kinematics) -> list[ShownAction]:
    """As `describe_motion`, of signals that are measured already."""
    found = [action for test in _TESTS for action in test(motion)]
    return sorted(found, key=lambda action: action.start) or [ShownAction("stand", end=motion.seconds)]


def main_action(shown: Sequence[ShownAction]) -> ShownAction:
    """The action a motion is mainly known by: the first of `JUDGED_ACTIONS` among those it shows."""
    return min(shown, key=lambda action: JUDGED_ACTIONS.index(action.name))


def _shown(
    name: str,
    motion: Kinematics,
    mask: np.ndarray,
    side: str | None = None,
    directions: tuple[str, ...] = (),
) -> ShownAction:
    """An action from the first frame to the last of a mask (T,)."""
    frames = np.flatnonzero(mask)
    return ShownAction(name, side, directions, start=float(frames[0] / motion.fps), end=float(frames[-1] / motion.fps))


def _ways(left: float, forward: float) -> tuple[str, ...]:
    """Names for a way over the floor: forward, backward, left, right, or one ahead and one aside."""
    angle = float(np.degrees(np.arctan2(left, forward)))
    ways = []
    if abs(angle) < 70:
        ways.append("forward")
    if abs(angle) > 115:
        ways.append("backward")
    if 15 < abs(angle) < 155:
        ways.append("left" if angle > 0 else "right")
    if 45 < abs(angle) < 135:
        ways.append("sideways")
    return tuple(ways)


def _low(motion: Kinematics) -> np.ndarray:
    """Frames in which the trunk lies level near the floor."""
    return (
        (motion.upright > 50)
        & (motion.joints[:, PELVIS, 1] < 0.75 * motion.leg)
        & (motion.joints[:, NECK, 1] < motion.leg)
    )


def _locomotion(motion: Kinematics) -> list[ShownAction]:
    """Crawling, running or walking, with a turn while doing so."""
    moving = motion.speed > 0.25
    going = motion.path > TRAVEL and moving.mean() > 0.2 and not _dances(motion)
    turn = _turn(motion, going)
    if not going:
        return turn
    drift = motion.drift
    ways = set(_ways(drift[0], drift[2])) | ({"left", "right"} & set(_ways(motion.travel[0], motion.travel[2])))
    if _low(motion)[moving].mean() > 0.5:
        return [_shown("crawl", motion, moving, directions=tuple(sorted(ways))), *turn]
    speed = float(np.median(motion.speed[moving])) * 0.8 / motion.leg
    flight = float((motion.lowest[moving] > 0.05).mean())
    runs = speed > 1.75 or (speed > 1.0 and flight > 0.05)
    return [_shown("run" if runs else "walk", motion, moving, directions=tuple(sorted(ways))), *turn]


def _turn(motion: Kinematics, going: bool) -> list[ShownAction]:
    smooth = np.degrees(motion.smooth(motion.facing, 0.25))
    if abs(motion.turned) < 45:
        return []
    share = (smooth - smooth[0]) / (smooth[-1] - smooth[0])
    turning = np.asarray((share > 0.1) & (share < 0.95))
    turning[share.argmax()] = True
    turned = _shown("turn", motion, turning)
    return [replace(turned, turn="left" if motion.turned > 0 else "right", degrees=abs(motion.turned))]


def _steps_about(motion: Kinematics) -> bool:
    """Steps ahead, back and aside by turns for 5 s, as no walk has them: over 3 s their directions cancel out."""
    span, least = round(3 * motion.fps), round(5 * motion.fps)
    if len(motion) < least:
        return False
    moving = motion.speed > 0.2
    ways = np.where(moving[:, None], motion.velocity[:, [0, 2]] / np.maximum(motion.speed, 0.2)[:, None], 0.0)
    count = np.convolve(moving, np.ones(span), "valid")
    common = np.hypot(*(np.convolve(column, np.ones(span), "valid") for column in ways.T))
    about = (count > 0.3 * span) & (common < 0.6 * count)  # common = count: all steps in one direction
    start, end = longest_run(about)
    return end > start and end - start + span >= least


def _dances(motion: Kinematics) -> bool:
    """Arms and body in steady motion on much the same spot, neither a gesture nor a walk; or steps of a dance."""
    if motion.seconds < 2:
        return False
    if _steps_about(motion):
        return True
    away = float(np.linalg.norm(motion.root - motion.root[0], axis=-1).max())
    arms = motion.pace(motion.hands).mean(axis=1)
    feet = motion.pace(motion.feet).max(axis=1)
    busy = float(((arms > 0.4) & (feet > 0.25)).mean())
    circles = motion.path > _ROUND and motion.drift[2] > 0.8 * motion.path  # ahead all the way, and back to the start
    return busy > 0.4 and (away < 0.35 * motion.path or away < TRAVEL) and not circles


def _dance(motion: Kinematics) -> list[ShownAction]:
    return (
        [ShownAction("dance", end=motion.seconds)] if _dances(motion) and not (_kick(motion) or _punch(motion)) else []
    )


def _bow(motion: Kinematics) -> list[ShownAction]:
    """The trunk goes forward and comes up again, on the spot, legs stretched, hands below the shoulders."""
    if motion.path > TRAVEL:
        return []
    lean = motion.smooth(motion.lean, 0.1)
    peak = int(lean.argmax())
    rise = lean[peak] - min(lean[: peak + 1].min(), 25.0)
    back = lean[peak] - lean[peak:].min()
    bent = lean > lean[peak] - 0.5 * rise
    hands = motion.joints[peak, WRISTS, 1].min()
    if rise < 18 or back < 0.3 * rise or lean[peak] < 20 or motion.pelvis_height[peak] < 0.8 or hands < 0.25:
        return []
    if (motion.hand_height[bent] > -0.1).mean() > 0.3:
        return []
    return [_shown("bow", motion, bent)]


def _hands(motion: Kinematics) -> list[ShownAction]:
    """Raising or waving one hand or both, on the spot."""
    if motion.path > TRAVEL:
        return []
    height = motion.hand_height
    up = height.max(axis=0) > HAND_UP
    both = bool(up.all()) and abs(height[:, 0].max() - height[:, 1].max()) < 0.25
    hands = [0, 1] if both else [int(height.max(axis=0).argmax())] if up.any() else []
    if not hands:
        return []
    side = "both" if both else SIDES[hands[0]]
    waves = sum(motion.swings(hand) >= 7 for hand in hands) > (len(hands) - 1) / 2
    raised = np.asarray((height[:, hands] > HAND_UP - 0.05).any(axis=1))
    return [_shown("wave" if waves else "raise hands", motion, raised, side)]


def _punch(motion: Kinematics) -> list[ShownAction]:
    """A bent arm stretches level from the shoulder within 0.3 s."""
    steps = round(0.3 * motion.fps)
    pace = motion.pace(motion.hands)
    sides, frames = [], np.zeros(len(motion), dtype=bool)
    for hand in (0, 1):
        reach, height = motion.reach[:, hand], motion.hand_height[:, hand]
        for end in range(2, len(motion)):
            begin = max(0, end - steps)
            start = begin + int(reach[begin:end].argmin())
            way = motion.hands[end, hand] - motion.hands[start, hand]
            level = abs(way[1]) < 0.7 * np.hypot(way[0], way[2])
            if (
                reach[end] > 0.85
                and reach[start] < 0.6
                and -0.2 < height[end] < 0.2
                and height[start] > -0.25
                and level
                and (pace[start : end + 1, hand].max() > 1.3)
            ):
                frames[start:end] = True
                sides.append(SIDES[hand])
    if not frames.any() or motion.path > 4:
        return []
    return [_shown("punch", motion, frames, _side(sides))]


def _side(sides: Sequence[str]) -> str:
    """The side of most events; both where each has at least a quarter of them."""
    share = sides.count("left") / len(sides)
    return "both" if 0.25 <= share <= 0.75 else "left" if share > 0.5 else "right"


def _kick(motion: Kinematics) -> list[ShownAction]:
    """A stretched leg is flung up or out while the other stands."""
    sides, frames = [], np.zeros(len(motion), dtype=bool)
    speed = motion.pace(motion.feet)
    slow = motion.speed < 0.8
    for foot in (0, 1):
        track, other = motion.joints[:, ANKLES[foot], 1], motion.joints[:, ANKLES[1 - foot], 1]
        out = np.hypot(motion.feet[:, foot, 0], motion.feet[:, foot, 2])
        stretched = motion.leg_reach[:, foot] > 0.82
        stretched &= (motion.feet[:, foot, 2] > -0.15) | (track > 0.8 * motion.leg)  # a running foot is flung behind
        high = (track - other > 0.3) & stretched & (out > 0.35)
        far = (out > 0.45) & (track - other > 0.1) & stretched & slow
        quick = np.array([speed[max(0, t - 6) : t + 1, foot].max() for t in range(len(motion))]) > 1.6
        hit = (high | far) & quick & (other < 0.3)
        if hit.any():
            frames |= hit
            sides += [SIDES[foot]] * int(hit.sum())
    if not frames.any() or float(np.median(motion.speed)) > 1.0:
        return []
    return [_shown("kick", motion, frames, _side(sides))]


def _slash(motion: Kinematics) -> list[ShownAction]:
    """Both hands together come down fast from above the head."""
    together = np.linalg.norm(motion.joints[:, WRISTS[0]] - motion.joints[:, WRISTS[1]], axis=-1) < 0.25
    height = motion.hand_height.mean(axis=1)
    steps = round(0.4 * motion.fps)
    top = np.array([(height * together)[max(0, t - steps) : t + 1].max() for t in range(len(height))])
    hit = together & (top > 0.15) & (height < -0.2)
    return [_shown("slash", motion, hit, "both")] if hit.any() else []


def _jump(motion: Kinematics) -> list[ShownAction]:
    """Both feet leave the floor and the pelvis rises above its standing height."""
    pelvis = motion.joints[:, PELVIS, 1]
    air = (motion.lowest > 0.1) & (pelvis > np.median(pelvis) + 0.1)
    return [_shown("jump", motion, air)] if air.sum() >= 2 else []


def _lowered(motion: Kinematics) -> list[ShownAction]:
    """Sitting, crouching, lying, rolling, picking up: the pelvis or a hand comes down."""
    found = []
    height = motion.pelvis_height
    thigh = motion.joints[:, KNEES, 1] - motion.joints[:, HIPS, 1]
    low = motion.joints[:, PELVIS, 1] < 0.75 * motion.leg
    lying = (motion.joints[:, HEAD, 1] < 0.6 * motion.leg) & (motion.upright > 50)
    over = motion.joints[:, HEAD, 1] < motion.joints[:, PELVIS, 1] - 0.1
    if (over & low).sum() >= 2 and motion.path > 0.4:
        found.append(_shown("roll", motion, over & low))
    elif longest_run(lying)[1] - longest_run(lying)[0] > 0.5 * motion.fps and motion.path < TRAVEL:
        found.append(_shown("lie", motion, lying))
    level = (np.abs(thigh).max(axis=1) < 0.35 * motion.leg) & low & (motion.upright < 50)
    start, end = longest_run(level)
    feet_out = motion.feet[start:end, :, 2].min(axis=1).mean() if end > start else 0.0
    if end - start > 0.7 * motion.fps and feet_out > 0.15:
        found.append(ShownAction("sit", start=start / motion.fps, end=end / motion.fps))
    elif (height < 0.65).sum() >= 0.2 * motion.fps and not found:
        found.append(_shown("crouch", motion, height < 0.65))
    hands = motion.joints[:, WRISTS, 1].min(axis=1)
    down = hands < 0.35 * motion.leg
    if (
        down.any()
        and all(action.name != "lie" for action in found)
        and not down[-1]
        and not down[0]
        and motion.path < 4
    ):
        found.append(_shown("pick up", motion, down))
    return found


_TESTS: tuple[Callable[[Kinematics], list[ShownAction]], ...] = (
    _locomotion, _lowered, _kick, _punch, _slash, _dance, _jump, _bow, _hands,
)  # fmt: skip

# What the tests can tell, the more telling first: a motion that shows several is mainly known by the first of them.
JUDGED_ACTIONS = (
    "roll", "crawl", "lie", "sit", "kick", "slash", "punch", "dance", "jump", "run", "walk", "pick up", "crouch", "bow",
    "wave", "raise hands", "turn", "stand",
)  # fmt: skip

# Said actions and the shown ones that do them justice. What is not here cannot be told from joints (yet).
FITTING: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in JUDGED_ACTIONS},
    "step": ("walk",),
    "march": ("walk",),
    "limp": ("walk",),
    "stumble": ("walk", "run"),
    "move": ("walk", "run"),
    "skip": ("walk", "run", "jump"),
    "spin": ("turn", "dance"),
    "bend": ("bow", "pick up"),
    "hop": ("jump",),
    "fight": ("punch", "kick"),
}
