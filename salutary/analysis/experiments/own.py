"""Runs that belong to none of the experiments: curves and final accuracies, by protocol and model."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from salutary.analysis.collect import flattened
from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import draw_curves
from salutary.analysis.experiments import Records, Section, markdown_table
from salutary.analysis.runs import read_facts, read_references, read_rounds

TITLE = "Other runs"


class OwnRecords(Records):
    """Records of any runs: a strategy's name says in which settings its runs differ."""

    def __init__(self, folders: list[Path]):
        self.facts = read_facts(folders)
        self.rounds = read_rounds(folders)
        self.references = read_references(folders)
        names = strategy_names(self.facts)
        self.facts["strategy"] = names
        self.rounds["strategy"] = self.rounds["run"].map(names)


def strategy_names(facts: pd.DataFrame) -> pd.Series:
    """``salutary (l2=1)`` where runs of one table, strategy, model and protocol differ in more than "
    "the seed."""
    names = facts["strategy"].copy()
    for _, runs in facts.groupby(["dataset", "strategy", "model", "protocol"]):
        settings = pd.DataFrame([flattened(each) for each in runs["settings"]], index=runs.index).astype(str)
        differing = [name for name in settings if name != "seed" and settings[name].nunique() > 1]
        for run in runs.index if differing else []:
            values = ", ".join(f"{name.split('.')[-1]}={settings.loc[run, name]}" for name in differing)
            names[run] = f"{names[run]} ({values})"
    return names


def section(records: Records) -> Section:
    text, figures, tables = [], {}, {}
    for (protocol, model), rounds in records.rounds.groupby(["protocol", "model"]):
        name = f"{protocol}-{model}"
        runs = rounds["run"].unique()
        references = records.references[records.references["run"].isin(runs)]
        lines = references.drop_duplicates(["dataset", "seed", "line"])
        lines = lines.assign(strategy=lines["line"], accuracy=100 * lines["test_accuracy"])
        final = records.final()
        rows = pd.concat([final[final["run"].isin(runs)], lines])
        tables[name] = means(rows)
        figures[name] = draw_curves(rounds, references)
        text += [
            f"protocol={protocol}, model={model}: final test accuracy, per cent, mean ± deviation over "
            "the seeds.",
            markdown_table(cells(tables[name])),
            f"![Accuracy by round, protocol={protocol}, model={model}]({name}.png)",
        ]
    return Section(TITLE, "\n\n".join(text), figures, tables)
