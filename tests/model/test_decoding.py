"""The fast decoder: the same codes as `generate`, for every kind of Llama; no second copy of the weights; fallbacks."""

import gc
from collections.abc import Callable

import pytest
import torch
from conftest import CODEBOOK_SIZE, SENTENCES, generate_single
from transformers import GPT2Config, GraniteConfig, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from modeling_motionllm import fused_llama_motionllm
from modeling_motionllm.configuration_motionllm import MotionLLMConfig, MotionVQConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.fused_llama_motionllm import FusedLlama
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.packed_matrices_motionllm import packing_pays
from modeling_motionllm.sampling_motionllm import TypicalLength

OFFSET = 64
SIZES = {"vocab_size": OFFSET + CODEBOOK_SIZE, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3, "bos_token_id": 1}
BIASES = {"attention_bias": True, "mlp_bias": True}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
KINDS: dict[str, Callable] = {
    "llama tied": lambda: LlamaConfig(**SIZES, **HEADS, tie_word_embeddings=True),
    "llama untied": lambda: LlamaConfig(**SIZES, **HEADS, tie_word_embeddings=False),
    "llama biases": lambda: LlamaConfig(**SIZES, **HEADS, **BIASES),
    "llama one head of keys": lambda: LlamaConfig(**SIZES, **HEADS | {"num_key_value_heads": 1}),
    "llama no groups": lambda: LlamaConfig(**SIZES, **HEADS | {"num_key_value_heads": 4}),
    "llama3 rotary": lambda: LlamaConfig(**SIZES, **HEADS, rope_parameters=LLAMA3),
    "mistral wide heads": lambda: MistralConfig(**SIZES, **HEADS, head_dim=16),
    "qwen2": lambda: Qwen2Config(**SIZES, **HEADS),
}


def make_model(text_config) -> MotionLLMForCausalLM:
    torch.manual_seed(0)
    motion = MotionVQConfig(width=8, code_dim=8, depth=1, codebook_size=CODEBOOK_SIZE)
    tokens = {"motion_token_offset": OFFSET, "motion_start_token_id": OFFSET - 2, "motion_end_token_id": OFFSET - 1}
    model = MotionLLMForCausalLM(MotionLLMConfig(text_config=text_config, motion_config=motion, **tokens)).eval()
    with torch.no_grad():
        for name, parameter in model.language_model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.3)  # they start at zero, and zeros prove nothing
            elif "norm" in name:
                parameter.uniform_(0.5, 1.5)
    return model


def make_prompts(*lengths: int, bos: bool = False) -> dict[str, torch.Tensor]:
    """Random prompts of these lengths that end with `<Motion>`, padded on the left."""
    generator = torch.Generator().manual_seed(sum(lengths))
    longest = max(lengths)
    ids = torch.randint(3, OFFSET - 2, (len(lengths), longest), generator=generator)
    mask = torch.arange(longest) >= longest - torch.tensor(lengths)[:, None]
    ids[:, -1] = OFFSET - 2
    if bos:
        ids[torch.arange(len(lengths)), longest - torch.tensor(lengths)] = 1
    return {"input_ids": ids.masked_fill(~mask, 0), "attention_mask": mask.long()}


def both(model, inputs, **options) -> tuple:
    return tuple(generate_single(model, **inputs, **options, engine=engine) for engine in ("fast", "generate"))


def assert_same(model, inputs, **options) -> None:
    fast, plain = both(model, inputs, **options)
    assert torch.equal(fast.codes, plain.codes)
    assert torch.equal(fast.attention_mask, plain.attention_mask)
    torch.testing.assert_close(fast.features, plain.features)
    assert not fast.codes.is_inference()


@pytest.fixture(scope="module")
def llama() -> MotionLLMForCausalLM:
    return make_model(KINDS["llama tied"]())


@pytest.mark.parametrize("kind", KINDS)
def test_fast_decoding_equals_generate(kind):
    model = make_model(KINDS[kind]())
    padded = make_prompts(3, 9, 6)
    assert_same(model, padded, do_sample=False, max_codes=14)
    assert_same(model, padded, do_sample=False, num_codes=torch.tensor([2, 13, 7]))
    assert_same(model, padded, seed=5, min_codes=2, max_codes=14, top_p=0.9)
    assert_same(model, padded, seed=5, min_codes=2, max_codes=14, guidance_scale=2.5, temperature=1.3, top_k=20)


@pytest.mark.parametrize("inputs", [make_prompts(1), make_prompts(8), make_prompts(5, 5), make_prompts(2, 4, bos=True)])
@pytest.mark.parametrize("guidance_scale", [1.0, 0.5, 3.0])
def test_prompts_of_every_shape(llama, inputs, guidance_scale):
    for options in ({"do_sample": False}, {"seed": 2, "top_p": None}):
        assert_same(llama, inputs, num_codes=9, guidance_scale=guidance_scale, **options)
        assert_same(llama, {"input_ids": inputs["input_ids"]}, max_codes=6, guidance_scale=guidance_scale, **options)


def test_typical_lengths_are_medians_of_what_the_model_expects():
    """By hand: a motion ends once the probability that it has not ended is below a half."""
    ending = torch.tensor([[0.2, 0.2, 0.3, 0.9], [0.0, 0.6, 0.5, 0.5]])  # of two rows, step by step
    step = TypicalLength(end=1)
    ended = []
    for chance in ending.T:
        scores = torch.stack([(1 - chance) / 2, chance, (1 - chance) / 2], dim=1).log()
        out = step(torch.zeros(2, 0, dtype=torch.long), scores)
        assert (torch.isfinite(out[:, 1]) != torch.isfinite(out[:, 0])).all()
        ended.append(torch.isfinite(out[:, 1]).tolist())
    assert ended == [[False, False], [False, True], [True, True], [True, True]]  # 0.8 0.64 0.448; 1 0.4
    step.keep(torch.tensor([1]))
    assert step.going.tolist() == pytest.approx([0.4 * 0.5 * 0.5])


@pytest.mark.parametrize("guidance_scale", [1.0, 2.0])
def test_typical_lengths_in_both_engines(llama, guidance_scale):
    inputs = make_prompts(*range(2, 18))
    options = {"min_codes": 1, "max_codes": 40, "guidance_scale": guidance_scale, "typical_length": True, "top_p": None}
    assert_same(llama, inputs, seed=9, **options)
    typical, drawn = (
        generate_single(llama, **inputs, seed=9, **options | {"typical_length": typical}).attention_mask.sum(-1).float()
        for typical in (True, False)
    )
    assert 1 < typical.min() < typical.max() <= 40
    assert typical.std() < drawn.std()
    # Lengths that are told are kept, and beams end by themselves.
    assert generate_single(llama, **inputs, num_codes=7, **options).codes.shape[1] == 7
    generate_single(llama, **make_prompts(3), do_sample=False, num_beams=2, **options)


def test_rows_that_end_one_after_another(llama):
    """Sixteen rows of different lengths, by number and by choice: each ends alone and leaves the batch."""
    inputs = make_prompts(*range(2, 18))
    lengths = torch.tensor([5, 1, 19, 3, 3, 8, 2, 12, 1, 20, 4, 4, 6, 1, 7, 11])
    for scale in (1.0, 2.0):
        assert_same(llama, inputs, num_codes=lengths, seed=9, guidance_scale=scale)
        fast, plain = both(llama, inputs, min_codes=1, max_codes=20, seed=9, top_p=None, guidance_scale=scale)
        assert torch.equal(fast.codes, plain.codes)
        assert len(set(fast.attention_mask.sum(-1).tolist())) > 3


@pytest.mark.parametrize("engine", ["fast", "generate"])
def test_samples_of_a_prompt_stand_side_by_side(llama, engine):
    inputs = make_prompts(4, 7)
    lengths = torch.tensor([6, 9])
    together = generate_single(llama, **inputs, num_codes=lengths, num_return_sequences=3, seed=10, engine=engine)
    twice = {name: value.repeat_interleave(3, 0) for name, value in inputs.items()}
    repeated = generate_single(llama, **twice, num_codes=lengths.repeat_interleave(3), seed=10, engine=engine)
    assert torch.equal(together.codes, repeated.codes)
    each = torch.tensor([1, 2, 3, 4, 5, 6])
    own = generate_single(llama, **inputs, num_codes=each, num_return_sequences=3, seed=[7] * 6, engine=engine)
    assert own.attention_mask.sum(-1).tolist() == each.tolist()
    assert torch.equal(own.codes[0, :1], own.codes[1, :1])


def test_every_prompt_is_read_once_and_ended_rows_are_not_decoded(llama, monkeypatch):
    read, stepped = [], []
    prefill, step = FusedLlama.prefill, FusedLlama.step
    monkeypatch.setattr(
        FusedLlama, "prefill", lambda self, ids, *a, **k: read.append(ids.shape) or prefill(self, ids, *a, **k)
    )
    monkeypatch.setattr(FusedLlama, "step", lambda self, ids, *a: stepped.append(len(ids)) or step(self, ids, *a))
    generate_single(
        llama, **make_prompts(4, 7), num_return_sequences=3, num_codes=torch.tensor([2, 5]), seed=1, engine="fast"
    )
    assert read == [(2, 7)]
    assert stepped == [6, 3, 3, 3]
    stepped.clear()
    generate_single(llama, **make_prompts(4), num_codes=3, guidance_scale=2, engine="fast")
    assert read[1:] == [(1, 4), (1, 1)]
    assert stepped == [2, 2]


def weight_bytes(model) -> int:
    storages = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in model.parameters()}
    return sum(storages.values())


def live_bytes() -> int:
    gc.collect()
    storages = {
        t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()
        for t in gc.get_objects()
        if type(t) is torch.Tensor and t.layout is torch.strided
    }
    packed = sum(t.nbytes for t in gc.get_objects() if type(t) is torch.Tensor and t.layout is not torch.strided)
    return sum(storages.values()) + packed


def test_weights_are_not_doubled_and_nothing_stays():
    model = make_model(KINDS["llama biases"]())
    inputs = make_prompts(3, 9)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    size = weight_bytes(model)
    generate_single(model, **inputs, max_codes=8, seed=0, engine="fast")
    attention = model.language_model.model.layers[1].self_attn
    assert attention.q_proj.weight.untyped_storage().data_ptr() == attention.v_proj.weight.untyped_storage().data_ptr()
    assert weight_bytes(model) == size
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    live = []
    # Two rows, or four: then the layers are held once more, packed.
    for guidance_scale in (1.0, 1.0, 2.0, 2.0, 2.0, 1.0):
        generate_single(model, **inputs, max_codes=40, seed=0, engine="fast", guidance_scale=guidance_scale)
        live.append(live_bytes())
    assert live[0] == live[1]
    assert live[2] == live[3] == live[4] == live[5]
    packs = packing_pays(model.language_model.lm_head.weight, 4)
    assert (live[2] > live[1]) == packs
    del model, attention
    assert live_bytes() <= live[1]  # the packed layers went with it


@pytest.mark.parametrize("prompts", [(3, 9), (3, 9, 5, 4)], ids=["few rows", "packed"])
def test_a_changed_model_decodes_by_its_new_weights(tmp_path, prompts):
    model = make_model(KINDS["llama untied"]())
    inputs = make_prompts(*prompts)
    first = generate_single(model, **inputs, num_codes=12, do_sample=False, engine="fast")
    layer = model.language_model.model.layers[0]

    def changed() -> bool:
        assert_same(model, inputs, num_codes=12, do_sample=False)
        return not torch.equal(generate_single(model, **inputs, num_codes=12, do_sample=False).codes, first.codes)

    with torch.no_grad():  # in place, as an optimiser does
        layer.self_attn.k_proj.weight.mul_(-1)
    assert changed()
    layer.mlp.down_proj.weight.data.mul_(-1)  # past autograd's version counter, as PEFT does
    assert changed()
    layer.mlp.up_proj.weight.data = layer.mlp.up_proj.weight.data * -1.5  # a new tensor, as merging an adapter does
    assert changed()
    ids = torch.randint(3, 60, (2, 8))
    optimizer = torch.optim.SGD(model.language_model.parameters(), lr=0.5)
    model.train()
    model(ids, labels=ids).loss.backward()
    optimizer.step()
    model.eval()
    assert changed()
    model.save_pretrained(tmp_path)
    loaded = MotionLLMForCausalLM.from_pretrained(tmp_path)
    saved, kept = loaded.state_dict(), model.state_dict()
    assert saved.keys() == kept.keys()
    assert all(torch.equal(saved[name], kept[name]) for name in kept)
    model.language_model.double()
    assert_same(model, inputs, num_codes=12, do_sample=False)


def test_training_goes_on_after_decoding_in_inference_mode():
    model = make_model(KINDS["llama tied"]())
    with torch.inference_mode():
        generate_single(model, **make_prompts(4), num_codes=3, engine="fast")
    ids = torch.randint(3, 60, (2, 8))
    model.train()
    model(ids, labels=ids).loss.backward()
    assert model.language_model.model.layers[0].self_attn.q_proj.weight.grad.abs().sum() > 0


def test_bfloat16(llama):
    model = make_model(KINDS["llama tied"]())
    model.language_model.bfloat16()
    inputs = make_prompts(3, 9, 6)
    output = generate_single(model, **inputs, num_codes=20, seed=1, engine="fast")
    assert output.features.dtype == torch.float32
    exact = generate_single(llama, **inputs, num_codes=20, seed=1, engine="fast")
    assert (output.codes[:, 0] == exact.codes[:, 0]).all()
    assert_same(model, inputs, num_codes=2, do_sample=False)


OTHERS = {
    "gpt2": (lambda: GPT2Config(vocab_size=OFFSET + CODEBOOK_SIZE, n_embd=32, n_layer=2, n_head=2), "not built like"),
    "qwen3": (lambda: Qwen3Config(**SIZES, **HEADS, head_dim=8), "not built like"),
    "granite": (lambda: GraniteConfig(**SIZES, **HEADS, residual_multiplier=0.3), "computes otherwise"),
    "mistral window": (lambda: MistralConfig(**SIZES, **HEADS, sliding_window=8), "attention window"),
    "dynamic rotary": (
        lambda: LlamaConfig(
            **SIZES, **HEADS, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
        ),
        "rotary",
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_models_fall_back_to_generate(kind):
    make, reason = OTHERS[kind]
    model = make_model(make())
    inputs = make_prompts(3, 6)
    options = {"num_codes": torch.tensor([4, 7]), "seed": 3, "guidance_scale": 2.0}
    with pytest.raises(MotionLLMError, match=reason):
        generate_single(model, **inputs, **options, engine="fast")
    found = generate_single(model, **inputs, **options)
    assert torch.equal(found.codes, generate_single(model, **inputs, **options, engine="generate").codes)
    assert found.attention_mask.sum(-1).tolist() == [4, 7]


def test_an_unmerged_adapter_falls_back(thin_checkpoint, processor, model):
    adapted = MotionLLMForCausalLM.from_pretrained(thin_checkpoint, merge_adapter=False)
    inputs = processor(text=SENTENCES[:2], duration=2)
    with pytest.raises(MotionLLMError, match="merge the adapter"):
        generate_single(adapted, **inputs, engine="fast")
    merged = generate_single(model, **inputs, do_sample=False, engine="fast")
    assert torch.equal(generate_single(adapted, **inputs, do_sample=False).codes, merged.codes)


def test_what_the_fast_decoder_refuses(llama):
    inputs = make_prompts(4)
    with pytest.raises(MotionLLMError, match="num_beams"):
        generate_single(llama, **inputs, do_sample=False, engine="fast", num_beams=2)
    assert generate_single(llama, **inputs, num_codes=3, do_sample=False, num_beams=2).codes.shape == (1, 3)
    with pytest.raises(MotionLLMError, match="no engine 'turbo'"):
        generate_single(llama, **inputs, engine="turbo")
    handle = llama.language_model.model.layers[0].register_forward_hook(lambda *arguments: None)
    with pytest.raises(MotionLLMError, match="hooks"):
        generate_single(llama, **inputs, engine="fast")
    handle.remove()
    llama.train()
    with pytest.raises(MotionLLMError, match="training mode"):
        generate_single(llama, **inputs, engine="fast")
    llama.eval()


@pytest.mark.parametrize("options,match", [
    ({"num_return_sequences": 0}, "num_return_sequences"),
    ({"num_return_sequences": True}, "num_return_sequences"),
    ({"seed": [1, 2], "num_return_sequences": 3}, "2 seeds for 3 motions"),
    ({"num_codes": torch.tensor([3, 4]), "num_return_sequences": 3}, "num_codes"),
    ({"attention_mask": torch.tensor([[1, 1, 0, 1]])}, "gaps"),
    ({"attention_mask": torch.ones(1, 3)}, "attention_mask has shape"),
])  # fmt: skip
@pytest.mark.parametrize("engine", ["fast", "generate"])
def test_bad_requests_are_refused_alike(llama, options, match, engine):
    with pytest.raises(MotionLLMError, match=match):
        generate_single(llama, **make_prompts(4) | options, engine=engine)


def test_models_are_compared_once_and_a_known_one_not_at_all(monkeypatch):
    model = make_model(KINDS["qwen2"]())
    compare, compared = fused_llama_motionllm._disagreement, []
    monkeypatch.setattr(fused_llama_motionllm, "_disagreement", lambda *a: compared.append(1) or compare(*a))
    for _ in range(2):
        generate_single(model, **make_prompts(4), num_codes=2)
    assert len(compared) == 1
    model.language_model.double()
    generate_single(model, **make_prompts(4), num_codes=2)
    assert len(compared) == 2
    make_model(KINDS["llama tied"]()).generate_motion(**make_prompts(4), num_codes=2)
    assert len(compared) == 2
