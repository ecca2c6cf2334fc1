"""ASF and AMC files, written here, with places that can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from hub_scripts.data.acclaim import find_asf, parse_amc, parse_asf, read_amc
from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.motion_files import load_motion
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion_features import HUMANML3D

INDEX = {joint: index for index, joint in enumerate(HUMANML3D.joint_names)}

# Bones of a person in inches / 0.45 (CMU's unit): direction, length, axis, dof. The legs are two bones of 7.2 each.
_BONES = {
    "lhipjoint": ((1, 0, 0), 1.7, (0, 0, 0), ""),
    "lfemur": ((0, -1, 0), 7.2, (0, 0, 20), "rx ry rz"),
    "ltibia": ((0, -1, 0), 7.2, (0, 0, 20), "rx"),
    "lfoot": ((0, 0, 1), 2.3, (-90, 0, 20), "rx rz"),
    "ltoes": ((0, 0, 1), 1.1, (-90, 0, 20), "rx"),
    "rhipjoint": ((-1, 0, 0), 1.7, (0, 0, 0), ""),
    "rfemur": ((0, -1, 0), 7.2, (0, 0, -20), "rx ry rz"),
    "rtibia": ((0, -1, 0), 7.2, (0, 0, -20), "rx"),
    "rfoot": ((0, 0, 1), 2.3, (-90, 0, -20), "rx rz"),
    "rtoes": ((0, 0, 1), 1.1, (-90, 0, -20), "rx"),
    "lowerback": ((0, 1, 0), 2, (0, 0, 0), "rx ry rz"),
    "upperback": ((0, 1, 0), 2, (0, 0, 0), "rx ry rz"),
    "thorax": ((0, 1, 0), 2, (0, 0, 0), "rx ry rz"),
    "lowerneck": ((0, 1, 0), 1.7, (0, 0, 0), "rx ry rz"),
    "upperneck": ((0, 1, 0), 1.7, (0, 0, 0), "rx ry rz"),
    "head": ((0, 1, 0), 1.8, (0, 0, 0), "rx ry rz"),
    "lclavicle": ((1, 0, 0), 3, (0, 0, 0), "ry rz"),
    "lhumerus": ((1, 0, 0), 5, (180, 30, 90), "rx ry rz"),
    "lradius": ((1, 0, 0), 3.3, (180, 30, 90), "rx"),
    "lwrist": ((1, 0, 0), 1.6, (0, 90, 90), "ry"),
    "lhand": ((1, 0, 0), 0.5, (0, 90, 90), "rx rz"),
    "rclavicle": ((-1, 0, 0), 3, (0, 0, 0), "ry rz"),
    "rhumerus": ((-1, 0, 0), 5, (180, -30, -90), "rx ry rz"),
    "rradius": ((-1, 0, 0), 3.3, (180, -30, -90), "rx"),
    "rwrist": ((-1, 0, 0), 1.6, (0, -90, -90), "ry"),
    "rhand": ((-1, 0, 0), 0.5, (0, -90, -90), "rx rz"),
}
_CHAINS = """\
root lhipjoint rhipjoint lowerback
lhipjoint lfemur
lfemur ltibia
ltibia lfoot
lfoot ltoes
rhipjoint rfemur
rfemur rtibia
rtibia rfoot
rfoot rtoes
lowerback upperback
upperback thorax
thorax lowerneck lclavicle rclavicle
lowerneck upperneck
upperneck head
lclavicle lhumerus
lhumerus lradius
lradius lwrist
lwrist lhand
rclavicle rhumerus
rhumerus rradius
rradius rwrist
rwrist rhand"""
_UNIT = 0.0254 / 0.45


def asf(angle: str = "deg") -> str:
    turn = 1.0 if angle == "deg" else np.pi / 180
    bones = "\n".join(
        f"  begin\n     id {number}\n     name {name}\n     direction {x} {y} {z}\n     length {length}\n"
        f"     axis {' '.join(str(turn * a) for a in axis)}  XYZ\n"
        + (f"    dof {dof}\n    limits (-160.0 20.0)\n           (-70.0 70.0)\n" if dof else "")
        + "  end"
        for number, (name, ((x, y, z), length, axis, dof)) in enumerate(_BONES.items(), start=1)
    )
    return (
        "# made by hand\n:version 1.10\n:name TEST\n:units\n  mass 1.0\n  length 0.45\n"
        f"  angle {angle}\n:documentation\n   any words\n:root\n   order TX TY TZ RX RY RZ\n   axis XYZ\n"
        f"   position 0 0 0\n   orientation 0 0 0\n:bonedata\n{bones}\n:hierarchy\n  begin\n"
        + "\n".join(f"    {line}" for line in _CHAINS.splitlines())
        + "\n  end\n"
    )


def amc(frames: list[dict[str, tuple[float, ...]]], kind: str = "DEGREES") -> str:
    lines = [":FULLY-SPECIFIED", f":{kind}"]
    for number, frame in enumerate(frames, start=1):
        lines.append(str(number))
        lines.append("root " + " ".join(map(str, frame.get("root", (0, 15.5, 0, 0, 0, 0)))))
        for name, (_, _, _, dof) in _BONES.items():
            if dof:
                lines.append(f"{name} " + " ".join(map(str, frame.get(name, (0,) * len(dof.split())))))
    return "\n".join(lines) + "\n"


def places(frame: dict[str, tuple[float, ...]], **options: str) -> dict[str, np.ndarray]:
    skeleton = parse_asf(asf(**options).encode(), "x.asf")
    kind = "RADIANS" if options.get("angle") == "rad" else "DEGREES"
    read = parse_amc(amc([frame], kind).encode(), "x.amc", skeleton)
    return dict(zip(read.joint_names, read.positions[0], strict=True))


def test_the_rest_pose_is_the_bones_one_after_the_other() -> None:
    at = places({})
    np.testing.assert_allclose(at["root"], [0, 15.5, 0])
    np.testing.assert_allclose(at["lfemur"], [1.7, 15.5, 0], atol=1e-12)
    np.testing.assert_allclose(at["ltibia"], [1.7, 8.3, 0], atol=1e-12)
    np.testing.assert_allclose(at["ltoes"], [1.7, 1.1, 2.3], atol=1e-12)
    np.testing.assert_allclose(at["lhand"], [3 + 5 + 3.3 + 1.6, 21.5, 0], atol=1e-12)
    np.testing.assert_allclose(at["head"], [0, 15.5 + 6 + 3.4, 0], atol=1e-12)


def test_a_bone_turns_about_its_own_axes_and_takes_what_hangs_from_it() -> None:
    """The femur's own x axis is x turned by 20 degrees about z; a turn by -90 degrees about it."""
    at = places({"lfemur": (-90.0, 0.0, 0.0)})
    axis = np.array([np.cos(np.radians(20)), np.sin(np.radians(20)), 0.0])
    bone = np.array([0.0, -7.2, 0.0])
    turned = axis * (axis @ bone) + np.cross(axis, bone) * np.sin(np.radians(-90))
    np.testing.assert_allclose(at["ltibia"], np.array([1.7, 15.5, 0]) + turned, atol=1e-12)
    np.testing.assert_allclose(at["lfoot"], np.array([1.7, 15.5, 0]) + 2 * turned, atol=1e-12)


def test_of_several_angles_the_first_is_applied_first() -> None:
    at = places({"lowerback": (90.0, 0.0, 90.0)})  # up goes to +z, and stays there when turned about z
    np.testing.assert_allclose(at["upperback"], [0, 15.5, 2], atol=1e-12)
    np.testing.assert_allclose(at["lhumerus"], [0, 15.5 + 3, 6], atol=1e-12)  # +x goes to +x, then to +y


def test_the_root_moves_and_turns_the_body() -> None:
    at = places({"root": (1, 2, 3, 0, 90, 0)})
    np.testing.assert_allclose(at["root"], [1, 2, 3])
    np.testing.assert_allclose(at["lfemur"], [1, 2, 3 - 1.7], atol=1e-12)


def test_radians_and_other_line_ends() -> None:
    turned = places({"lfemur": (-np.pi / 2, 0.0, 0.0)}, angle="rad")
    np.testing.assert_allclose(turned["ltoes"], places({"lfemur": (-90.0, 0.0, 0.0)})["ltoes"], atol=1e-12)
    for end in ("\r\n", "\r"):
        skeleton = parse_asf(asf().replace("\n", end).encode(), "x.asf")
        assert len(parse_amc(amc([{}] * 3).replace("\n", end).encode(), "x.amc", skeleton).positions) == 3


def write(folder: Path, skeleton: str = "07.asf", motion: str = "07_01.amc", frames: int = 121) -> Path:
    (folder / skeleton).write_text(asf())
    steps = [{"root": (0, 15.5, 0.1 * k, 0, 0, 0), "lhumerus": (0, 0, -60)} for k in range(frames)]
    (folder / motion).write_text(amc(steps))
    return folder / motion


def test_a_motion_comes_out_in_metres_at_20_fps(tmp_path: Path) -> None:
    told: list[str] = []
    motion = load_motion(write(tmp_path), tell=told.append)
    assert told[0] == "07_01.amc: acclaim skeleton, ASF units of 56.4 mm, y up, 120 fps"
    assert motion.joints.shape == (21, 22, 3)
    pelvis = motion.joints[:, INDEX["pelvis"]]
    np.testing.assert_allclose(pelvis[-1] - pelvis[0], [0, 0, 12 * _UNIT], atol=1e-5)
    at = {joint: motion.joints[0, index] for joint, index in INDEX.items()}
    assert at["left_hip"][0] > 0 > at["right_hip"][0]
    np.testing.assert_allclose(np.linalg.norm(at["left_wrist"] - at["left_elbow"]), 4.9 * _UNIT, atol=1e-5)
    slower = load_motion(write(tmp_path), ReadingOptions(fps=60, start=0.5, end=1.5))
    assert slower.joints.shape == (20, 22, 3)
    np.testing.assert_allclose(slower.joints[0, 0, 2], 0.1 * 30 * _UNIT, atol=1e-5)


def test_the_skeleton_is_found_beside_the_motion(tmp_path: Path) -> None:
    motion = write(tmp_path)
    (tmp_path / "0.asf").write_text("")
    (tmp_path / "08.asf").write_text("")
    assert find_asf(motion).name == "07.asf"
    lonely = tmp_path / "other"
    lonely.mkdir()
    assert find_asf(write(lonely, "any.asf")).name == "any.asf"
    (lonely / "second.asf").write_text(asf())
    with pytest.raises(MotionLLMError, match=r"07_01\.amc' needs its skeleton: put the \.asf beside it"):
        find_asf(lonely / "07_01.amc")


@pytest.mark.parametrize(
    "old, new, problem",
    [
        ("lfemur -160", "lfemur x", "means nothing"),
        ("ltibia 0", "lbone 0", "moves 'lbone', which its .asf has not"),
        ("lfemur 0 0 0", "lfemur 0 0", "means nothing"),
        ("lfemur 0 0 0", "lfemur 0 nan 0", "means nothing"),
    ],
)
def test_a_damaged_motion_is_named(old: str, new: str, problem: str, tmp_path: Path) -> None:
    text = amc([{"lfemur": (-160, 0, 0)} if old == "lfemur -160" else {}])
    (tmp_path / "07.asf").write_text(asf())
    (tmp_path / "07_01.amc").write_text(text.replace(old, new))
    with pytest.raises(MotionLLMError, match=rf"line \d+ of '.*07_01\.amc' {problem}"):
        read_amc(tmp_path / "07_01.amc")


@pytest.mark.parametrize(
    "old, new, problem",
    [
        ("    lfemur ltibia", "", "has bones outside its hierarchy"),
        ("length 7.2", "length long", "means nothing"),
        ("dof rx ry rz", "dof rx ry rq", "means nothing"),
        ("lfemur ltibia", "lfemur nothing", "means nothing"),
    ],
)
def test_a_damaged_skeleton_is_named(old: str, new: str, problem: str) -> None:
    with pytest.raises(MotionLLMError, match=rf"'x\.asf'.*{problem}"):
        parse_asf(asf().replace(old, new).encode(), "x.asf")


def test_no_frames(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "07_01.amc").write_text(":DEGREES\n")
    with pytest.raises(MotionLLMError, match="has no frames"):
        read_amc(tmp_path / "07_01.amc")
