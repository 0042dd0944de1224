"""Questions of the notebooks: the truth is computed when an answer is checked, and is written nowhere."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch

from headviz.errors import OptionError
from headviz.viewers import look

#: A number, or several.
Truth = float | Sequence[float]


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        name: such as ``"03.2"``: notebook and number.
        asks: the question in one sentence.
        truth: computes the answer, from what the notebook hands over besides.
        hint: what to think of when the answer is not right.
        slips: likely mistakes: what answer each gives, computed like the truth, and what to say then.
        tolerance: how far an answer may be off, as a part of the truth.
        margin: how far it may be off besides, in the answer's own unit.
    """

    name: str
    asks: str
    truth: Callable[..., Truth]
    hint: str
    slips: tuple[tuple[Callable[..., Truth], str], ...] = ()
    tolerance: float = 0.01
    margin: float = 1e-9


@dataclass(frozen=True)
class Verdict:
    """What a check says; a notebook shows it as one line.

    Attributes:
        question: its name.
        right: whether the answer is right; ``None`` where there is none yet.
        text: what to say.
    """

    question: str
    right: bool | None
    text: str

    def __repr__(self) -> str:
        return f"{self.question}: {self.text}"

    def _repr_html_(self) -> str:
        color, mark = {True: (look.HIT, "✓"), False: (look.CURRENT, "→"), None: (look.MISSED, "?")}[self.right]
        return (
            f'<p role="status" style="margin:0;padding:8px 12px;border-left:4px solid {color}">'
            f"<strong>{html.escape(self.question)} {mark}</strong> {html.escape(self.text)}</p>"
        )


def judge(question: Question, answer: object, given: Sequence[object]) -> Verdict:
    """Compare an answer with the truth."""
    if answer is None or answer is Ellipsis:
        return Verdict(question.name, None, f"No answer yet. {question.asks}")
    truth = _numbers(question.truth(*given))
    try:
        found = _numbers(answer)
    except (TypeError, ValueError):
        found = None
    if truth is None or found is None or len(found) != len(truth):
        wanted = "one number" if truth is not None and len(truth) == 1 else f"{len(truth or ())} numbers, as (a, b)"
        return Verdict(question.name, False, f"Not yet: the answer should be {wanted}; it is {answer!r}.")
    if _agree(question, found, truth):
        return Verdict(question.name, True, "Right.")
    for slip, words in question.slips:
        if _agree(question, found, _numbers(slip(*given)) or []):
            return Verdict(question.name, False, f"Not yet. {words}")
    return Verdict(question.name, False, f"Not yet. {_generic(question, found, truth)}{question.hint}")


def _generic(question: Question, found: list[float], truth: list[float]) -> str:
    """What to say of an answer that is right but for its sign or its unit."""
    for factor, words in ((-1.0, "Look at the sign. "), (1e3, "Look at the unit. "), (1e-3, "Look at the unit. ")):
        if any(truth) and _agree(question, found, [factor * one for one in truth]):
            return words
    return ""


def _numbers(value: Any) -> list[float] | None:
    """A number, tensor, array or sequence of numbers as a list; ``None`` if it is something else."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, str | bytes | bool | np.bool_):
        return None
    if isinstance(value, Real):
        return [float(value)]
    if not isinstance(value, np.ndarray | Sequence):
        return None
    flat = np.asarray(value, dtype=float).reshape(-1).tolist()
    return [float(one) for one in flat] if flat else None


def _agree(question: Question, found: Sequence[float], truth: Sequence[float]) -> bool:
    if len(found) != len(truth):
        return False
    size = max((abs(one) for one in truth), default=0.0)
    reach = question.tolerance * size + question.margin
    return all(math.isfinite(a) and abs(a - b) <= reach for a, b in zip(found, truth, strict=True))


def lookup(questions: dict[str, Question], name: str) -> Question:
    """A question by its name.

    Raises:
        OptionError: there is none of this name.
    """
    if name not in questions:
        raise OptionError(f"a question should be one of {', '.join(questions)}; it is {name!r}")
    return questions[name]
