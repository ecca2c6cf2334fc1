"""Every quirk of `quirks.py`: the same joints and a line about it, or one line that refuses it."""

from pathlib import Path

import pytest
from quirks import ONLY_TEXT, TABLE, Quirk, all_quirks, all_tables, try_quirk

from hub_scripts.data.caption_table import read_caption_table
from hub_scripts.generation.prompts import Prompt, read_prompts
from modeling_motionllm.errors_motionllm import MotionLLMError


@pytest.mark.parametrize("quirk", [pytest.param(quirk, id=quirk.name) for quirk in all_quirks()])
def test_what_programs_and_people_write(tmp_path: Path, quirk: Quirk) -> None:
    came, said = try_quirk(quirk, tmp_path)
    assert came == ("refused" if quirk.joints is None else "right"), said


@pytest.mark.parametrize("name, content, right", [pytest.param(*table, id=table[0]) for table in all_tables()])
def test_tables_that_people_write(tmp_path: Path, name: str, content: bytes, right: list[Prompt] | str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    if isinstance(right, str):
        with pytest.raises(MotionLLMError, match=right) as caught:
            read_prompts(path)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    else:
        assert read_prompts(path) == right


@pytest.mark.parametrize("name", ["semicolon.csv", "excel_unicode.csv", "old_mac.csv", "list.json", "lines.jsonl"])
def test_captions_are_read_as_prompts_are(tmp_path: Path, name: str) -> None:
    """By the same reader: a column more says which file each is of."""
    content = next(content for other, content, _ in all_tables() if other == name)
    encoding = "utf-16" if name == "excel_unicode.csv" else "utf-8-sig"
    text = content.decode(encoding)
    for old, new in (("seed", "file"), ("Seed", "File"), (" SEED", "FILE")):
        text = text.replace(old, new)
    (tmp_path / name).write_bytes(text.replace('"FILE": 1', '"FILE": "1"').encode(encoding))
    table = read_caption_table(tmp_path / name)
    assert {file: entry.captions for file, entry in table.items()} == {
        str(prompt.seed): [prompt.text] for prompt in TABLE
    }
    assert [Prompt(text) for entry in table.values() for text in entry.captions] == ONLY_TEXT
