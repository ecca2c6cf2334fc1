"""Setting up the `huggingface_hub` client of this process for the test Hub."""

import pytest
from hub_server import HubServer
from huggingface_hub import close_session, constants
from huggingface_hub.utils import _http
from transformers.utils import hub as transformers_hub

__all__ = ["BASE", "use_hub"]

BASE = "user/base"

# The first lines of programs that run where only the Hub knows our code: this package cannot be imported.
WITHOUT_PACKAGE = """
import json, os, sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("motionllm", "modeling_motionllm", "tokenization", "hub_scripts"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere())
"""


def use_hub(patch: pytest.MonkeyPatch, hub: HubServer, token: str = "hf_user") -> None:
    """Let `huggingface_hub` in this process talk to the test Hub; it reads its settings from these constants."""
    close_session()
    patch.setenv("HF_TOKEN", token)
    patch.setattr(constants, "ENDPOINT", hub.endpoint)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(transformers_hub, "_hf_api", None)  # keeps the address of an earlier Hub
    patch.setattr(_http.time, "sleep", lambda seconds: None)  # before the client's second try
