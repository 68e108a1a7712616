"""Remedies as reference lines of a run: against the judge itself, the cache, the records and the report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from salutary.analysis.sections import Records, own
from salutary.errors import SalutaryError
from salutary.experiments import remedy_lines
from salutary.experiments.loop import Plan
from salutary.experiments.metrics import score
from salutary.experiments.problem import Problem
from salutary.experiments.remedy_lines import RemedyLines
from salutary.experiments.resume import read_finished
from salutary.remedies import Assigned, LabelledData, Part
from salutary.remedies.base_models import Logistic
from salutary.remedies.catalogue import named
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import folds_of

CANCER = ("dataset=breast_cancer", "strategy=salutary_greedy", "rounds=2", "budget=5")
NOISY = (*CANCER, "label_noise=0.3")
NAMES = ["labeled", "noise_model_3"]


def asked(*names: str) -> str:
    return f"reference=[{','.join(names)}]"


@pytest.fixture
def record(salutary_run, tmp_path):
    """A function from overrides to (the newest record, what was printed)."""
    seen = set()

    def run(*overrides):
        status, out, err = salutary_run(*overrides)
        assert (status, err) == (0, ""), (out, err)
        (newest,) = {path.parent for path in tmp_path.glob("outputs/*/run.json")} - seen
        seen.add(newest)
        return read_finished(newest), out

    return run


@pytest.fixture
def plan(prepared):
    """A function from overrides to a plan, with wrong labels in its initial set."""

    def prepare(*overrides):
        problem, model, strategy, cfg = prepared(*NOISY, *overrides)
        noisy = problem.y.clone()
        wrong = problem.split.initial[::3]
        noisy[wrong] = 1 - noisy[wrong]
        return Plan(replace(problem, noisy=noisy), model, strategy, cfg.rounds, cfg.budget, cfg.seed)

    return prepare


def data(problem: Problem, l2: float | None) -> LabelledData:
    def part(rows, y):
        return Part(problem.X[rows].double().numpy(), y[rows].numpy())

    L, V = part(problem.split.initial, problem.given), part(problem.split.validation, problem.y)
    return LabelledData(L, V, 2, None, None, l2, False, 0)


@pytest.mark.parametrize("l2", [None, 7.0])
def test_lines_are_those_of_the_remedies_and_of_the_judge(plan, l2):
    setting = "cv" if l2 is None else l2
    of_run = plan(f"model.l2={setting}", "model.fit_intercept=false")
    rounds = list(of_run.run())
    lines = RemedyLines.of(NAMES, of_run).lines(of_run, rounds, told=print)
    assert list(lines) == ["remedy_labeled", "remedy_noise_model_3", "remedies_average"]
    problem = of_run.problem
    X, y = problem.part("test")
    of = data(problem, l2)
    for name in NAMES:
        P = named([name])[0].fit(of, Logistic()).probabilities(X.double().numpy())
        assert lines[f"remedy_{name}"] == score(torch.from_numpy(P), y)
    found = Judge(named(NAMES), [Logistic()]).judge(of, folds_of(of.validation.y, 5, 0))
    assert "labeled_and_validation" in found.names
    P = found.handed.probabilities(X.double().numpy())
    assert lines["remedies_average"] == score(torch.from_numpy(P), y)
    assert lines["remedy_noise_model_3"].loss < lines["remedy_labeled"].loss
    assert of_run.model.coef_.shape == (1, 30)  # the model of the run is what it was


def test_of_the_given_penalty_the_line_of_the_labelled_rows_is_the_initial_model(record):
    found, _ = record(*NOISY, asked("labeled", "labeled_and_validation"))
    for remedy, line in {"labeled": "initial", "labeled_and_validation": "labeled_and_validation"}.items():
        ours, theirs = found.references[f"remedy_{remedy}"], found.references[line]
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-6) and ours.accuracy == theirs.accuracy


def test_salutary_remedies_take_the_labels_of_the_run(record):
    found, _ = record(*NOISY, "protocol=standard", asked("salutary", "salutary_and_validation"))
    last = found.rounds[-1].test
    assert found.references["remedy_salutary"].loss == pytest.approx(last.loss, rel=1e-5)
    assert found.references["remedy_salutary_and_validation"].loss < last.loss


def test_in_folds_the_labelling_is_repeated_without_the_rows_held_out(plan, monkeypatch):
    of_run = plan()
    rounds, given = list(of_run.run()), []
    judge = remedy_lines.Judge.judge

    def judged(self, data, folds, assigned):
        given.append((folds, assigned))
        return judge(self, data, folds, assigned)

    monkeypatch.setattr(remedy_lines.Judge, "judge", judged)
    told = []
    RemedyLines.of(["salutary"], of_run).lines(of_run, rounds, told.append)
    ((folds, (of_all, *of_folds)),) = given
    queries = [query for record in rounds for query in record.queries]
    problem = of_run.problem
    assert of_all.y.tolist() == [problem.class_names.index(query.assigned_label) for query in queries]
    np.testing.assert_array_equal(of_all.X, problem.X[[query.sample_id for query in queries]].numpy())
    assert told[-1] == "round 10 of 10" and len(of_folds) == len(folds) == 5
    for (seen, _), fold in zip(folds, of_folds, strict=True):
        assert isinstance(fold, Assigned) and fold.l2 == of_run.model.l2_
        without = replace(problem, split=replace(problem.split, validation=problem.split.validation[seen]))
        n = len(problem.split.validation)
        again = replace(of_run, problem=without, strategy=of_run.strategy.for_validation(n))
        labels = [query.assigned_label for record in again.run() for query in record.queries]
        assert fold.y.tolist() == [problem.class_names.index(label) for label in labels]


def test_what_does_not_apply_is_told_and_left_out(record):
    names = ("labeled", "salutary", "noise_per_source", "chosen_sources")
    found, out = record("dataset=breast_cancer", "strategy=margin", "rounds=1", asked(*names))
    assert "reference: salutary is left out, it needs rounds of a strategy that asks nobody" in out
    for name in ("noise_per_source", "chosen_sources"):
        assert f"reference: {name} is left out, it needs labels of several sources" in out
    lines = {name for name in found.references if name.startswith("reme")}
    assert lines == {"remedy_labeled", "remedies_average"}
    found, out = record(*CANCER, "rounds=0", asked("salutary"))
    assert "salutary is left out" in out and len(found.references) == 4


def test_the_terminal_shows_them(record):
    _, out = record(*NOISY, asked(*NAMES))
    table = [line.strip().split("  ")[0] for line in out.splitlines() if line.count("%") == 3]
    assert table[-3:] == ["remedy labeled", "remedy noise_model_3", "average of remedies"]


def test_too_few_validation_rows_to_judge(plan):
    of_run = plan()
    y = of_run.problem.part("validation")[1]
    rows = [int(torch.nonzero(y == c)[0]) for c in (0, 1)]
    split = replace(of_run.problem.split, validation=of_run.problem.split.validation[rows])
    few = replace(of_run, problem=replace(of_run.problem, split=split))
    of_few = RemedyLines.of(NAMES, few)
    lines = of_few.lines(few, [])
    assert list(lines) == of_few.names == ["remedy_labeled", "remedy_noise_model_3"]


# -- the cache, the names of runs, the report ----------------------------------------------------------


def test_strategies_of_a_seed_share_them_but_not_those_of_labels(record, monkeypatch):
    fits, judge = [], remedy_lines.Judge.judge
    monkeypatch.setattr(remedy_lines.Judge, "judge", lambda *each: fits.append(1) or judge(*each))

    def lines(*overrides):
        references = record(*NOISY, *overrides)[0].references
        return {name: value for name, value in references.items() if name.startswith("reme")}

    first = lines(asked(*NAMES))
    assert lines(asked(*NAMES), "strategy=margin") == first and len(fits) == 1
    assert lines(asked(*NAMES[::-1]), "strategy=random") == first and len(fits) == 1
    assert lines(asked("labeled")).keys() == {"remedy_labeled", "remedies_average"} and len(fits) == 2
    assert lines(asked(*NAMES), "model.l2=3") != first and len(fits) == 3
    assert lines(asked(*NAMES, "salutary")).keys() == {*first, "remedy_salutary"} and len(fits) == 4
    lines(asked(*NAMES, "salutary"), "budget=6")
    assert len(fits) == 5


def test_trained_lines_that_were_kept_before_stay_valid(record, monkeypatch):
    from salutary.experiments import job

    before = record(*CANCER)[0].references
    monkeypatch.setattr(job, "trained_lines", lambda *_: pytest.fail("trained again"))
    assert record(*CANCER, asked("labeled"))[0].references.items() >= before.items()


def test_a_run_without_them_has_the_name_it_had(salutary_run, tmp_path):
    from salutary.experiments.identity import Identity, run_name, what_matters

    config = {"dataset": {}, "device": {}, "seed": 0}
    identity = Identity("d", "s", "m", "p", 0)
    none = config | {"reference": []}
    assert run_name(identity, none) == run_name(identity, config)
    assert run_name(identity, config | {"reference": ["labeled"]}) != run_name(identity, config)
    assert "reference" not in what_matters(none) and none["reference"] == []
    for value in ("reference=[]", asked("labeled")):
        salutary_run("dataset=breast_cancer", "rounds=0", value)
    settings = [json.loads(path.read_text())["settings"] for path in tmp_path.glob("outputs/*/run.json")]
    assert sorted(each.get("reference", []) for each in settings) == [[], ["labeled"]]


def test_the_report_reads_runs_with_and_without_them(record, tmp_path):
    for seed in (0, 1):
        record(*NOISY, f"seed={seed}", asked(*NAMES, "salutary"))
    record(*NOISY, "seed=0", "strategy=random")
    records = Records([tmp_path / "outputs"])
    section = own.section(records)
    table = next(iter(section.tables.values()))  # the first is of the final values
    strategies = set(table["strategy"])
    assert {"remedy_labeled", "remedy_noise_model_3", "remedies_average", "remedy_salutary"} <= strategies
    assert {"salutary_greedy", "random", "majority"} <= strategies
    lines = records.reference("remedies_average")
    expected = records.references[records.references["line"] == "remedies_average"]["test_accuracy"]
    assert sorted(lines["accuracy"]) == sorted(100 * expected) and len(lines) == 2
    assert "Remedy noise_model_3" in section.text and "Average of remedies" in section.text


def test_lines_of_labels_are_told_apart_by_what_decided_the_labels(record, tmp_path):
    for budget in (2, 20):
        record(*NOISY, f"budget={budget}", asked("labeled", "salutary"))
    table = next(iter(own.section(Records([tmp_path / "outputs"])).tables.values()))
    strategies = set(table["strategy"])
    assert {"Remedy salutary (budget=2)", "Remedy salutary (budget=20)", "remedy_labeled"} <= strategies


MISTAKES = {
    "no such name": (
        ["reference=[nothing]"],
        "salutary-run: reference: 'nothing' is none of labeled, labeled_and_validation, validation,",
    ),
    "no list": (
        ["reference=labeled"],
        "reference must be a list of remedies such as [noise_model_3,cleaned]",
    ),
    "no name": (["reference=[3]"], "reference must be a list of remedies such as"),
    "a network": (["model=head", "strategy=random", asked("labeled")], "reference= needs model=logistic"),
    "validation rows that are trained on": (
        ["baselines_use_validation=true", "strategy=random", asked("labeled")],
        "needs validation rows that are not trained on: baselines_use_validation=false",
    ),
    "a penalty that is none": (["model.l2=-1", asked("labeled")], "model.l2 must be a positive number"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(mistake, salutary_run, tmp_path):
    arguments, message = MISTAKES[mistake]
    status, _, err = salutary_run("dataset=breast_cancer", "rounds=1", *arguments)
    assert status == 1 and err.startswith("salutary-run: ") and message in err and err.count("\n") <= 1
    assert not list(tmp_path.glob("outputs/*/*"))


def test_a_class_without_an_initial_row(plan):
    of_run = plan()
    one = replace(of_run.problem, noisy=torch.zeros_like(of_run.problem.y))
    with pytest.raises(SalutaryError, match="needs an initial row of every class: raise n_init"):
        RemedyLines.of(["labeled"], replace(of_run, problem=one))


def test_soft_labels_are_for_an_objective(record, plan):
    """Of the mean loss they are left out, with the reason."""
    soft = asked("labeled", "salutary_soft_early")
    found, out = record(*NOISY, soft)
    assert "salutary_soft_early is left out, it needs an objective other than the mean loss" in out
    assert "remedy_salutary_soft_early" not in found.references
    found, _ = record(*NOISY, soft, "objective=balanced")
    labeled, early = (found.references[f"remedy_{name}"] for name in ("labeled", "salutary_soft_early"))
    assert early.figure > labeled.figure
