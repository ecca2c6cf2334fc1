"""A real motion rotated, scaled, at other rates, renamed and mirrored: the same joints to a millimetre, or one line."""

from pathlib import Path

import numpy as np
import pytest
from bvh_writer import NAMES, bvh_bytes

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

from hub_scripts.data.bvh import parse_bvh  # noqa: E402
from hub_scripts.data.gate import ReadingOptions  # noqa: E402
from hub_scripts.data.retarget import JointPositions, read_people, retarget  # noqa: E402
from hub_scripts.skeletons.body_frame import UP_AXES, to_y_up  # noqa: E402
from hub_scripts.skeletons.maps import BUILT_IN_MAPS  # noqa: E402
from modeling_motionllm.errors_motionllm import MotionLLMError  # noqa: E402
from modeling_motionllm.motion_features import HUMANML3D, resample_joints  # noqa: E402

JOINTS = np.load(Path(__file__).parents[1] / "fixtures" / "bandai" / "expected_joints.npz")
CLIPS = [JOINTS[name].astype(np.float64) for name in sorted(JOINTS.files)]
# Maps in which each joint has a name of its own.
NAMINGS = [
    {joint: sources[0] for joint, sources in BUILT_IN_MAPS[name].joints.items()}
    for name in ("smpl22", "mixamo", "lafan1", "smpl")
] + [{joint: f"Bip01 {joint.replace('_', ' ').title()}" for joint in NAMES}]


@st.composite
def ways(draw: "st.DrawFn") -> dict[str, object]:
    """How a clip is written."""
    return {
        "clip": draw(st.integers(0, len(CLIPS) - 1)),
        "turn": draw(st.floats(0, 2 * np.pi)),
        "place": draw(st.tuples(st.floats(-3, 3), st.just(0.0), st.floats(-3, 3))),
        "up": draw(st.sampled_from(UP_AXES)),
        "unit": draw(st.sampled_from([1.0, 0.01, 0.001, 0.0254, 2.7, 0.031])),
        "rate": draw(st.sampled_from([20, 40, 60, 120])),
        "names": draw(st.integers(0, len(NAMINGS) - 1)),
        "mirrored": draw(st.booleans()),
        "array": draw(st.booleans()),
    }


@hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None)
@hypothesis.given(ways())
def test_the_same_joints_or_one_line(way: dict[str, object]) -> None:
    turn, up, unit, rate = way["turn"], str(way["up"]), float(str(way["unit"])), int(str(way["rate"]))
    sine, cosine = np.sin(turn), np.cos(turn)  # type: ignore[call-overload]
    around_y = np.array([[cosine, 0.0, -sine], [0.0, 1.0, 0.0], [sine, 0.0, cosine]])
    joints = CLIPS[int(str(way["clip"]))] @ around_y + np.array(way["place"])
    written = np.asarray(resample_joints(joints, 20, rate)) * ([-1.0, 1.0, 1.0] if way["mirrored"] else 1.0)
    written = written @ to_y_up(np.eye(3), up).T
    refused = ""
    try:
        if way["array"]:
            array = JointPositions(HUMANML3D.joint_names, HUMANML3D.parents, written / unit, None, float(rate))
            (_, motion), *_ = read_people([array], "clip.npy", ReadingOptions())
            read, notes = np.asarray(resample_joints(motion.joints, rate, 20)), motion.notes
        else:
            data = bvh_bytes(written, NAMINGS[int(str(way["names"]))], unit=unit, fps=rate)
            found = retarget(parse_bvh(data, "clip.bvh"), "clip.bvh")
            read, notes = found.joints, found.notes
    except MotionLLMError as error:
        refused = str(error)
    if refused:
        assert "\n" not in refused
        assert way["mirrored"] or up.endswith("x") or unit in (2.7, 0.031)
        return
    assert not way["mirrored"]
    if any("the unit is none of the usual ones" in note or "no adult" in note for note in notes):
        assert unit in (2.7, 0.031)
        return
    assert read.shape == joints.shape
    np.testing.assert_allclose(read, joints, atol=1e-3)
