"""`MotionVQModel`: motion features to discrete codes and back (T2M-GPT's VQ-VAE, with masks and a loss on the path)."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_motionllm import MotionVQConfig
from .errors_motionllm import MotionLLMError
from .json_motionllm import VQ_FIELDS
from .motion_features import features_to_joints, integrate_root, skeleton_of_features
from .strict_motionllm import StrictPreTrainedModel

__all__ = ["MotionVQDecoderOutput", "MotionVQEncoderOutput", "MotionVQModel", "MotionVQOutput"]


@dataclass
class MotionVQEncoderOutput(ModelOutput):
    """Args:
    codes: int64 (B, L) codebook indices, -1 where padded.
    attention_mask: bool (B, L), True where a code is real.
    """

    codes: torch.Tensor = None  # type: ignore[assignment]
    attention_mask: torch.Tensor = None  # type: ignore[assignment]


@dataclass
class MotionVQDecoderOutput(ModelOutput):
    """Args:
    features: (B, L * frames_per_code, input_dim) raw features, 0 where padded.
    attention_mask: bool (B, L * frames_per_code), True where a frame is real.
    """

    features: torch.Tensor = None  # type: ignore[assignment]
    attention_mask: torch.Tensor = None  # type: ignore[assignment]


@dataclass
class MotionVQOutput(ModelOutput):
    """Args:
    loss: weighted sum of the losses below.
    features: (B, T', input_dim) reconstructed raw features; T' is the input's length cut to whole codes.
    codes: int64 (B, L), -1 where padded.
    perplexity: of the batch's code usage; the codebook size if all codes are used equally.
    reconstruction_loss, velocity_loss, path_loss, foot_loss, commitment_loss: unweighted terms; those of weight 0 may
        be 0.
    """

    loss: torch.Tensor = None  # type: ignore[assignment]
    features: torch.Tensor = None  # type: ignore[assignment]
    codes: torch.Tensor = None  # type: ignore[assignment]
    perplexity: torch.Tensor = None  # type: ignore[assignment]
    reconstruction_loss: torch.Tensor = None  # type: ignore[assignment]
    velocity_loss: torch.Tensor = None  # type: ignore[assignment]
    path_loss: torch.Tensor = None  # type: ignore[assignment]
    foot_loss: torch.Tensor = None  # type: ignore[assignment]
    commitment_loss: torch.Tensor = None  # type: ignore[assignment]


class MaskedConv1d(nn.Conv1d):
    """Convolution that sees zeros at padded positions, exactly as it sees the zeros beyond the end of a clip."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        x = x if mask is None else x * mask
        if self.training and self.stride == (1,) and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            return self._as_product(x)
        return super().forward(x)

    def _as_product(self, x: torch.Tensor) -> torch.Tensor:
        """The same as one matrix product, whose gradients processors with bfloat16 compute much faster."""
        (taps,), (spread,), length = self.kernel_size, self.dilation, x.shape[-1]
        x = F.pad(x, (int(self.padding[0]),) * 2)
        x = torch.cat([x[..., tap * spread : tap * spread + length] for tap in range(taps)], dim=1)
        return F.linear(x.transpose(1, 2), self.weight.transpose(1, 2).flatten(1), self.bias).transpose(1, 2)


class MotionResidualStack(nn.Module):
    """Residual blocks of a dilated 3-tap and a 1-tap convolution; the widest dilation comes first."""

    def __init__(self, width: int, depth: int, dilation_growth: int):
        super().__init__()
        dilations = [dilation_growth**n for n in reversed(range(depth))]
        self.wide = nn.ModuleList(MaskedConv1d(width, width, 3, padding=d, dilation=d) for d in dilations)
        self.narrow = nn.ModuleList(MaskedConv1d(width, width, 1) for _ in dilations)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            x = x + narrow(F.relu(wide(F.relu(x), mask)))
        return x


class MotionEncoder(nn.Module):
    """(B, input_dim, T) to (B, code_dim, T / frames_per_code)."""

    def __init__(self, config: MotionVQConfig):
        super().__init__()
        width, stages = config.width, range(config.num_downsampling)
        self.conv_in = MaskedConv1d(config.input_dim, width, 3, padding=1)
        self.down = nn.ModuleList(MaskedConv1d(width, width, 4, stride=2, padding=1) for _ in stages)
        self.blocks = _stacks(config, config.num_downsampling)
        self.conv_out = MaskedConv1d(width, config.code_dim, 3, padding=1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        x = F.relu(self.conv_in(x, mask))
        for down, blocks in zip(self.down, self.blocks, strict=True):
            x = down(x, mask)
            mask = None if mask is None else mask[..., ::2]
            x = blocks(x, mask)
        return self.conv_out(x, mask)


class MotionDecoder(nn.Module):
    """(B, code_dim, L) to (B, input_dim, L * frames_per_code)."""

    def __init__(self, config: MotionVQConfig):
        super().__init__()
        width, stages = config.width, range(config.num_downsampling)
        self.conv_in = MaskedConv1d(config.code_dim, width, 3, padding=1)
        self.blocks = _stacks(config, config.num_downsampling)
        self.up = nn.ModuleList(MaskedConv1d(width, width, 3, padding=1) for _ in stages)
        self.conv_mid = MaskedConv1d(width, width, 3, padding=1)
        self.conv_out = MaskedConv1d(width, config.input_dim, 3, padding=1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        x = F.relu(self.conv_in(x, mask))
        for blocks, up in zip(self.blocks, self.up, strict=True):
            x = blocks(x, mask).repeat_interleave(2, dim=-1)
            mask = None if mask is None else mask.repeat_interleave(2, dim=-1)
            x = up(x, mask)
        return self.conv_out(F.relu(self.conv_mid(x, mask)), mask)


class MotionPatchEncoder(nn.Module):
    """As `MotionEncoder`, with overlapping patches of frames: everything after the first convolution is per code."""

    def __init__(self, config: MotionVQConfig):
        super().__init__()
        width, patch = config.width, config.patch_size
        self.patch = patch
        self.conv_in = MaskedConv1d(config.input_dim, width, 2 * patch, stride=patch, padding=patch // 2)
        self.blocks = _stacks(config, config.num_stacks)
        self.conv_out = MaskedConv1d(width, config.code_dim, 1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        x = self.conv_in(x, mask)
        mask = None if mask is None else mask[..., :: self.patch]
        for blocks in self.blocks:
            x = blocks(x, mask)
        return self.conv_out(x, mask)


class MotionPatchDecoder(nn.Module):
    """As `MotionDecoder`, from codes to overlapping patches of frames in the last step."""

    def __init__(self, config: MotionVQConfig):
        super().__init__()
        width, patch = config.width, config.patch_size
        self.conv_in = MaskedConv1d(config.code_dim, width, 3, padding=1)
        self.blocks = _stacks(config, config.num_stacks)
        self.conv_out = nn.ConvTranspose1d(width, config.input_dim, 2 * patch, stride=patch, padding=patch // 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        x = self.conv_in(x, mask)
        for blocks in self.blocks:
            x = blocks(x, mask)
        x = F.relu(x)
        return self.conv_out(x if mask is None else x * mask)


def _stacks(config: MotionVQConfig, count: int) -> nn.ModuleList:
    return nn.ModuleList(MotionResidualStack(config.width, config.depth, config.dilation_growth) for _ in range(count))


class MotionQuantizer(nn.Module):
    """Nearest-neighbour codebook learnt by moving averages; unused codes are redrawn from the batch (T2M-GPT, 3.1)."""

    codebook: torch.Tensor
    code_sum: torch.Tensor
    code_count: torch.Tensor
    initialized: torch.Tensor

    def __init__(self, config: MotionVQConfig):
        super().__init__()
        self.decay, self.threshold = config.ema_decay, config.dead_code_threshold
        self.learning = True
        size, dim = config.codebook_size, config.code_dim
        self.register_buffer("codebook", torch.zeros(size, dim))
        self.register_buffer("code_sum", torch.zeros(size, dim))
        self.register_buffer("code_count", torch.ones(size))
        self.register_buffer("initialized", torch.tensor(False))

    def nearest(self, vectors: torch.Tensor) -> torch.Tensor:
        """Indices (N,) of the closest code of each vector (N, dim); in fp32 under autocast, too."""
        with torch.autocast(vectors.device.type, enabled=False):
            distance = self.codebook.square().sum(-1) - 2 * (vectors.to(self.codebook) @ self.codebook.T)
        return distance.argmin(-1)

    @torch.no_grad()
    def update(self, vectors: torch.Tensor, codes: torch.Tensor) -> None:
        """One moving-average step of the codebook from a batch of vectors (N, dim) and their codes (N,)."""
        vectors = vectors.to(self.codebook)
        size = self.codebook.shape[0]
        count = torch.zeros_like(self.code_count).index_add_(0, codes, torch.ones_like(vectors[:, 0]))
        total = torch.zeros_like(self.code_sum).index_add_(0, codes, vectors)
        drawn = self._draw(vectors, size)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(count)
            dist.all_reduce(total)
        self.code_sum.lerp_(total, 1 - self.decay)
        self.code_count.lerp_(count, 1 - self.decay)
        # A redrawn code starts with the average use: without that it would be redrawn again before it could settle.
        dead = self.code_count < self.threshold
        average = count.sum() / size
        self.code_count.copy_(torch.where(dead, average.clamp_min(self.threshold), self.code_count))
        self.code_sum.copy_(torch.where(dead[:, None], drawn * self.code_count[:, None], self.code_sum))
        self.codebook.copy_(self.code_sum / self.code_count[:, None])

    @torch.no_grad()
    def initialize(self, vectors: torch.Tensor, use: float = 1.0) -> None:
        """Start the codebook on vectors (N, dim), or on their centres (ten steps of k-means) where they are many.

        Args:
            vectors: latents of the encoder; they are many where there are at least eight per code.
            use: how often a code is used per step on average, for the counts to start with.
        """
        vectors = vectors.to(self.codebook)
        size = self.codebook.shape[0]
        self.codebook.copy_(self._draw(vectors, size))
        count = torch.ones_like(self.code_count)
        for _ in range(10 if vectors.shape[0] >= 8 * size else 0):
            codes = self.nearest(vectors)
            count = torch.bincount(codes, minlength=size).to(vectors)
            total = torch.zeros_like(self.codebook).index_add_(0, codes, vectors)
            centres = total / count.clamp_min(1)[:, None]
            self.codebook.copy_(torch.where(count[:, None] > 0, centres, self._draw(vectors, size)))
        self.code_count.copy_((count / count.mean()).clamp_min(0.5) * use)
        self.code_sum.copy_(self.codebook * self.code_count[:, None])
        if dist.is_available() and dist.is_initialized():
            for value in (self.codebook, self.code_sum, self.code_count):
                dist.broadcast(value, 0)
        self.initialized.fill_(True)

    def _draw(self, vectors: torch.Tensor, size: int) -> torch.Tensor:
        """`size` vectors of the batch in random order; small batches repeat, slightly disturbed."""
        repeats = -(-size // vectors.shape[0])
        if repeats > 1:
            vectors = vectors.repeat(repeats, 1)
            vectors = vectors + torch.randn_like(vectors) * (0.01 / vectors.shape[1] ** 0.5)
        drawn = vectors[torch.randperm(vectors.shape[0], device=vectors.device)[:size]].contiguous()
        if dist.is_available() and dist.is_initialized():
            dist.broadcast(drawn, 0)
        return drawn


class MotionVQModel(StrictPreTrainedModel):
    """VQ-VAE over motion features: `encode` to codes, `decode` back; both batched, with masks.

    Features go in and come out raw: the model normalises with its own `mean` and `std` buffers. Padded positions never
    change valid ones. Weights and buffers stay in fp32.
    """

    config_class = MotionVQConfig
    json_fields = VQ_FIELDS
    config: MotionVQConfig
    mean: torch.Tensor
    std: torch.Tensor
    main_input_name = "motion"
    base_model_prefix = "motion_vq"
    _no_split_modules = [  # noqa: RUF012
        "MotionEncoder", "MotionDecoder", "MotionPatchEncoder", "MotionPatchDecoder", "MotionQuantizer",
    ]  # fmt: skip

    def __init__(self, config: MotionVQConfig):
        config._attn_implementation = "eager"  # there is none; others may be asked of a model around it
        super().__init__(config)
        patches = config.patch_size > 1
        self.encoder = MotionPatchEncoder(config) if patches else MotionEncoder(config)
        self.quantizer = MotionQuantizer(config)
        self.decoder = MotionPatchDecoder(config) if patches else MotionDecoder(config)
        self.register_buffer("mean", torch.zeros(config.input_dim))
        self.register_buffer("std", torch.ones(config.input_dim))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv1d):
            module.reset_parameters()
        elif isinstance(module, MotionQuantizer):
            init.zeros_(module.codebook)
            init.zeros_(module.code_sum)
            init.ones_(module.code_count)
            init.zeros_(module.initialized)
        elif isinstance(module, MotionVQModel):
            init.zeros_(module.mean)
            init.ones_(module.std)

    def set_normalization(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Set the (input_dim,) statistics that features are normalised with.

        Raises:
            MotionLLMError: wrong shape, or a standard deviation that is not positive.
        """
        for name, value in (("mean", mean), ("std", std)):
            if tuple(value.shape) != (self.config.input_dim,):
                raise MotionLLMError(f"{name} has shape {tuple(value.shape)}; it must be ({self.config.input_dim},)")
        if not bool((std > 0).all()):
            raise MotionLLMError("std has values that are not positive; average it over column groups first")
        self.mean.copy_(mean)
        self.std.copy_(std)

    def freeze_codes(self) -> None:
        """Train the decoder only from here on: every motion keeps its codes."""
        self.encoder.requires_grad_(False)
        self.quantizer.learning = False

    def _check(self, motion: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor | None:
        config = self.config
        if motion.ndim != 3 or motion.shape[-1] != config.input_dim:
            raise MotionLLMError(f"motion has shape {tuple(motion.shape)}; give (batch, frames, {config.input_dim})")
        shortest = motion.shape[1] if attention_mask is None else int(attention_mask.sum(-1).min())
        if shortest < config.frames_per_code:
            raise MotionLLMError(
                f"a motion has {shortest} feature frames; at least {config.frames_per_code} make one code"
            )
        if attention_mask is None:
            return None
        attention_mask = attention_mask.bool()
        if bool((attention_mask[:, 1:] & ~attention_mask[:, :-1]).any()):
            raise MotionLLMError("attention_mask has gaps; pad motions at the end only")
        return attention_mask

    def _encode(
        self, motion: torch.Tensor, attention_mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Normalised motion (B, T', D), latents (B, L, code_dim) and code mask (B, L); T' is cut to whole codes."""
        attention_mask = self._check(motion, attention_mask)
        step = self.config.frames_per_code
        length = motion.shape[1] // step
        motion = motion[:, : length * step]
        if attention_mask is None:
            code_mask, mask = motion.new_ones(motion.shape[0], length, dtype=torch.bool), None
        else:
            code_mask = attention_mask[:, step - 1 : length * step : step]
            frames = code_mask.repeat_interleave(step, dim=-1)
            mask = frames[:, None].to(self.mean)
            motion = motion.masked_fill(~frames[..., None], 0)  # NaN times a mask of 0 would still be NaN
        motion = (motion.to(self.mean) - self.mean) / self.std
        if not bool(torch.isfinite(motion).all()):  # the nearest code of NaN would be code 0
            raise MotionLLMError("the motion holds features that are NaN or infinite; repair it, or leave it out")
        latents = self.encoder(motion.transpose(1, 2), mask).transpose(1, 2).to(self.mean)  # fp32 under autocast, too
        return motion, latents, code_mask

    def encode(self, motion: torch.Tensor, attention_mask: torch.Tensor | None = None) -> MotionVQEncoderOutput:
        """Features to codes.

        Args:
            motion: (B, T, input_dim) raw features.
            attention_mask: (B, T), True or 1 where a frame is real; padding only at the end.

        Returns:
            `codes` (B, T // frames_per_code), -1 where padded, and their `attention_mask`.

        Raises:
            MotionLLMError: wrong shape, NaN, gaps in the mask, or fewer frames than one code takes.
        """
        _, latents, code_mask = self._encode(motion, attention_mask)
        codes = self.quantizer.nearest(latents.flatten(0, 1)).view(code_mask.shape)
        return MotionVQEncoderOutput(codes=codes.masked_fill(~code_mask, -1), attention_mask=code_mask)

    def latents(self, motion: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """What `encode` finds the nearest codes of: (N, code_dim), one for each code of all motions, clip by clip.

        Args and Raises: as `encode`.
        """
        _, latents, code_mask = self._encode(motion, attention_mask)
        return latents[code_mask]

    def decode(self, codes: torch.Tensor, attention_mask: torch.Tensor | None = None) -> MotionVQDecoderOutput:
        """Codes to raw features.

        Args:
            codes: int64 (B, L); anything where padded.
            attention_mask: (B, L), True or 1 where a code is real; by default where `codes` is not -1.

        Raises:
            MotionLLMError: wrong shape, no code, or a code outside the codebook.
        """
        if codes.ndim != 2 or codes.shape[1] == 0:
            raise MotionLLMError(f"codes have shape {tuple(codes.shape)}; give (batch, length) with at least one code")
        mask = codes != -1 if attention_mask is None else attention_mask.bool()
        valid = codes[mask]
        size = self.config.codebook_size
        if bool(((valid < 0) | (valid >= size)).any()):
            wrong = int(valid[(valid < 0) | (valid >= size)][0])
            raise MotionLLMError(f"code {wrong} is outside the codebook; codes run from 0 to {size - 1}")
        latents = self.quantizer.codebook[codes.masked_fill(~mask, 0)]
        frame_mask = mask.repeat_interleave(self.config.frames_per_code, dim=-1)
        features = self._decode(latents, None if bool(mask.all()) else mask)
        features = (features * self.std + self.mean).masked_fill(~frame_mask[..., None], 0)
        return MotionVQDecoderOutput(features=features, attention_mask=frame_mask)

    def _decode(self, latents: torch.Tensor, code_mask: torch.Tensor | None) -> torch.Tensor:
        mask = None if code_mask is None else code_mask[:, None].to(latents)
        return self.decoder(latents.transpose(1, 2), mask).transpose(1, 2).to(self.mean)

    def forward(
        self,
        motion: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        quantize: bool = True,
        return_dict: bool = True,
    ) -> MotionVQOutput | tuple:
        """Reconstruct features and compute the losses; in training mode the codebook takes a moving-average step.

        Args:
            motion: (B, T, input_dim) raw features.
            attention_mask: (B, T), True or 1 where a frame is real.
            quantize: False for a plain autoencoder, which training may begin with: codes are then all -1.

        Raises:
            MotionLLMError: as `encode`.
        """
        config = self.config
        target, latents, code_mask = self._encode(motion, attention_mask)
        if quantize:
            passed, codes, commitment = self._quantize(latents, code_mask)
        else:
            passed, codes = latents, torch.full_like(code_mask, -1, dtype=torch.long)
            commitment = latents.new_zeros(())
        padded = None if attention_mask is None else code_mask
        output = self._decode(passed, padded)
        reconstruction, velocity = self._losses(output, target, code_mask)
        path, foot = self._world_losses(output, target, code_mask)

        usage = torch.bincount(codes[codes >= 0], minlength=config.codebook_size).to(latents)
        usage = usage / usage.sum().clamp_min(1)
        result = MotionVQOutput(
            loss=reconstruction
            + config.velocity_weight * velocity
            + config.path_weight * path
            + config.foot_weight * foot
            + config.commitment_weight * commitment,
            features=output * self.std + self.mean,
            codes=codes,
            perplexity=torch.exp(-(usage * (usage + 1e-10).log()).sum()),
            reconstruction_loss=reconstruction.detach(),
            velocity_loss=velocity.detach(),
            path_loss=path.detach(),
            foot_loss=foot.detach(),
            commitment_loss=commitment.detach(),
        )
        return result if return_dict else result.to_tuple()

    def _quantize(
        self, latents: torch.Tensor, code_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What the decoder sees (B, L, code_dim), codes (B, L), -1 where padded, and the commitment loss.

        In training mode the codebook takes a step, or starts where it has not yet.
        """
        vectors = latents[code_mask]
        if self.training and not bool(self.quantizer.initialized):
            self.quantizer.initialize(vectors.detach())
        codes = self.quantizer.nearest(vectors.detach())
        quantized = self.quantizer.codebook[codes].to(vectors)
        if self.training and self.quantizer.learning:
            self.quantizer.update(vectors.detach(), codes)
        # Straight-through: the decoder sees the code, the encoder gets the gradient.
        passed = torch.zeros_like(latents).masked_scatter(
            code_mask[..., None], vectors + (quantized - vectors).detach()
        )
        spread = codes.new_full(code_mask.shape, -1).masked_scatter(code_mask, codes)
        return passed, spread, F.mse_loss(vectors, quantized)

    def _losses(
        self, output: torch.Tensor, target: torch.Tensor, code_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Reconstruction and velocity losses of normalised features (B, T', D), averaged over real frames."""
        mask = code_mask.repeat_interleave(self.config.frames_per_code, dim=-1)
        weights = torch.ones_like(self.mean)
        weights[:4] = self.config.root_weight
        error = F.smooth_l1_loss(output, target, reduction="none")[mask]
        positions = slice(4, 4 + 3 * (self.config.num_joints - 1))
        return (error * (weights / weights.mean())).mean(), error[:, positions].mean()

    def _world_losses(
        self, output: torch.Tensor, target: torch.Tensor, code_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses of the root's path (metres and radians) and of the feet's speed (m/s), averaged over real frames."""
        config = self.config
        zero = output.new_zeros(())
        if config.path_weight == 0 and config.foot_weight == 0:
            return zero, zero
        mask = code_mask.repeat_interleave(config.frames_per_code, dim=-1)
        made, real = output * self.std + self.mean, target * self.std + self.mean
        path, foot = zero, zero
        if config.path_weight:
            # Small errors of the root's speed and turn add up over a clip, so they are judged added up.
            (half, root), (true_half, true_root) = integrate_root(made), integrate_root(real)
            drift = (root - true_root)[..., [0, 2]].abs().sum(-1) * config.metres_per_unit
            path = (drift + 2 * (half - true_half).abs())[mask].mean()
        if config.foot_weight:
            skeleton = skeleton_of_features(config.input_dim)
            error = features_to_joints(made, skeleton) - features_to_joints(real, skeleton)
            steps = error[:, :, list(skeleton.feet)].diff(dim=1)[mask[:, 1:]]
            foot = steps.norm(dim=-1).mean() * (config.fps * config.metres_per_unit)
        return path, foot


MotionVQModel.register_for_auto_class("AutoModel")
