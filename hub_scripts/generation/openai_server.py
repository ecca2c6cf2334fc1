"""`OpenAIServer`: a server that speaks OpenAI's API: vLLM, llama-server, `transformers serve` or others."""

import json
import os
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["KEY_VARIABLE", "OpenAIServer", "RefusedError"]

KEY_VARIABLE = "OPENAI_API_KEY"  # the environment has the key, and nothing else does
_TIMEOUT = 600.0  # seconds that an answer may take
_TRIES = 3  # where a server is not there for a moment, or is full
_REFUSES_FIELDS = (400, 422)
_FULL = (429, 502, 503, 504)


class RefusedError(Exception):
    """The server does not take a request as it is."""


class OpenAIServer:
    """A server, asked with the key in `$OPENAI_API_KEY` where there is one.

    Args:
        address: such as `http://127.0.0.1:8000/v1`.
        remedy: what to do where it does not answer.
    """

    def __init__(self, address: str, remedy: str):
        self.address, self.remedy = address.rstrip("/"), remedy

    def first_model(self, option: str) -> str:
        """The model that the server lists first; `option` names another one.

        Raises:
            MotionLLMError: it does not answer, or lists none.
        """
        try:
            return str(self.request("models", None)["data"][0]["id"])
        except (RefusedError, KeyError, IndexError, TypeError) as error:
            raise MotionLLMError(f"the server at {self.address} lists no model; name it with {option}") from error

    def request(self, path: str, body: dict[str, Any] | None) -> Any:
        """The answer to a request, as JSON values.

        Args:
            path: after the address, such as `completions`.
            body: JSON values to post; None to get.

        Raises:
            RefusedError: the server knows a field not, or not such a value.
            MotionLLMError: no answer, an error, or no JSON.
        """
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY_VARIABLE):
            headers["Authorization"] = f"Bearer {key}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/{path}", data, headers)
        for tries_left in reversed(range(_TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                said = " ".join(error.read().decode("utf-8", "replace").split())[:200]
                if error.code in _REFUSES_FIELDS:
                    raise RefusedError(said) from error
                if error.code not in _FULL or not tries_left:
                    raise MotionLLMError(f"the server at {self.address} answered {error.code}: {said}") from error
            except (OSError, HTTPException) as error:
                if not tries_left:
                    raise MotionLLMError(
                        f"no answer from the server at {self.address} ({error}); {self.remedy}"
                    ) from error
            except ValueError as error:
                raise MotionLLMError(f"the server at {self.address} gave an answer that is no JSON") from error
            time.sleep(2.0 ** (_TRIES - 1 - tries_left))
        raise AssertionError("the last try returns or raises")
