"""`python -m benchmarks.scaling`: how the cost of a motion grows with length, batch, people and model size."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks.measuring import Row, Timing, alternate, clock, machine, print_table
from hub_scripts.options.checkpoint import load_model, load_processor, quiet
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT
from modeling_motionllm.configuration_motionllm import MotionLLMConfig
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["measure"]

_SENTENCE = "a person waves with the left hand"
# Widths and depths of three sizes of one family (SmolLM2's 135M and 360M, and a smaller one), with random weights.
_SIZES = (
    {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "num_key_value_heads": 2},
    {"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3},
    {"hidden_size": 960, "num_hidden_layers": 32, "num_attention_heads": 15, "num_key_value_heads": 5},
)
_GEMMA_2_2B = 2.6e9  # parameters


def _random_model(config: MotionLLMConfig, size: dict[str, int]) -> MotionLLMForCausalLM:
    config = copy.deepcopy(config)
    for name, value in size.items():
        setattr(config.text_config, name, value)
    config.text_config.intermediate_size = size["hidden_size"] * 8 // 3
    config.text_config.head_dim = 64
    return MotionLLMForCausalLM(config).eval()


def measure(quick: bool = False, cpu_time: bool = False) -> Iterator[Row]:
    """Seconds of greedy decoding in float32 by the fast decoder, prefill and VQ-VAE included."""
    quiet()
    rounds, now = 3 if quick else 5, clock(cpu_time)
    processor, model = load_processor(str(DEFAULT_CHECKPOINT)), load_model(str(DEFAULT_CHECKPOINT), "cpu")
    one = dict(processor(text=_SENTENCE))

    def motion(inputs: dict[str, Any], codes: int, of: MotionLLMForCausalLM = model) -> Callable[[], object]:
        return lambda: of.generate_motion(**inputs, num_codes=codes, do_sample=False)

    groups: dict[str, dict[str, Callable[[], object]]] = {
        "codes": {f"{codes} codes": motion(one, codes) for codes in (10, 25, 50)},
        "batch": {
            f"batch of {size}, 10 codes each": motion(dict(processor(text=[_SENTENCE] * size)), 10)
            for size in (1, 4, 16)
        },
        "people": {
            f"{people} people, 10 codes each": _scene(model, processor, people)
            for people in range(2, processor.max_people + 1)
        },
    }
    groups["people"] = {"1 person, 10 codes": motion(one, 10), **groups["people"]}
    for cases in groups.values():
        yield from _rows(alternate(cases, rounds, now))
    models = [_random_model(model.config, size) for size in _SIZES]
    counts = [each.language_model.num_parameters() for each in models]
    names = [f"{count / 1e6:.0f} M parameters, 10 codes" for count in counts]
    timings = alternate({name: motion(one, 10, of) for name, of in zip(names, models, strict=True)}, rounds, now)
    yield from _rows(timings)
    # Decoding one by one reads every weight once a step, so it grows with their number.
    seconds = timings[names[-1]].median * _GEMMA_2_2B / counts[-1]
    yield Row("projected: Gemma-2-2B, 10 codes, float32", seconds, "s")


def _scene(model: MotionLLMForCausalLM, processor: MotionLLMProcessor, people: int) -> Callable[[], object]:
    inputs = dict(processor(text=_SENTENCE, people=people))
    return lambda: model.generate_motion(**inputs | {"num_codes": 10}, do_sample=False, guidance_scale=1)


def _rows(timings: dict[str, Timing]) -> Iterator[Row]:
    first = next(iter(timings.values()))
    for name, timing in timings.items():
        ratio = None if timing is first else 1 / timing.faster_than(first)
        yield Row(name, timing.median, "s", timing.spread(), ratio, "the first of these")


if __name__ == "__main__":
    torch.manual_seed(0)
    print(machine())
    print_table("scaling", measure())
