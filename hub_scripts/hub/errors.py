"""What the Hub answers when it refuses, as one clear error with a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
)

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["hub_errors", "is_transient"]

_AGAIN = "the repository is as it was; push again, finished files are not sent a second time"


@contextmanager
def hub_errors(repo: str) -> Iterator[None]:
    """Turn every error of `huggingface_hub` about `repo` into a `MotionLLMError`.

    Raises:
        MotionLLMError: the Hub refused, failed, or could not be reached.
    """
    try:
        yield
    except (HTTPError, OSError, RuntimeError, HFValidationError) as error:
        message = _explain(_root(error), repo)
        if message is None:
            raise
        raise MotionLLMError(message) from error
    except ValueError as error:
        if "LFS batch API" not in str(error):
            raise
        raise MotionLLMError(f"the Hub refused files of '{repo}': {_short(str(error))}; {_AGAIN}") from error


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later: the server failed, or the connection broke."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in (429, 500, 502, 503, 504)
    return isinstance(error, HTTPError)


def _root(error: BaseException) -> BaseException:
    """The Hub's own error; uploads in threads wrap it in a RuntimeError."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _explain(error: BaseException, repo: str) -> str | None:
    if isinstance(error, LocalTokenNotFoundError):
        return "there is no Hugging Face token; run `hf auth login`, or set HF_TOKEN"
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so nothing can be sent; unset it"
    if isinstance(error, HFValidationError):
        return f"--repo is '{repo}'; give 'user/name' of letters, digits, '-', '_' and '.'"
    if isinstance(error, HfHubHTTPError):
        return _explain_status(error, repo)
    if isinstance(error, HTTPError):
        return f"the connection to {constants.ENDPOINT} failed ({_short(str(error))}); check the network: {_AGAIN}"
    return None


def _explain_status(error: HfHubHTTPError, repo: str) -> str:
    status = error.response.status_code
    said = _short(error.server_message or error.response.headers.get("X-Error-Message") or error.response.reason_phrase)
    if status == 401:
        return (
            f"the Hub does not accept the token ({said}); run `hf auth login`, or set HF_TOKEN to a token with write "
            "access"
        )
    if status == 403:
        return f"the token may not write to '{repo}' ({said}); use a token with write access to it, or another --repo"
    if isinstance(error, RevisionNotFoundError):
        return f"'{repo}' has no such revision ({said}); choose another --revision"
    if status == 404:
        return f"the Hub has no repository '{repo}' that this token can see ({said}); check --repo and the token"
    if status in (409, 412):
        return f"somebody else changed '{repo}' meanwhile ({said}); push again, on top of it"
    if status in (413, 507):
        return (
            f"the Hub has no room for these files in '{repo}' ({said}); free some storage, or push less (--layout thin)"
        )
    if status == 429:
        return f"the Hub asks for a pause ({said}); push again later, finished files are not sent a second time"
    if status >= 500:
        return f"the Hub failed ({status} {said}); {_AGAIN}"
    return f"the Hub refused the push to '{repo}' ({status} {said})"
