"""How sure to be of an influence, by the size of the validation set: the study of docs/confidence.md."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import ttest_1samp

from salutary.analysis.curves import datasets_in_order
from salutary.analysis.layout import leftmost, legend, panels, set_title
from salutary.analysis.paper import DATASETS
from salutary.analysis.sections import Records, Section, markdown_table, surely
from salutary.analysis.statistics import holm
from salutary.analysis.style import GREY
from salutary.errors import SalutaryError
from salutary.experiments.runs import last_rounds
from salutary.system.pictures import BLACK, ORANGE, VERMILLION

TITLE = "How sure to be of an influence, by the size of the validation set"
VARIED = ("protocol", "n_validation", "strategy.confidence")
INTRO = """\
Up to 100 points in ten rounds, chosen with so many validation rows (n_V); means over the seeds of the change
from the initial model. `greedy k` is salutary_greedy with strategy.confidence=k; the best of the methods that
know the validation rows is bold. "Sure": p < 0.05 in a paired t-test over the seeds after Holm's correction
over all cells of the protocol. The verdict is about `greedy auto`: confidence 2 below 300 validation rows,
else 1."""
CELL = ["protocol", "dataset", "n_validation"]
OURS = "greedy auto"
# Methods in the order of the table; the last three know nothing of n_validation.
METHODS = ["L + V", "salutary", "greedy 0", "greedy 0.5", "greedy 1", "greedy 2"]
FEW = 300  # as in strategies/salutary_greedy.py, which imports PyTorch
COLOURS = {
    "L + V": GREY,
    "salutary": VERMILLION,
    "greedy 0": "#9ecae1",
    "greedy 1": "#2171b5",
    "greedy 2": BLACK,
}
LINES = {"initial": "initial", "labeled_and_validation": "L + V"}
WITHOUT_VALIDATION = ["margin", "random", "self_training"]


def section(records: Records) -> Section:
    """Changes of loss and accuracy in every cell, and in how many `greedy auto` is better or worse."""
    try:
        study = study_of(records)
    except SalutaryError as error:  # of a sweep that has only begun
        return Section(TITLE, f"**Not drawn**: {error}.")
    loss, accuracy = cells(study), cells(study, "test_accuracy")
    text, figures = [INTRO, "In how many cells ours is better or worse:", markdown_table(verdict(loss))], {}
    for protocol in loss.index.unique("protocol"):
        name = f"confidence-{protocol}"
        figures[name] = draw_changes(loss, protocol)
        text += [
            f"![Test loss minus the initial model's, protocol={protocol}, mean over the seeds]({name}.png)",
            f"protocol={protocol}, change of the test loss, thousandths:",
            markdown_cells(loss, protocol),
            f"protocol={protocol}, change of the test accuracy, percentage points:",
            markdown_cells(accuracy, protocol, "{:+.1f}", -1e-2),
        ]
    tables = {"confidence": loss.reset_index()}
    return Section(TITLE, "\n\n".join(text), figures, tables, brief=brief(loss))


def study_of(records: Records) -> pd.DataFrame:
    """One row per run and reference line: protocol, dataset, n_validation (inf: all), seed, method,
    test_loss, test_accuracy, added. Raises SalutaryError if there are no runs of salutary or of ours.
    """
    rounds, settings = records.rounds, records.facts["settings"]
    last = last_rounds(rounds).set_index("run")
    last["added"] = last["n_labeled"] - rounds.groupby("run")["n_labeled"].first()
    last["n_validation"] = [settings[path]["n_validation"] or np.inf for path in last.index]
    last["method"] = [_method(run.strategy, settings[run.Index]) for run in last.itertuples()]
    references = records.references.replace({"line": LINES}).rename(columns={"line": "method"})
    references = references[references["method"].isin(LINES.values())].set_index("run")
    references = references.join(last[["protocol", "n_validation"]]).assign(added=0)
    columns = [*CELL, "seed", "method", "test_loss", "test_accuracy", "added"]
    study = pd.concat([last[columns], references[columns]]).drop_duplicates([*CELL, "seed", "method"])
    # What confidence=auto does: the same runs, by the number of validation rows (all of diabetic's are few).
    few = (study["n_validation"] < FEW) | (study["dataset"] == "diabetic")
    chosen = np.where(few, study["method"] == "greedy 2", study["method"] == "greedy 1")
    study = pd.concat([study, study[chosen].assign(method=OURS)], ignore_index=True)
    for method in (OURS, "salutary"):
        if method not in set(study["method"]):
            raise SalutaryError(f"the study needs runs of {method}, there are none")
    return study.drop_duplicates([*CELL, "seed", "method"])


def _method(strategy: str, settings: dict) -> str:
    if strategy != "salutary_greedy":
        return strategy
    return f"greedy {settings['strategy']['confidence']}".removesuffix(".0")


def differences(study: pd.DataFrame, value: str = "test_loss") -> pd.DataFrame:
    """Each method's ``value`` minus the initial model's on the same seed: rows by cell and seed."""
    wide = study.pivot_table(index=[*CELL, "seed"], columns="method", values=value)
    for name in wide.columns.intersection(WITHOUT_VALIDATION):  # the same for every n_validation
        wide[name] = wide[name].groupby(level=["protocol", "dataset", "seed"]).transform("max")
    return wide.sub(wide["initial"], axis=0).drop(columns="initial")


def cells(study: pd.DataFrame, value: str = "test_loss") -> pd.DataFrame:
    """For every cell: mean change of ``value`` by each method, our picks, and paired tests.

    ``standard error``: of our mean change. ``p against m``: paired t-test over the seeds, ours against
    method m, corrected by Holm over all cells of the protocol. (The smallest p that ten seeds can reach in
    Wilcoxon's signed-rank test, 0.002, cannot survive a correction for 33 cells.)
    """
    change = differences(study, value)
    table = change.groupby(level=CELL).mean()
    table["standard error"] = change[OURS].groupby(level=CELL).sem()
    ours = study[study["method"] == OURS]
    table["picks"], table["seeds"] = ours.groupby(CELL)["added"].mean(), ours.groupby(CELL).size()
    for other in others_of(change):
        gap = change[OURS] - (change[other] if other != "initial" else 0)
        p = gap.groupby(level=CELL).apply(_paired_p)
        table[f"p against {other}"] = p.groupby(level="protocol", group_keys=False).apply(holm)
    return table.dropna(subset=[OURS])


def others_of(table: pd.DataFrame) -> list[str]:
    """What ours is compared with, of the columns that there are."""
    return ["initial", *(name for name in ("salutary", "L + V") if name in table)]


def _paired_p(gaps: pd.Series) -> float:
    """p-value of a mean of 0; gaps that are all 0 are no difference, and one gap shows none."""
    gaps = gaps.dropna()
    return float(ttest_1samp(gaps, 0).pvalue) if gaps.any() and len(gaps) > 1 else 1.0


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """A row per protocol and method that ours is compared with: ``cells`` that have both, in how many ours is
    ``better`` or ``worse``, and surely so: after Holm, p < 0.05.
    """
    rows = []
    for protocol, each in table.groupby(level="protocol"):
        for other in others_of(each):
            gap = (each[OURS] - (each[other] if other != "initial" else 0)).dropna()
            sure = each.loc[gap.index, f"p against {other}"] < 0.05
            rows.append(
                {
                    **{"protocol": protocol, "other": other, "cells": len(gap)},
                    **{"better": (gap < 0).sum(), "surely better": (sure & (gap < 0)).sum()},
                    **{"worse": (gap > 0).sum(), "surely worse": (sure & (gap > 0)).sum()},
                }
            )
    return pd.DataFrame(rows).set_index(["protocol", "other"])


def verdict(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`counts` as texts, and in how many cells ours is worse than the initial model."""
    texts: dict[str, dict[str, object]] = {}
    for protocol, each in table.groupby(level="protocol"):
        worse = int((each[OURS] > each["standard error"]).sum())
        texts[protocol] = {"cells": len(each), "worse than initial by more than one se": worse}
    for (protocol, other), row in counts(table).iterrows():
        for way in ("better", "worse"):
            texts[protocol][f"{way} than {other}"] = f"{row[way]} ({row[f'surely {way}']} sure)"
    return pd.DataFrame(texts).rename_axis(columns="protocol")


def brief(table: pd.DataFrame) -> str:
    """The :func:`counts` against plain salutary labelling and against training on L + V."""
    found, n_seeds = counts(table), int(table["seeds"].max())

    def said(other: str, way: str) -> str:
        rows = found.xs(other, level="other").iterrows()
        return " and ".join(
            f"in {row[way]} of {row['cells']} settings{surely(row[f'surely {way}'], n_seeds)} under"
            f" protocol={protocol}"
            for protocol, row in rows
        )

    text = "picking point after point, and only those that are surely of use (`salutary_greedy`), ends at a"
    text += f" lower test loss than plain salutary labelling {said('salutary', 'better')}"
    if "L + V" in found.index.unique("other"):
        text += "; training on labelled and validation rows (L + V) ends at a lower one than it "
        text += said("L + V", "worse")
    return f"{text}."


def markdown_cells(table: pd.DataFrame, protocol: str, form: str = "{:+.0f}", unit: float = 1e-3) -> str:
    """Mean changes in ``unit``, a row per table and n_validation; the best of those that know it is bold.

    A negative ``unit`` says that higher is better.
    """
    columns = [name for name in [*METHODS, *WITHOUT_VALIDATION] if name in table]
    lines = ["| | n_V | " + " | ".join(columns) + " | picks |", "|---" * (len(columns) + 3) + "|"]
    for dataset in datasets_in_order(table.loc[protocol].index.unique("dataset")):
        for n, row in table.loc[protocol, dataset].sort_index().iterrows():
            compared = row[[name for name in METHODS if name in row]]
            best = compared.min() if unit > 0 else compared.max()
            texts = [form.format(row[name] / abs(unit)) for name in columns]
            texts = [f"**{t}**" if row[c] == best else t for t, c in zip(texts, columns, strict=True)]
            size = "all" if np.isinf(n) else f"{n:.0f}"
            lines.append(f"| {dataset} | {size} | " + " | ".join(texts) + f" | {row['picks']:.0f} |")
    return "\n".join(lines)


def draw_changes(table: pd.DataFrame, protocol: str) -> Figure:
    """Change of the test loss against n_validation, a panel per table."""
    names = datasets_in_order(table.loc[protocol].index.unique("dataset"))
    figure, axes = panels(len(names), 3)
    for axis, name in zip(axes, names, strict=True):
        rows = table.loc[protocol, name].sort_index()
        sizes = ["all" if np.isinf(n) else f"{n:.0f}" for n in rows.index]
        for method, colour in ((m, c) for m, c in COLOURS.items() if m in rows):
            style = "--" if method in ("L + V", "salutary") else "-"
            axis.plot(sizes, rows[method], style, color=colour, marker="o", label=method)
        if "margin" in rows:
            axis.plot(sizes, rows["margin"], ":", color=ORANGE, label="margin, 100 human labels")
        axis.axhline(0, color=GREY, linewidth=0.6)
        set_title(axis, DATASETS.get(name, name))
        axis.set_xlabel("validation rows")
    for axis in leftmost(axes):
        axis.set_ylabel("change of test loss")
    legend(figure, axes, axes[0].get_legend_handles_labels()[0])
    return figure
