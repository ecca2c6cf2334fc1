"""The contact sheet of an evaluation: which clips it shows, and that the picture shows them."""

import numpy as np
import pytest
from conftest import read_golden
from PIL import Image

from hub_scripts.evaluation.sheet import choose_sheet_rows, save_evaluation_sheet
from hub_scripts.export.comparison_sheet import Comparison, draw_comparison_sheet
from hub_scripts.export.contact_sheet import draw_frames, draw_path
from hub_scripts.export.overlay import load_font
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion


def rows_of(*labels: tuple[str, str]) -> list[dict]:
    return [
        {"name": f"clip{index}", "content": content, "style": style} for index, (content, style) in enumerate(labels)
    ]


def test_contents_come_up_alike_and_then_styles():
    rows = rows_of(*[("walk", "old")] * 40, *[("walk", "proud")] * 2, *[("bow", "old")] * 3, *[("run", "sad")] * 3)
    chosen = choose_sheet_rows(rows, count=6)
    assert [rows[index]["content"] for index in chosen] == ["bow", "bow", "run", "run", "walk", "walk"]
    assert {rows[index]["style"] for index in chosen if rows[index]["content"] == "walk"} == {"old", "proud"}
    assert len(set(chosen)) == 6


def test_the_rule_is_fixed_by_names_and_seed():
    rows = rows_of(*[("", "")] * 50)  # published datasets have no labels
    one = {rows[index]["name"] for index in choose_sheet_rows(rows)}
    turned = rows[::-1]
    assert {turned[index]["name"] for index in choose_sheet_rows(turned)} == one
    assert {rows[index]["name"] for index in choose_sheet_rows(rows, seed=1)} != one
    assert len(one) == 16
    assert choose_sheet_rows(rows[:3]) == [0, 1, 2]


@pytest.fixture(scope="module")
def walking() -> np.ndarray:
    return read_golden()["dataset-1_walk-left_giant_001"]["features"]


@pytest.fixture(scope="module")
def standing() -> np.ndarray:
    bow = next(clip for name, clip in read_golden().items() if "_bow_" in name)
    return bow["features"]


def test_a_row_for_each_caption_in_few_bytes(walking, standing, tmp_path):
    captions = ["a giant walks to the left", "someone bows"] * 8
    features = [walking, standing] * 8
    path = save_evaluation_sheet(tmp_path / "sheet.png", captions, features[::-1], features)
    picture = Image.open(path)
    assert (picture.format, picture.mode) == ("PNG", "P")
    assert picture.width < 1300
    assert path.stat().st_size < 600_000
    again = save_evaluation_sheet(tmp_path / "again.png", captions, features[::-1], features)
    assert again.read_bytes() == path.read_bytes()


def test_left_and_right_are_the_motions_given(walking, standing):
    joints = read_golden()["dataset-1_walk-left_giant_001"]["joints"]
    moved, still = Motion(joints), Motion(np.repeat(joints[:1], 20, axis=0))
    one = np.asarray(draw_comparison_sheet([Comparison("x", still, still)]))
    middle = one.shape[1] // 2
    body = slice(60, None)
    np.testing.assert_array_equal(one[body, 2 : middle - 8], one[body, middle + 8 : -2])
    two = np.asarray(draw_comparison_sheet([Comparison("x", moved, still)]))
    assert not np.array_equal(two[body, 2 : middle - 8], two[body, middle + 8 : -2])
    assert draw_comparison_sheet([Comparison("x", still, still)] * 3).height > 2.5 * (len(one) - 25)
    with pytest.raises(MotionLLMError, match="at least one"):
        draw_comparison_sheet([])
    with pytest.raises(MotionLLMError, match="count is 0"):
        draw_comparison_sheet([Comparison("x", still, still)], count=0)


def test_who_leads_away_is_drawn_larger_on_its_path():
    """A walk of eight metres: more of the picture is body than where each panel shows the whole path."""
    stand = read_golden()["dataset-1_walk-left_giant_001"]["joints"][:1]
    walk = Motion(stand + np.linspace(0, 8, 60)[:, None, None] * np.array([0.0, 0.0, 1.0]))
    font = load_font(10)
    pictures = (
        draw_frames(walk, 5, (112, 136), "light", 2, font),
        draw_path(walk, 5, (568, 136), "light", font, azimuth=-80.0),
    )
    panels, path = (np.asarray(picture).astype(int) for picture in pictures)
    assert panels.shape == path.shape
    blue = [int((picture[..., 2] - picture[..., 0] > 60).sum()) for picture in (panels, path)]
    assert blue[1] > 2 * blue[0] > 0
