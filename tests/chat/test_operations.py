"""Operations as JSON and back."""

import pytest

from hub_scripts.chat.operations import (
    OPERATIONS,
    Again,
    Describe,
    Edit,
    Generate,
    Save,
    Speed,
    Undo,
    operation_schema,
    read_plan,
    written_operation,
)
from modeling_motionllm.errors_motionllm import MotionLLMError


@pytest.mark.parametrize("operation", [
    Generate(("a person walks", "a person bows"), (2.0, 1.5), seed=3),
    Generate(("two people bow",), people=2),
    Edit("a person waves", 1.0, 2.5),
    Again(), Speed(0.75), Describe(), Save(("glb", "bvh"), "bow"), Undo(2),
])  # fmt: skip
def test_what_is_written_is_read_again(operation):
    told = written_operation(operation)
    assert told["do"] == operation.name
    assert read_plan([told], "a plan") == (operation,)


def test_what_is_as_by_default_is_not_written():
    assert written_operation(Generate(("a person walks",))) == {"do": "generate", "sentences": ["a person walks"]}
    assert written_operation(Undo()) == {"do": "undo"}


def test_one_value_is_a_list_of_one_and_null_is_left_out():
    told = {"do": "generate", "sentences": "a person walks", "seconds": 3, "seed": None}
    assert read_plan([told], "a plan") == (Generate(("a person walks",), (3.0,)),)


@pytest.mark.parametrize("plan,words", [
    ({"do": "undo"}, "is no list of operations"),
    (["undo"], "operation 1 does 'undo'; choose from generate, append"),
    ([{"do": "describe"}, {"do": "dance"}], "operation 2 does 'dance'"),
    ([{"do": "generate"}], "generate has no 'sentences'; give a list of texts"),
    ([{"do": "generate", "sentences": []}], "generate has no 'sentences'"),
    ([{"do": "generate", "sentences": [1]}], "sentences is '[1]'; give a list of texts"),
    ([{"do": "speed", "factor": "slow"}], "factor is 'slow'; give a number"),
    ([{"do": "speed", "factor": float("nan")}], "factor is 'nan'"),
    ([{"do": "undo", "count": -1}], "count is '-1'; give a whole number from 0 on"),
    ([{"do": "undo", "count": True}], "count is 'True'"),
    ([{"do": "save", "formats": ["glb"], "path": "/etc"}], "save takes no 'path', only formats, file"),
])  # fmt: skip
def test_what_is_no_plan_is_refused(plan, words):
    with pytest.raises(MotionLLMError) as error:
        read_plan(plan, "a plan")
    assert words in str(error.value)


def test_the_schema_names_every_operation():
    assert [one["properties"]["do"]["const"] for one in operation_schema()["anyOf"]] == list(OPERATIONS)
