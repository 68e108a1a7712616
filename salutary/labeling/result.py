"""What a labelling has come to."""

from __future__ import annotations

from dataclasses import dataclass

from salutary.labeling.aim import LOWEST_LOSS, Aim
from salutary.labeling.asking import Questions
from salutary.labeling.comparison import ModelComparison
from salutary.labeling.judging import Judged
from salutary.labeling.labeler import LabelRound
from salutary.models.logistic import LogisticRegression


@dataclass(frozen=True)
class Result:
    """``models``: by the names of :mod:`salutary.labeling.comparison`; they, the rounds and the comparisons
    are empty without a pool. ``judged``: the remedies, None if none was asked for. ``aim``: what they were to
    be good at. ``asked``: the pool's points that a human should label, None if that is not asked.
    """

    rounds: tuple[LabelRound, ...]
    kept: int
    stop: str
    models: dict[str, LogisticRegression]
    comparisons: list[ModelComparison]
    judged: Judged | None
    seconds: float
    aim: Aim = LOWEST_LOSS
    asked: Questions | None = None

    @property
    def kept_rounds(self) -> tuple[LabelRound, ...]:
        return self.rounds[: self.kept + 1]
