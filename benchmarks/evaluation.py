"""`python -m benchmarks.evaluation`: the protocol's twenty repeats, embedded once and embedded again for each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from benchmarks.measuring import Row, alternate, clock, machine, print_table
from hub_scripts.metrics.judge import MotionJudge, load_evaluator
from hub_scripts.metrics.score import score_motions
from hub_scripts.options.checkpoint import quiet
from hub_scripts.options.default_models import DEFAULT_EVALUATOR

__all__ = ["measure"]

_WORDS = ("walks", "runs", "bows", "waves", "turns", "jumps", "kneels", "points")


def measure(quick: bool = False, cpu_time: bool = False) -> Iterator[Row]:
    """Seconds to score 96 motions of 96 captions in twenty repeats, and the decoding of them not counted."""
    quiet()
    golden = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "golden"
    arrays = load_file(next(iter(sorted(golden.glob("*.safetensors")))))
    clips = [value for name, value in arrays.items() if name.endswith(".features")]
    draw = np.random.default_rng(0)
    motions = [clips[number % len(clips)][int(draw.integers(0, 8)) :] for number in range(96)]
    captions = [f"person {number} {_WORDS[number % len(_WORDS)]}" for number in range(96)]
    evaluator = load_evaluator(DEFAULT_EVALUATOR)
    repeats = 5 if quick else 20

    def score(times: int) -> None:
        score_motions(MotionJudge(evaluator), [motions], captions, motions, repeats=times)

    cases = {
        f"{repeats} repeats, embedded once": lambda: score(repeats),
        f"{repeats} repeats, embedded each time": lambda: [score(1) for _ in range(repeats)],
    }
    timings = alternate(cases, 3 if quick else 5, clock(cpu_time))
    once, anew = timings.values()
    for name, timing in timings.items():
        ratio = timing.faster_than(anew) if timing is once else None
        yield Row(name, timing.median, "s", timing.spread(), ratio, "each time, as the official code does")


if __name__ == "__main__":
    print(machine())
    print_table("evaluation of 96 motions", measure())
