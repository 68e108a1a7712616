"""From settings to files: what ``salutary-label`` does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from salutary.engine.soft_labels import POOL_ROWS
from salutary.labeling import backends, images, outputs, terminal
from salutary.labeling.aim import Aim
from salutary.labeling.asking import LOOKED_AT, Questions
from salutary.labeling.asking import questions as ask
from salutary.labeling.comparison import ModelComparison
from salutary.labeling.distributed_pool import DistributedPool
from salutary.labeling.inputs import Inputs, read_inputs
from salutary.labeling.judging import Judged, Remedying, assigned, judged
from salutary.labeling.kept import three_models
from salutary.labeling.labeler import Labeler, LabelRound
from salutary.labeling.measured import Measured, row_losses
from salutary.labeling.pool import EncodedPool, NpyPool
from salutary.labeling.provenance import provenance
from salutary.labeling.remaining import in_file, without
from salutary.labeling.result import Result
from salutary.labeling.settings import LabelSettings
from salutary.labeling.state import State
from salutary.labeling.writing import Writer
from salutary.models.logistic import LogisticRegression
from salutary.remedies import Assigned, BaseModel
from salutary.remedies.judgement import folds_of
from salutary.strategies import Strategy
from salutary.system.device import Device
from salutary.system.progress import counting_bar
from salutary.system.seeding import stream
from salutary.tables.files import check_columns

NO_POOL = "there is no pool"


def label_pool(
    settings: LabelSettings,
    device: Device,
    model_of: Callable[[int], LogisticRegression],
    strategy: Strategy,
    bases: Sequence[BaseModel],
    aim: Aim,
    command: dict,
) -> None:
    """Label the pool, judge the remedies and write everything; ``bases``: base models that are judged.

    ``aim``: what the model is to be good at. ``command``: all settings, for the record. Raises SalutaryError
    for whatever is wrong in the files; then nothing is written.
    """
    for path in settings.tables.values():
        outputs.require_parquet(path)
    if "datasets" in settings.exports:
        outputs.require_pyarrow()
    backends.require(settings.backend)
    remedying = Remedying.of(settings, bases, aim)
    table = images.opened("pool", settings) if "pool" in settings.files else None
    inputs = read_inputs(settings, device)
    model = model_of(len(inputs.classes.names))
    remedying = replace(remedying, aim=aim.resolved(inputs.classes.names, inputs.validation.rows))
    inputs = inputs.mapped(settings.features, model, settings.seed)
    remedying.check(remedying.data(inputs, model, settings.seed), table is not None)
    if table is not None:
        check_columns(
            table.path, table.columns, [name for name in [settings.target] if name in table.columns]
        )
    read = provenance(settings)
    with outputs.locked(*settings.tables.values()), backends.of(settings.backend) as backend:
        made_by = {} if (about := inputs.features.encoded_by) is None else {"encoder_is": about}
        files = [*settings.chosen_by, *images.files_of(settings)]
        state = State(settings.partial, command | made_by, files, settings.check_free)
        if state.doubt:
            terminal.tell([f"{settings.path} starts over: {state.doubt}"])
        with state.until_written():
            pool = backend.encoded(table, inputs, settings, device, state.folder) if table else None
            pool = without(pool, inputs.answered) if pool else None
            labelling = Labelling(settings, inputs, pool, remedying)
            result = labelling.label(model, strategy, state)
            if result.asked is not None and table is not None:
                asked = replace(result.asked, rows=table.numbers(result.asked.rows))
                result = replace(result, asked=asked)
            state.writes()
            Writer(settings, command, read, inputs, table, pool, result, model).write()
    terminal.summarise(result, settings)


@dataclass(frozen=True)
class Labelling:
    """What was asked, and what was read: the rows with labels, and the pool, if there is one, as a matrix."""

    settings: LabelSettings
    inputs: Inputs
    pool: EncodedPool | None
    remedying: Remedying

    def label(self, model: LogisticRegression, strategy: Strategy, state: State) -> Result:
        """Go on with the rounds where ``state`` left them, and compare and judge what came of them."""
        started = time.perf_counter()
        if self.pool is None:
            terminal.tell(self.inputs.told)
            found = self._judged(model, None, None, 0.0)
            aim = self.remedying.aim
            return Result((), 0, NO_POOL, {}, [], found, time.perf_counter() - started, aim)
        done, stopping = state.rounds(), self.settings.stopping
        before = sum(record.seconds for record in done)
        labeler = self._labeler(model, strategy, self.pool.matrix)
        terminal.tell([*self.inputs.told, *self.pool.findings])
        rounds = self._rounds(labeler, done, state)
        kept = stopping.kept([record.loss for record in rounds])
        models, held_out = three_models(labeler, rounds, stopping)
        comparisons = self._comparisons(models, held_out)
        given = assigned(labeler, rounds, stopping) if self.remedying.chosen else None
        found = self._judged(model, labeler, given, before + time.perf_counter() - started)
        asked = self._asked(model, found)
        seconds = before + time.perf_counter() - started
        aim = self.remedying.aim
        return Result(rounds, kept, labeler.stop, models, comparisons, found, seconds, aim, asked)

    def _asked(self, model: LogisticRegression, found: Judged | None) -> Questions | None:
        """Of the pool's rows, or of those that are drawn from a large pool."""
        asked = self.settings
        if asked.ask is None or found is None or self.pool is None:
            return None
        matrix, rng = self.pool.matrix, stream(asked.seed, "ask")
        rows = np.sort(rng.permutation(len(matrix))[:LOOKED_AT])
        data = self.remedying.data(self.inputs, model, asked.seed)
        X = matrix.take(rows).astype(np.float64)
        with counting_bar("asking", asked.ask) as advance:
            questions = ask(data, found.judgement, X, asked.ask, rng, advance)
        return replace(questions, rows=in_file(matrix, rows[questions.rows]))

    def _judged(
        self, model: LogisticRegression, labeler: Labeler | None, given: list[Assigned] | None, seconds: float
    ) -> Judged | None:
        """``given``: the labels of the pool's rows, in result and folds; ``seconds``: that are gone."""
        if not self.remedying.chosen:
            return None
        asked = self.settings
        data = self.remedying.data(self.inputs, model, asked.seed)
        if self._sample and data.criterion:  # only remedies for an objective look at it
            data = replace(data, pool=self._sample(POOL_ROWS, stream(asked.seed, "soft_labels")))
        V = data.validation
        folds = labeler.split if labeler else folds_of(V.y, asked.folds, asked.seed, V.groups)
        return judged(self.inputs, data, self.remedying.judge(data, folds, given, seconds), self._sample)

    @property
    def _sample(self) -> Callable[[int, np.random.Generator], np.ndarray] | None:
        """Gives so many rows of the pool (m, d), or all of them."""
        if self.pool is None:
            return None
        matrix = self.pool.matrix

        def sample(n: int, rng: np.random.Generator) -> np.ndarray:
            return matrix.take(np.sort(rng.permutation(len(matrix))[:n])).astype(np.float64)

        return sample

    def _labeler(
        self, model: LogisticRegression, strategy: Strategy, pool: NpyPool | DistributedPool
    ) -> Labeler:
        asked = self.settings
        return Labeler(
            labeled=self.inputs.labeled.rows,
            validation=self.inputs.validation.rows,
            pool=pool,
            n_classes=len(self.inputs.classes.names),
            model=model,
            strategy=strategy,
            budget=asked.budget,
            folds=asked.folds,
            seed=asked.seed,
            shortlist=max(asked.shortlist, asked.budget, strategy.rerank),
            progress=True,
            criterion=self.remedying.aim.criterion,
        )

    def _rounds(self, labeler: Labeler, done: tuple[LabelRound, ...], state: State) -> tuple[LabelRound, ...]:
        """All rounds, ``done`` first; each of the others is kept in ``state`` as it ends."""
        rounds = [*done]
        with self._bar(len(labeler.pool)) as advance:
            advance(max(len(done) - 1, 0))
            for record in labeler.rounds(self.settings.stopping, done):
                state.add(record)
                rounds.append(record)
                terminal.tell_round(rounds, self.remedying.aim.name)
                advance(int(record.number > 0))
        return tuple(rounds)

    @contextlib.contextmanager
    def _bar(self, n_rows: int) -> Iterator[Callable[[int], None]]:
        """A bar of rounds; a large pool shows one of each pass over it instead."""
        if n_rows > self.settings.shortlist:
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
            rows, criterion = self.inputs.test.rows, self.remedying.aim.criterion
            measured = {name: row_losses(model, rows, criterion) for name, model in models.items()}
            comparisons.append(ModelComparison.of("test rows", measured, self.remedying.aim.name))
        if held_out:
            where = "validation rows held out from choosing"
            comparisons.append(ModelComparison.of(where, held_out, self.remedying.aim.name))
        return comparisons
