"""`python -m benchmarks.app_load`: many clients of `motionllm app` at once, and requests that nobody should send.

Needs the extra `app`. The app is started in a process of its own, on this machine alone.
"""

import argparse
import html
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from gradio_client import Client, handle_file

from benchmarks.measuring import machine
from hub_scripts.options.default_models import DEFAULT_CHECKPOINT

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = {"timeout": 600.0}  # seconds: clients ask for the page too while the app is busy
_ACTIONS = ("walks forward", "bows", "waves with the left hand", "raises both hands", "jumps")


@contextmanager
def _app(model: str) -> Iterator[tuple[str, int, subprocess.Popen]]:
    """The app's address, port and process, when it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(_ROOT), "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    command = [sys.executable, "-m", "hub_scripts.cli", "app", "--port", str(port), "--model", model]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise SystemExit("the app did not start")
            yield address, port, process
        finally:
            process.terminate()


def _resident(process: subprocess.Popen) -> str:
    """Memory of the app, where the system tells."""
    status = Path(f"/proc/{process.pid}/status")
    found = re.search(r"VmRSS:\s+(\d+)", status.read_text(encoding="utf-8")) if status.is_file() else None
    return f"{int(found[1]) / 1024:.0f} MB" if found else "unknown"


def _visit(address: str, number: int, times: int, seconds: float) -> tuple[list[float], list[str]]:
    """What one client waits for each answer, and what is wrong with them."""
    client = Client(address, verbose=False, download_files=False, httpx_kwargs=_PATIENCE)
    waited: list[float] = []
    wrong: list[str] = []
    for turn in range(times):
        sentence = f"person {number} of group {turn} {_ACTIONS[turn % len(_ACTIONS)]}"
        start = time.perf_counter()
        try:
            player, notes, _ = client.predict(sentence, seconds, number, 1, "", api_name="/generate")
        except Exception as error:  # noqa: BLE001  whatever it is, the request is lost
            wrong.append(f"lost: '{sentence}' ({error})")
            continue
        waited.append(time.perf_counter() - start)
        named = set(re.findall(r"person \d+ of group \d+", html.unescape(player)))
        if named != {f"person {number} of group {turn}"} or not notes.startswith(f"{seconds:.1f} s, 1 person"):
            wrong.append(f"mixed up: '{sentence}' was answered with {named or notes}")
    return waited, wrong


def _load(address: str, clients: int, requests: int, seconds: float) -> bool:
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        visits = [pool.submit(_visit, address, number, requests // clients, seconds) for number in range(clients)]
        results = [visit.result() for visit in visits]
    passed = time.perf_counter() - start
    waited = sorted(wait for waits, _ in results for wait in waits)
    wrong = [line for _, lines in results for line in lines]
    print("\n".join(wrong) or "none lost, none mixed up")
    if len(waited) > 1:
        cuts = statistics.quantiles(waited, n=100, method="inclusive")
        print(
            f"{len(waited)} answers for {clients} clients in {passed:.0f} s ({len(waited) / passed:.2f} a second): "
            f"waited p50 {cuts[49]:.1f} s, p95 {cuts[94]:.1f} s, at most {waited[-1]:.1f} s"
        )
    return not wrong


def _answer(call: Callable[[], object]) -> str:
    """What a client is told, in one line."""
    try:
        result = call()
    except HTTPError as error:
        said = f"HTTP {error.code}"
    except Exception as error:  # noqa: BLE001  it is what this is about
        said = f"{type(error).__name__}: {error}"
    else:
        said = str(result[1] if isinstance(result, tuple) else result)
    return " ".join(said.split())[:150]


def _raw(port: int, data: bytes, wait: float) -> str:
    """What the server answers to bytes, after a while of silence."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        time.sleep(wait)
        connection.shutdown(socket.SHUT_WR)
        try:
            return connection.recv(200).decode("utf-8", "replace").split("\r\n", 1)[0] or "closed"
        except OSError as error:
            return f"closed ({error})"


def _upload(port: int, name: str, content: bytes) -> str:
    """The path that an upload of that name gets."""
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    body = head + content + b"\r\n--x--\r\n"
    request = (
        "POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    status, _, rest = answer.decode("utf-8", "replace").partition("\r\n")
    return f"{status} {rest.rpartition(chr(13) + chr(10))[2]}"[:150]


def _nasty(address: str, port: int, folder: Path) -> None:
    client = Client(address, verbose=False, download_files=False, httpx_kwargs=_PATIENCE)
    big, secret = folder / "big.bvh", folder / "secret.npz"
    big.write_bytes(b"x" * (50 << 20))
    secret.write_bytes(b"nobody's business")

    def ask(text: str, seconds: float = 1) -> Callable[[], object]:
        return lambda: client.predict(text, seconds, 0, 1, "", api_name="/generate")

    cases: dict[str, Callable[[], object]] = {
        "600 s of motion": ask("a person walks", 600),
        "5,000 words": ask("walks " * 5000),
        "13 lines": ask("walks\n" * 13),
        "a script tag": ask("<script>alert(1)</script>"),
        "a token of the model": ask("<Motion_1>"),
        "50 MB": lambda: client.predict(handle_file(str(big)), api_name="/read"),
        "a file of the server, to read": lambda: client.predict(
            {"path": str(secret), "meta": {"_type": "gradio.FileData"}}, api_name="/read"
        ),
        "a file of the server, to have": lambda: urlopen(f"{address}/gradio_api/file={quote(str(secret))}").read(),
        "a file above, to have": lambda: urlopen(f"{address}/gradio_api/file=../../../../etc/passwd").read(),
        "an upload named ../../../secret.npz": lambda: _upload(port, "../../../secret.npz", b"x"),
        "an upload without a name": lambda: _upload(port, "", b"x"),
        "half a head, then nothing": lambda: _raw(port, b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\n", 1),
        "half a body, then nothing": lambda: _raw(
            port, b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{", 1
        ),
        "no HTTP": lambda: _raw(port, b"\x00\x01\x02 motion please\r\n\r\n", 1),
    }
    for name, call in cases.items():
        print(f"  {name:<36} {_answer(call)}", flush=True)
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n1")
    print(f"  {'beside 200 slow clients':<36} {_answer(ask('a person bows'))}", flush=True)
    for connection in slow:
        connection.close()
    print(f"  {'after all that':<36} {_answer(ask('a person bows'))}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app_load", description=__doc__)
    parser.add_argument("--model", default=str(DEFAULT_CHECKPOINT), help="checkpoint (default: the shipped one)")
    parser.add_argument("--clients", type=int, default=20, help="at once (default 20)")
    parser.add_argument("--requests", type=int, default=200, help="of all of them together (default 200)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of motion each (default 1)")
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder, _app(args.model) as (address, port, process):
        print(f"the app has {_resident(process)}", flush=True)
        well = _load(address, args.clients, args.requests, args.seconds)
        print(f"the app has {_resident(process)}")
        _nasty(address, port, Path(folder))
        alive = process.poll() is None
        print(f"the app {'is alive' if alive else 'is gone'} and has {_resident(process)}")
    sys.exit(0 if well and alive else 1)


if __name__ == "__main__":
    main()
