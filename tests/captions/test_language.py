"""What is English about movement, and what is not."""

import csv

import pytest
from conftest import FIXTURES

from hub_scripts.captions.language import share_of_known_words, speaks_of_movement


@pytest.mark.parametrize("name", ["sentences", "two_actions"])
def test_people_s_sentences_are_english(name: str) -> None:
    with (FIXTURES / "humanml3d" / f"{name}.csv").open(encoding="utf-8") as file:
        low = [row["sentence"] for row in csv.DictReader(file) if not speaks_of_movement(row["sentence"])]
    assert low == []


def test_other_languages_are_not() -> None:
    with (FIXTURES.parents[1] / "recipes" / "tables" / "no_motion.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"][0].isupper()]
    assert len(rows) > 150
    assert [row["sentence"] for row in rows if speaks_of_movement(row["sentence"])] == []


@pytest.mark.parametrize(
    "text,share", [("Walk!", 1.0), ("a person WALKS", 1.0), ("走", 0.0), ("12345 ...", 0.0), ("", 0.0)]
)
def test_the_share_is_of_words(text: str, share: float) -> None:
    assert share_of_known_words(text) == share
