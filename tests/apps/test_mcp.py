"""`motionllm mcp`, asked by the client of the official SDK: over pipes as agents start it, and over HTTP."""

import base64
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from conftest import FIXTURES, THREADS
from mcp import Client, MCPError, StdioServerParameters
from PIL import Image
from started_server import free_port, started

import motionllm
from hub_scripts.cli import main as cli
from modeling_motionllm.motion import Motion

pytest_plugins = ("turn_fixtures",)

CLONE = Path(__file__).resolve().parents[2]
BOW_BVH = FIXTURES / "bandai" / "dataset-1_bow_normal_001.bvh"


def environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(CLONE), "OMP_NUM_THREADS": str(THREADS)}


def command(*options: object) -> list[str]:
    return ["-m", "hub_scripts.cli", "mcp", *map(str, options)]


def ask(server: StdioServerParameters | str, talk: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Client(server, read_timeout_seconds=300) as client:
            await talk(client)

    anyio.run(main)


def over_pipes(checkpoint: Path, out: Path) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=command("--model", checkpoint, "-o", out), env=environment(), cwd=str(out.parent)
    )


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool gives, as data."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    made = result.structured_content
    return made["result"] if set(made) == {"result"} else made


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text


def test_an_agent_makes_continues_edits_describes_converts_and_looks(turn_checkpoint, tmp_path):
    out = tmp_path / "out"

    async def talk(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {
            *("generate_motion", "continue_motion", "edit_motion", "caption_motion", "convert_motion"),
            *("list_actions", "render_picture"),
        }
        assert tools["generate_motion"].input_schema["required"] == ["sentences"]
        looks = {name for name, tool in tools.items() if tool.annotations.read_only_hint}
        assert looks == {"caption_motion", "list_actions", "render_picture"}
        made = await call(client, "generate_motion", sentences=["a person walks", "bows"], seconds=[2, 1], seed=3)
        assert (made["seconds"], made["people"], made["caption"]) == (3.0, 1, "a person walks, then bows")
        assert 0 <= made["unknown"] <= 1
        assert any("understood as: " in note for note in made["notes"])
        walk = Motion.load(made["files"][0])
        assert (walk.num_frames, walk.seed, walk.model) == (60, 3, turn_checkpoint.name)

        more = await call(
            client, "continue_motion", motion=str(BOW_BVH), sentences=["waves"], seconds=[1], formats=["npz", "bvh"]
        )
        bow, longer = motionllm.load_motion(BOW_BVH), Motion.load(more["files"][0])
        np.testing.assert_array_equal(longer.joints[: bow.num_frames], bow.joints)
        assert longer.num_frames > bow.num_frames
        assert [Path(file).suffix for file in more["files"]] == [".npz", ".bvh", ".json"]
        assert any("bandai" in note for note in more["notes"])  # what was found out about the file

        part = {"motion": made["files"][0], "sentence": "raises both hands", "start": 0.8, "end": 2.0}
        edited = Motion.load((await call(client, "edit_motion", **part))["files"][0])
        np.testing.assert_array_equal(edited.joints[:17], walk.joints[:17])
        assert np.abs(edited.joints[20:36] - walk.joints[20:36]).max() > 0.01

        said = await call(client, "caption_motion", motion=made["files"][0])
        assert isinstance(said, str)
        glb, png = await call(client, "convert_motion", motion=made["files"][0], formats=["glb", "png", "png"])
        assert Path(glb).read_bytes()[:4] == b"glTF"
        assert Path(png).read_bytes()[:4] == b"\x89PNG"
        known = await client.call_tool("list_actions", {})
        assert {one["action"] for one in known.structured_content["actions"]} == {"walk", "jump"}
        assert len(known.content) == 1
        assert sorted(line.split()[0] for line in known.content[0].text.splitlines()) == ["jump", "walk"]
        # What is longer than the model can take at once is described in parts.
        ten = {"sentences": ["a person walks", "bows"], "seconds": 8}
        long = await call(client, "generate_motion", **ten, formats="npz")
        parts = (await call(client, "caption_motion", motion=long["files"][0])).splitlines()
        assert parts[0].startswith("0.0-")
        assert parts[-1].split(" s: ")[0].endswith("-16.0")

        shown = await client.call_tool("render_picture", {"motion": made["files"][0], "panels": 3})
        picture = Image.open(BytesIO(base64.b64decode(shown.content[0].data)))
        assert picture.format == "PNG"
        assert picture.width > picture.height  # a row of three for each of the two segments
        # By its name alone, too; and nothing of it is overwritten.
        again = await call(client, "generate_motion", sentences=["a person walks", "bows"], seconds=[2, 1], seed=3)
        assert Path(again["files"][0]).name == f"{Path(made['files'][0]).stem}-2.npz"
        assert Path(again["files"][0]).read_bytes() == Path(made["files"][0]).read_bytes()
        assert await call(client, "caption_motion", motion=Path(made["files"][0]).name) == said

    ask(over_pipes(turn_checkpoint, out), talk)
    assert all(not path.name.startswith(".") for path in out.iterdir())


def test_what_cannot_be_done_is_told_and_the_server_goes_on(thin_checkpoint, tmp_path):
    async def talk(client: Client) -> None:
        async def refused(words: str, tool: str = "generate_motion", **arguments: Any) -> None:
            text = await refusal(client, tool, **arguments)
            assert words in text
            assert "\n" not in text

        await refused("600 s is not possible; choose 0.2 to 10 s", sentences=["walks"], seconds=[600])
        await refused("shorten it to a sentence", sentences=["walks " * 5000])
        await refused("13 sentences in one request; give 1 to 12", sentences=["walks"] * 13)
        await refused("2 durations for 1 sentences", sentences=["walks"], seconds=[1, 2])
        await refused("30 s is not possible", sentences="walks", seconds=30, formats="glb")  # one of each, as lists
        await refused("knows no turns", sentences=["walks", "bows"])
        await refused("makes one person at a time", sentences=["they bow"], people=2)
        await refused("the text is empty", sentences=[" "])
        await refused("no such file: 'nowhere.npz'", "caption_motion", motion="nowhere.npz")
        await refused("is not .npz", "caption_motion", motion="/etc/passwd")
        await refused("knows no turns", "continue_motion", motion=str(BOW_BVH), sentences=["waves"])
        assert "seed" in await refusal(client, "generate_motion", sentences=["walks"], seed=-1)
        # Markup is words like others.
        made = await call(client, "generate_motion", sentences=["<script>alert(1)</script>"], formats=["html"])
        page = Path(made["files"][0]).read_text(encoding="utf-8")
        assert "<script>alert" not in page
        assert len(list((tmp_path / "out").iterdir())) == 1

    ask(over_pipes(thin_checkpoint, tmp_path / "out"), talk)


@contextmanager
def serving(*options: object) -> Iterator[str]:
    """A server of its own process; gives its address."""
    port = free_port()
    with started(command("--http", "--port", port, *options), port, env=environment()) as where:
        yield f"{where}/mcp"


def test_clients_elsewhere_get_files_and_read_no_others(thin_checkpoint, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "secret.npz").write_bytes(b"not yours")

    async def talk(client: Client) -> None:
        made = await call(client, "generate_motion", sentences=["a person walks"], seconds=[1], formats=["npz", "glb"])
        assert made["files"] == ["a-person-walks-seed0.npz", "a-person-walks-seed0.glb"]
        for name in made["files"]:
            content = (await client.read_resource(f"motion://files/{name}")).contents[0]
            assert base64.b64decode(content.blob) == (out / name).read_bytes()
        assert isinstance(await call(client, "caption_motion", motion=made["files"][0]), str)
        assert isinstance(await call(client, "caption_motion", motion=f"motion://files/{made['files'][0]}"), str)
        for path in (str(tmp_path / "secret.npz"), "../secret.npz", str(BOW_BVH)):
            assert "is not in the folder of this server" in await refusal(client, "caption_motion", motion=path)
            with pytest.raises(MCPError):
                await client.read_resource(f"motion://files/{path.replace('/', '%2F')}")

    async def several(client: Client) -> None:
        async with anyio.create_task_group() as tasks:
            for seed in range(4):
                tasks.start_soon(one_of_many, client, seed)

    made: dict[int, str] = {}

    async def one_of_many(client: Client, seed: int) -> None:
        answer = await call(client, "generate_motion", sentences=[f"walks {seed}"], seconds=[1], seed=seed)
        made[seed] = answer["files"][0]
        assert answer["caption"] == f"walks {seed}"

    with serving("--model", thin_checkpoint, "-o", out) as address:
        ask(address, talk)
        ask(address, several)
    assert made == {seed: f"walks-{seed}-seed{seed}.npz" for seed in range(4)}
    assert [Motion.load(out / name).seed for _, name in sorted(made.items())] == [0, 1, 2, 3]


@pytest.mark.parametrize("options,words", [
    (["--model", "./nothing"], "there is no checkpoint folder './nothing'"),
    (["--http", "--port", "70000"], "--port is 70000"),
    (["--engine", "none"], "--engine is 'none'"),
])  # fmt: skip
def test_what_cannot_be_served_is_refused(tmp_path, capsys, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    assert cli(["mcp", *options]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
