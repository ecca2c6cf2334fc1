"""`motionllm mmcp`, asked by the protocol's own client: capabilities, several sentences, samples, glTF back."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import THREADS
from motionmcp.client.gltf_parser import parse_gltf_samples
from motionmcp.client.http import MmcpError, generate, get_capabilities
from started_server import free_port, started

from hub_scripts.cli import main as cli
from hub_scripts.export.ik import solve_rotations
from hub_scripts.export.rig import forward_kinematics

pytest_plugins = ("turn_fixtures",)

CLONE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def address(turn_checkpoint: Path) -> Iterator[str]:
    port = free_port()
    command = ["-m", "hub_scripts.cli", "mmcp", "--port", str(port), "--model", str(turn_checkpoint)]
    environment = dict(os.environ) | {"PYTHONPATH": str(CLONE), "OMP_NUM_THREADS": str(THREADS)}
    with started(command, port, env=environment) as where:
        yield where


def body(model: dict[str, Any], *segments: tuple[str, int], fps: float = 20.0, **options: Any) -> dict[str, Any]:
    return {
        "protocol_version": "1.0",
        "model": model["id"],
        "skeleton": model["canonical_skeleton"],
        "segments": [{"type": "text", "prompt": text, "duration_frames": frames} for text, frames in segments],
        "timing": {"fps": fps},
        "options": options,
    }


def test_a_program_asks_what_there_is_and_gets_motion_on_its_skeleton(address, turn_checkpoint):
    model = get_capabilities(address, timeout=300)["models"][0]
    assert model["id"] == turn_checkpoint.name
    assert (model["fps"], model["supported_segments"]) == (20.0, ["text"])
    joints = model["canonical_skeleton"]["joints"]
    assert [joint["name"] for joint in joints][:3] == ["pelvis", "left_hip", "right_hip"]
    assert len(joints) == 22
    request = body(model, ("a person walks", 60), ("bows", 30), fps=30.0, num_samples=2, seed=3)
    document = generate(address, request, timeout=300)
    samples = parse_gltf_samples(document)
    assert len(samples) == 2
    again = generate(address, request, timeout=300)
    assert again == document
    other = generate(address, body(model, ("a person walks", 60), ("bows", 30), fps=30.0, seed=4), timeout=300)
    # A sample is what its seed makes alone.
    one, two = rotations(document), rotations(other)
    np.testing.assert_allclose(one[1], two[0], atol=1e-5)
    assert one[0].shape == (90, 22, 4)
    assert np.abs(one[0] - one[1]).max() > 0.01
    np.testing.assert_allclose(np.linalg.norm(one[0], axis=-1), 1.0, atol=1e-4)


def rotations(document: dict[str, Any]) -> list[np.ndarray]:
    """Rotations (T, J, 4) of each animation of a glTF document, read by hand."""
    import base64

    raw = base64.b64decode(document["buffers"][0]["uri"].partition(",")[2])

    def read(index: int) -> np.ndarray:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        width = {"VEC4": 4, "VEC3": 3, "SCALAR": 1}[accessor["type"]]
        return np.frombuffer(raw, "<f4", accessor["count"] * width, start).reshape(-1, width)

    found = []
    for animation in document["animations"]:
        turned = [one for one in animation["channels"] if one["target"]["path"] == "rotation"]
        found.append(np.stack([read(animation["samplers"][one["sampler"]]["output"]) for one in turned], axis=1))
    return found


def test_what_cannot_be_made_is_refused_and_the_next_request_works(address):
    model = get_capabilities(address, timeout=300)["models"][0]
    for request, words in [
        (body(model, ("a person walks", 12000)), "duration"),
        (body(model, ("a person walks", 300)), "choose 0.2 to 10 s"),
        (body(model, ("<Motion_1>", 20)), "motion tokens"),
        (body(model), ""),
    ]:
        with pytest.raises(MmcpError) as error:
            generate(address, request, timeout=300)
        assert words in str(error.value)
    assert len(rotations(generate(address, body(model, ("a person jumps", 20)), timeout=300))[0]) == 20


def test_motions_of_one_skeleton_keep_its_bones_and_point_where_they_pointed(make_joints):
    first, second = make_joints(30, seed=1).astype(np.float64), make_joints(40, seed=2).astype(np.float64)
    rig = solve_rotations(first, 20.0).rig
    solved = solve_rotations(second, 20.0, rig=rig)
    assert solved.rig is rig
    positions = forward_kinematics(solved)
    bones = list(range(1, 22))
    lengths = np.linalg.norm(positions[:, bones] - positions[:, [rig.parents[joint] for joint in bones]], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(np.linalg.norm(rig.offsets[bones], axis=-1), (40, 1)), atol=1e-9)
    for joint in (4, 5, 7, 8, 18, 19, 20, 21):  # shins, feet, arms
        parent = rig.parents[joint]
        had, has = second[:, joint] - second[:, parent], positions[:, joint] - positions[:, parent]
        cosine = (had * has).sum(-1) / np.linalg.norm(had, axis=-1) / np.linalg.norm(has, axis=-1)
        np.testing.assert_allclose(cosine, 1.0, atol=1e-6)


def test_bad_options_are_refused(capsys):
    assert cli(["mmcp", "--port", "0"]) == 2
    assert "--port is 0" in capsys.readouterr().err
