"""Ray clusters that a test starts for itself: of other sizes, of two nodes, of the command's own."""

import os
import subprocess
import sys

import pandas as pd
import pytest

pytest.importorskip("ray")

from salutary.labeling.on_ray import pool as pools

from .ray_tables import STARTED, label, same

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Ray's own


@pytest.mark.parametrize("workers", [1, 5])
def test_any_number_of_workers(workers, pool_tables):
    import ray

    ray.shutdown()
    ray.init(**STARTED, num_cpus=workers)
    try:
        same(label("pool=parts", "backend=ray"), label("pool=parts"))
    finally:
        ray.shutdown()


def test_a_node_that_is_lost_costs_no_row(pool_tables, monkeypatch):
    import ray
    from ray.cluster_utils import Cluster

    large = pd.concat([pool_tables] * 20, ignore_index=True)  # chunks that do not travel with messages
    large.to_parquet("large.parquet", index=False, row_group_size=4000)
    expected, best_rows = label("pool=large.parquet"), pools.RayPool.best_rows
    ray.shutdown()
    node = {"num_cpus": 1, "object_store_memory": 2**27}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        ray.init(address=cluster.address, log_to_driver=False)  # of the only node so far
        lost = cluster.add_node(**node)
        cluster.wait_for_nodes()
        lost, held = [lost], []

        def once(self, *arguments):
            if lost:
                found = ray.experimental.get_object_locations(self.kept.to_arrow_refs()).values()
                held.extend(each for each in found if each["node_ids"] == [lost[0].node_id])
                cluster.remove_node(lost.pop(), allow_graceful=False)
            return best_rows(self, *arguments)

        monkeypatch.setattr(pools.RayPool, "best_rows", once)
        found = label("pool=large.parquet", "backend=ray", "encode=once")
        assert held and [each["Alive"] for each in ray.nodes()].count(True) == 1
        same(found, expected)
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_the_command_prints_nothing_of_rays(pool_tables):
    arguments = ["labeled=train.csv", "validation=val.csv", "pool=parts", "target=y", "backend=ray"]
    arguments += ["ignore=[said]", "rounds=1", "remedies=false", "folds=0"]
    program = "from salutary.labeling.cli import main; main()"
    environment = os.environ | {"RAY_ADDRESS": "local"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0 and not done.stderr
    assert "backend=ray: encode=once" in done.stdout and "ray.init" not in done.stdout
    assert "Started a local Ray" not in done.stdout and "MapBatches" not in done.stdout
