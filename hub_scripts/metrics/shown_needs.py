"""`ShownNeeds`: what joints alone tell about the needs of sentences (`captions.sentence_needs`): ways, turns, pace."""

from functools import cached_property

import numpy as np

from hub_scripts.metrics.kinematics import HEAD, SHOULDERS, Kinematics, longest_run
from hub_scripts.metrics.shown_actions import SIDES, ShownAction, actions_of

__all__ = ["ShownNeeds"]

_STILL = 0.25  # m/s below which a person stands
_TURNED = 45.0  # degrees from which on a person has turned
_UNTURNED = 25.0
_CIRCLE = 300.0  # degrees from which on a way that comes back is a circle
_HANGING = -0.3  # metres above its shoulder below which a hand hangs


class ShownNeeds:
    """What one motion shows, and which needs it meets.

    Args:
        joints: (T, 22, 3), metres, Y up, SMPL-22 order.
        fps: frames a second.

    Raises:
        MotionLLMError: joints that cannot be judged, see `Kinematics`.
    """

    def __init__(self, joints: np.ndarray, fps: float = 20.0):
        self.motion = Kinematics(joints, fps)
        self.shown = actions_of(self.motion)

    def find(self, name: str) -> ShownAction | None:
        """The shown action of that name."""
        return next((action for action in self.shown if action.name == name), None)

    @cached_property
    def mover(self) -> str | None:
        """ "walk", "run" or "crawl" where the person goes somewhere."""
        return next((action.name for action in self.shown if action.name in ("walk", "run", "crawl")), None)

    @cached_property
    def unturned(self) -> bool:
        """Whether the person faces much the same way all the time."""
        return abs(self.motion.turned) < _UNTURNED and self.motion.spun < 2 * _UNTURNED

    @cached_property
    def hands_hang(self) -> tuple[bool, bool]:
        """Whether both hands hang at the first moment and at the last."""
        ends = max(1, round(0.2 * self.motion.fps))
        height = self.motion.hand_height
        return bool(height[:ends].mean(axis=0).max() < _HANGING), bool(height[-ends:].mean(axis=0).max() < _HANGING)

    @cached_property
    def needs(self) -> frozenset[str]:
        """All needs that the joints meet."""
        found = {*self._going(), *self._turning(), *self._sides(), *self._jumping()}
        ends = max(1, round(0.4 * self.motion.fps))
        if self.motion.speed[:ends].mean() < _STILL:
            found.add("start:still")
        if self.motion.speed[-ends:].mean() < _STILL:
            found.add("end:still")
        if self.motion.path < 0.8:
            found.add("path:in place")
        return frozenset(found)

    def _going(self) -> set[str]:
        """Ways, path and pace of walking, running or crawling."""
        motion, name = self.motion, self.mover
        if name is None:
            return set()
        angle = float(np.degrees(np.arctan2(motion.drift[0], motion.drift[2])))
        side, size = ("left" if angle > 0 else "right"), abs(angle)
        found: set[str] = set()
        if not self.unturned:
            if size < 30:
                found |= {f"{name}:turning:", f"{name}:turning:forward"}
            elif size > 150:
                found.add(f"{name}:turning:backward")
            if abs(motion.turned) > _CIRCLE and float(np.linalg.norm(motion.travel)) < 0.3 * motion.path and size < 30:
                found.add("path:circle")
            if 60 <= abs(motion.turned) <= 120 and size < 30:
                found.add(f"{name}:{'left' if motion.turned > 0 else 'right'}")
        else:
            ways = {
                "": size < 15, "forward": size < 15, f"forward+{side}": 15 < size < 72, side: 30 < size < 150,
                "sideways": 60 < size < 120, f"{side}+sideways": 60 < size < 120, "backward": size > 160,
                f"backward+{side}": 110 < size < 160, "diagonal": 15 < size < 72,
            }  # fmt: skip
            found |= {f"{name}:{way}" for way, fits in ways.items() if fits}
            if float(np.linalg.norm(motion.travel)) > 0.93 * motion.path:
                found.add("path:straight")
        if motion.path < 3.5:
            found.add("walk:few")
        speed = float(np.median(motion.speed[motion.speed > _STILL])) * 0.8 / motion.leg
        slow, fast = {"walk": (0.9, 1.35), "run": (2.2, 3.2), "crawl": (0.3, 1.0)}[name]
        found.add("manner:slow" if speed < slow else "manner:fast" if speed > fast else "manner:casual")
        if name == "run":
            found.add("run:sprint" if speed > 3.6 else "run:jog" if speed < 3.2 else "run:")
        return found

    def _turning(self) -> set[str]:
        turned = self.motion.turned
        size, way = abs(turned), "left" if turned > 0 else "right"
        if size < _TURNED:
            return set()
        found = {"turn:", f"turn:{way}"}
        if 140 <= size <= 220:
            found.add("turn:around")
        found |= {f"degrees:{angle}" for angle in (45, 90, 135, 180, 270, 360) if abs(size - angle) < 20 + angle / 10}
        turn = self.find("turn")
        if turn is not None and turn.end - turn.start > 1.5 and self.mover:
            found.add("path:curve")
        return found

    def _sides(self) -> set[str]:
        """Limbs, and how high hands go."""
        found: set[str] = set()
        for action in self.shown:
            if action.side is None:
                continue
            found.add(f"{action.name}:{action.side}")
            if action.name == "raise hands":
                found.add(f"lower hands:{action.side}")
            if action.name == "wave":
                found |= {f"raise hands:{action.side}", f"lower hands:{action.side}"}
            if action.side in SIDES:
                found.add("one leg" if action.name == "kick" else "one hand")
            if action.name in ("raise hands", "wave"):
                found |= self._height([0, 1] if action.side == "both" else [SIDES.index(action.side)])
        return found

    def _height(self, hands: list[int]) -> set[str]:
        """How high all of these hands go."""
        top = self.motion.hand_height[:, hands].max(axis=0)
        head = self.motion.joints[:, HEAD, 1] - self.motion.joints[:, list(SHOULDERS), 1].mean(axis=1)
        if top.min() > head.mean() + 0.15:
            return {"over-head", "above", "high"}
        return {"shoulder", "height", "level"} if np.abs(top).max() < 0.12 else set()

    def _jumping(self) -> set[str]:
        """How often and which way someone jumps."""
        if self.find("jump") is None:
            return set()
        motion = self.motion
        pelvis = motion.joints[:, 0, 1]
        air = (motion.lowest > 0.1) & (pelvis > np.median(pelvis) + 0.1)
        starts = np.flatnonzero(np.diff(np.concatenate([[0], air.astype(int)])) == 1)
        found = {f"jump#{len(starts)}"} | ({"repeated"} if len(starts) > 1 else set())
        start, end = longest_run(air)
        start, end = max(0, start - round(0.3 * motion.fps)), min(len(motion) - 1, end + round(0.2 * motion.fps))
        way = motion.velocity[start:end].sum(axis=0) / motion.fps
        left, forward = float(way[0]), float(way[2])
        if len(starts) > 1 and float(np.linalg.norm(motion.travel)) < 0.5:
            found.add("path:up and down")
        if abs(forward) > max(0.4, 2 * abs(left)):
            found.add(f"jump>{'forward' if forward > 0 else 'backward'}")
        if abs(left) > max(0.4, 2 * abs(forward)):
            found |= {f"jump>{'left' if left > 0 else 'right'}", "jump>sideways"}
        return found
