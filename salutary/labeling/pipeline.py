"""From settings to files: what ``salutary-label`` does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.labeling import outputs, page, terminal
from salutary.labeling.comparison import ALTERNATIVE, LABELED, ModelComparison
from salutary.labeling.inputs import Inputs, read_inputs
from salutary.labeling.labeler import Labeler, LabelRound, Measured, row_losses, three_models
from salutary.labeling.pool import EncodedPool, encode_pool, rows_of
from salutary.labeling.settings import LabelSettings
from salutary.labeling.state import State
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Strategy
from salutary.system.device import Device
from salutary.system.files import whole_folder, write_atomic
from salutary.system.progress import counting_bar
from salutary.tables.files import TableFile, check_columns, open_table
from salutary.tables.texts import to_texts

# Columns of the table whose values the page shows beside a label.
SHOWN_COLUMNS = 6


@dataclass(frozen=True)
class Result:
    """What came of a labelling. ``models``: by the names of :mod:`salutary.labeling.comparison`."""

    rounds: tuple[LabelRound, ...]
    kept: int
    stop: str
    models: dict[str, LogisticRegression]
    comparisons: list[ModelComparison]
    seconds: float

    @property
    def kept_rounds(self) -> tuple[LabelRound, ...]:
        return self.rounds[: self.kept + 1]


def label_pool(
    settings: LabelSettings,
    device: Device,
    model_of: Callable[[int], LogisticRegression],
    strategy: Strategy,
    command: dict,
) -> None:
    """Label the pool and write everything; ``command``: all settings, for the record.

    Raises SalutaryError for whatever is wrong in the files; then nothing is written.
    """
    outputs.require_parquet(settings.path)
    table = open_table(settings.files["pool"], settings.separator, settings.reading)
    inputs = read_inputs(settings, device)
    check_columns(table.path, table.columns, [name for name in [settings.target] if name in table.columns])
    model = model_of(len(inputs.classes.names))
    with outputs.locked(settings.path):
        state = State(settings.partial, command, settings.chosen_by)
        if state.doubt:
            terminal.tell([f"{settings.path} starts over: {state.doubt}"])
        try:
            pool = encode_pool(table, inputs, settings.id, state.folder, progress=True)
            labelling = Labelling(settings, command, inputs, table, pool)
            result = labelling.label(model, strategy, state)
            labelling.write(result)
        except SalutaryError:  # trying again would find the same; what was interrupted stays, to go on with
            state.remove()
            raise
        except Exception as error:
            state.failed(error)
            raise
        state.remove()
    terminal.summarise(result, settings.path, settings.folder)


@dataclass(frozen=True)
class Labelling:
    """What was asked, and what was read: the rows with labels, the pool as a table and as a matrix.

    ``command``: all settings, for the record.
    """

    settings: LabelSettings
    command: dict
    inputs: Inputs
    table: TableFile
    pool: EncodedPool

    @property
    def findings(self) -> list[str]:
        """What is to be told of the files."""
        return [*self.inputs.findings, *self.pool.findings]

    def label(self, model: LogisticRegression, strategy: Strategy, state: State) -> Result:
        """Go on with the rounds where ``state`` left them, and compare what came of them."""
        started, done, stopping = time.perf_counter(), state.rounds(), self.settings.stopping
        labeler = self._labeler(model, strategy)
        terminal.tell(self.findings)
        rounds = self._rounds(labeler, done, state)
        kept = stopping.kept([record.loss for record in rounds])
        models, held_out = three_models(labeler, rounds, stopping)
        comparisons = self._comparisons(models, held_out)
        seconds = time.perf_counter() - started + sum(record.seconds for record in done)
        return Result(rounds, kept, labeler.stop, models, comparisons, seconds)

    def _labeler(self, model: LogisticRegression, strategy: Strategy) -> Labeler:
        asked = self.settings
        return Labeler(
            labeled=self.inputs.labeled.rows,
            validation=self.inputs.validation.rows,
            pool=self.pool.matrix,
            n_classes=len(self.inputs.classes.names),
            model=model,
            strategy=strategy,
            budget=asked.budget,
            folds=asked.folds,
            seed=asked.seed,
            shortlist=max(asked.shortlist, asked.budget, strategy.rerank),
            progress=True,
        )

    def _rounds(self, labeler: Labeler, done: tuple[LabelRound, ...], state: State) -> tuple[LabelRound, ...]:
        """All rounds, ``done`` first; each of the others is kept in ``state`` as it ends."""
        rounds = [*done]
        with self._bar() as advance:
            advance(max(len(done) - 1, 0))
            for record in labeler.rounds(self.settings.stopping, done):
                state.add(record)
                rounds.append(record)
                advance(int(record.number > 0))
        return tuple(rounds)

    @contextlib.contextmanager
    def _bar(self) -> Iterator[Callable[[int], None]]:
        """A bar of rounds; a large pool shows one of each pass over it instead."""
        if len(self.pool.matrix) > self.settings.shortlist:
            yield lambda n: None
            return
        rounds = self.settings.rounds
        with counting_bar("labelling", None if isinstance(rounds, str) else rounds) as advance:
            yield advance

    def _comparisons(
        self, models: dict[str, LogisticRegression], held_out: dict[str, Measured] | None
    ) -> list[ModelComparison]:
        """On the test rows if there are any, then on held-out validation rows."""
        comparisons = []
        if self.inputs.test:
            measured = {name: row_losses(model, self.inputs.test.rows) for name, model in models.items()}
            comparisons.append(ModelComparison.of("test rows", measured))
        if held_out:
            comparisons.append(ModelComparison.of("validation rows held out from choosing", held_out))
        return comparisons

    def write(self, result: Result) -> None:
        """The folder first, then the table of labels."""
        labels = outputs.label_table(result.kept_rounds, self.inputs.classes)
        raw = self._raw_rows(labels)
        if self.settings.id:
            labels.insert(0, self.settings.id, raw[self.settings.id].to_numpy() if len(raw) else [])
        if (truth := self._truth(raw)) is not None:
            labels["true_label"] = truth
        with whole_folder(self.settings.folder) as folder:
            for name, content in self._files(result, labels, raw).items():
                write_atomic(folder / name, content)
        outputs.write_table(self.settings.path, labels)

    def _raw_rows(self, labels: pd.DataFrame) -> pd.DataFrame:
        """The labelled pool rows as they stand in the file: id, target if it is there, and some columns."""
        named = [self.settings.id, self.settings.target, *self.inputs.features.schema.used[:SHOWN_COLUMNS]]
        columns = [name for name in named if name in self.table.columns and name not in self.table.unusable]
        if not len(labels):
            return pd.DataFrame(columns=columns)
        return rows_of(self.table, columns, labels["row"].to_numpy(np.int64))

    def _truth(self, raw: pd.DataFrame) -> np.ndarray | None:
        """The labels that a pool has after all, as text; nothing but the page looks at them."""
        if self.settings.target not in raw or not len(raw):
            return None
        truth = to_texts(raw[self.settings.target], decimal=self.settings.decimal)
        return truth.to_numpy(object) if truth.notna().any() else None

    def _files(self, result: Result, labels: pd.DataFrame, raw: pd.DataFrame) -> dict[str, bytes]:
        """What goes into the folder, by name."""
        facts, curves = self.facts(result, labels), outputs.curves(result.rounds)
        features, classes = self.inputs.features, self.inputs.classes
        read = self.settings.separator, self.settings.reading
        columns = [name for name in features.schema.used if name in raw][:SHOWN_COLUMNS]
        shown = raw[columns].reset_index(drop=True)
        return {
            "model.skops": outputs.saved_model(features, result.models[LABELED], classes, *read),
            "alternative.skops": outputs.saved_model(features, result.models[ALTERNATIVE], classes, *read),
            "curves.csv": curves.to_csv(index=False).encode(),
            "facts.json": outputs.as_json(facts),
            "MODEL_CARD.md": page.card(facts).encode(),
            "audit.html": page.page(facts, labels, curves, shown).encode(),
        }

    def facts(self, result: Result, labels: pd.DataFrame) -> dict:
        """What facts.json says: data, columns, rounds, comparisons, versions."""
        hidden = ("protocol", "hydra")
        return {
            "command": {name: value for name, value in self.command.items() if name not in hidden},
            "output": str(self.settings.path),
            "classes": list(self.inputs.classes.names),
            "counts": self._counts(labels),
            "pool_rows": len(self.pool.matrix),
            "columns": self._columns(),
            "l2": result.models[LABELED].l2_,
            "rounds": result.rounds[-1].number,
            "kept_rounds": result.kept,
            "labels": len(labels),
            "stop": result.stop,
            "comparisons": [comparison.facts() for comparison in result.comparisons],
            "seconds": result.seconds,
            "versions": outputs.versions("salutary", "torch", "scikit-learn", "skops"),
        }

    def _counts(self, labels: pd.DataFrame) -> dict[str, dict[str, int]]:
        """Rows of each class, by part, and labels that were assigned."""
        names = self.inputs.classes.names
        assigned = labels["label"].astype(str).value_counts()
        counts = {
            part: {name: rows.counts[number] for number, name in enumerate(names)}
            for part, rows in self.inputs.parts.items()
        }
        return {**counts, "assigned": {name: int(assigned.get(name, 0)) for name in names}}

    def _columns(self) -> dict:
        features = self.inputs.features
        unseen = {"validation and test": dict(features.unseen), "pool": self.pool.unseen}
        return {
            "target": self.settings.target,
            **outputs.columns(features.schema),
            "features": len(features.names),
            "unseen_categories": unseen,
            "findings": self.findings,
        }
