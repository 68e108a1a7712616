"""What sweeps of every sweeper tell and leave: failures, folders of the jobs' own, grids; lines."""

import logging
import re
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from salutary.errors import SalutaryError
from salutary.experiments.collect import collect_all
from salutary.experiments.grids import combined
from salutary.system import progress

QUICK = ("dataset=breast_cancer", "strategy=random", "rounds=1", "budget=5", "n_init=50")


def lines(output: str, state: str) -> list[str]:
    return re.findall(rf"^ *\d+(?:/\d+)? {state} .*$", output, re.MULTILINE)


# -- Optuna's and Hydra's own ----------------------------------------------------------------------

TUNING = (
    *("-m", "hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", "hydra.sweeper.n_trials=4"),
    *("hydra.sweeper.n_jobs=1", "hydra.sweeper.sampler.seed=1", "dataset=breast_cancer"),
    *("strategy=random", "rounds=1", "n_init=50", "model.l2=interval(0.01, 100)"),
)


@pytest.fixture
def optuna():
    return pytest.importorskip("optuna")


def test_a_trial_that_fails_does_not_end_a_tuning(optuna, salutary_run, tmp_path):
    status, out, err = salutary_run(*TUNING, "budget=choice(5,100000)")
    assert status == 0, err
    failed, finished = lines(out, "failed"), lines(out, "finished")
    assert len(failed) + len(finished) == 4 and failed and finished
    assert all("budget=100000 is larger than the pool, 291 rows" in line for line in failed)
    assert f"4 jobs: {len(finished)} run, 0 finished before, {len(failed)} failed" in out
    assert f"{len(finished)} runs in outputs/all_rounds.csv" in out
    (results,) = tmp_path.rglob("optimization_results.yaml")
    best = OmegaConf.load(results)
    assert f"best: model.l2={best.best_params['model.l2']} budget=5 ({best.best_value:g})" in out


def test_a_tuning_of_failures_only_fails_in_one_line(optuna, salutary_run, tmp_path):
    status, out, err = salutary_run(*TUNING, "budget=choice(200000,100000)")
    assert status == 1
    assert err.splitlines()[-1].startswith("salutary-run: all 4 jobs failed; the last: budget=")
    assert "4 jobs: 0 run, 0 finished before, 4 failed" in out
    assert "Traceback" not in out + err


def test_a_rate_of_failures_on_the_command_line_counts(optuna, salutary_run, tmp_path):
    tuning = (*TUNING, "budget=choice(5,100000)", "hydra.sweeper.max_failure_rate=0")
    status, out, err = salutary_run(*tuning)
    assert (status, len(lines(out, "failed"))) == (1, 1)
    assert "budget=100000 is larger than the pool" in err.splitlines()[-1]


def test_hydras_own_sweeper_tells_as_ours(salutary_run, tmp_path):
    sweep = ("-m", "hydra/sweeper=basic", *QUICK, "seed=0,1")
    status, out, err = salutary_run(*sweep)
    assert (status, err, len(lines(out, "finished"))) == (0, "", 2)
    assert "2 jobs: 2 run, 0 finished before, 0 failed in " in out
    assert "2 runs in outputs/all_rounds.csv" in out
    out = salutary_run(*sweep)[1]
    assert "2 jobs: 0 run, 2 finished before, 0 failed in " in out


# -- folders of the jobs' own ----------------------------------------------------------------------


@pytest.mark.parametrize("sweeper", ["salutary", "basic"])
@pytest.mark.parametrize("folder", ["outputs/${hydra:runtime.choices.strategy}", "outputs/of-${n_init}/x"])
def test_every_folder_of_a_sweep_is_collected(sweeper, folder, salutary_run, tmp_path):
    sweep = ("-m", f"hydra/sweeper={sweeper}", f"output_dir={folder}", "dataset=breast_cancer", "rounds=0")
    pairs = "strategy=random,margin", "n_init=40,50"
    status, out, err = salutary_run(*sweep, *pairs)
    assert (status, err) == (0, "")
    assert "4 jobs: 4 run, 0 finished before, 0 failed" in out
    assert "4 runs in outputs/all_rounds.csv" in out
    collected = pd.read_csv(tmp_path / "outputs/all_rounds.csv")
    assert set(collected["run"]) == {
        str(p.parent.relative_to(tmp_path / "outputs")) for p in tmp_path.rglob("run.json")
    }
    assert len({Path(run).parent for run in collected["run"]}) == 2
    (journal,) = tmp_path.rglob("jobs.jsonl")
    assert journal.parents[1] == tmp_path / "outputs/multirun"
    assert "4 jobs: 0 run, 4 finished before, 0 failed" in salutary_run(*sweep, *pairs)[1]


def test_a_single_run_in_a_folder_named_by_hydra(salutary_run, tmp_path):
    status, _, err = salutary_run(*QUICK, "output_dir=of/${hydra:runtime.choices.strategy}")
    assert (status, err) == (0, "")
    (facts,) = tmp_path.rglob("run.json")
    assert facts.parents[1] == tmp_path / "of/random"


def test_folders_side_by_side_here_are_collected_one_by_one(salutary_run, tmp_path):
    out = salutary_run(
        "-m", *QUICK, "output_dir=${hydra:runtime.choices.strategy}", "strategy=random,margin"
    )[1]
    assert "1 run in margin/all_rounds.csv" in out and "1 run in random/all_rounds.csv" in out
    assert not (tmp_path / "all_rounds.csv").exists()


def test_what_cannot_be_collected_is_told():
    assert collect_all([]) == []
    assert collect_all(["none"]) == ["not collected: no finished run below none"]


@pytest.mark.parametrize("sweeper", ["salutary", "basic"])
def test_a_folder_that_cannot_be_told_is_one_line(sweeper, salutary_run, tmp_path):
    status, out, err = salutary_run(
        "-m", f"hydra/sweeper={sweeper}", *QUICK, "output_dir=${oc.env:NOWHERE}/x"
    )
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert "Environment variable 'NOWHERE' not found" in err
    assert not any(tmp_path.iterdir())


def test_a_job_whose_folder_cannot_be_told_is_counted(salutary_run):
    status, out, _ = salutary_run("-m", *QUICK, "output_dir=of/${nowhere}", "seed=0,1")
    assert (status, len(lines(out, "failed"))) == (1, 2)
    assert "2 jobs: 0 run, 0 finished before, 2 failed" in out


def test_a_folder_of_what_was_typed(salutary_run, tmp_path):
    name = ("hydra.job.config.override_dirname.exclude_keys=[output_dir]", "+note=a b")
    sweep = ("-m", *QUICK, *name, "output_dir=of/${hydra:job.override_dirname}", "seed=0,1")
    assert "2 jobs: 2 run" in salutary_run(*sweep)[1]
    assert len({path.parents[1] for path in tmp_path.glob("of/*/*/run.json")}) == 2
    assert "2 jobs: 0 run, 2 finished before" in salutary_run(*sweep)[1]


def test_no_folder_for_a_sweep_is_one_line(salutary_run, tmp_path):
    status, out, err = salutary_run("-m", *QUICK, "output_dir=null")
    assert (status, out) == (1, "")
    assert err == "salutary-run: output_dir must be the name of a folder, not None"
    assert not any(tmp_path.iterdir())


# -- grids -----------------------------------------------------------------------------------------

GRIDS = [
    {"strategy": ["strategy=salutary", "strategy=margin"]},
    {"strategy": ["strategy=random"], "model": ["model=fixmatch"], "rounds": ["rounds=0"]},
]


def is_group(name: str) -> bool:
    return name in ("strategy", "model", "dataset")


@pytest.mark.parametrize(
    "typed, expected",
    [
        (["dataset=wine"], [{"dataset": ["dataset=wine"], **grid} for grid in GRIDS]),
        (["strategy=margin"], [{"strategy": ["strategy=margin"]}]),
        (["strategy=random"], [GRIDS[1]]),
        (["strategy=random", "strategy=margin"], [{"strategy": ["strategy=margin"]}, GRIDS[1]]),
        (["model=fixmatch"], [GRIDS[1]]),
        (["model=cnn"], [{**GRIDS[0], "model": ["model=cnn"]}]),
        (["rounds=3"], [{**GRIDS[0], "rounds": ["rounds=3"]}, {**GRIDS[1], "rounds": ["rounds=3"]}]),
    ],
)
def test_a_typed_choice_selects_the_grids_that_have_it(typed, expected):
    assert combined(GRIDS, {typed[0].partition("=")[0]: typed}, is_group) == expected


def test_of_a_single_grid_every_choice_is_replaced():
    assert combined(GRIDS[:1], {"strategy": ["strategy=badge"]}, is_group) == [
        {"strategy": ["strategy=badge"]}
    ]


def test_a_choice_that_no_grid_has_is_refused():
    with pytest.raises(SalutaryError, match=r"strategy=badge: none of .* they have salutary, margin, random"):
        combined(GRIDS, {"strategy": ["strategy=badge"]}, is_group)
    typed = {"strategy": ["strategy=margin"], "model": ["model=fixmatch"], "dataset": ["dataset=wine"]}
    with pytest.raises(SalutaryError, match="grids has strategy=margin model=fixmatch together"):
        combined(GRIDS, typed, is_group)


def test_a_data_set_that_no_grid_has_is_taken_by_all():
    grids = [
        {**grid, "dataset": [f"dataset={name}"]} for grid, name in zip(GRIDS, ("wine", "bank"), strict=True)
    ]
    other = {"dataset": ["dataset=digits"]}
    assert combined(grids, other, is_group) == [{**grid, **other} for grid in GRIDS]
    assert combined(grids, {"dataset": ["dataset=bank"]}, is_group) == grids[1:]


def test_an_experiment_of_two_grids_with_a_choice_typed(salutary_run, tmp_path):
    typed = ("experiment=table2", "dataset=breast_cancer", "seed=0", "rounds=1", "n_init=50")
    status, out, _ = salutary_run(*typed, "strategy=salutary")
    assert (status, "1 jobs: 1 run" in out) == (0, True)
    assert [path.name.split("-")[:3] for path in tmp_path.glob("outputs/table2/breast*")] == [
        ["breast_cancer", "salutary", "logistic"]
    ]
    status, out, err = salutary_run(*typed, "strategy=margin")
    assert (status, out) == (1, "")
    assert err == (
        "salutary-run: strategy=margin: none of the experiment's grids has it;"
        " they have salutary, self_training, random"
    )


# -- what is told on the way, and tidied -----------------------------------------------------------


def test_a_redirected_run_tells_of_its_rounds(salutary_run, monkeypatch):
    assert "rounds: " not in salutary_run(*QUICK, "rounds=3")[1]
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    out = salutary_run(*QUICK, "rounds=3", "force=true")[1]
    told = [line for line in out.splitlines() if "rounds: " in line]
    assert told == [f"breast_cancer · random, rounds: {done} of 3" for done in (1, 2, 3)]


def test_a_redirected_sweep_tells_of_jobs_that_run(salutary_run, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    out = salutary_run("-m", *QUICK, "rounds=2")[1]
    told = [line for line in out.splitlines() if line.startswith("running ")]
    assert [line.partition(": ")[2] for line in told] == ["round 1 of 2", "round 2 of 2"]
    assert told[0].startswith("running breast_cancer-random-logistic-paper-seed0-")


def test_lines_keep_their_distance(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 10)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    pace, due = progress.Pace(), []
    for now[0] in (1, 9.9, 10, 11, 19.9, 20, 45, 46):
        due.append(pace.is_due())
    assert due == [False, False, True, False, False, True, True, False]


def test_an_early_end_is_explained(salutary_run):
    _, out, _ = salutary_run("dataset=breast_cancer", "strategy=random", "n_pool=25", "rounds=10")
    assert "Ended after round 3 of 10: the pool is empty." in out
    ended = ("dataset=breast_cancer", "strategy=salutary_greedy", "rounds=200", "budget=40")
    _, out, _ = salutary_run(*ended)
    (line,) = (line for line in out.splitlines() if line.startswith("Ended"))
    assert line.endswith(" of 200: no point with a positive lower bound.")
    swept = salutary_run("-m", *ended, "force=true")[1]
    assert line.rstrip(".").replace("Ended", "ended") in swept
    assert "Ended" not in salutary_run(*QUICK)[1]


def test_an_empty_folder_of_hydras_does_not_stay(salutary_run, tmp_path):
    (tmp_path / "mine").mkdir()
    for folder in ("left/over", "mine"):
        assert salutary_run(*QUICK, f"hydra.run.dir={folder}")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "outputs"]
    assert salutary_run(*QUICK, "hydra.run.dir=left/over", "hydra.output_subdir=hydra")[0] == 0
    assert (tmp_path / "left/over/hydra/config.yaml").exists()


def test_verbose_does_not_tell_of_locks(salutary_run):
    try:
        out, err = salutary_run(*QUICK, "hydra.verbose=true")[1:]
        assert "lock" not in (out + err).lower()
    finally:
        logging.getLogger().setLevel(logging.WARNING)


@pytest.mark.parametrize("group", ["strategy", "dataset", "model", "protocol", "device"])
def test_a_group_left_out_is_one_line(group, salutary_run, tmp_path):
    status, out, err = salutary_run(f"~{group}")
    assert (status, out) == (1, "")
    assert err.startswith("salutary-run: ") and len(err.splitlines()) == 1
    assert not any(tmp_path.iterdir())
    out = salutary_run("-m", f"~{group}", "seed=0,1")[1]
    assert "2 jobs: 0 run, 0 finished before, 2 failed" in out
