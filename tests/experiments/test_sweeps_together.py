"""Several processes with one run or sweep, launchers, and how workers share the cores."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from salutary.experiments import cli

from .sweep_processes import CACHE, RUN, SWEEP, contents, forked, no_round_twice


def test_two_processes_with_one_run(undisturbed_run, tmp_path):
    """The second waits, and finds it finished."""
    pids = [forked(tmp_path, *RUN) for _ in range(4)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 4
    assert contents(tmp_path) == undisturbed_run
    assert no_round_twice(tmp_path)
    assert not list((tmp_path / "outputs").glob("*.lock"))


def test_two_sweeps_at_once(undisturbed, tmp_path):
    pids = [forked(tmp_path, *SWEEP) for _ in range(2)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    assert contents(tmp_path) == undisturbed[0]
    assert no_round_twice(tmp_path)


LAUNCHERS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": [],
}


@pytest.mark.parametrize(
    "launcher",
    ["joblib", pytest.param("submitit_local", marks=pytest.mark.slow)],
)
def test_launchers_write_the_same_records(launcher, undisturbed, tmp_path):
    pytest.importorskip(launcher.removesuffix("_local"))
    finished = subprocess.run(
        [sys.executable, "-m", "salutary", *SWEEP, f"hydra/launcher={launcher}", *LAUNCHERS[launcher]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "SALUTARY_CACHE_DIR": CACHE},
    )
    assert finished.returncode == 0, finished.stderr
    assert contents(tmp_path) == undisturbed[0]


def test_workers_share_the_cores(monkeypatch):
    from salutary.system import commands as config

    monkeypatch.setattr(config, "free_cores", lambda: 8)
    cfg = OmegaConf.create({"device": {"threads": None}})
    launchers = {"none": {}, "two": {"n_jobs": 2}, "all": {"n_jobs": -1}, "many": {"n_jobs": 100}}
    launchers |= {"ray": {"n_jobs": None, "num_cpus": 0.5}, "slurm": {"cpus_per_task": 3}}
    found = {}
    for name, launcher in launchers.items():
        fake = OmegaConf.create({"launcher": launcher})
        monkeypatch.setattr(config.HydraConfig, "get", staticmethod(lambda fake=fake: fake))
        found[name] = config.threads_per_worker(cfg)
    expected = {"none": {}, "two": {"threads": 4}, "all": {"threads": 1}, "many": {"threads": 1}}
    assert found == expected | {"ray": {"threads": 1}, "slurm": {"threads": 3}}
    cfg.device.threads = 1
    fake.launcher = {"n_jobs": 2}
    assert config.threads_per_worker(cfg) == {"threads": 1}
    cfg.device.threads = "auto"
    assert config.threads_per_worker(cfg) == {"cores": 4}
