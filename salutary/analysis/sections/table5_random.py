"""Table 5 as the paper must have run it: the whole ResNet-34, from random weights."""

from __future__ import annotations

from salutary.analysis.sections import Records, Section
from salutary.analysis.sections.table5 import beside_the_paper

TITLE = "Table 5 from random weights"
INTRO = """\
ResNet-34 on the images themselves, from random weights: the paper's accuracies before the first round are
those of such a network, not of one that starts from ImageNet's. Trained again after each of ten rounds of
ten. Ours / the paper's / the difference, starred beyond two standard deviations of ours."""


def section(records: Records) -> Section:
    """The network that starts from random weights, beside the paper's."""
    return beside_the_paper(records, "table5_random", TITLE, INTRO)
