"""`actions.json`: the actions that a checkpoint was trained on, with counts and an example sentence each."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hub_scripts.hub.records import ACTIONS
from modeling_motionllm.checkpoint_motionllm import ADAPTERS_FOLDER, find_file
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.files_motionllm import atomic_path

__all__ = ["KnownAction", "actions_in", "known_actions", "read_actions", "write_actions"]

_MOTIONS = 1000  # of an action, whose sentences are counted: those of a million would take GB


@dataclass(frozen=True)
class KnownAction:
    """An action that a checkpoint was trained on.

    Args:
        action: its name in the data.
        motions: how many motions show it, mirrored copies left out.
        example: a sentence that asks for it.
    """

    action: str
    motions: int
    example: str


def known_actions(rows: Iterable[Mapping[str, Any]], earlier: Sequence[KnownAction] = ()) -> list[KnownAction]:
    """The actions of a training.

    Scenes of several people count only for actions that no motion of one person shows, sequences in time not at all:
    composed ones show the same clips again.

    Args:
        rows: what was trained on, with `contents`, `captions`, `mirrored` and, of sequences, `segment_ends`.
        earlier: of the weights that the training started from; those that the rows do not show stay as they are.

    Returns:
        The most frequent first. The example is the sentence that most of an action's motions (its first 1,000) share,
        of several the shortest.
    """
    counts: tuple[Counter[str], Counter[str]] = Counter(), Counter()  # of one person, of several
    sentences: tuple[dict[str, Counter[str]], ...] = (defaultdict(Counter), defaultdict(Counter))
    for row in rows:
        if not row["mirrored"] and not row.get("segment_ends"):
            several = len(row["contents"]) > 1
            for action in set(row["contents"]):
                counts[several][action] += 1
                if counts[several][action] <= _MOTIONS:
                    sentences[several][action].update(set(row["captions"]))
    found = {one.action: one for one in earlier}
    for several in (True, False):
        for action, count in counts[several].items():
            told = sentences[several][action].items()
            example = min(told, key=lambda one: (-one[1], len(one[0]), one[0]), default=("", 0))[0]
            found[action] = KnownAction(action, count, example)
    return sorted(found.values(), key=lambda one: (-one.motions, one.action))


def write_actions(folder: Path, actions: Sequence[KnownAction]) -> None:
    """Write `actions.json` into a folder."""
    lines = ",\n".join(json.dumps(asdict(action), ensure_ascii=False) for action in actions)
    with atomic_path(folder / ACTIONS) as temporary:
        temporary.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _read(path: Path) -> list[KnownAction]:
    try:
        return [
            KnownAction(str(row["action"]), int(row["motions"]), str(row["example"]))
            for row in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise MotionLLMError(f"'{path}' is damaged ({error!r}); get the checkpoint again") from error


def actions_in(folder: Path | None, adapter_name: str = "default") -> list[KnownAction]:
    """The actions of a checkpoint folder, thin or not; empty where it does not say them.

    Raises:
        MotionLLMError: a damaged file.
    """
    files = [] if folder is None else [folder / ADAPTERS_FOLDER / adapter_name / ACTIONS, folder / ACTIONS]
    return next((_read(file) for file in files if file.is_file()), [])


def read_actions(name: str) -> list[KnownAction]:
    """The actions of a checkpoint, which may be on the Hub; empty where it does not say them.

    Raises:
        MotionLLMError: there is no such checkpoint, or its file is damaged.
    """
    if Path(name).is_dir():
        return actions_in(Path(name))
    try:
        files = [find_file(name, file) for file in (f"{ADAPTERS_FOLDER}/default/{ACTIONS}", ACTIONS)]
    except OSError as error:
        raise MotionLLMError(f"cannot load '{name}': {str(error).splitlines()[0]}") from error
    return next((_read(Path(file)) for file in files if file is not None), [])
