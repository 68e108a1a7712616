"""Writes the rounds of a run as they end."""

from __future__ import annotations

from dataclasses import dataclass

from salutary.experiments import predicted
from salutary.experiments.predicted import Predictions
from salutary.experiments.records import RunDirectory
from salutary.experiments.rounds import Round
from salutary.experiments.run_log import RunLog, line_of
from salutary.models import Predictor


@dataclass(frozen=True)
class Recorder:
    """Of a round its predictions, if they are wanted, then its queries and itself, and its line in the log.

    So an interrupted run has the predictions of every round that its tables have.
    """

    directory: RunDirectory
    log: RunLog
    predictions: Predictions | None

    def resumed(self, force: bool) -> tuple[Round, ...]:
        """The rounds that an interrupted run has finished, as of :meth:`RunDirectory.resume`."""
        done = self.directory.resume(force, self.predictions.lack if self.predictions else None)
        if not self.predictions:  # those of an interrupted run that wanted them
            (self.directory.partial / predicted.NAME).unlink(missing_ok=True)
        self.log.begin()
        self.log.note(f"goes on after round {done[-1].round}" if done else "starts")
        return done

    def add(self, record: Round, model: Predictor) -> None:
        """``model``: as the round has left it."""
        if self.predictions:
            self.directory.add_file(predicted.NAME, self.predictions.after(record, model))
        self.directory.append(record)
        self.log.note(line_of(record))
