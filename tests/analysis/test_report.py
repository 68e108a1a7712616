"""From records to tables, statistics, figures and pages: each number against the slow and obvious way."""

import base64
import csv
import gc
import importlib.util
import itertools
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hires import hires
from hydra.core.global_hydra import GlobalHydra
from matplotlib.figure import Figure
from scipy import stats

from salutary import __main__
from salutary.analysis import paper, report
from salutary.analysis.comparison import cells, compare
from salutary.analysis.curves import draw_curves
from salutary.analysis.sections import (
    Records,
    expected,
    figure1,
    figure3,
    missing,
    table2,
    table4,
    what_is_missing,
)
from salutary.analysis.statistics import (
    against_others,
    area_under_curve,
    holm,
    ranks,
    summarise,
    warning_of_few,
)
from salutary.analysis.style import LOOKS, look
from salutary.errors import SalutaryError
from salutary.models.fixmatch import FixMatch

SMALL = {
    "table4": "dataset=breast_cancer,digits "
    "strategy=random,entropy,margin,uncertainty,salutary,salutary_greedy rounds=1 seed=0,1",
    "figure1": "dataset=breast_cancer,digits n_init=60 study.bins=4 seed=0,1",
    "figure3": "dataset=breast_cancer study.n=20 seed=0,1",
    "table2": "dataset=breast_cancer rounds=4 seed=0,1",
    "figure5": "dataset=breast_cancer,digits strategy=random,salutary rounds=2 seed=0,1",
    "images": "dataset=breast_cancer strategy=random,salutary rounds=1 seed=0,1",
    **dict.fromkeys(
        ("table5", "networks"),
        "dataset=breast_cancer model=head model.epochs=2 strategy=random,salutary rounds=1 seed=0,1",
    ),
    "table5_random": "dataset=breast_cancer model=head ~model.backbone.weights model.epochs=2 "
    "strategy=random,salutary rounds=1 seed=0,1",
    "judge": "dataset=digits model=head model.epochs=2 rounds=1 seed=0,1",
    "figure6": "dataset=breast_cancer ~dataset.encoder model.epochs=2 strategy=random,salutary "
    "rounds=1 seed=0,1",
    "fair": "dataset=breast_cancer strategy=random,margin,salutary,salutary_greedy rounds=1 seed=0,1",
    "label_everything": "dataset=breast_cancer seed=0,1",
    "label_noise": "dataset=breast_cancer strategy=random,salutary label_noise=0,0.4 rounds=1 seed=0,1",
    "scaling": "dataset=breast_cancer strategy=random,salutary n_pool=100,200 study.repeats=2",
    "peers": "dataset=breast_cancer rounds=1 seed=0,1 strategy=random,salutary"
    + ",skactiveml" * bool(importlib.util.find_spec("skactiveml")),
    "remedies": "dataset=breast_cancer seed=0,1 study.situation=clean,symmetric study.n_validation=40 "
    "study.candidates=[logistic] study.rivals=false",
    # The same study: what is swept over needs encoders.
    "remedies_encoded": "experiment=remedies output_dir=outputs/remedies_encoded dataset=breast_cancer "
    "seed=0,1 study.situation=shift study.n_validation=40 study.candidates=[logistic] "
    "study.rivals=false study.components=5",
    "objectives": "dataset=table dataset.path=people.csv dataset.target=hired dataset.group=sex "
    "dataset.group_edges=[] objective=demographic_parity objective.positive=yes "
    "n_init=40 study.n_labeled=60 study.n_validation=40 budget=5 seed=0,1 "
    "study.remedies=[labeled,labeled_and_validation,salutary,salutary_soft_late]",
    "confidence": "dataset=breast_cancer protocol=standard strategy=salutary,salutary_greedy "
    "strategy.confidence=0,2 n_validation=40,null rounds=1 seed=0,1",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """Records of every experiment, small."""
    folder, init = tmp_path_factory.mktemp("outputs"), FixMatch.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(
            FixMatch, "__init__", lambda *args, **settings: init(*args, **{**settings, "steps": 100})
        )
        hires().to_csv("people.csv", index=False)
        for name, arguments in SMALL.items():
            GlobalHydra.instance().clear()
            experiment = [] if arguments.startswith("experiment=") else [f"experiment={name}"]
            patch.setattr(sys, "argv", ["salutary-run", *experiment, *arguments.split()])
            __main__.main()
    return folder / "outputs"


def records(outputs: Path, name: str) -> Records:
    module = sys.modules.get(f"salutary.analysis.sections.{name}")
    found = Records([outputs / name])
    found.check_cells(getattr(module, "VARIED", ()))
    return found


# -- the experiments' files --------------------------------------------------------------------------


def test_every_experiment_has_its_section_and_says_its_command():
    conf = Path(__main__.config_dir()) / "experiment"
    assert {path.stem for path in conf.glob("*.yaml")} == {*report.EXPERIMENTS, "bank_notebook", "figure4"}
    for name in report.EXPERIMENTS:
        head = (conf / f"{name}.yaml").read_text().split("hydra:")[0]
        assert f"Command: salutary-run experiment={name}" in head
        n_runs, minutes = re.search(r"([\d,]+) runs, (.+?) min", head).groups()
        assert int(n_runs.replace(",", "")) == len(expected(name)) and minutes


def test_paper_numbers_are_complete():
    printed = paper.table4()
    assert len(printed) == 12 * 9 + 11 * 3 and not printed["paper_mean"].isna().any()
    row = printed.set_index(["strategy", "dataset"]).loc[("salutary_gt", "electrical")]
    assert row["paper_mean"] == 70.92 and pd.isna(row["paper_std"])
    assert paper.table2().loc["fixmatch", "wine"] == 47.65
    assert paper.label_differences()["musk_v2"] == 22
    whole = paper.table5().set_index(["strategy", "dataset"])["paper_mean"]
    assert len(whole) == 12 * 2 and whole.loc[("salutary", "mnist")] == 66.32
    assert whole.loc[("initial", "cifar10")] == 11.8 and whole.loc[("salutary_gt", "cifar10")] == 40.02


# -- comparison and statistics -----------------------------------------------------------------------


def final(*accuracies, dataset="bank", strategy="margin"):
    return pd.DataFrame({"dataset": dataset, "strategy": strategy, "accuracy": accuracies})


def test_compared_with_the_paper():
    near = compare(final(73.0, 74.0, 75.0)).iloc[0]
    assert (near["mean"], near["n"], near["paper_mean"], near["paper_std"]) == (74.0, 3, 73.84, 1.33)
    low, high = stats.t.interval(0.95, 2, loc=74, scale=1 / 3**0.5)
    assert (near["std"], near["low"], near["high"]) == pytest.approx((1.0, low, high))
    assert not near["differs"]
    pooled = ((1 + 1.33**2) / 2) ** 0.5
    inside, outside = 73.84 + 2 * pooled - 0.01, 73.84 + 2 * pooled + 0.01
    assert not compare(final(inside - 1, inside, inside + 1)).iloc[0]["differs"]
    assert compare(final(outside - 1, outside, outside + 1)).iloc[0]["differs"]
    exact = compare(final(*[65.89501] * 5, strategy="initial"))  # the paper prints 65.89, cut off
    assert not exact.iloc[0]["differs"]
    assert compare(final(*[65.95] * 5, strategy="initial")).iloc[0]["differs"]


def test_cells_say_ours_paper_and_difference():
    both = pd.concat([final(50.0, 60.0), final(70.0, 70.0, strategy="mine")])
    table = cells(compare(both))
    assert list(table.index) == ["Margin", "mine"]
    assert list(table["Bank"]) == ["55.0 ± 7.1 / 73.8 / -18.8*", "70.0 ± 0.0"]


def test_area_under_the_curve():
    accuracies = {"a": [0.5, 0.6, 0.8], "stopped": [0.5, 0.7]}
    rows = [
        {"dataset": "d", "strategy": name, "seed": 0, "round": i, "test_accuracy": value}
        for name, values in accuracies.items()
        for i, value in enumerate(values)
    ]
    area = area_under_curve(pd.DataFrame(rows)).set_index("strategy")["area"]
    assert area["a"] == pytest.approx((0.55 + 0.7) / 2)
    assert area["stopped"] == pytest.approx((0.6 + 0.7) / 2)


def several(n_tables=6, n_seeds=3):
    rng = np.random.default_rng(0)
    rows = [
        {"dataset": f"t{t}", "strategy": s, "seed": seed, "accuracy": 50 + 5 * t + better + rng.normal()}
        for t, seed in itertools.product(range(n_tables), range(n_seeds))
        for s, better in {"ours": 2, "good": 1, "bad": -3}.items()
    ]
    return pd.DataFrame(rows)


def test_wins_and_tests_against_the_others():
    table = several()
    found = {each.against: each for each in against_others(table, "ours")}
    wide = table.pivot_table("accuracy", ["dataset", "seed"], "strategy")
    for name in ("good", "bad"):
        gap = wide["ours"] - wide[name]
        assert (found[name].win, found[name].tie, found[name].loss) == ((gap > 0).sum(), 0, (gap < 0).sum())
        means = gap.groupby("dataset").mean()
        assert found[name].p == pytest.approx(stats.wilcoxon(means).pvalue)
        assert found[name].mean_difference == pytest.approx(means.mean())
    smaller, larger = sorted(each.p for each in found.values())
    corrected = sorted(each.p_holm for each in found.values())
    assert corrected == pytest.approx([min(2 * smaller, 1), max(min(2 * smaller, 1), larger)])


def test_holm():
    corrected = holm(pd.Series([0.01, 0.04, 0.03, 0.005]))
    assert list(corrected) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_ties_and_twins_are_no_difference():
    twins = pd.concat([several().assign(strategy="a"), several().assign(strategy="b")])
    (only,) = against_others(twins, "a")
    assert (only.win, only.loss, only.p) == (0, 0, 1.0) and only.tie > 0


def test_too_few_tables_for_a_claim_are_told():
    assert warning_of_few(12, 5) is None
    text = warning_of_few(7, 11)
    assert "7 tables are too few" in text and "0.17" in text  # 11 * 2 / 2^7
    best = pd.Series([1.0, 2, 3, 4, 5, 6, 7])
    assert stats.wilcoxon(best).pvalue == 2 / 2**7


def test_ranks_and_friedman():
    found = ranks(several())
    means = several().pivot_table("accuracy", "dataset", "strategy")
    assert found.p == pytest.approx(stats.friedmanchisquare(*(means[s] for s in means)).pvalue)
    assert found.mean.sum() == pytest.approx(6) and found.mean.index[-1] == "bad"
    assert ranks(several().query("strategy != 'bad'")) is None


def test_intervals_of_one_seed_are_unknown():
    row = summarise(final(50.0), ["dataset"], "accuracy").iloc[0]
    assert row["n"] == 1 and np.isnan(row["std"]) and np.isnan(row["low"])


# -- sections ------------------------------------------------------------------------------------------


def test_nothing_is_claimed_of_what_cannot_be_compared():
    """No number of the paper's, or a single seed."""
    lines = pd.concat([final(80.0, strategy=s) for s in ("majority", "labeled_and_validation")])
    for table in (final(70.0, 71.0, dataset="mine", strategy="salutary"), final(78.1, strategy="salutary")):
        both = table.iloc[[0]].assign(strategy="random")
        assert table4.what_holds(compare(pd.concat([table, both])), lines) == ""


def test_pairs_are_compared_where_both_were_run():
    table = several()
    lacking = table[(table["strategy"] != "bad") | (table["dataset"] == "t0")]
    whole, some = ({c.against: c for c in against_others(t, "ours")} for t in (table, lacking))
    assert some["good"] == whole["good"]._replace(p_holm=some["good"].p_holm)
    assert (some["bad"].n_tables, some["bad"].win + some["bad"].tie + some["bad"].loss) == (1, 3)
    never = table[(table["strategy"] == "ours") ^ (table["dataset"] == "t0")]
    assert [c.against for c in against_others(never, "ours")] == []


def test_wrong_labels_are_counted(outputs):
    table = table4.label_differences(records(outputs, "table4").rounds)
    for strategy in ("salutary", "salutary_greedy"):
        wrong, added = [], []
        for seed in (0, 1):
            (file,) = (outputs / "table4").glob(f"digits-{strategy}-*seed{seed}-*/queries.csv")
            with file.open(newline="") as lines:
                queries = [*csv.DictReader(lines)]
            wrong.append(sum(each["assigned_label"] != each["true_label"] for each in queries))
            added.append(len(queries))
        (row,) = (row for row in table.index if row.endswith(look(strategy).label.lower()))
        assert table.loc[row, "digits"] == f"{np.mean(wrong):.0f} of {np.mean(added):.0f}"


def test_changes_on_validation_and_test():
    rows = [("r1", "salutary", 0, 0.5, 0.6), ("r1", "salutary", 2, 0.8, 0.5), ("r2", "salutary", 0, 0.5, 0.6)]
    rows += [("r2", "salutary", 2, 0.6, 0.5), ("r3", "random", 0, 0.5, 0.5), ("r3", "random", 2, 0.5, 0.55)]
    columns = ["run", "strategy", "round", "val_accuracy", "test_accuracy"]
    table = table4.on_validation(pd.DataFrame(rows, columns=columns).assign(dataset="bank"))
    assert table["Bank"].to_dict() == {"Random": "+0.0 / +5.0", "Salutary": "+20.0 / -10.0"}


def test_best_round_on_validation(outputs):
    rounds = records(outputs, "table2").rounds.query("model == 'logistic'")
    chosen = table2.best_on_validation(rounds).set_index("run")
    for run, each in rounds.groupby("run"):
        best = max(each["val_accuracy"])
        first = each[each["val_accuracy"] == best].sort_values("round").iloc[0]
        assert chosen.loc[run, "round"] == first["round"]
        assert chosen.loc[run, "accuracy"] == 100 * first["test_accuracy"]


def test_quality_of_estimates():
    rng = np.random.default_rng(0)
    actual = rng.normal(size=50)
    points = pd.DataFrame({"dataset": "d", "seed": 0, "actual": actual, "gradient": 2 * actual})
    points = points.assign(pool_hessian=-actual, newton=actual, second_order=actual + 1)
    found = figure3.measure(points).set_index("estimate")
    assert found["spearman"].to_dict() == pytest.approx(dict.fromkeys(found.index, 1) | {"pool_hessian": -1})
    assert found.loc["gradient", ["slope", "error"]].tolist() == pytest.approx([0.5, 1])
    assert found.loc["newton", ["slope", "error"]].tolist() == pytest.approx([1, 0])
    assert found.loc["second_order", "error"] == pytest.approx(1 / np.abs(actual).mean())


def test_top_bins_are_compared_with_the_initial_model():
    rows = [
        {"dataset": "bank", "part": part, "bin": b, "accuracy_true": 0.5, "accuracy_salutary": 0.6 + b / 10}
        for part in ("labeled", "pool")
        for b in (0, 1)
    ]
    bins = pd.DataFrame(rows).assign(label_agreement=0.25)
    table = figure1.top_bins(bins, pd.Series({"bank": 55.0}), n=1)
    assert table.loc["pool bins added, true labels", "Bank"] == "-5.0"
    assert table.loc["pool bins added, salutary labels", "Bank"] == "+15.0"
    assert "1 of 1 tables (Bank)" in figure1.verdict(bins)


def test_curves_that_are_the_same_are_said_to_be(outputs):
    found = records(outputs, "table4")
    figure = draw_curves(found.rounds, found.lines())
    notes = {
        axis.get_title(): text.get_text() for axis in figure.axes for text in axis.texts if text.get_text()
    }
    assert notes == {
        title: "Entropy = Margin = Uncertainty" for title in notes if title.startswith("breast_cancer")
    }
    assert len(notes) == 1


@pytest.mark.parametrize("name", ["table4", "table2", "figure5", "networks"])
def test_figures_show_the_lines_of_their_tables(outputs, name):
    found = records(outputs, name)
    module = importlib.import_module(f"salutary.analysis.sections.{name}")
    (figure,) = (each for key, each in module.section(found).figures.items() if key != "ranks")
    means = found.reference("labeled_and_validation").groupby("dataset")["accuracy"].mean()
    for axis in figure.axes[: len(means)]:
        dataset = axis.get_title().partition(" (")[0]
        levels = [line.get_ydata()[0] for line in axis.lines if line.get_transform() != axis.transData]
        assert levels == pytest.approx([means[dataset]])


def test_looks_are_told_apart_without_colour():
    looks = [(each.linestyle, each.marker) for each in LOOKS.values()]
    assert len(set(looks)) == len(looks)
    assert look("mine").label == "mine"


def test_missing_runs_are_listed_with_their_command(outputs):
    found = records(outputs, "table4")
    assert missing(expected("table4"), found.facts) == expected("table4")  # those were other tables
    jobs = expected("label_everything")
    assert len(jobs) == 140
    facts = pd.DataFrame(jobs).assign(seed=lambda t: t["seed"].astype(int))
    assert (
        missing(expected("label_everything"), facts) == []
        and what_is_missing("label_everything", facts) == ""
    )
    text = what_is_missing("label_everything", facts[~((facts["dataset"] == "wine") & (facts["seed"] == 3))])
    assert "**4 of 140 runs are missing**" in text and "dataset wine; seed 3" in text
    assert "`salutary-run experiment=label_everything` makes them" in text
    noise = pd.DataFrame(expected("label_noise")).astype({"label_noise": float, "seed": int})
    assert missing(expected("label_noise"), noise) == []


def test_lists_and_mappings_are_one_value():
    jobs = expected("objectives")
    edges = {job.get("dataset.group_edges") for job in jobs}
    assert edges == {None, "[30,50]", "[2.875,5.25,7.625]"}
    facts = pd.DataFrame(jobs).astype({"seed": int, "study.n_validation": int})
    assert missing(jobs, facts) == []
    by_contact = facts["dataset.group"] == "contact"
    (lacking, *others) = missing(jobs, facts[~by_contact])
    assert lacking["dataset.group"] == "contact" and len(others) + 1 == by_contact.sum()


def test_other_settings_are_not_the_experiment():
    facts = pd.DataFrame(expected("figure1")).astype({"seed": int, "label_noise": float})
    assert missing(expected("figure1"), facts) == []
    assert len(missing(expected("figure1"), facts.assign(budget=3))) == len(facts)
    assert len(missing(expected("figure1"), facts.assign(protocol="standard"))) == len(facts)


def test_one_mixed_folder_does_not_stop_the_report(salutary_run, tmp_path, monkeypatch, capsys):
    for l2 in (1, 2):
        command = ("experiment=figure1", "dataset=breast_cancer", "seed=0", "n_init=40", "study.bins=2")
        salutary_run(*command, f"model.l2={l2}")
    salutary_run("-m", "dataset=breast_cancer", "rounds=1", "strategy=salutary", "strategy.confidence=0,1")
    status, _ = command_line(monkeypatch, capsys, report.report, "outputs", "-o", "page")
    text = (tmp_path / "page" / "report.md").read_text()
    assert status == 0
    assert "**Not drawn**: runs of breast_cancer, salutary, logistic differ in more than the seed: " in text
    assert "| salutary (confidence=0)" in text and "| salutary (confidence=1)" in text


def test_nothing_but_mixed_runs_is_still_a_page(salutary_run, tmp_path, monkeypatch, capsys):
    for l2 in (1, 2):
        settings = ("dataset=breast_cancer", "strategy=random", "n_pool=50", "study.repeats=1")
        salutary_run("experiment=scaling", *settings, f"model.l2={l2}")
    status, _ = command_line(monkeypatch, capsys, report.report, "outputs", "-o", "page")
    assert status == 0 and "**Not drawn**" in (tmp_path / "page" / "report.md").read_text()


def test_two_settings_are_not_taken_for_seeds(salutary_run, tmp_path):
    salutary_run("-m", "dataset=breast_cancer", "rounds=0", "model.l2=1,2")
    with pytest.raises(SalutaryError, match="breast_cancer, salutary, logistic differ in more than"):
        Records([tmp_path]).check_cells()


def test_of_one_seed_there_is_no_deviation_and_every_section_says_what_came_out(outputs, monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda: 0)  # as statsmodels does at every correction
    for name in report.EXPERIMENTS:
        module = importlib.import_module(f"salutary.analysis.sections.{name}")
        for drawing in [each for each in vars(module) if each.startswith(("draw", "critical_difference"))]:
            monkeypatch.setattr(module, drawing, lambda *_, **__: Figure())
        every = Records([outputs / name])
        section = module.section(every.of(every.facts.index[every.facts["seed"] == 0]))
        assert "nan" not in section.text and section.brief and "nan" not in section.brief, name


# -- pages -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(outputs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    report.write_report(outputs, folder)
    return folder


def test_the_page_shows_every_section(written):
    text = (written / "report.md").read_text()
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(titles) == len(report.EXPERIMENTS)
    assert text.count("runs are missing** (") == len(report.EXPERIMENTS)
    assert "2 of 5 seeds: too few for a claim" in text
    shown = set(re.findall(r"!\[.+?\]\((.+?)\)", text))
    assert shown == {path.name for path in written.glob("*.png")}
    assert "nan" not in text and "None" not in text


def test_the_html_page_needs_no_other_file(written):
    page = (written / "report.html").read_text()
    sources = re.findall(r'src="(.*?)"', page)
    assert len(sources) == len(list(written.glob("*.png")))
    for source in sources:
        kind, data = source.split(",", 1)
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    assert page.count("<h2 id=") == len(report.EXPERIMENTS) == page.count('<li><a href="#')
    assert "<table>" in page and "<link" not in page and "<script" not in page.partition("<body>")[2]


def test_tables_come_as_files_too(written):
    table = pd.read_csv(written / "table4.csv")
    assert {"strategy", "dataset", "mean", "std", "n", "low", "high", "paper_mean", "differs"} <= set(table)


def command_line(monkeypatch, capsys, entry, *arguments):
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    status = 0
    try:
        entry()
    except SystemExit as stop:
        status = stop.code
    return status, capsys.readouterr().out


def test_plot_draws_what_there_is(outputs, tmp_path, monkeypatch, capsys):
    for name in ("figure3", "scaling"):
        shutil.copytree(outputs / name, tmp_path / "some" / name)
    folder = tmp_path / "figures"
    status, out = command_line(monkeypatch, capsys, report.plot, tmp_path / "some", "-o", folder)
    assert status == 0
    assert {path.name for path in folder.iterdir()} == {
        *("figure3.pdf", "figure3.png", "scaling.pdf", "scaling.png")
    }
    assert "No records of table4, images, figure1, table2" in out
    assert "`salutary-run experiment=table4`, and so on, makes them." in out
    assert (folder / "figure3.pdf").read_bytes().startswith(b"%PDF")


def test_no_records_is_one_line(tmp_path, monkeypatch, capsys):
    status, _ = command_line(monkeypatch, capsys, report.report, tmp_path, "-o", tmp_path / "report")
    assert status == f"salutary-report: no finished run below {tmp_path}"
    assert not (tmp_path / "report").exists()


def test_own_runs_have_a_section(salutary_run, tmp_path, monkeypatch, capsys):
    salutary_run("-m", "dataset=breast_cancer", "strategy=random,margin", "rounds=1", "seed=0,1")
    status, _ = command_line(monkeypatch, capsys, report.report, "outputs", "-o", "page")
    text = (tmp_path / "page" / "report.md").read_text()
    assert status == 0 and "## Own runs" in text and "| Margin" in text and "| Trained on L + V" in text
    assert (tmp_path / "page" / "paper-logistic.png").exists()


def test_a_damaged_record_stops_the_report(salutary_run, tmp_path, monkeypatch, capsys):
    salutary_run("dataset=breast_cancer", "rounds=1")
    (file,) = tmp_path.rglob("rounds.csv")
    file.write_text(file.read_text()[:-9])
    status, _ = command_line(monkeypatch, capsys, report.report, "outputs", "-o", "page")
    assert re.match(r"salutary-report: .*rounds\.csv, line 3: ", status)
    assert not (tmp_path / "page").exists()
