"""Weights packed for multiplication: the same products, made anew when a weight changes and not otherwise."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from modeling_motionllm.packed_matrices_motionllm import multiply_packed, packed_matrices, packing_pays

pytestmark = pytest.mark.skipif(not packing_pays(torch.zeros(1, 1), 8), reason="no oneDNN here")


def rows(dtype: torch.dtype):
    if not packing_pays(torch.zeros(1, 1, dtype=dtype), 8):
        pytest.skip(f"oneDNN has no {dtype} on this processor")
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(*shape, generator=generator).to(dtype) for shape in [(5, 1, 96), (64, 96), (64,)])


@pytest.mark.parametrize("dtype,tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_products_are_those_of_the_weight(dtype, tolerance, count):
    hidden, weight, bias = rows(dtype)
    hidden = hidden[:count]
    packed = packed_matrices(nn.Linear(1, 1), [weight])[weight.data_ptr()]
    for added in (None, bias):
        expected = F.linear(hidden.double(), weight.double(), None if added is None else added.double())
        found = multiply_packed(hidden, packed, added)
        assert found.dtype == dtype
        assert found.shape == (count, 1, 64)
        assert ((found.double() - expected).norm() / expected.norm()).item() < tolerance


@pytest.mark.parametrize("width", [96, 7])  # 28 bytes a row: no whole number of eight
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_packed_anew_after_any_change_of_the_weight_and_only_then(width, dtype):
    weight = next(tensor for tensor in rows(dtype) if tensor.shape == (64, 96))[:, :width].contiguous()
    owner, other = nn.Linear(1, 1), torch.ones(3, width, dtype=dtype)
    first = packed_matrices(owner, [weight, other])
    again = packed_matrices(owner, [weight, other])
    assert all(again[address] is first[address] for address in first)
    weight.data[3, 5] += 2**-3
    changed = packed_matrices(owner, [weight, other])
    assert changed[weight.data_ptr()] is not first[weight.data_ptr()]
    assert changed[other.data_ptr()] is first[other.data_ptr()]
    hidden = torch.ones(4, 1, width, dtype=dtype)
    found = multiply_packed(hidden, changed[weight.data_ptr()], None)
    torch.testing.assert_close(found, F.linear(hidden, weight), rtol=2e-2, atol=2e-2)
    weight[:] = weight[torch.arange(64) ^ 1].clone()  # two rows for one another: the same numbers elsewhere
    assert packed_matrices(owner, [weight, other])[weight.data_ptr()] is not changed[weight.data_ptr()]


def test_one_model_has_nothing_of_another_and_forgets_what_it_has_no_more():
    _, weight, _ = rows(torch.float32)
    one, two = nn.Linear(1, 1), nn.Linear(1, 1)
    first = packed_matrices(one, [weight])
    assert packed_matrices(two, [weight])[weight.data_ptr()] is not first[weight.data_ptr()]
    assert packed_matrices(one, []) == {}


def test_few_float32_rows_and_other_devices_are_not_packed():
    assert not packing_pays(torch.zeros(1, 1), 2)
    assert not packing_pays(torch.zeros(1, 1, dtype=torch.float64), 100)
    assert not packing_pays(torch.zeros(1, 1, device="meta"), 100)
