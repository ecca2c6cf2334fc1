"""Files of sentences, jobs and batches, datasets of generated motions, and work shared by processes."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from hub_scripts.cli import main
from hub_scripts.generation.jobs import file_stem, make_jobs, plan_batches, process_place
from hub_scripts.generation.kept_files import KeptFiles, written_settings
from hub_scripts.generation.prompts import Prompt, read_prompts
from hub_scripts.generation.run import generate_batch
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

ROOT = Path(__file__).parents[2]
PROMPTS = [Prompt("a person walks", 1.2, 7), Prompt("someone, who bows", None, 3), Prompt("jump", 0.4, None)]


def write_prompts(path: Path) -> Path:
    rows = [{"caption": p.text, "duration": p.duration, "seed": p.seed} for p in PROMPTS]
    if path.suffix == ".jsonl":
        path.write_text("\n\n".join(json.dumps({k: v for k, v in row.items() if v is not None}) for row in rows))
    elif path.suffix == ".csv":
        path.write_text('note,caption,duration,seed\n,a person walks,1.2,7\n,"someone, who bows",,3\n,jump,0.4,\n')
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_tables_of_sentences_are_read(tmp_path, suffix):
    assert read_prompts(write_prompts(tmp_path / f"prompts{suffix}")) == PROMPTS


@pytest.mark.parametrize("name,content,words", [
    ("a.csv", "text\nwalk\n", ["has no column 'caption', only text"]),
    ("a.csv", "caption,seed\nwalk,1\n,2\n", ["line 3", "caption ''"]),
    ("a.csv", "caption,seed\nwalk,1,5\n", ["line 2", "in quotes"]),
    ("a.csv", "caption,duration\nwalk,long\n", ["line 2", "duration 'long'", "give a number"]),
    ("a.csv", "caption,seed\nwalk,-1\n", ["line 2", "seed '-1'", "from 0 on"]),
    ("a.csv", "caption\n", ["holds no sentence", "one row for each"]),
    ("a.jsonl", '{"caption": "walk"}\n{"caption": ', ["line 2", "no JSON"]),
    ("a.jsonl", '["walk"]', ["line 1", "no JSON object"]),
    ("a.jsonl", '{"caption": "walk", "seed": 1.5}', ["line 1", "seed 1.5"]),
    ("a.jsonl", '{"caption": "walk", "duration": NaN}', ["line 1", "duration nan"]),
    ("a.jsonl", '{"caption": ["walk"]}', ["line 1", "give a sentence"]),
    ("a.parquet", "caption", ["no readable .parquet"]),
])  # fmt: skip
def test_tables_that_cannot_be_used_are_refused_by_row(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(MotionLLMError) as caught:
        read_prompts(tmp_path / name)
    for word in [str(tmp_path / name), *words]:
        assert word in str(caught.value)


def test_jobs_have_names_and_seeds_of_their_own():
    prompts = [Prompt("walk"), Prompt("walk!"), Prompt("walk 2"), Prompt("jump", 2.0, 9)]
    jobs = make_jobs(prompts, 1, 1.0, 4)
    assert [job.stem for job in jobs] == ["walk", "walk-2", "walk-2-2", "jump"]
    assert [(job.duration, job.seed) for job in jobs] == [(1.0, 4), (1.0, 4), (1.0, 4), (2.0, 9)]
    jobs = make_jobs(prompts, 3, None, 4)
    assert [job.seed for job in jobs] == [4, 5, 6] * 3 + [9, 10, 11]
    assert len({job.stem for job in jobs}) == len(jobs)


@pytest.mark.parametrize("samples,size", [(1, 4), (3, 4), (3, 7), (5, 4), (2, 100)])
def test_batches_hold_every_job_once_and_sentences_whole(processor, samples, size):
    texts = ["walk", "a person walks forward and then turns around slowly", "someone jumps", "a person runs", "bow"]
    prompts = [Prompt(text, 1.0 if number % 2 else None) for number, text in enumerate(texts)]
    jobs = make_jobs(prompts, samples, None, 0)
    batches = plan_batches(jobs, processor, size)
    assert sorted((job for batch in batches for job in batch), key=jobs.index) == jobs
    assert max(map(len, batches)) <= size
    for batch in batches:
        assert len({job.duration is None for job in batch}) == 1
        counts = {job.prompt: sum(other.prompt == job.prompt for other in batch) for job in batch}
        assert samples > size or set(counts.values()) == {samples}
    if size == 4 and samples == 1:
        lengths = [[len(processor.text_to_motion_ids(job.text)) for job in batch] for batch in batches]
        assert all(row == sorted(row) for row in lengths)


def test_the_place_of_a_process_is_what_the_launcher_says():
    assert process_place({}) == (0, 1, 0)
    assert process_place({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}) == (3, 4, 1)
    assert process_place({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}) == (1, 2, 0)
    assert process_place({"RANK": "3"}) == (0, 1, 0)


def generate(checkpoint, *options: object) -> None:
    assert main(["generate", "--model", str(checkpoint), *map(str, options)]) == 0


def test_a_table_of_sentences_becomes_a_dataset(thin_checkpoint, tmp_path, capsys):
    prompts = write_prompts(tmp_path / "prompts.csv")
    options = ["--prompts", prompts, "--num-return-sequences", 2, "--batch-size", 2, "--seed", 1]
    generate(thin_checkpoint, *options, "--dataset-dir", tmp_path / "made")
    assert not (tmp_path / "out").exists()
    shards = sorted((tmp_path / "made" / "data").iterdir())
    assert [path.name for path in shards] == [f"train-0000{number}-of-00003.arrow" for number in range(3)]
    assert "6 motions" in (tmp_path / "made" / "README.md").read_text()
    rows = datasets.load_dataset(str(tmp_path / "made"), split="train", cache_dir=str(tmp_path / "cache"))
    rows = sorted(rows, key=lambda row: (row["prompt"], row["seed"]))
    assert [row["caption"] for row in rows] == [prompt.text for prompt in PROMPTS for _ in range(2)]
    assert [row["seed"] for row in rows] == [7, 8, 3, 4, 1, 2]
    assert [row["num_frames"] for row in rows[:2] + rows[4:]] == [24, 24, 8, 8]
    # The same motions as files hold.
    generate(thin_checkpoint, *options, "--formats", "npz", "-o", tmp_path / "files")
    for row, name in zip(rows[::2], ["a-person-walks", "someone-who-bows", "jump"], strict=True):
        motion = Motion.load(tmp_path / "files" / f"{name}-sample1.npz")
        assert row["codes"] == motion.codes.tolist()
        np.testing.assert_allclose(np.array(row["joints"], dtype=np.float32), motion.joints, atol=1e-4)
        assert (row["fps"], row["seed"], row["model"]) == (motion.fps, motion.seed, motion.model)
        assert 0 < row["unknown"] == pytest.approx(motion.unknown, abs=1e-3)
    # Going on makes what is missing, and nothing else.
    before = {path: path.read_bytes() for path in shards}
    shards[1].unlink()
    os.utime(shards[0], (0, 0))
    capsys.readouterr()
    generate(thin_checkpoint, *options, "--dataset-dir", tmp_path / "made", "--skip-existing")
    assert capsys.readouterr().out.split() == [str(shards[1])]
    assert {path: path.read_bytes() for path in shards} == before
    assert shards[0].stat().st_mtime == 0
    # Another dataset is not mixed into it.
    for other in (["--seed", 2, "--skip-existing"], ["--num-return-sequences", 3], ["--plant-feet", "--skip-existing"]):
        command = ["generate", "--model", thin_checkpoint, *options, "--dataset-dir", tmp_path / "made", *other]
        assert main([str(word) for word in command]) == 2
        assert "is of another dataset" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in shards} == before


def test_planted_feet_in_files_and_datasets(thin_checkpoint, tmp_path, everything_stands):
    options = ["a person walks", "--duration", 3, "--seed", 5, "--formats", "npz"]
    generate(thin_checkpoint, *options, "-o", tmp_path / "plain")
    generate(thin_checkpoint, *options, "-o", tmp_path / "planted", "--plant-feet", "--dataset-dir", tmp_path / "made")
    plain, planted = (Motion.load(tmp_path / name / "a-person-walks.npz") for name in ("plain", "planted"))
    np.testing.assert_allclose(planted.joints, plain.plant_feet().joints, atol=1e-4)
    assert not np.array_equal(planted.joints, plain.joints)
    assert planted.features is None
    [row] = datasets.load_dataset(str(tmp_path / "made"), split="train", cache_dir=str(tmp_path / "cache"))
    np.testing.assert_array_equal(np.array(row["joints"], dtype=np.float32), planted.joints)


def test_progress_says_how_far_it_is_and_gives_the_same(model, processor):
    jobs = make_jobs([Prompt("a person walks", 8.0, 5)], 1, None, 0)
    seconds: list[float] = []
    (whole,), (stream,) = ([one.motion for one in generate_batch(model, processor, jobs, progress=progress)]
                           for progress in (None, seconds.append))  # fmt: skip
    assert len(seconds) > 3
    assert seconds == sorted(seconds)
    assert seconds[-1] == 8.0
    assert whole.codes.tolist() == stream.codes.tolist()
    np.testing.assert_allclose(stream.joints, whole.joints, atol=1e-4)


def test_two_processes_write_what_one_writes(thin_checkpoint, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("".join(f"a person walks {'and turns ' * (number % 3)}{number}\n" for number in range(9)))
    options = ["generate", "--model", str(thin_checkpoint), "--prompts", str(prompts), "--duration", "1"]
    options += ["--num-return-sequences", "2", "--batch-size", "4", "--formats", "npz"]
    one, two = (
        [*options, "-o", str(tmp_path / n), "--dataset-dir", str(tmp_path / f"{n}-data")] for n in ("one", "two")
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in both processes: with another number sums are rounded otherwise
    assert main(one) == 0
    torch.set_num_threads(threads)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    run = subprocess.run(
        [*launcher, "-m", "hub_scripts.cli", *two],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    for suffix, count in (("", 18), ("-data", 6)):
        folders = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
        first, second = (
            {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            for folder in folders
        )
        assert len(first) == count
        assert first == second


def test_a_table_from_a_spreadsheet_is_read(tmp_path):
    """Semicolons, byte order mark, capital headers, decimal comma, decomposed letters; and other kinds of tables."""
    rows = [Prompt("a person bows", 1.5, 1), Prompt("a person walks; then b\u00f6ws", 1.0, 2)]
    text = 'Caption;Duration;Seed\r\na person bows;1,5;1\r\n"a person walks; then bo\u0308ws";1;2\r\n;;\r\n'
    (tmp_path / "semi.csv").write_bytes(text.encode("utf-8-sig"))
    (tmp_path / "unicode.csv").write_bytes(text.replace(";", "\t").replace("walks\t", "walks;").encode("utf-16"))
    (tmp_path / "tab.tsv").write_text(
        "CAPTION\tduration\tSeed\na person bows\t1.5\t1\na person walks; then böws\t1\t2\n"
    )
    objects = [{"Caption": row.text, "duration": row.duration, "SEED": row.seed} for row in rows]
    (tmp_path / "list.json").write_text(json.dumps(objects))
    (tmp_path / "lines.jsonl").write_text("\n".join(json.dumps(entry) for entry in objects))
    for name in ("semi.csv", "unicode.csv", "tab.tsv", "list.json", "lines.jsonl"):
        assert read_prompts(tmp_path / name) == rows, name
    (tmp_path / "told.csv").write_text("sep=;\n" + text.replace("\r\n", "\n"))
    assert read_prompts(tmp_path / "told.csv") == rows
    (tmp_path / "plain.txt").write_bytes("\ufeffa person bo\u0308ws\n".encode())
    assert read_prompts(tmp_path / "plain.txt") == [Prompt("a person böws")]


@pytest.mark.parametrize("text, stem", [
    ("A person walks, then stops!", "a-person-walks-then-stops"),
    ("一个人向前走", "一个人向前走"),
    ("Человек идёт вперёд", "человек-идёт-вперёд"),
    ("एक व्यक्ति चलता है", "एक-व्यक्ति-चलता-है"),
    ("e\u0301te\u0301_2", "été-2"),
    ("...", "motion-ab5df6"),
])  # fmt: skip
def test_files_are_named_by_words_of_any_script(text, stem):
    assert file_stem(text) == stem
    assert file_stem("\N{DANCER}") != file_stem("\N{RUNNER}")


def test_long_sentences_that_begin_alike_have_names_of_their_own():
    begin = "a person walks forward slowly and then turns around to the "
    left, right = file_stem(begin + "left"), file_stem(begin + "right")
    assert left != right
    assert all(len(name) <= 48 and name.startswith("a-person-walks-forward-slowly-and-then-") for name in (left, right))


def test_motions_of_other_sentences_are_left_alone_and_what_is_kept_is_the_same(tmp_path):
    joints = np.zeros((8, 22, 3), dtype=np.float32)
    settings = {"model": "m", "temperature": 0.5}
    (job,) = make_jobs([Prompt("walk!", None, 3)], 1, None, 0)
    made = Motion(joints, caption="walk!", seed=3, settings=written_settings(settings, job))
    made.save(tmp_path / "walk.npz")
    kept = KeptFiles(tmp_path, ["npz"])
    assert [j.stem for j in make_jobs([Prompt("walk!"), Prompt("Walk")], 1, None, 0, kept.is_others)] == [
        "walk",
        "walk-2",
    ]
    assert [j.stem for j in make_jobs([Prompt("Walk")], 1, None, 0, kept.is_others)] == ["walk-2"]
    assert Motion.load(tmp_path / "walk.npz").settings == made.settings
    assert kept.has(job, settings, seeded=True)
    for other in ({"temperature": 0.7}, {"model": "n"}):
        assert not kept.has(job, settings | other, seeded=True)
    for changed in ({"seed": 4}, {"text": "walk"}, {"duration": 2.0}, {"stem": "run"}):
        assert not kept.has(replace(job, **changed), settings, seeded=True)
    assert not KeptFiles(tmp_path, ["npz", "bvh"]).has(job, settings, seeded=True)
    replace(made, settings=None).save(tmp_path / "walk.npz")
    assert not kept.has(job, settings, seeded=True)


@pytest.mark.parametrize("people, names", [(1, ["walk.bvh"]), (2, ["walk-person1.bvh", "walk-person2.bvh"])])
def test_files_that_say_nothing_are_as_old_as_the_one_that_does(tmp_path, people, names):
    joints = np.zeros((people, 8, 22, 3), dtype=np.float32)
    (job,) = make_jobs([Prompt("walk", None, 3)], 1, None, 0)
    source = tmp_path / "before.npz"
    kept = KeptFiles(tmp_path, ["bvh", "npz"], people, [source])
    for path in (source, *(tmp_path / name for name in names)):
        path.write_bytes(b"something")
    Motion(joints, caption="walk", seed=3, settings=written_settings({}, job)).save(tmp_path / "walk.npz")
    assert kept.has(job, {}, seeded=True)
    later = (tmp_path / "walk.npz").stat().st_mtime_ns + 1_000_000_000
    for path in (source, *(tmp_path / name for name in names)):  # of another seed, say
        before = path.stat()
        os.utime(path, ns=(later, later))
        assert not kept.has(job, {}, seeded=True)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert kept.has(job, {}, seeded=True)
    (tmp_path / names[-1]).unlink()
    assert not kept.has(job, {}, seeded=True)


def test_another_rate_and_skeleton_are_made_again(thin_checkpoint, tmp_path, capsys):
    options = ["a person walks", "--duration", 1, "--formats", "npz,bvh", "--no-caption", "-o", tmp_path]
    generate(thin_checkpoint, *options)
    for more, made in (([], False), (["--fps", 40], True), (["--fps", 40], False), (["--skeleton", "cmu"], True)):
        capsys.readouterr()
        generate(thin_checkpoint, *options, *more, "--skip-existing")
        assert bool(capsys.readouterr().out) == made
    assert "ROOT Hips" in (tmp_path / "a-person-walks.bvh").read_text()
    generate(thin_checkpoint, *options[:3], "--formats", "bvh", "--seed", 1, "-o", tmp_path)  # written over
    before = (tmp_path / "a-person-walks.bvh").read_bytes()
    generate(thin_checkpoint, *options, "--skeleton", "cmu", "--skip-existing")
    assert (tmp_path / "a-person-walks.bvh").read_bytes() != before
