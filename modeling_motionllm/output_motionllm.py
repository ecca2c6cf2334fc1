"""`MotionGenerationOutput`: what `generate_motion` returns."""

from dataclasses import dataclass

import torch
from transformers.utils import ModelOutput

from .modeling_motion_vq import MotionVQModel
from .placement_motionllm import encode_placements

__all__ = ["MotionGenerationOutput", "decode_part"]

_CODES_AT_ONCE = 256  # that are decoded together: memory does not grow with the motion


@dataclass
class MotionGenerationOutput(ModelOutput):
    """R motions or scenes of up to P people; one person is a scene of one.

    Args:
        codes: int64 (R, P, L), -1 where padded or where a scene has fewer people; the motions of the first prompt
            first.
        attention_mask: bool (R, P, L), True where a code is real.
        features: (R, P, L * frames_per_code, D) raw features of each person in a frame of its own, 0 where padded.
        placements: float64 (R, P, 3): where each person starts, x and z in metres and heading in radians, in the frame
            of person 1, whose own is 0.
        num_people: int64 (R,).
        parts: int64 (R, P, S) ids of what each person does, as it was told before its motion, -1 where padded;
            `MotionLLMProcessor.decode_parts` makes sentences of them. None where no parts were told. Of several turns
            the parts of all, one after the other.
        unknown: float32 (R,): the probability of `</Motion>` as the first token after the `<Motion>` of person 1, among
            the codes and itself, at temperature 1 and without guidance. A model that was trained to it, as the shipped
            one was, says so that it has never seen what the sentence asks for; a motion is made all the same. Of others
            the values are small and say nothing. None where person 1 is given, or where the codes come from elsewhere.
            Of several turns the largest.
        segment_ends: int64 (R, N) codes up to the end of each turn, -1 where there are fewer; None where there was one
            sentence.
    """

    codes: torch.Tensor = None  # type: ignore[assignment]
    attention_mask: torch.Tensor = None  # type: ignore[assignment]
    features: torch.Tensor = None  # type: ignore[assignment]
    placements: torch.Tensor = None  # type: ignore[assignment]
    num_people: torch.Tensor = None  # type: ignore[assignment]
    parts: torch.Tensor | None = None
    unknown: torch.Tensor | None = None
    segment_ends: torch.Tensor | None = None

    @classmethod
    def of_codes(
        cls,
        motion_vq: MotionVQModel,
        codes: torch.Tensor,
        placements: torch.Tensor | None = None,
        parts: torch.Tensor | None = None,
        unknown: torch.Tensor | None = None,
        segment_ends: torch.Tensor | None = None,
    ) -> "MotionGenerationOutput":
        """The output for codes that are known, which are decoded; long ones piece by piece.

        Args:
            motion_vq: reads the codes.
            codes: int64 (R, P, L), -1 where padded.
            placements: float64 (R, P, 3); 0 where left out.
            parts: int64 (R, P, S).
            unknown: float32 (R,).
            segment_ends: int64 (R, N).

        Returns:
            The codes with their features (R, P, T, D).
        """
        codes = codes.to(motion_vq.device)
        mask = codes != -1
        there = mask.any(-1)
        frames = _decode(motion_vq, codes[there])
        features = frames.new_zeros(*there.shape, *frames.shape[1:])
        features[there] = frames
        if placements is None:
            placements = torch.zeros(*there.shape, 3, dtype=torch.float64)
        return cls(codes, mask, features, placements, there.sum(-1).cpu(), parts, unknown, segment_ends)

    def told(self, row: int) -> tuple[list[list[int]], list[list[int]]]:
        """Codes and placement bins of each person of a row, as prompts tell them."""
        people = int(self.num_people[row])
        codes = [[code for code in own if code != -1] for own in self.codes[row, :people].tolist()]
        return codes, encode_placements(self.placements[row, :people].cpu().numpy()).tolist()

    def select(self, rows: torch.Tensor) -> "MotionGenerationOutput":
        """These rows (N,), in this order."""
        chosen = {name: value[rows.to(value.device)] for name, value in self.items()}
        return MotionGenerationOutput(**chosen)


@torch.no_grad()
def decode_part(motion_vq: MotionVQModel, codes: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    """Features (R, (stop - start) * frames_per_code, D) of `codes[:, start:stop]` as they are within the whole.

    A frame depends on `decoder_context` codes before and after its own; that much around the part is decoded with it.

    Args:
        motion_vq: reads the codes.
        codes: int64 (R, L), -1 where padded.
        start, stop: the part.
    """
    reach, frames = motion_vq.config.decoder_context, motion_vq.config.frames_per_code
    first = max(0, start - reach)
    features = motion_vq.decode(codes[:, first : stop + reach]).features
    return features[:, (start - first) * frames : (stop - first) * frames]


def _decode(motion_vq: MotionVQModel, codes: torch.Tensor) -> torch.Tensor:
    """Features (R, L * frames_per_code, D) of codes (R, L), -1 where padded."""
    length = codes.shape[1]
    starts = range(0, max(length, 1), _CODES_AT_ONCE)
    parts = [decode_part(motion_vq, codes, start, min(start + _CODES_AT_ONCE, length)) for start in starts]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
