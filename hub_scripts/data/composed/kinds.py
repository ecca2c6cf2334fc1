"""The kinds of scenes: who does what, from where, and when. One function for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi, radians

import numpy as np

from hub_scripts.captions.clips import side_of

from .clips import FPS, Clip, ClipPool
from .drawing import FARTHEST, MAX_FRAMES, Actor, Draw, NoFit, polar, whole_frames
from .tracks import travel

__all__ = ["KINDS", "Kind"]

_WAVES = ("wave-left-hand", "wave-right-hand", "wave-both-hands")
_RAISES = ("raise-up-left-hand", "raise-up-right-hand", "raise-up-both-hands")
_ATTACKS = ("punch", "kick", "slash")


@dataclass(frozen=True)
class Kind:
    """One kind of scene.

    Args:
        name: its label.
        roles: of the people, in order.
        needs: contents; of each group the pool must have one.
        weight: how many scenes of this kind, relative to the others.
        draw: composes one; may fail.
    """

    name: str
    roles: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    weight: float
    draw: Callable[[Draw], list[Actor]]

    def compose(self, pool: ClipPool, rng: np.random.Generator) -> list[Actor] | None:
        """People of one scene, all equally long; None where the clips drawn do not go together."""
        try:
            return self.draw(Draw(pool, rng))
        except NoFit:
            return None


KINDS: dict[str, Kind] = {}


def _kind(
    name: str, roles: Sequence[str], needs: Sequence[Sequence[str]], weight: float = 1.0
) -> Callable[[Callable[[Draw], list[Actor]]], Callable[[Draw], list[Actor]]]:
    def register(draw: Callable[[Draw], list[Actor]]) -> Callable[[Draw], list[Actor]]:
        KINDS[name] = Kind(name, tuple(roles), tuple(tuple(group) for group in needs), weight, draw)
        return draw

    return register


def _gestures(draw: Draw, clips: Sequence[Clip], waits: Sequence[int]) -> list[np.ndarray]:
    """Everybody stays in place; the scene lasts until the last gesture is over, and somewhat longer."""
    end = max(wait + len(clip) for wait, clip in zip(waits, clips, strict=True))
    if end > MAX_FRAMES:
        raise NoFit
    frames = whole_frames(end + 3 + draw.wait(0, 8))
    return [draw.stand([clip.joints], wait, frames) for clip, wait in zip(clips, waits, strict=True)]


def _face_to_face(
    draw: Draw, roles: Sequence[str], clips: Sequence[Clip], waits: Sequence[int], near: float, far: float
) -> list[Actor]:
    one, other = _gestures(draw, clips, waits)
    direction = draw.uniform(radians(-15), radians(15))
    x, z = polar(draw.uniform(near, far), direction)
    heading = direction + pi + draw.uniform(radians(-12), radians(12))
    return [
        Actor(roles[0], (clips[0],), one, wait=waits[0]),
        Actor(roles[1], (clips[1],), other, x, z, heading, waits[1]),
    ]


@_kind("bow", ("first to bow", "second to bow"), [("bow",)])
def _bow(draw: Draw) -> list[Actor]:
    clips = [draw.clip(("bow",)), draw.clip(("bow",))]
    return _face_to_face(draw, KINDS["bow"].roles, clips, (draw.wait(0, 8), draw.wait(0, 30)), 1.3, 3.2)


@_kind("wave", ("waving", "waving"), [_WAVES])
def _wave(draw: Draw) -> list[Actor]:
    first = draw.clip(_WAVES)
    second = draw.clip((first.content,) if draw.rng.random() < 0.5 else _WAVES)
    waits = (draw.wait(0, 8), draw.wait(0, 25))
    return _face_to_face(draw, KINDS["wave"].roles, [first, second], waits, 1.2, 4.5)


@_kind("raise-hands", ("raising", "raising"), [_RAISES])
def _raise_hands(draw: Draw) -> list[Actor]:
    first = draw.clip(_RAISES)
    second = draw.clip((first.content,) if draw.rng.random() < 0.6 else _RAISES)
    waits = (draw.wait(0, 8), draw.wait(0, 15))
    return _face_to_face(draw, KINDS["raise-hands"].roles, [first, second], waits, 1.0, 4.0)


@_kind("wave-answer", ("greeting", "answering"), [_WAVES])
def _wave_answer(draw: Draw) -> list[Actor]:
    clips = [draw.clip(_WAVES), draw.clip(draw.one_of(_WAVES, _RAISES))]
    waits = (draw.wait(0, 5), draw.wait(30, 60))
    return _face_to_face(draw, KINDS["wave-answer"].roles, clips, waits, 1.2, 4.5)


@_kind("call-answer", ("calling", "answering"), [("call",), _RAISES], weight=0.6)
def _call_answer(draw: Draw) -> list[Actor]:
    clips = [draw.clip(("call",)), draw.clip(draw.one_of(("respond", *_RAISES[:2]), _WAVES[:2]))]
    waits = (draw.wait(0, 8), draw.wait(45, 70))
    return _face_to_face(draw, KINDS["call-answer"].roles, clips, waits, 2.0, 5.8)


def _comer(draw: Draw, contents: Sequence[str], shortest: int) -> tuple[Clip, np.ndarray, float, float]:
    """Someone who comes a few metres: clip, joints, direction, distance."""
    clip = draw.clip(contents)
    path = np.linalg.norm((clip.joints[:, 0] - clip.joints[0, 0])[:, [0, 2]], axis=-1)
    frames = int(np.searchsorted(path, draw.uniform(2.5, 5.0)))
    if frames < shortest or frames > len(clip):
        raise NoFit
    return clip, *travel(clip.joints, 0, whole_frames(frames))


@_kind("call-come", ("calling", "coming"), [("call",), ("walk",)], weight=0.6)
def _call_come(draw: Draw) -> list[Actor]:
    call = draw.clip(("call",))
    clip, track, course, way = _comer(draw, ("walk",), 61)
    caller = draw.stand([call.joints], 0, len(track))
    direction = draw.uniform(radians(-20), radians(20))
    x, z = polar(way + draw.uniform(0.9, 1.4), direction)
    return [Actor("calling", (call,), caller), Actor("coming", (clip,), track, x, z, direction + pi - course)]


@_kind("greet-comer", ("greeting", "coming"), [_WAVES, ("walk", "run")])
def _greet_comer(draw: Draw) -> list[Actor]:
    clip, track, course, way = _comer(draw, ("walk", "walk", "run"), 33)
    greeting = draw.clip(draw.one_of(_WAVES, _RAISES))
    greeter = draw.stand([greeting.joints], 0, len(track))
    direction = draw.uniform(radians(-20), radians(20))
    x, z = polar(way + draw.uniform(0.9, 1.5), direction)
    return [Actor("greeting", (greeting,), greeter), Actor("coming", (clip,), track, x, z, direction + pi - course)]


def _leaver(draw: Draw, role: str) -> tuple[Actor, float]:
    """Someone who goes away, and the direction from the origin."""
    clip = draw.clip(draw.one_of(("walk",), ("walk",), ("run",)))
    track, course, _ = travel(clip.joints, 0, whole_frames(min(len(clip), 161)))
    direction = draw.uniform(radians(-25), radians(25))
    x, z = polar(draw.uniform(0.9, 2.2), direction)
    away = direction + draw.uniform(radians(-15), radians(15))
    return Actor(role, (clip,), track, x, z, away - course), direction


def _goodbye_clip(draw: Draw) -> Clip:
    return draw.clip(draw.one_of(("bye", "byebye"), _WAVES))


@_kind("goodbye", ("waving goodbye", "leaving"), [("bye", "byebye", *_WAVES), ("walk", "run")], weight=1.3)
def _goodbye(draw: Draw) -> list[Actor]:
    leaver, _ = _leaver(draw, "leaving")
    clip = _goodbye_clip(draw)
    return [Actor("waving goodbye", (clip,), draw.stand([clip.joints], 0, len(leaver.joints))), leaver]


def _abreast(draw: Draw, roles: Sequence[str], contents: Sequence[str], gap: tuple[float, float]) -> list[Actor]:
    """People going the same way at the same pace, side by side; each next one on the same side."""
    clips = [draw.clip(contents)]
    while len(clips) < len(roles):
        clips.append(draw.clip((clips[0].content,), like=clips[0]))
    frames = whole_frames(min(161, *map(len, clips)))
    side, place = draw.side(), 0.0
    actors: list[Actor] = []
    for role, clip in zip(roles, clips, strict=True):
        track, course, _ = travel(clip.joints, 0, frames)
        ahead = draw.uniform(-0.25, 0.25) if actors else 0.0
        actors.append(Actor(role, (clip,), track, side * place, ahead, -course))
        place += draw.uniform(*gap)
    return actors


_PACES = (("walk",), ("walk",), ("run",), ("walk-turn-left",), ("walk-turn-right",))


@_kind("walk-together", ("walking", "walking"), [("walk", "run")], weight=1.3)
def _walk_together(draw: Draw) -> list[Actor]:
    return _abreast(draw, KINDS["walk-together"].roles, draw.one_of(*_PACES), (0.65, 1.3))


def _in_line(draw: Draw, roles: Sequence[str], contents: Sequence[str], gap: tuple[float, float]) -> list[Actor]:
    """People going one behind the other; the first one leads."""
    clips = [draw.clip(contents)]
    while len(clips) < len(roles):
        clips.append(draw.clip((clips[0].content,), like=clips[0]))
    frames = whole_frames(min(161, *map(len, clips)))
    place = 0.0
    actors: list[Actor] = []
    for role, clip in zip(roles, clips, strict=True):
        track, course, _ = travel(clip.joints, 0, frames)
        aside = draw.uniform(-0.25, 0.25) if actors else 0.0
        actors.append(Actor(role, (clip,), track, aside, -place, -course))
        place += draw.uniform(*gap)
    return actors


@_kind("follow", ("leading", "following"), [("walk", "run")], weight=1.3)
def _follow(draw: Draw) -> list[Actor]:
    return _in_line(draw, KINDS["follow"].roles, draw.one_of(("walk",), ("walk",), ("run",)), (1.0, 3.0))


def _towards(draw: Draw, roles: Sequence[str], clips: Sequence[Clip], frames: int, meet: bool) -> list[Actor]:
    """Two people going towards each other, until they meet or past each other."""
    tracks = [travel(clip.joints, 0, frames) for clip in clips]
    (one, course, way), (other, other_course, other_way) = tracks
    aside = draw.uniform(-0.3, 0.3) if meet else draw.side() * draw.uniform(0.75, 1.5)
    apart = way + other_way + draw.uniform(0.9, 1.5) if meet else draw.uniform(0.45, 0.75) * (way + other_way)
    if not 2.0 < apart < FARTHEST:
        raise NoFit
    return [
        Actor(roles[0], (clips[0],), one, 0.0, 0.0, -course),
        Actor(roles[1], (clips[1],), other, aside, apart, pi - other_course),
    ]


@_kind("meet", ("coming", "coming"), [("walk", "run")])
def _meet(draw: Draw) -> list[Actor]:
    contents = draw.one_of(("walk",), ("walk",), ("walk", "run"))
    clips = [draw.clip(contents), draw.clip(contents)]
    seconds = draw.uniform(2.6, 4.8) / sum(clip.speed for clip in clips)
    frames = whole_frames(min(seconds * FPS, *map(len, clips)))
    return _towards(draw, KINDS["meet"].roles, clips, frames, meet=True)


@_kind("pass-by", ("passing", "passing"), [("walk", "run")], weight=1.3)
def _pass_by(draw: Draw) -> list[Actor]:
    clips = [draw.clip(draw.one_of(("walk",), ("walk",), ("run",))), draw.clip(draw.one_of(("walk",), ("run",)))]
    seconds = draw.uniform(5.0, 11.0) / sum(clip.speed for clip in clips)
    frames = whole_frames(min(seconds * FPS, *map(len, clips)))
    return _towards(draw, KINDS["pass-by"].roles, clips, frames, meet=False)


@_kind("part", ("turning off", "turning off"), [("walk-turn-left",), ("walk-turn-right",)])
def _part(draw: Draw) -> list[Actor]:
    side = draw.side()  # 1: the second person is on the left and turns left
    names = ("walk-turn-right", "walk-turn-left")[::side]
    one = draw.clip((names[0],))
    other = draw.clip((names[1],), like=one)
    frames = whole_frames(min(len(one), len(other)))
    aside = side * draw.uniform(0.7, 1.4)
    first, second = (travel(clip.joints, 0, frames)[0] for clip in (one, other))
    roles = KINDS["part"].roles
    return [Actor(roles[0], (one,), first), Actor(roles[1], (other,), second, aside, draw.uniform(-0.25, 0.25))]


@_kind("dance", ("dancing", "cheering"), [("dance-short", "dance-long"), _RAISES], weight=0.6)
def _dance(draw: Draw) -> list[Actor]:
    dance = draw.clip(("dance-short", "dance-long"))
    frames = whole_frames(draw.uniform(80, 170))
    # It begins with some seconds of standing.
    first = int(draw.uniform(160, max(161, len(dance) - frames)))
    if first + frames > len(dance):
        raise NoFit
    dancer, _, _ = travel(dance.joints, first, frames)
    cheer = draw.clip(draw.one_of(_RAISES, ("wave-both-hands",)))
    parts = [cheer.joints] * (2 if 2 * len(cheer) < frames else 1)
    watcher = draw.stand(parts, draw.wait(0, 15), frames)
    direction = draw.uniform(radians(-40), radians(40))
    x, z = polar(draw.uniform(2.0, 3.8), direction)
    return [Actor("dancing", (dance,), dancer), Actor("cheering", (cheer,), watcher, x, z, direction + pi)]


@_kind("fight", ("attacking", "retreating"), [_ATTACKS, ("walk-back",)], weight=0.8)
def _fight(draw: Draw) -> list[Actor]:
    attack, retreat = draw.clip(_ATTACKS), draw.clip(("walk-back",))
    # Whoever attacks stays in place, so the other one need not go far.
    frames = whole_frames(min(len(attack), len(retreat), draw.uniform(1.0, 2.8) / retreat.speed * FPS))
    attacker, _, _ = travel(attack.joints, int(draw.uniform(0, len(attack) - frames)), frames)
    track, course, _ = travel(retreat.joints, int(draw.uniform(0, len(retreat) - frames)), frames)
    direction = draw.uniform(radians(-8), radians(8))
    x, z = polar(draw.uniform(1.2, 2.0), direction)
    return [
        Actor("attacking", (attack,), attacker),
        Actor("retreating", (retreat,), track, x, z, direction - course),
    ]


@_kind("run-past", ("running past", "staying"), [("run", "dash", "walk"), (*_RAISES, *_WAVES)], weight=1.3)
def _run_past(draw: Draw) -> list[Actor]:
    mover = draw.clip(draw.one_of(("run",), ("dash",), ("walk",)))
    seconds = draw.uniform(5.0, 9.0) / mover.speed
    frames = whole_frames(min(seconds * FPS, len(mover)))
    track, course, way = travel(mover.joints, 0, frames)
    gesture = draw.clip(draw.one_of(("bow",), _RAISES, _WAVES), frames=(20, frames + 20))
    aside = draw.side() * draw.uniform(0.8, 1.7)
    ahead = min(way * draw.uniform(0.35, 0.65), FARTHEST)
    # Towards the path, towards who is coming, or with the back to the path.
    facing = draw.rng.choice([-np.sign(aside) * pi / 2, pi, np.sign(aside) * pi / 2], p=[0.5, 0.35, 0.15])
    heading = float(facing) + draw.uniform(radians(-20), radians(20))
    stayer = draw.stand([gesture.joints], draw.wait(0, 6), frames)
    return [
        Actor("running past", (mover,), track, 0.0, 0.0, -course),
        Actor("staying", (gesture,), stayer, aside, ahead, heading),
    ]


@_kind("guide", ("showing the way", "going there"), [("guide",), ("walk",)])
def _guide(draw: Draw) -> list[Actor]:
    guide, walk = draw.clip(("guide",)), draw.clip(("walk",))
    frames = whole_frames(min(len(walk), len(guide) + 20))
    track, course, way = travel(walk.joints, 0, frames)
    to_left = 1 if side_of("guide", guide.joints) == "left" else -1
    start = -to_left * draw.uniform(0.3, 0.6) * min(way, 5.0)
    guiding = draw.stand([guide.joints], 0, frames)
    heading = to_left * pi / 2 + draw.uniform(radians(-8), radians(8)) - course
    return [
        Actor("showing the way", (guide,), guiding),
        Actor("going there", (walk,), track, start, draw.uniform(1.0, 2.0), heading),
    ]


@_kind("three-greet", ("greeting",) * 3, [(*_WAVES, *_RAISES)])
def _three_greet(draw: Draw) -> list[Actor]:
    contents = draw.one_of(_WAVES, _RAISES, ("bow",))
    first = draw.clip(contents)
    alike = (first.content,) if draw.rng.random() < 0.6 else contents
    clips = [first, draw.clip(alike), draw.clip(alike)]
    waits = [draw.wait(0, 8), draw.wait(0, 20), draw.wait(0, 20)]
    tracks = _gestures(draw, clips, waits)
    radius, turn = draw.uniform(0.8, 2.0), draw.side()
    actors = []
    for place, (clip, track, wait) in enumerate(zip(clips, tracks, waits, strict=True)):
        angle = turn * place * 2 * pi / 3 + (draw.uniform(radians(-12), radians(12)) if place else 0.0)
        x, z = polar(radius, angle + pi)  # around a point in front of person 1, everybody facing it
        heading = angle + (draw.uniform(radians(-10), radians(10)) if place else 0.0)
        actors.append(Actor("greeting", (clip,), track, x, z, heading, wait))
    return actors


@_kind("three-walk", ("walking",) * 3, [("walk", "run")])
def _three_walk(draw: Draw) -> list[Actor]:
    return _abreast(draw, KINDS["three-walk"].roles, draw.one_of(("walk",), ("walk",), ("run",)), (0.65, 1.1))


@_kind("three-follow", ("leading", "following", "following last"), [("walk", "run")], weight=0.8)
def _three_follow(draw: Draw) -> list[Actor]:
    return _in_line(draw, KINDS["three-follow"].roles, draw.one_of(("walk",), ("walk",), ("run",)), (1.0, 2.2))


@_kind("three-goodbye", ("waving goodbye", "waving goodbye", "leaving"), [_WAVES, ("walk", "run")])
def _three_goodbye(draw: Draw) -> list[Actor]:
    leaver, direction = _leaver(draw, "leaving")
    clips = [_goodbye_clip(draw), _goodbye_clip(draw)]
    frames = len(leaver.joints)
    first, second = (draw.stand([clip.joints], wait, frames) for clip, wait in zip(clips, (0, 0), strict=True))
    x, z = draw.side() * draw.uniform(0.8, 1.5), draw.uniform(-0.3, 0.3)
    heading = direction - np.sign(x) * radians(15) + draw.uniform(radians(-10), radians(10))
    return [
        Actor("waving goodbye", (clips[0],), first),
        Actor("waving goodbye", (clips[1],), second, x, z, float(heading)),
        leaver,
    ]
