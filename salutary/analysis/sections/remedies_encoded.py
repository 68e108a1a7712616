"""The study of remedies on features of frozen encoders: pairs of sentences and pictures."""

from __future__ import annotations

import pandas as pd

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.sections import Records, Section, markdown_table, remedies
from salutary.analysis.sections.remedies import AVERAGE, PLAIN, SITUATIONS

TITLE = "Remedies of pairs of sentences and of pictures"
INTRO = """\
The study of remedies on other features: RTE and MRPC, the two sentences encoded one by one by MiniLM; the
first 6,000 pictures of MNIST and of CIFAR-10, and a folder of pictures with a folder for each class in it, by
EfficientNet-Lite0; 20 principal components of each. 400 labelled rows (600 from ten sources), 100 or 300
validation rows. Test log-loss; lower is better."""
VARIED = remedies.VARIED
SHOWN = {
    "labeled": "L",
    "salutary": "L + salutary labels",
    PLAIN: "L + V, linear",
    "salutary_and_validation": "L + V + salutary labels",
    "plain_vote": "L + V, vote of the three",
    AVERAGE: "average (handed over)",
}


def section(records: Records) -> Section:
    """That of the study, and the test losses of each table."""
    found = remedies.described(records, TITLE, INTRO, "remedies_encoded")
    table = by_table(remedies.measured(records))
    found.text += "\n\nTest log-loss by table (mean over numbers of validation rows):\n\n" + markdown_table(
        table
    )
    return found


def by_table(losses: pd.DataFrame) -> pd.DataFrame:
    """Mean test loss of the models of ``SHOWN`` per table and situation."""
    shown = [name for name in SHOWN if name in losses]
    means = losses[shown].groupby(level=remedies.CELL).mean().groupby(level=["dataset", "situation"]).mean()
    order = [
        (dataset, situation)
        for dataset in datasets_in_order(means.index.get_level_values("dataset"))
        for situation in SITUATIONS
        if (dataset, situation) in means.index
    ]
    names = [f"{paper.DATASETS.get(dataset, dataset)}, {situation}" for dataset, situation in order]
    return means.loc[order].set_axis(names).map("{:.3f}".format, na_action="ignore").rename(columns=SHOWN)
