"""BVH files: positions against the reference, channel orders, and every way a file can be broken."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hub_scripts.data.bvh import forward_kinematics, parse_bvh, read_bvh, rest_positions, with_end_sites
from modeling_motionllm.errors_motionllm import MotionLLMError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "bandai"

TWO_JOINTS = """HIERARCHY
ROOT hip
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition %s
  JOINT upper leg
  {
    OFFSET 0 -4 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 -5 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.05
%s
"""


def two_joints(
    rotation: str = "Zrotation Xrotation Yrotation", rows: str = "0 0 0 0 0 0 0 0 0\n7 8 9 90 0 0 0 0 0"
) -> bytes:
    return (TWO_JOINTS % (rotation, rows)).encode()


def test_a_small_file_is_read() -> None:
    bvh = parse_bvh(two_joints(), "small.bvh")
    assert bvh.joint_names == ("hip", "upper leg")
    assert bvh.parents == (-1, 0)
    assert bvh.offsets.tolist() == [[1, 2, 3], [0, -4, 0]]
    assert bvh.channels[1] == ("Zrotation", "Xrotation", "Yrotation")
    assert bvh.frames.shape == (2, 9)
    assert bvh.fps == 20.0


def test_position_channels_replace_the_offset_and_rotations_turn_the_children() -> None:
    positions = forward_kinematics(parse_bvh(two_joints(), "small.bvh"))
    expected = [[[0, 0, 0], [0, -4, 0]], [[7, 8, 9], [11, 8, 9]]]  # 90 degrees about z takes -y to +x
    np.testing.assert_allclose(positions, expected, atol=1e-12)


def test_rotations_apply_in_channel_order() -> None:
    rows = "0 0 0 90 90 0 0 0 0\n0 0 0 0 0 90 0 0 0"
    z_first = forward_kinematics(parse_bvh(two_joints("Zrotation Xrotation Yrotation", rows), "zxy.bvh"))
    x_first = forward_kinematics(parse_bvh(two_joints("Xrotation Zrotation Yrotation", rows), "xzy.bvh"))
    np.testing.assert_allclose(z_first[0, 1], [0, 0, -4], atol=1e-12)  # x turns -y to -z, which z leaves there
    np.testing.assert_allclose(x_first[0, 1], [4, 0, 0], atol=1e-12)  # z turns -y to +x, which x leaves there


def test_blocks_on_one_line_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    plain = two_joints().decode()
    odd = plain.replace("\n{", " {").replace("\n", "\r\n")
    first, second = parse_bvh(plain.encode(), "a"), parse_bvh(b"\xef\xbb\xbf" + odd.encode(), "b")
    assert first.joint_names == second.joint_names
    np.testing.assert_array_equal(first.frames, second.frames)


def test_a_real_file_has_the_lengths_of_its_bones_in_all_frames() -> None:
    bvh = read_bvh(FIXTURES / "dataset-2_run_normal_001.bvh")
    assert bvh.fps == 30.0
    positions = forward_kinematics(bvh)
    thigh = positions[:, bvh.joint_names.index("LowerLeg_L")] - positions[:, bvh.joint_names.index("UpperLeg_L")]
    np.testing.assert_allclose(np.linalg.norm(thigh, axis=1), 39.1, atol=0.1)


def broken_files() -> dict[str, tuple[bytes, str]]:
    good = two_joints()
    real = (FIXTURES / "dataset-1_walk_normal_002.bvh").read_bytes()
    deep = b"HIERARCHY\nROOT j\n" + b"{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\nJOINT j\n" * 5000
    return {
        "empty": (b"", "empty"),
        "blank": (b" \n \n", "empty"),
        "binary": (b"\x89PNG\r\n\0\0\0", "not a BVH file"),
        "other text": (b"{}", "not a BVH file"),
        "no motion": (good[: good.index(b"MOTION")], "no MOTION"),
        "truncated header": (real[:600], "no MOTION"),
        "zeros among decimal commas": (real.replace(b".", b",").replace(b"0,", b"\0,"), "not a BVH file"),
        "truncated frames": (real[: len(real) * 2 // 3], "announces 31 frames"),
        "truncated last row": (real.rstrip()[:-200], "announces 31 frames"),
        "too many frames": (good + b"0 0 0 0 0 0 0 0 0\n", "announces 2 frames of 9 channels but holds 3"),
        "no frames": (good[: good.index(b"0.05") + 5], "announces 2 frames"),
        "zero frames": (good.replace(b"Frames: 2", b"Frames: 0"), "0 frames"),
        "odd frame count": (good.replace(b"Frames: 2", b"Frames: two"), "lacks 'Frames:'"),
        "zero frame time": (good.replace(b"0.05", b"0"), "frame time"),
        "frame rate for frame time": (good.replace(b"0.05", b"120"), "set it to 0.00833333"),
        "huge frame count": (good.replace(b"Frames: 2", b"Frames: 99999999999999"), "announces 99999999999999 frames"),
        "endless frame count": (good.replace(b"Frames: 2", b"Frames: " + b"9" * 10_000), "lacks 'Frames:'"),
        "negative frame time": (good.replace(b"0.05", b"-0.05"), "frame time"),
        "nan": (good.replace(b"7 8 9", b"7 nan 9"), "1 values that are NaN"),
        "infinite": (good.replace(b"7 8 9", b"inf 8 9"), "NaN or infinite"),
        "words": (good.replace(b"7 8 9", b"7 eight 9"), "no number"),
        "not utf-8 frames": (good.replace(b"7 8 9", b"7 \xff 9"), "no number"),
        "5,000 levels": (deep + good[good.index(b"MOTION") :], "levels deep"),
        "open block": (good.replace(b"}\nMOTION", b"MOTION"), "1 blocks open"),
        "closed twice": (good.replace(b"}\nMOTION", b"}\n}\nMOTION"), "closes more"),
        "channel count": (good.replace(b"CHANNELS 3", b"CHANNELS 4"), "broken line"),
        "unknown channel": (good.replace(b"3 Zrotation", b"3 Wrotation"), "broken line"),
        "bad offset": (good.replace(b"OFFSET 0 -4 0", b"OFFSET 0 four 0"), "3 numbers"),
        "unknown line": (good.replace(b"OFFSET 0 -4 0", b"SCALE 2"), "unknown line"),
        "no joints": (b"HIERARCHY\n" + good[good.index(b"MOTION") :], "no joints"),
        "block without joint": (good.replace(b"OFFSET 0 -4 0", b"{\n}"), "belongs to no joint"),
        "joint in end site": (good.replace(b"OFFSET 0 -5 0", b"JOINT x"), "wrong place"),
    }


@pytest.mark.parametrize("kind", broken_files())
def test_a_broken_file_is_one_clear_error(kind: str) -> None:
    data, problem = broken_files()[kind]
    with pytest.raises(MotionLLMError) as caught:
        parse_bvh(data, "clip.bvh")
    message = str(caught.value)
    assert "clip.bvh" in message
    assert problem in message
    assert "\n" not in message


def test_a_broken_file_takes_no_time_and_no_memory() -> None:
    for kind in ("huge frame count", "5,000 levels"):
        data, _ = broken_files()[kind]
        tracemalloc.start()
        with pytest.raises(MotionLLMError):
            parse_bvh(data, "clip.bvh")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20_000_000


def test_chosen_joints_are_where_they_are_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    bvh = read_bvh(FIXTURES / "dataset-1_walk_normal_002.bvh")
    whole = forward_kinematics(bvh)
    chosen = [bvh.joint_names.index(name) for name in ("Hand_L", "Hips", "Toes_R")]
    np.testing.assert_allclose(forward_kinematics(bvh, chosen), whole[:, chosen], atol=1e-9)
    monkeypatch.setattr("hub_scripts.data.bvh._FRAMES_AT_A_TIME", 7)
    np.testing.assert_allclose(forward_kinematics(bvh), whole, atol=1e-9)


def test_end_sites_and_the_rest_pose() -> None:
    bvh = parse_bvh(two_joints(), "small.bvh")
    longer = with_end_sites(bvh)
    assert longer.joint_names == ("hip", "upper leg", "upper leg End Site")
    np.testing.assert_allclose(forward_kinematics(longer)[:, 2], [[0, -9, 0], [16, 8, 9]], atol=1e-12)
    np.testing.assert_array_equal(rest_positions(longer), [[1, 2, 3], [1, -2, 3], [1, -7, 3]])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match=r"nothing\.bvh.*check the path"):
        read_bvh(tmp_path / "nothing.bvh")
