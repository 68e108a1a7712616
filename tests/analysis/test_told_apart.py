"""Reference lines where settings are swept: a row for each that the line depends on, the same in figures."""

import itertools
import json
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from spoilt_tables import part

from salutary.analysis.curves import draw_curves
from salutary.analysis.sections import Records, own, table4
from salutary.analysis.style import LOOKS, in_order, look, looks
from salutary.analysis.told_apart import line_names, strategy_names

TEXTS = {
    "initial": "Initial model",
    "labeled_and_validation": "Trained on L + V",
    "fully_supervised": "Fully supervised",
    "majority": "Majority class",
}


def by_hand(folder, *settings):
    """Mean accuracies of every line and value of the settings, from the files, a run at a time."""
    found = defaultdict(dict)
    for file in folder.rglob("run.json"):
        facts = json.loads(file.read_text())
        values = []
        for name in settings:
            value = facts["settings"]
            for each in name.split("."):
                value = value[each]
            values.append("null" if value is None else value)
        for line, each in facts["references"].items():
            key = (line, *values)
            assert found[key].setdefault(facts["seed"], each["accuracy"]) == each["accuracy"]
    return {key: 100 * np.mean([*seeds.values()]) for key, seeds in found.items()}


def shown(folder):
    """The section's table of final accuracies, and its figure's levels of training on L + V."""
    section = own.section(Records([folder]))
    (name, figure), *_ = section.figures.items()
    table = section.tables[name]
    (axis,) = figure.axes
    levels = [
        line.get_ydata()[0]
        for line in axis.lines
        if len(set(line.get_xdata())) == 2 and line.get_transform() != axis.transData
    ]
    return table.set_index("strategy")["mean"].to_dict(), sorted(levels), section.text


@pytest.mark.parametrize(
    ("swept", "setting"),
    [
        ("model.l2=1,50", "model.l2"),
        ("protocol.l2=1,50", "protocol.l2"),
        ("n_init=40,60", "n_init"),
        ("n_validation=20,null", "n_validation"),
        ("label_noise=0,0.3", "label_noise"),
    ],
)
def test_lines_are_told_apart_by_what_is_swept(salutary_run, tmp_path, swept, setting):
    salutary_run("-m", "dataset=breast_cancer", "strategy=salutary,random", swept, "seed=0,1", "rounds=1")
    table, levels, text = shown(tmp_path)
    expected = by_hand(tmp_path, setting)
    short = setting.split(".")[-1]
    first, second = (value for line, value in expected if line == "initial")
    for line, name in TEXTS.items():
        pair = [expected[line, value] for value in (first, second)]
        if line in table:
            assert pair == [pytest.approx(table[line])] * 2
        else:
            assert pair == pytest.approx([table[f"{name} ({short}={value})"] for value in (first, second)])
    assert f"Trained on L + V ({short}={first})" in text and "majority" in table
    both = [value for name, value in table.items() if name.startswith(("labeled_and", "Trained on L + V"))]
    assert levels == pytest.approx(sorted(both))


def test_what_is_not_swept_has_no_name(salutary_run, tmp_path):
    salutary_run("-m", "dataset=breast_cancer", "strategy=random", "budget=5,10", "seed=0,1", "rounds=1")
    table, levels, _ = shown(tmp_path)
    assert set(table) == {"random (budget=5)", "random (budget=10)", *TEXTS}
    assert table["initial"] == pytest.approx(by_hand(tmp_path)[("initial",)])
    assert levels == pytest.approx([table["labeled_and_validation"]])


def test_lines_of_baselines_that_train_on_validation_rows_too(salutary_run, tmp_path):
    salutary_run(
        *("-m", "dataset=breast_cancer", "strategy=salutary,random"),
        *("baselines_use_validation=true", "seed=0,1", "rounds=1"),
    )
    table, _, _ = shown(tmp_path)
    expected = by_hand(tmp_path, "strategy._target_")
    for name in ("salutary", "random"):
        (value,) = (v for (line, kind), v in expected.items() if line == "initial" and f".{name}." in kind)
        assert table[f"Initial model (strategy={name})"] == pytest.approx(value)
    assert "fully_supervised" in table


def test_two_tables_are_told_apart_each_by_itself(salutary_run, tmp_path):
    common = ("-m", "strategy=random", "seed=0,1", "rounds=1")
    salutary_run(*common, "dataset=breast_cancer", "model.l2=1,50")
    salutary_run(*common, "dataset=digits")
    section = own.section(Records([tmp_path]))
    table = section.tables["paper-logistic"]
    rows = table[table["strategy"].str.lower().str.startswith("initial")]
    assert set(zip(rows["dataset"], rows["strategy"], strict=True)) == {
        ("digits", "initial"),
        *(("breast_cancer", f"Initial model (l2={l2})") for l2 in (1, 50)),
    }


def test_files_of_ones_own_are_told_apart_by_their_names(salutary_run, tmp_path):
    for folder, name, seed in (("x", "a.csv", 0), ("x", "b.csv", 1), ("y", "b.csv", 2)):
        (tmp_path / folder).mkdir(exist_ok=True)
        part(seed, 200).to_csv(tmp_path / folder / name, index=False)
    run = ("dataset=table", "dataset.target=outcome", "dataset.ignore=[key]", "protocol=standard")
    run += ("strategy=random", "rounds=0", "n_init=20")
    assert salutary_run("-m", *run, "dataset.path=x/a.csv,x/b.csv")[0] == 0
    table, _, _ = shown(tmp_path)
    assert {"random (path=a.csv)", "random (path=b.csv)", "Initial model (path=a.csv)"} <= set(table)
    assert salutary_run(*run, "dataset.path=y/b.csv")[0] == 0
    table, _, _ = shown(tmp_path)
    assert {f"random (path={name})" for name in ("x/a.csv", "x/b.csv", "y/b.csv")} <= set(table)


# -- made-up runs ----------------------------------------------------------------------------------------


def made_up(runs):
    """``runs``: settings, seed and accuracy of the initial model of each."""
    facts = pd.DataFrame(
        [
            {"dataset": "d", "model": "m", "protocol": "p", "seed": seed, "strategy": s.pop("strategy", "x")}
            | {"settings": {"seed": seed, **s}}
            for s, seed, _ in runs
        ],
        index=[f"r{i}" for i in range(len(runs))],
    )
    references = pd.DataFrame(
        {"dataset": "d", "seed": facts["seed"].to_numpy(), "run": facts.index, "line": "initial"}
    )
    return references.assign(test_accuracy=[each[2] for each in runs]), facts


def names(runs):
    return line_names(*made_up(runs)).tolist()


def test_settings_of_other_seeds_are_not_taken_for_seeds():
    runs = [({"model": {"l2": l2}}, seed, 0.5) for l2, seeds in ((1, (0, 1)), (2, (2, 3))) for seed in seeds]
    assert names(runs) == ["Initial model (l2=1)"] * 2 + ["Initial model (l2=2)"] * 2


def test_only_what_decides_is_named():
    grid = itertools.product((1, 2), (10, 20), (0, 1))
    runs = [({"model": {"l2": a}, "n_init": b}, seed, b / 100 + seed) for a, b, seed in grid]
    assert names(runs) == [f"Initial model (n_init={each[0]['n_init']})" for each in runs]


def test_settings_that_go_together_are_both_named():
    runs = [({"a": a, "b": {"c": c}}, seed, a / 10) for a, c in ((1, 5), (2, 6)) for seed in (0, 1)]
    assert names(runs) == [f"Initial model (a={a}, c={a + 4})" for a in (1, 1, 2, 2)]


def test_one_setting_in_two_places_is_named_once():
    runs = [({"protocol": {"l2": l2}, "model": {"l2": l2}}, 0, l2 / 10) for l2 in (1, 2)]
    references, facts = made_up(runs)
    assert line_names(references, facts).tolist() == [f"Initial model (l2={l2})" for l2 in (1, 2)]
    assert strategy_names(facts).tolist() == ["x (l2=1)", "x (l2=2)"]


def test_files_of_which_no_name_is_known_are_told_apart_by_digits():
    runs = [({"dataset": {"path": f"sha256:{each * 64}.csv"}}, 0, int(each) / 10) for each in "12"]
    assert names(runs) == [f"Initial model (path={each * 8})" for each in "12"]


def test_files_with_long_names_are_told_apart_by_digits(tmp_path):
    runs = [({"dataset": {"path": f"sha256:{each * 64}.csv"}}, 0, int(each) / 10) for each in "12"]
    references, facts = made_up(runs)
    facts.index = [str(tmp_path / each) for each in facts.index]
    references["run"] = facts.index
    for run, name in zip(facts.index, (40 * "a", "b"), strict=True):
        Path(run).mkdir()
        (Path(run) / "config.yaml").write_text(f"dataset: {{path: {name}.csv}}\nseed: 0\n")
    assert line_names(references, facts).tolist() == [f"Initial model (path={each * 8})" for each in "12"]


def test_strategies_with_few_seeds_do_not_matter():
    runs = [({"strategy": s}, seed, seed / 10) for s, n in (("x", 3), ("y", 1)) for seed in range(n)]
    assert names(runs) == ["initial"] * 4


def test_a_pool_that_was_not_asked_counts_as_no_label():
    """Of two seeds one added four points, one of them wrong, the other none: half a wrong label of two."""
    rows = [("a", 0, 10, np.nan), ("a", 1, 14, 0.75), ("b", 0, 10, np.nan)]
    rounds = pd.DataFrame(rows, columns=["run", "round", "n_labeled", "label_agreement"])
    table = table4.label_differences(rounds.assign(strategy="salutary_greedy", dataset="bank"))
    assert table.loc["wrong labels, salutary greedy (ours)", "Bank"] == "0 of 2"


def test_the_paper_has_numbers_of_its_own_strategy_only():
    rows = [("a", "salutary", "bank"), ("b", "salutary_greedy", "bank"), ("c", "salutary_greedy", "musk_v2")]
    runs = [
        {"run": run, "strategy": name, "dataset": dataset, "round": r, "n_labeled": 10 * r}
        for run, name, dataset in rows
        for r in (0, 1)
    ]
    table = table4.label_differences(pd.DataFrame(runs).assign(label_agreement=0.5))
    assert " / " in table.loc["wrong labels, salutary", "Bank"]
    assert table.loc["wrong labels, salutary greedy (ours)"].tolist() == ["5 of 10"] * 2


def test_looks_of_one_strategy_in_several_settings():
    found = looks(["salutary (l2=1)", "salutary (l2=2)", "random", "mine (a=1)", "mine (a=2)"])
    assert [*found] == ["random", "salutary (l2=1)", "salutary (l2=2)", "mine (a=1)", "mine (a=2)"]
    assert found["random"] == look("random") and found["salutary (l2=1)"].color == LOOKS["salutary"].color
    ways = [(each.color, each.linestyle, each.marker) for each in found.values()]
    assert len(set(ways)) == len(ways)
    assert in_order(["z", "salutary", "badge"]) == ["badge", "salutary", "z"]
    settings = [f"s{i} (C={C})" for i in (2, 10) for C in (0.25, 0.5, 3)]
    assert in_order(sorted(settings)) == settings
    alike = [f"s{'0' * i}1" for i in range(5, -1, -1)]
    assert in_order(alike) == in_order(alike[::-1]) == sorted(alike)


def test_majority_classes_that_differ_are_both_in_the_title():
    rounds = pd.DataFrame(
        {"dataset": "d", "strategy": "random", "seed": 0, "round": [0, 1], "test_accuracy": 0.5}
    )
    lines = pd.DataFrame({"dataset": "d", "line": "majority", "strategy": ["a", "b"], "seed": 0})
    figure = draw_curves(rounds, lines.assign(test_accuracy=[0.5, 0.625]))
    assert figure.axes[0].get_title() == "d (majority 50.0 to 62.5%)"
    plt.close("all")
