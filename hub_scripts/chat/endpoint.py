"""`EndpointPlanner`: plans by a language model behind any server that answers `/v1/chat/completions`."""

import json
import re
from typing import Any

from hub_scripts.chat.operations import Operation, operation_schema, read_plan, written_operation
from hub_scripts.chat.planning import NotUnderstoodError, View
from hub_scripts.generation.openai_server import OpenAIServer, RefusedError
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["EndpointPlanner"]

_REMEDY = "start it, or leave --planner out"
_TURNS = 20  # of the conversation, that are told
_SCHEMA = {
    "type": "object",
    "properties": {"operations": {"type": "array", "items": operation_schema()}, "say": {"type": "string"}},
    "required": ["operations"],
}
_SYSTEM = """\
You plan the work of a model that makes human motion from sentences. Answer each request with one JSON object:
{"operations": [...], "say": "..."}. Say nothing else. The operations are carried out in order:
{"do": "generate", "sentences": ["a person walks forward"], "seconds": [4]}  a new motion; "people": 2 for two people
{"do": "append", "sentences": ["a person bows"]}  what is done after the motion; the motion stays
{"do": "prepend", "sentences": ["a person waves"]}  what is done before it
{"do": "edit", "sentence": "a person raises both hands", "start": 1.0, "end": 2.5}  a part made anew
{"do": "again"}  the last thing once more with another seed; with "sentences" or "seconds" in other words or length
{"do": "speed", "factor": 0.75}  the whole motion slower (below 1) or faster
{"do": "describe"}  what the model sees in the motion
{"do": "save", "formats": ["glb"]}  files: npz, bvh, glb (Blender, Unity), mp4, gif, png, html, vrma, usd
{"do": "undo"}  the motion as it was before the last request
Sentences are plain English of one action each, in the third person, about "a person". Leave seconds and seeds out
unless they are asked for. Where nothing fits the request, give no operations and tell why in "say".
"""


class EndpointPlanner:
    """A planner of `--planner URL`.

    Args:
        address: such as `http://127.0.0.1:8000/v1`; the key comes from the environment alone.
        name: of the model there; None takes the first that it lists.

    Raises:
        MotionLLMError: the server does not answer.
    """

    def __init__(self, address: str, name: str | None = None):
        self._server = OpenAIServer(address, _REMEDY)
        self.name = name if name is not None else self._server.first_model("--planner-model")
        self._wishes: dict[str, Any] = {
            "temperature": 0,
            "response_format": {"type": "json_schema", "json_schema": {"name": "plan", "schema": _SCHEMA}},
        }  # until the server refuses them

    def __call__(self, message: str, view: View) -> tuple[Operation, ...]:
        """The operations that the model plans; an answer that is no plan is sent back once.

        Raises:
            NotUnderstoodError: it plans none.
            MotionLLMError: no answer, or twice one that is no plan.
        """
        messages = [{"role": "system", "content": _SYSTEM}]
        for turn in view.turns[-_TURNS:]:
            plan = {"operations": [written_operation(operation) for operation in turn.plan]}
            messages += [
                {"role": "user", "content": turn.said},
                {"role": "assistant", "content": json.dumps(plan)},
                {"role": "user", "content": "Done: " + " ".join(" ".join(turn.answer).split())},
            ]
        messages.append({"role": "user", "content": f"{_state(view)}\nRequest: {message}"})
        for last in (False, True):
            answer = self._ask(messages)
            try:
                return _read(answer)
            except MotionLLMError as error:
                if last:
                    raise MotionLLMError(f"the planner's answer is no plan: {error}") from error
                messages += [
                    {"role": "assistant", "content": answer},
                    {"role": "user", "content": f"That is no plan: {error}. Answer with the JSON object alone."},
                ]
        raise AssertionError("the last answer returns or raises")

    def _ask(self, messages: list[dict[str, str]]) -> str:
        body = {"model": self.name, "messages": _merged(messages)}
        try:
            try:
                answer = self._server.request("chat/completions", body | self._wishes)
            except RefusedError:
                if not self._wishes:
                    raise
                self._wishes = {}
                answer = self._server.request("chat/completions", body)
        except RefusedError as error:
            raise MotionLLMError(f"the server at {self._server.address} refused a request: {error}") from error
        try:
            return str(answer["choices"][0]["message"]["content"])
        except (KeyError, IndexError, TypeError) as error:
            where = self._server.address
            raise MotionLLMError(f"the server at {where} gave an answer without choices[0].message.content") from error


def _merged(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The messages with those of one role that follow one another as one: many chat templates want roles in turn."""
    merged: list[dict[str, str]] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1] = {"role": message["role"], "content": f"{merged[-1]['content']}\n{message['content']}"}
        else:
            merged.append(message)
    return merged


def _state(view: View) -> str:
    if not view.segments:
        return "There is no motion yet."
    parts = "; ".join(f"{start:.1f}-{end:.1f} s: {text}" for text, start, end in view.segments)
    return f"The motion now, {view.duration:.1f} s: {parts}"


def _read(answer: str) -> tuple[Operation, ...]:
    """The operations of an answer, which may stand between other words.

    Raises:
        NotUnderstoodError: there are none.
        MotionLLMError: it is no plan.
    """
    found = re.search(r"\{.*\}", answer, re.DOTALL)
    try:
        told = json.loads(found[0]) if found else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise MotionLLMError(f"it is no JSON object but {answer[:80]!r}")
    plan = read_plan(told.get("operations"), "'operations'")
    if not plan:
        raise NotUnderstoodError(" ".join(str(told.get("say") or "the planner has no plan for that").split()))
    return plan
