"""Sweeps with failing jobs and mistakes, the names of their jobs, and grids."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf

from salutary.experiments import cli

# -- failing jobs ----------------------------------------------------------------------------------

FRAGILE = """
from salutary.strategies import ScoreStrategy


class Fragile(ScoreStrategy):
    def __init__(self, fails):
        self.fails = fails

    def scores(self, model, view, rng):
        if self.fails:
            raise RuntimeError("out of luck")
        return view.pool[:, 0]
"""


def test_one_failing_job_does_not_stop_the_others(salutary_run, tmp_path):
    (tmp_path / "fragile.py").write_text(FRAGILE)
    (tmp_path / "conf" / "strategy").mkdir(parents=True)
    (tmp_path / "conf" / "strategy" / "fragile.yaml").write_text("_target_: fragile.Fragile\nfails: false\n")
    command = (
        *("-m", "--config-dir", "conf", "dataset=breast_cancer", "strategy=fragile", "rounds=1"),
        "strategy.fails=true,false",
    )
    status, out, err = salutary_run(*command)
    assert (status, err) == (1, "salutary-run: 1 jobs failed; the same command tries them again")
    assert "2 jobs: 1 run, 0 finished before, 1 failed" in out
    (failed,) = (tmp_path / "outputs").glob("*.partial")
    assert f"  {failed.name.removesuffix('.partial')}: out of luck" in out
    error = (failed / "error.txt").read_text()
    assert error.startswith("Traceback") and 'raise RuntimeError("out of luck")' in error
    assert OmegaConf.load(failed / "config.yaml").strategy.fails is True
    assert len(list((tmp_path / "outputs").glob("*/run.json"))) == 1
    (tmp_path / "fragile.py").write_text(FRAGILE.replace("if self.fails", "if False"))
    sys.modules.pop("fragile")
    assert salutary_run(*command)[0] == 0
    assert not list((tmp_path / "outputs").glob("*.partial"))


DIES = """
import os

from salutary.strategies import ScoreStrategy


class Dies(ScoreStrategy):
    def scores(self, model, view, rng):
        os._exit(1)
"""


@pytest.mark.slow
def test_a_worker_that_dies_is_one_line(salutary_run, tmp_path):
    (tmp_path / "dies.py").write_text(DIES)
    (tmp_path / "conf" / "strategy").mkdir(parents=True)
    (tmp_path / "conf" / "strategy" / "dies.yaml").write_text("_target_: dies.Dies\n")
    assert salutary_run("-m", "dataset=breast_cancer", "strategy=random", "rounds=1", "seed=0,1")[0] == 0
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "salutary", "-m", "--config-dir", "conf", "dataset=breast_cancer"),
            *("strategy=random,dies", "rounds=1", "seed=0,1"),
            *("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("salutary-run: the launcher broke down (TerminatedWorker")
    assert "running: breast_cancer-dies-" in ended.stderr and "Traceback" not in ended.stderr
    assert "4 jobs: 0 run, 2 finished before" in ended.stdout
    assert "2 runs in outputs/all_rounds.csv" in ended.stdout


def test_what_cannot_be_swept_is_refused(salutary_run, tmp_path):
    for sweep in ("output_dir=a,b", "experiment=table4,figure5"):
        status, _, err = salutary_run("-m", "dataset=breast_cancer", "rounds=0", sweep)
        assert (status, "cannot be swept: give one at a time" in err) == (1, True)
    assert not list(tmp_path.rglob("run.json"))


def test_a_home_folder_is_found_behind_the_equals_sign(salutary_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert salutary_run("-m", "dataset=breast_cancer", "rounds=0", "output_dir=~/runs")[0] == 0
    assert len(list((tmp_path / "home" / "runs").glob("*/run.json"))) == 1
    assert not (tmp_path / "~").exists()


def test_settings_out_of_range_fail_by_themselves(salutary_run, tmp_path):
    status, out, _ = salutary_run("-m", "dataset=breast_cancer", "rounds=0", "n_init=40,0")
    assert status == 1
    assert "2 jobs: 1 run, 0 finished before, 1 failed" in out
    assert "n_init must be a whole number >= 1, not 0" in out


def test_mistakes_in_the_command_stop_it_before_anything_is_run(salutary_run, tmp_path):
    for mistake in ("strategy.hesian=pool,labeled", "dataset=breast_cancer,bnk"):
        status, _, err = salutary_run("-m", "dataset=breast_cancer", "rounds=0", mistake)
        assert status == 1 and "did you mean" in err
    assert not list(tmp_path.rglob("run.json"))


def test_a_damaged_finished_record_is_told_and_left_alone(salutary_run, tmp_path):
    command = ("dataset=breast_cancer", "rounds=2")
    salutary_run(*command)
    (facts,) = tmp_path.rglob("run.json")
    rounds = facts.parent / "rounds.csv"
    for file, damage in {rounds: "half a", facts: "{}"}.items():
        file.write_text(damage)
        status, _, err = salutary_run(*command)
        assert (status, err.endswith("is damaged; force=true runs it again")) == (1, True)
        assert file.read_text() == damage
    assert salutary_run(*command, "force=true")[0] == 0
    assert salutary_run(*command)[0] == 0


# -- names -----------------------------------------------------------------------------------------


def test_finished_jobs_are_known_by_every_kind_of_override(salutary_run, tmp_path):
    """The sweeper composes quickly what Hydra composes for the job: the same names, so nothing is run "
    "twice."""
    sweep = (
        *("-m", "dataset=breast_cancer", "rounds=1", "budget=1%", "strategy=salutary,margin"),
        *("n_validation=null,50", "device.threads=1", "+recipe.note='a b'", "model.l2=1e1,cv"),
    )
    status, out, _ = salutary_run(*sweep)
    assert (status, "8 jobs: 8 run, 0 finished before" in out) == (0, True)
    status, out, _ = salutary_run(*sweep)
    assert (status, "8 jobs: 0 run, 8 finished before" in out) == (0, True)
    status, out, _ = salutary_run(*sweep, "device.threads=2", "force=true")
    assert (status, "8 jobs: 8 run, 0 finished before" in out) == (0, True)


def test_grids_are_swept_one_after_the_other(salutary_run, tmp_path):
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "two.yaml").write_text("""# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params: {seed: "range(2)", rounds: 0}
    grids:
      - {strategy: "salutary,random"}
      - {strategy: random, n_init: 50}
""")
    status, out, _ = salutary_run("--config-dir", "conf", "experiment=two", "dataset=breast_cancer")
    assert (status, "6 jobs: 6 run" in out) == (0, True)
    status, out, _ = salutary_run(
        "--config-dir", "conf", "experiment=two", "dataset=breast_cancer", "n_init=50"
    )
    assert "4 jobs: 2 run, 2 finished before" in out  # the command line wins; what is the same is run once


def test_the_sweeper_composes_once_what_jobs_share(salutary_run, monkeypatch):
    """Of 12 jobs it composes the two choices of groups; the launcher each job that it is handed."""
    compositions = []
    compose = ConfigLoaderImpl.load_sweep_config

    def counted(self, master_config, overrides):
        compositions.append(frozenset(overrides))
        return compose(self, master_config, overrides)

    monkeypatch.setattr(ConfigLoaderImpl, "load_sweep_config", counted)
    sweep = ("-m", "dataset=breast_cancer", "rounds=0", "strategy=random,margin", "n_init=40,50")
    shared = [{"dataset=breast_cancer", f"strategy={name}"} for name in ("random", "margin")]
    assert "12 jobs: 12 run" in salutary_run(*sweep, "seed=range(3)")[1]
    assert compositions[:2] == shared
    assert len(compositions) == 2 + 12 and len(set(compositions)) == 2 + 12
    compositions.clear()
    assert "16 jobs: 4 run, 12 finished before" in salutary_run(*sweep, "seed=range(4)")[1]
    assert compositions[:2] == shared
    assert len(compositions) == 2 + 4 and all("seed=3" in job for job in compositions[2:])
    compositions.clear()
    assert "16 jobs: 0 run, 16 finished before" in salutary_run(*sweep, "seed=range(4)")[1]
    assert compositions == shared
