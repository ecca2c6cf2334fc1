"""What goes wrong on the test Hub: an ASGI layer before it that refuses, breaks off or cuts short chosen requests."""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Fault", "FaultLayer"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass
class Fault:
    """One thing that goes wrong.

    Args:
        kind: `status` answers `status` without doing anything; `die` takes half of the request's body and is down from
            then on; `lost` does the work but breaks off before the answer; `cut` breaks off in the middle of the
            answer's body.
        method: of the requests it hits.
        path: regular expression of their paths.
        times: how many of them it hits; a negative number hits all.
        status: for `status`.
        message: for `status`.
    """

    kind: str
    method: str
    path: str
    times: int = 1
    status: int = 500
    message: str = "Internal Server Error"

    def hits(self, scope: MutableMapping[str, Any]) -> bool:
        if self.times == 0 or scope["method"] != self.method or not re.search(self.path, scope["path"]):
            return False
        self.times -= 1
        return True


def _hang_up(send: Send) -> None:
    """Close the connection without another byte, as a killed process does."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn's request cycle


class FaultLayer:
    """Passes requests on to `app`, unless a fault hits them; while `down`, hangs up on all of them."""

    def __init__(self, app: Any, requests: list[tuple[str, str, str]]):
        self.app = app
        self.requests = requests
        self.faults: list[Fault] = []
        self.down = False

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.requests.append((scope["method"], scope["path"], dict(scope["headers"]).get(b"range", b"").decode()))
        fault = None if self.down else next((fault for fault in self.faults if fault.hits(scope)), None)
        if self.down:
            _hang_up(send)
        elif fault is None:
            await self.app(scope, receive, send)
        else:
            await getattr(self, f"_{fault.kind}")(fault, scope, receive, send)

    async def _status(self, fault: Fault, scope: Any, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass  # read it all, or the client sees a broken pipe in place of the answer
        body = json.dumps({"error": fault.message}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers.append((b"x-error-message", fault.message.encode()))
        await send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _die(self, fault: Fault, scope: Any, receive: Receive, send: Send) -> None:
        size = int(dict(scope["headers"]).get(b"content-length", b"0"))
        taken = 0
        while taken < size // 2:
            taken += len((await receive()).get("body", b""))
        self.down = True
        _hang_up(send)

    async def _lost(self, fault: Fault, scope: Any, receive: Receive, send: Send) -> None:
        async def swallow(message: Message) -> None:
            pass

        await self.app(scope, receive, swallow)
        _hang_up(send)

    async def _cut(self, fault: Fault, scope: Any, receive: Receive, send: Send) -> None:
        async def half(message: Message) -> None:
            if message["type"] == "http.response.body":
                body = message.get("body", b"")
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                # An orderly close, so that what was sent arrives.
                send.__self__.transport.close()  # type: ignore[attr-defined]
            else:
                await send(message)

        await self.app(scope, receive, half)
