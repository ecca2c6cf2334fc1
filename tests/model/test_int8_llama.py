"""The fast decoder with int8 weights: close to the exact one, a copy of its own, the same for a row in any batch."""

import pytest
import torch
from conftest import generate_single
from test_decoding import KINDS, OTHERS, make_model, make_prompts

from hub_scripts.cli import main
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.int8_llama_motionllm import Int8Llama, _quantize


def test_rounding_is_within_half_a_step_and_cuts_nothing_off():
    torch.manual_seed(0)
    weight = torch.randn(40, 24) * torch.logspace(-6, 3, 40)[:, None]
    weight[3] = 0
    numbers, scale = _quantize(weight)
    assert numbers.dtype == torch.int8
    assert scale.dtype == torch.bfloat16
    error = (numbers * scale[:, None].float() - weight).abs()
    assert (error <= 0.501 * scale[:, None].float()).all()
    assert (numbers.abs().amax(1)[torch.arange(40) != 3] >= 125).all()


@pytest.mark.parametrize("kind", ["llama tied", "llama biases", "mistral wide heads", "qwen2"])
def test_the_logits_of_a_step_are_close(kind):
    model = make_model(KINDS[kind]())
    inputs = make_prompts(3, 9, 6)
    exact = generate_single(model, **inputs, num_codes=20, seed=1, engine="fast").codes
    rounded = generate_single(model, **inputs, num_codes=20, seed=1, engine=model.int8_engine()).codes
    # The first code comes from the prompt, which is read exactly.
    assert torch.equal(exact[:, 0], rounded[:, 0])
    network = Int8Llama(model.language_model, model.motion_vocabulary.motion_ids)
    layer = network.layers[0]
    for matrix in (layer.qkv, layer.out, layer.gate_up, layer.down):
        hidden = torch.randn(4, 1, matrix[0].shape[1])
        expected = torch.nn.functional.linear(hidden, *matrix)
        found = network._linear(hidden, matrix)
        assert found.dtype == torch.float32
        assert 0 < float((found - expected).norm() / expected.norm()) < 0.02


def test_a_row_hardly_depends_on_its_batch_and_the_copy_stays():
    model = make_model(KINDS["llama tied"]())
    engine, inputs = model.int8_engine(), make_prompts(5, 5, 5)
    together = generate_single(model, **inputs, num_codes=15, seed=[4, 5, 6], guidance_scale=2.0, engine=engine)
    network = engine.args[0]
    for row in range(3):
        own = {name: value[row : row + 1] for name, value in inputs.items()}
        alone = generate_single(model, **own, num_codes=15, seed=4 + row, guidance_scale=2.0, engine=engine)
        # The first code comes from the prompt, which is read exactly; later ones may fall otherwise at near ties.
        assert alone.codes[0, 0] == together.codes[row, 0]
        hidden, matrix = torch.randn(3, 1, network.layers[0].qkv[0].shape[1]), network.layers[0].qkv
        one, all_three = network._linear(hidden[row : row + 1], matrix)[0], network._linear(hidden, matrix)[row]
        torch.testing.assert_close(one, all_three, rtol=0.02, atol=0.02)
    matrix = next(iter(engine.args[0].quantized.values()))[0].clone()
    with torch.no_grad():
        model.language_model.model.layers[0].self_attn.q_proj.weight.mul_(-1)
    assert torch.equal(next(iter(engine.args[0].quantized.values()))[0], matrix)


def test_other_models_are_refused():
    make, reason = OTHERS["gpt2"]
    with pytest.raises(MotionLLMError, match=reason):
        make_model(make()).int8_engine()


def test_the_command(thin_checkpoint, tmp_path):
    for engine in ("fast-int8", "fast-bf16"):
        command = ["generate", "a person walks", "--model", str(thin_checkpoint), "--duration", "1", "--engine", engine]
        assert main([*command, "--formats", "npz", "-o", str(tmp_path / engine)]) == 0
        assert (tmp_path / engine / "a-person-walks.npz").is_file()
