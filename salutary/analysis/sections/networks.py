"""Table 5 in small: a convolutional network, retrained after every round."""

from __future__ import annotations

from salutary.analysis.curves import DEVIATION, draw_curves
from salutary.analysis.sections import Records, Section, markdown_table
from salutary.analysis.sections.table4 import (
    BY_HEART,
    WRONG,
    accuracies,
    label_differences,
    on_validation,
    reference_rows,
)
from salutary.analysis.sections.table5 import brief, fidelity

TITLE = "Table 5 in small: a convolutional network retrained"
INTRO = """\
A small convolutional network (three blocks, 64 features) on 5,000 + 1,000 digits of MNIST, trained again
from the same random weights after each of ten rounds of ten: the way of table 5, at a size that a CPU can
do. The paper's ResNet-34 starts from ImageNet's weights and has the whole set, so its figures cannot be
compared."""


def section(records: Records) -> Section:
    """Accuracies of the small network, its surrogates, and labels that are wrong."""
    comparison, tables = accuracies(records)
    text = [
        INTRO,
        *tables,
        fidelity(records),
        BY_HEART,
        markdown_table(on_validation(records.rounds)),
        WRONG,
        markdown_table(label_differences(records.rounds)),
        f"![Accuracy by round, a convolutional network; {DEVIATION}](networks.png)",
    ]
    figures = {"networks": draw_curves(records.rounds, records.lines())}
    said = brief(comparison, reference_rows(records), "a small convolutional network")
    return Section(TITLE, "\n\n".join(filter(None, text)), figures, {"networks": comparison}, brief=said)
