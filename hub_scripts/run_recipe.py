"""`motionllm recipe`: from raw data to a checkpoint by one command that goes on where it was stopped."""

import argparse
import sys
import time
from collections.abc import Sequence

from hub_scripts.training.recipe import read_recipe
from hub_scripts.training.recipe_run import RecipeRun, told_seconds

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run `motionllm recipe`.

    Returns:
        0; 130 if it was stopped.

    Raises:
        MotionLLMError: a recipe that cannot be run, missing data, or a stage that failed.
    """
    from hub_scripts.cli import COMMANDS  # here, as that module is this program

    parser = argparse.ArgumentParser(
        prog="motionllm recipe",
        description="Run a recipe: the commands of a YAML file that lead from raw data to a trained and measured "
        "checkpoint, each stage in a process of its own. OUTPUT_DIR/logs/ gets what they print and "
        "OUTPUT_DIR/recipe.json what was done. Given again, the same command goes on where it was stopped, in the "
        "middle of a training too, and ends with the same bits. docs/training.md tells what the folder of the raw data "
        "holds.",
        epilog="example: motionllm recipe recipes/default.yaml --sources ~/motion --output-dir runs/default",
    )
    parser.add_argument("recipe", metavar="RECIPE.yaml", help="such as recipes/default.yaml")
    parser.add_argument(
        "--sources", required=True, metavar="DIR", help="folder of the raw data, {sources} in the recipe"
    )
    parser.add_argument("--output-dir", required=True, metavar="DIR", help="folder of the results, {out} in the recipe")
    parser.add_argument(
        "--from", dest="start", metavar="STAGE", help="repeat this stage and all after it; their results are removed"
    )
    args = parser.parse_args(argv)
    recipe = read_recipe(args.recipe, [name for name in COMMANDS if name != "recipe"])
    run = RecipeRun(recipe, args.sources, args.output_dir, args.start)
    print(f"{recipe.name}: {len(recipe.stages)} stages, {len(run.finished)} finished, {len(run.todo)} to do")
    if recipe.license and run.todo:
        print(f"terms: {' '.join(recipe.license.split())}")
    for stage in run.finished:
        print(f"{_place(stage.name, run)}: finished before")
    started, at = time.monotonic(), ""
    try:
        for stage, seconds in run.run():
            at = stage.name
            how = stage.output if seconds is None else f"finished, {told_seconds(seconds)}"
            print(f"{_place(at, run)}: {how}", flush=True)
    except KeyboardInterrupt:
        print(f"motionllm recipe: stopped in stage '{at}'; the same command goes on from there", file=sys.stderr)
        return 130
    print(f"all stages of {recipe.name} are finished; this run took {told_seconds(time.monotonic() - started)}")
    return 0


def _place(name: str, run: RecipeRun) -> str:
    return f"[{run.recipe.index(name) + 1}/{len(run.recipe.stages)}] {name}"
