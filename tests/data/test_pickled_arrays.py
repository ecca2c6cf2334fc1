"""MDM's `results.npy`: its arrays are read, and nothing that a pickle could do is done."""

import contextlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub_scripts.data.gate import ReadingOptions
from hub_scripts.data.motion_files import load_motion
from hub_scripts.data.pickled_arrays import read_results
from modeling_motionllm.errors_motionllm import MotionLLMError

JOINTS = np.load(Path(__file__).parents[1] / "fixtures" / "bandai" / "expected_joints.npz")
WALK, RAISE = JOINTS["dataset-1_walk_normal_002"], JOINTS["dataset-2_raise-up-both-hands_normal_001"]


def results(*motions: np.ndarray, **more: Any) -> dict[str, Any]:
    """What MDM's sampling keeps: time last, all as long as the longest."""
    longest = max(map(len, motions))
    padded = [np.concatenate([motion, np.zeros((longest - len(motion), 22, 3), motion.dtype)]) for motion in motions]
    return {
        "motion": np.stack(padded).transpose(0, 2, 3, 1),  # not in C order, as torch's permuted arrays
        "text": [f"a person does {index}" for index in range(len(motions))],
        "lengths": np.array([len(motion) for motion in motions]),
        "num_samples": len(motions),
        "num_repetitions": 1,
        **more,
    }


def save(path: Path, content: Any, protocol: int | None = None) -> Path:
    array = np.empty((), dtype=object)
    array[()] = content
    if protocol is None:
        np.save(path, array, allow_pickle=True)
    else:
        np.lib.format.write_array_header_1_0(
            file := path.open("wb"), {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        pickle.dump(array, file, protocol=protocol)
        file.close()
    return path


@pytest.mark.parametrize("protocol", [None, 3, 4])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4"])
def test_the_motion_of_results_is_read(tmp_path: Path, protocol: int | None, dtype: str) -> None:
    path = save(tmp_path / "results.npy", results(WALK.astype(dtype)), protocol)
    np.testing.assert_allclose(load_motion(path).joints, WALK, atol=1e-6)


def test_one_of_several_is_chosen_by_number(tmp_path: Path) -> None:
    path = save(tmp_path / "results.npy", results(WALK, RAISE))
    with pytest.raises(MotionLLMError, match=r"holds 2 motions; .* by --animation: 0 \(a person does 0\), 1 \(a "):
        load_motion(path)
    for index, joints in enumerate((WALK, RAISE)):
        np.testing.assert_allclose(load_motion(path, ReadingOptions(animation=str(index))).joints, joints, atol=1e-6)
    with pytest.raises(MotionLLMError, match="holds no motion '2'; give one of 0 to 1"):
        load_motion(path, ReadingOptions(animation="2"))
    scalars = results(WALK, lengths=[np.int64(15)])
    assert load_motion(save(tmp_path / "cut.npy", scalars)).num_frames == 15


class Runs:
    def __init__(self, what: Any, *arguments: Any) -> None:
        self.call = (what, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("place", ["whole", "value", "motion", "key"])
def test_whatever_would_run_is_refused_and_does_not(tmp_path: Path, place: str) -> None:
    ran = tmp_path / "ran"
    trap: Any = Runs(os.mkdir, str(ran))
    content = {
        "whole": trap,
        "value": results(WALK, extra=trap),
        "motion": results(WALK) | {"motion": trap},
        "key": results(WALK) | {"lengths": [trap]},
    }[place]
    path = save(tmp_path / "results.npy", content)
    with pytest.raises(MotionLLMError, match="holds pickled Python objects, which could run any code") as caught:
        load_motion(path)
    assert "\n" not in str(caught.value)
    assert not ran.exists()


@pytest.mark.parametrize(
    "content",
    [WALK.tolist(), {"joints": WALK}, [WALK], {"motion": "x"}, {"motion": {1, 2}}, {"motion": np.array([None])}, None],
)
def test_other_objects_are_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(MotionLLMError, match="holds pickled Python objects"):
        load_motion(save(tmp_path / "results.npy", content))


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    data = save(tmp_path / "results.npy", results(WALK)).read_bytes()
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data[: random.integers(20, len(data))] if random.random() < 0.3 else data)
        for place in random.integers(0, min(len(broken), 600), 3):
            broken[place] = random.integers(0, 256)
        with contextlib.suppress(MotionLLMError):  # any other error is a fault
            assert read_results(bytes(broken), "results.npy", "0").ndim == 3
