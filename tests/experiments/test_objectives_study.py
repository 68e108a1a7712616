"""study=objectives: what it measures, against refits by hand, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from hires import hires

pytest.importorskip("fairlearn")
pytest.importorskip("oxonfair")

STUDY = (
    *("dataset=table", "dataset.path=people.csv", "dataset.target=hired", "dataset.group=sex"),
    *("dataset.group_is_feature=false", "n_init=40", "strategy=salutary_greedy", "rounds=0", "budget=1"),
    *("study=objectives", "study.n_labeled=60"),
    *("study.n_validation=40", "study.remedies=[labeled_and_validation,salutary]", "study.judged=false"),
)
PARITY = ("objective=demographic_parity", "objective.positive=yes")


@pytest.fixture(autouse=True)
def table_of_people(tmp_path):
    hires().to_csv(tmp_path / "people.csv", index=False)


@pytest.fixture
def study(salutary_run, tmp_path):
    """A function from overrides to the tables by name."""

    def run(*overrides):
        status, out, err = salutary_run(*STUDY, *overrides, "force=true")
        assert (status, err) == (0, ""), out + err
        found = {}
        for name in ("objectives", "absent"):
            for file in tmp_path.glob(f"outputs/*/{name}.csv"):
                found[name] = pd.read_csv(file)
                file.unlink()
        return found

    return run


def test_models_and_where_they_need_the_group(study):
    found = study(*PARITY)
    assert "absent" not in found
    table = found["objectives"].set_index("model")
    assert table["group_in"]["labeled_and_validation"] == "nowhere"
    assert table["group_in"]["salutary"] == "in V"
    assert table["group_in"]["exponentiated_gradient_05"] == "in L and V"
    assert len(table) == 12 and table["held_out_figure"].isna().all()
    plain = table.loc["labeled_and_validation"]
    bounded = table.loc["exponentiated_gradient_01"]
    assert bounded["test_figure"] < plain["test_figure"] and plain["test_accuracy"] > 0.6
    assert (table["test_figure"].between(0, 1) & table["test_accuracy"].between(0, 1)).all()


def test_without_the_groups_of_labelled_rows(study):
    found = study(*PARITY, "study.groups_of_labeled=false")
    assert sorted(found["absent"]["model"]) == ["exponentiated_gradient_01", "exponentiated_gradient_05"]
    assert set(found["absent"]["why"]) == {"it needs the groups of labelled rows"}
    assert len(found["objectives"]) == 10


def test_judged(study):
    table = study("objective=worst_group", "study.judged=true")["objectives"]
    table = table.set_index("model")
    assert list(table.index) == ["average", "labeled_and_validation", "salutary", "group_weighted"]
    assert table["held_out_figure"].between(0, 1).all() and table["weight"][1:].sum() == pytest.approx(1)
    assert np.isfinite(table["held_out_objective"]).all()
    assert table["group_in"]["average"] == "in L and V"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["objective=loss"], "study=objectives needs an objective other than loss"),
        (
            [*PARITY, "strategy=margin"],
            "study=objectives needs model=logistic and a strategy that asks no human",
        ),
        ([*PARITY, "study.remedies=[magic]"], "study.remedies: 'magic' is none of labeled, "),
        ([*PARITY, "study.n_validation=2"], "study.n_validation"),
    ],
)
def test_what_it_refuses(salutary_run, overrides, message):
    status, _, err = salutary_run(*STUDY, *overrides)
    assert status != 0 and message in err and "\n" not in err.strip()
