"""Repositories of the test Hub: commits that are immutable, refs that move from one to the next."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Blob", "Commit", "HubError", "Repo", "read_commit_request"]

_LFS_SUFFIXES = (".safetensors", ".parquet", ".bin", ".npz", ".mp4", ".gguf")
_LFS_SIZE = 10_000_000


class HubError(Exception):
    """An answer other than 2xx, with the headers by which the client tells the kinds of 404 and 401 apart."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {}) | (headers or {})


@dataclass(frozen=True)
class Blob:
    """One version of a file."""

    data: bytes
    lfs: bool

    @property
    def oid(self) -> str:
        """The git blob id, or for LFS files the SHA-256; both as the client computes them."""
        if self.lfs:
            return hashlib.sha256(self.data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(self.data), "oid": self.oid}
        if self.lfs:
            entry |= {"oid": self.oid[:40], "lfs": {"oid": self.oid, "size": len(self.data), "pointerSize": 134}}
        return entry


@dataclass(frozen=True)
class Commit:
    """A state of all files."""

    oid: str
    parent: str | None
    title: str
    files: dict[str, Blob]


@dataclass
class Repo:
    """A repository: its commits by id, and the branches and tags that name some of them."""

    kind: str
    name: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add("main", "initial commit", {".gitattributes": Blob(b"*.safetensors filter=lfs\n", False)})

    def add(self, branch: str, title: str, files: dict[str, Blob]) -> Commit:
        """Append a commit to a branch; the only place where a branch moves, so a reader sees all of it or nothing."""
        parent = self.branches.get(branch)
        listing = json.dumps([self.name, parent, title, sorted((path, blob.oid) for path, blob in files.items())])
        commit = Commit(hashlib.sha1(listing.encode()).hexdigest(), parent, title, dict(files))
        self.commits[commit.oid] = commit
        self.branches[branch] = commit.oid
        return commit

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag or a commit id names."""
        oid = self.branches.get(revision) or self.tags.get(revision) or revision
        if oid not in self.commits:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def history(self, revision: str) -> list[Commit]:
        commits = [self.at(revision)]
        while commits[-1].parent is not None:
            commits.append(self.commits[commits[-1].parent])
        return commits

    def tree(self, revision: str, folder: str, recursive: bool) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        inside = {path: blob for path, blob in self.at(revision).files.items() if path.startswith(prefix)}
        if folder and not inside:
            raise HubError(404, f"{folder} does not exist on '{revision}'", "EntryNotFound")
        folders = {
            path[: cut.start()] for path in inside for cut in re.finditer("/", path) if cut.start() >= len(prefix)
        }
        entries = [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in sorted(folders)]
        entries += [blob.entry(path) for path, blob in sorted(inside.items())]
        return [entry for entry in entries if recursive or "/" not in entry["path"][len(prefix) :]]

    def info(self, revision: str) -> dict[str, Any]:
        commit = self.at(revision)
        siblings = [{"rfilename": path, "size": len(blob.data)} for path, blob in sorted(commit.files.items())]
        return {
            "id": self.name,
            "modelId": self.name,
            "author": self.name.split("/")[0],
            "sha": commit.oid,
            "private": self.private,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "siblings": siblings,
        }

    def upload_mode(self, revision: str, path: str, size: int) -> dict[str, Any]:
        """How the client is to send a file, and the id of the version that the repository has."""
        known = self.at(revision).files.get(path)
        lfs = path.endswith(_LFS_SUFFIXES) or size > _LFS_SIZE
        oid = known.oid if known else None
        return {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, "oid": oid}


def read_commit_request(body: bytes, files: dict[str, Blob], store: dict[str, bytes]) -> tuple[dict[str, Any], dict]:
    """The header of an ndjson commit, and the files after it; `files` is left as it is.

    Raises:
        HubError: an LFS file was never uploaded, or a file to delete does not exist.
    """
    header: dict[str, Any] = {}
    files = dict(files)
    for line in body.splitlines():
        item = json.loads(line)
        key, value = item["key"], item["value"]
        path = value.get("path", "").rstrip("/")
        if key == "header":
            header = value
        elif key == "file":
            files[path] = Blob(base64.b64decode(value["content"]), lfs=False)
        elif key == "lfsFile":
            if len(store.get(value["oid"], b"")) != value["size"]:
                raise HubError(400, f"LFS object {value['oid']} of {path} was not uploaded")
            files[path] = Blob(store[value["oid"]], lfs=True)
        else:
            gone = [name for name in files if name == path or (key == "deletedFolder" and name.startswith(f"{path}/"))]
            if not gone:
                raise HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            for name in gone:
                del files[name]
    return header, files
