"""One motion under the names of many programs, in many axes, units and rates: the same joints, or one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from namings import NAMINGS, RATES, UNITS, UPS, named, off_by, recorded, write

from hub_scripts.data.bvh import parse_bvh
from hub_scripts.data.motion_files import load_motion
from hub_scripts.data.retarget import retarget
from hub_scripts.export.bvh import build_bvh
from hub_scripts.skeletons.match import UnknownSkeletonError, match_skeleton
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

MOTION = recorded()


@pytest.mark.parametrize("name", NAMINGS)
def test_all_programs_in_some_axes_units_and_rates(name: str) -> None:
    """Two of the 36 files of each; the whole grid is read by `python tests/namings.py`."""
    random = np.random.default_rng(sum(map(ord, name)))
    for up, unit, fps in zip(random.choice(UPS, 2), random.choice(UNITS, 2), random.choice(RATES, 2), strict=True):
        written = write(MOTION, NAMINGS[name], str(up), float(unit), int(fps))
        assert off_by(retarget(parse_bvh(written.data, "clip.bvh"), "clip.bvh"), written) < 1e-3


def test_a_skeleton_of_known_names_in_another_tree_is_refused(tmp_path: Path) -> None:
    names = list(HUMANML3D.joint_names)
    parents = list(HUMANML3D.parents)
    parents[names.index("left_ankle")] = names.index("left_hip")  # beside the knee, not below it
    with pytest.raises(UnknownSkeletonError):
        match_skeleton(names, parents, (), "clip.bvh")
    flat = [-1] + [0] * (len(names) - 1)  # positions without a hierarchy: the names alone tell
    assert match_skeleton(names, flat, (), "clip.npz").indices["left_ankle"] == (names.index("left_ankle"),)
    motion, _ = named(MOTION, NAMINGS["Mixamo"])
    text = build_bvh(motion).replace("mixamorig:LeftUpLeg", "ThighOfTheLeftSide?").replace("mixamorig:LeftLeg", "Upper")
    (tmp_path / "odd.bvh").write_text(text)
    with pytest.raises(MotionLLMError, match=r"the skeleton of '.*odd\.bvh' is not known") as caught:
        load_motion(tmp_path / "odd.bvh")
    assert "\n" not in str(caught.value)
    template = json.loads((tmp_path / "odd.map.json").read_text())["joints"]
    assert (template["left_hip"], template["left_knee"]) == ("", "")
    assert (template["right_hip"], template["right_knee"]) == ("RightUpLeg", "RightLeg")
