"""What the benchmarks share: alternating rounds, medians with their spread, and a line about the machine."""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from hub_scripts.data.store import MotionRow

__all__ = [
    "Row",
    "Timing",
    "alternate",
    "clock",
    "machine",
    "peak_memory",
    "print_table",
    "reading_speed",
    "resident_memory",
    "spread_over_actions",
]


@dataclass
class Timing:
    """Seconds of one case, round by round."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return median(self.seconds)

    def spread(self) -> str:
        """Half the range of the middle rounds (the outermost left out from five on), in percent of the median."""
        middle = sorted(self.seconds)[1:-1] if len(self.seconds) >= 5 else self.seconds
        return f"±{50 * (max(middle) - min(middle)) / self.median:.0f} %"

    def faster_than(self, other: "Timing") -> float:
        """How many times faster, the median of the rounds' ratios: what slows a round down slows both."""
        return median(theirs / mine for mine, theirs in zip(self.seconds, other.seconds, strict=True))


@dataclass
class Row:
    """One line of the table of all benchmarks.

    Args:
        name: what was measured.
        value: median.
        unit: of the value.
        spread: of the rounds.
        ratio: how many times better than `against`, where there is something to compare with.
        against: the naive or official procedure.
        floor: how many times longer than reading the weights alone takes.
    """

    name: str
    value: float
    unit: str
    spread: str = ""
    ratio: float | None = None
    against: str = ""
    floor: float | None = None


def print_table(title: str, rows: Iterable[Row]) -> None:
    """Print rows as a part of the table, each as it comes."""
    print(f"\n{title}")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:>8.2f} x {row.against}"
        floor = "" if row.floor is None else f", {row.floor:.1f} x floor"
        print(f"  {row.name:<52} {row.value:>12,.2f} {row.unit:<16} {row.spread:>7}{ratio}{floor}", flush=True)


def clock(cpu_time: bool) -> Callable[[], float]:
    """Seconds of processor time, which other programs on the machine disturb less, or seconds that pass."""
    return time.process_time if cpu_time else time.perf_counter


def alternate(
    cases: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Run every case once in each of `rounds` rounds, one after another, after a warm-up.

    Args:
        cases: by name.
        rounds: measured rounds.
        clock: `time.perf_counter` for seconds that pass, `time.process_time` for seconds of processor time, which
            other programs on the machine disturb less.
    """
    timings: dict[str, list[float]] = {name: [] for name in cases}
    for number in tqdm(range(rounds + 1), desc="rounds", leave=False):
        for name, run in cases.items():
            start = clock()
            run()
            if number:
                timings[name].append(clock() - start)
    return {name: Timing(seconds) for name, seconds in timings.items()}


def reading_speed(clock: Callable[[], float] = time.perf_counter) -> float:
    """Bytes per second that this machine reads from memory: the sum of 512 MB, the best of seven."""
    numbers = torch.ones(128 * 2**20)
    seconds = []
    for _ in range(7):
        start = clock()
        numbers.sum()
        seconds.append(clock() - start)
    return numbers.nbytes / min(seconds)


def peak_memory() -> float:
    """Largest resident set of this process so far, in MB."""
    # Linux's `ru_maxrss` of a child begins with its parent's; this one does not.
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )


def resident_memory() -> float:
    """Resident set of this process now, in MB; where the system does not tell, its largest so far."""
    return _status("VmRSS") or peak_memory()


def _status(field: str) -> float:
    """A field of Linux's /proc/self/status in MB; 0 elsewhere."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0.0
    fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
    return int(fields[field].split()[0]) / 1e3


def machine() -> str:
    """Processor, threads, load and versions, in one line."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{platform.machine()} ({capability}), {os.cpu_count()} cores, {torch.get_num_threads()} threads{load}; "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def spread_over_actions(rows: Sequence[MotionRow], count: int) -> list[MotionRow]:
    """`count` of the rows that are no mirrored copies, in turn from every content, in the order of their names."""
    contents: dict[str, list[MotionRow]] = {}
    for row in sorted(rows, key=lambda row: row["name"]):
        if not row["mirrored"]:
            contents.setdefault(row["contents"][0], []).append(row)
    longest = max(map(len, contents.values()))
    turns = [clips[place] for place in range(longest) for clips in contents.values() if place < len(clips)]
    return turns[:count]
