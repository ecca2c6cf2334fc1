"""`handler.py` of full repositories, as Inference Endpoints run it: without this package."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hub_client import WITHOUT_PACKAGE

from hub_scripts.export_checkpoint import main as export

ENDPOINT = (
    WITHOUT_PACKAGE
    + """
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from handler import EndpointHandler

handler = EndpointHandler(path=sys.argv[1])
answers = []
for request in json.load(sys.stdin):
    try:
        answers.append(handler(request))
    except ValueError as error:
        answers.append(f"refused: {error}")
print("ANSWERS" + json.dumps(answers))
"""
)


@pytest.fixture(scope="module")
def full(thin_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layouts") / "full"
    assert export([str(thin_checkpoint), "--layout", "full", "--out", str(folder)]) == 0
    return folder


def test_an_endpoint_answers_with_motion_and_with_sentences(full, model, processor, make_joints):
    joints = make_joints(41).tolist()
    requests = [
        {"inputs": "a person walks forward", "parameters": {"duration": 2, "seed": 1}},
        {"inputs": ["a person walks", "a person bows"], "parameters": {"duration": 1, "num_return_sequences": 2}},
        {"inputs": {"joints": joints}},
        {"inputs": "walks", "parameters": {"duration": 600}},
        {"inputs": "walks", "parameters": {"nonsense": 1}},
        {"inputs": None},
        {"inputs": {"joints": [[1, 2]]}},
    ]
    command = [sys.executable, "-I", "-c", ENDPOINT, str(full)]
    done = subprocess.run(command, input=json.dumps(requests), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    one, several, said, *refused = json.loads(done.stdout.partition("ANSWERS")[2])
    output = model.generate_motion(**processor(text="a person walks forward", duration=2), seed=1, processor=processor)
    own = processor.decode_motion(output)[0]
    assert one[0]["codes"] == own.codes.tolist()
    np.testing.assert_allclose(np.array(one[0]["joints"]), own.joints, atol=1e-5)
    assert (one[0]["fps"], one[0]["caption"]) == (20.0, "a person walks forward")
    assert one[0]["unknown"] == pytest.approx(own.unknown, abs=1e-3)
    assert [answer["caption"] for answer in several] == ["a person walks"] * 2 + ["a person bows"] * 2
    ids = model.generate_caption(**processor(motion=np.array(joints, np.float32)), processor=processor)
    assert said == [{"generated_text": processor.decode_caption(ids)[0]}]
    for answer, words in zip(
        refused, ["600 s is not possible", "no argument nonsense", "no sentence", "shape"], strict=True
    ):
        assert answer.startswith("refused: ")
        assert words in answer
