"""`motionllm chat --planner URL`: plans from a server that speaks OpenAI's API; a key that is in no file."""

import json
from pathlib import Path

import pytest
from completion_server import CompletionServer

from hub_scripts.chat.endpoint import EndpointPlanner
from hub_scripts.chat.operations import Generate, Speed
from hub_scripts.chat.planning import NotUnderstoodError, View
from hub_scripts.cli import main as cli
from modeling_motionllm.errors_motionllm import MotionLLMError

WALK = '{"operations": [{"do": "generate", "sentences": ["a person walks"], "seconds": [1]}]}'
SLOWER = 'Here it is:\n```json\n{"operations": [{"do": "speed", "factor": 0.5}]}\n```'


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("hub_scripts.generation.openai_server.time.sleep", lambda seconds: None)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def chat(checkpoint: Path, out: Path, server: CompletionServer, *messages: str) -> int:
    return cli(["chat", *messages, "--planner", server.address, "--model", str(checkpoint), "-o", str(out)])


def test_a_server_plans_and_is_told_what_was_done(thin_checkpoint, tmp_path, capsys):
    with CompletionServer(answers=[WALK, SLOWER, '{"operations": [], "say": "I only make motion"}']) as server:
        assert chat(thin_checkpoint, tmp_path, server, "let her stroll", "like in a dream", "tell me a joke") == 2
    told = capsys.readouterr().out
    assert "made 'a person walks': 1.0 s" in told
    assert "played at 0.5 times the speed: 1.0 s are now 1.9 s" in told
    assert "not understood: I only make motion" in told
    first, _, last = server.bodies
    assert (first["model"], first["temperature"]) == ("tiny", 0)
    assert first["response_format"]["type"] == "json_schema"
    assert first["messages"][-1]["content"] == "There is no motion yet.\nRequest: let her stroll"
    assert [message["role"] for message in last["messages"]] == ["system", *["user", "assistant"] * 2, "user"]
    assert json.loads(last["messages"][2]["content"])["operations"][0]["do"] == "generate"
    assert "understood as: " in last["messages"][3]["content"]
    assert last["messages"][-1]["content"].endswith("0.0-1.9 s: a person walks\nRequest: tell me a joke")


def test_a_key_comes_from_the_environment_and_is_in_no_file(thin_checkpoint, tmp_path, capsys, monkeypatch):
    with CompletionServer(answers=[WALK], key="secret-of-mine") as server:
        assert chat(thin_checkpoint, tmp_path / "a", server, "walk") == 2
        assert "answered 401" in capsys.readouterr().err
        monkeypatch.setenv("OPENAI_API_KEY", "secret-of-mine")
        assert chat(thin_checkpoint, tmp_path / "b", server, "walk") == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".npz", ".html", ".json"}
    for path in files:
        assert b"secret-of-mine" not in path.read_bytes()
        assert server.address.encode() not in path.read_bytes()


def test_an_answer_that_is_no_plan_is_sent_back_once():
    with CompletionServer(answers=['{"operations": [{"do": "moonwalk"}]}', WALK]) as server:
        plan = EndpointPlanner(server.address)("walk", View())
        assert plan == (Generate(("a person walks",), (1.0,)),)
        assert "does 'moonwalk'; choose from generate" in server.bodies[1]["messages"][-1]["content"]
    words = "the planner's answer is no plan: it is no JSON object but 'Really"
    with (
        CompletionServer(answers=["I cannot.", "Really, I cannot."]) as server,
        pytest.raises(MotionLLMError, match=words),
    ):
        EndpointPlanner(server.address)("walk", View())


def test_servers_without_schemas_are_asked_plainly():
    with CompletionServer(answers=[SLOWER, WALK], plain=True) as server:
        planner = EndpointPlanner(server.address, "some-model")
        assert planner("slower", View()) == (Speed(0.5),)
        planner("walk", View())
        assert [body.keys() for body in server.bodies] == [{"model", "messages"}] * 2
        assert server.bodies[0]["model"] == "some-model"


def test_no_operations_are_not_understood():
    with CompletionServer(answers=['{"operations": []}']) as server, pytest.raises(NotUnderstoodError, match="no plan"):
        EndpointPlanner(server.address)("hello", View())


def test_a_server_that_is_not_there_is_told(thin_checkpoint, tmp_path, capsys):
    assert cli(["chat", "walk", "--planner", "http://127.0.0.1:9/v1", "--model", str(thin_checkpoint)]) == 2
    assert "no answer from the server at http://127.0.0.1:9/v1" in capsys.readouterr().err
