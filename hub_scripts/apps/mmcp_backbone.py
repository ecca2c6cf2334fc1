"""The Motion Model Context Protocol (MMCP), which 3D programs speak: sentences in, rotations on one skeleton out."""

import asyncio
import secrets

import numpy as np
from motionmcp import Backbone, GenerateRequest, Joint, ModelSpec, MotionResult, ProtocolError, Skeleton
from motionmcp.backbone import Limits

from hub_scripts.apps.service import MOST_SENTENCES, MotionService
from hub_scripts.export.ik import solve_rotations
from hub_scripts.export.rig import Rig, RigMotion, resample_rotations
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["MotionBackbone"]

_MOST_SAMPLES = 8
_STANDING = "a person stands"  # whose body is the skeleton of all that follows
_STANDING_SECONDS = 2.0


class MotionBackbone(Backbone):
    """A checkpoint as an MMCP server shows it: one person, one or several sentences, several samples.

    Args:
        service: makes the motions.
    """

    def __init__(self, service: MotionService):
        self.service = service
        self.model_id = service.name
        self._rig: Rig | None = None

    def setup(self) -> None:
        """Load the weights, and find the skeleton: that of a body as the model makes it."""
        self._skeleton()

    def capabilities(self) -> ModelSpec:
        """What the model can do."""
        processor, rig = self.service.processor, self._skeleton()
        offsets = rig.offsets.copy()
        offsets[0, 1] = -rig.rest_positions[:, 1].min()  # stands on the floor
        parents = [None if parent < 0 else rig.joint_names[parent] for parent in rig.parents]
        joints = [
            Joint(name=name, parent=parent, rest_translation=tuple(offset), rest_rotation=(0.0, 0.0, 0.0, 1.0))
            for name, parent, offset in zip(rig.joint_names, parents, offsets.tolist(), strict=True)
        ]
        sentences = MOST_SENTENCES if self.service.processor.tells_turns else 1
        longest = processor.max_seconds * sentences
        return ModelSpec(
            id=self.model_id,
            fps=processor.fps,
            canonical_skeleton=Skeleton(joints=joints),
            supported_segments=["text"],
            supported_guidance_types=[],
            native_clip_seconds=processor.max_seconds,
            recommended_max_duration_seconds=longest,
            limits=Limits(max_duration_seconds=longest, max_num_samples=_MOST_SAMPLES),
        )

    async def generate(self, request: GenerateRequest) -> MotionResult:
        """Motions of a request; other requests are answered meanwhile.

        Raises:
            ProtocolError: what the model cannot make.
        """
        return await asyncio.to_thread(self._generate, request)

    def _generate(self, request: GenerateRequest) -> MotionResult:
        options, fps = request.options, request.fps(self.service.processor.fps)
        samples = 1 if options is None else options.num_samples
        seed = options.seed if options is not None and options.seed is not None else secrets.randbelow(1 << 31)
        sentences = [segment.prompt for segment in request.segments]
        seconds = [segment.duration_frames / fps for segment in request.segments]
        made = [self._sample(sentences, seconds, seed + number, fps, request.total_frames) for number in range(samples)]
        rotations = np.stack([one.rotations for one in made])
        return MotionResult(
            rotations=np.roll(rotations, -1, axis=-1).astype(np.float32),  # (w, x, y, z) to (x, y, z, w)
            root_translations=np.stack([one.root_positions for one in made]).astype(np.float32),
        )

    def _sample(self, sentences: list[str], seconds: list[float], seed: int, fps: float, frames: int) -> RigMotion:
        try:
            motion = self.service.generate(sentences, seconds, seed=seed).motion
            # Lengths come in codes; what is asked for is met by playing it a little slower or faster.
            rate = (motion.num_frames - 1) * fps / max(frames - 1, 1)
            solved = resample_rotations(solve_rotations(motion.people[0], rate, rig=self._skeleton()), fps)
        except MotionLLMError as error:
            raise ProtocolError("invalid_request", str(error)) from error
        last = len(solved.rotations) - 1
        kept = np.minimum(np.arange(frames), last)  # rounding may lose a frame
        return RigMotion(solved.rig, solved.root_positions[kept], solved.rotations[kept], fps)

    def _skeleton(self) -> Rig:
        if self._rig is None:
            standing = self.service.generate([_STANDING], _STANDING_SECONDS).motion
            self._rig = solve_rotations(standing.people[0], standing.fps).rig
        return self._rig
