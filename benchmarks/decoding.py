"""`python -m benchmarks.decoding`: text-to-motion by the official procedure, `generate`, fast decoder and llama.cpp."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks.measuring import Row, Timing, alternate, clock, machine, reading_speed
from benchmarks.systems import CASES, Systems
from hub_scripts.options.checkpoint import add_model_arguments, load_processor, quiet
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM

__all__ = ["main", "measure"]

_SENTENCES = [
    "a person waves with the left hand",
    "an old person walks forward and turns to the right",
    "someone bows",
    "a person runs forward, turns around and runs back",
    "a tired person walks backward slowly",
    "somebody raises both hands",
    "a proud person calls someone over with the right hand",
    "a person dashes forward",
]
_OFFICIAL = "official: adapter unmerged, beams 2, one by one"


@dataclass
class _Comparison:
    """Of one batch size: timings and codes by case, and the seconds that reading the weights of each takes a step."""

    size: int
    timings: dict[str, Timing]
    codes: dict[str, torch.Tensor]
    floors: dict[str, float]

    def times_floor(self, name: str, length: int) -> float:
        return self.timings[name].median / (self.floors[name] * length)


def _arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=__doc__)
    add_model_arguments(parser)
    parser.add_argument("--batches", default="1,8,32", help="batch sizes (default 1,8,32)")
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {','.join(CASES)} (default all)")
    parser.add_argument("--codes", type=int, default=50, help="codes of each motion, 0.2 s each (default 50)")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (default 5)")
    parser.add_argument("--threads", type=int, help="of torch (default: its own choice)")
    parser.add_argument("--no-official", action="store_true", help="leave the official procedure out")
    parser.add_argument("--cpu-time", action="store_true", help="processor seconds instead of seconds that pass")
    return parser.parse_args(argv)


def main() -> None:
    args = _arguments()
    print(machine())
    seconds = "processor seconds" if args.cpu_time else "seconds that pass"
    print(
        f"{args.codes} codes a motion, greedy, prefill and VQ-VAE included; {seconds}, median of {args.rounds} rounds"
    )
    for found in _compare(args):
        _print_table(found, args.codes)


def measure(quick: bool = False, cpu_time: bool = False) -> Iterator[Row]:
    """Milliseconds a step at batch 1, and motions per second in batches, against the official procedure."""
    options = ["--codes", "16", "--rounds", "3", "--batches", "1,8"] if quick else []
    args = _arguments(options + ["--cpu-time"] * cpu_time)
    for found in _compare(args):
        size, timings = found.size, found.timings
        official = timings[_OFFICIAL]
        for name, timing in timings.items():
            ratio = None if name == _OFFICIAL else timing.faster_than(official)
            if size == 1:
                value, unit = 1000 * timing.median / args.codes, "ms/step"
            else:
                value, unit = size / timing.median, "motions/s"
            floor = found.times_floor(name, args.codes) if size == 1 else None
            yield Row(f"batch {size}, {name}", value, unit, timing.spread(), ratio, "official", floor)


def _compare(args: argparse.Namespace) -> Iterator[_Comparison]:
    """One size after the other."""
    if args.threads:
        torch.set_num_threads(args.threads)
    quiet()
    processor = load_processor(args.model)
    systems = Systems(args.model, args.device, processor)
    names = args.cases.split(",")
    prepared = {name: systems.case(name) for name in names}
    floors = {name: systems.bytes_read(name) for name in names}
    if not args.no_official:
        adapted = MotionLLMForCausalLM.from_pretrained(args.model, merge_adapter=False).to(args.device)
        floors[_OFFICIAL] = systems.bytes_read("generate fp32")
    speed = reading_speed(clock(args.cpu_time))
    print(f"memory is read at {speed / 1e9:.1f} GB/s: the floor of a step is its weights at that speed")
    sizes = [int(size) for size in args.batches.split(",")]
    codes: dict[str, torch.Tensor] = {}

    def run(name: str, model: MotionLLMForCausalLM, inputs: dict, **options: Any) -> None:
        length = {"num_codes": args.codes, "do_sample": False}
        codes[name] = model.generate_motion(**inputs, **length, **options).codes

    for size in sizes:
        texts = [_SENTENCES[row % len(_SENTENCES)] for row in range(size)]
        inputs = dict(processor(text=texts))
        cases: dict[str, Callable[[], object]] = {}
        if not args.no_official:
            alone = dict(processor(text=texts[:1]))
            cases[_OFFICIAL] = partial(run, _OFFICIAL, adapted, alone, num_beams=2, engine="generate")
        for name, (model, engine) in prepared.items():
            cases[name] = partial(run, name, model, inputs, engine=engine)
        timings = alternate(cases, args.rounds, clock(args.cpu_time))
        if _OFFICIAL in timings:
            timings[_OFFICIAL] = Timing([seconds * size for seconds in timings[_OFFICIAL].seconds])
        yield _Comparison(size, timings, codes, {name: count / speed for name, count in floors.items()})
        codes.clear()


def _print_table(found: _Comparison, length: int) -> None:
    timings, codes, size = found.timings, found.codes, found.size
    print(f"\nbatch {size}")
    print(
        f"  {'':<48} {'ms/step':>9} {'':>6} {'motions/s':>10} {'x official':>11} {'x generate':>11} {'x floor':>8} "
        f"{'same codes':>11}"
    )
    plain = timings.get("generate fp32")
    for name, timing in timings.items():
        ratios = [
            "-" if other is None else f"{timing.faster_than(other):.2f}" for other in (timings.get(_OFFICIAL), plain)
        ]
        same = "-"
        if plain is not None and name != _OFFICIAL:
            same = f"{(codes[name] == codes['generate fp32']).float().mean():.1%}"
        print(
            f"  {name:<48} {1000 * timing.median / length:>9.1f} {timing.spread():>6} {size / timing.median:>10.3f} "
            f"{ratios[0]:>11} {ratios[1]:>11} {found.times_floor(name, length):>8.1f} {same:>11}"
        )


if __name__ == "__main__":
    main()
