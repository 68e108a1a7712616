"""Pools of Ray Data: the rows in the data set's own order, whatever order its blocks are done in."""

import time

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("ray")

from salutary import SalutaryClassifier, Uncut
from salutary.integrations.spooled import opened_pool
from salutary.labeling.on_ray import cluster as clusters

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own
NAMES = ["age", "dose"]
POOL = pd.DataFrame(np.random.default_rng(0).normal(size=(400, 2)), columns=NAMES)
X = POOL[:40] + 0.5


@pytest.fixture(scope="module")
def ray():
    import ray

    clusters.require_ray()
    ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        num_cpus=2,
        object_store_memory=2**27,
    )
    yield ray
    ray.shutdown()


def test_rows_come_in_the_order_of_the_data_set(ray, tmp_path):
    def slower_at_first(batch):  # in here, since workers cannot import a module of tests
        time.sleep(0.5 * (batch["number"][0] == 0))
        return batch

    for place in range(4):
        part = POOL[100 * place : 100 * (place + 1)].assign(number=range(100 * place, 100 * (place + 1)))
        part.to_parquet(tmp_path / f"{place}.parquet", index=False)
    data = ray.data.read_parquet(str(tmp_path), override_num_blocks=4).map_batches(slower_at_first)
    before = data.context.execution_options.preserve_order
    model = SalutaryClassifier().fit(X, X["age"] > 0.5)
    with opened_pool(model, data, "number", None) as (pool, ids):
        np.testing.assert_array_equal(np.concatenate([*pool.blocks()]), POOL.to_numpy())
        assert ids.of(np.array([399, 0, 150])).tolist() == [399, 0, 150]
    assert data.context.execution_options.preserve_order == before


def test_a_matrix_is_a_pool(ray):
    y = (X["age"] > 0.5).to_numpy()
    settings = {"X_val": X.to_numpy() + 0.1, "y_val": y}
    model = SalutaryClassifier(rounds=1, budget=2, folds=0, rerank=0, confidence=0)
    expected = model.fit(X.to_numpy(), y, X_pool=POOL.to_numpy(), **settings).indices_
    found = model.fit(X.to_numpy(), y, X_pool=Uncut(ray.data.from_numpy(POOL.to_numpy())), **settings)
    assert len(expected) == 2 and found.indices_.tolist() == expected.tolist()
