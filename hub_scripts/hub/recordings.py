"""Captioned recordings that are a dataset of the Hub: which of its files are wanted, and getting them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import DatasetCard, HfApi, snapshot_download

from hub_scripts.data.archives import is_archive
from hub_scripts.data.recordings import recording_suffix
from hub_scripts.data.text_tables import TABLE_SUFFIXES
from hub_scripts.hub.folders import only_cached, reading_errors
from hub_scripts.hub.records import CARD
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["HubRecordings", "download_recordings"]

_TABLES = ("captions", "metadata")  # what tables are called, here and by `datasets`
_BESIDE = ("*.asf", "*.bin", "*skeleton.json", "*Mean.npy", "*Std.npy", "LICENSE*", CARD)


@dataclass(frozen=True)
class HubRecordings:
    """What was downloaded.

    Args:
        folder: with the recordings; not there where they are in an archive.
        archive: of the recordings, if they are in one.
        table: of the captions.
        repo: `user/name`.
        license: that the dataset card tells, as the Hub spells it; "other" where it tells none.
        commit: of the repository.
    """

    folder: Path
    archive: Path | None
    table: Path
    repo: str
    license: str
    commit: str


def download_recordings(name: str, captions: str | None = None, archive: str | None = None) -> HubRecordings:
    """Get a captioned set of recordings, all files of one commit, into the cache; without a network, from there.

    Args:
        name: `user/name`, or `user/name@revision`.
        captions: the table: a path in the repository, or a file of this machine. By default `captions.*` or
            `metadata.*`, or the only table.
        archive: with the recordings, a path in the repository. By default the recordings that lie in it open, or the
            only archive.

    Raises:
        MotionLLMError: the Hub has no such repository, or it does not say which files are meant.
    """
    repo, _, revision = name.partition("@")
    alone = bool(only_cached())
    options = {"repo_type": "dataset", "revision": revision or None}
    with reading_errors(name, "dataset"):
        if alone:
            cached = Path(snapshot_download(repo, allow_patterns=[CARD], local_files_only=True, **options))
            names = [path.relative_to(cached).as_posix() for path in cached.rglob("*") if path.is_file()]
        else:
            names = [file.rfilename for file in HfApi().repo_info(repo, **options).siblings or []]
        open_ones = [] if archive else [one for one in names if recording_suffix(one)]
        packed = None if open_ones else _archive(repo, names, archive)
        own_table = captions is not None and Path(captions).is_file()
        table = None if own_table else _table(repo, names, captions)
        wanted = [*_BESIDE, *sorted({f"*{one[-len(recording_suffix(one)) :]}" for one in open_ones})]
        wanted += [one for one in (packed, table) if one is not None]
        folder = Path(snapshot_download(repo, allow_patterns=wanted, local_files_only=alone, **options))
    return HubRecordings(
        folder,
        None if packed is None else folder / packed,
        Path(str(captions)) if table is None else folder / table,
        repo,
        _license(folder / CARD),
        commit=folder.name,
    )


def _archive(repo: str, names: Sequence[str], given: str | None) -> str:
    found = [name for name in names if is_archive(name)]
    if given is not None:
        if given not in names:
            raise MotionLLMError(f"'{repo}' holds no '{given}'; its archives are: {', '.join(found) or 'none'}")
        return given
    if len(found) != 1:
        which = f"but {len(found)} archives; give one with --archive: {', '.join(found)}" if found else "and no archive"
        raise MotionLLMError(f"'{repo}' holds no recordings (.bvh ...), {which}")
    return found[0]


def _table(repo: str, names: Sequence[str], given: str | None) -> str:
    tables = [name for name in names if name.lower().endswith(TABLE_SUFFIXES)]
    if given is not None:
        if given not in names:
            raise MotionLLMError(f"neither a file '{given}' nor one in '{repo}', whose tables are: {', '.join(tables)}")
        return given
    called = [name for name in tables if PurePosixPath(name).stem.lower() in _TABLES]
    found = called or [name for name in tables if not name.lower().endswith(".json")]
    if len(found) != 1:
        which = f"more than one table; give one: {', '.join(found)}" if found else "no table; give a file of yours"
        raise MotionLLMError(f"'{repo}' holds {which} with --captions")
    return found[0]


def _license(card: Path) -> str:
    told = DatasetCard.load(card).data.get("license") if card.is_file() else None
    return ", ".join(told) if isinstance(told, list) else str(told or "other")
