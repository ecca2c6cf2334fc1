"""Every quirk of `quirks.py`: the same joints and a line about it, or one line that refuses it."""

from pathlib import Path

import pytest
from quirks import Quirk, all_quirks, try_quirk


@pytest.mark.parametrize("quirk", [pytest.param(quirk, id=quirk.name) for quirk in all_quirks()])
def test_what_programs_and_people_write(tmp_path: Path, quirk: Quirk) -> None:
    came, said = try_quirk(quirk, tmp_path)
    assert came == ("refused" if quirk.joints is None else "right"), said
