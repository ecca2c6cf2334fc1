"""`motionllm chat`: five turns, undoing and making again, and conversations that are replayed to the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import THREADS

from hub_scripts.apps.service import MotionService
from hub_scripts.chat.conversation import Conversation
from hub_scripts.chat.operations import Again, Append, Edit, Generate, Prepend, Speed, Undo
from hub_scripts.cli import main as cli
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

pytest_plugins = ("turn_fixtures",)

CLONE = Path(__file__).resolve().parents[2]
FIVE = ["make her walk for 2 seconds", "slower", "now bow for 1 second", "what is she doing?", "save it for Blender"]


def chat(checkpoint: Path, out: Path, *messages: str) -> int:
    return cli(["chat", *messages, "--model", str(checkpoint), "-o", str(out)])


@pytest.fixture
def conversation(turn_checkpoint, tmp_path) -> Conversation:
    import argparse

    args = argparse.Namespace(model=str(turn_checkpoint), device="cpu", engine="auto")
    return Conversation(MotionService.of_arguments(args), tmp_path)


def test_five_turns(turn_checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    assert chat(turn_checkpoint, out, *FIVE) == 0
    told = capsys.readouterr().out
    walk = Motion.load(out / "a-person-walks-seed0.npz")
    slower = Motion.load(out / "a-person-walks-seed0-2.npz")
    assert (walk.num_frames, slower.num_frames) == (40, 53)
    # The same poses, three quarters as fast.
    np.testing.assert_allclose(slower.joints[::4], walk.joints[::3], atol=1e-5)
    [bow] = out.glob("a-person-walks-then-a-person-bows-*.npz")
    whole = Motion.load(bow)
    np.testing.assert_array_equal(whole.joints[:53], slower.joints)
    assert [segment.text for segment in whole.segments] == ["a person walks", "a person bows"]
    assert bow.with_suffix(".glb").read_bytes()[:4] == b"glTF"
    for part in (
        "> make her walk for 2 seconds\nmade 'a person walks': 2.0 s\n  understood as: ",
        "played at 0.75 times the speed: 2.0 s are now 2.6 s",
        "added at the end 'a person bows': ",
        "the model sees:\n  0.0-2.6 s: ",
        f"saved: {bow.with_suffix('.glb')}",
        f"the conversation: {out / 'chat.json'}",
    ):
        assert part in told
    assert (out / "a-person-walks-seed0.html").is_file()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_a_conversation_is_replayed_to_the_same_bits_and_gone_on_with(turn_checkpoint, tmp_path, capsys):
    out, again = tmp_path / "out", tmp_path / "again"
    assert chat(turn_checkpoint, out, *FIVE[:3], "another one", "hello", "undo", "first wave for 1 second") == 2
    capsys.readouterr()
    record = json.loads((out / "chat.json").read_text(encoding="utf-8"))
    assert [turn["said"] for turn in record["turns"]][:3] == FIVE[:3]
    assert record["turns"][1]["plan"] == [{"do": "speed", "factor": 0.75}]
    assert record["turns"][4]["plan"] == []
    assert record["turns"][5]["motion_sha256"] == record["turns"][2]["motion_sha256"]
    assert (
        cli(["chat", "jump", "--replay", str(out / "chat.json"), "--model", str(turn_checkpoint), "-o", str(again)])
        == 0
    )
    told = capsys.readouterr().out
    assert "replayed: 7 turns, the same motions to the bit" in told
    assert "> jump\nmade 'a person jumps'" in told
    replayed = json.loads((again / "chat.json").read_text(encoding="utf-8"))
    for turn, then in zip(replayed["turns"], record["turns"], strict=False):
        assert (turn["plan"], turn["motion_sha256"]) == (then["plan"], then["motion_sha256"])
    assert len(replayed["turns"]) == 8
    for path in out.glob("*.npz"):
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_a_motion_that_became_another_is_told(turn_checkpoint, tmp_path, capsys):
    assert chat(turn_checkpoint, tmp_path, FIVE[0], FIVE[1]) == 0
    path = tmp_path / "chat.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["turns"][1]["plan"][0]["factor"] = 0.5
    record["model"] = "another"
    path.write_text(json.dumps(record), encoding="utf-8")
    capsys.readouterr()
    assert cli(["chat", "--replay", str(path), "--model", str(turn_checkpoint), "-o", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "replayed: other motions after turn 2" in out
    assert "was made with 'another'" in err
    assert f"the conversation: {tmp_path / 'chat-2.json'}" in out


@pytest.mark.parametrize("content,words", [
    ("{", "is no JSON"),
    ("[]", "is no conversation"),
    ('{"kind": "motionllm chat", "turns": [{"said": "x", "plan": [{"do": "fly"}]}]}', "turn 1 of"),
    ('{"kind": "motionllm chat", "turns": [3]}', "turn 1 of"),
    ('{"kind": "motionllm chat", "turns": [{"said": "x", "plan": [{"do": "undo"}]}]}', "cannot be done again"),
])  # fmt: skip
def test_damaged_conversations_are_refused(turn_checkpoint, tmp_path, capsys, content, words):
    path = tmp_path / "talk.json"
    path.write_text(content, encoding="utf-8")
    assert cli(["chat", "--replay", str(path), "--model", str(turn_checkpoint), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") <= 2


def test_what_cannot_be_done_leaves_the_motion_and_is_said(turn_checkpoint, tmp_path, capsys):
    messages = [
        FIVE[0],
        "walk for 90 seconds",
        "change the colour",
        "undo 5",
        "save it as walk.fbx.doc",
        "undo",
        "slower",
    ]
    assert chat(turn_checkpoint, tmp_path, *messages) == 2
    told = capsys.readouterr().out
    for line in (
        "not done: a duration of 90 s is not possible; choose 0.2 to 10 s",
        "not understood: 'change the colour' says neither",
        "not done: 5 changes cannot be taken back; there is 1",
        "taken back: there is no motion now",
        "not done: there is no motion yet",
    ):
        assert line in told
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_requests_come_from_a_pipe(turn_checkpoint, tmp_path, capsys, monkeypatch):
    read, write = os.pipe()
    with os.fdopen(write, "w") as pipe:
        pipe.write("jump for 1 second\n\nhelp\nquit\nslower\n")
    with os.fdopen(read) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        assert chat(turn_checkpoint, tmp_path) == 0
    told = capsys.readouterr().out
    assert "made 'a person jumps': 1.0 s" in told
    assert '"save it for Blender"' in told
    assert "played at" not in told


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminals")
def test_requests_are_typed_in_a_terminal(turn_checkpoint, tmp_path):
    import pty

    here, there = pty.openpty()
    command = [sys.executable, "-m", "hub_scripts.cli", "chat", "--model", str(turn_checkpoint), "-o", str(tmp_path)]
    environment = dict(os.environ) | {"PYTHONPATH": str(CLONE), "OMP_NUM_THREADS": str(THREADS)}
    with subprocess.Popen(command, stdin=there, stdout=subprocess.PIPE, text=True, env=environment) as process:
        os.write(here, b"jump for 1 second\nhello\nundo\n\x04")
        told, _ = process.communicate(timeout=600)
    os.close(here)
    os.close(there)
    assert process.returncode == 0
    assert told.startswith("Say what somebody is to do")
    for line in ("made 'a person jumps': 1.0 s", "not understood: 'hello'", "taken back: there is no motion now"):
        assert line in told
    assert told.rstrip().endswith(f"the conversation: {tmp_path / 'chat.json'}")


@pytest.mark.parametrize("options,words", [
    (["--planner-model", "x"], "there is no --planner"),
    (["--planner", "gpt"], "--planner is 'gpt'; give an address"),
    (["--seed", "-1"], "--seed is -1"),
    (["--replay", "nowhere.json"], "no such file: 'nowhere.json'"),
    (["--model", "./nothing"], "there is no checkpoint folder './nothing'"),
])  # fmt: skip
def test_bad_options_are_refused(tmp_path, capsys, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    assert cli(["chat", "walk", *options]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_parts_at_the_beginning_in_the_middle_and_at_the_end_are_made_anew(conversation):
    conversation.turn("", [Generate(("a person walks",), (3.0,))])
    walk = conversation.motion
    conversation.turn("", [Edit("a person waves", 1.0, 2.0)])
    np.testing.assert_array_equal(conversation.motion.joints[:21], walk.joints[:21])
    np.testing.assert_array_equal(conversation.motion.joints[40:], walk.joints[40:])
    assert np.abs(conversation.motion.joints[25:35] - walk.joints[25:35]).max() > 0.01
    conversation.turn("", [Undo(), Edit("a person bows", 2.0, 3.0)])
    np.testing.assert_array_equal(conversation.motion.joints[:40], walk.joints[:40])
    assert [segment.text for segment in conversation.motion.segments] == ["a person walks", "a person bows"]
    conversation.turn("", [Undo(), Edit("a person bows", 0.0, 1.0)])
    texts = [segment.text for segment in conversation.motion.segments]
    assert (texts[0], texts[-1]) == ("a person bows", "a person walks")
    # The rest is the same motion, moved as a whole.
    assert np.ptp(bone_distances(conversation.motion.joints[-40:]) - bone_distances(walk.joints[20:])) < 1e-3
    with pytest.raises(MotionLLMError, match="there is no part from 8 to 9 s"):
        conversation.turn("", [Edit("a person bows", 8.0, 9.0)])


def bone_distances(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[:, 0] - joints[:, 15], axis=-1)


def test_again_makes_the_last_thing_anew_and_keeps_the_speed(conversation):
    conversation.turn("", [Generate(("a person walks",), (2.0,)), Append(("a person bows",), (1.0,)), Speed(0.5)])
    before = conversation.motion
    turn = conversation.turn("", [Again(seed=40)], takes=1)
    assert turn.plan == (Again(seed=40),)
    np.testing.assert_array_equal(conversation.motion.joints[:79], before.joints[:79])
    assert np.abs(conversation.motion.joints[85:] - before.joints[85:]).max() > 0.001
    assert conversation.view.last_sentences == ("a person bows",)
    assert conversation.view.last_seconds == pytest.approx(1.0, abs=0.06)
    conversation.turn("", [Again(sentences=("a person jumps",), seconds=(2.0,))], takes=1)
    assert conversation.view.last_seconds == pytest.approx(2.0, abs=0.06)
    # One turn is taken back at a time, whatever it did.
    conversation.turn("", [Undo(2)])
    np.testing.assert_array_equal(conversation.motion.joints, before.joints)
    conversation.turn("", [Undo()])
    assert conversation.motion is None


def test_a_plan_is_carried_out_whole_or_not_at_all(conversation):
    conversation.turn("", [Generate(("a person walks",), (1.0,))])
    walk = conversation.motion
    with pytest.raises(MotionLLMError, match="90 s is not possible"):
        conversation.turn("", [Speed(0.5), Append(("a person bows",), (90.0,))])
    assert conversation.motion is walk
    assert len(conversation.turns) == 1
    for plan, words in (
        ([Speed(0.0)], "0 times the speed is not possible"),
        ([Prepend(("a person waves",), (0.01,))], "is not possible"),
        ([Undo(0)], "cannot be taken back"),
    ):
        with pytest.raises(MotionLLMError, match=words):
            conversation.turn("", plan)
