"""What is promised of the same seed: equal codes whatever the batch, the order and the threads; joints to a hair."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SENTENCES, THREADS

import motionllm
from modeling_motionllm.processing_motionllm import MotionLLMProcessor


@pytest.fixture(scope="module")
def loaded(thin_checkpoint: Path) -> tuple[motionllm.MotionLLMForCausalLM, MotionLLMProcessor]:
    model = motionllm.MotionLLMForCausalLM.from_pretrained(thin_checkpoint)
    return model, MotionLLMProcessor.from_pretrained(thin_checkpoint)


def made(loaded: tuple, order: list[int], together: bool) -> dict[int, motionllm.Motion]:
    model, processor = loaded
    found = {}
    for group in [order] if together else [[index] for index in order]:
        inputs = processor(text=[SENTENCES[index] for index in group], duration=[1.0 + 0.4 * index for index in group])
        output = model.generate_motion(**inputs, seed=[100 + index for index in group])
        found |= dict(zip(group, processor.decode_motion(output), strict=True))
    return found


@pytest.mark.parametrize("order,together,threads", [
    ([0, 1, 2, 3], True, 1),
    ([3, 1, 0, 2], True, 1),
    ([2, 0, 3, 1], False, 1),
    ([0, 1, 2, 3], True, 2),
])  # fmt: skip
def test_codes_are_equal_and_joints_agree(loaded: tuple, order: list[int], together: bool, threads: int) -> None:
    expected = made(loaded, [0, 1, 2, 3], together=False)
    torch.set_num_threads(threads)
    try:
        found = made(loaded, order, together)
    finally:
        torch.set_num_threads(THREADS)
    for index, motion in found.items():
        assert np.array_equal(motion.codes, expected[index].codes)
        np.testing.assert_allclose(motion.joints, expected[index].joints, atol=1e-4)


def test_the_same_run_again_gives_the_same_bytes(loaded: tuple, tmp_path: Path) -> None:
    for name in ("a", "b"):
        for index, motion in made(loaded, [0, 1, 2], together=True).items():
            motion.save(tmp_path / f"{name}{index}.npz")
    for index in range(3):
        assert (tmp_path / f"a{index}.npz").read_bytes() == (tmp_path / f"b{index}.npz").read_bytes()
