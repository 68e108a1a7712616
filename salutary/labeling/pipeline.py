"""From settings to files: what ``salutary-label`` does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.labeling import outputs, terminal
from salutary.labeling import page as label_page
from salutary.labeling.comparison import ALTERNATIVE, INITIAL, LABELED, Comparison
from salutary.labeling.inputs import Inputs, read_inputs
from salutary.labeling.labeler import Labeler, Round, alternative, held_out_when_kept, row_losses
from salutary.labeling.pool import EncodedPool, encode_pool, rows_of
from salutary.labeling.settings import LabelSettings, as_path
from salutary.labeling.state import State
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Strategy
from salutary.system.device import Device
from salutary.system.files import whole_folder, write_atomic
from salutary.system.progress import counting_bar
from salutary.tables.files import TableFile, open_table
from salutary.tables.schema import to_texts

# Columns of the table whose values the page shows beside a label.
SHOWN_COLUMNS = 6


@dataclass(frozen=True)
class Result:
    """What came of a labelling. ``models``: by the names of :mod:`salutary.labeling.comparison`."""

    rounds: tuple[Round, ...]
    kept: int
    stop: str
    models: dict[str, LogisticRegression]
    comparisons: list[Comparison]
    seconds: float

    @property
    def kept_rounds(self) -> tuple[Round, ...]:
        return self.rounds[: self.kept + 1]


def run(
    settings: LabelSettings,
    device: Device,
    model_of: Callable[[int], LogisticRegression],
    strategy: Strategy,
    chosen: dict,
) -> None:
    """Label the pool and write everything; ``chosen``: all settings, for the record.

    Raises SalutaryError for whatever is wrong in the files; then nothing is written.
    """
    outputs.require_parquet(settings.path)
    table = open_table(settings.pool, settings.separator)
    inputs = read_inputs(settings, device)
    model = model_of(len(inputs.classes.names))
    files = [as_path(name) for name in (settings.labeled, settings.validation, settings.pool)]
    with outputs.locked(settings.path):
        state = State(settings.partial, chosen, files)
        try:
            pool = encode_pool(table, inputs, settings.id, state.folder, progress=True)
            result = label(settings, inputs, pool, model, strategy, state)
            write(settings, inputs, table, pool, result, chosen)
        except SalutaryError:  # trying again would find the same; what was interrupted stays, to go on with
            state.remove()
            raise
        state.remove()
    terminal.summarise(result, settings)


def label(
    settings: LabelSettings,
    inputs: Inputs,
    pool: EncodedPool,
    model: LogisticRegression,
    strategy: Strategy,
    state: State,
) -> Result:
    """Go on with the rounds where ``state`` left them, and compare what came of them."""
    started = time.perf_counter()
    labeler = Labeler(
        labeled=inputs.labeled.rows,
        validation=inputs.validation.rows,
        pool=pool.matrix,
        n_classes=len(inputs.classes.names),
        model=model,
        strategy=strategy,
        budget=settings.budget,
        folds=settings.folds,
        seed=settings.seed,
        shortlist=max(settings.shortlist, settings.budget, strategy.rerank),
        progress=True,
    )
    done = state.rounds()
    records = [*done]
    with _rounds_bar(settings, pool) as advance:
        advance(max(len(done) - 1, 0))
        for record in labeler.rounds(settings.stopping, done):
            state.add(record)
            records.append(record)
            advance(int(record.number > 0))
    rounds = tuple(records)
    kept = settings.stopping.kept([record.loss for record in rounds])
    other, other_held_out = alternative(labeler)
    models = {
        INITIAL: labeler.kept(rounds, 0).model,
        LABELED: labeler.kept(rounds, kept).model,
        ALTERNATIVE: other,
    }
    held_out = {
        INITIAL: rounds[0].held_out,
        LABELED: held_out_when_kept(labeler, rounds, settings.stopping),
        ALTERNATIVE: other_held_out,
    }
    comparisons = _comparisons(inputs, models, held_out)
    seconds = time.perf_counter() - started + sum(record.seconds for record in done)
    return Result(rounds, kept, labeler.stop, models, comparisons, seconds)


@contextlib.contextmanager
def _rounds_bar(settings: LabelSettings, pool: EncodedPool) -> Iterator[Callable[[int], None]]:
    """A bar of rounds; a large pool shows one of each pass over it instead."""
    if len(pool.matrix) > settings.shortlist:
        yield lambda n: None
        return
    with counting_bar("labelling", None if settings.rounds == "auto" else settings.rounds) as advance:
        yield advance


def _comparisons(
    inputs: Inputs,
    models: dict[str, LogisticRegression],
    held_out: dict[str, tuple[np.ndarray, np.ndarray] | None],
) -> list[Comparison]:
    """On the test rows if there are any, then on held-out validation rows."""
    found = []
    if inputs.test:
        measured = {name: row_losses(model, inputs.test.rows) for name, model in models.items()}
        found.append(Comparison.of("test rows", measured))
    if held_out[INITIAL]:
        found.append(Comparison.of("validation rows held out from choosing", held_out))
    return found


def write(
    settings: LabelSettings,
    inputs: Inputs,
    table: TableFile,
    pool: EncodedPool,
    result: Result,
    chosen: dict,
) -> None:
    """The folder first, then the table of labels."""
    labels = outputs.label_table(result.kept_rounds, inputs.classes)
    raw = _raw_rows(table, labels, inputs, settings)
    if settings.id:
        labels.insert(0, settings.id, raw[settings.id].to_numpy() if len(raw) else [])
    if (truth := _truth(raw, settings)) is not None:
        labels["true_label"] = truth
    curves = outputs.curves(result.rounds)
    facts = facts_of(settings, inputs, pool, result, labels, chosen)
    columns = [name for name in inputs.features.schema.used if name in raw][:SHOWN_COLUMNS]
    page = label_page.page(facts, labels, curves, raw[columns].reset_index(drop=True))
    card = label_page.card(facts)
    with whole_folder(settings.folder) as folder:
        outputs.save_model(folder / "model.skops", inputs.features, result.models[LABELED], inputs.classes)
        outputs.save_model(
            folder / "alternative.skops", inputs.features, result.models[ALTERNATIVE], inputs.classes
        )
        write_atomic(folder / "curves.csv", curves.to_csv(index=False).encode())
        outputs.write_json(folder / "facts.json", facts)
        write_atomic(folder / "MODEL_CARD.md", card.encode())
        write_atomic(folder / "audit.html", page.encode())
    outputs.write_table(settings.path, labels)


def _raw_rows(
    table: TableFile, labels: pd.DataFrame, inputs: Inputs, settings: LabelSettings
) -> pd.DataFrame:
    """The labelled pool rows as they stand in the file: id, target if it is there, and some columns."""
    wanted = [settings.id, settings.target, *inputs.features.schema.used[:SHOWN_COLUMNS]]
    columns = [name for name in wanted if name in table.columns]
    if not len(labels):
        return pd.DataFrame(columns=columns)
    return rows_of(table, columns, labels["row"].to_numpy(np.int64))


def _truth(raw: pd.DataFrame, settings: LabelSettings) -> np.ndarray | None:
    """The labels that a pool has after all, as text; nothing but the page looks at them."""
    if settings.target not in raw or not len(raw):
        return None
    truth = to_texts(raw[settings.target])
    return truth.to_numpy(object) if truth.notna().any() else None


def facts_of(
    settings: LabelSettings,
    inputs: Inputs,
    pool: EncodedPool,
    result: Result,
    labels: pd.DataFrame,
    chosen: dict,
) -> dict:
    """What facts.json says: data, columns, rounds, comparisons, versions."""
    names = inputs.classes.names
    counts = {"labeled": inputs.labeled.counts, "validation": inputs.validation.counts}
    if inputs.test:
        counts["test"] = inputs.test.counts
    assigned = labels["label"].astype(str).value_counts().to_dict()
    schema = inputs.features.schema
    return {
        "command": {name: value for name, value in chosen.items() if name not in ("protocol", "hydra")},
        "output": str(settings.path),
        "classes": list(names),
        "counts": {part: {name: counts[part][number] for number, name in enumerate(names)} for part in counts}
        | {"assigned": {name: int(assigned.get(name, 0)) for name in names}},
        "pool_rows": len(pool.matrix),
        "columns": {
            "target": settings.target,
            "numeric": list(schema.numeric),
            "categorical": list(schema.categorical),
            "left_out": schema.left_out,
            "features": len(inputs.features.names),
            "unseen_categories": {"validation and test": dict(inputs.features.unseen), "pool": pool.unseen},
        },
        "l2": result.models[LABELED].l2_,
        "rounds": result.rounds[-1].number,
        "kept_rounds": result.kept,
        "labels": len(labels),
        "stop": result.stop,
        "comparisons": [comparison.facts() for comparison in result.comparisons],
        "seconds": result.seconds,
        "versions": {name: metadata.version(name) for name in ("salutary", "torch", "scikit-learn", "skops")},
    }
