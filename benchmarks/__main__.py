"""`python -m benchmarks`: every benchmark, as one table."""

import argparse
from collections.abc import Callable, Iterable

from benchmarks import (
    bvh_import,
    commands,
    decoding,
    evaluation,
    motion_features,
    pictures,
    scaling,
    start,
    streaming,
    training,
)
from benchmarks.measuring import Row, machine, print_table
from hub_scripts.metrics.judge import load_sentence_encoder
from modeling_motionllm.errors_motionllm import MotionLLMError


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter motions, no batch of 32")
    parser.add_argument("--cpu-time", action="store_true", help="processor seconds instead of seconds that pass")
    parts: dict[str, Callable[[bool, bool], Iterable[Row]]] = {
        "start": lambda quick, cpu: start.measure(3 if quick else 5, cpu),
        "commands": commands.measure,
        "features": lambda quick, cpu: motion_features.measure(3 if quick else 7, cpu),
        "import of .bvh": bvh_import.measure,
        "pictures": pictures.measure,
        "streaming": streaming.measure,
        "decoding": decoding.measure,
        "training": training.measure,
        "evaluation": evaluation.measure,
        "scaling": scaling.measure,
    }
    parser.add_argument("--only", choices=list(parts), action="append", help="this part; can be repeated")
    args = parser.parse_args()
    if "evaluation" in (args.only or parts):
        try:
            load_sentence_encoder()  # if it is missing, now is the time to hear of it
        except MotionLLMError as error:
            parser.error(str(error))
    print(machine())
    print(f"medians; {'processor seconds' if args.cpu_time else 'seconds that pass'}")
    for name in args.only or parts:
        print_table(name, parts[name](args.quick, args.cpu_time))


if __name__ == "__main__":
    main()
