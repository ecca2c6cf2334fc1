"""`python -m benchmarks.streaming`: the first second of a motion of ten, streamed; and memory over many motions."""

from collections.abc import Iterator

from benchmarks.measuring import Row, alternate, clock, machine, print_table, resident_memory
from hub_scripts.options.checkpoint import load_model, load_processor, quiet
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT

__all__ = ["measure"]


def measure(quick: bool = False, cpu_time: bool = False) -> Iterator[Row]:
    """Seconds until the first chunk and the last, and megabytes that many motions add."""
    quiet()
    processor = load_processor(str(DEFAULT_CHECKPOINT))
    model = load_model(str(DEFAULT_CHECKPOINT), "cpu")
    inputs = dict(processor(text="a person walks forward", duration=10))
    whole = "the whole, at once"
    timings = alternate(
        {
            "first second of ten, streamed": lambda: next(model.stream_motion(**inputs, seed=1)),
            "ten seconds, streamed": lambda: list(model.stream_motion(**inputs, seed=1)),
            "ten seconds, at once": lambda: model.generate_motion(**inputs, seed=1),
        },
        3 if quick else 5,
        clock(cpu_time),
    )
    *streamed, last = timings
    for name in streamed:
        timing = timings[name]
        yield Row(name, timing.median, "s", timing.spread(), timing.faster_than(timings[last]), whole)
    yield Row(last, timings[last].median, "s", timings[last].spread())

    short = dict(processor(text="a person walks forward", duration=0.8))
    count = 50 if quick else 500
    for seed in range(count):
        if seed == 10:
            before = resident_memory()
        model.generate_motion(**short, seed=seed)
    yield Row(f"memory that {count - 10} more motions took", resident_memory() - before, "MB")


if __name__ == "__main__":
    print(machine())
    print_table("streaming and memory", measure())
