"""The campaign: kills, full disks, two at once and damaged files, for as long as it may take; prints a table.

    python tests/campaign/run.py --minutes 30 --seed 0

The exit code is 1 where anything ended in a traceback, hung, took more than 2 GB, could not go on after a kill, or was
accepted though it is damaged.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # copies of a process must not share threads

from campaign.inputs import Reader, mutations, refuses_or_reads, samples, shrunk  # noqa: E402
from campaign.runs import (  # noqa: E402
    Command,
    Ended,
    in_a_copy,
    killed_at,
    leftovers,
    results,
    run,
    with_small_disk,
)
from campaign.world import World, make_world  # noqa: E402

COLUMNS = ("tried", "well", "line", "wrong", "lost", "traceback", "hang", "memory")
MOST_MEGABYTES = 2048
_BAD = ("wrong", "lost", "traceback", "hang", "memory")


class Table:
    """Counts by row, and what was bad, with the command or the bytes that show it."""

    def __init__(self) -> None:
        self.rows: dict[str, Counter[str]] = {}
        self.bad: list[str] = []

    def add(self, row: str, ended: Ended | str, what: str) -> None:
        how = ended if isinstance(ended, str) else ended.how
        if isinstance(ended, Ended) and ended.megabytes > MOST_MEGABYTES:
            how = "memory"
        counts = self.rows.setdefault(row, Counter())
        counts["tried"] += 1
        counts[how] += 1
        if how in _BAD:
            said = "" if isinstance(ended, str) else ended.said[-1500:]
            self.bad.append(f"{row}: {how}: {what}\n{said}")

    def print(self) -> None:
        print(f"{'':44}" + "".join(f"{column:>11}" for column in COLUMNS))
        for row, counts in self.rows.items():
            print(f"{row:44}" + "".join(f"{counts[column]:>11,}" for column in COLUMNS))
        for one in self.bad[:20]:
            print(f"\n{one}")


@contextmanager
def _until(seconds: float) -> Iterator[float]:
    yield time.monotonic() + seconds


def kills(command: Command, world: World, table: Table, draw: random.Random, seconds: float) -> None:
    """Kill the command at file after file, then at any, and let it go on."""
    folder = world.folder / "killed"
    _remove(folder)
    whole = killed_at(command, folder, 0)
    if whole.how != "well":
        table.add(command.name, whole, "the whole run")
        return
    expected = results(folder)
    order = list(range(1, whole.events + 1))
    draw.shuffle(order)
    with _until(seconds) as until:
        while time.monotonic() < until:
            event = order.pop() if order else draw.randint(1, whole.events)
            _remove(folder)
            ended = killed_at(command, folder, event)
            if ended.how in ("traceback", "hang"):
                table.add(command.name, ended, f"killed at {event}")
                continue
            again = in_a_copy(lambda: run(command, folder, *command.again(folder)))
            table.add(command.name, _after(again, folder, expected), f"killed at {event}: {again.said[-600:]}")


def _after(again: Ended, folder: Path, expected: dict[str, bytes]) -> Ended | str:
    if again.how != "well":
        return again if again.how in ("traceback", "hang") else "lost"
    if results(folder) != expected or leftovers(folder):
        return "wrong"
    return again


def full_disks(command: Command, world: World, table: Table, draw: random.Random, seconds: float) -> None:
    """Let writing fail in the middle of any file, then go on with room."""
    folder, row = world.folder / "full", f"{command.name}, full disk"
    _remove(folder)
    if in_a_copy(lambda: run(command, folder)).how != "well":
        return
    expected = results(folder)
    largest = max(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    with _until(seconds) as until:
        while time.monotonic() < until:
            most = draw.randint(1, largest)
            _remove(folder)
            ended = with_small_disk(command, folder, most)
            if ended.how not in ("well", "line"):
                table.add(row, ended, f"at most {most} bytes")
                continue
            if ended.how == "well":
                table.add(row, ended, "")
                continue
            again = in_a_copy(lambda: run(command, folder, *command.again(folder)))
            table.add(row, _after(again, folder, expected), f"at most {most} bytes: {again.said[-600:]}")


def two_at_once(command: Command, world: World, table: Table) -> None:
    """The second of two is refused in a line, or both end well; what is there then is whole."""
    folder, row = world.folder / "two", f"{command.name}, two at once"
    _remove(folder)
    first = os.fork()
    if not first:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        os._exit(run(command, folder))
    second = in_a_copy(lambda: run(command, folder, *command.again(folder)))
    os.waitpid(first, 0)
    if second.how not in ("well", "line"):
        table.add(row, second, "the second")
        return
    again = in_a_copy(lambda: run(command, folder, *command.again(folder)))
    finished = again.how in ("well", "line") and bool(results(folder))
    table.add(row, second if finished else "lost", again.said[-600:])


def inputs(reader: Reader, table: Table, seed: int, seconds: float, most: int) -> None:
    """Damaged files for a reader, each in a copy of this process."""
    whole = reader.file.read_bytes()
    damaged = mutations(whole, seed)
    tried = 0

    def read(data: bytes) -> int:
        reader.file.write_bytes(data)
        found = refuses_or_reads(reader.read, reader.file)
        if found not in ("read", "refused"):
            reader.read(reader.file)  # for its traceback
        return 0 if found == "read" else 2

    def outcome(data: bytes) -> Ended:
        return in_a_copy(lambda: read(data), 30.0)

    with _until(seconds) as until:
        while tried < most and time.monotonic() < until:
            tried += 1
            data = next(damaged)
            ended = outcome(data)
            if ended.how == "well" and reader.summed and data != whole:
                table.add(reader.name, "wrong", f"{data[:300]!r}")
            elif ended.how == "traceback":
                least = shrunk(whole, data, lambda tried: outcome(tried).how == "traceback")
                table.add(reader.name, ended, f"{least[:300]!r}")
            else:
                table.add(reader.name, ended, f"{data[:300]!r}")
    reader.file.write_bytes(whole)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=1000, help="damaged files for each reader at most")
    args = parser.parse_args()
    seconds, draw, table = 60 * args.minutes, random.Random(args.seed), Table()
    with tempfile.TemporaryDirectory(prefix="motionllm-campaign-") as temporary:
        world = make_world(Path(temporary))
        for command in world.commands:
            kills(command, world, table, draw, 0.35 * seconds / len(world.commands))
            full_disks(command, world, table, draw, 0.15 * seconds / len(world.commands))
            two_at_once(command, world, table)
        folder = Path(temporary) / "inputs"
        folder.mkdir()
        readers = [*samples(folder, ROOT / "tests" / "fixtures"), *world.checkpoint_files()]
        for reader in readers:
            inputs(reader, table, args.seed, 0.45 * seconds / len(readers), args.inputs)
    table.print()
    return 1 if table.bad else 0


if __name__ == "__main__":
    sys.exit(main())
