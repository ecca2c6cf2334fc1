"""`MotionLLMProcessor`: sentences and motions to model inputs, and model outputs back to sentences and motions."""

import math
import os
import re
import warnings
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from .errors_motionllm import MotionLLMError
from .fixed_body_motionllm import fixed_body
from .json_motionllm import MODEL_FIELDS, PROCESSOR_FIELDS, check_json, explain_settings
from .motion import Motion, MotionSegment
from .motion_features import (
    HUMANML3D,
    Skeleton,
    features_to_joints,
    joints_to_features,
    resample_joints,
    skeleton_of_features,
)
from .output_motionllm import MotionGenerationOutput
from .placement_motionllm import encode_placements, join_people, split_people, stand_on_floor
from .prompts_motionllm import PROMPT_PRESETS, MotionPromptsMixin, check_prompts, pad_left, pad_right
from .strict_motionllm import find_file, hub_options
from .vocabulary_motionllm import MOTION_END, MOTION_START, MotionVocabulary

__all__ = ["MotionLLMProcessor", "pad_features"]

_MAX_FRAMES = 200  # of a motion to ask for, by default: what the protocol of Guo et al. 2022 has at most, rounded up


def pad_features(clips: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Stack clips (T_i, D) into (B, T, D), zero padded at the end, with their bool mask (B, T)."""
    longest = max(len(clip) for clip in clips)
    features = torch.zeros(len(clips), longest, clips[0].shape[1])
    mask = torch.zeros(len(clips), longest, dtype=torch.bool)
    for row, clip in enumerate(clips):
        features[row, : len(clip)] = torch.tensor(clip)  # from_numpy would warn about read-only arrays
        mask[row, : len(clip)] = True
    return features, mask


class MotionLLMProcessor(MotionPromptsMixin, ProcessorMixin):
    """Prompts, padding, motion features; knows the tokenizer, not the model.

    Args:
        tokenizer: `MotionLLMTokenizer`.
        prompts: a preset's name (`short`, `paper`) or the templates themselves, see `PROMPT_PRESETS`.
        codebook_size: number of motion codes in the tokenizer.
        frames_per_code: feature frames that one code stands for.
        fps: frames per second of the features.
        max_seconds: longest motion to ask for; the model has seen nothing longer. 200 frames by default.
        max_prompt_tokens: longest sentence, in tokens.
        max_people: most people in a scene; 1 for a model of single people.
        feature_dim: feature columns, as the VQ-VAE's `input_dim`; tells the skeleton (263: HumanML3D, 251: KIT-ML).
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        prompts: str | dict[str, str | bool] = "short",
        codebook_size: int = 512,
        frames_per_code: int = 4,
        fps: float = 20.0,
        max_seconds: float | None = None,
        max_prompt_tokens: int = 256,
        max_people: int = 1,
        feature_dim: int = HUMANML3D.feature_dim,
    ):
        if isinstance(prompts, str):
            if prompts not in PROMPT_PRESETS:
                raise MotionLLMError(f"there is no prompt preset '{prompts}'; choose from {', '.join(PROMPT_PRESETS)}")
            prompts = dict(PROMPT_PRESETS[prompts])
        check_prompts(prompts)
        self.prompts = prompts
        self.codebook_size = codebook_size
        self.frames_per_code = frames_per_code
        self.fps = fps
        self.max_seconds = _MAX_FRAMES / fps if max_seconds is None else max_seconds
        self.max_prompt_tokens = max_prompt_tokens
        self.max_people = max_people
        self.feature_dim = feature_dim
        super().__init__(tokenizer)
        self.vocabulary = MotionVocabulary.from_tokenizer(tokenizer, codebook_size)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any
    ) -> "MotionLLMProcessor":
        """As of any processor of transformers.

        Raises:
            MotionLLMError: a file of it is damaged.
            OSError: nothing is found under that name.
        """
        name = str(pretrained_model_name_or_path)
        places = ("cache_dir", "token", "revision", "local_files_only", "force_download", "subfolder")
        hub = hub_options(name, {key: kwargs[key] for key in places if kwargs.get(key) is not None})
        kwargs |= hub
        known = {"processor_config.json": PROCESSOR_FIELDS, "config.json": MODEL_FIELDS}
        for file in (*known, "tokenizer_config.json", "tokenizer.json"):
            if (found := find_file(name, file, **hub)) is not None:
                check_json(found, known.get(file, {}))
        with explain_settings(f"{name}/tokenizer.json"):
            return super().from_pretrained(pretrained_model_name_or_path, **kwargs)

    def __call__(
        self,
        text: str | Sequence[str] | Sequence[Sequence[str]] | None = None,
        motion: "Motion | np.ndarray | Sequence[Motion | np.ndarray] | MotionGenerationOutput | None" = None,
        duration: float | Sequence[float] | Sequence[Sequence[float]] | None = None,
        people: int | Sequence[int] | None = None,
        given: "Motion | np.ndarray | None" = None,
        parts: Sequence[str] | Sequence[Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Inputs of `generate_motion` or `generate_caption`, as padded tensors.

        Args:
            text: one or several sentences that describe a motion; or for each motion a list of sentences, which are
                done one after another.
            motion: one or several motions to describe: `Motion`, joints (T, 22, 3) or raw features (T, 263), or joints
                (P, T, 22, 3) of a scene; the arrays at `fps`. Of a KIT-ML model (T, 21, 3) and (T, 251). Or what
                `generate_motion` returned, whose codes are then described as they are.
            duration: seconds, one for all or one per sentence; without it the model ends each motion itself. With lists
                of sentences one for all, or for each motion one for all of its sentences or a list with one for each.
            people: with `text`, how many people the scene shows, one number for all or one per sentence; one, unless
                told.
            given: with `people`, the motion of the first of them, who the others react to.
            parts: with `people`, what each of them does, a sentence for each ("a person bows"), or such a list for each
                sentence of `text`. Without it a model that tells parts says this itself.

        Returns:
            `input_ids` and `attention_mask` (B, S), padded on the left; with `duration` also `num_codes` (B,). With
            `people` also `num_people` (B,), with `given` also `motion` (G, T, 263) and `placement_bins` (G, 3), and
            with `parts` also `parts` (B, P, S), -1 where padded. Where a list has several sentences also `turns`
            (B, N - 1, S), -1 where padded, and `num_codes` is (B, N).
            With `motion` also `motion` (N, T, 263) and `motion_attention_mask` (N, T), padded on the right, one row for
            each person, scene by scene; not where the codes are known.

        Raises:
            MotionLLMError: no input or both, an empty or too long sentence, motion tokens in a sentence, a duration or
                number of people out of range, or a motion that cannot be used.
        """
        kwargs.pop("return_tensors", None)
        if kwargs:
            known = "text, motion, duration, people, given or parts"
            raise MotionLLMError(f"unknown arguments {sorted(kwargs)}; give {known}")
        if (text is None) == (motion is None):
            raise MotionLLMError("give either text (to generate a motion) or motion (to get a caption)")
        if motion is not None:
            return self._motion_inputs(motion)
        given_texts: list[Any] = [text] if isinstance(text, str) else list(text or [])
        if not given_texts:
            raise MotionLLMError("text is an empty list; give at least one sentence")
        if any(isinstance(one, list | tuple) for one in given_texts):
            if given is not None or parts is not None:
                raise MotionLLMError("given and parts are for scenes of one sentence; leave them or the lists out")
            return self._turn_inputs(given_texts, duration, people)
        texts = cast(list[str], given_texts)
        if people is None:
            for name, value in (("given is the motion of the first", given), ("parts are what each", parts)):
                if value is not None:
                    raise MotionLLMError(f"{name} of several people; say how many with people")
        told = [cast(Sequence[str], parts)] if isinstance(text, str) and parts is not None else parts
        seconds = None if duration is None else self._durations(cast(Any, duration), len(texts))
        return self._text_inputs(texts, people, seconds, given, told)

    def _turn_inputs(
        self,
        texts: list[Any],
        duration: float | Sequence[float] | Sequence[Sequence[float]] | None,
        people: int | Sequence[int] | None,
    ) -> BatchFeature:
        """Inputs for motions in turns."""
        counts = self._counts(people, len(texts))
        for told in texts:
            if isinstance(told, str) or not told:
                raise MotionLLMError(f"text holds {told!r} among lists of sentences; give a list for each motion")
        most = max(map(len, texts))
        lengths: list[list[int | None]] = [[None] * len(told) for told in texts]
        if duration is not None:
            each: list[Any] = list(duration) if isinstance(duration, Sequence | np.ndarray) else [duration] * len(texts)
            if len(each) != len(texts):
                raise MotionLLMError(f"{len(texts)} lists of sentences but {len(each)} durations; give one each")
            seconds = [self._durations(own, len(told)) for own, told in zip(each, texts, strict=True)]
            lengths = [[self.num_codes(value) for value in own] for own in seconds]
        first = [
            self.text_to_motion_ids(told[0], count, own[0])
            for told, count, own in zip(texts, counts, lengths, strict=True)
        ]
        extra: dict[str, torch.Tensor] = {}
        if people is not None:
            extra["num_people"] = torch.tensor(counts)
        if most > 1:
            rows: list[list[int]] = []
            for told, count, own in zip(texts, counts, lengths, strict=True):
                later = [self.turn_ids(*one) for one in zip(told[1:], own[1:], strict=True)]
                if count > 1:  # a scene, in which everybody goes on
                    later = [
                        self.text_to_motion_ids(text, count, length)
                        for text, length in zip(told[1:], own[1:], strict=True)
                    ]
                rows += later + [[]] * (most - 1 - len(later))
            extra["turns"] = pad_right(rows, -1).reshape(len(texts), most - 1, -1)
        if duration is not None:
            codes = pad_right(cast(list[list[int]], lengths), -1)
            extra["num_codes"] = codes if most > 1 else codes[:, 0]
        return BatchFeature({**self._pad_left(first), **extra})

    def _text_inputs(
        self,
        texts: list[str],
        people: int | Sequence[int] | None,
        seconds: list[float] | None,
        given: "Motion | np.ndarray | None",
        parts: Sequence[Sequence[str]] | None,
    ) -> BatchFeature:
        counts = self._counts(people, len(texts))
        extra: dict[str, torch.Tensor] = {}
        if people is not None:
            extra["num_people"] = torch.tensor(counts)
        lengths: list[int | None] = [None] * len(texts)
        if given is not None:
            if seconds is not None:
                raise MotionLLMError("a given motion fixes the duration; leave the duration out")
            features, extra["placement_bins"] = self._given_inputs(given, min(counts))
            length = features.shape[1] // self.frames_per_code
            lengths = [length] * len(texts)
            extra["motion"] = features[:, : length * self.frames_per_code]
        elif seconds is not None:
            lengths = [self.num_codes(value) for value in seconds]
        if lengths[0] is not None:
            extra["num_codes"] = torch.tensor(lengths)
        prompts = [self.text_to_motion_ids(*one) for one in zip(texts, counts, lengths, strict=True)]
        if parts is not None:
            extra["parts"] = self._part_inputs(parts, counts)
        return BatchFeature({**self._pad_left(prompts), **extra})

    def _counts(self, people: int | Sequence[int] | None, motions: int) -> list[int]:
        """People of each motion."""
        single = people is None or isinstance(people, (int, np.integer))
        counts = [cast(int, 1 if people is None else people)] * motions if single else list(cast(Any, people))
        if len(counts) != motions:
            raise MotionLLMError(f"{motions} sentences but {len(counts)} numbers of people; give one each, or one")
        for count in counts:
            self.check_people(count)
        return [int(count) for count in counts]

    def _given_inputs(self, given: "Motion | np.ndarray", people: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (G, T, D) and placement bins (G, 3) of the first people of a scene."""
        fps = self._motion(given).fps
        if fps != self.fps:
            raise MotionLLMError(
                f"the given motion has {fps:g} frames per second, {self.fps:g} are needed to keep it as it is; "
                f"resample it first (motionllm convert GIVEN.npz OUT.npz --fps {self.fps:g})"
            )
        features, bins = self.motion_features(given)
        self._check_length(features.shape[1])
        if features.shape[0] >= people:
            raise MotionLLMError(
                f"the given motion shows {features.shape[0]} of {people} people; give fewer, or ask for more"
            )
        return torch.tensor(features), torch.tensor(bins)

    def _part_inputs(self, parts: Sequence[Sequence[str]], counts: list[int]) -> torch.Tensor:
        """Ids of given parts (B, P, S), -1 where padded."""
        if len(parts) != len(counts):
            raise MotionLLMError(f"{len(counts)} sentences but parts for {len(parts)}; give a list of parts for each")
        rows: list[list[int]] = []
        for told, count in zip(parts, counts, strict=True):
            if isinstance(told, str) or len(told) != count:
                given = repr(told) if isinstance(told, str) else f"{len(told)} parts"
                raise MotionLLMError(f"{given} for a scene of {count} people; give a sentence for each of them")
            ids = [self.part_ids(part, person) for person, part in enumerate(told)]
            rows += ids + [[]] * (max(counts) - count)
        return pad_right(rows, -1).reshape(len(counts), max(counts), -1)

    @property
    def skeleton(self) -> Skeleton:
        """The skeleton of the model's motions."""
        return skeleton_of_features(self.feature_dim)

    @staticmethod
    def _durations(duration: float | Sequence[float], count: int) -> list[float]:
        if not isinstance(duration, Sequence | np.ndarray):
            return [float(duration)] * count
        if len(duration) != count:
            raise MotionLLMError(f"{count} sentences but {len(duration)} durations; give one each, or one for all")
        return [float(value) for value in duration]

    def num_codes(self, seconds: float) -> int:
        """Codes of a motion of that many seconds.

        Raises:
            MotionLLMError: shorter than one code or longer than `max_seconds`.
        """
        code_seconds = self.frames_per_code / self.fps
        if not (math.isfinite(seconds) and code_seconds <= seconds <= self.max_seconds):
            raise MotionLLMError(
                f"a duration of {seconds:g} s is not possible; choose {code_seconds:g} to {self.max_seconds:g} s"
            )
        return round(seconds / code_seconds)

    def motion_features(self, motion: "Motion | np.ndarray") -> tuple[np.ndarray, np.ndarray]:
        """Raw features float32 (P, T', D) and placement bins int64 (P, 3) of a motion, at `fps`.

        D is `feature_dim`; lengths in features are in the skeleton's unit, those of joints in metres.

        Args:
            motion: `Motion`, resampled where it has another frame rate; joints (T, J, 3) or (P, T, J, 3) of people in
                one world; or raw features (T, D), which are passed on.

        Raises:
            MotionLLMError: more people than the model knows, wrong shape, another skeleton, NaN, too short for one
                code, or people who start farther apart than placements reach.
        """
        skeleton = self.skeleton
        bins = np.zeros((1, 3), dtype=np.int64)
        if isinstance(motion, np.ndarray) and motion.ndim == 2:
            if motion.shape[1] != skeleton.feature_dim:
                raise MotionLLMError(
                    f"features have shape {motion.shape}; give (frames, {skeleton.feature_dim}), "
                    f"or joints (frames, {skeleton.num_joints}, 3)"
                )
            features = motion[None].astype(np.float32)
        else:
            whole = self._motion(motion)
            joints = whole.people
            if len(joints) > 1 and self.vocabulary.placement is None:
                raise MotionLLMError(f"the motion shows {len(joints)} people; give one person at a time")
            if joints.shape[2] != skeleton.num_joints:
                raise MotionLLMError(
                    f"the motion has {joints.shape[2]} joints and the model's skeleton '{skeleton.name}' "
                    f"{skeleton.num_joints}; use a model of the motion's skeleton"
                )
            if whole.fps != self.fps:
                joints = resample_joints(joints, whole.fps, self.fps)
            if joints.shape[1] < 2:
                features = np.zeros((len(joints), 0, skeleton.feature_dim), np.float32)
            else:
                if len(joints) > 1:
                    joints, placements = split_people(joints)
                    bins = encode_placements(placements)
                unit = np.float32(skeleton.metres_per_unit)
                features = np.stack([joints_to_features(person / unit, skeleton) for person in joints])
        if features.shape[1] < self.frames_per_code:
            raise MotionLLMError(
                f"the motion is too short: {features.shape[1]} feature frames, at least {self.frames_per_code} are "
                f"needed ({(self.frames_per_code + 1) / self.fps:g} s)"
            )
        if not np.isfinite(features).all():
            raise MotionLLMError("the features hold NaN or infinite values; repair or cut these frames first")
        return features.astype(np.float32, copy=False), bins

    def _motion(self, motion: "Motion | np.ndarray") -> Motion:
        # Not by class: where this file came with a checkpoint, the package's Motion is another one.
        return cast(Motion, motion) if hasattr(motion, "joints") else Motion(motion, fps=self.fps)

    def _check_length(self, frames: int) -> None:
        if frames > self.num_codes(self.max_seconds) * self.frames_per_code:
            raise MotionLLMError(
                f"a motion of {frames / self.fps:g} s is too long; cut it to at most {self.max_seconds:g} s"
            )

    def decode_motion(
        self,
        output: MotionGenerationOutput,
        captions: Sequence[str] | Sequence[Sequence[str]] | None = None,
        seed: int | None = None,
        given: "Motion | np.ndarray | None" = None,
        raw: bool = False,
    ) -> list[Motion]:
        """`generate_motion`'s output to motions on the floor, several people in the world of person 1.

        Their bones keep their lengths, see `fixed_body`; those of KIT-ML's skeleton are as the decoder has them.

        Args:
            output: R rows.
            captions: what each motion shows: a sentence, or a list of them as it was given to the processor.
            seed: recorded in the motions.
            given: the motion of the first people that was given to the processor; it is shown as it was recorded, on
                the bones of the skeleton, and not as its codes tell it.
            raw: leave bones as the decoder has them, which stretches some by centimetres.

        Returns:
            R motions with joints (T, 22, 3) and codes (L,) of one person, (P, T, 22, 3) and (P, L) of several, and with
            `unknown` rounded to 4 decimals. Motions of several turns have `segments`.
        """
        motions, skeleton = [], self.skeleton
        known = None if given is None else split_people(self._motion(given).people)
        for row, people in enumerate(output.num_people.tolist()):
            codes = output.codes[row, :people].cpu()
            length = int((codes[0] != -1).sum())
            features = output.features[row, :people, : length * self.frames_per_code].cpu().double()
            joints = stand_on_floor(skeleton.metres_per_unit * features_to_joints(features, skeleton).numpy())
            if not raw and skeleton is HUMANML3D:
                fixed = fixed_body(joints, self.fps)
                fixed = fixed + (joints - fixed)[..., :1, :1, :]  # which starts where it started
                joints = stand_on_floor(fixed)
            kept = codes[:, :length].numpy()
            if people > 1:
                placements = output.placements[row, :people].cpu().numpy().copy()
                if known is not None:
                    own, starts = known
                    joints[: len(own)], placements[: len(own)] = own[:, : joints.shape[1]], starts
                joints = join_people(joints, placements)
            else:
                joints, kept = joints[0], kept[0]
            told = None if captions is None else captions[row]
            segments = self._segments(output, row, told)
            caption = told if told is None or isinstance(told, str) else ", then ".join(told)
            # Rounded: its last digits differ with the batch, and the same seed is to give the same file.
            unknown = None if output.unknown is None else round(float(output.unknown[row]), 4)
            motions.append(Motion(joints, self.fps, caption, kept, seed, unknown=unknown, segments=segments))
        return motions

    def _segments(
        self, output: MotionGenerationOutput, row: int, told: str | Sequence[str] | None
    ) -> list[MotionSegment] | None:
        """When each turn of a row is done, with its sentence, where that is known."""
        if output.segment_ends is None:
            return None
        ends = [end for end in output.segment_ends[row].tolist() if end != -1]
        texts = list(told) if told is not None and not isinstance(told, str) else [""] * len(ends)
        if len(texts) != len(ends):
            raise MotionLLMError(f"{len(texts)} sentences for a motion of {len(ends)} turns; give one for each")
        seconds = [end * self.frames_per_code / self.fps for end in (0, *ends)]
        return [MotionSegment(*one) for one in zip(texts, seconds, seconds[1:], strict=False)]

    def decode_people(self, *args: Any, **kwargs: Any) -> list[Motion]:
        """`decode_motion`, under its earlier name for scenes; it goes with the next release."""
        warnings.warn("decode_people is decode_motion now", FutureWarning, stacklevel=2)
        return self.decode_motion(*args, **kwargs)

    def decode_parts(self, output: MotionGenerationOutput) -> list[list[str]]:
        """What each person does, as `generate_motion` told it: a sentence for each person of each scene.

        Empty lists where no parts were told.
        """
        if output.parts is None:
            return [[] for _ in output.num_people]
        told = [
            [self.part_text(output.parts[row, person].tolist(), person) for person in range(people)]
            for row, people in enumerate(output.num_people.tolist())
        ]
        return [parts if any(parts) else [] for parts in told]

    def decode_caption(self, ids: torch.Tensor | Sequence[torch.Tensor]) -> list[str]:
        """`generate_caption`'s output (R, S), or R rows of any lengths, to sentences."""
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]

    def parse_codes(self, text: str) -> torch.Tensor:
        """Codes, int64 (1, L), of a motion in words, `<Motion_12><Motion_345>...</Motion>`, as servers answer.

        Raises:
            MotionLLMError: there is no code, one is outside the codebook, or something else stands between them.
        """
        inside = text.strip().removeprefix(MOTION_START).partition(MOTION_END)[0].strip()
        if not re.fullmatch(r"(<Motion_\d+>\s*)+", inside):
            raise MotionLLMError(
                f"'{text.strip()[:60]}' is no motion; codes such as <Motion_12><Motion_345> are needed"
            )
        codes = [int(code) for code in re.findall(r"\d+", inside)]
        if max(codes) >= self.codebook_size:
            raise MotionLLMError(f"code {max(codes)} is outside the codebook of {self.codebook_size} codes")
        return torch.tensor([codes])

    def _motion_inputs(self, motion: Any) -> BatchFeature:
        if hasattr(motion, "placements"):  # not by class, as in `_motion`
            told = [self.motion_to_text_ids(*motion.told(row)) for row in range(len(motion.codes))]
            return BatchFeature(self._pad_left(told))
        motions = list(motion) if isinstance(motion, (list, tuple)) else [motion]
        if not motions:
            raise MotionLLMError("motion is an empty list; give at least one motion")
        clips: list[np.ndarray] = []
        prompts = []
        for one in motions:
            features, bins = self.motion_features(one)
            self._check_length(features.shape[1])
            self.check_people(len(features))
            # Code 0 holds the place of every code; the model puts the real ones there.
            places = [[0] * (features.shape[1] // self.frames_per_code)] * len(features)
            prompts.append(self.motion_to_text_ids(places, bins.tolist()))
            clips.extend(features)
        padded, mask = pad_features(clips)
        return BatchFeature({**self._pad_left(prompts), "motion": padded, "motion_attention_mask": mask})

    def _pad_left(self, prompts: list[list[int]]) -> dict[str, torch.Tensor]:
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id
        return pad_left(prompts, pad)


MotionLLMProcessor.register_for_auto_class("AutoProcessor")
