"""study=objectives: what it measures, against refits by hand, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
import torch
from compositions import composed
from hires import hires
from hydra.utils import instantiate

from salutary.analysis.sections import expected
from salutary.engine.objectives import DemographicParity
from salutary.errors import SalutaryError
from salutary.experiments.problem import Problem
from salutary.experiments.runs import SETTINGS
from salutary.experiments.studies.objectives import _frequent

pytest.importorskip("fairlearn")
pytest.importorskip("oxonfair")

NAME = "objectives"
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


def test_rare_classes_are_left_out(study, tmp_path):
    """As of wine, of whose rarest class some hundred rows have none."""
    people = hires()
    people["hired"] = people["hired"].mask(people["skill"] > 1, "at once")
    people.loc[[3, 50, 600], "hired"] = "later"  # the second of four classes
    people.to_csv(tmp_path / "people.csv", index=False)
    for objective in (["objective=worst_group"], PARITY):
        table = study(*objective)["objectives"]
        assert {"labeled_and_validation", "salutary"} <= {*table["model"]}
        assert table[["test_figure", "test_accuracy"]].stack().between(0, 1).all()


def test_the_criterion_is_of_the_classes_that_are_left():
    y = np.repeat([0, 1, 2, 3], [200, 1, 150, 150])
    X, groups = np.arange(501.0)[:, None], np.arange(501) % 2
    criterion = DemographicParity(positive="d").resolved("abcd")
    tensors = {"y": torch.from_numpy(y), "groups": torch.from_numpy(groups)}
    tensors |= {"X": torch.from_numpy(X), "split": None, "class_names": tuple("abcd")}
    part, left = _frequent(Problem(criterion=criterion, **tensors))
    kept = y != 1
    np.testing.assert_array_equal(part.X, X[kept])
    np.testing.assert_array_equal(part.groups, groups[kept])
    np.testing.assert_array_equal(part.y, np.repeat([0, 1, 2], [200, 150, 150]))
    assert (criterion.number, left.number) == (3, 2)
    rare = DemographicParity(positive="b").resolved("abcd")
    with pytest.raises(SalutaryError, match="positive=b is not among the classes: these are a, c, d"):
        _frequent(Problem(criterion=rare, **tensors))


def test_the_cells_of_the_experiment():
    """Every line of the experiment is a command that Hydra composes, with a criterion of its table."""
    cells = {tuple((key, value) for key, value in job.items() if key != "seed") for job in expected(NAME)}
    assert len(cells) * 10 == len(expected(NAME))
    found = set()
    for cell in cells:
        typed = [f"{key}={value}" for key, value in cell if key not in SETTINGS and key != "protocol"]
        cfg = composed(f"experiment={NAME}", *typed)
        criterion = instantiate(cfg.objective)
        criterion.check()
        found.add((dict(cell)["dataset"], cfg.dataset.group, criterion.name, cfg.study.n_validation))
        assert criterion.needs_groups == (cfg.dataset.group is not None)
    groups = {("celeba", "Male"), ("celeba", "Young"), ("bank", "age"), ("bank", "contact")}
    gaps = {"demographic_parity", "equal_opportunity"}
    expected_cells = {(*of, gap, n) for of in groups for gap in gaps for n in (100, 300, 1000)}
    expected_cells -= {("bank", "contact", "equal_opportunity", 100)}
    worst = {("bank", "age"), ("bank", "contact"), ("electrical", "tau1"), ("wine", "color")}
    expected_cells |= {(*of, "worst_group", n) for of in worst for n in (100, 300, 1000)}
    expected_cells |= {("bank", None, name, n) for name in ("balanced", "cost") for n in (100, 300, 1000)}
    assert found == expected_cells


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
