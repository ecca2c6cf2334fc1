"""`motionllm generate --engine http://...`: codes that a server draws, decoded here; the same as our own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from completion_server import CompletionServer
from conftest import SENTENCES

from hub_scripts.cli import main as cli
from modeling_motionllm.motion import Motion


@pytest.fixture
def server(model, processor) -> Iterator[CompletionServer]:
    with CompletionServer(model.language_model, processor.tokenizer) as running:
        yield running


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("hub_scripts.generation.openai_server.time.sleep", lambda seconds: None)


def generate(checkpoint: Path, out: Path, *options: object) -> int:
    common = ["--model", checkpoint, "--formats", "npz", "-o", out]
    return cli(["generate", *map(str, [*options, *common])])


def codes(folder: Path) -> dict[str, list[int]]:
    return {path.stem: Motion.load(path).codes.tolist() for path in sorted(folder.glob("*.npz"))}


@pytest.mark.parametrize("duration", [["--duration", 2], []], ids=["exact", "open"])
def test_greedy_codes_are_those_of_the_model_here(server, thin_checkpoint, tmp_path, capsys, duration):
    options = [*SENTENCES, "--temperature", 0, *duration]
    # Without guidance and with the end drawn as any other token, as servers do it.
    assert generate(thin_checkpoint, tmp_path / "own", *options, "--guidance-scale", 1) == 0
    assert generate(thin_checkpoint, tmp_path / "served", *options, "--engine", server.address) == 0
    assert capsys.readouterr().out.count("understood as: ") == 2 * len(SENTENCES)
    made = codes(tmp_path / "served")
    assert len(made) == len(SENTENCES)
    if duration:
        assert made == codes(tmp_path / "own")
    assert all(4 <= len(one) <= 50 for one in made.values())
    asked = server.bodies[0]
    assert asked["model"] == "tiny"
    assert ("stop_token_ids" in asked) == (not duration)
    motion = Motion.load(next((tmp_path / "served").glob("*.npz")))
    assert '"engine": "served"' in motion.settings
    assert '"guidance_scale": 1.0' in motion.settings


def test_seeds_are_the_servers(server, thin_checkpoint, tmp_path):
    options = [SENTENCES[0], "--duration", 2, "--num-return-sequences", 3, "--engine", server.address, "--no-caption"]
    assert generate(thin_checkpoint, tmp_path / "a", *options, "--seed", 5) == 0
    assert sorted(body["seed"] for body in server.bodies) == [5, 6, 7]
    assert generate(thin_checkpoint, tmp_path / "b", *options, "--seed", 6) == 0
    one, other = codes(tmp_path / "a"), codes(tmp_path / "b")
    assert [*one.values()][1:] == [*other.values()][:2]
    assert len({tuple(row) for row in one.values()}) == 3


def test_what_was_made_before_the_server_died_is_kept(model, processor, thin_checkpoint, tmp_path, capsys):
    table = tmp_path / "sentences.txt"
    table.write_text("\n".join(f"a person walks {count} steps" for count in range(6)), encoding="utf-8")
    options = ["--prompts", table, "--duration", 1, "--batch-size", 2, "--no-caption", "--skip-existing"]
    out = tmp_path / "out"
    with CompletionServer(model.language_model, processor.tokenizer, dies_after=4) as server:
        assert generate(thin_checkpoint, out, *options, "--engine", server.address) == 2
        error = capsys.readouterr().err
        assert "no answer from the server" in error or "503" in error
    kept = {path: path.read_bytes() for path in out.iterdir()}
    assert len(kept) == 4
    with CompletionServer(model.language_model, processor.tokenizer) as server:
        assert generate(thin_checkpoint, out, *options, "--engine", server.address) == 0
        assert len(server.bodies) == 2
    assert len(codes(out)) == 6
    assert all(path.read_bytes() == data for path, data in kept.items())


def test_servers_without_a_grammar_are_asked_plainly(model, processor, thin_checkpoint, tmp_path, capsys):
    with CompletionServer(model.language_model, processor.tokenizer, plain=True) as server:
        options = [SENTENCES[0], "--duration", 1, "--engine", server.address, "--temperature", 0]
        # The tiny model has not learnt to keep to codes, and what is none is never taken for one.
        assert generate(thin_checkpoint, tmp_path / "out", *options) == 2
        assert server.bodies[0]["prompt"].endswith("<Motion>")
    assert "is no motion" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_key_comes_from_the_environment(model, processor, thin_checkpoint, tmp_path, capsys, monkeypatch):
    with CompletionServer(model.language_model, processor.tokenizer, key="secret") as server:
        options = [SENTENCES[0], "--duration", 1, "--engine", server.address, "--no-caption"]
        assert generate(thin_checkpoint, tmp_path / "out", *options) == 2
        assert "answered 401" in capsys.readouterr().err
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        assert generate(thin_checkpoint, tmp_path / "out", *options) == 0
    assert b"secret" not in next((tmp_path / "out").iterdir()).read_bytes()


@pytest.mark.parametrize("command,options,words", [
    ("generate", ["--people", "2"], "--people does not go together with --engine http://127.0.0.1:9/v1"),
    ("generate", ["--num-candidates", "4"], "--num-candidates does not go together"),
    ("generate", ["--guidance-scale", "3"], "--guidance-scale does not go together"),
    ("generate", [], "no answer from the server at http://127.0.0.1:9/v1"),
    ("generate", ["--engine", "auto", "--served-model", "x"], "--served-model is for --engine http"),
    ("edit", ["bows", "--from", "1", "--to", "2"], "--engine is 'http://127.0.0.1:9/v1'; choose from"),
])  # fmt: skip
def test_what_a_server_cannot_do_is_refused(thin_checkpoint, tmp_path, capsys, command, options, words):
    out = tmp_path / "out"
    given = ["walks", "--engine", "http://127.0.0.1:9/v1", *options, "--model", str(thin_checkpoint), "-o", str(out)]
    assert cli([command, *given]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists() or not list(out.iterdir())


def test_answers_are_never_mixed_up(server, model, processor, thin_checkpoint, tmp_path):
    sentences = [f"a person jumps {count} times" for count in range(20)]
    options = [*sentences, "--duration", 1, "--temperature", 0, "--engine", server.address, "--no-caption"]
    assert generate(thin_checkpoint, tmp_path / "out", *options) == 0
    inputs = processor(text=sentences, duration=1)
    own = model.generate_motion(**inputs, do_sample=False, guidance_scale=1.0).codes[:, 0].numpy()
    made = np.array(
        [Motion.load(path).codes for path in (tmp_path / "out" / f"{name}.npz" for name in stems(sentences))]
    )
    np.testing.assert_array_equal(made, own)


def stems(sentences: list[str]) -> list[str]:
    return [sentence.replace(" ", "-") for sentence in sentences]
