"""The section of the study of remedies, against plain loops over its records."""

import numpy as np
import pandas as pd
import pytest

from salutary.analysis.sections import remedies

MODELS = [
    "average",
    "labeled_and_validation",
    "random_forest-labeled_and_validation",
    "plain_vote",
    "cleaned",
]


@pytest.fixture
def losses():
    """Test losses of 2 situations, 3 tables, 2 numbers of validation rows and 4 seeds."""
    cells = [("clean", "symmetric"), ("bank", "wine", "celeba"), (100, 300), range(4)]
    index = pd.MultiIndex.from_product(cells, names=[*remedies.CELL, "seed"])
    values = np.random.default_rng(0).uniform(0.3, 0.5, (len(index), len(MODELS)))
    return pd.DataFrame(values, index, pd.Index(MODELS, name="model")).sort_index()


def test_cells_are_counted_as_a_loop_counts_them(losses):
    table = remedies.verdicts(losses)
    for name, title in (
        ("labeled_and_validation", "L + V, linear"),
        ("plain_vote", "L + V, vote of the three"),
    ):
        for situation in ("clean", "symmetric"):
            better = worse = surely_better = surely_worse = 0
            for _, cell in losses.xs(situation).groupby(level=["dataset", "n_validation"]):
                gap = (cell["average"] - cell[name]).to_numpy()
                mean, error = gap.mean(), gap.std(ddof=1) / len(gap) ** 0.5
                better, worse = better + (mean < 0), worse + (mean > 0)
                surely_better += mean < -2 * error
                surely_worse += mean > 2 * error
            expected = f"{better} ({surely_better}) : {worse} ({surely_worse})"
            assert table.loc[title, situation] == expected


def test_hindsight_takes_the_best_plain_model_of_each_seed(losses):
    best = losses[MODELS[1:3]].min(axis=1)
    changed = losses.assign(average=best - 0.01)
    row = remedies.verdicts(changed).loc["best of the three in hindsight"]
    assert list(row) == ["6 (6) : 0 (0)", "6 (6) : 0 (0)"]


def test_clean_cells_that_lose_too_much_are_named(losses):
    best = losses[MODELS[1:3]].min(axis=1)
    assert "No cell is above" in remedies.clean(losses.assign(average=1.005 * best))
    index = losses.index
    cell = (index.get_level_values("dataset") == "wine") & (index.get_level_values("n_validation") == 300)
    over = losses.assign(average=best * np.where(cell, 1.04, 1.0))
    text = remedies.clean(over)
    assert "Above the 1% that are allowed: Wine, 300 rows: +4.0%." in text and "+4.0% at worst" in text


def test_ranks_are_of_cells_and_the_lowest_loss_is_first(losses):
    ranked = remedies._ranked(losses.assign(average=0.1))
    assert ranked["dataset"].nunique() == 12  # 2 situations, 3 tables, 2 numbers of rows
    test = remedies.ranks(ranked, "value")
    assert test.mean.index[0] == "average (handed over)" and test.mean.iloc[0] == 1


def test_a_panel_for_each_situation(losses):
    figure = remedies.draw_gains(losses)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["clean", "symmetric"]
    (line, *_) = figure.axes[0].get_lines()
    here = losses.xs("clean").groupby(level=["dataset", "n_validation"]).mean().xs(100, level="n_validation")
    change = 100 * (here["average"] / here["labeled_and_validation"] - 1)
    assert sorted(line.get_ydata()) == pytest.approx(sorted(change))
