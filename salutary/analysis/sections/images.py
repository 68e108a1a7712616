"""Tables 1 and 4, image columns: every strategy on the frozen features of images."""

from __future__ import annotations

from salutary.analysis.curves import DEVIATION, draw_curves
from salutary.analysis.sections import Records, Section, encoders, markdown_table
from salutary.analysis.sections.table4 import (
    BY_HEART,
    WRONG,
    accuracies,
    label_differences,
    on_validation,
    printed_cells,
    reference_rows,
)
from salutary.analysis.sections.table5 import brief

TITLE = "Tables 1 and 4, images: logistic regression on frozen features"
INTRO = """\
Test accuracy after ten rounds of ten, per cent, over the seeds, on the features of **{encoder}**. The small
sets are the first 5,000 training and 1,000 test images. The paper has the whole sets and the features of a
ResNet-34, **so its figures, which stand by themselves below, can only be compared with those**:
`salutary-run experiment=images dataset=mnist,cifar10` where the weights can be had. The penalty is the
authors' 50; theirs for images is not known."""
PRINTED = "What the paper prints for the whole sets, with the features of ResNet-34:"


def section(records: Records) -> Section:
    """Accuracies beside what the paper prints, and labels that are wrong or learnt by heart."""
    comparison, tables = accuracies(records)
    text = [
        INTRO.format(encoder=encoders(records)),
        *tables,
        PRINTED,
        markdown_table(printed_cells(("mnist", "cifar10"))),
        BY_HEART,
        markdown_table(on_validation(records.rounds)),
        WRONG,
        markdown_table(label_differences(records.rounds)),
        f"![Accuracy by round on frozen features of images; {DEVIATION}](images.png)",
    ]
    figures = {"images": draw_curves(records.rounds, records.lines())}
    model = "logistic regression on frozen features of images"
    said = brief(comparison, reference_rows(records), model)
    return Section(TITLE, "\n\n".join(text), figures, {"images": comparison}, brief=said)
