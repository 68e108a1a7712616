"""Table 5: the whole ResNet-34, retrained after every round."""

from __future__ import annotations

import pandas as pd

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order, draw_curves
from salutary.analysis.sections import Records, Section, dataset_name
from salutary.analysis.sections.table4 import PLAIN, accuracies, reference_rows
from salutary.analysis.style import label

TITLE = "Table 5: the whole network retrained"
INTRO = """\
ResNet-34 on the images themselves, from ImageNet's weights, trained again after each of ten rounds of ten.
Influence strategies choose by a convex surrogate on the network's own features. Ours / the paper's / the
difference, starred beyond two standard deviations of ours."""


def section(records: Records) -> Section:
    """The network that starts from ImageNet's weights, beside the paper's."""
    return beside_the_paper(records, "table5", TITLE, INTRO)


def beside_the_paper(records: Records, name: str, title: str, intro: str) -> Section:
    """The accuracies of whole networks beside the paper's table 5, and their curves."""
    comparison, tables = accuracies(records, paper.table5())
    text = [intro, *tables, fidelity(records), f"![Accuracy by round, whole network]({name}.png)"]
    figures = {name: draw_curves(records.rounds, records.lines())}
    said = brief(comparison, reference_rows(records), "ResNet-34")
    return Section(title, "\n\n".join(filter(None, text)), figures, {name: comparison}, brief=said)


def brief(comparison: pd.DataFrame, references: pd.DataFrame, model: str) -> str:
    """Where salutary labels take a ``model``, for each table, and where the best of the other strategies and
    training on L + V end.
    """
    means = comparison.pivot(index="dataset", columns="strategy", values="mean")
    if not {"salutary", "initial"} <= {*means}:
        return ""
    plain = references[references["strategy"] == PLAIN].groupby("dataset")["accuracy"].mean()
    texts = []
    for name in datasets_in_order(means.dropna(subset=["salutary", "initial"]).index):
        others = means.loc[name].drop(["salutary", "initial"]).dropna()
        beside = (
            [f"best other strategy, {label(others.idxmax())}: {others.max():.1f}%"] if len(others) else []
        )
        if name in plain:
            beside.append(f"trained on labelled and validation rows: {plain[name]:.1f}%")
        text = f"from {means.loc[name, 'initial']:.1f}% to {means.loc[name, 'salutary']:.1f}%"
        texts.append(f"{text} on {dataset_name(name)}" + f" ({'; '.join(beside)})" * bool(beside))
    if not texts:
        return ""
    return f"salutary labels, none of a human, take the test accuracy of {model} {', '.join(texts)}."


def fidelity(records: Records) -> str:
    """How true the surrogates were to their networks, and what their penalties were."""
    rounds = records.rounds.dropna(subset=["surrogate_agreement"])
    if rounds.empty:
        return ""
    share, penalties = 100 * rounds["surrogate_agreement"], sorted(rounds["surrogate_l2"].unique())
    return (
        f"The surrogates predicted what their networks did on {share.mean():.1f}% of the pool on average,"
        f" {share.min():.1f}% at worst; their penalties were {', '.join(f'{each:g}' for each in penalties)}."
    )
