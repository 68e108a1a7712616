"""The authors' published bank notebook, round by round.

``bank_notebook.csv``: test accuracies printed in ``main_binary_bank.ipynb`` of
github.com/wxxiaoss/salutary-labeling.
"""

import csv
from pathlib import Path

import pytest

from salutary.experiments import loop

PUBLISHED = list(csv.DictReader(Path(__file__).with_name("bank_notebook.csv").read_text().splitlines()))
ONE_TEST_ROW = 1 / 6098


@pytest.mark.parametrize("strategy", ["salutary", "isal"])
def test_every_round_within_one_test_row(strategy, prepared, data_dir):
    problem, model, chosen, cfg = prepared(
        "experiment=bank_notebook", f"strategy={strategy}", f"data_dir={data_dir}"
    )
    accuracies = [r.test.accuracy for r in loop.run(problem, model, chosen, cfg.rounds, cfg.budget, cfg.seed)]
    published = [float(row[strategy]) for row in PUBLISHED]
    assert len(accuracies) == len(published) == 11
    assert accuracies == pytest.approx(published, abs=1.001 * ONE_TEST_ROW)
