"""What :func:`salutary.run` gives back: the records of its runs as tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from salutary.analysis.curves import draw_curves
from salutary.analysis.learning_curves import AXES, last_values
from salutary.analysis.metrics import Metric, metric_named
from salutary.analysis.own_statistics import Comparison, compare
from salutary.analysis.sections.own import with_line, with_metric, with_value
from salutary.analysis.style import SCREEN
from salutary.analysis.told_apart import each_once, line_names, strategy_names
from salutary.errors import SalutaryError
from salutary.experiments.collect import gather
from salutary.experiments.records import QUERY_COLUMNS
from salutary.experiments.runs import last_rounds, read_facts, references_of

WHO = ["run", "dataset", "strategy", "model", "protocol", "seed"]
RECORDS = {"rounds", "queries"}


@dataclass(frozen=True)
class Result:
    """The records of some runs (docs/records.md), in the order of the arguments that they were made of.

    ``rounds``: a row for each round, with a column for each setting in which the runs differ; round 0 is the
    initial model. ``queries``: a row for each point that was added. ``references``: a row for each reference
    line of a run, such as training on labelled and validation rows. ``facts``: a row for each run, indexed by
    its name: settings, seconds, versions. ``tables``: what else the runs wrote, by the name of the file, such
    as ``trials``, or a study's. ``findings``: what is to be told of the data. ``folder``: where the records
    are, if they were to be kept. ``run`` is the name of a run everywhere.
    """

    rounds: pd.DataFrame
    queries: pd.DataFrame
    references: pd.DataFrame
    facts: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    folder: Path | None = None

    @classmethod
    def read(cls, paths: list[Path], findings: tuple[str, ...] = (), folder: Path | None = None) -> Result:
        """Of the folders of finished runs. Raises SalutaryError for a record that cannot be read."""
        order = {str(path): place for place, path in enumerate(paths)}
        rounds, facts = gather(paths)[0], read_facts(paths)
        facts = facts.loc[sorted(facts.index, key=order.__getitem__)]
        who = facts.reset_index()[WHO]
        tables = {name: _table(paths, name).merge(who, on="run") for name in _names(paths)}
        parts = {
            "rounds": rounds.sort_values(
                ["run", "round"], key=lambda c: c.map(order) if c.name == "run" else c
            ),
            "queries": _table(paths, "queries").merge(who, on="run"),
            "references": references_of(facts),
            "facts": facts.rename(index=lambda run: Path(run).name),
        }
        for name in ("rounds", "queries", "references"):
            parts[name] = _by_name(parts[name])
        return cls(
            **parts, tables={n: _by_name(t) for n, t in tables.items()}, findings=findings, folder=folder
        )

    @property
    def final(self) -> pd.DataFrame:
        """The last round of each run."""
        return last_rounds(self.rounds).set_index("run").loc[self.facts.index].reset_index()

    def plot(self, metric: str = "accuracy", x: str = "rounds") -> Figure:
        """A metric of the test rows along ``x``: mean and standard deviation over the seeds, a panel for each
        table, and the level of training on labelled and validation rows.

        ``metric``: accuracy, balanced_accuracy, macro_f1, loss, auroc, average_precision, brier, ece, kappa,
        or the figure or objective of another objective. ``x``: rounds, labels, human_labels or seconds.
        Raises SalutaryError for others.
        """
        if x not in AXES:
            raise SalutaryError(f"x={x}: there are {', '.join(AXES)}")
        of = metric_named(metric, self.facts)
        with SCREEN.applied():
            return draw_curves(with_metric(self._named(), of)[0], self._lines(of), of, x)

    def compare(self, baseline: str | None = None, metric: str = "accuracy") -> Comparison:
        """Every strategy against ``baseline``, by default random: differences paired by table and seed, with
        intervals, wins, and tests over tables (:mod:`salutary.analysis.own_statistics`).

        A baseline may be a reference line, such as ``labeled_and_validation``. Raises SalutaryError for one
        that is not there, and for a ``metric`` that :meth:`plot` would refuse.
        """
        of = metric_named(metric, self.facts)
        final = last_values(with_metric(self._named(), of)[0], of)
        final, found = with_line(final, self._lines(of), baseline)
        return compare(final, found or baseline, of)

    def summary(self, metric: str = "accuracy") -> pd.DataFrame:
        """The metric at the end by table and strategy: mean, standard deviation, number of runs."""
        of = metric_named(metric, self.facts)
        final = last_values(self._named(), of)
        final["value"] /= of.factor
        return final.groupby(["dataset", "strategy"], sort=False)["value"].agg(["mean", "std", "count"])

    def _named(self) -> pd.DataFrame:
        """The rounds, with names of strategies that say in which settings their runs differ."""
        return self.rounds.assign(strategy=self.rounds["run"].map(strategy_names(self.facts)))

    def _lines(self, metric: Metric) -> pd.DataFrame:
        lines = self.references.assign(strategy=line_names(self.references, self.facts))
        return each_once(with_value(lines, metric))

    def __repr__(self) -> str:
        n = len(self.facts)
        return f"{n} run{'s' * (n > 1)}, final test accuracy:\n{self.summary().to_string()}"

    def _repr_html_(self) -> str:
        return self.summary().to_html(float_format="{:.4f}".format)


def _names(paths: list[Path]) -> list[str]:
    """Of the other tables that some run has."""
    return sorted({file.stem for path in paths for file in path.glob("*.csv")} - RECORDS)


def _table(paths: list[Path], name: str) -> pd.DataFrame:
    files = {path: path / f"{name}.csv" for path in paths}
    tables = [pd.read_csv(file).assign(run=str(path)) for path, file in files.items() if file.exists()]
    filled = [table for table in tables if len(table)]
    return pd.concat(
        filled or tables[:1] or [pd.DataFrame(columns=[*QUERY_COLUMNS, "run"])], ignore_index=True
    )


def _by_name(table: pd.DataFrame) -> pd.DataFrame:
    """With the name of each run in place of its folder."""
    return table.assign(run=[Path(run).name for run in table["run"]]).reset_index(drop=True)
