"""The report of one's own runs: its options, its files, and what it says where it cannot say more."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from written_runs import accuracies, write_run

from salutary.analysis import report
from salutary.analysis.options import Options, parsed
from salutary.analysis.sections import Records, own
from salutary.analysis.selection import chosen, named
from salutary.analysis.style import LOOKS, looks
from salutary.errors import SalutaryError


@pytest.fixture
def sweep(tmp_path):
    """Two tables, three strategies, two penalties, three seeds."""
    for dataset in ("bank", "wine"):
        for strategy in ("random", "mine", "yours"):
            for seed in range(3):
                for l2 in (1, 2):
                    write_run(tmp_path / "outputs", dataset, strategy, seed, l2)
    return tmp_path


@pytest.fixture
def plain(tmp_path):
    """Of one penalty."""
    for dataset in ("bank", "wine"):
        for strategy in ("random", "mine", "yours"):
            for seed in range(3):
                write_run(tmp_path / "outputs", dataset, strategy, seed)
    return tmp_path


def section(folder, **options):
    return own.section(Records([folder]), Options(**options))


@pytest.fixture
def says(command):
    """The report of ``outputs``: options to its text, or to the line that stops it."""

    def run(*arguments, entry=report.report, name="salutary-report"):
        status, _, err = command(entry, name, "outputs", *arguments)
        return err if status else Path("report/report.md").read_text()

    return run


# -- what is compared --------------------------------------------------------------------------------


def test_nothing_named_compares_with_random(plain, says):
    text = says()
    assert text.startswith("# Runs of salutary\n") and "ICLR" not in text
    assert "**Against Random**: mean difference of the accuracy" in text
    gaps = {"mine": 4.0, "yours": 2.0}  # two rounds of 2 and of 1 point more than random's
    for name, gap in gaps.items():
        assert re.search(rf"\| {name} +\| \+{gap:.1f} \[\+{gap:.1f}, \+{gap:.1f}\], 3/0/0", text)
    assert "Too few for a test: with 2 tables" in text and "no p-value below 0.5.\nSeeds" in text
    assert "![Mean ranks over the tables, paper-logistic](paper-logistic-ranks.png)" in text
    assert "3 of 5 seeds: too few for a claim" in text
    assert len(re.findall("^## ", text, re.MULTILINE)) == 1  # no section of an experiment that nobody ran
    assert text.rstrip().splitlines()[-1].startswith("No records of table4, images, figure1")


def test_one_table_has_intervals_and_no_ranks(plain, says):
    text = says("where=dataset == 'bank'")
    assert "Too few for a test: with 1 table," in text and "no p-value below 1.\nSeeds" in text
    finally_, area = text.split("Area under the curve")
    for part, words in (
        (finally_, "*Too few for a test"),
        (area, "*Over 1 table: too few for a test, as above"),
    ):
        assert part.index(words) < part.index("| wins / ties / losses")
    assert "ranks.png" not in text and "Wine" not in text
    assert "Shown with `where=dataset == 'bank'`." in text and "9 runs, " in text


def test_one_strategy_has_nothing_to_be_compared_with(plain, says):
    text = says("where=strategy == 'mine'")
    assert "Against" not in text and "| mine" in text and "Area under the curve" in text


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_the_direction_of_the_metric_decides_who_wins(plain, metric):
    found = section(plain, metric=metric)
    gap = found.tables["paper-logistic-differences"]
    assert (gap["win"] == 3).all() and (gap["mean"] > 0).all() == (metric == "accuracy")
    wins = found.tables["paper-logistic-wins"].set_index("wins of")
    assert wins.loc["mine", "random"] == 6 and wins.loc["random", "mine"] == 0
    assert f"{'higher' if metric == 'accuracy' else 'lower'} is better" in found.text
    (axis, *_) = found.figures["paper-logistic"].axes
    assert axis.get_ylabel() == {"accuracy": "test accuracy, %", "loss": "test log-loss"}[metric]
    levels = [line.get_ydata()[0] for line in axis.lines if line.get_transform() != axis.transData]
    assert levels == pytest.approx([80.0 if metric == "accuracy" else 0.2])
    assert axis.get_title() == f"Bank (majority {'50.0%' if metric == 'accuracy' else '0.500'})"


def test_a_reference_line_may_be_the_baseline(plain):
    found = section(plain, baseline="labeled_and_validation")
    gaps = found.tables["paper-logistic-differences"].set_index(["strategy", "dataset"])
    assert set(gaps.index.get_level_values("strategy")) == {"mine", "random", "yours"}
    ours = [100 * accuracies("bank", "mine", seed, 1, 2)[-1] for seed in range(3)]
    assert gaps.loc[("mine", "bank"), "mean"] == pytest.approx(np.mean(ours) - 80)
    area = found.tables["paper-logistic-area-differences"].set_index(["strategy", "dataset"])
    halfway = [100 * accuracies("bank", "mine", seed, 1, 2)[1] for seed in range(3)]
    assert area.loc[("mine", "bank"), "mean"] == pytest.approx(np.mean(halfway) - 80)


def test_a_baseline_that_one_protocol_lacks_is_replaced_there(plain, says):
    for strategy in ("theirs", "other"):
        path = write_run(plain / "outputs" / "more", "bank", strategy, 0)
        for file in path.iterdir():
            file.write_text(file.read_text().replace("paper", "standard"))
    text = says("baseline=yours")
    paper, standard = text.split("### protocol=standard")
    assert paper.count("**Against yours**") == 2  # finally, and of the areas
    assert standard.count("**Against other**") == 2 and "Against yours" not in standard


def test_a_metric_that_records_lack_is_told(plain, says):
    text = says("metric=auroc")
    assert text.startswith("salutary-report: metric=auroc: none of 18 runs has test_auroc (records of before")
    assert text.count("\n") <= 1
    (file, *_) = sorted((plain / "outputs").glob("*/rounds.csv"))
    table = pd.read_csv(file)
    table.assign(test_macro_f1=np.nan).to_csv(file, index=False)
    text = says("metric=macro_f1")
    assert "*1 of 18 runs have no test_macro_f1 and are left out" in text
    assert "Seeds that only one of both has are left out (mine on bank 1)" in text


def test_figures_of_objectives_have_their_own_direction(tmp_path, says):
    facts = {"objective": {"name": "parity", "figure": "parity_gap", "higher_is_better": False}}
    for strategy, gap in (("random", 0.3), ("mine", 0.1)):
        path = write_run(tmp_path / "outputs", "bank", strategy, 0, **facts)
        table = pd.read_csv(path / "rounds.csv")
        table.assign(test_figure=gap, test_objective=2 * gap).to_csv(path / "rounds.csv", index=False)
    for metric, label, value in (("figure", "parity gap", 0.1), ("objective", "objective", 0.2)):
        text = says(f"metric={metric}")
        assert f"Final {label} on test rows, lower is better" in text
        assert re.search(rf"\| mine +\| {value:.3f}", text)
        assert re.search(rf"\| mine +\| -{2 * value:.3f}, 1/0/0", text)
    other = {"objective": {"name": "auc", "figure": "auc", "higher_is_better": True}}
    write_run(tmp_path / "outputs", "wine", "random", 0, **other)
    assert "the runs have auc, parity_gap, which do not compare; where=" in says("metric=figure")
    shutil.rmtree(tmp_path / "outputs")
    write_run(tmp_path / "outputs", "bank", "random", 0)
    assert "metric=figure: no run has another objective than the mean loss" in says("metric=figure")


# -- runs told apart ---------------------------------------------------------------------------------


def test_runs_that_differ_in_a_setting_are_never_seeds_of_one_cell(sweep):
    found = section(sweep)
    names = {f"{name} (l2={l2})" for name in ("random", "mine", "yours") for l2 in (1, 2)}
    cells = found.tables["paper-logistic"]
    assert names < set(cells["strategy"]) and (cells["n"] == 3).all()
    gaps = found.tables["paper-logistic-differences"]
    pairs = {(f"{name} (l2={l2})", f"random (l2={l2})") for name in ("mine", "yours") for l2 in (1, 2)}
    assert set(zip(gaps["strategy"], gaps["baseline"], strict=True)) == pairs
    assert "Each is compared with that of its own settings" in found.text


def test_a_setting_swept_in_one_table_is_named_in_all(tmp_path):
    for dataset, penalties in {"bank": (1, 2), "wine": (1,)}.items():
        for l2 in penalties:
            write_run(tmp_path, dataset, "mine", 0, l2)
    assert sorted(named(Records([tmp_path]))) == ["mine (l2=1)", "mine (l2=1)", "mine (l2=2)"]


def test_group_by_names_what_does_not_differ(plain):
    found = section(plain, group_by=("model.l2", "budget"))
    assert "mine (budget=10, l2=1)" in set(found.tables["paper-logistic"]["strategy"])
    records = Records([plain])
    assert set(named(records, ("model.l2",))) == {"mine (l2=1)", "random (l2=1)", "yours (l2=1)"}


def test_where_takes_settings_with_dots(sweep):
    records = Records([sweep])
    assert len(chosen(records, "model.l2 == 2 and strategy in ['mine', 'model.l2']").facts) == 6
    assert len(chosen(records, "`model.l2` > 1 or seed == 0").facts) == 24
    some = chosen(records, "n_validation.isna() and seed < 1")
    assert set(some.rounds["seed"]) == set(some.references["seed"]) == {0} and len(some.facts) == 12


def test_copies_of_a_run_are_no_seeds(plain, says):
    outputs = plain / "outputs"
    shutil.copytree(outputs / "bank-mine-logistic-paper-seed0-12", outputs / "copies" / "x")
    text = says()
    assert (
        "*Left out, since their seed is there with the same settings: 1 run (mine on bank, seed 0: x)."
        in text
    )
    cells = section(plain).tables["paper-logistic"]
    assert (cells["n"] == 3).all()


# -- options -----------------------------------------------------------------------------------------

BAD = {
    "metrics=loss": "metrics= is no option; there are metric, x, where, group_by, baseline, format, figures",
    "metric=auc": "metric=auc: there are accuracy, balanced_accuracy, macro_f1, loss, auroc",
    "x=time": "x=time: there are rounds, labels, human_labels, seconds",
    "format=xlsx": "format=xlsx: there are csv, markdown, latex",
    "figures=pdf,gif": "figures=gif: there are pdf, svg, png",
    "baseline=badge": "baseline=badge: there are mine, random, yours, fully_supervised, initial",
    "group_by=l2": "group_by=l2: no run has this setting; did you mean model.l2?",
    "group_by=seed": "group_by=seed: runs are told apart by it anyway",
    "group_by=": "group_by= has no value",
    "where=dataset ==": "where=dataset ==: invalid syntax",
    "where=data == 1": "where=data == 1: name 'data' is not defined; names: dataset, strategy, seed",
    "where=seed": "where=seed: no condition",
    "where=dataset = 'bank'": "where=dataset = 'bank': no condition that a run meets or not (equal is ==)",
    "where=model.l2 = 1": "where=model.l2 = 1: ",
    "where=seed > 9": "where=seed > 9: none of 18 runs",
    "where=@pd": "where=@pd: ",
    "elsewhere": "one folder of records, not 2: outputs, elsewhere; name the one that they are in",
}


@pytest.mark.parametrize("option", BAD)
def test_a_bad_option_is_one_line(option, plain, says):
    text = says(option)
    assert text.startswith(f"salutary-report: {BAD[option]}") and text.count("\n") == 0
    assert not (plain / "report").exists()


def test_one_equals_sign_is_told_of_and_no_other(plain):
    records = Records([plain])
    for where in ("model.l2 = 1", "seed == 1 and dataset = 'bank'", "dataset='b=='"):
        with pytest.raises(SalutaryError, match=re.escape("(equal is ==)")):
            chosen(records, where)
    for where in ("nothing == 1", "nothing >= 1 or seed != 'a=b'", "nothing <= 'x=1'"):
        with pytest.raises(SalutaryError, match="'nothing' is not defined; names"):
            chosen(records, where)


def test_options_stand_anywhere_and_folders_may_have_an_equals_sign(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, options = parsed(["metric=loss", "some/folder", "figures=pdf, svg"])
    assert (str(folder), options.metric, options.figures) == ("some/folder", "loss", ("pdf", "svg"))
    assert str(parsed([])[0]) == "outputs" and parsed([])[1] == Options()
    (tmp_path / "x=labels").mkdir()
    assert str(parsed(["x=labels"])[0]) == "x=labels"
    assert parsed(["where=a == 'b=c'"])[1].where == "a == 'b=c'"
    with pytest.raises(SalutaryError, match="metric= is given twice"):
        parsed(["metric=loss", "metric=loss"])


def test_tables_as_latex_and_markdown(plain, says):
    says("format=latex", "figures=pdf,svg")
    files = {path.suffix for path in (plain / "report").iterdir()}
    assert files == {".md", ".html", ".png", ".tex", ".pdf", ".svg", ".csv"}
    text = (plain / "report" / "paper-logistic.tex").read_text()
    head = "\\begin{tabular}{lrr}\n\\toprule\n & Bank & Wine \\\\\n\\midrule\nRandom & 61.2 $\\pm$"
    assert text.startswith(head)
    svg = (plain / "report" / "paper-logistic.svg").read_bytes()
    shutil.rmtree(plain / "report")
    says("format=markdown", "figures=svg")
    text = (plain / "report" / "paper-logistic.md").read_text()
    assert text in (plain / "report" / "report.md").read_text() and "| Random" in text
    assert [path.name for path in (plain / "report").glob("*.csv")] == ["runs.csv"]
    assert (plain / "report" / "paper-logistic.svg").read_bytes() == svg


@pytest.mark.parametrize(
    ("x", "label", "end"),
    [("labels", "labelled points", 40), ("seconds", "seconds of choosing and refitting", 0.6)],
)
def test_curves_along_other_axes(plain, x, label, end):
    (axis, *_) = section(plain, x=x).figures["paper-logistic"].axes
    assert axis.get_xlabel() == label
    ends = [line.get_xdata()[-1] for line in axis.lines if line.get_transform() == axis.transData]
    assert ends == pytest.approx([end] * 3)


def test_plot_takes_what_makes_sense_of_figures(plain, command):
    def plot(*arguments):
        return command(report.plot, "salutary-plot", "outputs", *arguments)

    status, out, _ = plot("figures=svg", "metric=loss", "where=dataset=='bank'", "x=labels")
    assert status == 0 and "No records of table4" in out
    assert [path.name for path in (plain / "figures").iterdir()] == ["paper-logistic.svg"]
    status, _, err = plot("format=latex")
    assert err == "salutary-plot: format=latex: there are pdf, svg, png"
    status, _, err = plot("format=pdf", "figures=svg")
    assert err == "salutary-plot: figures= is given twice"


def test_options_of_own_runs_want_some(tmp_path, says):
    write_run(tmp_path / "outputs" / "table4", "bank", "random", 0)
    text = says("metric=loss")
    assert "metric: of own runs, and all below outputs are of experiments; with outputs/table4 as" in text


def test_own_runs_stand_first(tmp_path, says):
    write_run(tmp_path / "outputs" / "networks", "bank", "random", 0)
    write_run(tmp_path / "outputs", "bank", "random", 0)
    titles = re.findall("^## (.*)", says(), re.MULTILINE)
    assert titles[0] == "Own runs" and len(titles) == 2


# -- looks -------------------------------------------------------------------------------------------


def test_strategies_of_ones_own_have_colours_of_their_own():
    found = looks(["b", "random", "a", "c (k=1)", "c (k=2)"])
    colors = [found[name].color for name in ("a", "b", "c (k=1)")]
    assert len({*colors}) == 3 and not {*colors} & {each.color for each in LOOKS.values()}
    assert found["c (k=1)"].color == found["c (k=2)"].color
    assert looks(["b"], everyone=["a", "b", "random"])["b"].color == found["b"].color
    many = looks([f"s{i:02}" for i in range(30)])
    assert len({(each.color, each.linestyle, each.marker) for each in many.values()}) == 30
