"""Requests of a conversation as operations, by rules."""

import pytest

from hub_scripts.chat.operations import Again, Append, Describe, Edit, Generate, Prepend, Save, Speed, Undo
from hub_scripts.chat.planning import NotUnderstoodError, View
from hub_scripts.chat.rules import plan_by_rules
from modeling_motionllm.motion import MotionSegment

WALK = View((MotionSegment("a person walks", 0, 4.0),), 4.0, ("a person walks",), 4.0)
WALK_BOW = View(
    (MotionSegment("a person walks", 0, 4.0), MotionSegment("a person bows", 4.0, 7.0)), 7.0, ("a person bows",), 3.0
)
WAVE = View(
    (MotionSegment("a person waves with the right hand", 0, 4.0),), 4.0, ("a person waves with the right hand",), 4.0
)


def made(*sentences: str, **values: object) -> Generate:
    return Generate(sentences, **values)


@pytest.mark.parametrize("text,plan", [
    ("make her walk", [made("a person walks")]),
    ("two people bow to each other", [made("two people bow to each other", people=2)]),
    ("walk for 3 seconds, then bow", [made("a person walks", seconds=(3.0,)), Append(("a person bows",))]),
    ("first wave", [made("a person waves")]),
    ("we need a boxer throwing a left punch", [made("a boxer throws a left punch")]),
    ("picture a person who jumps over something", [made("a person jumps over something")]),
    ("let us begin with a guy strolling along", [made("a guy strolls along")]),
    ("Make her walk and save it for Blender.", [made("a person walks"), Save(("glb",))]),
    ("jump, then slower", [made("a person jumps"), Speed(0.75)]),
])  # fmt: skip
def test_a_conversation_begins(text, plan):
    assert list(plan_by_rules(text, View())) == plan


@pytest.mark.parametrize("text,plan", [
    *((text, [Speed(0.75)]) for text in ("slower", "Slower, please!", "slow down", "make her walk slower", "too fast")),
    *((text, [Speed(2.0)]) for text in ("twice as fast", "2x", "make it much faster", "200% speed")),
    *((text, [Speed(0.5)]) for text in ("half speed", "at half the speed", "50% slower", "a lot slower")),
    *((text, [Append(("a person bows",))]) for text in ("now bow at the end", "then bow", "add a bow")),
    ("now she bows and then waves", [Append(("a person bows", "a person waves"))]),
    *((text, [Append(("a person walks",))]) for text in ("keep going", "keep walking", "walk some more")),
    *((text, [Prepend(("a person waves",))]) for text in ("first wave", "wave first", "before that, she waves")),
    *((text, [Describe()]) for text in ("what is she doing?", "What do you see", "describe it", "is she bowing?")),
    *((text, [Save(("glb",))]) for text in ("save it for Blender", "save", "export it to Unity")),
    ("save it as 'my walk'.bvh and mp4", [Save(("bvh", "mp4"))]),
    ("save it as my/bow.bvh", [Save(("bvh",), "bow")]),
    ("save it as a video", [Save(("mp4",))]),
    *((text, [Undo()]) for text in ("undo", "undo that", "go back", "take it back")),
    ("undo 2", [Undo(2)]),
    *((text, [Again()]) for text in ("again", "another one", "once more", "no", "that's wrong", "i don't like it")),
    ("with seed 7", [Again(seed=7)]),
    *((text, [Again()]) for text in ("give it another go", "can I see another variation?", "that's not what I meant")),
    *((text, [Undo()]) for text in ("go back one step", "scrap that", "go back to the previous version")),
    *((text, [Save(("glb",))]) for text in ("I need this in Blender", "put it in a glb file")),
    ("can I get a video of that", [Save(("mp4",))]),
    ("speed everything up by 50%", [Speed(1.5)]),
    ("walk sadly this time", [Again(sentences=("a person walks sadly",))]),
    ("after the walk she jumps", [Append(("a person jumps",))]),
    ("before she walks she should stretch", [Prepend(("a person stretches",))]),
    ("start over with a dance", [made("a person dances")]),
    ("how about a backflip", [made("a person does a backflip")]),
    ("put a jump at the start", [Prepend(("a person jumps",))]),
    ("she should also clap afterwards", [Append(("a person claps",))]),
    *((text, [Undo()]) for text in ("nah, I liked it better the way it was", "scrap that last change")),
    *((text, [Speed(0.75)]) for text in ("calm it down", "give it less pace", "too fast for my taste")),
    ("give it a bit more pace", [Speed(1.15)]),
    ("can you put that into words?", [Describe()]),
    *((text, [Again()]) for text in ("not quite, have another go", "not quite")),
    ("hand me a file that Blender opens", [Save(("glb",))]),
    ("I want it on my disk as a video", [Save(("mp4",))]),
    *((text, [Append(("a person bows",))]) for text in ("finish it off with a bow", "top it off with a bow")),
    ("after that she ought to take a bow", [Append(("a person takes a bow",))]),
    ("make it 6 seconds long", [Again(seconds=(6.0,))]),
    ("2 seconds longer", [Again(seconds=(6.0,))]),
    ("longer", [Again(seconds=(6.0,))]),
    ("make her sad", [Again(sentences=("a person walks sadly",))]),
    ("like an old man", [Again(sentences=("a person walks like an old man",))]),
    ("backwards", [Again(sentences=("a person walks backwards",))]),
    ("from 1 to 2.5 s raise both hands", [Edit("a person raises both hands", 1.0, 2.5)]),
    ("raise both hands between 1 and 2 seconds", [Edit("a person raises both hands", 1.0, 2.0)]),
    ("after 2 seconds turn around", [Edit("a person turns around", 2.0, 4.0)]),
    ("no, make her run", [made("a person runs")]),
    ("run instead", [made("a person runs")]),
    ("make the walk a run", [made("a person runs")]),
    ("faster and then bow", [Speed(1.3333), Append(("a person bows",))]),
    ("now dance. Save it for Blender", [Append(("a person dances",)), Save(("glb",))]),
])  # fmt: skip
def test_a_motion_is_changed(text, plan):
    assert list(plan_by_rules(text, WALK)) == plan


@pytest.mark.parametrize(
    "text", ["wave instead", "instead of bowing, wave", "replace the bow with a wave", "make the bow a wave"]
)
def test_a_part_is_found_by_what_is_done_in_it(text):
    assert list(plan_by_rules(text, WALK_BOW)) == [Edit("a person waves", 4.0, 7.0)]


@pytest.mark.parametrize("text,sentence", [
    ("with the left hand", "a person waves with the left hand"),
    ("use both hands", "a person waves with both hands"),
    ("left hand, please", "a person waves with the left hand"),
])  # fmt: skip
def test_a_hand_is_another_one(text, sentence):
    assert list(plan_by_rules(text, WAVE)) == [Again(sentences=(sentence,))]


@pytest.mark.parametrize("text,words", [
    ("hello", "says neither what somebody does nor what to do with the motion"),
    ("????", "nothing was said"),
    ("what if she jumped?", "says neither"),
    ("sing", "says neither"),
    ("keep it going for longer with a run", "says neither"),
    ("roll the dice again", "'roll the dice' is not in the motion"),
    ("make the bow deeper", "says neither"),
    ("remove the bow", "'undo' takes back"),
    ("make the bow slower", "only the whole motion"),
    ("replace the jump with a wave", "no 'jump' in the motion, only 'a person walks', 'a person bows'"),
    ("save it for Photoshop", "which format 'photoshop' takes is not known"),
    ("save it as bow.docx", "docx"),
    ("from 1 to 2 s something nice", "does not say what is done in that part"),
    ("x" * 5000, "says neither"),
])  # fmt: skip
def test_what_is_not_understood_is_said(text, words):
    with pytest.raises(NotUnderstoodError) as error:
        plan_by_rules(text, WALK_BOW)
    assert words in str(error.value)
