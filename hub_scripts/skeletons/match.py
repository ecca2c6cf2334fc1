"""Finding the 22 joints among the joint names of a file."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

from .joint_names import bare_names
from .maps import BUILT_IN_MAPS, SkeletonMap, write_map_template
from .recognise import recognise_joints

__all__ = ["LAST_JOINTS", "SkeletonMatch", "UnknownSkeletonError", "match_skeleton", "offer_map_template"]

# What cannot be interpolated, and toes, which can but are worse for it. Of neck and head, one is enough.
_NEEDED = tuple(
    joint
    for joint in HUMANML3D.joint_names
    if joint not in ("spine1", "spine2", "spine3", "neck", "head", "left_collar", "right_collar")
)
_TOES = {"left_foot", "right_foot"}

# Joints that an end site can stand for: which joint it is the end of.
LAST_JOINTS = {
    f"{side}_{joint}": f"{side}_{above}"
    for side in ("left", "right")
    for joint, above in (("foot", "ankle"), ("wrist", "elbow"))
}


class UnknownSkeletonError(MotionLLMError):
    """The joints a motion needs cannot be found by name.

    Args:
        name: what messages call the file.
        missing: joints that were not found and cannot be interpolated.
        joints: what was found, as a start for a map file.
        joint_names: all joints of the file.
    """

    def __init__(
        self, name: str, missing: Sequence[str], joints: Mapping[str, tuple[str, ...]], joint_names: Sequence[str]
    ):
        self.problem = (
            f"the skeleton of '{name}' is not known: {len(missing)} joints were not found ({', '.join(missing)})"
        )
        super().__init__(f"{self.problem}; its joints are: {_some(joint_names)}")
        self.joints = joints
        self.joint_names = joint_names


def offer_map_template(error: UnknownSkeletonError, path: Path) -> str:
    """Write a map for an unknown skeleton to be completed, where none is yet; returns what to tell the user."""
    how = f"complete the map '{path}' and give it with --map"
    if path.exists():
        return how
    try:
        write_map_template(path, error.joints, error.joint_names)
    except MotionLLMError:  # the recordings may be read-only
        return "give a --map file (docs/own_data.md shows one)"
    return how


@dataclass(frozen=True)
class SkeletonMatch:
    """A map that fits a file: for each joint that is there, the indices of its source joints."""

    map: SkeletonMap
    indices: dict[str, tuple[int, ...]]


def match_skeleton(
    joint_names: Sequence[str],
    parents: Sequence[int],
    end_sites: Collection[int],
    name: str,
    given: SkeletonMap | None = None,
) -> SkeletonMatch:
    """Find the joints of a file: by the given map, else by the built-in map that finds most of them where its knees are
    between hips and ankles, else by the words in their names and the shape of the tree.

    Names are compared without case, punctuation and prefixes such as `mixamorig:`.

    Args:
        joint_names: joints of the file.
        parents: index of each joint's parent, -1 for a root.
        end_sites: indices of joints that have an end site; that of an ankle stands for the toes and that of an elbow
            for the wrist, where these are missing.
        name: what error messages call the file.
        given: the map to use.

    Raises:
        UnknownSkeletonError: joints that cannot be interpolated are missing.
        MotionLLMError: a name of the given map is not in the file, or two joints have the name that is looked for.
    """
    places = _places(joint_names)
    if given is not None:
        wanted = {source for sources in given.joints.values() for source in sources}
        absent = sorted(source for source in wanted if not _find(source, places))
        if absent:
            raise MotionLLMError(
                f"'{name}' lacks {len(absent)} joints that the map {given.name} names ({', '.join(absent)}); "
                f"its joints are: {', '.join(joint_names)}"
            )
        candidates = [given]
    else:
        candidates = [entry for entry in BUILT_IN_MAPS.values() if all(_find(j, places) for j in entry.signature)]
    matches = [(entry, _found(entry, places)) for entry in candidates]
    if given is None:
        matches = [(entry, found if _is_tree(_first(found, places), parents) else {}) for entry, found in matches]
    best, found = max(
        matches,
        key=lambda pair: (
            not set(_missing(_first(pair[1], places), end_sites)) - _TOES,
            len(pair[0].signature),
            len(pair[1]),
        ),
    )
    missing = _missing(_first(found, places), end_sites)
    fits, whole = not set(missing) - _TOES, not missing
    told = {} if given is not None else recognise_joints(joint_names, parents)
    told_names = {joint: tuple(joint_names[index] for index in group) for joint, group in told.items()}
    if whole or (fits and len(_missing(told, end_sites)) >= len(missing)):
        indices = {joint: tuple(_only(source, places, name) for source in sources) for joint, sources in found.items()}
        return SkeletonMatch(best, indices | _longer_spine(indices, told, parents))
    if given is None and not set(_missing(told, end_sites)) - _TOES:
        return SkeletonMatch(SkeletonMap("recognised", told_names), told)
    if len(told) > len(found):
        missing, found = _missing(told, end_sites), told_names
    raise UnknownSkeletonError(name, missing, found, joint_names)


def _longer_spine(
    found: Mapping[str, tuple[int, ...]], told: Mapping[str, tuple[int, ...]], parents: Sequence[int]
) -> dict[str, tuple[int, ...]]:
    """The spine up to where the arms hang, if the names of a map end below it: more spine joints than it knows."""
    chest, higher = (joints.get("spine3", joints.get("spine2", (-1,)))[-1] for joints in (found, told))
    if min(chest, higher) < 0 or chest not in _above(higher, parents):
        return {}
    return {joint: told[joint] for joint in ("spine1", "spine2", "spine3") if joint in told}


def _is_tree(found: Mapping[str, tuple[int, ...]], parents: Sequence[int]) -> bool:
    """Whether knees hang from hips, ankles from knees and so on, as far as they are found.

    A flat tree, in which no joint of a limb hangs from another, as of positions that have no hierarchy, says nothing
    against the names.
    """
    limbs = {
        f"{side}_{joint}": found[f"{side}_{joint}"][0]
        for side in ("left", "right")
        for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        if found.get(f"{side}_{joint}")
    }
    above = {joint: _above(index, parents) for joint, index in limbs.items()}
    if not any(set(limbs.values()) & set(places) for places in above.values()):
        return True
    return all(
        limbs[f"{side}_{upper}"] in above[f"{side}_{lower}"]
        for side in ("left", "right")
        for upper, lower in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
        if f"{side}_{upper}" in limbs and f"{side}_{lower}" in limbs
    )


def _above(joint: int, parents: Sequence[int]) -> list[int]:
    """The joints above one, nearest first."""
    found: list[int] = []
    while (joint := parents[joint]) >= 0 and joint not in found:
        found.append(joint)
    return found


def _places(joint_names: Sequence[str]) -> dict[str, list[int]]:
    """Where the joints are, by their name as it stands and by its plain form with and without what all names share."""
    places: dict[str, list[int]] = {}
    for index, (name, bare) in enumerate(zip(joint_names, bare_names(joint_names), strict=True)):
        local = name.rpartition(":")[2]
        forms = (name, _plain(name), _plain(local), _plain(bare), re.sub(r"^mixamorig\d*", "", _plain(local)))
        for form in dict.fromkeys(forms):
            if form:
                places.setdefault(form, []).append(index)
    return places


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _find(source: str, places: Mapping[str, list[int]]) -> list[int]:
    return places.get(source) or places.get(_plain(source)) or []


def _only(source: str, places: Mapping[str, list[int]], name: str) -> int:
    indices = _find(source, places)
    if len(indices) > 1:
        raise MotionLLMError(
            f"'{name}' has {len(indices)} joints called {source}; keep one skeleton in the file, or give a --map with "
            "the full names of one"
        )
    return indices[0]


def _found(entry: SkeletonMap, places: Mapping[str, list[int]]) -> dict[str, tuple[str, ...]]:
    return {joint: group for joint, group in entry.joints.items() if all(_find(source, places) for source in group)}


def _first(found: Mapping[str, tuple[str, ...]], places: Mapping[str, list[int]]) -> dict[str, tuple[int, ...]]:
    return {joint: tuple(_find(source, places)[0] for source in group) for joint, group in found.items()}


def _missing(found: Mapping[str, tuple[int, ...]], end_sites: Collection[int]) -> list[str]:
    missing = [joint for joint in _NEEDED if joint not in found]
    for joint, above in LAST_JOINTS.items():
        if joint in missing and above in found and found[above][0] in end_sites:
            missing.remove(joint)
    return missing if "neck" in found or "head" in found else [*missing, "neck"]


def _some(names: Sequence[str], limit: int = 150) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
