"""When to stop labelling."""

from __future__ import annotations

from dataclasses import dataclass

from salutary.system.rules import Number, Unless, Whole, check

RULES = {
    "rounds": Unless("auto", Whole(1)),
    "patience": Whole(1),
    "max_labels": Unless(None, Whole(1)),
    "min_influence": Number(0),
    "max_seconds": Unless(None, Number(0)),
}


@dataclass(frozen=True)
class Stopping:
    """Rules that end the rounds, whichever comes first. The end of the pool, and of what is sure to help,
    always do.

    ``rounds``: so many; ``auto``: until ``patience`` rounds in a row have not lowered the held-out loss (of
    the validation rows if nothing is held out), and then only the rounds up to its lowest are kept.
    ``max_labels``: so many labels. ``min_influence``: no point of a round is predicted to lower the mean
    validation loss by more. ``max_seconds``: no round begins later.
    """

    rounds: int | str = "auto"
    patience: int = 3
    max_labels: int | None = None
    min_influence: float = 0.0
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        """Raises SalutaryError for a rule out of range."""
        check(self, RULES)

    def next_size(self, budget: int, n_added: int, n_left: int) -> int:
        """Points that the next round may add."""
        allowed = budget if self.max_labels is None else min(budget, self.max_labels - n_added)
        return min(allowed, n_left)

    def reason(self, losses: list[float], n_added: int, n_left: int, seconds: float) -> str | None:
        """Why no further round begins, or None. ``losses``: of all rounds so far, from round 0 on."""
        number, best = len(losses) - 1, losses.index(min(losses))
        if isinstance(self.rounds, int) and number >= self.rounds:
            return f"rounds={self.rounds}"
        if self.rounds == "auto" and number - best >= self.patience:
            return f"the loss has not fallen for {self.patience} rounds"
        if not n_left:
            return "the pool is exhausted"
        if self.max_labels is not None and n_added >= self.max_labels:
            return f"max_labels={self.max_labels}"
        if self.max_seconds is not None and seconds >= self.max_seconds:
            return f"max_seconds={self.max_seconds:g}"
        return None

    def kept(self, losses: list[float]) -> int:
        """The round whose labels and model are the result."""
        return losses.index(min(losses)) if self.rounds == "auto" else len(losses) - 1
