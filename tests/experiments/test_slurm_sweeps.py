"""Sweeps by submitit: on Slurm, as far as it can be had here, with the settings of conf/hydra/launcher."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from salutary.experiments import cli
from salutary.system.conf import config_dir, documented

from . import slurm_here
from .sweep_processes import CACHE, SWEEP, contents

pytest.importorskip("submitit")


@pytest.mark.slow
def test_an_array_of_slurms_writes_the_same_records(undisturbed, tmp_path):
    """One of its jobs is told that its time is over: Slurm starts it again, and it goes on."""
    environment = slurm_here.install(tmp_path / "slurm", SLURM_HERE_STOPS="0", SALUTARY_CACHE_DIR=CACHE)
    environment["PYTHONPATH"] = str(Path(cli.__file__).parents[2])
    settings = ("partition=short", "timeout_min=30", "array_parallelism=2", "setup=['export A=1']")
    launcher = ("hydra/launcher=slurm", *(f"hydra.launcher.{each}" for each in settings))
    command = [sys.executable, "-m", "salutary", *SWEEP, "strategy=badge,random", "seed=0", *launcher]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "2 jobs: 2 run, 0 finished before, 0 failed" in ended.stdout
    found = contents(tmp_path)
    assert len({name.partition("/")[0] for name in found}) == 2
    assert found == {name: undisturbed[0][name] for name in found}
    script = (tmp_path / "slurm" / "1.sh").read_text()
    for said in ("partition=short", "time=30", "cpus-per-task=2", "mem=8GB", "array=0-1%2"):
        assert f"#SBATCH --{said}\n" in script
    assert "\n# setup\nexport A=1\n" in script
    log = (tmp_path / "slurm" / "1.log").read_text()
    assert log.count("Caught signal SIGUSR2") and log.count("Starting with JobEnvironment(job_id=1_0") == 2


def test_the_settings_are_submitits(salutary_run):
    """Each that stands in our file is one of submitit's, as its own choice has it."""
    own = documented(Path(config_dir()) / "hydra" / "launcher" / "slurm.yaml")
    status, out, _ = salutary_run("hydra/launcher=slurm", "--cfg", "hydra")
    found = yaml.safe_load(out)["hydra"]["launcher"]
    theirs = yaml.safe_load(salutary_run("hydra/launcher=submitit_slurm", "--cfg", "hydra")[1])
    theirs = theirs["hydra"]["launcher"]
    assert status == 0 and found.keys() == theirs.keys()
    assert {each.name for each in own} <= theirs.keys() and all(each.about for each in own)
    assert {name for name in found if found[name] != theirs[name]} <= {each.name for each in own}
