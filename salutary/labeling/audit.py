"""``salutary-label audit=true``: which labels are likely wrong, and which rows hurt the validation loss."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import KFold

from salutary.engine import MeanLoss, Optimum
from salutary.engine.confidence import ConfidentInfluence
from salutary.labeling import outputs, page, terminal
from salutary.labeling.audit_scores import LIKELY, by_source, true_labels
from salutary.labeling.exports import cleanlab
from salutary.labeling.inputs import Inputs, read_inputs
from salutary.labeling.settings import LabelSettings
from salutary.labeling.sources import Sources
from salutary.labeling.state import State
from salutary.labeling.thumbnails import with_thumbnails
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows
from salutary.system.device import Device
from salutary.system.files import whole_folder, write_atomic
from salutary.system.seeding import stream
from salutary.tables.labels import Classes
from salutary.tables.messages import listed, where
from salutary.tables.places import Place

FOLDS = 10
PACKAGES = ("salutary", "torch", "scikit-learn")


def audit_labels(
    settings: LabelSettings, device: Device, model_of: Callable[[int], LogisticRegression], command: dict
) -> None:
    """Write the ranked table and its page. ``command``: all settings. Raises SalutaryError for what is wrong
    in the files.
    """
    outputs.require_parquet(settings.path)
    inputs = read_inputs(settings, device)
    inputs.findings.extend(_unseen(inputs, settings.target))
    model = model_of(len(inputs.classes.names))
    inputs = inputs.mapped(settings.features, model, settings.seed)
    terminal.tell(inputs.told)
    labeled, validation = inputs.labeled.rows, inputs.validation.rows
    seen = (validation.X, validation.y)
    model.tune(labeled.X, labeled.y, stream(settings.seed, "model"), seen)
    table = audit(labeled, validation, model, inputs.classes, settings.seed, inputs.sources)
    raw = _raw_rows(inputs, table["row"].to_numpy(np.int64))
    if inputs.labeled.ids is not None:
        table.insert(0, settings.id, inputs.labeled.ids[table["row"]])
    assert inputs.labeled.table is not None
    table["row"] = inputs.labeled.table.numbers(table["row"].to_numpy(np.int64))
    named = {name: Place.of(getattr(settings, name)).public for name in ("labeled", "validation")}
    named["target"] = settings.target
    facts = named | _facts(inputs, table) | {"l2": model.l2_, "versions": outputs.versions(*PACKAGES)}
    with outputs.locked(settings.path):
        state = State(settings.partial, command, [], settings.check_free)
        state.writes()
        with whole_folder(settings.folder) as folder:
            write_atomic(folder / "facts.json", outputs.as_json(facts))
            write_atomic(folder / "audit.html", page.audit_page(facts, table, raw).encode())
            if "cleanlab" in settings.exports:
                cleanlab.write(folder, cleanlab.of_audit(table, settings.id))
        outputs.write_table(settings.path, table)
        state.remove()
    terminal.summarise_audit(facts, settings.path, settings.folder)


def audit(
    labeled: Rows,
    validation: Rows,
    model: LogisticRegression,
    classes: Classes,
    seed: int,
    sources: Sources | None = None,
) -> pd.DataFrame:
    """A row per labelled row, the label that is most likely wrong first; ``model`` is tuned.

    ``source``: of the label, if there are ``sources``. ``wrong_probability``: that the label is not the true
    one, and ``likely_label``, the likeliest (:func:`salutary.labeling.audit_scores.true_labels`). ``harm``:
    predicted fall of the mean validation loss if the row is removed, minus its influence, with its
    ``standard_error`` over the validation rows. ``suggested_label``: the one of the highest influence;
    ``gain``: predicted fall if the row gets it. ``probability`` of the label and ``prediction``: by a
    model of the other labelled rows (10 folds) and the validation rows.
    """
    fitted = copy.copy(model).fit(labeled.X, labeled.y)
    optimum = Optimum(fitted.coef_, fitted.penalty_, labeled.X, MeanLoss(validation.X, validation.y))
    scorer = ConfidentInfluence.at(optimum, stream(seed, "strategy"))
    influence, error = (values.numpy(force=True) for values in scorer.score(labeled.X))
    y, n = labeled.y.numpy(force=True), np.arange(len(labeled))
    best = influence.argmax(1)
    probabilities = out_of_fold(labeled, validation, model, seed)
    true = true_labels(labeled, validation, model.n_classes, seed, sources, model.fit_intercept)
    frame = pd.DataFrame(
        {
            "row": n,
            "label": classes.values[y],
            "wrong_probability": true.wrong,
            "likely_label": classes.values[true.likeliest],
            "harm": -influence[n, y],
            "standard_error": error[n, y],
            "suggested_label": classes.values[best],
            "gain": influence[n, best] - influence[n, y],
            "probability": probabilities[n, y],
            "prediction": classes.values[probabilities.argmax(1)],
        }
    )
    if sources is not None:
        frame.insert(2, "source", np.array(sources.names, object)[sources.numbers.numpy(force=True)])
    return frame.sort_values("wrong_probability", ascending=False, kind="stable", ignore_index=True)


def out_of_fold(labeled: Rows, validation: Rows, model: LogisticRegression, seed: int) -> np.ndarray:
    """Probabilities (n, C) of each labelled row by a model that was not trained on it."""
    state = int(stream(seed, "validation").integers(2**31))
    folds = KFold(min(FOLDS, len(labeled)), shuffle=True, random_state=state).split(np.arange(len(labeled)))
    probabilities = np.empty((len(labeled), model.n_classes))
    for rows, held_out in folds:
        trained = labeled[rows].joined(validation.X, validation.y)
        fitted = copy.copy(model).fit(trained.X, trained.y)
        probabilities[held_out] = fitted.predict_proba(labeled.X[torch.as_tensor(held_out)]).numpy(force=True)
    return probabilities


def _unseen(inputs: Inputs, target: str) -> list[str]:
    """Whether there is a class that no validation row is of."""
    names = [name for number, name in enumerate(inputs.classes.names) if not inputs.validation.counts[number]]
    why = f"no row of class {listed(names, 5)}: true labels of that class may look wrong"
    return [f"{where(inputs.validation.path, target)}: {why}"] if names else []


def _raw_rows(inputs: Inputs, places: np.ndarray) -> pd.DataFrame:
    """Pictures and texts of the labelled rows at these places, as the page shows them."""
    schema, table = inputs.features.schema, inputs.labeled.table
    assert table is not None
    columns = [*schema.images, *schema.text]
    frame = table.read(columns) if columns else pd.DataFrame(index=range(len(places)))
    shown = frame.iloc[places].reset_index(drop=True)
    return with_thumbnails(shown, schema.images, table.folder)


def _facts(inputs: Inputs, table: pd.DataFrame) -> dict:
    return {
        "n_labeled": len(table),
        "n_validation": len(inputs.validation.rows),
        "likely_wrong": int((table["wrong_probability"] > LIKELY).sum()),
        "expected_wrong": float(table["wrong_probability"].sum()),
        "hurting": int((table["harm"] > 2 * table["standard_error"]).sum()),
        "doubted": int((table["label"] != table["prediction"]).sum()),
        "sources": by_source(table).to_dict("records") if "source" in table else [],
        "map": inputs.mapping.facts(),
        "columns": {**outputs.columns(inputs.features.schema), "findings": inputs.findings},
        "skipped": {
            name: part.table.skipped
            for name, part in inputs.parts.items()
            if part.table and part.table.skipped
        },
    }
