"""`motionllm train-vq`: train the motion VQ-VAE on a prepared dataset with `transformers.Trainer`."""

import json
from pathlib import Path

from transformers import set_seed

from hub_scripts.data.store import (
    SUMMARY,
    MotionRow,
    check_features,
    dataset_hash,
    existing_splits,
    read_motions,
    read_summary,
)
from hub_scripts.hub.folders import local_folder
from hub_scripts.training.motion_vq import (
    MotionVQTrainer,
    MotionWindows,
    VQArguments,
    VQTrainingArguments,
    build_vq,
    collate,
)
from hub_scripts.training.trainer import (
    check_resume,
    num_examples,
    only_training,
    parse_training,
    read_training_record,
    run_record,
    training_outcome,
    write_training_record,
)
from modeling_motionllm.configuration_motionllm import MotionVQConfig
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]


def main(argv: list[str]) -> int:
    """Train from the command line; see `motionllm train-vq --help`."""
    command = "motionllm train-vq"
    arguments, training = parse_training(argv, command, __doc__, (VQArguments, VQTrainingArguments))
    if arguments.init_from is None and arguments.continuous_steps >= training.max_steps:
        raise MotionLLMError(
            f"--continuous-steps is {arguments.continuous_steps} of {training.max_steps} steps, so that no codebook "
            "would be made; give fewer, or more --max-steps"
        )
    arguments.data = [local_folder(name, SUMMARY) for name in arguments.data]
    with only_training(training):
        return _train(arguments, training, " ".join([command, *argv]))


def _read(folder: str, split: str) -> list[MotionRow]:
    rows = read_motions(folder, split, ["name", "features"])
    check_features(rows, folder)
    return rows


def _train(arguments: VQArguments, training: VQTrainingArguments, command: str) -> int:
    summaries = [read_summary(folder) for folder in arguments.data]
    run = run_record(arguments, training, data=dataset_hash(*arguments.data))
    resume = check_resume(training, run)
    set_seed(training.seed)

    shortest = MotionVQConfig().frames_per_code  # shorter clips have no code
    datasets, eval_datasets = (
        [
            [one for row in _read(folder, split) for one in row["features"] if len(one) >= shortest]
            for folder in arguments.data
            if split in existing_splits(folder)
        ]
        for split in ("train", "val")
    )
    clips, eval_clips = ([one for clips in several for one in clips] for several in (datasets, eval_datasets))
    if not clips or not eval_clips:
        where = ", ".join(arguments.data)
        raise MotionLLMError(f"'{where}' has {len(clips)} train and {len(eval_clips)} val clips; prepare more")

    model = build_vq(arguments, clips)
    print(f"{len(clips)} train clips, {len(eval_clips)} val clips, {model.num_parameters() / 1e6:.2f} M parameters")

    trainer = MotionVQTrainer(
        model=model,
        args=training,
        train_dataset=MotionWindows(
            datasets,
            arguments.window,
            num_examples(training),
            training.seed,
            arguments.dataset_balance,
        ),
        eval_dataset=[{}],
        eval_clips=eval_clips,
        continuous_steps=0 if arguments.init_from else arguments.continuous_steps,
        data_collator=collate,
        run=run,
    )
    result = trainer.train(resume_from_checkpoint=resume)
    metrics = trainer.evaluate()
    trainer.save_model(training.output_dir)
    trainer.save_state()
    write_training_record(
        Path(training.output_dir),
        command=command,
        seed=training.seed,
        data_name=" + ".join(str(summary.get("name")) for summary in summaries),
        data_license=" + ".join(dict.fromkeys(str(summary.get("license")) for summary in summaries)),
        data_sha256=run["data"],
        **training_outcome(result, trainer.state.log_history),
        history=trainer.state.log_history,
        continued_from=read_training_record(arguments.init_from),
    )
    print(json.dumps(metrics, indent=2))
    return 0
