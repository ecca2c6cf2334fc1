"""Finding the 22 joints of a skeleton that no built-in map knows: by words in its names and the shape of its tree."""

import re
from collections.abc import Iterator, Sequence

from .joint_names import bare_names

__all__ = ["recognise_joints"]

_THIGH = {"thigh", "upleg", "upperleg", "uleg", "femur", "hip", "hipjoint"}
_SHIN = {"shin", "calf", "leg", "lowleg", "lowerleg", "shank", "tibia", "knee"}
_ANKLE = {"foot", "ankle", "talocrural"}
_TOES = {"toe", "toes", "toebase", "bigtoe", "ball"}
_COLLAR = {"clav", "clavicle", "collar", "collarbone", "inshoulder", "shoulder", "scapula", "thorax"}
_UPPER_ARM = {"upperarm", "uparm", "uarm", "arm", "humerus", "shoulder", "shldr"}
_FOREARM = {"forearm", "lowerarm", "lowarm", "farm", "larm", "radius", "elbow"}
_WRIST = {"hand", "wrist"}
_PELVIS = {"pelvis", "hip", "hips"}
_LIMB_WORDS = _THIGH | _SHIN | _ANKLE | _TOES | _COLLAR | _UPPER_ARM | _FOREARM | _WRIST
_SIDES = {"l": "left", "left": "left", "lt": "left", "r": "right", "right": "right", "rt": "right"}
_JOINED_SIDES = {"lu": ("l", "u"), "ru": ("r", "u"), "lf": ("l", "f"), "rf": ("r", "f")}  # Motive: LUArm, LFArm
_PREFIXES = {"bip", "b", "bone", "c", "cc", "base", "def", "j", "jnt", "joint", "m", "mixamorig", "org"}
_SUFFIXES = {"bend", "bone", "jnt", "joint", "part"}
_HELPERS = {"end", "fk", "helper", "ik", "leaf", "mch", "nub", "offset", "pole", "roll", "share", "target", "twist"}
_NO_HEAD = {"breast", "eye", "face", "hair", "hat", "jaw", "tongue", "weapon"}
_BONES = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


class _Tree:
    """Joints with what their names say: `sides` ("left", "right" or "") and `words` ("" for helpers)."""

    def __init__(self, names: Sequence[str], parents: Sequence[int]):
        self.parents = parents
        self.sides, self.words = map(list, zip(*map(_read_name, bare_names(names)), strict=True))

    def above(self, joint: int) -> Iterator[int]:
        """The joints above, nearest first; also of a parent that stands behind its child."""
        for _ in self.parents:
            joint = self.parents[joint]
            if joint < 0:
                return
            yield joint

    def meeting(self, one: int, other: int) -> int | None:
        """The lowest joint that both hang from."""
        chain = [one, *self.above(one)]
        return next((joint for joint in (other, *self.above(other)) if joint in chain), None)

    def nearest(self, joint: int, side: str, words: set[str]) -> int | None:
        """The start of the nearest bone of these words above; a bone of several pieces has them one after the other."""
        found = next((j for j in self.above(joint) if self.sides[j] == side and self.words[j] in words), None)
        while found is not None:
            piece = self.parents[found]
            if piece < 0 or (self.sides[piece], self.words[piece]) != (side, self.words[found]):
                break
            found = piece
        return found

    def topmost(self, side: str, words: set[str], below: int | None = None) -> Iterator[int]:
        """Joints of these words that no joint of these words is above."""
        for joint, word in enumerate(self.words):
            fits = word in words and self.sides[joint] == side and (below is None or below in self.above(joint))
            if fits and self.nearest(joint, side, words) is None:
                yield joint


def recognise_joints(names: Sequence[str], parents: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Joints that names and tree tell.

    A leg is a thigh above a shin above a foot, an arm an upper arm above a forearm above a hand, each of one side, in
    whatever words and spelling. The pelvis is where the legs meet, the chest where the arms do; spine, neck and head
    are on the way from one to the other and on from there.

    Args:
        names: of the J joints.
        parents: index of each joint's parent, -1 for a root.

    Returns:
        SMPL-22 joint -> indices of the joints whose mean position it is. What is not there is left out.
    """
    tree = _Tree(names, parents)
    found: dict[str, tuple[int, ...]] = {}
    for side in ("left", "right"):
        chains = [_leg(tree, side), _arm(tree, side)]
        found |= {f"{side}_{joint}": (index,) for chain in chains for joint, index in chain.items()}
    for side in ("left", "right"):
        for upper, lower in _BONES:
            ends = f"{side}_{upper}", f"{side}_{lower}"
            if set(ends) <= found.keys() and not _is_bone(tree, side, found[ends[0]][0], found[ends[1]][0]):
                del found[ends[0]]
    if {"left_hip", "right_hip", "left_shoulder", "right_shoulder"} <= found.keys():
        found |= _middle(tree, found)
    return found


def _read_name(name: str) -> tuple[str, str]:
    """Side and word of a name: `CC_Base_L_Thigh`, `lThigh`, `thigh_l`, `Bip01 L Thigh` all give left and thigh."""
    parts = [part.lower() for part in _WORDS.findall(name)]
    parts = [piece for part in parts for piece in _JOINED_SIDES.get(part, (part,))]
    if _HELPERS & set(parts) or any(part.endswith("twist") for part in parts):
        return "", ""
    side = next((_SIDES[part] for part in parts if part in _SIDES), "")
    rest = [part for part in parts if part not in _SIDES and not part.isdigit()]
    while len(rest) > 1 and rest[0] in _PREFIXES:
        rest = rest[1:]
    while len(rest) > 1 and rest[-1] in _SUFFIXES:
        rest = rest[:-1]
    word = "".join(rest)
    if side and word[:1] == "f" and word not in _LIMB_WORDS and word[1:] in _LIMB_WORDS:  # lf_hip, of Maya
        return side, word[1:]
    if not side:
        for start in ("left", "right", "l", "r"):  # lfemur, leftupleg
            if word.startswith(start) and word[len(start) :] in _LIMB_WORDS:
                return _SIDES[start], word[len(start) :]
    return side, word


def _leg(tree: _Tree, side: str) -> dict[str, int]:
    for ankle in tree.topmost(side, _ANKLE):
        knee = tree.nearest(ankle, side, _SHIN)
        hip = None if knee is None else tree.nearest(knee, side, _THIGH | {"leg"})
        if knee is not None and hip is not None:
            words = _TOES | ({"foot", "footindex"} if tree.words[ankle] == "ankle" else set())
            toes = next(tree.topmost(side, words, below=ankle), None)
            return {"hip": hip, "knee": knee, "ankle": ankle} | ({} if toes is None else {"foot": toes})
    return {}


def _arm(tree: _Tree, side: str) -> dict[str, int]:
    for elbow in tree.topmost(side, _FOREARM):
        shoulder = tree.nearest(elbow, side, _UPPER_ARM)
        if shoulder is None:
            continue
        # The forearm of ASF files is two bones, radius and wrist; it ends where the hand begins.
        words = [{"hand"}, _WRIST] if tree.words[elbow] == "radius" else [_WRIST]
        wrist = next((joint for these in words for joint in tree.topmost(side, these, below=elbow)), None)
        collar = tree.nearest(shoulder, side, _COLLAR)
        ends = {"wrist": wrist, "collar": collar}
        return {"shoulder": shoulder, "elbow": elbow} | {
            name: joint for name, joint in ends.items() if joint is not None
        }
    return {}


def _middle(tree: _Tree, found: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Pelvis, spine, neck and head."""
    pelvis = tree.meeting(found["left_hip"][0], found["right_hip"][0])
    chest = tree.meeting(found["left_shoulder"][0], found["right_shoulder"][0])
    base = None if pelvis is None or chest is None else tree.meeting(pelvis, chest)
    if pelvis is None or chest is None or base is None:  # several trees
        return {}
    spine = [joint for joint in (chest, *tree.above(chest)) if base in tree.above(joint)][::-1]
    parent = tree.parents[pelvis]
    if tree.words[pelvis] not in _PELVIS and parent >= 0 and tree.words[parent] in _PELVIS:
        pelvis = parent
    middle = {"pelvis": (pelvis,)} | _spine(spine)
    up = [joint for joint in range(len(tree.parents)) if not tree.sides[joint] and chest in tree.above(joint)]
    up = [joint for joint in up if not any(tree.sides[j] for j in _until(tree, joint, chest)) and tree.words[joint]]
    up.sort(key=lambda joint: len(_until(tree, joint, chest)))
    neck = next((joint for joint in up if "neck" in tree.words[joint]), None)
    head = next((joint for joint in up if tree.words[joint] in ("head", "skull")), None)
    face = next((joint for joint in up if tree.words[joint] == "face"), None)
    if head is None and face is None:  # as far up as it goes
        plain = [joint for joint in up if not any(word in tree.words[joint] for word in _NO_HEAD)]
        head = plain[-1] if plain and plain[-1] != neck else None
    if head is None and face is not None and neck is not None:
        middle["head"] = (neck, face)
    elif head is not None:
        middle["head"] = (head,)
        between = [joint for joint in _until(tree, head, chest) if tree.words[joint]]
        neck = between[-1] if neck is None and between else neck
    return middle if neck is None else middle | {"neck": (neck,)}


def _until(tree: _Tree, joint: int, top: int) -> list[int]:
    """Joints between `joint` and `top`, nearest to `joint` first."""
    above = list(tree.above(joint))
    return above[: above.index(top)]


def _is_bone(tree: _Tree, side: str, upper: int, lower: int) -> bool:
    """Whether nothing but twists and parts of the same limb are between two joints; else the upper one is another: a
    hip joint, where the thigh has a name that says nothing.
    """
    between = _until(tree, lower, upper)
    return all(not tree.words[j] or (tree.sides[j] == side and tree.words[j] in _LIMB_WORDS) for j in between)


def _spine(spine: list[int]) -> dict[str, tuple[int, ...]]:
    if len(spine) < 2:
        return {"spine3": (spine[0],)} if spine else {}
    middle = (spine[0], spine[1]) if len(spine) == 2 else (spine[len(spine) // 2],)
    return {"spine1": (spine[0],), "spine2": middle, "spine3": (spine[-1],)}
