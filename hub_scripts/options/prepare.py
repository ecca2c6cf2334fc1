"""The sources that `motionllm prepare` reads: for each what it is, its options, and what prepares it."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hub_scripts.options.reading import add_reading_arguments, reading_options
from modeling_motionllm.errors_motionllm import MotionLLMError

if TYPE_CHECKING:
    from hub_scripts.data.preparation import Preparation
    from hub_scripts.data.sentence_preparation import SentencePreparation

__all__ = ["SOURCES", "Source", "add_source"]

_AGAIN = """\
An interrupted run continues where it stopped when the same command is given again. Equal input gives equal files.
"""


@dataclass(frozen=True)
class Source:
    """A word after `motionllm prepare`.

    Args:
        title: one line.
        description: the whole help.
        example: arguments of an example.
        src: name and help of the positional argument; None where there is none.
        prepare: does it with the parsed arguments.
        options: the shared options it takes, of `_OPTIONS`.
        add_arguments: adds its own options.
        epilog: said before the example.
    """

    title: str
    description: str
    example: str
    src: tuple[str, str] | None
    prepare: "Callable[[argparse.Namespace], Preparation | SentencePreparation]"
    options: tuple[str, ...] = ("limit", "overwrite")
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None
    epilog: str = ""


_OPTIONS: dict[str, dict[str, Any]] = {
    "num-proc": {"type": int, "default": 2, "metavar": "N", "help": "worker processes (default: 2)"},
    "limit": {"type": int, "metavar": "N", "help": "only the first N of each split, or of all, for a quick try"},
    "mirror": {
        "action": argparse.BooleanOptionalAction,
        "default": True,
        "help": "store mirrored copies of the train motions (default: yes)",
    },
    "overwrite": {"action": "store_true", "help": "replace a dataset that is already in DIR"},
}


def add_source(sources: Any, kind: str) -> None:
    """Add the parser of one source to the subparsers of `motionllm prepare`."""
    source = SOURCES[kind]
    parser = sources.add_parser(
        kind,
        help=source.title,
        description=source.description,
        epilog=f"{source.epilog}\nexample: motionllm prepare {kind} {source.example}\n".lstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if source.src is not None:
        name, meaning = source.src
        parser.add_argument(name.lower(), metavar=name, help=meaning)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the dataset; created if needed")
    if source.add_arguments is not None:
        source.add_arguments(parser)
    for option in source.options:
        parser.add_argument(f"--{option}", **_OPTIONS[option])
    parser.set_defaults(prepare=source.prepare)


def _bandai(args: argparse.Namespace) -> "Preparation":
    from hub_scripts.data.bandai import BandaiSource
    from hub_scripts.data.preparation import prepare

    return prepare(BandaiSource(args.src), args.out, args.num_proc, args.limit, args.mirror, args.overwrite)


def _recordings(args: argparse.Namespace) -> "Preparation":
    from hub_scripts.data.archives import archives_of, plain_name, unpack
    from hub_scripts.data.cmu import CMU_NOTICE, cmu_table
    from hub_scripts.data.preparation import prepare
    from hub_scripts.data.recording_folder import RecordingFolderSource
    from hub_scripts.data.store import start_dataset

    _check_clip_seconds(args)
    archives = archives_of(args.folder)
    folder = unpack(archives, start_dataset(args.out, args.overwrite)) if archives else args.folder
    failures: list[tuple[str, str]] = []
    captions, notice = args.captions, ""
    if args.dataset == "cmu":
        notice = CMU_NOTICE
        captions = cmu_table(folder, args.sentences, args.captions, failures)
    source = RecordingFolderSource(
        folder,
        captions,
        maps=args.out,
        options=reading_options(args),
        clip_seconds=args.clip_seconds,
        name=args.name or plain_name(args.folder),
        license=args.license,
        notice=notice,
    )
    source.passed_over += failures
    return prepare(source, args.out, args.num_proc, args.limit, args.mirror, args.overwrite)


def _hub(args: argparse.Namespace) -> "Preparation":
    from hub_scripts.data.archives import unpack
    from hub_scripts.data.preparation import prepare
    from hub_scripts.data.recording_folder import RecordingFolderSource
    from hub_scripts.data.seed import hub_table
    from hub_scripts.data.store import start_dataset
    from hub_scripts.hub.recordings import download_recordings

    _check_clip_seconds(args)
    work = start_dataset(args.out, args.overwrite)  # what would stop it shows before the download
    found = download_recordings(args.repo, args.captions, args.archive)
    captions, mirrored = hub_table(found.table)
    source = RecordingFolderSource(
        found.folder if found.archive is None else unpack([found.archive], work),
        captions,
        maps=args.out,
        options=reading_options(args),
        clip_seconds=args.clip_seconds,
        name=args.name or found.repo.rpartition("/")[2],
        license=args.license or found.license,
        notice=f"From https://huggingface.co/datasets/{found.repo}, commit {found.commit}.",
        captions_name=found.table.name,
    )
    if mirrored:
        source.files = {name: path for name, path in source.files.items() if not name.endswith(mirrored)}
    return prepare(source, args.out, args.num_proc, args.limit, args.mirror, args.overwrite)


def _check_clip_seconds(args: argparse.Namespace) -> None:
    if args.clip_seconds is not None and not args.clip_seconds >= 1:
        raise MotionLLMError(f"--clip-seconds is {args.clip_seconds:g}; give 1 or more")


def _t2m(args: argparse.Namespace) -> "Preparation":
    from hub_scripts.data.t2m_preparation import prepare_t2m

    return prepare_t2m(args.dataset, args.src, args.out, args.limit, args.overwrite)


def _pairs(args: argparse.Namespace) -> "Preparation":
    from hub_scripts.data.composed.scenes import prepare_pairs

    counts = {"train": args.train, "val": args.val, "test": args.test}
    return prepare_pairs(args.data, args.out, counts, args.seed, args.num_proc, args.mirror, args.overwrite)


def _sequences(args: argparse.Namespace) -> "Preparation":
    from hub_scripts.data.composed.sequences import prepare_sequences

    counts = {"train": args.train, "val": args.val, "test": args.test}
    return prepare_sequences(args.data, args.out, counts, args.seed, args.num_proc, args.overwrite)


def _interhuman(args: argparse.Namespace) -> "Preparation":
    from hub_scripts.data.interhuman import prepare_interhuman

    return prepare_interhuman(args.src, args.out, args.mirror, args.limit, args.overwrite)


def _sentences(args: argparse.Namespace) -> "SentencePreparation":
    from hub_scripts.data.sentence_preparation import prepare_sentences

    return prepare_sentences(args.texts, args.data, args.out, args.overwrite, args.no_motion)


def _add_datasets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", required=True, nargs="+", metavar="DIR", help="datasets of `motionllm prepare`, of single people"
    )


def _add_sentences(parser: argparse.ArgumentParser) -> None:
    _add_datasets(parser)
    parser.add_argument(
        "--no-motion",
        metavar="CSV",
        help="table of sentences that ask for no motion or are in other languages, with their kind: learned as unknown",
    )


def _add_recordings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--captions", required=True, metavar="CSV", help="table with the columns file and caption")
    _add_reading(parser)


def _add_cmu(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sentences",
        required=True,
        metavar="PATH",
        help="HumanML3D's folder with index.csv, texts/ and the split lists, or sentences.jsonl.xz",
    )
    parser.add_argument("--captions", metavar="CSV", help="table of your sentences, and of how to read single files")
    _add_reading(parser)


def _add_hub(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--captions",
        metavar="PATH",
        help="the table, in the repository or of yours (default: captions.* or metadata.*, or the only one)",
    )
    parser.add_argument(
        "--archive", metavar="PATH", help="archive in the repository that holds the recordings, where there are several"
    )
    _add_reading(parser, None, "that of the dataset card")


def _add_reading(parser: argparse.ArgumentParser, license: str | None = "other", otherwise: str = "other") -> None:
    parser.add_argument(
        "--clip-seconds", type=float, metavar="S", help="cut longer recordings into equal pieces of at most S seconds"
    )
    add_reading_arguments(parser)
    parser.add_argument("--name", help="name of the dataset (default: that of FOLDER)")
    parser.add_argument(
        "--license", default=license, help=f"of the recordings and captions, such as cc-by-4.0 (default: {otherwise})"
    )


def _add_pairs(parser: argparse.ArgumentParser) -> None:
    _add_counts(parser, "scenes", 2000)


def _add_sequences(parser: argparse.ArgumentParser) -> None:
    _add_datasets(parser)
    _add_counts(parser, "sequences", 4000)


def _add_counts(parser: argparse.ArgumentParser, what: str, train: int) -> None:
    for split, count in (("train", train), ("val", 150), ("test", 300)):
        parser.add_argument(
            f"--{split}", type=int, default=count, metavar="N", help=f"{split} {what} (default: {count})"
        )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=f"another seed, other {what} (default: 0)")


_PUBLISHED = """\
docs/datasets.md tells what is done with the files, and what could not be tried on the real ones.
"""
_OWN = Source(
    "your own .bvh, .glb, .amc ... files and a table of sentences",
    """\
Prepare your own motion: a folder of recorded or animated skeletons (.bvh, .glb, .gltf, .vrma, .amc with its .asf, .npz)
and a table of sentences.

The table is a CSV file with the columns `file` (path in FOLDER, with or without suffix) and `caption`; a clip may have
several rows. Optional columns: `content` and `style` (labels); `split` (train, val or test; else fixed by a hash of the
names); `animation` (one of several in a file, or some of them one after another, `Sit_Enter + Sit_Loop`); `start` and
`end` (seconds; each part is a clip); `partner` (file of a second person in the same world: a scene of two); `fps`,
`up`, `scale` and `map` (as the options below, for one file); `reversed` (true: from its end to its beginning); `repeat`
(plays a loop so many times); `speed` (metres a second that an animation in place goes forward, or `feet` to find it
out); `license` and `name` of the clip.

Skeletons of Bandai-Namco, CMU, iClone, Mixamo, LAFAN1, Xsens and SMPL are known; others (Unreal, Unity, VRM, Rigify,
3ds Max, DAZ ...) are told by their names and tree; for the rest a map to complete is written into DIR. Unit, up axis
and a T-pose before the motion are found out and said. Train clips are stored twice, as recorded and mirrored; captions
that name a side are mirrored too. A file that cannot be used is named at the end.
""",
    "recordings/ --captions captions.csv --clip-seconds 10 --out data/mine",
    ("FOLDER", "folder with the files, also in subfolders, or an archive of such (.zip, .tar.xz ...)"),
    _recordings,
    options=("num-proc", "limit", "mirror", "overwrite"),
    add_arguments=_add_recordings,
    epilog=_AGAIN + "docs/own_data.md shows the way from such a folder to a model of your own.\n",
)
SOURCES: dict[str, Source] = {
    "bandai": Source(
        "Bandai-Namco-Research-Motiondataset 1 and 2",
        """\
Prepare the Bandai-Namco-Research-Motiondataset 1 and 2 (3,076 clips with content and style labels; CC BY-NC 4.0).

SRC is the folder that holds dataset-1.tar.xz and dataset-2.tar.xz (they are read as they are, nothing is unpacked), one
such archive, or a folder of unpacked .bvh files. Captions are written from the labels and from what the motion does.
Train clips are stored twice, as recorded and mirrored. A clip that cannot be used is named at the end and left out.
""",
        "~/bandai-namco --out data/bandai",
        ("SRC", "folder with the archives, one archive, or a folder of .bvh files"),
        _bandai,
        options=("num-proc", "limit", "mirror", "overwrite"),
        epilog=_AGAIN,
    ),
    "bvh": _OWN,
    "hub": Source(
        "captioned recordings that are a dataset of the Hub, BONES-SEED too",
        """\
Prepare recordings with sentences that are a dataset of the Hugging Face Hub, as `motionllm prepare bvh` prepares a
folder: .bvh, .glb, .amc ... files or an archive of such, and a table with the columns file (or file_name) and caption
(or text). SOMA's skeleton and the others are known. All files are of one commit and stay in the Hub's cache.

BONES-SEED's own tables are known too: bones-studio/seed --archive soma_uniform.tar.gz and --captions
metadata/seed_metadata_v004.parquet (sentences for whole motions) or metadata/seed_metadata_v002_temporal_labels.jsonl
(one for each event). Its mirrored copies are left out. Accept its terms on its page, and log in with `hf auth login`.
""",
        "user/motions@v1 --out data/motions",
        ("REPO", "dataset of the Hub: user/name, or user/name@revision"),
        _hub,
        options=("num-proc", "limit", "mirror", "overwrite"),
        add_arguments=_add_hub,
        epilog=_AGAIN + _PUBLISHED,
    ),
    "glb": replace(_OWN, title="the same, for animations", example=_OWN.example.replace("recordings/", "animations/")),
    "cmu": Source(
        "recordings of the CMU database, with HumanML3D's sentences",
        """\
Prepare recordings of the CMU motion capture database (mocap.cs.cmu.edu), in any format and conversion, with the
sentences that HumanML3D has about them: each part of a trial that it describes becomes a clip, in HumanML3D's split.

FOLDER holds files named after their trials (60_01.bvh, 02/02_01.amc); else --captions gives each its trial in the
column `trial`. Otherwise that table is as for `motionllm prepare bvh`: its rows are clips too, and what it says of a
file (fps, content ...) holds for the described parts. Parts that share a moment with a clip for testing are left out.
The conversion's header may name a wrong rate (Daz-friendly salsa: 60, not 120): give the column fps.
""",
        "~/cmu --sentences ~/HumanML3D --out data/cmu",
        ("FOLDER", "folder with the recordings, also in subfolders, or an archive of such (.zip, .tar.xz ...)"),
        _recordings,
        options=("num-proc", "limit", "mirror", "overwrite"),
        add_arguments=_add_cmu,
        epilog="""\
CMU asks for this line: "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with
funding from NSF EIA-0196217." The sentences are HumanML3D's (MIT).
""",
    ),
    "humanml3d": Source(
        "HumanML3D, as published",
        """\
Prepare HumanML3D (Guo et al. 2022) as its authors publish it. The movements come from AMASS, under whose licence you
must have obtained them; the result is for you alone.

SRC is the folder with new_joint_vecs/, texts/, train.txt, val.txt, test.txt and, where there, new_joints/, Mean.npy and
Std.npy. Sentences, word classes, splits and the mirrored copies (M...) are the published ones; a sentence with times
becomes a clip of its own. Files that are missing or damaged are named at the end and left out.
""",
        "~/HumanML3D --out data/humanml3d",
        ("SRC", "the published folder"),
        _t2m,
        epilog=_PUBLISHED,
    ),
    "kit": Source(
        "KIT-ML in HumanML3D's form, as published",
        """\
Prepare KIT-ML (Plappert et al. 2016) in the form that Guo et al. 2022 publish: 21 joints, 251 features, 12.5 fps.

SRC is the folder with new_joint_vecs/, texts/, train.txt, val.txt, test.txt and, where there, new_joints/, Mean.npy and
Std.npy. It has a skeleton of its own: a model trained on it is for KIT-ML alone; its motions are shown and exported on
the body of 22 joints.
""",
        "~/KIT-ML --out data/kit",
        ("SRC", "the published folder"),
        _t2m,
        epilog=_PUBLISHED,
    ),
    "pairs": Source(
        "scenes of two and three people, composed from prepared clips",
        """\
Compose scenes of two and three people from the clips of one person each that `motionllm prepare bandai` wrote: bowing
to each other, waving goodbye to someone who walks away, walking side by side, passing by, and more (docs/scenes.md).

Clips of one split only are put together. Bodies that would run into each other are drawn again. Each scene gets six
captions; train scenes are stored twice, as composed and mirrored.
""",
        "data/bandai --out data/scenes --seed 0",
        ("DATA", "folder written by `motionllm prepare bandai`"),
        _pairs,
        options=("num-proc", "mirror", "overwrite"),
        add_arguments=_add_pairs,
        epilog=_AGAIN,
    ),
    "sequences": Source(
        "one person doing one thing after another, composed from prepared clips",
        """\
Compose sequences in time from clips of one person each that other `motionllm prepare` commands wrote: walking and then
bowing, a punch and then a kick; two to four things, 10 seconds at most (docs/datasets.md).

Clips of one split only are joined, those of all folders with each other, where one ends nearly as the other begins:
gaits come to a stand, feet that stand elsewhere take a step, and the rest of the difference fades out in 0.2 to 0.5 s.
Joins that slide or jerk are drawn again. Each sequence has sentences for the whole and for every part.
""",
        "--data data/bandai data/mesh2motion --out data/sequences",
        None,
        _sequences,
        options=("num-proc", "overwrite"),
        add_arguments=_add_sequences,
        epilog=_AGAIN,
    ),
    "interhuman": Source(
        "InterHuman: recorded scenes of two people",
        """\
Prepare InterHuman (Liang et al. 2023; CC BY-NC-SA 4.0, on request from its authors, not to be passed on) as scenes
of two people with their own captions and splits.

SRC is the published folder: motions_processed/person1/*.npy and person2/*.npy, annots/*.txt, split/train.txt, val.txt
and test.txt. Train scenes are stored twice, as recorded and mirrored. A scene that cannot be used is named at the end.
""",
        "~/interhuman --out data/interhuman",
        ("SRC", "folder with motions_processed/, annots/ and split/"),
        _interhuman,
        options=("limit", "mirror", "overwrite"),
    ),
    "sentences": Source(
        "sentences that people wrote, for the motions that show what they say",
        """\
Find for HumanML3D's sentences the motions of your datasets that show what they say, as a store of sentences that
`motionllm train --sentences DIR` reads. The motions of HumanML3D itself are not needed.

TEXTS is HumanML3D's folder with index.csv, texts/ and the split lists, or a JSONL file of them. What a motion does is
told by its label, its captions and its joints together; a sentence is taken for it only if all that the sentence says
is known of it. Sentences of actions that no motion shows are kept too, marked as unknown; the rest is left out.
Sentences said of a clip for validation or testing are no sentences for training.
""",
        "~/HumanML3D --data data/bandai data/mine --out data/sentences",
        ("TEXTS", "HumanML3D's folder, or a JSONL file (also .xz)"),
        _sentences,
        options=("overwrite",),
        add_arguments=_add_sentences,
        epilog="The sentences are HumanML3D's (MIT, Copyright (c) 2022 Chuan Guo).\n",
    ),
}
