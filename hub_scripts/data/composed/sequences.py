"""Composing sequences in time, one person doing one thing after another: clips in, Arrow shards out, the same bytes."""

import hashlib
import json
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from hub_scripts.captions.sequences import describe_circle, describe_segment, describe_sequence
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.motion_features import joints_to_features

from ..cards import dataset_card
from ..preparation import Preparation
from ..splits import SPLITS
from ..store import (
    MotionRow,
    dataset_hash,
    finish_dataset,
    read_summary,
    start_dataset,
    write_shard,
)
from ..workers import batched, in_order, workers
from .chains import Chain, compose_chain, compose_circle
from .clips import FPS
from .material import Material, load_material

__all__ = ["compose_sequence", "prepare_sequences"]

# Goes into the names of intermediate files: raise it when the code changes what they hold.
_RECIPE = 4
_PER_SHARD = 128
_ATTEMPTS = 80
_KINDS = {1: "circle", 2: "two", 3: "three", 4: "four"}  # by the number of segments
_CIRCLES = 25  # one of so many sequences is a walk in a circle
_SHARES = {2: 0.62, 3: 0.28, 4: 0.10}


def prepare_sequences(
    data: list[str],
    out: str | os.PathLike[str],
    counts: dict[str, int],
    seed: int = 0,
    num_proc: int = 2,
    overwrite: bool = False,
) -> Preparation:
    """Compose sequences of the clips in `data`, each of clips of one split.

    Args:
        data: folders that `motionllm prepare` wrote, of single people; several are taken together.
        out: folder for the sequences. An unfinished run in it is continued.
        counts: number of sequences for each of "train", "val" and "test".
        seed: another seed, other sequences.
        num_proc: worker processes; the result does not depend on it.
        overwrite: replace a finished dataset in `out`.

    Returns:
        The summary as written, with counts by split, kind and content, and how often was drawn again, by reason.

    Raises:
        MotionLLMError: `data` cannot be read, `out` cannot be written or holds a dataset already.
    """
    folder = ensure_folder(out)
    if folder.resolve() in [Path(one).resolve() for one in data]:
        raise MotionLLMError(f"'{folder}' holds the clips themselves; give another --out folder")
    sources = [read_summary(one) for one in data]
    hashes = [dataset_hash(one) for one in data]
    work = start_dataset(folder, overwrite)
    shards: dict[str, list[Path]] = {}
    tasks = []
    for split in SPLITS:
        for batch in batched(_plan(counts.get(split, 0)), _PER_SHARD):
            key = "\n".join([f"recipe {_RECIPE}", *hashes, str(seed), split, *map(str, batch)])
            path = work / f"{split}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.arrow"
            shards.setdefault(split, []).append(path)
            tasks.append(_Task(path, tuple(map(os.fspath, data)), split, batch, seed))
    if not tasks:
        raise MotionLLMError("no sequences were asked for; give --train, --val or --test a number above 0")
    for name in shards:
        load_material(tuple(map(os.fspath, data)), name)  # a split without clips is told before work starts
    tries: Counter[str] = Counter()
    per_split: dict[str, Counter[str]] = {split: Counter() for split in shards}
    with (
        workers(num_proc) as pool,
        tqdm(desc="composing", unit=" sequences", total=sum(len(task.sequences) for task in tasks)) as bar,
    ):
        for task, made, task_tries in in_order(pool, num_proc, _make_shard, tasks):
            per_split[task.split].update(made)
            tries.update(task_tries)
            bar.update(len(task.sequences))
    shards = {split: [path for path in paths if path.exists()] for split, paths in shards.items()}
    shards = {split: paths for split, paths in shards.items() if paths}
    if not shards:
        raise MotionLLMError("no sequence could be composed of these clips; prepare more of them")
    licenses = {name for one in sources for name in one.get("licenses", {one["license"]: 1})}
    license = licenses.pop() if len(licenses) == 1 else "other"
    card = dataset_card(
        "sequences",
        license=license,
        sources="\n".join(f"- `{one['name']}`: {', '.join(one.get('licenses', [one['license']]))}" for one in sources),
    )
    summary = {
        "name": "composed-sequences",
        "composed": True,
        "license": license,
        "fps": FPS,
        "seed": seed,
        "data_sha256": dict(zip((one["name"] for one in sources), hashes, strict=True)),
        "splits": {split: _summed(per_split[split]) for split in shards},
        "drawn_again": {name: count for name, count in sorted(tries.items()) if name != "sequences"},
    }
    written = finish_dataset(folder, shards, card, summary)
    notes = Counter({f"drawn again: {reason}": count for reason, count in written["drawn_again"].items()})
    for name, made in per_split.items():
        if made["given up"]:
            notes[f"left out, none could be composed ({name})"] = made["given up"]
    return Preparation(written, [], notes)


def _summed(made: Counter[str]) -> dict[str, Any]:
    """Counts of one split."""
    kinds, contents = (
        {name.removeprefix(start): count for name, count in sorted(made.items()) if name.startswith(start)}
        for start in ("kind:", "content:")
    )
    whole = {"rows": made["rows"], "sequences": made["rows"], "segments": made["segments"], "frames": made["frames"]}
    return whole | {"kinds": kinds, "contents": contents}


def _plan(count: int) -> list[tuple[int, int]]:
    """Number and number of segments of each sequence; whole numbers in proportion to their shares."""
    made = dict.fromkeys(_SHARES, 0)
    plan = []
    for place in range(count):
        if place % _CIRCLES == _CIRCLES - 1:
            plan.append((place, 1))
            continue
        segments = max(_SHARES, key=lambda many: (place + 1) * _SHARES[many] - made[many])
        made[segments] += 1
        plan.append((place, segments))
    return plan


@dataclass(frozen=True)
class _Task:
    """One shard: where it goes, and which sequences (number and number of segments, 1 for a circle) are in it."""

    path: Path
    data: tuple[str, ...]
    split: str
    sequences: list[tuple[int, int]]
    seed: int


def _make_shard(task: _Task) -> tuple[_Task, Counter[str], Counter[str]]:
    """Compose a shard, unless it is there; returns what is in it, and how often was drawn again."""
    notes = task.path.with_suffix(".json")
    if not notes.exists():
        material = load_material(task.data, task.split)
        made: Counter[str] = Counter()
        tries: Counter[str] = Counter()
        rows = []
        for number, segments in task.sequences:
            name = f"sequence_{task.split}_{number:05d}"
            row = compose_sequence(material, segments, name, task.split, task.seed, tries)
            if row is None:
                made["given up"] += 1
                continue
            rows.append(row)
            made.update({"rows": 1, "segments": segments, "frames": row["num_frames"], f"kind:{_KINDS[segments]}": 1})
            made.update(f"content:{content}" for content in row["segment_contents"])
        if rows:
            write_shard(task.path, rows)
        with atomic_path(notes) as temporary:
            temporary.write_text(json.dumps([made, tries]), encoding="utf-8")
    made, tries = (Counter(part) for part in json.loads(notes.read_text(encoding="utf-8")))
    return task, made, tries


def compose_sequence(
    material: Material, segments: int, name: str, split: str, seed: int = 0, tries: Counter[str] | None = None
) -> MotionRow | None:
    """The row of one sequence; drawn again until its clips go together.

    Args:
        material: clips to draw from.
        segments: 2 to 4; 1 for a walk in a circle.
        name: of the row; with `seed` it decides what is drawn.
        split: of the clips.
        seed: another one, another sequence.
        tries: counts "sequences" and the reasons for drawing again.

    Returns:
        None where many draws gave none.
    """
    tries = Counter() if tries is None else tries
    side = _side(name) if segments == 1 else None
    for attempt in range(_ATTEMPTS):
        digest = hashlib.sha256(f"{seed}/{name}/{attempt}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        chain = compose_chain(material, segments, rng) if side is None else compose_circle(material, side, rng)
        if isinstance(chain, Chain):
            tries["sequences"] += 1
            return _row(chain, name, split, random.Random(int.from_bytes(digest[8:16], "big")), side)
        tries[chain] += 1
    return None


def _side(name: str) -> str:
    """To which side somebody walks in a circle, by the name of the row."""
    return ("left", "right")[hashlib.sha256(name.encode()).digest()[0] % 2]


def _row(chain: Chain, name: str, split: str, rng: random.Random, circle: str | None) -> MotionRow:
    """The row of a sequence; `circle`: the side of a walk in a circle, whose turns are one segment."""
    if circle is not None:
        ends, contents = chain.ends[-1:], ["walk-circle"]
        captions = describe_circle(circle)
        told = [captions]
    else:
        ends, contents = chain.ends, [clip.content for clip in chain.clips]
        said = [
            clip.said(chain.joints[start : end + 1], rng)
            for clip, start, end in zip(chain.clips, [0, *ends[:-1]], ends, strict=True)
        ]
        captions = describe_sequence(said, chain.stops, chain.style, rng)
        told = [describe_segment(ways, chain.style, rng) for ways in said]
    licenses = sorted({clip.license for clip in chain.clips})
    return {
        "name": name,
        "split": split,
        "source": "composed-sequences",
        "composed": True,
        "num_people": 1,
        "contents": ["sequence"],
        "styles": [chain.style],
        "mirrored": False,
        "captions": captions,
        "fps": FPS,
        "num_frames": len(chain.joints),
        "joints": chain.joints[None].astype(np.float32),
        "features": np.asarray(joints_to_features(chain.joints))[None].astype(np.float32),
        "source_clips": [[clip.name for clip in chain.clips]],
        "segment_captions": told,
        "segment_contents": contents,
        "segment_ends": ends,
        "license": " and ".join(licenses),
    }
