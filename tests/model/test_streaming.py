"""Streaming: chunks that join to the whole motion, come while codes are decoded, and reach as far as the decoder."""

import threading

import pytest
import torch
from conftest import SENTENCES, generate_single, make_vq, stream_single

from modeling_motionllm import decoding_motionllm
from modeling_motionllm.configuration_motionllm import MotionVQConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.fused_llama_motionllm import FusedLlama
from modeling_motionllm.modeling_motion_vq import MotionVQModel


@pytest.mark.parametrize("options", [
    {},
    {"depth": 3},
    {"depth": 1, "num_downsampling": 3},
    {"depth": 2, "num_downsampling": 1, "dilation_growth": 2},
    {"depth": 2, "patch_size": 4, "num_stacks": 1},
])  # fmt: skip
def test_the_decoder_reaches_as_far_as_the_config_says(options):
    """By gradients: the farthest codes that any frame of the middle code depends on."""
    torch.manual_seed(0)
    vq = MotionVQModel(MotionVQConfig(width=12, code_dim=6, **options)).eval()
    reach, frames = vq.config.decoder_context, vq.config.frames_per_code
    middle, length = reach + 5, 2 * reach + 11
    # Weights of one sign let nothing cancel and no ReLU close.
    with torch.no_grad():
        for parameter in vq.decoder.parameters():
            parameter.abs_()
    latents = torch.rand(1, length, 6, dtype=torch.double, requires_grad=True)
    vq.decoder.double()(latents.transpose(1, 2), None)[..., middle * frames : (middle + 1) * frames].sum().backward()
    seen = latents.grad.abs().sum(-1)[0].nonzero()[:, 0]
    assert max(middle - int(seen.min()), int(seen.max()) - middle) == reach


def join(chunks) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    chunks = list(chunks)
    return tuple(
        torch.cat([getattr(chunk, name) for chunk in chunks], dim=1) for name in ("codes", "attention_mask", "features")
    )


@pytest.mark.parametrize("engine", ["fast", "generate"])
@pytest.mark.parametrize("chunk_codes", [1, 4, 100])
def test_chunks_join_to_the_whole_motion(model, processor, engine, chunk_codes):
    inputs = processor(text=SENTENCES[:3], duration=[0.4, 9.8, 6])
    options = {"seed": 4, "num_return_sequences": 2, "guidance_scale": 1.5}
    whole = generate_single(model, **inputs, **options, engine="generate")
    codes, mask, features = join(stream_single(model, **inputs, **options, engine=engine, chunk_codes=chunk_codes))
    assert torch.equal(codes, whole.codes)
    assert torch.equal(mask, whole.attention_mask)
    torch.testing.assert_close(features, whole.features, atol=1e-4, rtol=1e-4)


def test_free_endings_stream_too(model, processor):
    inputs = processor(text=[SENTENCES[0]] * 24)
    options = {"seed": 1, "top_p": None, "min_codes": 1, "max_codes": 30}
    whole = generate_single(model, **inputs, **options)
    assert len(set(whole.attention_mask.sum(-1).tolist())) > 2
    codes, _, features = join(stream_single(model, **inputs, **options))
    assert torch.equal(codes, whole.codes)
    torch.testing.assert_close(features, whole.features, atol=1e-4, rtol=1e-4)


def test_frames_appear_while_codes_are_decoded(model, processor, monkeypatch):
    steps = []
    step = FusedLlama.step
    monkeypatch.setattr(FusedLlama, "step", lambda self, ids, *rest: steps.append(1) or step(self, ids, *rest))
    stream = stream_single(model, **processor(text=SENTENCES[0], duration=10), seed=0, chunk_codes=5)
    steps.clear()
    first = next(stream)
    assert first.features.shape == (1, 20, 263)
    reach = make_vq().config.decoder_context
    assert len(steps) == 5 + reach - 1 < 49
    assert sum(chunk.codes.shape[1] for chunk in stream) == 45


def test_a_closed_stream_stops_generate(model, processor):
    before = threading.active_count()
    stream = stream_single(model, **processor(text=SENTENCES[0], duration=10), engine="generate", chunk_codes=1)
    next(stream)
    stream.close()
    assert threading.active_count() == before


def test_errors_of_the_thread_come_through(model, processor, monkeypatch):
    monkeypatch.setattr(decoding_motionllm, "MotionGrammar", None)
    stream = stream_single(model, **processor(text=SENTENCES[0]), engine="generate")
    with pytest.raises(TypeError):
        next(stream)


@pytest.mark.parametrize("options", [{"chunk_codes": 0}, {"chunk_codes": 2.5}, {"temperature": 0}, {"engine": "no"}])
def test_bad_settings_are_refused_before_the_first_chunk(model, processor, options):
    with pytest.raises(MotionLLMError):
        stream_single(model, **processor(text="walk"), **options)
