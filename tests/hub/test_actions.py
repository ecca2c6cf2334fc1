"""`actions.json`: counted from what a training saw, in every layout of the language model, listed by a command."""

import json
import shutil
from pathlib import Path

import pytest

from hub_scripts.cli import main as cli
from hub_scripts.data.codes import read_codes
from hub_scripts.hub.actions import KnownAction, actions_in, known_actions, read_actions, write_actions
from hub_scripts.hub.card import write_model_card
from hub_scripts.hub.layouts import LAYOUTS
from hub_scripts.hub.records import ACTIONS


def row(contents: list[str], captions: list[str], mirrored: bool = False) -> dict[str, object]:
    return {"contents": contents, "captions": captions, "mirrored": mirrored}


def test_actions_are_counted_without_mirrored_copies_and_composed_people():
    rows = [
        row(["walk"], ["a person walks", "somebody strolls about"]),
        row(["walk"], ["a person walks", "walk"]),
        row(["walk"], ["a person walks"], mirrored=True),
        row(["bow"], ["someone bows low", "bow"]),
        row(["bow", "walk"], ["one bows and the other walks"]),
        row(["salsa", "salsa"], ["two people dance salsa"]),
        row(["salsa", "salsa"], ["two people dance"]),
        row(["sequence"], ["a person walks and then bows"]) | {"segment_ends": [3, 9]},
    ]
    assert known_actions(rows) == [
        KnownAction("salsa", 2, "two people dance"),
        KnownAction("walk", 2, "a person walks"),
        KnownAction("bow", 1, "bow"),
    ]
    earlier = [KnownAction("walk", 9, "walk on"), KnownAction("swim", 4, "a person swims")]
    assert [(one.action, one.motions) for one in known_actions(rows[:4], earlier)] == [
        ("swim", 4), ("walk", 2), ("bow", 1)
    ]  # fmt: skip


def test_a_training_writes_them_and_its_card_shows_them(thin_checkpoint, codes_folder, tmp_path):
    found = actions_in(thin_checkpoint)
    assert found == known_actions(read_codes(codes_folder, "train"))
    assert {one.action: one.motions for one in found} == {"walk": 16, "jump": 8}
    assert read_actions(str(thin_checkpoint)) == found
    table = [f"| {one.action} | {one.motions} | {one.example} |" for one in found]
    assert all(line in (thin_checkpoint / "README.md").read_text() for line in table)
    # A card shows a dozen, and names the others.
    folder = Path(shutil.copytree(thin_checkpoint, tmp_path / "many"))
    write_actions(folder / "adapters" / "default", [KnownAction(f"act-{n}", 30 - n, "do it") for n in range(14)])
    text = write_model_card(folder).read_text()
    assert "| act-11 | 19 | do it |\n\nAnd: act-12 (18), act-13 (17).\n" in text
    (folder / "adapters" / "default" / ACTIONS).unlink()
    assert "## Actions" not in write_model_card(folder).read_text()


@pytest.mark.parametrize("layout", ["thin", "full", "adapters", "plain"])
def test_every_layout_of_the_language_model_has_them(thin_checkpoint, tmp_path, layout):
    LAYOUTS[layout].write(thin_checkpoint, tmp_path, "user/name", "default")
    assert actions_in(tmp_path) == actions_in(thin_checkpoint)


def test_the_command_lists_them(thin_checkpoint, capsys):
    assert cli(["actions", str(thin_checkpoint)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "action  motions  for example"
    assert [line.split()[:2] for line in lines[1:]] == [["walk", "16"], ["jump", "8"]]
    assert cli(["actions", str(thin_checkpoint), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        (thin_checkpoint / "adapters" / "default" / ACTIONS).read_text()
    )


def test_the_command_knows_the_shipped_checkpoint(capsys):
    assert cli(["actions"]) == 0
    assert "a person waves with the left hand\n" in capsys.readouterr().out


def test_what_cannot_be_listed_is_said_in_one_line(thin_checkpoint, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / ACTIONS).write_text('[{"action": "walk"}]')
    for name, words in {
        str(tmp_path / "none"): "there is no checkpoint folder",
        str(tmp_path / "empty"): "has no actions.json",
        str(tmp_path / "damaged"): "is damaged (KeyError('motions'))",
        "nothing": "there is no checkpoint folder 'nothing'",
    }.items():
        assert cli(["actions", name]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
