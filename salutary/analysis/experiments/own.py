"""Runs that belong to none of the experiments: curves and final accuracies, by protocol and model."""

from __future__ import annotations

import pandas as pd

from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import draw_curves
from salutary.analysis.experiments import Records, Section, markdown_table

TITLE = "Other runs"


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
