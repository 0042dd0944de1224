"""Checks of answers: what is right, what nearly is, and what is no answer at all."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch

import headviz.notebook as hv
from headviz.errors import OptionError
from headviz.notebook.checks import Question, judge
from headviz.notebook.questions import QUESTIONS

METRES = Question("9.1", "How far?", lambda: 0.05, "Think.", slips=((lambda: 0.07, "That is the diagonal."),))
POINT = Question("9.2", "Where?", lambda: (0.1, -0.2), "Think.")


@pytest.mark.parametrize(
    "answer",
    [0.05, 0.0503, np.float32(0.05), np.array([0.05]), torch.tensor(0.05), torch.tensor([[0.05]]), [0.05], (0.0496,)],
)
def test_right(answer: object) -> None:
    assert judge(METRES, answer, ()).right is True


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (-0.05, "the sign"),
        (50, "the unit"),
        (0.00005, "the unit"),
        (0.07, "the diagonal"),
        (0.06, "Think"),
        (0, "Think"),
        (math.nan, "Think"),
        (math.inf, "Think"),
        ("0.05", "should be one number"),
        (True, "should be one number"),
        ([], "should be one number"),
        ((0.05, 0.05), "should be one number"),
        ([[1, 2], [3]], "should be one number"),
        (object(), "should be one number"),
        ({"x": 1}, "should be one number"),
    ],
)
def test_not_yet(answer: object, hint: str) -> None:
    verdict = judge(METRES, answer, ())
    assert verdict.right is False
    assert hint in verdict.text
    assert "0.05" not in verdict.text.split("; it is ")[0], "a hint should not give the answer away"


def test_several_numbers() -> None:
    assert judge(POINT, (0.1, -0.2), ()).right
    assert judge(POINT, torch.tensor([0.1, -0.2]), ()).right
    assert "2 numbers" in judge(POINT, 0.1, ()).text
    assert "the sign" in judge(POINT, (-0.1, 0.2), ()).text


@pytest.mark.parametrize("answer", [None, ...])
def test_no_answer_is_no_mistake(answer: object) -> None:
    verdict = judge(METRES, answer, ())
    assert verdict.right is None
    assert repr(verdict) == "9.1: No answer yet. How far?"


def test_truth_is_not_computed_without_an_answer() -> None:
    judge(Question("9.3", "How?", lambda: 1 / 0, ""), None, ())


def test_notebooks_show_one_line_that_cannot_be_broken_into() -> None:
    shown = judge(METRES, "<b>bold</b>", ())._repr_html_()
    assert shown.startswith("<p ")
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown


def test_questions_that_do_not_exist_or_need_more() -> None:
    with pytest.raises(OptionError, match=r"one of 01\.1, .*; it is '99\.9'"):
        hv.check("99.9", 1)
    with pytest.raises(OptionError, match=r"question 01\.1 needs head; it got 0 more"):
        hv.check("01.1", None)
    with pytest.raises(OptionError, match="nothing besides"):
        hv.check("02.1", None, 5)


def test_the_truth_is_computed_and_the_same_twice() -> None:
    """No question's text or hint holds its answer, and asking twice changes nothing."""
    for name, question in QUESTIONS.items():
        assert question.asks.endswith("?"), name
        if inspect.signature(question.truth).parameters:
            continue
        first, second = question.truth(), question.truth()
        assert first == second, name
        if isinstance(first, float):
            words = question.asks + question.hint + "".join(text for _, text in question.slips)
            assert f"{first:.3g}" not in words.replace("−", "-"), name
