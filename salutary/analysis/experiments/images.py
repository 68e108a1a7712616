"""Tables 1 and 4, image columns: every strategy on the frozen features of images."""

from __future__ import annotations

from salutary.analysis.curves import draw_curves
from salutary.analysis.experiments import Records, Section, markdown_table
from salutary.analysis.experiments.table4 import LABELS, accuracies, label_differences, printed_cells

TITLE = "Tables 1 and 4, images: logistic regression on frozen features"
INTRO = """\
Test accuracy after ten rounds of ten, per cent, over the seeds. The images are the first 5,000 training and
1,000 test images of MNIST and CIFAR-10, the features are those of *EfficientNet-Lite0*, whose weights come
with a package: **the paper has the whole sets and the features of a ResNet-34, so its figures cannot be
compared**, and stand by themselves below. `salutary-run experiment=images dataset=mnist,cifar10` runs the
whole sets with ResNet-34 where its weights can be had."""
PRINTED = "What the paper prints for the whole sets, with the features of ResNet-34:"


def section(records: Records) -> Section:
    comparison, tables = accuracies(records)
    text = [
        INTRO,
        *tables,
        PRINTED,
        markdown_table(printed_cells(("mnist", "cifar10"))),
        LABELS,
        markdown_table(label_differences(records.rounds)),
        "![Accuracy by round on frozen features of images](images.png)",
    ]
    figures = {"images": draw_curves(records.rounds, records.references)}
    return Section(TITLE, "\n\n".join(text), figures, {"images": comparison})
