"""Table 5: the whole ResNet-34, retrained after every round."""

from __future__ import annotations

from salutary.analysis import paper
from salutary.analysis.curves import draw_curves
from salutary.analysis.sections import Records, Section
from salutary.analysis.sections.table4 import accuracies

TITLE = "Table 5: the whole network retrained"
INTRO = """\
ResNet-34 on the images themselves, from ImageNet's weights, trained again after each of ten rounds of ten.
Influence strategies choose by a convex surrogate on the network's own features. Ours / the paper's / the
difference, starred beyond two standard deviations of ours."""


def section(records: Records) -> Section:
    return beside_the_paper(records, "table5", TITLE, INTRO)


def beside_the_paper(records: Records, name: str, title: str, intro: str) -> Section:
    """The accuracies of whole networks beside the paper's table 5, and their curves."""
    comparison, tables = accuracies(records, paper.table5())
    text = [intro, *tables, fidelity(records), f"![Accuracy by round, whole network]({name}.png)"]
    figures = {name: draw_curves(records.rounds, records.lines())}
    return Section(title, "\n\n".join(text), figures, {name: comparison})


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
