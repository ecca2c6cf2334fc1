"""`motionllm push` in every layout, loaded from the Hub by a process that has not got this package."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_client import BASE, WITHOUT_PACKAGE, use_hub
from hub_repos import Blob
from hub_server import HubServer
from huggingface_hub import HfApi, ModelCard, close_session
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors.torch import load_file, save_file
from transformers import AutoModel

import motionllm
from hub_scripts import cli
from hub_scripts.hub.card import write_model_card
from hub_scripts.hub.eval_results import RESULT_FILES
from hub_scripts.hub.records import SHEET
from hub_scripts.metrics.judge import load_evaluator
from hub_scripts.options.default_models import DEFAULT_EVALUATOR, DEFAULT_SCENE_EVALUATOR
from hub_scripts.push_to_hub import main as push
from modeling_motionllm.errors_motionllm import MotionLLMError

pytest_plugins = ("hub_fixtures",)

THIN = ("--layout", "thin")
PROMPTS = ["a person walks forward", "the person bows slowly"]

CLIENT = (
    WITHOUT_PACKAGE
    + """
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoProcessor, AutoTokenizer

torch.set_num_threads(1)
prompts, features_file, logits_file = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
features = np.load(features_file)
report, logits = {}, {}

def use(name, auto, **options):
    options["trust_remote_code"] = True
    processor = AutoProcessor.from_pretrained(name, **options)
    model = auto.from_pretrained(name, **options).eval()
    inputs = processor(text=prompts, duration=1.6)
    codes = model.generate_motion(**inputs, do_sample=False).codes
    with torch.no_grad():
        logits[f"{name}/{auto.__name__}"] = model(input_ids=inputs["input_ids"][:1]).logits.clone()
    caption = model.generate_caption(**processor(motion=features), max_new_tokens=6)
    report[f"{name}/{auto.__name__}"] = {"codes": codes.tolist(), "caption": caption.tolist()}

use("user/thin", AutoModel)
use("user/full", AutoModelForCausalLM)
use("user/full", AutoModel)
tokenizer = AutoTokenizer.from_pretrained("user/full", trust_remote_code=True)
report["tokens"] = tokenizer("walk <Motion><Motion_3></Motion>", add_special_tokens=False)["input_ids"]

vq = AutoModel.from_pretrained("user/vq", trust_remote_code=True).eval()
report["vq"] = vq.encode(torch.from_numpy(features)[None]).codes.tolist()

try:
    AutoModel.from_pretrained("user/secret", trust_remote_code=True, token=False)
    report["secret without token"] = "loaded"
except OSError as error:
    report["secret without token"] = str(error)
use("user/secret", AutoModel)

try:
    AutoModel.from_pretrained("user/tampered", trust_remote_code=True)
    report["tampered"] = "loaded"
except Exception as error:
    report["tampered"] = f"{type(error).__name__}: {error}"

evaluator = AutoModel.from_pretrained("user/evaluator", trust_remote_code=True).eval()
with torch.no_grad():
    logits["evaluator"] = evaluator.get_motion_features(torch.from_numpy(features)[None])

other = AutoModel.from_pretrained("user/thin", trust_remote_code=True, merge_adapter=False)
adapter = {"subfolder": "adapters/default"}
other.load_adapter("user/adapters", adapter_name="other", adapter_kwargs=adapter)
other.set_adapter("other")
inputs = AutoProcessor.from_pretrained("user/thin", trust_remote_code=True)(text=prompts, duration=1.6)
report["adapters"] = other.eval().generate_motion(**inputs, do_sample=False).codes.tolist()

save_file(logits, logits_file)
report["foreign modules"] = sorted({m.split(".")[0] for m in sys.modules} & {"motionllm", "modeling_motionllm"})
print("REPORT" + json.dumps(report))
"""
)


@dataclass
class Published:
    """A Hub with a repository for each layout, and what a clean process made of them."""

    hub: HubServer
    report: dict[str, Any]
    logits: dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(32, 263)).astype(np.float32)


@pytest.fixture(scope="module")
def published(
    tmp_path_factory: pytest.TempPathFactory,
    base_folder: Path,
    hub_checkpoint: Path,
    evaluator_checkpoint: Path,
    features: np.ndarray,
) -> Iterator[Published]:
    work = tmp_path_factory.mktemp("client")
    np.save(work / "features.npy", features)
    with HubServer() as hub:
        with pytest.MonkeyPatch.context() as patch:
            use_hub(patch, hub)
            HfApi().create_repo(BASE)
            HfApi().upload_folder(repo_id=BASE, folder_path=base_folder)
            for repo, options in {
                "user/thin": ["--layout", "thin"],
                "user/full": [],
                "user/vq": ["--vq-only"],
                "user/adapters": ["--adapters-only"],
                "user/secret": ["--private", "--layout", "thin"],
                "user/tampered": [],
            }.items():
                assert push([str(hub_checkpoint), "--repo", repo, *options]) == 0
            assert push([str(evaluator_checkpoint), "--evaluator", "--repo", "user/evaluator"]) == 0
            weights = hub.head("user/tampered").files["model.safetensors"].data
            hub.put("user/tampered", "model.safetensors", weights[:-1] + bytes([weights[-1] ^ 1]))
            close_session()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "PYTHONPATH"))}
        hub_variables = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(work / "home"), "HF_TOKEN": "hf_user"}
        result = subprocess.run(
            [sys.executable, "-c", CLIENT, json.dumps(PROMPTS), "features.npy", "logits.safetensors"],
            env=kept | hub_variables | {"HF_HUB_DISABLE_XET": "1"},
            cwd=work,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert result.returncode == 0, result.stderr[-4000:]
        report = json.loads(result.stdout.split("REPORT")[1])
        yield Published(hub, report, load_file(work / "logits.safetensors"))


@pytest.fixture(scope="module")
def expected(
    model: motionllm.MotionLLMForCausalLM, processor: motionllm.MotionLLMProcessor, features: np.ndarray
) -> dict[str, Any]:
    inputs = processor(text=PROMPTS, duration=1.6)
    with torch.no_grad():
        logits = model(input_ids=inputs["input_ids"][:1]).logits
    return {
        "codes": model.generate_motion(**inputs, do_sample=False).codes.tolist(),
        "caption": model.generate_caption(**processor(motion=features), max_new_tokens=6).tolist(),
        "logits": logits,
    }


LOADED = ["user/thin/AutoModel", "user/full/AutoModelForCausalLM", "user/full/AutoModel", "user/secret/AutoModel"]


@pytest.mark.parametrize("loaded", LOADED)
def test_the_clean_process_generates_the_same(published: Published, expected: dict[str, Any], loaded: str) -> None:
    assert published.report[loaded] == {"codes": expected["codes"], "caption": expected["caption"]}
    torch.testing.assert_close(published.logits[loaded], expected["logits"], atol=1e-3, rtol=0)


def test_the_clean_process_did_not_import_this_package(published: Published) -> None:
    assert published.report["foreign modules"] == []


def test_the_tokenizer_of_the_hub(published: Published, tokenizer: motionllm.MotionLLMTokenizer) -> None:
    here = tokenizer("walk <Motion><Motion_3></Motion>", add_special_tokens=False)["input_ids"]
    assert published.report["tokens"] == here


def test_the_vq_repository_encodes_the_same(
    published: Published, features: np.ndarray, model: motionllm.MotionLLMForCausalLM
) -> None:
    assert published.report["vq"] == model.encode_motion(torch.from_numpy(features)[None]).codes.tolist()


def test_adapters_are_loaded_from_their_own_repository(published: Published, expected: dict[str, Any]) -> None:
    assert published.report["adapters"] == expected["codes"]


def test_the_evaluator_is_a_repository_of_its_own(
    published: Published, evaluator_checkpoint: Path, features: np.ndarray
) -> None:
    evaluator = load_evaluator(evaluator_checkpoint)
    with torch.no_grad():
        expected = evaluator.get_motion_features(torch.from_numpy(features)[None])
    torch.testing.assert_close(published.logits["evaluator"], expected, atol=1e-4, rtol=1e-4)
    files = published.hub.head("user/evaluator").files
    code = {"configuration_evaluator.py", "modeling_evaluator.py", "sentence_encoder.py"}
    code |= {f"{name}_motionllm.py" for name in ("errors", "files", "json", "strict")}
    expected_files = {".gitattributes", "README.md", "config.json", "model.safetensors", "training_record.json"}
    assert set(files) == expected_files | code
    assert files["model.safetensors"].data == (evaluator_checkpoint / "model.safetensors").read_bytes()


def test_a_tampered_full_repository_is_refused_without_the_package_too(published: Published) -> None:
    assert published.report["tampered"].startswith("MotionLLMError: the weight file model.safetensors of 'user/tamp")


def test_a_private_repository_needs_the_token(published: Published) -> None:
    assert "user/secret" in published.report["secret without token"]
    assert published.hub.repos["models/user/secret"].private


def test_weights_arrive_bit_for_bit(published: Published, hub_checkpoint: Path) -> None:
    thin = published.hub.head("user/thin").files
    for path in hub_checkpoint.rglob("*.safetensors"):
        assert thin[path.relative_to(hub_checkpoint).as_posix()].data == path.read_bytes()
    vq = published.hub.head("user/vq").files["model.safetensors"].data
    assert vq == (hub_checkpoint / "motion_vq" / "model.safetensors").read_bytes()


def test_each_layout_holds_what_it_should(published: Published) -> None:
    files = {name: set(published.hub.head(f"user/{name}").files) for name in ("thin", "full", "vq", "adapters")}
    results = {name: {path for path in paths if path.startswith(".eval_results/")} for name, paths in files.items()}
    assert results["thin"] == results["full"] == set(RESULT_FILES)
    assert results["vq"] == {".eval_results/motion-reconstruction.yaml"}
    assert results["adapters"] == set()
    common = {"config.json", "generation_config.json", "tokenizer.json", "processor_config.json", "README.md"}
    assert common | {"motion_vq/model.safetensors", "adapters/default/adapter_model.safetensors"} <= files["thin"]
    assert "model.safetensors" not in files["thin"]
    assert common | {"model.safetensors", "modeling_motionllm.py", "training_record.json"} <= files["full"]
    assert not [name for name in files["full"] if name.startswith(("motion_vq/", "adapters/", "adapter_"))]
    assert {"config.json", "model.safetensors", "modeling_motion_vq.py", "README.md"} <= files["vq"]
    assert "tokenizer.json" not in files["vq"]
    assert {name for name in files["adapters"] if not name.startswith("adapters/")} == {".gitattributes", "README.md"}
    weights = published.hub.head("user/full").files["model.safetensors"].data
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    assert {name.split(".")[0] for name in header} == {"__metadata__", "language_model", "motion_vq"}


@pytest.mark.parametrize("name", ["thin", "full", "vq", "adapters", "evaluator"])
def test_each_repository_has_a_card(published: Published, name: str, tmp_path: Path) -> None:
    text = published.hub.head(f"user/{name}").files["README.md"].data.decode()
    card = ModelCard(text)
    assert card.data.license
    assert f'"user/{name}"' in card.text
    assert card.data.base_model == (None if name in ("vq", "evaluator") else BASE)
    tasks = {result.task_type for result in card.data.eval_results or ()}
    everything = {"text-to-motion", "motion-to-text", "motion-reconstruction"}
    everything |= {"scene-text-to-motion", "scene-motion-to-text", "sequence-text-to-motion"}
    assert tasks == {"thin": everything, "full": everything, "vq": {"motion-reconstruction"}}.get(name, set())
    assert "{{" not in text
    assert str(tmp_path.parent) not in card.text.split("## Training")[0]


def test_a_second_push_sends_nothing(hub: HubServer, hub_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(hub_checkpoint), "--repo", "user/again", *THIN]
    push(arguments)
    before, uploads = hub.head("user/again"), list(hub.uploads)
    assert push(arguments) == 0
    assert hub.uploads == uploads
    assert hub.head("user/again") == before
    assert "up to date" in capsys.readouterr().out


def test_a_changed_file_alone_is_sent(hub: HubServer, hub_checkpoint: Path, next_checkpoint: Path) -> None:
    push([str(hub_checkpoint), "--repo", "user/again", *THIN])
    uploads = len(hub.uploads)
    push([str(next_checkpoint), "--repo", "user/again", "--adapters-only", "--message", "better adapter"])
    assert len(hub.uploads) == uploads + 1
    after = hub.head("user/again")
    assert after.title == "better adapter"
    assert "user/again" in after.files["README.md"].data.decode()  # the card of the whole checkpoint stays
    assert "motion_vq/model.safetensors" in after.files


def test_another_layout_replaces_the_first(
    hub: HubServer, hub_checkpoint: Path, base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    HfApi().create_repo(BASE)
    HfApi().upload_folder(repo_id=BASE, folder_path=base_folder)
    push([str(hub_checkpoint), "--repo", "user/both"])
    hub.repos["models/user/both"].add(
        "main", "a picture", hub.head("user/both").files | {"picture.txt": Blob(b"a picture", lfs=False)}
    )
    push([str(hub_checkpoint), "--repo", "user/both", *THIN])
    files = hub.head("user/both").files
    assert "model.safetensors" not in files  # it would make readers take the repository for a full one
    assert "picture.txt" in files
    push([str(hub_checkpoint), "--repo", "user/both"])
    assert not [name for name in hub.head("user/both").files if name.startswith(("adapters/", "motion_vq/"))]


def test_a_branch_of_its_own(hub: HubServer, hub_checkpoint: Path) -> None:
    push([str(hub_checkpoint), "--repo", "user/branches", "--revision", "v2", *THIN])
    assert set(hub.head("user/branches").files) == {".gitattributes"}
    assert "config.json" in hub.head("user/branches", "v2").files


def test_dry_run_sends_nothing(hub: HubServer, hub_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert push([str(hub_checkpoint), "--repo", "user/dry", "--dry-run", *THIN]) == 0
    assert hub.requests == []
    out = capsys.readouterr().out
    size = (hub_checkpoint / "motion_vq" / "model.safetensors").stat().st_size
    assert f"{size:,}  motion_vq/model.safetensors" in out
    assert "nothing was sent" in out


def test_a_public_repository_is_not_taken_for_private(hub: HubServer, hub_checkpoint: Path) -> None:
    HfApi().create_repo("user/public")
    with pytest.raises(MotionLLMError, match="public"):
        push([str(hub_checkpoint), "--repo", "user/public", "--private", *THIN])
    assert set(hub.head("user/public").files) == {".gitattributes"}


def test_the_vq_does_not_overwrite_a_checkpoint(hub: HubServer, hub_checkpoint: Path) -> None:
    push([str(hub_checkpoint), "--repo", "user/whole", *THIN])
    before = hub.head("user/whole")
    with pytest.raises(MotionLLMError, match="repository of its own"):
        push([str(hub_checkpoint), "--repo", "user/whole", "--vq-only"])
    assert hub.head("user/whole") == before


@pytest.mark.parametrize("base", ["google/gemma-2-2b-it", "meta-llama/Llama-3.2-1B"])
def test_a_restricted_base_is_refused_in_a_full_repository(
    hub: HubServer, hub_checkpoint: Path, tmp_path: Path, base: str
) -> None:
    folder = _copy_with_config(hub_checkpoint, tmp_path / "restricted", base_model_name_or_path=base)
    with pytest.raises(MotionLLMError, match="--allow-forbidden-license"):
        push([str(folder), "--repo", "user/restricted"])
    assert hub.requests == []
    assert push([str(folder), "--repo", "user/restricted", *THIN]) == 0


def test_a_base_that_only_this_machine_has(hub: HubServer, thin_checkpoint: Path, base_folder: Path) -> None:
    with pytest.raises(MotionLLMError, match="--layout full"):
        push([str(thin_checkpoint), "--repo", "user/local", *THIN])
    assert push([str(thin_checkpoint), "--repo", "user/local"]) == 0
    files = hub.head("user/local").files
    assert json.loads(files["config.json"].data)["base_model_name_or_path"] is None
    assert ModelCard(files["README.md"].data.decode()).data.base_model is None


def _copy_with_config(source: Path, target: Path, **values: Any) -> Path:
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text()) | values
    (target / "config.json").write_text(json.dumps(config))
    return target


def test_bad_input(hub: HubServer, hub_checkpoint: Path, vq_folder: Path, tmp_path: Path) -> None:
    cases = {
        "user/name": (str(tmp_path / "nowhere"), "no folder"),
        "user/other": (str(vq_folder), "model type in config.json: motion_vq"),
        "no-user": (str(hub_checkpoint), "user/name"),
        "user/bad name": (str(hub_checkpoint), "user/name"),
    }
    for repo, (folder, message) in cases.items():
        with pytest.raises(MotionLLMError, match=message):
            push([folder, "--repo", repo])
    pickled = _copy_with_config(hub_checkpoint, tmp_path / "pickled")
    (pickled / "notes.json").write_bytes(pickle.dumps({"a": 1}))  # whatever it is called
    with pytest.raises(MotionLLMError, match="unpickle"):
        push([str(pickled), "--repo", "user/pickled", *THIN])
    assert not hub.repos


def test_a_wrong_evaluator_is_refused(
    hub: HubServer, hub_checkpoint: Path, evaluator_checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(MotionLLMError, match="holds no evaluator"):
        push([str(hub_checkpoint), "--evaluator", "--repo", "user/evaluator"])
    with pytest.raises(MotionLLMError, match="add --evaluator"):
        push([str(evaluator_checkpoint), "--repo", "user/evaluator"])
    mine = _copy_with_config(evaluator_checkpoint, tmp_path / "mine", sentence_model=str(tmp_path))
    with pytest.raises(MotionLLMError, match="which nobody else has"):
        push([str(mine), "--evaluator", "--repo", "user/evaluator"])
    assert not hub.repos
    push([str(hub_checkpoint), "--repo", "user/whole", *THIN])
    with pytest.raises(MotionLLMError, match="push the evaluator to a repository of its own"):
        push([str(evaluator_checkpoint), "--evaluator", "--repo", "user/whole"])


def test_without_a_folder_the_shipped_evaluator_is_meant(hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(["--evaluator", "--repo", "user/evaluator", "--dry-run"]) == 0
    weights = (DEFAULT_EVALUATOR / "model.safetensors").stat().st_size
    assert f"{weights:,}  model.safetensors" in capsys.readouterr().out
    assert hub.requests == []


@pytest.mark.parametrize("folder", [DEFAULT_EVALUATOR, DEFAULT_SCENE_EVALUATOR])
def test_each_shipped_evaluator_comes_back_from_the_hub(
    hub: HubServer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert push([str(folder), "--evaluator", "--repo", "user/judge"]) == 0
    loaded = AutoModel.from_pretrained("user/judge")
    here = load_file(folder / "model.safetensors")
    assert loaded.state_dict().keys() == here.keys()
    assert all(torch.equal(value, here[name]) for name, value in loaded.state_dict().items())
    assert hub.head("user/judge").files["model.safetensors"].data == (folder / "model.safetensors").read_bytes()


def test_an_evaluator_whose_weights_do_not_fit_is_refused(hub: HubServer, tmp_path: Path) -> None:
    # The weights of scenes under the configuration of one person: they used to lose a third of their tensors.
    mixed = _copy_with_config(DEFAULT_SCENE_EVALUATOR, tmp_path / "mixed", num_scene_layers=0)
    with pytest.raises(MotionLLMError, match=r"does not fit its config\.json: \d+ tensors have no place"):
        push([str(mixed), "--evaluator", "--repo", "user/judge"])
    tensors = load_file(DEFAULT_EVALUATOR / "model.safetensors")
    short = _copy_with_config(DEFAULT_EVALUATOR, tmp_path / "short")
    save_file(dict(list(tensors.items())[1:]), short / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MotionLLMError, match=r"and 1 of its own are missing"):
        push([str(short), "--evaluator", "--repo", "user/judge"])
    assert not hub.repos


def test_figures_of_an_earlier_push_do_not_stay(hub: HubServer, hub_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(hub_checkpoint, tmp_path / "new"))
    (folder / SHEET).write_bytes(b"a picture")
    push([str(folder), "--repo", "user/measured", *THIN])
    assert {*RESULT_FILES, SHEET} <= set(hub.head("user/measured").files)
    (folder / SHEET).unlink()
    shutil.rmtree(folder / ".eval_results")
    (folder / "evaluation.json").unlink()
    write_model_card(folder)
    push([str(folder), "--repo", "user/measured", *THIN])
    files = hub.head("user/measured").files
    assert not {*RESULT_FILES, "evaluation.json", SHEET} & set(files)
    assert ModelCard(files["README.md"].data.decode()).data.eval_results is None


def test_only_one_adapter_goes_into_a_full_repository(
    hub: HubServer,
    hub_checkpoint: Path,
    push_base: Callable[[], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    push_base()
    folder = Path(shutil.copytree(hub_checkpoint, tmp_path / "two"))
    shutil.copytree(folder / "adapters" / "default", folder / "adapters" / "style")
    push([str(folder), "--repo", "user/two"])
    assert "the adapter 'default' alone, merged; --layout thin sends ['style'] too" in capsys.readouterr().out


@pytest.mark.parametrize("layout", ["full", "thin"])
def test_a_card_changed_by_hand_stays(
    layout: str, hub: HubServer, hub_checkpoint: Path, push_base: Callable[[], None], tmp_path: Path
) -> None:
    push_base()
    folder = _copy_with_config(hub_checkpoint, tmp_path / "by-hand")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n\nMy own words.\n")
    push([str(folder), "--repo", "user/by-hand", "--layout", layout])
    assert b"My own words." in hub.head("user/by-hand").files["README.md"].data


def test_the_command_line(hub: HubServer, hub_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["push", str(hub_checkpoint), "--repo", "user/line", "--dry-run", *THIN]) == 0
    assert cli.main(["push", "nowhere", "--repo", "user/line"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("motionllm push: error: there is no folder 'nowhere'")
    assert error.count("\n") == 1


def test_the_server_tells_the_kinds_of_errors_apart(hub: HubServer) -> None:
    api = HfApi()
    api.create_repo("user/x", private=True)
    api.upload_file(repo_id="user/x", path_or_fileobj=b"one", path_in_repo="a.txt")
    first = hub.head("user/x")
    api.create_tag("user/x", tag="v1")
    api.upload_file(repo_id="user/x", path_or_fileobj=b"two", path_in_repo="folder/b.txt")
    with pytest.raises(HfHubHTTPError, match="412"):
        api.upload_file(repo_id="user/x", path_or_fileobj=b"3", path_in_repo="c.txt", parent_commit=first.oid)
    assert api.list_repo_files("user/x") == [".gitattributes", "a.txt", "folder/b.txt"]
    assert api.list_repo_files("user/x", revision="v1") == [".gitattributes", "a.txt"]
    assert [info.path for info in api.get_paths_info("user/x", ["a.txt", "none"])] == ["a.txt"]
    assert [tag.name for tag in api.list_repo_refs("user/x").tags] == ["v1"]
    assert len(api.list_repo_commits("user/x")) == 3
    api.delete_folder("folder", repo_id="user/x")
    assert not api.file_exists("user/x", "folder/b.txt")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("user/x", revision="none")
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download("user/x", "none")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("user/x", token=False)
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo("user/x")
    api.delete_repo("user/x")
    assert not api.repo_exists("user/x")
