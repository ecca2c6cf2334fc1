"""`motionllm app`, asked over HTTP as its page asks it; and the Space that `motionllm push --space` makes of it."""

import html
import os
import re
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import FIXTURES, THREADS
from hub_server import HubServer
from huggingface_hub import metadata_load
from started_server import free_port, started

from hub_scripts.cli import main as cli
from hub_scripts.export import check_suffix
from hub_scripts.hub.space import CODE
from modeling_motionllm.motion import Motion

pytest_plugins = ("turn_fixtures", "hub_fixtures")

CLONE = Path(__file__).resolve().parents[2]
BOW_BVH = FIXTURES / "bandai" / "dataset-1_bow_normal_001.bvh"


def environment(**more: str) -> dict[str, str]:
    return dict(os.environ) | {"OMP_NUM_THREADS": str(THREADS), "GRADIO_ANALYTICS_ENABLED": "False"} | more


@pytest.fixture(scope="module")
def address(turn_checkpoint: Path) -> Iterator[str]:
    pytest.importorskip("gradio")
    port = free_port()
    command = ["-m", "hub_scripts.cli", "app", "--port", str(port), "--model", str(turn_checkpoint)]
    with started(command, port, env=environment(PYTHONPATH=str(CLONE))) as running:
        yield running


def client(address: str) -> Any:
    from gradio_client import Client

    return Client(address, verbose=False, download_files=False)


def shown(element: str) -> str:
    """The page inside of the player's element."""
    assert element.startswith('<iframe title="motion" sandbox="allow-scripts" ')
    return html.unescape(re.search('srcdoc="([^"]*)"', element)[1])


def by_suffix(files: list[str]) -> dict[str, Path]:
    return {check_suffix(file) if not file.endswith(".json") else ".json": Path(file) for file in files}


def ask(visitor: Any, text: str, seconds: float = 1, seed: float = 0) -> tuple[str, str]:
    player, notes, _ = visitor.predict(text, seconds, seed, 1, "", api_name="/generate")
    return player, notes


def refusal(call: Any) -> str:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError) as error:
        call()
    return str(error.value)


def test_a_visitor_makes_goes_on_changes_describes_and_takes_files(address, tmp_path):
    from gradio_client import Client, handle_file

    visitor = Client(address, verbose=False, download_files=str(tmp_path))
    player, notes = ask(visitor, "a person walks\nbows", seed=3)
    assert "a person walks, then bows" in shown(player)
    assert re.match(
        r"2.0 s, 1 person, 20 frames per second\nunknown: \d\.\d\d \(.*\)\n0.0-1.0 s: a person walks \(", notes
    )
    files = by_suffix(visitor.predict(api_name="/generate_files"))
    assert set(files) - {".usd"} == {".npz", ".amass.npz", ".bvh", ".json", ".glb", ".vrma", ".png", ".html"}
    assert (".usd" in files) == (find_spec("pxr") is not None)
    assert set(by_suffix(visitor.predict(api_name="/all_files"))) - {".fbx"} == {*files, ".mp4", ".gif"}
    assert files[".npz"].stem == "a-person-walks-then-bows-seed3"
    motion = Motion.load(files[".npz"])
    assert (motion.num_frames, motion.seed) == (40, 3)
    assert files[".glb"].read_bytes()[:4] == b"glTF"
    assert files[".html"].read_text(encoding="utf-8") == shown(player)

    _, notes, _ = visitor.predict("waves", 1, 0, api_name="/go_on")
    assert "waves (understood as: " in notes
    assert notes.startswith("3.0 s, ")
    _, notes, _ = visitor.predict("raises both hands", 0.6, 1.6, 0, api_name="/edit")
    assert "0.6-1.6 s: raises both hands" in notes
    _, notes, _ = visitor.predict(handle_file(str(BOW_BVH)), api_name="/read")
    assert "bandai" in notes
    assert visitor.predict(api_name="/describe").startswith("described as: ")


def test_visitors_are_not_mixed_up(address):
    visitors = [client(address) for _ in range(4)]

    def visit(number: int) -> list[str]:
        return [shown(ask(visitors[number], f"visitor {number} walks {turn} times")[0]) for turn in range(5)]

    with ThreadPoolExecutor(len(visitors)) as pool:
        for number, pages in enumerate(pool.map(visit, range(len(visitors)))):
            assert all(f"visitor {number} walks {turn} times" in page for turn, page in enumerate(pages))


def test_what_cannot_be_done_is_told_in_a_line_and_the_next_request_works(address, tmp_path):
    from gradio_client import handle_file

    visitor = client(address)
    assert "600 s is not possible; choose 0.2 to 10 s" in refusal(lambda: ask(visitor, "walks", 600))
    assert "shorten it to a sentence" in refusal(lambda: ask(visitor, "walks " * 5000))
    assert "the text is empty" in refusal(lambda: ask(visitor, " "))
    assert "there is no motion yet" in refusal(lambda: visitor.predict(api_name="/describe"))
    assert "the seed is 0.5" in refusal(lambda: ask(visitor, "walks", seed=0.5))
    assert "makes one person at a time" in refusal(
        lambda: visitor.predict("they bow", 1, 0, 2, "", api_name="/generate")
    )
    # Words of a visitor are words in what is told, too.
    said = refusal(lambda: ask(visitor, "<Motion_1><script>alert(1)</script>"))
    assert "&lt;script&gt;" in said
    assert "<script>" not in said
    (tmp_path / "no.bvh").write_text("no motion", encoding="utf-8")
    assert "no.bvh" in refusal(lambda: visitor.predict(handle_file(str(tmp_path / "no.bvh")), api_name="/read"))
    (tmp_path / "big.bvh").write_bytes(b"x" * (50 << 20))
    with pytest.raises(Exception, match=r"413|too large|exceed"):
        visitor.predict(handle_file(str(tmp_path / "big.bvh")), api_name="/read")
    player, _ = ask(visitor, "<script>alert(1)</script> ${alert(1)}")
    assert "<script>alert" not in shown(player)


def test_files_of_the_server_stay_its_own(address, tmp_path):
    import httpx
    from gradio_client.exceptions import AppError

    secret = tmp_path / "secret.npz"
    secret.write_bytes(b"secret")
    for path in (str(secret), "../../../../../../etc/passwd", "/etc/passwd"):
        assert httpx.get(f"{address}/gradio_api/file={path}").status_code in (403, 404)
    with pytest.raises(AppError):
        client(address).predict({"path": str(secret), "meta": {"_type": "gradio.FileData"}}, api_name="/read")
    (path,) = httpx.post(f"{address}/gradio_api/upload", files={"files": ("../../../secret.npz", b"other")}).json()
    assert Path(path).name == "secret.npz"
    assert ".." not in path
    assert secret.read_bytes() == b"secret"


def test_slow_clients_and_half_requests_hold_nobody_up(address):
    port = int(address.rpartition(":")[2])
    head = b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\n"
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall((head, head + b"Content-Length: 1000\r\n\r\n1", b"\x00 no HTTP\r\n\r\n")[number % 3])
        for connection in slow[::2]:
            connection.close()
        assert "a person bows" in shown(ask(client(address), "a person bows")[0])
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser Chromium")
@pytest.mark.parametrize("width", [1280, 375])
def test_in_a_browser(address, tmp_path, width):
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=300_000)
    asked: set[str] = set()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 812})
        page.set_default_timeout(300_000)
        page.on("request", lambda request: asked.add(request.url))
        page.goto(address)
        page.fill("#text textarea", "a person walks\nbows")
        page.fill("#seconds input", "1")
        page.click("#make")
        player = page.frame_locator("#stage iframe")
        player.locator("#timeline button").nth(1).click()
        assert player.locator("#caption").inner_text() == "bows"
        stage, room = page.locator("#stage iframe").bounding_box(), page.locator("#notes").bounding_box()
        assert stage["width"] == pytest.approx(room["width"], abs=30)  # it has all the room that there is
        assert 0 <= stage["y"] < 812  # and is in sight, whatever is above it
        with page.expect_download() as download:
            page.locator("#files a").first.click()
        download.value.save_as(tmp_path / "made.npz")
        assert Motion.load(tmp_path / "made.npz").num_frames == 40
        page.get_by_text("Upload a motion").click()
        page.set_input_files("#upload input[type=file]", str(BOW_BVH))
        playwright.expect(page.locator("#notes textarea")).to_have_value(re.compile("bandai skeleton"))
        page.click("#describe")
        playwright.expect(page.locator("#notes textarea")).to_have_value(re.compile("described as: "))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
    assert {url for url in asked if not url.startswith((address, "data:", "blob:", "about:"))} == set()


@pytest.fixture
def space(hub: HubServer, thin_checkpoint: Path, tmp_path: Path) -> Path:
    """A pushed Space as it lies on the Hub."""
    assert cli(["push", str(thin_checkpoint), "--space", "user/motions"]) == 0
    folder = tmp_path / "space"
    for name, blob in hub.head("user/motions", kind="spaces").files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(blob.data)
    return folder


def test_a_space_has_what_it_needs(space, hub, thin_checkpoint, capsys):
    card = metadata_load(space / "README.md")
    assert (card["title"], card["sdk"], card["app_file"]) == ("motions", "gradio", "app.py")
    assert card["sdk_version"].startswith("6.")
    needed = {re.match("[a-z_-]+", line)[0] for line in (space / "requirements.txt").read_text().splitlines()}
    assert {"torch", "transformers", "peft", "pillow", "av", "usd-core"} <= needed
    assert not {"gradio", "pytest"} & needed
    assert all((space / name).is_dir() for name in CODE)
    assert not list(space.rglob("*.pyc"))
    # The base model of this checkpoint is a folder of this machine: it is merged in.
    assert (space / "checkpoint" / "model.safetensors").is_file()
    assert str(thin_checkpoint.parent) not in (space / "README.md").read_text()
    before = hub.head("user/motions", kind="spaces").oid
    hub.put("user/motions", "hub_scripts/cli.py", b"print('of an earlier version')", kind="spaces")
    capsys.readouterr()
    assert cli(["push", str(thin_checkpoint), "--space", "user/motions"]) == 0
    assert "/spaces/user/motions" in capsys.readouterr().out
    head = hub.head("user/motions", kind="spaces")
    assert head.oid != before
    assert head.files["hub_scripts/cli.py"].data == (CLONE / "hub_scripts" / "cli.py").read_bytes()


def test_a_space_starts_as_the_hub_starts_it(space):
    pytest.importorskip("gradio")
    port = free_port()
    variables = environment(GRADIO_SERVER_PORT=str(port))
    variables.pop("PYTHONPATH", None)
    with started(["app.py"], port, cwd=space, env=variables) as address:
        player, notes = ask(client(address), "a person walks")
        assert "a person walks" in shown(player)
        assert "understood as: " in notes


@pytest.mark.parametrize("options,words", [
    (["push", "--space", "user/motions", "--layout", "thin"], "--space sends the web app"),
    (["push", "--space", "motions"], "--space is 'motions'; give 'user/name'"),
    (["app", "--port", "0"], "--port is 0"),
    (["app", "--model", "./nothing"], "there is no checkpoint folder './nothing'"),
])  # fmt: skip
def test_bad_options_are_refused(options, words, capsys):
    if options[0] == "app" and "--model" in options:
        pytest.importorskip("gradio")
    assert cli(options) == 2
    assert words in capsys.readouterr().err
