"""A server of OpenAI's API on loopback: `/v1/completions` of a language model that transformers runs, and
`/v1/chat/completions` with answers that it is told."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from transformers import LogitsProcessor, LogitsProcessorList

__all__ = ["CompletionServer"]

_PLAIN = {"model", "prompt", "max_tokens", "temperature", "top_p", "seed"}


class _Allowed(LogitsProcessor):
    def __init__(self, ids: list[int]):
        self.ids = ids

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        allowed = torch.full_like(scores, -torch.inf)
        allowed[:, self.ids] = scores[:, self.ids]
        return allowed


@dataclass
class CompletionServer:
    """`with CompletionServer(model, tokenizer) as server:` runs it in a thread; `server.address` is its address.

    Args:
        model: causal language model of transformers.
        tokenizer: of it.
        plain: know only what `transformers serve` knows: prompts as text, no allowed tokens, no schema of answers.
        key: that requests have to bring.
        port: 0 for a free one.
        dies_after: requests after which it is gone, as if it were killed.
        answers: to chats, one after another.
        bodies: of the requests so far.
    """

    model: Any = None
    tokenizer: Any = None
    plain: bool = False
    key: str | None = None
    port: int = 0
    dies_after: int | None = None
    answers: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "CompletionServer":
        config = uvicorn.Config(self._app(), host="127.0.0.1", port=self.port, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=60)

    def _app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.middleware("http")
        async def check_key(request: Request, go_on: Any) -> Any:
            if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
                return JSONResponse({"error": "no such key"}, 401)
            return await go_on(request)

        @app.get("/v1/models")
        def models() -> Any:
            return {"object": "list", "data": [{"id": "tiny", "object": "model"}]}

        @app.post("/v1/completions")
        def completions(body: dict[str, Any]) -> Any:
            if self.plain and not (isinstance(body["prompt"], str) and body.keys() <= _PLAIN):
                return JSONResponse({"detail": "Unexpected fields in the request"}, 422)
            with self._turn:
                if self.dies_after is not None and len(self.bodies) >= self.dies_after:
                    self._server.should_exit = self._server.force_exit = True
                    return JSONResponse({"error": "going down"}, 503)
                self.bodies.append(body)
                text = self._complete(body)
            return {"object": "text_completion", "model": body["model"], "choices": [{"index": 0, "text": text}]}

        @app.post("/v1/chat/completions")
        def chat_completions(body: dict[str, Any]) -> Any:
            if self.plain and not body.keys() <= {*_PLAIN, "messages"}:
                return JSONResponse({"detail": "Unexpected fields in the request"}, 422)
            with self._turn:
                self.bodies.append(body)
                message = {"role": "assistant", "content": self.answers.pop(0)}
            return {"object": "chat.completion", "model": body["model"], "choices": [{"index": 0, "message": message}]}

        return app

    def _complete(self, body: dict[str, Any]) -> str:
        prompt = body["prompt"]
        ids = self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt
        stop = [self.tokenizer.eos_token_id, *body.get("stop_token_ids", [])]
        drawing: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None}
        if body["temperature"] > 0:
            drawing = {"do_sample": True, "temperature": body["temperature"], "top_p": body["top_p"], "top_k": 0}
            torch.manual_seed(body["seed"])
        steps = [_Allowed(body["allowed_token_ids"])] if "allowed_token_ids" in body else []
        with torch.no_grad():
            found = self.model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=body["max_tokens"],
                min_new_tokens=body.get("min_tokens", 0),
                eos_token_id=stop,
                logits_processor=LogitsProcessorList(steps),
                **drawing,
            )[0, len(ids) :].tolist()
        if found and found[-1] in stop:
            found.pop()
        return self.tokenizer.decode(found, skip_special_tokens=True)
