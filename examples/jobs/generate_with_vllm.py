# /// script
# requires-python = ">=3.11"
# dependencies = ["motionllm", "vllm"]
# ///
"""A dataset of motions for a table of sentences: vLLM draws the codes on a GPU, several processes decode them.

    motionllm export --layout plain --out plain
    uv run examples/jobs/generate_with_vllm.py sentences.csv motions --serve plain --duration 4
    uv run examples/jobs/generate_with_vllm.py sentences.csv motions --engine http://gpu-box:8000/v1 --duration 4

Other options are those of `motionllm generate` (`--model user/name` ...). Stopped anywhere, the same command goes on.
Where motionllm is on no index, name its wheel in `dependencies`: `motionllm @ https://...whl`. `--engine` was tried in
tests, with a small server of vLLM's interface; `--serve`, and vLLM on a GPU, were not.
"""

import argparse
import os
import subprocess
import sys
import time
import urllib.request

LOCAL = "http://127.0.0.1:8000/v1"


def wait_for(server: subprocess.Popen[bytes]) -> None:
    """Wait until the server that was started lists its model."""
    while server.poll() is None:
        try:
            return urllib.request.urlopen(f"{LOCAL}/models", timeout=5).close()
        except OSError:  # urllib's errors are of its kind
            time.sleep(2)
    sys.exit(f"vllm ended with code {server.returncode}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", help="table of sentences, as `motionllm generate --prompts` takes it")
    parser.add_argument("out", help="folder of the dataset")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--serve", metavar="PLAIN", help="plain layout, folder or Hub id, to start vLLM with")
    where.add_argument("--engine", metavar="URL", help="a server that runs already")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="that decode (default: all cores)")
    args, others = parser.parse_known_args()
    server = subprocess.Popen(["vllm", "serve", args.serve, "--port", "8000"]) if args.serve else None
    try:
        if server is not None:
            wait_for(server)
        command = [sys.executable, "-m", "hub_scripts.cli", "generate", "--prompts", args.prompts, "--skip-existing"]
        command += ["--dataset-dir", args.out, "--engine", args.engine or LOCAL, *others]
        places = ({"RANK": str(rank), "WORLD_SIZE": str(args.processes)} for rank in range(args.processes))
        workers = [subprocess.Popen(command, env=os.environ | place | {"OMP_NUM_THREADS": "1"}) for place in places]
        return max(worker.wait() for worker in workers)
    finally:
        if server is not None:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
