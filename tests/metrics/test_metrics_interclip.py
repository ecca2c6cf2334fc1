"""InterCLIP's loader, on stand-ins with the published names and shapes, and its arithmetic."""

import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hub_scripts.metrics.interclip import InterCLIP
from modeling_motionllm.errors_motionllm import MotionLLMError

SIZES = {
    "width": 16,
    "heads": 2,
    "feedforward": 24,
    "layers": 2,
    "text_width": 12,
    "tokens": 40,
    "context": 9,
    "out": 8,
}
# Of datasets/evaluator_models.py, models/nets.py and configs/eval_model.yaml of InterGen.
PUBLISHED = {
    "latent_scale": (1,),
    "positional_embedding": (77, 768),
    "token_embedding.weight": (49408, 768),
    "text_ln.weight": (768,),
    "out.weight": (512, 768),
    "textTransEncoder.layers.7.self_attn.in_proj_weight": (2304, 768),
    "textTransEncoder.layers.0.linear1.weight": (2048, 768),
    "motion_encoder.query_token": (1, 1024),
    "motion_encoder.embed_motion.weight": (1024, 516),
    "motion_encoder.sequence_pos_encoder.pe": (2000, 1024),
    "motion_encoder.transformer.layers.7.linear2.weight": (1024, 2048),
    "motion_encoder.out_ln.bias": (1024,),
    "motion_encoder.out.weight": (512, 1024),
}


class Tokenizer:
    """Ids of words by their length; the highest ends a text."""

    def __call__(self, text, truncation, max_length):
        assert truncation
        words = [38, *(len(word) for word in text.split())]
        return {"input_ids": [*words[: max_length - 1], 39]}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    model = InterCLIP(**SIZES)
    for value in (
        model.motion_encoder.query_token,
        model.positional_embedding,
        model.motion_encoder.sequence_pos_encoder.pe,
    ):
        torch.nn.init.normal_(value)
    torch.nn.init.constant_(model.latent_scale, 3.0)
    path = tmp_path_factory.mktemp("interclip") / "interclip.ckpt"
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 4, "pytorch-lightning_version": "1.9.1", "optimizer_states": []}, path)
    return path


@pytest.fixture(scope="module")
def interclip(file) -> InterCLIP:
    return InterCLIP.from_file(file, **SIZES)


@pytest.fixture(scope="module")
def scenes() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 2, 262)).astype(np.float32) for length in (31, 12, 300)]


def test_the_names_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        state = InterCLIP().state_dict()
    assert {name: tuple(state[name].shape) for name in PUBLISHED} == PUBLISHED
    assert len(state) == 16 * 12 + 15


def test_against_a_computation_scene_by_scene(interclip, scenes):
    table = interclip.embed_scenes(scenes, batch_size=2)
    encoder = interclip.motion_encoder
    for scene, row in zip(scenes, table, strict=True):
        seen = torch.from_numpy(np.concatenate([scene[:, 0, :258], scene[:, 1, :258]], axis=1))
        x = torch.cat([encoder.query_token, encoder.embed_motion(seen)])
        x = x + encoder.sequence_pos_encoder.pe[: len(x)]
        for layer in encoder.transformer.layers:
            x = layer.norm1(x + layer.self_attn(x[None], x[None], x[None])[0][0])
            x = layer.norm2(x + layer.linear2(F.gelu(layer.linear1(x))))
        expected = F.normalize(encoder.out(encoder.out_ln(x[0])), dim=-1) * 3
        np.testing.assert_allclose(row, expected.detach(), atol=1e-5)


def test_contacts_are_not_seen_and_the_rest_is_cut(interclip, scenes):
    contacts, long = scenes[0].copy(), np.concatenate([scenes[2], scenes[0]])
    contacts[..., -4:] += 1
    plain, same, whole, cut = interclip.embed_scenes([scenes[0], contacts, scenes[2], long])
    np.testing.assert_allclose(plain, same, atol=1e-6)
    np.testing.assert_allclose(whole, cut, atol=1e-6)
    assert not np.allclose(interclip.embed_scenes([scenes[0][:, ::-1]])[0], plain, atol=1e-3)  # who is person 1 counts


def test_texts(interclip):
    table = interclip.embed_texts(["one person bows", "the other one bows too"], Tokenizer(), batch_size=1)
    np.testing.assert_allclose(np.linalg.norm(table, axis=1), 3, rtol=1e-5)
    ids = torch.tensor([38, 3, 6, 4, 39, 0, 0, 0, 0])
    x = interclip.token_embedding(ids) + interclip.positional_embedding
    for layer in interclip.textTransEncoder.layers:
        x = layer.norm1(x + layer.self_attn(x[None], x[None], x[None])[0][0])
        x = layer.norm2(x + layer.linear2(F.gelu(layer.linear1(x))))
    expected = F.normalize(interclip.out(interclip.text_ln(x[4])), dim=-1) * 3
    np.testing.assert_allclose(table[0], expected.detach(), atol=1e-5)


def test_bad_scenes(interclip):
    with pytest.raises(MotionLLMError, match=r"scene 0 has shape \(5, 2, 258\)"):
        interclip.embed_scenes([np.zeros((5, 2, 258))])
    with pytest.raises(MotionLLMError, match="no scenes"):
        interclip.embed_scenes([])


def test_a_file_with_code_is_refused_and_not_run(tmp_path, file):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    state = torch.load(file, weights_only=True)
    torch.save(state | {"hyper_parameters": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(MotionLLMError, match="save its 'state_dict' alone"):
        InterCLIP.from_file(tmp_path / "evil.ckpt", **SIZES)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(MotionLLMError, match="is not read"):
        InterCLIP.from_file(tmp_path / "absent.ckpt")
    torch.save({"state_dict": {"model.out.weight": torch.zeros(3)}}, tmp_path / "other.ckpt")
    with pytest.raises(MotionLLMError, match="does not hold InterCLIP"):
        InterCLIP.from_file(tmp_path / "other.ckpt", **SIZES)
