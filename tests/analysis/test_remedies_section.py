"""The section of the study of remedies, against plain loops over its records."""

import numpy as np
import pandas as pd
import pytest

from salutary.analysis.sections import remedies, remedies_encoded

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


def test_test_and_held_out_losses_stand_side_by_side(losses):
    held_out = losses + 1
    lines = remedies.every(losses, held_out).splitlines()
    cells = losses["cleaned"].groupby(level=remedies.CELL).mean().groupby(level="situation").mean()
    (line,) = (line for line in lines if line.startswith("| cleaned "))
    expected = [f"{cells[name]:.3f} / {cells[name] + 1:.3f}" for name in ("clean", "symmetric")]
    assert [each.strip() for each in line.split("|")[2:4]] == expected
    overall = losses.groupby(level="situation").mean().mean()
    assert lines[2].split("|")[1].strip() == overall.idxmin()


def test_of_one_seed_nothing_is_sure(losses):
    one = losses.xs(0, level="seed", drop_level=False)
    assert remedies._size(one) == "12 cells, of one seed each: nothing is surely better or worse."
    assert remedies.verdicts(one).map(lambda text: text.count("(0)")).eq(2).all(axis=None)
    assert remedies._size(losses) == "12 cells, 4 seeds each."


def test_a_remedy_of_some_situations_alone(losses):
    alone = losses.assign(
        noise_per_source=losses["cleaned"].where(losses.reset_index().situation.eq("clean").values)
    )
    text = remedies.every(alone, alone)
    assert "nan" not in text and "noise_per_source" in text


@pytest.fixture
def labels():
    """Labels given in four runs of two tables, one of which labels nothing."""
    rows = [
        ("rte", 40, 0.5, 0.6),
        ("rte", 10, 1.0, 0.4),
        ("mrpc", 0, np.nan, np.nan),
        ("mrpc", 20, 0.75, 0.5),
    ]
    table = pd.DataFrame(rows, columns=["dataset", "n_given", "right_salutary", "right_labeled"])
    return table.assign(situation="class_dependent", right_labeled_and_validation=table["right_labeled"])


def test_right_labels_are_counted_over_all_runs(labels):
    table = remedies.quality(labels)
    assert [*table.index] == ["MRPC, class-dependent", "RTE, class-dependent"]
    rte = table.loc["RTE, class-dependent"]
    assert (rte["given"], rte["salutary labels"], rte["as L's model says"]) == (
        "25",
        "60%",
        "56%",
    )  # 30, 28 of 50
    mrpc = table.loc["MRPC, class-dependent"]
    assert (mrpc["given"], mrpc["salutary labels"], mrpc["as that of L + V says"]) == ("10", "75%", "50%")


def test_where_nothing_was_labelled_there_is_no_line(labels):
    assert remedies.quality(labels[labels["n_given"] == 0]).empty


def test_losses_of_each_table(losses):
    table = remedies_encoded.by_table(losses)
    assert [*table.columns] == ["L + V, linear", "L + V, vote of the three", "average (handed over)"]
    assert [*table.index[:2]] == ["Bank, clean", "Bank, symmetric"] and len(table) == 6
    here = losses.xs("symmetric").xs("wine", level="dataset")["average"].mean()
    assert table.loc["Wine, symmetric", "average (handed over)"] == f"{here:.3f}"


def test_the_lowest_loss_of_each_situation_is_bold(losses):
    lines = [line.split("|")[1:-1] for line in remedies._by_situation(losses).splitlines()]
    table = pd.DataFrame(lines[2:], columns=lines[0]).set_index(lines[0][0]).map(str.strip)
    means = losses.groupby(level=remedies.CELL).mean().groupby(level="situation").mean()
    for situation, lowest in zip(means.index, means.min(axis=1), strict=True):
        (column,) = (name for name in table if name.strip().replace("\\", "") == situation)
        bold = table.loc[table[column].str.fullmatch(r"\*\*[\d.]+\*\*"), column]
        assert [float(text.strip("*")) for text in bold] == [round(lowest, 3)]
