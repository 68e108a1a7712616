"""Sweeps by submitit: on Slurm, as far as it can be had here, with the settings of ``conf/hydra/launcher``."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from compositions import composed_hydra

from salutary.experiments import cli

from . import slurm_here
from .sweep_processes import CACHE, SWEEP, contents, no_round_twice

pytest.importorskip("submitit")


@pytest.mark.slow
def test_an_array_of_slurms_writes_the_same_records(undisturbed, tmp_path):
    """One of its jobs is told that its time is over: Slurm starts it again, and it goes on."""
    environment = slurm_here.install(tmp_path / "slurm", SLURM_HERE_STOPS="0", SALUTARY_CACHE_DIR=CACHE)
    environment["PYTHONPATH"] = str(Path(cli.__file__).parents[2])
    settings = ("partition=short", "timeout_min=30", "array_parallelism=2", "'setup=[\"export A=1\"]'")
    launcher = ("hydra/launcher=slurm", *(f"hydra.launcher.{each}".replace("'", "") for each in settings))
    command = [sys.executable, "-m", "salutary", *SWEEP, *launcher]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert contents(tmp_path) == undisturbed[0]
    script = (tmp_path / "slurm" / "1.sh").read_text()
    for said in ("partition=short", "time=30", "cpus-per-task=2", "mem=8GB", "array=0-5%2", "open-mode=append"):
        assert f"#SBATCH --{said}\n" in script
    assert "\n# setup\nexport A=1\n" in script
    assert (tmp_path / "slurm" / "1_0.again").exists()
    (log,) = (tmp_path / "outputs").glob("multirun/*/.submitit/1_0/*_log.err")
    assert "Caught signal SIGUSR2" in log.read_text()
    assert re.search(r"6 jobs: 6 run, 0 finished before, 0 failed", ended.stdout)
