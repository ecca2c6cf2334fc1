"""What differs between what was asked for and what the model sees, and the take that is kept."""

import numpy as np
import pytest

from hub_scripts.apps.service import MotionAnswer
from hub_scripts.chat.mending import best_take, differences
from modeling_motionllm.motion import Motion


@pytest.mark.parametrize("asked,seen,differs", [
    ("a person walks", "someone strolls along slowly", ()),
    ("a person walks", "a person walks forward and turns left", ("'turn' as well",)),
    ("a person bows", "a person walks forward", ("no 'bow'", "'walk' as well")),
    ("a person waves with the left hand", "a person is waving their left hand", ()),
    ("a person waves with the left hand", "a person waves with the right hand", ("right instead of left",)),
    ("a person walks backward", "a person walks forward", ("forward instead of backward",)),
    ("a person turns left", "a person turns right", ("right instead of left",)),
    ("a person frobnicates", "a person walks", ()),  # the rules cannot tell
])  # fmt: skip
def test_captions_are_compared_by_what_they_say(asked, seen, differs):
    assert set(differences(asked, seen)) >= set(differs)
    assert bool(differences(asked, seen)) == bool(differs)


def take(captions: list[str], asked: str = "a person bows", takes: int = 3):
    motions = [Motion(np.zeros((2, 22, 3)), seed=seed) for seed in range(10)]
    return best_take(lambda seed: MotionAnswer(motions[seed], [], [(asked, captions[seed])]), 0, takes)


def test_the_first_that_fits_is_kept():
    kept = take(["a person walks", "a person bows forward", "a person bows"])
    assert (kept.seed, kept.tries, kept.differs) == (1, 2, ())


def test_where_none_fits_the_nearest_is_kept():
    kept = take(["a person waves", "a person walks and bows", "a person jumps"])
    assert (kept.seed, kept.tries) == (1, 3)
    assert kept.differs == ("'walk' as well",)
    assert take(["a person waves", "a person bows"], takes=1).differs[0] == "no 'bow'"
