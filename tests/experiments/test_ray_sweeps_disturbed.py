"""Sweeps on Ray clusters of their own: two clusters and one table, Ctrl-C, a machine that is lost."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("ray")

from salutary.experiments import cli, collect

from .ray_workers import in_a_round, once, workers_in
from .sweep_processes import CACHE, SWEEP, contents

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Ray's own
LINES = (
    r"(running|\d/\d finished) breast_cancer-.*|\d jobs: \d run, 0 finished before, 0 failed in .*"
    r"|\d runs in outputs/all_rounds.csv, all_rounds.parquet"
)


def started(folder: Path, *arguments: str) -> subprocess.Popen:
    """``salutary-run`` on a Ray cluster that it starts for itself."""
    folder.mkdir(exist_ok=True)
    ours = {"PYTHONPATH": str(Path(cli.__file__).parents[2]), "SALUTARY_CACHE_DIR": CACHE}
    return subprocess.Popen(
        [sys.executable, "-m", "salutary", *SWEEP, "hydra/launcher=ray", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **ours, "RAY_ADDRESS": "local"},
        start_new_session=True,
    )


def test_two_clusters_records_are_one_table(undisturbed, tmp_path, monkeypatch):
    """And Ray says nothing."""
    monkeypatch.chdir(tmp_path)
    for name, seeds in {"a": "seed=0", "b": "seed=0,1"}.items():
        sweep = started(tmp_path / name, "strategy=badge,random", seeds)
        out, err = sweep.communicate()
        assert (sweep.returncode, err) == (0, "")
        assert all(re.fullmatch(LINES, line) for line in out.splitlines())
        found = contents(tmp_path / name)
        assert found == {each: undisturbed[0][each] for each in found}
        assert not workers_in(tmp_path / name)
    said = collect.collect("a/outputs", "b/outputs")
    assert said.startswith("4 runs in ./all_rounds.csv") and said.endswith(
        "; 2 in more than one folder, once here"
    )
    table = pd.read_csv("all_rounds.csv")
    assert len(table) == 4 * 9 and not table.duplicated(["strategy", "seed", "round"]).any()


def test_interrupted_by_hand_it_goes_on(undisturbed, tmp_path):
    sweep = started(tmp_path)
    once(lambda: in_a_round(tmp_path), lambda: os.killpg(sweep.pid, signal.SIGINT))
    out, err = sweep.communicate()
    assert (sweep.returncode, err) == (130, "")
    assert "interrupted: 6 jobs: " in out and "The same command goes on:" in out
    assert not workers_in(tmp_path)
    sweep = started(tmp_path)
    out, err = sweep.communicate()
    assert (sweep.returncode, err) == (0, "")
    assert contents(tmp_path) == undisturbed[0]


def test_a_machine_that_is_lost_costs_nothing_but_time(undisturbed, salutary_run, tmp_path, monkeypatch):
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("SALUTARY_CACHE_DIR", CACHE)
    ray.shutdown()
    node = {"num_cpus": 1, "object_store_memory": 2**27}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        lost = cluster.add_node(**node)
        cluster.wait_for_nodes()

        def both_work() -> bool:
            return len(workers_in(tmp_path)) == 2 and in_a_round(tmp_path)

        killer = once(both_work, lambda: cluster.remove_node(lost, allow_graceful=False))
        address = f"hydra.launcher.address={cluster.address}"
        status, out, err = salutary_run(*SWEEP, "hydra/launcher=ray", address)
        killer.join(timeout=60)
        assert (status, err) == (0, "")
        assert "is started again (1 of 3), its worker was lost: " in out
        assert contents(tmp_path) == undisturbed[0]
    finally:
        ray.shutdown()
        cluster.shutdown()
