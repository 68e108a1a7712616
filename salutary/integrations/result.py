"""What :func:`salutary.run` gives back: the records of its runs as tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from salutary.analysis.curves import draw_curves
from salutary.analysis.told_apart import each_once, line_names, strategy_names
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

    def plot(self) -> Figure:
        """Test accuracy by round, mean and standard deviation over the seeds, a panel for each table."""
        rounds = self.rounds.assign(strategy=self.rounds["run"].map(strategy_names(self.facts)))
        lines = self.references.assign(strategy=line_names(self.references, self.facts))
        return draw_curves(rounds, each_once(lines))

    def summary(self) -> pd.DataFrame:
        """Final test accuracy by table and strategy: mean, standard deviation, number of runs."""
        names = ["dataset", "strategy"]
        return self.final.groupby(names, sort=False)["test_accuracy"].agg(["mean", "std", "count"])

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
