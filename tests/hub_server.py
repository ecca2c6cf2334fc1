"""A Hugging Face Hub on loopback, in memory: what `huggingface_hub` and `transformers` need to push and to load."""

import hashlib
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from hub_faults import Fault, FaultLayer
from hub_repos import Blob, Commit, HubError, Repo, read_commit_request

__all__ = ["HubServer"]


@dataclass
class HubServer:
    """The server and its state; `with HubServer() as hub:` runs it in a thread, on a free port of 127.0.0.1.

    Args:
        tokens: token to user name and role (`write` or `read`).
        quota: bytes of LFS files that the server takes in all.
        repos: by kind and name, `models/user/name`.
        store: LFS files by SHA-256.
        requests: method, path and Range header of each request so far.
        uploads: SHA-256 of each LFS file received so far.
    """

    tokens: dict[str, tuple[str, str]] = field(default_factory=lambda: {"hf_user": ("user", "write")})
    quota: int | None = None
    repos: dict[str, Repo] = field(default_factory=dict)
    store: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)

    def __enter__(self) -> "HubServer":
        self.layer = FaultLayer(_make_app(self), self.requests)
        config = uvicorn.Config(self.layer, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 600
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the test Hub did not start")
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=10)

    def fail(self, kind: str, method: str, path: str, **options: Any) -> Fault:
        """Let requests go wrong from now on, see `Fault`."""
        fault = Fault(kind, method, path, **options)
        self.layer.faults.append(fault)
        return fault

    def heal(self) -> None:
        """End all faults."""
        self.layer.faults.clear()
        self.layer.down = False

    def head(self, name: str, revision: str = "main", kind: str = "models") -> Commit:
        """The state of a repository."""
        return self.repos[f"{kind}/{name}"].at(revision)

    def put(self, name: str, path: str, data: bytes, kind: str = "models") -> None:
        """Replace a file behind the clients' backs."""
        repo = self.repos[f"{kind}/{name}"]
        files = repo.at("main").files
        repo.add("main", f"tamper with {path}", files | {path: Blob(data, files[path].lfs)})

    def remove(self, name: str, path: str, kind: str = "models") -> None:
        """Delete a file behind the clients' backs."""
        repo = self.repos[f"{kind}/{name}"]
        repo.add("main", f"remove {path}", {key: blob for key, blob in repo.at("main").files.items() if key != path})

    def user(self, request: Request) -> tuple[str, str] | None:
        """Name and role of who asks; None without a token."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.tokens.get(token)

    def readable(self, request: Request, kind: str, name: str) -> Repo:
        """A repository that the asker may read; a private one of others looks as if it were not there."""
        user, repo = self.user(request), self.repos.get(f"{kind}/{name}")
        if repo is None or (repo.private and (user is None or user[0] != name.split("/")[0])):
            raise HubError(401 if user is None else 404, "Repository not found", "RepoNotFound")
        return repo

    def check_write(self, request: Request, namespace: str) -> None:
        user = self.user(request)
        if user is None:
            raise HubError(401, "Invalid username or password.")
        if user[1] != "write":
            raise HubError(403, "Forbidden: you must use a write token to upload to a repository.")
        if user[0] != namespace:
            raise HubError(403, f"Forbidden: you don't have the rights to write under the namespace {namespace}")

    def writable(self, request: Request, kind: str, name: str) -> Repo:
        if f"{kind}/{name}" in self.repos:
            self.check_write(request, name.split("/")[0])
        return self.readable(request, kind, name)


def _make_app(hub: HubServer) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.exception_handler(HubError)
    async def answer_error(request: Request, error: HubError) -> Response:
        return JSONResponse({"error": str(error)}, error.status, headers=error.headers)

    _add_accounts(app, hub)
    _add_uploads(app, hub)
    _add_reading(app, hub)
    return app


def _add_accounts(app: FastAPI, hub: HubServer) -> None:
    @app.get("/api/whoami-v2")
    async def whoami(request: Request) -> Any:
        user = hub.user(request)
        if user is None:
            raise HubError(401, "Invalid username or password.")
        auth = {"type": "access_token", "accessToken": {"displayName": "test", "role": user[1]}}
        return {"type": "user", "name": user[0], "fullname": user[0], "orgs": [], "auth": auth}

    @app.post("/api/validate-yaml")
    async def validate_yaml(request: Request) -> Any:
        content = (await request.json())["content"]
        complete = content.startswith("---\n") and "\n---\n" in content
        errors = [] if complete else [{"message": "the card has no metadata block"}]
        return JSONResponse({"errors": errors, "warnings": []}, 200 if complete else 400)

    @app.post("/api/repos/create")
    async def create(request: Request) -> Any:
        body = await request.json()
        user = hub.user(request)
        namespace = body.get("organization") or (user[0] if user else "")
        hub.check_write(request, namespace)
        kind, name = f"{body.get('type') or 'model'}s", f"{namespace}/{body['name']}"
        url = f"{hub.endpoint}/{'' if kind == 'models' else kind + '/'}{name}"
        if f"{kind}/{name}" in hub.repos:
            headers = {"X-Error-Message": "You already created this repo"}
            return JSONResponse({"error": "You already created this repo", "url": url}, 409, headers=headers)
        private = body.get("private") or body.get("visibility") == "private"
        hub.repos[f"{kind}/{name}"] = Repo(kind, name, bool(private))
        return {"url": url, "name": name, "id": name}

    @app.delete("/api/repos/delete")
    async def delete(request: Request) -> Any:
        body = await request.json()
        kind, name = f"{body.get('type') or 'model'}s", f"{body['organization']}/{body['name']}"
        hub.writable(request, kind, name)
        del hub.repos[f"{kind}/{name}"]
        return {}


def _add_uploads(app: FastAPI, hub: HubServer) -> None:
    @app.post("/api/{kind}/{user}/{repo}/preupload/{revision}")
    async def preupload(request: Request, kind: str, user: str, repo: str, revision: str) -> Any:
        found = hub.writable(request, kind, f"{user}/{repo}")
        files = (await request.json())["files"]
        return {"files": [found.upload_mode(revision, file["path"], file["size"]) for file in files]}

    async def batch(request: Request, user: str, repo: str, kind: str = "models") -> Any:
        hub.writable(request, kind, f"{user}/{repo}")
        answers = []
        for item in (await request.json())["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if item["oid"] not in hub.store:
                upload = {"href": f"{hub.endpoint}/lfs/{item['oid']}", "header": {}}
                verify = {"href": f"{hub.endpoint}/lfs/{item['oid']}/verify", "header": {}}
                answer["actions"] = {"upload": upload, "verify": verify}
            answers.append(answer)
        return {"transfer": "basic", "objects": answers}

    app.post("/{user}/{repo}.git/info/lfs/objects/batch")(batch)
    app.post("/{kind}/{user}/{repo}.git/info/lfs/objects/batch")(batch)

    @app.put("/lfs/{oid}")
    async def upload(request: Request, oid: str) -> Any:
        data = await request.body()
        if hashlib.sha256(data).hexdigest() != oid:
            raise HubError(400, "the content is not what its SHA-256 says")
        if hub.quota is not None and sum(map(len, hub.store.values())) + len(data) > hub.quota:
            raise HubError(507, "Storage quota exceeded")
        hub.store[oid] = data
        hub.uploads.append(oid)
        return {}

    @app.post("/lfs/{oid}/verify")
    async def verify(request: Request, oid: str) -> Any:
        body = await request.json()
        if len(hub.store.get(body["oid"], b"")) != body["size"]:
            raise HubError(404, "no such LFS object")
        return {}

    @app.post("/api/{kind}/{user}/{repo}/commit/{revision}")
    async def commit(request: Request, kind: str, user: str, repo: str, revision: str) -> Any:
        found = hub.writable(request, kind, f"{user}/{repo}")
        body = await request.body()
        before = found.at(revision)
        header, files = read_commit_request(body, before.files, hub.store)
        if header.get("parentCommit") not in (None, before.oid):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        after = found.add(revision, header["summary"], files)
        url = f"{hub.endpoint}/{user}/{repo}/commit/{after.oid}"
        return {"success": True, "commitOid": after.oid, "commitUrl": url, "hookOutput": ""}

    @app.post("/api/{kind}/{user}/{repo}/branch/{name}")
    async def branch(request: Request, kind: str, user: str, repo: str, name: str) -> Any:
        found = hub.writable(request, kind, f"{user}/{repo}")
        if name in found.branches:
            raise HubError(409, "Reference already exists")
        start = (await request.json()).get("startingPoint") if await request.body() else None
        found.branches[name] = found.at(start or "main").oid
        return {}

    @app.post("/api/{kind}/{user}/{repo}/tag/{revision}")
    async def tag(request: Request, kind: str, user: str, repo: str, revision: str) -> Any:
        found = hub.writable(request, kind, f"{user}/{repo}")
        found.tags[(await request.json())["tag"]] = found.at(revision).oid
        return {}


def _add_reading(app: FastAPI, hub: HubServer) -> None:
    @app.get("/api/{kind}/{user}/{repo}")
    async def info(request: Request, kind: str, user: str, repo: str) -> Any:
        return hub.readable(request, kind, f"{user}/{repo}").info("main")

    @app.get("/api/{kind}/{user}/{repo}/revision/{revision}")
    async def revision_info(request: Request, kind: str, user: str, repo: str, revision: str) -> Any:
        return hub.readable(request, kind, f"{user}/{repo}").info(revision)

    @app.get("/api/{kind}/{user}/{repo}/tree/{revision}")
    @app.get("/api/{kind}/{user}/{repo}/tree/{revision}/{folder:path}")
    async def tree(request: Request, kind: str, user: str, repo: str, revision: str, folder: str = "") -> Any:
        recursive = request.query_params.get("recursive", "").lower() in ("1", "true")
        return hub.readable(request, kind, f"{user}/{repo}").tree(revision, folder.strip("/"), recursive)

    @app.post("/api/{kind}/{user}/{repo}/paths-info/{revision}")
    async def paths_info(request: Request, kind: str, user: str, repo: str, revision: str) -> Any:
        files = hub.readable(request, kind, f"{user}/{repo}").at(revision).files
        paths = parse_qs((await request.body()).decode()).get("paths", [])
        return [files[path].entry(path) for path in paths if path in files]

    @app.get("/api/{kind}/{user}/{repo}/refs")
    async def refs(request: Request, kind: str, user: str, repo: str) -> Any:
        found = hub.readable(request, kind, f"{user}/{repo}")
        named = {"branches": ("refs/heads/", found.branches), "tags": ("refs/tags/", found.tags)}
        return {"converts": []} | {
            key: [{"name": name, "ref": prefix + name, "targetCommit": oid} for name, oid in values.items()]
            for key, (prefix, values) in named.items()
        }

    @app.get("/api/{kind}/{user}/{repo}/commits/{revision}")
    async def commits(request: Request, kind: str, user: str, repo: str, revision: str) -> Any:
        found = hub.readable(request, kind, f"{user}/{repo}")
        date = "2026-01-01T00:00:00.000Z"
        rows = [(commit.oid, commit.title) for commit in found.history(revision)]
        return [{"id": oid, "title": title, "message": "", "authors": [], "date": date} for oid, title in rows]

    async def resolve(
        request: Request, user: str, repo: str, revision: str, path: str, kind: str = "models"
    ) -> Response:
        commit = hub.readable(request, kind, f"{user}/{repo}").at(revision)
        headers = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        if path not in commit.files:
            raise HubError(404, "Entry not found", "EntryNotFound", headers)
        blob = commit.files[path]
        headers["ETag"] = f'"{blob.oid}"'
        if blob.lfs:
            headers |= {"X-Linked-Etag": f'"{blob.oid}"', "X-Linked-Size": str(len(blob.data))}
        data, status = blob.data, 200
        first, _, last = request.headers.get("range", "").removeprefix("bytes=").partition("-")
        if first:
            start, stop = int(first), min(int(last) + 1 if last else len(data), len(data))
            if start >= len(data):
                raise HubError(416, "Range Not Satisfiable", None, {"Content-Range": f"bytes */{len(data)}"})
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
            data, status = data[start:stop], 206
        # A HEAD request gets the length of what it does not get.
        headers["Content-Length"] = str(len(data))
        return Response(b"" if request.method == "HEAD" else data, status, headers, "application/octet-stream")

    methods = ["GET", "HEAD"]
    app.api_route("/{user}/{repo}/resolve/{revision}/{path:path}", methods=methods)(resolve)
    app.api_route("/{kind}/{user}/{repo}/resolve/{revision}/{path:path}", methods=methods)(resolve)
