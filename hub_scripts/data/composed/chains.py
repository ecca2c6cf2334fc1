"""Drawing one sequence in time: clips at random, cut where they fit, and joined."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hub_scripts.captions.words import STYLES
from modeling_motionllm.motion_features import canonicalize_joints

from .joins import CYCLIC, GOING, Cut, best_joins, join_motions, play
from .material import Material, MaterialClip

__all__ = ["MAX_FRAMES", "Chain", "compose_chain", "compose_circle"]

MAX_FRAMES = 201  # 10 s: 200 feature frames, 50 codes
_PER_CODE = 4  # feature frames
_LONGEST = {2: 132, 3: 92, 4: 68}  # frames of a segment, by the number of segments
_LONGEST_CYCLE = 84  # of one that goes on in the same way
_SHORTEST = {2: 28, 3: 24, 4: 20}
_SHORTEST_DANCE = 44
_LIVELY = 0.7  # of a clip's mean speed of its fastest joint, that a part of it must have
_CLIPS_TRIED = 24  # for each segment
_CIRCLE_TURNS = 4  # of a quarter each
_ONE_STYLE = 0.2  # share of the sequences that are all in one style other than normal


@dataclass(frozen=True)
class Chain:
    """A sequence.

    Args:
        clips: one a segment.
        joints: float64 (4 L + 1, 22, 3), canonical.
        ends: feature frame at which each segment ends, multiples of 4.
        stops: for each seam, whether somebody comes to a stop there.
        seams: first and last frame of each.
        style: of all of it; "normal" where it is of none.
    """

    clips: list[MaterialClip]
    joints: np.ndarray
    ends: list[int]
    stops: list[bool]
    seams: list[tuple[int, int]]
    style: str


def compose_chain(material: Material, segments: int, rng: np.random.Generator) -> Chain | str:
    """One attempt at a sequence.

    Args:
        material: clips to draw from.
        segments: 2 to 4.
        rng: decides.

    Returns:
        The sequence, or why these clips make none: "no clip", "no join", "too long", "off the floor" or "bad seam".
    """
    style = _style(rng)
    going = [bool(rng.random() < 0.5)]
    for _ in range(segments - 1):
        going.append(bool(rng.random() < (0.22 if going[-1] else 0.6)))

    def draw(clips: list[MaterialClip]) -> MaterialClip | None:
        def wanted(content: str) -> bool:
            return content.startswith(GOING) == going[len(clips)] and not (clips and content == clips[-1].content)

        return material.draw(rng, wanted, style, clips)

    return _drawn(draw, segments, rng, style)


def compose_circle(material: Material, side: str, rng: np.random.Generator) -> Chain | str:
    """One attempt at walking in a circle: four quarter turns to one side, without a stop between them.

    Args:
        material: clips to draw from; turns are called "walk-turn-left" and "walk-turn-right".
        side: "left" or "right".
        rng: decides.

    Returns:
        As `compose_chain`.
    """

    def draw(clips: list[MaterialClip]) -> MaterialClip | None:
        return material.draw(rng, lambda content: content == f"walk-turn-{side}", "normal", clips)

    return _drawn(draw, _CIRCLE_TURNS, rng, "normal", eased=False)


def _drawn(
    draw: Callable[[list[MaterialClip]], MaterialClip | None],
    segments: int,
    rng: np.random.Generator,
    style: str,
    eased: bool = True,
) -> Chain | str:
    """Clips, each drawn after those before it, cut where they fit, joined; `eased`: who goes may come to a stand."""

    def usable(cuts: list[Cut]) -> list[Cut]:
        return cuts if eased else [cut for cut in cuts if not cut.eased]

    first = draw([])
    if first is None:
        return "no clip"
    clips = [first]
    starts, ends = [_pick(_starts(first, segments, 0), rng)], []
    for _ in range(1, segments):
        allowed = usable(_ends(clips[-1], starts[-1], segments, rng))
        for _ in range(_CLIPS_TRIED):
            clip = draw(clips)
            begins = [] if clip is None else usable(_starts(clip, segments, 1))
            joins = [] if clip is None else best_joins(clips[-1].piece, allowed, clip.piece, begins)
            if clip is not None and joins:
                break
        else:
            return "no join"
        join = joins[int(rng.integers(len(joins)))]
        clips.append(clip)
        ends.append(join.end)
        starts.append(join.start)
    last = [cut for cut in _ends(clips[-1], starts[-1], segments, rng) if clips[-1].piece.is_grounded(cut.frame)]
    if not last:
        return "no join"
    ends.append(_pick(last, rng))
    if not clips[0].piece.is_grounded(starts[0].frame):
        return "off the floor"
    return _joined(clips, starts, ends, style)


def _joined(clips: list[MaterialClip], starts: list[Cut], ends: list[Cut], style: str) -> Chain | str:
    """The clips between their cuts, one after the other."""
    parts = [play(clip.piece, start, end) for clip, start, end in zip(clips, starts, ends, strict=True)]
    parts = [part - [0.0, part[..., 1].min(), 0.0] for part in parts]
    whole = (sum(map(len, parts)) - len(parts)) // _PER_CODE * _PER_CODE + 1
    if whole > MAX_FRAMES:
        return "too long"
    joints = np.asarray(canonicalize_joints(parts[0]))
    seams, segment_ends = [], []
    feet = [
        (clip.piece.stands[start.frame], clip.piece.stands[end.frame])
        for clip, start, end in zip(clips, starts, ends, strict=True)
    ]
    for place, part in enumerate(parts[1:]):
        joined = join_motions(joints, part, feet[place][1], feet[place + 1][0])
        if joined is None:
            return "bad seam"
        joints, seam = joined
        seams.append((seam.first, seam.last))
        segment_ends.append(round(seam.middle / _PER_CODE) * _PER_CODE)
    joints = np.asarray(canonicalize_joints(joints[:whole]))
    return Chain(clips, joints, [*segment_ends, whole - 1], [end.eased for end in ends[:-1]], seams, style)


def _style(rng: np.random.Generator) -> str:
    """The style of a sequence."""
    if rng.random() >= _ONE_STYLE:
        return "normal"
    styles = sorted(set(STYLES) - {"normal"})
    return styles[int(rng.integers(len(styles)))]


def _starts(clip: MaterialClip, segments: int, place: int) -> list[Cut]:
    """Where a clip may begin so that enough of it is left; the first of a sequence begins as it was recorded."""
    last = len(clip.piece.joints) - 1
    shortest = min(_shortest(clip, segments), last)
    cuts = [cut for cut in clip.piece.starts if cut.frame <= last - shortest or cut.frame == 0]
    return cuts if place else [cut for cut in cuts if not cut.eased]


def _ends(clip: MaterialClip, start: Cut, segments: int, rng: np.random.Generator) -> list[Cut]:
    """Where a clip that begins at `start` may end."""
    cyclic = clip.content in CYCLIC
    longest = min(_LONGEST[segments], _LONGEST_CYCLE) if cyclic else _LONGEST[segments]
    last = len(clip.piece.joints) - 1
    shortest = min(_shortest(clip, segments), last - start.frame)
    if cyclic:
        longest = int(rng.integers(shortest, max(longest, shortest) + 1))
    longest = max(longest, shortest + 12)
    cuts = [cut for cut in clip.piece.ends if shortest <= cut.frame - start.frame <= longest]
    if cyclic:
        cuts = [cut for cut in cuts if clip.piece.liveliness(start.frame, cut.frame) >= _LIVELY]
    return cuts


def _shortest(clip: MaterialClip, segments: int) -> int:
    dances = "dance" in clip.content or clip.content == "salsa"
    return max(_SHORTEST[segments], _SHORTEST_DANCE) if dances else _SHORTEST[segments]


def _pick(cuts: list[Cut], rng: np.random.Generator) -> Cut:
    return cuts[int(rng.integers(len(cuts)))]
