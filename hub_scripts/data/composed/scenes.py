"""Composing scenes of several people from recorded clips: clips in, Arrow shards out, the same bytes every time."""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from hub_scripts.captions.clips import content_of
from hub_scripts.captions.scenes import describe_part, describe_scene
from modeling_motionllm.collisions_motionllm import body_gaps
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path, ensure_folder
from modeling_motionllm.placement_motionllm import encode_placements, join_people, mirror_people, split_people

from ..cards import dataset_card
from ..preparation import Preparation
from ..splits import SPLITS
from ..store import MotionRow, dataset_hash, finish_dataset, start_dataset, write_shard
from ..workers import batched, in_order, workers
from .clips import FPS, ClipPool, load_pool
from .drawing import Actor
from .kinds import KINDS, Kind

__all__ = ["MIN_GAP", "compose_scene", "prepare_pairs"]

# Goes into the names of intermediate files: raise it when the code changes what they hold.
_RECIPE = 4
MIN_GAP = 0.05  # metres that bodies keep between each other, in every frame
_ATTEMPTS = 400
_SCENES_PER_SHARD = 128


def prepare_pairs(
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    counts: dict[str, int],
    seed: int = 0,
    num_proc: int = 2,
    mirror: bool = True,
    overwrite: bool = False,
) -> Preparation:
    """Compose scenes of the clips in `data`, each of clips of one split.

    Args:
        data: what `motionllm prepare bandai` wrote.
        out: folder for the scenes. An unfinished run in it is continued.
        counts: number of scenes for each of "train", "val" and "test"; mirrored copies come on top.
        seed: another seed, other scenes.
        num_proc: worker processes; the result does not depend on it.
        mirror: store mirrored copies of the train scenes.
        overwrite: replace a finished dataset in `out`.

    Returns:
        The summary as written, with counts by split and kind and how often a scene was drawn again, by reason, which
        the notes tell too.

    Raises:
        MotionLLMError: `data` cannot be read, `out` cannot be written or holds a dataset already.
    """
    folder = ensure_folder(out)
    if folder.resolve() == Path(data).resolve():
        raise MotionLLMError(f"'{folder}' holds the clips themselves; give another --out folder")
    data_hash = dataset_hash(data)
    work = start_dataset(folder, overwrite)
    shards: dict[str, list[Path]] = {}
    tasks = []
    for split in SPLITS:
        scenes = _plan(load_pool(os.fspath(data), split), counts.get(split, 0)) if counts.get(split) else []
        for batch in batched(scenes, _SCENES_PER_SHARD):
            mirrored = mirror and split == "train"
            key = "\n".join([f"recipe {_RECIPE}", data_hash, str(seed), split, str(mirrored), *map(str, batch)])
            path = work / f"{split}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.arrow"
            shards.setdefault(split, []).append(path)
            tasks.append(_Task(path, os.fspath(data), split, batch, seed, mirrored))
    if not tasks:
        raise MotionLLMError("no scenes were asked for; give --train, --val or --test a number above 0")
    tries: Counter[str] = Counter()  # how often was drawn, by outcome
    per_split: dict[str, Counter[str]] = {split: Counter() for split in shards}
    with (
        workers(num_proc) as pool,
        tqdm(desc="composing", unit=" scenes", total=sum(len(task.scenes) for task in tasks)) as bar,
    ):
        for task_split, made, task_tries in in_order(pool, num_proc, _make_shard, tasks):
            per_split[task_split].update(made)
            tries.update(task_tries)
            bar.update(made["scenes"])
    card = dataset_card("scenes")
    summary = {
        "name": "bandai-namco-composed-scenes",
        "type": "scenes",
        "composed": True,
        "license": card.license,
        "fps": FPS,
        "seed": seed,
        "mirrored": mirror,
        "data_sha256": data_hash,
        "splits": {split: _summed(made) for split, made in per_split.items()},
        "drawn_again": {name: count for name, count in sorted(tries.items()) if name != "scenes"},
    }
    if not any(made["scenes"] for made in per_split.values()):
        raise MotionLLMError(f"no scene could be composed of the clips in '{data}'; prepare more of them")
    written = finish_dataset(folder, shards, card, summary)
    notes = Counter({f"drawn again: {reason}": count for reason, count in written["drawn_again"].items()})
    for split, numbers in written["splits"].items():
        for kind, count in numbers["given_up"].items():
            notes[f"left out, of these clips none could be composed ({split}, {kind})"] = count
    return Preparation(written, [], notes)


def _summed(made: Counter[str]) -> dict[str, Any]:
    """Counts of one split: rows and frames with the mirrored copies, scenes, people and kinds without."""
    kinds, given_up = (
        {name.removeprefix(start): count for name, count in sorted(made.items()) if name.startswith(start)}
        for start in ("kind:", "given up:")
    )
    return {name: made[name] for name in ("rows", "scenes", "people", "frames")} | {
        "kinds": kinds,
        "given_up": given_up,
    }


def _plan(pool: ClipPool, count: int) -> list[tuple[str, int]]:
    """Kind and number of each scene; kinds in proportion to their weights, as far as the pool has clips for them."""
    kinds = [kind for kind in KINDS.values() if all(pool.count(group) for group in kind.needs)]
    if not kinds:
        raise MotionLLMError(
            "the clips of this split are of no content that scenes are composed of; see docs/scenes.md"
        )
    # Whole numbers that add up: every scene goes to the kind that is furthest behind its share.
    total = sum(kind.weight for kind in kinds)
    made = {kind.name: 0 for kind in kinds}
    plan = []
    for place in range(count):
        behind = {kind.name: (place + 1) * kind.weight / total - made[kind.name] for kind in kinds}
        name = max(behind, key=lambda kind: behind[kind])
        plan.append((name, made[name]))
        made[name] += 1
    return plan


@dataclass(frozen=True)
class _Task:
    """One shard: where it goes, and which scenes (kind and number) are in it."""

    path: Path
    data: str
    split: str
    scenes: list[tuple[str, int]]
    seed: int
    mirrored: bool


def _make_shard(task: _Task) -> tuple[str, Counter[str], Counter[str]]:
    """Compose a shard, unless it is there; returns its split, what is in it, and how often was drawn again."""
    notes = task.path.with_suffix(".json")
    made: Counter[str] = Counter()
    tries: Counter[str] = Counter()
    if not (task.path.exists() and notes.exists()):
        pool = load_pool(task.data, task.split)
        rows = []
        for kind, number in task.scenes:
            scene_rows = _compose_rows(pool, KINDS[kind], number, task, tries)
            if scene_rows is None:
                made[f"given up:{kind}"] += 1
                continue
            rows += scene_rows
            made.update({f"kind:{kind}": 1, "scenes": 1, "rows": len(scene_rows)})
            made.update({"people": len(scene_rows[0]["roles"]), "frames": sum(row["num_frames"] for row in scene_rows)})
        write_shard(task.path, rows)
        with atomic_path(notes) as temporary:
            temporary.write_text(json.dumps([made, tries]), encoding="utf-8")
    made, tries = (Counter(part) for part in json.loads(notes.read_text(encoding="utf-8")))
    return task.split, made, tries


def _compose_rows(pool: ClipPool, kind: Kind, number: int, task: _Task, tries: Counter[str]) -> list[MotionRow] | None:
    """A scene's row and, where wanted, that of its mirrored copy; None where no scene could be composed."""
    name = f"{kind.name}_{task.split}_{number:04d}"
    composed = compose_scene(pool, kind, f"{task.seed}/{name}", tries)
    if composed is None:
        return None
    actors, canonical, placements = composed
    rows = [_row(kind, name, task.split, actors, canonical, placements, mirrored=False)]
    if task.mirrored:
        rows.append(_row(kind, name, task.split, actors, canonical, placements, mirrored=True))
    return rows


def compose_scene(
    pool: ClipPool, kind: Kind, key: str, tries: Counter[str] | None = None
) -> tuple[list[Actor], np.ndarray, np.ndarray] | None:
    """One scene in which nobody runs into anybody; drawn again until there is one.

    Args:
        pool: clips to draw from.
        kind: what is composed.
        key: decides what is drawn.
        tries: counts "scenes" and the reasons for drawing again: "no fit" (clips that do not go together), "overlap"
            (bodies closer than `MIN_GAP`) and "too far" (a start that placements do not reach).

    Returns:
        The people, their canonical joints float64 (P, T, 22, 3), and their placements (P, 3) relative to the first;
        None where many draws gave no such scene.
    """
    tries = Counter() if tries is None else tries
    for attempt in range(_ATTEMPTS):
        digest = hashlib.sha256(f"{key}/{attempt}".encode()).digest()
        actors = kind.compose(pool, np.random.default_rng(int.from_bytes(digest[:8], "big")))
        if actors is None:
            tries["no fit"] += 1
            continue
        starts = np.array([[actor.x, actor.z, actor.heading] for actor in actors])
        world = join_people(np.stack([actor.joints for actor in actors]), starts)
        canonical, placements = split_people(world)
        try:
            encode_placements(placements)
        except MotionLLMError:
            tries["too far"] += 1
            continue
        if body_gaps(world).min() < MIN_GAP:
            tries["overlap"] += 1
            continue
        tries["scenes"] += 1
        return actors, canonical, placements
    return None


def _row(
    kind: Kind,
    name: str,
    split: str,
    actors: list[Actor],
    canonical: np.ndarray,
    placements: np.ndarray,
    mirrored: bool,
) -> MotionRow:
    if mirrored:
        canonical, placements = mirror_people(canonical, placements)
    joints = join_people(canonical, placements)
    contents = [actor.clips[0].content for actor in actors]
    styles = [actor.clips[0].style for actor in actors]
    return {
        "name": f"{name}_mirrored" if mirrored else name,
        "split": split,
        "source": "bandai-namco",
        "composed": True,
        "kind": kind.name,
        "num_people": len(actors),
        "roles": [actor.role for actor in actors],
        "contents": [content_of(content, mirrored) for content in contents],
        "styles": styles,
        "mirrored": mirrored,
        "parts": [
            describe_part(content, style, person, actor.wait, mirrored)
            for content, style, person, actor in zip(contents, styles, joints, actors, strict=True)
        ],
        "captions": describe_scene(kind.name, contents, styles, joints, placements, name, mirrored),
        "fps": FPS,
        "num_frames": joints.shape[1],
        "placements": placements,
        "joints": joints.astype(np.float32),
        "source_clips": [[clip.name for clip in actor.clips] for actor in actors],
    }
