"""What `motionllm push` leaves behind when the Hub fails: the repository before or after, never between."""

import hashlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_fixtures import FaultTable
from hub_server import HubServer
from huggingface_hub import HfApi, close_session, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import HTTPError

from hub_scripts.export_checkpoint import main as export
from hub_scripts.push_to_hub import main as push
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM

pytest_plugins = ("hub_fixtures",)

REPO = "user/motion"
WEIGHTS = "adapters/default/adapter_model.safetensors"
THIN = ("--layout", "thin")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Case:
    """A fault during a push, and what is expected of it."""

    name: str
    fault: tuple[str, str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    state: str = "before"
    quota: bool = False
    token: str | None = None


CASES = [
    Case("dies in the middle of an upload", ("die", "PUT", "/lfs/"), error="connection"),
    Case("dies in the middle of the commit", ("die", "POST", "/commit/"), error="connection"),
    Case("dies before anything", ("die", "GET", "whoami"), error="connection"),
    Case("500 twice at the upload", ("status", "PUT", "/lfs/"), {"times": 2}, state="after"),
    Case("500 twice at the preupload", ("status", "POST", "/preupload/"), {"times": 2}, state="after"),
    Case("500 twice at the commit", ("status", "POST", "/commit/"), {"times": 2}, state="after"),
    Case("500 for good at the upload", ("status", "PUT", "/lfs/"), {"times": -1}, "the Hub failed (500"),
    Case("503 for good at the commit", ("status", "POST", "/commit/"), {"times": -1, "status": 503}, "failed (503"),
    Case("answer to the commit is lost", ("lost", "POST", "/commit/"), state="after"),
    Case("429 once at the upload", ("status", "PUT", "/lfs/"), {"status": 429}, state="after"),
    Case("token rejected", token="hf_wrong", error="does not accept the token"),
    Case("token rejected at the commit", ("status", "POST", "/commit/"), {"status": 401}, "does not accept the token"),
    Case("token may only read", token="hf_reader", error="may not write"),
    Case("token of somebody else", token="hf_other", error="may not write"),
    Case("out of quota (507)", quota=True, error="no room"),
    Case("files too large (413)", ("status", "PUT", "/lfs/"), {"times": -1, "status": 413}, "no room"),
    Case("repository disappears (404)", ("status", "POST", "/commit/"), {"status": 404}, "no repository"),
    Case("name taken meanwhile (409)", ("status", "POST", "/commit/"), {"status": 409}, "push again"),
    Case("somebody pushes meanwhile (412)", ("status", "POST", "/commit/"), {"status": 412}, "push again"),
]


def state(hub: HubServer, versions: dict[str, Path]) -> str:
    """Which version of all files the repository has."""
    files = hub.head(REPO).files
    for name, folder in versions.items():
        paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "README.md"]
        if all(
            files.get(path.relative_to(folder).as_posix()) is not None
            and files[path.relative_to(folder).as_posix()].data == path.read_bytes()
            for path in paths
        ):
            return name
    return "between"


@pytest.fixture(scope="module")
def versions(hub_checkpoint: Path, next_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of both versions as they are sent: with the code."""
    sent = {name: tmp_path_factory.mktemp("sent") / name for name in ("before", "after")}
    for checkpoint, folder in zip((hub_checkpoint, next_checkpoint), sent.values(), strict=True):
        assert export([str(checkpoint), "--layout", "thin", "--out", str(folder)]) == 0
    return sent


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_leaves_before_or_after_and_the_next_push_finishes(
    case: Case,
    hub: HubServer,
    hub_checkpoint: Path,
    next_checkpoint: Path,
    versions: dict[str, Path],
    fault_table: FaultTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.tokens |= {"hf_reader": ("user", "read"), "hf_other": ("other", "write")}
    arguments = [str(next_checkpoint), "--repo", REPO, *THIN]
    push([str(hub_checkpoint), "--repo", REPO, *THIN])
    if case.fault:
        hub.fail(*case.fault, **case.options)
    if case.quota:
        hub.quota = sum(map(len, hub.store.values())) + 100
    if case.token:
        monkeypatch.setenv("HF_TOKEN", case.token)

    if case.error is None:
        assert push(arguments) == 0
    else:
        with pytest.raises(MotionLLMError, match=case.error.replace("(", r"\(")):
            push(arguments)
    found = state(hub, versions)
    row = [case.name, found, "the next push failed"]
    fault_table.append(row)
    assert found == case.state

    hub.heal()
    hub.quota = None
    monkeypatch.setenv("HF_TOKEN", "hf_user")
    finished, already_sent = set(hub.store), len(hub.uploads)
    assert push(arguments) == 0
    assert state(hub, versions) == "after"
    needed = {digest(path) for path in next_checkpoint.rglob("*.safetensors")}
    assert set(hub.uploads[already_sent:]) == needed - finished
    assert len(hub.repos[f"models/{REPO}"].history("main")) == 3  # created, first version, second version
    again = len(hub.uploads) - already_sent
    row[2] = f"after; {again} of {len(needed)} weight files sent"


def test_connection_refused(
    hub: HubServer, hub_checkpoint: Path, fault_table: FaultTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = constants.ENDPOINT
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    with pytest.raises(MotionLLMError, match="connection"):
        push([str(hub_checkpoint), "--repo", REPO, *THIN])
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    assert not hub.repos
    assert push([str(hub_checkpoint), "--repo", REPO, *THIN]) == 0
    fault_table.append(["connection refused", "not there", "after"])


def test_offline_mode(hub: HubServer, hub_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MotionLLMError, match="HF_HUB_OFFLINE"):
        push([str(hub_checkpoint), "--repo", REPO, *THIN])


def test_a_first_push_that_fails_leaves_an_empty_repository(
    hub: HubServer, hub_checkpoint: Path, versions: dict[str, Path], fault_table: FaultTable
) -> None:
    hub.fail("die", "PUT", "/lfs/")
    with pytest.raises(MotionLLMError, match="connection"):
        push([str(hub_checkpoint), "--repo", REPO, *THIN])
    assert set(hub.head(REPO).files) == {".gitattributes"}
    hub.heal()
    assert push([str(hub_checkpoint), "--repo", REPO, *THIN]) == 0
    assert state(hub, versions) == "before"  # the first version
    fault_table.append(["dies in the middle of the first upload", "empty", "after"])


def test_a_download_cut_short_is_resumed(
    hub: HubServer, hub_checkpoint: Path, tmp_path: Path, fault_table: FaultTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)  # the client keeps whole chunks only
    push([str(hub_checkpoint), "--repo", REPO, *THIN])
    hub.fail("cut", "GET", f"/resolve/.*/{WEIGHTS}")
    found = hf_hub_download(REPO, WEIGHTS, cache_dir=tmp_path)
    assert Path(found).read_bytes() == (hub_checkpoint / WEIGHTS).read_bytes()
    ranges = [part for method, path, part in hub.requests if method == "GET" and path.endswith(WEIGHTS)]
    assert ranges[0] == ""
    assert int(ranges[1].removeprefix("bytes=").removesuffix("-")) > (hub_checkpoint / WEIGHTS).stat().st_size // 4
    fault_table.append(["a download is cut short once", "unchanged", "the client fetches the rest"])


def test_a_download_cut_short_for_good_leaves_no_half_file(
    hub: HubServer, hub_checkpoint: Path, tmp_path: Path, fault_table: FaultTable
) -> None:
    push([str(hub_checkpoint), "--repo", REPO, *THIN])
    hub.fail("die", "GET", f"/resolve/.*/{WEIGHTS}")
    with pytest.raises((HTTPError, OSError)):
        snapshot_download(REPO, cache_dir=tmp_path)
    assert not list(tmp_path.glob(f"**/snapshots/*/{WEIGHTS}"))
    hub.heal()
    folder = snapshot_download(REPO, cache_dir=tmp_path)
    assert (Path(folder) / WEIGHTS).read_bytes() == (hub_checkpoint / WEIGHTS).read_bytes()
    fault_table.append(["the Hub dies during a download", "unchanged", "the next download finishes"])


def test_a_full_push_that_fails_leaves_the_thin_repository_usable(
    hub: HubServer,
    hub_checkpoint: Path,
    push_base: Callable[[], None],
    model: MotionLLMForCausalLM,
    tmp_path: Path,
    fault_table: FaultTable,
) -> None:
    push_base()
    push([str(hub_checkpoint), "--repo", REPO, *THIN])
    before = hub.head(REPO)
    hub.fail("die", "POST", "/commit/")
    with pytest.raises(MotionLLMError, match="connection"):
        push([str(hub_checkpoint), "--repo", REPO])
    found = "before" if hub.head(REPO) == before else "between"
    row = ["dies in the middle of another layout's commit", found, "the next push failed"]
    fault_table.append(row)
    assert found == "before"
    hub.heal()
    loaded = MotionLLMForCausalLM.from_pretrained(REPO, cache_dir=tmp_path)
    torch.testing.assert_close(loaded.state_dict(), model.state_dict())
    uploads = len(hub.uploads)
    assert push([str(hub_checkpoint), "--repo", REPO]) == 0
    assert len(hub.uploads) == uploads  # model.safetensors had arrived
    assert "model.safetensors" in hub.head(REPO).files
    assert not [name for name in hub.head(REPO).files if name.startswith(("adapters/", "motion_vq/"))]
    row[2] = "after; 0 of 1 weight files sent"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "garbled": lambda data: b"\xff" * len(data),
    "one bit changed": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
}


def tamper(hub: HubServer, name: str, damage: str) -> None:
    if damage == "missing":
        hub.remove(REPO, name)
    else:
        hub.put(REPO, name, DAMAGES[damage](hub.head(REPO).files[name].data))


def check_refusal(name: str, damage: str, cache: Path, table: FaultTable) -> None:
    """Loading fails with one clear error that names the repository and the file."""
    row = [f"{name} in the repository: {damage}", "it was loaded", "-"]
    table.append(row)
    with pytest.raises((MotionLLMError, OSError)) as caught:
        MotionLLMForCausalLM.from_pretrained(REPO, cache_dir=cache)
    row[1] = f"loading refused ({type(caught.value).__name__})"
    assert REPO in str(caught.value)
    assert Path(name).name in str(caught.value)


@pytest.mark.parametrize("name", [WEIGHTS, "motion_vq/model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", *DAMAGES])
def test_damaged_thin_repositories_give_a_clear_error(
    name: str,
    damage: str,
    hub: HubServer,
    hub_checkpoint: Path,
    push_base: Callable[[], None],
    tmp_path: Path,
    fault_table: FaultTable,
) -> None:
    push_base()
    push([str(hub_checkpoint), "--repo", REPO, *THIN])
    tamper(hub, name, damage)
    check_refusal(name, damage, tmp_path, fault_table)


@pytest.mark.parametrize("damage", ["missing", *DAMAGES])
def test_damaged_full_repositories_give_a_clear_error(
    damage: str,
    hub: HubServer,
    hub_checkpoint: Path,
    push_base: Callable[[], None],
    tmp_path: Path,
    fault_table: FaultTable,
) -> None:
    push_base()
    push([str(hub_checkpoint), "--repo", REPO])
    tamper(hub, "model.safetensors", damage)
    check_refusal("model.safetensors", damage, tmp_path, fault_table)


@pytest.mark.parametrize("damage", ["missing", *DAMAGES])
def test_damaged_shards_give_a_clear_error(
    damage: str, hub: HubServer, model: MotionLLMForCausalLM, tmp_path: Path, fault_table: FaultTable
) -> None:
    model.save_pretrained(tmp_path / "sharded", max_shard_size="100KB")
    shard = max((tmp_path / "sharded").glob("*-of-*.safetensors"), key=lambda path: path.stat().st_size).name
    HfApi().create_repo(REPO)
    HfApi().upload_folder(repo_id=REPO, folder_path=tmp_path / "sharded")
    tamper(hub, shard, damage)
    check_refusal(shard, damage, tmp_path / "cache", fault_table)


@pytest.mark.parametrize("damage", ["missing shard", "truncated shard", "truncated"])
def test_without_sums_damage_still_shows(damage: str, model: MotionLLMForCausalLM, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path, max_shard_size="100KB" if "shard" in damage else "1GB")
    (tmp_path / "SHA256SUMS").unlink()
    weights = max(tmp_path.glob("*.safetensors"), key=lambda path: path.stat().st_size)
    assert ("-of-" in weights.name) == ("shard" in damage)
    if damage.startswith("missing"):
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises((MotionLLMError, OSError)) as caught:
        MotionLLMForCausalLM.from_pretrained(tmp_path)
    assert str(tmp_path) in str(caught.value)
