"""``predictions.parquet``: what the model says of each test row, with ``record.predictions=true``."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from salutary.errors import SalutaryError
from salutary.experiments.problem import Problem
from salutary.experiments.rounds import Round
from salutary.models import Predictor
from salutary.system.rules import Flag, check

NAME = "predictions.parquet"
RULES = {"predictions": Flag()}


def is_wanted(config: dict[str, Any]) -> bool:
    """What ``record.predictions`` says in a resolved configuration, false where it says nothing.

    Raises SalutaryError if it is neither true nor false, and if PyArrow, which writes them, is not installed.
    """
    told = {"predictions": False, **(config.get("record") or {})}
    check(SimpleNamespace(**told), RULES, "record.")
    if told["predictions"] and not find_spec("pyarrow"):
        raise SalutaryError("record.predictions=true needs PyArrow: pip install 'salutary[parquet]'")
    return told["predictions"]


class Predictions:
    """Of the test rows, by the model of round 0 and by that of the last round, as one table.

    Columns: ``round``; ``row`` of the loaded table, from 0; ``true_label``; ``probability_<class>`` of each
    class. ``file``: where it lies, of which rounds that an interrupted run has written are read.
    """

    def __init__(self, problem: Problem, file: Path):
        self.file = file
        self._test = problem.rows("test")
        self._rows = problem.split.test
        self._classes = problem.class_names
        self._first: pd.DataFrame | None = None

    def lack(self, last: Round) -> str:
        """Why a run cannot go on after the ``last`` round: what was predicted so far is not there. Else
        empty.
        """
        try:
            found = pd.read_parquet(self.file)
        except (OSError, ValueError):
            found = pd.DataFrame({"round": []})
        if found["round"].min() == 0 and found["round"].max() >= last.round:
            self._first = found[found["round"] == 0]
            return ""
        return "its predictions were not recorded"

    def after(self, record: Round, model: Predictor) -> bytes:
        """The file with the predictions of the model that a round has left, the last so far."""
        now = self._table(record.round, model)
        if record.round == 0:
            self._first = now
        tables = [now] if self._first is None or record.round == 0 else [self._first, now]
        buffer = io.BytesIO()
        pd.concat(tables, ignore_index=True).to_parquet(buffer, engine="pyarrow", index=False)
        return buffer.getvalue()

    def _table(self, number: int, model: Predictor) -> pd.DataFrame:
        P = model.predict_proba(self._test.X).double().numpy(force=True)
        names = [self._classes[c] for c in self._test.y.tolist()]
        columns = {"round": number, "row": self._rows, "true_label": names}
        probabilities = {f"probability_{name}": P[:, c] for c, name in enumerate(self._classes)}
        return pd.DataFrame(columns | probabilities)
