"""The skeleton of Kimodo's `posed_joints`: SOMA's, with or without fingers; the arrays say nothing of their joints."""

__all__ = ["SOMA_JOINTS", "soma_skeleton"]

SOMA_JOINTS = (77, 30)  # how many joints it has with and without fingers
_FINGERS = (("Thumb", 3), *((finger, 4) for finger in ("Index", "Middle", "Ring", "Pinky")))


def soma_skeleton(joints: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and parents of the joints, in the order of the arrays.

    Args:
        joints: one of `SOMA_JOINTS`.
    """
    fingers = joints == SOMA_JOINTS[0]
    names: list[str] = []
    parents: list[int] = []

    def chain(above: str, *bones: str) -> None:
        for bone in bones:
            parents.append(names.index(above) if above else -1)
            names.append(bone)
            above = bone

    chain("", "Hips", "Spine1", "Spine2", "Chest", "Neck1", "Neck2", "Head")
    for bone in (["HeadEnd"] if fingers else []) + ["Jaw", "LeftEye", "RightEye"]:
        chain("Head", bone)
    for side in ("Left", "Right"):
        chain("Chest", *(f"{side}{bone}" for bone in ("Shoulder", "Arm", "ForeArm", "Hand")))
        for finger, count in _FINGERS:
            pieces = [*(str(piece + 1) for piece in range(count)), "End"] if fingers else ["End"]
            if fingers or finger in ("Thumb", "Middle"):
                chain(f"{side}Hand", *(f"{side}Hand{finger}{piece}" for piece in pieces))
    for side in ("Left", "Right"):
        toes = ["ToeBase", "ToeEnd"] if fingers else ["ToeBase"]
        chain("Hips", *(f"{side}{bone}" for bone in ("Leg", "Shin", "Foot", *toes)))
    return tuple(names), tuple(parents)
