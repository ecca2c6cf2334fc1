"""`prepare_sentences`: finds the motions of datasets that show what sentences of people say."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from hub_scripts.captions.sentence_needs import SentenceNeeds, bare_name, plain_sentence, read_needs
from hub_scripts.captions.turns import split_into_turns
from hub_scripts.captions.unshown_actions import named_actions, tells_only_of_unshown
from modeling_motionllm.errors_motionllm import MotionLLMError

from .humanml3d_sentences import read_described_parts
from .sentence_store import SENTENCES_SUMMARY, SentenceRow, write_sentences
from .store import MotionRow, existing_splits, read_motions, read_summary
from .text_tables import read_table
from .told_motions import ToldMotion, claims_of_labels, tell_motion

__all__ = [
    "MOST_MOTIONS",
    "SentencePreparation",
    "ToldDatasets",
    "match_sentences",
    "prepare_sentences",
    "read_no_motion",
    "sentence_table",
    "tell_datasets",
]

MOST_MOTIONS = 200  # of one sentence: all beyond are left out, by a hash of both
_FEW_PLAIN = 20  # motions in no manner from which on a sentence that says none is for them alone
_PACES = {"manner:slow", "manner:fast", "manner:casual"}
_COLUMNS = (
    "name", "num_people", "contents", "styles", "mirrored", "captions", "fps", "joints", "segment_captions",
    "segment_ends",
)  # fmt: skip
NOTICE = "The sentences are HumanML3D's: MIT, Copyright (c) 2022 Chuan Guo."


@dataclass(frozen=True)
class SentencePreparation:
    """What came out.

    Args:
        summary: as written.
        failures: name and problem of sentences and motions that cannot be read.
    """

    summary: dict[str, Any]
    failures: list[tuple[str, str]]


@dataclass
class ToldDatasets:
    """What may be said of the motions of datasets.

    Args:
        splits: motions of each split.
        shown: names of all actions that any of them shows or is said to show.
        hashes: name of each dataset -> its hash.
    """

    splits: dict[str, list[ToldMotion]]
    shown: set[str]
    hashes: dict[str, str]


def prepare_sentences(
    texts: str | os.PathLike[str],
    data: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    overwrite: bool = False,
    no_motion: str | os.PathLike[str] | None = None,
) -> SentencePreparation:
    """Match sentences that people wrote with the motions that show what they say, and write them as a sentence store.

    Args:
        texts: HumanML3D's folder, or a JSONL file, see `read_described_parts`.
        data: datasets of `motionllm prepare`.
        out: folder for the store.
        overwrite: replace a store that is there.
        no_motion: table of more sentences to know nothing of, see `read_no_motion`.

    Raises:
        MotionLLMError: something cannot be read, two datasets of one name, or a store that is there already.
    """
    if (Path(out) / SENTENCES_SUMMARY).exists() and not overwrite:
        raise MotionLLMError(f"'{out}' holds sentences already; give --overwrite or another --out folder")
    others = [] if no_motion is None else read_no_motion(no_motion)
    failures: list[tuple[str, str]] = []
    sentences, repeated = _sentences(texts, failures)
    near = [failure for failure in failures if "shares a moment" in failure[1]]
    failures = [failure for failure in failures if failure not in near]
    told = tell_datasets(data, failures)
    rows: dict[str, list[SentenceRow]] = {}
    reports: dict[str, dict[str, Any]] = {}
    for split, written in sentences.items():
        rows[split], reports[split] = match_sentences(written, told.splits.get(split, []), told.shown)
        rows[split] += [row for row in others if _is_val(row["sentence"]) == (split == "val")]
    texts_read = [*(text for several in sentences.values() for text in several), *(row["sentence"] for row in others)]
    digest = hashlib.sha256("\n".join(texts_read).encode()).hexdigest()
    summary = {
        "data_name": "humanml3d-sentences",
        "data_license": "mit",
        "data_sha256": digest,
        "notice": NOTICE,
        "datasets": told.hashes,
        "most_motions": MOST_MOTIONS,
        "clips_near_held_out": len(near),
        "also_held_out": repeated,
        "no_motion": len(others),
        "splits": reports,
    }
    write_sentences(out, rows, summary)
    return SentencePreparation(summary, failures)


def read_no_motion(path: str | os.PathLike[str]) -> list[SentenceRow]:
    """Sentences that ask for no motion, or in another language than the captions are in.

    Args:
        path: table (see `read_table`) with the columns `sentence` and `kind`, such as its language; kinds are drawn
            about as actions are.

    Raises:
        MotionLLMError: it cannot be read, or a row lacks one of the two.
    """
    rows: list[SentenceRow] = []
    for row in read_table(path).rows:
        sentence, kind = row.text("sentence"), row.text("kind")
        if not sentence or not kind:
            raise MotionLLMError(f"{row.where} needs a sentence and a kind, such as its language")
        rows.append({"sentence": sentence, "actions": [kind], "motions": [], "known": False})
    return rows


def _is_val(sentence: str) -> bool:
    """One of eight sentences, the same ones always."""
    return hashlib.sha256(sentence.encode()).digest()[0] < 32


def _sentences(texts: str | os.PathLike[str], failures: list[tuple[str, str]]) -> tuple[dict[str, list[str]], int]:
    """Different sentences for training and validation, and how many for training were also said of other clips."""
    parts = read_described_parts(texts, None, lambda trial: True, failures)
    said = {
        split: _with_turns(text.strip() for part in parts if part.split == split for text in part.sentences)
        for split in ("test", "val", "train")
    }
    held_out = said["test"].keys() | said["val"].keys()
    repeated = sum(
        plain_sentence(text) in held_out for part in parts if part.split == "train" for text in part.sentences
    )
    train = [text for plain, text in said["train"].items() if plain and plain not in held_out]
    val = [text for plain, text in said["val"].items() if plain and plain not in said["test"]]
    return {"train": train, "val": val}, repeated


def _with_turns(sentences: Iterable[str]) -> dict[str, str]:
    """Sentences, and what `split_into_turns` makes of those that say several things, by what they are equal by.

    People seldom write "turns around" by itself, but often of somebody who did something before.
    """
    whole = {plain_sentence(text): text for text in sentences}
    turns = {plain_sentence(turn): turn for text in whole.values() for turn in split_into_turns(text)}
    return turns | whole


def tell_datasets(data: Sequence[str | os.PathLike[str]], failures: list[tuple[str, str]]) -> ToldDatasets:
    """What may be said of all motions of one person in datasets.

    Args:
        data: folders of datasets.
        failures: takes name and problem of motions that cannot be judged.

    Raises:
        MotionLLMError: no such dataset, or two of one name.
    """
    told = ToldDatasets({}, set(), {})
    for folder in data:
        summary = read_summary(folder)
        dataset = summary["name"]
        if dataset in told.hashes:
            raise MotionLLMError(f"two datasets are called '{dataset}' ('{folder}'); give each a name of its own")
        told.hashes[dataset] = summary["sha256"]
        rows = {split: read_motions(folder, split, _COLUMNS) for split in existing_splits(folder)}
        words: set[str] = set()
        claims = claims_of_labels(row for several in rows.values() for row in several if not row["mirrored"])
        for split, several in rows.items():
            of_split: dict[str, ToldMotion | None] = {}
            for row in tqdm(several, desc=f"{dataset} {split}", unit=" motions", leave=False):
                words.update(re.findall(r"[a-z]+", " ".join([*row["captions"], *row["contents"]]).lower()))
                if row["num_people"] == 1 and split in ("train", "val"):
                    of_split[row["name"]] = _tell(f"{dataset}/{row['name']}", row, claims, of_split, failures)
            told.splits.setdefault(split, []).extend(motion for motion in of_split.values() if motion is not None)
        told.shown |= named_actions(" . ".join(sorted(words)))
        told.shown |= {bare_name(name) for counter in claims.values() for names in counter for name in names}
    return told


def _tell(
    name: str,
    row: MotionRow,
    claims: Mapping[str, Counter[tuple[str, ...]]],
    before: Mapping[str, ToldMotion | None],
    failures: list[tuple[str, str]],
) -> ToldMotion | None:
    """What may be said of a motion; of a mirrored copy the same with other sides, where the original came before."""
    original = row["name"].removesuffix("_mirrored")
    if row["mirrored"] and original in before:
        known = before[original]
        return None if known is None else known.mirrored(name)
    try:
        return tell_motion(name, row, claims)
    except MotionLLMError as error:
        failures.append((name, f"'{name}': {error}"))
        return None


def match_sentences(
    sentences: Iterable[str], motions: Sequence[ToldMotion], shown: set[str]
) -> tuple[list[SentenceRow], dict[str, Any]]:
    """The sentences that motions show, and those that are certain to be shown by none.

    Args:
        sentences: N different ones.
        motions: of one split.
        shown: names of all actions that any motion of any split shows.

    Returns:
        Rows, sorted by sentence, and a report with counts.
    """
    by_sequence: dict[tuple[str, ...], list[tuple[ToldMotion, tuple[int, ...]]]] = {}
    for motion in motions:
        for sequence, lengths in motion.ways():
            by_sequence.setdefault(sequence, []).append((motion, lengths))
    found: dict[tuple[Any, ...], list[ToldMotion]] = {}
    rows: list[SentenceRow] = []
    left_out: Counter[str] = Counter()
    count = 0
    for text in sorted(sentences):
        count += 1
        needs = read_needs(text)
        key = (needs.steps, needs.needs)
        if key not in found:
            found[key] = _motions(needs, by_sequence.get(needs.names, []))
        names = _drawn(text, found[key])
        if not names and not tells_only_of_unshown(needs.content, shown):
            left_out[_why(needs, by_sequence)] += 1
            continue
        actions = [action.name for action in needs.content.actions]
        rows.append({"sentence": text, "actions": actions, "motions": names, "known": bool(names)})
    return rows, _report(count, rows, left_out)


def _motions(needs: SentenceNeeds, candidates: Sequence[tuple[ToldMotion, tuple[int, ...]]]) -> list[ToldMotion]:
    """The motions that a sentence tells of: where it says none but a pace, those in no manner, if there are enough."""
    fitting = {motion.name: motion for motion, lengths in candidates if needs.steps and motion.meets(needs, lengths)}
    plain = [motion for motion in fitting.values() if motion.plain]
    if needs.manners <= _PACES and len(plain) >= _FEW_PLAIN:
        return plain
    return list(fitting.values())


def _drawn(text: str, motions: Sequence[ToldMotion]) -> list[str]:
    names = [motion.name for motion in motions]
    if len(names) > MOST_MOTIONS:
        names.sort(key=lambda name: hashlib.sha256(f"{text}\0{name}".encode()).digest())
    return sorted(names[:MOST_MOTIONS])


def _why(needs: SentenceNeeds, by_sequence: dict[tuple[str, ...], Any]) -> str:
    if not needs.steps:
        return "not understood"
    if needs.names not in by_sequence:
        return "actions in an order that no motion has"
    return "details that no motion is known to have"


def _report(count: int, rows: Sequence[SentenceRow], left_out: Counter[str]) -> dict[str, Any]:
    known = [row for row in rows if row["known"]]
    by_action = Counter(" then ".join(_names(row)) for row in known)
    unknown = Counter(" then ".join(_names(row)) for row in rows if not row["known"])
    return {
        "sentences": count,
        "known": len(known),
        "unknown": len(rows) - len(known),
        "pairs": sum(len(row["motions"]) for row in known),
        "motions": len({name for row in known for name in row["motions"]}),
        "left_out": dict(left_out.most_common()),
        "by_action": dict(by_action.most_common()),
        "unknown_by_action": dict(unknown.most_common()),
    }


def _names(row: SentenceRow) -> list[str]:
    return [name for name in row["actions"] if name != "stand"] or row["actions"]


def sentence_table(summary: dict[str, Any]) -> str:
    """The report of `prepare_sentences` in words."""
    lines = [
        f"{summary['clips_near_held_out']:,} clips share a moment with one for testing: their sentences are not taken",
        f"{summary['also_held_out']:,} sentences for training are also said of a clip held out: not taken",
        *(
            [f"{summary['no_motion']:,} sentences that ask for no motion, or in another language"]
            if summary["no_motion"]
            else []
        ),
    ]
    for split, report in summary["splits"].items():
        lines.append(
            f"{split}: {report['sentences']:,} different sentences; {report['known']:,} found motions "
            f"({report['pairs']:,} pairs with {report['motions']:,} motions), {report['unknown']:,} tell only of what "
            f"no motion shows, {sum(report['left_out'].values()):,} left out"
        )
        lines += [f"  {count:6,} left out: {why}" for why, count in report["left_out"].items()]
        for title, key in (("found motions", "by_action"), ("unknown", "unknown_by_action")):
            counts = list(report[key].items())
            lines.append(f"  {title}: " + ", ".join(f"{name} {count:,}" for name, count in counts[:40]))
            if len(counts) > 40:
                lines[-1] += f", and {len(counts) - 40} more kinds with {sum(n for _, n in counts[40:]):,}"
    return "\n".join(lines)
