"""Runs that belong to none of the experiments: curves and final accuracies, by protocol and model."""

from __future__ import annotations

import pandas as pd

from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import draw_curves
from salutary.analysis.sections import Records, Section, markdown_table
from salutary.experiments.collect import flattened

TITLE = "Other runs"


def strategy_names(facts: pd.DataFrame) -> pd.Series:
    """``salutary (l2=1)`` where runs of one table, strategy, model and protocol differ in settings."""
    names = facts["strategy"].copy()
    for _, runs in facts.groupby(["dataset", "strategy", "model", "protocol"]):
        settings = pd.DataFrame([flattened(each) for each in runs["settings"]], index=runs.index).astype(str)
        differing = [name for name in settings if name != "seed" and settings[name].nunique() > 1]
        for run in runs.index if differing else []:
            values = ", ".join(f"{name.split('.')[-1]}={settings.loc[run, name]}" for name in differing)
            names[run] = f"{names[run]} ({values})"
    return names


def section(records: Records) -> Section:
    """A strategy's name says in which settings its runs differ, so that none is taken for a seed."""
    text, figures, tables = [], {}, {}
    names = strategy_names(records.facts)
    every, final = (t.assign(strategy=t["run"].map(names)) for t in (records.rounds, records.final()))
    for (protocol, model), rounds in every.groupby(["protocol", "model"]):
        name = f"{protocol}-{model}"
        runs = rounds["run"].unique()
        references = records.references[records.references["run"].isin(runs)]
        lines = references.drop_duplicates(["dataset", "seed", "line"])
        lines = lines.assign(strategy=lines["line"], accuracy=100 * lines["test_accuracy"])
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
