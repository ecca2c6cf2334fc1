"""The motion VQ-VAE: masks, codes, the moving-average codebook, losses, saving, and that it can learn."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import CODEBOOK_SIZE, make_vq
from transformers import AutoModel

from modeling_motionllm.configuration_motionllm import MotionVQConfig
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MaskedConv1d, MotionQuantizer, MotionVQModel
from modeling_motionllm.processing_motionllm import pad_features

LENGTHS = (40, 17, 4)
PATCHES = {"patch_size": 4, "num_downsampling": 0}
forms = pytest.mark.parametrize("form", [{}, PATCHES], ids=["stages", "patches"])


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 263)).astype(np.float32) for length in LENGTHS]


def assert_same_state(one: torch.nn.Module, other: torch.nn.Module) -> None:
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("spread", [1, 3])
def test_a_convolution_as_a_product_is_the_same_convolution(spread):
    torch.manual_seed(0)
    convolution = MaskedConv1d(6, 5, 3, padding=spread, dilation=spread)
    x = torch.randn(2, 6, 9, requires_grad=True)
    pairs = []
    for apply in (convolution, convolution._as_product):
        convolution.zero_grad()
        x.grad = None
        made = apply(x)
        made.square().sum().backward()
        pairs.append((made, x.grad, convolution.weight.grad.clone(), convolution.bias.grad.clone()))
    for one, other in zip(*pairs, strict=True):
        torch.testing.assert_close(one, other)


def test_training_in_bfloat16_has_the_same_losses(clips):
    torch.manual_seed(0)
    model = make_vq(**PATCHES).train()
    motion, mask = pad_features(clips)
    model(motion, mask)  # the codebook starts
    model.quantizer.learning = False
    exact = model(motion, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model(motion, mask)
    assert rough.features.dtype == torch.float32
    assert rough.loss.item() == pytest.approx(exact.loss.item(), rel=0.02)


@pytest.mark.parametrize("form", [{"num_downsampling": 3}, {"patch_size": 8}], ids=["stages", "patches"])
def test_shapes_follow_the_configuration(form):
    model = make_vq(code_dim=8, **form)
    motion = torch.randn(2, 37, 263)
    encoded = model.encode(motion)
    assert encoded.codes.shape == (2, 37 // 8)
    assert encoded.codes.dtype == torch.int64
    assert encoded.attention_mask.all()
    decoded = model.decode(encoded.codes)
    assert decoded.features.shape == (2, 32, 263)
    output = model(motion)
    assert output.features.shape == (2, 32, 263)
    assert torch.equal(output.codes, encoded.codes)
    torch.testing.assert_close(output.features, decoded.features)
    assert isinstance(model(motion, return_dict=False), tuple)


def test_the_default_is_the_reference_size():
    with torch.device("meta"):
        model = MotionVQModel(MotionVQConfig())
    assert model.num_parameters() == pytest.approx(19.4e6, rel=0.03)
    assert not any(isinstance(module, torch.nn.Linear) for module in model.modules())  # LoRA must not find any


@forms
@pytest.mark.parametrize("garbage", [0.0, 1e6, float("inf"), float("nan")])
def test_padding_never_changes_real_frames(clips, garbage, form):
    vq = make_vq(**form)
    motion, mask = pad_features(clips)
    motion = F.pad(motion, (0, 0, 0, 9))
    mask = F.pad(mask, (0, 9))
    motion[~mask] = garbage
    encoded = vq.encode(motion, mask)
    decoded = vq.decode(encoded.codes)
    for row, clip in enumerate(clips):
        alone = vq.encode(torch.from_numpy(clip)[None])
        count = len(clip) // 4
        assert encoded.attention_mask[row].tolist() == [True] * count + [False] * (12 - count)
        assert torch.equal(encoded.codes[row, :count], alone.codes[0])
        assert (encoded.codes[row, count:] == -1).all()
        features = vq.decode(alone.codes).features[0]
        torch.testing.assert_close(decoded.features[row, : 4 * count], features, atol=1e-5, rtol=1e-5)
        assert not decoded.features[row, 4 * count :].any()


@forms
@pytest.mark.parametrize("garbage", [1e3, float("nan")])
def test_padding_never_changes_losses_or_gradients(clips, garbage, form):
    results = []
    for extra in (0, 12):
        model = make_vq(path_weight=0.5, **form)
        motion, mask = pad_features(clips)
        motion = F.pad(motion, (0, 0, 0, extra))
        mask = F.pad(mask, (0, extra))
        motion[~mask] = garbage if extra else 0.0
        output = model(motion, mask)
        output.loss.backward()
        results.append([output.loss, *(parameter.grad for parameter in model.parameters())])
    for one, other in zip(*results, strict=True):
        assert torch.isfinite(other).all()
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_unusable_motion_is_refused(vq):
    with pytest.raises(MotionLLMError, match=r"shape \(5, 263\)"):
        vq.encode(torch.zeros(5, 263))
    with pytest.raises(MotionLLMError, match=r"\(1, 5, 262\)"):
        vq.encode(torch.zeros(1, 5, 262))
    with pytest.raises(MotionLLMError, match="3 feature frames; at least 4"):
        vq.encode(torch.zeros(1, 3, 263))
    with pytest.raises(MotionLLMError, match="2 feature frames"):
        vq.encode(torch.zeros(2, 8, 263), torch.tensor([[1] * 8, [1] * 2 + [0] * 6]))
    with pytest.raises(MotionLLMError, match="gaps"):
        vq.encode(torch.zeros(1, 8, 263), torch.tensor([[1, 1, 1, 0, 1, 1, 1, 1]]))


def test_unusable_codes_are_refused(vq):
    with pytest.raises(MotionLLMError, match=f"code {CODEBOOK_SIZE} is outside .* 0 to {CODEBOOK_SIZE - 1}"):
        vq.decode(torch.tensor([[0, CODEBOOK_SIZE]]))
    with pytest.raises(MotionLLMError, match="code -2 is outside"):
        vq.decode(torch.tensor([[0, -2]]))
    for codes in (torch.zeros(1, 0, dtype=torch.long), torch.zeros(4, dtype=torch.long)):
        with pytest.raises(MotionLLMError, match="at least one code"):
            vq.decode(codes)
    masked = vq.decode(torch.tensor([[3, 99]]), torch.tensor([[1, 0]]))
    torch.testing.assert_close(masked.features[:, :4], vq.decode(torch.tensor([[3]])).features)


def test_normalisation_is_inside_the_model(clips):
    plain, scaled = make_vq(), make_vq()
    mean, std = torch.linspace(-1, 1, 263), torch.linspace(0.5, 2, 263)
    scaled.set_normalization(mean, std)
    motion = torch.from_numpy(clips[0])[None]
    codes = plain.encode(motion).codes
    assert torch.equal(scaled.encode(motion * std + mean).codes, codes)
    torch.testing.assert_close(scaled.decode(codes).features, plain.decode(codes).features * std + mean)
    with pytest.raises(MotionLLMError, match=r"mean has shape \(3,\)"):
        plain.set_normalization(torch.zeros(3), torch.ones(263))
    with pytest.raises(MotionLLMError, match="not positive"):
        plain.set_normalization(torch.zeros(263), torch.zeros(263))


def tiny_quantizer(**options) -> MotionQuantizer:
    return MotionQuantizer(MotionVQConfig(codebook_size=3, code_dim=2, **options))


def test_one_moving_average_step_equals_the_hand_computation():
    quantizer = tiny_quantizer(ema_decay=0.5, dead_code_threshold=0.0)
    quantizer.codebook.copy_(torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]))
    quantizer.code_sum.copy_(quantizer.codebook)
    vectors = torch.tensor([[1.0, 1.0], [2.0, 0.0], [9.0, 1.0]])
    codes = quantizer.nearest(vectors)
    assert codes.tolist() == [0, 0, 1]
    quantizer.update(vectors, codes)
    assert quantizer.code_count.tolist() == [1.5, 1.0, 0.5]
    assert quantizer.code_sum.tolist() == [[1.5, 0.5], [9.5, 0.5], [0.0, 5.0]]
    torch.testing.assert_close(quantizer.codebook, torch.tensor([[1.0, 1 / 3], [9.5, 0.5], [0.0, 10.0]]))


def test_dead_codes_are_redrawn_from_the_batch():
    quantizer = tiny_quantizer(ema_decay=0.5, dead_code_threshold=0.75)
    quantizer.codebook.copy_(torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]))
    quantizer.code_sum.copy_(quantizer.codebook)
    vectors = torch.tensor([[1.0, 1.0], [2.0, 0.0], [9.0, 1.0]])
    quantizer.update(vectors, quantizer.nearest(vectors))
    torch.testing.assert_close(quantizer.codebook[:2], torch.tensor([[1.0, 1 / 3], [9.5, 0.5]]))  # alive
    assert any(torch.equal(quantizer.codebook[2], vector) for vector in vectors)  # its count fell to 0.5


def test_the_codebook_starts_on_the_first_batch(clips):
    model = MotionVQModel(MotionVQConfig(width=16, depth=1, code_dim=8, codebook_size=4)).train()
    assert not model.quantizer.initialized
    motion = torch.from_numpy(clips[0])[None]
    with torch.no_grad():
        latents = model._encode(motion, None)[1][0]
        model.quantizer.initialize(latents)
    assert model.quantizer.initialized
    for code in model.quantizer.codebook:
        assert (latents - code).abs().sum(-1).min() == 0
    assert len(model.quantizer.codebook.unique(dim=0)) == 4
    assert torch.equal(model.quantizer.code_sum, model.quantizer.codebook)
    assert model.quantizer.code_count.tolist() == [1.0] * 4


def test_the_codebook_starts_on_the_centres_of_many_latents():
    quantizer = MotionQuantizer(MotionVQConfig(codebook_size=2, code_dim=2))
    torch.manual_seed(0)
    vectors = torch.cat([torch.randn(60, 2) * 0.1 + 3, torch.randn(20, 2) * 0.1 - 3])
    quantizer.initialize(vectors, use=10.0)
    order = quantizer.codebook[:, 0].argsort()
    torch.testing.assert_close(quantizer.codebook[order], torch.stack([vectors[60:].mean(0), vectors[:60].mean(0)]))
    assert quantizer.code_count[order].tolist() == [5.0, 15.0]
    torch.testing.assert_close(quantizer.code_sum, quantizer.codebook * quantizer.code_count[:, None])


def test_without_a_codebook_it_is_a_plain_autoencoder(clips):
    model = make_vq().train()
    before = model.quantizer.codebook.clone()
    motion = torch.from_numpy(clips[0])[None]
    output = model(motion, quantize=False)
    assert (output.codes == -1).all()
    assert output.codes.shape == (1, 10)
    assert float(output.commitment_loss) == 0
    assert torch.equal(model.quantizer.codebook, before)
    latents = model.latents(motion)
    expected = model.decoder(latents.T[None], None).transpose(1, 2) * model.std + model.mean
    torch.testing.assert_close(output.features, expected)


def test_a_batch_smaller_than_the_codebook_fills_it():
    quantizer = MotionQuantizer(MotionVQConfig(codebook_size=10, code_dim=2))
    vectors = torch.tensor([[1.0, 1.0], [-1.0, 2.0]])
    quantizer.initialize(vectors)
    nearest = torch.cdist(quantizer.codebook, vectors).min(-1)
    assert nearest.values.max() < 0.1
    assert sorted(nearest.indices.tolist()) == [0] * 5 + [1] * 5
    assert len(quantizer.codebook.unique(dim=0)) == 10  # disturbed, so that they can part


def test_the_first_training_step_initialises_and_evaluation_never_does(clips):
    motion = torch.from_numpy(clips[0])[None]
    model = MotionVQModel(MotionVQConfig(width=16, depth=1, code_dim=8, codebook_size=4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()(motion)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    model.train()(motion)
    assert model.quantizer.initialized
    assert model.quantizer.codebook.abs().sum() > 0


def test_the_gradient_passes_straight_through_the_codes(clips):
    model = make_vq(commitment_weight=0.0)
    motion = torch.from_numpy(clips[0])[None]
    seen = {}
    model.encoder.conv_out.register_full_backward_hook(lambda _, __, out: seen.update(latents=out[0]))
    model.decoder.conv_in.register_full_backward_hook(lambda _, into, __: seen.update(codes=into[0]))
    model(motion).loss.backward()
    assert seen["codes"].abs().sum() > 0
    torch.testing.assert_close(seen["latents"], seen["codes"])
    assert model.encoder.conv_in.weight.grad.abs().sum() > 0


def test_commitment_is_the_distance_to_the_codes(vq, clips):
    motion = torch.from_numpy(clips[0])[None]
    latents = vq._encode(motion, None)[1][0]
    expected = torch.cdist(latents, vq.quantizer.codebook).min(-1).values.square().mean() / latents.shape[-1]
    torch.testing.assert_close(vq(motion).commitment_loss, expected.detach(), rtol=1e-4, atol=1e-6)


def test_the_loss_is_the_weighted_sum_of_its_parts(clips):
    model = make_vq(path_weight=0.3, velocity_weight=0.7, foot_weight=0.2, commitment_weight=0.05)
    output = model(torch.from_numpy(clips[0])[None])
    parts = output.reconstruction_loss + 0.7 * output.velocity_loss + 0.3 * output.path_loss + 0.2 * output.foot_loss
    torch.testing.assert_close(output.loss.detach(), parts + 0.05 * output.commitment_loss)


def test_perfect_reconstruction_costs_nothing_and_a_wrong_path_does():
    model = make_vq(path_weight=1.0, root_weight=4.0, foot_weight=1.0)
    target = torch.randn(2, 8, 263)
    target[..., 0] = 0  # straight on
    mask = torch.tensor([[True, True], [True, False]])

    def losses(output: torch.Tensor) -> list[float]:
        both = (*model._losses(output, target, mask), *model._world_losses(output, target, mask))
        return [float(loss) for loss in both]

    assert losses(target) == [0.0] * 4
    wrong = target.clone()
    wrong[0, 0, 1] += 0.5  # the root is half a metre off from row 1 on
    reconstruction, velocity, path, foot = losses(wrong)
    assert velocity == 0
    assert path == pytest.approx(7 * 0.5 / 12, rel=1e-5)
    assert foot == pytest.approx(0.5 * 20 / 10, rel=1e-5)  # in one of ten steps, at 20 frames a second
    weight = 4.0 / ((4 * 4.0 + 259) / 263)
    assert reconstruction == pytest.approx(weight * 0.5 * 0.5**2 / (12 * 263), rel=1e-4)
    padded = target.clone()
    padded[1, 4:] += 100
    assert losses(padded) == [0.0] * 4


def test_perplexity_counts_the_codes_in_use(clips, monkeypatch):
    model = make_vq()
    motion = torch.from_numpy(clips[0])[None]  # ten codes
    for codes, expected in ((torch.arange(10), 10.0), (torch.zeros(10, dtype=torch.long), 1.0)):
        monkeypatch.setattr(model.quantizer, "nearest", lambda vectors, codes=codes: codes)
        assert float(model(motion).perplexity) == pytest.approx(expected, rel=1e-4)


@forms
def test_saving_and_loading_is_exact(clips, tmp_path, form):
    model = make_vq(**form).train()
    model.set_normalization(torch.linspace(-1, 1, 263), torch.linspace(0.5, 2, 263))
    model(torch.from_numpy(clips[0])[None])
    model.eval().save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert type(loaded) is MotionVQModel
    assert_same_state(model, loaded)
    assert bool(loaded.quantizer.initialized)
    motion = torch.from_numpy(clips[1])[None]
    torch.testing.assert_close(model(motion).loss, loaded(motion).loss)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".bin", ".pt", ".pkl")]


def test_frozen_codes_stay_while_the_decoder_learns(clips):
    model = make_vq()
    motion, mask = pad_features(clips)
    codes = model.encode(motion, mask).codes
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.freeze_codes()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        model(motion, mask).loss.backward()
        optimizer.step()
    model.eval()
    assert torch.equal(model.encode(motion, mask).codes, codes)
    changed = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"decoder"}


def test_it_learns_a_batch_by_heart(golden):
    torch.manual_seed(0)
    clip = golden["dataset-2_wave-right-hand_youthful_001"]["features"]
    motion = torch.from_numpy(np.stack([clip[40:56], clip[60:76]]))
    model = MotionVQModel(MotionVQConfig(width=32, depth=1, code_dim=16, codebook_size=16, ema_decay=0.8)).train()
    model.set_normalization(motion.mean((0, 1)), motion.std((0, 1)).clamp_min(0.05))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(80):
        optimizer.zero_grad()
        output = model(motion)
        output.loss.backward()
        optimizer.step()
        losses.append(float(output.loss.detach()))
    assert np.mean(losses[-5:]) < losses[0] / 5
    assert float(output.perplexity) > 4
