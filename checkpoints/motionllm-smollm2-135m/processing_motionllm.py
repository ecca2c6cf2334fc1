"""`MotionLLMProcessor`: sentences and motions to model inputs, and model outputs back to sentences and motions."""

import math
import re
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin

from .errors_motionllm import MotionLLMError
from .motion import Motion
from .motion_features import (
    HUMANML3D,
    Skeleton,
    features_to_joints,
    joints_to_features,
    resample_joints,
    skeleton_of_features,
)
from .people_processing_motionllm import PeopleProcessingMixin
from .prompts_motionllm import PROMPT_PRESETS, pad_left
from .vocabulary_motionllm import MOTION_END, MOTION_START, PLACEMENT_START, MotionVocabulary

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


def _is_scene(motion: Any) -> bool:
    """Whether there are several people in a `Motion`, or in joints (P, T, 22, 3)."""
    return motion.num_people > 1 if hasattr(motion, "joints") else np.ndim(motion) == 4 and len(motion) > 1


class MotionLLMProcessor(PeopleProcessingMixin, ProcessorMixin):
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
        tokenizer: Any,
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

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        motion: "Motion | np.ndarray | Sequence[Motion | np.ndarray] | None" = None,
        duration: float | Sequence[float] | None = None,
        people: int | Sequence[int] | None = None,
        given: "Motion | np.ndarray | None" = None,
        parts: Sequence[str] | Sequence[Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Inputs of `generate_motion`, `generate_people` or `generate_caption`, as padded tensors.

        Args:
            text: one or several sentences that describe a motion.
            motion: one or several motions to describe: `Motion`, joints (T, 22, 3) or raw features (T, 263), or joints
                (P, T, 22, 3) of a scene; the arrays at `fps`. Of a KIT-ML model (T, 21, 3) and (T, 251).
            duration: seconds, one for all or one per sentence; without it the model ends each motion itself.
            people: with `text`, how many people the scene shows, one number for all or one per sentence.
            given: with `people`, the motion of the first of them, who the others react to.
            parts: with `people`, what each of them does, a sentence for each ("a person bows"), or such a list for each
                sentence of `text`. Without it a model that tells parts says this itself.

        Returns:
            `input_ids` and `attention_mask` (B, S), padded on the left; with `duration` also `num_codes` (B,). With
            `people` also `num_people` (B,), with `given` also `motion` (G, T, 263) and `placement_bins` (G, 3), and
            with `parts` also `parts` (B, P, S), -1 where padded.
            With `motion` also `motion` (N, T, 263) and `motion_attention_mask` (N, T), padded on the right, one row for
            each person, scene by scene.

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
        texts = [text] if isinstance(text, str) else list(text or [])
        if not texts:
            raise MotionLLMError("text is an empty list; give at least one sentence")
        seconds = None if duration is None else self._durations(duration, len(texts))
        if people is not None:
            told = [parts] if isinstance(text, str) and parts is not None else parts
            return self._scene_inputs(texts, people, seconds, given, told)
        if given is not None:
            raise MotionLLMError("given is the motion of the first of several people; say how many with people")
        if parts is not None:
            raise MotionLLMError("parts are what each of several people does; say how many with people")
        if seconds is None:
            prompts = [self.text_to_motion_ids(caption) for caption in texts]
            return BatchFeature(self._pad_left(prompts))
        num_codes = [self.num_codes(value) for value in seconds]
        prompts = [self.text_to_motion_ids(*pair) for pair in zip(texts, num_codes, strict=True)]
        return BatchFeature({**self._pad_left(prompts), "num_codes": torch.tensor(num_codes)})

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

    def normalize_caption(self, caption: str) -> str:
        """One line without surplus space; with the `short` prompts also lower case and without the final period.

        Raises:
            MotionLLMError: the caption is empty, or holds motion tokens or control tokens of the base.
        """
        if not isinstance(caption, str):
            raise MotionLLMError(f"the text is {type(caption).__name__} {caption!r}; give a sentence as a string")
        clean = " ".join(caption.split())
        if not clean:
            raise MotionLLMError("the text is empty; describe a motion, such as 'a person waves with the left hand'")
        if any(start in clean for start in (MOTION_START[:-1], MOTION_END[:-1], PLACEMENT_START)):
            raise MotionLLMError(f"the text holds motion tokens ('{clean[:60]}'); describe the motion in words")
        control = [token for token in self.tokenizer.all_special_tokens if token in clean]
        if control:
            raise MotionLLMError(f"the text holds the control token '{control[0]}'; describe the motion in words")
        if self.prompts.get("normalize_caption"):
            clean = clean.lower().rstrip(" .")
        if not clean:
            raise MotionLLMError(f"the text '{caption.strip()[:60]}' holds no words; describe a motion")
        return clean

    def text_to_motion_ids(self, caption: str, num_codes: int | None = None) -> list[int]:
        """Prompt ids up to and with `<Motion>`; with `num_codes` the prompt tells the length, if its preset can.

        Raises:
            MotionLLMError: the caption is empty, too long, or holds motion tokens.
        """
        return self._filled_prompt("text_to_motion", caption, num_codes)

    def _filled_prompt(self, name: str, caption: str, num_codes: int | None, **fields: Any) -> list[int]:
        """Ids of the prompt `name`, or of `name`_timed where the length is to be told and the preset can."""
        fields["caption"] = caption = self.normalize_caption(caption)
        template = str(self.prompts[name])
        if num_codes is not None and f"{name}_timed" in self.prompts:
            template = str(self.prompts[f"{name}_timed"])
            fields["seconds"] = f"{num_codes * self.frames_per_code / self.fps:.1f}"
        length = len(self._text_ids(caption))
        if length > self.max_prompt_tokens:
            raise MotionLLMError(
                f"the text has {length} tokens ({len(caption.split())} words); at most {self.max_prompt_tokens} tokens "
                "are possible, shorten it to a sentence or two"
            )
        return self._bos + self._text_ids(template.format(**fields))

    def motion_to_text_ids(self, codes: Sequence[int]) -> list[int]:
        """Prompt ids that ask for a caption of the codes."""
        return self._bos + self._fill_motion(str(self.prompts["motion_to_text"]), codes)

    def training_example(
        self, task: str, caption: str, codes: Sequence[int], timed: bool = False, learn_motion: bool = False
    ) -> dict[str, list[int]]:
        """`input_ids` and `labels` (-100 on the prompt) of one example.

        Args:
            task: `text-to-motion` or `motion-to-text`.
            caption: the sentence.
            codes: the motion.
            timed: let a text-to-motion prompt tell the duration.
            learn_motion: for `motion-to-text`, learn the motion of the prompt too: what motions look like whatever the
                sentence, which classifier-free guidance compares with.

        Raises:
            MotionLLMError: unknown task, or as `text_to_motion_ids`.
        """
        if task == "text-to-motion":
            prompt = self.text_to_motion_ids(caption, len(codes) if timed else None)
            target = self._fill_motion(str(self.prompts["motion_target"]), codes)
        elif task == "motion-to-text":
            prompt = self.motion_to_text_ids(codes)
            target = self._text_ids(str(self.prompts["caption_target"]).format(caption=self.normalize_caption(caption)))
        else:
            raise MotionLLMError(f"there is no task '{task}'; choose text-to-motion or motion-to-text")
        target = [*target, self.tokenizer.eos_token_id]
        labels = self._prompt_labels(prompt, len(codes) if learn_motion and task == "motion-to-text" else 0)
        return {"input_ids": prompt + target, "labels": labels + target}

    def _prompt_labels(self, prompt: list[int], num_codes: int) -> list[int]:
        """-100 for each id of a prompt; with `num_codes` above 0, its first motion of that many codes is learnt."""
        labels = [-100] * len(prompt)
        if num_codes:
            first = prompt.index(self.vocabulary.start) + 1
            last = first + num_codes  # </Motion>
            labels[first : last + 1] = prompt[first : last + 1]
        return labels

    def features(self, motion: Motion | np.ndarray) -> np.ndarray:
        """Raw features (T', D) of a motion of one person, resampled to `fps` where it has another frame rate.

        D is `feature_dim`; lengths in features are in the skeleton's unit, those of joints in metres.

        Raises:
            MotionLLMError: several people, wrong shape, another skeleton, NaN, or too short for one code.
        """
        skeleton = self.skeleton
        if isinstance(motion, np.ndarray) and motion.ndim == 2:
            if motion.shape[1] != skeleton.feature_dim:
                raise MotionLLMError(
                    f"features have shape {motion.shape}; give (frames, {skeleton.feature_dim}), "
                    f"or joints (frames, {skeleton.num_joints}, 3)"
                )
            features = motion.astype(np.float32)
        else:
            # Not by class: where this file came with a checkpoint, the package's Motion is another one.
            motion = cast(Motion, motion) if hasattr(motion, "joints") else Motion(motion, fps=self.fps)
            if motion.num_people > 1:
                raise MotionLLMError(f"the motion shows {motion.num_people} people; give one person at a time")
            joints = motion.people[0]
            if joints.shape[1] != skeleton.num_joints:
                raise MotionLLMError(
                    f"the motion has {joints.shape[1]} joints and the model's skeleton '{skeleton.name}' "
                    f"{skeleton.num_joints}; use a model of the motion's skeleton"
                )
            if motion.fps != self.fps:
                joints = resample_joints(joints, motion.fps, self.fps)
            features = (
                joints_to_features(joints / np.float32(skeleton.metres_per_unit), skeleton)
                if len(joints) > 1
                else np.zeros((0, skeleton.feature_dim), np.float32)
            )
        if len(features) < self.frames_per_code:
            raise MotionLLMError(
                f"the motion is too short: {len(features)} feature frames, at least {self.frames_per_code} are needed "
                f"({(self.frames_per_code + 1) / self.fps:g} s)"
            )
        if not np.isfinite(features).all():
            raise MotionLLMError("the features hold NaN or infinite values; repair or cut these frames first")
        return features

    def decode_motion(
        self, output: Any, captions: Sequence[str] | None = None, seed: int | None = None
    ) -> list[Motion]:
        """`generate_motion`'s output to motions, each standing on the floor (lowest joint of the clip at height 0).

        Args:
            output: has `features` (B, T, D) and `codes` (B, L), -1 where padded.
            captions: what each motion shows.
            seed: recorded in the motions.
        """
        motions, skeleton = [], self.skeleton
        for row, codes in enumerate(output.codes.cpu()):
            count = int((codes != -1).sum())
            features = output.features[row, : count * self.frames_per_code].cpu().double()
            joints = skeleton.metres_per_unit * features_to_joints(features, skeleton).numpy()
            joints[..., 1] -= joints[..., 1].min()
            caption = captions[row] if captions is not None else None
            motions.append(Motion(joints, self.fps, caption, codes[:count].numpy(), seed))
        return motions

    def decode_caption(self, ids: torch.Tensor) -> list[str]:
        """`generate_caption`'s output (B, S) to sentences."""
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

    @property
    def _bos(self) -> list[int]:
        """The begin-of-text token, where the tokenizer starts every text with it."""
        ids = self.tokenizer("a")["input_ids"]
        return ids[:1] if ids[0] == self.tokenizer.bos_token_id else []

    def _text_ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _fill_motion(self, template: str, codes: Sequence[int]) -> list[int]:
        return self._fill_ids(template, self.vocabulary.codes_to_ids(torch.as_tensor(codes, dtype=torch.long)).tolist())

    def _fill_ids(self, template: str, ids: list[int]) -> list[int]:
        before, after = template.split("{motion}")
        return (self._text_ids(before) if before else []) + ids + (self._text_ids(after) if after else [])

    def _motion_inputs(self, motion: Any) -> BatchFeature:
        motions = list(motion) if isinstance(motion, (list, tuple)) else [motion]
        if not motions:
            raise MotionLLMError("motion is an empty list; give at least one motion")
        limit = self.num_codes(self.max_seconds) * self.frames_per_code
        clips: list[np.ndarray] = []
        prompts = []
        for one in motions:
            # Code 0 holds the place of every code; the model puts the real ones there.
            if self.vocabulary.placement is not None and _is_scene(one):
                people, bins = self.people_features(one)
                self.check_people(len(people))
                places = [[0] * (people.shape[1] // self.frames_per_code)] * len(people)
                prompts.append(self.people_to_text_ids(self.people_ids(places, bins.tolist())))
                clips.extend(people)
                continue
            clip = self.features(one)
            if len(clip) > limit:
                seconds = len(clip) / self.fps
                raise MotionLLMError(f"a motion of {seconds:g} s is too long; cut it to at most {self.max_seconds:g} s")
            prompts.append(self.motion_to_text_ids([0] * (len(clip) // self.frames_per_code)))
            clips.append(clip)
        features, mask = pad_features(clips)
        return BatchFeature({**self._pad_left(prompts), "motion": features, "motion_attention_mask": mask})

    def _pad_left(self, prompts: list[list[int]]) -> dict[str, torch.Tensor]:
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id
        return pad_left(prompts, pad)


MotionLLMProcessor.register_for_auto_class("AutoProcessor")
