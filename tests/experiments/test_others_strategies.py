"""Strategies of other libraries, and plain functions, by ``salutary-run``."""

import json
import sys

import pytest

pytest.importorskip("skactiveml", reason="needs the extra activeml")

QUICK = ("dataset=breast_cancer", "rounds=2", "budget=5")
COMMITTEE = "{_target_: skactiveml.pool.QueryByCommittee}"
RULE = """
def first(model, view, budget, rng, start=0):
    return range(start, start + budget)
"""


def record(tmp_path):
    (folder,) = (path for path in (tmp_path / "outputs").iterdir() if path.name != "multirun")
    rounds = (folder / "rounds.csv").read_text().splitlines()
    return json.loads((folder / "run.json").read_text()), rounds


@pytest.mark.parametrize(
    "arguments",
    [
        ("strategy=skactiveml", "strategy.query=TypiClust", "strategy.arguments={k: 3}"),
        (
            "strategy=skactiveml",
            "strategy.query=SubSamplingWrapper",
            f"strategy.arguments={{query_strategy: {COMMITTEE}, max_candidates: 50}}",
        ),
        ("strategy=modal", "strategy.query=max_disagreement_sampling", "strategy.committee=3"),
        ("strategy=callable",),
    ],
)
def test_a_run_counts_human_labels(arguments, salutary_run, tmp_path):
    status, out, err = salutary_run(*QUICK, *arguments)
    assert status == 0, err
    assert "10 human labels bought" in out
    facts, rounds = record(tmp_path)
    assert len(rounds) == 4
    if len(arguments) > 1:
        assert facts["settings"]["strategy"]["query"] == arguments[1].partition("=")[2]


def test_a_function_of_ones_own_by_its_name(salutary_run, tmp_path):
    (tmp_path / "my_code.py").write_text(RULE)
    name = "strategy.function._target_=my_code.first"
    status, _, err = salutary_run(*QUICK, "strategy=callable", name, "+strategy.function.start=2")
    sys.modules.pop("my_code", None)
    assert status == 0, err
    facts, _ = record(tmp_path)
    assert facts["settings"]["strategy"]["function"]["start"] == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ("strategy=skactiveml", "strategy.query=Typiclust"),
            "scikit-activeml has no pool strategy 'Typiclust'",
        ),
        (
            ("strategy=skactiveml", "strategy.arguments={q: 1}"),
            "UncertaintySampling has no argument 'q' to set",
        ),
        (("strategy=modal", "strategy.query=entropy"), "modAL has no query function 'entropy'"),
        (("strategy=modal", "strategy.committee=1"), "strategy.committee must be a whole number >= 2, not 1"),
        (("strategy=callable", "strategy.function=3"), "strategy.function must be a function"),
        (("strategy=callable", "strategy.function._target_=nowhere.rule"), "nowhere"),
        (("strategy=callable", "strategy.function._target_=os.getcwd"), "strategy.function, getcwd, cannot"),
        (("strategy=callable", "+strategy.function.k=3"), "strategy.function, least_confident, cannot"),
        (
            ("strategy=skactiveml", "strategy.query=QueryByCommittee", "model=head"),
            "strategy.query=QueryByCommittee fits the model to other rows, which takes model=logistic",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, salutary_run, tmp_path):
    status, _, err = salutary_run(*QUICK, *arguments)
    assert status == 1
    assert message in err
    assert len(err.splitlines()) == 1
    assert not any((tmp_path / "outputs").glob("*/run.json"))


def test_several_queries_of_a_sweep_are_told_apart(salutary_run, tmp_path):
    from salutary.analysis.sections import Records
    from salutary.analysis.told_apart import strategy_names

    sweep = ("-m", "strategy=skactiveml", "strategy.query=TypiClust,Falcun", "seed=0,1")
    status, _, err = salutary_run(sweep[0], *QUICK, *sweep[1:])
    assert status == 0, err
    names = strategy_names(Records([tmp_path / "outputs"]).facts)
    assert sorted(names) == ["skactiveml (query=Falcun)"] * 2 + ["skactiveml (query=TypiClust)"] * 2
