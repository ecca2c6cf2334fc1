"""Where the Hub cannot be reached, that is found out once, and what is in the cache is used."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_client import use_hub
from hub_server import HubServer
from huggingface_hub import close_session, constants

from hub_scripts.options.checkpoint import load_model, load_processor
from hub_scripts.push_to_hub import main as push
from modeling_motionllm import strict_motionllm
from modeling_motionllm.errors_motionllm import MotionLLMError

pytest_plugins = ("hub_fixtures",)
REPO = "user/walks"


def test_a_cached_checkpoint_starts_without_the_hub(
    hub_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    push_base: Callable[[], None],
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with HubServer() as server:
        use_hub(monkeypatch, server)
        push_base()
        assert push([str(hub_checkpoint), "--repo", REPO, "--layout", "thin"]) == 0
        load_processor(REPO)
        before = load_model(REPO, "cpu")
        close_session()
    # The server is gone: its port answers nothing.
    asked: list[str] = []
    monkeypatch.setattr(strict_motionllm, "_unreachable", {})
    head = strict_motionllm.get_session

    def counted() -> object:
        asked.append("asked")
        return head()

    monkeypatch.setattr(strict_motionllm, "get_session", counted)
    started = time.monotonic()
    load_processor(REPO)
    after = load_model(REPO, "cpu")
    assert asked == ["asked"]
    assert time.monotonic() - started < 60
    assert all(value.equal(after.state_dict()[name]) for name, value in before.state_dict().items())
    with pytest.raises(MotionLLMError, match=r"not all of it is in the cache, and http.* cannot be reached \(.*\)"):
        load_processor("user/another")
    close_session()
