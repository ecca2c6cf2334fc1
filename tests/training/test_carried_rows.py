"""Going on with the codes of another VQ-VAE: where their rows start."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import make_vq
from safetensors.torch import load_file

from hub_scripts.data.codes import CodeRow, weights_hash, write_codes, write_codes_summary
from hub_scripts.train_motionllm import main as train
from hub_scripts.training.carried_rows import carried_rows, shared_time
from modeling_motionllm.errors_motionllm import MotionLLMError

ADAPTER = "adapters/default/adapter_model.safetensors"


def code_row(*people: list[int]) -> CodeRow:
    count = len(people)
    labels: CodeRow = {"name": "a", "kind": "", "contents": ["walk"] * count, "styles": ["normal"] * count, "parts": []}
    placed: CodeRow = {"captions": ["a person walks"], "placement_bins": [[64, 64, 0]] * count, "mirrored": False}
    return {**labels, **placed, "codes": list(people)}


def test_a_new_row_starts_among_the_rows_for_the_same_motion() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, drawn = (torch.randn(count, 6, generator=generator) for count in (3, 4))
    shared = torch.tensor([[4.0, 0, 0], [0, 1, 3], [0, 0, 0], [0, 2, 0]])
    new = carried_rows(rows, drawn, shared)
    own = 0.3 * (drawn - drawn.mean(0))
    torch.testing.assert_close(new[0], rows[0] + own[0])
    torch.testing.assert_close(new[1], 0.25 * rows[1] + 0.75 * rows[2] + own[1])
    assert torch.equal(new[2], drawn[2])  # it stands for nothing that was seen
    torch.testing.assert_close(new[3] - own[3], rows[1])


def test_codes_are_counted_by_the_stretch_of_motion_they_stand_for() -> None:
    older, vq = make_vq(), make_vq(codebook_size=20, width=8)
    people = [[3, 17, 2, 2, 9], [0, 19], [5], [8, 8, 1, 4]]
    expected = torch.zeros(20, 32)
    for codes in people:
        before = older.encode(vq.decode(torch.tensor([codes])).features).codes[0]
        for new, old in zip(codes, before.tolist(), strict=True):
            expected[new, old] += 1
    counted = shared_time([code_row(*people[:2]), code_row(people[2]), code_row(people[3])], vq, older)
    assert torch.equal(counted, expected)


def test_codes_of_other_length_are_refused() -> None:
    with pytest.raises(MotionLLMError, match="frames_per_code 8, --vq of 4"):
        shared_time([code_row([1, 2])], make_vq(), make_vq(num_downsampling=3))


def test_training_goes_on_with_other_codes(
    thin_checkpoint: Path, train_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_vq(codebook_size=20).save_pretrained(tmp_path / "vq")
    (tmp_path / "codes").mkdir()
    rows = [code_row([code % 20 for code in range(start, start + 6)]) for start in range(24)]
    for split in ("train", "val"):
        write_codes(tmp_path / "codes", split, rows)
    write_codes_summary(tmp_path / "codes", {"vq_sha256": weights_hash(tmp_path / "vq"), "data_sha256": "0" * 64})
    given: dict[str, Any] = dict(zip(train_arguments[::2], train_arguments[1::2], strict=True))
    given |= {"--codes": tmp_path / "codes", "--vq": tmp_path / "vq", "--init_from": thin_checkpoint}
    given |= {"--output_dir": tmp_path / "run", "--max_steps": 1, "--learning_rate": 1e-9}
    assert train([str(part) for pair in given.items() for part in pair]) == 0
    assert "another VQ-VAE" in capsys.readouterr().out
    before, after = (load_file(folder / ADAPTER) for folder in (thin_checkpoint, tmp_path / "run/final"))
    for name, weights in after.items():
        if "trainable_tokens" not in name:
            torch.testing.assert_close(weights, before[name], atol=1e-6, rtol=0)
        else:
            assert len(weights) == 22
            torch.testing.assert_close(weights[:2], before[name][:2], atol=1e-6, rtol=0)


def test_an_adapter_with_fewer_rows_than_codes_is_refused(
    thin_checkpoint: Path, train_arguments: list[str], tmp_path: Path
) -> None:
    shutil.copytree(thin_checkpoint, tmp_path / "other")
    shutil.rmtree(tmp_path / "other/motion_vq")
    make_vq(codebook_size=64).save_pretrained(tmp_path / "other/motion_vq")
    given = [*train_arguments, "--init_from", str(tmp_path / "other"), "--output_dir", str(tmp_path / "run")]
    with pytest.raises(MotionLLMError, match="has 34 rows, its VQ-VAE 64 codes"):
        train(given)
