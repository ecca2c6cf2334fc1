"""The table of sentences, and left and right in mirrored sentences."""

import json
from pathlib import Path

import pytest

from hub_scripts.captions.mirrored import mirror_words
from hub_scripts.data.caption_table import read_caption_table
from modeling_motionllm.errors_motionllm import MotionLLMError


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "captions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_are_gathered_by_file(tmp_path: Path) -> None:
    entries = read_caption_table(
        table(
            tmp_path,
            "file,caption,content,style,split,note\n"
            'a/walk.bvh,"walks, then  stops",walk,,train,x\n'
            "a/walk,somebody walks,,old,,\n"
            "./a\\walk.BVH,somebody walks,walk,,train,\n"
            "\n"
            "b.bvh,sits,,,,\n",
        )
    )
    assert list(entries) == ["a/walk", "b"]
    walk = entries["a/walk"]
    assert walk.captions == ["walks, then stops", "somebody walks"]
    assert (walk.content, walk.style, walk.split, walk.line) == ("walk", "old", "train", 2)
    assert (entries["b"].content, entries["b"].split) == ("", None)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_spreadsheets_write_other_marks_and_a_byte_order_mark(tmp_path: Path, mark: str) -> None:
    text = f"\ufeffFile{mark} Caption\r\na{mark}gräbt ein Loch\r\n"
    assert read_caption_table(table(tmp_path, text))["a"].captions == ["gräbt ein Loch"]


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "lack the column file and caption"),
        ("name,caption\na,b\n", "lack the column file; .* but is 'name,caption'"),
        ("file,caption\n", "hold no rows"),
        ("file,caption\n,walks\n", "line 2 of .* has no file"),
        ("file,caption\na,walks\nb,\n", "line 3 of .* has no caption"),
        ("file,caption\na,walks, then stops\n", "line 2 of .* has more cells"),
        ("file,caption,split\na,walks,dev\n", "line 2 of .* has the split 'dev'; give train, val, test"),
        ("file,caption,split\na,x,val\na,y,test\n", "line 3 of .* gives 'a' the split 'test', but an earlier"),
        ('file,caption\na,"walks\n', "is no CSV"),
        (b"file,caption\na,\xe4\n", "not UTF-8"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str | bytes, problem: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(MotionLLMError, match=problem) as caught:
        read_caption_table(path)
    assert str(path) in str(caught.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(MotionLLMError, match=r"nothing\.csv.*check the path"):
        read_caption_table(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    "text, mirrored",
    [
        ("waves with the left hand", "waves with the right hand"),
        ("Left, then RIGHT", "Right, then LEFT"),
        ("steps leftward with a right-handed throw", "steps rightward with a left-handed throw"),
        ("turns clockwise", "turns counterclockwise"),
        ("Counter-clockwise spin", "Clockwise spin"),
        ("turns anticlockwise", "turns clockwise"),
        ("wave_left-hand", "wave_right-hand"),
        ("stands upright in bright light", "stands upright in bright light"),
        ("runs right away, all right", "runs right away, all right"),
        ("walks forward", "walks forward"),
    ],
)
def test_sides_are_swapped(text: str, mirrored: str) -> None:
    assert mirror_words(text) == mirrored


def test_captions_of_other_kinds_of_tables(tmp_path: Path) -> None:
    rows = [
        {"File": "a/wa\u0308lk.bvh", "Caption": "walks", "start": 0.5, "split": None},
        {"File": "b", "Caption": "sits"},
    ]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "t.csv").write_text("FILE;caption;Start\na/wälk.bvh;walks;0,5\nb;sits;\n")
    expected = [("a/wälk_0.50-", "a/wälk", ["walks"], {"start": 0.5}), ("b", "b", ["sits"], {})]
    for name in ("t.json", "t.jsonl", "t.csv"):
        entries = read_caption_table(tmp_path / name)
        assert [(key, e.file, e.captions, e.reading) for key, e in entries.items()] == expected
    (tmp_path / "t.csv").write_text("file,caption,up\na,walks,-Z\n")
    assert read_caption_table(tmp_path / "t.csv")["a"].reading == {"up": "-z"}
