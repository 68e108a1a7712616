"""``hydra/launcher=ray``: the records of an undisturbed sweep, whatever becomes of workers and machines."""

import os
import signal
from pathlib import Path

import pytest
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

pytest.importorskip("ray")

from salutary.errors import SalutaryError
from salutary.experiments import ray_jobs
from salutary.experiments.ray_jobs import Home
from salutary.system.conf import config_dir, documented
from salutary.system.ray_cluster import imported_ray, start_ray

from .ray_workers import in_a_round, once, workers_in
from .sweep_processes import CACHE, SWEEP, contents

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own
SETTINGS = {"address": None, "num_cpus": 1, "num_gpus": 0, "n_jobs": None, "max_retries": 3}
SETTINGS |= {"init": {}, "remote": {}}


@pytest.fixture(scope="module")
def ray(undisturbed):  # which forks, and that goes before
    """A cluster of two workers on this machine."""
    start_ray("local", num_cpus=2, object_store_memory=2**27)
    yield imported_ray()
    imported_ray().shutdown()


def test_a_worker_killed_in_a_round_costs_nothing_but_time(
    ray, undisturbed, salutary_run, tmp_path, monkeypatch
):
    monkeypatch.setenv("SALUTARY_CACHE_DIR", CACHE)
    killed = []

    def kill() -> None:
        killed.extend(workers_in(tmp_path)[:1])
        os.kill(killed[0], signal.SIGKILL)

    killer = once(lambda: in_a_round(tmp_path), kill)
    status, out, err = salutary_run(*SWEEP, "hydra/launcher=ray")
    killer.join(timeout=60)
    assert (status, err, len(killed)) == (0, "", 1)
    assert out.count("is started again (1 of 3), its worker was lost: WorkerCrashedError") == 1
    assert "6 jobs: 6 run, 0 finished before, 0 failed" in out
    assert contents(tmp_path) == undisturbed[0]
    assert "6 jobs: 0 run, 6 finished before" in salutary_run(*SWEEP, "hydra/launcher=ray")[1]


# -- single promises, with jobs that need no PyTorch -----------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.chdir(tmp_path)
    config = OmegaConf.create({"hydra": {"sweep": {"dir": "outputs/multirun/now"}}})
    return Home.here(None, config, None)


def test_a_job_that_kills_every_worker_is_one_that_failed(ray, home, monkeypatch):
    def job(home, number, overrides):
        if overrides == ["seed=1"]:
            os._exit(1)
        if overrides == ["seed=2"]:
            raise SalutaryError("what is wrong")
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED)

    monkeypatch.setattr(ray_jobs, "_job", job)
    jobs = [[f"seed={seed}"] for seed in range(5)]
    found = ray_jobs.results({**SETTINGS, "max_retries": 1, "n_jobs": 2}, home, jobs, 10)
    assert [each.overrides for each in found] == jobs
    assert [each.status == JobStatus.COMPLETED for each in found] == [True, False, False, True, True]
    lines = (Path(home.sweep_dir) / "jobs.jsonl").read_text().splitlines()
    told = {each["job"]: each for each in map(yaml.safe_load, lines) if each["state"] == "failed"}
    assert told.keys() == {11, 12} and told[12]["text"] == "what is wrong"
    assert told[11]["text"].startswith("its worker was lost 2 times: WorkerCrashedError")
    assert told[11]["run"] == "seed=1" and str(found[2]._return_value) == "what is wrong"


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"n_jobs": -1}, "hydra.launcher.n_jobs must be a whole number >= 1 or null, not -1"),
        ({"num_cpus": "two"}, "hydra.launcher.num_cpus must be a number"),
        ({"num_cpus": 3}, "hydra.launcher.num_cpus=3: machines of the cluster have 2 at most"),
        ({"num_gpus": 100}, "hydra.launcher.num_gpus=100: machines of the cluster have"),
    ],
)
def test_what_cannot_be_is_one_line(ray, home, wrong, said, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(SalutaryError, match=said):
        ray_jobs.results({**SETTINGS, **wrong}, home, [["seed=0"]], 0)


def test_a_machine_that_does_not_see_the_folder_says_so(home, tmp_path, monkeypatch):
    monkeypatch.setenv("SALUTARY_OF_A_TEST", "worker")
    home.variables.update({"SALUTARY_OF_A_TEST": "start", "OF_A_TEST": "start", "PATH": "none"})
    monkeypatch.setattr(os, "environ", dict(os.environ))
    home.enter()
    assert os.environ["SALUTARY_OF_A_TEST"] == os.environ["OF_A_TEST"] == "start"
    assert os.environ["PATH"] != "none" and "RAY_ADDRESS" not in home.variables
    (tmp_path / "outputs/multirun/now").rmdir()
    with pytest.raises(SalutaryError, match=r"does not see .*now: sweep in a folder that all machines share"):
        home.enter()
    monkeypatch.setattr(ray_jobs, "__version__", "0.0.1")
    with pytest.raises(SalutaryError, match=r"has salutary 0\.0\.1, the sweep is of"):
        home.enter()


def test_nobody_at_the_address_is_one_line(salutary_run, tmp_path, monkeypatch):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    sweep = ("-m", "dataset=breast_cancer", "seed=0,1", "hydra/launcher=ray")
    status, _, err = salutary_run(*sweep, "hydra.launcher.address=127.0.0.1:1")
    assert (status, len(err.splitlines())) == (1, 1)
    assert err.startswith("salutary-run: the Ray cluster 127.0.0.1:1 cannot be joined: ")


def test_settings_of_0_3_are_read_and_told():
    from hydra_plugins.salutary_ray import RayLauncher

    with pytest.warns(FutureWarning, match=r"hydra\.launcher\.ray is hydra\.launcher\.address and .*0\.5\.0"):
        launcher = RayLauncher(ray={"init": {"address": "local"}, "remote": {"memory": 5}})
    assert launcher.settings == {**SETTINGS, "init": {"address": "local"}, "remote": {"memory": 5}}
    assert RayLauncher().settings == SETTINGS


def test_where_hydra_ray_launcher_is_installed_too_ours_is_taken(salutary_run, monkeypatch):
    theirs = {"_target_": "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher", "ray": {}}
    repo = ConfigStore.instance().repo["hydra"]["launcher"]
    ConfigStore.instance().store("ray", theirs, "hydra/launcher", provider="ray_launcher")
    try:
        status, out, err = salutary_run("hydra/launcher=ray", "--cfg", "hydra")
    finally:
        repo.pop("ray.yaml", None)
    assert (status, err) == (0, "")
    found = yaml.safe_load(out)["hydra"]["launcher"]
    assert found["_target_"] == "hydra_plugins.salutary_ray.RayLauncher"
    own = documented(Path(config_dir()) / "hydra" / "launcher" / "ray.yaml")
    assert {each.name for each in own} == found.keys() - {"_target_"} and all(each.about for each in own)
