"""How motions and captions are drawn: the one place of the defaults, and how a checkpoint and a call change them.

A checkpoint keeps them in its `generation_config.json`, under the names of transformers where it has them; those of
captions stand there under `caption`. A checkpoint that was written before it kept any is drawn with the defaults here.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from numbers import Real
from typing import Any, TypeVar

from transformers import GenerationConfig

from .errors_motionllm import MotionLLMError

__all__ = [
    "PLAIN_DECODING",
    "CaptionSettings",
    "MotionSettings",
    "add_default_settings",
    "check_generate_options",
    "check_sampling",
    "unknown_threshold",
]

# Arguments of `generate` that leave the scores as our processors make them, whatever the configuration says.
PLAIN_DECODING: dict[str, Any] = {
    "do_sample": False,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "guidance_scale": 1.0,
    "repetition_penalty": 1.0,
    "num_return_sequences": 1,
}

_UNKNOWN_THRESHOLD = 0.5
_COLDEST, _HOTTEST = 1e-6, 1e4  # beyond, scores divided by it leave the range of float32, or differ no more
_MOST = {"num_candidates": 1024, "people_candidates": 1024}
_MOST_OTHERS = 10_000
_OWN_MARK = "num_candidates"  # a configuration without it says nothing about motions
_SETS = "generate_motion and generate_caption set it themselves"
_REFUSED = {
    "logits_processor": "pass an engine of your own, or call generate with MotionGrammar among your processors",
    "stopping_criteria": "give the length with num_codes, or max_codes",
    "streamer": "use stream_motion",
    "max_new_tokens": "give the length with num_codes, or max_codes",
    "max_length": "give the length with num_codes, or max_codes",
    "min_new_tokens": "give the length with num_codes, or min_codes",
    "min_length": "give the length with num_codes, or min_codes",
    "return_dict_in_generate": "the output has its names already",
    "output_scores": "ask label_log_likelihood, or call generate",
    "output_logits": "ask label_log_likelihood, or call generate",
    "eos_token_id": _SETS,
    "pad_token_id": _SETS,
    "inputs": "give input_ids",
    "inputs_embeds": "give input_ids",
    "best_of": "it is called num_candidates now, and needs processor=",
    "num_samples": "it is called num_return_sequences now",
    "candidates": "it is called num_candidates now, and needs processor=",
    "repeat_penalty": "it is gone; a lower temperature with guidance_scale and num_candidates does what it was for",
    "place_temperature": "it is gone; places are drawn as they are learnt",
    "part_temperature": "it is gone; parts are drawn as they are learnt",
    "min_distance": "it is gone; people always start half a metre apart or more",
    "overlap_cost": "it is gone; with num_candidates, motions that run into somebody are always passed over",
}
# What else `generate` takes that no generation configuration holds.
_MORE_OPTIONS = {
    "assistant_model",
    "assistant_tokenizer",
    "custom_generate",
    "past_key_values",
    "prefix_allowed_tokens_fn",
    "synced_gpus",
    "tokenizer",
}


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raises:
    MotionLLMError: a setting out of range.
    """
    if isinstance(temperature, bool) or not isinstance(temperature, Real) or not _COLDEST <= temperature <= _HOTTEST:
        raise MotionLLMError(
            f"temperature is {temperature}; give a positive number up to {_HOTTEST:g}, or do_sample=False for greedy"
        )
    if top_k is not None and top_k < 1:
        raise MotionLLMError(f"top_k is {top_k}; give at least 1, or leave it out")
    if top_p is not None and not 0 < top_p <= 1:
        raise MotionLLMError(f"top_p is {top_p}; give a number above 0 and up to 1")


def check_generate_options(options: Mapping[str, Any]) -> None:
    """Make sure that what is left of a call's arguments is for `generate` of transformers, and may go there.

    Raises:
        MotionLLMError: it may not; the message says what to give instead.
    """
    known = vars(GenerationConfig()).keys() | _MORE_OPTIONS
    for name in options:
        if name in _REFUSED:
            raise MotionLLMError(f"{name} cannot be given here: {_REFUSED[name]}")
        if name not in known:
            ours = ", ".join(field.name for field in fields(MotionSettings))
            raise MotionLLMError(f"there is no argument {name}; give one of {ours}, or one of transformers' generate")


def _count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise MotionLLMError(f"{name} is {value}; give 1 or more")
    most = _MOST.get(name, _MOST_OTHERS)
    if value > most:
        raise MotionLLMError(f"{name} is {value}; give at most {most:,}")


_Settings = TypeVar("_Settings", "MotionSettings", "CaptionSettings")


def _resolve(defaults: _Settings, stored: Mapping[str, Any], given: dict[str, Any]) -> _Settings:
    """The settings of a call; takes its own out of `given`."""
    names = [field.name for field in fields(defaults)]
    known = {name: stored[name] for name in names if stored.get(name) is not None}
    return replace(defaults, **(known | {name: given.pop(name) for name in names if name in given}))


@dataclass(frozen=True)
class MotionSettings:
    """How motions are drawn.

    Args:
        do_sample: draw codes at random, or take the likeliest ones.
        temperature, top_k, top_p: shape the distribution that is drawn from; None leaves it whole.
        guidance_scale: above 1 the motion follows the sentence more closely (classifier-free guidance, see
            `guidance_motionllm.guide`), at the price of a second, sentence-free context for every motion; 1 is none.
        num_return_sequences: motions for each prompt.
        num_candidates: motions that are drawn of which the best is kept; for scenes, of each person.
        people_candidates: the same where a prompt asks for several people.
        max_held_codes: times in a row that recorded motion has one code at most; longer counts against a candidate.
        min_codes, max_codes: bounds of the length where none is asked for.
        typical_length: where no length is asked for, end a motion where the model expects half of all motions of the
            sentence to have ended; False draws the end like any other token.
        turn_context: of motions in turns, whether a turn is told what was done in the turns before it; False draws each
            as its sentence alone, and leaves the way from one to the next to the decoder, which reads all codes in one.

    Raises:
        MotionLLMError: a setting out of range.
    """

    do_sample: bool = True
    temperature: float = 0.5
    top_k: int | None = None
    top_p: float | None = 0.9
    guidance_scale: float = 2.0
    num_return_sequences: int = 1
    num_candidates: int = 1
    people_candidates: int = 8
    max_held_codes: int | None = None
    min_codes: int = 4
    max_codes: int = 50
    typical_length: bool = True
    turn_context: bool = True

    def __post_init__(self) -> None:
        for name in ("num_return_sequences", "num_candidates", "people_candidates", "min_codes", "max_codes"):
            _count(name, getattr(self, name))
        scale = self.guidance_scale
        if isinstance(scale, bool) or not isinstance(scale, Real) or not (math.isfinite(scale) and scale > 0):
            raise MotionLLMError(
                f"guidance_scale is {scale}; give a positive number: 1 for none, 2 to 4 to follow the sentence more "
                "closely"
            )
        if self.do_sample:
            check_sampling(self.temperature, self.top_k, self.top_p)

    @classmethod
    def of(cls, config: GenerationConfig, given: dict[str, Any]) -> "MotionSettings":
        """The settings of one call: what is `given`, then what the checkpoint says, then the defaults.

        Args:
            config: of the checkpoint.
            given: arguments of the call; those that are settings are taken out.
        """
        stored = vars(config)
        settings = _resolve(cls(), stored if stored.get(_OWN_MARK) is not None else {}, chosen := dict(given))
        if "num_candidates" in given and "people_candidates" not in given:
            settings = replace(settings, people_candidates=settings.num_candidates)
        if not settings.do_sample:
            for name in ("num_candidates", "people_candidates"):
                if name in given and getattr(settings, name) > 1:
                    raise MotionLLMError(
                        f"{name} is {given[name]}, but greedy decoding gives one motion only; draw, or leave it out"
                    )
            settings = replace(settings, num_candidates=1, people_candidates=1)
        given.clear()
        given.update(chosen)
        return settings


@dataclass(frozen=True)
class CaptionSettings:
    """How captions are decoded.

    Args:
        do_sample, temperature, top_k, top_p: as for motions.
        num_return_sequences: captions for each motion.
        num_candidates: captions of which the best is kept: the greedy one, and others that are drawn.
        max_new_tokens: longest caption.

    Raises:
        MotionLLMError: a setting out of range.
    """

    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = 0.9
    num_return_sequences: int = 1
    num_candidates: int = 1
    max_new_tokens: int = 48

    def __post_init__(self) -> None:
        for name in ("num_return_sequences", "num_candidates", "max_new_tokens"):
            _count(name, getattr(self, name))
        if self.do_sample or self.num_candidates > 1:
            check_sampling(self.temperature, self.top_k, self.top_p)

    @classmethod
    def of(cls, config: GenerationConfig, given: dict[str, Any]) -> "CaptionSettings":
        """The settings of one call, as `MotionSettings.of`; the checkpoint's stand under `caption`."""
        return _resolve(cls(), getattr(config, "caption", None) or {}, given)


def unknown_threshold(config: GenerationConfig) -> float:
    """The value of `output.unknown` above which a checkpoint has hardly seen what a sentence asks for.

    Args:
        config: of the checkpoint; 0.5 where it says nothing.

    Raises:
        MotionLLMError: what it says is no probability.
    """
    value = getattr(config, "unknown_threshold", None)
    value = _UNKNOWN_THRESHOLD if value is None else value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise MotionLLMError(f"unknown_threshold of generation_config.json is {value}; give a number from 0 to 1")
    return float(value)


def add_default_settings(config: GenerationConfig) -> GenerationConfig:
    """Write the defaults of motions and captions into a `GenerationConfig` that says nothing about them yet.

    What a base model's configuration says about drawing is about text, and goes.
    """
    if getattr(config, _OWN_MARK, None) is None:
        for name, value in {**PLAIN_DECODING, **asdict(MotionSettings())}.items():
            setattr(config, name, value)
        for name in ("repetition_penalty", "num_return_sequences"):
            setattr(config, name, None)
        config._from_model_config = False  # with it transformers leaves names of ours out when it reads the file
        config.unknown_threshold = _UNKNOWN_THRESHOLD
        config.caption = {name: value for name, value in asdict(CaptionSettings()).items() if value is not None}
        del config.caption["num_return_sequences"]
    return config
