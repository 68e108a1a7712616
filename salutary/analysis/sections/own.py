"""Runs that belong to none of the experiments: curves and final accuracies, by protocol and model."""

from __future__ import annotations

import pandas as pd

from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import draw_curves
from salutary.analysis.sections import Records, Section, markdown_table
from salutary.analysis.told_apart import each_once, line_names, strategy_names

TITLE = "Other runs"


def section(records: Records) -> Section:
    """A name says in which settings the runs of a strategy or a reference line differ, so that none is taken
    for a seed.
    """
    text, figures, tables = [], {}, {}
    names = strategy_names(records.facts)
    every, final = (t.assign(strategy=t["run"].map(names)) for t in (records.rounds, records.final()))
    for (protocol, model), rounds in every.groupby(["protocol", "model"]):
        name = f"{protocol}-{model}"
        runs = rounds["run"].unique()
        references = records.references[records.references["run"].isin(runs)]
        lines = each_once(references.assign(strategy=line_names(references, records.facts.loc[runs])))
        rows = pd.concat([final[final["run"].isin(runs)], lines])
        tables[name] = means(rows)
        figures[name] = draw_curves(rounds, lines)
        of_objectives = _figures(final, records.facts.loc[runs])
        tables |= {f"{name}-{kind}": each for kind, each in of_objectives.items()}
        text += [
            f"protocol={protocol}, model={model}: final test accuracy, per cent, mean ± deviation over "
            "the seeds.",
            markdown_table(cells(tables[name])),
            f"![Accuracy by round, protocol={protocol}, model={model}]({name}.png)",
        ]
        for kind, each in of_objectives.items():
            text += [f"Final {kind.replace('_', ' ')} on test rows, times 100:", markdown_table(cells(each))]
    return Section(TITLE, "\n\n".join(text), figures, tables)


def _figures(final: pd.DataFrame, facts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Means of what is reported of objectives other than the mean loss, by the name of the figure."""
    final = final.assign(value=100 * final["test_figure"])
    of = {kind: final[final["run"].isin(runs.index)] for kind, runs in facts.groupby("figure")}
    return {str(kind): means(rows, "value") for kind, rows in of.items() if rows["value"].notna().any()}
