"""`MotionGenerationOutput`: what `generate_motion` returns."""

from dataclasses import dataclass

import torch
from transformers.utils import ModelOutput

from .modeling_motion_vq import MotionVQModel
from .placement_motionllm import encode_placements

__all__ = ["MotionGenerationOutput"]


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
            `MotionLLMProcessor.decode_parts` makes sentences of them. None where no parts were told.
        unknown: float32 (R,): the probability of `</Motion>` as the first token after the `<Motion>` of person 1, among
            the codes and itself, at temperature 1 and without guidance. A model that was trained to it says so that it
            has never seen what the sentence asks for; a motion is made all the same. Of a model that was not, such as
            the shipped checkpoint so far, the values are small and say nothing. None where person 1 is given, or where
            the codes come from elsewhere.
    """

    codes: torch.Tensor = None  # type: ignore[assignment]
    attention_mask: torch.Tensor = None  # type: ignore[assignment]
    features: torch.Tensor = None  # type: ignore[assignment]
    placements: torch.Tensor = None  # type: ignore[assignment]
    num_people: torch.Tensor = None  # type: ignore[assignment]
    parts: torch.Tensor | None = None
    unknown: torch.Tensor | None = None

    @classmethod
    def of_codes(
        cls,
        motion_vq: MotionVQModel,
        codes: torch.Tensor,
        placements: torch.Tensor | None = None,
        parts: torch.Tensor | None = None,
        unknown: torch.Tensor | None = None,
    ) -> "MotionGenerationOutput":
        """The output for codes that are known, which are decoded.

        Args:
            motion_vq: reads the codes.
            codes: int64 (R, P, L), -1 where padded.
            placements: float64 (R, P, 3); 0 where left out.
            parts: int64 (R, P, S).
            unknown: float32 (R,).

        Returns:
            The codes with their features (R, P, T, D).
        """
        codes = codes.to(motion_vq.device)
        mask = codes != -1
        there = mask.any(-1)
        with torch.no_grad():
            frames = motion_vq.decode(codes[there], mask[there]).features
        features = frames.new_zeros(*there.shape, *frames.shape[1:])
        features[there] = frames
        if placements is None:
            placements = torch.zeros(*there.shape, 3, dtype=torch.float64)
        return cls(codes, mask, features, placements, there.sum(-1).cpu(), parts, unknown)

    def told(self, row: int) -> tuple[list[list[int]], list[list[int]]]:
        """Codes and placement bins of each person of a row, as prompts tell them."""
        people = int(self.num_people[row])
        codes = [[code for code in own if code != -1] for own in self.codes[row, :people].tolist()]
        return codes, encode_placements(self.placements[row, :people].cpu().numpy()).tolist()

    def select(self, rows: torch.Tensor) -> "MotionGenerationOutput":
        """These rows (N,), in this order."""
        chosen = {name: value[rows.to(value.device)] for name, value in self.items()}
        return MotionGenerationOutput(**chosen)
