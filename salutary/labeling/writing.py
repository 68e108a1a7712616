"""What ``salutary-label`` writes: the table of labels, the folder, and the predictions for the pool."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin

from salutary.labeling import ask_file, outputs, page, verdict
from salutary.labeling.answers import with_answers
from salutary.labeling.card import card
from salutary.labeling.cleaned import cleaned_table
from salutary.labeling.comparison import ALTERNATIVE, LABELED
from salutary.labeling.distributed_pool import DistributedPool
from salutary.labeling.exports import cleanlab
from salutary.labeling.exports.blocks import About
from salutary.labeling.exports.kinds import OF_POOL
from salutary.labeling.exports.rows import PoolRows
from salutary.labeling.handed import to_sklearn
from salutary.labeling.inputs import Inputs
from salutary.labeling.judging import Judged
from salutary.labeling.pool import EncodedPool
from salutary.labeling.predictions import write_predictions
from salutary.labeling.remaining import in_file, whole
from salutary.labeling.result import Result
from salutary.labeling.settings import FILES, LabelSettings
from salutary.labeling.thumbnails import OF_ASKED, with_thumbnails
from salutary.models.logistic import LogisticRegression
from salutary.remedies.average import Average
from salutary.system import __version__
from salutary.system.files import whole_folder, write_atomic
from salutary.system.urls import public
from salutary.tables.files import TableFile
from salutary.tables.picked_rows import rows_of
from salutary.tables.places import Place
from salutary.tables.texts import to_texts
from salutary.tables.trusted_types import SPLINES, TRUSTED, untrusted_types

# Columns of the table whose values the page shows beside a label.
SHOWN_COLUMNS = 6


@dataclass(frozen=True)
class Writer:
    """What was asked and read, and what came of it. ``table``, ``pool``: None without a pool.

    ``command``: all settings, for the record. ``files``: those that were read, as
    :func:`~salutary.labeling.provenance.provenance` tells them. ``model``: the linear model's settings.
    """

    settings: LabelSettings
    command: dict
    files: dict[str, dict]
    inputs: Inputs
    table: TableFile | None
    pool: EncodedPool | None
    result: Result
    model: LogisticRegression

    def write(self) -> None:
        """All but the table of labels into a new folder; that and the predictions are there when both are
        whole, and then the table.
        """
        soft = outputs.has_distributions(self.result.rounds)
        labels = outputs.label_table(self.result.kept_rounds, self.inputs.classes, soft)
        if self.pool and self.table is not None:
            places = in_file(self.pool.matrix, labels["row"].to_numpy(np.int64))
            labels["row"] = self.table.numbers(places)
        raw = self._raw_rows(labels)
        if self.settings.id:
            labels.insert(0, self.settings.id, raw[self.settings.id].to_numpy() if len(raw) else [])
        if (truth := self._truth(raw)) is not None:
            labels["true_label"] = truth
        with whole_folder(self.settings.folder) as folder:
            files = self._files(labels, raw)
            for name, content in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                write_atomic(folder / name, content)
            self._export(folder, files["model.skops"])
            self._predict()
        if self.pool:
            outputs.write_table(self.settings.path, labels)

    def _predict(self) -> None:
        path = self.settings.predicted
        if path is None or self.pool is None:
            return
        matrix, classes = self.pool.matrix, self.inputs.classes
        if isinstance(matrix, DistributedPool):
            matrix.write_predictions(path, self._handed, classes)
            return
        pool = whole(matrix)
        write_predictions(path, self.table, self.settings.id, pool, self._handed, classes, progress=True)

    @property
    def _handed(self) -> Callable[[np.ndarray], np.ndarray]:
        """Probabilities (m, C) of features (m, d), by the model that is handed over."""
        found = self.result.judged
        return found.judgement.handed.probabilities if found else _probabilities(self.result.models[LABELED])

    def _export(self, folder: Path, model: bytes) -> None:
        """``model``: the saved one, which names its version."""
        asked, inputs = self.settings, self.inputs
        if "cleanlab" in asked.exports:
            frame = cleanlab.of_inputs(inputs, asked.id, asked.seed, self.model.fit_intercept)
            cleanlab.write(folder, frame)
        names = [name for name in asked.exports if name in OF_POOL]
        if not names or self.table is None or self.pool is None:
            return
        version = f"salutary-{__version__}-{hashlib.sha256(model).hexdigest()[:8]}"
        about = About(asked.target, inputs.classes.names, asked.id, version)
        matrix = self.pool.matrix
        assert not isinstance(matrix, DistributedPool)
        rows = PoolRows(self.table, inputs.features.schema, matrix, self._handed)
        rows.export(names, folder, about, progress=True)

    def _raw_rows(self, labels: pd.DataFrame) -> pd.DataFrame:
        """The labelled pool rows as they stand in the file: id, target if it is there, and some columns."""
        if self.table is None:
            return pd.DataFrame()
        asked = self.settings
        named = [asked.id, asked.target, asked.group, *self._shown]
        columns = [name for name in dict.fromkeys(named) if name in self.table.columns]
        columns = [name for name in columns if name not in self.table.unusable]
        if not len(labels):
            return pd.DataFrame(columns=columns)
        return rows_of(self.table, columns, labels["row"].to_numpy(np.int64))

    @property
    def _shown(self) -> list[str]:
        """The columns that the page shows, pictures and texts first."""
        schema = self.inputs.features.schema
        return [*schema.images, *schema.text, *schema.plain][:SHOWN_COLUMNS]

    def _truth(self, raw: pd.DataFrame) -> np.ndarray | None:
        """The labels that a pool has after all, as text; nothing but the page looks at them."""
        if self.settings.target not in raw or not len(raw):
            return None
        truth = to_texts(raw[self.settings.target], decimal=self.settings.decimal)
        return truth.to_numpy(object) if truth.notna().any() else None

    def _files(self, labels: pd.DataFrame, raw: pd.DataFrame) -> dict[str, bytes]:
        """What goes into the folder, by name."""
        models = self._models()
        untrusted = untrusted_types(models["model.skops"])
        trees = any(name not in (*TRUSTED, *SPLINES) for name in untrusted)
        facts = self.facts(labels) | {"untrusted": untrusted, "holds_trees": trees}
        files = {**models, "facts.json": outputs.as_json(facts), "MODEL_CARD.md": card(facts).encode()}
        if self.result.judged:
            files["cleaned.csv"] = self._cleaned(self.result.judged)
        if not self.pool:
            return {**files, "audit.html": page.page_without_pool(facts).encode()}
        asked = self._asked
        if asked is not None:
            files[ask_file.NAME] = asked.to_csv(index=False, sep=self.settings.separator).encode()
        curves = outputs.curves(self.result.rounds)
        columns = [name for name in self._shown if name in raw]
        group = [self.settings.group] if self.settings.group in raw and len(raw) else []
        shown = raw[[*dict.fromkeys([*group, *columns])]].reset_index(drop=True)
        if self.table is not None:
            shown = with_thumbnails(shown, self.inputs.features.schema.images, self.table.folder)
        files["curves.csv"] = curves.to_csv(index=False).encode()
        pages = page.page(facts, labels, curves, shown, self._asked_shown(asked))
        return {**files, "audit.html": pages.encode()}

    @property
    def _asked(self) -> pd.DataFrame | None:
        """What ask.csv says."""
        settings, asked = self.settings, self.result.asked
        if asked is None or self.table is None:
            return None
        return ask_file.ask_table(asked, self.table, settings.id, settings.target, self.inputs.classes)

    def _asked_shown(self, asked: pd.DataFrame | None) -> pd.DataFrame | None:
        """What the page says of it."""
        if asked is None or self.table is None:
            return None
        frame = ask_file.for_page(asked[: page.ASKED], self.inputs.classes, self._shown)
        return with_thumbnails(frame, self.inputs.features.schema.images, self.table.folder, OF_ASKED)

    def _models(self) -> dict[str, bytes]:
        """The model that is handed over, ``alternative.skops`` of 0.3, and all others by name in models/."""
        models, classes = self.result.models, self.inputs.classes.values
        files = {}
        if models:
            files["alternative.skops"] = self._saved(models[ALTERNATIVE].to_sklearn(classes))
            files["model.skops"] = self._saved(models[LABELED].to_sklearn(classes))
        if self.result.judged:
            found = self.result.judged.judgement
            files["model.skops"] = self._saved_average(found.handed)
            for name in found.can_be_handed:
                files[f"models/{name}.skops"] = self._saved_average(found.model(name))
        return files

    def _saved_average(self, average: Average) -> bytes:
        return self._saved(to_sklearn(average, self.model, self.inputs.classes.values))

    def _saved(self, estimator: ClassifierMixin) -> bytes:
        read = self.settings.separator, self.settings.reading
        return outputs.saved_pipeline(self.inputs.features, estimator, *read)

    def _cleaned(self, judged: Judged) -> bytes:
        """L as the handed model uses it."""
        part, target = self.inputs.labeled, self.settings.target
        table = part.table
        assert table is not None
        frame = table.read([name for name in table.columns if name not in table.unusable])
        frame, _ = with_answers(frame, self.settings, table)
        cleaned = cleaned_table(frame, target, self.inputs.classes, *judged.judgement.of_labeled())
        return cleaned.to_csv(index=False).encode()

    def facts(self, labels: pd.DataFrame) -> dict:
        """What facts.json says: data, columns, rounds, comparisons, remedies, versions."""
        result, hidden = self.result, ("protocol", "hydra")
        judged = verdict.facts_of(result.judged) if result.judged else {"handed": None}
        return {
            "command": {
                name: _shown(name, value) for name, value in self.command.items() if name not in hidden
            },
            "output": str(self.settings.path),
            "files": self.files,
            "classes": list(self.inputs.classes.names),
            "counts": self._counts(labels),
            "pool_rows": len(self.pool.matrix) if self.pool else 0,
            "columns": self._columns(),
            "l2": self._l2,
            "rounds": result.rounds[-1].number if result.rounds else 0,
            "kept_rounds": result.kept,
            "labels": len(labels),
            "stop": result.stop,
            "comparisons": [comparison.facts() for comparison in result.comparisons],
            **judged,
            **({"distributions": True} if outputs.has_distributions(result.rounds) else {}),
            "objective": result.aim.about,
            "groups": list(self.inputs.groups),
            "answers": len(self.inputs.answered),
            **ask_file.facts(result.asked),
            "seconds": result.seconds,
            "versions": outputs.versions("salutary", "torch", "scikit-learn", "skops"),
        }

    @property
    def _l2(self) -> float | None:
        """The penalty of the salutary model; without a pool, of the handed one, as far as that is linear."""
        if self.result.models:
            return self.result.models[LABELED].l2_
        assert self.result.judged is not None
        linear = self.result.judged.judgement.handed.linear
        return linear.l2 if linear else None

    def _counts(self, labels: pd.DataFrame) -> dict[str, dict[str, int]]:
        """Rows of each class, by part, and labels that were assigned."""
        names = self.inputs.classes.names
        assigned = labels["label"].astype(str).value_counts()
        counts = {
            part: {name: rows.counts[number] for number, name in enumerate(names)}
            for part, rows in self.inputs.parts.items()
        }
        return {**counts, "assigned": {name: int(assigned.get(name, 0)) for name in names}}

    @property
    def _tables(self) -> dict[str, TableFile]:
        """Those there are, by setting."""
        tables = {name: part.table for name, part in self.inputs.parts.items()} | {"pool": self.table}
        return {name: table for name, table in tables.items() if table is not None}

    def _columns(self) -> dict:
        features, pool = self.inputs.features, self.pool
        unseen = {"validation and test": dict(features.unseen), "pool": pool.unseen if pool else {}}
        return {
            "target": self.settings.target,
            **outputs.columns(features.schema),
            "features": features.n_features,
            "encoder": features.encoder.about if features.encoder else None,
            "image_encoder": features.image_encoder.about if features.image_encoder else None,
            "skipped": {name: table.skipped for name, table in self._tables.items() if table.skipped},
            "map": self.inputs.mapping.facts(),
            "unseen_categories": unseen,
            "findings": [*self.inputs.findings, *(pool.findings if pool else ())],
        }


def _shown(name: str, value: object) -> object:
    """A setting without what is secret in a URL."""
    if name in FILES and isinstance(value, str):
        return Place.of(value).public
    return public(value) if isinstance(value, str) else value


def _probabilities(model: LogisticRegression) -> Callable[[np.ndarray], np.ndarray]:
    """A pool that is mapped cannot be written to, which torch warns of: its rows are copied."""
    return lambda X: model.predict_proba(torch.from_numpy(np.require(X, requirements="W"))).numpy(force=True)
