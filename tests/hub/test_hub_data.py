"""Codes, VQ-VAEs and prepared datasets that are repositories of the Hub, by their names."""

import shutil
from pathlib import Path

import pytest
from hub_client import use_hub
from hub_server import HubServer
from huggingface_hub import HfApi, close_session, constants
from safetensors.torch import load_file

from hub_scripts.data.codes import CODES_SUMMARY, read_codes, read_codes_summary, write_codes
from hub_scripts.encode_motions import main as encode
from hub_scripts.hub.folders import local_folder
from hub_scripts.train_motionllm import main as train
from modeling_motionllm import strict_motionllm
from modeling_motionllm.errors_motionllm import MotionLLMError

pytest_plugins = ("hub_fixtures",)
CODES, VQ = "user/codes", "user/vq"


def upload(folder: Path, repo: str, kind: str = "dataset") -> str:
    """As `hf upload` does it; returns the commit."""
    HfApi().create_repo(repo, repo_type=kind, exist_ok=True)
    return HfApi().upload_folder(repo_id=repo, folder_path=folder, repo_type=kind).oid


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_training_on_codes_and_a_vq_vae_of_the_hub(
    hub: HubServer, codes_folder: Path, vq_folder: Path, train_arguments: list[str], training_run: Path, tmp_path: Path
) -> None:
    upload(codes_folder, CODES)
    upload(vq_folder, VQ, "model")
    arguments = list(train_arguments)
    for option, name in (("--codes", CODES), ("--vq", VQ)):
        arguments[arguments.index(option) + 1] = name
    assert train([*arguments, "--output_dir", str(tmp_path / "run")]) == 0
    trained, expected = (
        load_file(run / "final/adapters/default/adapter_model.safetensors") for run in (tmp_path / "run", training_run)
    )
    assert all(value.equal(trained[name]) for name, value in expected.items())  # the same bits from the same data
    # A resumed run compares what the names stand for now.
    rows = read_codes(codes_folder, "train")
    shutil.copytree(codes_folder, tmp_path / "other")
    write_codes(tmp_path / "other", "train", rows[1:])
    upload(tmp_path / "other", CODES)
    with pytest.raises(MotionLLMError, match="codes"):
        train([*arguments, "--output_dir", str(tmp_path / "run"), "--resume"])


def test_a_revision_is_kept_to(hub: HubServer, codes_folder: Path, tmp_path: Path) -> None:
    first = upload(codes_folder, CODES)
    shutil.copytree(codes_folder, tmp_path / "next")
    write_codes(tmp_path / "next", "train", read_codes(codes_folder, "train")[:5])
    second = upload(tmp_path / "next", CODES)
    HfApi().create_tag(CODES, tag="v1", revision=first, repo_type="dataset")
    found = {name: local_folder(f"{CODES}{name}", CODES_SUMMARY) for name in ("", "@main", "@v1", f"@{first}")}
    assert {name: Path(folder).name for name, folder in found.items()} == {
        "": second,
        "@main": second,
        "@v1": first,
        f"@{first}": first,
    }
    assert [len(read_codes(found[name], "train")) for name in ("", "@v1")] == [5, 24]
    assert read_codes_summary(found["@v1"]) == read_codes_summary(codes_folder)
    with pytest.raises(MotionLLMError, match=r"'user/codes' of the Hub has no revision 'v2'"):
        local_folder(f"{CODES}@v2", CODES_SUMMARY)


def test_what_is_not_there_is_said_in_a_line(
    hub: HubServer, base_folder: Path, train_arguments: list[str], tmp_path: Path
) -> None:
    upload(base_folder, CODES)
    with pytest.raises(MotionLLMError, match=r"'user/codes' of the Hub holds no motionllm_codes\.json"):
        local_folder(CODES, CODES_SUMMARY)
    absent = r"there is no folder 'user/absent', and no dataset 'user/absent' on the Hub that this token can see"
    arguments = list(train_arguments)
    arguments[arguments.index("--codes") + 1] = "user/absent"
    with pytest.raises(MotionLLMError, match=absent):
        train([*arguments, "--output_dir", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_folders_are_never_asked_for(
    hub: HubServer, tmp_path: Path, codes_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(codes_folder, CODES)
    asked = len(hub.requests)
    monkeypatch.chdir(tmp_path)
    Path(CODES).mkdir(parents=True)
    for name in (CODES, "codes", "data/bandai/codes", "./user/codes", str(tmp_path / "none"), "my data/codes here"):
        assert local_folder(name, CODES_SUMMARY) == name
    assert len(hub.requests) == asked


def test_without_a_network_the_cache_is_used(codes_folder: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(strict_motionllm, "_unreachable", {})
    with HubServer() as server:
        use_hub(monkeypatch, server)
        upload(codes_folder, CODES)
        before = local_folder(CODES, CODES_SUMMARY)
        close_session()
    assert Path(before).is_relative_to(cache)
    monkeypatch.setattr(strict_motionllm, "_unreachable", {})  # the server is gone
    assert local_folder(CODES, CODES_SUMMARY) == before
    with pytest.raises(MotionLLMError, match=r"no dataset 'user/other' in the cache; http.* cannot be reached"):
        local_folder("user/other", CODES_SUMMARY)
    close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert local_folder(CODES, CODES_SUMMARY) == before
    with pytest.raises(MotionLLMError, match=r"no dataset 'user/other' in the cache; HF_HUB_OFFLINE is set"):
        local_folder("user/other", CODES_SUMMARY)


def test_a_prepared_dataset_of_the_hub_is_encoded(
    hub: HubServer, dataset_folder: Path, vq_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(dataset_folder, "user/motions")
    upload(vq_folder, VQ, "model")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MotionLLMError, match=r"--data is 'user/motions' of the Hub, .* give --out"):
        encode(["--vq", VQ, "--data", "user/motions"])
    assert encode(["--vq", VQ, "--data", "user/motions", "--out", "codes"]) == 0
    assert encode(["--vq", str(vq_folder), "--data", str(dataset_folder), "--out", "local"]) == 0
    for name in ("train.arrow", CODES_SUMMARY):
        assert Path("codes", name).read_bytes() == Path("local", name).read_bytes()
    assert not Path("user").exists()
