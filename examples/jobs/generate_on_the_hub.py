# /// script
# requires-python = ">=3.11"
# dependencies = ["motionllm"]
# ///
r"""A dataset of motions for a table of sentences, made by a job of the Hub and kept there.

    hf jobs uv run --flavor l4x1 --secrets HF_TOKEN --timeout 4h examples/jobs/generate_on_the_hub.py \
        user/sentences sentences.csv user/motions --model user/name --device cuda --duration 4

The table is a file of the dataset `user/sentences`; other options are those of `motionllm generate`. What is made is
sent to the dataset `user/motions` every five minutes and at the end. A job that was ended goes on where it was when it
is started again, on any machine. Where motionllm is on no index, name its wheel in `dependencies`: `motionllm @
https://...whl`. Tried on a processor with the Hub of the tests; as a job of the Hub it was not.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from huggingface_hub import CommitScheduler, HfApi, hf_hub_download

OUT = Path("motions")
HIDDEN = [".*", "*/.*"]  # unfinished files, and the cache of downloads


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", metavar="user/sentences", help="dataset with the table")
    parser.add_argument("table", help="file in it, as `motionllm generate --prompts` takes it")
    parser.add_argument("motions", metavar="user/motions", help="dataset to make, private at first, or to go on with")
    args, others = parser.parse_known_args()
    prompts = hf_hub_download(args.sentences, args.table, repo_type="dataset")
    HfApi().create_repo(args.motions, repo_type="dataset", private=True, exist_ok=True)
    HfApi().snapshot_download(args.motions, repo_type="dataset", local_dir=OUT)
    sending = CommitScheduler(
        repo_id=args.motions, repo_type="dataset", folder_path=OUT, every=5, ignore_patterns=HIDDEN
    )
    with sending:  # leaving it sends what is left
        command = [sys.executable, "-m", "hub_scripts.cli", "generate", "--prompts", prompts]
        return subprocess.run([*command, "--dataset-dir", str(OUT), "--skip-existing", *others], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
