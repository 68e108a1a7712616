"""Pools on a Ray cluster: the labels of ``backend=local``, whatever the workers and blocks."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from picture_files import write_folder

pytest.importorskip("ray")

from salutary.errors import SalutaryError
from salutary.labeling import backends
from salutary.labeling.on_ray import cluster as clusters
from salutary.labeling.on_ray import pool as pools
from salutary.labeling.state import State

from .ray_tables import STARTED, label, same

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own


@pytest.fixture(scope="module")
def ray():
    """A cluster of two workers on this machine."""
    import ray

    clusters.require_ray()
    ray.init(**STARTED, num_cpus=2, num_gpus=1, object_store_memory=2**27)
    yield ray
    ray.shutdown()


@pytest.fixture
def joined(monkeypatch):
    """The clusters that labellings joined, and the pools."""
    found = []
    encode = pools.encode_on_ray

    def noted(cluster, *arguments, **settings):
        found.append((cluster, encode(cluster, *arguments, **settings)))
        return found[-1][1]

    monkeypatch.setattr(backends, "encode_on_ray", noted)
    return found


@pytest.mark.parametrize(
    ("pool", "encode"),
    [
        ("pool.parquet", "once"),
        ("parts", "each_round"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in [
                ("pool.parquet", "each_round"),
                ("parts", "once"),
                ("pool.csv", "once"),
                ("pool.csv", "each_round"),
            ]
        ),
    ],
)
def test_labels_are_those_of_backend_local(ray, pool_tables, pool, encode, joined):
    expected = label("pool=pool.parquet", "id=key")
    found = label(f"pool={pool}", "id=key", "backend=ray", f"encode={encode}")
    assert len(expected) >= 5
    same(found, expected)
    ((_, encoded),) = joined
    facts = json.loads(Path("labels/facts.json").read_text())
    assert encoded.unseen == {"city": 1} == facts["columns"]["unseen_categories"]["pool"]
    assert facts["pool_rows"] == len(pool_tables)
    assert (encoded.matrix.kept is None) == (encode == "each_round")
    assert any(f"backend=ray: encode={encode}" in line for line in facts["columns"]["findings"])


def test_permuted_blocks(ray, pool_tables):
    expected = label("pool=parts", "id=key", "backend=ray")
    for old, new in (("0", "b"), ("1", "c"), ("2", "a")):
        os.rename(f"parts/{old}.parquet", f"parts/{new}.parquet")
    found = label("pool=parts", "id=key", "backend=ray")
    assert found["row"].tolist() != expected["row"].tolist()
    same(found.drop(columns="row"), expected.drop(columns="row"))


def test_little_comes_to_the_driver(ray, pool_tables, joined, tmp_path):
    pool = pd.concat([pool_tables] * 4, ignore_index=True)
    pool.to_parquet("large.parquet", index=False, row_group_size=170)
    for name in ("pool.parquet", "large.parquet"):
        label(f"pool={name}", "backend=ray", "predictions=said.parquet")
    (small, _), (large, pool) = joined
    assert len(pool.matrix) == 4 * len(pool_tables)
    assert 0 < large.moved < 1.3 * small.moved


@pytest.mark.parametrize("settings", [("id=key",), pytest.param((), marks=pytest.mark.slow)])
def test_predictions_are_parts(ray, pool_tables, settings):
    label("pool=parts", "predictions=here.parquet", *settings)
    for _ in range(2):  # force=true replaces them
        label("pool=parts", "predictions=there.parquet", "backend=ray", *settings)
    parts = sorted(os.listdir("there.parquet"))
    assert len(parts) > 2 and all(part.startswith("part-") for part in parts)
    found = pd.concat([pd.read_parquet(f"there.parquet/{part}") for part in parts], ignore_index=True)
    expected = pd.read_parquet("here.parquet")
    assert found.dtypes.equals(expected.dtypes) and found.iloc[:, :2].equals(expected.iloc[:, :2])
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)  # products of float32 round by their shape


def test_rows_with_answers_are_left_out(ray, pool_tables):
    answers = pool_tables.iloc[[0, 7, 2990]].assign(y=["no", "yes", "no"])[["key", "y"]]
    answers.to_csv("answers.csv", index=False)
    settings = ("pool=parts", "id=key", "answers=answers.csv")
    same(label(*settings, "backend=ray"), label(*settings))


def test_texts(ray, pool_tables):
    settings = ("pool=parts", "ignore=[]", "text=[said]", "encoder=tfidf")
    same(label(*settings, "backend=ray"), label(*settings))


@pytest.mark.slow
def test_frozen_encoders_of_texts_and_pictures(ray, pool_tables, tiny, tiny_vit, monkeypatch):
    """Those of workers see the same rows together."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as workers do
    rng = np.random.default_rng(0)
    write_folder(Path("pictures"), 12, 0, flat=True)
    files = sorted(str(each) for each in Path("pictures").iterdir())
    for name, n in {"train.csv": 60, "val.csv": 80, "pool.csv": 300}.items():
        frame = pd.read_csv(name)[:n]
        frame.assign(photo=rng.choice(files, n)).to_csv(name, index=False)
    settings = ("pool=pool.csv", "ignore=[]", "id=key", "text=[said]", f"encoder={tiny}", "max_length=16")
    settings = (*settings, "images=photo", f"image_encoder={tiny_vit}", "shortlist=50")
    expected = label(*settings)
    same(label(*settings, "backend=ray", "cache_dir=other"), expected)
    assert "since encoders of texts and pictures take long" in Path("labels/facts.json").read_text()


@pytest.mark.slow
def test_actors_that_hold_a_gpu_do_the_same(ray, pool_tables):
    """A GPU in name only: the steps are those of the CPU."""
    with clusters.joined() as cluster:

        def doubled(table):
            yield table.set_column(0, "id", pc.multiply(table["id"], 2))

        data = ray.data.range(10, override_num_blocks=3)
        for resources in ({}, {"num_gpus": 1}):
            refs = cluster.blocks(cluster.mapped(data, doubled, **resources), "", None, False)
            values = [value for table in cluster.fetched(refs) for value in table["id"].to_pylist()]
            assert sorted(values) == [*range(0, 20, 2)]


@pytest.mark.slow
def test_soft_labels_remedies_and_questions(ray, pool_tables):
    settings = (
        "pool=parts",
        "id=key",
        "strategy=salutary_soft",
        "strategy.pool_rows=50",
        "remedies=[cleaned]",
    )
    settings = (*settings, "model.candidates=[logistic]", "ask=3", "rounds=1")
    expected, asked = label(*settings), Path("labels/ask.csv").read_text()
    same(label(*settings, "backend=ray"), expected)
    assert Path("labels/ask.csv").read_text() == asked


@pytest.mark.slow
def test_what_was_interrupted_goes_on(ray, pool_tables, monkeypatch):
    expected, add = label("pool=parts", "backend=ray"), State.add

    def once(state, record):
        add(state, record)
        if record.number == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(State, "add", once)
        label("pool=parts", "backend=ray")
    assert os.path.exists("labels.partial/round-00001.npz")
    same(label("pool=parts", "backend=ray"), expected)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_blocks_only(ray, pool_tables, monkeypatch, tmp_path):
    expected, mark, mapped = label("pool=parts"), tmp_path / "pid", clusters.Cluster.mapped
    done = tmp_path / "done"
    done.mkdir()

    def killed_once(cluster, data, step, **resources):
        if type(step).__name__ != "Rank":
            return mapped(cluster, data, step, **resources)

        def slow(table):
            import os
            import time
            import uuid

            if os.path.exists(done.with_name("old")) and not os.path.exists(mark):
                with open(mark, "x") as file:
                    file.write(str(os.getpid()))
                time.sleep(600)
            (done / uuid.uuid4().hex).touch()
            yield from step(table)

        done.with_name("old").touch()
        return mapped(cluster, data, slow, **resources)

    def kill():
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.1)
        killed.append(int(mark.read_text()))
        os.kill(killed[0], signal.SIGKILL)

    killed = []
    monkeypatch.setattr(clusters.Cluster, "mapped", killed_once)
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    started = time.monotonic()
    found = label("pool=parts", "backend=ray")
    thread.join(1)
    assert killed and time.monotonic() - started < 600  # nobody waited for it
    same(found, expected)


def test_what_is_wrong_in_the_pool_is_one_line(ray, pool_tables):
    wrong = pool_tables.astype({"x0": object})
    wrong.loc[2500, "x0"] = "twelve"
    wrong.to_csv("wrong.csv", index=False)
    twice = pool_tables.copy()
    twice.loc[2990, "key"] = twice.loc[11, "key"]
    twice.to_parquet("twice.parquet", index=False, row_group_size=200)
    also = pool_tables.copy()
    also.loc[8, "key"] = "1-5"
    also.to_parquet("also.parquet", index=False, row_group_size=200)
    for pool in ("wrong.csv", "twice.parquet", "also.parquet"):
        said = []
        for backend in ("local", "ray"):
            with pytest.raises(SalutaryError) as error:
                label(f"pool={pool}", "id=key", f"backend={backend}")
            said.append(str(error.value))
            assert not os.path.exists("labels.partial")
        assert said[0] == said[1] and len(said[0].splitlines()) == 1


def test_rows_come_as_they_are(ray, pool_tables, joined):
    label("pool=parts", "backend=ray", "encode=each_round")
    label("pool=parts", "backend=ray", "encode=once")
    (_, lazy), (_, kept) = joined
    numbers = np.random.default_rng(0).permutation(len(pool_tables))[:400]
    X = kept.matrix.take(numbers)
    np.testing.assert_array_equal(lazy.matrix.take(numbers), X)
    np.testing.assert_array_equal(kept.matrix.take(numbers[:5]), X[:5])
    left = kept.matrix.without(np.array([3, 900]))
    assert len(left) == len(pool_tables) - 2
    assert left.in_file(np.array([0, 2, 3, 898, 899])).tolist() == [0, 2, 4, 899, 901]
    with pytest.raises(SalutaryError, match="stay there"):
        left.blocks()
