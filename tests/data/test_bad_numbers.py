"""Numbers that no motion has are one line before any work, and one bad file never ends the work on the others."""

import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES

from hub_scripts.data.archives import unpack
from hub_scripts.data.gltf_file import parse_gltf
from hub_scripts.data.joint_arrays import read_array
from hub_scripts.data.motion_files import load_motion
from hub_scripts.data.store import check_features, read_summary
from hub_scripts.export.overlay import load_font, wrap_text
from hub_scripts.options.generate import check_generate_arguments, generate_parser
from hub_scripts.prepare_data import main as prepare
from modeling_motionllm.arrays_motionllm import NpzArrays
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.motion import Motion
from modeling_motionllm.motion_features import resample_joints
from modeling_motionllm.settings_motionllm import MotionSettings

WALK = FIXTURES / "bandai" / "dataset-1_walk_normal_002.bvh"


def npy(header: str, data: bytes = b"") -> bytes:
    """An `.npy` file whose header is as it is given."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "data",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 22, 3), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10, 22, 3), }", b"\0" * 100),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 22, 3), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (True, 3), }"),
        npy("{'descr': '<f8', 'shape': (1,), }"),
        npy("(" * 9000),
        npy("{'descr': '<f" + "9" * 400 + "', 'fortran_order': False, 'shape': (1,), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",), }"),
        b"\x93NUMPY\x01\x00\xff\xff",
        b"\x93NUMPY",
        b"",
        b"not an array",
    ],
)
def test_headers_of_arrays_are_checked_before_memory_is_taken(data: bytes) -> None:
    with pytest.raises(MotionLLMError, match=r"'a\.npy' is not a readable \.npy file"):
        read_array(data, "a.npy")


def test_arrays_that_nobody_asked_for_are_not_read(make_joints: Callable[..., np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "motion.npz"
    Motion(make_joints(20), model="ours").save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("huge.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (402653184,), }"))
        archive.writestr("pickled.npy", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem"))
    assert Motion.load(path).num_frames == 20
    assert load_motion(path).num_frames == 20
    arrays = NpzArrays(path, "it")
    assert "pickled" not in arrays
    with pytest.raises(MotionLLMError, match=r"array 'huge': its array has 3,072 MB"):
        arrays["huge"]


@pytest.mark.parametrize("fps", [1e-300, 5e-324, 1e-3, 0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_frame_rates_that_nobody_records_are_refused(
    make_joints: Callable[..., np.ndarray], tmp_path: Path, fps: float
) -> None:
    with pytest.raises(MotionLLMError, match="fps is "):
        Motion(make_joints(20), fps=fps)
    np.savez(tmp_path / "motion.npz", joints=make_joints(20), fps=fps)
    with pytest.raises(MotionLLMError):
        load_motion(tmp_path / "motion.npz")


@pytest.mark.parametrize("seconds", ["1e-300", "5e-324", "0", "-1", "nan", "inf", "1e300", "9" * 400, "1e-5"])
def test_frame_times_that_nobody_records_are_refused(tmp_path: Path, seconds: str) -> None:
    text = WALK.read_text()
    line = next(line for line in text.splitlines() if line.startswith("Frame Time"))
    (tmp_path / "walk.bvh").write_text(text.replace(line, f"Frame Time: {seconds}"))
    with pytest.raises(MotionLLMError, match="frame time"):
        load_motion(tmp_path / "walk.bvh")


def test_resampling_has_an_end(make_joints: Callable[..., np.ndarray]) -> None:
    with pytest.raises(MotionLLMError, match="make more than 200,000 at 20 fps"):
        resample_joints(make_joints(20), 1e-4, 20.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 1e12])
def test_coordinates_that_cannot_be_are_refused(
    make_joints: Callable[..., np.ndarray], tmp_path: Path, value: float
) -> None:
    joints = make_joints(20).astype(np.float64)
    joints[7, 3, 1] = value
    np.save(tmp_path / "motion.npy", joints)
    np.savez(tmp_path / "motion.npz", posed_joints=joints)
    for name in ("motion.npy", "motion.npz"):
        with pytest.raises(MotionLLMError):
            load_motion(tmp_path / name)


def test_numbers_of_a_call_have_limits() -> None:
    for wrong in (
        {"temperature": float("inf")},
        {"temperature": float("nan")},
        {"temperature": 1e-300},
        {"num_candidates": 10**6},
        {"people_candidates": 10**6},
        {"num_return_sequences": 10**9},
        {"max_codes": 10**9},
        {"guidance_scale": float("inf")},
    ):
        with pytest.raises(MotionLLMError, match=next(iter(wrong))):
            MotionSettings(**wrong)
    parser = generate_parser()
    for option, value in (
        ("--seed", str(1 << 63)),
        ("--seed", "9" * 400),
        ("--temperature", "inf"),
        ("--temperature", "9" * 400),
        ("--num-candidates", "1000000"),
        ("--num-return-sequences", "1000000"),
        ("--batch-size", "1000000"),
    ):
        with pytest.raises(MotionLLMError, match=f"{option} is "):
            check_generate_arguments(parser.parse_args(["a person walks", option, value]))


def test_captions_have_an_end(make_joints: Callable[..., np.ndarray]) -> None:
    with pytest.raises(MotionLLMError, match="caption has 500,000 letters; at most 10,000"):
        Motion(make_joints(20), caption="x" * 500_000)
    started = time.process_time()
    lines = wrap_text("x" * 500_000, load_font(16), 600, 2)
    assert time.process_time() - started < 5
    assert lines[-1].endswith("...")


def test_nested_json_is_one_line() -> None:
    with pytest.raises(MotionLLMError):
        parse_gltf(b"[" * 200_000, "a.gltf")


def test_archives_do_not_grow_beyond_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_scripts.data.archives._ALWAYS", 100_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.bvh", bytes(2_000_000))
    with pytest.raises(MotionLLMError, match=r"bomb\.zip' would unpack to"):
        unpack([tmp_path / "bomb.zip"], tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "bomb.zip"]


def test_one_bad_file_does_not_end_a_collection(tmp_path: Path) -> None:
    source = tmp_path / "bandai"
    source.mkdir()
    text = WALK.read_text()
    line = next(line for line in text.splitlines() if line.startswith("Frame Time"))
    rows = text.splitlines()
    bad = {
        "cut": text[: len(text) // 2],
        "subnormal": text.replace(line, "Frame Time: 5e-324"),
        "huge": "\n".join([*rows[:-1], " ".join(["1e300"] * len(rows[-1].split()))]),
        "nan": "\n".join([*rows[:-1], " ".join(["nan"] * len(rows[-1].split()))]),
        "empty": "",
    }
    for number, content in enumerate([text] * 3 + [*bad.values()]):
        (source / f"dataset-1_walk_normal_{number:03d}.bvh").write_text(content)
    assert prepare(["bandai", str(source), "--out", str(tmp_path / "out"), "--num-proc", "1", "--no-mirror"]) == 0
    summary = read_summary(tmp_path / "out")
    assert sum(counts["clips"] for counts in summary["splits"].values()) == 3
    assert sorted(summary["left_out"]) == [f"dataset-1_walk_normal_{number:03d}" for number in range(3, 8)]


def test_nan_is_no_code(vq: MotionVQModel, golden: dict[str, dict[str, np.ndarray]]) -> None:
    import torch

    features = torch.from_numpy(next(iter(golden.values()))["features"][None, :40].copy())
    features[0, 9, 5] = float("nan")
    with pytest.raises(MotionLLMError, match="NaN or infinite"):
        vq.encode(features)
    mask = torch.arange(40)[None] < 8
    assert vq.encode(features, mask).codes[0, :2].min() >= 0  # what is padding is not looked at
    with pytest.raises(MotionLLMError, match="motion 'bent' of 'data' has features that are NaN"):
        check_features([{"name": "bent", "features": features.numpy()}], "data")


def test_a_motion_that_is_cut_keeps_its_rate(make_joints: Callable[..., np.ndarray]) -> None:
    motion = Motion(make_joints(20), fps=120)
    assert replace(motion, joints=motion.joints[:10]).fps == 120
    buffer = io.BytesIO()
    np.save(buffer, motion.joints)
    assert np.array_equal(read_array(buffer.getvalue(), "it"), motion.joints)
