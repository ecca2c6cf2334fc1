"""Writes BVH files with known joints, under any names, in any unit and axes."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from modeling_motionllm.motion_features import HUMANML3D

NAMES = HUMANML3D.joint_names


def bvh_bytes(
    joints: np.ndarray,
    names: Mapping[str, str],
    *,
    unit: float = 1.0,
    up: str = "y",
    fps: float = 20.0,
    helpers: Iterable[str] = (),
    end_sites: Mapping[str, Sequence[float] | Sequence[Sequence[float]]] | None = None,
) -> bytes:
    """A BVH file whose joints move as given, by position channels alone.

    Args:
        joints: (N, 22, 3) metres, Y up.
        names: SMPL-22 joint -> its name in the file; joints that are not in it are left out.
        unit: metres per unit of the file.
        up: "y" or "z", the axis of the file that points up.
        fps: of the file.
        helpers: further joints, children of the root.
        end_sites: SMPL-22 joint -> offset of its end site (or those of several), in axes and units of the file.
    """
    axes = joints if up == "y" else np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], axis=-1)
    positions = axes / unit
    columns: list[np.ndarray] = []
    lines = ["HIERARCHY"]

    def add(joint: int, above: int | None, depth: int) -> None:
        children = [index for index, parent in enumerate(HUMANML3D.parents) if parent == joint]
        if NAMES[joint] not in names:
            for child in children:
                add(child, above, depth)
            return
        local = positions[:, joint] - (0 if above is None else positions[:, above])
        columns.append(local)
        pad = "  " * depth
        lines.append(f"{pad}{'ROOT' if above is None else 'JOINT'} {names[NAMES[joint]]}")
        lines.append(f"{pad}{{")
        lines.append(f"{pad}  OFFSET {' '.join(repr(float(value)) for value in local[0])}")
        lines.append(f"{pad}  CHANNELS 3 Xposition Yposition Zposition")
        for child in children:
            add(child, joint, depth + 1)
        if NAMES[joint] in (end_sites or {}):
            for site in np.atleast_2d((end_sites or {})[NAMES[joint]]).tolist():
                offset = " ".join(map(str, site))
                lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET {offset}", f"{pad}  }}"])
        if above is None:
            for helper in helpers:
                lines.extend([f"  JOINT {helper}", "  {", "    OFFSET 0 0 0", "    CHANNELS 1 Zrotation", "  }"])
                columns.append(np.zeros((len(joints), 1)))
        lines.append(f"{pad}}}")

    add(0, None, 0)
    lines += ["MOTION", f"Frames: {len(joints)}", f"Frame Time: {1 / fps!r}"]
    lines += [" ".join(repr(float(value)) for value in row) for row in np.concatenate(columns, axis=1)]
    return ("\n".join(lines) + "\n").encode()
