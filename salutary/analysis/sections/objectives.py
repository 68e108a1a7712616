"""Objectives of groups and classes: the figure and accuracy on test rows, of salutary labelling and the
field, and where labelling pays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from salutary.analysis import paper
from salutary.analysis.accuracy_and_figure import CELL, KNOWN_IN_V, PLAIN, draw, label
from salutary.analysis.sections import Records, Section, markdown_table, surely
from salutary.analysis.statistics import SeedTest, over_seeds
from salutary.experiments.runs import read_table

TITLE = "Objectives of groups and classes: where labelling pays"
INTRO = """\
Some hundred labelled rows L, validation rows V, a pool; models made of them, on test rows: the figure of the
objective (a gap between groups or a cost: lower is better; the accuracy of the worst group, or balanced:
higher is) and accuracy. `group in`: whose group has to be known. A model whose decisions are drawn at random
is measured at its exact expectation. `salutary`: labelling by V's objective."""
CAVEAT = """\
Differences are of figures on test rows, signed so that above 0 is better, paired by seed; in brackets 95%
intervals (Student's t). p: Wilcoxon's signed-rank test over the seeds, corrected by Holm within a cell. All
seeds draw from one table, test rows and pools of which overlap: intervals say how much the draw matters, not
what another table would show."""
VERDICT = """\
**Where salutary labelling pays.** A cell is a table, its groups, an objective and a number of validation
rows. In each the best model by salutary labels (figure / accuracy), and how much better it is than training
on L + V, than the best of the others that know groups in V at most, and than the best of all others. For gaps
only models within one point of the accuracy of L + V are looked at: at any price a gap can be closed. The
best are so on the test rows, in hindsight, which favours labels against L + V, and the others, of whom there
are more, against labels. ✓ and ✗: the interval is above or below 0."""
FIGURES = """\
Every cell. In the figures a mark is hollow where groups have to be known beyond V; bars are standard errors
over seeds."""
VARIED = ("objective._target_", "study.n_validation", "dataset.group")
COLUMNS = (
    *("objective", "n_validation", "n_test", "model", "group_in", "test_objective", "test_figure"),
    *("test_accuracy", "weight", "held_out_objective", "held_out_figure", "held_out_accuracy"),
)
GAPS = ("demographic_parity", "equal_opportunity", "equalized_odds")
# What a model may lose of the accuracy of plain training for a smaller gap: in the table, and to be counted.
ALLOWED = 0.01
COUNTED = (ALLOWED, 0.02, 0.03)
AGAINST = {"plain": "L + V", "alike": "others, groups in V at most", "others": "all others"}


def section(records: Records) -> Section:
    """Where labelling pays, then a table for each cell, and a figure for each table and its groups."""
    rows = measured(records)
    found, counted = verdicts(rows), markdown_table(counts(rows))
    text = [INTRO, CAVEAT, VERDICT, counted, markdown_table(shown(found)), FIGURES]
    figures = {}
    for (dataset, group), of_table in rows.groupby(CELL[:2], sort=True):
        name = "-".join(filter(None, ("objectives", dataset, group)))
        figures[name] = draw(of_table)
        text.append(f"![Accuracy and figure of each model, {_table_name(dataset, group)}]({name}.png)")
        text += [each for key, cell in of_table.groupby(CELL, sort=True) for each in _cell(key, cell)]
    tables = {"objectives": rows, "objectives-verdicts": found}
    return Section(TITLE, "\n\n".join(text), figures, tables, brief=brief(found))


def measured(records: Records) -> pd.DataFrame:
    """The study's rows, with dataset, ``group`` (its column, empty without), seed, figure's name and
    ``higher_is_better`` of their runs; ``value``: the figure, signed so that higher is better.
    """
    paths = map(Path, records.facts.index)
    rows = read_table(paths, "objectives", COLUMNS, ("objective", "model", "group_in"))
    facts = records.facts.assign(group=records.facts["dataset.group"].fillna(""))
    rows = rows.join(facts[["dataset", "group", "seed", "figure", "higher_is_better"]], on="run")
    return rows.assign(value=rows["test_figure"].where(rows["higher_is_better"], -rows["test_figure"]))


# -- where labelling pays ----------------------------------------------------------------------------


class _Best(NamedTuple):
    """The best models of a cell: by salutary labels; of the others, knowing groups in V at most; of these
    all.
    """

    salutary: str
    alike: str
    others: str


def verdicts(rows: pd.DataFrame, allowed: float = ALLOWED) -> pd.DataFrame:
    """A row for each cell: the best models (``salutary``, ``alike``, ``others``), their figures and
    accuracies, and what the best by labels is better by: a :class:`SeedTest` against each of ``AGAINST``.
    ``allowed``: of the accuracy of L + V, to be lost for a smaller gap; a cell where no model by labels keeps
    to it has none of this.
    """
    return pd.DataFrame([_verdict(key, cell, allowed) for key, cell in rows.groupby(CELL, sort=True)])


def _verdict(key: tuple, cell: pd.DataFrame, allowed: float) -> dict:
    means = cell.groupby("model")[["test_figure", "test_accuracy"]].mean()
    row = {**dict(zip(CELL, key, strict=True)), "n_seeds": cell["seed"].nunique(), "plain": PLAIN}
    best = _best(cell, allowed if row["objective"] in GAPS else np.inf)
    row |= best._asdict() if best else dict.fromkeys(_Best._fields)
    for role in ("plain", *_Best._fields):
        for name in means:
            row[f"{role}_{name.removeprefix('test_')}"] = means[name].get(row[role], np.nan)
    values = cell.pivot_table("value", "seed", "model")
    for role, test in _tests(values, row).items():
        row |= {f"{role}_{name}": value for name, value in test._asdict().items()}
    return row


def _best(cell: pd.DataFrame, allowed: float) -> _Best | None:
    """None where no model by labels is accurate enough."""
    means = cell.groupby("model")[["value", "test_accuracy"]].mean()
    means = means[means["test_accuracy"] >= means["test_accuracy"][PLAIN] - allowed]
    group_in = cell.groupby("model")["group_in"].first()[means.index]
    by_labels = means.index.str.startswith("salutary")
    if not by_labels.any():
        return None
    of = (by_labels, ~by_labels & group_in.isin(KNOWN_IN_V), ~by_labels)
    return _Best(*(str(means["value"][some].idxmax()) for some in of))


def _tests(values: pd.DataFrame, row: dict) -> dict[str, SeedTest]:
    """The best by labels against each of ``AGAINST``, Holm's family; those without a model are left out."""
    if row["salutary"] is None:
        return {}
    of_roles = pd.DataFrame({role: values[row[role]] for role in ("salutary", *AGAINST)})
    return over_seeds(-of_roles, "salutary")  # so that it is what labels gain, not the others


def counts(rows: pd.DataFrame) -> pd.DataFrame:
    """By objective, in how many cells labels are better (surely so: the interval is above 0) and worse; for
    gaps with as much accuracy lost as each of ``COUNTED``.
    """
    texts = {}
    for objective, cells in rows.groupby("objective", sort=True):
        for allowed in COUNTED if objective in GAPS else (np.inf,):
            found = verdicts(cells, allowed)
            name = str(objective).replace("_", " ") + (f", within {allowed:.0%}" if allowed < 1 else "")
            texts[name] = {"cells": str(len(found))} | {
                AGAINST[role]: _count(found, role) for role in AGAINST
            }
    return pd.DataFrame(texts).T.rename_axis(index="better (surely) : worse (surely) than", columns="")


class Count(NamedTuple):
    """In how many cells labels are better and worse, and surely so: the interval is above or below 0."""

    better: int
    surely_better: int
    worse: int
    surely_worse: int


def count(cells: pd.DataFrame, role: str) -> Count:
    """Of :func:`verdicts`, against one of ``AGAINST``."""
    if f"{role}_mean" not in cells:
        return Count(0, 0, 0, 0)
    mean, low, high = (cells[f"{role}_{name}"] for name in ("mean", "low", "high"))
    return Count(*(int(flags.sum()) for flags in (mean > 0, low > 0, mean < 0, high < 0)))


def _count(cells: pd.DataFrame, role: str) -> str:
    found = count(cells, role)
    return f"{found.better} ({found.surely_better}) : {found.worse} ({found.surely_worse})"


def brief(found: pd.DataFrame) -> str:
    """What is counted of :func:`verdicts`, over all objectives."""
    n_seeds = int(found["n_seeds"].max())
    others = {
        "plain": "training on labelled and validation rows (L + V)",
        "alike": "the best other model that knows the groups of validation rows at most",
        "others": "the best of all others",
    }
    texts = []
    for role, name in others.items():
        n = count(found, role)
        won, lost = surely(n.surely_better, n_seeds), surely(n.surely_worse, n_seeds)
        texts.append(f"{name} in {n.better}{won}, and loses in {n.worse}{lost}")
    return (
        f"of {len(found)} cells (a table and an objective of its groups or classes) the best model by"
        f" salutary labels beats {'; '.join(texts)}."
    )


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """:func:`verdicts` as texts."""
    texts = {"cell": [_title(*row) for row in found[CELL].itertuples(index=False)]}
    for role, heading in (("plain", "L + V"), ("salutary", "best by labels"), ("alike", "best, groups in V")):
        texts[heading] = [_named(row, role) for _, row in found.iterrows()]
    for role, heading in AGAINST.items():
        texts[f"labels against {heading}"] = [_gain(row, role) for _, row in found.iterrows()]
    return pd.DataFrame(texts).set_index("cell").rename_axis(index="", columns="")


def _named(row: pd.Series, role: str) -> str:
    if not isinstance(row[role], str):
        return f"none within {ALLOWED:.0%} of accuracy"
    name = "" if role == "plain" else f"{label(row[role])}: "
    return f"{name}{row[f'{role}_figure']:.3f} / {row[f'{role}_accuracy']:.3f}"


def _gain(row: pd.Series, role: str) -> str:
    if f"{role}_mean" not in row or np.isnan(row[f"{role}_mean"]):
        return ""
    sure = " ✓" if row[f"{role}_low"] > 0 else " ✗" if row[f"{role}_high"] < 0 else ""
    test = SeedTest(*(row[f"{role}_{name}"] for name in SeedTest._fields))
    against = f"{label(row[role])}: " if role == "others" else ""
    return f"{against}{interval(test)}, p {test.p_holm:.2g}{sure}"


# -- every cell --------------------------------------------------------------------------------------


def _cell(key: Sequence, cell: pd.DataFrame) -> Iterator[str]:
    seeds = cell["seed"].nunique()
    yield f"**{_title(*key)}** ({seeds} seeds):"
    yield markdown_table(table(cell))


def table(cell: pd.DataFrame) -> pd.DataFrame:
    """A row per model: figure, accuracy and objective with standard errors, and gains over L + V."""
    models = cell.groupby("model", sort=False)
    tests = over_seeds(cell.pivot_table("value", "seed", "model"), PLAIN)
    texts = {"group in": models["group_in"].first()}
    for name in ("test_figure", "test_accuracy", "test_objective"):
        mean, error = models[name].mean(), models[name].sem()
        texts[name.removeprefix("test_")] = [
            f"{m:.3f}" if np.isnan(e) else f"{m:.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)
        ]
    given = [tests.get(str(name)) for name in texts["group in"].index]
    texts["figure against L + V"] = [interval(test) if test else "" for test in given]
    texts["seeds better : worse"] = [f"{test.win} : {test.loss}" if test else "" for test in given]
    texts["p"] = [f"{test.p_holm:.2g}" if test else "" for test in given]
    return pd.DataFrame(texts).rename(index=label).rename_axis(index="", columns="")


def interval(test: SeedTest) -> str:
    """The mean, and its 95% interval where there are seeds for one."""
    return f"{test.mean:+.3f}" + ("" if np.isnan(test.low) else f" ({test.low:+.3f} to {test.high:+.3f})")


def _title(dataset: str, group: str, objective: str, n_validation: float) -> str:
    return f"{_table_name(dataset, group)}, {objective.replace('_', ' ')}, {n_validation:g} validation rows"


def _table_name(dataset: str, group: str) -> str:
    name = paper.DATASETS.get(dataset, dataset)
    return f"{name} by {group}" if group else name
